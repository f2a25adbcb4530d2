//! The lines of `nightdesk check` on learned weights; what the file may say is the room `playbook`'s.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::playbook::Library;

use super::Lines;

const WHAT: &str = "learned weights";

/// Whether learned weights are in force, and each warning on a line of its own.
pub(super) fn line(library: &Library, config: &Config, lines: &mut Lines) {
    let Some(in_force) = library.learned() else {
        let none = match library.waiting() {
            None => "none: the shipped weights count".to_owned(),
            Some(w) => format!(
                "not accepted: the shipped weights count until a person has reviewed file {} and run `nightdesk check --accept`",
                w.hash.get(..12).unwrap_or_default()
            ),
        };
        return lines.good(WHAT, none);
    };
    let learned = &in_force.learned;
    lines.good(
        WHAT,
        format!(
            "in force: {} signals and {} rules, from {} verdicts until {}, file {}",
            learned.signals.len(),
            learned.rules.len(),
            learned.fitted.verdicts,
            learned.fitted.until,
            in_force.hash.get(..12).unwrap_or_default()
        ),
    );
    let sources: BTreeSet<&str> = config.sources.iter().map(|s| s.name.as_str()).collect();
    let strange = learned
        .rules
        .iter()
        .filter(|r| !sources.contains(r.source.as_str()));
    let strange = strange.map(|r| {
        format!(
            "there is no source `{}`: what its rule `{}` adds counts for nothing",
            r.source, r.rule
        )
    });
    let warnings = in_force.warnings.iter().cloned().chain(strange);
    warnings.for_each(|w| lines.good(WHAT, format!("warning: {w}")));
}
