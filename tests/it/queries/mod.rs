//! Named queries in every shipped dialect: the same questions, written so that no value changes what is asked.

mod answers;
mod files;
mod structure;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use agent::config::Config;
use agent::daemon::data;
use agent::playbook::{Asked, Dialect, Library, QueryError};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use structure::{skeleton, texts};

/// Every dialect that ships, with a table for each family that the operator has to name.
static DIALECTS: LazyLock<BTreeMap<&'static str, Library>> = LazyLock::new(|| {
    [
        "lab-sql",
        "panther-sql",
        "elastic",
        "opensearch",
        "splunk-spl",
    ]
    .map(|name| (name, library(name)))
    .into()
});

fn library(dialect: &str) -> Library {
    let mut config = Config::default();
    config.queries.dialect = dialect.to_owned();
    if dialect == "panther-sql" {
        let table = vec!["panther_logs.public.crowdstrike_fdrevent".to_owned()];
        config.queries.tables.insert("endpoint".to_owned(), table);
    }
    data(&config).map(|d| d.library).unwrap()
}

fn at() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

/// Later than any query looks.
fn late() -> DateTime<Utc> {
    "2026-04-02T12:00:00Z".parse().unwrap()
}

/// Values that mean something to one of the languages.
const ADVERSARIAL: &[&str] = &[
    "' OR 1=1 --",
    "'; DROP TABLE events; --",
    "\\' OR 1=1 --",
    "\\",
    "\\\\",
    "it's \"quoted\"",
    "\"}},{\"match_all\":{}}",
    "\" | delete",
    "\\\" | delete",
    "] | [search index=_internal",
    "x\ny",
    "*",
    "a*b?c",
    "${jndi:ldap://x}",
    "`macro`",
    "{value}",
    "{@mentions}",
    "{tables}",
    "$$ body $$",
    "/* */ -- # ;",
    "CORP\\o'neil",
    "péter\u{202e}\u{1f980}",
    "\u{0}nul",
    "",
];

/// The query with this text in every text slot.
fn asked(dialect: &Dialect, query: &str, text: &str) -> Result<Asked, QueryError> {
    let slots: Map<String, Value> = dialect
        .required(query)
        .into_iter()
        .map(|slot| (slot.to_owned(), json!(text)))
        .collect();
    dialect.ask(query, &slots, at(), late())
}

fn each(mut check: impl FnMut(&Dialect, &str)) {
    for library in DIALECTS.values() {
        for query in library.dialect().list() {
            assert_eq!(query.not_available, None, "{}", query.name);
            check(library.dialect(), query.name);
        }
    }
}

#[test]
fn every_dialect_asks_the_same_questions_of_the_same_slots() {
    let slots = |d: &Dialect| {
        let list = d.list();
        let of = |q: &agent::playbook::Listed<'_>| {
            let mut slots: Vec<String> = q.slots.iter().map(|s| (*s).to_owned()).collect();
            slots.sort();
            (q.name.to_owned(), slots)
        };
        list.iter().map(of).collect::<BTreeMap<_, _>>()
    };
    let lab = slots(DIALECTS["lab-sql"].dialect());
    for name in [
        "logins_of",
        "others_using",
        "processes_under",
        "first_seen",
        "rarity_of",
    ] {
        assert!(lab.contains_key(name), "{name}");
    }
    for (name, library) in DIALECTS.iter() {
        assert_eq!(slots(library.dialect()), lab, "{name}");
    }
}

/// What is asked with a harmless value, by dialect and query.
static BENIGN: LazyLock<BTreeMap<(String, String), String>> = LazyLock::new(|| {
    let mut all = BTreeMap::new();
    each(|dialect, query| {
        let bare = skeleton(dialect.name(), &asked(dialect, query, "ana").unwrap().query);
        all.insert((dialect.name().to_owned(), query.to_owned()), bare);
    });
    all
});

#[test]
fn no_value_changes_what_is_asked() {
    each(|dialect, query| {
        ADVERSARIAL
            .iter()
            .for_each(|text| holds(dialect, query, text))
    });
}

/// The query keeps its structure and the value comes back as it was, or it is refused because it can't be quoted.
fn holds(dialect: &Dialect, query: &str, text: &str) {
    let place = format!("{} {query} {text:?}", dialect.name());
    let asked = match asked(dialect, query, text) {
        Ok(asked) => asked,
        Err(QueryError::Unquotable { .. }) => {
            let hard = |c: char| matches!(c, '*' | '`') || c.is_control();
            assert_eq!(dialect.name(), "splunk-spl", "{place}");
            return assert!(text.contains(hard), "{place}");
        }
        Err(e) => panic!("{place}: {e}"),
    };
    let benign = &BENIGN[&(dialect.name().to_owned(), query.to_owned())];
    assert_eq!(&skeleton(dialect.name(), &asked.query), benign, "{place}");
    let text = text.replace('\0', "");
    if !dialect.required(query).is_empty() {
        assert!(
            texts(dialect.name(), &asked.query).contains(&text),
            "{place}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_drawn_value_changes_what_is_asked(text in r#"[\PC'"\\|*`{}$\[\]\n;-]{0,40}"#) {
        each(|dialect, query| holds(dialect, query, &text));
    }
}

#[test]
fn every_query_is_bounded_in_time_and_rows() {
    each(|dialect, query| {
        let place = format!("{} {query}", dialect.name());
        let asked = asked(dialect, query, "ana").unwrap();
        let (from, until) = asked.bounds;
        assert!(from < until, "{place}");
        let text = asked.query.to_string();
        let shown = |time: DateTime<Utc>| match dialect.name() {
            "splunk-spl" => time.timestamp().to_string(),
            _ => time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        };
        assert!(
            text.contains(&shown(from)) && text.contains(&shown(until)),
            "{place}"
        );
        let arguments = dialect.arguments(&asked);
        assert_eq!(arguments[dialect.argument()], asked.query, "{place}");
        if query == "rarity_of" {
            return assert_eq!(asked.limit, None, "{place}");
        }
        let limit = asked.limit.unwrap();
        assert!(
            (1..=191).contains(&limit) && text.contains(&limit.to_string()),
            "{place}"
        );
        // One more is asked for than is taken; of the oldest, that there are more is no lack.
        let most = (query != "first_seen").then(|| limit - 1);
        assert_eq!(asked.most, most, "{place}");
    });
}

#[test]
fn a_limit_is_cut_to_what_the_product_gives() {
    let slots = json!({"value": "ana", "limit": 900});
    for (name, most) in [("lab-sql", 901), ("opensearch", 100), ("splunk-spl", 200)] {
        let dialect = DIALECTS[name].dialect();
        let asked = dialect
            .ask("events_of", slots.as_object().unwrap(), at(), late())
            .unwrap();
        assert_eq!(asked.limit, Some(most), "{name}");
        assert_eq!(asked.most, Some(most - 1), "{name}");
    }
}

#[test]
fn nothing_is_looked_at_after_the_last_moment_that_may_be() {
    for library in DIALECTS.values() {
        let slots = json!({"value": "ana", "after": "48h"});
        let (at, as_of) = (at(), at() + chrono::TimeDelta::minutes(15));
        let asked = library
            .dialect()
            .ask("events_of", slots.as_object().unwrap(), at, as_of);
        assert_eq!(asked.unwrap().bounds.1, as_of);
    }
}

#[test]
fn one_question_in_every_dialect() {
    let slots = json!({"value": "CORP\\o'neil", "other": "198.51.100.7"});
    for (name, library) in DIALECTS.iter() {
        let dialect = library.dialect();
        let asked = dialect
            .ask("others_using", slots.as_object().unwrap(), at(), late())
            .unwrap();
        let mut arguments = dialect.arguments(&asked);
        let query = arguments.remove(dialect.argument()).unwrap();
        let query = query.as_str().map_or_else(
            || serde_json::to_string_pretty(&query).unwrap(),
            str::to_owned,
        );
        let shown = format!("{}\n\n{query}", Value::Object(arguments));
        insta::assert_snapshot!(*name, shown);
    }
}
