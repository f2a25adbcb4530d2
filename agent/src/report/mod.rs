//! Views over a stored case: typed record, reconstructed activity, Markdown; nothing here changes a case.

mod casefile;
mod markdown;
mod result;

pub use casefile::{AlertFile, CaseFile};
pub use markdown::markdown;
pub use result::AlertResult;
