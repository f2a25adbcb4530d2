//! What the tests share: harness and fakes; the tests themselves are in `it/`.

pub mod ask;
pub mod collector;
pub mod crowd;
pub mod daemon;
pub mod desk;
pub mod draw;
pub mod ledger;
pub mod markup;
pub mod mcp_server;
pub mod model_server;
pub mod past;
pub mod sender;
pub mod storm;
pub mod workbench;
