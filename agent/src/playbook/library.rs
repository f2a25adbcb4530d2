//! All playbooks in force and which one an alert gets; the form is `form`, the checks are `check`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use state::model::NewAlert;

use crate::config::QueriesConfig;
use crate::data::{DataFile, Folder, sha256_hex};

use super::attack::Attack;
use super::check;
use super::condition::{ConditionError, Conditions, Roots};
use super::form::{Playbook, Shared, Signal};
use super::graph::Graph;
use super::learned::{self, InForce};
use super::queries::{Dialect, Dialects, dialects};
use super::reads::Reads;
use super::terms::Terms;
use super::view::Scene;

/// Something wrong with a data file of the playbooks folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("playbooks/{file}: {message}")]
pub struct PlaybookFault {
    /// File name.
    pub file: String,
    /// What is wrong, with line and column where the reader gives them.
    pub message: String,
}

impl PlaybookFault {
    pub(super) fn new(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            message: message.into(),
        }
    }
}

/// A playbook ready to be worked.
#[derive(Debug)]
pub struct Entry {
    /// The playbook, with the shared groups it uses put in.
    pub playbook: Playbook,
    /// Its steps as a graph.
    pub graph: Graph,
    /// Which steps its conditions read.
    pub reads: Reads,
    /// SHA-256 over the file, the shared groups it uses, their terms put in, and the learned weights in force, hex.
    pub hash: String,
    /// Whether the file lies in the operator's own folder.
    pub own: bool,
    /// What people's verdicts add to the prior, by source and rule.
    rules: Arc<RuleOdds>,
}

impl Entry {
    /// Log-odds of malicious of an alert of a rule before any evidence.
    #[must_use]
    pub fn prior(&self, source: &str, rule: &str) -> f64 {
        let key = (source.to_owned(), rule.to_owned());
        self.playbook.scoring.prior + self.rules.get(&key).copied().unwrap_or_default()
    }
}

/// Log-odds by source and rule.
type RuleOdds = BTreeMap<(String, String), f64>;

/// All playbooks in force.
#[derive(Debug)]
pub struct Library {
    entries: Vec<Entry>,
    dialect: Dialect,
    attack: Attack,
    terms: Terms,
    weights: Weights,
}

/// Whose weights count.
#[derive(Debug, Default)]
enum Weights {
    #[default]
    Shipped,
    /// The shipped ones, beside learned ones that nobody has accepted.
    Waiting(InForce),
    Learned(InForce),
}

/// Name of the playbook that catches what no other does.
const DEFAULT: &str = "default";

impl Library {
    /// Reads and checks everything in the folder.
    ///
    /// # Errors
    /// Every fault found in any file.
    pub fn load(folder: &Folder, queries: &QueriesConfig) -> Result<Self, Vec<PlaybookFault>> {
        let mut faults = Vec::new();
        let terms = Terms::read(folder, &mut faults)
            .map_err(|e| vec![PlaybookFault::new("terms", e.to_string())])?;
        let shared = read_all::<Shared>(folder, "shared", |f| terms.put_in(f), &mut faults);
        let dialects = dialects_of(folder, queries, &mut faults);
        let attack = attack_of(folder, &mut faults);
        let (Some(dialect), Some(attack)) = (dialects.in_force().cloned(), attack) else {
            return Err(faults);
        };
        let mut entries = Vec::new();
        for (file, mut playbook) in
            read_all::<Playbook>(folder, "", |f| terms.put_in(f), &mut faults)
        {
            let mut hashed = file.text.clone();
            at_home(&mut playbook.signals, &playbook.id);
            for name in playbook.uses.clone().iter().rev() {
                match shared.iter().find(|(f, _)| f.stem() == name) {
                    Some((f, group)) => {
                        hashed.push_str(&f.text);
                        playbook.steps.splice(0..0, group.steps.iter().cloned());
                        let mut signals = group.signals.clone();
                        at_home(&mut signals, &format!("shared/{name}"));
                        playbook.signals.splice(0..0, signals);
                    }
                    None => faults.push(PlaybookFault::new(
                        &file.name,
                        format!("uses `{name}`, but there is no shared/{name}.yaml"),
                    )),
                }
            }
            faults.extend(check::faults(&file, &playbook, &dialect, &attack));
            faults.extend(check::lacking(&file, &playbook, &dialects));
            let reads = Reads::of(&playbook);
            match (Graph::of(&playbook.steps), reads) {
                (Ok(graph), Ok(reads)) => entries.push(Entry {
                    playbook,
                    graph,
                    reads,
                    hash: sha256_hex(&hashed),
                    own: file.overridden,
                    rules: Arc::default(),
                }),
                (Err(found), _) => {
                    let told = found.into_iter().map(|e| e.to_string());
                    faults.extend(told.map(|m| PlaybookFault::new(&file.name, m)));
                }
                (_, Err(e)) => faults.push(PlaybookFault::new(&file.name, e.to_string())),
            }
        }
        entries.sort_by(|a, b| {
            let key = |e: &Entry| {
                (
                    std::cmp::Reverse(e.playbook.priority),
                    e.playbook.id.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        faults.extend(default_fault(&entries));
        if faults.is_empty() {
            Ok(Self {
                entries,
                dialect,
                attack,
                terms,
                weights: Weights::default(),
            })
        } else {
            Err(faults)
        }
    }

    /// The playbook for an alert: the highest priority whose selector holds, else `default`. A selector without an answer
    /// (it reads a field that is not trusted here) does not hold.
    ///
    /// # Errors
    /// When the alert can't be read into conditions.
    pub fn choose(&self, alert: &NewAlert) -> Result<&Entry, ConditionError> {
        let conditions = Conditions::new(&Scene::bare(alert).trusted(), &Value::Null)?;
        let default = || {
            let missing =
                || ConditionError::Evaluation(DEFAULT.to_owned(), "it is missing".to_owned());
            self.get(DEFAULT).ok_or_else(missing)
        };
        self.entries
            .iter()
            .filter(|e| e.playbook.id != DEFAULT)
            .find(|e| conditions.holds(&e.playbook.select, Roots::Trusted) == Ok(true))
            .map_or_else(default, Ok)
    }

    /// A playbook by id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.playbook.id == id)
    }

    /// All playbooks, the highest priority first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The query dialect in force.
    #[must_use]
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// SHA-256 over all playbooks, hex.
    #[must_use]
    pub fn digest(&self) -> String {
        let hashes: Vec<&str> = self.entries.iter().map(|e| e.hash.as_str()).collect();
        sha256_hex(hashes.join("\n"))
    }

    /// A condition as it was written: each shared term by its name again.
    #[must_use]
    pub fn in_terms(&self, condition: &str) -> String {
        self.terms.take_out(condition)
    }

    /// The technique table.
    #[must_use]
    pub fn attack(&self) -> &Attack {
        &self.attack
    }

    /// Puts learned weights in force; `text` is the file. What is of no signal here is left out and told.
    ///
    /// # Errors
    /// Every fault of the file; then nothing has changed.
    pub fn learn(&mut self, text: &str) -> Result<(), Vec<String>> {
        let in_force = learned::in_force(text, self)?;
        let learned = &in_force.learned;
        for signal in self
            .entries
            .iter_mut()
            .flat_map(|e| &mut e.playbook.signals)
        {
            if let Some(known) = learned.signal(signal) {
                signal.weight = known.weight;
            }
        }
        let rules = learned.rules.iter();
        let odds = rules.map(|r| ((r.source.clone(), r.rule.clone()), r.log_odds));
        let odds: Arc<RuleOdds> = Arc::new(odds.collect());
        for entry in &mut self.entries {
            entry.hash = sha256_hex(format!("{} learned {}", entry.hash, in_force.hash));
            entry.rules = odds.clone();
        }
        self.weights = Weights::Learned(in_force);
        Ok(())
    }

    /// Looks at learned weights that nobody has accepted: the weights stay as they are.
    ///
    /// # Errors
    /// Every fault of the file.
    pub fn await_acceptance(&mut self, text: &str) -> Result<(), Vec<String>> {
        self.weights = Weights::Waiting(learned::in_force(text, self)?);
        Ok(())
    }

    /// Learned weights that nobody has accepted, if there are any.
    #[must_use]
    pub fn waiting(&self) -> Option<&InForce> {
        match &self.weights {
            Weights::Waiting(learned) => Some(learned),
            _ => None,
        }
    }

    /// The learned weights in force, if there are any.
    #[must_use]
    pub fn learned(&self) -> Option<&InForce> {
        match &self.weights {
            Weights::Learned(learned) => Some(learned),
            _ => None,
        }
    }
}

fn at_home(signals: &mut [Signal], home: &str) {
    for signal in signals {
        home.clone_into(&mut signal.home);
    }
}

/// What is wrong with the playbook that catches the rest.
fn default_fault(entries: &[Entry]) -> Option<PlaybookFault> {
    let message = match entries.iter().find(|e| e.playbook.id == DEFAULT) {
        None => "is missing; it catches what no other playbook does",
        Some(e) if e.playbook.scoring.close.is_some() => {
            "has a close rule; the default never closes"
        }
        Some(_) => return None,
    };
    Some(PlaybookFault::new("default.yaml", message))
}

fn read_all<T: serde::de::DeserializeOwned>(
    folder: &Folder,
    under: &str,
    made: impl Fn(&DataFile) -> Result<DataFile, PlaybookFault>,
    faults: &mut Vec<PlaybookFault>,
) -> Vec<(DataFile, T)> {
    let mut read = Vec::new();
    for file in folder.list(under, ".yaml") {
        let file = match made(file) {
            Ok(file) => file,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        match serde_saphyr::from_str::<T>(&file.text) {
            Ok(value) => read.push((file, value)),
            Err(e) => faults.push(PlaybookFault::new(&file.name, e.to_string())),
        }
    }
    read
}

/// The dialects, and the fault that the one asked for is not among them.
fn dialects_of(
    folder: &Folder,
    settings: &QueriesConfig,
    faults: &mut Vec<PlaybookFault>,
) -> Dialects {
    let read = read_all(folder, "queries", |f: &DataFile| Ok(f.clone()), faults);
    let known: Vec<String> = read.iter().map(|(f, _)| f.stem().to_owned()).collect();
    let all = dialects(read, settings, faults);
    if !known.contains(&settings.dialect) {
        let message = format!(
            "there is no such query dialect; `[queries] dialect` may be {}",
            known.join(", ")
        );
        let file = format!("queries/{}.yaml", settings.dialect);
        faults.push(PlaybookFault::new(&file, message));
    }
    all
}

fn attack_of(folder: &Folder, faults: &mut Vec<PlaybookFault>) -> Option<Attack> {
    let text = |name: &str| folder.get(name).map_or("", |f| f.text.as_str());
    let [table, patterns, next] = ["techniques.csv", "patterns.yaml", "next.yaml"]
        .map(|name| text(&format!("attack/{name}")));
    match Attack::read(table, patterns, next) {
        Ok(attack) => Some(attack),
        Err(message) => {
            faults.push(PlaybookFault::new("attack", message));
            None
        }
    }
}
