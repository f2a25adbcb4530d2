//! Which SQL may run: one SELECT over the offered views and its own named parts, calling listed
//! functions only. What runs is written anew from the checked tree, so that nothing unparsed
//! reaches SQLite. Time, rows and memory are bounded elsewhere.

use std::{collections::BTreeSet, ops::ControlFlow, thread};

use sqlparser::{
    ast::{
        Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query,
        SetExpr, Statement, TableFactor, Value, ValueWithSpan, VisitMut, VisitorMut,
    },
    dialect::SQLiteDialect,
    parser::Parser,
    tokenizer::{Token, Tokenizer},
};

use crate::files::bounded;

mod functions;

use functions::{ALLOWED, OF_TIME};

/// The longest statement, in bytes.
const LONGEST: usize = 32 * 1024;
/// The most words and operators; it bounds how deep a tree can grow.
const MOST_TOKENS: usize = 1500;
/// Stack for walking the deepest tree of that many tokens, several times what it takes unoptimised.
const STACK: usize = 32 * 1024 * 1024;

/// Why a statement does not run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not allowed; the reason reads alone.
    Not(String),
    /// It reads a table that is not offered.
    NoSuchTable(String),
}

/// A statement that may run.
#[derive(Debug)]
pub(super) struct Checked {
    /// The statement, written from the checked tree.
    pub sql: String,
    /// The offered views it reads, in small letters.
    pub views: BTreeSet<String>,
}

/// Checks a statement against the views there are and the names it must not shadow, both in small
/// letters.
pub(super) fn check(
    sql: &str,
    views: &BTreeSet<String>,
    reserved: &BTreeSet<String>,
) -> Result<Checked, Refusal> {
    bound(sql)?;
    // A chain of operators becomes a tree as deep as the chain is long.
    thread::scope(|scope| {
        thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, || check_tree(sql, views, reserved))
            .map_err(|error| not(format!("can't check the SQL: {error}")))?
            .join()
            .unwrap_or_else(|_| Err(not("the check of the SQL stopped unexpectedly")))
    })
}

fn check_tree(
    sql: &str,
    views: &BTreeSet<String>,
    reserved: &BTreeSet<String>,
) -> Result<Checked, Refusal> {
    let dialect = SQLiteDialect {};
    let mut statements = Parser::parse_sql(&dialect, sql).map_err(|error| {
        not(format!(
            "can't read the SQL: {}",
            bounded(&error.to_string(), 300)
        ))
    })?;
    let (Some(statement), 0) = (statements.pop(), statements.len()) else {
        return Err(not("give exactly one statement"));
    };
    let Statement::Query(mut query) = statement else {
        return Err(not("only SELECT is allowed; the logs are read-only"));
    };
    let mut names = Names {
        reserved,
        parts: BTreeSet::new(),
    };
    stop(query.visit(&mut names))?;
    let mut guard = Guard {
        views,
        parts: names.parts,
        read: BTreeSet::new(),
    };
    stop(query.visit(&mut guard))?;
    Ok(Checked {
        sql: query.to_string(),
        views: guard.read,
    })
}

fn not(reason: impl Into<String>) -> Refusal {
    Refusal::Not(reason.into())
}

fn stop(flow: ControlFlow<Refusal>) -> Result<(), Refusal> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(refusal),
    }
}

/// Refuses what is too large to check safely.
fn bound(sql: &str) -> Result<(), Refusal> {
    if sql.len() > LONGEST {
        return Err(not(format!(
            "the SQL is longer than {LONGEST} bytes; ask in parts"
        )));
    }
    if sql.contains('\0') {
        return Err(not("the SQL holds a NUL character"));
    }
    let tokens = Tokenizer::new(&SQLiteDialect {}, sql)
        .tokenize()
        .map_err(|error| {
            not(format!(
                "can't read the SQL: {}",
                bounded(&error.to_string(), 300)
            ))
        })?;
    let plain = |token: &&Token| {
        !matches!(
            token,
            Token::Whitespace(_) | Token::Comma | Token::SingleQuotedString(_)
        )
    };
    if tokens.iter().filter(plain).count() > MOST_TOKENS {
        return Err(not(format!(
            "the SQL has more than {MOST_TOKENS} words and operators; ask in parts"
        )));
    }
    Ok(())
}

/// Collects the names a statement gives to its own parts.
struct Names<'a> {
    reserved: &'a BTreeSet<String>,
    parts: BTreeSet<String>,
}

impl VisitorMut for Names<'_> {
    type Break = Refusal;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Refusal> {
        for part in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = part.alias.name.value.to_lowercase();
            let ours = name.starts_with('_') || name.starts_with("sqlite");
            let shadow = ours || name.starts_with("pragma") || self.reserved.contains(&name);
            let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
            if shadow || !plain {
                let name = bounded(&name, 60);
                return ControlFlow::Break(not(format!(
                    "`{name}` can't name a part; choose another"
                )));
            }
            self.parts.insert(name);
        }
        ControlFlow::Continue(())
    }
}

/// Checks every node, and rewrites literals and quoted names into forms SQLite reads one way only.
struct Guard<'a> {
    views: &'a BTreeSet<String>,
    parts: BTreeSet<String>,
    read: BTreeSet<String>,
}

impl VisitorMut for Guard<'_> {
    type Break = Refusal;

    fn pre_visit_statement(&mut self, _: &mut Statement) -> ControlFlow<Refusal> {
        ControlFlow::Break(not("only SELECT is allowed; the logs are read-only"))
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Refusal> {
        if !is_reading(&query.body) {
            return ControlFlow::Break(not("only SELECT and VALUES can be queried"));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<Refusal> {
        let written = bounded(&relation.to_string(), 80);
        let [part] = relation.0.as_slice() else {
            return ControlFlow::Break(not(format!("`{written}`: a table has no schema here")));
        };
        let Some(name) = part.as_ident().map(|ident| ident.value.to_lowercase()) else {
            return ControlFlow::Break(not(format!("`{written}` is not a table's name")));
        };
        if self.views.contains(&name) {
            self.read.insert(name);
        } else if !self.parts.contains(&name) && name != "json_each" && name != "json_tree" {
            return ControlFlow::Break(Refusal::NoSuchTable(name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Refusal> {
        match factor {
            TableFactor::Table { name, args, .. } => {
                let called = name.to_string().to_lowercase();
                let of_json = called == "json_each" || called == "json_tree";
                if args.is_some() && !of_json {
                    let called = bounded(&called, 60);
                    return ControlFlow::Break(not(format!("`{called}` takes no arguments")));
                }
                ControlFlow::Continue(())
            }
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => {
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(not(
                "FROM takes tables, subqueries, json_each and json_tree",
            )),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        match expr {
            Expr::Function(function) => function_allowed(function),
            _ => ControlFlow::Continue(()),
        }
    }

    /// A double-quoted name that is no column would silently become text; in backticks it is an error.
    fn pre_visit_ident(&mut self, ident: &mut Ident) -> ControlFlow<Refusal> {
        let strange = |c: char| c.is_control() || "\"`[]'".contains(c);
        if ident.value.contains(strange) {
            return ControlFlow::Break(not("a name must not hold quotes or brackets"));
        }
        if ident.quote_style.is_some() {
            ident.quote_style = Some('`');
        }
        ControlFlow::Continue(())
    }

    /// Literals are written by us, whole: the parser's own writer leaves some quotes unescaped.
    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Refusal> {
        let written = match &value.value {
            Value::SingleQuotedString(text) => format!("'{}'", text.replace('\'', "''")),
            Value::HexStringLiteral(digits) if digits.chars().all(|c| c.is_ascii_hexdigit()) => {
                format!("x'{digits}'")
            }
            Value::Number(..) | Value::Boolean(_) | Value::Null => {
                return ControlFlow::Continue(());
            }
            Value::Placeholder(_) => {
                return ControlFlow::Break(not("placeholders are not bound; write the value"));
            }
            _ => return ControlFlow::Break(not("write text in single quotes")),
        };
        value.value = Value::Placeholder(written);
        ControlFlow::Continue(())
    }
}

fn is_reading(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_none(),
        SetExpr::Values(_) | SetExpr::Query(_) => true,
        SetExpr::SetOperation { left, right, .. } => is_reading(left) && is_reading(right),
        _ => false,
    }
}

fn function_allowed(function: &Function) -> ControlFlow<Refusal> {
    let name = match function.name.0.as_slice() {
        [part] => part.as_ident().map(|ident| ident.value.to_lowercase()),
        _ => None,
    };
    let name = name.unwrap_or_default();
    if !ALLOWED.contains(&name.as_str()) {
        let name = bounded(&function.name.to_string(), 60);
        return ControlFlow::Break(not(format!("the function `{name}` is not allowed here")));
    }
    if OF_TIME.contains(&name.as_str()) && asks_for_now(&name, &function.args) {
        let problem = "`now` would be the machine's clock, not this question's; write the time out";
        return ControlFlow::Break(not(problem));
    }
    ControlFlow::Continue(())
}

/// Whether a date function gets `now`, said or implied.
fn asks_for_now(name: &str, args: &FunctionArguments) -> bool {
    let FunctionArguments::List(list) = args else {
        return true;
    };
    let says_now = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => {
            let text = value.value.clone().into_string().unwrap_or_default();
            text.trim_matches('\'').trim().eq_ignore_ascii_case("now")
        }
        _ => false,
    };
    let least = if name == "strftime" { 2 } else { 1 };
    list.args.len() < least || list.args.iter().any(says_now)
}
