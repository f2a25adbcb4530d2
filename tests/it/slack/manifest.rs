//! The app manifests that ship: what Slack asks of them, no more scopes than are used, and the path that is really served.

use agent::notify::slack::PATH;
use serde_json::Value;

use crate::tidy::root;

fn manifest(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join("agent/slack").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_manifest_has_what_slack_knows_and_asks_for_little() {
    for name in ["manifest.json", "manifest-http.json"] {
        let manifest = manifest(name);
        assert_eq!(
            keys(&manifest),
            [
                "display_information",
                "features",
                "oauth_config",
                "settings"
            ]
        );
        let shown = &manifest["display_information"];
        assert_eq!(keys(shown), ["background_color", "description", "name"]);
        for (key, most) in [("name", 35), ("description", 140)] {
            let length = shown[key].as_str().unwrap().chars().count();
            assert!((1..=most).contains(&length), "{name}: {key}");
        }
        let colour = shown["background_color"].as_str().unwrap();
        assert!(colour.len() == 7 && colour.starts_with('#'));
        assert_eq!(keys(&manifest["features"]), ["bot_user"]);
        let bot = &manifest["features"]["bot_user"];
        assert_eq!(keys(bot), ["always_online", "display_name"]);
        assert!(bot["display_name"].as_str().unwrap().len() <= 80);
        assert_eq!(
            manifest["oauth_config"],
            serde_json::json!({"scopes": {"bot": ["chat:write", "usergroups:read"]}}),
            "what is not used is not asked for",
        );
        assert_eq!(
            keys(&manifest["settings"]),
            [
                "interactivity",
                "org_deploy_enabled",
                "socket_mode_enabled",
                "token_rotation_enabled"
            ],
        );
        // Tokens that change by themselves are not understood.
        assert_eq!(manifest["settings"]["token_rotation_enabled"], false);
        assert_eq!(manifest["settings"]["interactivity"]["is_enabled"], true);
    }
}

#[test]
fn each_manifest_is_for_its_mode() {
    let socket = manifest("manifest.json");
    assert_eq!(socket["settings"]["socket_mode_enabled"], true);
    assert_eq!(socket["settings"]["interactivity"].get("request_url"), None);
    let http = manifest("manifest-http.json");
    assert_eq!(http["settings"]["socket_mode_enabled"], false);
    let url = http["settings"]["interactivity"]["request_url"]
        .as_str()
        .unwrap();
    assert!(url.starts_with("https://") && url.ends_with(PATH), "{url}");
}
