//! Every lab of the development corpus, where it is at hand, and the demo lab: all load and answer.

use std::path::{Path, PathBuf};

use lab::ServerName;
use serde_json::{Value, json};

use crate::harness::Client;

/// After the clock of every lab.
const END: &str = "9999-01-01T00:00:00Z";

fn labs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = root.join("../../shared/corpus");
    let mut labs = vec![root.join("demo")];
    match std::fs::read_dir(&corpus) {
        Ok(entries) => labs.extend(entries.map(|entry| entry.unwrap().path())),
        Err(_) => eprintln!("skipped: no development corpus beside the repository"),
    }
    labs.retain(|dir| dir.join("lab.toml").is_file());
    labs.sort();
    labs
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[tokio::test]
async fn every_siem_answers() {
    for dir in labs() {
        let name = dir.display().to_string();
        let siem = Client::start(ServerName::Siem, &dir).await;
        for feed in lab::manifest::load(&dir).unwrap().feeds {
            let asked = json!({"feed": feed.name, "limit": 500});
            let page = siem.ask("list_alerts", asked).await;
            let there = lines(&dir.join(&feed.file));
            assert!(there > 0, "{name} {}", feed.name);
            assert_eq!(
                (&page["count"], &page["truncated"]),
                (&json!(there), &json!(false))
            );
        }
        let tables = siem.ask("list_tables", json!({"as_of": END})).await;
        let mut total = 0;
        for table in tables["results"].as_array().unwrap() {
            total += every_row(&siem, &dir, table).await;
        }
        let sql = "SELECT count(*) AS n FROM events WHERE instr(raw, 'event_uid') > 0";
        assert_eq!(siem.sql(sql).await[0]["n"], total, "{name}");
    }
}

/// Asks for a table in several ways; gives the number of rows up to the lab's clock.
async fn every_row(siem: &Client, dir: &Path, table: &Value) -> u64 {
    let name = table["name"].as_str().unwrap();
    let there = lines(&dir.join(format!("logs/{name}.jsonl")));
    assert_eq!(table["rows"], there, "{} {name}", dir.display());
    let count = format!("SELECT count(*) AS n FROM {name}");
    let all = siem
        .ask("query_logs", json!({"sql": count, "as_of": END}))
        .await;
    assert_eq!(all["results"][0]["n"], there, "{} {name}", dir.display());
    let last = format!("SELECT * FROM {name} ORDER BY event_time DESC LIMIT 3");
    let rows = siem.sql(&last).await;
    assert!(rows.iter().all(|row| row["raw"].is_object()), "{name}");
    for key in rows[0].as_object().unwrap().keys() {
        let groups = format!("SELECT `{key}`, count(*) FROM {name} GROUP BY 1 LIMIT 1");
        assert_eq!(siem.sql(&groups).await.len(), 1, "{name} {key}");
    }
    siem.sql(&count).await[0]["n"].as_u64().unwrap()
}

#[tokio::test]
async fn every_other_server_answers() {
    let calls = [
        (ServerName::Identity, "list_users", json!({"limit": 500})),
        (ServerName::Cloud, "list_resources", json!({"limit": 500})),
        (ServerName::Endpoint, "list_hosts", json!({"limit": 500})),
        (
            ServerName::Vuln,
            "list_vulnerabilities",
            json!({"asset": "x"}),
        ),
        (ServerName::Intel, "lookup_indicator", json!({"value": "x"})),
        (
            ServerName::Scm,
            "find_changes",
            json!({"at": "2026-07-14T22:40:00Z", "values": []}),
        ),
        (
            ServerName::Ticketing,
            "find_tickets",
            json!({"values": [], "limit": 500}),
        ),
    ];
    for dir in labs() {
        let name = dir.display();
        let mut assets = 0;
        for (server, tool, arguments) in &calls {
            let answer = Client::start(*server, &dir)
                .await
                .ask(tool, arguments.clone())
                .await;
            let count = answer["count"].as_u64().unwrap() as usize;
            match *tool {
                "list_users" => assert_eq!(count, lines(&dir.join("identity.jsonl")), "{name}"),
                "find_tickets" => assert_eq!(count, lines(&dir.join("tickets.jsonl")), "{name}"),
                "list_resources" | "list_hosts" => assets += count,
                _ => assert_eq!(answer["truncated"], false, "{name} {tool}"),
            }
        }
        let there = lines(&dir.join("assets.jsonl")) + lines(&dir.join("endpoints.jsonl"));
        assert_eq!(assets, there, "{name}: every asset is a host or a resource");
    }
}
