//! `nightdesk case replay`: a stored case judged again on its recorded tool results; nothing is asked or changed.

use std::process::ExitCode;

use serde_json::json;
use state::model::CaseId;
use state::store::Store;

use crate::cli::under::Under;
use crate::cli::{Done, Out};
use crate::config::Config;
use crate::replay::{Desk, Opinion, Replay as Replayed, replay};
use crate::text::oneline;

/// Which case, and under which settings.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Replay {
    /// For instance ND-12; several are judged again one after the other
    #[arg(required = true)]
    ids: Vec<CaseId>,
    #[command(flatten)]
    under: Under,
}

pub(super) async fn again(store: &Store, config: Config, asked: Replay, out: &Out) -> Done {
    // Whoever names a case that is not there is told so before any is judged again.
    for id in &asked.ids {
        store.case(*id).await?;
    }
    let desk = Desk::open(asked.under.over(config)?).await?;
    let mut cases = Vec::new();
    for id in asked.ids {
        cases.push(replay(&desk, store, id).await?);
    }
    if out.is_json() {
        let told = |r: &Replayed| json!({"case": r.case, "alerts": r.alerts});
        out.value(&json!({"cases": cases.iter().map(told).collect::<Vec<_>>()}));
        return Ok(ExitCode::SUCCESS);
    }
    for case in &cases {
        show(case, out);
    }
    out.say("answers came from the record; what other cases stood open then is not replayed");
    Ok(ExitCode::SUCCESS)
}

fn show(replayed: &Replayed, out: &Out) {
    let told = |opinion: &Option<Opinion>| {
        opinion.as_ref().map_or("none".to_owned(), |o| {
            let percent = o.probability * 100.0;
            let close = if o.close_allowed {
                ", may be closed"
            } else {
                ""
            };
            format!(
                "{} ({percent:.0} % likely malicious, tier {}{close})",
                o.verdict, o.tier
            )
        })
    };
    for alert in &replayed.alerts {
        out.line(&format!(
            "{} {}: was {}, is {}",
            replayed.case,
            oneline(&alert.source_alert_id, 80),
            told(&alert.before),
            told(&alert.after)
        ));
        if alert.unrecorded > 0 {
            out.line(&format!(
                "    {} calls of the case have no record: how they would have ended is not known",
                alert.unrecorded
            ));
        }
        for line in &alert.differs {
            out.line(&format!("    {}", oneline(line, 200)));
        }
        if alert.differs.is_empty() {
            out.line("    nothing differs");
        }
    }
}
