//! The ticketing server's tools: earlier tickets of tickets.jsonl and those made since. How tickets
//! are kept and shown at a time stands in `book`.

use rmcp::{
    Json, ServerHandler, handler::server::router::tool::ToolRouter,
    handler::server::wrapper::Parameters, tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::{
    answer::{Answer, limit, reply, with},
    clock::{Stamp, first_time},
    files::{Loaded, Row, Unanswered},
    matching::{check_id, check_values, leaves_in},
    serve::Lab,
};

mod book;

use book::Book;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FindTickets {
    /// Values to look for as whole strings anywhere in a ticket; empty: every ticket.
    values: Vec<String>,
    /// Only tickets created from this time on.
    since: Option<Stamp>,
    /// At most this many, 1 to 500; 50 if not given.
    limit: Option<usize>,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateTicket {
    /// One line, at most 500 characters.
    title: String,
    /// What happened, at most 65536 characters.
    body: String,
    /// Severity in the words of this environment, such as `high`.
    severity: String,
    /// The case this ticket is for.
    case_id: String,
    /// Names this very request; repeating it makes no second ticket.
    idempotency_key: String,
    /// When the ticket is made. Default: the lab's clock.
    as_of: Option<Stamp>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UpdateTicket {
    /// Id of the ticket.
    id: String,
    /// The new status.
    status: Option<String>,
    /// A comment to add, at most 65536 characters.
    comment: Option<String>,
    /// Names this very request; repeating it makes no second update.
    idempotency_key: String,
    /// When the update is made. Default: the lab's clock.
    as_of: Option<Stamp>,
}

/// Serves tickets and takes new ones.
pub(crate) struct TicketingServer {
    lab: Lab,
    book: Book,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl TicketingServer {
    pub(crate) fn open(lab: Lab) -> Self {
        Self {
            book: Book::open(&lab),
            lab,
            tool_router: Self::tool_router(),
        }
    }

    /// Finds tickets.
    #[tool(
        description = "Find tickets, newest first. With values: only tickets that hold at least one of them as a whole string (exact, case matters), and `matched` says which. A ticket shows only what was known at as_of: if it was closed or changed later, its later fields are hidden and it counts as open.",
        annotations(
            title = "Find tickets",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn find_tickets(
        &self,
        Parameters(asked): Parameters<FindTickets>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let find = || {
            check_values(&asked.values)?;
            let limit = limit(asked.limit, 50, 500)?;
            let mut found: Vec<(Option<Stamp>, Row)> = Vec::new();
            for ticket in self.book.tickets(as_of)? {
                let made = first_time(&ticket, &book::MADE);
                let matched = leaves_in(&ticket, &asked.values);
                let recent = asked
                    .since
                    .is_none_or(|since| made.is_some_and(|m| m >= since));
                if recent && (asked.values.is_empty() || !matched.is_empty()) {
                    found.push((made, with(ticket, "matched", matched)));
                }
            }
            found.sort_by_key(|(made, _)| std::cmp::Reverse(*made));
            let found = found.into_iter().map(|(_, ticket)| ticket);
            Ok(Answer::new(as_of, found, limit))
        };
        reply(find())
    }

    /// Makes a ticket.
    #[tool(
        description = "Create a ticket. The same idempotency_key returns the first answer again and makes no second ticket.",
        annotations(
            title = "Create ticket",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn create_ticket(
        &self,
        Parameters(asked): Parameters<CreateTicket>,
    ) -> Result<Json<Answer>, String> {
        let now = self.lab.now(asked.as_of);
        let make = || {
            let bounds = [
                ("title", &asked.title, 500),
                ("body", &asked.body, 65_536),
                ("severity", &asked.severity, 40),
                ("case_id", &asked.case_id, 200),
            ];
            for (name, text, most) in bounds {
                bound(name, text, most)?;
            }
            self.book.append("create", &asked.idempotency_key, |made| {
                let number = made.iter().filter(|row| book::is_op(row, "create")).count() + 1;
                Ok(json!({
                    "op": "create",
                    "id": format!("TCK-{number:04}"),
                    "title": asked.title,
                    "body": asked.body,
                    "severity": asked.severity,
                    "case_id": asked.case_id,
                    "status": "open",
                    "created_at": now.to_string(),
                    "idempotency_key": asked.idempotency_key,
                }))
            })
        };
        reply(make().map(|row| written(row, now, "created_at")))
    }

    /// Changes a ticket.
    #[tool(
        description = "Set the status of a ticket, add a comment, or both. The same idempotency_key returns the first answer again and changes nothing.",
        annotations(
            title = "Update ticket",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn update_ticket(
        &self,
        Parameters(asked): Parameters<UpdateTicket>,
    ) -> Result<Json<Answer>, String> {
        let now = self.lab.now(asked.as_of);
        let make = || {
            check_id(&asked.id)?;
            if asked.status.is_none() && asked.comment.is_none() {
                let problem = "nothing to change; give a status, a comment or both";
                return Err(Unanswered::Failed(problem.to_owned()));
            }
            if let Some(status) = &asked.status {
                bound("status", status, 40)?;
            }
            if let Some(comment) = &asked.comment {
                bound("comment", comment, 65_536)?;
            }
            self.book.append("update", &asked.idempotency_key, |made| {
                if !self.book.knows(made, &asked.id)? {
                    return Err(Unanswered::Failed("no ticket has this id".to_owned()));
                }
                Ok(json!({
                    "op": "update",
                    "id": asked.id,
                    "status": asked.status,
                    "comment": asked.comment,
                    "updated_at": now.to_string(),
                    "idempotency_key": asked.idempotency_key,
                }))
            })
        };
        reply(make().map(|row| written(row, now, "updated_at")))
    }
}

#[tool_handler(
    router = self.tool_router,
    name = "nightdesk-lab-ticketing",
    instructions = "Tickets of this environment, earlier and new."
)]
impl ServerHandler for TicketingServer {}

/// The answer to a write, from its record alone, so that a repeated request gets it unchanged.
fn written(row: Row, now: Stamp, key: &str) -> Answer {
    let when = first_time(&row, &[key]).unwrap_or(now);
    Answer::new(when, [row], 1)
}

fn bound(name: &str, text: &str, most: usize) -> Loaded<()> {
    if text.trim().is_empty() {
        return Err(Unanswered::Failed(format!("{name} is empty")));
    }
    if text.chars().count() > most {
        return Err(Unanswered::Failed(format!(
            "{name} is longer than {most} characters"
        )));
    }
    Ok(())
}
