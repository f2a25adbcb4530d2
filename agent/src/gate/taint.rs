//! Where the arguments of a call come from, and which values are known to this case; what they mean is not asked.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use state::model::{Alert, AskedBy, Entity};

use crate::catalogue::Entry;
use crate::ctx::Ctx;
use crate::policy::Asker;

use super::Refusal;

/// Who chose the arguments of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A playbook, whose slots were filled from the alert.
    Playbook {
        /// Names of the arguments that hold a value an outsider may have written.
        untrusted: &'a [String],
    },
    /// A model: everything in them is as untrusted as the worst it has read.
    Model,
    /// The daemon itself.
    Daemon,
}

impl Origin<'_> {
    /// The name in policies and audit records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Playbook { .. } => "playbook",
            Self::Model => "model",
            Self::Daemon => "daemon",
        }
    }

    /// Who asks, in the words of a policy.
    pub(super) fn asker(self) -> Asker {
        match self {
            Self::Playbook { .. } => Asker::Playbook,
            Self::Model => Asker::Model,
            Self::Daemon => Asker::Daemon,
        }
    }

    /// Who asks, as it is kept of an effect.
    pub(super) fn asked_by(self) -> AskedBy {
        match self {
            Self::Playbook { .. } => AskedBy::Playbook,
            Self::Model => AskedBy::Model,
            Self::Daemon => AskedBy::Daemon,
        }
    }

    /// Names of the arguments that hold what an outsider may have written; none where the daemon chose them all.
    pub(super) fn untrusted(self, arguments: &Map<String, Value>) -> Option<Vec<String>> {
        match self {
            Self::Playbook { untrusted } => Some(untrusted.to_vec()),
            Self::Model => Some(arguments.keys().cloned().collect()),
            Self::Daemon => None,
        }
    }

    fn taints(self, argument: &str) -> bool {
        match self {
            Self::Playbook { untrusted } => untrusted.iter().any(|u| u == argument),
            Self::Model => true,
            Self::Daemon => false,
        }
    }
}

/// Values that code took from the trusted fields of a case's alerts: membership endorses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// In the form in which two mentions of one thing are equal.
    keys: BTreeSet<String>,
    /// As they stand there, and in lower case.
    spellings: BTreeSet<String>,
}

impl Known {
    /// The trusted and endorsed entities and observables of alerts and the entities of their case.
    #[must_use]
    pub fn of<'a>(
        alerts: impl IntoIterator<Item = &'a Alert>,
        entities: impl IntoIterator<Item = &'a Entity>,
    ) -> Self {
        let mut known = Self::default();
        let mut add = |value: &str| {
            let value = value.trim();
            if !value.is_empty() {
                known.keys.insert(value.to_lowercase());
                known.spellings.extend(spellings(value));
            }
        };
        for alert in alerts {
            for entity in &alert.entities {
                if entity.trust.is_usable_for_closing() {
                    add(&entity.value);
                }
            }
            for observable in &alert.observables {
                if observable.trust.is_usable_for_closing() {
                    add(&observable.value);
                }
            }
        }
        for entity in entities {
            if entity.trust.is_usable_for_closing() {
                add(&entity.value);
            }
        }
        known
    }

    /// Whether a value is one of them; letter case does not count.
    #[must_use]
    pub fn holds(&self, value: &str) -> bool {
        self.keys.contains(&value.trim().to_lowercase())
    }

    /// Whether a value that goes out is one of them. Other spellings are not: letter case and spaces can carry anything
    /// out, and some letters have another one as their lower case.
    fn endorses(&self, value: &str) -> bool {
        self.spellings.contains(value)
    }
}

/// The ways to write a trusted value that mean it: as it stands there, and in lower case.
pub(super) fn spellings(value: &str) -> [String; 2] {
    let value = value.trim();
    [value.to_owned(), value.to_ascii_lowercase()]
}

/// Rule 8: every argument that an outsider may have written must be a value known to the case.
///
/// # Errors
/// The first that is not.
pub(super) fn endorsed(
    arguments: &Map<String, Value>,
    origin: Origin<'_>,
    known: &Known,
) -> Result<(), Refusal> {
    for (name, value) in arguments.iter().filter(|(name, _)| origin.taints(name)) {
        if !all_known(value, known) {
            let why = format!(
                "the argument `{}` holds a value that stands in no trusted field of this case",
                super::printable(name)
            );
            return Err(Refusal::new(8, why));
        }
    }
    Ok(())
}

fn all_known(value: &Value, known: &Known) -> bool {
    match value {
        Value::String(text) => known.endorses(text),
        Value::Array(items) => items.iter().all(|v| all_known(v, known)),
        Value::Object(_) => false,
        Value::Number(n) => known.endorses(&n.to_string()),
        Value::Bool(_) | Value::Null => true,
    }
}

/// Rule 7: what may hold secrets was read for this case, so nothing is asked outside the house any more.
///
/// # Errors
/// When it was, or when it can't be told.
pub(super) async fn no_secret_was_read(
    ctx: &Ctx,
    case: state::model::CaseId,
) -> Result<(), Refusal> {
    let reached = ctx.store.tools_reached(case).await;
    let reached =
        reached.map_err(|e| Refusal::new(7, format!("earlier calls can't be read: {e}")))?;
    let holds_secrets = |entry: &Entry| entry.spec.answer.secrets;
    let secret = reached
        .iter()
        .find(|tool| ctx.catalogue.get(tool).is_none_or(holds_secrets));
    match secret {
        None => Ok(()),
        Some(tool) => Err(Refusal::new(
            7,
            format!(
                "`{tool}` may have read secrets for this case: nothing is asked outside the house any more"
            ),
        )),
    }
}
