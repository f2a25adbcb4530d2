//! One change in a tool's definition, whatever it is: the tool is refused at the very next call; another order of what has
//! no order is no change.

use agent::gate::{self, Meter, Origin, Request, Subject};
use mcp_clients::ToolDef;
use serde_json::{Map, Value, json};
use state::model::{Budget, CallOutcome, Tier};
use tests::desk::Desk;
use tests::draw::Draw;

/// Reading tools with arguments that are in order.
const TOOLS: [(&str, &str, &str); 5] = [
    ("siem", "search", r#"{"query": "x"}"#),
    ("siem", "raw_events", r#"{"ids": ["e1"]}"#),
    ("vault", "read_note", r#"{"note": "on-call-2"}"#),
    ("intel", "lookup_many", r#"{"values": ["192.0.2.7"]}"#),
    ("idp", "get_user", r#"{"user": "ana@corp.example"}"#),
];

/// Keywords of JSON Schema whose lists have no order, as the specification has it.
const ORDER_FREE: [&str; 5] = ["required", "type", "enum", "oneOf", "anyOf"];

const ALERT: &str = r#"{"id": "alert-1", "rule_id": "r", "title": "Sign-in", "severity": "High",
    "created_at": "2026-03-02T11:00:00Z", "log_types": ["Okta.SystemLog"], "events": [{"uuid": "e1",
    "published": "2026-03-02T11:00:00Z", "eventType": "user.session.start", "outcome": {"result": "SUCCESS"},
    "actor": {"id": "u1", "alternateId": "ana@corp.example"}, "client": {"ipAddress": "192.0.2.7"}}]}"#;

/// A desk and the case that asks.
async fn asking() -> (Desk, Subject) {
    // The rates of a minute are not what is asked here.
    let unlimited = |text: String| {
        let kept = text
            .lines()
            .filter(|l| !l.starts_with("max_calls_per_minute"));
        let text: String = kept.map(|l| format!("{l}\n")).collect();
        text.replace(", max_calls_per_minute = 5", "")
    };
    let desk = Desk::open("definitions", unlimited).await.unwrap();
    let alert: Value = serde_json::from_str(ALERT).unwrap();
    let subject = desk.case(&alert).await.unwrap();
    (desk, subject)
}

/// Calls a tool as the daemon would; how it ended, and why.
async fn call(
    desk: &Desk,
    subject: &Subject,
    tool: &str,
    arguments: &str,
) -> (CallOutcome, String) {
    let request = Request {
        subject,
        tier: Tier::Three,
        asked_by: "definitions",
        tool,
        arguments: serde_json::from_str(arguments).unwrap(),
        as_of: desk.ctx.now(),
        origin: Origin::Daemon,
    };
    let called = gate::call(&desk.ctx, &Meter::new(Budget::default()), request).await;
    (called.outcome, called.reason.unwrap_or_default())
}

#[tokio::test]
async fn a_thousand_changes_are_caught_before_the_next_call() {
    let (desk, subject) = asking().await;
    let draw = Draw::of("changes");
    let mut kinds = Map::new();
    for n in 0..1_000 {
        let (server, tool, arguments) = *draw.of_these(&TOOLS);
        // A secret that was read would be another reason to refuse.
        let before = desk.ledger.offers(server);
        let mut after = before.clone();
        let at = after.iter().position(|t| t.name == tool).unwrap();
        let kind = change(&mut after[at], &draw);
        assert_ne!(after[at], before[at], "{n}: {kind} changes nothing");
        let changed = after[at].clone();
        desk.ledger.offer(server, after);
        let name = format!("{server}.{tool}");
        let (outcome, why) = call(&desk, &subject, &name, arguments).await;
        assert_eq!(outcome, CallOutcome::Denied, "{n}: {kind}: {changed:?}");
        assert!(why.starts_with("rule 2: "), "{n}: {kind}: {why}");
        assert_eq!(desk.ledger.take(), [], "{n}: {kind}");
        desk.ledger.offer(server, before);
        let count = kinds.get(kind).and_then(Value::as_i64).unwrap_or(0);
        kinds.insert(kind.to_owned(), json!(count + 1));
    }
    eprintln!("1000 changes caught: {}", Value::Object(kinds.clone()));
    assert!(kinds.len() > 12, "hardly any kind of change: {kinds:?}");
    for (server, tool, arguments) in TOOLS.iter().filter(|t| t.0 != "intel") {
        let name = format!("{server}.{tool}");
        let (outcome, why) = call(&desk, &subject, &name, arguments).await;
        assert_eq!(outcome, CallOutcome::Ok, "{name}: {why}");
    }
}

#[tokio::test]
async fn another_order_of_what_has_none_is_no_change() {
    let (desk, subject) = asking().await;
    let draw = Draw::of("orders");
    let mut other = 0;
    for n in 0..200 {
        // Those that ask outside come first: the note may hold a secret.
        let (server, tool, arguments) = TOOLS[[3, 0, 1, 4, 2][n / 40]];
        let before = desk.ledger.offers(server);
        let mut after = before.clone();
        draw.shuffle(&mut after);
        for tool in &mut after {
            tool.input_schema = shuffled(&tool.input_schema, "", &draw);
            tool.output_schema = tool.output_schema.as_ref().map(|s| shuffled(s, "", &draw));
            tool.annotations = shuffled(&tool.annotations, "", &draw);
        }
        let text = |tools: &[ToolDef]| json!(tools).to_string();
        other += usize::from(text(&after) != text(&before));
        desk.ledger.offer(server, after);
        let name = format!("{server}.{tool}");
        let (outcome, why) = call(&desk, &subject, &name, arguments).await;
        assert_eq!(outcome, CallOutcome::Ok, "{n}: {name}: {why}");
        desk.ledger.offer(server, before);
    }
    assert!(other > 150, "only {other} were in another order");
    assert_eq!(desk.ledger.take().len(), 200);
}

/// The same value with keys, and lists that have no order, in another one.
fn shuffled(value: &Value, under: &str, draw: &Draw) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<(String, Value)> = map
                .iter()
                .map(|(k, v)| (k.clone(), shuffled(v, k, draw)))
                .collect();
            draw.shuffle(&mut pairs);
            pairs.into_iter().collect()
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|v| shuffled(v, "", draw)).collect();
            if ORDER_FREE.contains(&under) {
                draw.shuffle(&mut items);
            }
            Value::Array(items)
        }
        other => other.clone(),
    }
}

/// Changes one thing of a definition and says what kind of thing.
fn change(tool: &mut ToolDef, draw: &Draw) -> &'static str {
    let kind = draw.below(20);
    let (text, schema) = match kind {
        0..=7 => (Some(&mut tool.description), None),
        8 => {
            let title = tool.title.take();
            tool.title = Some(format!("{} ", title.unwrap_or_default()));
            return "title";
        }
        9 => {
            let before = std::mem::take(&mut tool.annotations);
            tool.annotations = annotated(before, draw);
            return "annotations";
        }
        10 => {
            let schema = tool
                .output_schema
                .get_or_insert_with(|| json!({"type": "object"}));
            schema["properties"]["note"] = json!({"type": "string"});
            return "output";
        }
        _ => (None, Some(&mut tool.input_schema)),
    };
    match (text, schema) {
        (Some(text), _) => describe(text, kind, draw),
        (None, Some(schema)) => narrow_or_widen(schema, kind, draw),
        (None, None) => "nothing",
    }
}

fn annotated(annotations: Value, draw: &Draw) -> Value {
    let hint = *draw.of_these(&[
        "readOnlyHint",
        "destructiveHint",
        "idempotentHint",
        "openWorldHint",
    ]);
    let mut annotations = annotations;
    let told = annotations.get(hint).and_then(Value::as_bool);
    annotations[hint] = json!(!told.unwrap_or(false));
    annotations
}

/// One place of a text.
fn describe(text: &mut String, kind: usize, draw: &Draw) -> &'static str {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let at = *draw.of_these(&places);
    let here = text[at..].chars().next().unwrap_or_default();
    let end = at + here.len_utf8();
    match kind {
        0 => text.push_str(" Call it twice."),
        1 => text.insert(at, '\u{200b}'),
        2 => text.insert(at, '\u{202e}'),
        3 => drop(text.remove(at)),
        4 => text.insert(at, ' '),
        5 => text.replace_range(at..end, "\u{e000}"),
        6 => text.insert(0, '\n'),
        _ => text.clear(),
    }
    [
        "a sentence more",
        "a zero-width space",
        "an override",
        "a letter less",
        "a space",
        "another letter",
        "a line feed",
        "no description",
    ][kind]
}

/// One place of a schema of arguments.
fn narrow_or_widen(schema: &mut Value, kind: usize, draw: &Draw) -> &'static str {
    let names: Vec<String> = schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    let name = draw.of_these(&names).as_str();
    match kind {
        11 => {
            schema["properties"]["note_to_self"] = json!({"type": "string"});
            "an argument more"
        }
        12 => {
            schema["properties"]
                .as_object_mut()
                .unwrap()
                .shift_remove(name);
            "an argument less"
        }
        13 => {
            schema["required"] = match schema["required"].as_array().map(Vec::len) {
                Some(0) | None => json!([name]),
                Some(_) => json!([]),
            };
            "what is required"
        }
        14 => {
            let longest = schema["properties"][name]["maxLength"]
                .as_i64()
                .unwrap_or(1_000);
            schema["properties"][name]["maxLength"] = json!(longest + 1);
            "a bound"
        }
        15 => {
            schema["properties"][name]["type"] = json!(["string", "null", "boolean"]);
            "a type"
        }
        16 => {
            schema["additionalProperties"] = json!(true);
            "anything more"
        }
        17 => {
            schema["properties"][name]["default"] = json!({"nested": [name, {"order": [2, 1]}]});
            "a default"
        }
        18 => {
            schema["properties"][name]["description"] = json!(format!("{name}, and the password"));
            "an argument's description"
        }
        _ => {
            schema["$defs"] = json!({"later": {"const": name}});
            "a definition nobody uses"
        }
    }
}
