//! A source that can't be read while a case is told: it holds up nothing else, and is told when it is back.

use tests::daemon::until;
use tests::workbench::STRANGE;

use super::{Desk, Live};

const TICKETS: &str = "[servers.ticketing.tools.create_ticket]\nenabled = true\neffect = { live = true }\n\
    [servers.ticketing.tools.update_ticket]\nenabled = true\neffect = { live = true }\n";

#[tokio::test]
async fn a_source_that_can_not_be_read_holds_up_no_ticket_and_is_told_later() {
    let desk = Desk::new(STRANGE, "close", Live::Yes);
    desk.site.add(TICKETS).unwrap();
    let accepted = desk.site.run(&["check", "--accept"]).unwrap();
    assert!(accepted.status.success());
    let book = || {
        let file = desk.site.lab.path().join("tickets.out.jsonl");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().count()
    };
    for _ in 0..2 {
        desk.once();
    }
    assert_eq!(book(), 1, "the ticket was made");
    let comments = || {
        let all = desk.stands()["comments"].as_array().map(Vec::len);
        all.unwrap_or_default()
    };
    let said = comments();
    let state = desk.dir().join("state.json");
    let whole = std::fs::read(&state).unwrap();
    std::fs::write(&state, "not JSON").unwrap();
    let word = [
        "case",
        "feedback",
        "ND-1",
        "--verdict",
        "suspicious",
        "--by",
        "ana",
    ];
    assert!(desk.site.run(&word).unwrap().status.success());
    desk.once();
    assert_eq!(book(), 2, "the ticket is told all the same");
    std::fs::write(&state, whole).unwrap();
    until("the source is told", async || {
        desk.once();
        Ok((comments() > said).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(book(), 2, "and the ticket is not told again");
}
