//! A yes to a server's question while more people must say yes.

use tests::workbench::{answering, confirming};

use super::{Idp, LIVE};

#[test]
fn whoever_says_yes_first_learns_that_the_call_still_waits() {
    let idp = Idp::new(LIVE);
    let listed = "approvers = [\"ana\", \"bo\"]";
    idp.site
        .change(listed, &format!("needed = 2\n{listed}"))
        .unwrap();
    idp.ok(&["check", "--accept"]);
    idp.asks("Really lock?");
    idp.once();
    let id = idp.approvals()[0]["id"].to_string();
    for by in ["ana", "bo"] {
        idp.ok(&answering("approve", &id, by));
    }
    idp.once();
    let question = idp.json(&["elicitations", "list"])["elicitations"][0]["id"].to_string();
    let says = |by| idp.ok(&confirming(&question, by));
    let first = says("ana");
    assert!(
        first.contains("2 people must, so it still waits"),
        "{first}"
    );
    assert!(says("bo").contains("made with this answer"));
}
