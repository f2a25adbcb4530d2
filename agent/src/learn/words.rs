//! People's verdicts beside the signals that spoke when the daemon judged, as rows of a regression; it fits nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use state::model::{Alert, AlertId, Analyst, CaseId, Precedent, Time, Verdict, VerdictKind};
use state::store::{Store, StoreError, StoredVerdict};

use crate::playbook::{BAND, Library, MOST_OF_A_RULE, Playbook};

/// Verdicts that a weight must rest on to be refitted.
const LEAST: usize = 5;
/// How far a signal's log-odds are believed to lie from the shipped ones: at this standard deviation some twenty verdicts
/// weigh as much as what was shipped.
const SIGNAL_SD: f64 = 0.5;
/// The same for what a rule adds to the prior, which would otherwise learn what its signals should.
const RULE_SD: f64 = 0.35;
/// Reasons of a verdict that are no signals: people's words themselves, and what a model said.
const NO_SIGNALS: [&str; 2] = ["history", "model"];

/// What a weight belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// A signal of a playbook or of a shared group.
    Signal {
        /// Where it is written.
        home: String,
        /// Its id there.
        signal: String,
    },
    /// A rule at its source.
    Rule {
        /// The source.
        source: String,
        /// Its id there.
        rule: String,
    },
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signal { home, signal } => write!(f, "signal {signal} of {home}"),
            Self::Rule { source, rule } => write!(f, "rule {rule} of {source}"),
        }
    }
}

/// A weight that may be refitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// What it belongs to.
    pub what: What,
    /// Shipped log-odds, signed; 0 for a rule.
    pub shipped: f64,
    /// Lowest and highest log-odds allowed, signed.
    pub band: (f64, f64),
    /// Standard deviation of the belief around the shipped value.
    pub sd: f64,
    /// Rows that it rests on.
    pub rows: usize,
}

/// One person's verdict. Alerts of one case that look the same to the playbook are one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Case of the alert.
    pub case: CaseId,
    /// What the person says.
    pub malicious: bool,
    /// Log-odds that are not refitted.
    pub offset: f64,
    /// Indices of the weights that count, each once.
    pub weights: Vec<usize>,
    /// Highest probability at which its playbook may close; none: never.
    pub closes_at: Option<f64>,
}

/// What people said, ready to be fitted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weighed {
    /// One a verdict.
    pub rows: Vec<Row>,
    /// The weights that they speak about often enough.
    pub weights: Vec<Weight>,
    /// Time of the last verdict.
    pub until: Option<Time>,
    /// SHA-256 of each playbook that judged one, by id.
    pub playbooks: BTreeMap<String, String>,
    /// Verdicts that say nothing here, by why.
    pub left_out: BTreeMap<&'static str, usize>,
}

impl Weighed {
    /// Cases with a malicious alert, and those without.
    #[must_use]
    pub fn cases(&self) -> (BTreeSet<CaseId>, BTreeSet<CaseId>) {
        let of = |malicious: bool| -> BTreeSet<CaseId> {
            let rows = self.rows.iter().filter(|r| r.malicious == malicious);
            rows.map(|r| r.case).collect()
        };
        let malicious = of(true);
        let harmless = of(false).difference(&malicious).copied().collect();
        (malicious, harmless)
    }
}

/// What the daemon had before itself when it judged one alert: which signals spoke and what else counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    case: CaseId,
    malicious: bool,
    playbook: String,
    features: BTreeSet<What>,
    /// Signals that the playbook no longer has, in thousandths of log-odds.
    gone: i64,
}

/// Reads people's verdicts in force. `library` is without learned weights: those shipped are what is refitted.
///
/// # Errors
/// When the store fails.
pub async fn words(store: &Store, library: &Library) -> Result<Weighed, StoreError> {
    let mut by_case: BTreeMap<CaseId, Vec<Precedent>> = BTreeMap::new();
    for word in store.feedback_since(Time::MIN_UTC, None).await? {
        by_case.entry(word.case).or_default().push(word);
    }
    let (mut seen, mut weighed) = (BTreeSet::new(), Weighed::default());
    for (case, words) in by_case {
        let verdicts = store.verdicts_of(case).await?;
        let alerts = store.alerts_of(case).await?;
        for word in words {
            let alert = alerts.iter().find(|a| a.id == word.alert);
            let judged = judged(&verdicts, word.alert, word.at);
            match read(&word, alert.zip(judged), library) {
                Ok(row) => {
                    weighed.until = weighed.until.max(Some(word.at));
                    if !seen.insert(row) {
                        *weighed.left_out.entry(SAME).or_default() += 1;
                    }
                }
                Err(why) => *weighed.left_out.entry(why).or_default() += 1,
            }
        }
    }
    shape(&seen, library, &mut weighed);
    Ok(weighed)
}

const SAME: &str = "looks the same as another alert of its case";

/// The daemon's own last verdict on an alert before a person spoke.
fn judged(verdicts: &[StoredVerdict], alert: AlertId, said: Time) -> Option<&Verdict> {
    let own = verdicts.iter().rev().map(|v| &v.verdict);
    let mut own = own.filter(|v| v.alert == alert && v.provenance.analyst != Analyst::Human);
    own.find(|v| v.at <= said)
}

fn read(
    word: &Precedent,
    known: Option<(&Alert, &Verdict)>,
    library: &Library,
) -> Result<Seen, &'static str> {
    let malicious = match word.kind {
        VerdictKind::TruePositive => true,
        kind if kind.is_benign() => false,
        _ => return Err("says neither malicious nor harmless"),
    };
    let (alert, verdict) = known.ok_or("is on an alert that the daemon had not judged")?;
    let entry = library
        .get(&verdict.provenance.playbook)
        .ok_or("was judged by a playbook that there is no more")?;
    let mut features = BTreeSet::from([What::Rule {
        source: alert.source.clone(),
        rule: alert.rule.id.clone(),
    }]);
    let mut gone = 0.0;
    let reasons = verdict.basis.reasons.iter();
    for reason in reasons.filter(|r| !NO_SIGNALS.contains(&r.id.as_str())) {
        let mut signals = entry.playbook.signals.iter();
        match signals.find(|s| s.id == reason.id && s.log_odds() * reason.weight > 0.0) {
            Some(signal) => drop(features.insert(What::Signal {
                home: signal.home.clone(),
                signal: signal.id.clone(),
            })),
            None => gone += reason.weight,
        }
    }
    #[allow(clippy::cast_possible_truncation, reason = "a few log-odds")]
    let gone = (gone * 1000.0).round() as i64;
    Ok(Seen {
        case: word.case,
        malicious,
        playbook: entry.playbook.id.clone(),
        features,
        gone,
    })
}

/// Rows and weights of what was seen. A signal that speaks too seldom counts with its shipped weight.
fn shape(seen: &BTreeSet<Seen>, library: &Library, weighed: &mut Weighed) {
    let mut counts: BTreeMap<&What, usize> = BTreeMap::new();
    for what in seen.iter().flat_map(|s| &s.features) {
        *counts.entry(what).or_default() += 1;
    }
    let fitted = counts.iter().filter(|(_, n)| **n >= LEAST);
    let index: BTreeMap<&What, usize> = fitted.enumerate().map(|(i, (w, _))| (*w, i)).collect();
    for what in index.keys() {
        let weight = weight(what, counts[*what], library);
        weighed.weights.push(weight);
    }
    for one in seen {
        let Some(entry) = library.get(&one.playbook) else {
            continue;
        };
        let rare = one.features.iter().filter(|w| !index.contains_key(w));
        let rare: f64 = rare.map(|w| shipped(w, &entry.playbook)).sum();
        #[allow(clippy::cast_precision_loss, reason = "thousandths of a few log-odds")]
        let gone = one.gone as f64 / 1000.0;
        let weights = one.features.iter().filter_map(|w| index.get(w).copied());
        weighed.rows.push(Row {
            case: one.case,
            malicious: one.malicious,
            offset: entry.playbook.scoring.prior + rare + gone,
            weights: weights.collect(),
            closes_at: entry.playbook.scoring.close.as_ref().map(|c| c.at_most),
        });
        let id = one.playbook.clone();
        weighed.playbooks.insert(id, entry.hash.clone());
    }
}

fn shipped(what: &What, playbook: &Playbook) -> f64 {
    let What::Signal { home, signal } = what else {
        return 0.0;
    };
    let mut signals = playbook.signals.iter();
    let found = signals.find(|s| s.home == *home && s.id == *signal);
    found.map_or(0.0, crate::playbook::Signal::log_odds)
}

fn weight(what: &What, rows: usize, library: &Library) -> Weight {
    let of_a_playbook = library.entries().iter().map(|e| shipped(what, &e.playbook));
    let shipped = of_a_playbook.into_iter().find(|w| *w != 0.0).unwrap_or(0.0);
    let (band, sd) = match what {
        What::Rule { .. } => ((-MOST_OF_A_RULE, MOST_OF_A_RULE), RULE_SD),
        What::Signal { .. } => {
            let ends = (BAND.0 * shipped, BAND.1 * shipped);
            ((ends.0.min(ends.1), ends.0.max(ends.1)), SIGNAL_SD)
        }
    };
    Weight {
        what: what.clone(),
        shipped,
        band,
        sd,
        rows,
    }
}
