//! Whether learned weights are accepted: whoever reads them asks here before they count.

use std::path::PathBuf;

use crate::config::PathsConfig;
use crate::data::sha256_hex;

use super::Manifest;

/// Name of the learned weights in the manifest.
pub(super) const LEARNED: &str = "learned";

/// Whether a person has accepted these learned weights. Where neither a configuration file nor a manifest is named nobody
/// could; a manifest that can't be read accepts nothing.
#[must_use]
pub fn learned_is_accepted(paths: &PathsConfig, text: &str) -> bool {
    if Manifest::path(paths).is_none() {
        return true;
    }
    let accepted = Manifest::accepted(paths).ok().flatten();
    let digest = accepted.and_then(|a| a.sha256.get(LEARNED).cloned());
    digest.is_some_and(|d| d == sha256_hex(text))
}

/// The file of learned weights that count, for work in a scratch place where nothing is accepted.
#[must_use]
pub fn learned_in_force(paths: &PathsConfig) -> Option<PathBuf> {
    let file = paths.learned_file()?;
    let text = std::fs::read_to_string(&file).ok()?;
    learned_is_accepted(paths, &text).then_some(file)
}
