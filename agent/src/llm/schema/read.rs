//! Reads the parts of a submitted assessment and words every problem for the model; it judges no content.

use serde_json::{Map, Value};
use state::model::{Claim, EvidenceRef, Gap, Tier, VerdictKind};

use super::super::error::clean;
use super::{MAX_CLAIM_CHARS, MAX_GAP_CHARS, MAX_QUOTE_CHARS, MAX_REFS, Next};

/// Most problems named at once.
const MAX_PROBLEMS: usize = 12;

/// Reads parts and notes what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<String>,
}

impl Reader {
    pub(super) fn problem(&mut self, text: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(text);
        }
    }

    pub(super) fn object(
        &mut self,
        value: &Value,
        at: &str,
        fields: &[&str],
    ) -> Map<String, Value> {
        let Some(map) = value.as_object() else {
            self.problem(format!("{at} must be a JSON object"));
            return Map::new();
        };
        for field in fields.iter().filter(|f| !map.contains_key(**f)) {
            self.problem(format!("{at}: the field `{field}` is missing"));
        }
        for key in map.keys().filter(|k| !fields.contains(&k.as_str())) {
            self.problem(format!(
                "{at}: the field `{}` is unknown; leave it out",
                clean(key, 40)
            ));
        }
        map.clone()
    }

    pub(super) fn one_of<T: Copy>(
        &mut self,
        map: &Map<String, Value>,
        key: &str,
        all: &[T],
        word: fn(T) -> &'static str,
    ) -> Option<T> {
        let said = map.get(key)?;
        let found = all
            .iter()
            .copied()
            .find(|v| said.as_str() == Some(word(*v)));
        if found.is_none() {
            let words: Vec<&str> = all.iter().map(|v| word(*v)).collect();
            self.problem(format!("`{key}` must be one of {}", words.join(", ")));
        }
        found
    }

    pub(super) fn probability(&mut self, value: Option<&Value>) -> Option<f64> {
        let found = value?.as_f64().filter(|p| (0.0..=1.0).contains(p));
        if found.is_none() {
            self.problem("`probability_malicious` must be a number from 0 to 1".to_owned());
        }
        found
    }

    pub(super) fn confidence(&mut self, value: Option<&Value>) -> Option<i64> {
        let whole = |f: f64| {
            (f.fract() == 0.0 && (0.0..=100.0).contains(&f)).then(|| f.to_string().parse().ok())?
        };
        let found = value?.as_f64().and_then(whole);
        if found.is_none() {
            self.problem("`confidence` must be a whole number from 0 to 100".to_owned());
        }
        found
    }

    pub(super) fn list<T>(
        &mut self,
        map: &Map<String, Value>,
        key: &str,
        max: usize,
        item: fn(&mut Self, &Value, &str) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = map.get(key) else {
            return Vec::new();
        };
        let Some(items) = value.as_array() else {
            self.problem(format!("`{key}` must be a list"));
            return Vec::new();
        };
        if items.len() > max {
            self.problem(format!(
                "`{key}` has {} items; at most {max} are allowed",
                items.len()
            ));
            return Vec::new();
        }
        let mut out = Vec::with_capacity(items.len());
        for (i, value) in items.iter().enumerate() {
            out.extend(item(self, value, &format!("`{key}[{i}]`")));
        }
        out
    }

    pub(super) fn text(&mut self, value: &Value, at: &str, max: usize) -> Option<String> {
        let text = value.as_str().map(str::trim).unwrap_or_default();
        let chars = text.chars().count();
        if text.is_empty() {
            self.problem(format!("{at} must be a text that is not empty"));
        } else if chars > max {
            self.problem(format!(
                "{at} has {chars} characters; at most {max} are allowed"
            ));
        }
        (1..=max).contains(&chars).then(|| text.to_owned())
    }

    pub(super) fn claim(&mut self, value: &Value, at: &str) -> Option<Claim> {
        let map = self.object(value, at, &["text", "evidence", "quote"]);
        let text = self.text(
            map.get("text")?,
            &format!("the text of {at}"),
            MAX_CLAIM_CHARS,
        );
        let before = self.problems.len();
        let evidence = self.list(&map, "evidence", MAX_REFS, Self::reference);
        for problem in &mut self.problems[before..] {
            problem.insert_str(0, &format!("in {at}: "));
        }
        if map
            .get("evidence")
            .is_some_and(|e| e.as_array().is_some_and(Vec::is_empty))
        {
            self.problem(format!(
                "{at} cites no evidence; name at least one reference such as E3"
            ));
        }
        let quote = match map.get("quote")? {
            Value::Null => None,
            quote => Some(self.text(quote, &format!("the quote of {at}"), MAX_QUOTE_CHARS)?),
        };
        Some(Claim {
            text: text?,
            evidence,
            quote,
        })
    }

    pub(super) fn reference(&mut self, value: &Value, at: &str) -> Option<EvidenceRef> {
        let said = value.as_str().unwrap_or_default();
        let digits = said.strip_prefix('E').unwrap_or_default();
        let good = (1..=4).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if !good {
            self.problem(format!(
                "{at} must be a reference from the evidence list, such as E3"
            ));
        }
        good.then(|| said.to_owned())
    }

    pub(super) fn gap(&mut self, value: &Value, at: &str) -> Option<Gap> {
        let map = self.object(value, at, &["what", "why"]);
        let what = self.text(
            map.get("what")?,
            &format!("the what of {at}"),
            MAX_GAP_CHARS,
        );
        let why = self.text(map.get("why")?, &format!("the why of {at}"), MAX_GAP_CHARS);
        Some(Gap {
            what: what?,
            why: why?,
            required: false,
        })
    }

    pub(super) fn technique(&mut self, value: &Value, at: &str) -> Option<String> {
        let said = value.as_str().unwrap_or_default();
        let digits = |s: &str, n| s.len() == n && s.bytes().all(|b| b.is_ascii_digit());
        let (main, sub) = said
            .split_once('.')
            .map_or((said, None), |(m, s)| (m, Some(s)));
        let good = main.strip_prefix('T').is_some_and(|m| digits(m, 4))
            && sub.is_none_or(|s| digits(s, 3));
        if !good {
            self.problem(format!(
                "{at} must be an ATT&CK technique id such as T1078 or T1078.004"
            ));
        }
        good.then(|| said.to_owned())
    }

    pub(super) fn consistent(&mut self, verdict: VerdictKind, next: Next, tier: Tier) {
        let open = matches!(verdict, VerdictKind::Suspicious | VerdictKind::Undetermined);
        if next == Next::Close && open {
            self.problem(format!(
                "an alert that is {verdict} cannot be closed; set another `next`"
            ));
        }
        if next == Next::Close && tier == Tier::Three && verdict.is_benign() {
            self.problem("tier 3 does not close as benign; set `next` to escalate".to_owned());
        }
    }
}
