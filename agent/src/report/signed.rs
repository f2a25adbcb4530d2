//! Who has put their name under a case: people's words after the daemon's last verdict; what they said is on the timeline.

use serde::Serialize;
use state::model::{Time, TimelineKind};

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

/// People's words on a case, in order. A verdict that the daemon gives later takes them back: it was not signed.
#[must_use]
pub fn signatures(file: &CaseFile) -> Vec<Signature> {
    use TimelineKind as K;
    let ours = |actor: &str| actor == "nightdesk";
    let given = file
        .timeline
        .iter()
        .rposition(|e| e.kind == K::VerdictGiven && ours(&e.actor));
    file.timeline
        .iter()
        .skip(given.map_or(0, |at| at + 1))
        .filter(|e| !ours(&e.actor))
        .filter(|e| matches!(e.kind, K::VerdictGiven | K::Answered | K::Closed))
        .map(|e| Signature {
            by: e.actor.clone(),
            at: e.at,
            what: e.message.clone(),
        })
        .collect()
}
