//! The envelope every answer travels in, its bounds, and the three ways a question can end. It knows
//! no server.

use rmcp::Json;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    clock::Stamp,
    files::{Row, Unanswered, bounded},
};

/// The most an answer's results take as JSON text.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// The envelope of an answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Answer {
    /// False: this environment has no such system. That is neither "no hits" nor a failure.
    pub available: bool,
    /// Why it is not available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The time the question was answered for; nothing later was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// What was found.
    pub results: Vec<Value>,
    /// How many results are in this answer.
    pub count: usize,
    /// True: there is more than this answer holds.
    pub truncated: bool,
    /// What to know about this answer, such as why it was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Answer {
    /// An answer of at most `limit` results and [`MAX_BYTES`].
    pub(crate) fn new(
        as_of: Stamp,
        results: impl IntoIterator<Item = impl Into<Value>>,
        limit: usize,
    ) -> Self {
        let mut kept = Vec::new();
        let mut room = MAX_BYTES;
        let mut note = None;
        for result in results {
            let result = result.into();
            if kept.len() == limit {
                note = Some(format!("cut after {limit} results"));
                break;
            }
            let size = size_of_json(&result);
            if size > room {
                note = Some(format!("cut at {MAX_BYTES} bytes"));
                break;
            }
            room -= size;
            kept.push(result);
        }
        Self {
            available: true,
            reason: None,
            as_of: Some(as_of.to_string()),
            count: kept.len(),
            results: kept,
            truncated: note.is_some(),
            note,
        }
    }

    pub(crate) fn absent(reason: String) -> Self {
        Self {
            available: false,
            reason: Some(reason),
            as_of: None,
            results: Vec::new(),
            count: 0,
            truncated: false,
            note: None,
        }
    }
}

/// Sends an answer on its way: absence in the envelope, failure as an error.
pub(crate) fn reply(answer: Result<Answer, Unanswered>) -> Result<Json<Answer>, String> {
    match answer {
        Ok(answer) => Ok(Json(answer)),
        Err(Unanswered::Absent(reason)) => Ok(Json(Answer::absent(reason))),
        Err(Unanswered::Failed(reason)) => Err(bounded(&reason, 2000)),
    }
}

/// The length of a value as JSON text.
pub(crate) fn size_of_json(value: &Value) -> usize {
    serde_json::to_string(value).map_or(usize::MAX, |text| text.len())
}

/// The row with one field of ours added; ours wins over a field of that name in the file.
pub(crate) fn with(mut row: Row, key: &str, value: impl Into<Value>) -> Row {
    row.insert(key.to_owned(), value.into());
    row
}

/// The limit to use: `asked`, else `default`, refused outside 1 to `most`.
pub(crate) fn limit(
    asked: Option<usize>,
    default: usize,
    most: usize,
) -> Result<usize, Unanswered> {
    match asked {
        None => Ok(default),
        Some(n) if (1..=most).contains(&n) => Ok(n),
        Some(_) => Err(Unanswered::Failed(format!(
            "limit must be from 1 to {most}"
        ))),
    }
}
