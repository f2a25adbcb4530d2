//! What every tool keeps: absence and failure are told apart, schemas are closed, hints are right.

use lab::ServerName;
use serde_json::{Value, json};

use crate::harness::{Client, lab};

/// One good call of every reading tool, with the file it reads.
fn calls() -> Vec<(ServerName, &'static str, Value, &'static str)> {
    use ServerName::*;
    vec![
        (Siem, "list_alerts", json!({}), "alerts.jsonl"),
        (Siem, "get_alert", json!({"id": "1"}), "alerts.jsonl"),
        (Siem, "list_tables", json!({}), "logs/web.jsonl"),
        (
            Siem,
            "query_logs",
            json!({"sql": "SELECT 1 FROM events"}),
            "logs/web.jsonl",
        ),
        (Identity, "get_user", json!({"id": "ann"}), "identity.jsonl"),
        (
            Identity,
            "users_of_address",
            json!({"address": "10.0.0.1"}),
            "identity.jsonl",
        ),
        (Identity, "list_users", json!({}), "identity.jsonl"),
        (Cloud, "get_resource", json!({"id": "x"}), "assets.jsonl"),
        (Cloud, "list_resources", json!({}), "assets.jsonl"),
        (Endpoint, "get_host", json!({"id": "x"}), "assets.jsonl"),
        (Endpoint, "list_hosts", json!({}), "endpoints.jsonl"),
        (
            Vuln,
            "list_vulnerabilities",
            json!({"asset": "x"}),
            "vulns.jsonl",
        ),
        (
            Intel,
            "lookup_indicator",
            json!({"value": "x"}),
            "intel.jsonl",
        ),
        (
            Scm,
            "find_changes",
            json!({"at": "2026-07-14T00:00:00Z", "values": []}),
            "changes.jsonl",
        ),
        (Scm, "get_change", json!({"id": "x"}), "changes.jsonl"),
        (
            Ticketing,
            "find_tickets",
            json!({"values": []}),
            "tickets.jsonl",
        ),
    ]
}

#[tokio::test]
async fn an_absent_file_is_neither_empty_nor_an_error() {
    let dir = lab(&[]);
    for (server, tool, arguments, _) in calls() {
        let client = Client::start(server, dir.path()).await;
        let answer = client.ask(tool, arguments).await;
        assert_eq!(answer["available"], false, "{tool}");
        assert!(answer["reason"].as_str().unwrap().len() > 5, "{tool}");
        assert_eq!(answer["results"], json!([]), "{tool}");
        assert_eq!(
            (&answer["count"], &answer["truncated"]),
            (&json!(0), &json!(false))
        );
    }
}

#[tokio::test]
async fn a_malformed_file_is_an_error_that_names_file_and_line() {
    for (server, tool, arguments, file) in calls() {
        if file == "alerts.jsonl" {
            continue; // A bad line of alerts is for the daemon to set aside.
        }
        for bad in ["{\"id\":\"1\"\n", "[1]\n", "\u{1}\n"] {
            let good = r#"{"id":"x","event_uid":"x","event_time":"2026-07-14T10:00:00Z"}"#;
            let dir = lab(&[(file, &format!("{good}\n\n{bad}"))]);
            let client = Client::start(server, dir.path()).await;
            let reason = client.refused(tool, arguments.clone()).await;
            assert!(
                reason.contains(&format!("{file} line 3")),
                "{tool}: {reason}"
            );
        }
    }
}

#[tokio::test]
async fn an_unreadable_file_is_an_error() {
    for (server, tool, arguments, file) in calls() {
        let dir = lab(&[]);
        std::fs::create_dir(dir.path().join(file)).unwrap();
        let client = Client::start(server, dir.path()).await;
        let reason = client.refused(tool, arguments).await;
        assert!(reason.contains(file), "{tool}: {reason}");
    }
}

#[tokio::test]
async fn every_tool_is_described_closed_and_annotated() {
    let dir = lab(&[]);
    let known = calls();
    for server in ServerName::ALL {
        let client = Client::start(server, dir.path()).await;
        for tool in client.tools().await {
            let (name, hints) = (tool.name.as_ref(), tool.annotations.clone().unwrap());
            assert!(tool.description.as_ref().unwrap().len() > 30, "{name}");
            assert_eq!(tool.input_schema["additionalProperties"], false, "{name}");
            assert!(
                tool.input_schema["properties"].get("as_of").is_some(),
                "{name}"
            );
            let output = tool.output_schema.clone().unwrap();
            assert_eq!(output["type"], "object", "{name}");
            for field in ["available", "results", "count", "truncated"] {
                assert!(
                    output["required"]
                        .as_array()
                        .unwrap()
                        .contains(&json!(field)),
                    "{name}"
                );
            }
            let writes = ["create_ticket", "update_ticket"].contains(&name);
            assert!(
                writes || known.iter().any(|(s, t, ..)| *s == server && *t == name),
                "{name}"
            );
            assert_eq!(hints.read_only_hint, Some(!writes), "{name}");
            assert_eq!(hints.destructive_hint, Some(false), "{name}");
            assert_eq!(hints.idempotent_hint, Some(true), "{name}");
            assert_eq!(hints.open_world_hint, Some(false), "{name}");
        }
    }
    for (server, tool, mut arguments, _) in known {
        arguments["surprise"] = json!(1);
        let client = Client::start(server, dir.path()).await;
        let reason = client.refused(tool, arguments).await;
        assert!(reason.contains("surprise"), "{tool}: {reason}");
    }
}

#[tokio::test]
async fn a_time_that_is_none_is_refused() {
    let dir = lab(&[("identity.jsonl", "{\"id\":\"ann\"}\n")]);
    let client = Client::start(ServerName::Identity, dir.path()).await;
    for as_of in [
        json!("yesterday"),
        json!("2026-07-14"),
        json!(5),
        json!("2026-07-14T00:00:00"),
    ] {
        client
            .refused("get_user", json!({"id": "ann", "as_of": as_of}))
            .await;
    }
}
