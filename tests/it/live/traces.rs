//! A case as one trace, and the lines of its log: both by the real program.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tests::collector::{Collector, Span};
use tests::daemon::{Site, Worked, until};
use tests::model_server::{ModelServer, Scripted};
use tests::workbench::{Lab, STRANGE, USUAL, stderr};

use super::PROGRAM;

/// Asks one tool that there is, one that there is not, and then judges.
async fn model() -> ModelServer {
    let verdict = json!({"verdict": "suspicious", "probability_malicious": 0.6, "confidence": 60,
        "claims": [], "gaps": [], "techniques": [], "next": "escalate"});
    ModelServer::with(move |request, _| {
        let said = request["messages"].as_array().into_iter().flatten();
        match said.filter(|m| m["role"] == "assistant").count() {
            0 => Scripted::call("identity.get_user", json!({"user": "ana@corp.example"})),
            1 => Scripted::call("evil.<script>", json!({"secret-argument": "secret-value"})),
            _ => Scripted::call("submit_assessment", verdict.clone()),
        }
    })
    .await
    .unwrap()
}

async fn site(collector: &str, base_url: &str) -> Arc<Site> {
    let site = Site::new(PROGRAM, Lab::scenario(&[STRANGE]).unwrap()).unwrap();
    let tiers = [1, 2, 3]
        .map(|t| format!("[tiers.{t}]\nanalyst = \"model\"\n"))
        .concat();
    site.add(&format!(
        "[run.traces]\nendpoint = {}\nservice = \"soc-test\"\n[model]\nbase_url = {}\nmodel = \"scripted\"\n{tiers}",
        json!(collector), json!(base_url)
    ))
    .unwrap();
    Arc::new(site)
}

async fn once(site: &Arc<Site>) -> String {
    let site = site.clone();
    let run = ["--log-format", "json", "run", "--once", "--json"];
    let output = tokio::task::spawn_blocking(move || site.run(&run)).await;
    let output = output.unwrap().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_is_one_trace_with_its_calls_and_turns() {
    // Turned away twice, the batch comes all the same.
    let (collector, model) = (Collector::start(2).await.unwrap(), model().await);
    let site = site(collector.address(), model.base_url()).await;
    let log = once(&site).await;
    assert_eq!(collector.faults(), Vec::<String>::new());
    let worked = Worked::all(&site.store().await.unwrap()).await.unwrap();
    let spans = collector.spans();
    let of = |name: &str| -> Vec<&Span> {
        let named = |s: &&Span| s.text("name").split(' ').next() == Some(name);
        spans.iter().filter(named).collect()
    };
    let cases = of("work");
    let [case] = cases.as_slice() else {
        panic!("{cases:?}")
    };
    shape(&spans, case);
    let outcome = worked[0].case.outcome.unwrap();
    assert_eq!(
        case.attributes["nightdesk.case.id"],
        worked[0].case.id.to_string()
    );
    assert_eq!(case.attributes["nightdesk.outcome"], outcome.as_str());

    // Each call of the store is a span, with how it ended.
    let mut called: BTreeMap<(String, String), i64> = BTreeMap::new();
    for call in &worked[0].calls {
        let known = call.tool != "evil.<script>";
        let tool = if known { call.tool.as_str() } else { "unknown" };
        *called
            .entry((tool.to_owned(), call.outcome.to_string()))
            .or_default() += 1;
    }
    for span in of("execute_tool") {
        let a = &span.attributes;
        let key = (
            a["gen_ai.tool.name"].clone(),
            a["nightdesk.outcome"].clone(),
        );
        *called.entry(key).or_default() -= 1;
        assert_eq!(span.json["kind"], 3);
        let failed = a["nightdesk.outcome"] != "ok";
        assert_eq!(span.json["status"]["code"] == 2, failed, "{span:?}");
        assert_eq!(
            a.contains_key("nightdesk.rule"),
            a["nightdesk.outcome"] == "denied"
        );
    }
    assert!(called.values().all(|n| *n == 0), "{called:?}");

    let turns = of("chat");
    assert_eq!(turns.len(), model.requests().len());
    for turn in turns {
        assert_eq!(turn.text("name"), "chat scripted");
        assert_eq!(turn.attributes["gen_ai.operation.name"], "chat");
        assert_eq!(turn.attributes["gen_ai.request.model"], "scripted");
        assert_eq!(turn.attributes["gen_ai.usage.input_tokens"], "100");
        assert_eq!(turn.attributes["gen_ai.usage.output_tokens"], "20");
    }
    for resource in collector.resources() {
        assert_eq!(resource["service.name"], "soc-test");
        assert!(!resource["service.instance.id"].is_empty());
    }
    // Nothing of what was asked or answered leaves the house this way.
    let all = format!("{:?}", spans);
    for private in ["<script", "secret", STRANGE, "ana@"] {
        assert!(!all.contains(private), "{private}");
    }
    lines(&log, &worked, Some(case.text("traceId")));
}

/// One trace, ids of the right form, each span once, all under the case and within its time.
fn shape(spans: &[Span], case: &Span) {
    let hex = |text: &str, n: usize| {
        text.len() == n && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
    };
    let time = |s: &Span, key: &str| -> i64 { s.text(key).parse().unwrap() };
    let ids: BTreeSet<&str> = spans.iter().map(|s| s.text("spanId")).collect();
    assert_eq!(ids.len(), spans.len());
    assert!(spans.len() > 5, "{spans:?}");
    assert_eq!(case.text("parentSpanId"), "");
    for span in spans {
        assert!(
            hex(span.text("traceId"), 32) && hex(span.text("spanId"), 16),
            "{span:?}"
        );
        assert_eq!(span.text("traceId"), case.text("traceId"));
        let (from, to) = (
            time(span, "startTimeUnixNano"),
            time(span, "endTimeUnixNano"),
        );
        assert!(
            from <= to && from >= time(case, "startTimeUnixNano"),
            "{span:?}"
        );
        assert!(to <= time(case, "endTimeUnixNano"), "{span:?}");
        if span.text("spanId") != case.text("spanId") {
            assert_eq!(span.text("parentSpanId"), case.text("spanId"), "{span:?}");
        }
    }
}

/// Lines that are written while a case is worked name it.
fn lines(log: &str, worked: &[Worked], trace: Option<&str>) {
    let lines: Vec<Value> = log
        .lines()
        .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}")))
        .collect();
    let ids: BTreeSet<String> = worked.iter().map(|w| w.case.id.to_string()).collect();
    let of_case: Vec<&Value> = lines.iter().filter(|l| l["case"].is_string()).collect();
    for id in &ids {
        let told = |l: &&&Value| l["message"] == "the case was worked" && l["case"] == id.as_str();
        assert_eq!(of_case.iter().filter(told).count(), 1, "{id}: {log}");
    }
    for line in of_case {
        assert!(ids.contains(line["case"].as_str().unwrap()), "{line}");
        assert_eq!(line["trace"].as_str(), trace, "{line}");
    }
    for line in &lines {
        for key in ["timestamp", "level", "message", "target"] {
            assert!(line[key].is_string(), "{key}: {line}");
        }
        let target = line["target"].as_str().unwrap();
        let working = ["agent::gate", "agent::tier", "agent::pipeline::investigate"];
        if working.iter().any(|w| target.starts_with(w)) {
            assert!(line["case"].is_string(), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_names_the_case_without_traces_too_whatever_the_filter() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL, STRANGE]).unwrap()).unwrap();
    // A server that goes away while a case is worked: the lines about it are the case's.
    site.add("[model]\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"none\"\n[tiers.1]\nanalyst = \"model\"").unwrap();
    let site = Arc::new(site);
    let log = once(&site).await;
    let worked = Worked::all(&site.store().await.unwrap()).await.unwrap();
    lines(&log, &worked, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_not_there_holds_up_nothing_and_is_counted() {
    let model = model().await;
    let site = site("http://127.0.0.1:9", model.base_url()).await;
    site.add(super::ANY).unwrap();
    let mut daemon = site.started().await.unwrap();
    let port = tests::ask::port(&mut daemon).await.unwrap();
    site.settled(1).await.unwrap();
    until("lost spans are counted", async || {
        let answer = tests::ask::get(port, "/metrics", None).await?;
        let read = tests::ask::Exposed::read(&answer.body)?;
        Ok((read.sum("soc_spans_lost_total", &[]) > Some(0.0)).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
    let said = daemon.log().matches("spans can't be sent").count();
    assert_eq!(said, 1, "{}", daemon.log());
}
