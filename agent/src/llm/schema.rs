//! The one form in which a model may answer: its JSON Schema, its type, and a reading that says precisely what is wrong.
//! Whether the claims are true is checked elsewhere, against the evidence.

use serde_json::{Value, json};
use state::model::{Claim, Gap, Tier, VerdictKind};

use super::ToolSpec;

mod read;

use read::Reader;

/// Name of the function.
pub const SUBMIT: &str = "submit_assessment";

/// Most claims.
pub const MAX_CLAIMS: usize = 40;
/// Most characters of a claim.
pub const MAX_CLAIM_CHARS: usize = 600;
/// Most characters of a quoted value.
pub const MAX_QUOTE_CHARS: usize = 300;
/// Most pieces of evidence one claim may cite.
pub const MAX_REFS: usize = 10;
/// Most gaps.
pub const MAX_GAPS: usize = 40;
/// Most characters of each half of a gap.
pub const MAX_GAP_CHARS: usize = 300;
/// Most techniques.
pub const MAX_TECHNIQUES: usize = 30;

/// What the analyst proposes to do next. A proposal: closing is decided elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Close the alert.
    Close,
    /// Let the next tier look.
    HandOn,
    /// Let a person look.
    Escalate,
}

impl Next {
    /// The word in the answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::HandOn => "hand_on",
            Self::Escalate => "escalate",
        }
    }

    /// What a tier may propose.
    #[must_use]
    pub const fn allowed(tier: Tier) -> &'static [Self] {
        match tier {
            Tier::One => &[Self::Close, Self::HandOn],
            Tier::Two => &[Self::Close, Self::HandOn, Self::Escalate],
            Tier::Three => &[Self::Close, Self::Escalate],
        }
    }
}

/// A submitted assessment, well formed and within bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// Proposed verdict.
    pub verdict: VerdictKind,
    /// Probability that the activity is malicious, 0 to 1.
    pub probability_malicious: f64,
    /// How sure the model is of the verdict, 0 to 100.
    pub confidence: i64,
    /// Facts and where they stand.
    pub claims: Vec<Claim>,
    /// What was not checked. Whether closing needs it is not the model's to say: `required` is false.
    pub gaps: Vec<Gap>,
    /// ATT&CK technique ids.
    pub techniques: Vec<String>,
    /// What it proposes to do.
    pub next: Next,
}

/// What is wrong with a submitted assessment, in words the model can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the assessment is not valid: {}", .0.join("; "))]
pub struct NotSubmitted(pub Vec<String>);

/// The function as offered to the model at a tier.
#[must_use]
pub fn tool(tier: Tier) -> ToolSpec {
    ToolSpec {
        name: SUBMIT.to_owned(),
        description: "Gives your final assessment of this alert and ends your work on it. Call it exactly once."
            .to_owned(),
        parameters: parameters(tier),
    }
}

/// JSON Schema of the arguments: every field required, nothing else allowed. Bounds stand in the descriptions,
/// because several servers refuse schemas with bounds; [`Submitted::parse`] holds them.
#[must_use]
pub fn parameters(tier: Tier) -> Value {
    let words: Vec<&str> = VerdictKind::ALL.iter().map(|v| v.as_str()).collect();
    let next: Vec<&str> = Next::allowed(tier).iter().map(|n| n.as_str()).collect();
    let claim = object(json!({
        "text": {"type": "string", "description": format!("One fact in one sentence, at most {MAX_CLAIM_CHARS} characters.")},
        "evidence": {"type": "array", "items": {"type": "string"},
            "description": format!("References of the evidence it rests on, for instance E3; 1 to {MAX_REFS}.")},
        "quote": {"type": ["string", "null"],
            "description": format!("A value copied character by character from that evidence, at most {MAX_QUOTE_CHARS} characters; null when the claim rests on an absence.")},
    }));
    let gap = object(json!({
        "what": {"type": "string", "description": "The question that has no answer."},
        "why": {"type": "string", "description": "Why: not asked, tool failed, partial answer, not available here."},
    }));
    object(json!({
        "verdict": {"type": "string", "enum": words, "description": "The verdict; undetermined when the evidence does not decide."},
        "probability_malicious": {"type": "number", "description": "Probability that the activity is malicious, from 0 to 1."},
        "confidence": {"type": "integer", "description": "How sure you are of the verdict, from 0 to 100."},
        "claims": {"type": "array", "items": claim, "description": format!("The facts the verdict rests on, the weightiest first; at most {MAX_CLAIMS}.")},
        "gaps": {"type": "array", "items": gap, "description": format!("What could not be checked; at most {MAX_GAPS}.")},
        "techniques": {"type": "array", "items": {"type": "string"},
            "description": format!("ATT&CK technique ids seen in the evidence, for instance T1078.004; at most {MAX_TECHNIQUES}.")},
        "next": {"type": "string", "enum": next, "description": "What you propose to do with the alert."},
    }))
}

fn object(properties: Value) -> Value {
    let required: Vec<&String> = properties
        .as_object()
        .map(|p| p.keys().collect())
        .unwrap_or_default();
    json!({"type": "object", "required": required, "additionalProperties": false, "properties": properties})
}

impl Submitted {
    /// Reads the arguments of a [`SUBMIT`] call made at `tier`.
    ///
    /// # Errors
    /// Everything that is wrong, at most twelve points, each naming its field and what to write instead.
    pub fn parse(arguments: &str, tier: Tier) -> Result<Self, NotSubmitted> {
        let mut value: Value = serde_json::from_str(arguments).map_err(|e| {
            let place = format!("line {} column {}", e.line(), e.column());
            NotSubmitted(vec![format!(
                "the arguments are not JSON (at {place}); send one JSON object"
            )])
        })?;
        // Some models encode the object twice.
        if let Some(inner) = value.as_str().and_then(|s| serde_json::from_str(s).ok()) {
            value = inner;
        }
        let mut read = Reader::default();
        let fields = [
            "verdict",
            "probability_malicious",
            "confidence",
            "claims",
            "gaps",
            "techniques",
            "next",
        ];
        let map = read.object(&value, "the arguments", &fields);
        let verdict = read.one_of(&map, "verdict", VerdictKind::ALL, VerdictKind::as_str);
        let probability = read.probability(map.get("probability_malicious"));
        let confidence = read.confidence(map.get("confidence"));
        let claims = read.list(&map, "claims", MAX_CLAIMS, Reader::claim);
        let gaps = read.list(&map, "gaps", MAX_GAPS, Reader::gap);
        let techniques = read.list(&map, "techniques", MAX_TECHNIQUES, Reader::technique);
        let next = read.one_of(&map, "next", Next::allowed(tier), Next::as_str);
        if let (Some(verdict), Some(next)) = (verdict, next) {
            let claimed = map
                .get("claims")
                .is_some_and(|c| c.as_array().is_none_or(|c| !c.is_empty()));
            read.consistent(verdict, next, tier);
            if !claimed && verdict != VerdictKind::Undetermined {
                read.problem(format!(
                    "a verdict of {verdict} needs at least one claim with evidence"
                ));
            }
        }
        match (verdict, probability, confidence, next) {
            (Some(verdict), Some(probability_malicious), Some(confidence), Some(next))
                if read.problems.is_empty() =>
            {
                Ok(Self {
                    verdict,
                    probability_malicious,
                    confidence,
                    claims,
                    gaps,
                    techniques,
                    next,
                })
            }
            _ => Err(NotSubmitted(read.problems)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn good() -> Value {
        json!({
            "verdict": "benign_positive", "probability_malicious": 0.03, "confidence": 88.0,
            "claims": [
                {"text": " The address is the user's usual one. ", "evidence": ["E3", "E12"], "quote": "192.0.2.7"},
                {"text": "No other user was seen there.", "evidence": ["E4"], "quote": null},
            ],
            "gaps": [{"what": "mailbox rules", "why": "tool failed"}],
            "techniques": ["T1078", "T1078.004"], "next": "close",
        })
    }

    #[test]
    fn reads_what_the_schema_allows() {
        let read = Submitted::parse(&good().to_string(), Tier::One).unwrap();
        assert_eq!(
            (read.verdict, read.confidence, read.next),
            (VerdictKind::BenignPositive, 88, Next::Close)
        );
        assert_eq!(read.claims[0].text, "The address is the user's usual one.");
        assert_eq!(read.claims[0].evidence, ["E3", "E12"]);
        assert_eq!(read.claims[1].quote, None);
        assert!(!read.gaps[0].required);
        let twice = Value::String(good().to_string()).to_string();
        assert_eq!(Submitted::parse(&twice, Tier::One).unwrap(), read);

        for tier in Tier::ALL {
            let schema = parameters(tier);
            let next = schema["properties"]["next"]["enum"]
                .as_array()
                .unwrap()
                .len();
            assert_eq!(next, Next::allowed(tier).len());
            let validator = jsonschema::validator_for(&schema).unwrap();
            assert!(validator.is_valid(&good()));
            for key in good().as_object().unwrap().keys() {
                let mut less = good();
                less.as_object_mut().unwrap().remove(key);
                assert!(!validator.is_valid(&less), "{key} is required");
            }
        }
    }

    /// Where, what instead, at which tier, and what is said of it.
    const WRONG: &str = r#"
/verdict                 | "harmless"     | 1 | `verdict` must be one of true_positive,
/verdict                 | "undetermined" | 1 | undetermined cannot be closed
/probability_malicious   | "0.1"          | 1 | `probability_malicious` must be a number from 0 to 1
/probability_malicious   | 1.01           | 1 | `probability_malicious` must be a number from 0 to 1
/confidence              | 101            | 1 | `confidence` must be a whole number from 0 to 100
/confidence              | 50.5           | 1 | `confidence` must be a whole number from 0 to 100
/claims                  | {}             | 1 | `claims` must be a list
/claims                  | []             | 1 | a verdict of benign_positive needs at least one claim
/claims/0                | "just words"   | 1 | `claims[0]` must be a JSON object
/claims/1/text           | "  "           | 1 | the text of `claims[1]` must be a text that is not empty
/claims/0/evidence       | []             | 1 | `claims[0]` cites no evidence
/claims/0/evidence/1     | "e12"          | 1 | in `claims[0]`: `evidence[1]` must be a reference
/claims/0/evidence/1     | "E0"           | 1 | in `claims[0]`: `evidence[1]` must be a reference
/claims/0/quote          | 7              | 1 | the quote of `claims[0]` must be a text
/gaps/0                  | {"what": "x"}  | 1 | `gaps[0]`: the field `why` is missing
/techniques/0            | "T107"         | 1 | `techniques[0]` must be an ATT&CK technique id
/techniques/1            | "T1078.4"      | 1 | `techniques[1]` must be an ATT&CK technique id
/next                    | "escalate"     | 1 | `next` must be one of close, hand_on
/next                    | "hand_on"      | 3 | `next` must be one of close, escalate
/next                    | "close"        | 3 | tier 3 does not close as benign
"#;

    fn problems(pointer: &str, value: Value, tier: Tier) -> Vec<String> {
        let mut bad = good();
        *bad.pointer_mut(pointer).unwrap() = value;
        Submitted::parse(&bad.to_string(), tier).unwrap_err().0
    }

    #[test]
    fn says_what_is_wrong() {
        for row in WRONG.trim().lines() {
            let cells: Vec<&str> = row.splitn(4, " | ").map(str::trim).collect();
            let value = serde_json::from_str(cells[1]).unwrap();
            let tier = cells[2].parse::<u8>().unwrap().try_into().unwrap();
            let said = problems(cells[0], value, tier);
            assert_eq!(said.len(), 1, "{row}: {said:?}");
            assert!(said[0].contains(cells[3]), "{row}: {said:?}");
        }
        let claim = good()["claims"][0].clone();
        let many = problems("/claims", json!(vec![claim; 41]), Tier::One);
        assert_eq!(many, ["`claims` has 41 items; at most 40 are allowed"]);
        let long = problems("/claims/0/text", json!("ü".repeat(601)), Tier::One);
        assert_eq!(
            long,
            ["the text of `claims[0]` has 601 characters; at most 600 are allowed"]
        );
        let all = problems("/techniques", json!(vec!["bad"; 30]), Tier::One);
        assert_eq!(all.len(), 12, "bounded");
        let extra = Submitted::parse(r#"{"close_allowed": true}"#, Tier::One);
        let extra = extra.unwrap_err().to_string();
        assert!(extra.contains("`close_allowed` is unknown"), "{extra}");
        assert!(extra.contains("`verdict` is missing"), "{extra}");
        for text in ["", "{", "[]", "null", "\"words\""] {
            assert!(Submitted::parse(text, Tier::Two).is_err(), "{text}");
        }
    }
}
