//! How a daemon is looked at from outside while it works: metrics, health, logs, traces.

mod canary;
mod files;
mod health;
mod labels;
mod metrics;
mod people;
mod rules;
mod silent;
mod traces;

use std::sync::Arc;

use agent::catalogue::Pins;
use agent::config::{Config, HttpConfig};
use agent::ctx::Ctx;
use agent::http::{self, Servers};
use state::store::Store;
use tests::desk::Desk;
use tests::workbench::HandClock;
use tokio_util::sync::CancellationToken;

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// Any free port of this machine.
const ANY: &str = "[run.http]\nlisten = \"127.0.0.1:0\"";

/// The desk's context with other settings over a store of its own, listening; its clock, and where it is asked.
async fn listening(
    store: Store,
    change: impl FnOnce(&mut Config),
) -> (Arc<Ctx>, Arc<HandClock>, u16) {
    let desk = Desk::open("live", |t| t).await.unwrap();
    let mut config = desk.ctx.config.clone();
    config.run.http = Some(HttpConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
    });
    change(&mut config);
    let ctx = Arc::new(desk.ctx.beside(config, store, Pins::default()));
    let servers: Servers = Arc::new(Vec::new);
    let listening = http::bind(&ctx, servers).await.unwrap().unwrap();
    let port = listening.address().port();
    tokio::spawn(listening.serve(CancellationToken::new()));
    (ctx, desk.clock.clone(), port)
}
