//! What the tests share: harness and fakes; the tests themselves are in `it/`.

pub mod ask;
pub mod board;
pub mod collector;
pub mod crowd;
pub mod daemon;
pub mod desk;
pub mod draw;
pub mod ledger;
pub mod mail_server;
pub mod markup;
pub mod mcp_server;
pub mod model_server;
pub mod months;
pub mod past;
pub mod receiver;
pub mod sender;
pub mod slack;
pub mod storm;
pub mod workbench;
