//! The one ticket of a case, in the file of the ticketing server: made once, told what has changed, closed with the case.

use std::path::PathBuf;

use serde_json::Value;
use tests::daemon::{Site, until};
use tests::workbench::{Lab, STRANGE, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

const LIVE: &str = "[servers.ticketing.tools.create_ticket]\nenabled = true\neffect = { live = true }\n\
    [servers.ticketing.tools.update_ticket]\nenabled = true\neffect = { live = true }\n[effects]\nlive = true\n";

struct Desk {
    site: Site,
}

impl Desk {
    fn new(more: &str) -> Self {
        let lab = Lab::scenario(&[STRANGE]).unwrap();
        lab.lines("tickets.jsonl", &[]).unwrap();
        let desk = Self {
            site: Site::new(PROGRAM, lab).unwrap(),
        };
        desk.site.add(&format!("{LIVE}{more}")).unwrap();
        desk.ok(&["check", "--accept"]);
        desk
    }

    fn ok(&self, args: &[&str]) {
        let output = self.site.run(args).unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}{}",
            stdout(&output),
            stderr(&output)
        );
    }

    fn says(&self, verdict: &str, more: &[&str]) {
        let args = [
            "case",
            "feedback",
            "ND-1",
            "--verdict",
            verdict,
            "--by",
            "ana",
        ];
        self.ok(&[&args[..], more].concat());
        self.once();
    }

    fn once(&self) {
        for _ in 0..2 {
            self.site.once().unwrap();
        }
    }

    /// What the server has written down.
    fn book(&self) -> Vec<Value> {
        let file: PathBuf = self.site.lab.path().join("tickets.out.jsonl");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    }
}

#[test]
fn a_case_has_one_ticket_that_is_told_what_changes_and_closed_by_a_person() {
    let desk = Desk::new("");
    desk.once();
    let book = desk.book();
    assert_eq!(book.len(), 1, "{book:?}");
    assert_eq!(book[0]["op"], "create");
    let id = book[0]["id"].clone();

    desk.says("suspicious", &[]);
    let book = desk.book();
    assert_eq!(book.len(), 2, "told once: {book:?}");
    assert_eq!((&book[1]["op"], &book[1]["id"]), (&"update".into(), &id));
    assert_eq!(book[1]["status"], Value::Null);
    let said = book[1]["comment"].as_str().unwrap();
    assert!(said.starts_with("[nightdesk] verdict=suspicious"), "{said}");

    desk.says("false_positive", &["--close"]);
    let book = desk.book();
    assert_eq!(book.len(), 3, "{book:?}");
    assert_eq!(
        (&book[2]["status"], &book[2]["id"]),
        (&"closed".into(), &id)
    );
    let said = book[2]["comment"].as_str().unwrap();
    assert!(
        said.contains("verdict=false_positive") && said.contains("status=closed"),
        "{said}"
    );
}

#[test]
fn a_ticket_is_left_open_where_the_operator_says_so() {
    let desk = Desk::new("[effects.tickets.ticketing]\ncloses = false\n");
    desk.once();
    desk.says("false_positive", &["--close"]);
    let book = desk.book();
    assert_eq!(book.len(), 2, "{book:?}");
    assert_eq!(book[1]["status"], Value::Null);
    assert!(
        book[1]["comment"]
            .as_str()
            .unwrap()
            .contains("status=closed")
    );
}

#[tokio::test]
async fn a_ticket_that_was_made_is_looked_for_until_it_is_found() {
    let desk = Desk::new("");
    desk.once();
    assert_eq!(desk.book().len(), 1);
    // The search does not know it yet.
    let book = desk.site.lab.path().join("tickets.out.jsonl");
    let hidden = desk.site.lab.path().join("tickets.hidden");
    std::fs::rename(&book, &hidden).unwrap();
    desk.says("suspicious", &[]);
    assert_eq!(desk.book().len(), 0);
    std::fs::rename(&hidden, &book).unwrap();
    until("the ticket is told", async || {
        desk.site.once()?;
        Ok((desk.book().len() > 1).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(desk.book()[1]["op"], "update");
}
