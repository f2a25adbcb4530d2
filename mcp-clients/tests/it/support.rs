//! Fleets of scripted servers for the tests; it asserts nothing about them.

use std::collections::BTreeMap;
use std::time::Duration;

use mcp_clients::Fleet;
use mcp_clients::config::{Limits, ProcessSpec, ReplyRules, ServerSpec, TransportSpec, WriteBack};
use mcp_clients::supervise::{ServerState, ServerStatus};
use serde_json::{Map, Value};

/// Long enough for a loaded machine; a test that meets it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn scripted(behaviour: &str) -> ServerSpec {
    ServerSpec {
        transport: TransportSpec::Process(ProcessSpec {
            command: env!("CARGO_BIN_EXE_scripted-mcp").to_owned(),
            args: vec![behaviour.to_owned()],
            ..ProcessSpec::default()
        }),
        limits: Limits {
            start: PATIENCE,
            ..Limits::default()
        },
        tools: BTreeMap::new(),
        reply: ReplyRules::default(),
        write_back: WriteBack::default(),
        responses: std::collections::BTreeMap::new(),
        tickets: mcp_clients::config::Tickets::default(),
    }
}

pub(crate) fn process(spec: &mut ServerSpec) -> &mut ProcessSpec {
    match &mut spec.transport {
        TransportSpec::Process(process) => process,
        TransportSpec::Http(_) => panic!("not a process"),
    }
}

/// A fleet of one server named `s`, tried once.
pub(crate) async fn fleet(spec: ServerSpec) -> Fleet {
    let fleet = Fleet::start(BTreeMap::from([("s".to_owned(), spec)]));
    fleet.wait_ready(PATIENCE).await;
    fleet
}

pub(crate) fn status(fleet: &Fleet) -> ServerStatus {
    fleet.status().remove(0)
}

/// Waits for the next start or announced change of the only server after generation `seen`.
pub(crate) async fn next_generation(fleet: &Fleet, seen: u64) -> u64 {
    let mut changed = fleet.changed();
    let newer = changed.wait_for(|all| all["s"] > seen);
    let all = tokio::time::timeout(PATIENCE, newer)
        .await
        .expect("nothing changed");
    all.unwrap()["s"]
}

pub(crate) fn down_reason(fleet: &Fleet) -> String {
    match status(fleet).state {
        ServerState::Down { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn no_arguments() -> Map<String, Value> {
    Map::new()
}
