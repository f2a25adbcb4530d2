//! Where a source stands; it moves only in the transaction that stores the alerts.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Opaque position of one source; its shape belongs to the source's kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// Configured name of the source.
    pub source: String,
    /// Position: an object such as `{"cursor": "…"}` or `{"inode": 7, "offset": 812}`; null at the beginning.
    pub position: Value,
}
