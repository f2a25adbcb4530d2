//! Splunk's search language: how a value is quoted, and that what was written only searches; it runs nothing.

/// Commands a query may be made of: each reads what is before it and leaves nothing behind.
const READING: [&str; 15] = [
    "search",
    "where",
    "eval",
    "bin",
    "dedup",
    "head",
    "tail",
    "sort",
    "stats",
    "eventstats",
    "streamstats",
    "fields",
    "table",
    "rename",
    "reverse",
];

/// A text as a quoted phrase.
///
/// # Errors
/// A text that can't be asked for as it is: `*` is a wildcard even when it is quoted, a backtick may begin a macro, and a
/// line break ends a search.
pub(super) fn quoted(text: &str) -> Result<String, &'static str> {
    if text.contains('*') {
        return Err("holds a `*`, which Splunk can't search for as itself");
    }
    if text.contains('`') || text.chars().any(char::is_control) {
        return Err("holds a backtick or a control character, which a Splunk search can't quote");
    }
    Ok(format!(
        "\"{}\"",
        text.replace('\\', r"\\").replace('"', "\\\"")
    ))
}

/// One token of a search, as far as its structure goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A quoted phrase.
    Phrase,
    /// `|`
    Pipe,
    /// Anything else between blanks.
    Word(String),
}

/// That a text is one chain of reading commands without subsearch or macro.
///
/// # Errors
/// Why not, for people.
pub(super) fn only_searches(text: &str) -> Result<(), String> {
    let mut begins = true;
    for token in tokens(text)? {
        match (begins, token) {
            (true, Token::Word(word)) if READING.contains(&word.as_str()) => begins = false,
            (true, token) => {
                let found = match token {
                    Token::Word(word) => word,
                    Token::Phrase => "a phrase".to_owned(),
                    Token::Pipe => "|".to_owned(),
                };
                return Err(format!(
                    "has `{found}` where a command begins; commands may be {}",
                    READING.join(", ")
                ));
            }
            (false, Token::Pipe) => begins = true,
            (false, _) => {}
        }
    }
    match begins {
        true => Err("ends where a command should follow".to_owned()),
        false => Ok(()),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut letters = text.chars();
    let flush = |word: &mut String, tokens: &mut Vec<Token>| {
        if !word.is_empty() {
            tokens.push(Token::Word(std::mem::take(word)));
        }
    };
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                flush(&mut word, &mut tokens);
                phrase(&mut letters)?;
                tokens.push(Token::Phrase);
            }
            '|' => {
                flush(&mut word, &mut tokens);
                tokens.push(Token::Pipe);
            }
            '[' | ']' | '`' => return Err(format!("has `{letter}` outside of quotes")),
            blank if blank.is_whitespace() => flush(&mut word, &mut tokens),
            other => word.push(other),
        }
    }
    flush(&mut word, &mut tokens);
    Ok(tokens)
}

/// Goes on to the end of a quoted phrase.
fn phrase(letters: &mut std::str::Chars<'_>) -> Result<(), String> {
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '"' => return Ok(()),
            _ => {}
        }
    }
    Err("has a quote that does not end".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_chain_of_reading_commands_passes() {
        for (text, passes) in [
            (r#"search index="a" "x | delete" | head 5"#, true),
            (r#"search "ends with a backslash \\" | head 5"#, true),
            (r#"search "a" | delete"#, false),
            (r#"search "a" | outputlookup x.csv"#, false),
            (r#"search "a" [search "b"]"#, false),
            ("search `macro`", false),
            (r#"search "open"#, false),
            (r#"search "ends in the quote \" | head 5"#, false),
            (r#"search "a" |"#, false),
            ("", false),
        ] {
            assert_eq!(only_searches(text).is_ok(), passes, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_quoted_is_refused() {
        assert_eq!(
            quoted(r#"CORP\o"neil"#),
            Ok(r#""CORP\\o\"neil""#.to_owned())
        );
        for text in ["*", "a*b", "`m`", "a\nb"] {
            assert!(quoted(text).is_err(), "{text}");
        }
    }
}
