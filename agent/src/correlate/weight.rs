//! How much it weighs that an alert and a case share an entity, and what makes them alike.

use serde::Serialize;
use state::model::Part;
use state::store::Spread;

/// What shared entities, times likeness, must come to.
pub const NEEDED: f64 = 1.0;

/// An account on this many machines is still one person's; on more it is shared.
const MACHINES_OF_ONE: f64 = 8.0;

/// Why an alert and a case that share entities are one story; the strongest that holds counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Alike {
    /// Nobody has judged the case yet and it is about the same time.
    CloseInTime,
    /// The same rule fired.
    SameRule,
    /// The case is an incident.
    Incident,
}

impl Alike {
    /// What the shared weight is multiplied by.
    #[must_use]
    pub const fn factor(self) -> f64 {
        match self {
            Self::CloseInTime => 1.3,
            Self::SameRule => 1.4,
            Self::Incident => 2.5,
        }
    }

    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::CloseInTime => "close in time",
            Self::SameRule => "the same rule",
            Self::Incident => "a known incident",
        }
    }
}

/// One shared entity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Share {
    /// Kind and value, for instance `host:web-1`.
    pub entity: String,
    /// Its part in the alert.
    pub part: Part,
    /// What sharing it weighs.
    pub weight: f64,
    /// Different actors that it joins in the window.
    pub actors: u32,
}

/// What joins an alert to a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Link {
    /// Shared entities, the heaviest first.
    pub shared: Vec<Share>,
    /// Why they are one story.
    pub alike: Alike,
    /// The weights' sum times the likeness; at least [`NEEDED`].
    pub score: f64,
}

impl Link {
    /// The link, when what is shared is enough.
    #[must_use]
    pub fn of(mut shared: Vec<Share>, alike: Alike) -> Option<Self> {
        shared.sort_by(|a, b| {
            let heavy = b.weight.total_cmp(&a.weight);
            heavy.then_with(|| a.entity.cmp(&b.entity))
        });
        let score = shared.iter().map(|s| s.weight).sum::<f64>() * alike.factor();
        (score >= NEEDED).then_some(Self {
            shared,
            alike,
            score,
        })
    }
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shared: Vec<String> = self
            .shared
            .iter()
            .map(|s| format!("{} ({:.2})", s.entity, s.weight))
            .collect();
        write!(
            f,
            "it shares {}; {}: {:.2} where {NEEDED:.2} is needed",
            shared.join(", "),
            self.alike.words(),
            self.score
        )
    }
}

/// What sharing whoever acted weighs, where nobody else shares it.
pub(super) const ACTOR: f64 = 0.8;

/// What sharing an entity in a part weighs, where nobody else shares it.
#[must_use]
pub(super) const fn stake(part: Part) -> f64 {
    match part {
        Part::User => 0.8,
        Part::Host => 0.6,
        Part::Target => 0.5,
        Part::Source | Part::Resource => 0.35,
        Part::Destination => 0.3,
    }
}

/// What is left of a stake when others share the entity too: two thirds for two, half for four, a third for sixteen.
#[must_use]
pub(super) fn weight(stake: f64, part: Part, spread: &Spread) -> f64 {
    let joined = match part {
        // One who acts, and one other who acted on the account, are no crowd.
        Part::User | Part::Target => {
            (f64::from(spread.actors) / 2.0).max(f64::from(spread.places) / MACHINES_OF_ONE)
        }
        _ => f64::from(spread.actors),
    };
    stake / (1.0 + joined.max(1.0).log2() / 2.0)
}
