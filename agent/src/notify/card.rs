//! What people are told, without any markup: text from outside is bounded here and escaped where it is drawn.

use crate::config::PostKind;
use serde::{Deserialize, Serialize};
use state::model::{ApprovalState, CaseId, Severity, Time, VerdictKind};

/// Something that people are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Post {
    /// A case that needs a person, and what became of it.
    Case(Box<CaseCard>),
    /// Proposed closes that are equal but for their case.
    Batch(Box<BatchCard>),
    /// A later event of a case, under its card.
    Line(Line),
    /// A question or a case that nobody has answered yet.
    Reminder(Reminder),
    /// Something about the daemon itself that a person should know.
    Notice(Notice),
    /// The week in short.
    Digest(Digest),
}

impl Post {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> PostKind {
        match self {
            Self::Case(_) => PostKind::Case,
            Self::Batch(_) => PostKind::Batch,
            Self::Line(_) => PostKind::Line,
            Self::Reminder(_) => PostKind::Reminder,
            Self::Notice(_) => PostKind::Notice,
            Self::Digest(_) => PostKind::Digest,
        }
    }
}

/// One case, as a person needs it to decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseCard {
    /// The case.
    pub case: CaseId,
    /// What: the rule's name.
    pub title: String,
    /// The worst of its alerts'.
    pub severity: Severity,
    /// The verdict in force; none when the daemon gave up before one.
    pub verdict: Option<Judged>,
    /// Short facts with their names, in the order in which they are shown: rule, principal, host, target, source, first alert.
    pub facts: Vec<(String, String)>,
    /// The strongest reasons first, at most three.
    pub reasons: Vec<Reason>,
    /// What was not checked and why.
    pub unchecked: Vec<String>,
    /// Questions to people, open ones first.
    pub asks: Vec<Ask>,
    /// What became of the case, once nothing is asked any more; or why a person has to look.
    pub standing: String,
    /// Who has taken the case over.
    pub owner: Option<String>,
    /// Whether the case is closed.
    pub closed: Closed,
    /// Digest of its alerts with their verdicts: what somebody agrees with who agrees with this card.
    #[serde(default)]
    pub judged: String,
}

/// Whether a case is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// A verdict in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Verdict.
    pub kind: VerdictKind,
    /// 0 to 100.
    pub confidence: u8,
    /// Tier at which it was given, 1 to 3.
    pub tier: u8,
    /// Analyst that gave it.
    pub analyst: String,
}

/// One reason of a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// One sentence; may hold outside text.
    pub text: String,
    /// Evidence it rests on, such as `E4`.
    pub evidence: Vec<String>,
}

/// One question to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Number of the approval; all that a button may carry.
    pub approval: i64,
    /// `close` or `server.tool`.
    pub action: String,
    /// One line for people.
    pub summary: String,
    /// Canonical JSON of the arguments; empty for a close.
    pub arguments: String,
    /// Digest of what is approved, SHA-256, hex.
    pub digest: String,
    /// When it was asked.
    pub asked: Time,
    /// After this it counts as denied.
    pub expires: Time,
    /// Whether a yes needs a reason.
    pub reason: ReasonFor,
    /// People who must say yes.
    pub needed: i64,
    /// Who has said yes so far.
    pub approved_by: Vec<String>,
    /// Where it stands.
    pub state: ApprovalState,
    /// Who decided, when somebody did.
    pub answered_by: Option<String>,
}

/// Which answers need a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonFor {
    /// A no.
    Denial,
    /// A yes too: the action is destructive.
    Both,
}

/// Proposed closes that one answer can settle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchCard {
    /// Number of the batch; all that a button may carry. Another set of cases is another batch.
    pub batch: i64,
    /// What the cases have in common, one line.
    pub title: String,
    /// Number of cases.
    pub count: usize,
    /// Cases drawn at random, shown whole: a person is to look at them before saying yes.
    pub sample: Vec<CaseCard>,
    /// All cases, by id.
    pub cases: Vec<CaseId>,
    /// Digest over the digests of all questions.
    pub digest: String,
    /// The first of the questions runs out then.
    pub expires: Time,
    /// What became of it, once it is no longer open.
    pub outcome: Option<String>,
}

/// A later event of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The case.
    pub case: CaseId,
    /// When.
    pub at: Time,
    /// Who did it.
    pub actor: String,
    /// What, one line; may hold outside text.
    pub text: String,
}

/// A nudge under the card of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reminder {
    /// The case.
    pub case: CaseId,
    /// Which one: 1 is the first.
    pub rung: u32,
    /// What waits, one line.
    pub text: String,
    /// Whom to mention: users and user groups by their ids at the notifier (`U…`, `S…`); from the configuration only.
    pub mention: Vec<String>,
}

/// Something about the daemon itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// How bad.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// More, with the fix.
    pub text: String,
}

/// The week in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// ISO week, such as `2026-W47`.
    pub week: String,
    /// Headline numbers: name, value, change against the week before.
    pub numbers: Vec<(String, String, String)>,
    /// Sections of lines: noisiest rules, broken SLAs, oldest open cases.
    pub sections: Vec<(String, Vec<String>)>,
    /// The whole report, HTML of one file, for notifiers that can attach it.
    pub report: Option<String>,
}
