//! What is particular to SQLite files: schema, locks, damage.

use std::fmt::Write as _;

use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use state::model as m;
use state::store::{Store, StoreError};

use crate::make::{at, claimed, ending, file_store, new_alert, url};

async fn raw(dir: &tempfile::TempDir) -> SqliteConnection {
    SqliteConnection::connect(&url(dir)).await.unwrap()
}

#[tokio::test]
async fn a_newer_store_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    file_store(&dir).await.close().await;
    let mut db = raw(&dir).await;
    sqlx::raw_sql(
        "INSERT INTO _sqlx_migrations SELECT 999, 'later', installed_on, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1",
    )
    .execute(&mut db)
    .await
    .unwrap();
    for _ in 0..2 {
        let error = Store::open(&url(&dir)).await.unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Newer { found: 999, known } if known < 999
            ),
            "{error}"
        );
        assert!(error.to_string().contains("newer nightdesk"));
    }
}

#[tokio::test]
async fn an_edited_schema_change_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    file_store(&dir).await.close().await;
    let mut db = raw(&dir).await;
    sqlx::raw_sql("UPDATE _sqlx_migrations SET checksum = x'00'")
        .execute(&mut db)
        .await
        .unwrap();
    let error = Store::open(&url(&dir)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsupported { .. }), "{error}");
}

#[tokio::test]
async fn one_daemon_a_store_and_readers_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Store::open_exclusive(&url(&dir)).await.unwrap();
    let error = Store::open_exclusive(&url(&dir)).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    let reader = Store::open(&url(&dir)).await.unwrap();
    daemon
        .store_alerts(&[new_alert(1, "ann")], &[], None, at(0))
        .await
        .unwrap();
    assert_eq!(reader.counts().await.unwrap().alerts, 1);
    daemon.close().await;
    let next = Store::open_exclusive(&url(&dir)).await.unwrap();
    assert_eq!(next.counts().await.unwrap().alerts, 1);
}

#[tokio::test]
async fn a_store_that_is_not_there_is_made_only_when_it_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let error = Store::open_existing(&url(&dir)).await.unwrap_err();
    assert!(matches!(error, StoreError::Absent { .. }), "{error}");
    let place = dir.path().join("deep/nd.db");
    assert!(error.to_string().contains(&*place.to_string_lossy()));
    assert!(!dir.path().join("deep").exists(), "nothing is left behind");
    file_store(&dir).await.close().await;
    Store::open_existing(&url(&dir)).await.unwrap();
}

/// What the schema does not hold out: damage, the table it is in, a word of the reason.
const DAMAGE: &[(&str, &str, &str)] = &[
    (
        "UPDATE cases SET status = 'done' WHERE id = 1",
        "cases",
        "done",
    ),
    (
        "UPDATE cases SET opened = 9223372036854775807 WHERE id = 1",
        "cases",
        "opened",
    ),
    (
        "UPDATE alerts SET entities = '[{}]' WHERE case_id = 1",
        "alerts",
        "entities",
    ),
    (
        "UPDATE alerts SET severity = 'dire' WHERE case_id = 1",
        "alerts",
        "dire",
    ),
    (
        "UPDATE verdicts SET basis = '[' WHERE case_id = 1",
        "verdicts",
        "basis",
    ),
    (
        "UPDATE case_spent SET turns = -1 WHERE case_id = 1",
        "case_spent",
        "turns",
    ),
    (
        "UPDATE timeline_events SET data = '{' WHERE case_id = 1",
        "timeline_events",
        "data",
    ),
];

#[tokio::test]
async fn damage_is_named_and_stops_only_what_reads_it() {
    for (sql, table, word) in DAMAGE {
        let dir = tempfile::tempdir().unwrap();
        let store = file_store(&dir).await;
        for n in 1..3 {
            let (claim, alert) = claimed(&store, n, "ann").await;
            store
                .record(ending(
                    &claim,
                    &alert,
                    m::VerdictKind::BenignPositive,
                    m::CaseEvent::Closed,
                ))
                .await
                .unwrap();
        }
        let mut db = raw(&dir).await;
        let guards = "DROP TRIGGER alerts_keep_what_came; DROP TRIGGER verdicts_stay_as_given;
            DROP TRIGGER timeline_events_stay_as_written; PRAGMA ignore_check_constraints = on;";
        sqlx::raw_sql(guards).execute(&mut db).await.unwrap();
        sqlx::raw_sql(*sql).execute(&mut db).await.unwrap();
        let mut faults = Vec::new();
        for id in [1, 2].map(m::CaseId) {
            let results = [
                store.case(id).await.err(),
                store.alerts_of(id).await.err(),
                store.current_verdicts(id).await.err(),
                store.spent_of(id).await.err(),
                store.timeline(id).await.err(),
            ];
            faults.extend(results.into_iter().flatten().map(|e| (id, e)));
        }
        assert_eq!(faults.len(), 1, "{sql}: {faults:?}");
        assert_eq!(faults[0].0, m::CaseId(1));
        let StoreError::Corrupt {
            table: found,
            why,
            id,
        } = &faults[0].1
        else {
            panic!("{sql}: {faults:?}");
        };
        assert_eq!(found, table);
        assert!(why.contains(*word) && id.contains('1'), "{sql}: {id} {why}");
    }
}

#[tokio::test]
async fn a_changed_body_and_a_file_that_is_no_store_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    let store = file_store(&dir).await;
    let digest = store.put_body(b"was").await.unwrap();
    sqlx::raw_sql("UPDATE bodies SET bytes = x'00'")
        .execute(&mut raw(&dir).await)
        .await
        .unwrap();
    let error = store.body(&digest).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Corrupt {
                table: "bodies",
                ..
            }
        ),
        "{error}"
    );
    let other = dir.path().join("other.db");
    std::fs::write(&other, "no database ".repeat(1_000)).unwrap();
    let error = Store::open(other.to_str().unwrap()).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Corrupt {
                table: "database",
                ..
            }
        ),
        "{error}"
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn the_schema_and_the_nouns_have_the_same_words() {
    let dir = tempfile::tempdir().unwrap();
    let store = file_store(&dir).await;
    let schema: Vec<String> =
        sqlx::query_scalar("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
            .fetch_all(&mut raw(&dir).await)
            .await
            .unwrap();
    let schema = schema.join("\n");
    fn list<T: std::fmt::Display>(column: &str, all: &[T]) -> String {
        let mut text = format!("CHECK ({column} IN (");
        for (n, word) in all.iter().enumerate() {
            write!(text, "{}'{word}'", if n > 0 { ", " } else { "" }).unwrap();
        }
        text + "))"
    }
    for check in [
        list("status", m::CaseStatus::ALL),
        list("outcome", m::Outcome::ALL),
        list("outcome", m::CallOutcome::ALL),
        list("severity", m::Severity::ALL),
        list("kind", m::EntityKind::ALL),
        list("kind", m::VerdictKind::ALL),
        list("kind", m::TimelineKind::ALL),
        list("role", m::Role::ALL),
        list("trust", m::Trust::ALL),
        list("class", m::ToolClass::ALL),
        list("answer", m::Answer::ALL),
        list("state", m::StepState::ALL),
        list("state", m::ApprovalState::ALL),
        list("analyst", m::Analyst::ALL),
        list("reason", m::VerdictReason::ALL),
        list("impact", m::Impact::ALL),
        list("decision", m::EffectDecision::ALL),
        list("switch", m::Switch::ALL),
        list("state", m::SwitchState::ALL),
        list("state", m::CanaryState::ALL),
        list("measure", m::Measure::ALL),
        list("state", m::FindingState::ALL),
        list("held_for", m::AskedBy::ALL),
    ] {
        assert!(schema.contains(&check), "{check} is not in the schema");
    }
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0
             AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations'",
    )
    .fetch_one(&mut raw(&dir).await)
    .await
    .unwrap();
    assert_eq!(tables, 0, "every table is strict");
    store.append_audit(at(0), &json!({})).await.unwrap();
}
