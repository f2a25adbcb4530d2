//! The glossary: one file a noun; pure data with its invariants, no storage and no I/O.
//!
//! | noun | file | meaning |
//! |---|---|---|
//! | [`Alert`] | `alert` | one detection as received, normalised with OCSF names, raw bytes beside it |
//! | [`Activity`] | `activity` | one raw event normalised: who did what, from where, to what |
//! | [`Case`], [`CaseStatus`], [`Outcome`] | `case` | the investigation of one or more alerts |
//! | [`Entity`], [`Observable`] | `entity` | what acts or is protected; a value to pivot on |
//! | [`Mention`] | `mention` | a trusted entity that an alert names, as correlation reads it |
//! | [`Trust`], [`Fact`] | `trust` | a value and how far it may be believed |
//! | [`Evidence`] | `evidence` | one fact found, with the tool call that found it |
//! | [`ToolCall`] | `tool_call` | one request to one MCP tool |
//! | [`Effect`] | `effect` | an outside effect that was proposed, and what became of it |
//! | [`Assessment`] | `assessment` | what an analyst says of an alert at a tier |
//! | [`Verdict`] | `verdict` | the accepted judgement of an alert; append-only |
//! | [`Precedent`], [`Feedback`] | `precedent` | a person's word on an earlier alert |
//! | [`Baseline`], [`Suspect`] | `baseline` | what a log query answered about an entity, kept; what speaks against it |
//! | [`ShadowVerdict`] | `shadow` | what other settings would have said; decides nothing |
//! | [`Approval`], [`Vote`] | `approval` | a question about exactly one action, and what each person said to it |
//! | [`StoredPost`], [`Batch`] | `post` | what people see of it, and equal questions that one answer settles |
//! | [`Takeover`] | `approval` | a person has taken a case over |
//! | [`TimelineEvent`] | `timeline` | what the daemon did, append-only |
//! | [`StepRun`] | `step_run` | one execution of a playbook step |
//! | [`Tier`] | `tier` | triage, investigation, forensics |
//! | [`Switch`], [`Turn`] | `switch` | what can be switched off, and each time it was |
//! | [`AssuranceRun`] | `assurance` | a run of the golden lab, and whether it came out above the floor |
//! | [`CanaryRun`] | `canary` | a known bad alert sent through the daemon's own pipeline |
//! | [`Pattern`], [`Finding`] | `pattern` | how alerts of a rule are judged, and where that changed |
//! | [`Budget`], [`Cursor`] | `budget`, `cursor` | what a case may still spend; where a source stands |

/// Declares an enum whose variants are words: serde, `Display`, `FromStr`, `as_str` and `ALL` agree.
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        $vis enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands for this value in files, tables and JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::model::UnknownWord;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                match s {
                    $($word => Ok(Self::$variant),)+
                    other => Err($crate::model::UnknownWord::new(stringify!($name), other, &[$($word),+])),
                }
            }
        }
    };
}

pub mod activity;
pub mod alert;
pub mod approval;
pub mod assessment;
pub mod assurance;
mod baseline;
pub mod budget;
pub mod canary;
pub mod case;
pub mod cursor;
pub mod effect;
pub mod elicitation;
pub mod entity;
pub mod evidence;
pub mod mention;
pub mod pattern;
pub mod post;
mod precedent;
pub mod shadow;
pub mod step_run;
pub mod switch;
pub mod tier;
pub mod timeline;
pub mod tool_call;
pub mod trust;
pub mod verdict;

pub use activity::{Activity, Field};
pub use alert::{Alert, AlertId, NewAlert, Rule, Severity};
pub use approval::{Answered, Approval, ApprovalState, Takeover, Vote};
pub use assessment::{Assessment, Claim, Gap, Reason};
pub use assurance::AssuranceRun;
pub use baseline::{Baseline, BaselineAnswer, BaselineOf, Suspect};
pub use budget::{Budget, Spent};
pub use canary::{CANARY_SOURCE, CanaryRun, CanaryState};
pub use case::{Case, CaseEvent, CaseId, CaseStatus, IllegalMove, Outcome, next};
pub use cursor::Cursor;
pub use effect::{AskedBy, Effect, EffectAbout, EffectDecision, Held, Proof, effect_name};
pub use elicitation::Elicitation;
pub use entity::{Entity, EntityKind, Observable, ObservableKind, Role};
pub use evidence::{Answer, Evidence, EvidenceRef};
pub use mention::{Mention, Mentions, Part};
pub use pattern::{Deviation, Finding, FindingState, Measure, Pattern, RuleAt, Sample};
pub use post::{Batch, NewPost, PostState, StoredPost, Telling};
pub use precedent::{Feedback, Likeness, Precedent};
pub use shadow::{ShadowPair, ShadowVerdict};
pub use step_run::{StepRun, StepState};
pub use switch::{Switch, SwitchState, Turn};
pub use tier::Tier;
pub use timeline::{TimelineEvent, TimelineKind};
pub use tool_call::{CallOutcome, ToolCall, ToolClass};
pub use trust::{Fact, Trust};
pub use verdict::{Analyst, Basis, Impact, Provenance, Verdict, VerdictKind, VerdictReason};

/// Time as the whole program uses it: an instant in UTC; stored as microseconds since the epoch.
pub type Time = chrono::DateTime<chrono::Utc>;

/// A word that is not in the closed list it should come from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no {}; expected one of {expected}", plain(.what))]
pub struct UnknownWord {
    what: &'static str,
    found: String,
    expected: String,
}

/// The name of a noun as people write it: `VerdictKind` as `verdict kind`.
fn plain(noun: &str) -> String {
    let parts = noun.char_indices().map(|(at, c)| match c {
        c if c.is_ascii_uppercase() && at > 0 => format!(" {}", c.to_ascii_lowercase()),
        c => c.to_ascii_lowercase().to_string(),
    });
    parts.collect()
}

impl UnknownWord {
    pub(crate) fn new(what: &'static str, found: &str, expected: &[&str]) -> Self {
        Self {
            what,
            found: found.chars().take(80).collect(),
            expected: expected.join(", "),
        }
    }
}
