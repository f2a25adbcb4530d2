//! The endpoint server: hosts of assets.jsonl and managed devices of endpoints.jsonl. It contacts
//! no device.

use rmcp::{
    Json, ServerHandler, handler::server::router::tool::ToolRouter,
    handler::server::wrapper::Parameters, tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{FILE, is_called, is_host};
use crate::{
    answer::{Answer, limit, reply, with},
    clock::{Stamp, as_it_stood},
    files::{Loaded, Row, Unanswered},
    matching::check_id,
    serve::Lab,
};

const DEVICES: &str = "endpoints.jsonl";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetHost {
    /// Id, name, host name or address of the host.
    id: String,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListHosts {
    /// At most this many, 1 to 500; 100 if not given.
    limit: Option<usize>,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

/// Serves hosts and devices.
pub(crate) struct EndpointServer {
    lab: Lab,
    hosts: Loaded<Vec<Row>>,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl EndpointServer {
    pub(crate) fn open(lab: Lab) -> Self {
        Self {
            hosts: load(&lab),
            lab,
            tool_router: Self::tool_router(),
        }
    }

    fn hosts(&self, as_of: Stamp) -> Loaded<impl Iterator<Item = Row>> {
        let rows = self.hosts.as_ref().map_err(Clone::clone)?;
        Ok(rows.iter().filter_map(move |row| as_it_stood(row, as_of)))
    }

    /// Looks up a host.
    #[tool(
        description = "Find a host by id, name, host name (a fully qualified name also agrees by its first label) or address, letter case aside. Each result names the `file` it came from: assets.jsonl (inventory: owner, role, criticality) or endpoints.jsonl (managed device, installed software).",
        annotations(
            title = "Get host",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_host(
        &self,
        Parameters(asked): Parameters<GetHost>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let find = || {
            check_id(&asked.id)?;
            let found = self.hosts(as_of)?.filter(|row| is_called(row, &asked.id));
            Ok(Answer::new(as_of, found, 100))
        };
        reply(find())
    }

    /// Lists hosts.
    #[tool(
        description = "List hosts of the inventory and managed devices; each result names the `file` it came from, so a host known to both appears twice.",
        annotations(
            title = "List hosts",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_hosts(
        &self,
        Parameters(asked): Parameters<ListHosts>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let find = || {
            let limit = limit(asked.limit, 100, 500)?;
            Ok(Answer::new(as_of, self.hosts(as_of)?, limit))
        };
        reply(find())
    }
}

#[tool_handler(
    router = self.tool_router,
    name = "nightdesk-lab-endpoint",
    instructions = "Hosts and managed devices of this environment."
)]
impl ServerHandler for EndpointServer {}

/// Both files as one list. One of them may be absent; a fault in either is a fault of the whole.
fn load(lab: &Lab) -> Loaded<Vec<Row>> {
    let mut hosts = Vec::new();
    for file in [FILE, DEVICES] {
        match lab.rows(file) {
            Ok(rows) => hosts.extend(
                rows.into_iter()
                    .filter(|row| file == DEVICES || is_host(row))
                    .map(|row| with(row, "file", file)),
            ),
            Err(Unanswered::Absent(_)) => {}
            Err(failed) => return Err(failed),
        }
    }
    if hosts.is_empty() {
        let reason = format!("this lab lists no host in {FILE} or {DEVICES}");
        return Err(Unanswered::Absent(reason));
    }
    Ok(hosts)
}
