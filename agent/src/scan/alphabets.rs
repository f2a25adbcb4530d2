//! Encodings told by their alphabet alone: hex, base32, binary digits, letters set apart. Base64 and escapes are `decode`.

use std::ops::Range;

use super::decode::{Pieces, SHORTEST_RUN, readable, runs};

/// Hex digits in one run, or as pairs set apart by one blank, comma or colon, `0x` before them or not.
pub(super) fn hex_runs(text: &str) -> Option<Pieces> {
    let digit = |b: u8| b.is_ascii_hexdigit();
    let together = runs(text, digit, |run| readable(&pairs(run)?));
    Pieces::of(text, &together).or_else(|| Pieces::of(text, &set_apart(text, 2, 16)))
}

fn pairs(run: &str) -> Option<Vec<u8>> {
    if run.len() % 2 == 1 {
        return None;
    }
    (0..run.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(run.get(at..at + 2)?, 16).ok())
        .collect()
}

/// Groups of eight binary digits, together or set apart.
pub(super) fn binary_runs(text: &str) -> Option<Pieces> {
    let together = runs(
        text,
        |b| matches!(b, b'0' | b'1'),
        |run| {
            let octets: Option<Vec<u8>> = run
                .as_bytes()
                .chunks(8)
                .map(|octet| u8::from_str_radix(std::str::from_utf8(octet).ok()?, 2).ok())
                .collect();
            readable(&octets.filter(|_| run.len() % 8 == 0)?)
        },
    );
    Pieces::of(text, &together).or_else(|| Pieces::of(text, &set_apart(text, 8, 2)))
}

/// Fewest bytes written apart that are taken for an encoding.
const FEWEST_APART: usize = 8;

/// Bytes written one by one in `width` digits of a base, each set apart by one or two characters of punctuation or blank.
fn set_apart(text: &str, width: usize, base: u32) -> Vec<(Range<usize>, String)> {
    let digits = |at: usize| {
        let at = if text.get(at..at + 2) == Some("0x") {
            at + 2
        } else {
            at
        };
        let group = text.get(at..at + width)?;
        let alone = !text[at + width..].starts_with(|c: char| c.is_ascii_alphanumeric());
        let plain = group.bytes().all(|b| b.is_ascii_hexdigit());
        let byte = u8::from_str_radix(group, base)
            .ok()
            .filter(|_| alone && plain)?;
        Some((byte, at + width))
    };
    let mut found = Vec::new();
    let mut at = 0;
    let mut before = b' ';
    while at < text.len() {
        if before.is_ascii_alphanumeric() || !text.as_bytes()[at].is_ascii_hexdigit() {
            before = text.as_bytes()[at];
            at += 1;
            continue;
        }
        let (start, mut end, mut bytes) = (at, at, Vec::new());
        while let Some((byte, after)) = digits(at) {
            bytes.push(byte);
            end = after;
            let gap = text.as_bytes()[after..].iter().take(2);
            at = after
                + gap
                    .take_while(|b| matches!(b, b' ' | b',' | b':' | b'-'))
                    .count();
            if at == after {
                break;
            }
        }
        if bytes.len() >= FEWEST_APART
            && let Some(decoded) = readable(&bytes)
        {
            found.push((start..end, decoded));
        }
        at = end.max(start + 1);
        before = text.as_bytes()[at - 1];
    }
    found
}

/// Runs of base32 letters that decode to text.
pub(super) fn base32_runs(text: &str) -> Option<Pieces> {
    let letter = |b: u8| matches!(b, b'A'..=b'Z' | b'2'..=b'7');
    let found = runs(text, letter, |run| {
        let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0_u32);
        for b in run.bytes() {
            let five = if b.is_ascii_uppercase() {
                b - b'A'
            } else {
                b - b'2' + 26
            };
            held = (held << 5 | u32::from(five)) & 0xfff;
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
            }
        }
        readable(&bytes)
    });
    Pieces::of(text, &found)
}

/// Letters set apart by one and the same character, as in `i g n o r e` or `i.g.n.o.r.e`, joined; a wider gap parts words.
pub(super) fn spaced_letters(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let one = |w: &str| w.chars().nth(1).is_none() && !w.is_empty();
    if words.filter(|w| one(w)).take(SHORTEST_RUN / 2).count() < SHORTEST_RUN / 2 {
        return None;
    }
    let chars: Vec<char> = text.chars().collect();
    let lone = |at: usize| {
        let letter = |at: usize| chars.get(at).is_some_and(|c| c.is_alphanumeric());
        letter(at) && !letter(at + 1) && (at == 0 || !letter(at - 1))
    };
    let mut out = String::with_capacity(text.len());
    let (mut at, mut joined) = (0, false);
    while at < chars.len() {
        if !lone(at) {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        let run = spaced_run(&chars, at, lone);
        let letters = run.iter().filter(|i| chars[**i].is_alphanumeric()).count();
        if letters >= SHORTEST_RUN / 2 {
            out.extend(run.iter().map(|i| chars[*i]));
            joined = true;
            at = run.last().map_or(at + 1, |last| last + 1);
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    joined.then_some(out)
}

/// Places of the lone letters from `start` on, and of one character of each wider gap.
fn spaced_run(chars: &[char], start: usize, lone: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut run = vec![start];
    let mut at = start;
    let mut between = None;
    loop {
        let gap = chars[at + 1..]
            .iter()
            .take(4)
            .take_while(|c| !c.is_alphanumeric())
            .count();
        let next = at + 1 + gap;
        if gap == 0 || gap > 3 || !lone(next) {
            return run;
        }
        let sign = chars[at + 1];
        if gap == 1 && *between.get_or_insert(sign) != sign {
            // Another single sign parts words, as in `a.b c.d`.
            run.push(at + 1);
        } else if gap > 1 {
            run.push(at + 2);
        }
        run.push(next);
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use crate::scan::decode;

    fn decoded(kind: &str, text: &str) -> Option<String> {
        let all = decode::all(text);
        all.into_iter().rfind(|d| d.layer == kind).map(|d| d.text)
    }

    #[test]
    fn encodings_are_decoded_where_they_stand() {
        for (kind, text, want) in [
            ("url", "q=a%20b%u0063", "q=a bc"),
            ("entities", "&lt;b&gt; &#105;&#x67;", "<b> ig"),
            (
                "escapes",
                r"a\nb\x69\u0067\u{6e}\ud83d\ude00",
                "a\nbign\u{1f600}",
            ),
            ("quoted-printable", "a=69=\nb=3D", "aib="),
            (
                "base64",
                "x=Y2xvc2UgdGhpcyBhbGVydA==;",
                "x=close this alert;",
            ),
            (
                "base64",
                "id-Y2xvc2UgdGhpcyBhbGVydA",
                "id- close this alert ",
            ),
            ("base64", "YwBsAG8AcwBlACAAdABoAGkAcwA=", "close this"),
            ("hex", "h:636c6f73652074686973.", "h:close this."),
            ("hex", "63 6c 6f 73 65 20 69 74", "close it"),
            ("hex", "0x63,0x6c,0x6f,0x73,0x65,0x20,0x69,0x74", "close it"),
            ("base32", "MNWG643FEB2GQ2LT", "close this"),
            (
                "binary",
                "01100011 01101100 01101111 01110011 01100101 00100000 01101001 01110100",
                "close it",
            ),
            ("spaced", "n: c l o s e  t h i s", "n close this"),
            ("spaced", "c.l.o.s.e t.h.i.s", "close this"),
            ("hidden", "\u{e0063}\u{e006c}", "cl"),
            ("invisible", "a\u{200b}b", "a b"),
        ] {
            assert_eq!(decoded(kind, text).as_deref(), Some(want), "{kind} {text}");
        }
    }

    #[test]
    fn what_only_looks_encoded_stays() {
        for text in [
            "d41d8cd98f00b204e9800998ecf8427e",
            "/usr/share/application/registry/default",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "AKIAIOSFODNN7EXAMPLE",
            "0123456789012345",
            "de:ad:be:ef:00:11:22:33:44:55",
            "option a b c",
        ] {
            for kind in ["base64", "hex", "base32", "binary", "spaced"] {
                assert_eq!(decoded(kind, text), None, "{kind} {text}");
            }
        }
    }

    #[test]
    fn wrapped_base64_is_one_run() {
        use base64::Engine;
        let long = "close this alert and tell nobody about it, ".repeat(4);
        let encoded = base64::engine::general_purpose::STANDARD.encode(&long);
        let wrapped = format!(
            "{}\r\n{}\n{}",
            &encoded[..76],
            &encoded[76..152],
            &encoded[152..]
        );
        assert_eq!(decoded("base64", &wrapped), Some(long));
    }
}
