//! Answers as products give them, read as events by the dialect and the mappings.

use mcp_clients::mappings::Mappings;
use serde_json::{Value, json};
use state::model::Field;

use super::DIALECTS;

fn trail() -> Value {
    json!({"eventName": "ConsoleLogin", "eventSource": "signin.amazonaws.com", "eventTime": "2026-03-01T08:00:00Z",
        "eventID": "e1", "awsRegion": "eu-central-1", "sourceIPAddress": "192.0.2.10",
        "userIdentity": {"type": "IAMUser", "userName": "ana"}, "responseElements": {"ConsoleLogin": "Success"}})
}

fn ecs() -> Value {
    json!({"@timestamp": "2026-03-01T08:00:00.000Z", "ecs": {"version": "8.11"}, "event": {"category": ["authentication"], "outcome": "success"},
        "user": {"name": "ana"}, "source": {"ip": "192.0.2.10"}, "host": {"name": "web-1"}})
}

/// Dialect, query, answer; then the schema of each row, its user and its id.
type Readable = (&'static str, &'static str, Value, Vec<[&'static str; 3]>);

fn searches() -> Vec<Readable> {
    let hit = json!({"_index": "logs-1", "_id": "h1", "_score": null, "_source": ecs()});
    let days = json!({"buckets": [{"key": {"day": 1}, "doc_count": 9, "newest": {"hits": {"hits": [hit, hit]}}},
        {"key": {"day": 0}, "doc_count": 1, "newest": {"hits": {"hits": [hit]}}}]});
    let own = json!({"text": "Total results: 1, showing 1.", "results": [ecs()]});
    let (text, read) = ("Aggregations results:", ["ecs", "ana", "h1"]);
    let none = json!({"text": "Total results: 0, showing 0."});
    let sampled = json!({"text": text, "results": [{"days": days}]});
    let aggregated = json!({"aggregations": {"days": days}, "hits": {"hits": []}});
    vec![
        ("elastic", "events_of", own, vec![["ecs", "ana", ""]]),
        (
            "elastic",
            "events_of",
            json!({"hits": {"hits": [hit]}}),
            vec![read],
        ),
        ("elastic", "events_of", none, vec![]),
        ("elastic", "history_of", sampled, vec![read; 3]),
        ("opensearch", "history_of", aggregated, vec![read; 3]),
        (
            "opensearch",
            "events_of",
            json!({"hits": {"hits": []}}),
            vec![],
        ),
    ]
}

fn tables() -> Vec<Readable> {
    let mut wide = serde_json::Map::new();
    for (key, value) in trail().as_object().unwrap() {
        wide.insert(key.to_uppercase(), value.clone());
    }
    let time = "2026-03-01T08:00:00.000+00:00";
    let row = |raw: Value| json!({"success": true, "results": [{"EVENT_UID": "r1", "EVENT_TIME": time, "TABLE_NAME": "AWS.CloudTrail", "RAW": raw}]});
    let logged = |row: Value| json!({"success": true, "results": [row]});
    let of_json =
        json!({"_raw": trail().to_string(), "event_uid": "s1", "event_time": time, "index": "aws"});
    let of_fields = json!({"_raw": "<Event/>", "event_uid": "s2", "event_time": time, "EventID": "4624",
        "Channel": "Security", "Computer": "dc1", "TargetUserName": "ana"});
    let (lake, read) = ("panther-sql", ["cloudtrail", "ana", "r1"]);
    vec![
        (lake, "events_of", row(Value::Object(wide)), vec![read]),
        (
            lake,
            "events_of",
            row(json!(trail().to_string())),
            vec![read],
        ),
        (
            lake,
            "events_of",
            row(Value::Null),
            vec![["unknown", "", "r1"]],
        ),
        (
            "splunk-spl",
            "events_of",
            logged(of_json),
            vec![["cloudtrail", "ana", "s1"]],
        ),
        (
            "splunk-spl",
            "events_of",
            logged(of_fields),
            vec![["windows_security", "ana", "s2"]],
        ),
    ]
}

#[test]
fn rows_of_every_product_read_as_events() {
    let mappings = Mappings::load(None).unwrap();
    for (name, query, answer, expected) in searches().into_iter().chain(tables()) {
        let found = DIALECTS[name]
            .dialect()
            .rows(query, &answer, None)
            .unwrap()
            .unwrap();
        let read: Vec<[String; 3]> = found
            .rows
            .iter()
            .map(|row| {
                let act = mappings.activity(row);
                assert!(act.time.is_some(), "{name} {query}: {row}");
                [act.schema.clone(), act.get(Field::User).to_owned(), act.uid]
            })
            .collect();
        assert_eq!(read, expected, "{name} {query}");
        assert!(!found.more, "{name} {query}");
    }
}

#[test]
fn counts_are_one_row() {
    let shard = json!({"events": {"value": 12}, "first_time": {"value": 1.0}, "last_time": {"value": 2.0}, "days": {"buckets": [{}, {}]}});
    for (name, answer, events, days) in [
        (
            "elastic",
            json!({"text": "Aggregations results:", "results": [shard]}),
            json!(12),
            json!(2),
        ),
        (
            "opensearch",
            json!({"hits": {"hits": []}, "aggregations": shard}),
            json!(12),
            json!(2),
        ),
        (
            "panther-sql",
            json!({"success": true, "results": [{"EVENTS": 3, "DAYS": 1}]}),
            json!(3),
            json!(1),
        ),
        (
            "splunk-spl",
            json!({"success": true, "results": [{"events": "3", "days": "1"}]}),
            json!("3"),
            json!("1"),
        ),
    ] {
        let found = DIALECTS[name]
            .dialect()
            .rows("rarity_of", &answer, None)
            .unwrap()
            .unwrap();
        assert_eq!(found.rows.len(), 1, "{name}");
        assert_eq!(
            (&found.rows[0]["events"], &found.rows[0]["days"]),
            (&events, &days),
            "{name}"
        );
    }
}

#[test]
fn an_answer_without_its_rows_is_no_empty_one() {
    for (name, query, answer) in [
        (
            "elastic",
            "events_of",
            json!({"text": "Search is disabled"}),
        ),
        (
            "elastic",
            "history_of",
            json!({"text": "Total results: 0, showing 0."}),
        ),
        ("elastic", "rarity_of", json!({"hits": {"hits": []}})),
        ("opensearch", "events_of", json!({"acknowledged": true})),
        ("opensearch", "events_of", json!({"hits": {"hits": "many"}})),
        (
            "panther-sql",
            "events_of",
            json!({"success": true, "status": "running"}),
        ),
        (
            "splunk-spl",
            "events_of",
            json!({"success": true, "sid": "1"}),
        ),
    ] {
        let found = DIALECTS[name].dialect().rows(query, &answer, None).unwrap();
        assert!(found.is_err(), "{name} {query} {answer}: {found:?}");
    }
    let cut = json!({"success": true, "results": [], "has_next_page": true});
    let dialect = DIALECTS["panther-sql"].dialect();
    assert!(dialect.rows("events_of", &cut, None).unwrap().unwrap().more);
    assert_eq!(
        DIALECTS["lab-sql"].dialect().rows("events_of", &cut, None),
        None
    );
}

#[test]
fn an_answer_with_more_than_is_taken_is_cut_and_says_so() {
    let hit = json!({"_id": "h1", "_source": ecs()});
    let day = |n: u8| json!({"key": {"day": n}, "newest": {"hits": {"hits": [hit, hit]}}});
    let days = |n: u8| json!({"aggregations": {"days": {"buckets": (0..n).map(day).collect::<Vec<_>>()}}, "hits": {"hits": []}});
    let hits = |n: usize| json!({"hits": {"hits": vec![hit.clone(); n]}});
    let rows = |n: usize| json!({"success": true, "results": vec![json!({"_raw": trail().to_string()}); n]});
    for (name, query, answer, most, read) in [
        ("elastic", "events_of", hits(3), 3, (3, false)),
        ("elastic", "events_of", hits(4), 3, (3, true)),
        ("splunk-spl", "events_of", rows(4), 3, (3, true)),
        // Sampled by day it is days that are counted, not their rows.
        ("opensearch", "history_of", days(3), 3, (6, false)),
        ("opensearch", "history_of", days(4), 3, (6, true)),
    ] {
        let dialect = DIALECTS[name].dialect();
        let found = dialect.rows(query, &answer, Some(most)).unwrap().unwrap();
        assert_eq!((found.rows.len(), found.more), read, "{name} {query}");
    }
}
