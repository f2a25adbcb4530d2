//! The deterministic analyst: signals over evidence, summed as log-odds; no model and no memory.

use minijinja::Environment;
use serde_json::Value;
use state::model::{
    Analyst, Answer, Assessment, Claim, Evidence, Field, Gap, Impact, Reason, Tier, VerdictKind,
};

use crate::playbook::{CloseRule, ConditionError, Conditions, Lean, Roots, Signal};
use crate::precedent::{Support, Word};

use super::{Dossier, Plan};

/// What the playbook analyst says, and what code needs to decide about closing.
#[derive(Debug, Clone)]
pub struct PlaybookView {
    /// The assessment.
    pub assessment: Assessment,
    /// Signals that veto a close, as sentences.
    pub vetoes: Vec<String>,
    /// What the signals show of the impact.
    pub impact: Option<Impact>,
    /// Harmless as it looks, though it may not be closed without a person: what to propose to one, and why.
    pub suggests: Option<(VerdictKind, String)>,
}

/// Id of the reason that people's words on earlier alerts make.
const HISTORY: &str = "history";

/// The playbook of what no other is for.
const DEFAULT: &str = "default";

/// Longest sentence of a signal, characters.
const LONGEST: usize = 400;

/// Judges one alert on what is known at a tier.
///
/// # Errors
/// When the evidence can't be read at all; the caller sends the case to a person.
pub fn assess(
    plan: &Plan<'_>,
    dossier: &Dossier,
    tier: Tier,
) -> Result<PlaybookView, ConditionError> {
    let scene = dossier.scene(plan);
    let any = scene.any();
    let conditions = Conditions::new(&scene.trusted(), &any)?;
    let playbook = &plan.entry.playbook;
    let mut heard = Heard::default();
    for signal in &playbook.signals {
        let roots = match signal.lean {
            Lean::Benign => Roots::Trusted,
            Lean::Malicious => Roots::All,
        };
        match conditions.holds(&signal.when, roots) {
            Ok(true) => heard.add(signal, dossier, &any),
            Ok(false) => {}
            Err(e) => heard.unheard(signal, &e, dossier),
        }
    }
    let word = heard.remember(dossier);
    let prior = plan.entry.prior(&plan.alert.source, &plan.alert.rule.id);
    let probability = sigmoid(prior + heard.sum);
    let trusted_probability = sigmoid(prior + heard.trusted_sum);
    let mut gaps = dossier.gaps(plan, tier);
    gaps.append(&mut heard.gaps);
    let close = playbook.scoring.close.as_ref().filter(|c| {
        trusted_probability <= c.at_most
            && requirements_met(c, dossier)
            && holds_besides(c, &conditions)
    });
    // Only when everything is asked that would speak against it; what no playbook is for is never closed.
    let carried = match &word {
        Word::Carries(support)
            if tier == Tier::Two && playbook.id != DEFAULT && probability <= QUIET =>
        {
            Some(support.kind)
        }
        _ => None,
    };
    let verdict = verdict(plan, probability, close, carried);
    let suggests = match says_what_was_done(plan) {
        true => suggests(verdict, probability, (&word, &heard), &gaps),
        false => None,
    };
    heard
        .reasons
        .sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    let techniques = techniques(plan, &heard, verdict);
    Ok(PlaybookView {
        assessment: Assessment {
            tier,
            analyst: Analyst::Playbook,
            verdict,
            probability,
            confidence: confidence(verdict, probability),
            reasons: heard.reasons,
            gaps,
            techniques,
            close_allowed: close.is_some() || carried.is_some(),
        },
        vetoes: heard.vetoes,
        impact: heard.impact,
        suggests,
    })
}

#[derive(Default)]
struct Heard {
    sum: f64,
    trusted_sum: f64,
    reasons: Vec<Reason>,
    techniques: Vec<String>,
    vetoes: Vec<String>,
    gaps: Vec<Gap>,
    impact: Option<Impact>,
}

impl Heard {
    fn add(&mut self, signal: &Signal, dossier: &Dossier, any: &Value) {
        let weight = signal.log_odds();
        self.sum += weight;
        if !signal.when.reads("any") {
            self.trusted_sum += weight;
        }
        let cited: Vec<&Evidence> = signal
            .evidence
            .iter()
            .filter_map(|s| dossier.of_step(s))
            .collect();
        let mut text = sentence(&signal.says, any);
        if cited.iter().any(|e| e.answer == Answer::Partial) {
            text.push_str(" (as far as was answered)");
        }
        // No claim stands without evidence: what rests on no answer rests on the alert.
        let evidence: Vec<String> = match cited.is_empty() {
            true => vec![dossier.alert_ref().to_owned()],
            false => cited.iter().map(|e| e.reference.clone()).collect(),
        };
        if signal.veto {
            self.vetoes.push(text.clone());
        }
        if signal.impact == Some(Impact::Confirmed) || self.impact.is_none() {
            self.impact = signal.impact.or(self.impact);
        }
        self.techniques.extend(signal.techniques.iter().cloned());
        self.reasons.push(Reason {
            id: signal.id.clone(),
            weight,
            claim: Claim {
                text,
                evidence,
                quote: None,
            },
        });
    }

    /// Adds what people said of earlier alerts of the rule.
    fn remember(&mut self, dossier: &Dossier) -> Word {
        let Some((reference, history)) = &dossier.history else {
            return Word::Nothing;
        };
        let spoke = self.reasons.iter().filter(|r| r.weight > 0.0);
        let word = history.weigh(&spoke.map(|r| r.id.as_str()).collect());
        if let Some((weight, text)) = remembered(&word) {
            self.sum += weight;
            self.trusted_sum += weight;
            self.reasons.push(Reason {
                id: HISTORY.to_owned(),
                weight,
                claim: Claim {
                    text,
                    evidence: vec![reference.clone()],
                    quote: None,
                },
            });
        }
        word
    }

    /// A malicious-leaning signal that has no answer although its evidence is complete hides something: no close.
    fn unheard(&mut self, signal: &Signal, error: &ConditionError, dossier: &Dossier) {
        let complete = signal.evidence.iter().all(|s| dossier.is_complete(s));
        if signal.lean == Lean::Malicious && complete {
            self.gaps.push(Gap {
                what: format!("signal {}", signal.id),
                why: error.to_string().chars().take(300).collect(),
                required: true,
            });
        }
    }
}

/// Log-odds of people's words, and the sentence that tells them.
fn remembered(word: &Word) -> Option<(f64, String)> {
    let told = |support: &Support, what: &str| {
        let cases: Vec<String> = support.cases.iter().map(ToString::to_string).collect();
        let named = match cases.len() {
            0 => String::new(),
            n if n > 5 => format!(" ({} and {} more)", cases[n - 5..].join(", "), n - 5),
            _ => format!(" ({})", cases.join(", ")),
        };
        format!(
            "People called earlier alerts of {} {what}{named}.",
            support.how
        )
    };
    #[allow(clippy::cast_precision_loss, reason = "at most a thousand cases")]
    let often = |support: &Support| (support.cases.len().max(1) as f64).ln();
    match word {
        Word::Carries(s) => Some((-(2.0 + often(s)).min(5.0), told(s, "harmless"))),
        Word::Suggests(s) => Some((-1.0, told(s, "harmless"))),
        Word::Warns(s) => Some((1.0, told(s, "malicious or suspicious"))),
        Word::Nothing => None,
    }
}

/// Highest probability at which people's words carry a close, and at which signals alone let one be proposed.
const QUIET: f64 = 0.1;

/// Most weight of a signal against it that is only a hint.
const HINT: f64 = 0.5;

/// Most weight of all hints together beside which a close may be proposed.
const HINTS: f64 = 0.8;

/// What sums of weights may be off by.
const ROUNDING: f64 = 1e-9;

/// Whether the alert says what was done: by an action or by the rule that the product saw fire.
fn says_what_was_done(plan: &Plan<'_>) -> bool {
    let first = plan.alert.primary();
    let said = |field: Field| first.is_some_and(|a| !a.get(field).trim().is_empty());
    said(Field::Action) || said(Field::Signature)
}

/// Whether what speaks against it are hints.
fn only_hints(heard: &Heard) -> bool {
    let against = || heard.reasons.iter().map(|r| r.weight).filter(|w| *w > 0.0);
    against().all(|w| w <= HINT) && against().sum::<f64>() <= HINTS + ROUNDING
}

/// What to propose to a person where nothing carries a close.
fn suggests(
    verdict: VerdictKind,
    probability: f64,
    (word, heard): (&Word, &Heard),
    gaps: &[Gap],
) -> Option<(VerdictKind, String)> {
    if verdict != VerdictKind::Undetermined || gaps.iter().any(|g| g.required) {
        return None;
    }
    if let Word::Suggests(support) | Word::Carries(support) = word {
        let why = format!("people called earlier alerts of {} harmless", support.how);
        return Some((support.kind, why));
    }
    let speaks_for = heard.reasons.iter().any(|r| r.weight < 0.0);
    let why = match heard.reasons.iter().any(|r| r.weight > 0.0) {
        true => {
            "something speaks for it and only hints against it, which is not enough to close it"
        }
        false => "something speaks for it and nothing against it, which is not enough to close it",
    };
    (speaks_for && only_hints(heard) && probability <= QUIET)
        .then(|| (VerdictKind::BenignPositive, why.to_owned()))
}

fn requirements_met(close: &CloseRule, dossier: &Dossier) -> bool {
    close.requires.iter().all(|step| dossier.is_complete(step))
}

fn holds_besides(close: &CloseRule, conditions: &Conditions) -> bool {
    close
        .when
        .as_ref()
        .is_none_or(|c| conditions.holds(c, Roots::Trusted) == Ok(true))
}

/// The verdict, where `close` is the rule that allows one, if it does, and `carried` what people's words carry.
fn verdict(
    plan: &Plan<'_>,
    probability: f64,
    close: Option<&CloseRule>,
    carried: Option<VerdictKind>,
) -> VerdictKind {
    if probability >= plan.entry.playbook.scoring.escalate.at_least {
        return VerdictKind::TruePositive;
    }
    match (close, carried) {
        (Some(close), _) if probability <= close.at_most => close.verdict,
        (_, Some(kind)) => kind,
        _ if probability >= 0.5 => VerdictKind::Suspicious,
        _ => VerdictKind::Undetermined,
    }
}

/// How sure of the verdict, 0 to 100; a verdict that leaves the question open is never more than 60.
fn confidence(verdict: VerdictKind, probability: f64) -> i64 {
    let sure = match verdict {
        VerdictKind::TruePositive => probability,
        v if v.is_benign() => 1.0 - probability,
        _ => probability.max(1.0 - probability).min(0.6),
    };
    #[allow(clippy::cast_possible_truncation, reason = "0 to 100")]
    let percent = (sure * 100.0).round() as i64;
    percent.clamp(0, 99)
}

fn techniques(plan: &Plan<'_>, heard: &Heard, verdict: VerdictKind) -> Vec<String> {
    if verdict.is_benign() {
        return Vec::new();
    }
    let mut ids: Vec<String> = heard.techniques.clone();
    // What the family is about, and what the product's rule is about, is claimed once the alert is called real.
    if verdict == VerdictKind::TruePositive {
        ids.extend(plan.entry.playbook.techniques.iter().cloned());
        ids.extend(plan.alert.attacks.iter().cloned());
    }
    let mut seen = std::collections::BTreeSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    ids
}

fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// A signal's sentence with its slots filled from the `any` view; text from the alert stays data and is bounded.
pub(crate) fn sentence(template: &str, any: &Value) -> String {
    let environment = Environment::new();
    let filled = environment.render_str(template, minijinja::value::Serde(any));
    let text = filled.unwrap_or_else(|_| template.to_owned());
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_questions_are_never_sure_and_scores_are_odds() {
        assert!((sigmoid(0.0) - 0.5).abs() < 1e-9);
        assert_eq!(confidence(VerdictKind::Undetermined, 0.001), 60);
        assert_eq!(confidence(VerdictKind::BenignPositive, 0.05), 95);
        assert_eq!(confidence(VerdictKind::TruePositive, 0.9999), 99);
    }

    #[test]
    fn text_of_an_alert_is_not_a_template() {
        let any = serde_json::json!({"act": {"user": "{{ act.secret }}", "secret": "x"}});
        assert_eq!(sentence("by {{ act.user }}", &any), "by {{ act.secret }}");
    }
}
