//! Countermeasures against an identity provider that asks back: from the D3FEND id of a playbook to what is read back, and
//! who answers what the server asks.

mod retried;
mod votes;

use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};
use tests::daemon::Site;
use tests::workbench::{Lab, STRANGE, answering, confirming, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");
const SERVER: &str = env!("CARGO_BIN_EXE_scripted-server");
const USER: &str = "ana@corp.example";

/// A daemon whose playbook proposes to lock the user, and the server that can.
pub(super) struct Idp {
    pub(super) site: Site,
}

/// What is written of the tool's effect beside what every test needs.
pub(super) const LIVE: &str = "live = true, allow = [\"*@corp.example\"]";

impl Idp {
    pub(super) fn new(effect: &str) -> Self {
        let lab = Lab::scenario(&[STRANGE]).unwrap();
        lab.lines("tickets.jsonl", &[]).unwrap();
        let site = Site::new(PROGRAM, lab).unwrap();
        let idp = Self { site };
        std::fs::create_dir(idp.dir()).unwrap();
        idp.site.aim_at_user().unwrap();
        idp.site.add(&idp.server(effect)).unwrap();
        idp.ok(&["tools", "pin"]);
        idp.ok(&["check", "--accept"]);
        idp
    }

    fn server(&self, effect: &str) -> String {
        format!(
            "[servers.idp]\ncommand = {}\nargs = [\"asks\"]\nenv = {{ SCRIPTED_DIR = {dir}, SCRIPTED_LOG = {log} }}\n\
             [servers.idp.reply]\nok_when = [{{ path = \"success\", equals = true }}]\n\
             [servers.idp.tools]\nget_user = {{ class = \"read_internal\" }}\n\
             lock_user = {{ class = \"destructive\", enabled = true, tiers = [3], effect = {{ target = \"user\", {effect}, \
             dry_run = {{ argument = \"dry_run\" }}, \
             read_back = {{ tool = \"idp.get_user\", arguments = {{ user = \"{{{{target}}}}\" }}, path = \"locked\", equals = true }} }} }}\n\
             [effects]\nlive = true\n[effects.responses.idp]\nD3-AL = {{ tool = \"lock_user\", on = [\"user\"], args = {{ user = \"$target\" }} }}\n[approvals]\napprovers = [\"ana\", \"bo\"]\n",
            json!(SERVER),
            dir = json!(self.dir()),
            log = json!(self.dir().join("log")),
        )
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.site.dir().join("idp")
    }

    pub(super) fn asks(&self, message: &str) {
        let schema = json!({"type": "object", "properties": {"confirm": {"type": "boolean"}}, "required": ["confirm"]});
        let question = json!({"message": message, "requestedSchema": schema});
        std::fs::write(self.dir().join("question.json"), question.to_string()).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        self.site.run(args).unwrap()
    }

    pub(super) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(
            output.status.success(),
            "{args:?}: {}{}",
            stdout(&output),
            stderr(&output)
        );
        stdout(&output)
    }

    pub(super) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).unwrap()
    }

    pub(super) fn once(&self) {
        self.site.once().unwrap();
    }

    /// The effects of the tool, the newest first.
    pub(super) fn effects(&self) -> Vec<Value> {
        let all = self.json(&["effects", "list"]);
        let all = all["effects"].as_array().unwrap().clone();
        all.into_iter()
            .filter(|e| e["tool"] == "idp.lock_user")
            .collect()
    }

    pub(super) fn approvals(&self) -> Vec<Value> {
        let open = self.json(&["approvals", "list"]);
        open["approvals"].as_array().unwrap().clone()
    }

    /// The audit entries of a kind, in order.
    fn audited(&self, kind: &str) -> Vec<Value> {
        let all = self.ok(&["audit", "export"]);
        let all = all
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap());
        all.map(|e| e["entry"].clone())
            .filter(|e| e["kind"] == kind)
            .collect()
    }

    pub(super) fn approve(&self, approval: &Value) {
        let id = approval["id"].to_string();
        self.ok(&answering("approve", &id, "ana"));
        self.once();
    }

    /// The live calls that reached the server.
    pub(super) fn locks(&self) -> usize {
        let log = std::fs::read_to_string(self.dir().join("log")).unwrap_or_default();
        let calls = log.lines().filter(|l| l.starts_with("lock_user "));
        calls.filter(|l| !l.contains("dry_run")).count()
    }

    fn dry_runs(&self) -> usize {
        let log = std::fs::read_to_string(self.dir().join("log")).unwrap_or_default();
        log.lines()
            .filter(|l| l.contains("\"dry_run\":true"))
            .count()
    }

    fn locked(&self) -> String {
        std::fs::read_to_string(self.dir().join("locked")).unwrap_or_default()
    }
}

#[test]
fn a_countermeasure_is_asked_with_its_dry_run_done_once_and_read_back() {
    let idp = Idp::new(LIVE);
    idp.once();
    idp.once();
    let asked = idp.approvals();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let summary = asked[0]["summary"].as_str().unwrap();
    assert!(summary.contains("asked what it would do"), "{summary}");
    assert!(
        summary.contains("hxxps") && !summary.contains("https://"),
        "no live link: {summary}"
    );
    assert_eq!(
        asked[0]["binding"]["arguments"],
        json!({"user": USER}),
        "without the dry run"
    );
    assert_eq!(
        (idp.dry_runs(), idp.locks()),
        (1, 0),
        "asked once, nothing done"
    );
    idp.approve(&asked[0]);
    idp.once();
    assert_eq!((idp.locks(), idp.locked().lines().count()), (1, 1));
    let effect = &idp.effects()[0];
    assert_eq!(effect["word"], "confirmed", "{effect}");
    assert_eq!(effect["d3fend"], "D3-AL");
    let report = idp.ok(&["case", "report", "ND-1"]);
    assert!(report.contains("| confirmed |"), "{report}");
    let told = idp.json(&["case", "show", "ND-1"])["timeline"].to_string();
    let name = format!("effect {} (idp.lock_user on {USER})", effect["id"]);
    assert!(told.contains(&format!("{name}: confirmed: ")), "{told}");
}

#[test]
fn a_dry_run_is_asked_for_only_where_the_call_itself_could_be_made() {
    let idp = Idp::new("allow = [\"*@corp.example\"]");
    idp.once();
    assert_eq!((idp.dry_runs(), idp.locks()), (0, 0));
    assert_eq!(idp.effects()[0]["decision"], "dry_run");
}

#[test]
fn what_is_so_already_is_not_done() {
    let idp = Idp::new(LIVE);
    idp.once();
    std::fs::write(idp.dir().join("locked"), format!("{USER} by a person\n")).unwrap();
    idp.approve(&idp.approvals()[0]);
    assert_eq!(idp.locks(), 0);
    assert_eq!(idp.effects()[0]["word"], "already so");
}

#[test]
fn a_server_that_takes_silence_for_consent_is_not_called_live() {
    let idp = Idp::new(&format!("{LIVE}, needs_elicitation = true"));
    idp.once();
    let effect = &idp.effects()[0];
    assert_eq!(effect["decision"], "denied", "{effect}");
    let why = effect["reason"].as_str().unwrap();
    assert!(
        why.starts_with("rule 6: ") && why.contains("needs_elicitation"),
        "{why}"
    );
    assert_eq!((idp.dry_runs(), idp.locks()), (0, 0));
}

#[test]
fn what_a_server_asks_is_answered_by_a_person_for_one_call_more() {
    let idp = Idp::new(LIVE);
    idp.asks("Really lock? <script> https://evil.example/");
    idp.once();
    idp.approve(&idp.approvals()[0]);
    assert_eq!((idp.locks(), idp.locked().as_str()), (1, ""), "declined");
    let effects = idp.effects();
    assert_eq!(
        effects[1]["word"], "unknown",
        "it claims success after a no: {effects:?}"
    );
    assert_eq!(effects[0]["decision"], "awaiting_approval");
    let asked = &idp.approvals()[0];
    assert_eq!(asked["action"], "elicitation idp.lock_user");
    let summary = asked["summary"].as_str().unwrap();
    assert!(
        summary.contains("values for confirm") && !summary.contains("https://"),
        "{summary}"
    );
    let question = idp.json(&["elicitations", "list"])["elicitations"][0].clone();
    let id = question["id"].to_string();
    for (values, by, code) in [
        ("{\"confirm\":\"yes\"}", "ana", 65),
        ("{}", "ana", 65),
        ("{\"confirm\":true,\"more\":1}", "ana", 65),
        ("{\"confirm\":true}", "mallory", 1),
    ] {
        let refused = idp.run(&[
            "elicitations",
            "answer",
            &id,
            "--values",
            values,
            "--by",
            by,
        ]);
        assert_eq!(
            refused.status.code(),
            Some(code),
            "{values} {by}: {}",
            stderr(&refused)
        );
    }
    idp.once();
    assert_eq!(idp.locks(), 1, "nobody has answered yet");
    idp.ok(&confirming(&id, "bo"));
    for _ in 0..2 {
        idp.once();
    }
    assert_eq!(idp.locks(), 2);
    assert_eq!(idp.locked(), format!("{USER} {{\"confirm\":true}}\n"));
    assert_eq!(idp.effects()[0]["word"], "confirmed");
    let shown = idp.json(&["approvals", "show", &asked["id"].to_string()]);
    assert_eq!(shown["elicitation"]["content"], json!({"confirm": true}));
    let kept = idp.audited("elicitation_answer");
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(
        (&kept[0]["by"], &kept[0]["decision"]),
        (&json!("mallory"), &json!("deny"))
    );
    assert_eq!(kept[1]["values"], json!({"confirm": true}));
    assert_eq!(idp.json(&["audit", "verify"])["ok"], true);
}

fn asked_once_more(idp: &Idp, effect: &str) {
    // Asked for once more, it is the server's question that is asked once more.
    idp.ok(&["effects", "retry", effect, "--by", "bo"]);
    idp.once();
    let open = idp.json(&["elicitations", "list"])["elicitations"][0].clone();
    assert_eq!(open["content"], Value::Null, "with no answer: {open}");
    let id = open["id"].to_string();
    let own = idp.run(&confirming(&id, "bo"));
    assert_eq!(own.status.code(), Some(1), "who wants it again: {own:?}");
    idp.ok(&confirming(&id, "ana"));
    idp.once();
    assert_eq!(idp.locks(), 2);
    assert_eq!(idp.effects()[0]["word"], "confirmed");
    idp.ok(&["effects", "retry", effect, "--by", "bo"]);
    idp.once();
    assert_eq!((idp.locks(), idp.approvals().len()), (2, 0), "made since");
}

#[test]
fn a_question_that_is_denied_changed_or_approved_without_an_answer_is_declined() {
    for case in ["denied", "changed", "unanswered"] {
        let idp = Idp::new(LIVE);
        idp.asks("Really lock?");
        idp.once();
        idp.approve(&idp.approvals()[0]);
        let asked = idp.approvals()[0].clone();
        let (id, question) = (asked["id"].to_string(), idp.json(&["elicitations", "list"]));
        let question = question["elicitations"][0]["id"].to_string();
        let (word, locks) = match case {
            "denied" => {
                idp.ok(&answering("deny", &id, "ana"));
                ("denied", 1)
            }
            "changed" => {
                idp.ok(&confirming(&question, "ana"));
                idp.asks("Really lock everybody?");
                ("unknown", 2)
            }
            _ => {
                let bare = answering("approve", &id, "ana");
                let refused = idp.run(&bare);
                assert_eq!(
                    refused.status.code(),
                    Some(1),
                    "a yes without values is none"
                );
                let no = answering("deny", &id, "ana");
                idp.ok(&no);
                ("denied", 1)
            }
        };
        idp.once();
        idp.once();
        let effect = &idp.effects()[0];
        assert_eq!(effect["word"], word, "{case}: {effect}");
        assert_eq!((idp.locks(), idp.locked().as_str()), (locks, ""), "{case}");
        assert_eq!(
            idp.approvals(),
            Vec::<Value>::new(),
            "{case}: nothing is asked on"
        );
        if case == "denied" {
            asked_once_more(&idp, &effect["id"].to_string());
        }
    }
}

#[test]
fn what_was_not_sent_is_proposed_again_when_a_person_wants_it() {
    let idp = Idp::new(LIVE);
    idp.once();
    let asked = idp.approvals()[0]["id"].to_string();
    idp.ok(&answering("deny", &asked, "ana"));
    let id = idp.effects()[0]["id"].to_string();
    let stranger = idp.run(&["effects", "retry", &id, "--by", "mallory"]);
    assert_eq!(stranger.status.code(), Some(1));
    assert_eq!(idp.audited("effect_retry")[0]["decision"], "deny");
    idp.ok(&["effects", "retry", &id, "--by", "bo"]);
    idp.once();
    assert_eq!(
        idp.effects()[0]["decision"],
        "awaiting_approval",
        "a new question"
    );
    // Who asked for it again leaves the yes to others.
    let again = idp.approvals()[0]["id"].to_string();
    let own = idp.run(&answering("approve", &again, "bo"));
    assert_eq!(own.status.code(), Some(1));
    assert!(
        stderr(&own).contains("asked for this call again"),
        "{own:?}"
    );
    idp.approve(&idp.approvals()[0]);
    let late = stderr(&idp.run(&answering("approve", &again, "ana")));
    assert!(
        late.contains("already approved and used, decided by ana"),
        "{late}"
    );
    assert_eq!(idp.effects()[0]["word"], "confirmed");
    let sent = idp.run(&["effects", "retry", &id, "--by", "bo"]);
    assert_eq!(
        sent.status.code(),
        Some(1),
        "what was sent is never sent again"
    );
    assert_eq!(idp.locks(), 1);
}
