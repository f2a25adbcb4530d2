//! Who has put their name under a case: a person's verdict on every alert, or a yes to its close; a click is no signature.

use serde::Serialize;
use state::model::{Analyst, ApprovalState, Time, TimelineEvent, TimelineKind};

use super::casefile::CaseFile;

/// A person's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// Who, as they were named.
    pub by: String,
    /// When.
    pub at: Time,
    /// What they said or did, in one line.
    pub what: String,
}

/// Who signed, in order: with a person's verdict in force on every alert those who gave one, and whoever said yes to the
/// close. A verdict that the daemon gives later takes them back: it was not signed.
#[must_use]
pub fn signatures(file: &CaseFile) -> Vec<Signature> {
    use TimelineKind as K;
    let ours = |actor: &str| actor == "nightdesk";
    let given = file
        .timeline
        .iter()
        .rposition(|e| e.kind == K::VerdictGiven && ours(&e.actor));
    let judged = !file.alerts.is_empty()
        && file.alerts.iter().all(|a| {
            let verdict = a.verdict.as_ref();
            verdict.is_some_and(|v| v.provenance.analyst == Analyst::Human)
        });
    // The answer that closed the case stands right before its `closed`, at the same moment.
    let closed = |e: &TimelineEvent| {
        let mut yes = file.approvals.iter().filter(|a| {
            a.action == "close"
                && a.state == ApprovalState::Used
                && a.answered_by.as_deref() == Some(&*e.actor)
        });
        let mut turns = file.timeline.iter();
        yes.next().is_some() && turns.any(|t| t.kind == K::Closed && t.at == e.at)
    };
    file.timeline
        .iter()
        .skip(given.map_or(0, |at| at + 1))
        .filter(|e| !ours(&e.actor) && e.kind == K::Answered)
        .filter(|e| judged && e.data["verdict"].is_string() || closed(e))
        .map(|e| Signature {
            by: e.actor.clone(),
            at: e.at,
            what: e.message.clone(),
        })
        .collect()
}
