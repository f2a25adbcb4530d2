//! One alert on the desk: its playbook and what was found about it so far; gathering it is `pipeline::investigate`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use state::model::{Alert, Answer, CaseId, Entity, Evidence, EvidenceRef, Gap, Tier, Time};

use crate::gate::{SPEAKING, Subject};
use crate::playbook::{Entry, Scene, Slots, Step};
use crate::precedent::History;
use crate::scan::Scan;

/// What is to be done about one alert of a case.
pub struct Plan<'c> {
    /// The case.
    pub case: CaseId,
    /// The alert.
    pub alert: Alert,
    /// Its playbook.
    pub entry: &'c Entry,
    /// Values that arguments may name.
    pub slots: Slots,
    /// The case's "now": the alert's time and the look-ahead.
    pub as_of: Time,
    /// All entities of the case.
    pub entities: Vec<Entity>,
    /// The case as the gate sees it.
    pub subject: Subject,
}

/// A step that was not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unasked {
    /// Why.
    pub why: String,
    /// Whether that leaves a gap; a step whose condition does not hold leaves none.
    pub is_gap: bool,
}

/// What was found about one alert.
#[derive(Debug, Default)]
pub struct Dossier {
    /// Everything found, in order; the first is the alert itself.
    pub evidence: Vec<Evidence>,
    /// Index into `evidence` by step id.
    pub by_step: BTreeMap<String, usize>,
    /// Steps that were not asked.
    pub unasked: BTreeMap<String, Unasked>,
    /// What the scanner said of each piece of evidence, by its name.
    pub scans: BTreeMap<String, Scan>,
    /// Steps that ask an inventory, as the catalogue says.
    pub inventory: BTreeSet<String>,
    /// What people said of earlier alerts of the rule, and the evidence it stands in.
    pub history: Option<(EvidenceRef, History)>,
}

impl Dossier {
    /// Adds a piece of evidence and what the scanner says of it.
    pub fn add(&mut self, evidence: Evidence, scan: Scan) {
        self.scans.insert(evidence.reference.clone(), scan);
        self.evidence.push(evidence);
    }

    /// Puts another alert's own evidence in the place of the first.
    pub fn stand_in(&mut self, own: Evidence, scan: Scan) {
        let reference = own.reference.clone();
        match self.evidence.first_mut() {
            Some(first) => drop(self.scans.remove(&std::mem::replace(first, own).reference)),
            None => self.evidence.push(own),
        }
        self.scans.insert(reference, scan);
    }

    /// Adds what a step found.
    pub fn add_step(&mut self, step: &str, evidence: Evidence, scan: Scan) {
        self.by_step.insert(step.to_owned(), self.evidence.len());
        self.add(evidence, scan);
    }

    /// Why the text of the evidence forbids a close, one sentence a family and piece of evidence.
    pub fn speaking(&self) -> impl Iterator<Item = String> {
        self.scans.iter().flat_map(|(reference, scan)| {
            let mut families: Vec<&str> = scan.hits.iter().map(|h| h.family.as_str()).collect();
            families.dedup();
            let found = families.into_iter().map(move |family| {
                format!("{SPEAKING} {family} in {reference}: text that speaks to whoever reads it")
            });
            let unseen =
                (!scan.complete).then(|| format!("{reference} is too large to be scanned whole"));
            found.chain(unseen)
        })
    }

    /// Steps that have ended, one way or the other.
    #[must_use]
    pub fn done(&self) -> BTreeSet<String> {
        self.by_step
            .keys()
            .chain(self.unasked.keys())
            .cloned()
            .collect()
    }

    /// What a step found.
    #[must_use]
    pub fn of_step(&self, step: &str) -> Option<&Evidence> {
        self.by_step.get(step).and_then(|i| self.evidence.get(*i))
    }

    /// Evidence by its name, for instance `E3`.
    #[must_use]
    pub fn of_ref(&self, reference: &str) -> Option<&Evidence> {
        self.evidence.iter().find(|e| e.reference == reference)
    }

    /// Name of the alert's own evidence.
    #[must_use]
    pub fn alert_ref(&self) -> &str {
        self.evidence.first().map_or("E1", |e| e.reference.as_str())
    }

    /// Whether a step has its whole answer.
    #[must_use]
    pub fn is_complete(&self, step: &str) -> bool {
        self.of_step(step).is_some_and(|e| e.answer.is_complete())
    }

    /// What conditions may read.
    #[must_use]
    pub fn scene<'s>(&'s self, plan: &'s Plan<'_>) -> Scene<'s> {
        let counts = History::counts(self.history.as_ref().map(|(_, history)| history));
        Scene {
            alert: &plan.alert,
            evidence: self
                .by_step
                .iter()
                .filter_map(|(step, i)| self.evidence.get(*i).map(|e| (step.as_str(), e)))
                .collect(),
            steps: plan
                .entry
                .playbook
                .steps
                .iter()
                .map(|s| s.id.as_str())
                .collect(),
            inventory: self.inventory.iter().map(String::as_str).collect(),
            reads: plan.entry.reads.clone(),
            history: (json!(counts.said), json!(counts)),
        }
    }

    /// What was not, or could not be, checked up to a tier; steps of later tiers are named by `not_reached`.
    #[must_use]
    pub fn gaps(&self, plan: &Plan<'_>, tier: Tier) -> Vec<Gap> {
        let playbook = &plan.entry.playbook;
        let required = |step: &str| {
            let close = playbook.scoring.close.as_ref();
            close.is_some_and(|c| c.requires.iter().any(|r| r == step))
        };
        // An outage must not read as quiet: what could have spoken against it was asked and did not fully answer.
        let silenced = |step: &Step| {
            let cut_short = self
                .of_step(&step.id)
                .is_some_and(|e| matches!(e.answer, Answer::Failed | Answer::Partial));
            cut_short && (step.intel || plan.entry.reads.against.contains(&step.id))
        };
        let mut gaps = Vec::new();
        for step in plan.entry.playbook.steps.iter().filter(|s| s.tier <= tier) {
            let why = match (self.of_step(&step.id), self.unasked.get(&step.id)) {
                (Some(e), _) if e.answer.is_complete() => continue,
                (Some(e), _) => match e.answer {
                    Answer::NotHere => format!("not available in this environment: {}", e.summary),
                    Answer::Partial => format!("the answer is incomplete: {}", e.summary),
                    _ => format!("could not be asked: {}", e.summary),
                },
                (None, Some(unasked)) if unasked.is_gap => unasked.why.clone(),
                _ => continue,
            };
            gaps.push(Gap {
                what: step.asks.clone(),
                why,
                required: required(&step.id) || silenced(step),
            });
        }
        gaps
    }

    /// What the later tiers would have asked, as one gap of a verdict given at `tier`.
    #[must_use]
    pub fn not_reached(&self, plan: &Plan<'_>, tier: Tier) -> Option<Gap> {
        let steps = &plan.entry.playbook.steps;
        let later = steps.iter().filter(|s| s.tier > tier).count();
        let questions = if later == 1 { "question" } else { "questions" };
        (later > 0).then(|| Gap {
            what: format!("{later} {questions} of later tiers"),
            why: format!("not asked: decided at tier {tier}"),
            required: false,
        })
    }
}
