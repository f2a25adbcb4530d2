//! Free text and agents without what differs in them each time.

use std::sync::LazyLock;

use regex::Regex;

/// What differs in free text each time: times, process numbers, source ports.
static CHANGING: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let patterns = [
        (
            r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?",
            "#",
        ),
        (
            r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}\d{1,2} \d{2}:\d{2}:\d{2}\b",
            "#",
        ),
        (r"\b([A-Za-z][\w./-]*)\[\d+\]:", "${1}[#]:"),
        (r"\baudit\(\d+\.\d+:\d+\)", "audit(#)"),
        (r"\b(pid|ppid|ses)=\d+", "${1}=#"),
        (r"(\bfrom \S+ port )\d+", "${1}#"),
    ];
    let compiled = patterns
        .into_iter()
        .map(|(p, to)| Some((Regex::new(p).ok()?, to)));
    compiled.collect::<Option<Vec<_>>>().unwrap_or_default()
});

/// The session of an AWS role: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION` or `AROA…:SESSION`.
static SESSION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(arn:[\w-]+:sts::\d+:assumed-role/[^/]+/|AROA\w+:)(.+)$").ok());

/// Moments and ids in a session's name, as SDKs make them up.
static DRAWN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\d{10,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").ok()
});

/// Who acted as an AWS role, without the part of the session's name that is new each time; a session named after a person
/// or a machine stays.
pub(super) fn sessionless(text: &str) -> String {
    let (Some(session), Some(drawn)) = (SESSION.as_ref(), DRAWN.as_ref()) else {
        return text.to_owned();
    };
    match session.captures(text) {
        Some(c) if !c[2].starts_with("i-") => format!("{}{}", &c[1], drawn.replace_all(&c[2], "#")),
        _ => text.to_owned(),
    }
}

/// A free text without what differs in it each time; every other number stays.
pub(super) fn timeless(text: &str) -> String {
    let mut out = text.to_owned();
    for (pattern, to) in CHANGING.iter() {
        out = pattern.replace_all(&out, *to).into_owned();
    }
    out
}

/// The usual spelling of a UUID, lower case. Without it alerts would only differ more.
static UUID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").ok());

/// Longest word of mixed letters and digits that is kept; longer ones are ids.
const LONGEST_MIXED: usize = 8;

/// The text in lower case with numbers and ids left out: for agents and answers, never for what was asked.
pub(super) fn masked(text: &str) -> String {
    let text = text.trim().to_lowercase();
    let text = match UUID.as_ref() {
        Some(uuid) => uuid.replace_all(&text, "#"),
        None => text.as_str().into(),
    };
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let ends = word.chars().next_back().filter(|c| !c.is_alphanumeric());
        let bare = &word[..word.len() - ends.map_or(0, char::len_utf8)];
        let numbered = bare.contains(|c: char| c.is_ascii_digit());
        let is_id =
            bare.chars().all(|c| c.is_ascii_hexdigit()) || bare.chars().count() > LONGEST_MIXED;
        if !(numbered && is_id) {
            out.extend(bare.chars().filter(|c| !c.is_ascii_digit()));
        }
        if numbered {
            out.push('#');
        }
        out.extend(ends);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_each_time_is_left_out_of_free_text() {
        for (one, other) in [
            ("curl http://203.0.113.5/a", "curl http://198.51.100.9/a"),
            ("curl http://3405803781/x", "curl http://3405803782/x"),
            ("ssh srv01", "ssh srv02"),
            ("iptables --dport 443", "iptables --dport 22"),
            ("snapshot for 111122223333", "snapshot for 444455556666"),
            ("at 1700000001", "at 1700009999"),
        ] {
            assert_ne!(timeless(one), timeless(other));
        }
        for (one, other) in [
            (
                "Nov 12 10:00:01 web sshd[411]: Failed password for root from 192.0.2.7 port 40122 ssh2",
                "Nov 13 09:58:07 web sshd[9]: Failed password for root from 192.0.2.7 port 33001 ssh2",
            ),
            (
                "type=SYSCALL msg=audit(1700000001.123:99): pid=7 exe=\"/bin/su\"",
                "type=SYSCALL msg=audit(1700000999.001:12): pid=8123 exe=\"/bin/su\"",
            ),
            (
                "2026-03-01T10:00:00Z start",
                "2026-03-02 11:00:00.123+01:00 start",
            ),
        ] {
            assert_eq!(timeless(one), timeless(other));
        }
    }

    #[test]
    fn a_session_that_is_drawn_goes_and_a_persons_stays() {
        let role = "arn:aws:sts::111122223333:assumed-role/deploy/";
        for (session, kept) in [
            ("1772538555555825313", "#"),
            ("botocore-session-1772538555", "botocore-session-#"),
            ("6f9619ff-abcd-d011-beef-00cf4fc964ff", "#"),
            ("ana@corp.example", "ana@corp.example"),
            ("i-01234567890123456", "i-01234567890123456"),
        ] {
            assert_eq!(
                sessionless(&format!("{role}{session}")),
                format!("{role}{kept}")
            );
            let id = format!("AROAEXAMPLE:{session}");
            assert_eq!(sessionless(&id), format!("AROAEXAMPLE:{kept}"));
        }
        let user = "arn:aws:iam::111122223333:user/1772538555555825313";
        assert_eq!(sessionless(user), user);
    }

    #[test]
    fn ids_go_from_answers_and_words_stay() {
        for (text, kept) in [
            ("i-0abc12de34f567890", "i-#"),
            ("id 6f9619ff-abcd-d011-beef-00cf4fc964ff", "id #"),
            ("a1b2c3 deed", "# deed"),
            (
                "Mozilla/5.0 (Windows NT 10.0)",
                "mozilla/#.# (windows nt #.#)",
            ),
            ("", ""),
        ] {
            assert_eq!(masked(text), kept, "{text}");
        }
        assert_ne!(masked("AdministratorAccess"), masked("ReadOnlyAccess"));
    }
}
