//! Who has signed a report: a person's word on every alert, or a yes to the close; nothing less, and nothing before the
//! daemon's last verdict.

use agent::report::{CaseFile, CaseReport, html, markdown};
use agent::{config, daemon};
use state::model::{TimelineEvent, TimelineKind};
use tests::daemon::Site;
use tests::workbench::{Lab, STRANGE, USUAL, stderr};

use super::PROGRAM;

fn ran(site: &Site, args: &[&str]) {
    let output = site.run(args).unwrap();
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
}

/// The first case as it stands; and that all forms say by the same people, or none, that it is signed.
async fn signed(site: &Site, change: impl FnOnce(&mut CaseFile)) -> Vec<String> {
    let config = config::load(&site.dir().join("nightdesk.toml")).unwrap();
    let library = daemon::data(&config).unwrap().library;
    let store = site.store().await.unwrap();
    let id = "ND-1".parse().unwrap();
    let mut file = CaseFile::read(&store, &library, id).await.unwrap();
    store.close().await;
    change(&mut file);
    let record = CaseReport::of(&file);
    let by: Vec<String> = record.signatures.iter().map(|s| s.by.clone()).collect();
    assert_eq!(record.draft, by.is_empty());
    let banner = match by.last() {
        Some(last) => format!("Signed: {last} at "),
        None => "DRAFT: made by nightdesk".to_owned(),
    };
    for text in [html(&file, &library).unwrap(), markdown(&file, &library)] {
        assert!(text.contains(&banner), "{banner} is not in {text}");
        assert_eq!(text.contains("DRAFT"), by.is_empty());
    }
    by
}

#[tokio::test]
async fn a_yes_to_the_close_signs_until_the_daemon_judges_again() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    site.change("mode = \"auto\"", "mode = \"propose\"")
        .unwrap();
    site.add("[approvals]\nclosers = [\"ana\"]").unwrap();
    site.once().unwrap();
    let nobody: Vec<String> = Vec::new();
    assert_eq!(signed(&site, |_| {}).await, nobody, "asked is not answered");
    ran(&site, &["approvals", "approve", "1", "--by", "ana"]);
    assert_eq!(signed(&site, |_| {}).await, ["ana"]);
    let judged_again = |file: &mut CaseFile| {
        let last = file.timeline.last().unwrap();
        let kind = TimelineKind::VerdictGiven;
        let event = TimelineEvent::ours(file.case.id, last.at, kind, "false_positive");
        file.timeline.push(event);
    };
    assert_eq!(signed(&site, judged_again).await, nobody);
}

#[tokio::test]
async fn a_word_on_every_alert_signs_and_on_one_of_two_does_not() {
    let site = Site::new(PROGRAM, Lab::scenario(&[STRANGE, STRANGE]).unwrap()).unwrap();
    site.once().unwrap();
    let two = |file: &mut CaseFile| assert_eq!(file.alerts.len(), 2);
    for (alert, by, signers) in [
        ("alert-0", "ana", &[][..]),
        ("alert-1", "bo", &["ana", "bo"][..]),
    ] {
        let word = ["--verdict", "true_positive", "--alert", alert, "--by", by];
        ran(&site, &[&["case", "feedback", "ND-1"][..], &word].concat());
        assert_eq!(signed(&site, two).await, signers, "{alert}");
    }
}
