//! Text hidden in encodings, each decoded where it stands; nothing is unpacked or decompressed, and nothing is judged.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{alphabets, normal};

/// Shortest run of letters of an alphabet that is tried as an encoding, bytes.
pub(super) const SHORTEST_RUN: usize = 16;

/// A text with one kind of encoding undone.
pub(super) struct Decoded {
    /// The kind.
    pub(super) layer: &'static str,
    /// What came out.
    pub(super) text: String,
    /// Whether encodings inside it are undone too.
    pub(super) open: bool,
}

/// What each kind of encoding that occurs in the text hides. Only texts that changed.
///
/// Escapes are undone where they stand. Of runs in an alphabet there are two texts: what they hide, to be opened
/// further, and the whole with it in place, so that kinds do not multiply with each other.
pub(super) fn all(text: &str) -> Vec<Decoded> {
    let escaped: [(&'static str, Escapes); 6] = [
        ("url", url),
        ("entities", entities),
        ("escapes", escapes),
        ("quoted-printable", quoted_printable),
        ("spaced", alphabets::spaced_letters),
        ("invisible", invisible_as_blank),
    ];
    let runs: [(&'static str, Runs); 4] = [
        ("base64", base64_runs),
        ("hex", alphabets::hex_runs),
        ("base32", alphabets::base32_runs),
        ("binary", alphabets::binary_runs),
    ];
    let open = |layer, text| Decoded {
        layer,
        text,
        open: true,
    };
    let mut found: Vec<Decoded> = escaped
        .iter()
        .filter_map(|(layer, undo)| Some(open(*layer, undo(text)?)))
        .filter(|decoded| decoded.text != text)
        .collect();
    for (layer, undo) in runs {
        if let Some(Pieces { alone, in_place }) = undo(text) {
            found.push(open(layer, alone));
            found.push(Decoded {
                layer,
                text: in_place,
                open: false,
            });
        }
    }
    found.extend(normal::hidden(text).map(|hidden| open(HIDDEN, hidden)));
    found
}

type Escapes = fn(&str) -> Option<String>;
type Runs = fn(&str) -> Option<Pieces>;

/// What runs of a text hide.
pub(super) struct Pieces {
    /// One after the other.
    pub(super) alone: String,
    /// The whole text with them where the runs stood.
    pub(super) in_place: String,
}

impl Pieces {
    /// Pieces with the ranges of the text that they stand for, in order; none if there are none.
    pub(super) fn of(text: &str, found: &[(Range<usize>, String)]) -> Option<Self> {
        let (mut in_place, mut copied) = (String::new(), 0);
        let glued = |at: usize| {
            text.as_bytes()
                .get(at)
                .is_some_and(u8::is_ascii_alphanumeric)
        };
        for (range, piece) in found {
            in_place.push_str(&text[copied..range.start]);
            // What is glued to an encoded text is no part of its first or last word.
            in_place.push_str(if range.start > 0 && glued(range.start - 1) {
                " "
            } else {
                ""
            });
            in_place.push_str(piece);
            in_place.push_str(if glued(range.end) { " " } else { "" });
            copied = range.end;
        }
        in_place.push_str(&text[copied..]);
        let pieces: Vec<&str> = found.iter().map(|(_, piece)| piece.as_str()).collect();
        let alone = pieces.join(" ");
        (!found.is_empty()).then_some(Self { alone, in_place })
    }
}

/// The layer of text carried by characters that show nothing.
pub(super) const HIDDEN: &str = "hidden";

/// `%69` and `%u0069`.
fn url(text: &str) -> Option<String> {
    if !text.contains('%') {
        return None;
    }
    let wide = replace(text, "%u", |rest| code(rest.get(..4)?, 4));
    let decoded = percent_encoding::percent_decode_str(&wide).decode_utf8_lossy();
    Some(decoded.into_owned())
}

/// `&lt;`, `&#105;`, `&#x69;`.
fn entities(text: &str) -> Option<String> {
    if !text.contains('&') {
        return None;
    }
    match html_escape::decode_html_entities(text) {
        Cow::Borrowed(_) => None,
        Cow::Owned(decoded) => Some(decoded),
    }
}

/// `\n`, `\"`, `\x69`, `\u0069`, `\u{69}` and pairs of surrogates.
fn escapes(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return None;
    }
    Some(replace(text, "\\", |rest| {
        match rest.as_bytes().first()? {
            b'n' | b'r' => Some(("\n".to_owned(), 1)),
            b't' => Some((" ".to_owned(), 1)),
            b'"' | b'\'' | b'/' | b'\\' => Some((rest.get(..1)?.to_owned(), 1)),
            b'x' => plus(code(rest.get(1..3)?, 2), 1),
            b'u' if rest.get(1..2) == Some("{") => {
                let digits = rest.get(2..)?.split_once('}')?.0;
                plus(code(digits, digits.len()), 3)
            }
            b'u' => unicode_escape(rest),
            _ => None,
        }
    }))
}

/// `u0069` or `ud83dude00` after a backslash that is already passed; the second half has its own.
fn unicode_escape(rest: &str) -> Option<(String, usize)> {
    let unit = |at: usize| u16::from_str_radix(rest.get(at..at + 4)?, 16).ok();
    let first = unit(1)?;
    let second = (rest.get(5..7) == Some("\\u")).then(|| unit(7)).flatten();
    let pair = second.and_then(|second| String::from_utf16(&[first, second]).ok());
    match pair {
        Some(pair) if (0xd800..0xdc00).contains(&first) => Some((pair, 11)),
        _ => Some((String::from_utf16(&[first]).ok()?, 5)),
    }
}

/// `=69`, and `=` at the end of a line.
fn quoted_printable(text: &str) -> Option<String> {
    let coded = |rest: &&str| {
        let digits = rest.as_bytes().iter().take(2);
        digits
            .filter(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'))
            .count()
            == 2
    };
    // One alone is a value that a query or a setting begins with.
    if text.split('=').skip(1).filter(coded).take(2).count() < 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        bytes.extend_from_slice(before.as_bytes());
        let byte = after.get(..2).filter(|d| !d.starts_with('+'));
        rest = match byte.and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                &after[2..]
            }
            None => match after.strip_prefix("\r\n").or(after.strip_prefix('\n')) {
                Some(next) => next,
                None => {
                    bytes.push(b'=');
                    after
                }
            },
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Each invisible character as a blank, for words that nothing else parts.
fn invisible_as_blank(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let blank = |c| if normal::is_invisible(c) { ' ' } else { c };
    Some(text.chars().map(blank).collect())
}

/// Runs of base64 or base64url letters that decode to text, UTF-16 included.
fn base64_runs(text: &str) -> Option<Pieces> {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    let found = runs(text, letter, |run| {
        whole_base64(run).or_else(|| {
            // A path or a name may stand before the encoded part, glued on by a letter of the alphabet.
            let glue = ['/', '-', '_', '+'];
            let part = run.split(glue).max_by_key(|part| part.len())?;
            let long = part.len() >= SHORTEST_RUN && part.len() < run.len();
            let decoded = whole_base64(part).filter(|_| long)?;
            Some(run.replace(part, &format!(" {decoded} ")))
        })
    });
    Pieces::of(text, &found)
}

fn whole_base64(run: &str) -> Option<String> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabet = if run.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    // A last letter alone carries no byte.
    let whole = &run[..run.len() - usize::from(run.len() % 4 == 1)];
    let bytes = GeneralPurpose::new(alphabet, lenient).decode(whole).ok()?;
    readable(&bytes)
}

/// The bytes as text when they read as one: UTF-8, or UTF-16 as PowerShell encodes commands.
pub(super) fn readable(bytes: &[u8]) -> Option<String> {
    let narrow = || std::str::from_utf8(bytes).ok().map(str::to_owned);
    let wide = || {
        let units = bytes
            .chunks_exact(2)
            .map(|p| u16::from_le_bytes([p[0], p[1]]));
        String::from_utf16(&units.collect::<Vec<_>>()).ok()
    };
    narrow()
        .filter(|t| is_readable(t))
        .or_else(|| wide().filter(|t| is_readable(t)))
}

/// Whether text is mostly letters, digits, blanks and common signs. Random bytes that happen to be UTF-8 are not.
fn is_readable(text: &str) -> bool {
    let (mut all, mut good) = (0_usize, 0_usize);
    for c in text.chars() {
        all += 1;
        if c.is_control() && !c.is_whitespace() || c == char::REPLACEMENT_CHARACTER {
            return false;
        }
        let common = c.is_ascii()
            || (c.is_alphanumeric() && (c as u32) < 0x1_0000)
            || normal::is_invisible(c);
        good += usize::from(common);
    }
    all >= 4 && good * 10 >= all * 9
}

/// The runs of at least `SHORTEST_RUN` letters of which `decode` makes something, and what.
///
/// A line end inside a run of long lines belongs to it, as encoders wrap; trailing `=` too.
pub(super) fn runs(
    text: &str,
    letter: impl Fn(u8) -> bool,
    decode: impl Fn(&str) -> Option<String>,
) -> Vec<(Range<usize>, String)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !letter(bytes[at]) {
            at += 1;
            continue;
        }
        let end = run_end(bytes, at, &letter);
        let padded = end + bytes[end..].iter().take_while(|b| **b == b'=').count();
        if end - at >= SHORTEST_RUN {
            let run = text[at..end].replace(['\r', '\n'], "");
            found.extend(decode(&run).map(|decoded| (at..padded, decoded)));
        }
        at = padded;
    }
    found
}

/// Shortest line that an encoder would wrap at.
const WRAPPED: usize = 56;

fn run_end(bytes: &[u8], start: usize, letter: &impl Fn(u8) -> bool) -> usize {
    let mut line = start;
    loop {
        let end = line + bytes[line..].iter().take_while(|b| letter(**b)).count();
        let gap = match bytes.get(end..) {
            Some([b'\r', b'\n', ..]) => 2,
            Some([b'\n', ..]) => 1,
            _ => 0,
        };
        let goes_on =
            gap > 0 && end - line >= WRAPPED && bytes.get(end + gap).is_some_and(|b| letter(*b));
        if !goes_on {
            return end;
        }
        line = end + gap;
    }
}

/// The text with each `mark` and what follows replaced by what `decode` reads there, and how many bytes it took.
fn replace(text: &str, mark: &str, decode: impl Fn(&str) -> Option<(String, usize)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(mark) {
        out.push_str(before);
        match decode(after) {
            Some((decoded, taken)) => {
                out.push_str(&decoded);
                rest = &after[taken..];
            }
            None => {
                out.push_str(mark);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The character whose code the hex digits are, and `taken`.
fn code(digits: &str, taken: usize) -> Option<(String, usize)> {
    let code = u32::from_str_radix(digits, 16).ok()?;
    Some((char::from_u32(code)?.to_string(), taken))
}

fn plus(found: Option<(String, usize)>, more: usize) -> Option<(String, usize)> {
    found.map(|(text, taken)| (text, taken + more))
}
