//! MCP sessions, the tool edge and alert sources; knows nothing of tiers' conduct, policy or models.

pub mod config;
pub mod mappings;
pub mod presets;
pub mod result;
pub mod session;
pub mod sources;
pub mod supervise;
pub mod toolbox;
pub mod words;

pub use supervise::Fleet;
pub use toolbox::{Cut, ReplyKind, ToolBox, ToolDef, ToolFailure, ToolReply};
