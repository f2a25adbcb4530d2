//! One way to get a field's value out of an event, compiled from its line in a mapping file; trust is decided by the mapping.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;

use super::pointer::Pointer;
use super::scope::{Hit, Scope};

/// Longest value of a field, bytes; longer ones are cut, the raw event keeps them whole.
const VALUE_CAP: usize = 16 * 1024;

/// A source as a mapping file spells it: a pointer, or a table.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Spelling {
    /// Where the value stands.
    pointer: Option<String>,
    /// Several places whose values are joined; all must be there.
    join: Vec<String>,
    /// What stands between joined values; with `pointer`, all values it reaches are joined.
    separator: Option<String>,
    /// The value must match; its first group, if it has one, is what counts.
    regex: Option<String>,
    /// Table of values; a value not in it is no value.
    map: Option<BTreeMap<String, String>>,
    /// Lower case.
    lower: bool,
    /// The last part of a path.
    basename: bool,
    /// A fixed value.
    #[serde(rename = "const")]
    constant: Option<String>,
    /// What it means that the pointer reaches something.
    present: Option<String>,
    /// What it means that the pointer reaches nothing.
    absent: Option<String>,
    /// Pointers and the values one of which each must have; `!value` must not be there.
    when: BTreeMap<String, OneOrMany<String>>,
    /// Never trusted, even where the field is listed as trusted.
    untrusted: bool,
}

/// One value or a list of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(crate) fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[derive(Debug)]
enum Origin {
    Constant(String),
    Pointer(Pointer),
    Joined(Vec<Pointer>),
    Presence {
        pointer: Pointer,
        present: Option<String>,
        absent: Option<String>,
    },
}

/// A compiled source.
#[derive(Debug)]
pub(crate) struct Source {
    origin: Origin,
    separator: Option<String>,
    regex: Option<Regex>,
    map: Option<BTreeMap<String, String>>,
    lower: bool,
    basename: bool,
    untrusted: bool,
    when: Vec<(Pointer, Vec<String>)>,
}

impl Source {
    /// Compiles a pointer or a table.
    pub(crate) fn parse(value: toml::Value) -> Result<Self, String> {
        let spelling = match value {
            toml::Value::String(pointer) => Spelling {
                pointer: Some(pointer),
                ..Spelling::default()
            },
            table => table
                .try_into::<Spelling>()
                .map_err(|e| e.message().to_owned())?,
        };
        compile(spelling)
    }

    /// A source that is only a pointer.
    pub(crate) fn at(pointer: &str) -> Result<Self, String> {
        Self::parse(toml::Value::String(pointer.to_owned()))
    }

    /// The pointer, when the source is nothing but one.
    pub(crate) fn bare(&self) -> Option<&Pointer> {
        match &self.origin {
            Origin::Pointer(pointer) => Some(pointer),
            _ => None,
        }
    }

    /// Every pointer it reads.
    pub(crate) fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        let own: Vec<&Pointer> = match &self.origin {
            Origin::Constant(_) => Vec::new(),
            Origin::Pointer(pointer) | Origin::Presence { pointer, .. } => vec![pointer],
            Origin::Joined(pointers) => pointers.iter().collect(),
        };
        own.into_iter().chain(self.when.iter().map(|(p, _)| p))
    }

    /// The value in this event, if this source gives one.
    pub(crate) fn value(&self, scope: &Scope<'_>) -> Option<Hit> {
        if !self.when.iter().all(|(p, words)| holds(scope, p, words)) {
            return None;
        }
        let mut hit = self.taken(scope)?;
        hit.through_text |= self.untrusted;
        if hit.text.len() > VALUE_CAP {
            hit.text.truncate(hit.text.floor_char_boundary(VALUE_CAP));
        }
        Some(hit).filter(|hit| !hit.text.is_empty())
    }

    fn taken(&self, scope: &Scope<'_>) -> Option<Hit> {
        match &self.origin {
            Origin::Constant(text) => Some(Hit {
                text: text.clone(),
                through_text: false,
            }),
            Origin::Pointer(pointer) => {
                let mut hits = scope
                    .hits(pointer)
                    .into_iter()
                    .filter_map(|h| self.shape(h));
                let Some(separator) = &self.separator else {
                    return hits.next();
                };
                let mut several: Vec<Hit> = Vec::new();
                for hit in hits {
                    if several.iter().all(|known| known.text != hit.text) {
                        several.push(hit);
                    }
                }
                (!several.is_empty()).then(|| join(&several, separator))
            }
            Origin::Joined(pointers) => {
                let first = |p| scope.hits(p).into_iter().next();
                let parts = pointers.iter().map(first).collect::<Option<Vec<_>>>()?;
                self.shape(join(&parts, self.separator.as_deref().unwrap_or(" ")))
            }
            Origin::Presence {
                pointer,
                present,
                absent,
            } => {
                let hits = scope.hits(pointer);
                let there = !hits.is_empty() || scope.has(pointer) && objects(scope, pointer);
                let word = if there { present } else { absent };
                word.clone().map(|text| Hit {
                    text,
                    through_text: false,
                })
            }
        }
    }

    /// Applies regex, table, case and basename, in this order.
    fn shape(&self, mut hit: Hit) -> Option<Hit> {
        if let Some(regex) = &self.regex {
            let found = regex.captures(&hit.text)?;
            hit.text = found.get(1).or(found.get(0))?.as_str().trim().to_owned();
        }
        if let Some(map) = &self.map {
            hit.text = map.get(&hit.text)?.clone();
        }
        if self.basename {
            let last = hit.text.trim_end_matches(['/', '\\']);
            hit.text = last.rsplit(['/', '\\']).next()?.to_owned();
        }
        if self.lower {
            hit.text = hit.text.to_lowercase();
        }
        Some(hit)
    }
}

/// Whether one of the words is there and none of those that begin with `!`.
fn holds(scope: &Scope<'_>, pointer: &Pointer, words: &[String]) -> bool {
    let hits = scope.all_hits(pointer);
    let there = |word: &str| hits.iter().any(|hit| hit.text == word);
    let wanted: Vec<&String> = words.iter().filter(|w| !w.starts_with('!')).collect();
    let unwanted = words.iter().filter_map(|w| w.strip_prefix('!'));
    (wanted.is_empty() || wanted.into_iter().any(|w| there(w))) && !unwanted.into_iter().any(there)
}

fn objects(scope: &Scope<'_>, pointer: &Pointer) -> bool {
    let mut found = false;
    scope.each(pointer, &mut |value, _| {
        found |= value.as_object().is_some_and(|map| !map.is_empty())
            || value.as_array().is_some_and(|a| !a.is_empty());
    });
    found
}

fn join(hits: &[Hit], separator: &str) -> Hit {
    let texts: Vec<&str> = hits.iter().map(|hit| hit.text.as_str()).collect();
    Hit {
        text: texts.join(separator),
        through_text: hits.iter().any(|hit| hit.through_text),
    }
}

fn compile(spelling: Spelling) -> Result<Source, String> {
    let presence = spelling.present.is_some() || spelling.absent.is_some();
    if presence && (spelling.regex.is_some() || spelling.map.is_some()) {
        return Err(
            "`present` and `absent` do not look at the value; leave out regex and map".to_owned(),
        );
    }
    let origin = match (
        spelling.constant,
        spelling.pointer,
        spelling.join.as_slice(),
    ) {
        (Some(text), None, []) => Origin::Constant(text),
        (None, Some(pointer), []) if presence => Origin::Presence {
            pointer: Pointer::parse(&pointer)?,
            present: spelling.present,
            absent: spelling.absent,
        },
        (None, Some(pointer), []) => Origin::Pointer(Pointer::parse(&pointer)?),
        (None, None, [_, ..]) => Origin::Joined(
            spelling
                .join
                .iter()
                .map(|p| Pointer::parse(p))
                .collect::<Result<_, _>>()?,
        ),
        _ => return Err("a source has exactly one of `pointer`, `join` and `const`".to_owned()),
    };
    let regex = spelling
        .regex
        .map(|r| Regex::new(&r).map_err(|e| format!("the regex is not one: {e}")))
        .transpose()?;
    let when = spelling
        .when
        .into_iter()
        .map(|(p, words)| Ok((Pointer::parse(&p)?, words.into_vec())))
        .collect::<Result<_, String>>()?;
    Ok(Source {
        origin,
        separator: spelling.separator,
        regex,
        map: spelling.map,
        lower: spelling.lower,
        basename: spelling.basename,
        untrusted: spelling.untrusted,
        when,
    })
}

/// The value of the first source that gives one.
pub(crate) fn first(sources: &[Source], scope: &Scope<'_>) -> Option<Hit> {
    sources.iter().find_map(|source| source.value(scope))
}
