//! What SQL over the logs gives: columns, types, limits, errors that help.

use lab::ServerName;
use serde_json::{Value, json};

use crate::harness::{AUTH, Client, WEB, lab, with_manifest};

async fn client() -> (Client, tempfile::TempDir) {
    let dir = lab(&[("logs/web.jsonl", WEB), ("logs/auth.jsonl", AUTH)]);
    (Client::start(ServerName::Siem, dir.path()).await, dir)
}

#[tokio::test]
async fn answers_are_exact() {
    let (client, _dir) = client().await;
    let rows: [(&str, Value); 14] = [
        (
            "SELECT event_time AS t FROM web ORDER BY t",
            json!([{"t":"2026-07-14T10:00:00.000Z"},{"t":"2026-07-14T11:00:00.000Z"},{"t":"2026-07-14T12:00:00.500Z"}]),
        ),
        (
            "SELECT event_uid, table_name FROM events ORDER BY event_time",
            json!([{"event_uid":"w1","table_name":"web"},{"event_uid":"w2","table_name":"web"},{"event_uid":"a1","table_name":"auth"},{"event_uid":"w3","table_name":"web"}]),
        ),
        (
            "SELECT raw FROM web WHERE event_uid = 'w2'",
            json!([{"raw":{"event_uid":"w2","event_time":"2026-07-14T13:00:00+02:00","src":"10.0.0.2","path":"/b","net":{"port":443}}}]),
        ),
        (
            "SELECT a.raw AS first_raw, count(*) AS n FROM web a WHERE src = '10.0.0.1'",
            json!([{"first_raw":{"event_uid":"w1","event_time":"2026-07-14T10:00:00Z","src":"10.0.0.1","path":"/a","ok":true,"Path":"x"},"n":1}]),
        ),
        (
            "SELECT src, ok, path FROM web WHERE path = '/a'",
            json!([{"src":"10.0.0.1","ok":1,"path":"/a"}]),
        ),
        (
            "SELECT path FROM web WHERE path = '/c''d\"e'",
            json!([{"path":"/c'd\"e"}]),
        ),
        (
            "SELECT json_extract(raw, '$.net.port') AS port FROM web WHERE port IS NOT NULL",
            json!([{"port":443}]),
        ),
        (
            "SELECT e.event_uid AS uid FROM events e, json_each(e.raw) j WHERE j.value = 'CORP\\ann'",
            json!([{"uid":"a1"}]),
        ),
        (
            "SELECT count(*) AS n FROM events WHERE instr(raw, '10.0.0.3') > 0",
            json!([{"n":1}]),
        ),
        (
            "WITH w AS (SELECT src FROM web) SELECT max(src) AS s FROM w",
            json!([{"s":"10.0.0.3"}]),
        ),
        (
            "SELECT 1.5 AS r, x'ff' AS b, NULL AS n, 'ü' AS t",
            json!([{"r":1.5,"b":"ff","n":null,"t":"ü"}]),
        ),
        ("SELECT 1 AS a, 2 AS a", json!([{"a":1,"a_2":2}])),
        (
            "SELECT trim('  x ') AS t, substr('abc', 2, 1) AS s, 'a' || 'b' AS c",
            json!([{"t":"x","s":"b","c":"ab"}]),
        ),
        (
            "SELECT src FROM web WHERE src LIKE '10\\_%' ESCAPE '\\' OR path GLOB '/b*' OR src IN ('x')",
            json!([{"src":"10.0.0.2"}]),
        ),
    ];
    for (sql, wanted) in rows {
        assert_eq!(Value::from(client.sql(sql).await), wanted, "{sql}");
    }
}

#[tokio::test]
async fn limits_cut_and_say_so() {
    let mut rows = String::new();
    let long = "x".repeat(4000);
    for n in 0..1200 {
        let minute = n % 60;
        rows += &format!(
            "{{\"event_uid\":\"{n}\",\"event_time\":\"2026-07-14T10:{minute:02}:00Z\",\"pad\":\"{long}\"}}\n"
        );
    }
    let dir = lab(&[("logs/big.jsonl", &rows)]);
    let client = Client::start(ServerName::Siem, dir.path()).await;
    let ask = |sql: &str, limit: u32| json!({"sql": sql, "limit": limit});
    let all = client
        .ask("query_logs", json!({"sql": "SELECT event_uid FROM big"}))
        .await;
    assert_eq!(
        (&all["count"], &all["truncated"]),
        (&json!(200), &json!(true))
    );
    let exact = client
        .ask(
            "query_logs",
            ask("SELECT event_uid FROM big LIMIT 1000", 1000),
        )
        .await;
    assert_eq!(
        (&exact["count"], &exact["truncated"]),
        (&json!(1000), &json!(false))
    );
    let wide = client
        .ask("query_logs", ask("SELECT pad FROM big", 1000))
        .await;
    assert_eq!(wide["truncated"], true);
    assert!(wide["note"].as_str().unwrap().contains("bytes"));
    assert!(wide["results"].to_string().len() <= 1024 * 1024 + 1024);
    for limit in [0, 1001] {
        client.refused("query_logs", ask("SELECT 1", limit)).await;
    }
}

#[tokio::test]
async fn errors_help() {
    let (client, _dir) = client().await;
    let rows = [
        (
            "SELECT * FROM nosuch",
            vec!["no such table: nosuch", "auth, web, events"],
        ),
        (
            "SELECT nosuch FROM web",
            vec!["no such column", "auth, web, events"],
        ),
        (
            "SELECT * FROM web WHERE src = \"10.0.0.1\"",
            vec!["no such column", "single quotes"],
        ),
        (
            "SELECT * FROM web WHERE event_time > datetime('now', '-1 day')",
            vec!["now"],
        ),
        (
            "SELECT * FROM web WHERE event_time > CURRENT_TIMESTAMP",
            vec!["CURRENT_TIMESTAMP"],
        ),
        ("SELECT FROM", vec!["can't read the SQL"]),
    ];
    for (sql, parts) in rows {
        let reason = client.refused("query_logs", json!({"sql": sql})).await;
        for part in parts {
            assert!(reason.contains(part), "{sql}: {reason}");
        }
    }
}

#[tokio::test]
async fn a_broken_table_spoils_only_what_needs_it() {
    let manifest = "name = \"t\"\nclock = \"2026-07-15T00:00:00Z\"\n[tables.gone]\ntime = \"t\"\n[tables.web]\nid = \"/net/id\"\n";
    let web = "{\"event_time\":\"2026-07-14T10:00:00Z\",\"net\":{\"id\":7}}\n";
    let dir = with_manifest(
        manifest,
        &[
            ("logs/web.jsonl", web),
            ("logs/bad.jsonl", "{\"event_uid\":\"1\"}\n"),
        ],
    );
    let client = Client::start(ServerName::Siem, dir.path()).await;
    assert_eq!(
        client.sql("SELECT event_uid FROM web").await,
        [json!({"event_uid": "7"})]
    );
    for sql in [
        "SELECT * FROM bad",
        "SELECT * FROM events",
        "SELECT * FROM web, BAD",
    ] {
        let reason = client.refused("query_logs", json!({"sql": sql})).await;
        assert!(reason.contains("logs/bad.jsonl line 1"), "{reason}");
    }
    client.refused("list_tables", json!({})).await;
    let gone = client
        .ask("query_logs", json!({"sql": "SELECT * FROM gone"}))
        .await;
    assert_eq!(gone["available"], false);
    for name in ["events", "json_each", "my-table", "_t0", "sqlite_x"] {
        let dir = lab(&[(&format!("logs/{name}.jsonl"), WEB)]);
        let client = Client::start(ServerName::Siem, dir.path()).await;
        let reason = client.refused("list_tables", json!({})).await;
        assert!(reason.contains("rename"), "{name}: {reason}");
    }
}

#[tokio::test]
async fn tables_are_described_without_values() {
    let (client, _dir) = client().await;
    let answer = client.ask("list_tables", json!({})).await;
    let web = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["name"] == "web")
        .unwrap();
    assert_eq!(
        (&web["rows"], &web["first"]),
        (&json!(3), &json!("2026-07-14T10:00:00.000Z"))
    );
    assert_eq!(
        (&web["fields"]["net.port"], &web["fields"]["ok"]),
        (&json!("number"), &json!("boolean"))
    );
    assert!(!answer.to_string().contains("10.0.0.1"));
}

#[tokio::test]
async fn everyday_sql_runs() {
    let (client, _dir) = client().await;
    for sql in [
        "SELECT DISTINCT src FROM web ORDER BY src NULLS LAST LIMIT 5 OFFSET 1;",
        "SELECT src, count(DISTINCT path) AS n FROM web GROUP BY src HAVING n > 0 ORDER BY 2 DESC",
        "SELECT CASE WHEN src LIKE '10.%' THEN 'in' ELSE 'out' END AS side, raw ->> '$.net.port' FROM web",
        "SELECT strftime('%H', event_time) AS h, group_concat(DISTINCT src) FROM web GROUP BY h",
        "SELECT * FROM web WHERE event_time BETWEEN '2026-07-14T09:00:00.000Z' AND '2026-07-14T12:00:00.000Z'",
        "SELECT w.src, a.user FROM web w LEFT JOIN auth a ON a.event_time >= w.event_time WHERE a.user IS NOT NULL OR 1",
        "SELECT j.key, j.value FROM web, json_each(web.raw, '$.net') AS j",
        "SELECT src FROM web EXCEPT SELECT user FROM auth",
        "SELECT row_number() OVER (PARTITION BY src ORDER BY event_time) AS n FROM web",
        "SELECT CAST(json_extract(raw, '$.net.port') AS INTEGER) + 1 AS p FROM web WHERE src NOT IN ('a', 'b')",
        "SELECT unixepoch(max(event_time)) - unixepoch(min(event_time)) AS seconds FROM events",
        "SELECT src COLLATE NOCASE AS s, (julianday(event_time) - 2451545) % 7 FROM web WHERE NOT src IS NULL",
        "WITH a AS (SELECT * FROM web), b AS (SELECT * FROM a WHERE src > '1') SELECT count(*) FROM b -- end",
        "WITH RECURSIVE h(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM h WHERE i < 23) SELECT i FROM h",
        "SELECT \"src\" AS \"my source\", [path] FROM `web` WHERE (src, path) = ('10.0.0.1', '/a')",
        "SELECT iif(ok, 'y', 'n') AS \"yes or no\", lower(hex(src)), x'00' FROM web AS t WHERE t.ok IS TRUE",
    ] {
        client.sql(sql).await;
    }
}
