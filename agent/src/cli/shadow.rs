//! `nightdesk shadow`: how far the shadow of `[run.shadow]` agrees with the live verdicts.

use std::process::ExitCode;

use serde_json::json;
use state::model::Time;
use state::store::Store;

use crate::config::Config;
use crate::replay::{Agreement, agreement};
use crate::text::oneline;

use super::case::time;
use super::eval::row;
use super::output::table;
use super::{Done, Out};

/// Since when.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the shadow said at or after this: RFC 3339 or YYYY-MM-DD [default: all]
    #[arg(long, value_parser = time)]
    since: Option<Time>,
}

pub(super) async fn shadow(config: Config, args: Args, out: &Out) -> Done {
    let store = Store::open_existing(&config.store.url).await?;
    let pairs = store
        .shadow_pairs(args.since.unwrap_or(Time::MIN_UTC))
        .await;
    store.close().await;
    let agreements = agreement(&pairs?);
    if out.is_json() {
        out.value(&json!({"shadows": agreements}));
    } else if agreements.is_empty() {
        out.say("no shadow has judged anything: set [run.shadow] and let the daemon run");
    } else {
        agreements.iter().for_each(|a| show(a, out));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(agreement: &Agreement, out: &Out) {
    out.line(&format!(
        "shadow {}",
        &agreement.setting[..12.min(agreement.setting.len())]
    ));
    let rows = vec![
        row("the same verdict", agreement.same_verdict),
        row("the same answer to closing", agreement.same_close),
        row("would close what people called malicious", agreement.missed),
        row("would close more", agreement.closes_more),
    ];
    out.line(&table(&["figure", "value", "k/n", "95 % Wilson"], rows));
    for line in &agreement.differs {
        out.line(&format!("  {}", oneline(line, 200)));
    }
    if agreement.unrecorded > 0 {
        out.line(&format!(
            "  left out of all figures, since it made calls that have no record: {} alerts: {}",
            agreement.unrecorded,
            oneline(&agreement.left_out.join(", "), 400)
        ));
    }
}
