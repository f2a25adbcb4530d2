//! The accepted judgement of an alert; append-only, the last one not superseded wins.

use serde::{Deserialize, Serialize};

use super::{AlertId, CaseId, EvidenceRef, Gap, Reason, Tier, Time};

words! {
    /// The six verdicts.
    pub enum VerdictKind {
        /// The rule is right and the activity is malicious or against policy.
        TruePositive = "true_positive",
        /// The rule is right and the activity is authorised or expected.
        BenignPositive = "benign_positive",
        /// The rule is wrong.
        FalsePositive = "false_positive",
        /// Not final: a person must look.
        Suspicious = "suspicious",
        /// Not enough evidence to say.
        Undetermined = "undetermined",
        /// The same activity is already handled.
        Duplicate = "duplicate",
    }
}

impl VerdictKind {
    /// Whether the verdict says that nothing bad happened.
    #[must_use]
    pub fn is_benign(self) -> bool {
        matches!(self, Self::BenignPositive | Self::FalsePositive)
    }

    /// The order in which one alert's verdict stands for its whole case: the worst wins.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::TruePositive => 5,
            Self::Suspicious => 4,
            Self::Undetermined => 3,
            Self::BenignPositive => 2,
            Self::FalsePositive => 1,
            Self::Duplicate => 0,
        }
    }
}

words! {
    /// Why the verdict is what it is.
    pub enum VerdictReason {
        /// Malicious activity took place.
        MaliciousActivity = "malicious_activity",
        /// Against policy.
        PolicyViolation = "policy_violation",
        /// Attempted and stopped by a control.
        AttemptBlocked = "attempt_blocked",
        /// Attempted and failed.
        AttemptFailed = "attempt_failed",
        /// An account is in other hands.
        CompromisedAccount = "compromised_account",
        /// Malicious software.
        Malware = "malware",
        /// Deceptive mail.
        Phishing = "phishing",
        /// An authorised test.
        AuthorizedTest = "authorized_test",
        /// Administration.
        AdminActivity = "admin_activity",
        /// Ordinary business.
        ExpectedBusiness = "expected_business",
        /// Planned maintenance.
        Maintenance = "maintenance",
        /// The rule's logic is wrong.
        IncorrectLogic = "incorrect_logic",
        /// The rule's data is wrong.
        InaccurateData = "inaccurate_data",
        /// A person must decide.
        NeedsHuman = "needs_human",
        /// More data is needed.
        NeedsData = "needs_data",
        /// Not enough data to say.
        InsufficientData = "insufficient_data",
        /// A tool failed.
        ToolFailure = "tool_failure",
        /// The same alert again.
        SameAlert = "same_alert",
        /// The same incident.
        SameIncident = "same_incident",
    }
}

words! {
    /// What the activity achieved.
    pub enum Impact {
        /// Nothing.
        None = "none",
        /// It was tried.
        Attempted = "attempted",
        /// It took effect.
        Confirmed = "confirmed",
        /// Not known.
        Unknown = "unknown",
    }
}

words! {
    /// Who judged.
    pub enum Analyst {
        /// Deterministic signals, no model.
        Playbook = "playbook",
        /// The model, agreeing with or overruled by the playbook analyst.
        Model = "model",
        /// The model was asked and failed; the playbook analyst decided.
        PlaybookAfterModelFailure = "playbook_after_model_failure",
        /// A person.
        Human = "human",
    }
}

/// The accepted judgement of one alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Case.
    pub case: CaseId,
    /// Alert it judges.
    pub alert: AlertId,
    /// The verdict.
    pub kind: VerdictKind,
    /// Why.
    pub reason: VerdictReason,
    /// What the activity achieved.
    pub impact: Impact,
    /// How sure, 0 to 100.
    pub confidence: i64,
    /// Whether the predicate over trusted facts alone allows a close.
    pub close_allowed: bool,
    /// What stood in the way of a close, one sentence each.
    pub vetoes: Vec<String>,
    /// What it rests on.
    pub basis: Basis,
    /// Who made it.
    pub provenance: Provenance,
    /// When.
    pub at: Time,
}

/// What a verdict rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// The verdict in one sentence.
    pub sentence: String,
    /// Probability that the activity is malicious, 0 to 1.
    pub probability: f64,
    /// Reasons, the weightiest first.
    pub reasons: Vec<Reason>,
    /// Evidence cited.
    pub evidence_refs: Vec<EvidenceRef>,
    /// What was not checked and why.
    pub gaps: Vec<Gap>,
    /// ATT&CK technique ids.
    pub techniques: Vec<String>,
    /// When the earliest event happened that is evidence of compromise, if this is one: of the alert's own, and of those of one
    /// session, process or address with it that show a technique claimed here. None when no such event says its time.
    #[serde(default)]
    pub earliest: Option<Time>,
}

/// Who and what made a verdict, so that it can be made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Last tier reached.
    pub tier: Tier,
    /// Who judged.
    pub analyst: Analyst,
    /// What became of the model when one was configured, in one sentence.
    pub analyst_note: Option<String>,
    /// Playbook id.
    pub playbook: String,
    /// SHA-256 of the playbook file, hex.
    pub playbook_hash: String,
    /// Model name, when one was asked.
    pub model: Option<String>,
    /// SHA-256 of the prompt, hex, when a model was asked.
    pub prompt_hash: Option<String>,
}
