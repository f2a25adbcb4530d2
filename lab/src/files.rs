//! Reading evidence files: one JSON value a line, with line numbers in every complaint. It tells a
//! file that is not there from one that can't be read; what a row means is for the servers.

use std::{
    fs, io,
    path::{Component, Path},
};

use serde_json::{Map, Value};

/// One row of an evidence file.
pub(crate) type Row = Map<String, Value>;

/// Read by the daemon's `eval` alone.
pub(crate) const LABELS: &str = "labels.jsonl";

/// Why a tool has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// This environment has no such system.
    Absent(String),
    /// There is one, and it could not be asked.
    Failed(String),
}

/// A file as found when the server started.
pub(crate) type Loaded<T> = Result<T, Unanswered>;

/// Reads a file of objects.
pub(crate) fn rows(dir: &Path, file: &str) -> Loaded<Vec<Row>> {
    let mut rows = Vec::new();
    for (number, line) in lines(&bytes(dir, file)?) {
        rows.push(row(line).map_err(|problem| {
            Unanswered::Failed(format!("{file} line {number}: {problem}; correct the file"))
        })?);
    }
    Ok(rows)
}

/// Reads one line as an object.
pub(crate) fn row(line: &[u8]) -> Result<Row, String> {
    match serde_json::from_slice(line) {
        Ok(Value::Object(row)) => Ok(row),
        Ok(_) => Err("not a JSON object".to_owned()),
        Err(error) => Err(format!("not JSON: {}", bounded(&error.to_string(), 160))),
    }
}

/// The lines of a file that are not blank, numbered from 1.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes
        .split(|byte| *byte == b'\n')
        .zip(1..)
        .map(|(line, number)| (number, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty())
}

/// The whole of a file inside the lab folder.
pub(crate) fn bytes(dir: &Path, file: &str) -> Loaded<Vec<u8>> {
    let failed = |problem: &str| Unanswered::Failed(format!("can't read {file}: {problem}"));
    if !stays_inside(file) {
        return Err(failed("the name leads out of the lab folder"));
    }
    let path = dir.join(file);
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Unanswered::Absent(format!("this lab has no {file}")));
        }
        Err(error) => return Err(failed(&error.to_string())),
        Ok(_) => {}
    }
    // A link could point at the labels or out of the folder.
    let real = path.canonicalize().map_err(|e| failed(&e.to_string()))?;
    let home = dir.canonicalize().map_err(|e| failed(&e.to_string()))?;
    if !real.starts_with(&home) {
        return Err(failed("it is a link out of the lab folder"));
    }
    if real == home.join(LABELS) || home.join(LABELS).canonicalize().is_ok_and(|l| l == real) {
        return Err(failed("labels are never served"));
    }
    fs::read(&real).map_err(|error| failed(&error.to_string()))
}

/// Whether `file` is a plain relative path.
pub(crate) fn stays_inside(file: &str) -> bool {
    !file.is_empty()
        && Path::new(file)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

/// At most `limit` characters of text nobody here wrote.
pub(crate) fn bounded(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
