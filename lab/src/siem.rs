//! The siem server's tools: alerts as the product wrote them, and read-only SQL over the logs.
//! How alerts are paged, logs loaded and SQL checked stands in the files below.

use rmcp::{
    Json, ServerHandler, handler::server::router::tool::ToolRouter,
    handler::server::wrapper::Parameters, tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    LabError,
    answer::{Answer, limit, reply},
    clock::Stamp,
    files::{Unanswered, bounded},
    matching::check_id,
    serve::Lab,
};

mod alerts;
mod fields;
mod guard;
mod load;
mod query;

use alerts::{Alerts, Page, Range};
use load::Logs;
use query::LogAnswer;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListAlerts {
    /// Which feed; needed only where the lab has more than one.
    feed: Option<String>,
    /// Only alerts from this time on.
    since: Option<Stamp>,
    /// Only alerts before this time.
    until: Option<Stamp>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// At most this many, 1 to 500; 100 if not given.
    limit: Option<usize>,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetAlert {
    /// Id of the alert or of an event in it.
    id: String,
    /// Which feed; every one if not given.
    feed: Option<String>,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListTables {
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QueryLogs {
    /// One SELECT statement in SQLite's dialect.
    sql: String,
    /// At most this many rows, 1 to 1000; 200 if not given.
    limit: Option<usize>,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

/// Serves alerts and logs.
pub(crate) struct SiemServer {
    lab: Lab,
    alerts: Alerts,
    logs: Logs,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl SiemServer {
    pub(crate) async fn open(lab: Lab) -> Result<Self, LabError> {
        Ok(Self {
            alerts: Alerts::open(&lab),
            logs: Logs::open(&lab).await?,
            lab,
            tool_router: Self::tool_router(),
        })
    }

    /// Pages through the alerts of a feed.
    #[tool(
        description = "List alerts exactly as the product wrote them, in the order of the file. Page with `next_cursor` until it is null. A line that is not JSON comes as {\"unparsable_line\": number, \"text\": text}. Alerts after as_of are left out; an alert without a readable time is shown unless as_of is given.",
        annotations(
            title = "List alerts",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_alerts(
        &self,
        Parameters(asked): Parameters<ListAlerts>,
    ) -> Result<Json<Page>, String> {
        let page = || {
            let range = Range {
                now: self.lab.now(asked.as_of),
                asked_as_of: asked.as_of,
                since: asked.since,
                until: asked.until,
                limit: limit(asked.limit, 100, 500)?,
            };
            let feed = self.alerts.feed(asked.feed.as_deref())?;
            feed.page(range, asked.cursor.as_deref())
        };
        match page() {
            Ok(page) => Ok(Json(page)),
            Err(Unanswered::Absent(reason)) => Ok(Json(Page::absent(reason))),
            Err(Unanswered::Failed(reason)) => Err(bounded(&reason, 2000)),
        }
    }

    /// Looks up one alert.
    #[tool(
        description = "Get alerts by id: string equality on `id`, `uuid`, `eventID`, `_id` or `alertId`. A match at the top of an alert wins over one in the events inside it; all alerts that match are returned, as the product wrote them.",
        annotations(
            title = "Get alert",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_alert(
        &self,
        Parameters(asked): Parameters<GetAlert>,
    ) -> Result<Json<Answer>, String> {
        let now = self.lab.now(asked.as_of);
        let find = || {
            check_id(&asked.id)?;
            let found = self.alerts.find(&asked.id, asked.feed.as_deref(), now)?;
            Ok(Answer::new(now, found, 50))
        };
        reply(find())
    }

    /// Lists log tables.
    #[tool(
        description = "List the log tables: name, number of rows, first and last event time, and fields as dotted paths with their JSON types (`[]` marks array members; at most 400 paths). No values are shown.",
        annotations(
            title = "List log tables",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_tables(
        &self,
        Parameters(asked): Parameters<ListTables>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        reply(
            self.logs
                .describe(as_of)
                .map(|tables| Answer::new(as_of, tables, 500)),
        )
    }

    /// Runs one SELECT over the logs.
    #[tool(
        description = "Run one read-only SELECT (SQLite dialect; WITH, UNION, window functions, json_each and json_tree are fine) over the logs. Each log table is a view with event_uid, event_time (text, always like 2026-07-15T09:30:00.000Z, so compare it as text with literals of that form), raw (the event as JSON text) and one column per top-level scalar key (true and false read as 1 and 0). The view `events` (event_uid, event_time, table_name, raw) joins all tables. Reach nested values with json_extract(raw, '$.a.b') or search whole events with instr(raw, 'text') > 0 (in raw, a backslash and a double quote inside a value stand JSON-escaped). Text goes in single quotes. Columns whose name ends in `raw` come back as JSON objects. Rows after as_of do not exist. `now` is refused: write times out. Stops after 2 seconds; cut at 1 MiB.",
        annotations(
            title = "Query logs",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn query_logs(
        &self,
        Parameters(asked): Parameters<QueryLogs>,
    ) -> Result<Json<LogAnswer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let rows = match limit(asked.limit, 200, 1000) {
            Ok(rows) => rows,
            Err(Unanswered::Absent(reason) | Unanswered::Failed(reason)) => return Err(reason),
        };
        match self.logs.query(&asked.sql, as_of, rows).await {
            Ok(answer) => Ok(Json(answer)),
            Err(Unanswered::Absent(reason)) => Ok(Json(LogAnswer::absent(reason))),
            Err(Unanswered::Failed(reason)) => Err(bounded(&reason, 4000)),
        }
    }
}

#[tool_handler(
    router = self.tool_router,
    name = "nightdesk-lab-siem",
    instructions = "Alerts and logs of this environment."
)]
impl ServerHandler for SiemServer {}
