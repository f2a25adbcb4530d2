//! MCP sessions, the tool edge and alert sources; knows nothing of tiers' conduct, policy or models.

pub mod config;
pub mod mappings;
pub mod presets;
pub mod recorded;
pub mod result;
pub mod session;
pub mod sources;
pub mod supervise;
pub mod toolbox;
pub mod words;

/// The data folders that this crate carries in the binary, by name.
#[must_use]
pub fn built_in() -> [(&'static str, &'static include_dir::Dir<'static>); 2] {
    [
        ("mappings", mappings::built_in()),
        ("presets", presets::built_in()),
    ]
}

pub use supervise::Fleet;
pub use toolbox::{
    Answer, Cut, Heard, Question, ReplyKind, ToolBox, ToolDef, ToolFailure, ToolReply,
};
