//! Dialect files and `[queries]`: what the loader refuses, and what an operator may lay over a shipped dialect.

use agent::config::{Config, from_text};
use agent::daemon::{Data, data};
use serde_json::json;

use super::{at, late};

const GOOD: &str = r#"
form: sqlite
call: {sql: "{query}"}
tables: {cloud: [trail], endpoint: []}
parts: {found: "SELECT a FROM"}
queries:
  find:
    finds: something
    tables: [cloud]
    slots: {value: text, before: before, until: before, limit: count}
    defaults: {before: 24h, until: 1h, limit: 5}
    each: "{@found} {table} WHERE t >= {before} AND t <= {until} AND v = {value}"
    text: "SELECT * FROM ({tables}) LIMIT {limit}"
"#;

/// What is changed, into what, and what the loader must say of it.
const BROKEN: &[(&str, &str, &str)] = &[
    ("form: sqlite", "form: cobol", "unknown variant"),
    ("form: sqlite\n", "", "says no `form`"),
    ("{query}", "query", "exactly one argument"),
    ("call: {sql", "cal: {sql", "unknown field"),
    (
        "[trail]",
        "['trail; DROP TABLE x']",
        "is not the name of a table",
    ),
    ("finds: something", "finds: ''", "says no `finds`"),
    ("LIMIT {limit}", "LIMIT {most}", "names `{most}`"),
    (
        " LIMIT {limit}",
        "",
        "has the slot `limit` and does not name it",
    ),
    ("until: 1h,", "until: 1h, other: x,", "defaults `other`"),
    ("tables: [cloud]", "tables: [scm]", "no such family"),
    ("SELECT * FROM", "DELETE FROM", "can't be written"),
    (
        "LIMIT {limit}",
        "LIMIT {limit}; SELECT 1",
        "not exactly one SELECT",
    ),
    ("AND t <= {until} ", "", "names no two bounds in time"),
    (
        "    text:",
        "    body: {a: 1}\n    text:",
        "needs `text` and no `body`",
    ),
    (
        "    finds",
        "    not_available: ''\n    finds",
        "gives no reason",
    ),
    ("form: sqlite", "extends: nobody", "no queries/nobody.yaml"),
    ("form: sqlite", "extends: ours", "extends itself"),
];

/// What the daemon reads when the operator's folder holds these dialects.
fn loaded(dialects: &[(String, String)], settings: &str) -> Result<Data, String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("queries")).unwrap();
    for (name, text) in dialects {
        std::fs::write(dir.path().join(format!("queries/{name}.yaml")), text).unwrap();
    }
    let mut config: Config = from_text(settings, "test").map_err(|e| e.to_string())?;
    config.paths.playbooks = Some(dir.path().to_owned());
    data(&config).map_err(|e| e.to_string())
}

fn ours(text: &str) -> [(String, String); 1] {
    [("ours".to_owned(), text.to_owned())]
}

#[test]
fn what_must_be_refused_is_refused_by_name() {
    loaded(&ours(GOOD), "").map(drop).unwrap();
    let mut broken = Vec::new();
    for (i, (from, to, _)) in BROKEN.iter().enumerate() {
        let name = format!("broken-{i}");
        let text = GOOD.replacen(from, &to.replace("ours", &name), 1);
        assert_ne!(text, GOOD, "{from} does not stand in the dialect");
        broken.push((name, text));
    }
    let found = loaded(&broken, "").map(drop).unwrap_err();
    for ((name, _), (_, to, said)) in broken.iter().zip(BROKEN) {
        let mut faults = found.split("playbooks/queries/");
        let told = faults.any(|f| f.starts_with(&format!("{name}.yaml")) && f.contains(said));
        assert!(told, "{to}: expected {said:?} of {name}, got {found}");
    }
}

#[test]
fn an_operator_lays_one_query_tables_and_arguments_over_a_dialect() {
    let ours_text = "extends: panther-sql\nqueries:\n  around:\n    finds: nothing here\n    not_available: we keep no such log\n";
    let settings = "[queries]\ntool = \"panther.query_data_lake\"\ndialect = \"ours\"\nargument = \"statement\"\n\
                    arguments = { timeout = 90 }\n[queries.tables]\ncloud = [\"lake.logs.trail\"]\nidentity = []\n";
    let library = loaded(&ours(ours_text), settings).unwrap().library;
    let dialect = library.dialect();
    let gap = dialect
        .ask("around", &serde_json::Map::new(), at(), late())
        .unwrap_err();
    assert_eq!(
        gap.to_string(),
        "query `around` is not available here: we keep no such log"
    );
    let slots = json!({"value": "ana"});
    let asked = dialect
        .ask("events_of", slots.as_object().unwrap(), at(), late())
        .unwrap();
    let arguments = dialect.arguments(&asked);
    let sql = arguments["statement"].as_str().unwrap();
    assert!(
        sql.contains("FROM lake.logs.trail") && !sql.contains("okta_systemlog"),
        "{sql}"
    );
    assert_eq!(arguments["timeout"], 90);
    assert!(!arguments.contains_key("sql"));
    let slots = json!({"process": "1", "host": "h"});
    let gap = dialect
        .ask("processes_under", slots.as_object().unwrap(), at(), late())
        .unwrap_err();
    assert!(gap.to_string().contains("[queries.tables]"), "{gap}");
}

#[test]
fn what_stands_on_the_operators_dialect_is_not_held_to_be_whole() {
    let elastic = "form: search_dsl\ncall: {body: \"{query}\"}\n".to_owned();
    let library = loaded(&[("elastic".to_owned(), elastic)], "").map(|d| d.library);
    assert_eq!(library.unwrap().dialect().name(), "lab-sql");
}

#[test]
fn settings_that_mean_nothing_are_faults() {
    for (settings, said) in [
        (
            "[queries.tables]\ncloud = [\"x\"]",
            "no such family of tables; it has none",
        ),
        (
            "[queries]\ndialect = \"kql\"",
            "there is no such query dialect",
        ),
        (
            "[queries]\ndialect = \"ours\"\n[queries.tables]\ncloud = [\"x y\"]",
            "`x y` is not the name",
        ),
    ] {
        let found = loaded(&ours(GOOD), settings).map_or_else(|e| e, |_| String::new());
        assert!(found.contains(said), "{settings}: {found}");
    }
}

#[test]
fn a_step_must_ask_what_its_query_takes() {
    let dir = tempfile::tempdir().unwrap();
    let step = "id: trial\ntitle: T\nselect: trusted.alert.rule_id == 'x'\nscoring: {prior: 0.0, escalate: {at_least: 0.9, reason: malicious_activity}}\nfallback: Look.\nsignals: []\n\
                steps:\n  - {id: a, tier: 2, query: around, args: {value: $user}, asks: \"What?\"}\n";
    std::fs::write(dir.path().join("trial.yaml"), step).unwrap();
    let mut config = Config::default();
    config.paths.playbooks = Some(dir.path().to_owned());
    let found = data(&config).map(drop).unwrap_err().to_string();
    assert!(
        found.contains("query `around` has no slot `value`"),
        "{found}"
    );
}
