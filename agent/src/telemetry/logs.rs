//! Logs: where they go, how a line looks, and what never stands in them; meters and traces are beside.

use std::fmt;
use std::io::IsTerminal;

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::spans::{CASE, TRACED};
use super::traces::{Collect, Traces};

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line; `case` (and `trace`, when it is traced) on every line written while a case is worked, and
    /// `scratch` where that is no case of the daemon's own: a replay, a golden lab. A field
    /// of the line's own that has a name of these, or of `timestamp`, `level` and `target`, is told as `field.NAME`.
    Json,
}

/// Sends logs to standard error. `$NIGHTDESK_LOG` sets the filter, for instance `info,agent=debug`. Gives the way to
/// open traces later.
///
/// `async_openai` logs whole bodies, which hold alert data, so it stays off whatever the filter says.
pub fn start(format: LogFormat, default: &str) -> Traces {
    let wanted = std::env::var("NIGHTDESK_LOG").unwrap_or_else(|_| default.to_owned());
    let always = format!("async_openai=off,{CASE}=error,{TRACED}=off");
    let filter = EnvFilter::try_new(format!("{wanted},{always}"))
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,{always}")));
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(color).with_target(false).boxed(),
        LogFormat::Json => lines
            .with_ansi(false)
            .fmt_fields(JsonFields::new())
            .event_format(JsonLine)
            .boxed(),
    };
    let traces = Traces::default();
    // A second start (in one test process) keeps the first.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(Collect::new(traces.clone()))
        .try_init();
    traces
}

/// A line of `--log-format json`.
struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        line.insert("timestamp".to_owned(), json!(now));
        line.insert("level".to_owned(), json!(event.metadata().level().as_str()));
        event.record(&mut Line(&mut line));
        line.insert("target".to_owned(), json!(event.metadata().target()));
        let mut named = Map::new();
        for span in ctx.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let Some(fields) = extensions.get::<FormattedFields<N>>() else {
                continue;
            };
            let fields: Map<String, Value> =
                serde_json::from_str(&fields.fields).unwrap_or_default();
            for (name, value) in fields {
                if matches!(name.as_str(), "case" | "trace" | "scratch") {
                    named.entry(name).or_insert(value);
                }
            }
        }
        // What is worked on has the name; another one that the line speaks of stands beside it.
        for (name, value) in named {
            let own = line.insert(name.clone(), value.clone());
            if let Some(own) = own.filter(|own| *own != value) {
                line.insert(format!("field.{name}"), own);
            }
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Names of a line that an event's own field of that name does not take.
const OURS: [&str; 3] = ["timestamp", "level", "target"];

/// The fields of an event, laid flat.
struct Line<'l>(&'l mut Map<String, Value>);

impl Line<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        let name = match field.name() {
            name if OURS.contains(&name) => format!("field.{name}"),
            name => name.to_owned(),
        };
        self.0.insert(name, value);
    }
}

impl Visit for Line<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, json!(format!("{value:?}")));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::telemetry::spans;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that something logs.
    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let kept = Kept::default();
        let to = kept.clone();
        let lines = layer()
            .with_writer(move || to.clone())
            .with_ansi(false)
            .fmt_fields(JsonFields::new())
            .event_format(JsonLine);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), log);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let read = text.lines().map(|l| serde_json::from_str(l).unwrap());
        read.collect()
    }

    #[test]
    fn no_field_takes_a_name_of_the_line() {
        let of_another = state::model::CaseId(9);
        let said = lines(|| {
            tracing::warn!(
                "timestamp" = "never",
                "level" = 7,
                "target" = "elsewhere",
                "said"
            );
            tracing::info!(case = %of_another, "trace" = "mine", "outside");
            spans::case(state::model::CaseId(7), Some("0af7")).in_scope(|| {
                tracing::info!("plain");
                tracing::info!(case = %of_another, "trace" = "forged", "joined");
                tracing::info!(case = %state::model::CaseId(7), "same");
            });
            spans::scratch("replay of ND-9").in_scope(|| {
                spans::case(state::model::CaseId(1), None).in_scope(|| tracing::info!("again"));
            });
        });
        let [taken, outside, plain, joined, same, again] = &said[..] else {
            panic!("{said:?}");
        };
        for line in &said {
            let at = line["timestamp"].as_str().unwrap();
            assert!(chrono::DateTime::parse_from_rfc3339(at).is_ok(), "{line}");
            assert_eq!(line["target"], module_path!(), "{line}");
        }
        assert_eq!(
            (&taken["level"], &taken["message"]),
            (&json!("WARN"), &json!("said"))
        );
        for (name, own) in [
            ("timestamp", json!("never")),
            ("level", json!(7)),
            ("target", json!("elsewhere")),
        ] {
            assert_eq!(taken[format!("field.{name}")], own, "{taken}");
        }
        assert_eq!(
            (&outside["case"], &outside["trace"]),
            (&json!("ND-9"), &json!("mine"))
        );
        for line in [plain, joined, same] {
            assert_eq!(
                (&line["case"], &line["trace"]),
                (&json!("ND-7"), &json!("0af7")),
                "{line}"
            );
        }
        let of = (&again["case"], &again["scratch"]);
        assert_eq!(of, (&json!("ND-1"), &json!("replay of ND-9")), "{again}");
        assert_eq!(joined["field.case"], "ND-9", "{joined}");
        assert_eq!(joined["field.trace"], "forged", "{joined}");
        for line in [plain, same] {
            assert!(line.get("field.case").is_none(), "{line}");
        }
    }
}
