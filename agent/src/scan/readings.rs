//! The readings of one text: as it is, under its encodings, turned round; each is matched, within bounds of depth and size.

use std::collections::{HashSet, VecDeque};

use super::clean::{Clean, Read};
use super::decode::{self, Decoded, HIDDEN};
use super::matcher::{Found, Matcher};
use super::{Hit, MOST_HITS, Scan, WHOLE_EVENT, normal};
use crate::text;

/// Encodings inside each other that are undone. Six kinds of escapes may stand side by side in one text, each undone by
/// itself: fewer would leave the last of them unread in what Windows and agents log every day.
const DEEPEST: usize = 8;
/// Readings of one text.
const MOST_READINGS: usize = 128;
/// Bytes of one text that are read.
const LONGEST_TEXT: usize = 1 << 20;
/// Bytes of all readings of a scan.
const MOST_BYTES: usize = 16 << 20;
/// Shortest text worth a look, bytes.
const SHORTEST_TEXT: usize = 5;
/// Longest clean text that is remembered, bytes.
const LONGEST_KEPT: usize = 4096;
/// Characters of an excerpt.
const EXCERPT: usize = 160;

/// One scan in progress.
pub(super) struct Readings<'m> {
    matcher: &'m Matcher,
    hits: Vec<Hit>,
    /// Where the hits of the event in hand begin.
    event_from: usize,
    clean: &'m Clean,
    bytes_left: usize,
    complete: bool,
}

/// One text on the way, and what was undone to get it.
struct Reading {
    text: String,
    layers: Vec<&'static str>,
    open: bool,
}

/// A way to turn a text round, and its layer.
type Turn = (&'static str, fn(&str) -> String);

/// Ways to turn a text round that any text allows.
const TURNS: [Turn; 3] = [
    ("leet", normal::unleet),
    ("rot13", normal::rot13),
    ("reversed", normal::reversed),
];

impl<'m> Readings<'m> {
    pub(super) fn new(matcher: &'m Matcher, clean: &'m Clean) -> Self {
        Self {
            matcher,
            hits: Vec::new(),
            event_from: 0,
            clean,
            bytes_left: MOST_BYTES,
            complete: true,
        }
    }

    /// What the scan found.
    pub(super) fn done(self) -> Scan {
        Scan {
            hits: self.hits,
            complete: self.complete,
        }
    }

    /// That something was left out.
    pub(super) fn cut(&mut self) {
        self.complete = false;
    }

    /// The hits from here on belong to another event.
    pub(super) fn begin_event(&mut self) {
        self.event_from = self.hits.len();
    }

    /// Scans one field in all its readings.
    pub(super) fn field(&mut self, field: &str, text: &str) {
        if text.len() < SHORTEST_TEXT || says_nothing(text) || self.clean.holds(Read::Field, text) {
            return;
        }
        let before = self.hits.len();
        self.read_all(&Place::Field(field), text);
        if self.hits.len() == before && self.complete && text.len() <= LONGEST_KEPT {
            self.clean.keep(Read::Field, text);
        }
    }

    /// Scans the texts of an event one after the other; what a field of it already showed is no new hit.
    pub(super) fn whole_event(&mut self, prefix: &str, text: &str) {
        if self.clean.holds(Read::Event, text) {
            return;
        }
        let before = self.hits.len();
        self.read_all(&Place::Event(prefix), text);
        // A hit of its fields is no hit of its own and would hide it the next time.
        if self.hits.len() == before && self.event_from == before && self.complete {
            self.clean.keep(Read::Event, text);
        }
    }

    fn read_all(&mut self, place: &Place<'_>, text: &str) {
        let whole = &text[..text.floor_char_boundary(LONGEST_TEXT)];
        self.complete &= whole.len() == text.len();
        let first = Reading {
            text: whole.to_owned(),
            layers: Vec::new(),
            open: true,
        };
        let mut seen = HashSet::from([whole.to_owned()]);
        let mut queue = VecDeque::from([first]);
        while let Some(reading) = queue.pop_front() {
            if self.bytes_left < reading.text.len() || self.hits.len() >= MOST_HITS {
                return self.cut();
            }
            self.bytes_left -= reading.text.len();
            self.match_all(place, &reading);
            let decoded = if reading.open {
                decode::all(&reading.text)
            } else {
                Vec::new()
            };
            for Decoded { layer, text, open } in decoded {
                let new = seen.insert(text.clone());
                if new && (reading.layers.len() >= DEEPEST || seen.len() > MOST_READINGS) {
                    self.cut();
                } else if new {
                    let mut layers = reading.layers.clone();
                    layers.push(layer);
                    queue.push_back(Reading { text, layers, open });
                }
            }
        }
    }

    fn match_all(&mut self, place: &Place<'_>, reading: &Reading) {
        let folded = normal::fold(&reading.text);
        let mut found = self.matcher.find(&folded);
        found.extend(self.matcher.find_compact(&folded));
        if reading.layers.last() == Some(&HIDDEN) {
            found.extend(self.matcher.find_hidden(&folded));
        }
        if !found.is_empty() {
            let disguise = disguise(&reading.text);
            let plain = normal::words(&reading.text.to_lowercase());
            for found in found {
                let open = plain.contains(&normal::words(&found.matched));
                let under = if open { None } else { disguise };
                self.hit(place, found, reading.layers.iter().copied().chain(under));
            }
        }
        // The fields were turned one by one.
        if matches!(place, Place::Event(_)) {
            return;
        }
        for (turn, make) in TURNS {
            let turned = make(&folded);
            if turned != folded {
                for found in self.matcher.find(&turned) {
                    self.hit(place, found, reading.layers.iter().copied().chain([turn]));
                }
            }
        }
    }

    /// Keeps a hit unless this place, or a field of the event when this is the whole of it, has the same.
    fn hit(&mut self, place: &Place<'_>, found: Found, layers: impl Iterator<Item = &'static str>) {
        let label = &self.matcher.families().labels[found.label];
        let (field, rival_from) = match place {
            Place::Field(field) => ((*field).to_owned(), None),
            Place::Event(prefix) => (
                format!("{prefix} {WHOLE_EVENT}").trim_start().to_owned(),
                Some(self.event_from),
            ),
        };
        let same = self.hits.iter().enumerate().any(|(i, h)| {
            let here = h.field == field || rival_from.is_some_and(|from| i >= from);
            here && h.family == label.family && h.name == label.name
        });
        if same {
            return;
        }
        if self.hits.len() >= MOST_HITS {
            return self.cut();
        }
        self.hits.push(Hit {
            family: label.family.clone(),
            name: label.name.clone(),
            field,
            excerpt: text::oneline(&found.excerpt, EXCERPT),
            layers: layers.collect(),
        });
    }
}

/// Whether a text is a number, a date or an address: it holds no word, under no encoding.
fn says_nothing(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_digit() || b" .,:;/-+TZ".contains(&b);
    text.len() < decode::SHORTEST_RUN * 2 && text.bytes().all(plain)
}

/// Where a text stands.
enum Place<'a> {
    /// A JSON pointer or a name.
    Field(&'a str),
    /// The event at a JSON pointer.
    Event(&'a str),
}

/// How the text is disguised where a match can't be seen in it as it stands.
fn disguise(text: &str) -> Option<&'static str> {
    let styled = |c: char| matches!(c, '\u{2100}'..='\u{214f}' | '\u{ff01}'..='\u{ff5e}' | '\u{1d400}'..='\u{1d7ff}');
    let foreign = |c: char| c.is_alphabetic() && matches!(c, '\u{250}'..='\u{2c7f}');
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    if text.contains(normal::is_invisible) {
        Some("invisible")
    } else if text.contains(styled)
        || words.any(|w| w.contains(foreign) && w.contains(|c: char| c.is_ascii_alphabetic()))
    {
        Some("lookalike")
    } else {
        None
    }
}
