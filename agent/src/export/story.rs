//! The story: one line an entry in the order things happened, for people; what outsiders wrote is cut and made harmless.

use chrono::SecondsFormat;

use crate::text::oneline;

use super::Record;

/// Time, who, what was asked, decision with its rule, result.
pub(super) fn line(record: &Record<'_>) -> String {
    let at = record.entry.at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let case = record.text("case").unwrap_or("-".into());
    format!(
        "#{} {at} {} {}",
        record.entry.seq,
        oneline(&case, 40),
        sentence(record)
    )
}

/// The entry as a sentence, at most about 1,000 characters.
pub(super) fn sentence(record: &Record<'_>) -> String {
    let mut out = oneline(&record.who(), 80);
    if let Some(tier) = record.text("tier") {
        out.push_str(&format!(" (tier {})", oneline(&tier, 10)));
    }
    out.push_str(&format!(": {}", oneline(record.kind(), 40)));
    for (before, key, most) in [
        (" ", "tool", 120),
        (" on ", "target", 120),
        (" ", "arguments", 240),
    ] {
        if let Some(text) = record.text(key) {
            out.push_str(&format!("{before}{}", oneline(&text, most)));
        }
    }
    let rest: Vec<String> = record
        .rest()
        .map(|(key, value)| format!("{} {}", oneline(key, 40), oneline(&value, 60)))
        .collect();
    if !rest.is_empty() {
        out.push_str(&format!(" ({})", oneline(&rest.join(", "), 240)));
    }
    if let Some(decision) = record.decision() {
        out.push_str(&format!(" -> {}", oneline(&decision, 40)));
        if let Some(rule) = record.rule() {
            out.push_str(&format!(" by rule {}", oneline(&rule, 20)));
        }
    }
    if let Some(outcome) = record.text("outcome") {
        out.push_str(&format!(" -> {}", oneline(&outcome, 40)));
        if let Some(millis) = record.text("millis") {
            out.push_str(&format!(" in {} ms", oneline(&millis, 20)));
        }
    }
    if let Some(why) = record.why() {
        out.push_str(&format!(": {}", oneline(&why, 240)));
    }
    out
}
