//! Views over a stored case: typed record, story, graph, Markdown, HTML, JSON; nothing here changes a case.

mod casefile;
mod graph;
mod json;
mod parts;
mod result;
mod signed;
mod story;

pub use casefile::{AlertFile, CaseFile};
pub use graph::{CaseGraph, Edge, Node, NodeKind};
pub use json::CaseReport;
pub use parts::{html, markdown};
pub use result::AlertResult;
pub use signed::{Signature, signatures};
pub use story::{Story, Touched};
