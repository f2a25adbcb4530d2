//! Slack's own part against a fake Slack over real HTTP and WebSocket: posts, drawing, clicks, and every way they fail.

use std::sync::Arc;

use agent::config::SlackConfig;
use agent::ctx::{Dice, SystemClock};
use agent::notify::Post;
use agent::notify::card::{
    Ask, BatchCard, CaseCard, Closed, Digest, Judged, Line, Notice, Reason, ReasonFor, Reminder,
};
use agent::notify::slack::Slack;
use chrono::{TimeDelta, Utc};
use state::model::{ApprovalState, CaseId, Severity, VerdictKind};
use tests::slack::FakeSlack;

mod asking;
mod attacked;
mod bench;
mod clicking;
mod drill;
mod hostile;
mod listener;
mod manifest;
mod posting;
mod samples;
mod settings;
mod socket;

/// Slack as the daemon sets it up, against a fake.
pub(crate) async fn slack(fake: &FakeSlack, mode: &str) -> Arc<Slack> {
    let config = config(&fake.settings(mode));
    Arc::new(
        Slack::new(&config, Arc::new(SystemClock), Dice::seeded("slack"))
            .await
            .unwrap(),
    )
}

fn config(text: &str) -> SlackConfig {
    let config = agent::config::from_text(text, "test.toml").unwrap();
    config.people.notify.slack.unwrap()
}

/// A question about an effect.
fn question(approval: i64) -> Ask {
    Ask {
        approval,
        action: "identity.revoke_sessions".to_owned(),
        summary: "revoke the sessions of ana".to_owned(),
        arguments: "{\"reason\":\"ND-7\",\"user\":\"ana\"}".to_owned(),
        digest: "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab".to_owned(),
        asked: Utc::now(),
        expires: Utc::now() + TimeDelta::hours(4),
        reason: ReasonFor::Denial,
        needed: 1,
        approved_by: Vec::new(),
        state: ApprovalState::Pending,
        answered_by: None,
    }
}

/// A card with these questions.
fn case(asks: Vec<Ask>) -> CaseCard {
    CaseCard {
        case: CaseId(7),
        title: "Push sent to a user at night".to_owned(),
        severity: Severity::High,
        verdict: Some(Judged {
            kind: VerdictKind::TruePositive,
            confidence: 92,
            tier: 2,
            analyst: "playbook".to_owned(),
        }),
        facts: vec![
            ("Rule".to_owned(), "Okta.Push.Night".to_owned()),
            ("Principal".to_owned(), "ana".to_owned()),
        ],
        reasons: vec![Reason {
            text: "the address was never used by ana before".to_owned(),
            evidence: vec!["E2".to_owned(), "E4".to_owned()],
        }],
        unchecked: vec!["threat intelligence: the server is down".to_owned()],
        asks,
        standing: "a person decides on the sessions".to_owned(),
        owner: None,
        closed: Closed::No,
        judged: String::new(),
    }
}

fn batch(number: i64, cases: i64) -> BatchCard {
    BatchCard {
        batch: number,
        title: "expected logins from the office".to_owned(),
        count: usize::try_from(cases).unwrap(),
        sample: vec![case(Vec::new()), case(Vec::new())],
        cases: (1..=cases).map(CaseId).collect(),
        digest: "0f".repeat(32),
        expires: Utc::now() + TimeDelta::hours(24),
        outcome: None,
    }
}

/// One post of each kind.
fn every_kind() -> Vec<Post> {
    vec![
        Post::Case(Box::new(case(vec![question(12)]))),
        Post::Batch(Box::new(batch(3, 40))),
        Post::Line(Line {
            case: CaseId(7),
            at: Utc::now(),
            actor: "nightdesk".to_owned(),
            text: "another alert has joined".to_owned(),
        }),
        Post::Reminder(Reminder {
            case: CaseId(7),
            rung: 1,
            text: "one question waits for 10 minutes".to_owned(),
            mention: vec!["S00ONCALL1".to_owned()],
        }),
        Post::Notice(Notice {
            severity: Severity::Critical,
            title: "closing is switched off".to_owned(),
            text: "the canary was closed; run nightdesk resume".to_owned(),
        }),
        Post::Digest(Digest {
            week: "2026-W47".to_owned(),
            numbers: vec![("Alerts".to_owned(), "412".to_owned(), "+3 %".to_owned())],
            sections: vec![(
                "Noisiest rules".to_owned(),
                vec!["Okta.Push: 80".to_owned()],
            )],
            report: None,
        }),
    ]
}
