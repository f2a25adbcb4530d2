//! Writes a query in its dialect's language and checks what was written; values are typed by then.

use serde_json::Value;

use super::super::slots::rfc3339;
use super::form::{Form, QueryForm};
use super::values::{Typed, Values};
use super::{Dialect, QueryError, dsl, spl, sql, template, values};

/// How deep parts may lie in parts.
const DEEPEST: u8 = 4;

/// What a text is written from.
#[derive(Clone, Copy)]
struct Scope<'a> {
    query: &'a QueryForm,
    values: &'a Values,
    /// The table that is written, inside of what is repeated for each.
    table: Option<&'a str>,
    depth: u8,
}

impl Dialect {
    /// The query with these values.
    pub(super) fn write(&self, query: &QueryForm, values: &Values) -> Result<Value, QueryError> {
        match (&query.body, &query.text) {
            (Some(body), None) => dsl::Filling {
                parts: &self.form.parts,
                values,
                depth: DEEPEST,
            }
            .fill(body),
            (None, Some(text)) => {
                let scope = Scope {
                    query,
                    values,
                    table: None,
                    depth: DEEPEST,
                };
                let text = self.text(text, scope)?;
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

    fn text(&self, template: &str, scope: Scope<'_>) -> Result<String, QueryError> {
        template::fill(template, |slot, way| {
            let strange = || QueryError::Misfit(format!("`{{{slot}}}` is not among the slots"));
            match (slot.strip_prefix('@'), slot, scope.table) {
                (Some(part), ..) => {
                    let part = self.part(part).filter(|_| scope.depth > 0);
                    let depth = scope.depth.saturating_sub(1);
                    self.text(part.ok_or_else(strange)?, Scope { depth, ..scope })
                }
                (None, "tables", None) => self.tables_text(scope),
                (None, "table", Some(table)) => Ok(table.to_owned()),
                _ => self.slot((slot, way), scope.values),
            }
        })
    }

    /// A shared text.
    pub(super) fn part(&self, name: &str) -> Option<&str> {
        Some(self.form.parts.get(name)?.as_str()?.trim())
    }

    /// The tables of a query as its language names them together.
    fn tables_text(&self, scope: Scope<'_>) -> Result<String, QueryError> {
        let tables = self.tables_of(scope.query);
        if self.language == Form::Spl {
            let named: Vec<String> = tables.iter().map(|t| format!("index=\"{t}\"")).collect();
            return Ok(format!("({})", named.join(" OR ")));
        }
        let each = scope.query.each.as_deref().or(self.part("each"));
        let each = each.unwrap_or("{table}").trim();
        let of = |table: &&str| {
            let table = Some(*table);
            self.text(each, Scope { table, ..scope })
        };
        let written: Result<Vec<String>, QueryError> = tables.iter().map(of).collect();
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
}
