//! Runs of the golden lab: kept as they came out, and one that failed switches closing off with it.

use serde_json::json;
use state::model::{AssuranceRun, Switch, SwitchState};
use state::store::Store;

use crate::make::at;

pub(crate) async fn a_failed_assurance_switches_closing_off(store: &Store) {
    let run = |passed, seconds| AssuranceRun {
        at: at(seconds),
        lab: "golden".to_owned(),
        passed,
        why: format!("run of {seconds}"),
        figures: passed.then(|| json!({"alerts": 3})),
    };
    store.add_assurance(&run(true, 1)).await.unwrap();
    assert_eq!(store.switch(Switch::Closing).await.unwrap(), None);
    store.add_assurance(&run(false, 2)).await.unwrap();
    store.add_assurance(&run(false, 3)).await.unwrap();
    // The reason that stands is the one for which it was switched off.
    let turn = store.switch(Switch::Closing).await.unwrap().unwrap();
    assert_eq!(
        (turn.state, turn.by.as_str(), turn.why.as_str()),
        (SwitchState::Off, "nightdesk", "run of 2")
    );
    // One that passes switches nothing on again: that is a person's to do.
    store.add_assurance(&run(true, 4)).await.unwrap();
    let turn = store.switch(Switch::Closing).await.unwrap().unwrap();
    assert_eq!(turn.state, SwitchState::Off);
    let runs = store.assurance_runs(3).await.unwrap();
    assert_eq!(runs, [run(true, 4), run(false, 3), run(false, 2)]);
    let entries = store.audit(0, 100).await.unwrap();
    let kinds: Vec<_> = entries.iter().map(|e| &e.entry["kind"]).collect();
    assert_eq!(
        kinds,
        ["assurance", "assurance", "switch", "assurance", "assurance"]
    );
}
