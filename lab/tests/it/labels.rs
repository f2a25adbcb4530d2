//! Labels are read by nobody here: a word planted in labels.jsonl must not come out of any tool.

use lab::ServerName;
use serde_json::json;

use crate::harness::{Client, WEB, lab, text, with_manifest};

const CANARY: &str = "canary-5f1c";

/// Every reading tool, asked for what labels.jsonl holds.
fn calls() -> Vec<(ServerName, &'static str, serde_json::Value)> {
    let mut calls = Vec::new();
    for value in ["1", CANARY] {
        calls.extend([
            (ServerName::Siem, "list_alerts", json!({})),
            (ServerName::Siem, "get_alert", json!({"id": value})),
            (ServerName::Siem, "list_tables", json!({})),
            (ServerName::Identity, "get_user", json!({"id": value})),
            (ServerName::Identity, "list_users", json!({})),
            (ServerName::Cloud, "get_resource", json!({"id": value})),
            (ServerName::Cloud, "list_resources", json!({})),
            (ServerName::Endpoint, "get_host", json!({"id": value})),
            (ServerName::Endpoint, "list_hosts", json!({})),
            (
                ServerName::Vuln,
                "list_vulnerabilities",
                json!({"asset": value}),
            ),
            (
                ServerName::Intel,
                "lookup_indicator",
                json!({"value": value}),
            ),
            (ServerName::Scm, "get_change", json!({"id": value})),
            (
                ServerName::Scm,
                "find_changes",
                json!({"at": "2026-07-14T00:00:00Z", "values": []}),
            ),
            (ServerName::Ticketing, "find_tickets", json!({"values": []})),
        ]);
    }
    for sql in [
        "SELECT * FROM web",
        "SELECT * FROM events",
        "SELECT * FROM labels",
        "SELECT * FROM sneaky",
        "SELECT readfile('labels.jsonl')",
        "SELECT * FROM json_each(readfile('labels.jsonl'))",
        "SELECT count(*) FROM web WHERE instr(raw, 'source_alert_id') > 0",
    ] {
        calls.push((ServerName::Siem, "query_logs", json!({"sql": sql})));
    }
    calls
}

#[tokio::test]
async fn labels_are_never_served() {
    let label = format!("{{\"source_alert_id\":\"1\",\"id\":\"1\",\"note\":\"{CANARY}\"}}\n");
    let dir = lab(&[
        ("labels.jsonl", &label),
        ("alerts.jsonl", "{\"id\":\"1\"}\n"),
        ("logs/web.jsonl", WEB),
        ("identity.jsonl", "{\"id\":\"1\"}\n"),
        (
            "assets.jsonl",
            "{\"id\":\"1\",\"kind\":\"host\"}\n{\"id\":\"1\",\"kind\":\"bucket\"}\n",
        ),
        ("vulns.jsonl", "{\"id\":\"1\",\"asset\":\"1\"}\n"),
        ("intel.jsonl", "{\"value\":\"1\"}\n"),
        (
            "changes.jsonl",
            "{\"id\":\"1\",\"time\":\"2026-07-14T00:00:00Z\"}\n",
        ),
        ("tickets.jsonl", "{\"id\":\"1\"}\n"),
    ]);
    // The same file under other names, by way of links.
    for link in ["logs/sneaky.jsonl", "endpoints.jsonl"] {
        std::os::unix::fs::symlink(dir.path().join("labels.jsonl"), dir.path().join(link)).unwrap();
    }
    for (server, tool, arguments) in calls() {
        let shown = arguments.to_string();
        let client = Client::start(server, dir.path()).await;
        let answer = text(&client.call(tool, arguments).await);
        assert!(
            !answer.contains("source_alert_id"),
            "{tool} {shown}: {answer}"
        );
        assert!(
            shown.contains(CANARY) || !answer.contains(CANARY),
            "{tool} {shown}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_manifest_can_not_name_the_labels_or_leave_the_folder() {
    for file in [
        "labels.jsonl",
        "./labels.jsonl",
        "x/../labels.jsonl",
        "../x.jsonl",
        "/etc/passwd",
    ] {
        let manifest = format!(
            "name = \"t\"\nclock = \"2026-07-15T00:00:00Z\"\n[alerts]\nfile = \"{file}\"\nmapping = \"m\"\n"
        );
        let dir = with_manifest(&manifest, &[("labels.jsonl", "{}\n")]);
        let error = lab::manifest::load(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("alerts.file") && error.contains("line 3"),
            "{file}: {error}"
        );
    }
}
