//! The edge to models against a real HTTP server: the contract of any [`Llm`], and what becomes of every fault.

use std::sync::Arc;
use std::time::Duration;

use agent::llm::{
    Ask, Call, Finish, Llm, LlmError, Message, ModelConfig, OpenAi, Surroundings, ToolChoice,
    ToolSpec, Turn,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tests::model_server::{ModelServer, Scripted};
use tokio::time::Instant;

mod shapes;
mod transport;

const KEY: &str = "sk-not-to-be-seen";

/// A model without jitter: backoff waits are zero, what the server asks for is kept.
fn model(base_url: &str, more: &str) -> OpenAi {
    let text = format!("base_url = \"{base_url}\"\nmodel = \"m\"\n{more}");
    let config: ModelConfig = toml::from_str(&text).unwrap();
    let around = Surroundings {
        now: Arc::new(|| chrono::DateTime::UNIX_EPOCH),
        fraction: Arc::new(|| 0.0),
    };
    OpenAi::new(&config, Some(SecretString::from(KEY)), around).unwrap()
}

fn ask(text: &str) -> Ask {
    Ask {
        model: "m".to_owned(),
        messages: vec![
            Message::System("be brief".to_owned()),
            Message::User(text.to_owned()),
        ],
        tools: Vec::new(),
        choice: ToolChoice::Auto,
        max_tokens: 64,
        temperature: Some(0.0),
        deadline: Instant::now() + Duration::from_secs(20),
    }
}

fn tool(name: &str) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: "looks something up".to_owned(),
        parameters: json!({"type": "object", "properties": {"q": {"type": "string"}}}),
    }
}

/// What any model owes its caller. The model behind it repeats the question, and calls whatever it must.
async fn obeys_the_contract(model: &dyn Llm) {
    let said = model.turn(&ask("grüß Gott 👋")).await.unwrap();
    assert_eq!(said.text.as_deref(), Some("grüß Gott 👋"));
    assert_eq!(
        (said.calls.len(), said.finish, said.attempts),
        (0, Finish::Stop, 1)
    );
    assert!(said.usage.tokens_in > 0 && said.usage.tokens_out > 0);

    let must = Ask {
        tools: vec![tool("siem.query_logs"), tool("siem__query_logs")],
        choice: ToolChoice::Must("siem__query_logs".to_owned()),
        ..ask("a \"quoted\" line\n")
    };
    let called = model.turn(&must).await.unwrap();
    assert_eq!(called.calls.len(), 2, "both calls");
    assert_ne!(called.calls[0].id, called.calls[1].id);
    for call in &called.calls {
        assert_eq!(
            call.name, "siem__query_logs",
            "the name as offered, not as sent"
        );
        let args: Value = serde_json::from_str(&call.arguments).unwrap();
        assert_eq!(args["q"], "a \"quoted\" line\n");
    }

    let late = Ask {
        deadline: Instant::now(),
        ..ask("too late")
    };
    assert_eq!(model.turn(&late).await, Err(LlmError::Deadline));
    assert!(!model.name().is_empty());
}

#[tokio::test]
async fn contract() {
    for more in [
        "",
        "stream = \"on\"",
        "[wire]\ntoken_field = \"max_completion_tokens\"",
    ] {
        let server =
            ModelServer::with(|request, _| {
                match request["tool_choice"]["function"]["name"].as_str() {
                    Some(name) => Scripted::calls(vec![
                        (name, json!({"q": "{{last}}"})),
                        (name, json!({"q": "{{last}}"})),
                    ]),
                    None => Scripted::text("{{last}}"),
                }
            })
            .await
            .unwrap();
        obeys_the_contract(&model(server.base_url(), more)).await;

        let seen = server.requests();
        assert_eq!(seen.len(), 2, "nothing is sent after the deadline");
        let field = if more.contains("completion") {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        for request in seen {
            assert_eq!(request.path, "/v1/chat/completions");
            assert_eq!(request.headers["authorization"], format!("Bearer {KEY}"));
            assert!(
                request
                    .headers
                    .keys()
                    .all(|name| !name.as_str().starts_with("openai-"))
            );
            assert_eq!(request.body["stream"], json!(more.contains("stream")));
            assert_eq!(request.body[field], 64);
            for tool in request.body["tools"].as_array().into_iter().flatten() {
                let name = tool["function"]["name"].as_str().unwrap();
                assert!(
                    name.bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
                    "{name}"
                );
            }
        }
    }
}

/// What a row of the fault table expects.
enum Expect {
    /// A turn that satisfies this.
    Turn(fn(&Turn) -> bool),
    /// An error that satisfies this.
    Error(fn(&LlmError) -> bool),
}
use Expect::{Error, Turn as Good};

/// Name, extra settings, script, expectation, requests the server must have seen.
type Row = (&'static str, &'static str, Vec<Scripted>, Expect, usize);

fn ok() -> Scripted {
    Scripted::text("fine")
}

fn is_fine(turn: &Turn) -> bool {
    turn.text.as_deref() == Some("fine") && turn.finish == Finish::Stop
}

fn malformed(error: &LlmError, needle: &str) -> bool {
    matches!(error, LlmError::Malformed { why, excerpt } if why.contains(needle)
        && excerpt.chars().count() <= 201 && !excerpt.contains(char::is_control))
}

async fn run(rows: Vec<Row>, stream: &str) {
    for (name, more, script, expect, requests) in rows {
        let server = ModelServer::start(script).await.unwrap();
        let retries = if more.contains("max_retries") {
            ""
        } else {
            "max_retries = 2\n"
        };
        let text = format!("stream = \"{stream}\"\n{retries}{more}");
        let got = model(server.base_url(), &text).turn(&ask("hello")).await;
        let good = match (&expect, &got) {
            (Good(check), Ok(turn)) => check(turn),
            (Error(check), Err(error)) => check(error),
            _ => false,
        };
        assert!(good, "{name}, stream {stream}: {got:?}");
        assert_eq!(
            server.requests().len(),
            requests,
            "{name}, stream {stream}: requests"
        );
        assert!(!format!("{got:?}").contains(KEY), "{name}: the key leaked");
    }
}

#[tokio::test]
async fn faults() {
    for stream in ["off", "on"] {
        run(transport::limits(), stream).await;
        run(transport::outages(), stream).await;
        run(transport::refusals(), stream).await;
        run(transport::bodies(), stream).await;
        run(transport::slow(), stream).await;
        run(transport::finishes(), stream).await;
    }
    run(shapes::tolerated(), "off").await;
    run(shapes::refused(), "off").await;
    run(shapes::whole_streams(), "on").await;
    run(shapes::broken_streams(), "on").await;
}

/// The client library has defaults of its own; none may redirect alert data or change who asks.
#[test]
fn the_environment_has_no_say() {
    let this = std::env::current_exe().unwrap();
    let done = std::process::Command::new(this)
        .args(["--exact", "llm::contract"])
        .env("OPENAI_BASE_URL", "http://127.0.0.1:1")
        .env("OPENAI_API_KEY", "from-the-environment")
        .env("OPENAI_ADMIN_KEY", "from-the-environment")
        .env("OPENAI_ORG_ID", "from-the-environment")
        .env("OPENAI_PROJECT_ID", "from-the-environment")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn unreachable_then_open_breaker() {
    let gone = ModelServer::start(vec![])
        .await
        .unwrap()
        .base_url()
        .to_owned();
    let model = model(&gone, "max_retries = 4");
    let error = model.turn(&ask("hello")).await.unwrap_err();
    assert!(
        matches!(&error, LlmError::Unreachable(why) if !why.contains("http://")),
        "{error}"
    );
    let error = model.turn(&ask("hello")).await.unwrap_err();
    assert!(
        matches!(error, LlmError::BreakerOpen { until } if until > Instant::now()),
        "{error}"
    );
}

#[tokio::test]
async fn the_deadline_ends_a_hang_and_says_nothing_of_the_endpoint() {
    let server = ModelServer::with(|_, _| Scripted::Hang).await.unwrap();
    let model = model(server.base_url(), "max_retries = 9\nmax_concurrent = 1");
    for requests in 1..=6 {
        let deadline = Instant::now() + Duration::from_millis(60);
        let hurried = Ask {
            deadline,
            ..ask("hello")
        };
        assert_eq!(model.turn(&hurried).await, Err(LlmError::Deadline));
        assert_eq!(server.requests().len(), requests);
    }
}

#[tokio::test]
async fn earlier_turns_are_sent_back_in_a_form_servers_take() {
    let server = ModelServer::start(vec![ok()]).await.unwrap();
    let call = |id: &str, arguments: &str| Call {
        id: id.to_owned(),
        name: "siem.query_logs".to_owned(),
        arguments: arguments.to_owned(),
    };
    let mut ask = ask("hello");
    ask.messages.push(Message::Assistant {
        text: None,
        calls: vec![call("a", r#"{"q":1}"#), call("b", "{broken")],
    });
    ask.messages.push(Message::Tool {
        call_id: "a".to_owned(),
        content: "no hits".to_owned(),
    });
    ask.messages.push(Message::Assistant {
        text: None,
        calls: vec![],
    });
    model(server.base_url(), "").turn(&ask).await.unwrap();
    let sent = &server.requests()[0].body["messages"];
    let function = |args: &str| json!({"name": "siem__query_logs", "arguments": args});
    assert_eq!(
        sent[2],
        json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "a", "type": "function", "function": function(r#"{"q":1}"#)},
            {"id": "b", "type": "function", "function": function("{}")},
        ]})
    );
    assert_eq!(
        sent[3],
        json!({"role": "tool", "tool_call_id": "a", "content": "no hits"})
    );
    assert_eq!(sent[4], json!({"role": "assistant", "content": ""}));
}

#[test]
fn settings_name_their_faults() {
    let config: ModelConfig = toml::from_str("base_url = \"ftp://me:secret@host/v1/chat/completions?x=1\"\nmodel = \" \"\ntimeout = \"0s\"\nmax_retries = 11\nmax_tokens = 1\ntemperature = 9.0\nprice_in = -1.0\nmax_concurrent = 0").unwrap();
    let faults = config.faults();
    assert_eq!(faults.len(), 11, "{faults:#?}");
    assert!(!faults.join(" ").contains("secret@"));
    for wrong in [
        "model = \"m\"",
        "base_url = \"http://h/v1\"\nmodel = \"m\"\napi_key = \"inline\"",
        "base_url = \"http://h/v1\"\nmodel = \"m\"\nretries = 3",
    ] {
        assert!(toml::from_str::<ModelConfig>(wrong).is_err(), "{wrong}");
    }
}
