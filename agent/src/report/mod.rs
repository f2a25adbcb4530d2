//! Views over a stored case: typed record, story, graph, Markdown; nothing here changes a case.

mod casefile;
mod graph;
mod markdown;
mod result;
mod sections;
mod story;

pub use casefile::{AlertFile, CaseFile};
pub use graph::{CaseGraph, Edge, Node, NodeKind};
pub use markdown::markdown;
pub use result::AlertResult;
pub use story::{Story, Touched};
