//! Views over a stored case: typed record, reconstructed activity, Markdown; nothing here changes a case.

mod casefile;
mod markdown;
mod reconstruct;
mod result;
mod safe;

pub use casefile::{AlertFile, CaseFile};
pub use markdown::markdown;
pub use reconstruct::{Line, reconstruct};
pub use result::AlertResult;
pub use safe::{defang, inline, oneline};
