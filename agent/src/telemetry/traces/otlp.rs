//! Ended spans as the JSON of OTLP (`ExportTraceServiceRequest`); sending it is the exporter's.

use serde_json::{Value, json};
use state::model::Time;

/// What a span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The work on a case.
    Case,
    /// A tool call.
    Tool,
    /// A turn of the model.
    Model,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Text.
    Text(String),
    /// A whole number.
    Whole(i64),
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    /// What it is about.
    pub(super) kind: Kind,
    /// 32 hexadecimal digits.
    pub(super) trace: String,
    /// 16 hexadecimal digits.
    pub(super) span: String,
    /// The span around it.
    pub(super) parent: Option<String>,
    /// When it began.
    pub(super) began: Time,
    /// When it ended.
    pub(super) ended: Time,
    /// Attributes, by name.
    pub(super) words: Vec<(&'static str, Word)>,
}

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_CLIENT`.
const INTERNAL: u8 = 1;
const CLIENT: u8 = 3;
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

impl Done {
    fn text(&self, name: &str) -> Option<&str> {
        self.words.iter().find_map(|(n, word)| match word {
            Word::Text(text) if *n == name => Some(text.as_str()),
            _ => None,
        })
    }

    fn name(&self) -> String {
        let of = |what: &str, key| format!("{what} {}", self.text(key).unwrap_or_default());
        match self.kind {
            Kind::Case => "work case".to_owned(),
            Kind::Tool => of("execute_tool", "gen_ai.tool.name"),
            Kind::Model => of("chat", "gen_ai.request.model"),
        }
    }

    fn json(&self) -> Value {
        let words = self.words.iter().map(|(name, word)| {
            // A case's own id is `case` in logs.
            let name = if *name == "case" {
                "nightdesk.case.id"
            } else {
                name
            };
            attribute(name, word)
        });
        let mut span = json!({
            "traceId": self.trace,
            "spanId": self.span,
            "name": self.name(),
            "kind": if self.kind == Kind::Case { INTERNAL } else { CLIENT },
            "startTimeUnixNano": nanos(self.began),
            "endTimeUnixNano": nanos(self.ended.max(self.began)),
            "attributes": words.collect::<Vec<_>>(),
            "status": {},
        });
        if let Some(parent) = &self.parent {
            span["parentSpanId"] = json!(parent);
        }
        if let Some(why) = self.text("error.type") {
            span["status"] = json!({"code": ERROR, "message": why});
        }
        span
    }
}

/// A batch, told to come from a service of this name and instance.
pub(super) fn request(service: &str, instance: &str, spans: &[Done]) -> Value {
    let text = |t: &str| Word::Text(t.to_owned());
    let version = env!("CARGO_PKG_VERSION");
    let resource = [
        ("service.name", text(service)),
        ("service.version", text(version)),
        ("service.instance.id", text(instance)),
        ("process.pid", Word::Whole(i64::from(std::process::id()))),
    ];
    let resource: Vec<Value> = resource.iter().map(|(n, w)| attribute(n, w)).collect();
    let spans: Vec<Value> = spans.iter().map(Done::json).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "nightdesk", "version": version}, "spans": spans}],
    }]})
}

fn attribute(name: &str, word: &Word) -> Value {
    let value = match word {
        Word::Text(text) => json!({"stringValue": text}),
        // 64-bit numbers are strings in the protocol's JSON.
        Word::Whole(n) => json!({"intValue": n.to_string()}),
    };
    json!({"key": name, "value": value})
}

fn nanos(time: Time) -> String {
    time.timestamp_nanos_opt().unwrap_or_default().to_string()
}
