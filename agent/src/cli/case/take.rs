//! `nightdesk case take`: a person takes a case over; who may is decided in `approvals`.

use serde_json::json;
use state::model::CaseId;
use state::store::Store;

use crate::approvals::take_over;
use crate::config::Config;
use crate::ctx::{Clock, SystemClock};
use crate::rights::Rights;

use super::super::approvals::{groups, person, refused};
use super::super::{Failed, Out};

/// Which case, and who takes it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// For instance ND-12
    id: CaseId,
    /// Who, as in [approvals] closers or approvers; only root may name another [default: you]
    #[arg(long)]
    by: Option<String>,
}

pub(super) async fn take(
    store: &Store,
    config: &Config,
    args: Args,
    out: &Out,
) -> Result<(), Failed> {
    let who = person(args.by)?;
    let groups = groups(config).await;
    let rights = Rights::new(&config.people.approvals, &*groups);
    let taken = take_over(store, rights, (args.id, &who), SystemClock.now()).await;
    taken.map_err(refused)?;
    if out.is_json() {
        out.value(&json!({"case": args.id, "owner": who.name}));
        return Ok(());
    }
    out.line(&format!(
        "{} is {}'s now; what was asked about it has lapsed. When it is settled: `nightdesk case feedback {} --verdict … --close`",
        args.id, who.name, args.id
    ));
    Ok(())
}
