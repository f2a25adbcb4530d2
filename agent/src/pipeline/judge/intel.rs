//! What threat intelligence says, as a reason not to close: words that clear are listed, and any other word is one.

use serde_json::Value;
use state::model::{Answer, Evidence};

/// Words that clear a value, or say that nothing is known of it.
const CLEAR: [&str; 26] = [
    "",
    "allowlisted",
    "benign",
    "clean",
    "good",
    "harmless",
    "legitimate",
    "n/a",
    "neutral",
    "no data",
    "no_data",
    "none",
    "not found",
    "not_found",
    "not listed",
    "ok",
    "safe",
    "trusted",
    "undetected",
    "undetermined",
    "unknown",
    "unlisted",
    "unrated",
    "unverified",
    "whitelist",
    "whitelisted",
];

/// Where a value is said to be something, whatever the verdict on it.
const KINDS: [&str; 4] = ["type", "kind", "category", "usage_type"];

/// Kinds of a value behind which anybody may stand, or nobody good.
const SHADY: [&str; 12] = [
    "anonymiser",
    "anonymizer",
    "botnet",
    "c2",
    "malware",
    "open proxy",
    "phishing",
    "proxy",
    "scanner",
    "tor",
    "tor exit",
    "vpn",
];

/// What an answer says against a close; one in a form nobody reads does so too.
pub(super) fn speaks(evidence: &Evidence) -> Option<String> {
    let reference = &evidence.reference;
    let mut unread = false;
    for row in crate::playbook::rows_of(&evidence.value) {
        match read(&row) {
            Said::Against(what) => {
                let what = crate::text::oneline(&what, 40);
                return Some(format!("threat intelligence calls it {what} ({reference})"));
            }
            Said::Nothing => unread = true,
            Said::Clear => {}
        }
    }
    (unread && evidence.answer == Answer::Found)
        .then(|| format!("threat intelligence answered in a form that is not read ({reference})"))
}

/// What one row says.
enum Said {
    Clear,
    Against(String),
    Nothing,
}

fn read(row: &Value) -> Said {
    let word = |key: &str| {
        let text = row.get(key).and_then(Value::as_str)?;
        Some(text.trim().to_lowercase())
    };
    let words: Vec<String> = ["verdict", "reputation"]
        .into_iter()
        .filter_map(word)
        .collect();
    if let Some(bad) = words.iter().find(|w| !CLEAR.contains(&w.as_str())) {
        return Said::Against(bad.clone());
    }
    for flag in ["malicious", "suspicious"] {
        let raised = match row.get(flag) {
            Some(Value::Bool(yes)) => *yes,
            Some(Value::Number(n)) => n.as_f64().is_none_or(|n| n > 0.0),
            _ => false,
        };
        if raised {
            return Said::Against(flag.to_owned());
        }
    }
    let mut kinds = KINDS.into_iter().filter_map(word);
    if let Some(kind) = kinds.find(|k| SHADY.contains(&k.as_str())) {
        return Said::Against(kind);
    }
    // A verdict that is there and is no word has been read by nobody.
    let odd = row
        .get("verdict")
        .is_some_and(|v| !v.is_string() && !v.is_null());
    let flagged = row.get("malicious").is_some_and(Value::is_boolean);
    match (!words.is_empty() || flagged) && !odd {
        true => Said::Clear,
        false => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use state::model::{CaseId, Trust};

    use super::*;

    fn said(row: Value) -> Option<String> {
        speaks(&Evidence {
            case: CaseId(1),
            reference: "E7".to_owned(),
            asked_by: "intel_src".to_owned(),
            tool: "intel.lookup_indicator".to_owned(),
            call: None,
            answer: Answer::Found,
            summary: String::new(),
            digest: String::new(),
            value: json!({"results": row}),
            activities: Vec::new(),
            trust: Trust::Trusted,
            at: chrono::DateTime::UNIX_EPOCH,
        })
    }

    #[test]
    fn only_words_that_clear_are_no_veto() {
        for row in [
            json!([{"verdict": "benign", "type": "ipv4"}]),
            json!([{"verdict": " Unknown "}]),
            json!([{"reputation": "clean"}, {"malicious": false}]),
            json!([{"malicious": false, "reputation": 12}]),
            json!([]),
        ] {
            assert_eq!(said(row.clone()), None, "{row}");
        }
        for row in [
            json!([{"verdict": "malicious"}]),
            json!([{"verdict": "Botnet"}]),
            json!([{"verdict": "malware"}]),
            json!([{"verdict": "phishing"}]),
            json!([{"verdict": "tor"}]),
            json!([{"verdict": "proxy"}]),
            json!([{"verdict": "a word nobody has thought of"}]),
            json!([{"verdict": "benign"}, {"verdict": "c2"}]),
            json!([{"verdict": "clean", "reputation": "bad"}]),
            json!([{"verdict": "unknown", "type": "tor"}]),
            json!([{"verdict": "unknown", "suspicious": true}]),
            json!([{"verdict": "unknown", "malicious": 3}]),
            json!([{"malicious": true}]),
            // Forms that nobody reads.
            json!([{"score": 97}]),
            json!([{"verdict": "benign"}, {"score": 97}]),
            json!([{"verdict": ["malware"], "malicious": false}]),
        ] {
            assert!(said(row.clone()).is_some(), "{row}");
        }
    }
}
