//! Makes text from outside fit for one log line or error message; does not make it trustworthy.

/// Control characters and terminal escapes out, white space runs to one space, at most `max` characters.
#[must_use]
pub fn one_line(text: &str, max: usize) -> String {
    let mut line = String::new();
    let mut count = 0;
    for word in without_escapes(text).split_whitespace() {
        for c in (count > 0).then_some(' ').into_iter().chain(word.chars()) {
            if count == max {
                line.push('…');
                return line;
            }
            line.push(c);
            count += 1;
        }
    }
    line
}

/// The last lines of `text`, control characters and terminal escapes out, at most `max` bytes.
#[must_use]
pub fn tail(text: &str, max: usize) -> String {
    let clean = without_escapes(text);
    let mut kept: Vec<&str> = Vec::new();
    let mut size = 0;
    for line in clean.lines().rev().map(str::trim_end) {
        if line.is_empty() {
            continue;
        }
        if size + line.len() + 1 > max {
            if kept.is_empty() {
                let from = (line.len() - max..).find(|at| line.is_char_boundary(*at));
                kept.push(&line[from.unwrap_or(line.len())..]);
            }
            break;
        }
        size += line.len() + 1;
        kept.push(line);
    }
    kept.reverse();
    kept.join("\n")
}

/// Drops `ESC [ … letter` and `ESC x`, bidirectional and invisible formatting, and all other control characters but new lines and tabs.
fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                if chars.next() == Some('[') {
                    while chars.next_if(|c| !('@'..='~').contains(c)).is_some() {}
                    chars.next();
                }
            }
            '\n' | '\t' => out.push(c),
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_becomes_one_bounded_line() {
        assert_eq!(one_line("a\r\n\tb\u{1b}[31mc\u{202e}d\0", 80), "a bcd");
        assert_eq!(one_line("abcdef", 3), "abc…");
        assert_eq!(one_line("abc", 3), "abc");
    }

    #[test]
    fn a_tail_keeps_the_last_whole_lines() {
        assert_eq!(tail("first\nsecond\n\nthird\n", 13), "second\nthird");
        assert_eq!(tail("é".repeat(50).as_str(), 5), "éé");
        assert_eq!(tail("", 5), "");
    }
}
