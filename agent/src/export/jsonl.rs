//! JSON lines: the entry as it is stored, with what the hash is made of; nothing is left out.

use serde_json::json;
use state::store::AuditEntry;

/// One object: `seq`, `at`, `hash`, `entry`.
pub(super) fn line(entry: &AuditEntry) -> String {
    json!({"seq": entry.seq, "at": entry.at, "hash": entry.hash, "entry": entry.entry}).to_string()
}
