//! Why the gate sends nothing: a rule that says no, or one of which nobody can tell what it says; what follows is decided
//! where it is asked.

use state::store::StoreError;

/// Why the gate refuses, with the number of the rule in the design.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: {why}")]
pub struct Refusal {
    /// Rule of section 5 of the design.
    pub rule: u8,
    /// Why, in words.
    pub why: String,
}

impl Refusal {
    pub(super) fn new(rule: u8, why: impl Into<String>) -> Self {
        Self {
            rule,
            why: why.into(),
        }
    }
}

/// Why nothing is sent. Both refuse; only the first is an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// The rule says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What the rule needs to know could not be told, or it says no for this hour: it may say yes later.
    #[error(transparent)]
    CannotTell(Refusal),
}

impl Unsent {
    /// A rule of which nobody can tell what it says, and why not.
    pub(super) fn cannot_tell(rule: u8, why: impl Into<String>) -> Self {
        Self::CannotTell(Refusal::new(rule, why))
    }

    /// A rule that needs what the store did not give. That there is no such row is an answer.
    pub(super) fn unread(rule: u8, what: &str, error: &StoreError) -> Self {
        let refusal = Refusal::new(rule, format!("{what} can't be read: {error}"));
        match error {
            StoreError::NotFound { .. } => Self::Refused(refusal),
            _ => Self::CannotTell(refusal),
        }
    }
}

/// For callers that ask once: a rule that can't be asked refuses.
impl From<Unsent> for Refusal {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Refused(refusal) | Unsent::CannotTell(refusal) => refusal,
        }
    }
}
