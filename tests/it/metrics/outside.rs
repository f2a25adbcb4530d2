//! Text from outside in the exports: no spreadsheet, browser, Markdown reader or terminal runs it.

use tests::workbench::tamper;

use super::export::{desk, ran};

/// All that the report's HTML is made of.
const TAGS: &str = "!doctype html head meta title style body main h1 h2 p div ul li span nav a section table thead tbody tr th td \
    details summary footer svg desc rect circle path line text";

#[tokio::test]
async fn outside_text_runs_nowhere() {
    let dir = desk(120, "").await;
    let file = dir.path().join("nd.db");
    tamper(&file, "DROP TRIGGER alerts_keep_what_came")
        .await
        .unwrap();
    let sql = "UPDATE alerts SET rule_name = '=HYPERLINK(\"http://evil.example.com\",\"x\") <script>alert(1)</script> | [a](http://b.example.com) `c`',
        rule_id = '@' || rule_id, source = CASE source WHEN 'nightdesk-canary' THEN source ELSE '+' || source END";
    tamper(&file, sql).await.unwrap();
    tamper(
        &file,
        "UPDATE cases SET title = '-1+cmd|''/c calc''!A0 <img src=x onerror=alert(1)>'",
    )
    .await
    .unwrap();
    ran(
        dir.path(),
        "metrics export --from 2026-10-20 --to 2026-11-20 --out o",
    );
    let read = |name: &str| std::fs::read_to_string(dir.path().join("o").join(name)).unwrap();
    for name in ["metrics.csv", "noisy_rules.csv"] {
        let text = read(name);
        for line in text.lines().skip(1) {
            for cell in line.split(',') {
                let cell = cell.trim_start_matches('"').trim_start();
                let number = cell.parse::<f64>().is_ok();
                assert!(
                    number || !cell.starts_with(['=', '+', '-', '@']),
                    "{name}: {line}"
                );
            }
        }
        assert!(text.contains("'+siem-a"), "{name}");
    }
    let html = read("report.html");
    assert!(html.contains("&lt;script&gt;"), "the rule is shown");
    for tag in html.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        let name: String = tag.chars().take_while(|c| !c.is_whitespace()).collect();
        let name = name.trim_start_matches('/');
        assert!(TAGS.split_whitespace().any(|t| t == name), "<{tag}>");
        // A link leads to a place in the page.
        let tag = tag.replace("href=\"#", "");
        let live = ["src=", "href=", " on", "javascript:"];
        assert!(live.iter().all(|l| !tag.contains(l)), "<{tag}>");
    }
    // Nothing is loaded, and a mail program finds nothing to make a link of.
    for live in ["url(", "@import", "http://", "https://"] {
        assert!(!html.contains(live), "{live}");
    }
    let md = read("report.md");
    let bare = md
        .char_indices()
        .filter(|(i, c)| *c == '<' && !md[..*i].ends_with('\\'));
    assert_eq!(bare.count(), 0, "a tag in Markdown");
    assert!(!md.contains("](http") && !md.contains("http://") && md.contains("\\<script"));
    let shown = ran(dir.path(), "metrics show --from 2026-10-20 --to 2026-11-20");
    assert!(!shown.contains('\u{1b}'));
}
