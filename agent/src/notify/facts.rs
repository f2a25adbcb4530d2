//! Short facts of a case for its card: which rule, who and what it is about, from where and since when.

use state::model::{Alert, Entity, EntityKind, Role, Trust, Verdict};

use crate::pipeline::principal;
use crate::report::CaseFile;
use crate::text::oneline;

use super::compose::FIELD;

/// Values of one fact that are named; of more it is said how many.
const NAMED: usize = 3;
/// Longest name of an entity, characters: one name does not hide the others.
const NAME: usize = 100;

/// The facts in the order in which they are shown; what a case has nothing of is left out.
pub(super) fn facts(file: &CaseFile, verdict: Option<&Verdict>) -> Vec<(String, String)> {
    let of = |pick: fn(&Alert) -> String| several(file, pick);
    let mut facts = vec![("Rule", of(|a| a.rule.name.clone()))];
    facts.extend(about(file));
    facts.push(("Source", of(|a| a.source.clone())));
    facts.push(("Alerts", file.alerts.len().to_string()));
    let first = file.alerts.iter().map(|a| a.alert.time).min();
    let first = first.map(|t| t.format("%Y-%m-%d %H:%MZ").to_string());
    facts.push(("First alert", first.unwrap_or_default()));
    let techniques = verdict.map(|v| v.basis.techniques.join(", "));
    facts.push(("Techniques", techniques.unwrap_or_default()));
    let said = facts.into_iter().filter(|(_, value)| !value.is_empty());
    said.map(|(name, value)| (name.to_owned(), oneline(&value, FIELD)))
        .collect()
}

/// Who acted, where, and to whom or what; of alerts that name none of these, whatever they name.
fn about(file: &CaseFile) -> Vec<(&'static str, String)> {
    let of = |is_it: fn(&Entity) -> bool| several(file, |a| named(a, is_it));
    let target = |e: &Entity| {
        e.role == Role::Target && matches!(e.kind, EntityKind::User | EntityKind::Resource)
    };
    let mut about = vec![
        ("Principal", of(|e| e.role == Role::Principal)),
        ("Host", of(|e| e.kind == EntityKind::Host)),
        ("Target", of(target)),
    ];
    if about.iter().all(|(_, value)| value.is_empty()) {
        let any = |a: &Alert| principal(&a.entities).map_or(String::new(), |n| oneline(n, NAME));
        about.push(("About", several(file, any)));
    }
    about
}

/// The entity of an alert that a list of cases would name too: a trusted one before others, a user before others.
fn named(alert: &Alert, is_it: fn(&Entity) -> bool) -> String {
    let fit = alert.entities.iter();
    let fit = fit.filter(|e| is_it(e) && !e.value.is_empty());
    let first = fit.min_by_key(|e| {
        (
            e.trust == Trust::Untrusted,
            e.kind != EntityKind::User,
            e.key(),
        )
    });
    first.map_or(String::new(), |e| oneline(&e.value, NAME))
}

/// What is picked of each alert, each value once.
fn several(file: &CaseFile, pick: impl Fn(&Alert) -> String) -> String {
    let mut seen = Vec::new();
    for value in file.alerts.iter().map(|a| pick(&a.alert)) {
        if !value.is_empty() && !seen.contains(&value) {
            seen.push(value);
        }
    }
    let more = seen.len().saturating_sub(NAMED);
    seen.truncate(NAMED);
    match more {
        0 => seen.join(", "),
        n => format!("{} and {n} more", seen.join(", ")),
    }
}
