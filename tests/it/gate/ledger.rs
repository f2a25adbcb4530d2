//! The fake servers keep the contract of the real ones.

#[path = "../../../mcp-clients/tests/it/contract/holds.rs"]
mod holds;

use tests::ledger::Ledger;
use tests::workbench::data;

#[tokio::test]
async fn the_ledger_keeps_the_contract_and_notes_what_arrives() {
    let tools = std::fs::read_to_string(data("gate").join("tools.json")).unwrap();
    let ledger = Ledger::of(&tools).unwrap();
    holds::holds(&ledger, "echo").await;
    let noted: Vec<String> = ledger.take().into_iter().map(|s| s.tool).collect();
    assert_eq!(noted, ["echo.echo", "echo.no_such_tool", "echo.echo"]);
    assert!(ledger.take().is_empty());
}
