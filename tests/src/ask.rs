//! Asks a daemon over HTTP/1.1 by hand and reads what it tells of itself; what must be told stands in the tests.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::daemon::Daemon;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.body).with_context(|| self.body.clone())
    }
}

/// Asks for a path, with an `Accept` header when one is given.
pub async fn get(port: u16, path: &str, accept: Option<&str>) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let accept = accept.map_or(String::new(), |a| format!("Accept: {a}\r\n"));
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{accept}\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut text = String::new();
    // It ends although we asked for no end: the daemon takes one request a connection.
    stream.read_to_string(&mut text).await?;
    let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).context("no status")?.parse()?;
    let headers = lines
        .filter_map(|l| l.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Ok(Answer {
        status,
        headers,
        body: body.to_owned(),
    })
}

/// Waits until the daemon says where it is asked.
pub async fn port(daemon: &mut Daemon) -> anyhow::Result<u16> {
    daemon.says("metrics and health are served").await?;
    let log = daemon.log();
    let (_, address) = log
        .split_once("metrics and health are served address=127.0.0.1:")
        .with_context(|| log.clone())?;
    let digits: String = address.chars().take_while(char::is_ascii_digit).collect();
    Ok(digits.parse()?)
}

/// One sample line.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Name as written, with its suffix.
    pub name: String,
    /// Labels, unescaped.
    pub labels: BTreeMap<String, String>,
    /// Value.
    pub value: f64,
}

/// A text of metrics, each line read; the types by family name.
#[derive(Debug, Default)]
pub struct Exposed {
    /// Samples, in order.
    pub samples: Vec<Sample>,
    /// `# TYPE` lines.
    pub types: BTreeMap<String, String>,
}

impl Exposed {
    /// Reads a text in either format; a line that neither has is an error.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let mut exposed = Self::default();
        ensure!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').context("a TYPE without a type")?;
                let before = exposed.types.insert(name.to_owned(), kind.to_owned());
                ensure!(before.is_none(), "{name} has two types");
            } else if !(line.starts_with("# HELP ") || line == "# EOF") {
                let sample = sample(line).with_context(|| format!("not a sample: {line:?}"))?;
                exposed.samples.push(sample);
            }
        }
        Ok(exposed)
    }

    /// The sum over all samples of a name that have these labels.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |s: &&Sample| {
            s.name == name
                && labels
                    .iter()
                    .all(|(k, v)| s.labels.get(*k).is_some_and(|l| l == v))
        };
        let mut found = self.samples.iter().filter(has).map(|s| s.value).peekable();
        found.peek()?;
        Some(found.sum())
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (key, after) = rest.split_once("=\"")?;
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next()? {
                    (_, '\\') => value.push(match chars.next()?.1 {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        _ => return None,
                    }),
                    (at, '"') => break at,
                    (_, c) => value.push(c),
                }
            };
            if key.is_empty() || !key.chars().all(plain) || labels.contains_key(key) {
                return None;
            }
            labels.insert(key.to_owned(), value);
            rest = &after[end + 1..];
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ')?;
    let named = !name.is_empty() && name.chars().all(plain);
    Some(Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().ok().filter(|_| named)?,
    })
}
