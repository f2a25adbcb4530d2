//! What every `ToolBox` keeps to; how the real one gets there is not looked at.

mod holds;

use crate::support::{fleet, scripted};

pub(crate) use holds::holds;

#[tokio::test]
async fn a_fleet_of_child_processes_keeps_the_contract() {
    for behaviour in ["normal", "stdout-noise", "modern"] {
        let fleet = fleet(scripted(behaviour)).await;
        holds(&fleet, "s").await;
        fleet.shutdown().await;
    }
}
