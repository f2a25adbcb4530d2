//! The cloud server: the rows of assets.jsonl that are not hosts. It asks no cloud.

use rmcp::{
    Json, ServerHandler, handler::server::router::tool::ToolRouter,
    handler::server::wrapper::Parameters, tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{FILE, is_called, is_host};
use crate::{
    answer::{Answer, limit, reply},
    clock::{Stamp, as_it_stood},
    files::{Loaded, Row, Unanswered},
    matching::{check_id, equals},
    serve::Lab,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetResource {
    /// Id, name, ARN or address of the account or resource.
    id: String,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListResources {
    /// Only resources of this kind, such as `cloud_account` or `bucket`.
    kind: Option<String>,
    /// At most this many, 1 to 500; 100 if not given.
    limit: Option<usize>,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

/// Serves the cloud side of assets.jsonl.
pub(crate) struct CloudServer {
    lab: Lab,
    resources: Loaded<Vec<Row>>,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl CloudServer {
    pub(crate) fn open(lab: Lab) -> Self {
        let resources = lab.rows(FILE).and_then(|mut rows| {
            rows.retain(|row| !is_host(row));
            if rows.is_empty() {
                return Err(Unanswered::Absent(format!(
                    "{FILE} lists no cloud resource"
                )));
            }
            Ok(rows)
        });
        Self {
            resources,
            lab,
            tool_router: Self::tool_router(),
        }
    }

    fn resources(&self, as_of: Stamp) -> Loaded<impl Iterator<Item = Row>> {
        let rows = self.resources.as_ref().map_err(Clone::clone)?;
        Ok(rows.iter().filter_map(move |row| as_it_stood(row, as_of)))
    }

    /// Looks up an account or resource.
    #[tool(
        description = "Find a cloud account or resource in the inventory by id, name, ARN or address, letter case aside. All matches are returned. No result means that the inventory does not list it.",
        annotations(
            title = "Get resource",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_resource(
        &self,
        Parameters(asked): Parameters<GetResource>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let find = || {
            check_id(&asked.id)?;
            let found = self
                .resources(as_of)?
                .filter(|row| is_called(row, &asked.id));
            Ok(Answer::new(as_of, found, 100))
        };
        reply(find())
    }

    /// Lists accounts and resources.
    #[tool(
        description = "List cloud accounts and resources of the inventory, optionally of one kind.",
        annotations(
            title = "List resources",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_resources(
        &self,
        Parameters(asked): Parameters<ListResources>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let find = || {
            let limit = limit(asked.limit, 100, 500)?;
            let of_kind = |row: &Row| {
                asked
                    .kind
                    .as_ref()
                    .is_none_or(|k| equals(row, &["kind"], k))
            };
            let found = self.resources(as_of)?.filter(of_kind);
            Ok(Answer::new(as_of, found, limit))
        };
        reply(find())
    }
}

#[tool_handler(
    router = self.tool_router,
    name = "nightdesk-lab-cloud",
    instructions = "Cloud accounts and resources of this environment."
)]
impl ServerHandler for CloudServer {}
