//! How often a rule fired and how that ended, as playbooks read it and the case shows it.

use agent::config::ApprovalsConfig;
use agent::feedback::{self, Said, Then};
use agent::report::{AlertResult, CaseFile};
use agent::rights::{NoGroups, Rights, Who};
use state::model::{Evidence, VerdictKind};
use tests::workbench::{Lab, STRANGE, data};

use super::{Desk, time};

/// Signals that tell what may be read: people's words by either lean, how often it fired by the malicious one alone.
const SIGNALS: &str = r#"
  - {id: often, lean: malicious, weight: 0.1, when: any.history.fired_for_principal >= 2, says: "It fired {{ history.fired }} times."}
  - {id: called-harmless, lean: benign, weight: 0.1, when: trusted.history.harmless_for_principal == 1 && trusted.history.harmful_of_rule == 0, says: "Somebody called it harmless."}
  - {id: not-to-be-read, lean: benign, weight: 5.0, when: trusted.history.fired >= 0, says: "It fired at all."}
fallback:"#;

fn history(file: &CaseFile) -> Option<&Evidence> {
    file.evidence.iter().find(|e| e.tool == "history")
}

fn says(result: &AlertResult, text: &str) -> bool {
    result.reasons.iter().any(|r| r.contains(text))
}

#[tokio::test]
async fn how_often_it_fired_and_how_that_ended_is_there_to_read() {
    let lab = Lab::scenario(&[STRANGE, STRANGE, STRANGE]).unwrap();
    let own = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(data("playbooks").join("repeated.yaml")).unwrap();
    let text = text.replace("scenario-repeated", "scenario-login");
    let text = text.replace("\nfallback:", SIGNALS);
    std::fs::write(own.path().join("repeated.yaml"), text).unwrap();
    let desk = Desk::open(&lab, time("03-02T00:30"), |c| {
        c.paths.playbooks = Some(own.path().to_owned());
    })
    .await;
    let (first, result) = desk.work_next().await;
    assert!(history(&first).is_none(), "nothing has fired before");
    assert!(!says(&result, "fired") && !says(&result, "called"));
    let (second, _) = desk.work_next().await;
    let shown = &history(&second).unwrap().summary;
    assert!(
        shown.contains("1 fired, 1 of them for this principal"),
        "{shown}"
    );
    let said = Said {
        case: first.case.id,
        alerts: vec![first.alerts[0].alert.id],
        kind: VerdictKind::FalsePositive,
        who: Who::at_shell("bo", "bo"),
        note: String::new(),
        then: Then::Keep,
        at: desk.ctx().now(),
    };
    let rights = (ApprovalsConfig::default(), NoGroups::default());
    feedback::give(&desk.ctx().store, Rights::new(&rights.0, &rights.1), said)
        .await
        .unwrap();
    let (third, result) = desk.work_next().await;
    let shown = &history(&third).unwrap().summary;
    for part in [
        "2 fired, 2 of them for this principal",
        "people called 1 cases harmless and 0 harmful",
        "of this principal 1 cases harmless and 0 harmful",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(says(&result, "It fired 2 times."), "{:?}", result.reasons);
    assert!(says(&result, "Somebody called it harmless."));
    assert!(!says(&result, "It fired at all."));
}
