//! Values to pivot on, read from fields and found in free text; nothing is looked up here.

use regex::Regex;
use state::model::{Activity, Field, Observable, ObservableKind, Trust};

/// Most observables taken from fields.
const MAX_FIELDS: usize = 200;
/// Most observables found in free text, of one alert.
const MAX_FOUND: usize = 50;

/// Fields that are observables as they stand.
const PLAIN: [(Field, ObservableKind); 12] = [
    (Field::SrcIp, ObservableKind::Ip),
    (Field::DstIp, ObservableKind::Ip),
    (Field::DstHost, ObservableKind::Hostname),
    (Field::Domain, ObservableKind::Hostname),
    (Field::Url, ObservableKind::Url),
    (Field::File, ObservableKind::File),
    (Field::Process, ObservableKind::File),
    (Field::Parent, ObservableKind::File),
    (Field::CommandLine, ObservableKind::CommandLine),
    (Field::UserAgent, ObservableKind::UserAgent),
    (Field::Sender, ObservableKind::Email),
    (Field::Hash, ObservableKind::Hash),
];

/// Fields whose text is searched.
const SEARCHED: [Field; 5] = [
    Field::Message,
    Field::CommandLine,
    Field::Subject,
    Field::Url,
    Field::Domain,
];

/// Finds addresses, URLs, domains and hashes.
#[derive(Debug)]
pub(super) struct Finder {
    url: Regex,
    address: Regex,
    domain: Regex,
    hash: Regex,
}

impl Finder {
    pub(super) fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            url: Regex::new(r#"(?i)\b(?:https?|ftp)://[^\s"'<>`|\\^\[\]{}]{3,2000}"#)?,
            address: Regex::new(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")?,
            domain: Regex::new(concat!(
                r"(?i)\b(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+",
                r"(?:com|net|org|io|info|biz|co|ru|cn|dev|app|xyz|top|online|site|club|me|cc|tk|",
                r"uk|de|fr|nl|it|es|pl|ch|eu|us|br|in|jp|kr|au|ca|gov|edu|mil|int|cloud|tech|shop|",
                r"live|link|click|example|local|internal)\b",
            ))?,
            hash: Regex::new(
                r"(?i)\b(?:([a-z0-9]+)[=:])?([0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})\b",
            )?,
        })
    }

    /// Every observable of the activities, once.
    pub(super) fn extract(&self, activities: &[Activity]) -> Vec<Observable> {
        let mut kept = Kept::default();
        for activity in activities {
            for (field, kind) in PLAIN {
                let Some(fact) = activity.fields.get(&field) else {
                    continue;
                };
                match kind {
                    ObservableKind::Hash => {
                        for hash in self.hashes(&fact.value) {
                            kept.add(kind, hash, fact.trust);
                        }
                    }
                    _ => kept.add(kind, &fact.value, fact.trust),
                }
            }
        }
        kept.limit = kept.list.len() + MAX_FOUND;
        for activity in activities {
            for field in SEARCHED {
                self.search(activity.get(field), &mut kept);
            }
        }
        kept.list
    }

    /// The hashes in `SHA256=…,MD5=…`; import hashes name no file and are left out.
    fn hashes<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> {
        let found = self.hash.captures_iter(text);
        found.filter_map(|c| {
            let name = c.get(1).map_or("", |m| m.as_str());
            c.get(2)
                .filter(|_| !name.eq_ignore_ascii_case("imphash"))
                .map(|m| m.as_str())
        })
    }

    fn search(&self, text: &str, kept: &mut Kept) {
        for found in self.url.find_iter(text) {
            let url = found
                .as_str()
                .trim_end_matches(['.', ',', ')', ';', '!', '?']);
            kept.add(ObservableKind::Url, url, Trust::Untrusted);
        }
        for found in self.address.find_iter(text) {
            if found.as_str().parse::<std::net::Ipv4Addr>().is_ok() {
                kept.add(ObservableKind::Ip, found.as_str(), Trust::Untrusted);
            }
        }
        for found in self.domain.find_iter(text) {
            kept.add(ObservableKind::Hostname, found.as_str(), Trust::Untrusted);
        }
    }
}

struct Kept {
    list: Vec<Observable>,
    limit: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            limit: MAX_FIELDS,
        }
    }
}

impl Kept {
    fn add(&mut self, kind: ObservableKind, value: &str, trust: Trust) {
        let same = |o: &Observable| o.kind == kind && o.value.eq_ignore_ascii_case(value);
        match self.list.iter().position(same) {
            Some(at) => self.list[at].trust = self.list[at].trust.min(trust),
            None if self.list.len() < self.limit => self.list.push(Observable {
                kind,
                value: value.to_owned(),
                trust,
            }),
            None => {}
        }
    }
}
