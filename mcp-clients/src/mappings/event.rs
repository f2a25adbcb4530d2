//! Event mappings: recognise a raw event and normalise it to an activity; what the activity means is not judged here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use state::model::{Activity, Fact, Field, Trust};

use super::files::Keys;
use super::pointer::{Pointer, Walk};
use super::scope::{Base, Decode, Patterns, Scope};
use super::source::{OneOrMany, Source, first};
use super::time;

/// Fields somebody outside can write; no mapping may list one as trusted.
pub const NEVER_TRUSTED: [Field; 12] = [
    Field::UserAgent,
    Field::File,
    Field::CommandLine,
    Field::Subject,
    Field::Message,
    Field::Url,
    Field::Domain,
    Field::Sender,
    Field::Process,
    Field::Parent,
    Field::DstHost,
    Field::Hash,
];

/// What a raw event must look like for a mapping to speak for it; all conditions hold together.
#[derive(Debug)]
struct Detect {
    exists: Vec<Pointer>,
    absent: Vec<Pointer>,
    equals: Vec<(Pointer, Vec<String>)>,
    matches: Vec<(Pointer, Regex)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DetectSpelling {
    exists: Vec<String>,
    absent: Vec<String>,
    equals: BTreeMap<String, OneOrMany<String>>,
    matches: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseSpelling {
    pointer: String,
    #[serde(default, rename = "as")]
    decode: Decode,
}

/// A compiled event mapping.
#[derive(Debug)]
pub(crate) struct EventMapping {
    pub(crate) name: String,
    pub(crate) product: String,
    pub(crate) priority: i64,
    detect: Vec<Detect>,
    bases: BTreeMap<String, Vec<Base>>,
    ignore_case: bool,
    json_text: Vec<String>,
    empty: Vec<String>,
    uid: Vec<Source>,
    time: Vec<Source>,
    trusted: Vec<Field>,
    fields: Vec<(Field, Vec<Source>)>,
}

impl EventMapping {
    /// Compiles the keys of a file; faults are added to the file's.
    pub(crate) fn compile(name: &str, mut keys: Keys<'_>) -> Self {
        let mapping = Self {
            name: name.to_owned(),
            product: keys.take("product").unwrap_or_else(|| name.to_owned()),
            priority: keys.take("priority").unwrap_or(50),
            detect: detects(&mut keys),
            bases: bases(&mut keys),
            ignore_case: keys.take("ignore_case").unwrap_or(false),
            json_text: keys.take("json_text").unwrap_or_default(),
            empty: keys.take("empty").unwrap_or_else(|| vec!["-".to_owned()]),
            uid: keys.sources("uid"),
            time: keys.sources("time"),
            trusted: trusted_fields(&mut keys),
            fields: fields(&mut keys),
        };
        mapping.check(&mut keys);
        keys.finish();
        mapping
    }

    fn check(&self, keys: &mut Keys<'_>) {
        if self.detect.is_empty() && self.name != super::UNKNOWN {
            keys.fault("detect", "is missing; say how such an event is recognised");
        }
        if self.name == super::UNKNOWN && !self.trusted.is_empty() {
            keys.fault("trusted", "must be empty for events that nobody recognises");
        }
        let sources = self.fields.iter().flat_map(|(_, s)| s);
        for source in sources.chain(&self.uid).chain(&self.time) {
            for base in source.pointers().filter_map(Pointer::base) {
                if !self.bases.contains_key(base) {
                    keys.fault("bases", format!("`${base}` is used and not declared"));
                }
            }
        }
    }

    fn walk(&self) -> Walk<'_> {
        Walk {
            ignore_case: self.ignore_case,
            json_text: &self.json_text,
        }
    }

    /// Whether the event looks like this mapping's.
    pub(crate) fn recognises(&self, raw: &Value) -> bool {
        let scope = Scope::plain(raw, self.walk(), &[]);
        self.detect.iter().any(|detect| detect.holds(&scope))
    }

    /// Normalises the event.
    pub(crate) fn normalise(&self, raw: &Value, patterns: &Patterns) -> Activity {
        let scope = Scope::plain(raw, self.walk(), &self.empty).with_bases(&self.bases, patterns);
        let hits = |sources: &[Source]| first(sources, &scope).map(|hit| hit.text);
        let times = self.time.iter().filter_map(|s| s.value(&scope));
        Activity {
            uid: hits(&self.uid).unwrap_or_default(),
            time: times.filter_map(|hit| time::parse(&hit.text)).next(),
            schema: self.name.clone(),
            fields: facts(&self.fields, &self.trusted, &scope),
            trusted: self.trusted.clone(),
            raw: raw.clone(),
        }
    }
}

impl Detect {
    fn holds(&self, scope: &Scope<'_>) -> bool {
        self.exists.iter().all(|p| scope.has(p))
            && !self.absent.iter().any(|p| scope.has(p))
            && self.equals.iter().all(|(p, words)| {
                let hits = scope.hits(p);
                hits.iter().any(|hit| words.contains(&hit.text))
            })
            && self.matches.iter().all(|(p, regex)| {
                let hits = scope.hits(p);
                hits.iter().any(|hit| regex.is_match(&hit.text))
            })
    }
}

/// The facts a table of sources gives; a value that came through foreign text is not trusted.
pub(crate) fn facts(
    fields: &[(Field, Vec<Source>)],
    trusted: &[Field],
    scope: &Scope<'_>,
) -> BTreeMap<Field, Fact> {
    let mut facts = BTreeMap::new();
    for (field, sources) in fields {
        let typed = |source: &Source| {
            let mut hit = source.value(scope)?;
            hit.text = typed(*field, hit.text)?;
            Some(hit)
        };
        if let Some(hit) = sources.iter().find_map(typed) {
            let trust = if trusted.contains(field) && !hit.through_text {
                Trust::Trusted
            } else {
                Trust::Untrusted
            };
            facts.insert(
                *field,
                Fact {
                    value: hit.text,
                    trust,
                },
            );
        }
    }
    facts
}

/// Fields of a closed type hold nothing else: an address is an address, a port a number.
fn typed(field: Field, text: String) -> Option<String> {
    match field {
        Field::SrcIp | Field::DstIp => address(&text),
        Field::DstPort => text.parse::<u16>().ok().map(|port| port.to_string()),
        Field::Outcome => matches!(text.as_str(), "success" | "failure").then_some(text),
        _ => Some(text),
    }
}

/// The address in a text that may carry a port, brackets or a mapped prefix.
fn address(text: &str) -> Option<String> {
    let bare = text.trim_start_matches('[');
    let bare = bare.split(']').next().unwrap_or(bare);
    let bare = match bare.split_once(':') {
        Some((host, port)) if !port.contains(':') && host.contains('.') => host,
        _ => bare,
    };
    let bare = bare.split('%').next().unwrap_or(bare);
    let parsed = IpAddr::from_str(bare).ok()?;
    Some(parsed.to_canonical().to_string())
}

fn detects(keys: &mut Keys<'_>) -> Vec<Detect> {
    let spellings: Vec<DetectSpelling> = keys.take("detect").unwrap_or_default();
    let mut detects = Vec::new();
    for spelling in spellings {
        match compile_detect(spelling) {
            Ok(detect) => detects.push(detect),
            Err(why) => keys.fault("detect", why),
        }
    }
    detects
}

fn compile_detect(spelling: DetectSpelling) -> Result<Detect, String> {
    let plain = |text: &String| {
        let pointer = Pointer::parse(text)?;
        match pointer.base() {
            Some(_) => Err(format!(
                "`{text}` starts at a base; detection reads the whole event"
            )),
            None => Ok(pointer),
        }
    };
    let all = |texts: &[String]| texts.iter().map(plain).collect::<Result<Vec<_>, _>>();
    let detect = Detect {
        exists: all(&spelling.exists)?,
        absent: all(&spelling.absent)?,
        equals: spelling
            .equals
            .into_iter()
            .map(|(p, words)| Ok((plain(&p)?, words.into_vec())))
            .collect::<Result<_, String>>()?,
        matches: spelling
            .matches
            .iter()
            .map(|(p, r)| {
                let regex = Regex::new(r).map_err(|e| format!("the regex is not one: {e}"))?;
                Ok((plain(p)?, regex))
            })
            .collect::<Result<_, String>>()?,
    };
    if detect.exists.is_empty() && detect.equals.is_empty() && detect.matches.is_empty() {
        return Err("a detect block needs exists, equals or matches".to_owned());
    }
    Ok(detect)
}

fn bases(keys: &mut Keys<'_>) -> BTreeMap<String, Vec<Base>> {
    let spellings: BTreeMap<String, Vec<BaseSpelling>> = keys.take("bases").unwrap_or_default();
    let mut bases = BTreeMap::new();
    for (name, places) in spellings {
        let mut compiled = Vec::new();
        for place in places {
            match Pointer::parse(&place.pointer) {
                Ok(pointer) => compiled.push(Base {
                    pointer,
                    decode: place.decode,
                }),
                Err(why) => keys.fault(&format!("bases.{name}"), why),
            }
        }
        bases.insert(name, compiled);
    }
    bases
}

/// The `trusted` list; fields that outsiders write are refused.
pub(crate) fn trusted_fields(keys: &mut Keys<'_>) -> Vec<Field> {
    let words: Vec<String> = keys.take("trusted").unwrap_or_default();
    let mut fields = Vec::new();
    for word in words {
        match trusted_field(&word) {
            Ok(field) => fields.push(field),
            Err(why) => keys.fault("trusted", why),
        }
    }
    fields.sort();
    fields.dedup();
    fields
}

/// A field that may be listed as trusted.
pub(crate) fn trusted_field(word: &str) -> Result<Field, String> {
    let field = Field::from_str(word).map_err(|e| e.to_string())?;
    if NEVER_TRUSTED.contains(&field) {
        return Err(format!(
            "`{word}` can be written by outsiders and is never trusted"
        ));
    }
    Ok(field)
}

/// The `fields` table.
pub(crate) fn fields(keys: &mut Keys<'_>) -> Vec<(Field, Vec<Source>)> {
    let mut fields = Vec::new();
    for (name, sources) in keys.table_of_sources("fields") {
        match Field::from_str(&name) {
            Ok(field) => fields.push((field, sources)),
            Err(e) => keys.fault(&format!("fields.{name}"), e.to_string()),
        }
    }
    fields
}
