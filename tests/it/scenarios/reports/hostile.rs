//! A case whose every text attacks its reader: names, rules, command lines, addresses.

use serde_json::{Value, json};
use tests::daemon::Site;
use tests::workbench::{Lab, STRANGE, stderr, stdout};

use super::{PROGRAM, drawn, sound};

const SCRIPT: &str = "<script>alert(document.domain)</script>";
const BREAK: &str = "\"><svg onload=alert(1)>'><img src=x onerror=alert(2)>";
const TEMPLATE: &str = "{{ page.title }}{% raw %}]]>--><!--</style></title>";
const TURNED: &str = "invoice\u{202e}gpj.exe\u{2066}\u{200b}\u{7}";

/// The scenario's alert, with every text an attack.
fn lab() -> Lab {
    let lab = Lab::scenario(&[STRANGE, STRANGE]).unwrap();
    let long = format!("powershell.exe -enc {} {SCRIPT}", "A".repeat(5000));
    for file in ["alerts.jsonl", "logs/okta.jsonl", "identity.jsonl"] {
        let Ok(mut rows) = lab.read(file) else {
            continue;
        };
        for row in &mut rows {
            hostile(row, &long);
        }
        lab.lines(file, &rows).unwrap();
    }
    lab
}

fn hostile(value: &mut Value, long: &str) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let text = match key.as_str() {
                    "title" => format!("{SCRIPT}{BREAK}{TEMPLATE}"),
                    "displayMessage" => format!("{TURNED}{BREAK}"),
                    "rawUserAgent" => long.to_owned(),
                    "displayName" => format!("{TURNED}{SCRIPT}{}", "名前".repeat(400)),
                    "alternateId" | "name" | "email" => format!("ana{BREAK}{SCRIPT}@corp.example"),
                    _ => {
                        hostile(inner, long);
                        continue;
                    }
                };
                *inner = json!(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| hostile(v, long)),
        _ => {}
    }
}

#[test]
fn what_an_attacker_wrote_is_text() {
    let site = Site::new(PROGRAM, lab()).unwrap();
    site.once().unwrap();
    let report = |format: &str| {
        let output = site
            .run(&["case", "report", "ND-1", "--format", format])
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let page = report("html");
    let tags = sound(&page);
    assert!(drawn(&tags) > 2, "nothing is drawn");
    let told = tags.iter().filter(|t| t.text.contains("<script>alert"));
    assert!(told.count() > 3, "the attack is not told: {page}");
    assert!(!page.contains("<script"));
    // What looks like a template is filled by nobody.
    assert!(page.contains("{{ page[.]title }}"));
    assert!(page.len() < 600_000, "{} bytes", page.len());
    // Lines of a drawing are cut to their boxes; what a pointer brings up is bounded too.
    for tag in &tags {
        if tag.name == "text" {
            assert!(tag.text.chars().count() <= 80, "{tag:?}");
        }
    }
    let record: Value = serde_json::from_str(&report("json")).unwrap();
    let schema = site.run(&["case", "schema"]).unwrap();
    let schema: Value = serde_json::from_str(&stdout(&schema)).unwrap();
    let fits = jsonschema::draft202012::new(&schema).unwrap();
    let faults: Vec<String> = fits.iter_errors(&record).map(|e| e.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    if let Some(kept) = std::env::var_os("NIGHTDESK_KEEP_REPORT") {
        std::fs::write(kept, page).unwrap();
    }
}
