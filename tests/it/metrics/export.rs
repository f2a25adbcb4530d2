//! What `nightdesk metrics` writes: the published schema holds, CSV runs nothing, HTML loads nothing, a late word counts.

use std::path::Path;

use agent::catalogue::misfits;
use chrono::TimeDelta;
use serde_json::Value;
use state::model::{Time, VerdictKind};
use state::store::Store;
use tests::months::{Months, fill};
use tests::workbench::{nightdesk, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

/// A folder with a store of made-up months and the settings for it.
pub(super) async fn desk(cases: i64, settings: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let months = Months {
        cases,
        from: at("2026-10-20T00:00:00Z"),
        until: at("2026-11-20T00:00:00Z"),
        seed: 7,
    };
    fill(&dir.path().join("nd.db"), months).await.unwrap();
    let text = format!("[store]\nurl = \"sqlite:nd.db\"\n[metrics]\n{settings}\n");
    std::fs::write(dir.path().join("nightdesk.toml"), text).unwrap();
    dir
}

/// Runs a command, words parted by blanks; gives what it printed.
pub(super) fn ran(dir: &Path, command: &str) -> String {
    let args: Vec<&str> = command.split(' ').collect();
    let output = nightdesk(PROGRAM, dir, &args).unwrap();
    assert!(output.status.success(), "{command}: {}", stderr(&output));
    stdout(&output)
}

fn json_of(dir: &Path, command: &str) -> Value {
    serde_json::from_str(&ran(dir, command)).unwrap()
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn each_form_is_written_and_json_is_as_its_schema_says() {
    let dir = desk(300, "time_zone = \"Europe/Berlin\"\nrule_minutes = { \"r-3\" = 2.5 }\n[metrics.sla.unknown]\nacknowledge = \"1h\"\nresolve = \"2h\"").await;
    let dir = dir.path();
    let schema: Value = json_of(dir, "metrics schema");
    let told = json_of(
        dir,
        "metrics export --week 2026-W46 --format all --out o --json",
    );
    assert_eq!(told["files"].as_array().unwrap().len(), 5);
    let out = dir.join("o");
    assert_eq!(
        files(&out),
        [
            "metrics.csv",
            "metrics.json",
            "noisy_rules.csv",
            "report.html",
            "report.md"
        ]
    );
    let text = std::fs::read_to_string(out.join("metrics.json")).unwrap();
    let made: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(misfits(&schema, &made).unwrap(), Vec::<String>::new());
    assert_eq!(made["period"]["since"], "2026-11-08T23:00:00Z");
    // A severity that is set stands beside the defaults of the others.
    assert_eq!(made["terms"]["sla"].as_array().unwrap().len(), 7);
    // The schema is one that refuses: another field, a number that is neither measured nor explained.
    for (pointer, value) in [
        ("/period/zone", Value::from("UTC")),
        ("/numbers/0/not_measured", Value::from("both")),
        ("/numbers/0/stat", Value::from("p99")),
    ] {
        let mut other = made.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        other.pointer_mut(parent).unwrap()[key] = value;
        assert!(!misfits(&schema, &other).unwrap().is_empty(), "{pointer}");
    }
    defined(&made);
    tidy(
        &std::fs::read_to_string(out.join("metrics.csv")).unwrap(),
        &made,
    );
    let volume = made["numbers"][0]["value"].as_f64().unwrap();
    // Shown on the terminal: the same headline.
    let shown = ran(dir, "metrics show --week 2026-W46");
    assert!(
        shown.contains(&format!("{volume} ")) && shown.contains("2026-W46"),
        "{shown}"
    );
    let days = json_of(dir, "metrics show --from 2026-11-09 --to 2026-11-15 --json");
    assert_eq!(days["numbers"][0]["value"], made["numbers"][0]["value"]);
}

/// Every number has a definition.
fn defined(made: &Value) {
    let all = made["definitions"].as_array().unwrap().iter();
    let defined: Vec<&Value> = all.map(|d| &d["metric"]).collect();
    for number in made["numbers"].as_array().unwrap() {
        assert!(defined.contains(&&number["metric"]), "{number}");
    }
}

/// The same numbers, one a row; what was not measured is empty.
fn tidy(rows: &str, made: &Value) {
    let head = "period_start,period_end,metric,dimension,dimension_value,stat,value,unit,n";
    assert_eq!(rows.lines().next(), Some(head));
    let own = rows.lines().skip(1);
    let own = own.filter(|l| !l.contains(",low95,") && !l.contains(",high95,"));
    let numbers = made["numbers"].as_array().unwrap();
    assert_eq!(own.clone().count(), numbers.len());
    for (line, number) in own.zip(numbers) {
        let value = number["value"].as_f64();
        let value = value.map(|v| v.to_string()).unwrap_or_default();
        let words = [
            &number["metric"],
            &number["dimension"],
            &number["dimension_value"],
            &number["stat"],
        ];
        let words: Vec<&str> = words.iter().map(|w| w.as_str().unwrap()).collect();
        let row = format!(
            "2026-11-08T23:00:00+00:00,2026-11-15T23:00:00+00:00,{},{value},{},{}",
            words.join(","),
            number["unit"].as_str().unwrap(),
            number["n"]
        );
        assert_eq!(line, row);
    }
    ends(rows);
}

/// An end of an interval is a number that means something: 0 and 1 where the share can't be less or more.
fn ends(rows: &str) {
    let mut bare = 0;
    for line in rows.lines() {
        let cells: Vec<&str> = line.rsplit(',').collect();
        if let [_, "ratio", value, "low95" | "high95", ..] = cells[..]
            && let Ok(end) = value.parse::<f64>()
        {
            let told = end == 0.0 || end == 1.0;
            assert!(told || (1e-12..=1.0 - 1e-12).contains(&end), "{line}");
            bare += usize::from(end == 0.0);
        }
    }
    assert!(bare > 0, "no share of none");
}

#[tokio::test]
async fn what_can_not_be_meant_is_refused() {
    let dir = desk(20, "").await;
    for (args, part) in [
        (vec!["--week", "2026-W60"], "no ISO week"),
        (vec!["--from", "2026-11-09"], "--to"),
        (
            vec!["--from", "2026-11-09", "--to", "2026-11-01"],
            "must not lie before",
        ),
        (
            vec![
                "--week",
                "2026-W46",
                "--from",
                "2026-11-09",
                "--to",
                "2026-11-10",
            ],
            "cannot be used with",
        ),
    ] {
        let output = nightdesk(
            PROGRAM,
            dir.path(),
            &[vec!["metrics", "show"], args.clone()].concat(),
        )
        .unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            stderr(&output).contains(part),
            "{args:?}: {}",
            stderr(&output)
        );
    }
    let settings = "[metrics]\ntime_zone = \"Mars/Base\"\nat = \"0 6 * * 1\"\nformats = []\nreview_minutes = -1.0\n\
        [metrics.sla.high]\nacknowledge = \"0s\"\nresolve = \"1h\"\n[metrics.baseline_minutes]\nlow = 1e9\n";
    let faults = agent::config::from_text(settings, "f")
        .unwrap_err()
        .to_string();
    for part in [
        "no time zone",
        "names days of the week",
        "none of json",
        "review_minutes",
        "sla.high.acknowledge",
        "baseline_minutes.low",
    ] {
        assert!(faults.contains(part), "{part}: {faults}");
    }
    assert_eq!(faults.lines().count(), 6, "{faults}");
}

#[test]
fn a_schedule_does_not_come_just_before_the_week_is_over() {
    for (zone, at, fine) in [
        ("UTC", "0 6 * * Mon", true),
        ("UTC", "0 0 * * Mon", true),
        ("UTC", "0 20 * * Sun", false),
        ("Asia/Tokyo", "0 20 * * Sun", true),
        ("America/Los_Angeles", "0 6 * * Mon", false),
        // In winter it is 00:30 there, in summer 01:30; half an hour less is right in summer only.
        ("America/Los_Angeles", "30 8 * * Mon", true),
        ("America/Los_Angeles", "30 7 * * Mon", false),
        ("America/Los_Angeles", "0 6 * * *", true),
        ("America/Los_Angeles", "0 6 1 * *", true),
    ] {
        let settings = format!("[metrics]\ntime_zone = \"{zone}\"\nat = \"{at}\"\n");
        let read = agent::config::from_text(&settings, "f");
        let told = read
            .as_ref()
            .map_or_else(ToString::to_string, |_| String::new());
        assert_eq!(read.is_ok(), fine, "{zone} {at}: {told}");
        assert!(fine || told.contains("a week late"), "{told}");
    }
}

/// A case of the week that the daemon closed as a false positive, and that nobody looked at.
async fn unseen(dir: &Path) -> String {
    let store = Store::open(&format!("sqlite:{}", dir.join("nd.db").display()))
        .await
        .unwrap();
    let (since, until) = (at("2026-11-02T00:00:00Z"), at("2026-11-09T00:00:00Z"));
    // Closed by the daemon as harmless, and never looked at.
    let filter = state::store::CaseFilter {
        since: Some(since),
        until: Some(until - TimeDelta::hours(1)),
        verdict: Some(VerdictKind::FalsePositive),
        status: Some(state::model::CaseStatus::Closed),
        ..state::store::CaseFilter::default()
    };
    let mut late = None;
    for line in store.list_cases(filter).await.unwrap() {
        let said = store
            .feedback_since(chrono::DateTime::UNIX_EPOCH, Some(line.case.id))
            .await
            .unwrap();
        if said.is_empty() && line.alerts == 1 {
            late = Some(line.case.id);
        }
    }
    store.close().await;
    late.unwrap().to_string()
}

#[tokio::test]
async fn a_late_word_counts_when_the_week_is_made_again() {
    let dir = desk(300, "").await;
    let export = |to: &str| -> Value {
        ran(
            dir.path(),
            &format!("metrics export --week 2026-W45 --format json --out {to}"),
        );
        let text = std::fs::read_to_string(dir.path().join(to).join("metrics.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let number = |made: &Value, metric: &str, by: (&str, &str)| {
        let all = made["numbers"].as_array().unwrap();
        let found = all.iter().find(|n| {
            n["metric"] == metric && n["dimension"] == by.0 && n["dimension_value"] == by.1
        });
        found.map(|n| (n["value"].as_f64(), n["n"].as_i64().unwrap()))
    };
    let before = export("a");
    let case = unseen(dir.path()).await;
    ran(
        dir.path(),
        &format!("case feedback {case} --verdict true_positive --by ana --note late"),
    );
    let after = export("a");
    let tp = ("final", "true_positive");
    let count = |made: &Value, by| {
        number(made, "verdicts", by)
            .and_then(|(v, _)| v)
            .unwrap_or(0.0)
    };
    assert_eq!(count(&after, tp), count(&before, tp) + 1.0);
    assert_eq!(
        count(&after, ("final", "false_positive")),
        count(&before, ("final", "false_positive")) - 1.0
    );
    // What the daemon said stays what it said.
    for kind in ["true_positive", "false_positive"] {
        assert_eq!(
            count(&after, ("machine", kind)),
            count(&before, ("machine", kind))
        );
    }
    assert_eq!(
        number(&after, "alert_volume", ("all", "")),
        number(&before, "alert_volume", ("all", ""))
    );
    assert!(after["as_of"].as_str() > before["as_of"].as_str());
}

#[tokio::test]
async fn a_file_is_replaced_whole() {
    let dir = desk(20, "dir = \"weeks\"\nformats = [\"md\"]").await;
    let week = dir.path().join("weeks/2026-W46");
    std::fs::create_dir_all(&week).unwrap();
    std::fs::write(week.join("report.md"), "x".repeat(1 << 20)).unwrap();
    ran(dir.path(), "metrics export --week 2026-W46");
    let text = std::fs::read_to_string(week.join("report.md")).unwrap();
    assert!(text.starts_with("# nightdesk: 2026") && !text.contains("xxx"));
    assert_eq!(files(&week), ["report.md"], "nothing is left beside it");
}

#[tokio::test]
async fn where_nothing_can_be_written_it_says_what_to_do() {
    // The folder that is set is a file.
    let dir = desk(20, "dir = \"nd.db\"").await;
    for (to, part, fix) in [
        ("--out nd.db", "can't be made", "--out"),
        ("--out nd.db/out", "can't be made", "--out"),
        // A folder in which nobody may make a file.
        ("--out /proc", "can't be written", "--out"),
        ("", "can't be made", "[metrics] dir"),
    ] {
        let command = format!("metrics export --week 2026-W46 --format md {to}");
        let args: Vec<&str> = command.split_whitespace().collect();
        let output = nightdesk(PROGRAM, dir.path(), &args).unwrap();
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(69), "{to}: {told}");
        assert!(told.contains(part) && told.contains(fix), "{to}: {told}");
    }
}
