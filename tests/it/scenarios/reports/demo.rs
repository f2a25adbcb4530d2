//! The demo's cases: every report is sound, fits its schema, and tells of evidence that there is.

use std::collections::BTreeSet;

use agent::config;
use agent::daemon;
use agent::report::{CaseFile, CaseReport, html, markdown};
use serde_json::Value;
use state::store::{CaseFilter, Store};
use tests::workbench::{nightdesk, stderr, stdout};

use super::{PROGRAM, drawn, sound};

fn run(dir: &std::path::Path, args: &[&str]) -> String {
    let output = nightdesk(PROGRAM, dir, args).unwrap();
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

#[tokio::test]
async fn every_case_of_the_demo_has_its_reports() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["demo", "--json"]);
    let dir = dir.path().join("nightdesk-demo");
    // Told without any configuration too.
    let bare = tempfile::tempdir().unwrap();
    let schema: Value = serde_json::from_str(&run(bare.path(), &["case", "schema"])).unwrap();
    let fits = jsonschema::draft202012::new(&schema).unwrap();
    let config = config::load(&dir.join("nightdesk.toml")).unwrap();
    let library = daemon::data(&config).unwrap().library;
    let url = format!("sqlite:{}", dir.join("nightdesk.db").display());
    let store = Store::open(&url).await.unwrap();
    let cases = store.list_cases(CaseFilter::default()).await.unwrap();
    assert!(cases.len() > 20);
    let mut boxes = 0;
    for line in &cases {
        let file = CaseFile::read(&store, &library, line.case.id)
            .await
            .unwrap();
        let report = serde_json::to_value(CaseReport::of(&file)).unwrap();
        let faults: Vec<String> = fits.iter_errors(&report).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{}: {faults:?}", line.case.id);
        assert_eq!(
            (&report["draft"], &report["schema_version"]),
            (&Value::Bool(true), &Value::from("1.2"))
        );
        let page = html(&file, &library).unwrap();
        boxes += one(&file, &page);
        alike(&page, &markdown(&file, &library));
    }
    assert!(boxes > 200, "{boxes}");
    let first = cases.first().unwrap().case.id;
    let file = CaseFile::read(&store, &library, first).await.unwrap();
    let twice = [(); 2].map(|()| html(&file, &library).unwrap());
    assert_eq!(twice[0], twice[1], "two renderings differ");
    store.close().await;
    by_the_program(&dir, &fits);
}

/// The parts of an incident report, in their order.
const PARTS: [&str; 12] = [
    "Executive summary",
    "Impact and scope",
    "Timeline",
    "Detection",
    "Analysis and root cause",
    "ATT&CK (version",
    "Indicators",
    "Containment, eradication, recovery",
    "Notifications and legal clocks",
    "Lessons and detection gaps",
    "Appendix: runs and tool calls",
    "Appendix: evidence",
];

/// Both forms have the same parts, with as many rows, and each is a draft.
fn alike(page: &str, text: &str) {
    let tags = sound(page);
    let titles: Vec<&str> = tags
        .iter()
        .filter(|t| t.name == "h2")
        .map(|t| t.text.as_str())
        .collect();
    let headings: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("## ")).collect();
    assert_eq!(titles, headings);
    assert_eq!(titles.len(), PARTS.len());
    for (title, part) in titles.iter().zip(PARTS) {
        assert!(title.starts_with(part), "{title} is not {part}");
    }
    let count = |name: &str| tags.iter().filter(|t| t.name == name).count();
    let lines = |begins: &str| text.lines().filter(|l| l.starts_with(begins)).count();
    assert_eq!(count("table"), lines("|---"));
    assert_eq!(count("tr") + count("table"), lines("|"));
    assert_eq!(count("li") + count("dt"), lines("- "));
    assert!(text.contains("> **DRAFT"));
}

/// One case's page; gives how many boxes it draws.
fn one(file: &CaseFile, page: &str) -> usize {
    let tags = sound(page);
    let boxes = drawn(&tags);
    assert!(page.contains("DRAFT"));
    let ids: BTreeSet<&str> = tags
        .iter()
        .filter_map(|t| Some(t.attributes.get("id")?.as_str()))
        .collect();
    for e in file.evidence.iter().take(500) {
        assert!(
            ids.contains(e.reference.as_str()),
            "{} has no row",
            e.reference
        );
    }
    // What the verdict says is linked to what it rests on.
    for reason in file.verdict().iter().flat_map(|v| &v.basis.reasons) {
        for evidence in &reason.claim.evidence {
            assert!(
                page.contains(&format!("href=\"#{evidence}\"")),
                "{evidence}"
            );
        }
    }
    for section in [
        "summary",
        "scope",
        "timeline",
        "detection",
        "analysis",
        "attack",
        "indicators",
        "response",
        "notifications",
        "lessons",
        "runs",
        "evidence",
    ] {
        assert!(ids.contains(section), "{section}");
    }
    boxes
}

/// The attack is told from the prompts that were refused to the data that was read; a prompt as such is none.
fn in_order(graph: &str) {
    let place = |part: &str| {
        graph
            .find(part)
            .unwrap_or_else(|| panic!("{part}: {graph}"))
    };
    let steps = ["deny_push", "CreateAccessKey", "GetObject"].map(place);
    assert!(steps.is_sorted(), "{graph}");
    let of = |action: &str| {
        graph
            .lines()
            .filter(|l| l.contains(action))
            .collect::<Vec<_>>()
    };
    for (action, technique) in [("deny_push", "T1621"), ("GetObject", "T1530")] {
        assert!(of(action).iter().all(|l| l.contains(technique)), "{graph}");
    }
    let prompts = of("send_factor_verify_push");
    assert!(prompts.iter().all(|l| !l.contains("T1621")), "{graph}");
}

/// The same through the command line, and that a person's word ends the draft.
fn by_the_program(dir: &std::path::Path, fits: &jsonschema::Validator) {
    let id = "ND-7";
    let markdown = run(dir, &["case", "report", id]);
    assert_eq!(
        markdown,
        run(dir, &["case", "report", id, "--format", "md"])
    );
    assert!(markdown.contains("## Executive summary"));
    in_order(&run(dir, &["case", "graph", id]));
    let page = run(dir, &["case", "report", id, "--format", "html"]);
    sound(&page);
    let wrapped = run(dir, &["case", "report", id, "--format", "html", "--json"]);
    let wrapped: Value = serde_json::from_str(&wrapped).unwrap();
    assert_eq!(
        (&wrapped["format"], wrapped["report"].as_str()),
        (&Value::from("html"), Some(page.as_str()))
    );
    run(
        dir,
        &[
            "case",
            "feedback",
            id,
            "--verdict",
            "true_positive",
            "--by",
            "ana <b>",
            "--note",
            "seen",
        ],
    );
    let page = run(dir, &["case", "report", id, "--format", "html"]);
    let tags = sound(&page);
    let banner = tags.iter().find(|t| {
        t.attributes
            .get("class")
            .is_some_and(|c| c == "banner done")
    });
    let banner = banner.expect("it is signed");
    assert!(banner.text.contains("Signed: ana <b>"), "{banner:?}");
    assert!(!page.contains("DRAFT"));
    let report: Value =
        serde_json::from_str(&run(dir, &["case", "report", id, "--format", "json"])).unwrap();
    let faults: Vec<String> = fits.iter_errors(&report).map(|e| e.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(report["draft"], false);
    assert_eq!(report["signatures"][0]["by"], "ana <b>");
    // The form is strict: what it does not name, or names otherwise, is none.
    for (pointer, value) in [
        ("/case/status", Value::from("gone")),
        ("/graph/nodes/0/kind", Value::from(7)),
    ] {
        let mut other = report.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        assert!(!fits.is_valid(&other), "{pointer}");
    }
    let mut other = report;
    other["case"]["more"] = Value::Null;
    assert!(!fits.is_valid(&other));
}
