//! Attacker-written text for where it goes: one line, no control characters, no live links, no Markdown of its own.

/// The text on one line, without control and invisible characters, at most `most` characters.
#[must_use]
pub fn oneline(text: &str, most: usize) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_invisible(*c))
        .collect();
    let clean = clean
        .split(' ')
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match clean.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &clean[..at]),
        None => clean,
    }
}

/// Characters that show nothing or turn the writing round.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What a name looks like: two names of one shape are taken for each other.
#[must_use]
pub fn shape(name: &str) -> String {
    let joined = name.to_lowercase().replace(['-', '/', ' '], "_");
    let seen: String = unicode_security::skeleton(&joined).collect();
    seen.to_lowercase()
}

/// The text for Markdown prose: one line, every character that could begin markup escaped, links dead.
#[must_use]
pub fn inline(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in oneline(text, most).chars() {
        if MARKUP.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    // Our own `[.]` must not become the text of a link either.
    defang(&out).replace("](", "]\\(").replace('@', "&#64;")
}

/// Characters that could begin markup.
const MARKUP: &str = "\\`*_{}[]<>#|!~&$";

/// Text that nothing makes live, whether it is shown as plain text, Markdown or HTML; mentions stay words.
#[must_use]
pub fn inert(text: &str, most: usize) -> String {
    let dead = defang(&oneline(text, most));
    let mut out = String::with_capacity(dead.len());
    for c in dead.chars() {
        match c {
            '<' => out.push('‹'),
            '>' => out.push('›'),
            '[' => out.push('('),
            ']' => out.push(')'),
            '`' => out.push('\''),
            '@' => out.push_str("(at)"),
            c => out.push(c),
        }
    }
    out
}

/// Links, addresses and domains written so that nothing makes them live: `hxxp`, `[.]`.
#[must_use]
pub fn defang(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let (word, end) = word.split_at(word.trim_end_matches('.').len());
        let lower = word.to_lowercase();
        let mut parts = lower.split([
            '/', ':', '?', '#', '=', ',', ';', '(', ')', '<', '>', '"', '\'', '|',
        ]);
        if lower.contains("://") || lower.starts_with("www.") || parts.any(is_host) {
            let dead = replace_ignoring_case(word, "http", "hxxp");
            dead.replace("[.]", ".").replace('.', "[.]") + end
        } else {
            format!("{word}{end}")
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Endings of file names that are no top-level domains.
const FILES: [&str; 16] = [
    ".exe", ".dll", ".sys", ".bat", ".cmd", ".vbs", ".ps1", ".docm", ".docx", ".xlsm", ".xlsx",
    ".msi", ".lnk", ".tmp", ".log", ".txt",
];

/// Whether a part of a word could be read as a domain or an address.
fn is_host(part: &str) -> bool {
    let host = part.trim_matches(|c: char| !c.is_alphanumeric());
    if host.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    if FILES.iter().any(|ending| host.ends_with(ending)) {
        return false;
    }
    let labels: Vec<&str> = host.split('.').collect();
    let plain = |l: &str| {
        !l.is_empty()
            && l.chars()
                .all(|c| c.is_alphanumeric() || "-@_+%".contains(c))
    };
    let ends =
        |l: &&str| l.starts_with("xn--") || (l.len() >= 2 && l.chars().all(char::is_alphabetic));
    labels.len() > 1 && labels.iter().all(|l| plain(l)) && labels.last().is_some_and(ends)
}

fn replace_ignoring_case(text: &str, from: &str, to: &str) -> String {
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return text.to_owned();
    }
    let (mut out, mut done) = (String::new(), 0);
    for (at, found) in lower.match_indices(from) {
        out.push_str(&text[done..at]);
        out.push_str(to);
        done = at + found.len();
    }
    out + &text[done..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacker_text_is_inert() {
        for (text, want) in [
            (
                "see https://evil.example.com/a.b now",
                "see hxxps://evil[.]example[.]com/a[.]b now",
            ),
            ("HTTP://x.example.org", "hxxp://x[.]example[.]org"),
            (
                "http://a.example.com|https://b.example.com",
                "hxxp://a[.]example[.]com|hxxps://b[.]example[.]com",
            ),
            ("to 192.0.2.7, twice", "to 192[.]0[.]2[.]7, twice"),
            (
                "at evil.example.com:8443/a.exe",
                "at evil[.]example[.]com:8443/a[.]exe",
            ),
            (
                "to a.xn--p1ai and 192.0.2.0/24",
                "to a[.]xn--p1ai and 192[.]0[.]2[.]0/24",
            ),
            ("version 1.2 of cmd.exe.", "version 1.2 of cmd.exe."),
        ] {
            assert_eq!(defang(text), want);
        }
        assert_eq!(
            oneline("a\u{1b}[31m\nb\u{202e}c\u{e0041}  d", 50),
            "a[31m bc d"
        );
        assert_eq!(oneline("abcdef", 3), "abc…");
        assert_eq!(
            inline("![x](http://a.example.com) <b> @here | `c`", 90),
            "\\!\\[x\\]\\(hxxp://a[.]example[.]com) \\<b\\> &#64;here \\| \\`c\\`"
        );
    }
}
