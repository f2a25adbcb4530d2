//! The scm server: change tickets, merge requests and pipelines of changes.jsonl. It says which
//! change was under way at a time; whether that explains an alert is for the daemon.

use rmcp::{
    Json, ServerHandler, handler::server::router::tool::ToolRouter,
    handler::server::wrapper::Parameters, tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    answer::{Answer, reply, with},
    clock::{Stamp, any_later, first_time},
    files::{Loaded, Row, Unanswered},
    matching::{check_id, check_values, equals, leaves_in},
    serve::Lab,
};

const BEGUN: [&str; 5] = [
    "created_at",
    "opened_at",
    "started_at",
    "submitted_at",
    "time",
];
const ENDED: [&str; 4] = ["merged_at", "finished_at", "closed_at", "completed_at"];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FindChanges {
    /// The time in question.
    at: Stamp,
    /// Values to look for as whole strings anywhere in a change; empty: every change of that time.
    values: Vec<String>,
    /// Widen the time in question by this many minutes on both sides, 0 to 10080; 0 if not given.
    window_minutes: Option<u32>,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetChange {
    /// Id of the change.
    id: String,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

/// Serves changes.jsonl.
pub(crate) struct ScmServer {
    lab: Lab,
    changes: Loaded<Vec<Row>>,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl ScmServer {
    pub(crate) fn open(lab: Lab) -> Self {
        Self {
            changes: lab.rows("changes.jsonl"),
            lab,
            tool_router: Self::tool_router(),
        }
    }

    fn changes(&self, as_of: Stamp) -> Loaded<impl Iterator<Item = Row>> {
        let rows = self.changes.as_ref().map_err(Clone::clone)?;
        Ok(rows.iter().filter_map(move |row| stood(row, as_of)))
    }

    /// Finds the changes under way at a time.
    #[tool(
        description = "Find change tickets, merge requests and pipelines whose window contains the time `at`, give or take window_minutes. With values: only changes that hold at least one of them as a whole string (exact, case matters), and `matched` says which. A change that ends after as_of is shown as still running.",
        annotations(
            title = "Find changes",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn find_changes(
        &self,
        Parameters(asked): Parameters<FindChanges>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let find = || {
            check_values(&asked.values)?;
            let minutes = asked.window_minutes.unwrap_or(0);
            if minutes > 10_080 {
                let problem = "window_minutes must be from 0 to 10080 (a week)";
                return Err(Unanswered::Failed(problem.to_owned()));
            }
            let from = asked.at.minutes_from(-i64::from(minutes));
            let to = asked.at.minutes_from(i64::from(minutes));
            let found = self.changes(as_of)?.filter_map(|row| {
                let (start, end) = span(&row)?;
                let under_way = start <= to && end.is_none_or(|end| end >= from);
                let matched = leaves_in(&row, &asked.values);
                let wanted = asked.values.is_empty() || !matched.is_empty();
                (under_way && wanted).then(|| with(row, "matched", matched))
            });
            Ok(Answer::new(as_of, found, 200))
        };
        reply(find())
    }

    /// Looks up one change.
    #[tool(
        description = "Get a change ticket, merge request or pipeline by its id, letter case aside. All rows of that id are returned.",
        annotations(
            title = "Get change",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_change(
        &self,
        Parameters(asked): Parameters<GetChange>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let find = || {
            check_id(&asked.id)?;
            let called = |row: &Row| equals(row, &["id", "key", "iid", "number"], &asked.id);
            Ok(Answer::new(as_of, self.changes(as_of)?.filter(called), 100))
        };
        reply(find())
    }
}

#[tool_handler(
    router = self.tool_router,
    name = "nightdesk-lab-scm",
    instructions = "Change tickets, merge requests and pipelines of this environment."
)]
impl ServerHandler for ScmServer {}

/// The change as it stood. One that does not say when it was made counts from its window's start.
fn stood(row: &Row, as_of: Stamp) -> Option<Row> {
    let made = first_time(row, &BEGUN).or_else(|| first_time(row, &["window_start"]));
    if made.is_some_and(|made| made > as_of) {
        return None;
    }
    let mut row = row.clone();
    if any_later(&row, &ENDED, as_of) || any_later(&row, &["updated_at"], as_of) {
        for key in ENDED {
            row.shift_remove(key);
        }
        for key in ["updated_at", "status", "state", "result", "conclusion"] {
            row.shift_remove(key);
        }
        row = with(row, "later_fields_hidden", true);
    }
    Some(row)
}

/// From when to when a change runs; no end: it has not ended. None if it holds no time at all.
fn span(row: &Row) -> Option<(Stamp, Option<Stamp>)> {
    if let Some(start) = first_time(row, &["window_start"]) {
        return Some((start, first_time(row, &["window_end"])));
    }
    let start = first_time(row, &BEGUN)?;
    if row.contains_key("later_fields_hidden") {
        return Some((start, None));
    }
    // A row with nothing but `time` is a moment; any other without an end is still open.
    let begun = BEGUN.iter().find(|key| row.contains_key(**key));
    let moment = (begun == Some(&"time")).then_some(start);
    Some((start, first_time(row, &ENDED).or(moment)))
}
