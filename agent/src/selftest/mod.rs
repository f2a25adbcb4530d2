//! `nightdesk selftest`: trips every safety control for real in a scratch environment and says what stopped it; nothing of the
//! operator's is read or touched.

mod adversary;
mod bench;
mod controls;
mod outside;
mod trial;

use futures::future::BoxFuture;
use serde::Serialize;

use crate::text::oneline;

pub use bench::Bench;
pub use controls::all;

/// One safety control and how it is tripped.
pub struct Control {
    /// Rule of section 5 of the design.
    pub rule: u8,
    /// What is controlled, in a few words.
    pub name: &'static str,
    /// What is attempted.
    pub attempt: &'static str,
    /// How it must end.
    pub want: Want,
    /// Attempts it.
    pub run: for<'b> fn(&'b Bench) -> BoxFuture<'b, anyhow::Result<Tried>>,
}

/// How an attempt must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Refused in these words, which no other rule uses; the record names the control's own rule.
    Refused(&'static str),
    /// The same, where nothing can be recorded.
    Unrecordable(&'static str),
    /// Done: a gate that refuses everything holds nothing.
    Done,
}

/// What came of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tried {
    /// What stopped it, in its own words; none when nothing did.
    pub stopped: Option<String>,
    /// Rule that the record of the refusal names: the audit log's, or for what never became a close the stored verdict's.
    pub recorded: Option<u8>,
    /// What really happened: calls that reached a server, tickets made, cases closed.
    pub happened: Vec<String>,
}

/// Whether a control held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Rule of section 5 of the design.
    pub rule: u8,
    /// What is controlled.
    pub control: &'static str,
    /// What was attempted.
    pub attempted: &'static str,
    /// Whether it held.
    pub held: bool,
    /// What stopped the attempt, or what is wrong; at most 400 characters.
    pub what: String,
}

/// Runs the controls whose rule (`rule 4`) or name holds `only`, one after the other, and tells of each as it ends.
pub async fn run(
    bench: &Bench,
    only: Option<&str>,
    mut told: impl FnMut(&Outcome),
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for control in all().into_iter().filter(|c| wanted(c, only)) {
        let ended = match (control.run)(bench).await {
            Ok(tried) => judge(&control, &tried),
            Err(e) => outcome(&control, Err(format!("it could not be tried: {e:#}"))),
        };
        told(&ended);
        outcomes.push(ended);
    }
    outcomes
}

fn wanted(control: &Control, only: Option<&str>) -> bool {
    let Some(only) = only.map(str::to_lowercase) else {
        return true;
    };
    let rule = format!("rule {}", control.rule);
    only.trim() == rule || (!only.trim().starts_with("rule ") && control.name.contains(only.trim()))
}

/// Whether what came of an attempt shows that the control binds: stopped, by its own rule, on record, and with no effect.
#[must_use]
pub fn judge(control: &Control, tried: &Tried) -> Outcome {
    let held = match control.want {
        Want::Refused(says) => refused(says, tried).and_then(|held| match tried.recorded {
            Some(rule) if rule == control.rule => Ok(held),
            Some(other) => Err(format!("on record under rule {other}: {held}")),
            None => Err(format!("not on record: {held}")),
        }),
        Want::Unrecordable(says) => refused(says, tried),
        Want::Done => done(tried),
    };
    outcome(control, held)
}

fn done(tried: &Tried) -> Result<String, String> {
    match (&tried.stopped, tried.happened.as_slice()) {
        (Some(why), _) => Err(format!("stopped although allowed: {why}")),
        (None, []) => Err("allowed, and nothing happened".to_owned()),
        (None, happened) => Ok(format!("done: {}", happened.join(", "))),
    }
}

fn refused(says: &str, tried: &Tried) -> Result<String, String> {
    let happened = tried.happened.join(", ");
    match &tried.stopped {
        None => Err(format!("nothing stopped it: {happened}")),
        Some(why) if !happened.is_empty() => Err(format!("it says {why:?}, and yet: {happened}")),
        Some(why) if !why.contains(says) => Err(format!("another rule stopped it: {why}")),
        Some(why) => Ok(format!("refused: {why}")),
    }
}

fn outcome(control: &Control, what: Result<String, String>) -> Outcome {
    let held = what.is_ok();
    let what = what.unwrap_or_else(|wrong| wrong);
    Outcome {
        rule: control.rule,
        control: control.name,
        attempted: control.attempt,
        held,
        what: oneline(&what, 400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(want: Want) -> Control {
        Control {
            rule: 4,
            name: "target",
            attempt: "an attempt",
            want,
            run: |_| Box::pin(async { Ok(Tried::default()) }),
        }
    }

    #[test]
    fn only_an_attempt_that_its_own_rule_stopped_counts_as_held() {
        let refused = Want::Refused("not in the allowlist");
        let own = "rule 4: the target is not in the allowlist: …";
        let sent = "ticketing.create_ticket was called";
        // (want, stopped, recorded, happened, held)
        let table: [(Want, &str, u8, &str, bool); 12] = [
            (refused, own, 4, "", true),
            (refused, "", 0, "", false),
            (refused, "", 0, sent, false),
            (refused, own, 4, sent, false),
            (refused, "rule 4: the target is protected", 4, "", false),
            (refused, own, 1, "", false),
            (refused, own, 0, "", false),
            (Want::Unrecordable("allowlist"), own, 0, "", true),
            (Want::Unrecordable("allowlist"), own, 0, sent, false),
            (Want::Done, "", 0, sent, true),
            (Want::Done, "", 0, "", false),
            (Want::Done, own, 4, "", false),
        ];
        for (want, stopped, recorded, happened, held) in table {
            let tried = Tried {
                stopped: (!stopped.is_empty()).then(|| stopped.to_owned()),
                recorded: (recorded > 0).then_some(recorded),
                happened: (!happened.is_empty())
                    .then(|| happened.to_owned())
                    .into_iter()
                    .collect(),
            };
            let outcome = judge(&control(want), &tried);
            assert_eq!(outcome.held, held, "{want:?} {tried:?}: {}", outcome.what);
        }
    }

    #[test]
    fn a_word_picks_controls_by_rule_or_name() {
        let control = control(Want::Done);
        for (only, yes) in [
            (None, true),
            (Some("rule 4"), true),
            (Some("Rule 4"), true),
            (Some("rule 41"), false),
            (Some("rule 1"), false),
            (Some("targ"), true),
            (Some("approval"), false),
        ] {
            assert_eq!(wanted(&control, only), yes, "{only:?}");
        }
    }
}
