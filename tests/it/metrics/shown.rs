//! What `nightdesk metrics show` says of single cases.

use serde_json::Value;

use super::export::{desk, ran};

#[tokio::test]
async fn a_case_that_is_closed_by_now_is_said_to_be() {
    let dir = desk(300, "").await;
    let mut all = Vec::new();
    for week in ["2026-W43", "2026-W44", "2026-W45", "2026-W46"] {
        let period = format!("metrics show --week {week}");
        let made = ran(dir.path(), &format!("{period} --json"));
        let made: Value = serde_json::from_str(&made).unwrap();
        let shown = ran(dir.path(), &period);
        let lines = shown.lines().filter(|l| l.trim().starts_with("ND-"));
        let lines = lines.map(|l| {
            let case = l.split_whitespace().next().unwrap();
            (case.to_owned(), l.ends_with(" old, closed since"))
        });
        let told: Vec<(String, bool)> = lines.collect();
        let oldest = made["oldest_open"].as_array().unwrap().iter().take(5);
        let oldest = oldest.map(|c| {
            let case = c["case"].as_str().unwrap();
            (case.to_owned(), c["status"] == "closed")
        });
        let wanted: Vec<(String, bool)> = oldest.collect();
        assert_eq!(told, wanted, "{shown}");
        all.extend(wanted);
    }
    for closed in [true, false] {
        assert!(all.iter().any(|(_, c)| *c == closed), "{all:?}");
    }
}
