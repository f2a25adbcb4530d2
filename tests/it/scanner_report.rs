//! Detection and false alarms of the scanner on the development sets, as a table; it skips where they are absent.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use agent::scan::{Hit, Scanner};
use serde_json::Value;

use crate::scanner::scanner;

/// Most benign documents that may be flagged, per thousand.
const MOST_PER_THOUSAND: usize = 5;

/// A file of more rows is long.
const LONG: usize = 400;

/// Which files, below the shared folder, hold what: attacks, hard benign prompts (no logs), and logs and documents.
const ATTACKS: [&str; 8] = [
    "injection/soc-fields/positives_dev.jsonl",
    "injection/agentdojo/injections.jsonl",
    "injection/cyberseceval/prompt_injection.jsonl",
    "injection/bipia/text_attack_test.jsonl",
    "injection/bipia/text_attack_train.jsonl",
    "injection/bipia/code_attack_test.jsonl",
    "injection/bipia/code_attack_train.jsonl",
    "injection/mcp-tools/cisco_malicious_docstrings.jsonl",
];
const PROMPTS: [&str; 2] = [
    "injection/notinject/notinject.jsonl",
    "injection/cyberseceval/mitre_frr_benign.jsonl",
];
const BENIGN: [&str; 11] = [
    "injection/soc-fields/negatives.jsonl",
    "injection/crs-web-attacks/payloads.jsonl",
    "injection/cloudtrail/stratus_detonation.jsonl",
    "injection/cloudtrail/invictus_sample.jsonl",
    "injection/mcp-tools/benign_gitlab_tools.jsonl",
    "injection/mcp-tools/benign_falcon-mcp.jsonl",
    "injection/mcp-tools/benign_google-mcp-security.jsonl",
    "injection/mcp-tools/benign_okta-mcp-server.jsonl",
    "injection/mcp-tools/benign_mcp-panther.jsonl",
    "injection/bipia/email_contexts_benign.jsonl",
    "injection/agentdojo/benign_environment.jsonl",
];

/// The scanned parts of a row: what the origin says about the text is not part of it.
fn scanned(row: &Value) -> Value {
    let mut row = row.clone();
    if let Some(members) = row.as_object_mut() {
        for note in [
            "id", "family", "goal", "variant", "type", "judge", "system", "category", "attack",
            "suite", "expect", "kind", "triggers",
        ] {
            // A log row that has such a field keeps it.
            if members.contains_key("text")
                || members.contains_key("value")
                || members.contains_key("description")
            {
                members.shift_remove(note);
            }
        }
    }
    row
}

/// The rows of a file; of long ones each tenth in a debug build, which is slow.
fn rows(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .collect();
    let step = if cfg!(debug_assertions) && rows.len() > LONG {
        10
    } else {
        1
    };
    rows.into_iter().step_by(step).collect()
}

/// How many rows there are, and which are flagged.
fn measure(scanner: &Scanner, rows: &[Value]) -> (usize, Vec<(usize, Vec<Hit>)>) {
    let flagged = rows
        .iter()
        .enumerate()
        .map(|(i, row)| (i, scanner.value(&scanned(row)).hits));
    (
        rows.len(),
        flagged.filter(|(_, hits)| !hits.is_empty()).collect(),
    )
}

/// One line of the table.
fn line(table: &mut String, name: &str, n: usize, flagged: usize) {
    let share = 100.0 * flagged as f64 / n.max(1) as f64;
    writeln!(table, "| {name} | {n} | {flagged} | {share:.1} |").unwrap();
}

fn by_group(table: &mut String, rows: &[Value], flagged: &[(usize, Vec<Hit>)]) {
    let mut groups: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        let keys = ["family", "attack", "variant", "category"];
        if let Some(group) = keys.iter().find_map(|key| row[*key].as_str()) {
            let counts = groups.entry(group).or_default();
            counts.0 += 1;
            counts.1 += usize::from(flagged.iter().any(|(at, _)| *at == i));
        }
    }
    for (group, (n, found)) in groups {
        line(table, &format!("- {group}"), n, found);
    }
}

fn corpus_files(corpus: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for lab in std::fs::read_dir(corpus).unwrap().filter_map(Result::ok) {
        for dir in [lab.path(), lab.path().join("logs")] {
            let entries = std::fs::read_dir(dir)
                .into_iter()
                .flatten()
                .filter_map(Result::ok);
            files.extend(entries.map(|e| e.path()).filter(|p| {
                p.extension().is_some_and(|e| e == "jsonl") && !p.ends_with("labels.jsonl")
            }));
        }
    }
    files.sort();
    files
}

#[test]
fn few_benign_documents_are_flagged_and_attacks_are() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    if !shared.join("injection").is_dir() {
        eprintln!(
            "SKIPPED: the development sets are not here, so detection and false alarms are not measured"
        );
        return;
    }
    let scanner = scanner();
    let mut table = "| set | n | flagged | % |\n|---|---|---|---|\n".to_owned();
    let mut soc_fields = 0;
    for file in ATTACKS {
        let rows = rows(&shared.join(file));
        let (n, flagged) = measure(&scanner, &rows);
        line(&mut table, file, n, flagged.len());
        by_group(&mut table, &rows, &flagged);
        if file.contains("soc-fields") {
            soc_fields = flagged.len();
        }
    }
    for file in PROMPTS {
        let (n, flagged) = measure(&scanner, &rows(&shared.join(file)));
        line(&mut table, file, n, flagged.len());
    }
    let (mut all, mut alarms, mut told) = (0, 0, String::new());
    let logs = corpus_files(&shared.join("corpus"));
    for path in BENIGN.iter().map(|f| shared.join(f)).chain(logs) {
        // Quotes of injections may be flagged; the alert lives on.
        let mut rows = rows(&path);
        rows.retain(|r| r["expect"] != "flag_allowed_but_alert_must_survive");
        let (n, flagged) = measure(&scanner, &rows);
        let name = path.strip_prefix(&shared).unwrap().display().to_string();
        line(&mut table, &name, n, flagged.len());
        (all, alarms) = (all + n, alarms + flagged.len());
        for (i, hits) in flagged.iter().take(9) {
            writeln!(told, "{name}:{i}: {:?}", hits[0]).unwrap();
        }
    }
    line(&mut table, "all benign documents", all, alarms);
    eprintln!("{table}\n{told}");
    assert!(
        alarms * 1000 <= all * MOST_PER_THOUSAND,
        "{alarms} of {all}"
    );
    assert!(soc_fields >= 100, "{soc_fields} of 120");
}
