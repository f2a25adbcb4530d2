//! Faults around an outside effect, as processes: what could not be told and what was not asked yet stand in the store, and
//! the next run goes on from there.

use serde_json::{Value, json};
use tests::daemon::until;
use tests::workbench::{answering, confirming, tamper};

use super::acting::{Idp, LIVE};

/// Works the queue until the newest effect stands like this.
async fn works_until(idp: &Idp, word: &str) -> Value {
    until(word, async || {
        idp.once();
        let effect = idp.effects().remove(0);
        Ok((effect["word"] == word).then_some(effect))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_tools_list_that_can_not_be_read_is_waited_for_before_and_after_the_approval() {
    let idp = Idp::new(LIVE);
    let mute = idp.dir().join("mute");
    std::fs::write(&mute, "").unwrap();
    idp.once();
    let effect = idp.effects().remove(0);
    assert_eq!(effect["word"], "held", "{effect}");
    assert_eq!(
        (effect["held"]["tries"].as_i64(), idp.locks()),
        (Some(1), 0)
    );
    assert!(effect["reason"].as_str().unwrap().starts_with("rule 2: "));
    let next = effect["held"]["next"].as_str().unwrap().split('.').next();
    let next = next.unwrap().to_owned();
    let id = effect["id"].to_string();
    for shown in [["effects", "list"].as_slice(), &["effects", "show", &id]] {
        let shown = idp.ok(shown);
        assert!(shown.contains("held") && shown.contains(&next), "{shown}");
    }
    assert_eq!(idp.approvals(), Vec::<Value>::new(), "nobody is asked yet");
    std::fs::remove_file(&mute).unwrap();
    works_until(&idp, "awaiting_approval").await;
    let asked = idp.approvals().remove(0);
    assert!(
        asked["summary"]
            .as_str()
            .unwrap()
            .contains("asked what it would do"),
        "{asked}"
    );

    std::fs::write(&mute, "").unwrap();
    idp.approve(&asked);
    let effect = idp.effects().remove(0);
    assert_eq!(
        (&effect["decision"], &effect["word"], idp.locks()),
        (&json!("due"), &json!("held"), 0),
        "{effect}"
    );
    std::fs::remove_file(&mute).unwrap();
    let effect = works_until(&idp, "confirmed").await;
    assert_eq!((&effect["held"], idp.locks()), (&Value::Null, 1));
    let told = idp.ok(&["case", "timeline", "ND-1"]);
    assert!(
        told.contains("is held no more: awaiting_approval"),
        "{told}"
    );
    assert!(told.contains("held, and ruled on again: rule 2"), "{told}");
    assert_eq!(idp.json(&["audit", "verify"])["ok"], true);
}

#[tokio::test]
async fn what_a_server_asked_is_asked_by_the_next_run_when_this_one_broke_off() {
    let idp = Idp::new(LIVE);
    idp.asks("Really lock?");
    idp.once();
    // The store takes no question: the run ends between the effect becoming unknown and a person being asked.
    let db = idp.site.dir().join("nightdesk.db");
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON elicitations BEGIN SELECT RAISE(ABORT, 'broken'); END";
    tamper(&db, broken).await.unwrap();
    let id = idp.approvals()[0]["id"].to_string();
    idp.ok(&answering("approve", &id, "ana"));
    assert!(idp.site.once().is_err(), "the run says that it failed");
    let effects = idp.effects();
    assert_eq!((effects.len(), &effects[0]["word"]), (1, &json!("unknown")));
    assert_eq!(idp.approvals(), Vec::<Value>::new());
    tamper(&db, "DROP TRIGGER broken").await.unwrap();
    idp.once();
    idp.once();
    let asked = idp.approvals();
    assert_eq!(asked.len(), 1, "asked once: {asked:?}");
    assert_eq!(asked[0]["action"], "elicitation idp.lock_user");
    assert_eq!(idp.locks(), 1, "and nothing is sent before the answer");
    let question = idp.json(&["elicitations", "list"])["elicitations"][0]["id"].to_string();
    idp.ok(&confirming(&question, "ana"));
    idp.once();
    assert_eq!(
        (&idp.effects()[0]["word"], idp.locks()),
        (&json!("confirmed"), 2)
    );
}
