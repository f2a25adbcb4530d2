//! What must not close: missing, broken, partial and lying evidence; and input that nobody can read.

use agent::config::{CloseMode, Config};
use agent::eval::run_lab;
use serde_json::json;
use state::model::{Outcome, VerdictKind};
use tests::workbench::{
    FixedClock, Lab, STRANGE, USUAL, nightdesk, scenario_config, stderr, stdout,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

async fn outcome(lab: &Lab, config: Config) -> (VerdictKind, Outcome, String) {
    let report = run_lab(PROGRAM.as_ref(), lab.path(), (config, None))
        .await
        .unwrap();
    let result = &report.alerts[0];
    (
        result.judgement.verdict,
        result.judgement.outcome,
        serde_json::to_string(result).unwrap(),
    )
}

#[tokio::test]
async fn the_scenario_closes_when_everything_is_there() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let (verdict, outcome, text) = outcome(&lab, scenario_config()).await;
    assert_eq!(
        (verdict, outcome),
        (VerdictKind::BenignPositive, Outcome::Closed),
        "{text}"
    );
}

#[tokio::test]
async fn no_failure_closes_anything() {
    let broken = [
        (
            "absent inventory",
            None,
            "not available in this environment",
        ),
        (
            "malformed inventory",
            Some("{\"id\": \"u1\"\n"),
            "could not be asked",
        ),
        ("user unknown to the inventory", Some(""), ""),
    ];
    for (name, inventory, said) in broken {
        let lab = Lab::scenario(&[USUAL]).unwrap();
        match inventory {
            Some(text) => lab.write("identity.jsonl", text).unwrap(),
            None => std::fs::remove_file(lab.path().join("identity.jsonl")).unwrap(),
        }
        let (verdict, outcome, text) = outcome(&lab, scenario_config()).await;
        assert_eq!(outcome, Outcome::Escalated, "{name}: {text}");
        assert!(!verdict.is_benign(), "{name}: {text}");
        assert!(text.contains(said), "{name}: {text}");
    }
}

#[tokio::test]
async fn a_dead_server_is_a_gap_and_not_an_empty_answer() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let dir = lab.path().join("work");
    std::fs::create_dir(&dir).unwrap();
    let text = agent::eval::lab_settings(
        PROGRAM.as_ref(),
        lab.path(),
        &format!("sqlite:{}", dir.join("s.db").display()),
    )
    .unwrap();
    let playbooks = tests::workbench::data("playbooks");
    let dead = text.replace("\"serve\", \"identity\"", "\"serve\", \"no-such-server\"");
    assert_ne!(text, dead);
    std::fs::write(
        dir.join("nightdesk.toml"),
        format!("{dead}\n[paths]\nplaybooks = {}\n", json!(playbooks)),
    )
    .unwrap();
    let output = nightdesk(PROGRAM, &dir, &["run", "--once", "--json"]).unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let result: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let alert = &result["alerts"][0];
    assert_eq!(alert["outcome"], "escalated", "{alert}");
    assert!(
        alert["gaps"].to_string().contains("could not be asked"),
        "{alert}"
    );
    let check = nightdesk(PROGRAM, &dir, &["check"]).unwrap();
    assert_eq!(check.status.code(), Some(1), "{}", stdout(&check));
    assert!(
        stdout(&check).contains("FAIL server identity"),
        "{}",
        stdout(&check)
    );
}

#[tokio::test]
async fn vetoes_no_verdict_removes() {
    let usual = |change: &dyn Fn(&mut Config)| {
        let mut config = scenario_config();
        change(&mut config);
        config
    };
    for (name, config, want) in [
        (
            "protected",
            usual(&|c| c.protection.entities = vec!["ANA@*".to_owned()]),
            Outcome::Escalated,
        ),
        (
            "cap",
            usual(&|c| c.closing.cap_per_hour = Some(0)),
            Outcome::Escalated,
        ),
        (
            "sample",
            usual(&|c| c.closing.review_sample_percent = Some(100.0)),
            Outcome::Escalated,
        ),
        (
            "never",
            usual(&|c| c.closing.mode = CloseMode::Never),
            Outcome::Escalated,
        ),
    ] {
        let lab = Lab::scenario(&[USUAL]).unwrap();
        let (_, outcome, text) = outcome(&lab, config).await;
        assert_eq!(outcome, want, "{name}: {text}");
    }
    // An address that intelligence calls malicious is not closed over, usual or not.
    let lab = Lab::scenario(&["198.51.100.99"]).unwrap();
    let mut user = lab.read("identity.jsonl").unwrap().remove(0);
    user["usual_addresses"] = json!(["198.51.100.99"]);
    lab.lines("identity.jsonl", &[user]).unwrap();
    let (_, outcome, text) = outcome(&lab, scenario_config()).await;
    assert_eq!(outcome, Outcome::Escalated, "{text}");
    assert!(text.contains("threat intelligence"), "{text}");
}

#[tokio::test]
async fn an_open_incident_keeps_later_alerts_of_its_user_open() {
    let lab = Lab::scenario(&[STRANGE, USUAL]).unwrap();
    let report = run_lab(PROGRAM.as_ref(), lab.path(), (scenario_config(), None))
        .await
        .unwrap();
    assert_eq!(report.alerts.len(), 2);
    assert!(
        report
            .alerts
            .iter()
            .all(|a| a.judgement.outcome == Outcome::Escalated)
    );
    assert_eq!(
        report.alerts[0].subject.case_id, report.alerts[1].subject.case_id,
        "one story, one case"
    );
}

#[tokio::test]
async fn an_unreadable_alert_stops_only_itself() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let good = std::fs::read_to_string(lab.path().join("alerts.jsonl")).unwrap();
    lab.write(
        "alerts.jsonl",
        &format!("not json at all\n{{\"id\": \"no-time\"}}\n{good}"),
    )
    .unwrap();
    let report = run_lab(PROGRAM.as_ref(), lab.path(), (scenario_config(), None))
        .await
        .unwrap();
    assert_eq!(report.alerts.len(), 1);
    assert_eq!(report.alerts[0].judgement.outcome, Outcome::Closed);
    assert_eq!(report.rejected.len(), 2, "{:?}", report.rejected);
}

#[test]
fn configuration_faults_come_all_at_once_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("nightdesk.toml"),
        "[run]\nworkers = \"many\"\nwrokers = 3\n\n[closing]\nmode = \"always\"\n\n[[sources]]\nname = \"a\"\nkind = \"mcp\"\nserver = \"siem\"\ntool = \"t\"\nmapping = \"panther\"\n\n[servers.x]\ncommand = \"a\"\nurl = \"http://127.0.0.1:1/mcp\"\n\n[nonsense]\na = 1\n",
    )
    .unwrap();
    for command in [&["check"][..], &["run"], &["case", "list"]] {
        let output = nightdesk(PROGRAM, dir.path(), command).unwrap();
        assert_eq!(
            output.status.code(),
            Some(78),
            "{command:?}: {}",
            stderr(&output)
        );
        let said = format!("{}{}", stdout(&output), stderr(&output));
        for needle in [
            "nightdesk.toml:2",
            "nightdesk.toml:3",
            "wrokers",
            "nightdesk.toml:6",
            "mode",
            "siem",
            "servers.x",
            "nonsense",
        ] {
            assert!(
                said.contains(needle),
                "{command:?} does not say {needle}:\n{said}"
            );
        }
    }
    let output = nightdesk(PROGRAM, dir.path(), &["--config", "absent.toml", "run"]).unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("absent.toml"),
        "{}",
        stderr(&output)
    );
}

#[tokio::test]
async fn a_format_nobody_knows_still_gets_an_investigation_and_an_answer() {
    let lab = Lab::scenario(&[]).unwrap();
    let alert = json!({"ref": "odd-1", "what": {"found": "Odd thing"}, "seen": {"at": "2026-03-02T09:00:00Z"},
        "login": "ana@corp.example", "from": STRANGE});
    lab.lines("alerts.jsonl", std::slice::from_ref(&alert))
        .unwrap();
    for (mapping, fields, id) in [
        ("weird", "", "sha256:"),
        (
            "generic",
            "[alerts.fields]\nid = \"/ref\"\nrule_name = \"/what/found\"\ntime = \"/seen/at\"\nuser = \"/login\"\nsrc_ip = \"/from\"\n",
            "odd-1",
        ),
    ] {
        let manifest = format!(
            "name = \"odd\"\nclock = \"2026-03-02T12:00:00Z\"\n[alerts]\nfile = \"alerts.jsonl\"\nmapping = \"{mapping}\"\n{fields}"
        );
        lab.write("lab.toml", &manifest).unwrap();
        let report = run_lab(PROGRAM.as_ref(), lab.path(), (scenario_config(), None))
            .await
            .unwrap();
        assert_eq!(report.rejected, Vec::<String>::new());
        let [result] = report.alerts.as_slice() else {
            panic!("{mapping}: {} results", report.alerts.len());
        };
        assert!(
            result.subject.source_alert_id.starts_with(id),
            "{mapping}: {}",
            result.subject.source_alert_id
        );
        assert_eq!(result.judgement.outcome, Outcome::Escalated, "{mapping}");
    }
}

#[tokio::test]
async fn all_times_of_a_case_come_from_the_clock() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let at: state::model::Time = "2026-03-02T12:00:00Z".parse().unwrap();
    let config = agent::eval::lab_config(PROGRAM.as_ref(), lab.path(), scenario_config()).unwrap();
    let store = state::store::Store::open("sqlite::memory:").await.unwrap();
    let clock = std::sync::Arc::new(FixedClock(at));
    let assembled = agent::daemon::assemble_at(config, store, clock)
        .await
        .unwrap();
    let ctx = assembled.ctx.clone();
    for mut source in agent::daemon::pollable(&ctx).unwrap() {
        agent::pipeline::poll(&ctx, source.source.as_mut())
            .await
            .unwrap();
    }
    assert_eq!(agent::triage::take_in(&ctx).await.unwrap(), 1);
    let case = agent::triage::work_next(&ctx).await.unwrap().unwrap();
    let file = agent::report::CaseFile::read(&ctx.store, &ctx.library, case)
        .await
        .unwrap();
    assert_eq!((file.case.opened, file.verdict().unwrap().at), (at, at));
    assert!(
        file.timeline.iter().all(|e| e.at == at),
        "{:?}",
        file.timeline
    );
    drop(ctx);
    assembled.stop().await;
}
