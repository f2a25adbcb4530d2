//! One text in the form that patterns are written for: what it looks like, not how it is spelt; encodings are `decode`.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::confusable_detection::skeleton;

/// The text as a reader sees it: compatibility forms and accents resolved, look-alikes as ASCII, lower case, nothing
/// invisible, blanks joined. Line ends stay.
///
/// Look-alikes are only ever turned *into* ASCII, so that ASCII text and patterns read as they are written.
pub(super) fn fold(text: &str) -> String {
    let mut out = Joined(String::with_capacity(text.len()));
    if text.is_ascii() {
        text.chars().for_each(|c| out.push(c.to_ascii_lowercase()));
        return out.0;
    }
    let seen = text
        .nfkd()
        .filter(|c| c.is_ascii() || !(is_invisible(*c) || is_combining_mark(*c)));
    for c in seen {
        if c.is_ascii() {
            out.push(c.to_ascii_lowercase());
        } else {
            c.to_lowercase().for_each(|c| look(c, &mut out));
        }
    }
    out.0
}

/// Text in which blanks that follow each other are one, and a line end wins.
struct Joined(String);

impl Joined {
    fn push(&mut self, c: char) {
        let c = match c {
            '\n' => '\n',
            c if c.is_whitespace() => ' ',
            c => c,
        };
        match (c, self.0.as_bytes().last()) {
            (' ', Some(b' ' | b'\n')) | ('\n', Some(b'\n')) => {}
            ('\n', Some(b' ')) => {
                self.0.pop();
                self.0.push('\n');
            }
            _ => self.0.push(c),
        }
    }
}

/// Adds what the character looks like.
fn look(c: char, out: &mut Joined) {
    if matches!(c, '\u{2018}' | '\u{2019}' | '\u{2032}' | '\u{2bc}') {
        return out.push('\'');
    }
    match ascii(c).or_else(|| c.to_uppercase().find_map(ascii)) {
        Some(letters) => letters.chars().for_each(|c| out.push(c)),
        None => out.push(c),
    }
}

/// The ASCII letters that the character is drawn like, lower case.
fn ascii(c: char) -> Option<String> {
    let mut bytes = [0; 4];
    let looks: String = skeleton(c.encode_utf8(&mut bytes)).take(4).collect();
    match looks.as_str() {
        // The prototype of an m is "rn".
        "rn" => Some("m".to_owned()),
        one if one.len() == 1 => Some(one.to_ascii_lowercase()),
        many if many.bytes().all(|b| b.is_ascii_alphabetic()) => Some(many.to_ascii_lowercase()),
        _ => None,
    }
}

/// The folded text as words with one blank between them: letters and digits stay, all else parts words.
pub(super) fn words(folded: &str) -> String {
    let mut out = String::with_capacity(folded.len());
    let mut gap = false;
    for c in folded.chars() {
        if c.is_ascii_alphanumeric() || (!c.is_ascii() && c.is_alphanumeric()) {
            if gap && !out.is_empty() {
                out.push(' ');
            }
            gap = false;
            out.push(c);
        } else if c != '\'' {
            gap = true;
        }
    }
    out
}

/// Letters and digits alone, for text whose blanks were taken out or put between letters.
pub(super) fn compact(folded: &str) -> String {
    folded.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Digits and signs that stand for letters, as letters.
pub(super) fn unleet(folded: &str) -> String {
    folded
        .chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            c => c,
        })
        .collect()
}

/// ASCII letters thirteen places on.
pub(super) fn rot13(folded: &str) -> String {
    let turn = |c: char, first: u8| char::from((c as u8 - first + 13) % 26 + first);
    folded
        .chars()
        .map(|c| match c {
            'a'..='z' => turn(c, b'a'),
            c => c,
        })
        .collect()
}

/// The text from its end.
pub(super) fn reversed(folded: &str) -> String {
    folded.chars().rev().collect()
}

/// Characters that show nothing, whatever the font: format and fill characters, tags, variation selectors.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
        || (c.is_control() && !c.is_whitespace())
}

/// Text carried by characters that show nothing: tag characters, and variation selectors that stand for bytes.
pub(super) fn hidden(text: &str) -> Option<String> {
    let mut tags = String::new();
    let mut bytes = Vec::new();
    for c in text.chars() {
        let code = c as u32;
        match code {
            0xe0020..=0xe007e => tags.extend(char::from_u32(code - 0xe0000)),
            0xfe00..=0xfe0f => bytes.extend(u8::try_from(code - 0xfe00)),
            0xe0100..=0xe01ef => bytes.extend(u8::try_from(code - 0xe0100 + 16)),
            _ => {}
        }
    }
    tags.push_str(&String::from_utf8(bytes).unwrap_or_default());
    tags.contains(char::is_alphanumeric).then_some(tags)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_that_look_alike_fold_alike() {
        for (text, want) in [
            ("Ignore  the\tRULES \n\n now", "ignore the rules\nnow"),
            ("i\u{200b}g\u{2060}n\u{ad}ore", "ignore"),
            ("ign\u{e0041}\u{e0042}ore\u{fe0f}", "ignore"),
            ("\u{456}gn\u{43e}re \u{440}rev\u{456}ous", "ignore previous"),
            ("\u{ff29}\u{ff47}\u{ff4e}\u{ff4f}\u{ff52}\u{ff45}", "ignore"),
            ("\u{1d422}\u{1d420}\u{1d427}ore", "ignore"),
            ("\u{cf}gn\u{f6}r\u{e9}", "ignore"),
            ("syste\u{43c}", "system"),
            ("don\u{2019}t", "don't"),
            // ASCII is never read as other ASCII.
            ("I1l0O mrn", "i1l0o mrn"),
        ] {
            assert_eq!(fold(text), want, "{text:?}");
        }
    }

    #[test]
    fn words_drop_what_parts_them() {
        assert_eq!(
            words("don't: ignore-all_rules!  (now)"),
            "dont ignore all rules now"
        );
        assert_eq!(compact("i g n o r e"), "ignore");
        assert_eq!(unleet("1gn0r3 $y5t3m"), "ignore system");
        assert_eq!(rot13(&rot13("ignore {1}")), "ignore {1}");
        assert_eq!(reversed("erongi"), "ignore");
    }

    #[test]
    fn only_text_in_invisibles_is_hidden_text() {
        let tags = |s: &str| {
            s.chars()
                .map(|c| char::from_u32(0xe0000 + c as u32).unwrap())
                .collect::<String>()
        };
        assert_eq!(
            hidden(&format!("a{}b", tags("close it"))).unwrap(),
            "close it"
        );
        let selectors: String = "hi"
            .bytes()
            .map(|b| char::from_u32(0xe0100 + u32::from(b) - 16).unwrap())
            .collect();
        assert_eq!(hidden(&selectors).unwrap(), "hi");
        for plain in [
            "",
            "caf\u{e9}",
            "a\u{200b}b\u{200d}c\u{feff}",
            "\u{2764}\u{fe0f}",
        ] {
            assert_eq!(hidden(plain), None, "{plain:?}");
        }
    }
}
