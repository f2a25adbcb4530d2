//! Pins: the embedded servers' ship with the binary, every change of a definition is caught before the next call.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agent::catalogue::{Catalogue, PinState, Pins};
use agent::config::Config;
use mcp_clients::{Fleet, ToolBox, ToolDef};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

fn lock_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mcp-clients/presets/lab.lock")
}

/// The lock file that the embedded servers would have now.
async fn embedded() -> (Catalogue, BTreeMap<String, ToolDef>) {
    let lab = tests::workbench::Lab::scenario(&[]).unwrap();
    let config = agent::eval::lab_config(PROGRAM.as_ref(), lab.path(), Config::default()).unwrap();
    let pins = Pins::load(Path::new("no such lock")).unwrap();
    let catalogue = Catalogue::of(&config.servers, pins);
    let fleet = Fleet::start(config.servers.clone());
    fleet.wait_ready(std::time::Duration::from_secs(60)).await;
    let mut live = BTreeMap::new();
    for server in config.servers.keys() {
        for tool in fleet.tools(server).await.unwrap() {
            live.insert(format!("{server}.{}", tool.name), tool);
        }
    }
    fleet.shutdown().await;
    (catalogue, live)
}

#[tokio::test]
async fn the_embedded_servers_are_as_the_binary_pins_them() {
    let (catalogue, live) = embedded().await;
    let mut fresh = Pins::default();
    for (name, tool) in &live {
        let entry = catalogue.get(name);
        let entry = entry.unwrap_or_else(|| panic!("{name} is not in presets/lab.toml"));
        fresh.pin(entry, tool);
    }
    if std::env::var_os("NIGHTDESK_BLESS").is_some() {
        std::fs::write(lock_file(), fresh.text()).unwrap();
        return;
    }
    for (name, tool) in &live {
        let state = catalogue
            .definitions()
            .pins()
            .state(catalogue.get(name).unwrap(), tool);
        assert_eq!(
            state,
            PinState::Pinned,
            "{name} differs from mcp-clients/presets/lab.lock: review the change, then run this test with NIGHTDESK_BLESS=1"
        );
    }
    let shipped = std::fs::read_to_string(lock_file()).unwrap();
    assert_eq!(shipped, fresh.text(), "the lock holds tools that are gone");
}
