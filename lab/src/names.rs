//! The closed list of embedded servers and how each is written. It is not where they are built.

use std::{fmt, str::FromStr};

use crate::LabError;

/// One embedded server, named as on the command line (`nightdesk lab serve siem`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServerName {
    /// Alerts and logs.
    Siem,
    /// Users and service accounts.
    Identity,
    /// Cloud accounts and resources.
    Cloud,
    /// Hosts and managed devices.
    Endpoint,
    /// Vulnerability findings.
    Vuln,
    /// Known indicators.
    Intel,
    /// Change tickets, merge requests and pipelines.
    Scm,
    /// Tickets, earlier and new.
    Ticketing,
}

impl ServerName {
    /// Every server, in the order they are shown in.
    pub const ALL: [Self; 8] = [
        Self::Siem,
        Self::Identity,
        Self::Cloud,
        Self::Endpoint,
        Self::Vuln,
        Self::Intel,
        Self::Scm,
        Self::Ticketing,
    ];

    /// The name as written on the command line and in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Siem => "siem",
            Self::Identity => "identity",
            Self::Cloud => "cloud",
            Self::Endpoint => "endpoint",
            Self::Vuln => "vuln",
            Self::Intel => "intel",
            Self::Scm => "scm",
            Self::Ticketing => "ticketing",
        }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ServerName {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| LabError::UnknownServer {
                given: text.chars().take(40).collect(),
                known: Self::ALL.map(Self::as_str).join(", "),
            })
    }
}
