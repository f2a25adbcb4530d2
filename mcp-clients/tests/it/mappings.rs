//! Each mapping against vendor-shaped samples of our own, what it must not trust, and what the loader and reader refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mcp_clients::mappings::{MAX_ALERT_BYTES, Mappings, NEVER_TRUSTED, Origin};
use serde_json::{Value, json};
use state::model::{Activity, NewAlert, Trust};

fn samples(room: &str) -> Vec<(String, PathBuf, Vec<Value>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/samples")
        .join(room);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let list = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        found.push((name, path, list));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// `BLESS=1` writes what is read into the samples, to be reviewed; otherwise the two must be equal.
fn compare(room: &str, read: impl Fn(&str, &Value) -> Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (name, path, mut list) in samples(room) {
        for sample in &mut list {
            let reads = read(&name, &sample["raw"]);
            if std::env::var_os("BLESS").is_some() {
                sample["reads"] = reads;
            } else {
                assert_eq!(reads, sample["reads"], "{room}/{name}");
            }
        }
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, serde_json::to_string_pretty(&list).unwrap() + "\n").unwrap();
        }
        names.insert(name);
    }
    names
}

fn fact(value: &str, trust: Trust) -> String {
    match trust {
        Trust::Trusted => value.to_owned(),
        other => format!("{other}: {value}"),
    }
}

fn activity(read: &Activity) -> Value {
    let facts = read.fields.iter();
    let facts: BTreeMap<&str, String> = facts
        .map(|(f, v)| (f.as_str(), fact(&v.value, v.trust)))
        .collect();
    json!({ "schema": read.schema, "uid": read.uid, "time": read.time, "fields": facts })
}

fn alert(read: &NewAlert) -> Value {
    let entities = read.entities.iter();
    let entities = entities.map(|e| format!("{} {} {}", e.role, e.kind, fact(&e.value, e.trust)));
    let observables = read.observables.iter();
    let observables = observables.map(|o| format!("{} {}", o.kind, fact(&o.value, o.trust)));
    json!({
        "id": read.source_alert_id, "product": read.product, "rule": read.rule,
        "severity": read.severity, "time": read.time, "attacks": read.attacks,
        "activities": read.activities.iter().map(activity).collect::<Vec<_>>(),
        "entities": entities.collect::<Vec<_>>(),
        "observables": observables.collect::<Vec<_>>(),
    })
}

#[test]
fn every_event_mapping_reads_its_samples() {
    let mappings = Mappings::load(None).unwrap();
    let names = compare("events", |name, raw| {
        let read = mappings.activity(raw);
        assert_eq!(read.schema, name, "{raw}");
        activity(&read)
    });
    let known = mappings.event_names().into_iter().map(str::to_owned);
    assert_eq!(
        names,
        known.collect(),
        "a mapping without samples, or samples without a mapping"
    );
}

#[test]
fn every_alert_mapping_reads_its_samples() {
    let mappings = Mappings::load(None).unwrap();
    let names = compare("alerts", |name, raw| {
        let read = mappings.read(name, "src", &raw.to_string()).unwrap();
        assert_eq!((read.mapping.as_str(), read.source.as_str()), (name, "src"));
        assert_eq!(read.raw, raw.to_string());
        alert(&read)
    });
    let known = mappings.alert_names().into_iter().map(str::to_owned);
    assert_eq!(
        names,
        known.collect(),
        "a mapping without samples, or samples without a mapping"
    );
}

#[test]
fn what_outsiders_write_is_never_trusted() {
    let mappings = Mappings::load(None).unwrap();
    for (_, _, list) in samples("events") {
        for sample in list {
            let read = mappings.activity(&sample["raw"]);
            for field in NEVER_TRUSTED {
                assert!(!read.trusted.contains(&field) && read.trusted(field).is_none());
            }
        }
    }
    // A user name that is itself JSON must not become somebody else's.
    let forged = json!({"id": {"applicationName": "login", "time": "2026-02-03T04:05:06Z"},
        "actor": "{\"email\":\"ceo@acme.example\"}", "name": "login_success"});
    let read = mappings.activity(&forged);
    assert_eq!(read.get(state::model::Field::User), "ceo@acme.example");
    assert_eq!(read.trusted(state::model::Field::User), None);
}

#[test]
fn rows_are_unwrapped_and_keep_the_given_id_and_time() {
    let mappings = Mappings::load(None).unwrap();
    let inner = &samples("events")
        .into_iter()
        .find(|s| s.0 == "okta")
        .unwrap()
        .2[0]["raw"];
    for raw in [inner.clone(), Value::String(inner.to_string())] {
        let row = json!({"event_uid": "u1", "event_time": "2026-02-04T00:00:00Z",
            "table_name": "t", "raw": raw});
        let read = mappings.activity(&row);
        assert_eq!((read.schema.as_str(), read.uid.as_str()), ("okta", "u1"));
        assert_eq!(read.time.unwrap().to_rfc3339(), "2026-02-04T00:00:00+00:00");
        assert_eq!(&read.raw, inner);
    }
}

#[test]
fn what_is_no_alert_is_rejected_with_its_place() {
    let mappings = Mappings::load(None).unwrap();
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(70), "]".repeat(70));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_ALERT_BYTES));
    for (raw, reason) in [
        ("", "not JSON"),
        ("{\"id\":", "not JSON"),
        ("[]", "not an object"),
        ("7", "not an object"),
        ("{\"id\":\"a\"}", "no time"),
        (
            "{\"id\":\"a\",\"created_at\":\"soon\"}",
            "`soon` at /created_at is not a time",
        ),
        (
            "{\"id\":{\"x\":1},\"created_at\":\"2026-02-03T04:05:06Z\"}",
            "/id is an object",
        ),
        (
            "{\"created_at\":\"2026-02-03T04:05:06Z\",\"events\":[7]}",
            "/events is a number",
        ),
        (
            "{\"created_at\":\"2026-02-03T04:05:06Z\",\"events\":\"x\"}",
            "/events is text",
        ),
        (&deep, "deeper than 64"),
        (&long, "at most 1048576"),
    ] {
        let rejected = mappings.read("panther", "s", raw).unwrap_err();
        assert!(rejected.reason.contains(reason), "{}", rejected.reason);
        assert_eq!(rejected.raw, raw);
    }
    let none = mappings.read("nowhere", "s", "{}").unwrap_err();
    assert!(none.reason.contains("known are"), "{}", none.reason);
    let bare = "{\"created_at\":\"2026-02-03T04:05:06Z\"}";
    let read = mappings.read("panther", "s", bare).unwrap();
    assert!(read.source_alert_id.starts_with("sha256:") && read.activities.is_empty());
}

#[test]
fn an_alert_of_any_shape_is_read_by_configured_pointers() {
    let mappings = Mappings::load(None).unwrap();
    let given = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    let custom = mappings
        .generic(&given(&[
            ("id", "/meta/no"),
            ("rule_id", "/what"),
            ("severity", "/meta/sev"),
            ("time", "/meta/at"),
            ("events", "/meta/none"),
            ("user", "/who"),
            ("url", "/link"),
            ("trusted", "user"),
        ]))
        .unwrap();
    let raw = json!({"meta": {"no": 12, "sev": "Moderate", "at": 1_770_091_506}, "what": "door",
        "who": "lee", "link": "https://bad-place.example/"});
    let read = mappings.read_with(&custom, "s", &raw.to_string()).unwrap();
    assert_eq!(
        alert(&read),
        json!({"id": "12", "product": "unknown", "severity": "medium", "attacks": [],
            "rule": {"id": "door", "name": "door", "groups": []},
            "time": "2026-02-03T04:05:06Z",
            "activities": [{"schema": "generic", "uid": "", "time": null,
                "fields": {"user": "lee", "url": "untrusted: https://bad-place.example/"}}],
            "entities": ["principal user lee"],
            "observables": ["url untrusted: https://bad-place.example/",
                "hostname untrusted: bad-place.example"]})
    );
    let faults = mappings
        .generic(&given(&[
            ("id", "no"),
            ("colour", "/c"),
            ("user", "$x/y"),
            ("trusted", "url"),
        ]))
        .unwrap_err();
    assert_eq!(faults.len(), 4, "{faults:?}");
}

#[test]
fn an_operators_folder_overrides_by_name_and_every_fault_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "events/door.toml",
        "priority = 99\nuid = \"/n\"\ntrusted = [\"user\"]\n[[detect]]\nexists = [\"/door\"]\n[fields]\nuser = \"/by\"\n",
    );
    write(
        "alerts/okta.toml",
        "id = \"/uuid\"\ntime = \"/published\"\nrule_id = [{ const = \"mine\" }]\nevents = \"\"\n",
    );
    let mappings = Mappings::load(Some(folder.path())).unwrap();
    let read = mappings.activity(&json!({"door": 1, "by": "lee", "n": 4, "eventType": "x",
        "actor": {"alternateId": "y"}}));
    assert_eq!((read.schema.as_str(), read.uid.as_str()), ("door", "4"));
    let okta = json!({"uuid": "1", "published": "2026-02-03T04:05:06Z"}).to_string();
    assert_eq!(mappings.read("okta", "s", &okta).unwrap().rule.id, "mine");
    let overridden = mappings
        .files()
        .iter()
        .filter(|f| f.origin != Origin::Embedded);
    assert_eq!(overridden.count(), 2);

    write(
        "events/door.toml",
        "colour = 1\npriority = \"x\"\ntrusted = [\"url\", \"shoe\"]\n[[detect]]\nexists = [\"door\"]\n[fields]\nuser = [{ pointer = \"/a\", shade = 1 }, { regex = \"a\" }, { pointer = \"/a\", regex = \"(\" }]\nhat = \"/h\"\nhost = \"$none/x\"\n",
    );
    write("alerts/broken.toml", "id = ");
    write("alerts/empty.toml", "");
    let faults = Mappings::load(Some(folder.path())).unwrap_err();
    let places: Vec<&str> = faults.iter().map(|f| f.place.as_str()).collect();
    for place in [
        "colour",
        "priority",
        "trusted",
        "detect",
        "fields.user[0]",
        "fields.user[1]",
        "fields.user[2]",
        "fields.hat",
        "bases",
        "rule_id",
        "",
    ] {
        assert!(places.contains(&place), "{place} is not in {faults:?}");
    }
    assert!(
        faults
            .iter()
            .all(|f| f.file.contains(&*folder.path().to_string_lossy()))
    );
}
