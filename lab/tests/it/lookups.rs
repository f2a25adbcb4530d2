//! What the small servers find, row by row.

use lab::ServerName;
use serde_json::{Value, json};

use crate::harness::{Client, lab, with_manifest};

fn ids(answer: &Value) -> Vec<String> {
    let rows = answer["results"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let how = row
                .get("match")
                .or_else(|| row.get("matched"))
                .or_else(|| row.get("file"));
            match how {
                Some(how) => format!("{} {}", row["id"].as_str().unwrap(), how),
                None => row["id"].as_str().unwrap().to_owned(),
            }
        })
        .collect()
}

#[tokio::test]
async fn users_by_any_name() {
    let dir = lab(&[(
        "identity.jsonl",
        r#"
{"id":"CORP\\ann","name":"Ann","kind":"user","privileged":true,"usual_addresses":["10.0.0.1"]}
{"id":"ann@other.example","name":"ann o","kind":"user","usual_addresses":[{"address":"10.0.0.1","events":3}],"baseline_until":"2026-07-20T00:00:00Z"}
{"id":"AIDA1","arn":"arn:aws:iam::1:user/build/deploy","kind":"service","aliases":["ci-deploy"],"privileged":false}
"#,
    )]);
    let client = Client::start(ServerName::Identity, dir.path()).await;
    let rows: [(&str, Vec<&str>); 8] = [
        (
            "corp\\ANN",
            vec!["CORP\\ann \"exact\"", "ann@other.example \"name\""],
        ),
        (
            "ann",
            vec!["CORP\\ann \"exact\"", "ann@other.example \"name\""],
        ),
        (
            "Ann@corp.example",
            vec!["CORP\\ann \"name\"", "ann@other.example \"name\""],
        ),
        ("arn:aws:iam::1:user/build/deploy", vec!["AIDA1 \"exact\""]),
        ("arn:aws:iam::9:user/deploy", vec!["AIDA1 \"name\""]),
        ("CI-Deploy", vec!["AIDA1 \"exact\""]),
        ("an", vec![]),
        ("@", vec![]),
    ];
    for (id, wanted) in rows {
        assert_eq!(
            ids(&client.ask("get_user", json!({"id": id})).await),
            wanted,
            "{id}"
        );
    }
    client.refused("get_user", json!({"id": " "})).await;
    let at = client
        .ask("users_of_address", json!({"address": "10.0.0.1"}))
        .await;
    assert_eq!(ids(&at), ["CORP\\ann", "ann@other.example"]);
    assert_eq!(at["results"][1]["baseline_after_as_of"], true);
    for (arguments, wanted) in [
        (json!({"kind": "service"}), vec!["AIDA1"]),
        (json!({"privileged": true}), vec!["CORP\\ann"]),
        (json!({"privileged": false}), vec!["AIDA1"]),
    ] {
        assert_eq!(ids(&client.ask("list_users", arguments).await), wanted);
    }
    let cut = client.ask("list_users", json!({"limit": 2})).await;
    assert_eq!(
        (&cut["count"], &cut["truncated"]),
        (&json!(2), &json!(true))
    );
}

#[tokio::test]
async fn hosts_and_resources_are_parted() {
    let dir = lab(&[
        (
            "assets.jsonl",
            "{\"id\":\"WEB5.corp.example\",\"kind\":\"server\",\"name\":\"WEB5\",\"address\":\"10.0.0.5\"}\n{\"id\":\"arn:aws:s3:::data/logs\",\"kind\":\"bucket\",\"name\":\"logs\"}\n{\"id\":\"1234\",\"kind\":\"cloud_account\"}\n",
        ),
        (
            "endpoints.jsonl",
            "{\"id\":\"005\",\"hostname\":\"web5\",\"addresses\":[\"10.0.0.5\",\"10.0.1.5\"]}\n",
        ),
    ]);
    let endpoint = Client::start(ServerName::Endpoint, dir.path()).await;
    let both = vec![
        "WEB5.corp.example \"assets.jsonl\"",
        "005 \"endpoints.jsonl\"",
    ];
    for (id, wanted) in [
        ("web5", both.clone()),
        ("web5.other.example", both.clone()),
        ("10.0.0.5", both.clone()),
        ("10.0.1.5", vec!["005 \"endpoints.jsonl\""]),
        ("10.0.0.9", vec![]),
        ("logs", vec![]),
    ] {
        assert_eq!(
            ids(&endpoint.ask("get_host", json!({"id": id})).await),
            wanted,
            "{id}"
        );
    }
    assert_eq!(ids(&endpoint.ask("list_hosts", json!({})).await), both);
    let cloud = Client::start(ServerName::Cloud, dir.path()).await;
    assert_eq!(
        ids(&cloud.ask("get_resource", json!({"id": "LOGS"})).await),
        ["arn:aws:s3:::data/logs"]
    );
    assert_eq!(
        ids(&cloud.ask("get_resource", json!({"id": "web5"})).await),
        [""; 0]
    );
    assert_eq!(
        ids(&cloud
            .ask("list_resources", json!({"kind": "cloud_account"}))
            .await),
        ["1234"]
    );
}

#[tokio::test]
async fn changes_by_time_and_value() {
    let dir = lab(&[(
        "changes.jsonl",
        r#"
{"id":"CHG-1","window_start":"2026-07-14T10:00:00Z","window_end":"2026-07-14T11:00:00Z","targets":["web-01"],"by":{"name":"ann"}}
{"id":"MR-2","created_at":"2026-07-14T09:00:00Z","merged_at":"2026-07-14T10:30:00Z","author":"bob"}
{"id":"PIPE-3","time":"2026-07-14T10:15:00Z","target":"web-01"}
{"id":"MR-4","created_at":"2026-07-14T09:00:00Z"}
"#,
    )]);
    let client = Client::start(ServerName::Scm, dir.path()).await;
    let all = json!([]);
    for (at, minutes, values, wanted) in [
        (
            "10:15",
            0,
            all.clone(),
            vec!["CHG-1 []", "MR-2 []", "PIPE-3 []", "MR-4 []"],
        ),
        ("10:45", 0, all.clone(), vec!["CHG-1 []", "MR-4 []"]),
        (
            "10:45",
            30,
            all.clone(),
            vec!["CHG-1 []", "MR-2 []", "PIPE-3 []", "MR-4 []"],
        ),
        ("08:00", 0, all.clone(), vec![]),
        (
            "10:15",
            0,
            json!(["web-01", "ann", "nobody"]),
            vec!["CHG-1 [\"web-01\",\"ann\"]", "PIPE-3 [\"web-01\"]"],
        ),
        ("10:15", 0, json!(["web", "WEB-01"]), vec![]),
    ] {
        let asked = json!({"at": format!("2026-07-14T{at}:00Z"), "window_minutes": minutes, "values": values});
        assert_eq!(
            ids(&client.ask("find_changes", asked.clone()).await),
            wanted,
            "{asked}"
        );
    }
    client
        .refused(
            "find_changes",
            json!({"at": "2026-07-14T10:00:00Z", "values": [""]}),
        )
        .await;
    assert_eq!(
        ids(&client.ask("get_change", json!({"id": "mr-2"})).await),
        ["MR-2"]
    );
}

#[tokio::test]
async fn findings_of_an_asset() {
    let dir = lab(&[(
        "vulns.jsonl",
        "{\"id\":\"v1\",\"asset\":\"WEB5\",\"status\":\"open\"}\n{\"id\":\"v2\",\"asset\":\"web5\",\"status\":\"fixed\"}\n{\"id\":\"v3\",\"asset\":\"10\"}\n",
    )]);
    let client = Client::start(ServerName::Vuln, dir.path()).await;
    for (arguments, wanted) in [
        (json!({"asset": "web5"}), vec!["v1", "v2"]),
        (
            json!({"asset": "web5.corp.example", "status": "OPEN"}),
            vec!["v1"],
        ),
        (json!({"asset": "10.0.0.5"}), vec![]),
    ] {
        assert_eq!(
            ids(&client.ask("list_vulnerabilities", arguments).await),
            wanted
        );
    }
}

#[tokio::test]
async fn alerts_page_through_feeds() {
    let manifest = "name = \"t\"\nclock = \"2026-07-15T00:00:00Z\"\n[[alerts]]\nfile = \"a.jsonl\"\nmapping = \"m\"\n[[alerts]]\nfile = \"b.jsonl\"\nmapping = \"m\"\n[[alerts]]\nfile = \"gone.jsonl\"\nmapping = \"m\"\n";
    let many: String = (0..25)
        .map(|n| format!("{{\"id\":\"a{n}\",\"x\":[{{\"eventID\":\"inner\"}}]}}\n"))
        .collect();
    let dir = with_manifest(
        manifest,
        &[
            ("a.jsonl", &many),
            ("b.jsonl", "[\"odd\"]\n{\"alertId\":7}\n"),
        ],
    );
    let client = Client::start(ServerName::Siem, dir.path()).await;
    let reason = client.refused("list_alerts", json!({})).await;
    assert!(reason.contains("a, b, gone"), "{reason}");
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut asked = json!({"feed": "a", "limit": 10});
        if !cursor.is_null() {
            asked["cursor"] = cursor;
        }
        let page = client.ask("list_alerts", asked).await;
        seen.extend(ids(&page));
        assert_eq!(page["truncated"], !page["next_cursor"].is_null());
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen, (0..25).map(|n| format!("a{n}")).collect::<Vec<_>>());
    for cursor in ["b:0", "a:x", "a:26", ""] {
        client
            .refused("list_alerts", json!({"feed": "a", "cursor": cursor}))
            .await;
    }
    let odd = client.ask("list_alerts", json!({"feed": "b"})).await;
    assert_eq!(odd["results"], json!([["odd"], {"alertId": 7}]));
    let gone = client.ask("list_alerts", json!({"feed": "gone"})).await;
    assert_eq!(
        (&gone["available"], &gone["next_cursor"]),
        (&json!(false), &Value::Null)
    );
    for (id, count) in [("a3", 1), ("inner", 25), ("7", 1), ("a", 0)] {
        assert_eq!(
            client.ask("get_alert", json!({"id": id})).await["count"],
            count,
            "{id}"
        );
    }
}
