//! The functions that conditions may call besides standard CEL; `playbooks/README.md` lists them for authors.
//!
//! They read values where they lie: rows of events are never copied for a call.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelString, DOUBLE_TYPE, DYN_TYPE, LIST_TYPE, STRING_TYPE,
};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};
use regex::{Regex, RegexBuilder};
use serde_json::Value;

type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// The environment of all conditions: it never changes.
pub(super) static ENVIRONMENT: LazyLock<Result<Arc<Env>, DeclarationError>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    declare(&mut env)?;
    Ok(Arc::new(env))
});

fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    let text = || STRING_TYPE;
    env.add_member_overload(
        "matches",
        "string.matches(string)",
        text(),
        vec![text()],
        matches,
    )?;
    env.add_overload("lower", "lower(string)", vec![text()], lower)?;
    env.add_overload("base", "base(string)", vec![text()], base)?;
    env.add_overload("is_private", "is_private(string)", vec![text()], private)?;
    env.add_overload("text", "text(dyn,string)", vec![DYN_TYPE, text()], text_at)?;
    env.add_overload(
        "distinct",
        "distinct(list,string)",
        vec![LIST_TYPE, text()],
        distinct,
    )?;
    let within_takes = vec![LIST_TYPE, DOUBLE_TYPE, DOUBLE_TYPE];
    env.add_overload("within", "within(list,double,double)", within_takes, within)
}

/// Compiled patterns: a memo of a pure function over the patterns that stand in playbooks.
static PATTERNS: LazyLock<Mutex<HashMap<String, Result<Regex, String>>>> =
    LazyLock::new(Mutex::default);
/// Most patterns kept; playbooks hold far fewer.
const MOST_PATTERNS: usize = 4096;
/// Largest compiled pattern, bytes.
const LARGEST_PATTERN: usize = 4 << 20;

fn compiled(pattern: &str) -> Result<Regex, String> {
    let mut patterns = PATTERNS.lock().map_err(|e| e.to_string())?;
    if let Some(known) = patterns.get(pattern) {
        return known.clone();
    }
    let made = RegexBuilder::new(pattern)
        .size_limit(LARGEST_PATTERN)
        .build()
        .map_err(|e| e.to_string());
    if patterns.len() < MOST_PATTERNS {
        patterns.insert(pattern.to_owned(), made.clone());
    }
    made
}

/// `text.matches(pattern)`: as the standard has it, compiled once.
fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let pattern = compiled(string(&args, 1)?);
    let pattern = pattern.map_err(|e| ExecutionError::function_error("matches", e))?;
    let yes = pattern.is_match(string(&args, 0)?);
    Ok(CowVal::owned(CelBool::from(yes)))
}

/// `lower(text)`.
fn lower<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelString::from(
        string(&args, 0)?.to_lowercase(),
    )))
}

/// `base(path)`: the last part, lower case: `C:\Windows\cmd.exe` gives `cmd.exe`.
fn base<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let path = string(&args, 0)?;
    let last = path.rsplit(['/', '\\']).next().unwrap_or(path);
    Ok(CowVal::owned(CelString::from(
        last.trim_matches('"').to_lowercase(),
    )))
}

/// `is_private(text)`: whether it is an address that is not routed on the internet.
fn private<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let yes = match string(&args, 0)?.parse() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Ok(std::net::IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Err(_) => false,
    };
    Ok(CowVal::owned(CelBool::from(yes)))
}

/// `text(object, "a.b.c")`: the text at a dotted path, or empty; never an error. JSON in a text on the way is read.
fn text_at<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let found = descend(value(&args, 0)?, string(&args, 1)?);
    Ok(CowVal::owned(CelString::from(found)))
}

/// `distinct(rows, "user")`: how many different values that are not empty; letter case does not count.
fn distinct<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let name = string(&args, 1)?;
    let mut values = BTreeSet::new();
    each(value(&args, 0)?, |row| {
        values.extend(
            field(row, name)
                .map(|v| v.to_lowercase())
                .filter(|v| !v.is_empty()),
        );
    })?;
    Ok(CowVal::owned(count(values.len())))
}

/// `within(rows, from_h, to_h)`: rows whose age in hours lies between; negative ages are after the alert.
fn within<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let (from, to) = (double(&args, 1)?, double(&args, 2)?);
    let mut kept: Vec<Box<dyn Val + 'v>> = Vec::new();
    each(value(&args, 0)?, |row| {
        if age(row).is_some_and(|h| h >= from && h <= to) {
            kept.push(row.clone_as_boxed());
        }
    })?;
    Ok(CowVal::owned(cel::common::types::CelList::from(kept)))
}

fn count(n: usize) -> CelInt {
    CelInt::from(i64::try_from(n).unwrap_or(i64::MAX))
}

fn value<'a, 'v>(
    args: &'a [CowVal<'_, 'v>],
    i: usize,
) -> Result<&'a (dyn Val + 'v), ExecutionError> {
    args.get(i)
        .map(AsRef::as_ref)
        .ok_or_else(ExecutionError::missing_argument_or_target)
}

fn string<'a>(args: &'a [CowVal<'_, '_>], i: usize) -> Result<&'a str, ExecutionError> {
    let found = value(args, i)?
        .downcast_ref::<CelString>()
        .map(CelString::inner);
    found.ok_or_else(|| ExecutionError::function_error("argument", "a text is expected"))
}

fn double(args: &[CowVal<'_, '_>], i: usize) -> Result<f64, ExecutionError> {
    let found = value(args, i)?
        .downcast_ref::<CelDouble>()
        .map(|d| *d.inner());
    found.ok_or_else(|| {
        ExecutionError::function_error("argument", "a number with a point is expected")
    })
}

fn each<'a, 'v>(
    rows: &'a (dyn Val + 'v),
    mut see: impl FnMut(&'a (dyn Val + 'v)),
) -> Result<(), ExecutionError> {
    let rows = rows
        .as_iterable()
        .ok_or_else(|| ExecutionError::function_error("argument", "a list is expected"))?;
    let mut rows = rows.iter();
    while let Some(row) = rows.next() {
        see(row);
    }
    Ok(())
}

fn get<'a, 'v>(object: &'a (dyn Val + 'v), name: &str) -> Option<CowVal<'a, 'v>> {
    object
        .as_indexer()?
        .get(&CelString::from(name.to_owned()))
        .ok()
}

/// A field as text; objects and lists have none.
fn field(row: &dyn Val, name: &str) -> Option<String> {
    get(row, name).and_then(|v| plain(v.as_ref()))
}

fn plain(value: &dyn Val) -> Option<String> {
    if let Some(s) = value.downcast_ref::<CelString>() {
        return Some(s.inner().to_owned());
    }
    match cel::Value::try_from(value).ok()? {
        cel::Value::Int(n) => Some(n.to_string()),
        cel::Value::UInt(n) => Some(n.to_string()),
        cel::Value::Float(n) => Some(n.to_string()),
        cel::Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

fn age(row: &dyn Val) -> Option<f64> {
    get(row, "age_h")?
        .as_ref()
        .downcast_ref::<CelDouble>()
        .map(|d| *d.inner())
}

fn descend(object: &dyn Val, path: &str) -> String {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let Some(found) = get(object, first) else {
        return String::new();
    };
    let found = found.as_ref();
    match (plain(found), rest) {
        (Some(text), "") => text,
        (Some(text), rest) => {
            serde_json::from_str(&text).map_or_else(|_| String::new(), |json| in_json(&json, rest))
        }
        (None, "") => cel::Value::try_from(found)
            .ok()
            .and_then(|v| v.json().ok())
            .map_or_else(String::new, |json| spelt(&json)),
        (None, rest) => descend(found, rest),
    }
}

fn in_json(json: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(json, |at, key| match at {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    });
    found.map_or_else(String::new, spelt)
}

fn spelt(json: &Value) -> String {
    match json {
        Value::String(s) => s.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
