//! Common Event Format, version 0: header and extension with their two ways of escaping; how it travels is `syslog` and `target`.

use super::{Grade, Record, is_hidden, spelled};

/// `CEF:0|nightdesk|nightdesk|VERSION|KIND|NAME|SEVERITY|EXTENSION`.
///
/// The name is the kind in words, so that receivers can count by it. `cs1` to `cs6` are case, tool, arguments,
/// target, rule and hash, `cn1` the milliseconds.
pub(super) fn line(record: &Record<'_>) -> String {
    let kind = record.kind();
    let mut out = format!(
        "CEF:0|nightdesk|nightdesk|{}|{}|{}|{}|",
        env!("CARGO_PKG_VERSION"),
        header(kind),
        header(&kind.replace('_', " ")),
        severity(record.grade()),
    );
    out.push_str(&format!(
        "rt={} externalId={}",
        record.entry.at.timestamp_millis(),
        record.entry.seq
    ));
    let outcome = match record.grade() {
        Grade::Refused | Grade::Failed | Grade::Grave => "failure",
        Grade::Routine | Grade::Notable => "success",
    };
    let mut put = |key: &str, value: &str, most: usize| {
        out.push_str(&format!(" {key}={}", extension(value, most)));
    };
    put("outcome", outcome, 63);
    put("suser", &record.who(), 300);
    if let Some(decision) = record.decision() {
        put("act", &decision, 63);
    }
    if let Some(why) = record.why() {
        put("reason", &why, 1_000);
    }
    for (key, label, value, most) in [
        ("cs1", "caseId", record.text("case"), 63),
        ("cs2", "tool", record.text("tool"), 300),
        ("cs3", "arguments", record.text("arguments"), 3_000),
        ("cs4", "target", record.text("target"), 300),
        ("cs5", "rule", record.rule(), 63),
        (
            "cs6",
            "auditHash",
            Some(record.entry.hash.as_str().into()),
            64,
        ),
        ("cn1", "millis", record.text("millis"), 20),
    ] {
        if let Some(value) = value {
            put(&format!("{key}Label"), label, 63);
            put(key, &value, most);
        }
    }
    let ended = record.text("outcome").map(|o| ("ended", o));
    let rest: Vec<String> = ended
        .into_iter()
        .chain(record.rest())
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    if !rest.is_empty() {
        put("msg", &rest.join("; "), 1_000);
    }
    out
}

/// 0 to 10: up to 3 low, 4 to 6 medium, 7 and 8 high, above very high.
fn severity(grade: Grade) -> u8 {
    match grade {
        Grade::Routine => 1,
        Grade::Notable => 3,
        Grade::Failed => 5,
        Grade::Refused => 8,
        Grade::Grave => 10,
    }
}

fn header(text: &str) -> String {
    spelled(text, 120, |c, out| match c {
        '\\' | '|' => out.extend(['\\', c]),
        c if is_hidden(c) => out.push_str(&format!("\\\\u{{{:x}}}", u32::from(c))),
        c => out.push(c),
    })
}

fn extension(text: &str, most: usize) -> String {
    spelled(text, most, |c, out| match c {
        '\\' | '=' => out.extend(['\\', c]),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        c if is_hidden(c) => out.push_str(&format!("\\\\u{{{:x}}}", u32::from(c))),
        c => out.push(c),
    })
}
