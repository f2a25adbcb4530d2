//! What is said of alerts at their source, against a product that keeps statuses and comments: what stands there in the
//! end, how often it was said, and that what people set stays.

mod late;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::daemon::{Site, until};
use tests::workbench::{Lab, STRANGE, USUAL, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");
const SERVER: &str = env!("CARGO_BIN_EXE_scripted-server");
const ALERT: &str = "alert-0";

/// Whether effects and the tools are live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Live {
    Yes,
    No,
}

/// A lab whose alerts are answered at `desk`, which stands for the product they come from.
struct Desk {
    site: Site,
}

impl Desk {
    fn new(address: &str, mode: &str, live: Live) -> Self {
        let lab = Lab::scenario(&[address]).unwrap();
        lab.lines("tickets.jsonl", &[]).unwrap();
        let site = Site::new(PROGRAM, lab).unwrap();
        let desk = Self { site };
        std::fs::create_dir(desk.dir()).unwrap();
        desk.site
            .change(
                "kind = \"mcp\"",
                &format!("{}\nkind = \"mcp\"", write_back(mode)),
            )
            .unwrap();
        desk.site.add(&server(&desk.dir(), live)).unwrap();
        for args in [&["tools", "pin"][..], &["check", "--accept"]] {
            let output = desk.site.run(args).unwrap();
            assert!(
                output.status.success(),
                "{args:?}: {}{}",
                stdout(&output),
                stderr(&output)
            );
        }
        desk
    }

    fn dir(&self) -> PathBuf {
        self.site.dir().join("desk")
    }

    /// How the alert stands at the product.
    fn stands(&self) -> Value {
        let text = std::fs::read_to_string(self.dir().join("state.json")).unwrap_or_default();
        serde_json::from_str::<Value>(&text).unwrap_or_default()[ALERT].clone()
    }

    /// A person at the product sets the status.
    fn person_sets(&self, status: &str) {
        let mut stands = self.stands();
        if stands.is_null() {
            stands = json!({"version": 1, "comments": []});
        }
        stands["status"] = json!(status);
        stands["version"] = json!(stands["version"].as_i64().unwrap() + 1);
        let state = json!({ ALERT: stands });
        std::fs::write(self.dir().join("state.json"), state.to_string()).unwrap();
    }

    /// How often a tool of the product was called.
    fn called(&self, tool: &str) -> usize {
        let log = std::fs::read_to_string(self.dir().join("log")).unwrap_or_default();
        log.lines()
            .filter(|l| l.starts_with(&format!("{tool} ")))
            .count()
    }

    fn once(&self) -> Value {
        self.site.once().unwrap()
    }

    fn case(&self) -> Value {
        let output = self.site.run(&["case", "show", "ND-1", "--json"]).unwrap();
        serde_json::from_str(&stdout(&output)).unwrap()
    }

    /// A person says of the case what they think of it.
    fn says(&self, words: &[&str]) {
        let who = ["case", "feedback", "ND-1", "--by", "ana", "--verdict"];
        let said = self.site.run(&[&who[..], words].concat()).unwrap();
        assert!(said.status.success(), "{words:?}: {}", stderr(&said));
    }

    /// The last effect with a tool.
    fn effect(&self, tool: &str) -> Value {
        let case = self.case();
        let effects = case["effects"].as_array().unwrap();
        let last = effects.iter().rfind(|e| e["tool"] == tool);
        last.unwrap_or_else(|| panic!("no {tool} in {case}"))
            .clone()
    }
}

fn write_back(mode: &str) -> String {
    format!(
        "write_back = {{ mode = \"{mode}\", words = \"panther\", \
         comment = {{ tool = \"desk.add_alert_comment\", arguments = {{ alert_id = \"{{{{alert}}}}\", comment = \"{{{{comment}}}}\" }} }}, \
         comments = {{ tool = \"desk.list_alert_comments\", arguments = {{ alert_id = \"{{{{alert}}}}\" }}, path = \"comments\" }}, \
         close = {{ tool = \"desk.update_alert_status\", arguments = {{ alert_ids = [\"{{{{alert}}}}\"], status = \"{{{{status}}}}\", version = \"{{{{version}}}}\" }} }}, \
         read = {{ tool = \"desk.get_alert\", arguments = {{ alert_id = \"{{{{alert}}}}\" }}, path = \"alert.status\", version = \"alert.version\" }} }}"
    )
}

fn server(dir: &Path, live: Live) -> String {
    let live = live == Live::Yes;
    format!(
        "[servers.desk]\ncommand = {}\nargs = [\"siem\"]\nenv = {{ SCRIPTED_DIR = {}, SCRIPTED_LOG = {} }}\n\
         [servers.desk.reply]\nok_when = [{{ path = \"success\", equals = true }}]\n\
         [servers.desk.tools]\nget_alert = {{ class = \"read_internal\" }}\nlist_alert_comments = {{ class = \"read_internal\" }}\n\
         add_alert_comment = {{ class = \"write\", enabled = true, tiers = [3], effect = {{ says = true, live = {live} }} }}\n\
         update_alert_status = {{ class = \"suppress\", enabled = true, tiers = [3], effect = {{ says = true, live = {live} }} }}\n\
         [effects]\nlive = {live}\n",
        json!(SERVER),
        json!(dir),
        json!(dir.join("log")),
    )
}

#[test]
fn a_close_is_said_once_in_the_products_words_and_comes_back_as_nothing_new() {
    let desk = Desk::new(USUAL, "close", Live::Yes);
    desk.once();
    let stands = desk.stands();
    assert_eq!(stands["status"], "RESOLVED", "{stands}");
    let said = stands["comments"][0]["body"].as_str().unwrap();
    assert!(
        said.starts_with("[nightdesk] verdict=benign_positive confidence="),
        "{said}"
    );
    assert!(said.contains("case=ND-1 status=closed rev=1\n"), "{said}");
    assert!(said.contains("Evidence: E2"), "it cites evidence: {said}");
    assert!(!said.contains("192.0.2.10"), "addresses are dead: {said}");
    for tool in ["desk.update_alert_status", "desk.add_alert_comment"] {
        let effect = desk.effect(tool);
        assert_eq!(effect["decision"], "executed", "{effect}");
        assert_eq!(effect["proof"], "confirmed", "{effect}");
    }
    // The product lists the alert again, with our own change and our own words in it.
    let mut rows = desk.site.lab.read("alerts.jsonl").unwrap();
    rows[0]["status"] = json!("RESOLVED");
    rows[0]["comments"] = stands["comments"].clone();
    desk.site.lab.lines("alerts.jsonl", &rows).unwrap();
    for _ in 0..2 {
        desk.once();
    }
    assert_eq!(desk.called("update_alert_status"), 1);
    assert_eq!(desk.called("add_alert_comment"), 1);
    assert_eq!(desk.case()["case"]["status"], "closed");
    let listed = desk.site.run(&["case", "list", "--json"]).unwrap();
    assert!(!stdout(&listed).contains("ND-2"), "{}", stdout(&listed));
}

#[test]
fn nothing_is_said_unless_mode_and_both_switches_say_so() {
    for (mode, live, status, comments) in [
        ("off", Live::Yes, Value::Null, 0),
        ("close", Live::No, Value::Null, 0),
        ("comment", Live::Yes, json!("OPEN"), 1),
    ] {
        let desk = Desk::new(USUAL, mode, live);
        desk.once();
        let stands = desk.stands();
        assert_eq!(stands["status"], status, "{mode} {live:?}: {stands}");
        let there = stands["comments"].as_array().map_or(0, Vec::len);
        assert_eq!(there, comments, "{mode} {live:?}: {stands}");
        if live == Live::No {
            for tool in ["desk.update_alert_status", "desk.add_alert_comment"] {
                let effect = desk.effect(tool);
                assert_eq!(effect["decision"], "dry_run", "{effect}");
                assert!(effect["arguments"].to_string().contains(ALERT));
            }
        }
    }
}

#[test]
fn what_a_person_set_at_the_source_is_not_overwritten() {
    let desk = Desk::new(USUAL, "close", Live::Yes);
    desk.person_sets("CLOSED");
    desk.once();
    assert_eq!(desk.stands()["status"], "CLOSED");
    assert_eq!(desk.called("update_alert_status"), 0);
    let effect = desk.effect("desk.update_alert_status");
    assert_eq!(effect["decision"], "denied", "{effect}");
    let timeline = stdout(&desk.site.run(&["case", "timeline", "ND-1"]).unwrap());
    assert!(
        timeline.contains("a person has set it to `CLOSED` at the source"),
        "{timeline}"
    );
}

#[test]
fn people_win_after_our_own_word_too_and_an_open_case_is_never_said_to_be_closed() {
    let desk = Desk::new(STRANGE, "close", Live::Yes);
    desk.once();
    assert_eq!(desk.case()["case"]["status"], "escalated");
    assert_eq!(desk.stands()["status"], "TRIAGED", "people still have it");
    desk.person_sets("RESOLVED");
    desk.says(&["false_positive", "--close"]);
    desk.once();
    let stands = desk.stands();
    assert_eq!(stands["status"], "RESOLVED", "{stands}");
    assert_eq!(
        desk.effect("desk.update_alert_status")["decision"],
        "denied"
    );
    let last = stands["comments"].as_array().unwrap().last().unwrap();
    let last = last["body"].as_str().unwrap();
    assert!(
        last.contains("verdict=false_positive"),
        "the comment is said: {last}"
    );
    assert!(last.contains("status=closed rev=2"), "{last}");
}

#[test]
fn a_persons_close_is_said_and_what_is_so_already_is_not_sent() {
    for (before, status, proof, times) in [
        ("TRIAGED", "CLOSED", "confirmed", 2),
        ("CLOSED", "CLOSED", "already_so", 1),
    ] {
        let desk = Desk::new(STRANGE, "close", Live::Yes);
        desk.once();
        assert_eq!(desk.stands()["status"], "TRIAGED");
        if before != "TRIAGED" {
            desk.person_sets(before);
        }
        desk.says(&["false_positive", "--close"]);
        desk.once();
        assert_eq!(desk.stands()["status"], status);
        let effect = desk.effect("desk.update_alert_status");
        assert_eq!(effect["proof"], proof, "{effect}");
        assert_eq!(desk.called("update_alert_status"), times);
        // What a person set before we came stays when the case goes back to work; what we set ourselves does not.
        desk.says(&["true_positive"]);
        desk.once();
        assert_ne!(desk.case()["case"]["status"], "closed");
        let after = match proof {
            "already_so" => "CLOSED",
            _ => "TRIAGED",
        };
        assert_eq!(desk.stands()["status"], after, "{}", desk.case()["effects"]);
    }
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_read_back_and_not_made_again() {
    let desk = Desk::new(USUAL, "close", Live::Yes);
    // The product makes the change and answers nobody.
    std::fs::write(desk.dir().join("hold"), "").unwrap();
    let mut daemon = desk.site.started().await.unwrap();
    let held = desk.dir().join("held");
    until("a change that is not answered", async || {
        Ok(std::fs::read_to_string(&held)
            .ok()
            .filter(|_| desk.called("update_alert_status") + desk.called("add_alert_comment") > 0))
    })
    .await
    .unwrap();
    daemon.kill_with(None).await.unwrap();
    std::fs::remove_file(desk.dir().join("hold")).unwrap();
    std::fs::remove_file(&held).unwrap();
    let mut daemon = desk.site.started().await.unwrap();
    until("both effects are confirmed", async || {
        let case = desk.case();
        let done = case["effects"]
            .as_array()
            .is_some_and(|all| all.len() == 2 && all.iter().all(|e| e["proof"] == "confirmed"));
        Ok(done.then_some(()))
    })
    .await
    .unwrap();
    daemon.stop().await.unwrap();
    assert_eq!(desk.called("add_alert_comment"), 1);
    assert_eq!(desk.called("update_alert_status"), 1);
    assert_eq!(desk.stands()["status"], "RESOLVED");
    assert_eq!(desk.stands()["comments"].as_array().unwrap().len(), 1);
}

#[test]
fn settings_that_could_overwrite_people_or_say_nothing_are_faults() {
    let desk = Desk::new(USUAL, "close", Live::Yes);
    let file = desk.site.dir().join("nightdesk.toml");
    let whole = std::fs::read_to_string(&file).unwrap();
    for (before, after, fault) in [
        (", read = {", ", reat = {", "reat"),
        (
            "words = \"panther\"",
            "words = \"nobody\"",
            "there is no table `nobody`",
        ),
        ("{{status}}", "{{statsu}}", "nothing fills {{statsu}}"),
        (
            "tool = \"desk.get_alert\"",
            "tool = \"desk.add_alert_comment\"",
            "is no enabled read_internal tool",
        ),
        (
            "add_alert_comment = { class = \"write\"",
            "add_alert_comment = { class = \"suppress\"",
            "is suppress, not write",
        ),
    ] {
        assert!(whole.contains(before), "{before}");
        std::fs::write(&file, whole.replacen(before, after, 1)).unwrap();
        let output = desk.site.run(&["check"]).unwrap();
        let said = format!("{}{}", stdout(&output), stderr(&output));
        assert!(
            !output.status.success() && said.contains(fault),
            "{fault}: {said}"
        );
    }
    let at = whole.find(", read = {").unwrap();
    let end = at + whole[at..].find(" }, path").unwrap();
    let end = end + whole[end..].find('}').unwrap() + 1;
    let end = end + whole[end..].find('}').unwrap() + 1;
    std::fs::write(&file, format!("{}{}", &whole[..at], &whole[end..])).unwrap();
    let output = desk.site.run(&["check"]).unwrap();
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert!(
        said.contains("what people set could be overwritten"),
        "{said}"
    );
}
