//! A store full of worked cases, made by SQL in one transaction: as many as wanted, the same ones every time. How they were
//! worked is made up; that the rows fit together as the daemon leaves them is not.

use std::path::Path;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use state::model::Time;
use state::store::Store;

/// Least number of closes a week that had to be drawn for review.
pub const LEAST: usize = 25;

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct Months {
    /// Cases, canaries among them.
    pub cases: i64,
    /// The first alert's time.
    pub from: Time,
    /// The last alert's time.
    pub until: Time,
    /// Changes everything that is drawn.
    pub seed: i64,
}

/// Makes the store.
///
/// # Errors
/// When it can't be opened or written.
pub async fn fill(file: &Path, months: Months) -> anyhow::Result<()> {
    Store::open(&format!("sqlite:{}", file.display()))
        .await?
        .close()
        .await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut db = options.connect().await?;
    db.execute("BEGIN").await?;
    let (from, until) = (
        months.from.timestamp_micros(),
        months.until.timestamp_micros(),
    );
    let step = (until - from) / months.cases.max(1);
    let plan = PLAN
        .replace("$cases", &months.cases.to_string())
        .replace("$from", &from.to_string())
        .replace("$step", &step.to_string());
    for statement in std::iter::once(plan.as_str()).chain(ROWS) {
        let sql = drawn(statement, months.seed).replace("$least", &LEAST.to_string());
        db.execute(AssertSqlSafe(sql)).await?;
    }
    db.execute("COMMIT").await?;
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    db.close().await?;
    Ok(())
}

/// Writes `$draw(salt, m)` out: a number from 0 up to, not including, `m`, for the row `n`.
fn drawn(statement: &str, seed: i64) -> String {
    let mut out = String::new();
    let mut rest = statement;
    while let Some((before, after)) = rest.split_once("$draw(") {
        let (salt, after) = after.split_once(", ").unwrap_or((after, ""));
        let (most, after) = after.split_once(')').unwrap_or((after, ""));
        out.push_str(before);
        out.push_str(&format!(
            "((((n * 48271 + ({salt}) * 69621 + {seed} * 7919) % 2147483647) * 16807 % 2147483647) * 48271 % 2147483647 / 97 % ({most}))"
        ));
        rest = after;
    }
    out + rest
}

/// How each case went: its clock points in microseconds, on whole milliseconds, and the way it took. What is older than two
/// weeks has come to its end, but for one in forty.
const PLAN: &str = "CREATE TEMP TABLE plan AS
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < $cases),
t AS (SELECT n, n % 50 = 49 AS canary, ($from + n * $step) / 1000 * 1000 AS c, $draw(1, 100) AS roll,
    CASE $draw(30, 3) WHEN 0 THEN 7 ELSE $draw(2, 60) END AS rule FROM n),
s AS (SELECT *, CASE WHEN rule < 8 THEN 100 ELSE $draw(3, 100) END AS harm,
    c > $from + $cases * $step - 1209600000000 OR $draw(31, 40) = 0 AS fresh,
    CASE rule % 6 WHEN 0 THEN 'critical' WHEN 1 THEN 'high' WHEN 2 THEN 'medium' WHEN 3 THEN 'low' WHEN 4 THEN 'informational' ELSE 'unknown' END AS severity,
    c + 1000 * (2000 + $draw(4, 900000)) AS i FROM t),
w AS (SELECT *, i + 1000 * (500 + $draw(5, 120000)) AS s,
    CASE WHEN harm < 4 THEN 'true_positive' WHEN harm < 8 THEN 'suspicious' WHEN harm < 15 THEN 'undetermined'
        WHEN harm < 60 THEN 'benign_positive' ELSE 'false_positive' END AS kind,
    CASE WHEN canary THEN 'auto' WHEN roll < 2 AND fresh THEN 'waiting' WHEN roll < 50 THEN 'auto' WHEN roll < 56 THEN 'drawn'
        WHEN roll < 64 THEN 'asked_yes' WHEN roll < 67 THEN 'asked_no' WHEN roll < 69 THEN 'asked_silent'
        WHEN roll < 71 AND fresh THEN 'asked_open' WHEN roll < 71 THEN 'asked_silent' WHEN roll < 94 THEN 'kept'
        WHEN roll < 97 OR NOT fresh THEN 'again' ELSE 'again_open' END AS way FROM s),
k AS (SELECT n, canary, c, rule, severity, i, s, s + 1000 * (1000 + $draw(6, 300000)) AS v, fresh,
    CASE WHEN kind IN ('benign_positive', 'false_positive') OR way = 'waiting' THEN way ELSE 'kept' END AS way, kind FROM w),
e AS (SELECT *, v + 1000 AS ended, v + 1000 + 1000 * (60000 + $draw(7, 40000000)) AS later,
    CASE WHEN rule % 2 THEN 'siem-a' ELSE 'siem-b' END AS source, 1 + $draw(8, 3) AS tier,
    CASE WHEN rule < 8 THEN kind WHEN $draw(9, 4) = 0 THEN 'true_positive' WHEN $draw(9, 4) = 1 THEN 'benign_positive' ELSE kind END AS word,
    NOT canary AND (way = 'asked_yes' OR (way = 'auto' AND $draw(10, 20) = 0)
        OR (way IN ('drawn', 'kept', 'asked_no', 'asked_silent') AND (NOT fresh OR $draw(10, 3) > 0))) AS told FROM k)
SELECT *, later + CASE WHEN way IN ('asked_no', 'asked_silent') THEN 3600000000 ELSE 0 END AS said,
    told AND way IN ('drawn', 'kept', 'asked_no', 'asked_silent') AS closed_by_person FROM e";

const ROWS: [&str; 30] = [
    "INSERT INTO cases (id, title, status, outcome, opened, alert_time, updated, attempts, fence, canary)
     SELECT n, 'case of rule ' || rule,
         CASE WHEN way IN ('waiting', 'again_open') THEN 'new' WHEN way IN ('auto', 'asked_yes', 'again') OR closed_by_person THEN 'closed'
             WHEN way = 'asked_open' THEN 'awaiting_approval' ELSE 'escalated' END,
         CASE WHEN way IN ('waiting', 'again_open') THEN NULL WHEN way IN ('auto', 'asked_yes', 'again') OR closed_by_person THEN 'closed'
             WHEN way = 'asked_open' THEN 'awaiting_approval' ELSE 'escalated' END,
         i, c, CASE WHEN way = 'waiting' THEN i WHEN way = 'auto' OR (way IN ('kept', 'drawn', 'asked_open') AND NOT told) THEN ended ELSE said + 5000000 END,
         1, 1, canary FROM plan",
    // Every seventh case has two alerts; one alert in five says nothing of its events, and some were made less than a
    // millisecond before their only event.
    "INSERT INTO alerts (case_id, joined_fence, source, source_alert_id, mapping, product, rule_id, rule_name, rule_groups, severity, time,
         received, attacks, entities, observables, activities, raw)
     SELECT n, 0, CASE WHEN canary THEN 'nightdesk-canary' ELSE source END, 'a-' || n || '-' || extra, 'plain', 'okta', 'r-' || rule, 'Rule ' || rule,
         '[]', severity, c + extra * 1000 - (n % 3 = 0) * 300, i + extra * 1000, '[]', '[]', '[]',
         CASE $draw(11, 5) WHEN 0 THEN '[]' ELSE '[{\"uid\":\"e\",\"time\":\"' || strftime('%Y-%m-%dT%H:%M:%fZ', (c - 1000 * $draw(12, 600000) * ($draw(41, 4) > 0)) / 1e6, 'unixepoch')
             || '\",\"schema\":\"plain\",\"fields\":{},\"trusted\":[],\"raw\":{}}]' END, '{}'
     FROM plan JOIN (SELECT 0 AS extra UNION SELECT 1) ON extra = 0 OR n % 7 = 0",
    "INSERT INTO case_entities (case_id, kind, role, trust, key, value, joins)
     SELECT n, 'user', 'principal', 'trusted', 'user:' || CASE $draw(13, 3) WHEN 0 THEN 'u' || $draw(14, 50) ELSE 'svc-' || rule END,
         CASE $draw(13, 3) WHEN 0 THEN 'u' || $draw(14, 50) ELSE 'svc-' || rule END, 1 FROM plan",
    // Somebody else acts in every case, and in no alert of it.
    "INSERT INTO case_entities (case_id, kind, role, trust, key, value, joins)
     SELECT n, 'user', 'principal', 'trusted', 'user:zz-bystander', 'zz-bystander', 0 FROM plan",
    "INSERT INTO mentions (alert_id, part, key, at, actor, place)
     SELECT a.id, 'user', e.key, a.time, e.key, '' FROM alerts a JOIN case_entities e ON e.case_id = a.case_id AND e.value <> 'zz-bystander'",
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data) SELECT n, 1, i, 'nightdesk', 'opened', 'opened', 'null' FROM plan",
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
     SELECT n, 2, s, 'nightdesk', 'claimed', 'taken', 'null' FROM plan WHERE way <> 'waiting'",
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
     SELECT n, 3, ended, 'nightdesk', CASE WHEN way IN ('auto', 'again', 'again_open') THEN 'closed' WHEN way LIKE 'asked%' THEN 'asked' ELSE 'escalated' END,
         CASE WHEN way = 'drawn' THEN 'drawn for review' ELSE 'ended' END, 'null' FROM plan WHERE way <> 'waiting'",
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
     SELECT n, 4, later, CASE way WHEN 'asked_silent' THEN 'nightdesk' ELSE 'ana' END, CASE way WHEN 'asked_yes' THEN 'closed' ELSE 'escalated' END,
         'answered', 'null' FROM plan WHERE way IN ('asked_yes', 'asked_no', 'asked_silent')",
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
     SELECT n, 6, said, 'ana', 'closed', 'closed by ana', 'null' FROM plan WHERE closed_by_person",
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
     SELECT n, 4, later, 'nightdesk', 'claimed', 'taken again', 'null' FROM plan WHERE way IN ('again', 'again_open')",
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
     SELECT n, 5, later + 5000000, 'nightdesk', 'closed', 'closed again', 'null' FROM plan WHERE way = 'again'",
    // An earlier verdict of the daemon in one case of ten.
    "INSERT INTO verdicts (case_id, alert_id, kind, rank, reason, impact, confidence, close_allowed, tier, vetoes, basis, provenance, at, superseded)
     SELECT n, a.id, 'undetermined', 3, 'needs_data', 'unknown', 40, 0, 1, '[]',
         '{\"sentence\":\"s\",\"probability\":0.5,\"reasons\":[],\"evidence_refs\":[],\"gaps\":[],\"techniques\":[]}',
         '{\"tier\":1,\"analyst\":\"model\",\"analyst_note\":null,\"playbook\":\"p\",\"playbook_hash\":\"h\",\"model\":null,\"prompt_hash\":null}',
         v - 1000, 1 FROM plan JOIN alerts a ON a.case_id = n WHERE way <> 'waiting' AND $draw(15, 10) = 0",
    "INSERT INTO verdicts (case_id, alert_id, kind, rank, reason, impact, confidence, close_allowed, tier, vetoes, basis, provenance, at, superseded)
     SELECT n, a.id, kind, CASE kind WHEN 'true_positive' THEN 5 WHEN 'suspicious' THEN 4 WHEN 'undetermined' THEN 3 WHEN 'benign_positive' THEN 2 ELSE 1 END,
         CASE $draw(16, 4) WHEN 0 THEN 'admin_activity' WHEN 1 THEN 'incorrect_logic' WHEN 2 THEN 'maintenance' ELSE 'expected_business' END,
         'none', 90, 1, tier, '[]', '{\"sentence\":\"s\",\"probability\":0.1,\"reasons\":[],\"evidence_refs\":[],\"gaps\":[],\"techniques\":[]' ||
             CASE $draw(50, 4) WHEN 0 THEN '}' ELSE ',\"earliest\":\"' ||
                 strftime('%Y-%m-%dT%H:%M:%fZ', (c - 1000 * $draw(51, 900000000) * ($draw(52, 5) > 0)) / 1e6, 'unixepoch') || '\"}' END,
         '{\"tier\":' || tier || ',\"analyst\":\"playbook\",\"analyst_note\":null,\"playbook\":\"p\",\"playbook_hash\":\"h\",\"model\":null,\"prompt_hash\":null}',
         v, told AND way <> 'asked_yes' FROM plan JOIN alerts a ON a.case_id = n WHERE way <> 'waiting'",
    // A person's verdict; a confirmed close leaves only the word.
    "INSERT INTO verdicts (case_id, alert_id, kind, rank, reason, impact, confidence, close_allowed, tier, vetoes, basis, provenance, at, superseded)
     SELECT n, a.id, word, 0, 'needs_human', 'unknown', 100, 0, tier, '[]',
         '{\"sentence\":\"s\",\"probability\":0.1,\"reasons\":[],\"evidence_refs\":[],\"gaps\":[],\"techniques\":[]}',
         '{\"tier\":1,\"analyst\":\"human\",\"analyst_note\":null,\"playbook\":\"p\",\"playbook_hash\":\"h\",\"model\":null,\"prompt_hash\":null}',
         said, 0 FROM plan JOIN alerts a ON a.case_id = n WHERE told AND way <> 'asked_yes'",
    "INSERT INTO feedback (alert_id, kind, given_by, channel, note, source, rule_id, principal, shape, content, signals, alert_time, at)
     SELECT a.id, CASE way WHEN 'asked_yes' THEN kind ELSE word END, 'ana', 'test', '', a.source, a.rule_id, '', '', '', '[]', a.time, said
     FROM plan JOIN alerts a ON a.case_id = n WHERE told",
    "INSERT INTO approvals (case_id, action, summary, digest, binding, state, asked, expires, answered_by, answered_at)
     SELECT n, 'close', 'close it', 'd', '{}', CASE way WHEN 'asked_yes' THEN 'used' WHEN 'asked_no' THEN 'denied' WHEN 'asked_silent' THEN 'expired' ELSE 'pending' END,
         ended, CASE WHEN way = 'asked_silent' AND $draw(42, 2) = 0 THEN later - 1000 ELSE ended + 86400000000 END,
         CASE WHEN way IN ('asked_yes', 'asked_no') THEN 'ana' END, CASE WHEN way <> 'asked_open' THEN later END
     FROM plan WHERE way LIKE 'asked%'",
    // A question that nobody answered ran out or lapsed; the daemon says so.
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
     SELECT n, 8, later, 'nightdesk', 'answered', 'ended', 'null' FROM plan WHERE way = 'asked_silent'",
    // One of two people has said yes; and some cases that people have were taken over.
    "INSERT INTO approval_votes (approval_id, person, answer, reason, channel, at)
     SELECT a.id, 'cy', 'approve', '', 'test', ended + 7000000 FROM plan JOIN approvals a ON a.case_id = n
     WHERE way IN ('asked_open', 'asked_yes') AND $draw(43, 2) = 0",
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
     SELECT n, 8, ended + 7000000, 'nightdesk', 'answered', 'cy says yes, 1 of 2', 'null' FROM plan
     WHERE way IN ('asked_open', 'asked_yes') AND $draw(43, 2) = 0",
    "INSERT INTO takeovers (case_id, by, channel, at) SELECT n, 'bo', 'test', ended + 9000000 FROM plan
     WHERE way = 'kept' AND kind <> 'true_positive' AND NOT canary AND $draw(44, 5) = 0",
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
     SELECT case_id, 8, at, by, 'answered', 'taken over by ' || by, '{\"taken_over\":true}' FROM takeovers",
    // True positives: a countermeasure was asked for, some were approved and carried out.
    "INSERT INTO approvals (case_id, action, summary, digest, binding, state, asked, expires, answered_by, answered_at)
     SELECT n, 'edr.isolate', 'isolate it', 'd', '{}', CASE $draw(17, 3) WHEN 0 THEN 'denied' WHEN 1 THEN 'used' ELSE 'pending' END, ended, ended + 3600000000,
         CASE WHEN $draw(17, 3) < 2 THEN 'bo' END, CASE WHEN $draw(17, 3) < 2 THEN ended + 1000 * (1000 + $draw(18, 900000)) END
     FROM plan WHERE kind = 'true_positive' AND way <> 'waiting' AND NOT canary",
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
     SELECT case_id, 7, answered_at, answered_by, 'answered', 'answered', 'null' FROM approvals WHERE answered_by IS NOT NULL",
    "INSERT INTO effects (id, case_id, tool, class, target, arguments, arguments_digest, decision, reason, raises, d3fend, at)
     SELECT n, n, 'edr.isolate', 'destructive', 'h', '{}', 'd', CASE $draw(17, 3) WHEN 0 THEN 'denied' WHEN 1 THEN 'executed' ELSE 'awaiting_approval' END,
         'r', 0, CASE WHEN $draw(19, 5) > 0 THEN 'D3-NI' END, ended FROM plan WHERE kind = 'true_positive' AND way <> 'waiting' AND NOT canary",
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
     SELECT n, 9, ended + 1000 * (2000000 + $draw(20, 900000)), 'nightdesk', 'effect_carried_out', 'done',
         json_object('effect', n, 'decision', 'executed', 'proof', CASE $draw(45, 3) WHEN 0 THEN 'already_so' ELSE 'requested' END)
     FROM plan WHERE kind = 'true_positive' AND way <> 'waiting' AND NOT canary AND $draw(17, 3) = 1",
    // What was requested is read back later, or never.
    "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
     SELECT n, 10, ended + 1000 * (3000000 + $draw(46, 900000)), 'nightdesk', 'effect_carried_out', 'read back',
         json_object('effect', n, 'decision', 'executed', 'proof', 'confirmed')
     FROM plan WHERE kind = 'true_positive' AND way <> 'waiting' AND NOT canary AND $draw(17, 3) = 1 AND $draw(45, 3) = 1",
    "INSERT INTO case_spent (case_id, tool_calls, turns, tokens_in, tokens_out, usd)
     SELECT n, 2, $draw(21, 6), $draw(22, 9000), $draw(23, 900), $draw(24, 64) / 1024.0 FROM plan WHERE way <> 'waiting'",
    "INSERT INTO tool_calls (case_id, tier, asked_by, tool, class, arguments, outcome, started, millis)
     SELECT n, 1, 'step', CASE k WHEN 0 THEN 'siem.query' ELSE 'id.user' || $draw(25, 3) END, 'read_internal', '{}',
         CASE WHEN $draw(26 + k, 40) = 0 THEN 'tool_error' WHEN $draw(26 + k, 40) = 1 THEN 'timed_out' WHEN $draw(26 + k, 40) = 2 THEN 'denied' ELSE 'ok' END, s, 20
     FROM plan JOIN (SELECT 0 AS k UNION SELECT 1) WHERE way <> 'waiting'",
    // What came up for a close without a person was drawn or not, in weeks from Monday, UTC.
    "INSERT INTO review_lots (case_id, at, week, least, drawn)
     SELECT n, ended, (ended - 345600000000) / 604800000000 * 604800000000 + 345600000000, $least, way = 'drawn'
     FROM plan WHERE way IN ('drawn', 'auto', 'again', 'again_open')",
];
