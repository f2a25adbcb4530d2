//! Hostile SQL: everything that is not a bounded SELECT over the offered views is refused or stopped.

use lab::ServerName;
use serde_json::json;

use crate::harness::{AUTH, Client, WEB, lab};

const HOSTILE: &[&str] = &[
    "PRAGMA query_only = OFF",
    "PRAGMA table_list",
    "ATTACH DATABASE '/tmp/x.db' AS x",
    "DETACH DATABASE main",
    "VACUUM INTO '/tmp/x.db'",
    "SELECT 1; SELECT 2",
    "SELECT 1; PRAGMA query_only = OFF",
    "SELECT 1 /* ; */ ; DROP TABLE web --",
    "DELETE FROM web",
    "UPDATE _clock SET now = '9999'",
    "INSERT INTO web VALUES (1)",
    "REPLACE INTO _clock VALUES ('9')",
    "CREATE TABLE x (a)",
    "DROP VIEW web",
    "EXPLAIN SELECT * FROM web",
    "BEGIN",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM main.sqlite_master",
    "SELECT * FROM sqlite_schema",
    "SELECT * FROM sqlite_temp_master",
    "SELECT * FROM SQLite_Master",
    "SELECT * FROM \"sqlite_master\"",
    "SELECT * FROM [sqlite_master]",
    "SELECT * FROM `sqlite_master`",
    "SELECT * FROM 'sqlite_master'",
    "SELECT * FROM/**/sqlite_master",
    "SELECT * FROM _t0",
    "SELECT * FROM _T0",
    "SELECT * FROM main._t0",
    "SELECT * FROM temp.web",
    "SELECT * FROM main.web",
    "SELECT * FROM _clock",
    "SELECT * FROM web UNION ALL SELECT event_uid, event_time, raw, doc FROM _t0",
    "SELECT (SELECT max(raw) FROM _t0)",
    "SELECT * FROM web WHERE event_uid IN (SELECT event_uid FROM _t0)",
    "SELECT * FROM web WHERE event_uid IN _t0",
    "SELECT * FROM web WHERE EXISTS (SELECT 1 FROM _t0)",
    "SELECT * FROM web JOIN _t0 USING (event_uid)",
    "SELECT * FROM (SELECT * FROM (SELECT * FROM _t0))",
    "SELECT * FROM web ORDER BY (SELECT count(*) FROM _t0)",
    "SELECT * FROM web LIMIT (SELECT count(*) FROM _t0)",
    "SELECT count(*) FILTER (WHERE (SELECT 1 FROM _t0)) FROM web",
    "SELECT sum(1) OVER (ORDER BY (SELECT 1 FROM _t0)) FROM web",
    "VALUES ((SELECT raw FROM _t0))",
    "WITH _t0 AS (SELECT 1) SELECT * FROM _t0",
    "SELECT * FROM (WITH sqlite_master AS (SELECT 1) SELECT * FROM sqlite_master), sqlite_master",
    "SELECT * FROM (WITH _t0 AS (SELECT 1) SELECT * FROM _t0), _t0",
    "WITH pragma_table_list AS (SELECT 1) SELECT * FROM pragma_table_list",
    "WITH dbstat AS (SELECT 1) SELECT * FROM dbstat",
    "WITH x AS (DELETE FROM web RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE _clock SET now = '9' RETURNING *) SELECT * FROM x",
    "WITH x AS (INSERT INTO _clock VALUES ('9') RETURNING *) SELECT * FROM x",
    "SELECT * FROM pragma_table_info('web')",
    "SELECT * FROM pragma_table_list",
    "SELECT * FROM pragma_database_list()",
    "SELECT * FROM dbstat",
    "SELECT * FROM sqlite_dbpage",
    "SELECT * FROM fts3tokenize",
    "SELECT * FROM generate_series(1, 10)",
    "SELECT * FROM web(1)",
    "SELECT * FROM web INDEXED BY _t0_time",
    "TABLE _t0",
    "SELECT * INTO x FROM web",
    "SELECT load_extension('/tmp/x.so')",
    "SELECT LOAD_EXTENSION('/tmp/x.so')",
    "SELECT \"load_extension\"('/tmp/x.so')",
    "SELECT main.load_extension('x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/x', 'y')",
    "SELECT edit('x')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT randomblob(1000000000)",
    "SELECT zeroblob(1000000000)",
    "SELECT * FROM web WHERE src = coalesce(load_extension('x'), 'a')",
    "SELECT random()",
    "SELECT sqlite_version()",
    "SELECT ?",
    "SELECT $1",
    "SELECT :x",
    "SELECT 'a' AS 'x'' FROM _t0 --'",
    "SELECT 1 AS \"x\"\" FROM _t0 --\"",
    "SELECT 1 AS [x` FROM _t0 --]",
    "SELECT x'00' || x'zz'",
    "",
    ";",
    "--",
    "SELECT * FROM web -- \0",
];

/// Attempts to end a literal or a name early. They are text, and come back as text.
const LITERALS: &[(&str, &str)] = &[
    (
        r"SELECT 'x\'' UNION SELECT max(raw) FROM _t0 --' AS v",
        r"x\' UNION SELECT max(raw) FROM _t0 --",
    ),
    (r"SELECT 'x'''' FROM _t0 --' AS v", "x'' FROM _t0 --"),
    (r"SELECT 'x\' AS v", r"x\"),
    (r"SELECT 'a''b\''c' AS v", r"a'b\'c"),
    ("SELECT '/* */ -- ;' AS v", "/* */ -- ;"),
    ("SELECT 'a\"b`c[d]' AS v", "a\"b`c[d]"),
];

/// Statements that would run for ever or fill the memory.
const BOMBS: &[&str] = &[
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n), m(j) AS (SELECT 1 UNION ALL SELECT j + 1 FROM m) SELECT count(*) FROM n, m",
    "WITH RECURSIVE s(t) AS (SELECT 'aaaaaaaa' UNION ALL SELECT t || t FROM s) SELECT length(t) FROM s WHERE length(t) > 2000000000",
    "SELECT length(printf('%.*c', 900000000, 'x') || printf('%.*c', 900000000, 'y'))",
    "SELECT count(*) FROM events, events, events, events, events, events, events, events, events, events, events, events, events, events, events, events, events, events, events, events, events, events, events, events",
];

/// One step of SQLite's machine that takes many seconds: the answer does not wait for it.
const LONG_STEP: &str =
    "SELECT instr(printf('%.*c', 1400000, 'a'), printf('%.*c', 800000, 'a') || 'b')";

async fn client() -> (Client, tempfile::TempDir) {
    // The last row is after the clock: nobody may see it.
    let hidden = "{\"event_uid\":\"late\",\"event_time\":\"2026-07-16T00:00:00Z\",\"src\":\"secret-late\"}\n";
    let web = format!("{WEB}{hidden}");
    let dir = lab(&[("logs/web.jsonl", &web), ("logs/auth.jsonl", AUTH)]);
    (Client::start(ServerName::Siem, dir.path()).await, dir)
}

#[tokio::test]
async fn hostile_statements_are_refused() {
    let (client, _dir) = client().await;
    for sql in HOSTILE {
        let result = client.call("query_logs", json!({"sql": sql})).await;
        let answer = crate::harness::text(&result);
        assert!(!answer.contains("secret-late"), "{sql}: {answer}");
        assert_eq!(result.is_error, Some(true), "{sql}: {answer}");
    }
    // None of them left a mark.
    assert_eq!(
        client.sql("SELECT count(*) AS n FROM events").await,
        [json!({"n": 4})]
    );
}

#[tokio::test]
async fn literals_stay_literals() {
    let (client, _dir) = client().await;
    for (sql, wanted) in LITERALS {
        assert_eq!(client.sql(sql).await, [json!({"v": wanted})], "{sql}");
    }
}

#[tokio::test]
async fn endless_statements_are_stopped() {
    let (client, _dir) = client().await;
    for sql in BOMBS {
        let reason = client.refused("query_logs", json!({"sql": sql})).await;
        assert!(
            ["stopped after", "out of memory", "too big"]
                .iter()
                .any(|part| reason.contains(part)),
            "{sql}: {reason}"
        );
        assert_eq!(
            client.sql("SELECT count(*) AS n FROM web").await,
            [json!({"n": 3})],
            "{sql}"
        );
    }
}

#[tokio::test]
async fn a_long_step_does_not_hold_the_answer() {
    let (client, _dir) = client().await;
    let reason = client
        .refused("query_logs", json!({"sql": LONG_STEP}))
        .await;
    assert!(reason.contains("stopped after"), "{reason}");
}

#[tokio::test]
async fn deep_and_long_statements_do_not_break_the_server() {
    let (client, _dir) = client().await;
    let deep = |open: &str, close: &str, n: usize| {
        format!("SELECT {}1{}", open.repeat(n), close.repeat(n))
    };
    let statements = [
        deep("(", ")", 15_000),
        deep("(SELECT ", ")", 3_000),
        deep("NOT ", "", 7_000),
        deep("-", "", 30_000),
        deep("- ", "", 1_400),
        deep("1+", "", 15_000),
        deep("1+", "", 740),
        deep("1 IS NULL AND ", "", 370),
        deep("1 UNION SELECT ", "", 490),
        deep("", " IS NULL", 740),
        deep("", " COLLATE NOCASE", 740),
        deep("", "::int", 490),
        deep("", " IN (1", 300),
        deep("CASE WHEN 1 THEN ", " END", 300),
        format!("SELECT * FROM {}", vec!["web"; 700].join(" JOIN ")),
        format!("SELECT {}", "1,".repeat(40_000)),
    ];
    for sql in statements {
        let head: String = sql.chars().take(40).collect();
        let result = client.call("query_logs", json!({"sql": sql})).await;
        assert!(crate::harness::text(&result).len() < 100_000, "{head}");
        assert_eq!(
            client.sql("SELECT 1 AS a").await,
            [json!({"a": 1})],
            "{head}"
        );
    }
}
