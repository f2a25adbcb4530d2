//! What an event says, so told that the same deed at another time is told alike; which alerts are alike is `likeness`'s.
//!
//! Everything is told as it stands but what is known to differ each time: the event's own ids, times, counters and source
//! ports, by their keys. What somebody asked for (parameters, targets, request bodies) is told to the last digit.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::data::sha256_hex;

/// How much of an event is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    All,
    /// Without the circumstances of whoever asked: encryption, fingerprint, place on the map.
    Deed,
}

/// Deepest level that is told; what lies deeper is told by its digest.
const DEEPEST: usize = 12;

/// Longest text that is looked into for JSON, bytes.
const LONGEST: usize = 64 * 1024;

/// What was asked for: nothing in it is left out.
const PARAMETERS: [&str; 22] = [
    "args",
    "arguments",
    "body",
    "changedetails",
    "changes",
    "config",
    "extendedproperties",
    "modifiedproperties",
    "objectref",
    "operationproperties",
    "parameters",
    "params",
    "policy",
    "policydocument",
    "request",
    "requestbody",
    "requestobject",
    "requestparameters",
    "resource",
    "resources",
    "target",
    "targets",
];

/// The same, in Microsoft's word.
const TARGETS: &str = "targetresources";

/// What was answered: ids in it are new each time, and the request says what they are of.
const RESPONSES: [&str; 3] = ["response", "responseelements", "responseobject"];

/// Circumstances of whoever asked.
const CIRCUMSTANCES: [&str; 5] = [
    "dthash",
    "eventversion",
    "geographicalcontext",
    "geolocation",
    "tlsdetails",
];

/// Agents, as products write them: told without version numbers.
const AGENTS: [&str; 4] = ["agentstring", "httpuseragent", "rawuseragent", "useragent"];

/// Moments.
const TIMES: [&str; 38] = [
    "activitydatetime",
    "createdat",
    "createddatetime",
    "creationdate",
    "creationtime",
    "endtime",
    "eventcreated",
    "eventfirstseen",
    "eventlastseen",
    "eventreceivedtime",
    "eventtime",
    "ingested",
    "ingestedat",
    "lastseen",
    "peventtime",
    "pparsetime",
    "previoustime",
    "published",
    "receivedat",
    "receivetimestamp",
    "requestreceivedtimestamp",
    "requesttime",
    "scheduletime",
    "stagetimestamp",
    "starttime",
    "systemtime",
    "time",
    "timecreated",
    "timegenerated",
    "timelocal",
    "timestamp",
    "ts",
    "updatedat",
    "updatedatetime",
    "utctime",
    "when",
    "start",
    "end",
];

/// Keys of ids under which some products put a code: only what is long is an id there.
const MAYBE_CODES: [&str; 4] = ["documentid", "eventid", "messageid", "recordid"];

/// Ids.
const IDS: [&str; 33] = [
    "activityid",
    "amznrequestid",
    "apirequestid",
    "auditid",
    "communityid",
    "conversationid",
    "correlationid",
    "deliveryid",
    "eventguid",
    "eventuid",
    "externalsessionid",
    "flowid",
    "insertid",
    "internetmessageid",
    "logonguid",
    "networkmessageid",
    "parentprocessguid",
    "processguid",
    "prowid",
    "requestid",
    "rootsessionid",
    "rowid",
    "sessionguid",
    "sessionid",
    "sharedeventid",
    "sourceprocessguid",
    "spanid",
    "targetprocessguid",
    "traceid",
    "transactionid",
    "uniquetokenidentifier",
    "uuid",
    "xamzid2",
];

/// Numbers that the machine counts up, and ports that the asking side draws.
const DRAWN: [&str; 22] = [
    "clientport",
    "eventrecordid",
    "executionprocessid",
    "firedtimes",
    "logonid",
    "newprocessid",
    "parentprocessid",
    "pid",
    "ppid",
    "processid",
    "recordnumber",
    "sequence",
    "sequencenumber",
    "sourceport",
    "spt",
    "srcport",
    "subjectlogonid",
    "targetlogonid",
    "threadid",
    "tid",
    "eventcount",
    "initiatingprocessid",
];

/// Fewest characters of a long id.
const LONG: usize = 16;

/// Where free text stands, which begins with a time and a process number on many machines.
const TEXTS: [&str; 11] = [
    "displaymessage",
    "fulllog",
    "log",
    "message",
    "msg",
    "original",
    "previousoutput",
    "raw",
    "rawlog",
    "rawmessage",
    "syslog",
];

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'k> {
    /// The key, lower case, letters and digits alone.
    key: &'k str,
    /// The key above it.
    above: &'k str,
    depth: usize,
    part: Part,
    asked: bool,
    answered: bool,
}

/// What an event says.
#[must_use]
pub(super) fn told(event: &Value, part: Part) -> Value {
    let place = Place {
        key: "",
        above: "",
        depth: 0,
        part,
        asked: false,
        answered: false,
    };
    tell(event, place)
}

fn tell(value: &Value, at: Place<'_>) -> Value {
    match value {
        _ if at.depth > DEEPEST => json!(sha256_hex(value.to_string())),
        Value::Object(map) => object(map, at),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|v| tell(v, at)).collect();
            // In whatever order: what belongs together stays together.
            items.sort_by_cached_key(Value::to_string);
            items.dedup();
            Value::Array(items)
        }
        Value::String(text) => match inner(text) {
            Some(inner) => tell(
                &inner,
                Place {
                    depth: at.depth + 1,
                    ..at
                },
            ),
            None => json!(leaf(text.trim(), at)),
        },
        Value::Number(n) => json!(leaf(&n.to_string(), at)),
        Value::Bool(_) | Value::Null => value.clone(),
    }
}

fn object(map: &Map<String, Value>, at: Place<'_>) -> Value {
    let mut lines: Vec<(String, Value)> = Vec::new();
    for (name, value) in map {
        let key = plain(name);
        let circumstance = CIRCUMSTANCES.contains(&key.as_str()) && !at.asked;
        if circumstance && at.part == Part::Deed {
            continue;
        }
        let inside = Place {
            key: &key,
            above: at.key,
            depth: at.depth + 1,
            part: at.part,
            asked: at.asked || PARAMETERS.contains(&key.as_str()) || key == TARGETS,
            answered: at.answered || RESPONSES.contains(&key.as_str()),
        };
        lines.push((name.clone(), tell(value, inside)));
    }
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    json!(lines)
}

/// A key in lower case, its letters and digits alone: `@timestamp` and `eventTime` as `timestamp` and `eventtime`.
fn plain(key: &str) -> String {
    let letters = key.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// The JSON that a text holds.
fn inner(text: &str) -> Option<Value> {
    let holds = text.trim_start().starts_with(['{', '[']) && text.len() <= LONGEST;
    holds.then(|| serde_json::from_str(text).ok()).flatten()
}

fn leaf(text: &str, at: Place<'_>) -> String {
    let (key, digits) = (at.key, text.bytes().filter(u8::is_ascii_digit).count());
    let is = |keys: &[&str]| keys.contains(&key);
    if at.asked {
        return text.to_owned();
    }
    if at.answered {
        return masked(text);
    }
    let own_id = key == "id"
        && (at.depth == 1 || matches!(at.above, "properties" | "records" | "transaction"));
    let maybe_code = own_id || is(&MAYBE_CODES);
    let own_id = (is(&IDS) || maybe_code) && digits > 0 && (text.len() >= LONG || !maybe_code);
    // A key that lives for an hour; one that stays is somebody's.
    let short_lived = key == "accesskeyid" && text.starts_with("ASIA");
    let left_out =
        (is(&TIMES) && digits >= 4) || own_id || (is(&DRAWN) && digits > 0) || short_lived;
    match key {
        _ if left_out => "#".to_owned(),
        _ if is(&AGENTS) => masked(text),
        _ if is(&TEXTS) => timeless(text),
        // How much was moved, by its length.
        _ if is_measure(key) && digits == text.len() => format!("{digits} digits"),
        _ => text.to_owned(),
    }
}

fn is_measure(key: &str) -> bool {
    let ends = |end: &&str| key.starts_with(*end) || key.ends_with(*end);
    ["bytes", "packets", "pkts", "duration"].iter().any(ends)
}

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
