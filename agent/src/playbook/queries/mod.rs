//! Named queries and their dialects: what is asked is named in a playbook, how it is asked stands in a data file.

mod answer;
mod dsl;
mod faults;
mod form;
mod load;
mod spl;
mod sql;
mod template;
mod values;

use serde_json::{Map, Value, json};
use state::model::Time;

use super::slots::rfc3339;

pub use answer::Rows;
pub(super) use load::{Dialects, dialects};

use form::{DialectForm, Form, QueryForm, SlotType};
use values::{Typed, Values};

/// Why a named query can't be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The dialect lacks it.
    #[error("the dialect has no query `{0}`")]
    Unknown(String),
    /// The product can't answer it.
    #[error("query `{query}` is not available here: {reason}")]
    NotAvailable {
        /// Query name.
        query: String,
        /// Why.
        reason: String,
    },
    /// A slot got no value.
    #[error("query `{query}` needs `{slot}`")]
    Missing {
        /// Query name.
        query: String,
        /// Slot without a value.
        slot: String,
    },
    /// A slot got a value of another type.
    #[error("query `{query}`: `{slot}` is not {expected}")]
    Type {
        /// Query name.
        query: String,
        /// The slot.
        slot: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The query has no such slot.
    #[error("query `{query}` has no slot `{slot}`")]
    Extra {
        /// Query name.
        query: String,
        /// The slot.
        slot: String,
    },
    /// A value can't be quoted in this dialect.
    #[error("`{slot}` {why}")]
    Unquotable {
        /// The slot.
        slot: String,
        /// Why.
        why: &'static str,
    },
    /// What was written is not what the dialect promises.
    #[error("the dialect is at fault: {0}")]
    Misfit(String),
}

/// One dialect: a file of named queries, with the operator's tables in it.
#[derive(Debug, Clone)]
pub struct Dialect {
    name: String,
    language: Form,
    form: DialectForm,
}

/// A query as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The query: a text, or an object where the product takes JSON.
    pub query: Value,
    /// Tables or indices that are read, joined by commas.
    pub tables: String,
    /// The most rows.
    pub limit: Option<u64>,
    /// The first and the last moment that is looked at.
    pub bounds: (Time, Time),
}

/// One query as people see it listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<'d> {
    /// Name.
    pub name: &'d str,
    /// What it finds.
    pub finds: &'d str,
    /// Slots, those without a default first.
    pub slots: Vec<&'d str>,
    /// Why it can't be asked.
    pub not_available: Option<String>,
}

impl Dialect {
    /// File name without its ending.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the dialect has a query, or says that it is not available.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.form.queries.contains_key(name)
    }

    /// Whether a query takes a slot; of one that is not available nothing is known.
    #[must_use]
    pub fn takes(&self, name: &str, slot: &str) -> bool {
        let query = self.form.queries.get(name);
        query.is_none_or(|q| q.not_available.is_some() || q.slots.contains_key(slot))
    }

    /// Whether a slot of a query is a number.
    #[must_use]
    pub fn counts(&self, name: &str, slot: &str) -> bool {
        let query = self.form.queries.get(name);
        query.and_then(|q| q.slots.get(slot)) == Some(&SlotType::Count)
    }

    /// Slot names that a query takes and does not default.
    #[must_use]
    pub fn required(&self, name: &str) -> Vec<&str> {
        self.form
            .queries
            .get(name)
            .map_or_else(Vec::new, |q| required(q).map(String::as_str).collect())
    }

    /// All queries by name.
    #[must_use]
    pub fn list(&self) -> Vec<Listed<'_>> {
        let listed = |(name, query)| self.listed(name, query);
        self.form.queries.iter().map(listed).collect()
    }

    fn listed<'d>(&'d self, name: &'d String, query: &'d QueryForm) -> Listed<'d> {
        let defaulted = query.defaults.keys();
        Listed {
            name,
            finds: &query.finds,
            slots: required(query)
                .chain(defaulted)
                .map(String::as_str)
                .collect(),
            not_available: self.silent(query),
        }
    }

    /// Why a query can't be asked whatever its slots hold.
    fn silent(&self, query: &QueryForm) -> Option<String> {
        if query.not_available.is_some() {
            return query.not_available.clone();
        }
        let families = self.families(query);
        let none = !families.is_empty() && self.tables_of(query).is_empty();
        none.then(|| {
            format!(
                "no table is named for {}; see [queries.tables]",
                families.join(", ")
            )
        })
    }

    /// Families of tables that a query reads.
    fn families<'d>(&'d self, query: &'d QueryForm) -> Vec<&'d str> {
        match query.tables.as_slice() {
            [] => self.form.tables.keys().map(String::as_str).collect(),
            named => named.iter().map(String::as_str).collect(),
        }
    }

    /// Tables that a query reads, each once.
    fn tables_of(&self, query: &QueryForm) -> Vec<&str> {
        let mut tables: Vec<&str> = Vec::new();
        for family in self.families(query) {
            for table in self.form.tables.get(family).into_iter().flatten() {
                if !tables.contains(&table.as_str()) {
                    tables.push(table);
                }
            }
        }
        tables
    }

    /// A query with its slots filled; values are typed and quoted, never pasted. `at` is the alert's time.
    ///
    /// # Errors
    /// When the query is unknown or not available, or a value is missing, extra, of another type or can't be quoted.
    pub fn ask(
        &self,
        name: &str,
        values: &Map<String, Value>,
        at: Time,
    ) -> Result<Asked, QueryError> {
        let query = self.form.queries.get(name);
        let query = query.ok_or_else(|| QueryError::Unknown(name.to_owned()))?;
        if let Some(reason) = self.silent(query) {
            return Err(QueryError::NotAvailable {
                query: name.to_owned(),
                reason,
            });
        }
        let values = Values::of((name, query), values, at, self.form.most)?;
        let unbounded = || QueryError::Misfit(format!("query `{name}` has no bounds in time"));
        Ok(Asked {
            query: self.write(query, &values)?,
            tables: self.tables_of(query).join(","),
            limit: values.limit(),
            bounds: values.bounds().ok_or_else(unbounded)?,
        })
    }

    fn write(&self, query: &QueryForm, values: &Values) -> Result<Value, QueryError> {
        match (&query.body, &query.text) {
            (Some(body), None) => dsl::Filling {
                parts: &self.form.parts,
                values,
                depth: 4,
            }
            .fill(body),
            (None, Some(text)) => {
                let text = self.text(query, text, values)?;
                let checked = match self.language {
                    Form::Spl => spl::only_searches(&text),
                    _ => sql::reads_once(self.language, &text),
                };
                checked.map_err(|why| QueryError::Misfit(format!("what was written {why}")))?;
                Ok(Value::String(text))
            }
            _ => Err(QueryError::Misfit(
                "it has neither text nor body".to_owned(),
            )),
        }
    }

    fn text(&self, query: &QueryForm, text: &str, values: &Values) -> Result<String, QueryError> {
        template::fill(text, |slot, way| {
            let strange = || QueryError::Misfit(format!("`{{{slot}}}` is not among the slots"));
            match slot.strip_prefix('@') {
                Some(part) => {
                    let part = self.part(part).ok_or_else(strange)?;
                    template::fill(part, |slot, way| self.slot((slot, way), values))
                }
                None if slot == "tables" => self.tables_text(query, values),
                None => self.slot((slot, way), values),
            }
        })
    }

    /// A shared text.
    fn part(&self, name: &str) -> Option<&str> {
        self.form.parts.get(name)?.as_str()
    }

    /// The tables of a query as its language names them together.
    fn tables_text(&self, query: &QueryForm, values: &Values) -> Result<String, QueryError> {
        let tables = self.tables_of(query);
        if self.language == Form::Spl {
            let named: Vec<String> = tables.iter().map(|t| format!("index=\"{t}\"")).collect();
            return Ok(format!("({})", named.join(" OR ")));
        }
        let each = query.each.as_deref().or(self.part("each"));
        let each = each.unwrap_or("{table}").trim();
        let written: Result<Vec<String>, QueryError> = tables
            .iter()
            .map(|table| {
                template::fill(each, |slot, way| match slot {
                    "table" => Ok((*table).to_owned()),
                    _ => self.slot((slot, way), values),
                })
            })
            .collect();
        Ok(written?.join("\nUNION ALL "))
    }

    fn slot(&self, slot: (&str, Option<&str>), values: &Values) -> Result<String, QueryError> {
        let (name, way) = slot;
        let value = values
            .get(name)
            .ok_or_else(|| QueryError::Misfit(format!("`{{{name}}}` is not among the slots")))?;
        let quoted = |text: &str| match self.language {
            Form::Spl => spl::quoted(text).map_err(|why| QueryError::Unquotable {
                slot: name.to_owned(),
                why,
            }),
            form => Ok(sql::quoted(form, text)),
        };
        match (value, way) {
            (Typed::Text(text), None) => quoted(text),
            (Typed::Text(text), Some("tail")) => quoted(values::tail(text)),
            (Typed::Texts(texts), None) => {
                let texts: Result<Vec<String>, QueryError> =
                    texts.iter().map(|t| quoted(t)).collect();
                Ok(texts?.join(", "))
            }
            (Typed::Count(n), None) => Ok(n.to_string()),
            // Splunk's bounds are read in the zone of its user unless they are seconds.
            (Typed::Time(time), None) if self.language == Form::Spl => {
                Ok(time.timestamp().to_string())
            }
            (Typed::Time(time), None) => quoted(&rfc3339(*time)),
            (_, way) => Err(QueryError::Misfit(format!(
                "`{{{name}:{}}}`: a slot of this type is not written that way",
                way.unwrap_or_default()
            ))),
        }
    }

    /// The arguments of the call that carries a query.
    #[must_use]
    pub fn arguments(&self, asked: &Asked) -> Map<String, Value> {
        let (from, until) = asked.bounds;
        let fill = |value: &Value| match value.as_str() {
            Some("{query}") => asked.query.clone(),
            Some("{tables}") => json!(asked.tables),
            Some("{limit}") => json!(asked.limit.unwrap_or(1)),
            Some("{from}") => json!(from.timestamp().to_string()),
            // Up to the end of the second in which the last moment lies.
            Some("{until}") => json!((until.timestamp() + 1).to_string()),
            _ => value.clone(),
        };
        let call = self.form.call.iter();
        call.map(|(k, v)| (k.clone(), fill(v))).collect()
    }

    /// Name of the argument that carries the query.
    #[must_use]
    pub fn argument(&self) -> &str {
        let mut call = self.form.call.iter();
        call.find(|(_, v)| v.as_str() == Some("{query}"))
            .map_or("", |(k, _)| k)
    }

    /// The rows of an answer to a named query, each as the mappings read one; nothing where answers are as the embedded
    /// siem gives them.
    ///
    /// # Errors
    /// Why it can't be read, for people.
    pub fn rows(&self, name: &str, answer: &Value) -> Option<Result<Rows, String>> {
        let own = self.form.queries.get(name).and_then(|q| q.answer.as_ref());
        own.or(self.form.answer.as_ref())
            .map(|form| answer::read(form, answer))
    }
}

fn required(query: &QueryForm) -> impl Iterator<Item = &String> {
    let free = |s: &&String| !query.defaults.contains_key(*s);
    query.slots.keys().filter(free)
}
