//! `case split` and `case graph` through the real binary: what moves, what is refused, and labels that an attacker wrote.

use serde_json::{Value, json};
use tests::daemon::Site;
use tests::workbench::{Lab, STRANGE, USUAL, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

fn json_of(site: &Site, args: &[&str]) -> Value {
    let output = site.run(args).unwrap();
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn ids(case: &Value) -> Vec<&str> {
    let alerts = case["alerts"].as_array().unwrap().iter();
    let ids = alerts.map(|a| a["alert"]["source_alert_id"].as_str());
    ids.map(Option::unwrap).collect()
}

#[test]
fn a_person_splits_a_case_and_both_are_worked_again() {
    let site = Site::new(PROGRAM, Lab::scenario(&[STRANGE, USUAL, STRANGE]).unwrap()).unwrap();
    site.once().unwrap();
    let case = json_of(&site, &["case", "show", "ND-1", "--json"]);
    assert_eq!(ids(&case), ["alert-0", "alert-1", "alert-2"]);
    for (args, code, why) in [
        (&["--alert", "alert-9"][..], 2, "holds no alert alert-9"),
        (&[][..], 2, "--alert"),
        (
            &[
                "--alert", "alert-0", "--alert", "alert-1", "--alert", "alert-2",
            ][..],
            1,
            "none or all",
        ),
    ] {
        let refused = site
            .run(&[&["case", "split", "ND-1"], args].concat())
            .unwrap();
        assert_eq!(refused.status.code(), Some(code), "{}", stderr(&refused));
        assert!(stderr(&refused).contains(why), "{}", stderr(&refused));
    }
    let split = [
        "case", "split", "ND-1", "--alert", "alert-1", "--alert", "alert-1",
    ];
    let done = json_of(
        &site,
        &[&split[..], &["--why", "his own laptop", "--json"]].concat(),
    );
    assert_eq!(
        done,
        json!({"from": "ND-1", "to": "ND-2", "alerts": ["alert-1"]})
    );
    let both = ["ND-1", "ND-2"].map(|id| json_of(&site, &["case", "show", id, "--json"]));
    let status = both
        .each_ref()
        .map(|c| c["case"]["status"].as_str().unwrap());
    assert_eq!(status, ["new", "new"]);
    assert_eq!(
        both.each_ref().map(|c| ids(c)),
        [vec!["alert-0", "alert-2"], vec!["alert-1"]]
    );
    site.once().unwrap();
    let [old, new] = ["ND-1", "ND-2"].map(|id| json_of(&site, &["case", "show", id, "--json"]));
    // Each has its own verdicts again; an incident on the same user still keeps the other from closing by itself.
    assert_eq!(old["case"]["outcome"], "escalated");
    let verdict = &new["alerts"][0]["verdict"];
    assert_eq!(verdict["close_allowed"], true, "{verdict}");
    let vetoes = verdict["vetoes"].to_string();
    assert!(vetoes.contains("ND-1 is an open incident"), "{vetoes}");
    let told = stdout(&site.run(&["case", "timeline", "ND-2"]).unwrap());
    assert!(
        told.contains("split it off ND-1 with 1 alert: his own laptop"),
        "{told}"
    );
    let audit = stdout(&site.run(&["audit", "export", "--format", "jsonl"]).unwrap());
    let entry = audit.lines().find(|l| l.contains("\"split\"")).unwrap();
    assert!(entry.contains("his own laptop"), "{entry}");
    assert!(site.run(&["audit", "verify"]).unwrap().status.success());
}

/// What a Mermaid line may look like: no label can end its quotes, open a block, a link or a directive.
fn is_plain(line: &str) -> bool {
    let label = |text: &str| {
        let parts = text.split("<br/>");
        let plain = |c: char| c.is_alphanumeric() || " .,:-_/+=#;".contains(c);
        parts.into_iter().all(|part| part.chars().all(plain))
    };
    let between = |text: &str, from: &str, to: &str| -> Option<String> {
        Some(text.strip_prefix(from)?.strip_suffix(to)?.to_owned())
    };
    let line = line.trim_start();
    if line == "flowchart LR" || line == "end" || line.starts_with("%% left out: ") {
        return true;
    }
    if let Some((_, rest)) = line.split_once(" -->|\"") {
        return rest.split_once("\"| ").is_some_and(|(text, _)| label(text));
    }
    let node = line.trim_start_matches("subgraph ");
    let Some(at) = node.find('[') else {
        return false;
    };
    node[..at].chars().all(|c| c.is_ascii_alphanumeric())
        && between(&node[at..], "[\"", "\"]").is_some_and(|text| label(&text))
}

#[test]
fn a_graph_holds_what_an_attacker_wrote_as_data() {
    let lab = Lab::scenario(&[STRANGE]).unwrap();
    let mut alerts = lab.read("alerts.jsonl").unwrap();
    let evil = "x\"]\n```\n%%{init: {}}%%\nclick a1 \"javascript:alert(1)\" <script>`[a](http://evil.example.com)";
    alerts[0]["title"] = json!(evil);
    alerts[0]["events"][0]["client"]["userAgent"]["rawUserAgent"] = json!(evil);
    lab.lines("alerts.jsonl", &alerts).unwrap();
    let site = Site::new(PROGRAM, lab).unwrap();
    site.once().unwrap();
    let mermaid = stdout(
        &site
            .run(&["case", "graph", "ND-1", "--format", "mermaid"])
            .unwrap(),
    );
    let odd: Vec<&str> = mermaid.lines().filter(|l| !is_plain(l)).collect();
    assert!(
        odd.is_empty() && mermaid.contains("javascript"),
        "{odd:?} in {mermaid}"
    );
    assert!(!mermaid.contains("evil.example.com"), "{mermaid}");
    let report = stdout(&site.run(&["case", "report", "ND-1"]).unwrap());
    let fences = report.lines().filter(|l| l.starts_with("```")).count();
    assert_eq!(fences, 2, "{report}");
    let graph = json_of(&site, &["case", "graph", "ND-1", "--format", "json"]);
    assert_eq!(graph, json_of(&site, &["case", "graph", "ND-1", "--json"]));
    let nodes = graph["nodes"].as_array().unwrap();
    for edge in graph["edges"].as_array().unwrap() {
        for end in ["from", "to"] {
            assert!(nodes.iter().any(|n| n["id"] == edge[end]), "{edge}");
        }
    }
    for kind in ["alert", "entity", "observable", "event"] {
        assert!(nodes.iter().any(|n| n["kind"] == kind), "{kind}: {graph}");
    }
    let text = stdout(&site.run(&["case", "graph", "ND-1"]).unwrap());
    assert!(
        text.contains("in order of time") && text.contains("ana@corp.example"),
        "{text}"
    );
}
