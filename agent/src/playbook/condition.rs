//! CEL conditions: compiled once, evaluated over two roots, `trusted` and `any`; what the roots hold is `view`.

use std::sync::Arc;

use cel::{Context, Env, Program, Value};
use serde::Deserialize;

use super::functions;

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
        let program = environment()?
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
    context: Context<'static, 'static>,
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
        let mut context = base()?;
        for (root, view) in [("trusted", trusted), (UNTRUSTED, any)] {
            let added = context.add_variable(root, view);
            added.map_err(|e| ConditionError::Evaluation("the view".to_owned(), e.to_string()))?;
        }
        Ok(Self { context })
    }

    /// Whether the condition holds.
    ///
    /// # Errors
    /// When it can't be evaluated, or reads a root it may not see: the caller must not read that as "no".
    pub fn holds(&self, condition: &Condition, roots: Roots) -> Result<bool, ConditionError> {
        let wrong = |why: String| ConditionError::Evaluation(condition.source.clone(), why);
        if roots == Roots::Trusted && condition.reads(UNTRUSTED) {
            return Err(wrong("it may read `trusted` only".to_owned()));
        }
        match condition.program.execute(&self.context) {
            Ok(Value::Bool(yes)) => Ok(yes),
            Ok(_) => Err(ConditionError::NotBoolean(condition.source.clone())),
            Err(e) => Err(wrong(e.to_string())),
        }
    }
}

/// The root that holds what an attacker may have written.
const UNTRUSTED: &str = "any";

/// A context over the environment of all conditions.
fn base() -> Result<Context<'static, 'static>, ConditionError> {
    Ok(Context::with_env(environment()?))
}

fn environment() -> Result<Arc<Env>, ConditionError> {
    let made = functions::ENVIRONMENT.as_ref();
    made.cloned()
        .map_err(|e| ConditionError::Evaluation("the functions".to_owned(), e.to_string()))
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
