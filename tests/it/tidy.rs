//! The house rules that neither rustc nor clippy hold: sizes, openings, rooms in their order, no corpus names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

pub(crate) fn files(dir: &Path, ending: &str, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "nightdesk-demo" {
                files(&path, ending, out);
            }
        } else if name.ends_with(ending) {
            out.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(&root(), ".rs", &mut found);
    found.sort();
    let name = |p: &Path| {
        p.strip_prefix(root())
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    found
        .iter()
        .map(|p| (name(p), std::fs::read_to_string(p).unwrap()))
        .collect()
}

/// The lines before the in-file tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap()
}

#[test]
fn files_open_with_a_sentence_and_stay_small() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let opening = text.lines().next().unwrap_or_default();
        if !opening.starts_with("//! ") {
            faults.push(format!("{name}: does not open with a `//!` sentence"));
        }
        let lines = code(&text).lines().count();
        if lines > 400 {
            faults.push(format!("{name}: {lines} lines; 400 is the end"));
        }
        for word in ["TODO", "FIXME", "XXX"] {
            if text.contains(word) && !name.ends_with("tidy.rs") {
                faults.push(format!("{name}: says {word}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn structs_and_functions_stay_small() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let lines: Vec<&str> = code(&text).lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let head = line.trim_start();
            let indent = &line[..line.len() - head.len()];
            let is_struct = head.starts_with("struct ")
                || (head.starts_with("pub") && head.contains(" struct "));
            if is_struct && line.ends_with('{') {
                let field = format!("{indent}    ");
                let body = lines[i + 1..]
                    .iter()
                    .take_while(|l| !l.starts_with(&format!("{indent}}}")));
                let fields = body
                    .filter(|l| {
                        l.starts_with(&field)
                            && !l[field.len()..].starts_with([' ', '/', '#', ')', ']', '}'])
                    })
                    .count();
                if fields > 12 {
                    faults.push(format!("{name}:{}: {fields} fields; at most 12", i + 1));
                }
            }
            if let Some(arguments) = arguments(&lines, i)
                && arguments > 5
            {
                faults.push(format!(
                    "{name}:{}: {arguments} arguments; at most 5",
                    i + 1
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// How many arguments, `self` not counted, the function that begins at a line takes.
fn arguments(lines: &[&str], at: usize) -> Option<usize> {
    let head = lines[at].trim_start();
    let is_fn = head.starts_with("fn ")
        || (head.starts_with("pub") || head.starts_with("async")) && head.contains(" fn ");
    if !is_fn {
        return None;
    }
    let rest: String = lines[at..]
        .iter()
        .take(30)
        .map(|l| format!("{}\n", l.split("//").next().unwrap()))
        .collect();
    let name = rest.find("fn ")?;
    // The argument list is the first parenthesis outside of the generics.
    let (mut angle, mut depth, mut count, mut any) = (0, 0, 0, false);
    let mut previous = ' ';
    for c in rest[name..].chars() {
        match c {
            '<' if depth <= 1 => angle += 1,
            '>' if depth <= 1 && previous != '-' => angle -= 1,
            '(' | '[' | '{' if depth > 0 || (c == '(' && angle == 0) => depth += 1,
            ')' | ']' | '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    let list = rest[name..].split_once('(')?.1;
                    let own = list.split([',', ')']).next()?.contains("self");
                    return Some(count + usize::from(any) - usize::from(own));
                }
            }
            ',' if depth == 1 && angle == 0 => {
                count += 1;
                any = false;
            }
            c if depth == 1 && !c.is_whitespace() => any = true,
            _ => {}
        }
        previous = c;
    }
    None
}

/// Rooms of the daemon, low to high; a room uses only what stands before it.
const ROOMS: [&[&str]; 21] = [
    &["data", "text"],
    &["config", "telemetry", "page"],
    &[
        "llm",
        "prompt",
        "playbook",
        "scan",
        "policy",
        "precedent",
        "integrity",
        "anchors",
        "correlate",
        "rights",
    ],
    &["catalogue"],
    &["ctx"],
    &["gate"],
    &["tier"],
    &["pipeline"],
    &["triage"],
    &["report", "export", "feedback"],
    &["metrics"],
    &["approvals"],
    &["notify"],
    &["http"],
    &["daemon"],
    &["eval"],
    &["replay"],
    &["learn", "assurance"],
    &["selftest", "drill"],
    &["cli"],
    &["main"],
];

#[test]
fn rooms_use_only_lower_rooms() {
    let level: BTreeMap<&str, usize> = ROOMS
        .iter()
        .enumerate()
        .flat_map(|(i, rooms)| rooms.iter().map(move |r| (*r, i)))
        .collect();
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let Some(inner) = name.strip_prefix("agent/src/") else {
            continue;
        };
        let room = inner.split(['/', '.']).next().unwrap();
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(own) = level.get(room) else {
            faults.push(format!(
                "{name}: the room `{room}` has no place in the order"
            ));
            continue;
        };
        for (i, line) in code(&text).lines().enumerate() {
            for used in line.split("crate::").skip(1) {
                // `use crate::{a, b}` does not occur: one line a room is the house's way.
                let used = used
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
                    .unwrap();
                if level
                    .get(used)
                    .is_some_and(|l| l > own || (l == own && used != room))
                {
                    faults.push(format!(
                        "{name}:{}: `{room}` uses `{used}`, which stands higher or beside it",
                        i + 1
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn crates_point_one_way_and_heavy_ones_stand_behind_one() {
    let allowed: [(&str, &[&str]); 4] = [
        ("state", &[]),
        ("mcp-clients", &["state"]),
        ("lab", &["state"]),
        ("agent", &["state", "mcp-clients", "lab"]),
    ];
    let heavy: [(&str, &[&str]); 6] = [
        ("async-openai", &["agent"]),
        ("jsonschema", &["agent"]),
        ("regorus", &["agent"]),
        ("sqlx", &["state", "lab"]),
        ("rmcp", &["mcp-clients", "lab", "tests"]),
        ("tokio-tungstenite", &["agent", "tests"]),
    ];
    for (name, may) in allowed {
        let manifest: toml::Table = std::fs::read_to_string(root().join(name).join("Cargo.toml"))
            .unwrap()
            .parse()
            .unwrap();
        let uses = |dependency: &str| {
            manifest["dependencies"]
                .as_table()
                .unwrap()
                .contains_key(dependency)
        };
        for other in ["state", "mcp-clients", "lab", "agent", "tests"] {
            assert!(
                !uses(other) || may.contains(&other),
                "{name} may not use {other}"
            );
        }
        for (dependency, owners) in heavy {
            assert!(
                !uses(dependency) || owners.contains(&name),
                "{dependency} stands behind {owners:?}, not {name}"
            );
        }
    }
}

#[test]
fn tools_are_called_through_the_gate_alone() {
    for (name, text) in sources() {
        if name.starts_with("agent/src/") && !name.starts_with("agent/src/gate/") {
            assert!(
                !code(&text).contains("toolbox.call("),
                "{name} calls a tool past the gate"
            );
        }
    }
}

#[test]
fn what_ships_names_no_machine_and_no_corpus() {
    let mut shipped = Vec::new();
    for ending in [".rs", ".md", ".yaml", ".toml", ".jsonl", ".yml"] {
        files(&root(), ending, &mut shipped);
    }
    let corpus = root().join("../shared/corpus");
    // This machine's own folders stand for any machine's; the host is that of the default registry.
    let here = root().canonicalize().unwrap().display().to_string();
    let home = std::env::var("HOME").unwrap_or_default();
    let mut names: Vec<String> = vec![here, format!("{home}/"), ["index", "crates.io"].join(".")];
    names.retain(|n| n.len() > 4);
    match std::fs::read_dir(&corpus) {
        Ok(labs) => {
            for lab in labs
                .filter_map(Result::ok)
                .filter(|l| l.path().join("labels.jsonl").exists())
            {
                let labels = std::fs::read_to_string(lab.path().join("labels.jsonl")).unwrap();
                let ids = labels.lines().map(|l| {
                    serde_json::from_str::<serde_json::Value>(l).unwrap()["source_alert_id"]
                        .as_str()
                        .unwrap()
                        .to_owned()
                });
                names.extend(ids);
                for file in ["identity.jsonl", "assets.jsonl"] {
                    let text = std::fs::read_to_string(lab.path().join(file)).unwrap_or_default();
                    let rows = text
                        .lines()
                        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
                    let ids = rows.filter_map(|r| r["id"].as_str().map(str::to_owned));
                    names.extend(ids.filter(|i| {
                        i.len() > 7
                            && !i.ends_with(".amazonaws.com")
                            && i.contains(|c: char| c.is_ascii_digit() || c == '.' || c == '\\')
                    }));
                }
            }
        }
        Err(_) => eprintln!(
            "SKIPPED: the development corpus is not here, so its names are not looked for"
        ),
    }
    let mut faults = Vec::new();
    for path in shipped {
        if path.ends_with("tidy.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        faults.extend(
            names
                .iter()
                .filter(|n| text.contains(n.as_str()))
                .map(|n| format!("{}: names {n}", path.display())),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
