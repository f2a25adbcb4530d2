//! Who acts or is protected, and values to pivot on; extraction lives with the mappings.

use serde::{Deserialize, Serialize};

use super::Trust;

words! {
    /// What kind of thing an entity is.
    pub enum EntityKind {
        /// A person or service account.
        User = "user",
        /// A computer.
        Host = "host",
        /// A cloud account, tenant or organisation: many share it.
        Account = "account",
        /// A bucket, repository, key, mailbox or application.
        Resource = "resource",
        /// A network address.
        Address = "address",
    }
}

words! {
    /// The part an entity plays in the alert.
    pub enum Role {
        /// Who acted.
        Principal = "principal",
        /// Whom or what it was done to.
        Target = "target",
        /// Where it came from or went to.
        Peer = "peer",
        /// Where it happened.
        Place = "place",
    }
}

/// What acts or is protected.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// Its name as the product writes it.
    pub value: String,
    /// The part it plays.
    pub role: Role,
    /// Trust of the field it was read from.
    pub trust: Trust,
}

impl Entity {
    /// The form in which two mentions of one entity are equal: lower case.
    #[must_use]
    pub fn key(&self) -> String {
        self.value.trim().to_lowercase()
    }

    /// Whether sharing it says that two alerts belong together: accounts are shared by too many.
    #[must_use]
    pub fn joins(&self) -> bool {
        matches!(self.kind, EntityKind::User | EntityKind::Host)
            && self.role != Role::Peer
            && self.trust.is_usable_for_closing()
    }
}

words! {
    /// OCSF observable types that are used here; [`ObservableKind::type_id`] gives the number.
    pub enum ObservableKind {
        /// 1
        Hostname = "hostname",
        /// 2
        Ip = "ip",
        /// 5
        Email = "email",
        /// 6
        Url = "url",
        /// 7
        File = "file",
        /// 8
        Hash = "hash",
        /// 13
        CommandLine = "command_line",
        /// 16
        UserAgent = "user_agent",
    }
}

impl ObservableKind {
    /// The OCSF 1.8 observable `type_id`.
    #[must_use]
    pub const fn type_id(self) -> i64 {
        match self {
            Self::Hostname => 1,
            Self::Ip => 2,
            Self::Email => 5,
            Self::Url => 6,
            Self::File => 7,
            Self::Hash => 8,
            Self::CommandLine => 13,
            Self::UserAgent => 16,
        }
    }
}

/// A value to pivot on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Observable {
    /// OCSF type.
    pub kind: ObservableKind,
    /// The value, verbatim.
    pub value: String,
    /// Trust of the field it was read from.
    pub trust: Trust,
}
