//! Named queries from the step to the signal: over the lab's own siem, and over servers that answer as products do.

use serde_json::{Value, json};
use tests::daemon::Site;
use tests::workbench::{Lab, USUAL, data, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");
const SERVER: &str = env!("CARGO_BIN_EXE_scripted-server");
const USER: &str = "ana@corp.example";

/// The scenario's playbook with this step in place of its own log query, and signals that read it.
fn playbook(step: &str) -> String {
    let plain = std::fs::read_to_string(data("playbooks").join("scenario.yaml")).unwrap();
    let begin = plain.find("  - id: logins").unwrap();
    let end = plain.find("  - { id: bad_address").unwrap();
    let signals = "signals:\n  \
        - { id: earlier, lean: malicious, weight: 0.1, evidence: [logins], says: \"an earlier sign-in is on record\", when: \"any.steps.logins.complete && any.steps.logins.rows.exists(r, r.user == any.act.user && r.age_h > 12.0)\" }\n  \
        - { id: none, lean: malicious, weight: 0.1, evidence: [logins], says: \"no sign-in is on record\", when: \"any.steps.logins.complete && any.steps.logins.rows.size() == 0\" }\n  \
        - { id: days, lean: malicious, weight: 0.1, evidence: [logins], says: \"seen on five days\", when: \"any.steps.logins.complete && any.steps.logins.rows.exists(r, text(r, 'raw.days') == '5' && text(r, 'raw.events') == '5')\" }\n";
    let text = format!("{}{step}\n{}", &plain[..begin], &plain[end..]);
    text.replace("signals:\n", signals)
}

/// Works the scenario's alert with this step; the settings come on top. Gives the site and the case.
fn worked(step: &str, settings: &str) -> (Site, Value) {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    let playbooks = site.dir().join("playbooks");
    std::fs::create_dir(&playbooks).unwrap();
    std::fs::write(playbooks.join("scenario.yaml"), playbook(step)).unwrap();
    let (shipped, own) = (json!(data("playbooks")), json!(playbooks));
    site.change(&shipped.to_string(), &own.to_string()).unwrap();
    site.add(settings).unwrap();
    let pinned = site.run(&["tools", "pin"]).unwrap();
    assert!(pinned.status.success(), "{}", stderr(&pinned));
    site.once().unwrap();
    let shown = site.run(&["case", "show", "ND-1", "--json"]).unwrap();
    assert!(shown.status.success(), "{}", stderr(&shown));
    let case = serde_json::from_str(&stdout(&shown)).unwrap();
    (site, case)
}

/// What the step found, as evidence.
fn found(case: &Value) -> &Value {
    let evidence = case["evidence"].as_array().unwrap();
    let found = evidence.iter().find(|e| e["asked_by"] == "logins");
    found.unwrap_or_else(|| panic!("{case:#}"))
}

#[test]
fn the_new_questions_are_answered_by_the_lab() {
    for (step, said) in [
        (
            "query: logins_of, args: {value: $user, before: 240h}",
            EARLIER,
        ),
        (
            "query: rarity_of, args: {value: $src_ip}",
            "seen on five days",
        ),
        (
            "query: processes_under, args: {process: '4711', host: $src_ip}",
            "no sign-in is on record",
        ),
    ] {
        let step = format!("  - {{ id: logins, tier: 1, {step}, asks: \"What is on record?\" }}");
        let (_site, case) = worked(&step, "");
        let text = case["alerts"][0]["verdict"].to_string();
        assert!(text.contains(said), "{step}: {text}\n{:#}", found(&case));
    }
}

/// A server of this product that gives one answer to every call.
fn server(site_dir: &std::path::Path, [product, tool]: [&str; 2], answer: &Value) -> String {
    // As the real ones take them.
    let takes = match product {
        "elastic" => "index,fields,query_body",
        _ => "sql,database_name,timeout,max_rows,cursor",
    };
    let file = site_dir.join("answer.json");
    std::fs::write(&file, answer.to_string()).unwrap();
    let log = site_dir.join("calls.log");
    format!(
        "[servers.{product}]\ncommand = {}\nargs = [\"from-file\"]\npreset = \"{product}\"\n\
         [servers.{product}.env]\nSCRIPTED_TOOL = \"{tool}\"\nSCRIPTED_TAKES = \"{takes}\"\nSCRIPTED_ANSWER = {}\nSCRIPTED_LOG = {}\n",
        json!(SERVER),
        json!(file),
        json!(log)
    )
}

fn ecs() -> Value {
    json!({"@timestamp": "2026-02-28T08:00:00.000Z", "ecs": {"version": "8.11"}, "event": {"category": ["authentication"], "outcome": "success"},
        "user": {"name": USER}, "source": {"ip": USUAL}})
}

fn okta_columns() -> Value {
    json!({"UUID": "o1", "EVENTTYPE": "user.session.start", "PUBLISHED": "2026-02-28 08:00:00.000", "DISPLAYMESSAGE": "User login to Okta",
        "ACTOR": {"id": "u1", "type": "User", "alternateId": USER}, "OUTCOME": {"result": "SUCCESS"}, "CLIENT": {"ipAddress": USUAL}})
}

const EARLIER: &str = "an earlier sign-in is on record";

/// Product, tool, dialect, answer; how the step ended, and what is said then.
fn products() -> Vec<([&'static str; 3], Value, [&'static str; 2])> {
    let text = |text: &str| json!({"type": "text", "text": text});
    let prose = |total: &str| json!({"content": [text(total)]});
    let rows = json!([ecs()]).to_string();
    let row = json!({"EVENT_UID": "o1", "EVENT_TIME": "2026-02-28T08:00:00.000Z", "TABLE_NAME": "Okta.SystemLog", "RAW": okta_columns()});
    let lake = |more: bool| json!({"content": [], "structuredContent": {"success": true, "status": "succeeded", "results": [row], "has_next_page": more}});
    let elastic = ["elastic", "search", "elastic"];
    let panther = ["panther", "query_data_lake", "panther-sql"];
    vec![
        (
            elastic,
            json!({"content": [text("Total results: 1, showing 1."), text(&rows)]}),
            ["found", EARLIER],
        ),
        (
            elastic,
            prose("Total results: 0, showing 0."),
            ["empty", "no sign-in is on record"],
        ),
        (
            elastic,
            prose("Search is switched off"),
            ["failed", "no list of rows"],
        ),
        (panther, lake(false), ["found", EARLIER]),
        (
            panther,
            lake(true),
            ["partial", "on record (as far as was answered)"],
        ),
    ]
}

#[test]
fn answers_of_products_reach_the_signals() {
    for ([product, tool, dialect], answer, [ended, said]) in products() {
        let place = tempfile::tempdir().unwrap();
        let settings = format!(
            "{}[queries]\ntool = \"{product}.{tool}\"\ndialect = \"{dialect}\"\n",
            server(place.path(), [product, tool], &answer)
        );
        let step = "  - { id: logins, tier: 1, query: logins_of, args: {value: $user}, asks: \"What is on record?\" }";
        let (_site, case) = worked(step, &settings);
        let evidence = found(&case);
        let verdict = case["alerts"][0]["verdict"].to_string();
        assert_eq!(
            evidence["answer"], ended,
            "{product} {answer}: {evidence:#}"
        );
        let told = verdict.contains(said) || evidence.to_string().contains(said);
        assert!(told, "{product} {answer}: {verdict}\n{evidence:#}");
        // What speaks against an alert may rest on an answer that was cut.
        let has_rows = ["found", "partial"].contains(&ended);
        assert_eq!(
            verdict.contains(EARLIER),
            has_rows,
            "{product} {answer}: {verdict}"
        );
        let log = std::fs::read_to_string(place.path().join("calls.log")).unwrap();
        let sent = log
            .lines()
            .find_map(|l| serde_json::from_str::<Value>(l).ok());
        let sent = sent.unwrap_or_else(|| panic!("{log}"));
        let query = sent.get("query_body").or(sent.get("sql")).unwrap();
        assert_eq!(query.is_object(), product == "elastic", "{sent}");
        for part in [USER, "2026-02-28T"] {
            assert!(query.to_string().contains(part), "{part}: {sent}");
        }
    }
}

#[test]
fn the_engineer_sees_the_dialect_in_force_and_a_query_as_it_is_sent() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    let checked = stdout(&site.run(&["check"]).unwrap());
    assert!(
        checked.contains("dialect lab-sql asks siem.query_logs in `sql`: 10 of 10 named queries"),
        "{checked}"
    );
    site.add("[queries]\ntool = \"panther.query_data_lake\"\ndialect = \"panther-sql\"\n")
        .unwrap();
    let checked = stdout(&site.run(&["check"]).unwrap());
    for said in [
        "dialect panther-sql",
        "processes_under (no table is named for endpoint",
        "no such server is configured",
    ] {
        assert!(checked.contains(said), "{said}: {checked}");
    }
    let show = |args: &[&str]| {
        let all = [&["queries", "show"], args].concat();
        site.run(&all).unwrap()
    };
    let shown = stdout(&show(&[
        "around",
        "--slot",
        "limit=7",
        "--at",
        "2026-03-02T12:00:00Z",
    ]));
    assert!(
        shown.contains("LIMIT 8") && shown.contains("'2026-03-02T11:45:00.000Z'"),
        "{shown}"
    );
    let shown = stdout(&show(&[
        "events_of",
        "--dialect",
        "splunk-spl",
        "--slot",
        "value=a\"b",
        "--json",
    ]));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert!(
        shown["query"].as_str().unwrap().contains(r#""a\"b""#),
        "{shown}"
    );
    for (args, code) in [
        (&["nothing_like_it"][..], 65),
        (&["events_of", "--slot", "value"], 2),
        (&["processes_under"], 65),
    ] {
        assert_eq!(show(args).status.code(), Some(code), "{args:?}");
    }
    let listed = stdout(
        &site
            .run(&["queries", "list", "--dialect", "elastic"])
            .unwrap(),
    );
    assert!(
        listed.contains("rarity_of") && listed.contains("dialect elastic"),
        "{listed}"
    );
}
