//! The identity server: users and service accounts of identity.jsonl. It reports what the file
//! says; whether a login is unusual is for the daemon to judge.

use rmcp::{
    Json, ServerHandler, handler::server::router::tool::ToolRouter,
    handler::server::wrapper::Parameters, tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    answer::{Answer, limit, reply, with},
    clock::{Stamp, as_it_stood, first_time},
    files::{Loaded, Row},
    matching::{check_id, equals, short_name, texts},
    serve::Lab,
};

const NAMES: [&str; 14] = [
    "id",
    "name",
    "email",
    "arn",
    "upn",
    "login",
    "user",
    "username",
    "aliases",
    "user_id",
    "sid",
    "principal_id",
    "object_id",
    "okta_id",
];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetUser {
    /// Id, name, e-mail address, ARN, UPN, login or alias of the user.
    id: String,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UsersOfAddress {
    /// An IP address.
    address: String,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListUsers {
    /// Only users of this kind, such as `user` or `service`.
    kind: Option<String>,
    /// Only users with (true) or without (false) privileges; one whose file row does not say is left out.
    privileged: Option<bool>,
    /// At most this many, 1 to 500; 100 if not given.
    limit: Option<usize>,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

/// Serves identity.jsonl.
pub(crate) struct IdentityServer {
    lab: Lab,
    users: Loaded<Vec<Row>>,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl IdentityServer {
    pub(crate) fn open(lab: Lab) -> Self {
        Self {
            users: lab.rows("identity.jsonl"),
            lab,
            tool_router: Self::tool_router(),
        }
    }

    /// The users as they stood. A baseline that reaches past `as_of` is marked, because it may
    /// count the very events being judged.
    fn users(&self, as_of: Stamp) -> Loaded<Vec<Row>> {
        let users = self.users.as_ref().map_err(Clone::clone)?;
        let stood = users.iter().filter_map(|row| as_it_stood(row, as_of));
        Ok(stood
            .map(|row| match baseline_end(&row) {
                Some(end) if end > as_of => with(row, "baseline_after_as_of", true),
                _ => row,
            })
            .collect())
    }

    /// Looks up a user or service account by any of its names.
    #[tool(
        description = "Find a user or service account by id, name, e-mail, ARN, UPN, login or alias, letter case aside. Each result says `match`: `exact`, or `name` when only the short name agrees (after a backslash, before @, or the last segment of an ARN). All matches are returned, exact ones first. `baseline_after_as_of: true` marks a baseline that also counts events after as_of.",
        annotations(
            title = "Get user",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_user(
        &self,
        Parameters(asked): Parameters<GetUser>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let find = || {
            check_id(&asked.id)?;
            let short = short_name(&asked.id).to_lowercase();
            let (mut exact, mut named) = (Vec::new(), Vec::new());
            for user in self.users(as_of)? {
                if equals(&user, &NAMES, &asked.id) {
                    exact.push(with(user, "match", "exact"));
                } else if !short.is_empty()
                    && texts(&user, &NAMES).any(|text| short_name(&text).to_lowercase() == short)
                {
                    named.push(with(user, "match", "name"));
                }
            }
            exact.append(&mut named);
            Ok(Answer::new(as_of, exact, 100))
        };
        reply(find())
    }

    /// Finds whose usual address an address is.
    #[tool(
        description = "List the users whose usual addresses contain this IP address. No result means that it is nobody's usual address as far as the baselines know; a user without a baseline is never in the result.",
        annotations(
            title = "Users of an address",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn users_of_address(
        &self,
        Parameters(asked): Parameters<UsersOfAddress>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let find = || {
            check_id(&asked.address)?;
            let mut users = self.users(as_of)?;
            users.retain(|user| {
                let nested = user.get("baseline").and_then(Value::as_object);
                [Some(user), nested]
                    .into_iter()
                    .flatten()
                    .any(|row| equals(row, &["usual_addresses"], &asked.address))
            });
            Ok(Answer::new(as_of, users, 500))
        };
        reply(find())
    }

    /// Lists users.
    #[tool(
        description = "List users and service accounts, in the order of the inventory; optionally only one kind, or only privileged ones.",
        annotations(
            title = "List users",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_users(
        &self,
        Parameters(asked): Parameters<ListUsers>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let find = || {
            let limit = limit(asked.limit, 100, 500)?;
            let mut users = self.users(as_of)?;
            users.retain(|user| {
                let kind = asked
                    .kind
                    .as_ref()
                    .is_none_or(|k| equals(user, &["kind"], k));
                let privileged = asked.privileged.is_none_or(|wanted| {
                    user.get("privileged").and_then(Value::as_bool) == Some(wanted)
                });
                kind && privileged
            });
            Ok(Answer::new(as_of, users, limit))
        };
        reply(find())
    }
}

#[tool_handler(
    router = self.tool_router,
    name = "nightdesk-lab-identity",
    instructions = "Users and service accounts of this environment, with their baselines."
)]
impl ServerHandler for IdentityServer {}

fn baseline_end(row: &Row) -> Option<Stamp> {
    let nested = row.get("baseline").and_then(Value::as_object);
    first_time(row, &["baseline_until"])
        .or_else(|| nested.and_then(|baseline| first_time(baseline, &["until", "baseline_until"])))
}
