//! Tickets: made once per key, whoever asks and whatever broke; earlier and new ones read together.

use lab::ServerName;
use serde_json::{Value, json};

use crate::harness::{Client, lab};

fn new(key: &str) -> Value {
    json!({"title": "t", "body": "b", "severity": "high", "case_id": "c-1", "idempotency_key": key})
}

#[tokio::test]
async fn a_key_makes_one_ticket() {
    let dir = lab(&[(
        "tickets.jsonl",
        "{\"id\":\"OLD-1\",\"created_at\":\"2026-07-01T00:00:00Z\",\"status\":\"open\",\"user\":\"ann\"}\n",
    )]);
    let client = Client::start(ServerName::Ticketing, dir.path()).await;
    let first = client.ask("create_ticket", new("k1")).await;
    assert_eq!(first["results"][0]["id"], "TCK-0001");
    // A second server on the same folder, and a changed body: still the first answer.
    let other = Client::start(ServerName::Ticketing, dir.path()).await;
    let mut again = new("k1");
    again["body"] = json!("changed");
    assert_eq!(other.ask("create_ticket", again).await, first);
    other.ask("create_ticket", new("k2")).await;
    let update = json!({"id": "OLD-1", "status": "closed", "comment": "done", "idempotency_key": "k3", "as_of": "2026-07-14T00:00:00Z"});
    let updated = client.ask("update_ticket", update.clone()).await;
    assert_eq!(client.ask("update_ticket", update).await, updated);
    client.refused("create_ticket", new("k3")).await;
    client
        .refused(
            "update_ticket",
            json!({"id": "nope", "status": "x", "idempotency_key": "k4"}),
        )
        .await;
    client
        .refused(
            "update_ticket",
            json!({"id": "OLD-1", "idempotency_key": "k5"}),
        )
        .await;
    client.refused("create_ticket", new(" ")).await;
    shows(&client).await;
    let lines = std::fs::read_to_string(dir.path().join("tickets.out.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 3);
}

/// Both books are read as one, at any time.
async fn shows(client: &Client) {
    let all = client.ask("find_tickets", json!({"values": []})).await;
    let ids: Vec<_> = all["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["TCK-0001", "TCK-0002", "OLD-1"]);
    let ann = client
        .ask("find_tickets", json!({"values": ["ann", "x"]}))
        .await;
    assert_eq!(ann["results"][0]["matched"], json!(["ann"]));
    assert_eq!(
        (&ann["count"], &ann["results"][0]["status"]),
        (&json!(1), &json!("closed"))
    );
    assert_eq!(ann["results"][0]["comments"][0]["text"], "done");
    let then = client
        .ask(
            "find_tickets",
            json!({"values": ["ann"], "as_of": "2026-07-13T00:00:00Z"}),
        )
        .await;
    assert_eq!(
        (
            &then["results"][0]["status"],
            then["results"][0].get("comments")
        ),
        (&json!("open"), None)
    );
    let since = client
        .ask(
            "find_tickets",
            json!({"values": [], "since": "2026-07-10T00:00:00Z"}),
        )
        .await;
    assert_eq!(since["count"], 2);
}

#[tokio::test]
async fn many_at_once_and_a_torn_line() {
    let dir = lab(&[
        ("tickets.jsonl", ""),
        ("tickets.out.jsonl", "{\"op\":\"create\",\"id\":\"TCK-00"),
    ]);
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(Client::start(ServerName::Ticketing, dir.path()).await);
    }
    let asks = (0..40).map(|n| clients[n % 4].ask("create_ticket", new(&format!("k{}", n / 4))));
    let answers = asks.collect::<Vec<_>>();
    let answers = futures::future::join_all(answers).await;
    for group in answers.chunks(4) {
        assert!(group.iter().all(|answer| answer == &group[0]));
    }
    let found = clients[0]
        .ask("find_tickets", json!({"values": ["c-1"]}))
        .await;
    assert_eq!(found["count"], 10);
    let ids: std::collections::BTreeSet<_> = found["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 10);
}

#[tokio::test]
async fn no_system_and_broken_books() {
    let dir = lab(&[]);
    let client = Client::start(ServerName::Ticketing, dir.path()).await;
    assert_eq!(
        client.ask("create_ticket", new("k")).await["available"],
        false
    );
    assert!(!dir.path().join("tickets.out.jsonl").exists());
    let dir = lab(&[("tickets.jsonl", ""), ("tickets.out.jsonl", "oops\n")]);
    let client = Client::start(ServerName::Ticketing, dir.path()).await;
    for (tool, arguments) in [
        ("create_ticket", new("k")),
        ("find_tickets", json!({"values": []})),
    ] {
        let reason = client.refused(tool, arguments).await;
        assert!(reason.contains("tickets.out.jsonl line 1"), "{reason}");
    }
}
