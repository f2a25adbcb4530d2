//! Readers of CEF and RFC 5424 by the rules of the formats alone; they know nothing of how we write them.

/// Header fields and extension pairs of a CEF line, by the rules of the format alone.
pub(super) fn parse_cef(line: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (mut header, mut field) = (Vec::new(), String::new());
    let mut chars = line.strip_prefix("CEF:").unwrap().chars();
    while header.len() < 7 {
        match chars.next().unwrap() {
            '\\' => field.push(chars.next().filter(|c| "\\|".contains(*c)).unwrap()),
            '|' => header.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    let (mut pairs, mut rest): (Vec<(String, String)>, _) = (Vec::new(), chars);
    let mut text = String::new();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next().unwrap() {
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                c => {
                    assert!("\\=".contains(c), "a wrong escape: {c:?}");
                    text.push(c);
                }
            },
            '=' => {
                // The word before an equals sign that is not escaped is the next key.
                let (before, key) = text.rsplit_once(' ').unwrap_or(("", &text));
                if let Some(last) = pairs.last_mut() {
                    last.1 = before.to_owned();
                }
                pairs.push((key.to_owned(), String::new()));
                text = String::new();
            }
            c => text.push(c),
        }
    }
    pairs.last_mut().unwrap().1 = text;
    (header, pairs)
}

/// A syslog message: priority, the words of the header, parameters of the one element, text.
pub(super) struct Message {
    pub(super) priority: u32,
    pub(super) header: Vec<String>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) text: String,
}

pub(super) fn parse_syslog(line: &str) -> Message {
    assert!(line.len() <= 8_192, "{} bytes", line.len());
    let (priority, rest) = line.strip_prefix('<').unwrap().split_once(">1 ").unwrap();
    let words: Vec<&str> = rest.splitn(6, ' ').collect();
    let [header @ .., rest] = words.as_slice() else {
        panic!("{line}")
    };
    let mut parameters = Vec::new();
    let text = if let Some(text) = rest.strip_prefix("- ") {
        text
    } else {
        let mut rest = rest.strip_prefix("[nightdesk@32473").unwrap();
        loop {
            if let Some(text) = rest.strip_prefix("] ") {
                break text;
            }
            let (name, value) = rest.strip_prefix(' ').unwrap().split_once("=\"").unwrap();
            let (mut text, mut chars) = (String::new(), value.char_indices());
            let end = loop {
                match chars.next().unwrap() {
                    (_, '\\') => {
                        text.push(chars.next().filter(|c| "\"\\]".contains(c.1)).unwrap().1)
                    }
                    (at, '"') => break at,
                    (_, c) => {
                        assert!(c != ']', "an open bracket in {value}");
                        text.push(c);
                    }
                }
            };
            parameters.push((name.to_owned(), text));
            rest = &value[end + 1..];
        }
    };
    Message {
        priority: priority.parse().unwrap(),
        header: header.iter().map(|w| (*w).to_owned()).collect(),
        parameters,
        text: text.to_owned(),
    }
}
