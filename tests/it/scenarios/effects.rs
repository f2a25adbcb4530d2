//! Outside effects from the proposal to the ledger of the server that did them: what is done, once, and by whose leave.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use state::model::EffectDecision;
use state::store::Store;
use tests::daemon::Site;
use tests::workbench::{Lab, STRANGE, answering, data, nightdesk, stderr, stdout, tamper};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");
/// The user of the scenario: the target of the countermeasure.
const USER: &str = "ana@corp.example";

/// A second ticketing server stands in for an identity provider: a ticket whose title is the user locks the user.
/// What a tool does to the organisation is the operator's word, so `destructive` it is.
fn settings(lab: &Path, effect: &str) -> String {
    format!(
        "[servers.idp]\ncommand = {program}\nargs = [\"lab\", \"serve\", \"ticketing\", \"--dir\", {dir}]\n\
         [servers.idp.reply]\nok_when = [{{ path = \"available\" }}]\n\
         [servers.idp.tools.find_tickets]\nclass = \"read_internal\"\n\
         [servers.idp.tools.create_ticket]\nclass = \"destructive\"\ntiers = [3]\nenabled = true\nas_of = \"as_of\"\n\
         [servers.idp.tools.create_ticket.effect]\ntarget = \"title\"\nmarker = \"idempotency_key\"\n\
         read_back = {{ tool = \"idp.find_tickets\", arguments = {{ values = [\"{{{{marker}}}}\"] }}, path = \"results.0.id\" }}\n\
         {effect}\n[approvals]\napprovers = [\"ana\", \"bo\"]\n",
        program = json!(PROGRAM),
        dir = json!(lab),
    )
}

const LIVE: &str = "live = true\nallow = [\"*@corp.example\"]\n[effects]\nlive = true";

/// The daemon's folder in a lab with one alert that ends as a true positive, with a countermeasure in its playbook.
fn site(lab: &Lab, effect: &str) -> PathBuf {
    let dir = lab.path().join("work");
    std::fs::create_dir(&dir).unwrap();
    lab.lines("tickets.jsonl", &[]).unwrap();
    let store = format!("sqlite:{}", dir.join("nightdesk.db").display());
    let text = agent::eval::lab_settings(PROGRAM.as_ref(), lab.path(), &store).unwrap();
    let playbooks = dir.join("playbooks");
    std::fs::create_dir(&playbooks).unwrap();
    std::fs::write(playbooks.join("scenario.yaml"), playbook()).unwrap();
    let text = format!(
        "{text}\n{}\n[paths]\nplaybooks = {}\n",
        settings(lab.path(), effect),
        json!(playbooks)
    );
    std::fs::write(dir.join("nightdesk.toml"), text).unwrap();
    dir
}

fn playbook() -> String {
    let plain = std::fs::read_to_string(data("playbooks").join("scenario.yaml")).unwrap();
    let response = "    d3fend: D3-AL\n    target: user\n    tool: idp.create_ticket\n    \
                    args: { title: $user, body: locked, severity: high, case_id: lock }\n";
    plain.replace("    d3fend: D3-AL\n", response)
}

fn run(dir: &Path, args: &[&str]) -> Output {
    nightdesk(PROGRAM, dir, args).unwrap()
}

fn json_of(dir: &Path, args: &[&str]) -> Value {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// What the server really did.
fn ledger(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("../tickets.out.jsonl")).unwrap_or_default();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

/// The effect on the user as the case shows it.
fn effect(dir: &Path) -> Value {
    let case = json_of(dir, &["case", "show", "ND-1", "--json"]);
    let effects = case["effects"].as_array().unwrap();
    let on_user = effects.iter().find(|e| e["target"] == USER);
    on_user.unwrap_or_else(|| panic!("{case}")).clone()
}

fn accept(dir: &Path) {
    let output = run(dir, &["check", "--accept"]);
    assert!(output.status.success(), "{}", stdout(&output));
}

/// The question that waits for a person.
fn question(dir: &Path) -> String {
    let waiting = json_of(dir, &["approvals", "list", "--json"]);
    waiting["approvals"][0]["id"].to_string()
}

#[test]
fn an_effect_stays_a_proposal_until_every_switch_and_check_allows_it() {
    for (effect_rules, decision, why) in [
        (
            "allow = [\"*\"]\n[effects]\nlive = true",
            "dry_run",
            "create_ticket.effect] live is false",
        ),
        (
            "live = true\nallow = [\"*\"]",
            "dry_run",
            "[effects] live is false",
        ),
        (
            "live = true\n[effects]\nlive = true",
            "denied",
            "rule 4: the target is not in the allowlist",
        ),
        (
            "live = true\nallow = [\"*@corp.example\"]\n[effects]\nlive = true\n[protection]\nentities = [\"ana*\"]",
            "denied",
            "rule 4: the target is protected",
        ),
        (LIVE, "denied", "rule 13: nobody has accepted the state"),
    ] {
        let lab = Lab::scenario(&[STRANGE]).unwrap();
        let dir = site(&lab, effect_rules);
        json_of(&dir, &["run", "--once", "--json"]);
        let effect = effect(&dir);
        assert_eq!(effect["decision"], decision, "{effect}");
        assert!(effect["reason"].as_str().unwrap().contains(why), "{effect}");
        assert_eq!(
            effect["arguments"]["title"], USER,
            "the exact call is shown"
        );
        assert_eq!(ledger(&dir), Vec::<Value>::new());
        let shown = stdout(&run(&dir, &["case", "show", "ND-1"]));
        assert!(shown.contains("\"title\":\"ana@corp.example\""), "{shown}");
    }
}

#[test]
fn an_approved_effect_is_done_once_and_strangers_approve_nothing() {
    let lab = Lab::scenario(&[STRANGE]).unwrap();
    let dir = site(&lab, LIVE);
    accept(&dir);
    json_of(&dir, &["run", "--once", "--json"]);
    assert_eq!(effect(&dir)["decision"], "awaiting_approval");
    let id = question(&dir);
    let shown = json_of(&dir, &["approvals", "show", &id, "--json"]);
    assert_eq!(shown["binding"]["arguments"]["title"], USER);
    for (stranger, code) in [("mallory", 1), ("nightdesk", 1), (" ", 2)] {
        let refused = run(&dir, &answering("approve", &id, stranger));
        assert_eq!(refused.status.code(), Some(code), "{stranger}");
    }
    json_of(&dir, &["run", "--once", "--json"]);
    assert_eq!(
        ledger(&dir),
        Vec::<Value>::new(),
        "nobody has approved it yet"
    );

    json_of(
        &dir,
        &[&answering("approve", &id, "ana")[..], &["--json"]].concat(),
    );
    assert_eq!(
        ledger(&dir),
        Vec::<Value>::new(),
        "an approval alone does nothing"
    );
    for _ in 0..3 {
        json_of(&dir, &["run", "--once", "--json"]);
    }
    let done = ledger(&dir);
    assert_eq!(done.len(), 1, "{done:?}");
    assert_eq!(done[0]["title"], USER);
    assert_eq!(effect(&dir)["decision"], "executed");
    let again = run(&dir, &answering("approve", &id, "bo"));
    assert_eq!(again.status.code(), Some(1), "an approval is used once");
    assert_eq!(json_of(&dir, &["audit", "verify", "--json"])["ok"], true);
    let story = stdout(&run(
        &dir,
        &["audit", "export", "--case", "ND-1", "--format", "jsonl"],
    ));
    let denied = story
        .lines()
        .filter(|l| l.contains("\"stage\":\"refused\""));
    assert_eq!(
        denied.count(),
        3,
        "each refused answer is on record: {story}"
    );
}

#[test]
fn alerts_of_one_story_want_a_countermeasure_once_and_not_again_when_it_is_done() {
    let lab = Lab::scenario(&[STRANGE, STRANGE, STRANGE]).unwrap();
    let dir = site(&lab, LIVE);
    accept(&dir);
    json_of(&dir, &["run", "--once", "--json"]);
    let open = || json_of(&dir, &["approvals", "list", "--json"])["approvals"].clone();
    let asked = open();
    assert_eq!(asked.as_array().unwrap().len(), 1, "{asked}");
    let id = question(&dir);
    json_of(
        &dir,
        &[&answering("approve", &id, "ana")[..], &["--json"]].concat(),
    );
    json_of(&dir, &["run", "--once", "--json"]);
    assert_eq!(effect(&dir)["decision"], "executed");

    // The case is worked again: what was done is not asked again, and the case that left it asks for its own.
    json_of(
        &dir,
        &["case", "split", "ND-1", "--alert", "alert-2", "--json"],
    );
    json_of(&dir, &["run", "--once", "--json"]);
    let asked = open();
    let of: Vec<&Value> = asked
        .as_array()
        .unwrap()
        .iter()
        .map(|a| &a["case"])
        .collect();
    assert_eq!(of, ["ND-2"], "{asked}");
    let case = json_of(&dir, &["case", "show", "ND-1", "--json"]);
    let locks = case["effects"].as_array().unwrap().iter();
    assert_eq!(locks.filter(|e| e["target"] == USER).count(), 1, "{case}");
    assert_eq!(effect(&dir)["decision"], "executed");
    let told = stdout(&run(&dir, &["case", "timeline", "ND-1"]));
    assert!(told.contains("not proposed again"), "{told}");
    assert_eq!(ledger(&dir).len(), 1);
}

#[test]
fn what_changed_after_the_approval_is_refused_when_it_would_be_sent() {
    let forget_ana = |text: String| text.replace("[\"ana\", \"bo\"]", "[\"bo\"]");
    let narrow = |text: String| text.replace("*@corp.example", "*@other.example");
    let switch_off =
        |text: String| text.replace("[effects]\nlive = true", "[effects]\nlive = false");
    type Change = Box<dyn Fn(String) -> String>;
    let changes: [(&str, Change); 3] = [
        ("rule 6: `ana` is not one of", Box::new(forget_ana)),
        (
            "rule 4: the target is not in the allowlist",
            Box::new(narrow),
        ),
        ("rule 5: dry run", Box::new(switch_off)),
    ];
    for (why, change) in changes {
        let lab = Lab::scenario(&[STRANGE]).unwrap();
        let dir = site(&lab, LIVE);
        accept(&dir);
        json_of(&dir, &["run", "--once", "--json"]);
        let id = question(&dir);
        json_of(
            &dir,
            &[&answering("approve", &id, "ana")[..], &["--json"]].concat(),
        );
        let file = dir.join("nightdesk.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, change(text)).unwrap();
        accept(&dir);
        json_of(&dir, &["run", "--once", "--json"]);
        let effect = effect(&dir);
        assert_eq!(effect["decision"], "denied", "{effect}");
        assert!(effect["reason"].as_str().unwrap().contains(why), "{effect}");
        assert_eq!(ledger(&dir), Vec::<Value>::new(), "{why}");
    }
}

#[tokio::test]
async fn arguments_changed_in_the_store_after_the_approval_are_refused() {
    let lab = Lab::scenario(&[STRANGE]).unwrap();
    let dir = site(&lab, LIVE);
    accept(&dir);
    json_of(&dir, &["run", "--once", "--json"]);
    let id = question(&dir);
    json_of(
        &dir,
        &[&answering("approve", &id, "ana")[..], &["--json"]].concat(),
    );
    let file = dir.join("nightdesk.db");
    tamper(&file, "DROP TRIGGER effects_keep_what_they_are")
        .await
        .unwrap();
    tamper(
        &file,
        "UPDATE effects SET arguments = replace(arguments, 'locked', 'deleted') WHERE target <> ''",
    )
    .await
    .unwrap();
    json_of(&dir, &["run", "--once", "--json"]);
    let effect = effect(&dir);
    assert_eq!(effect["decision"], "denied", "{effect}");
    let why = "rule 6: approval 1 was given for another action";
    assert!(effect["reason"].as_str().unwrap().contains(why), "{effect}");
    assert_eq!(ledger(&dir), Vec::<Value>::new());
}

#[tokio::test]
async fn an_effect_whose_answer_was_lost_is_looked_up_and_never_sent_again() {
    let lab = Lab::scenario(&[STRANGE]).unwrap();
    lab.lines("tickets.jsonl", &[]).unwrap();
    let site = Site::new(PROGRAM, lab).unwrap();
    let (dir, lab) = (site.dir(), site.lab.path());
    site.add(&settings(lab, LIVE)).unwrap();
    let playbooks = dir.join("playbooks");
    std::fs::create_dir(&playbooks).unwrap();
    std::fs::write(playbooks.join("scenario.yaml"), playbook()).unwrap();
    let file = dir.join("nightdesk.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace(
        &json!(data("playbooks")).to_string(),
        &json!(playbooks).to_string(),
    );
    std::fs::write(&file, text).unwrap();
    let gate = site.gate("ticketing", "create_ticket").unwrap();
    let pinned = run(&dir, &["tools", "pin"]);
    assert!(pinned.status.success(), "{}", stderr(&pinned));
    accept(&dir);

    let mut daemon = site.started().await.unwrap();
    site.settled(1).await.unwrap();
    json_of(
        &dir,
        &[
            &answering("approve", &question(&dir), "bo")[..],
            &["--json"],
        ]
        .concat(),
    );
    let group = gate.reached().await.unwrap();
    daemon.kill_with(Some(group)).await.unwrap();
    gate.open().unwrap();

    let mut daemon = site.started().await.unwrap();
    daemon.says("looked up").await.unwrap();
    daemon.stop().await.unwrap();
    let store = Store::open(&format!("sqlite:{}", dir.join("nightdesk.db").display()))
        .await
        .unwrap();
    let unknown = store.effects_at(EffectDecision::Unknown).await.unwrap();
    assert_eq!(unknown.len(), 1, "{:?}", daemon.log());
    assert!(
        unknown[0].reason.contains("not seen"),
        "{}",
        unknown[0].reason
    );
    store.close().await;
    json_of(&dir, &["run", "--once", "--json"]);
    assert_eq!(
        ledger(&dir),
        Vec::<Value>::new(),
        "it is not sent a second time"
    );
}
