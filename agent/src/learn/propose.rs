//! What would change and whether it may: the proposal a person reviews, and the file it becomes.

use serde::Serialize;
use state::model::Time;
use state::store::Store;

use crate::playbook::{
    Fitted, Learned, LearnedRule, LearnedSignal, Library, MOST_OF_A_RULE, rfc3339,
};
use crate::text::oneline;

use super::fit::fit;
use super::validate::{Effect, FOLDS, validate};
use super::words::{Weighed, What, words};

/// Cases of each kind, with an attack and without one, below which nothing is learned.
pub const LEAST_CASES: usize = 10;
/// A change below this is none, log-odds.
const NOTICED: f64 = 0.02;

/// A weight that would change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What it belongs to.
    #[serde(flatten)]
    pub what: What,
    /// Shipped log-odds, signed.
    pub shipped: f64,
    /// Learned log-odds, signed.
    pub learned: f64,
    /// Verdicts that it rests on.
    pub verdicts: usize,
}

/// What people's verdicts teach.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// Verdicts that were used; alerts of one case that look the same are one.
    pub verdicts: usize,
    /// Those that say malicious.
    pub malicious: usize,
    /// Cases with an attack in them, and cases without.
    pub cases: (usize, usize),
    /// Verdicts left out, by why.
    pub left_out: std::collections::BTreeMap<&'static str, usize>,
    /// Weights that would change, the most changed first.
    pub changes: Vec<Change>,
    /// Cross-validated effect; none when there was too little to fit.
    pub effect: Option<Effect>,
    /// Why it may not be written; none when it may.
    pub refused: Option<String>,
    /// What the file would say of its origin.
    #[serde(skip)]
    pub fitted: Fitted,
}

/// Fits people's verdicts and says what would change. `library` is without learned weights.
///
/// # Errors
/// When the store or the fit fails.
pub async fn propose(store: &Store, library: &Library) -> anyhow::Result<Proposal> {
    let weighed = words(store, library).await?;
    let mut proposal = begin(&weighed);
    let (attacks, harmless) = proposal.cases;
    if attacks < LEAST_CASES || harmless < LEAST_CASES {
        proposal.refused = Some(format!(
            "people called {attacks} cases malicious and {harmless} harmless; {LEAST_CASES} of each are needed: give more verdicts with `nightdesk case feedback`"
        ));
        return Ok(proposal);
    }
    let effect = validate(&weighed)?;
    let values = fit(&weighed.rows.iter().collect::<Vec<_>>(), &weighed.weights)?;
    let pairs = weighed.weights.iter().zip(values);
    let mut changes: Vec<Change> = pairs
        .filter(|(w, learned)| (learned - w.shipped).abs() >= NOTICED)
        .map(|(w, learned)| Change {
            what: w.what.clone(),
            shipped: w.shipped,
            learned,
            verdicts: w.rows,
        })
        .collect();
    let by = |c: &Change| (c.learned - c.shipped).abs();
    changes.sort_by(|a, b| by(b).total_cmp(&by(a)));
    proposal.refused = match changes.is_empty() {
        true => Some("nothing would change".to_owned()),
        false => effect.objection(),
    };
    proposal.changes = changes;
    proposal.effect = Some(effect);
    Ok(proposal)
}

fn begin(weighed: &Weighed) -> Proposal {
    let (attacks, harmless) = weighed.cases();
    let malicious = weighed.rows.iter().filter(|r| r.malicious).count();
    let until = weighed.until.map(rfc3339).unwrap_or_default();
    Proposal {
        verdicts: weighed.rows.len(),
        malicious,
        cases: (attacks.len(), harmless.len()),
        left_out: weighed.left_out.clone(),
        changes: Vec::new(),
        effect: None,
        refused: None,
        fitted: Fitted {
            verdicts: weighed.rows.len(),
            malicious,
            until,
            playbooks: weighed.playbooks.clone(),
        },
    }
}

/// The text of the file, with a head for whoever reviews it.
///
/// # Errors
/// When a value has no YAML spelling.
pub fn file(proposal: &Proposal, (by, at): (&str, Time)) -> anyhow::Result<String> {
    let mut learned = Learned {
        fitted: proposal.fitted.clone(),
        signals: Vec::new(),
        rules: Vec::new(),
    };
    for change in &proposal.changes {
        match change.what.clone() {
            What::Signal { home, signal } => learned.signals.push(LearnedSignal {
                home,
                signal,
                shipped: change.shipped.abs(),
                weight: change.learned.abs(),
                verdicts: change.verdicts,
            }),
            What::Rule { source, rule } => learned.rules.push(LearnedRule {
                source,
                rule,
                log_odds: change.learned.clamp(-MOST_OF_A_RULE, MOST_OF_A_RULE),
                verdicts: change.verdicts,
            }),
        }
    }
    let mut head = format!(
        "# Written by `nightdesk learn` {} for {} at {}.\n# Fitted on {} verdicts of people, {} of them malicious, until {}.\n",
        env!("CARGO_PKG_VERSION"),
        oneline(by, 100),
        rfc3339(at),
        proposal.verdicts,
        proposal.malicious,
        proposal.fitted.until,
    );
    if let Some(effect) = &proposal.effect {
        head.push_str(&format!(
            "# Cross-validated ({FOLDS} parts by case): log loss {:.4} as shipped, {:.4} learned; Brier score {:.4}, {:.4}.\n",
            effect.before.log_loss, effect.after.log_loss, effect.before.brier, effect.after.brier
        ));
    }
    head.push_str(
        "# Review it, then run `nightdesk check --accept` and start the daemon again. Without the file the shipped weights count.\n",
    );
    Ok(head + &serde_saphyr::to_string(&learned)?)
}
