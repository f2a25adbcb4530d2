//! Lays the period's alerts out with all their clock points, once, in temporary tables of the read transaction; the figures
//! are taken elsewhere.

use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::super::Result;
use super::super::rows::{json as text, micros};
use super::{Period, Terms};
use crate::model::CANARY_SOURCE;

/// What people did, by case: answers to questions, votes on them, words on alerts, and taking a case over. Whatever else a
/// person can do to a case belongs here, as one more part of the union, and counts everywhere from then on.
const HUMAN_ACTIONS: &str = "INSERT INTO touches (case_id, at)
    SELECT case_id, answered_at FROM approvals WHERE answered_by IS NOT NULL AND answered_at >= ?1
    UNION ALL
    SELECT a.case_id, f.at FROM feedback f JOIN alerts a ON a.id = f.alert_id WHERE f.at >= ?1 AND a.case_id IS NOT NULL
    UNION ALL
    SELECT p.case_id, v.at FROM approval_votes v JOIN approvals p ON p.id = v.approval_id WHERE v.at >= ?1
    UNION ALL
    SELECT case_id, at FROM takeovers WHERE at >= ?1";

const TABLES: [&str; 5] = [
    "CREATE TEMP TABLE touches (case_id INTEGER NOT NULL, at INTEGER NOT NULL)",
    "CREATE TEMP TABLE terms (severity TEXT PRIMARY KEY, acknowledge INTEGER, resolve INTEGER, minutes REAL) WITHOUT ROWID",
    "CREATE TEMP TABLE rule_minutes (rule TEXT PRIMARY KEY, minutes REAL) WITHOUT ROWID",
    "CREATE TEMP TABLE clocks (alert INTEGER PRIMARY KEY, case_id INTEGER, source TEXT, rule TEXT, title TEXT, severity TEXT,
         e INTEGER, c INTEGER, i INTEGER, s INTEGER, v INTEGER, xe INTEGER, xa INTEGER, a INTEGER, k INTEGER, z INTEGER, z1 INTEGER,
         machine INTEGER, human TEXT, copied INTEGER)",
    "CREATE TEMP TABLE cohort (alert INTEGER PRIMARY KEY, case_id INTEGER, source TEXT, rule TEXT, title TEXT, severity TEXT,
         e INTEGER, c INTEGER, i INTEGER, s INTEGER, v INTEGER, x INTEGER, asked INTEGER, a INTEGER, k INTEGER, z INTEGER, z1 INTEGER,
         h INTEGER, touched INTEGER, r INTEGER, machine TEXT, tier INTEGER, reason TEXT, human TEXT, own TEXT,
         final TEXT, minutes REAL)",
];

/// Clock points that stand in the store as they are. A turn of a case counts for an alert from when it came. A word that
/// was given with the yes to a proposed close, by the same person at the same moment, is a copy of the daemon's verdict.
const CLOCKS: &str = "INSERT INTO clocks
    SELECT a.id, a.case_id, a.source, a.rule_id, a.rule_name, a.severity,
        (SELECT min(CAST(round(unixepoch(j.value ->> '$.time', 'subsec') * 1000) AS INTEGER) * 1000)
         FROM json_each(a.activities) j),
        a.time, a.received,
        (SELECT min(t.at) FROM timeline_events t WHERE t.case_id = a.case_id AND t.kind = 'claimed' AND t.at >= a.received
             AND t.kind IN ('claimed', 'escalated', 'asked', 'closed', 'effect_carried_out')),
        (SELECT v.at FROM verdicts v WHERE v.alert_id = a.id AND v.provenance ->> '$.analyst' <> 'human'
         ORDER BY v.id LIMIT 1),
        (SELECT min(t.at) FROM timeline_events t WHERE t.case_id = a.case_id AND t.kind = 'escalated' AND t.at >= a.received
             AND t.kind IN ('claimed', 'escalated', 'asked', 'closed', 'effect_carried_out')),
        (SELECT min(t.at) FROM timeline_events t WHERE t.case_id = a.case_id AND t.kind = 'asked' AND t.at >= a.received
             AND t.kind IN ('claimed', 'escalated', 'asked', 'closed', 'effect_carried_out')),
        (SELECT min(t.at) FROM timeline_events t JOIN effects e ON e.id = t.data ->> '$.effect'
         WHERE t.case_id = a.case_id AND t.kind = 'effect_carried_out' AND t.at >= a.received
             AND t.data ->> '$.decision' = 'executed' AND t.data ->> '$.proof' IN ('requested', 'confirmed') AND e.d3fend IS NOT NULL
             AND t.kind IN ('claimed', 'escalated', 'asked', 'closed', 'effect_carried_out')),
        (SELECT min(t.at) FROM timeline_events t JOIN effects e ON e.id = t.data ->> '$.effect'
         WHERE t.case_id = a.case_id AND t.kind = 'effect_carried_out' AND t.at >= a.received
             AND t.data ->> '$.decision' = 'executed' AND t.data ->> '$.proof' = 'confirmed' AND e.d3fend IS NOT NULL
             AND t.kind IN ('claimed', 'escalated', 'asked', 'closed', 'effect_carried_out')),
        CASE WHEN c.status = 'closed' THEN
            (SELECT max(t.at) FROM timeline_events t WHERE t.case_id = a.case_id AND t.kind = 'closed' AND t.at >= a.received
                 AND t.kind IN ('claimed', 'escalated', 'asked', 'closed', 'effect_carried_out')) END,
        (SELECT min(t.at) FROM timeline_events t WHERE t.case_id = a.case_id AND t.kind = 'closed' AND t.at >= a.received
             AND t.kind IN ('claimed', 'escalated', 'asked', 'closed', 'effect_carried_out')),
        (SELECT max(v.id) FROM verdicts v WHERE v.alert_id = a.id AND v.provenance ->> '$.analyst' <> 'human'),
        f.kind,
        EXISTS (SELECT 1 FROM approvals p WHERE p.action = 'close' AND p.state = 'used'
             AND p.answered_by = f.given_by AND p.answered_at = f.at
             AND p.case_id IN (SELECT a.case_id UNION SELECT s.from_case FROM splits s WHERE s.to_case = a.case_id))
    FROM alerts a LEFT JOIN cases c ON c.id = a.case_id
    LEFT JOIN feedback f ON f.alert_id = a.id AND f.superseded = 0
    WHERE a.time >= ?1 AND a.time < ?2 AND a.source <> ?3 AND coalesce(c.canary, 0) = 0";

/// Clock points that follow from others, the verdicts, and what the alert would cost by hand.
const COHORT: &str = "INSERT INTO cohort
    SELECT q.alert, q.case_id, q.source, q.rule, q.title, q.severity, q.e, q.c, q.i, q.s, q.v, q.x,
        q.xa IS NOT NULL AND q.xa = q.x, q.a, q.k, q.z, q.z1,
        CASE WHEN q.x IS NOT NULL THEN (SELECT min(t.at) FROM touches t WHERE t.case_id = q.case_id AND t.at >= q.x) END,
        (SELECT min(t.at) FROM touches t WHERE t.case_id = q.case_id AND t.at >= q.i),
        CASE WHEN q.z1 IS NOT NULL THEN
            (SELECT min(t.at) FROM timeline_events t WHERE t.case_id = q.case_id AND t.kind = 'claimed' AND t.at > q.z1
                 AND t.kind IN ('claimed', 'escalated', 'asked', 'closed', 'effect_carried_out')) END,
        m.kind, m.tier, m.reason, q.human, CASE WHEN NOT q.copied THEN q.human END, coalesce(q.human, m.kind), coalesce(r.minutes, s.minutes)
    FROM (SELECT *, min(coalesce(xe, xa), coalesce(xa, xe)) AS x FROM clocks) q
    LEFT JOIN verdicts m ON m.id = q.machine
    LEFT JOIN terms s ON s.severity = q.severity
    LEFT JOIN rule_minutes r ON r.rule = q.rule";

/// Lays out `cohort`, `touches` and `terms`.
pub(super) async fn lay_out(
    db: &mut SqliteConnection,
    period: &Period,
    terms: &Terms,
) -> Result<()> {
    for table in TABLES {
        sqlx::query(table).execute(&mut *db).await?;
    }
    let since = micros(period.since);
    sqlx::query(HUMAN_ACTIONS)
        .bind(since)
        .execute(&mut *db)
        .await?;
    sqlx::query("CREATE INDEX temp.touches_by_case ON touches (case_id, at)")
        .execute(&mut *db)
        .await?;
    let micros_of = |seconds: Option<f64>| seconds.map(|s| (s * 1e6).round());
    let severities: Vec<Value> = terms
        .severities
        .iter()
        .map(|(s, t)| json!([s, micros_of(t.acknowledge), micros_of(t.resolve), t.minutes]))
        .collect();
    sqlx::query(
        "INSERT INTO terms SELECT value ->> 0, CAST(value ->> 1 AS INTEGER), CAST(value ->> 2 AS INTEGER), value ->> 3
         FROM json_each(?1)",
    )
    .bind(text(&severities)?)
    .execute(&mut *db)
    .await?;
    sqlx::query("INSERT INTO rule_minutes SELECT value ->> 0, value ->> 1 FROM json_each(?1)")
        .bind(text(&terms.rule_minutes)?)
        .execute(&mut *db)
        .await?;
    sqlx::query(CLOCKS)
        .bind(since)
        .bind(micros(period.until))
        .bind(CANARY_SOURCE)
        .execute(&mut *db)
        .await?;
    sqlx::query(COHORT).execute(&mut *db).await?;
    Ok(())
}
