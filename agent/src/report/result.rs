//! What became of one alert, in the form that `eval --json` and `run --once --json` print.

use serde::Serialize;
use state::model::{
    Analyst, CaseId, Effect, EffectDecision, Outcome, Tier, Time, TimelineKind, ToolClass,
    VerdictKind,
};

use super::casefile::{AlertFile, CaseFile};
use crate::tier::Line;

/// What became of one alert.
#[derive(Debug, Clone, Serialize)]
pub struct AlertResult {
    /// Which alert and which case.
    #[serde(flatten)]
    pub subject: Subject,
    /// The judgement.
    #[serde(flatten)]
    pub judgement: Judged,
    /// ATT&CK technique ids.
    pub techniques: Vec<String>,
    /// The reconstructed activity.
    pub timeline: Vec<TimelineLine>,
    /// Proposed effects of the case, at its first alert.
    pub effects: Vec<EffectLine>,
    /// What the scanner found in the alert.
    pub scanner_hits: Vec<ScannerHit>,
    /// Why, the weightiest first.
    pub reasons: Vec<String>,
    /// What was not checked and why.
    pub gaps: Vec<String>,
    /// What it cost.
    #[serde(flatten)]
    pub cost: Cost,
}

/// Which alert and which case.
#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    /// Id at the source.
    pub source_alert_id: String,
    /// Case it is in.
    pub case_id: CaseId,
    /// The alert this one repeats, if it does.
    pub duplicate_of: Option<String>,
}

/// The judgement.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// Verdict on the alert.
    pub verdict: VerdictKind,
    /// 0 to 100.
    pub confidence: i64,
    /// Probability that the activity is malicious, 0 to 1; of a person's verdict what the daemon said before.
    pub probability: f64,
    /// Outcome of its case.
    pub outcome: Outcome,
    /// Last tier reached.
    pub tier: Tier,
    /// Who judged.
    pub analyst: Analyst,
    /// Id of the playbook by which it was judged; none without a verdict of the daemon's.
    pub playbook: Option<String>,
    /// The predicate over trusted facts alone.
    pub close_allowed: bool,
}

/// What it cost.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Cost {
    /// Tool calls made for it.
    pub tool_calls: usize,
    /// Model turns of its case, at its first alert.
    pub model_turns: u32,
    /// Wall time, seconds: of its case; in an eval its own.
    pub seconds: f64,
}

/// One line of the reconstructed activity, in the form that others rely on.
#[derive(Debug, Clone, Serialize)]
pub struct TimelineLine {
    /// When.
    pub at: Time,
    /// Who did what, from where, to what.
    pub text: String,
    /// Evidence it stands in.
    pub evidence_ref: String,
    /// Id of the raw event; empty when it has none.
    pub event_uid: String,
    /// Users, hosts, addresses and resources in it.
    pub entities: Vec<String>,
    /// ATT&CK technique whose pattern it shows.
    pub technique: Option<String>,
}

impl From<&Line> for TimelineLine {
    fn from(line: &Line) -> Self {
        Self {
            at: line.at,
            text: line.text.clone(),
            evidence_ref: line.evidence_ref.clone(),
            event_uid: line.event_uid.clone(),
            entities: line.entities.clone(),
            technique: line.technique.clone(),
        }
    }
}

/// One proposed effect.
#[derive(Debug, Clone, Serialize)]
pub struct EffectLine {
    /// `server.tool`.
    pub tool: String,
    /// Operator's class.
    pub class: ToolClass,
    /// Entity it would touch.
    pub target: String,
    /// What became of it.
    pub decision: EffectDecision,
    /// Approval it waits for.
    pub approval_id: Option<i64>,
    /// Whether it only raises attention.
    pub raise: bool,
}

impl From<&Effect> for EffectLine {
    fn from(e: &Effect) -> Self {
        Self {
            tool: e.tool.clone(),
            class: e.class,
            target: e.target.clone(),
            decision: e.decision,
            approval_id: e.approval,
            raise: e.about.raise,
        }
    }
}

/// Something the scanner found.
#[derive(Debug, Clone, Serialize)]
pub struct ScannerHit {
    /// JSON pointer of the field, or `(whole event)`.
    pub field: String,
    /// Name of the family of patterns.
    pub family: String,
    /// Evidence it stands in.
    pub evidence: String,
}

/// What the scanner found in the alert and in what was asked about it.
fn hits(file: &CaseFile, alert: &AlertFile) -> Vec<ScannerHit> {
    let own = format!("alert:{}", alert.alert.id.0);
    let mut refs: Vec<&str> = file
        .step_runs
        .iter()
        .filter(|r| r.alert == alert.alert.id)
        .filter_map(|r| r.evidence.as_deref())
        .collect();
    let of_alert = file.evidence.iter().filter(|e| e.asked_by == own);
    refs.extend(of_alert.map(|e| e.reference.as_str()));
    let flagged = file
        .timeline
        .iter()
        .filter(|e| e.kind == TimelineKind::Flagged);
    flagged
        .filter_map(|e| {
            let text = |key: &str| e.data[key].as_str();
            let evidence = text("evidence").filter(|r| refs.contains(r))?;
            Some(ScannerHit {
                field: text("field")?.to_owned(),
                family: text("family")?.to_owned(),
                evidence: evidence.to_owned(),
            })
        })
        .collect()
}

impl AlertResult {
    /// One result for every alert of a case.
    #[must_use]
    pub fn all(file: &CaseFile) -> Vec<Self> {
        file.alerts
            .iter()
            .enumerate()
            .map(|(i, alert)| {
                Self::of(
                    file,
                    alert,
                    if i == 0 { Place::First } else { Place::Joined },
                )
            })
            .collect()
    }

    fn of(file: &CaseFile, alert: &AlertFile, place: Place) -> Self {
        let verdict = alert.verdict.as_ref();
        let first = place == Place::First;
        let asked = file
            .step_runs
            .iter()
            .filter(|r| r.alert == alert.alert.id)
            .count();
        let by_model = file
            .calls
            .iter()
            .filter(|c| c.asked_by.starts_with("model:"))
            .count();
        let mut reasons: Vec<String> = Vec::new();
        let mut gaps: Vec<String> = Vec::new();
        if let Some(v) = verdict {
            reasons.push(v.basis.sentence.clone());
            reasons.extend(v.basis.reasons.iter().map(|r| {
                format!(
                    "{:+.2} {}: {} [{}]",
                    r.weight,
                    r.id,
                    r.claim.text,
                    r.claim.evidence.join(", ")
                )
            }));
            reasons.extend(v.vetoes.iter().map(|v| format!("veto: {v}")));
            gaps.extend(
                v.basis
                    .gaps
                    .iter()
                    .map(|g| format!("{}: {}", g.what, g.why)),
            );
        }
        Self {
            subject: Subject {
                source_alert_id: alert.alert.source_alert_id.clone(),
                case_id: file.case.id,
                duplicate_of: None,
            },
            judgement: Judged {
                verdict: verdict.map_or(VerdictKind::Undetermined, |v| v.kind),
                confidence: verdict.map_or(0, |v| v.confidence),
                probability: verdict.map_or(0.5, |v| v.basis.probability),
                outcome: file.case.outcome.unwrap_or(Outcome::Escalated),
                tier: verdict.map_or(Tier::One, |v| v.provenance.tier),
                analyst: verdict.map_or(Analyst::Playbook, |v| v.provenance.analyst),
                playbook: verdict
                    .map(|v| v.provenance.playbook.clone())
                    .filter(|id| !id.is_empty()),
                close_allowed: verdict.is_some_and(|v| v.close_allowed),
            },
            techniques: verdict.map_or_else(Vec::new, |v| v.basis.techniques.clone()),
            timeline: alert.activity.iter().map(TimelineLine::from).collect(),
            effects: if first {
                file.effects.iter().map(EffectLine::from).collect()
            } else {
                Vec::new()
            },
            scanner_hits: hits(file, alert),
            reasons,
            gaps,
            cost: Cost {
                tool_calls: asked + if first { by_model } else { 0 },
                model_turns: if first { file.spent.turns } else { 0 },
                seconds: file.seconds(),
            },
        }
    }
}

/// Where an alert stands in its case: what belongs to the whole case is told at the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Joined,
}
