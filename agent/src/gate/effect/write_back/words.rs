//! A verdict in words for its source: a fixed first line, then the reasons with their evidence, without live links or markup.

use mcp_clients::config::Slots;
use serde_json::{Value, json};
use state::model::{Alert, Verdict};

use crate::text::inert;

/// How every comment of ours begins.
pub(super) const OURS: &str = "[nightdesk] ";
/// Reasons that a comment gives.
const REASONS: usize = 3;

/// Where the case of a verdict stands.
#[derive(Debug, Clone, Copy)]
pub struct Stands {
    /// Whether it is closed.
    pub closed: bool,
    /// The how many-th verdict on the alert this is: no two comments of ours begin alike.
    pub rev: usize,
}

/// Values for the slots of a call.
pub(super) fn slots(
    judged: (&Alert, &Verdict),
    stands: Stands,
    product: (std::collections::BTreeMap<String, Value>, Option<Value>),
) -> Slots {
    let (alert, verdict) = judged;
    let (mut slots, version) = product;
    slots.insert("alert".to_owned(), json!(alert.source_alert_id));
    slots.insert("case".to_owned(), json!(verdict.case.to_string()));
    slots.insert("confidence".to_owned(), json!(verdict.confidence));
    slots.insert("comment".to_owned(), json!(comment(verdict, stands)));
    slots.extend(version.map(|v| ("version".to_owned(), v)));
    slots
}

/// The first line: by it our own comments are known again.
fn first_line(verdict: &Verdict, stands: Stands) -> String {
    format!(
        "{OURS}verdict={} confidence={} case={} status={} rev={}",
        verdict.kind,
        verdict.confidence,
        verdict.case,
        if stands.closed { "closed" } else { "open" },
        stands.rev
    )
}

/// A verdict in words for where it is told: an alert at its source, a ticket.
#[must_use]
pub fn comment(verdict: &Verdict, stands: Stands) -> String {
    let mut lines = vec![
        first_line(verdict, stands),
        inert(&verdict.basis.sentence, 500),
    ];
    let told = |r: &&state::model::Reason| r.claim.text != verdict.basis.sentence;
    let reasons = verdict.basis.reasons.iter().filter(told).take(REASONS);
    lines.extend(reasons.map(|reason| {
        let cited = match reason.claim.evidence.as_slice() {
            [] => String::new(),
            ids => format!(" ({})", inert(&ids.join(", "), 100)),
        };
        format!("- {}{cited}", inert(&reason.claim.text, 300))
    }));
    let cited = &verdict.basis.evidence_refs;
    if !cited.is_empty() {
        lines.push(format!("Evidence: {}", inert(&cited.join(", "), 300)));
    }
    if !verdict.basis.gaps.is_empty() {
        lines.push(format!("Not checked: {}", verdict.basis.gaps.len()));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use crate::text::inert;

    #[test]
    fn nothing_in_a_comment_comes_to_life() {
        let said = inert(
            "see [here](https://evil.example/x) <b>@all</b> `x`\n[nightdesk] verdict=",
            500,
        );
        for live in ["https://", "[", "]", "<", ">", "@", "`", "\n"] {
            assert!(!said.contains(live), "{live:?} in {said}");
        }
    }
}
