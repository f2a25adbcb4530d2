//! Switches, canaries, patterns and findings: what is counted, what is kept, and what is left out.

use serde_json::json;
use state::model::{
    Alert, Analyst, ApprovalState, Assessment, CANARY_SOURCE, CanaryState, CaseEvent, CaseId,
    CaseStatus, Deviation, FindingState, Measure, NewAlert, RuleAt, Sample, Switch, SwitchState,
    Tier, Turn, VerdictKind,
};
use state::store::{
    Canaries, CanaryEnd, CaseFilter, Claim, Counts, Intervention, Store, StoreError,
};

use crate::make::{LEASE, at, claimed, ending, kinds, new_alert, opened, question, user, verdict};

fn turn(switch: Switch, state: SwitchState, by: &str) -> Turn {
    Turn {
        switch,
        state,
        by: by.to_owned(),
        why: "drill".to_owned(),
        at: at(1),
    }
}

pub(crate) async fn the_last_turn_of_a_switch_stands(store: &Store) {
    assert_eq!(store.switch(Switch::Closing).await.unwrap(), None);
    let off = Switch::ALL
        .iter()
        .map(|s| turn(*s, SwitchState::Off, "ana"));
    store.turn_switches(&off.collect::<Vec<_>>()).await.unwrap();
    let on = turn(Switch::Closing, SwitchState::On, "bo");
    store
        .turn_switches(std::slice::from_ref(&on))
        .await
        .unwrap();
    assert_eq!(store.switch(Switch::Closing).await.unwrap(), Some(on));
    let effects = store.switch(Switch::Effects).await.unwrap().unwrap();
    assert_eq!(
        (effects.state, effects.by.as_str()),
        (SwitchState::Off, "ana")
    );
    // One without a name takes the other one down with it.
    let nameless = [
        turn(Switch::Closing, SwitchState::Off, "ana"),
        turn(Switch::Effects, SwitchState::On, " "),
    ];
    let error = store.turn_switches(&nameless).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    let closing = store.switch(Switch::Closing).await.unwrap().unwrap();
    assert_eq!(closing.state, SwitchState::On);
    let entries = store.audit(0, 100).await.unwrap();
    assert_eq!(entries.len(), 3);
    assert!(entries.iter().all(|e| e.entry["kind"] == "switch"));
    assert_eq!(entries[2].entry["by"], "bo");
}

pub(crate) async fn nothing_is_closed_while_closing_is_off(store: &Store) {
    let (claim, alert) = claimed(store, 1, "ann").await;
    let off = turn(Switch::Closing, SwitchState::Off, "ana");
    store.turn_switches(&[off]).await.unwrap();
    let close = || {
        ending(
            &claim,
            &alert,
            VerdictKind::BenignPositive,
            CaseEvent::Closed,
        )
    };
    let error = store.record(close()).await.unwrap_err();
    assert!(error.to_string().contains("switched off"), "{error}");
    let case = store.case(claim.case).await.unwrap();
    assert_eq!(case.status, CaseStatus::Triaging);
    let on = turn(Switch::Closing, SwitchState::On, "ana");
    store.turn_switches(&[on]).await.unwrap();
    store.record(close()).await.unwrap();
    assert_eq!(store.closes_since(at(0)).await.unwrap(), 1);
}

fn canary_alert(n: i64, who: &str) -> NewAlert {
    NewAlert {
        source: CANARY_SOURCE.to_owned(),
        source_alert_id: format!("canary-{n}"),
        ..new_alert(n, who)
    }
}

/// A canary that a worker holds.
async fn canary(store: &Store, n: i64) -> (Claim, Alert) {
    let new = canary_alert(n, &format!("canary-{n}"));
    store.send_canary(&new, at(0)).await.unwrap();
    let alert = store.alerts_without_case(9).await.unwrap().remove(0);
    store
        .open_case(&alert, "a canary", at(0), vec![])
        .await
        .unwrap();
    let (claim, _) = store.claim("w", at(1), LEASE).await.unwrap().unwrap();
    (claim, alert)
}

/// How a canary's case ended, how it is judged, where the case then stands, and what its timeline ends with.
const ENDS: [(CaseEvent, CanaryState, CaseStatus, &str); 4] = [
    (
        CaseEvent::Escalated,
        CanaryState::Escalated,
        CaseStatus::Closed,
        "closed",
    ),
    (
        CaseEvent::Closed,
        CanaryState::Missed,
        CaseStatus::Closed,
        "closed",
    ),
    (
        CaseEvent::Asked,
        CanaryState::Missed,
        CaseStatus::Escalated,
        "escalated",
    ),
    (
        CaseEvent::Escalated,
        CanaryState::Late,
        CaseStatus::Escalated,
        "escalated",
    ),
];

/// Works a canary to this end and judges it.
async fn flown(store: &Store, n: i64, ended: CaseEvent, state: CanaryState) -> CaseId {
    let (claim, alert) = canary(store, n).await;
    let mut record = ending(&claim, &alert, VerdictKind::BenignPositive, ended);
    if ended == CaseEvent::Asked {
        record.approvals = vec![question("close", "digest")];
    }
    store.record(record).await.unwrap();
    let run = store.canaries_under_way().await.unwrap().remove(0);
    assert_eq!(
        (run.case, run.alert, run.judged),
        (Some(claim.case), alert.id, None)
    );
    let end = CanaryEnd {
        run: run.id,
        state,
        why: format!("it is {state}"),
        at: at(5),
    };
    store.judge_canary(&end).await.unwrap();
    let again = store.judge_canary(&end).await.unwrap_err();
    assert!(matches!(again, StoreError::Refused { .. }), "{again}");
    let run = store.canaries(1).await.unwrap().remove(0);
    assert_eq!(
        (run.state, run.why, run.judged),
        (state, end.why, Some(at(5)))
    );
    claim.case
}

pub(crate) async fn a_canary_is_judged_once(store: &Store) {
    for (n, (ended, state, status, told)) in (1..).zip(ENDS) {
        let on = turn(Switch::Closing, SwitchState::On, "ana");
        store.turn_switches(&[on]).await.unwrap();
        let case = flown(store, n, ended, state).await;
        assert_eq!(store.case(case).await.unwrap().status, status, "{n}");
        let kinds = kinds(store, case).await;
        assert!(kinds.ends_with(told), "{n}: {kinds}");
        let closing = store.switch(Switch::Closing).await.unwrap().unwrap();
        let wanted = match state.failed() {
            true => (SwitchState::Off, "nightdesk"),
            false => (SwitchState::On, "ana"),
        };
        assert_eq!((closing.state, closing.by.as_str()), wanted, "{n}");
    }
    let foreign = store.send_canary(&new_alert(20, "x"), at(0)).await;
    assert!(matches!(foreign, Err(StoreError::Refused { .. })));
    let twice = store.send_canary(&canary_alert(1, "x"), at(0)).await;
    assert!(matches!(twice, Err(StoreError::Refused { .. })));
}

pub(crate) async fn canaries_are_counted_and_listed_nowhere(store: &Store) {
    for (n, (ended, state, ..)) in (1..).zip(ENDS) {
        let on = turn(Switch::Closing, SwitchState::On, "ana");
        store.turn_switches(&[on]).await.unwrap();
        flown(store, n, ended, state).await;
    }
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    assert_eq!(store.closes_since(at(0)).await.unwrap(), 0);
    assert!(store.canaries_under_way().await.unwrap().is_empty());
    let pending = Some(ApprovalState::Pending);
    assert!(store.approvals(pending).await.unwrap().is_empty());
    let (other, _) = opened(store, 9, "ann").await;
    for (canaries, found) in [
        (Canaries::Without, 1),
        (Canaries::With, 5),
        (Canaries::Only, 4),
    ] {
        let filter = CaseFilter {
            canaries,
            ..CaseFilter::default()
        };
        let lines = store.list_cases(filter).await.unwrap();
        assert_eq!(lines.len(), found, "{canaries:?}");
        let has = lines.iter().any(|l| l.case.id == other);
        assert_eq!(has, canaries != Canaries::Only);
    }
}

pub(crate) async fn a_canary_goes_first_and_is_joined_by_nothing(store: &Store) {
    opened(store, 1, "ann").await;
    let new = canary_alert(50, "shared");
    store.send_canary(&new, at(50)).await.unwrap();
    let alert = store.alerts_without_case(9).await.unwrap().remove(0);
    let case = store
        .open_case(&alert, "a canary", at(50), vec![])
        .await
        .unwrap();
    let (claim, _) = store.claim("w", at(51), LEASE).await.unwrap().unwrap();
    assert_eq!(claim.case, case.id, "though its alert is the newer one");
    let record = ending(
        &claim,
        &alert,
        VerdictKind::TruePositive,
        CaseEvent::Escalated,
    );
    store.record(record).await.unwrap();
    let keys = [user("shared").key()];
    assert!(
        store
            .candidates(&keys, at(0), at(99))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .open_incidents(&keys, CaseId(0))
            .await
            .unwrap()
            .is_empty()
    );
    let (claim, _) = store.claim("w", at(52), LEASE).await.unwrap().unwrap();
    assert_ne!(claim.case, case.id, "then the others");
}

fn said(analyst: Analyst, verdict: VerdictKind) -> Assessment {
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

/// A person says that it was real.
async fn corrected(store: &Store, case: CaseId, alert: &Alert) {
    let mut own = verdict(case, alert, VerdictKind::TruePositive);
    own.provenance.analyst = Analyst::Human;
    let done = Intervention {
        case,
        seen: None,
        event: None,
        outcome: None,
        verdicts: vec![own],
        feedback: Vec::new(),
        events: vec![],
        now: at(13),
    };
    store.intervene(done).await.unwrap();
}

pub(crate) async fn patterns_count_what_the_daemon_judged(store: &Store) {
    let rule = RuleAt {
        source: "siem".to_owned(),
        rule: "r-0".to_owned(),
    };
    // Alerts 3, 6, 9, 12 are of this rule, 4 of another; 12 is judged by a person afterwards.
    for n in [3, 4, 6, 9, 12] {
        let (claim, alert) = claimed(store, n, &format!("user-{n}")).await;
        let kind = if n == 9 {
            VerdictKind::Suspicious
        } else {
            VerdictKind::BenignPositive
        };
        let model = if n == 6 {
            VerdictKind::TruePositive
        } else {
            kind
        };
        if n != 3 {
            for said in [said(Analyst::Playbook, kind), said(Analyst::Model, model)] {
                store
                    .add_assessment(claim.case, alert.id, &said)
                    .await
                    .unwrap();
            }
        }
        let mut record = ending(&claim, &alert, kind, CaseEvent::Escalated);
        record.verdicts[0].at = at(n);
        if n != 6 {
            record.verdicts[0].vetoes.clear();
        }
        store.record(record).await.unwrap();
        if n == 12 {
            corrected(store, claim.case, &alert).await;
        }
    }
    let (claim, alert) = canary(store, 30).await;
    let record = ending(
        &claim,
        &alert,
        VerdictKind::TruePositive,
        CaseEvent::Escalated,
    );
    store.record(record).await.unwrap();

    let rules = store.rules_judged_since(at(0)).await.unwrap();
    let names: Vec<&str> = rules.iter().map(|r| r.rule.as_str()).collect();
    assert_eq!(names, ["r-0", "r-1"]);
    let all = store.pattern(&rule, at(0), at(99)).await.unwrap();
    assert_eq!((all.judged, all.closable), (4, 2), "{all:?}");
    assert_eq!((all.compared, all.disagreed), (3, 1), "{all:?}");
    assert_eq!(all.benign(), 3, "a person's verdict is not the daemon's");
    assert_eq!(all.calls.get(&0), Some(&4));
    let early = store.pattern(&rule, at(0), at(6)).await.unwrap();
    assert_eq!(early.judged, 1, "the end of the span is not in it");
    let late = store.pattern(&rule, at(6), at(99)).await.unwrap();
    assert_eq!(late.judged, 3, "its beginning is");
    let own = RuleAt {
        source: CANARY_SOURCE.to_owned(),
        ..rule
    };
    assert_eq!(store.pattern(&own, at(0), at(99)).await.unwrap().judged, 0);
}

pub(crate) async fn a_finding_is_open_once_and_accepted_once(store: &Store) {
    let sample = |value| Sample { n: 20, value };
    let deviation = |measure, holds_closing| Deviation {
        of: RuleAt {
            source: "siem".to_owned(),
            rule: "r".to_owned(),
        },
        measure,
        baseline: sample(0.25),
        recent: sample(0.75),
        recent_since: at(0),
        holds_closing,
        what: "more is closed".to_owned(),
    };
    let quiet = deviation(Measure::NewTool, false);
    let loud = deviation(Measure::CloseRate, true);
    store.add_finding(&quiet, at(1)).await.unwrap().unwrap();
    assert_eq!(store.holds_closing(&loud.of).await.unwrap(), None);
    let id = store.add_finding(&loud, at(1)).await.unwrap().unwrap();
    assert_eq!(store.add_finding(&loud, at(2)).await.unwrap(), None);
    let holds = store.holds_closing(&loud.of).await.unwrap().unwrap();
    assert_eq!((holds.id, &holds.deviation), (id, &loud));
    let other = RuleAt {
        source: "other".to_owned(),
        ..loud.of.clone()
    };
    assert_eq!(store.holds_closing(&other).await.unwrap(), None);

    let error = store.accept_finding(id, " ", at(3)).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    let accepted = store.accept_finding(id, "ana", at(3)).await.unwrap();
    assert_eq!(
        (accepted.state, accepted.accepted_at),
        (FindingState::Accepted, Some(at(3)))
    );
    let error = store.accept_finding(id, "bo", at(4)).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    let error = store.accept_finding(99, "bo", at(4)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
    assert_eq!(store.holds_closing(&loud.of).await.unwrap(), None);
    let open = store.findings(Some(FindingState::Open)).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(store.findings(None).await.unwrap().len(), 2);
    assert_eq!(store.accepted_of(&loud.of).await.unwrap(), [accepted]);
    // The same again is a new finding.
    assert!(store.add_finding(&loud, at(5)).await.unwrap().is_some());
    let entries = store.audit(0, 100).await.unwrap();
    let states: Vec<_> = entries.iter().map(|e| e.entry["state"].clone()).collect();
    assert_eq!(
        states,
        [
            json!("open"),
            json!("open"),
            json!("accepted"),
            json!("open")
        ]
    );
}
