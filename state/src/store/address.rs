//! Where a store is, read from its address; nothing is opened here.

use std::path::PathBuf;

use super::{Result, Store, StoreError};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    Memory,
    File(PathBuf),
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self> {
        let rest = url
            .strip_prefix("sqlite://")
            .or(url.strip_prefix("sqlite:"));
        let place = rest.unwrap_or(url);
        if place == ":memory:" {
            return Ok(Self::Memory);
        }
        if place.is_empty() || place.contains("://") || url.starts_with("postgres:") {
            return Err(StoreError::Unsupported {
                what: format!(
                    "this nightdesk keeps its store in SQLite only; write [store] url as \"sqlite:PATH\" instead of `{}`",
                    url.split(':').next().unwrap_or_default()
                ),
            });
        }
        Ok(Self::File(PathBuf::from(place)))
    }
}

impl Store {
    /// The file that an address names; none when the store is in memory or the address is not one of ours.
    #[must_use]
    pub fn file(url: &str) -> Option<PathBuf> {
        match Address::parse(url) {
            Ok(Address::File(path)) => Some(path),
            Ok(Address::Memory) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_sqlite_or_refused() {
        for (url, path) in [
            ("sqlite:a/b.db", "a/b.db"),
            ("sqlite:///x/b.db", "/x/b.db"),
            ("b.db", "b.db"),
        ] {
            assert_eq!(Address::parse(url).unwrap(), Address::File(path.into()));
        }
        assert_eq!(Address::parse("sqlite::memory:").unwrap(), Address::Memory);
        for url in ["postgres://user:secret@h/db", "mysql://h/db", "", "sqlite:"] {
            let error = Address::parse(url).unwrap_err();
            assert!(matches!(error, StoreError::Unsupported { .. }), "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
