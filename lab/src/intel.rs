//! The intel server: known indicators of intel.jsonl. It looks nothing up outside the lab.

use std::net::IpAddr;

use rmcp::{
    Json, ServerHandler, handler::server::router::tool::ToolRouter,
    handler::server::wrapper::Parameters, tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    answer::{Answer, reply, with},
    clock::{Stamp, as_it_stood},
    files::{Loaded, Row},
    matching::{check_id, texts},
    serve::Lab,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LookupIndicator {
    /// An address, domain, URL, hash or other observable.
    value: String,
    /// The "now" of this question; nothing later is seen. Default: the lab's clock.
    as_of: Option<Stamp>,
}

/// Serves intel.jsonl.
pub(crate) struct IntelServer {
    lab: Lab,
    indicators: Loaded<Vec<Row>>,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl IntelServer {
    pub(crate) fn open(lab: Lab) -> Self {
        Self {
            indicators: lab.rows("intel.jsonl"),
            lab,
            tool_router: Self::tool_router(),
        }
    }

    /// Looks an observable up among the known indicators.
    #[tool(
        description = "Look a value up among the known indicators: exact, letter case aside; a domain indicator also covers its subdomains, a network indicator (CIDR) the addresses in it. Each result says `match`: `exact`, `subdomain` or `network`. No result means that nothing is known about the value, not that it is harmless.",
        annotations(
            title = "Look up indicator",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn lookup_indicator(
        &self,
        Parameters(asked): Parameters<LookupIndicator>,
    ) -> Result<Json<Answer>, String> {
        let as_of = self.lab.now(asked.as_of);
        let find = || {
            check_id(&asked.value)?;
            let rows = self.indicators.as_ref().map_err(Clone::clone)?;
            let wanted = plain(&asked.value);
            let found = rows.iter().filter_map(|row| {
                let how = texts(row, &["value", "indicator", "ioc"])
                    .find_map(|known| covers(&plain(&known), &wanted))?;
                Some(with(as_it_stood(row, as_of)?, "match", how))
            });
            Ok(Answer::new(as_of, found, 200))
        };
        reply(find())
    }
}

#[tool_handler(
    router = self.tool_router,
    name = "nightdesk-lab-intel",
    instructions = "Indicators known to this environment's threat intelligence."
)]
impl ServerHandler for IntelServer {}

fn plain(value: &str) -> String {
    value.trim().trim_end_matches('.').to_lowercase()
}

/// How an indicator covers a value, if it does. Both are plain.
fn covers(known: &str, wanted: &str) -> Option<&'static str> {
    if known.is_empty() {
        return None;
    }
    if known == wanted {
        return Some("exact");
    }
    if let Ok(address) = wanted.parse::<IpAddr>() {
        if known.parse::<IpAddr>().is_ok_and(|other| other == address) {
            return Some("exact");
        }
        return in_network(known, address).then_some("network");
    }
    let is_domain = known.contains('.')
        && known.parse::<IpAddr>().is_err()
        && known
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.".contains(c));
    let under = wanted.strip_suffix(known)?.strip_suffix('.')?;
    (is_domain && !under.is_empty() && !under.contains('/')).then_some("subdomain")
}

/// Whether an address lies in a network written as CIDR.
fn in_network(network: &str, address: IpAddr) -> bool {
    let Some((base, length)) = network.split_once('/') else {
        return false;
    };
    let Ok(length) = length.parse::<u32>() else {
        return false;
    };
    match (base.parse(), address) {
        (Ok(IpAddr::V4(base)), IpAddr::V4(address)) if length <= 32 => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            base.to_bits() & mask == address.to_bits() & mask
        }
        (Ok(IpAddr::V6(base)), IpAddr::V6(address)) if length <= 128 => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            base.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn indicators_cover_exactly_their_own() {
        let rows = [
            ("evil.example", "evil.example", Some("exact")),
            ("evil.example", "a.b.evil.example", Some("subdomain")),
            ("evil.example", "notevil.example", None),
            ("evil.example", "evil.example.org", None),
            ("evil.example", "http://x/y.evil.example", None),
            ("198.51.100.0/24", "198.51.100.7", Some("network")),
            ("198.51.100.0/24", "198.51.101.7", None),
            ("0.0.0.0/0", "8.8.8.8", Some("network")),
            ("198.51.100.0/33", "198.51.100.7", None),
            ("2001:db8::/32", "2001:db8::1", Some("network")),
            ("2001:db8::1", "2001:0db8:0::1", Some("exact")),
            ("51.100.7", "198.51.100.7", None),
        ];
        for (known, wanted, how) in rows {
            assert_eq!(covers(known, wanted), how, "{known} {wanted}");
        }
    }
}
