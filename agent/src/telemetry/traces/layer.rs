//! Notes when a span of a case's work begins and ends, and what is recorded on it; other spans are left alone.

use std::sync::atomic::{AtomicU64, Ordering};

use state::model::Time;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::data::sha256_hex;

use super::super::spans::{CASE, TRACED};
use super::otlp::{Done, Kind, Word};
use super::{Sink, Traces};

/// Most characters of an attribute.
const MAX_TEXT: usize = 256;

/// Collects spans.
pub(in super::super) struct Collect {
    traces: Traces,
    count: AtomicU64,
}

/// A span that has begun.
struct Open {
    trace: String,
    span: String,
    parent: Option<String>,
    began: Time,
    words: Vec<(&'static str, Word)>,
}

impl Collect {
    pub(in super::super) fn new(traces: Traces) -> Self {
        Self {
            traces,
            count: AtomicU64::new(0),
        }
    }

    /// An id that no other span of the trace has: 16 hexadecimal digits.
    fn id(&self, trace: &str) -> String {
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        sha256_hex(format!("{trace}:{n}"))[..16].to_owned()
    }

    /// The nearest span around it that is traced.
    fn around<S>(&self, span: &SpanRef<'_, S>) -> Option<(String, String)>
    where
        S: Subscriber + for<'l> LookupSpan<'l>,
    {
        span.scope().skip(1).find_map(|outer| {
            let extensions = outer.extensions();
            let open = extensions.get::<Open>()?;
            Some((open.trace.clone(), open.span.clone()))
        })
    }

    /// Begins a span, if it belongs to a trace.
    fn begin<S>(&self, span: &SpanRef<'_, S>, words: Words, sink: &Sink)
    where
        S: Subscriber + for<'l> LookupSpan<'l>,
    {
        let (trace, parent) = match self.around(span) {
            Some((trace, parent)) => (trace, Some(parent)),
            None => match words.trace.clone() {
                Some(trace) => (trace, None),
                None => return,
            },
        };
        span.extensions_mut().insert(Open {
            span: self.id(&trace),
            trace,
            parent,
            began: (sink.now)(),
            words: words.words,
        });
    }
}

impl<S> Layer<S> for Collect
where
    S: Subscriber + for<'l> LookupSpan<'l>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let target = attributes.metadata().target();
        let (Some(sink), true) = (self.traces.sink(), target == CASE || target == TRACED) else {
            return;
        };
        let Some(span) = ctx.span(id) else { return };
        let mut words = Words::default();
        attributes.record(&mut words);
        // The trace of a case is recorded on it right after.
        if target == CASE {
            span.extensions_mut().insert(words);
        } else {
            self.begin(&span, words, sink);
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, ctx: Context<'_, S>) {
        let (Some(sink), Some(span)) = (self.traces.sink(), ctx.span(id)) else {
            return;
        };
        let pending = span.extensions_mut().remove::<Words>();
        if let Some(mut words) = pending {
            record.record(&mut words);
            self.begin(&span, words, sink);
            return;
        }
        let mut words = Words::default();
        record.record(&mut words);
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            open.words.extend(words.words);
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let (Some(sink), Some(span)) = (self.traces.sink(), ctx.span(&id)) else {
            return;
        };
        let Some(open) = span.extensions_mut().remove::<Open>() else {
            return;
        };
        let kind = match span.name() {
            "tool" => Kind::Tool,
            "model" => Kind::Model,
            _ => Kind::Case,
        };
        let done = Done {
            kind,
            trace: open.trace,
            span: open.span,
            parent: open.parent,
            began: open.began,
            ended: (sink.now)(),
            words: open.words,
        };
        if sink.sender.try_send(done).is_err() {
            (sink.lost)(1);
        }
    }
}

/// What a span carries.
#[derive(Default)]
struct Words {
    trace: Option<String>,
    words: Vec<(&'static str, Word)>,
}

impl Words {
    fn text(&mut self, field: &Field, text: String) {
        match field.name() {
            "trace" => self.trace = Some(text),
            name => {
                let text = text.chars().take(MAX_TEXT).collect();
                self.words.push((name, Word::Text(text)));
            }
        }
    }
}

impl Visit for Words {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record_i64(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.words.push((field.name(), Word::Whole(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }
}
