//! Everything the store knows of one case, as one typed record; every report is a view over it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use state::model::{
    Alert, AlertId, Analyst, Approval, Case, CaseId, Effect, Entity, Evidence, Reason, Spent,
    StepRun, TimelineEvent, TimelineKind, ToolCall, Verdict,
};
use state::store::{Result, Store};

use crate::playbook::Library;

use crate::tier::{Line, reconstruct};

use super::story::Story;

/// One alert of a case with its verdict.
#[derive(Debug, Clone, Serialize)]
pub struct AlertFile {
    /// The alert.
    pub alert: Alert,
    /// Its current verdict; none when the daemon gave up before one.
    pub verdict: Option<Verdict>,
    /// The daemon's last verdict, where a person's has taken its place: what it rested on stays checkable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Verdict>,
    /// The activity it is about.
    pub activity: Vec<Line>,
}

impl AlertFile {
    /// The verdict with reasons and gaps: the daemon's, also where a person's has taken its place.
    #[must_use]
    pub fn reasoned(&self) -> Option<&Verdict> {
        self.replaced.as_ref().or(self.verdict.as_ref())
    }
}

/// Everything known of one case.
#[derive(Debug, Clone, Serialize)]
pub struct CaseFile {
    /// The case.
    pub case: Case,
    /// Who has taken it over; none while it is nobody's.
    pub owner: Option<String>,
    /// Its alerts, in order of time.
    pub alerts: Vec<AlertFile>,
    /// Who and what is involved.
    pub entities: Vec<Entity>,
    /// What was found.
    pub evidence: Vec<Evidence>,
    /// Step executions.
    pub step_runs: Vec<StepRun>,
    /// Tool calls.
    pub calls: Vec<ToolCall>,
    /// Proposed effects.
    pub effects: Vec<Effect>,
    /// Questions to people.
    pub approvals: Vec<Approval>,
    /// What the daemon did.
    pub timeline: Vec<TimelineEvent>,
    /// What it cost.
    pub spent: Spent,
    /// The whole story, told from what is stored.
    pub story: Story,
}

impl CaseFile {
    /// Reads a case.
    ///
    /// # Errors
    /// When there is no such case or the store fails.
    pub async fn read(store: &Store, library: &Library, id: CaseId) -> Result<Self> {
        let case = store.case(id).await?;
        let evidence = store.evidence_of(id).await?;
        let step_runs = store.step_runs(id).await?;
        let (mut verdicts, mut replaced) = (HashMap::new(), HashMap::new());
        for given in store.verdicts_of(id).await? {
            let of = match given.verdict.provenance.analyst {
                _ if !given.superseded => &mut verdicts,
                Analyst::Human => continue,
                _ => &mut replaced,
            };
            of.insert(given.verdict.alert, given.verdict);
        }
        let found = by_alert(&evidence, &step_runs);
        let mut alerts = Vec::new();
        for alert in store.alerts_of(id).await? {
            let verdict: Option<Verdict> = verdicts.remove(&alert.id);
            let is_persons = |v: &Verdict| v.provenance.analyst == Analyst::Human;
            let replaced = replaced.remove(&alert.id);
            let replaced = replaced.filter(|_| verdict.as_ref().is_some_and(is_persons));
            let found = found.get(&alert.id).map_or(&[][..], Vec::as_slice);
            let activity = activity(library, &alert, verdict.as_ref(), found);
            alerts.push(AlertFile {
                alert,
                verdict,
                replaced,
                activity,
            });
        }
        alerts.sort_by_key(|a| (a.alert.time, a.alert.id));
        let mut file = Self {
            case,
            owner: store.owner_of(id).await?,
            alerts,
            entities: store.entities_of(id).await?,
            evidence,
            step_runs,
            calls: store.calls_of(id).await?,
            effects: store.effects_of(id).await?,
            approvals: store.approvals_of(id).await?,
            timeline: store.timeline(id).await?,
            spent: store.spent_of(id).await?,
            story: Story::default(),
        };
        file.story = Story::of(&file, library);
        Ok(file)
    }

    /// The verdict that stands for the case: the worst of its alerts'.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        self.alerts
            .iter()
            .filter_map(|a| a.verdict.as_ref())
            .max_by_key(|v| (v.kind.rank(), v.provenance.tier, v.confidence))
    }

    /// What speaks for the verdict that stands, over all alerts that are judged the same: the weightiest first, each signal once
    /// with its weightiest finding. A model's claims share one id and are told apart by their words.
    #[must_use]
    pub fn strongest(&self) -> Vec<&Reason> {
        let Some(kind) = self.verdict().map(|v| v.kind) else {
            return Vec::new();
        };
        let is_so = |v: Option<&Verdict>| v.is_some_and(|v| v.kind == kind);
        let judged = self.alerts.iter().filter(|a| is_so(a.verdict.as_ref()));
        // Where a person's verdict has taken its place, the daemon's reasons count only if it had said the same.
        let reasoned = judged.filter_map(AlertFile::reasoned);
        let mut all: Vec<&Reason> = reasoned
            .filter(|v| v.kind == kind)
            .flat_map(|v| &v.basis.reasons)
            .collect();
        all.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        let mut seen = HashSet::new();
        all.retain(|r| {
            let words = match r.id.as_str() {
                "model" => r.claim.text.as_str(),
                _ => "",
            };
            seen.insert((r.id.as_str(), words))
        });
        all
    }

    /// From the first claim to the last verdict or outcome of the daemon, seconds of wall time.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let began = self
            .timeline
            .iter()
            .find(|e| e.kind == TimelineKind::Claimed);
        let ends = |k| {
            use TimelineKind as K;
            matches!(k, K::Closed | K::Escalated | K::Asked)
        };
        let ended = self
            .timeline
            .iter()
            .rev()
            .find(|e| ends(e.kind) && e.actor == "nightdesk")
            .or(self.timeline.last());
        let span = began.zip(ended).map(|(a, b)| b.at - a.at);
        span.and_then(|s| s.to_std().ok())
            .map_or(0.0, |s| s.as_secs_f64())
    }

    /// The activity of all alerts, in order, each event once: an alert's own event that was also found is told as found.
    #[must_use]
    pub fn activity(&self) -> Vec<&Line> {
        let mut lines: BTreeMap<(state::model::Time, &str, &str), &Line> = BTreeMap::new();
        for line in self.alerts.iter().flat_map(|a| &a.activity) {
            lines
                .entry((line.at, &line.event_uid, &line.text))
                .or_insert(line);
        }
        let own = self.evidence.iter();
        let own = own.filter(|e| e.asked_by.starts_with("alert:"));
        let own: HashSet<&str> = own.map(|e| e.reference.as_str()).collect();
        let is_own = |line: &Line| own.contains(line.evidence_ref.as_str());
        let found = lines.values().filter(|l| !is_own(l));
        let found: HashSet<_> = found.map(|l| (l.at, l.text.as_str())).collect();
        let mut told = HashSet::new();
        lines
            .into_values()
            .filter(|l| {
                let event = (l.at, l.text.as_str());
                !is_own(l)
                    || !found.contains(&event) && (!l.event_uid.is_empty() || told.insert(event))
            })
            .collect()
    }

    /// Techniques of all alerts that are not benign, in order of first mention.
    #[must_use]
    pub fn techniques(&self) -> Vec<&str> {
        let mut seen = std::collections::BTreeSet::new();
        let all = self.alerts.iter().filter_map(|a| a.verdict.as_ref());
        all.flat_map(|v| v.basis.techniques.iter().map(String::as_str))
            .filter(|t| seen.insert(*t))
            .collect()
    }
}

/// The alert's own evidence and that of the steps that were asked about it, in order.
fn by_alert<'e>(
    evidence: &'e [Evidence],
    runs: &'e [StepRun],
) -> HashMap<AlertId, Vec<&'e Evidence>> {
    let asked = runs
        .iter()
        .filter_map(|r| Some((r.evidence.as_deref()?, r.alert)));
    let asked: HashMap<&str, AlertId> = asked.collect();
    let own = |e: &Evidence| Some(AlertId(e.asked_by.strip_prefix("alert:")?.parse().ok()?));
    let mut found: HashMap<AlertId, Vec<&Evidence>> = HashMap::new();
    for e in evidence {
        if let Some(alert) = own(e).or_else(|| asked.get(e.reference.as_str()).copied()) {
            found.entry(alert).or_default().push(e);
        }
    }
    found
}

fn activity(
    library: &Library,
    alert: &Alert,
    verdict: Option<&Verdict>,
    found: &[&Evidence],
) -> Vec<Line> {
    let playbook = verdict.map_or("default", |v| v.provenance.playbook.as_str());
    let Some(entry) = library.get(playbook).or_else(|| library.get("default")) else {
        return Vec::new();
    };
    reconstruct(
        library.attack(),
        alert,
        found.iter().copied(),
        &entry.playbook,
    )
}
