//! Server tables as operators write them: what they come to, and that every fault is found at once.

use mcp_clients::config::{SecretRef, ServerConfig, Span, TransportSpec};
use mcp_clients::presets;
use state::model::{Tier, ToolClass};

fn parse(text: &str) -> ServerConfig {
    toml::from_str(text).unwrap()
}

#[test]
fn a_table_with_a_preset_merges_field_by_field() {
    let config = parse(
        r#"
        command = "mcp-panther"
        env = { PANTHER_INSTANCE_URL = "https://example.test", PANTHER_API_TOKEN = { env = "T" } }
        preset = "panther"
        limits = { call_timeout = "90s" }
        [tools.add_alert_comment]
        enabled = true
        effect = { live = true }
        [tools.list_alerts]
        enabled = false
        [tools.get_role]
        class = "read_internal"
        "#,
    );
    let spec = config.resolve("siem", None).unwrap();
    assert_eq!(Span(spec.limits.call), "90s".parse().unwrap());
    assert_eq!(Span(spec.limits.start), "60s".parse().unwrap());
    let comment = &spec.tools["add_alert_comment"];
    assert_eq!(comment.class, ToolClass::Write);
    assert!(comment.enabled && comment.effect.live && comment.effect.raise);
    assert_eq!(comment.effect.target.as_deref(), Some("alert_id"));
    assert!(!spec.tools["list_alerts"].enabled);
    assert!(
        !spec.tools["update_alert_status"].enabled,
        "writes are off until switched on"
    );
    assert_eq!(spec.tools["get_role"].tiers, Tier::ALL);
    assert!(!spec.reply.is_empty());
    assert!(matches!(spec.transport, TransportSpec::Process(_)));
}

#[test]
fn every_fault_is_found_and_named_at_once() {
    let faults = parse(
        r#"
        command = "x"
        url = "http://user:pass@siem.example.test/mcp"
        headers = { Authorization = "Bearer abc" }
        limits = { call_timeout = "0s", max_in_flight = 0 }
        reply = { error_when = [{ message = "m" }, { text_prefix = " " }] }
        [tools.nameless]
        enabled = true
        [tools.close]
        class = "suppress"
        tiers = [1]
        enabled = true
        effect = { raise = true, allow = [" "], techniques = { argument = "t", allow = [] }, read_back = { tool = "x", path = "a" } }
        [tools.stop]
        class = "destructive"
        enabled = true
        [tools.read]
        class = "read_internal"
        effect = { live = true }
        max_calls_per_minute = 0
        trusted = ["a..b"]
        "#,
    )
    .faults("siem", None);
    let wanted = [
        "siem.url",
        "headers.Authorization",
        "limits.call_timeout",
        "limits.max_in_flight",
        "error_when[0]",
        "error_when[1]",
        "tools.nameless.class",
        "tools.close.tiers",
        "tools.close.effect.raise",
        "tools.close.effect.allow",
        "tools.close.effect.techniques",
        "tools.close.effect.read_back",
        "tools.stop.effect.target",
        "tools.read.effect.live",
        "tools.read.max_calls_per_minute",
        "tools.read.trusted",
    ];
    for key in wanted {
        assert!(
            faults.iter().any(|f| f.contains(key)),
            "{key} is not among {faults:#?}"
        );
    }
    assert_eq!(faults.len(), wanted.len(), "{faults:#?}");
}

#[test]
fn endpoints_secrets_and_presets_are_held_to_their_rules() {
    let cases = [
        (
            "url = \"http://siem.example.test/mcp\"\nbearer = { env = \"T\" }",
            "https",
        ),
        ("url = \"https://u:p@siem.example.test/mcp\"", "credentials"),
        ("url = \"ftp://siem.example.test\"", "http"),
        (
            "url = \"https://siem.example.test\"\nargs = [\"a\"]",
            "args",
        ),
        ("command = \"x\"\nbearer = { env = \"T\" }", "bearer"),
        (
            "command = \"x\"\nenv = { API_TOKEN = \"abc\" }",
            "API_TOKEN",
        ),
        ("preset = \"panther\"", "command"),
        ("command = \"x\"\npreset = \"nope\"", "panther"),
        ("command = \"x\"\npreset = \"lab.nope\"", "siem"),
    ];
    for (text, word) in cases {
        let faults = parse(text).faults("s", None);
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert!(faults[0].contains(word), "{text}: {faults:?}");
    }
    assert!(
        parse("url = \"http://127.0.0.1:1/mcp\"\nbearer = { env = \"T\" }")
            .faults("s", None)
            .is_empty()
    );
}

#[test]
fn unknown_keys_and_inline_secrets_do_not_parse() {
    for text in [
        "comand = \"x\"",
        "bearer = \"abc\"",
        "bearer = { value = \"abc\" }",
        "limits = { call = \"5s\" }",
        "limits = { call_timeout = 5 }",
        "[tools.a]\nclas = \"write\"",
        "[tools.a]\nclass = \"admin\"",
        "[tools.a]\ntiers = [4]",
    ] {
        assert!(toml::from_str::<ServerConfig>(text).is_err(), "{text}");
    }
}

#[test]
fn every_shipped_preset_resolves_and_its_writes_are_off() {
    let names = presets::names(None);
    for name in [
        "atlassian",
        "cloudtrail",
        "falcon",
        "gitlab",
        "lab",
        "okta",
        "opensearch",
        "panther",
    ] {
        assert!(names.contains(name), "{name}");
    }
    for name in names {
        for server in presets::load(&name, None).unwrap().servers.into_keys() {
            let mut config = parse("command = \"x\"");
            config.preset = Some(format!("{name}.{server}"));
            let spec = config.resolve(&server, None).unwrap();
            assert!(!spec.tools.is_empty(), "{name}.{server}");
            for (tool, entry) in spec.tools {
                assert_eq!(
                    entry.enabled,
                    entry.class.is_read_only(),
                    "{name}.{server}.{tool}"
                );
                assert!(
                    !entry.effect.live && entry.effect.allow.is_empty(),
                    "{name}.{server}.{tool}"
                );
            }
        }
    }
}

#[test]
fn an_operators_preset_wins_by_file_name_and_is_held_to_the_same_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panther.toml");
    std::fs::write(
        &path,
        "[panther]\nabout = \"ours\"\n[panther.tools]\nx = { class = \"write\" }\n",
    )
    .unwrap();
    let own = presets::load("panther", Some(folder.path())).unwrap();
    assert_eq!(
        (own.from.as_deref(), own.servers["panther"].tools.len()),
        (Some(path.as_path()), 1)
    );
    assert_eq!(
        presets::load("okta", Some(folder.path())).unwrap().from,
        None
    );
    assert!(presets::load("../panther", Some(folder.path())).is_err());
    std::fs::write(&path, "[panther]\nabout = \"ours\"\ntool = {}\n").unwrap();
    assert!(
        presets::load("panther", Some(folder.path())).is_err(),
        "unknown keys are errors"
    );
}

#[tokio::test]
async fn secrets_are_fetched_whole_and_their_absence_is_an_error() {
    use secrecy::ExposeSecret;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, " a b\r\n").unwrap();
    let from_file = SecretRef::File(path.clone()).resolve().await.unwrap();
    assert_eq!(
        from_file.expose_secret(),
        " a b",
        "one newline goes, nothing else"
    );
    assert!(!format!("{from_file:?}").contains("a b"));
    let command = SecretRef::Command("printf 'x\\n\\n'".to_owned());
    assert_eq!(command.resolve().await.unwrap().expose_secret(), "x\n");

    std::fs::write(&path, "\n").unwrap();
    let cases = [
        (SecretRef::File(path), "is empty"),
        (SecretRef::File(folder.path().join("none")), "can't be read"),
        (
            SecretRef::Env("NO_SUCH_VARIABLE_ANYWHERE".to_owned()),
            "is not set",
        ),
        (
            SecretRef::Command("echo partial; exit 3".to_owned()),
            "exit status: 3",
        ),
    ];
    for (from, words) in cases {
        let error = from.resolve().await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
