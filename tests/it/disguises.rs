//! Ways to write a text so that it reads the same to a model and not to a search; the tests of the scanner use them.

/// A way to hide a text; nothing where it can't carry this text.
pub(crate) type Disguise = fn(&str) -> Option<String>;

/// Every disguise with its name.
pub(crate) fn all() -> Vec<(&'static str, Disguise)> {
    [encoded(), drawn(), turned()].concat()
}

/// The text as bytes or codes.
fn encoded() -> Vec<(&'static str, Disguise)> {
    vec![
        ("base64", |t| Some(format!("data={}", base64(t)))),
        ("base64 of UTF-16", |t| {
            let wide: Vec<u8> = t.encode_utf16().flat_map(u16::to_le_bytes).collect();
            Some(format!("powershell -enc {}", base64_bytes(&wide)))
        }),
        ("base64 twice", |t| Some(base64(&base64(t)))),
        ("hex", |t| {
            Some(format!("0x{}", each_byte(t, |b| format!("{b:02x}"))))
        }),
        ("hex apart", |t| Some(each_byte(t, |b| format!("{b:02X} ")))),
        ("binary", |t| Some(each_byte(t, |b| format!("{b:08b} ")))),
        ("url", |t| Some(each_byte(t, |b| format!("%{b:02x}")))),
        ("url twice", |t| {
            Some(each_byte(t, |b| format!("%25{b:02X}")))
        }),
        ("url in base64", |t| {
            Some(base64(&each_byte(t, |b| format!("%{b:02x}"))))
        }),
        ("decimal entities", |t| {
            Some(each(t, |c| format!("&#{};", c as u32)))
        }),
        ("hex entities", |t| {
            Some(each(t, |c| format!("&#x{:x};", c as u32)))
        }),
        ("unicode escapes", |t| {
            Some(t.encode_utf16().map(|u| format!("\\u{u:04x}")).collect())
        }),
        ("byte escapes", |t| {
            t.is_ascii()
                .then(|| each_byte(t, |b| format!("\\x{b:02x}")))
        }),
        ("quoted-printable", |t| {
            Some(each_byte(t, |b| format!("={b:02X}")))
        }),
    ]
}

/// The text in other characters, or between them.
fn drawn() -> Vec<(&'static str, Disguise)> {
    vec![
        ("tag characters", |t| {
            let plain = t.chars().all(|c| matches!(c, ' '..='~'));
            plain.then(|| format!("invoice{}", t.chars().map(tag).collect::<String>()))
        }),
        ("variation selectors", |t| {
            let selector = |b: u8| {
                char::from_u32(match b {
                    0..16 => 0xfe00 + u32::from(b),
                    _ => 0xe0100 + u32::from(b) - 16,
                })
            };
            Some(format!(
                "\u{1f600}{}",
                t.bytes().filter_map(selector).collect::<String>()
            ))
        }),
        ("zero width inside", |t| {
            Some(each(t, |c| format!("{c}\u{200b}")))
        }),
        ("soft hyphens inside", |t| {
            Some(each(t, |c| format!("{c}\u{ad}")))
        }),
        ("word joiners for blanks", |t| {
            Some(t.replace(' ', "\u{2060}"))
        }),
        ("full width", |t| {
            t.is_ascii().then(|| each(t, |c| wide(c).to_string()))
        }),
        ("mathematical bold", |t| {
            t.is_ascii().then(|| each(t, |c| bold(c).to_string()))
        }),
        ("look-alikes", |t| {
            t.is_ascii().then(|| each(t, |c| cyrillic(c).to_string()))
        }),
        ("accents", |t| {
            Some(each(t, |c| {
                if "aeiou".contains(c) {
                    format!("{c}\u{301}")
                } else {
                    c.to_string()
                }
            }))
        }),
    ]
}

/// The letters in another order or with others in between.
fn turned() -> Vec<(&'static str, Disguise)> {
    vec![
        ("rot13", |t| {
            t.is_ascii().then(|| each(t, |c| rot13(c).to_string()))
        }),
        ("reversed", |t| Some(t.chars().rev().collect())),
        ("leet", |t| {
            t.is_ascii().then(|| each(t, |c| leet(c).to_string()))
        }),
        ("letters apart", |t| spaced(t, " ", "   ")),
        ("letters dotted", |t| spaced(t, ".", " ")),
        ("upper case", |t| Some(t.to_uppercase())),
        ("dashes for blanks", |t| {
            let plain = t.chars().all(|c| c.is_alphanumeric() || c == ' ');
            plain.then(|| t.replace(' ', "-"))
        }),
    ]
}

/// Standard base64 with padding.
pub(crate) fn base64(text: &str) -> String {
    base64_bytes(text.as_bytes())
}

fn base64_bytes(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let three = [
            chunk[0],
            *chunk.get(1).unwrap_or(&0),
            *chunk.get(2).unwrap_or(&0),
        ];
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize] as char;
            out.push(if place > chunk.len() { '=' } else { letter });
        }
    }
    out
}

/// The tag character that hides an ASCII character.
pub(crate) fn tag(c: char) -> char {
    char::from_u32(0xe0000 + c as u32).unwrap()
}

fn each(text: &str, write: impl Fn(char) -> String) -> String {
    text.chars().map(write).collect()
}

fn each_byte(text: &str, write: impl Fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

fn wide(c: char) -> char {
    match c {
        '!'..='~' => char::from_u32(c as u32 + 0xfee0).unwrap(),
        c => c,
    }
}

fn bold(c: char) -> char {
    match c {
        'a'..='z' => char::from_u32(0x1d41a + c as u32 - 'a' as u32).unwrap(),
        'A'..='Z' => char::from_u32(0x1d400 + c as u32 - 'A' as u32).unwrap(),
        c => c,
    }
}

fn cyrillic(c: char) -> char {
    match c {
        'a' => '\u{430}',
        'e' => '\u{435}',
        'o' => '\u{43e}',
        'p' => '\u{440}',
        'c' => '\u{441}',
        'x' => '\u{445}',
        'i' => '\u{456}',
        's' => '\u{455}',
        'm' => '\u{43c}',
        'E' => '\u{395}',
        'I' => '\u{399}',
        c => c,
    }
}

fn rot13(c: char) -> char {
    let turn = |first: u8| char::from((c as u8 - first + 13) % 26 + first);
    match c {
        'a'..='z' => turn(b'a'),
        'A'..='Z' => turn(b'A'),
        c => c,
    }
}

fn leet(c: char) -> char {
    match c {
        'a' => '4',
        'e' => '3',
        'i' => '1',
        'o' => '0',
        's' => '5',
        't' => '7',
        c => c,
    }
}

/// Letters with `inside` between them and `between` the words; only for texts of plain words.
fn spaced(text: &str, inside: &str, between: &str) -> Option<String> {
    let plain = text.chars().all(|c| c.is_ascii_alphabetic() || c == ' ');
    let word = |w: &str| w.chars().map(String::from).collect::<Vec<_>>().join(inside);
    plain.then(|| text.split(' ').map(word).collect::<Vec<_>>().join(between))
}
