//! People's verdicts on alerts: who may give one is checked, and it counts from then on; what it carries is `precedent`'s.

use serde_json::{Value, json};
use state::model::{
    Alert, AlertId, Analyst, Basis, CaseEvent, CaseId, CaseStatus, Feedback, Impact, Outcome,
    Provenance, Tier, Time, TimelineEvent, TimelineKind, Verdict, VerdictKind, VerdictReason,
};
use state::store::{Intervention, Seen, Store, StoreError, StoredVerdict};

use crate::precedent::likeness;
use crate::rights::{Rights, Who};
use crate::text::oneline;

/// Longest note that is kept, characters.
const LONGEST: usize = 1000;

/// A person's word on a case, or on some of its alerts.
#[derive(Debug, Clone)]
pub struct Said {
    /// The case.
    pub case: CaseId,
    /// The alerts; all of the case when empty.
    pub alerts: Vec<AlertId>,
    /// The verdict.
    pub kind: VerdictKind,
    /// Who says so.
    pub who: Who,
    /// Their reason, in their words.
    pub note: String,
    /// What is to become of the case.
    pub then: Then,
    /// When.
    pub at: Time,
}

/// What is to become of a case after a person's word on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It stays as it is, except that a closed case with an attack in it goes back to work.
    Keep,
    /// It is closed when all its alerts are called harmless.
    Close,
}

/// Why a word does not count.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    /// The wrong person, or nothing it could be about.
    #[error("{case}: {why}")]
    Refused {
        /// The case.
        case: CaseId,
        /// Why.
        why: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Alerts that it is about.
    pub alerts: usize,
    /// Where the case stands now.
    pub status: CaseStatus,
}

/// Takes a person's word. The audit record stands before it takes effect; a refused one is recorded too.
///
/// # Errors
/// [`FeedbackError::Refused`]: nothing has changed.
pub async fn give(store: &Store, rights: Rights<'_>, said: Said) -> Result<Taken, FeedbackError> {
    let case = store.case(said.case).await?;
    let known = store.verdicts_of(said.case).await?;
    let alerts = store.alerts_of(said.case).await?;
    let about: Vec<&Alert> = alerts
        .iter()
        .filter(|a| said.alerts.is_empty() || said.alerts.contains(&a.id))
        .collect();
    let record = json!({
        "kind": "feedback",
        "case": said.case,
        "alerts": about.iter().map(|a| a.source_alert_id.as_str()).collect::<Vec<_>>(),
        "verdict": said.kind,
        "by": said.who.name,
        "channel": said.who.channel,
        "note": oneline(&said.note, LONGEST),
    });
    let involved = store.involved(said.case).await?;
    let allowed = rights.may_close(&said.who, &involved).await;
    let checked = allowed.and_then(|()| {
        let event = moved(&said, case.status, (&alerts, &about), &known)?;
        match about.is_empty() || about.len() < said.alerts.len() {
            true => Err("it holds no such alert".to_owned()),
            false => Ok(event),
        }
    });
    let event = match checked {
        Ok(event) => event,
        Err(why) => return refuse(store, &said, record, why).await,
    };
    store.append_audit(said.at, &record).await?;
    let count = about.len();
    let mut done = intervention(&said, event, (&about, &known));
    done.seen = seen(event, case.status, (&alerts, &known));
    match store.intervene(done).await {
        Err(StoreError::Refused { why }) => return refuse(store, &said, record, why).await,
        done => done?,
    }
    let status = store.case(said.case).await?.status;
    Ok(Taken {
        alerts: count,
        status,
    })
}

/// Puts a word on record that does not count.
async fn refuse(
    store: &Store,
    said: &Said,
    mut record: Value,
    why: String,
) -> Result<Taken, FeedbackError> {
    record["decision"] = json!("deny");
    record["rule"] = json!(6);
    record["why"] = json!(why);
    store.append_audit(said.at, &record).await?;
    let case = said.case;
    Err(FeedbackError::Refused { case, why })
}

/// What a close is decided on: who may close was asked meanwhile, and an alert may have joined or been judged.
fn seen(
    event: Option<CaseEvent>,
    status: CaseStatus,
    (alerts, known): (&[Alert], &[StoredVerdict]),
) -> Option<Seen> {
    let in_force = |id: AlertId| {
        let mut of = known.iter().filter(|v| v.verdict.alert == id);
        of.find(|v| !v.superseded).map(|v| v.verdict.kind)
    };
    (event == Some(CaseEvent::Closed)).then(|| Seen {
        status,
        judged: alerts.iter().map(|a| (a.id, in_force(a.id))).collect(),
    })
}

/// A person's words on all alerts of a case whose proposed close they confirm: on each what its verdict says.
///
/// # Errors
/// When the store fails.
pub async fn confirmed(
    store: &Store,
    case: CaseId,
    (by, channel, at): (&str, &str, Time),
) -> Result<Vec<Feedback>, StoreError> {
    let known = store.verdicts_of(case).await?;
    let alerts = store.alerts_of(case).await?;
    let words = alerts.iter().filter_map(|alert| {
        let verdict = last(&known, alert.id, |_| true)?;
        Some(Feedback {
            alert: alert.id,
            kind: verdict.kind,
            by: by.to_owned(),
            channel: channel.to_owned(),
            note: String::new(),
            likeness: likeness(alert),
            signals: signals(&known, alert.id),
            at,
        })
    });
    Ok(words.collect())
}

/// What happens to the case.
fn moved(
    said: &Said,
    status: CaseStatus,
    (alerts, about): (&[Alert], &[&Alert]),
    known: &[StoredVerdict],
) -> Result<Option<CaseEvent>, String> {
    let says_attack = said.kind == VerdictKind::TruePositive;
    if status == CaseStatus::Closed && says_attack {
        return Ok(Some(CaseEvent::Reopened));
    }
    if said.then == Then::Keep || status == CaseStatus::Closed {
        return Ok(None);
    }
    if !matches!(status, CaseStatus::Escalated | CaseStatus::AwaitingApproval) {
        return Err(format!(
            "it is {status}: only a case that people have can be closed"
        ));
    }
    let others = alerts.iter().filter(|a| about.iter().all(|b| b.id != a.id));
    let harmless = said.kind.is_benign() || said.kind == VerdictKind::Duplicate;
    let open = others.filter(|a| {
        let by_person = last(known, a.id, |v| v.provenance.analyst == Analyst::Human);
        !by_person.is_some_and(|v| v.kind.is_benign())
    });
    match (harmless, open.count()) {
        (false, _) => Err(format!(
            "a case with a {} in it is not closed by this",
            said.kind
        )),
        (true, 0) => Ok(Some(CaseEvent::Closed)),
        (true, n) => Err(format!("{n} of its alerts have no person's word yet")),
    }
}

fn intervention(
    said: &Said,
    event: Option<CaseEvent>,
    (about, known): (&[&Alert], &[StoredVerdict]),
) -> Intervention {
    let note = oneline(&said.note, LONGEST);
    let ids: Vec<&str> = about.iter().map(|a| a.source_alert_id.as_str()).collect();
    let reason = if note.is_empty() {
        String::new()
    } else {
        format!(": {note}")
    };
    let message = format!("{} says {}{reason}", said.who.name, said.kind);
    let mut told = TimelineEvent::ours(said.case, said.at, TimelineKind::Answered, message)
        .with(json!({"alerts": ids, "verdict": said.kind}));
    told.actor.clone_from(&said.who.name);
    let mut events = vec![told];
    if event == Some(CaseEvent::Closed) {
        let message = "closed: a person has decided";
        events.push(TimelineEvent::ours(
            said.case,
            said.at,
            TimelineKind::Closed,
            message,
        ));
    }
    let verdicts = about.iter().map(|a| verdict(said, a.id, known, &note));
    let feedback = about.iter().map(|a| Feedback {
        alert: a.id,
        kind: said.kind,
        by: said.who.name.clone(),
        channel: said.who.channel.clone(),
        note: note.clone(),
        likeness: likeness(a),
        signals: signals(known, a.id),
        at: said.at,
    });
    Intervention {
        case: said.case,
        event,
        outcome: (event == Some(CaseEvent::Closed)).then_some(Outcome::Closed),
        seen: None,
        verdicts: verdicts.collect(),
        feedback: feedback.collect(),
        events,
        now: said.at,
    }
}

/// The person's verdict; what the daemon found stays in the one it supersedes.
fn verdict(said: &Said, alert: AlertId, known: &[StoredVerdict], note: &str) -> Verdict {
    let before = last(known, alert, |_| true);
    let sentence = match note {
        "" => format!("{} says so", said.who.name),
        note => format!("{}: {note}", said.who.name),
    };
    let reason = match said.kind {
        VerdictKind::TruePositive => VerdictReason::MaliciousActivity,
        VerdictKind::BenignPositive => VerdictReason::ExpectedBusiness,
        VerdictKind::FalsePositive => VerdictReason::IncorrectLogic,
        VerdictKind::Suspicious => VerdictReason::NeedsHuman,
        VerdictKind::Undetermined => VerdictReason::InsufficientData,
        VerdictKind::Duplicate => VerdictReason::SameIncident,
    };
    let harmful = said.kind == VerdictKind::TruePositive;
    let techniques = before
        .filter(|_| harmful)
        .map(|v| v.basis.techniques.clone());
    Verdict {
        case: said.case,
        alert,
        kind: said.kind,
        reason,
        impact: before
            .filter(|_| harmful)
            .map_or(Impact::Unknown, |v| v.impact),
        confidence: 100,
        close_allowed: false,
        vetoes: Vec::new(),
        basis: Basis {
            sentence,
            probability: before.map_or(0.5, |v| v.basis.probability),
            reasons: Vec::new(),
            evidence_refs: Vec::new(),
            gaps: Vec::new(),
            techniques: techniques.unwrap_or_default(),
            earliest: before.and_then(|v| v.basis.earliest),
        },
        provenance: Provenance {
            tier: before.map_or(Tier::One, |v| v.provenance.tier),
            analyst: Analyst::Human,
            analyst_note: None,
            playbook: before.map_or(String::new(), |v| v.provenance.playbook.clone()),
            playbook_hash: before.map_or(String::new(), |v| v.provenance.playbook_hash.clone()),
            model: None,
            prompt_hash: None,
        },
        at: said.at,
    }
}

/// The last verdict on an alert that is of a kind.
fn last(
    known: &[StoredVerdict],
    alert: AlertId,
    wanted: impl Fn(&Verdict) -> bool,
) -> Option<&Verdict> {
    let of_alert = known.iter().rev().map(|v| &v.verdict);
    of_alert.into_iter().find(|v| v.alert == alert && wanted(v))
}

/// Signals that spoke for malicious when the daemon last judged the alert.
fn signals(known: &[StoredVerdict], alert: AlertId) -> Vec<String> {
    let judged = last(known, alert, |v| v.provenance.analyst != Analyst::Human);
    let reasons = judged
        .map(|v| v.basis.reasons.as_slice())
        .unwrap_or_default();
    let spoke = reasons.iter().filter(|r| r.weight > 0.0);
    spoke.map(|r| r.id.clone()).collect()
}
