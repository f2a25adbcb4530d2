//! CEL conditions: compiled once, evaluated over two roots, `trusted` and `any`; what the roots hold is `view`.

use std::sync::Arc;

use cel::{Context, Env, Program, Value};
use serde::Deserialize;

/// A compiled condition and its text.
#[derive(Clone)]
pub struct Condition {
    source: String,
    program: Arc<Program>,
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let source = String::deserialize(d)?;
        Self::compile(&source).map_err(serde::de::Error::custom)
    }
}

/// Why a condition has no answer. It is never taken for "no".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// It does not parse.
    #[error("`{0}` is not a CEL condition: {1}")]
    Syntax(String, String),
    /// It reads something that is not there, or compares what can't be compared.
    #[error("`{0}` could not be evaluated: {1}")]
    Evaluation(String, String),
    /// It gives something else than true or false.
    #[error("`{0}` is not a yes-or-no condition")]
    NotBoolean(String),
}

impl Condition {
    /// Compiles a condition.
    ///
    /// # Errors
    /// [`ConditionError::Syntax`] with the parser's message.
    pub fn compile(source: &str) -> Result<Self, ConditionError> {
        let program = Env::stdlib()
            .compile(source)
            .map_err(|e| ConditionError::Syntax(source.to_owned(), e.to_string()))?;
        Ok(Self {
            source: source.to_owned(),
            program: Arc::new(program),
        })
    }

    /// Whether it reads a root, for instance `any`.
    #[must_use]
    pub fn reads(&self, root: &str) -> bool {
        self.program.references().has_variable(root)
    }

    /// The text as authored.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// Which roots a condition may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roots {
    /// `trusted` alone.
    Trusted,
    /// `trusted` and `any`.
    All,
}

/// Both roots, ready to evaluate conditions against.
pub struct Conditions {
    trusted_only: Context<'static, 'static>,
    all: Context<'static, 'static>,
}

impl Conditions {
    /// Takes over the two views.
    ///
    /// # Errors
    /// When a view can't be carried into CEL.
    pub fn new(
        trusted: &serde_json::Value,
        any: &serde_json::Value,
    ) -> Result<Self, ConditionError> {
        let bad = |e: &dyn std::fmt::Display| {
            ConditionError::Evaluation("the view".to_owned(), e.to_string())
        };
        let mut trusted_only = base()?;
        trusted_only
            .add_variable("trusted", trusted)
            .map_err(|e| bad(&e))?;
        let mut all = base()?;
        all.add_variable("trusted", trusted).map_err(|e| bad(&e))?;
        all.add_variable("any", any).map_err(|e| bad(&e))?;
        Ok(Self { trusted_only, all })
    }

    /// Whether the condition holds.
    ///
    /// # Errors
    /// When it can't be evaluated: the caller must not read that as "no".
    pub fn holds(&self, condition: &Condition, roots: Roots) -> Result<bool, ConditionError> {
        let context = match roots {
            Roots::Trusted => &self.trusted_only,
            Roots::All => &self.all,
        };
        match condition.program.execute(context) {
            Ok(Value::Bool(yes)) => Ok(yes),
            Ok(_) => Err(ConditionError::NotBoolean(condition.source.clone())),
            Err(e) => Err(ConditionError::Evaluation(
                condition.source.clone(),
                e.to_string(),
            )),
        }
    }
}

/// The standard environment with the functions that playbooks use; `playbooks/README.md` lists them.
fn base() -> Result<Context<'static, 'static>, ConditionError> {
    let mut context = Context::with_env(Arc::new(Env::stdlib()));
    let declared = context
        .add_function("seen", seen)
        .and_then(|()| context.add_function("distinct", distinct))
        .and_then(|()| context.add_function("within", within))
        .and_then(|()| context.add_function("text", text))
        .and_then(|()| context.add_function("lower", |s: Arc<String>| Arc::new(s.to_lowercase())))
        .and_then(|()| context.add_function("base", |s: Arc<String>| Arc::new(base_name(&s))))
        .and_then(|()| context.add_function("is_private", |s: Arc<String>| is_private(&s)));
    declared.map_err(|e| ConditionError::Evaluation("the functions".to_owned(), e.to_string()))?;
    Ok(context)
}

fn field<'a>(row: &'a Value, name: &str) -> Option<&'a Value> {
    match row {
        Value::Map(map) => map
            .map
            .iter()
            .find(|(key, _)| key.to_string() == name)
            .map(|(_, value)| value),
        _ => None,
    }
}

fn field_text(row: &Value, name: &str) -> Option<String> {
    match field(row, name)? {
        Value::String(s) => Some(s.to_string()),
        Value::Int(n) => Some(n.to_string()),
        Value::UInt(n) => Some(n.to_string()),
        Value::Float(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

fn age(row: &Value) -> Option<f64> {
    match field(row, "age_h")? {
        Value::Float(n) => Some(*n),
        #[allow(clippy::cast_precision_loss, reason = "hours are far below 2^52")]
        Value::Int(n) => Some(*n as f64),
        _ => None,
    }
}

/// `seen(rows, "src_ip", value, 24.0)`: rows at least that many hours before the alert whose field equals the value.
fn seen(rows: Arc<Vec<Value>>, name: Arc<String>, value: Arc<String>, min_age_h: f64) -> i64 {
    let wanted = value.to_lowercase();
    if wanted.is_empty() {
        return 0;
    }
    let matching = rows.iter().filter(|row| {
        age(row).is_some_and(|h| h >= min_age_h)
            && field_text(row, &name).is_some_and(|v| v.to_lowercase() == wanted)
    });
    i64::try_from(matching.count()).unwrap_or(i64::MAX)
}

/// `distinct(rows, "user")`: how many different values that are not empty.
fn distinct(rows: Arc<Vec<Value>>, name: Arc<String>) -> i64 {
    let values: std::collections::BTreeSet<String> = rows
        .iter()
        .filter_map(|row| field_text(row, &name))
        .map(|v| v.to_lowercase())
        .filter(|v| !v.is_empty())
        .collect();
    i64::try_from(values.len()).unwrap_or(i64::MAX)
}

/// `within(rows, from_h, to_h)`: rows whose age in hours lies between; negative ages are after the alert.
fn within(rows: Arc<Vec<Value>>, from_h: f64, to_h: f64) -> Value {
    let kept: Vec<Value> = rows
        .iter()
        .filter(|row| age(row).is_some_and(|h| h >= from_h && h <= to_h))
        .cloned()
        .collect();
    Value::List(Arc::new(kept))
}

/// `text(object, "a.b.c")`: the text at a dotted path, or empty; never an error.
fn text(object: Value, path: Arc<String>) -> Arc<String> {
    let mut at = &object;
    for segment in path.split('.') {
        match field(at, segment) {
            Some(next) => at = next,
            None => return Arc::new(String::new()),
        }
    }
    Arc::new(match at {
        Value::String(s) => s.to_string(),
        Value::Null => String::new(),
        other => other
            .json()
            .map(|json| json.to_string())
            .unwrap_or_default(),
    })
}

/// The last part of a path, lower case: `C:\Windows\cmd.exe` gives `cmd.exe`.
fn base_name(path: &str) -> String {
    path.rsplit(['/', '\\'])
        .next()
        .unwrap_or(path)
        .trim_matches('"')
        .to_lowercase()
}

/// Whether a text is an address that is not routed on the internet.
fn is_private(text: &str) -> bool {
    match text.parse() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Ok(std::net::IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_see_only_their_roots_and_an_error_is_not_a_no() {
        let rows = json!([
            {"src_ip": "192.0.2.7", "user": "Ana", "age_h": 30.0},
            {"src_ip": "192.0.2.7", "user": "ana", "age_h": 2.0},
            {"src_ip": "192.0.2.9", "user": "bo", "age_h": -0.5},
        ]);
        let trusted = json!({"rows": rows, "act": {"src_ip": "192.0.2.7"}});
        let any =
            json!({"act": {"process": "C:\\Windows\\System32\\CMD.exe", "raw": {"a": {"b": 3}}}});
        let conditions = Conditions::new(&trusted, &any).unwrap();
        let holds = |text: &str, roots| conditions.holds(&Condition::compile(text).unwrap(), roots);
        for (text, want) in [
            (
                "seen(trusted.rows, 'src_ip', trusted.act.src_ip, 24.0) == 1",
                true,
            ),
            ("seen(trusted.rows, 'src_ip', '', 0.0) == 0", true),
            ("distinct(trusted.rows, 'user') == 2", true),
            ("within(trusted.rows, -1.0, 3.0).size() == 2", true),
            ("base(any.act.process) == 'cmd.exe'", true),
            (
                "text(any.act.raw, 'a.b') == '3' && text(any.act.raw, 'a.x') == ''",
                true,
            ),
            ("is_private('10.1.2.3') && !is_private('192.0.2.7')", true),
            ("trusted.rows.exists(r, r.user == 'bo')", true),
        ] {
            assert_eq!(holds(text, Roots::All), Ok(want), "{text}");
        }
        assert!(holds("any.act.process == ''", Roots::Trusted).is_err());
        assert!(holds("trusted.act.user_agent == ''", Roots::All).is_err());
        assert!(holds("trusted.act.src_ip", Roots::All).is_err());
        let reads =
            Condition::compile("trusted.rows.exists(r, any.act.process == r.user)").unwrap();
        assert!(reads.reads("any"));
        assert!(
            !Condition::compile("trusted.rows.exists(r, r.user == 'any')")
                .unwrap()
                .reads("any")
        );
    }
}
