//! The people's words that matter for one alert, and what they amount to.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use state::model::{Alert, CaseId, Likeness, Precedent, VerdictKind};
use state::store::{Result, Store};

use crate::config::PrecedentsConfig;

use super::likeness;

/// Span over which alerts are counted.
const COUNTED: TimeDelta = TimeDelta::days(30);

/// Cases of the rule at large that must have ended harmless before that suggests anything for another principal.
const OF_RULE: usize = 5;

/// Words that are kept with the evidence.
const KEPT: usize = 50;

/// What people said of earlier alerts of a rule, as far as it matters for one alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The alert's own likeness.
    pub likeness: Likeness,
    /// Alerts of the rule in the 30 days before.
    pub fired: i64,
    /// Those of them in cases of the same principal.
    pub fired_for_principal: i64,
    /// Cases of the rule that people called harmless, any principal.
    pub harmless_of_rule: usize,
    /// Cases of the rule that people called malicious or suspicious, any principal.
    pub harmful_of_rule: usize,
    /// Words on alerts of the same principal, at most fifty, those that warn first; without their notes, which may hold
    /// what an outsider wrote.
    pub words: Vec<Precedent>,
    /// Cases with equal content that carry a close.
    pub equal_needed: usize,
    /// Cases with equal shape that carry a close.
    pub alike_needed: usize,
}

/// How often a rule fired in the 30 days before an alert, and how that ended by people's word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Alerts.
    pub fired: i64,
    /// Alerts in cases of the same principal.
    pub fired_for_principal: i64,
    /// What people said.
    #[serde(flatten)]
    pub said: Said,
}

/// Cases of a rule by what people called them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Harmless, any principal.
    pub harmless_of_rule: usize,
    /// Malicious or suspicious, any principal.
    pub harmful_of_rule: usize,
    /// Harmless, the same principal; of the fifty words that are kept.
    pub harmless_for_principal: usize,
    /// Malicious or suspicious, the same principal; those are kept first.
    pub harmful_for_principal: usize,
}

/// What the words amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Enough people's words on alerts like it: they can carry a close.
    Carries(Support),
    /// Words on similar alerts: a person may be asked to confirm.
    Suggests(Support),
    /// People called such an alert malicious or suspicious.
    Warns(Support),
    /// Nothing.
    Nothing,
}

/// The words it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// Cases.
    pub cases: Vec<CaseId>,
    /// What people called them, last.
    pub kind: VerdictKind,
    /// What they have in common with the alert.
    pub how: &'static str,
}

impl History {
    /// How often this rule fired, and what people said of its alerts; none when it did not and they said nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of(
        store: &Store,
        rules: &PrecedentsConfig,
        alert: &Alert,
    ) -> Result<Option<Self>> {
        let rule = (alert.source.as_str(), alert.rule.id.as_str());
        // Also words on alerts of a later time: one that comes late is no less like them.
        let (since, until) = (alert.time - rules.oldest(), alert.time + rules.oldest());
        let mut words = store.precedents(rule, since, until).await?;
        words.retain(|w| w.alert != alert.id);
        let likeness = likeness(alert);
        let month = (alert.time - COUNTED, alert.time);
        let (fired, fired_for_principal) = store.fired(rule, &likeness.principal, month).await?;
        if words.is_empty() && fired == 0 {
            return Ok(None);
        }
        let harmless_of_rule = cases(words.iter().filter(|w| w.kind.is_benign())).len();
        let harmful_of_rule = cases(words.iter().filter(|w| is_harmful(w.kind))).len();
        words.retain(|w| {
            !likeness.principal.is_empty() && w.likeness.principal == likeness.principal
        });
        // Those that warn come first: no number of harmless ones pushes them out.
        words.truncate(KEPT);
        words.iter_mut().for_each(|w| w.note.clear());
        Ok(Some(Self {
            likeness,
            fired,
            fired_for_principal,
            harmless_of_rule,
            harmful_of_rule,
            words,
            equal_needed: rules.equal,
            alike_needed: rules.alike,
        }))
    }

    /// The counts, as conditions read them. How often a rule fires is for whoever may make it fire to say: benign signals do
    /// not read that.
    #[must_use]
    pub fn counts(known: Option<&Self>) -> Counts {
        let Some(known) = known else {
            return Counts::default();
        };
        let of = |is: fn(VerdictKind) -> bool| cases(known.words.iter().filter(|w| is(w.kind)));
        Counts {
            fired: known.fired,
            fired_for_principal: known.fired_for_principal,
            said: Said {
                harmless_of_rule: known.harmless_of_rule,
                harmful_of_rule: known.harmful_of_rule,
                harmless_for_principal: of(VerdictKind::is_benign).len(),
                harmful_for_principal: of(is_harmful).len(),
            },
        }
    }

    /// What it amounts to for an alert for which these signals speak for malicious.
    ///
    /// A word counts only where the signals that speak now spoke then too: the person knew of them.
    #[must_use]
    pub fn weigh(&self, spoke: &BTreeSet<&str>) -> Word {
        let own = &self.likeness;
        let harmful = self.words.iter().filter(|w| is_harmful(w.kind));
        if let Some(support) = support(harmful, "the same principal") {
            return Word::Warns(support);
        }
        let known = |w: &&Precedent| spoke.iter().all(|s| w.signals.iter().any(|k| k == s));
        let harmless = self.words.iter().filter(|w| w.kind.is_benign());
        let harmless: Vec<&Precedent> = harmless.filter(known).collect();
        let equal = harmless
            .iter()
            .filter(|w| w.likeness.content == own.content);
        let alike = harmless.iter().filter(|w| w.likeness.shape == own.shape);
        let equal = support(equal.copied(), "the same principal and content");
        let alike = support(alike.copied(), "the same principal and fields");
        for (found, needed) in [(equal, self.equal_needed), (alike, self.alike_needed)] {
            if let Some(support) = found.filter(|s| needed > 0 && s.cases.len() >= needed) {
                return Word::Carries(support);
            }
        }
        if let Some(support) = support(harmless.into_iter(), "the same principal") {
            return Word::Suggests(support);
        }
        let of_rule = self.harmful_of_rule == 0 && self.harmless_of_rule >= OF_RULE;
        match of_rule && spoke.is_empty() {
            true => Word::Suggests(Support {
                cases: Vec::new(),
                kind: VerdictKind::BenignPositive,
                how: "the same rule",
            }),
            false => Word::Nothing,
        }
    }
}

fn is_harmful(kind: VerdictKind) -> bool {
    matches!(kind, VerdictKind::TruePositive | VerdictKind::Suspicious)
}

/// The cases of these words, each once: what a person said of a case at one go is one word.
fn cases<'a>(words: impl Iterator<Item = &'a Precedent>) -> BTreeSet<CaseId> {
    words.map(|w| w.case).collect()
}

fn support<'a>(
    words: impl Iterator<Item = &'a Precedent> + Clone,
    how: &'static str,
) -> Option<Support> {
    let kind = words.clone().next()?.kind;
    Some(Support {
        cases: cases(words).into_iter().collect(),
        kind,
        how,
    })
}
