//! Cases of the past, left in a store as the daemon would have left them, without working anything.

use agent::config::ApprovalsConfig;
use agent::feedback::{self, Said, Then};
use agent::rights::{NoGroups, Rights, Who};
use chrono::TimeDelta;
use serde_json::json;
use state::model::verdict::{Basis, Provenance};
use state::model::{
    Alert, Analyst, Assessment, CallOutcome, CaseEvent, CaseId, Claim as Sentence, Impact,
    NewAlert, Outcome, Reason, Rule, RuleAt, Severity, Spent, Tier, Time, ToolCall, ToolClass,
    Verdict, VerdictKind, VerdictReason,
};
use state::store::{Claim, Record, Store};

/// How a case was worked.
#[derive(Debug, Clone, Copy)]
pub struct Past {
    /// The verdict; a harmless one is one that could be closed.
    pub kind: VerdictKind,
    /// How many tool calls.
    pub calls: usize,
    /// Of which tool.
    pub tool: &'static str,
    /// What the model said, when it was asked.
    pub model: Option<VerdictKind>,
}

/// Leaves so many cases of each kind, all of one rule, one every ten minutes from `from` on.
pub async fn leave(
    store: &Store,
    of: &RuleAt,
    cases: &[(usize, Past)],
    from: Time,
) -> anyhow::Result<()> {
    let mut at = from;
    for (times, past) in cases {
        for _ in 0..*times {
            at += TimeDelta::minutes(10);
            leave_one(store, of, *past, at).await?;
        }
    }
    Ok(())
}

/// Leaves cases whose close waits for a person, one for each name, asked at `at`; gives them with their questions.
pub async fn leave_proposed(
    store: &Store,
    of: &RuleAt,
    names: &[&str],
    (at, expires): (Time, Time),
) -> anyhow::Result<Vec<(CaseId, i64)>> {
    let mut asked = Vec::new();
    for (n, name) in (0..).zip(names) {
        let (case, alert, claim) = taken(store, of, at + TimeDelta::seconds(n)).await?;
        let mut judged = verdict(case, &alert, VerdictKind::BenignPositive, at);
        judged.basis.sentence = format!("{name} does this every day");
        let mut record = record(claim, vec![judged], at);
        (record.outcome, record.event) = (Outcome::AwaitingApproval, CaseEvent::Asked);
        record.events = vec![state::model::TimelineEvent::ours(
            case,
            at,
            state::model::TimelineKind::Asked,
            "a person is asked to confirm closing",
        )];
        record.approvals = vec![state::store::NewApproval {
            action: "close".to_owned(),
            summary: format!("close {case}: {name}"),
            binding: json!({"case": case, "action": "close", "nonce": name, "alerts": [
                {"alert": alert.source_alert_id, "source": alert.source, "verdict": "benign_positive"}]}),
            expires,
            effect: None,
            needed: 1,
        }];
        let recorded = store.record(record).await?;
        asked.push((case, recorded.approvals[0]));
    }
    Ok(asked)
}

/// How the daemon judged an alert, and what a person said of it afterwards.
#[derive(Debug, Clone)]
pub struct Word {
    /// The playbook.
    pub playbook: &'static str,
    /// Signals that spoke, with their signed log-odds.
    pub signals: Vec<(&'static str, f64)>,
    /// What the person said.
    pub kind: VerdictKind,
}

/// Leaves a case that a person has spoken on; gives it.
pub async fn leave_word(
    store: &Store,
    of: &RuleAt,
    word: &Word,
    at: Time,
) -> anyhow::Result<CaseId> {
    let (case, alert, claim) = taken(store, of, at).await?;
    let mut judged = verdict(case, &alert, VerdictKind::Undetermined, at);
    word.playbook.clone_into(&mut judged.provenance.playbook);
    let reasons = word.signals.iter().map(|(id, weight)| Reason {
        id: (*id).to_owned(),
        weight: *weight,
        claim: Sentence {
            text: format!("{id} speaks"),
            evidence: vec![],
            quote: None,
        },
    });
    judged.basis.reasons = reasons.collect();
    store.record(record(claim, vec![judged], at)).await?;
    let said = Said {
        case,
        alerts: vec![],
        kind: word.kind,
        who: Who::at_shell("ana", "test"),
        note: String::new(),
        then: Then::Keep,
        at: at + TimeDelta::minutes(1),
    };
    feedback::give(
        store,
        Rights::new(&ApprovalsConfig::default(), &NoGroups::default()),
        said,
    )
    .await?;
    Ok(case)
}

/// Another alert joins a case that people have, is judged, and they have it again.
pub async fn join(
    store: &Store,
    of: &RuleAt,
    (case, kind): (CaseId, VerdictKind),
    at: Time,
) -> anyhow::Result<()> {
    let received = store.store_alerts(&[alert(of, at)], &[], None, at).await?;
    let alert = store.alert(received[0].alert).await?;
    store.join_case(case, &alert, at, vec![]).await?;
    let lease = std::time::Duration::from_secs(60);
    let claimed = store.claim("past", at, lease).await?;
    let (claim, _) = claimed.ok_or_else(|| anyhow::anyhow!("{case} is not in the queue"))?;
    let verdicts = vec![verdict(case, &alert, kind, at)];
    store.record(record(claim, verdicts, at)).await?;
    Ok(())
}

/// A new alert in a case of its own, claimed.
async fn taken(store: &Store, of: &RuleAt, at: Time) -> anyhow::Result<(CaseId, Alert, Claim)> {
    let new = alert(of, at);
    let received = store.store_alerts(&[new], &[], None, at).await?;
    let alert = store.alert(received[0].alert).await?;
    let case = store.open_case(&alert, "past", at, vec![]).await?.id;
    let lease = std::time::Duration::from_secs(60);
    let claimed = store.claim("past", at, lease).await?;
    let (claim, _) = claimed.ok_or_else(|| anyhow::anyhow!("{case} is not in the queue"))?;
    Ok((case, alert, claim))
}

async fn leave_one(store: &Store, of: &RuleAt, past: Past, at: Time) -> anyhow::Result<()> {
    let (case, alert, claim) = taken(store, of, at).await?;
    for _ in 0..past.calls {
        store
            .begin_call(&call(case, past.tool, at), json!({}))
            .await?;
    }
    let said = [
        (Analyst::Playbook, Some(past.kind)),
        (Analyst::Model, past.model),
    ];
    for (analyst, kind) in said {
        if let Some(kind) = kind {
            let said = assessment(analyst, kind);
            store.add_assessment(case, alert.id, &said).await?;
        }
    }
    let verdicts = vec![verdict(case, &alert, past.kind, at)];
    store.record(record(claim, verdicts, at)).await?;
    Ok(())
}

fn record(claim: Claim, verdicts: Vec<Verdict>, at: Time) -> Record {
    Record {
        close_cap: i64::MAX,
        claim,
        verdicts,
        outcome: Outcome::Escalated,
        event: CaseEvent::Escalated,
        effects: vec![],
        approvals: vec![],
        events: vec![],
        spent: Spent::default(),
        now: at,
    }
}

fn alert(of: &RuleAt, at: Time) -> NewAlert {
    NewAlert {
        source: of.source.clone(),
        source_alert_id: format!("{} {at}", of.rule),
        mapping: "panther".to_owned(),
        product: "okta".to_owned(),
        rule: Rule {
            id: of.rule.clone(),
            name: of.rule.clone(),
            groups: vec![],
        },
        severity: Severity::High,
        time: at,
        attacks: vec![],
        activities: vec![],
        entities: vec![],
        observables: vec![],
        raw: "{}".to_owned(),
    }
}

fn call(case: CaseId, tool: &str, at: Time) -> ToolCall {
    ToolCall {
        id: 0,
        case,
        tier: Tier::Two,
        asked_by: "step".to_owned(),
        tool: tool.to_owned(),
        class: ToolClass::ReadInternal,
        arguments: json!({}),
        outcome: CallOutcome::Ok,
        reason: None,
        digest: None,
        started: at,
        millis: Some(1),
    }
}

fn assessment(analyst: Analyst, verdict: VerdictKind) -> Assessment {
    Assessment {
        tier: Tier::Two,
        analyst,
        verdict,
        probability: 0.5,
        confidence: 50,
        reasons: vec![],
        gaps: vec![],
        techniques: vec![],
        close_allowed: false,
    }
}

/// A verdict on an alert; a harmless one is one that could be closed.
#[must_use]
pub fn verdict(case: CaseId, alert: &Alert, kind: VerdictKind, at: Time) -> Verdict {
    Verdict {
        case,
        alert: alert.id,
        kind,
        reason: VerdictReason::NeedsHuman,
        impact: Impact::None,
        confidence: 50,
        close_allowed: kind.is_benign(),
        vetoes: vec![],
        basis: Basis {
            sentence: String::new(),
            probability: 0.5,
            reasons: vec![],
            evidence_refs: vec![],
            gaps: vec![],
            techniques: vec![],
            earliest: None,
        },
        provenance: Provenance {
            tier: Tier::Two,
            analyst: Analyst::Playbook,
            analyst_note: None,
            playbook: "past".to_owned(),
            playbook_hash: String::new(),
            model: None,
            prompt_hash: None,
        },
        at,
    }
}
