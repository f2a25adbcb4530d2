//! Alerts that a tool of any MCP server lists: which of them are new, and how far everything is known.
//!
//! The position is `{time, ids}`: the newest time seen, and the ids in the overlap before it, so that
//! alerts that are indexed late are found and none is given twice. Any failure leaves it where it was.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::Duration;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use state::model::Time;

use super::config::{McpConfig, WatermarkConfig};
use super::pages::{Listing, Window, is_bounded, read, rfc3339};
use super::{AlertSource, Batch, Clock, Reader, SourceError};
use crate::mappings::parse_time;
use crate::result::at;
use crate::toolbox::ToolBox;

/// Most ids kept in a position.
const MAX_IDS: usize = 20_000;
/// Windows are not cut finer than this.
const FINEST: Duration = Duration::seconds(1);

/// A tool that lists alerts.
pub struct McpSource {
    config: McpConfig,
    reader: Reader,
    tools: Arc<dyn ToolBox>,
    clock: Clock,
}

/// One row of the listing.
struct Row {
    id: String,
    time: Option<Time>,
    raw: String,
}

/// What was known before.
struct Known {
    time: Option<Time>,
    ids: BTreeSet<String>,
}

impl McpSource {
    /// A source over the tools of the configured servers.
    #[must_use]
    pub fn new(config: McpConfig, reader: Reader, tools: Arc<dyn ToolBox>, clock: Clock) -> Self {
        Self {
            config,
            reader,
            tools,
            clock,
        }
    }

    fn window(&self, known: &Known) -> Window {
        let until = (self.clock)();
        let (lookback, first) = match &self.config.watermark {
            Some(mark) => (span(mark.lookback.0), span(mark.first.0)),
            None => (Duration::zero(), Duration::zero()),
        };
        let since = match known.time {
            Some(time) => time - lookback,
            None => until - first,
        };
        Window {
            since: since.min(until),
            until,
        }
    }

    /// The rows of the window, or of its beginning when it holds too many. The time says up to
    /// when everything was read, if that is not the end of the window.
    async fn list(
        &self,
        mut window: Window,
        known: Option<Time>,
    ) -> Result<(Vec<Value>, Option<Time>), SourceError> {
        let mut cut = None;
        loop {
            match read(self.tools.as_ref(), &self.config, window).await? {
                Listing::Whole(rows) => return Ok((rows, cut)),
                Listing::TooMany(rows) => {
                    if let Some(until) = self.ascending(&rows).filter(|t| Some(*t) > known) {
                        return Ok((rows, Some(until)));
                    }
                    let half = (window.until - window.since) / 2;
                    let until = window.since + half;
                    if !is_bounded(&self.config) || half < FINEST || Some(until) <= known {
                        return Err(self.too_many());
                    }
                    window.until = until;
                    cut = Some(until);
                }
            }
        }
    }

    fn too_many(&self) -> SourceError {
        SourceError::Answer {
            tool: format!("{}.{}", self.config.server, self.config.tool),
            reason: format!(
                "one window has more than {} pages; raise max_pages, ask for larger pages, or bound the window with {{{{until}}}}",
                self.config.max_pages
            ),
        }
    }

    /// The last time of rows that come oldest first and move on: everything before it was read.
    fn ascending(&self, rows: &[Value]) -> Option<Time> {
        let mark = self.config.watermark.as_ref()?;
        let times = rows.iter().map(|row| time_of(self.alert(row), mark));
        let times = times.collect::<Option<Vec<_>>>()?;
        (times.is_sorted() && times.first() < times.last()).then(|| times.last().copied())?
    }

    fn alert<'v>(&self, row: &'v Value) -> &'v Value {
        match self.config.alert.as_str() {
            "" => row,
            path => at(row, path).unwrap_or(row),
        }
    }

    fn row(&self, row: &Value) -> Row {
        let alert = self.alert(row);
        let raw = match alert {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let mark = self.config.watermark.as_ref();
        Row {
            id: String::new(),
            time: mark.and_then(|mark| time_of(alert, mark).or_else(|| time_of(row, mark))),
            raw,
        }
    }
}

#[async_trait]
impl AlertSource for McpSource {
    fn name(&self) -> &str {
        self.reader.source()
    }

    async fn poll(&mut self, position: &Value) -> Result<Batch, SourceError> {
        let known = Known::read(position);
        let window = self.window(&known);
        let (values, cut) = self.list(window, known.time).await?;
        let mut rows: Vec<Row> = values.iter().map(|value| self.row(value)).collect();
        rows.sort_by_key(|row| row.time);
        let (mut alerts, mut rejected) = (Vec::new(), Vec::new());
        let mut given = BTreeSet::new();
        for row in &mut rows {
            let read = self.reader.read(&row.raw);
            row.id = match &read {
                Ok(alert) => alert.source_alert_id.clone(),
                Err(_) => crate::mappings::hex(&Sha256::digest(row.raw.as_bytes())),
            };
            if known.ids.contains(&row.id) || !given.insert(row.id.clone()) {
                continue;
            }
            match read {
                Ok(alert) => alerts.push(alert),
                Err(reason) => rejected.push(reason),
            }
        }
        let lookback = self.config.watermark.as_ref().map(|m| span(m.lookback.0));
        Ok(Batch {
            alerts,
            rejected,
            position: known.after(&rows, lookback, cut, window.until),
            more: cut.is_some_and(|until| until < window.until),
        })
    }
}

impl Known {
    fn read(position: &Value) -> Self {
        let ids = position.get("ids").and_then(Value::as_array);
        let ids = ids.into_iter().flatten().filter_map(Value::as_str);
        let time = position.get("time").and_then(Value::as_str);
        Self {
            time: time.and_then(parse_time),
            ids: ids.map(str::to_owned).collect(),
        }
    }

    /// The position after these rows: the newest time, and the ids that the next window can hold again.
    /// A time that is still to come is not believed: it would hide everything until then.
    fn after(
        &self,
        rows: &[Row],
        lookback: Option<Duration>,
        cut: Option<Time>,
        now: Time,
    ) -> Value {
        let newest = rows.iter().filter_map(|row| row.time).max();
        let newest = newest.max(self.time).max(cut).map(|time| time.min(now));
        let (Some(newest), Some(lookback)) = (newest, lookback) else {
            let ids: BTreeSet<&str> = rows.iter().map(|r| r.id.as_str()).collect();
            let ids: Vec<&str> = ids.into_iter().take(MAX_IDS).collect();
            return json!({ "ids": ids });
        };
        let since = newest - lookback;
        let again = |row: &&Row| row.time.is_none_or(|time| time >= since);
        let ids: BTreeSet<&str> = rows.iter().filter(again).map(|r| r.id.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().take(MAX_IDS).collect();
        json!({ "time": rfc3339(newest), "ids": ids })
    }
}

fn span(span: std::time::Duration) -> Duration {
    Duration::from_std(span).unwrap_or(Duration::days(3650))
}

fn time_of(alert: &Value, mark: &WatermarkConfig) -> Option<Time> {
    match alert.pointer(&mark.field)? {
        Value::String(text) => parse_time(text),
        Value::Number(number) => parse_time(&number.to_string()),
        _ => None,
    }
}
