//! All controls in the order of the rules; each is an attempt, what it needs is in `trial`.

mod answers;
mod calls;
mod closes;
mod definitions;
mod effects;
mod models;
mod records;

use super::Control;

/// Every control, by rule.
#[must_use]
pub fn all() -> Vec<Control> {
    let mut all = Vec::new();
    all.extend(calls::controls());
    all.extend(definitions::controls());
    all.extend(effects::controls());
    all.extend(answers::controls());
    all.extend(records::controls());
    all.extend(closes::controls());
    all.extend(models::controls());
    all.sort_by_key(|c| c.rule);
    all
}
