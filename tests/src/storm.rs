//! A scanner's storm of Suricata alerts as a lab; how it is worked is said by the tests.

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};

use crate::workbench::Lab;

/// Where the scan comes from.
pub const SCANNER: &str = "10.9.9.9";
/// The size of a storm that a real scanner made in one night.
pub const NIGHT: usize = 2293;

/// One storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// How many alerts.
    pub alerts: usize,
    /// How many machines are scanned.
    pub targets: usize,
    /// Whether somebody announced it.
    pub announced: Announced,
}

/// Whether an approved change names the scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// From before the first alert until after the last.
    Throughout,
    /// Until the middle of the storm.
    UntilTheMiddle,
    /// Nobody did.
    Never,
}

const SIGNATURES: [(u32, &str); 3] = [
    (9_000_001, "LOCAL SCAN port sweep"),
    (9_000_002, "LOCAL SCAN ssh banner probe"),
    (9_000_003, "LOCAL SCAN http options probe"),
];

impl Storm {
    /// Alert number `i` as Suricata writes it; the storm lasts three quarters of an hour.
    #[must_use]
    pub fn alert(self, i: usize) -> Value {
        let (id, signature) = SIGNATURES[i % SIGNATURES.len()];
        let at = self.at(i);
        json!({"event_uid": format!("storm-{i}"), "event_time": at, "timestamp": at, "flow_id": i + 1,
            "in_iface": "eth0", "event_type": "alert", "src_ip": SCANNER, "src_port": 40_000 + i % 20_000,
            "dest_ip": format!("10.9.0.{}", i % self.targets + 1), "dest_port": 22, "proto": "TCP",
            "alert": {"action": "allowed", "gid": 1, "signature_id": id, "rev": 1, "signature": signature,
                "category": "Attempted Information Leak", "severity": 2}})
    }

    fn at(self, i: usize) -> String {
        let begin = DateTime::from_timestamp(1_772_438_400, 0).unwrap_or_default();
        let step = TimeDelta::minutes(45) / i32::try_from(self.alerts).unwrap_or(i32::MAX);
        let at = begin + step * i32::try_from(i).unwrap_or(i32::MAX);
        at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// The storm as a lab, its alerts also in the logs.
    pub fn lab(self) -> anyhow::Result<Lab> {
        let lab = Lab::scenario(&[])?;
        lab.write("lab.toml", "name = \"storm\"\nclock = \"2026-03-02T12:00:00Z\"\n[alerts]\nfile = \"alerts.jsonl\"\nmapping = \"suricata\"\n")?;
        let alerts: Vec<Value> = (0..self.alerts).map(|i| self.alert(i)).collect();
        lab.lines("alerts.jsonl", &alerts)?;
        lab.lines("logs/suricata.jsonl", &alerts)?;
        let until = match self.announced {
            Announced::Throughout => "2026-03-02T09:30:00Z",
            Announced::UntilTheMiddle => "2026-03-02T08:20:00Z",
            Announced::Never => return lab.lines("changes.jsonl", &[]).map(|()| lab),
        };
        lab.lines("changes.jsonl", &[json!({"id": "CHG-1", "kind": "change",
            "title": "Vulnerability scan of the test network", "requested_by": "ana", "approved_by": "bo",
            "status": "approved", "created_at": "2026-03-01T10:00:00Z", "window_start": "2026-03-02T07:30:00Z",
            "window_end": until, "targets": ["10.9.0.0/24"], "sources": [SCANNER], "description": "one night"})])?;
        Ok(lab)
    }
}
