//! The vuln server: findings of vulns.jsonl per asset. It scans nothing.

use rmcp::{
    Json, ServerHandler, handler::server::router::tool::ToolRouter,
    handler::server::wrapper::Parameters, tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    answer::{Answer, reply, with},
    clock::{Stamp, any_later, as_it_stood},
    files::{Loaded, Row},
    matching::{check_id, equals},
    serve::Lab,
};

const ASSET: [&str; 9] = [
    "asset",
    "asset_id",
    "assets",
    "host",
    "hostname",
    "fqdn",
    "resource",
    "address",
    "addresses",
];
const ENDED: [&str; 4] = ["fixed_at", "closed_at", "resolved_at", "remediated_at"];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListVulnerabilities {
    /// The asset as the findings name it: id, host name or address.
    asset: String,
    /// Only findings of this status, such as `open`.
    status: Option<String>,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

/// Serves vulns.jsonl.
pub(crate) struct VulnServer {
    lab: Lab,
    findings: Loaded<Vec<Row>>,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl VulnServer {
    pub(crate) fn open(lab: Lab) -> Self {
        Self {
            findings: lab.rows("vulns.jsonl"),
            lab,
            tool_router: Self::tool_router(),
        }
    }

    /// Lists findings of an asset.
    #[tool(
        description = "List vulnerability findings of an asset, named as in the findings (a fully qualified host name also agrees by its first label), letter case aside. A finding closed after as_of counts as open.",
        annotations(
            title = "List vulnerabilities",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_vulnerabilities(
        &self,
        Parameters(asked): Parameters<ListVulnerabilities>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let find = || {
            check_id(&asked.asset)?;
            let rows = self.findings.as_ref().map_err(Clone::clone)?;
            let label = asked.asset.split('.').next().unwrap_or(&asked.asset);
            let named = |row: &Row| {
                equals(row, &ASSET, &asked.asset)
                    || (label.parse::<u32>().is_err() && equals(row, &ASSET, label))
            };
            let of_status = |row: &Row| {
                let wanted = asked.status.as_ref();
                wanted.is_none_or(|status| equals(row, &["status"], status))
            };
            let found = rows
                .iter()
                .filter(|row| named(row))
                .filter_map(|row| as_it_stood(row, as_of))
                .map(|row| reopened(row, as_of))
                .filter(of_status);
            Ok(Answer::new(as_of, found, 500))
        };
        reply(find())
    }
}

#[tool_handler(
    router = self.tool_router,
    name = "nightdesk-lab-vuln",
    instructions = "Vulnerability findings of this environment."
)]
impl ServerHandler for VulnServer {}

/// A finding closed after `as_of` was still open then.
fn reopened(mut row: Row, as_of: Stamp) -> Row {
    if !any_later(&row, &ENDED, as_of) {
        return row;
    }
    for key in ENDED {
        row.shift_remove(key);
    }
    with(row, "status", "open")
}
