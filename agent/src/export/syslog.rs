//! RFC 5424 messages with structured data; at most 8,192 bytes each, which receivers of RFC 5425 should take; sending is `target`.

use chrono::SecondsFormat;

use super::{Grade, Record, is_hidden, spelled, story};

/// Facility of RFC 5424: log audit.
const FACILITY: u8 = 13;
/// The element's name, with the private enterprise number that is set aside for documentation.
const ELEMENT: &str = "nightdesk@32473";

/// Header, one element with the parts of the record, and its story as the message.
pub(super) fn line(host: &str, record: &Record<'_>) -> String {
    let mut element = format!("[{ELEMENT}");
    let mut put = |name: &str, value: &str, most: usize| {
        element.push_str(&format!(" {name}=\"{}\"", parameter(value, most)));
    };
    put("seq", &record.entry.seq.to_string(), 20);
    put("hash", &record.entry.hash, 64);
    let rest: Vec<String> = record
        .rest()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    for (name, value, most) in [
        ("case", record.text("case"), 64),
        ("tier", record.text("tier"), 64),
        ("who", Some(record.who()), 300),
        ("tool", record.text("tool"), 300),
        ("class", record.text("class"), 64),
        ("target", record.text("target"), 300),
        ("decision", record.decision(), 64),
        ("rule", record.rule(), 64),
        ("why", record.why(), 800),
        ("outcome", record.text("outcome"), 64),
        ("millis", record.text("millis"), 64),
        ("rest", Some(rest.join("; ").into()), 800),
        ("arguments", record.text("arguments"), 2_500),
    ] {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            put(name, &value, most);
        }
    }
    element.push(']');
    let story = spelled(&story::sentence(record), 1_500, |c, out| out.push(c));
    message(host, record, (&element, &story))
}

/// A message without structured data around other text, for instance CEF.
pub(super) fn around(host: &str, record: &Record<'_>, text: &str) -> String {
    message(host, record, ("-", text))
}

fn message(host: &str, record: &Record<'_>, parts: (&str, &str)) -> String {
    let (element, text) = parts;
    let severity = match record.grade() {
        Grade::Grave => 2,
        Grade::Refused => 3,
        Grade::Failed => 4,
        Grade::Notable => 5,
        Grade::Routine => 6,
    };
    let at = record.entry.at.to_rfc3339_opts(SecondsFormat::Micros, true);
    // The text says by this mark that it is UTF-8.
    let mark = if text.is_ascii() { "" } else { "\u{feff}" };
    format!(
        "<{}>1 {at} {} nightdesk - {} {element} {mark}{text}",
        FACILITY * 8 + severity,
        word(host, 255),
        word(record.kind(), 32),
    )
}

/// A word of the header: printable ASCII, or `-`.
fn word(text: &str, most: usize) -> String {
    let word: String = text
        .chars()
        .filter(char::is_ascii_graphic)
        .take(most)
        .collect();
    if word.is_empty() {
        "-".to_owned()
    } else {
        word
    }
}

fn parameter(text: &str, most: usize) -> String {
    spelled(text, most, |c, out| match c {
        '"' | '\\' | ']' => out.extend(['\\', c]),
        c if is_hidden(c) => out.push_str(&format!("\\\\u{{{:x}}}", u32::from(c))),
        c => out.push(c),
    })
}
