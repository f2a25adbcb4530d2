//! Finds phrases and patterns in one normalised text; where the text comes from and what a hit means is not its matter.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::families::{Families, Pattern, Reads};
use super::normal;

/// What was found in one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Place in the labels of the families.
    pub(super) label: usize,
    /// What matched, as normalised.
    pub(super) matched: String,
    /// The match and what stands around it.
    pub(super) excerpt: String,
}

/// Compiled families.
#[derive(Debug)]
pub(super) struct Matcher {
    families: Families,
    words: Needles,
    text: Needles,
    compact: Needles,
}

/// Literals looked for in one pass, and what each is for.
#[derive(Debug)]
struct Needles {
    automaton: AhoCorasick,
    uses: Vec<Use>,
}

#[derive(Debug, Clone, Copy)]
enum Use {
    /// A phrase: a hit by itself.
    Phrase(usize),
    /// A word near which a pattern is tried.
    Near(usize),
}

/// Shortest phrase looked for in text without blanks, bytes.
const SHORTEST_COMPACT: usize = 15;
/// How far from its word a pattern may reach, bytes.
const REACH: usize = 240;
/// Characters of an excerpt before and after the match, bytes.
const AROUND: usize = 40;

impl Matcher {
    pub(super) fn new(families: Families) -> Result<Self, String> {
        let (mut words, mut text, mut compact) = (Vec::new(), Vec::new(), Vec::new());
        for (i, phrase) in families.phrases.iter().enumerate() {
            words.push((phrase.words.clone(), Use::Phrase(i)));
            let close = normal::compact(&phrase.words);
            if close.len() >= SHORTEST_COMPACT && close.len() < phrase.words.len() {
                compact.push((close, Use::Phrase(i)));
            }
        }
        for (i, pattern) in families.patterns.iter().enumerate() {
            let list = match pattern.reads {
                Reads::Words => &mut words,
                Reads::Text => &mut text,
                Reads::Hidden => continue,
            };
            list.extend(pattern.near.iter().map(|near| (near.clone(), Use::Near(i))));
        }
        Ok(Self {
            words: Needles::new(words)?,
            text: Needles::new(text)?,
            compact: Needles::new(compact)?,
            families,
        })
    }

    pub(super) fn families(&self) -> &Families {
        &self.families
    }

    /// Everything found in a folded text and in its words.
    pub(super) fn find(&self, folded: &str) -> Vec<Found> {
        let mut found = self.near(&self.text, folded, Reads::Text);
        found.extend(self.near(&self.words, &normal::words(folded), Reads::Words));
        found
    }

    /// Phrases found in the words of a folded text without the blanks between them.
    pub(super) fn find_compact(&self, folded: &str) -> Vec<Found> {
        let close = normal::compact(folded);
        let hits = self.compact.automaton.find_overlapping_iter(&close);
        hits.filter_map(|hit| match self.compact.uses[hit.pattern().as_usize()] {
            Use::Phrase(i) => Some(self.found(self.families.phrases[i].label, &close, hit.range())),
            Use::Near(_) => None,
        })
        .collect()
    }

    /// What the patterns for hidden text find.
    pub(super) fn find_hidden(&self, folded: &str) -> Vec<Found> {
        let patterns = self.families.patterns.iter();
        let hidden = patterns.filter(|p| p.reads == Reads::Hidden);
        hidden
            .filter_map(|p| {
                Some(self.found(p.label, folded, p.regex.find(folded.as_bytes())?.range()))
            })
            .collect()
    }

    fn near(&self, needles: &Needles, text: &str, reads: Reads) -> Vec<Found> {
        let mut found = Vec::new();
        let mut windows: BTreeMap<usize, Vec<Range<usize>>> = BTreeMap::new();
        for hit in needles.automaton.find_overlapping_iter(text) {
            match needles.uses[hit.pattern().as_usize()] {
                Use::Phrase(i) if stands_alone(text, &hit.range()) => {
                    found.push(self.found(self.families.phrases[i].label, text, hit.range()));
                }
                Use::Phrase(_) => {}
                Use::Near(_) if reads == Reads::Words && !begins_word(text, hit.start()) => {}
                Use::Near(i) => widen(windows.entry(i).or_default(), hit.range(), text.len()),
            }
        }
        for (i, windows) in windows {
            found.extend(self.first(&self.families.patterns[i], text, &windows, reads));
        }
        found
    }

    /// The first match of a pattern in the parts of the text where it can stand.
    fn first(
        &self,
        pattern: &Pattern,
        text: &str,
        windows: &[Range<usize>],
        reads: Reads,
    ) -> Option<Found> {
        windows.iter().find_map(|window| {
            let part = whole_words(text, window, reads);
            let hit = pattern.regex.find(text[part.clone()].as_bytes())?;
            let range = part.start + hit.start()..part.start + hit.end();
            Some(self.found(pattern.label, text, range))
        })
    }

    fn found(&self, label: usize, text: &str, range: Range<usize>) -> Found {
        let from = text.floor_char_boundary(range.start.saturating_sub(AROUND));
        let to = text.ceil_char_boundary((range.end + AROUND).min(text.len()));
        // Patterns read bytes and may end inside a character.
        let range = text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end);
        Found {
            label,
            matched: text[range].trim().to_owned(),
            excerpt: text[from..to].to_owned(),
        }
    }
}

impl Needles {
    fn new(list: Vec<(String, Use)>) -> Result<Self, String> {
        let (texts, uses): (Vec<String>, Vec<Use>) = list.into_iter().unzip();
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .build(texts)
            .map_err(|e| e.to_string())?;
        Ok(Self { automaton, uses })
    }
}

/// Whether a word of the text begins here.
fn begins_word(text: &str, at: usize) -> bool {
    at == 0 || text.as_bytes()[at - 1] == b' '
}

/// Adds the surroundings of a word to the parts that a pattern is tried in; parts that touch become one.
fn widen(windows: &mut Vec<Range<usize>>, word: Range<usize>, most: usize) {
    let (from, to) = (
        word.start.saturating_sub(REACH),
        (word.end + REACH).min(most),
    );
    match windows.last_mut() {
        Some(last) if last.end >= from => {
            last.start = last.start.min(from);
            last.end = last.end.max(to);
        }
        _ => windows.push(from..to),
    }
}

/// The part without the pieces of words at its ends, so that a piece is not taken for a word.
fn whole_words(text: &str, window: &Range<usize>, reads: Reads) -> Range<usize> {
    let (mut from, mut to) = (
        text.floor_char_boundary(window.start),
        text.ceil_char_boundary(window.end),
    );
    if reads == Reads::Words && from > 0 {
        from += text[from..to].find(' ').unwrap_or(0);
    }
    if reads == Reads::Words && to < text.len() {
        to = text[from..to].rfind(' ').map_or(to, |at| from + at);
    }
    from..to
}

/// Whether no letter of a script with blanks goes on before or after the phrase.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() && (c as u32) < 0x2e80;
    let edge = |inner: Option<char>, outer: Option<char>| {
        inner.is_some_and(goes_on) && outer.is_some_and(goes_on)
    };
    let inside = &text[range.clone()];
    !edge(
        inside.chars().next(),
        text[..range.start].chars().next_back(),
    ) && !edge(inside.chars().next_back(), text[range.end..].chars().next())
}
