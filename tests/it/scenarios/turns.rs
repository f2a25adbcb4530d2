//! How many times a model is asked for a case, and whether the first question of a tier already holds what the tier found.

use std::collections::BTreeMap;

use agent::config::{AnalystChoice, Config};
use agent::daemon::{assemble, pollable};
use agent::eval::{Labels, lab_config, read_labels};
use agent::{pipeline, triage};
use serde_json::{Value, json};
use state::model::{Alert, Answer, CaseId, Evidence, Tier, VerdictKind};
use state::store::{CaseFilter, Store};
use tests::model_server::{ModelServer, Scripted};
use tests::workbench::{Lab, scenario_config};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// What stands in a text whatever character stands for its spaces.
fn bare(text: &str) -> String {
    let marks = ['¬', '¦', '¤', '§', '¶', '‡', ' '];
    text.chars().filter(|c| !marks.contains(c)).collect()
}

/// A question as it reached the model.
struct Question {
    tier: Tier,
    /// Its user message, and what the alert's own block of it holds; both without spaces.
    text: String,
    alert: String,
    /// Messages after the first two: what a tier's further turns bring.
    further: usize,
}

impl Question {
    fn read(body: &Value) -> Self {
        let messages = body["messages"].as_array().unwrap();
        let content = |at: usize| messages[at]["content"].as_str().unwrap();
        let system = content(0);
        let tiers = Tier::ALL.into_iter();
        let mut here = tiers.filter(|t| system.contains(&format!("analyst (tier {t})")));
        let text = bare(content(1));
        let alert = text.split("<<<").nth(1).unwrap_or_default().to_owned();
        Self {
            tier: here.next().unwrap(),
            text,
            alert,
            further: messages.len() - 2,
        }
    }

    /// Whether anything was answered beside the alert itself.
    fn holds_answers(&self) -> bool {
        self.text.contains(",found\n") || self.text.contains(",empty\n")
    }
}

/// Answers as an analyst who sees through every alert and answers as soon as the evidence is there; without any they ask.
fn answer(body: &Value, labels: &Labels) -> Scripted {
    let question = Question::read(body);
    if !question.holds_answers() && question.further == 0 {
        return Scripted::call("siem__list_tables", json!({}));
    }
    let ours = |(id, _): &(&String, _)| question.alert.contains(&bare(id));
    let (id, label) = labels.iter().find(ours).unwrap();
    let (verdict, probability, next) = match (label.verdict, question.tier) {
        (VerdictKind::BenignPositive | VerdictKind::FalsePositive, Tier::One | Tier::Two) => {
            ("benign_positive", 0.05, "close")
        }
        (VerdictKind::TruePositive, Tier::Three) => ("true_positive", 0.95, "escalate"),
        (VerdictKind::TruePositive, _) => ("true_positive", 0.95, "hand_on"),
        (_, Tier::Three) => ("undetermined", 0.5, "escalate"),
        _ => ("undetermined", 0.5, "hand_on"),
    };
    let own = question.alert.split("E").nth(1).unwrap_or_default();
    let own: String = own.chars().take_while(char::is_ascii_digit).collect();
    let claim = json!([{"text": "It is this alert", "evidence": [format!("E{own}")], "quote": id}]);
    let said = json!({"verdict": verdict, "probability_malicious": probability, "confidence": 90,
        "claims": claim, "gaps": [], "techniques": [], "next": next});
    Scripted::call("submit_assessment", said)
}

fn config(server: &ModelServer) -> Config {
    let mut config = scenario_config();
    config.paths.playbooks = None;
    let model = json!({"base_url": server.base_url(), "model": "scripted", "timeout": "20s"});
    config.model = Some(serde_json::from_value(model).unwrap());
    config.tiers.set_analyst(AnalystChoice::Model);
    config.closing.cap_per_hour = Some(i64::MAX);
    config
}

/// Works the whole lab one alert after the other and leaves the store.
async fn worked(lab: &Lab, config: Config) -> Store {
    let config = lab_config(PROGRAM.as_ref(), lab.path(), config).unwrap();
    let url = format!("sqlite:{}", lab.path().join("turns.db").display());
    let store = Store::open(&url).await.unwrap();
    let assembled = assemble(config, store).await.unwrap();
    let ctx = &assembled.ctx;
    for mut source in pollable(ctx).unwrap() {
        while pipeline::poll(ctx, source.source.as_mut())
            .await
            .unwrap()
            .more
        {}
    }
    while let Some(alert) = ctx.store.alerts_without_case(1).await.unwrap().pop() {
        for taken in pipeline::intake(ctx, &[alert]).await.unwrap() {
            taken.unwrap();
        }
        while triage::work_next(ctx).await.unwrap().is_some() {}
    }
    assembled.stop().await;
    Store::open(&url).await.unwrap()
}

/// What the steps of an alert up to a tier found, in the order of their names.
async fn found(store: &Store, case: CaseId, alert: &Alert, tier: Tier) -> Vec<Evidence> {
    let known = store.evidence_of(case).await.unwrap();
    let runs = store.step_runs(case).await.unwrap();
    let ours = runs
        .iter()
        .filter(|r| r.alert == alert.id && r.tier <= tier);
    let of = |reference: &String| known.iter().find(|e| e.reference == *reference).cloned();
    ours.filter_map(|r| of(r.evidence.as_ref()?)).collect()
}

/// Whether a question shows a piece of evidence: its name and ending, and the first of what it found.
fn shows(question: &Question, evidence: &Evidence) -> bool {
    let head = format!(
        "###{}:{},{}",
        evidence.reference, evidence.tool, evidence.answer
    );
    let first = match (evidence.answer, evidence.activities.first()) {
        (Answer::Found, Some(first)) => first.raw.to_string(),
        (Answer::Found, None) => evidence.value.to_string(),
        _ => String::new(),
    };
    let first: String = bare(&first).chars().take(400).collect();
    question.text.contains(&head) && question.text.contains(&first)
}

#[tokio::test]
async fn a_case_takes_at_most_three_questions_and_each_already_holds_the_evidence() {
    let lab = Lab::demo().unwrap();
    let labels = read_labels(lab.path()).unwrap();
    let server = ModelServer::with({
        let labels = labels.clone();
        move |body, _| answer(body, &labels)
    })
    .await
    .unwrap();
    let store = worked(&lab, config(&server)).await;
    let questions: Vec<Question> = server
        .requests()
        .iter()
        .map(|r| Question::read(&r.body))
        .collect();
    let (mut of_cases, mut of_alerts) = (BTreeMap::new(), Vec::new());
    for line in store.list_cases(CaseFilter::default()).await.unwrap() {
        for alert in store.alerts_of(line.case.id).await.unwrap() {
            let raw: String = bare(&alert.raw).chars().take(2_000).collect();
            let asked: Vec<&Question> = questions
                .iter()
                .filter(|q| q.alert.contains(&raw))
                .collect();
            for question in &asked {
                let found = found(&store, line.case.id, &alert, question.tier).await;
                assert!(!found.is_empty(), "{}", alert.source_alert_id);
                for evidence in &found {
                    assert!(
                        shows(question, evidence),
                        "{} tier {}: the first question lacks {} {}",
                        alert.source_alert_id,
                        question.tier,
                        evidence.reference,
                        evidence.asked_by
                    );
                }
            }
            *of_cases.entry(line.case.id).or_default() += asked.len();
            // One judged by an equal alert's answers is never asked about.
            of_alerts.extend((!asked.is_empty()).then_some(asked.len()));
        }
    }
    assert_eq!(of_alerts.iter().sum::<usize>(), questions.len());
    assert!(questions.iter().all(|q| q.further == 0), "a second turn");
    let mut of_cases: Vec<usize> = of_cases.into_values().collect();
    of_cases.sort_unstable();
    of_alerts.sort_unstable();
    let middle = |counts: &[usize]| counts[counts.len() / 2];
    eprintln!(
        "{} questions over {} cases ({} at the median, {} at most) and {} alerts ({} at the median, {} at most)",
        questions.len(),
        of_cases.len(),
        middle(&of_cases),
        of_cases.last().unwrap(),
        of_alerts.len(),
        middle(&of_alerts),
        of_alerts.last().unwrap()
    );
    assert!(middle(&of_cases) <= 3, "{of_cases:?}");
    assert!(*of_alerts.last().unwrap() <= 3, "{of_alerts:?}");
}
