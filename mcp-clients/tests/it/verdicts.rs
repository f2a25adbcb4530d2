//! The products' words for our verdicts: what each shipped table says, and what no table may say.

use mcp_clients::mappings::{Mappings, word};
use state::model::{VerdictKind, VerdictReason};

use VerdictKind as K;
use VerdictReason as R;

/// Table, verdict and reason, and the words for them.
const SAID: &[(&str, VerdictKind, VerdictReason, &str)] = &[
    ("panther", K::TruePositive, R::Malware, "RESOLVED - -"),
    (
        "panther",
        K::BenignPositive,
        R::ExpectedBusiness,
        "RESOLVED - -",
    ),
    ("panther", K::FalsePositive, R::IncorrectLogic, "CLOSED - -"),
    (
        "elastic",
        K::BenignPositive,
        R::Maintenance,
        "closed - benign_positive",
    ),
    (
        "splunk",
        K::FalsePositive,
        R::IncorrectLogic,
        "5 disposition:3 -",
    ),
    (
        "splunk",
        K::FalsePositive,
        R::InaccurateData,
        "5 disposition:4 -",
    ),
    (
        "sentinel",
        K::FalsePositive,
        R::InaccurateData,
        "Closed FalsePositive InaccurateData",
    ),
    (
        "sentinel",
        K::Duplicate,
        R::SameIncident,
        "Closed Undetermined -",
    ),
    (
        "graph",
        K::TruePositive,
        R::Phishing,
        "resolved truePositive phishing",
    ),
    (
        "graph",
        K::BenignPositive,
        R::AuthorizedTest,
        "resolved informationalExpectedActivity securityTesting",
    ),
    (
        "secops",
        K::BenignPositive,
        R::AuthorizedTest,
        "CLOSED - REASON_MAINTENANCE",
    ),
    (
        "secops",
        K::FalsePositive,
        R::IncorrectLogic,
        "CLOSED FALSE_POSITIVE REASON_NOT_MALICIOUS",
    ),
    (
        "datadog",
        K::BenignPositive,
        R::AuthorizedTest,
        "archived - testing_or_maintenance",
    ),
    ("thehive", K::BenignPositive, R::AdminActivity, "Other - -"),
    ("iris", K::TruePositive, R::Malware, "Closed 4 -"),
    ("wazuh", K::FalsePositive, R::IncorrectLogic, "never closed"),
    (
        "opensearch",
        K::FalsePositive,
        R::IncorrectLogic,
        "never closed",
    ),
];

/// The words of a closed alert in one line: status, verdict, reason; `-` where there is none.
fn said(mappings: &Mappings, table: &str, kind: VerdictKind, reason: VerdictReason) -> String {
    let table = mappings.verdict_words(table).unwrap();
    let Some(words) = table.closed(kind, reason) else {
        return "never closed".to_owned();
    };
    let of = |name: &str| words.get(name).map_or("-".to_owned(), word);
    format!("{} {} {}", of("status"), of("verdict"), of("reason"))
}

#[test]
fn every_product_hears_its_own_words_and_none_a_stronger_one() {
    let mappings = Mappings::load(None).unwrap();
    for (table, kind, reason, words) in SAID.iter().copied() {
        assert_eq!(
            said(&mappings, table, kind, reason),
            words,
            "{table} {kind} {reason}"
        );
    }
    let tables = mappings.verdict_tables();
    assert_eq!(tables.len(), 11, "{tables:?}");
    for table in tables {
        for kind in [K::Suspicious, K::Undetermined] {
            let words = said(&mappings, table, kind, R::NeedsHuman);
            assert_eq!(words, "never closed", "{table} {kind}");
        }
        let words = mappings.verdict_words(table).unwrap();
        let open = words.open().get("status").map(word);
        assert!(open.is_none_or(|s| !words.closing.contains(&s)), "{table}");
    }
}

#[test]
fn a_table_that_would_close_what_is_open_is_refused() {
    for (text, fault) in [
        (
            "closing = [\"closed\"]\n[closed]\nsuspicious = { status = \"closed\" }",
            "is never closed",
        ),
        (
            "closing = [\"closed\"]\n[closed]\nundetermined = { status = \"closed\" }",
            "is never closed",
        ),
        (
            "closing = [\"closed\"]\nopen = { status = \"closed\" }",
            "people still have it",
        ),
        (
            "untouched = [\"closed\"]\nclosing = [\"closed\"]",
            "is a closing status too",
        ),
        (
            "[closed]\nfalse_positive = { status = \"done\" }",
            "is not one of the closing statuses",
        ),
        (
            "[reasons]\nmalware = { status = \"closed\" }",
            "never the status",
        ),
        ("statuses = []", "is not a key"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("verdicts")).unwrap();
        std::fs::write(dir.path().join("verdicts/ours.toml"), text).unwrap();
        let faults = Mappings::load(Some(dir.path())).unwrap_err();
        let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(all.iter().any(|f| f.contains(fault)), "{text}: {all:?}");
    }
}
