//! The line of `nightdesk check` on integrity, and `--accept`; what the manifest covers is the room `integrity`.

use std::path::PathBuf;

use crate::config::Config;
use crate::integrity::{IntegrityError, Manifest};

use super::{Args, Lines};

const WHAT: &str = "integrity";

/// The state when the check began, and the one that was accepted.
pub(super) struct Reviewed {
    file: Option<PathBuf>,
    now: Result<Manifest, IntegrityError>,
    accepted: Result<Option<Manifest>, IntegrityError>,
}

impl Reviewed {
    pub(super) fn read(config: &Config) -> Self {
        Self {
            file: Manifest::path(&config.paths),
            now: Manifest::now(&config.paths),
            accepted: Manifest::accepted(&config.paths),
        }
    }

    /// The state beside the accepted one; with `--accept` it is accepted, unless something else failed.
    pub(super) fn line(self, args: &Args, lines: &mut Lines) {
        let Self {
            file,
            now,
            accepted,
        } = self;
        let now = match now {
            Ok(now) => now,
            Err(e) => return lines.bad(WHAT, e.to_string()),
        };
        let Some(file) = file else {
            return lines.bad(
                WHAT,
                "there is no place for a manifest: name one in [paths] manifest",
            );
        };
        let shown = file.display();
        let changed = match &accepted {
            Ok(Some(before)) => before.difference(&now).join(", "),
            Ok(None) | Err(_) => String::new(),
        };
        if !args.accept {
            return match accepted {
                Err(e) => lines.bad(WHAT, e.to_string()),
                Ok(None) => lines.good(WHAT, "not accepted yet: run `nightdesk check --accept`"),
                Ok(Some(_)) if changed.is_empty() => {
                    lines.good(WHAT, format!("accepted and unchanged, see {shown}"));
                }
                Ok(Some(_)) => lines.bad(
                    WHAT,
                    format!(
                        "not as accepted: {changed}; review it, then run `nightdesk check --accept`"
                    ),
                ),
            };
        }
        if lines.0.iter().any(|l| !l.ok) {
            return lines.bad(WHAT, "not accepted: mend what fails above first");
        }
        match now.write(&file) {
            Err(e) => lines.bad(WHAT, e.to_string()),
            Ok(()) if changed.is_empty() => lines.good(
                WHAT,
                format!("accepted, {} digests in {shown}", now.count()),
            ),
            Ok(()) => lines.good(WHAT, format!("accepted in {shown}: {changed}")),
        }
    }
}
