//! The nouns of nightdesk and where they are kept; knows nothing of MCP, models or prompts.

pub mod model;
pub mod store;
