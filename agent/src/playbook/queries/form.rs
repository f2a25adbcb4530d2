//! A dialect file as written; what it means is checked in `faults` and rendered in `text` and `dsl`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The language of a dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    /// SQL as SQLite reads it.
    Sqlite,
    /// SQL as Snowflake reads it.
    Snowflake,
    /// The JSON body of a search in Elasticsearch or OpenSearch.
    SearchDsl,
    /// Splunk's search language.
    Spl,
}

/// Type of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SlotType {
    /// A text, quoted for the dialect.
    Text,
    /// A list of texts, quoted and joined by commas.
    Texts,
    /// A whole number from 1 to 1000.
    Count,
    /// A span such as `48h`, reckoned back from the alert's time and quoted as a time.
    Before,
    /// As `before`, but later than the alert.
    After,
}

/// One dialect: a file of named queries.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::playbook) struct DialectForm {
    /// The language.
    pub(super) form: Option<Form>,
    /// The dialect that this one stands on; what is said here wins.
    pub(super) extends: Option<String>,
    /// The most rows the product gives; a larger `limit` is cut to it.
    pub(super) most: Option<u64>,
    /// Tables or indices by family of events.
    pub(super) tables: BTreeMap<String, Vec<String>>,
    /// What queries share, a text or JSON: `{@NAME}`.
    pub(super) parts: BTreeMap<String, Value>,
    /// Arguments of the tool; as whole values `{query}`, `{tables}`, `{limit}`, `{size}` (the body's own), and `{from}` and
    /// `{until}` in seconds.
    pub(super) call: Map<String, Value>,
    /// How rows stand in an answer; as the embedded siem gives them unless said.
    pub(super) answer: Option<AnswerForm>,
    /// The queries by name.
    pub(super) queries: BTreeMap<String, QueryForm>,
}

/// One named query.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QueryForm {
    /// What it finds, for people.
    pub finds: String,
    /// Slots and their types.
    pub slots: BTreeMap<String, SlotType>,
    /// Values of slots that a step leaves out.
    pub defaults: BTreeMap<String, Value>,
    /// Families of tables that it reads; all unless said.
    pub tables: Vec<String>,
    /// The query, for languages that are text.
    pub text: Option<String>,
    /// What `{tables}` repeats for each table, in SQL.
    pub each: Option<String>,
    /// The query, for languages that are JSON.
    pub body: Option<Value>,
    /// How its own rows stand in an answer, when not as the dialect's.
    pub answer: Option<AnswerForm>,
    /// Whether the first rows are all that is asked for, so that one more is no lack; no for all that are not said so.
    pub first: bool,
    /// Why the product can't answer it.
    pub not_available: Option<String>,
}

/// How rows stand in an answer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AnswerForm {
    /// Dotted paths of the list of rows, the first that is there counts; `*` goes through a list.
    pub rows: Vec<String>,
    /// How a text begins that says in words that nothing was found.
    pub nothing: Option<String>,
    /// Key of the event in a row; the row itself where it is not there.
    pub event: Option<String>,
    /// Key of the event's id in a row.
    pub uid: Option<String>,
    /// Key of the event's time in a row.
    pub time: Option<String>,
    /// Dotted paths at which `true` says that there is more.
    pub more: Vec<String>,
    /// Columns as the events spell them, where the product changes letter case.
    pub columns: Vec<String>,
    /// For counts: the fields of the one row and where they stand; `#` at the end is the length of a list.
    pub count: BTreeMap<String, Vec<String>>,
}

impl DialectForm {
    /// What is not said here is taken from `base`.
    pub(super) fn over(mut self, base: Self) -> Self {
        for (name, tables) in base.tables {
            self.tables.entry(name).or_insert(tables);
        }
        for (name, part) in base.parts {
            self.parts.entry(name).or_insert(part);
        }
        for (name, query) in base.queries {
            self.queries.entry(name).or_insert(query);
        }
        if self.call.is_empty() {
            self.call = base.call;
        }
        Self {
            form: self.form.or(base.form),
            extends: base.extends,
            most: self.most.or(base.most),
            answer: self.answer.or(base.answer),
            ..self
        }
    }
}
