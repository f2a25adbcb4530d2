//! One raw event normalised to who did what, from where and to what; not an alert and not a judgement.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fact, Time, Trust};

words! {
    /// The closed list of normalised event fields. Beside each: its OCSF 1.8 attribute.
    pub enum Field {
        /// OCSF `class_name` in short: authentication, account_change, api, process, file, network, dns, http, email, repository, finding.
        Class = "class",
        /// `api.operation` or `activity_name`: what was done, in the product's word.
        Action = "action",
        /// `status`: `success`, `failure` or empty for unknown.
        Outcome = "outcome",
        /// `actor.user.name`: the principal.
        User = "user",
        /// `actor.user.uid`.
        UserId = "user_id",
        /// `actor.user.type`.
        UserType = "user_type",
        /// `actor.session.uid` or the credential in use.
        Session = "session",
        /// `user` of an account change: whom it was done to.
        TargetUser = "target_user",
        /// `src_endpoint.ip`.
        SrcIp = "src_ip",
        /// `src_endpoint.location.country`.
        SrcCountry = "src_country",
        /// `src_endpoint.autonomous_system.name`.
        SrcAsn = "src_asn",
        /// `dst_endpoint.ip`.
        DstIp = "dst_ip",
        /// `dst_endpoint.hostname`.
        DstHost = "dst_host",
        /// `dst_endpoint.port`.
        DstPort = "dst_port",
        /// `device.hostname`.
        Host = "host",
        /// `device.uid`: agent id or device fingerprint.
        Device = "device",
        /// `process.file.path`.
        Process = "process",
        /// `process.uid`.
        ProcessId = "process_id",
        /// `process.parent_process.file.path`.
        Parent = "parent",
        /// `process.cmd_line`.
        CommandLine = "command_line",
        /// `file.path` or `file.name`.
        File = "file",
        /// `file.hashes[].value`.
        Hash = "hash",
        /// `url.url_string`.
        Url = "url",
        /// `query.hostname` or a domain that stands in the event.
        Domain = "domain",
        /// `http_request.user_agent`.
        UserAgent = "user_agent",
        /// `resources[].uid`: bucket, repository, key, policy, mailbox.
        Resource = "resource",
        /// `cloud.account.uid` or the organisation.
        Account = "account",
        /// `cloud.region`.
        Region = "region",
        /// `api.service.name`.
        Service = "service",
        /// `email.from`.
        Sender = "sender",
        /// `email.subject`.
        Subject = "subject",
        /// `traffic.bytes` or the size of what was moved, in bytes.
        Bytes = "bytes",
        /// `rule.name` of the product's own detection inside the event.
        Signature = "signature",
        /// `message`: free text.
        Message = "message",
    }
}

/// One raw event, normalised by the event mapping that recognised it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// Opaque id of the raw event at its origin; empty when the origin has none.
    pub uid: String,
    /// When it happened, if the event says so.
    pub time: Option<Time>,
    /// Name of the event mapping, for instance `cloudtrail`; `unknown` when none recognised it.
    pub schema: String,
    /// Normalised fields with their trust; what the event lacks is absent.
    pub fields: BTreeMap<Field, Fact>,
    /// Fields the mapping lists as trusted, present or not.
    pub trusted: Vec<Field>,
    /// The raw event; always untrusted.
    pub raw: Value,
}

impl Activity {
    /// The value of a field, or the empty text.
    #[must_use]
    pub fn get(&self, field: Field) -> &str {
        self.fields.get(&field).map_or("", |f| f.value.as_str())
    }

    /// The value of a field if it is trusted.
    #[must_use]
    pub fn trusted(&self, field: Field) -> Option<&str> {
        self.fields
            .get(&field)
            .filter(|f| f.trust == Trust::Trusted)
            .map(|f| f.value.as_str())
    }
}
