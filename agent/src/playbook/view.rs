//! What conditions may read of an alert and its evidence: `trusted` and `any`, one shape, two depths of belief.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Timelike};
use serde_json::{Map, Value, json};
use state::model::{Activity, Evidence, NewAlert, Time, Trust};

use super::event::{Depth, activity};
use super::reads::Reads;
use super::slots::rfc3339;

/// An alert and what was found about it, keyed by step.
pub struct Scene<'a> {
    /// The alert under judgement.
    pub alert: &'a NewAlert,
    /// Evidence by step id.
    pub evidence: BTreeMap<&'a str, &'a Evidence>,
    /// Ids of all steps of the playbook, so that one that was not asked can be told from one that is misspelt.
    pub steps: Vec<&'a str>,
    /// Steps that ask an inventory: what they list is known to exist. No other answer proves as much.
    pub inventory: Vec<&'a str>,
    /// Steps whose rows are read; none carried for the others.
    pub reads: Reads,
    /// How earlier alerts of the rule ended, for the two views; nothing before that is known.
    pub history: (Value, Value),
}

impl<'a> Scene<'a> {
    /// An alert of which nothing is known but itself.
    #[must_use]
    pub fn bare(alert: &'a NewAlert) -> Self {
        Self {
            alert,
            evidence: BTreeMap::new(),
            steps: Vec::new(),
            inventory: Vec::new(),
            reads: Reads::default(),
            history: (Value::Null, Value::Null),
        }
    }
}

/// Rows of one step that conditions see; an answer with more is a partial one.
pub const MOST_ROWS: usize = 1000;

impl Scene<'_> {
    /// The view for benign-leaning signals: trusted and endorsed fields only.
    ///
    /// An untrusted field is absent, not empty: a condition that reads it has no answer.
    #[must_use]
    pub fn trusted(&self) -> Value {
        self.view(Depth::Trusted)
    }

    /// The view for malicious-leaning signals: everything.
    #[must_use]
    pub fn any(&self) -> Value {
        self.view(Depth::Any)
    }

    fn view(&self, depth: Depth) -> Value {
        let alert = self.alert;
        let inventory = self.inventory();
        let see = |a: &Activity| activity(a, alert.time, depth, &inventory);
        let acts: Vec<Value> = alert.activities.iter().map(see).collect();
        let steps: Map<String, Value> = self
            .steps
            .iter()
            .map(|id| {
                let read = match depth {
                    Depth::Trusted => self.reads.trusted.contains(*id),
                    Depth::Any => self.reads.any.contains(*id),
                };
                let seen = match self.evidence.get(id) {
                    None => json!({"answer": "not_asked", "complete": false}),
                    Some(e) if read => step(e, alert.time, depth, &inventory),
                    Some(e) => Value::Object(ending(e, depth)),
                };
                ((*id).to_owned(), seen)
            })
            .collect();
        json!({
            "alert": {
                "rule_id": alert.rule.id,
                "rule_name": alert.rule.name,
                "groups": alert.rule.groups,
                "severity": alert.severity.as_str(),
                "severity_id": alert.severity.id(),
                "source": alert.source,
                "mapping": alert.mapping,
                "product": alert.product,
                "attacks": alert.attacks,
                "time": rfc3339(alert.time),
                "hour": alert.time.hour(),
                "weekday": alert.time.weekday().number_from_monday(),
            },
            "act": acts.first().cloned().unwrap_or_else(|| json!({"schema": "none"})),
            "acts": acts,
            "steps": steps,
            "history": match depth {
                Depth::Trusted => &self.history.0,
                Depth::Any => &self.history.1,
            },
        })
    }

    /// Values that are known to exist: what stands in inventory answers and the alert's trusted entities.
    fn inventory(&self) -> BTreeSet<String> {
        let mut values = BTreeSet::new();
        for (step, evidence) in &self.evidence {
            // Changes, tickets and intelligence name whatever somebody wrote or asked about.
            if !self.inventory.contains(step) {
                continue;
            }
            match trusted_rows(evidence) {
                Some(rows) => rows.iter().for_each(|row| leaves(row, &mut values)),
                None if evidence.trust == Trust::Trusted => leaves(&evidence.value, &mut values),
                None => {}
            }
        }
        for entity in &self.alert.entities {
            if entity.trust == Trust::Trusted {
                values.insert(entity.key());
            }
        }
        values
    }
}

/// How a step's question ended. What was cut may still speak against an alert by what is there, and for none: nothing closes
/// beside it.
fn ending(evidence: &Evidence, depth: Depth) -> Map<String, Value> {
    let cut = evidence.answer == state::model::Answer::Partial;
    let speaks = depth == Depth::Any && cut && !evidence.activities.is_empty();
    Map::from_iter([
        ("answer".to_owned(), json!(evidence.answer.as_str())),
        (
            "complete".to_owned(),
            json!(evidence.answer.is_complete() || speaks),
        ),
    ])
}

fn step(evidence: &Evidence, at: Time, depth: Depth, inventory: &BTreeSet<String>) -> Value {
    let mut out = ending(evidence, depth);
    let readable =
        evidence.answer.is_complete() || evidence.answer == state::model::Answer::Partial;
    let some = (depth == Depth::Trusted)
        .then(|| trusted_rows(evidence))
        .flatten();
    let believed = depth == Depth::Any
        || evidence.trust == Trust::Trusted
        || !evidence.activities.is_empty()
        || some.is_some();
    let empty = evidence.answer == state::model::Answer::Empty;
    if !readable || !(believed || empty) {
        return Value::Object(out);
    }
    let rows: Vec<Value> = if empty {
        Vec::new()
    } else if let Some(rows) = some {
        rows.iter().take(MOST_ROWS).cloned().collect()
    } else if evidence.activities.is_empty() {
        rows_of(&evidence.value)
            .iter()
            .take(MOST_ROWS)
            .cloned()
            .collect()
    } else {
        evidence
            .activities
            .iter()
            .take(MOST_ROWS)
            .map(|a| activity(a, at, depth, inventory))
            .collect()
    };
    out.insert("count".to_owned(), json!(rows.len()));
    out.insert("rows".to_owned(), Value::Array(rows));
    Value::Object(out)
}

/// Where the gate puts the rows of an answer of which only some fields are trusted, reduced to those.
pub const TRUSTED_ROWS: &str = "trusted_rows";

/// The trusted part of an answer's rows, when the catalogue trusts some of its fields.
fn trusted_rows(evidence: &Evidence) -> Option<&[Value]> {
    let answered = evidence.answer == state::model::Answer::Found;
    let rows = evidence.value.get(TRUSTED_ROWS).filter(|_| answered)?;
    // Beside the gate's own two keys nothing stands in such an answer.
    let ours = evidence.value.as_object()?.len() == 2 && evidence.value.get("results").is_some();
    rows.as_array().map(Vec::as_slice).filter(|_| ours)
}

/// The rows of an answer: an array itself, its `results`, or the value as the only row.
#[must_use]
pub fn rows_of(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Object(map) => match map.get("results") {
            Some(Value::Array(items)) => items.clone(),
            _ => vec![value.clone()],
        },
        Value::Null => Vec::new(),
        other => vec![other.clone()],
    }
}

fn leaves(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::String(s) if s.len() <= 256 => {
            out.insert(s.to_lowercase());
        }
        Value::Array(items) => items.iter().for_each(|v| leaves(v, out)),
        Value::Object(map) => map.values().for_each(|v| leaves(v, out)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mcp_clients::mappings::Mappings;
    use state::model::{Answer, CaseId, Field};

    use super::*;

    fn answer(step: &str, rows: Value) -> Evidence {
        Evidence {
            case: CaseId(1),
            reference: "E2".to_owned(),
            asked_by: step.to_owned(),
            tool: String::new(),
            call: None,
            answer: Answer::Found,
            summary: String::new(),
            digest: String::new(),
            value: json!({"results": rows}),
            activities: Vec::new(),
            trust: Trust::Trusted,
            at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_inventory_proves_what_exists_and_never_who_did_it() {
        // Nothing in it is trusted, and no trusted entity stands beside it.
        let event = json!({"user": "ana", "user_id": "u-1", "src_ip": "192.0.2.10", "host": "web-1", "device": "d-1",
            "dst_ip": "192.0.2.20", "sha256": "a".repeat(64), "resource": "vault", "account": "111122223333", "target_user": "bo"});
        let alert = json!({"id": "a", "rule_id": "R.1", "title": "T", "severity": "HIGH", "created_at": "2026-03-01T10:00:00Z", "events": [event]});
        let mappings = Mappings::load(None).unwrap();
        let mut alert = mappings
            .read("panther", "siem", &alert.to_string())
            .unwrap();
        let wanted: Vec<Field> = vec![
            Field::User,
            Field::UserId,
            Field::SrcIp,
            Field::Host,
            Field::Device,
            Field::DstIp,
            Field::Hash,
            Field::Resource,
            Field::Account,
            Field::TargetUser,
        ];
        alert.entities.clear();
        let fields = &mut alert.activities[0].fields;
        fields.clear();
        for (field, key) in wanted.iter().zip([
            "user",
            "user_id",
            "src_ip",
            "host",
            "device",
            "dst_ip",
            "sha256",
            "resource",
            "account",
            "target_user",
        ]) {
            fields.insert(
                *field,
                state::model::Fact::untrusted(event[key].as_str().unwrap()),
            );
        }
        let lists = answer("known", json!([event]));
        let seen = |inventory: Vec<&'static str>| {
            let scene = Scene {
                evidence: BTreeMap::from([("known", &lists)]),
                steps: vec!["known"],
                inventory,
                ..Scene::bare(&alert)
            };
            let trusted = scene.trusted();
            let act = trusted["act"].as_object().unwrap();
            let seen = wanted.iter().filter(|f| act.contains_key(f.as_str()));
            seen.copied().collect::<Vec<_>>()
        };
        let done_to = vec![
            Field::DstIp,
            Field::Hash,
            Field::Resource,
            Field::Account,
            Field::TargetUser,
        ];
        assert_eq!(seen(vec!["known"]), done_to);
        // A change, a ticket or intelligence that names all of it proves nothing.
        assert_eq!(seen(Vec::new()), []);
    }

    #[test]
    fn what_was_cut_speaks_against_an_alert_and_for_none() {
        let event = json!({"id": "a", "rule_id": "R.1", "title": "T", "severity": "HIGH", "created_at": "2026-03-01T10:00:00Z", "events": [{"user": "ana"}]});
        let mappings = Mappings::load(None).unwrap();
        let alert = mappings
            .read("panther", "siem", &event.to_string())
            .unwrap();
        let complete = |answer_: Answer, activities: Vec<Activity>| {
            let cut = Evidence {
                answer: answer_,
                activities,
                ..answer("around", json!([]))
            };
            let scene = Scene {
                evidence: BTreeMap::from([("around", &cut)]),
                steps: vec!["around"],
                ..Scene::bare(&alert)
            };
            let said = |view: Value| view["steps"]["around"]["complete"] == json!(true);
            (said(scene.any()), said(scene.trusted()))
        };
        let events = alert.activities.clone();
        assert_eq!(complete(Answer::Found, events.clone()), (true, true));
        assert_eq!(complete(Answer::Partial, events.clone()), (true, false));
        assert_eq!(complete(Answer::Partial, Vec::new()), (false, false));
        assert_eq!(complete(Answer::Failed, events), (false, false));
    }
}
