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
mod write;

use serde_json::{Map, Value, json};
use state::model::Time;

pub use answer::{Rows, cut};
pub(super) use load::{Dialects, dialects};

use form::{DialectForm, Form, QueryForm, SlotType};
use values::Values;

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
    /// The most rows that are asked for.
    pub limit: Option<u64>,
    /// The most rows that are taken, or days where rows are sampled by day: an answer with more is cut and not the whole.
    pub most: Option<u64>,
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

    /// A query with its slots filled; values are typed and quoted, never pasted. `at` is the alert's time, `as_of` the last
    /// moment that may be looked at.
    ///
    /// # Errors
    /// When the query is unknown or not available, or a value is missing, extra, of another type or can't be quoted.
    pub fn ask(
        &self,
        name: &str,
        values: &Map<String, Value>,
        at: Time,
        as_of: Time,
    ) -> Result<Asked, QueryError> {
        let query = self.form.queries.get(name);
        let query = query.ok_or_else(|| QueryError::Unknown(name.to_owned()))?;
        if let Some(reason) = self.silent(query) {
            return Err(QueryError::NotAvailable {
                query: name.to_owned(),
                reason,
            });
        }
        let values = Values::of((name, query), values, (at, as_of), self.form.most)?;
        let unbounded = || QueryError::Misfit(format!("query `{name}` has no bounds in time"));
        Ok(Asked {
            query: self.write(query, &values)?,
            tables: self.tables_of(query).join(","),
            limit: values.limit(),
            most: values.limit().filter(|_| !query.first).map(|n| n - 1),
            bounds: values.bounds().ok_or_else(unbounded)?,
        })
    }

    /// The arguments of the call that carries a query.
    #[must_use]
    pub fn arguments(&self, asked: &Asked) -> Map<String, Value> {
        let (from, until) = asked.bounds;
        let fill = |value: &Value| match value.as_str() {
            Some("{query}") => asked.query.clone(),
            Some("{tables}") => json!(asked.tables),
            Some("{limit}") => json!(asked.limit.unwrap_or(1)),
            Some("{size}") => asked.query.get("size").cloned().unwrap_or_default(),
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

    /// The rows of an answer to a named query, at most so many, each as the mappings read one; nothing where answers are as
    /// the embedded siem gives them.
    ///
    /// # Errors
    /// Why it can't be read, for people.
    pub fn rows(
        &self,
        name: &str,
        answer: &Value,
        most: Option<u64>,
    ) -> Option<Result<Rows, String>> {
        let own = self.form.queries.get(name).and_then(|q| q.answer.as_ref());
        own.or(self.form.answer.as_ref())
            .map(|form| answer::read(form, answer, most))
    }
}

fn required(query: &QueryForm) -> impl Iterator<Item = &String> {
    let free = |s: &&String| !query.defaults.contains_key(*s);
    query.slots.keys().filter(free)
}
