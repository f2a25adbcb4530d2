//! What the cloud and the endpoint server share: which rows of assets.jsonl are hosts, and how an
//! asset is found by its names. It serves nothing itself.

use serde_json::Value;

use crate::{
    files::Row,
    matching::{equals, short_name, texts},
};

pub(crate) mod cloud;
pub(crate) mod endpoint;

/// Inventory of hosts, cloud accounts and resources.
pub(crate) const FILE: &str = "assets.jsonl";

const HOST_KINDS: [&str; 17] = [
    "host",
    "server",
    "workstation",
    "laptop",
    "desktop",
    "endpoint",
    "device",
    "computer",
    "domain_controller",
    "firewall",
    "router",
    "switch",
    "appliance",
    "printer",
    "phone",
    "mobile",
    "kiosk",
];

const NAMES: [&str; 15] = [
    "id",
    "name",
    "hostname",
    "fqdn",
    "arn",
    "aliases",
    "address",
    "addresses",
    "ip",
    "private_ip",
    "public_ip",
    "ips",
    "instance_id",
    "agent_id",
    "device_id",
];

/// Whether an asset is a host; one without a kind is not.
pub(crate) fn is_host(row: &Row) -> bool {
    row.get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| HOST_KINDS.contains(&kind.to_lowercase().as_str()))
}

/// Whether one of the asset's names or addresses is `id`, letter case aside. Host names also agree
/// by their first label, an ARN by its last segment.
pub(crate) fn is_called(row: &Row, id: &str) -> bool {
    if equals(row, &NAMES, id) {
        return true;
    }
    let wanted = first_label(id);
    let short = short_name(id);
    let short = (short.len() != id.trim().len()).then_some(short);
    texts(row, &["id", "name", "hostname", "fqdn"]).any(|name| {
        let known = first_label(&name);
        (known.is_some() && known == wanted)
            || short.is_some_and(|short| name.eq_ignore_ascii_case(short))
    })
}

/// The first label of a host name, in small letters; none for an address.
fn first_label(name: &str) -> Option<String> {
    let name = name.trim();
    if name.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let label = name.split('.').next().unwrap_or(name);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!label.is_empty() && label.chars().all(plain)).then(|| label.to_lowercase())
}
