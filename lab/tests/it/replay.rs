//! Nothing later than "now" is seen, whatever tool and whatever SQL asks.

use lab::ServerName;
use serde_json::{Value, json};

use crate::harness::{AUTH, Client, WEB, lab, text};

const NOON: &str = "2026-07-14T12:00:00Z";

/// Every file with one thing of the morning and one of the afternoon, named so.
fn day() -> tempfile::TempDir {
    lab(&[
        (
            "alerts.jsonl",
            "{\"id\":\"early\",\"timestamp\":\"2026-07-14T10:00:00.000+0000\"}\n{\"id\":\"LATER\",\"timestamp\":\"2026-07-14T14:00:01.000+0200\"}\nnot json\n",
        ),
        (
            "logs/web.jsonl",
            "{\"event_uid\":\"early\",\"event_time\":\"2026-07-14T12:00:00Z\",\"m\":\"early\"}\n{\"event_uid\":\"LATER\",\"event_time\":\"2026-07-14T12:00:00.001Z\",\"LATER\":\"LATER\"}\n",
        ),
        (
            "logs/auth.jsonl",
            "{\"event_uid\":\"LATER2\",\"event_time\":\"2026-07-14T14:00:00Z\",\"m\":\"LATER\"}\n",
        ),
        (
            "identity.jsonl",
            "{\"id\":\"early\",\"kind\":\"user\",\"last_login\":\"2026-07-14T13:00:00Z\",\"usual_addresses\":[\"10.0.0.1\"]}\n{\"id\":\"LATER\",\"kind\":\"user\",\"created_at\":\"2026-07-14T13:00:00Z\",\"usual_addresses\":[\"10.0.0.1\"]}\n",
        ),
        (
            "assets.jsonl",
            "{\"id\":\"early\",\"kind\":\"host\"}\n{\"id\":\"LATER\",\"kind\":\"host\",\"first_seen\":\"2026-07-14T13:00:00Z\"}\n{\"id\":\"early\",\"kind\":\"bucket\"}\n{\"id\":\"LATER\",\"kind\":\"bucket\",\"created_at\":\"2026-07-14T13:00:00Z\"}\n",
        ),
        (
            "vulns.jsonl",
            "{\"id\":\"early\",\"asset\":\"h\",\"status\":\"fixed\",\"fixed_at\":\"2026-07-14T13:00:00Z\"}\n{\"id\":\"LATER\",\"asset\":\"h\",\"found_at\":\"2026-07-14T13:00:00Z\"}\n",
        ),
        (
            "intel.jsonl",
            "{\"value\":\"x.example\",\"id\":\"early\",\"first_seen\":\"2026-07-01T00:00:00Z\",\"last_seen\":\"2026-07-14T13:00:00Z\"}\n{\"value\":\"x.example\",\"id\":\"LATER\",\"first_seen\":\"2026-07-14T13:00:00Z\"}\n",
        ),
        (
            "changes.jsonl",
            "{\"id\":\"early\",\"created_at\":\"2026-07-14T11:00:00Z\",\"merged_at\":\"2026-07-14T13:00:00Z\",\"status\":\"LATER\"}\n{\"id\":\"LATER\",\"created_at\":\"2026-07-14T13:00:00Z\",\"window_start\":\"2026-07-14T11:00:00Z\",\"window_end\":\"2026-07-14T15:00:00Z\"}\n{\"id\":\"LATER\",\"time\":\"2026-07-14T12:00:01Z\"}\n",
        ),
        (
            "tickets.jsonl",
            "{\"id\":\"early\",\"created_at\":\"2026-07-14T11:00:00Z\",\"closed_at\":\"2026-07-14T13:00:00Z\",\"status\":\"closed\",\"resolution\":\"LATER\",\"note\":\"LATER\"}\n{\"id\":\"LATER\",\"created_at\":\"2026-07-14T13:00:00Z\"}\n",
        ),
    ])
}

#[tokio::test]
async fn no_tool_shows_what_came_later() {
    use ServerName::*;
    let dir = day();
    let calls = [
        (Siem, "list_alerts", json!({})),
        (Siem, "get_alert", json!({"id": "early"})),
        (Siem, "list_tables", json!({})),
        (
            Siem,
            "query_logs",
            json!({"sql": "SELECT event_uid, raw FROM events"}),
        ),
        (Identity, "get_user", json!({"id": "early"})),
        (Identity, "users_of_address", json!({"address": "10.0.0.1"})),
        (Identity, "list_users", json!({})),
        (Cloud, "get_resource", json!({"id": "early"})),
        (Cloud, "list_resources", json!({})),
        (Endpoint, "get_host", json!({"id": "early"})),
        (Endpoint, "list_hosts", json!({})),
        (Vuln, "list_vulnerabilities", json!({"asset": "h"})),
        (Intel, "lookup_indicator", json!({"value": "x.example"})),
        (
            Scm,
            "find_changes",
            json!({"at": "2026-07-14T11:30:00Z", "values": [], "window_minutes": 120}),
        ),
        (Scm, "get_change", json!({"id": "early"})),
        (Ticketing, "find_tickets", json!({"values": []})),
    ];
    for (server, tool, arguments) in calls {
        let client = Client::start(server, dir.path()).await;
        let whole = client.ask(tool, arguments.clone()).await;
        let mut arguments = arguments;
        arguments["as_of"] = json!(NOON);
        let then = client.ask(tool, arguments).await;
        let shown = then.to_string();
        assert!(!shown.contains("LATER"), "{tool}: {shown}");
        assert!(!shown.contains("T13:00:00"), "{tool}: {shown}");
        let early = |answer: &Value| answer.to_string().contains("early");
        assert!(
            tool == "list_tables" || (early(&then) && early(&whole)),
            "{tool}: {shown}"
        );
    }
    for (server, tool) in [
        (Siem, "get_alert"),
        (Identity, "get_user"),
        (Scm, "get_change"),
    ] {
        let client = Client::start(server, dir.path()).await;
        let then = client
            .ask(tool, json!({"id": "LATER", "as_of": NOON}))
            .await;
        assert_eq!(then["count"], 0, "{tool}: {then}");
        let now = client.ask(tool, json!({"id": "LATER"})).await;
        assert_ne!(now["count"], 0, "{tool}: {now}");
    }
}

#[tokio::test]
async fn no_sql_shows_what_came_later() {
    let dir = day();
    let client = Client::start(ServerName::Siem, dir.path()).await;
    for sql in [
        "SELECT * FROM web",
        "SELECT w.* FROM web AS w",
        "SELECT * FROM (SELECT * FROM web) x",
        "SELECT event_uid, raw FROM web UNION ALL SELECT event_uid, raw FROM events",
        "SELECT a.event_uid, b.raw FROM web a CROSS JOIN events b",
        "WITH e AS (SELECT * FROM events) SELECT * FROM e",
        "WITH web AS (SELECT * FROM events) SELECT * FROM web",
        "WITH events AS (SELECT * FROM web) SELECT * FROM events",
        "SELECT (SELECT group_concat(raw) FROM events) AS x",
        "SELECT max(event_time), min(event_uid), group_concat(event_uid) FROM web",
        "SELECT * FROM web WHERE event_time > '2026-07-14T12:00:00.000Z' OR 1",
        "SELECT lead(raw) OVER (ORDER BY event_time) AS x FROM events",
        "SELECT e.event_uid, j.value FROM events e, json_tree(e.raw) j",
        "SELECT \"LATER\" AS x FROM web",
        "SELECT * FROM WEB WHERE 1",
        "SELECT * FROM auth",
    ] {
        let result = client
            .call("query_logs", json!({"sql": sql, "as_of": NOON}))
            .await;
        let shown = text(&result)
            .replace("\"LATER\":null", "")
            .replace("\"LATER\"]", "");
        assert_ne!(result.is_error, Some(true), "{sql}: {shown}");
        let values = result.structured_content.unwrap()["results"].to_string();
        assert!(
            !values.replace("\"LATER\":null", "").contains("LATER"),
            "{sql}: {values}"
        );
    }
    // The time of one question does not leak into the next.
    let rows = client.sql("SELECT count(*) AS n FROM events").await;
    assert_eq!(rows, [json!({"n": 3})]);
}

#[tokio::test]
async fn questions_side_by_side_keep_their_own_time() {
    let dir = lab(&[("logs/web.jsonl", WEB), ("logs/auth.jsonl", AUTH)]);
    let client = Client::start(ServerName::Siem, dir.path()).await;
    let sql = "SELECT count(*) AS n FROM events";
    let times = [("09", 0), ("10", 1), ("11", 2), ("12", 3), ("13", 4)];
    let asks = times.iter().cycle().take(60).map(|(hour, n)| {
        let as_of = format!("2026-07-14T{hour}:00:00Z");
        let client = &client;
        async move {
            let answer = client
                .ask("query_logs", json!({"sql": sql, "as_of": as_of}))
                .await;
            assert_eq!(answer["results"][0]["n"], *n, "{hour}");
        }
    });
    futures::future::join_all(asks).await;
}

#[tokio::test]
async fn undated_and_unreadable_alerts_reach_the_queue() {
    let dir = day();
    let client = Client::start(ServerName::Siem, dir.path()).await;
    let queue = client
        .ask("list_alerts", json!({"since": "2026-07-14T11:00:00Z"}))
        .await;
    assert_eq!(
        queue["results"][1],
        json!({"unparsable_line": 3, "text": "not json"})
    );
    let then = client.ask("list_alerts", json!({"as_of": NOON})).await;
    assert_eq!(then["count"], 1);
    let none = client
        .ask("list_alerts", json!({"until": "2026-07-14T10:00:00Z"}))
        .await;
    assert_eq!(none["count"], 1, "{none}");
}
