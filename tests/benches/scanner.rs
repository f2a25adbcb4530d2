//! How fast the scanner is on a short alert and on a large tool result; run with `cargo bench -p tests --bench scanner`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::Path;
use std::time::{Duration, Instant};

use agent::data::{Folder, SCANNER};
use agent::scan::Scanner;
use serde_json::{Value, json};

/// An alert of 40 fields as a vendor writes it.
fn alert() -> Value {
    let mut alert = json!({
        "id": "a-1", "rule": {"id": "r-7", "title": "Encoded PowerShell command"}, "severity": "high",
        "process": {"command_line": "powershell.exe -nop -w hidden -enc RwBlAHQALQBQAHIAbwBjAGUAcwBzAA==",
            "image": "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
        "url": "https://portal.example.org/login?next=%2Fhome%3Fid%3D7&lang=de",
        "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36",
        "message": "The process was started by a document. No further action is required if this is known.",
    });
    for i in 0..30 {
        alert[format!("field_{i}")] =
            json!(format!("value {i} of host-{i}.corp.example at 10.0.{i}.7"));
    }
    alert
}

/// Log rows of about 256 KiB, no two alike.
fn result() -> Vec<Value> {
    let row = |i: usize| {
        json!({"time": format!("2026-01-01T00:00:{:02}Z", i % 60), "host": format!("web-{i}.corp.example"),
            "message": format!("GET /items/{i}?q=system+rules%20{i}&user=u{i} HTTP/1.1 from 10.1.{}.{}", i / 256, i % 256),
            "agent": format!("curl/8.{i} (report to the admin, previous rule {i})"), "hash": format!("{:064x}", i * 7919)})
    };
    (0..800).map(row).collect()
}

fn time(name: &str, bytes: usize, times: usize, mut run: impl FnMut()) {
    let mut took: Vec<Duration> = (0..times)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    took.sort();
    let (p50, p99) = (took[times / 2], took[times * 99 / 100]);
    let rate = bytes as f64 / p50.as_secs_f64() / 1e6;
    println!("{name}: {bytes} bytes, p50 {p50:?}, p99 {p99:?}, {rate:.1} MB/s");
}

fn main() {
    let start = Instant::now();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/scanner");
    let scanner = Scanner::load(&Folder::open(&SCANNER, Some(&folder)).unwrap()).unwrap();
    println!("load: {:?}", start.elapsed());
    let (alert, rows) = (alert(), result());
    time("alert", alert.to_string().len(), 2000, || {
        assert!(scanner.value(&alert).complete);
    });
    time("log rows", json!(rows).to_string().len(), 100, || {
        assert!(scanner.events(&rows).complete);
    });
    let text = json!(rows).to_string();
    time("one text", text.len(), 100, || {
        assert!(scanner.text("/text", &text).complete);
    });
    let anchors = "please ignore note to system: tool result verdict ".repeat(5243);
    time("words of attacks", anchors.len(), 20, || {
        let _ = scanner.text("/text", &anchors);
    });
}
