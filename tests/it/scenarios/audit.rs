//! `nightdesk audit` as others use it: what is exported can be read back, what is sent arrives, what was rewritten is seen.

mod anchors;
mod read;
mod sending;

use std::path::Path;

use serde_json::{Value, json};
use state::model::Time;
use state::store::Store;
use tempfile::TempDir;
use tests::workbench::{nightdesk, stderr, stdout};

use read::{parse_cef, parse_syslog};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// What attackers would like to see in a log that others parse.
fn hostile() -> Vec<String> {
    let mut values: Vec<String> = [
        "plain",
        "two\nlines\r\nand a third",
        "a|b|CEF:0|x|y|z|1|e|10|act=allow",
        "x\" evil=\"1] [fake@1 a=\"b",
        "ends with \\",
        "\\n is no line feed, \\= no equals sign, act=allow suser=root",
        "\u{1b}[31mred\u{7}",
        "sep\u{2028}par\u{2029}\u{202e}turned\u{feff}",
        "\u{0}nul \u{85} é 日本",
        "<34>1 2026-01-01T00:00:00Z h a p m - forged",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push("long\n".repeat(20_000));
    values.push("]\\\"=|é".repeat(12_000));
    values
}

fn entry(text: &str) -> Value {
    json!({"kind": "tool_call", "case": "ND-1", "tier": 1, "asked_by": text, "tool": text, "class": "read_internal",
        "arguments": {"a": text, "b": {text: 1}}, "decision": {"decision": "deny", "rule": 3, "why": text}, "strange": text})
}

fn at() -> Time {
    chrono::DateTime::from_timestamp(1_772_452_800, 123_456_000).unwrap()
}

/// A folder with a configuration and a store that holds these entries.
async fn site(entries: &[Value]) -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::write(
        dir.path().join("nightdesk.toml"),
        "[store]\nurl = \"sqlite:s.db\"\n",
    )
    .unwrap();
    fill(dir.path(), entries).await;
    dir
}

async fn fill(dir: &Path, entries: &[Value]) {
    let url = format!("sqlite:{}", dir.join("s.db").display());
    let store = Store::open(&url).await.unwrap();
    for entry in entries {
        store.append_audit(at(), entry).await.unwrap();
    }
    store.close().await;
}

fn ran(dir: &Path, args: &[&str]) -> String {
    let output = nightdesk(PROGRAM, dir, args).unwrap();
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

fn refused(dir: &Path, args: &[&str], code: i32) -> String {
    let output = nightdesk(PROGRAM, dir, args).unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    stderr(&output)
}

/// A value as a receiver is to see it: hidden characters spelled out.
fn shown(text: &str, keep: &str) -> String {
    let hidden =
        |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}' | '\u{feff}');
    text.chars()
        .map(|c| match c {
            c if hidden(c) && !keep.contains(c) => format!("\\u{{{:x}}}", u32::from(c)),
            c => c.to_string(),
        })
        .collect()
}

/// That a received value is the sent one, or the beginning of it with a word about what is left out.
fn same(received: &str, sent: &str) {
    match received.rsplit_once("...(") {
        Some((begin, rest)) if received != sent => {
            assert!(rest.ends_with(" bytes left out)"), "{rest}");
            assert!(!begin.is_empty() && sent.starts_with(begin), "{begin}");
            assert!(sent.len() > 200, "cut without need: {sent}");
        }
        _ => assert_eq!(received, sent),
    }
}

fn of<'a>(pairs: &'a [(String, String)], key: &str) -> &'a str {
    let mut found = pairs.iter().filter(|p| p.0 == key);
    let value = &found.next().unwrap_or_else(|| panic!("no {key}")).1;
    assert!(found.next().is_none(), "{key} twice");
    value
}

fn is_harmless(line: &str) {
    let bad = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}');
    assert!(!line.contains(bad), "{line:?}");
}

/// A record for each hostile value, its line in a form, and the value.
async fn exported(format: &str) -> Vec<(String, Value, String)> {
    let values = hostile();
    let entries: Vec<Value> = values.iter().map(|v| entry(v)).collect();
    let dir = site(&entries).await;
    let text = ran(dir.path(), &["audit", "export", "--format", format]);
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    assert_eq!(lines.len(), values.len(), "{format}: a value broke a line");
    let lines = lines.into_iter().map(str::to_owned);
    let triples = lines.zip(entries).zip(values);
    triples
        .map(|((line, entry), value)| (line, entry, value))
        .collect()
}

#[tokio::test]
async fn json_lines_hold_all_and_the_story_is_bounded() {
    for (line, entry, _) in exported("jsonl").await {
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["entry"], entry);
    }
    for (line, _, value) in exported("story").await {
        is_harmless(&line);
        assert!(
            line.len() < 5_000 && line.contains(" -> deny by rule 3"),
            "{value}: {line}"
        );
    }
}

#[tokio::test]
async fn cef_of_hostile_values_can_be_read_back() {
    for (line, entry, value) in exported("cef").await {
        is_harmless(&line);
        assert!(line.len() <= 7_600, "no room for the header of syslog");
        let (header, pairs) = parse_cef(&line);
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            header,
            [
                "0",
                "nightdesk",
                "nightdesk",
                version,
                "tool_call",
                "tool call",
                "8"
            ]
        );
        assert_eq!(of(&pairs, "rt"), "1772452800123");
        assert_eq!(
            (of(&pairs, "act"), of(&pairs, "outcome")),
            ("deny", "failure")
        );
        for key in ["suser", "reason", "cs2"] {
            same(of(&pairs, key), &shown(&value, "\r\n"));
        }
        same(
            of(&pairs, "cs3"),
            &shown(&entry["arguments"].to_string(), ""),
        );
        let keys: std::collections::BTreeSet<_> = pairs.iter().map(|p| &p.0).collect();
        assert_eq!(keys.len(), pairs.len(), "a value made a key: {line}");
    }
}

#[tokio::test]
async fn syslog_of_hostile_values_can_be_read_back() {
    for (line, entry, value) in exported("syslog").await {
        is_harmless(&line);
        let message = parse_syslog(&line);
        assert_eq!(message.priority, 13 * 8 + 3);
        let [time, host, app, process, id] = message.header.as_slice() else {
            panic!("{line}")
        };
        assert_eq!(time, "2026-03-02T12:00:00.123456Z");
        assert!(!host.is_empty() && host.is_ascii());
        assert_eq!([app, process, id], ["nightdesk", "-", "tool_call"]);
        for key in ["who", "why", "tool"] {
            same(of(&message.parameters, key), &shown(&value, ""));
        }
        same(
            of(&message.parameters, "arguments"),
            &shown(&entry["arguments"].to_string(), ""),
        );
        assert_eq!(
            message.text.starts_with('\u{feff}'),
            !message.text.is_ascii()
        );
    }
}
