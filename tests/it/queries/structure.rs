//! What is left of a query when its texts are taken out, and the texts; it judges nothing.

use std::ops::ControlFlow;

use serde_json::Value;
use sqlparser::ast::{Statement, Value as Literal, ValueWithSpan, VisitMut, VisitorMut};
use sqlparser::dialect::{Dialect, SQLiteDialect, SnowflakeDialect};
use sqlparser::parser::Parser;

/// The query with every text replaced by one and the same.
pub(super) fn skeleton(dialect: &str, query: &Value) -> String {
    taken_apart(dialect, query).0
}

/// The texts of a query, as their language reads them.
pub(super) fn texts(dialect: &str, query: &Value) -> Vec<String> {
    taken_apart(dialect, query).1
}

fn taken_apart(dialect: &str, query: &Value) -> (String, Vec<String>) {
    match (dialect, query) {
        ("splunk-spl", Value::String(text)) => spl(text),
        (_, Value::String(text)) => sql(dialect, text),
        (_, body) => {
            let mut found = Vec::new();
            let bare = json(body, &mut found);
            (bare.to_string(), found)
        }
    }
}

struct Take(Vec<String>);

impl VisitorMut for Take {
    type Break = ();

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Literal::SingleQuotedString(text) = &mut value.value {
            self.0.push(std::mem::replace(text, "text".to_owned()));
        }
        ControlFlow::Continue(())
    }
}

fn sql(dialect: &str, text: &str) -> (String, Vec<String>) {
    let language: &dyn Dialect = match dialect {
        "panther-sql" => &SnowflakeDialect {},
        _ => &SQLiteDialect {},
    };
    let mut statements = Parser::parse_sql(language, text).unwrap();
    let [Statement::Query(query)] = statements.as_mut_slice() else {
        panic!("not one query: {text}");
    };
    let mut taken = Take(Vec::new());
    let _ = query.visit(&mut taken);
    (query.to_string(), taken.0)
}

fn json(body: &Value, found: &mut Vec<String>) -> Value {
    match body {
        Value::String(text) => {
            found.push(text.clone());
            Value::String("text".to_owned())
        }
        Value::Array(items) => items.iter().map(|v| json(v, found)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| (k.clone(), json(v, found)))
            .collect(),
        other => other.clone(),
    }
}

/// Phrases as Splunk reads them: a backslash takes what follows as it is.
fn spl(text: &str) -> (String, Vec<String>) {
    let (mut bare, mut found) = (String::new(), Vec::new());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        bare.push(letter);
        if letter != '"' {
            continue;
        }
        let mut phrase = String::new();
        loop {
            match letters.next().expect("a phrase ends") {
                '\\' => phrase.extend(letters.next()),
                '"' => break,
                other => phrase.push(other),
            }
        }
        found.push(phrase);
    }
    (bare, found)
}
