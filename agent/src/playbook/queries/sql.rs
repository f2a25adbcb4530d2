//! SQL: how a value is quoted, and that what was written is one reading statement; what may be asked is not judged here.

use std::ops::ControlFlow;

use sqlparser::ast::{Query, SetExpr, Statement, Visit, Visitor};
use sqlparser::dialect::{Dialect, SQLiteDialect, SnowflakeDialect};
use sqlparser::parser::Parser;

use super::form::Form;

/// A text as a literal. Snowflake reads a backslash in one as an escape, SQLite does not.
pub(super) fn quoted(form: Form, text: &str) -> String {
    let text = match form {
        Form::Snowflake => text.replace('\\', r"\\"),
        _ => text.to_owned(),
    };
    format!("'{}'", text.replace('\'', "''"))
}

/// That a text is exactly one statement and that it reads.
///
/// # Errors
/// Why not, for people.
pub(super) fn reads_once(form: Form, sql: &str) -> Result<(), String> {
    let statements = parse(form, sql)?;
    let [Statement::Query(query)] = statements.as_slice() else {
        return Err("is not exactly one SELECT".to_owned());
    };
    match query.visit(&mut ReadsOnly) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(why) => Err(why.to_owned()),
    }
}

fn parse(form: Form, sql: &str) -> Result<Vec<Statement>, String> {
    let dialect: &dyn Dialect = match form {
        Form::Snowflake => &SnowflakeDialect {},
        _ => &SQLiteDialect {},
    };
    Parser::parse_sql(dialect, sql).map_err(|e| format!("is no SQL of this dialect: {e}"))
}

struct ReadsOnly;

impl Visitor for ReadsOnly {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        if !query.locks.is_empty() {
            return ControlFlow::Break("locks rows");
        }
        match reading(&query.body) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break("does more than read"),
        }
    }
}

fn reading(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_none(),
        SetExpr::SetOperation { left, right, .. } => reading(left) && reading(right),
        // A query inside is visited by itself.
        SetExpr::Query(_) | SetExpr::Values(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_reading_statement_passes() {
        for (sql, passes) in [
            ("SELECT 1", true),
            (
                "WITH a AS (SELECT 1) SELECT * FROM a UNION ALL (SELECT 2)",
                true,
            ),
            ("SELECT 1; SELECT 2", false),
            ("SELECT 1; DROP TABLE t", false),
            ("DELETE FROM t", false),
            ("INSERT INTO t VALUES (1)", false),
            ("SELECT * INTO t FROM u", false),
            ("SELECT 'open", false),
            ("", false),
        ] {
            for form in [Form::Sqlite, Form::Snowflake] {
                assert_eq!(reads_once(form, sql).is_ok(), passes, "{form:?} {sql}");
            }
        }
    }

    #[test]
    fn each_dialect_quotes_by_its_own_rules() {
        assert_eq!(quoted(Form::Sqlite, r"CORP\o'neil"), r"'CORP\o''neil'");
        assert_eq!(quoted(Form::Snowflake, r"CORP\o'neil"), r"'CORP\\o''neil'");
    }
}
