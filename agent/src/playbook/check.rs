//! What a playbook may not say; the graph's own faults are found by `graph`.

use std::collections::BTreeSet;
use std::time::Duration;

use mcp_clients::config::Span;

use crate::data::DataFile;

use super::attack::Attack;
use super::form::{Lean, Playbook, Step, StepTarget};
use super::library::PlaybookFault;
use super::queries::{Dialect, Dialects};
use super::slots::Slots;

/// Every fault of one playbook.
pub(super) fn faults(
    file: &DataFile,
    playbook: &Playbook,
    dialect: &Dialect,
    attack: &Attack,
) -> Vec<PlaybookFault> {
    let mut found = Vec::new();
    let steps: BTreeSet<&str> = playbook.steps.iter().map(|s| s.id.as_str()).collect();
    if playbook.id != file.stem() {
        found.push(format!(
            "id is `{}`, but the file is called `{}`",
            playbook.id,
            file.stem()
        ));
    }
    if playbook.select.reads("any") {
        found.push("`select` reads `any`; a selector may read `trusted` only".to_owned());
    }
    if playbook.fallback.trim().is_empty() {
        found.push("`fallback` is empty: say what a person does when the daemon can't".to_owned());
    }
    scoring(playbook, &steps, &mut found);
    for step in &playbook.steps {
        step_faults(step, dialect, &mut found);
    }
    signals(playbook, &steps, attack, &mut found);
    for id in &playbook.techniques {
        if attack.get(id).is_none() {
            found.push(format!("technique `{id}` is not in attack/techniques.csv"));
        }
    }
    for response in &playbook.responses {
        for arg in response.args.values() {
            slot_fault("a response", arg, &mut found);
        }
        if let Some(target) = response.target.as_ref().filter(|t| !Slots::exists(t)) {
            found.push(format!(
                "response `{}`: its target `{target}` is not a slot",
                response.does
            ));
        }
        if !is_d3fend(&response.d3fend) {
            found.push(format!(
                "response `{}`: `{}` is not a D3FEND id such as D3-AL",
                response.does, response.d3fend
            ));
        }
    }
    found
        .into_iter()
        .map(|m| PlaybookFault::new(&file.name, m))
        .collect()
}

/// `D3-` and two to eight capital letters, as MITRE writes them.
fn is_d3fend(id: &str) -> bool {
    let letters = id.strip_prefix("D3-").unwrap_or_default();
    (2..=8).contains(&letters.len()) && letters.bytes().all(|b| b.is_ascii_uppercase())
}

fn scoring(playbook: &Playbook, steps: &BTreeSet<&str>, found: &mut Vec<String>) {
    let scoring = &playbook.scoring;
    if !(0.5..=1.0).contains(&scoring.escalate.at_least) {
        found.push("`escalate.at_least` is a probability from 0.5 to 1".to_owned());
    }
    let Some(close) = &scoring.close else { return };
    if !(0.0..=0.3).contains(&close.at_most) {
        found.push("`close.at_most` is a probability from 0 to 0.3".to_owned());
    }
    if !close.verdict.is_benign() {
        found.push(format!(
            "`close.verdict` is {}; only benign_positive and false_positive close",
            close.verdict
        ));
    }
    if close.when.as_ref().is_some_and(|c| c.reads("any")) {
        found.push("`close.when` reads `any`; closing may read `trusted` only".to_owned());
    }
    for needed in close
        .requires
        .iter()
        .filter(|r| !steps.contains(r.as_str()))
    {
        found.push(format!(
            "`close.requires` names `{needed}`, which is not a step"
        ));
    }
}

/// Shipped playbooks work in every shipped dialect: each has their queries or says why not.
pub(super) fn lacking(
    file: &DataFile,
    playbook: &Playbook,
    dialects: &Dialects,
) -> Vec<PlaybookFault> {
    if file.overridden {
        return Vec::new();
    }
    let asked = playbook.steps.iter().filter_map(|s| match &s.target {
        StepTarget::Query(name) => Some((&s.id, name)),
        StepTarget::Tool(_) => None,
    });
    let fault = |(step, name): (&String, &String)| {
        let lacking = dialects.lacking(name);
        (!lacking.is_empty()).then(|| {
            let message = format!(
                "step `{step}`: query `{name}` is neither in nor declared `not_available` by {}",
                lacking.join(", ")
            );
            PlaybookFault::new(&file.name, message)
        })
    };
    asked.filter_map(fault).collect()
}

fn step_faults(step: &Step, dialect: &Dialect, found: &mut Vec<String>) {
    match &step.target {
        StepTarget::Tool(name) => {
            let parts: Vec<&str> = name.split('.').collect();
            if parts.len() != 2 || parts.iter().any(|p| p.is_empty()) {
                found.push(format!(
                    "step `{}`: `{name}` is not a tool; write server.tool",
                    step.id
                ));
            }
        }
        StepTarget::Query(name) if !dialect.has(name) => {
            found.push(format!(
                "step `{}`: the dialect has no query `{name}`",
                step.id
            ));
        }
        StepTarget::Query(name) => {
            for slot in dialect.required(name) {
                if !step.args.contains_key(slot) {
                    found.push(format!("step `{}`: query `{name}` needs `{slot}`", step.id));
                }
            }
            for slot in step.args.keys().filter(|s| !dialect.takes(name, s)) {
                found.push(format!(
                    "step `{}`: query `{name}` has no slot `{slot}`",
                    step.id
                ));
            }
        }
    }
    for arg in step.args.values() {
        slot_fault(&format!("step `{}`", step.id), arg, found);
    }
    if let Some(why) = step
        .baseline
        .and_then(|age| baseline_fault(step, age, dialect))
    {
        found.push(format!("step `{}`: `baseline` {why}", step.id));
    }
}

/// Why a kept answer can't stand in the place of a step's question.
fn baseline_fault(step: &Step, age: Span, dialect: &Dialect) -> Option<String> {
    let (least, most) = (Duration::from_secs(3600), Duration::from_secs(7 * 86_400));
    if age.0 < least || age.0 > most {
        let bounds = format!("lies between {} and {}", Span(least), Span(most));
        return Some(bounds);
    }
    let StepTarget::Query(query) = &step.target else {
        return Some("goes with a query".to_owned());
    };
    let slot = |v: &serde_json::Value| v.as_str().is_some_and(|t| t.starts_with('$'));
    let alone = step.args.len() == 1 && step.args.get("value").is_some_and(slot);
    let spans = ["before", "until"].iter().all(|s| dialect.takes(query, s));
    (!(alone && spans)).then(|| {
        "goes with a query from `before` to `until` that is given a slot as `value` and nothing else".to_owned()
    })
}

fn slot_fault(place: &str, arg: &serde_json::Value, found: &mut Vec<String>) {
    match arg {
        serde_json::Value::String(text) => {
            if let Some(slot) = text.strip_prefix('$').filter(|s| !Slots::exists(s)) {
                found.push(format!("{place}: `${slot}` is not a slot of an alert"));
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|v| slot_fault(place, v, found)),
        _ => {}
    }
}

fn signals(playbook: &Playbook, steps: &BTreeSet<&str>, attack: &Attack, found: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for signal in &playbook.signals {
        let id = &signal.id;
        if !seen.insert(id.as_str()) {
            found.push(format!("two signals are called `{id}`"));
        }
        if signal.lean == Lean::Benign && signal.when.reads("any") {
            found.push(format!(
                "signal `{id}` leans benign and reads `any`: it may read `trusted` only"
            ));
        }
        if signal.lean == Lean::Benign
            && (signal.veto || signal.impact.is_some() || !signal.techniques.is_empty())
        {
            found.push(format!(
                "signal `{id}` leans benign: it has no veto, impact or techniques"
            ));
        }
        if !(signal.weight > 0.0 && signal.weight <= 10.0) {
            found.push(format!(
                "signal `{id}`: weight is log-odds above 0 and at most 10; the lean gives the sign"
            ));
        }
        for needed in signal
            .evidence
            .iter()
            .filter(|e| !steps.contains(e.as_str()))
        {
            found.push(format!(
                "signal `{id}` rests on `{needed}`, which is not a step"
            ));
        }
        for technique in signal.techniques.iter().filter(|t| attack.get(t).is_none()) {
            found.push(format!(
                "signal `{id}`: technique `{technique}` is not in attack/techniques.csv"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::QueriesConfig;
    use crate::playbook::queries::dialects;

    fn file(name: &str, text: &str) -> DataFile {
        DataFile {
            name: name.to_owned(),
            text: text.to_owned(),
            overridden: false,
        }
    }

    #[test]
    fn every_shipped_dialect_has_a_query_or_says_why_not() {
        let text = "form: sqlite\ncall: {sql: \"{query}\"}\nqueries:\n  silent: {finds: nothing, not_available: no such log}\n";
        let files = ["queries/a.yaml", "queries/b.yaml"]
            .map(|name| (file(name, text), serde_saphyr::from_str(text).unwrap()));
        let mut found = Vec::new();
        let all = dialects(files.into(), &QueriesConfig::default(), &mut found);
        assert_eq!(found, []);
        let playbook = |query: &str| {
            let text = format!(
                "id: p\ntitle: P\nselect: 'true'\nscoring: {{prior: 0.0, escalate: {{at_least: 0.9, reason: malicious_activity}}}}\n\
                 fallback: Look.\nsignals: []\nsteps: [{{id: s, tier: 1, query: {query}, asks: What?}}]\n"
            );
            serde_saphyr::from_str::<Playbook>(&text).unwrap()
        };
        let shipped = file("p.yaml", "");
        assert_eq!(lacking(&shipped, &playbook("silent"), &all), []);
        let told = lacking(&shipped, &playbook("other"), &all);
        let said = "step `s`: query `other` is neither in nor declared `not_available` by a, b";
        assert_eq!(told, [PlaybookFault::new("p.yaml", said)]);
        let own = DataFile {
            overridden: true,
            ..shipped
        };
        assert_eq!(lacking(&own, &playbook("other"), &all), []);
    }
}
