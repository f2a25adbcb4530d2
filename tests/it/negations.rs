//! What a caller calls itself silences no signal that speaks against it: the shipped playbooks hold no such negation.

use agent::config::Config;
use agent::daemon::data;
use agent::playbook::Lean;

/// Signals that negate the caller's own name for its program: in the first five that name is what is found out; beside the
/// others stands a veto without it (`sweep-of-secrets`, `much-at-once`) or a close that no silence of theirs allows.
const KNOWN: [&str; 11] = [
    "not-a-browser",
    "made-by-hand",
    "session-on-other-system",
    "odd-client-changes-code",
    "odd-client-with-token",
    "instance-credentials-elsewhere",
    "listing-sweep",
    "logging-stopped",
    "many-different-secrets",
    "many-sensitive-calls",
    "secrets-sweep",
];

/// Whether a `!` stands before something that reads the agent.
fn negates_the_agent(condition: &str) -> bool {
    condition.match_indices('!').any(|(at, _)| {
        let operand = condition[at + 1..].trim_start();
        if operand.starts_with('=') {
            return false;
        }
        reach(operand).contains("user_agent")
    })
}

/// What a `!` applies to: up to the end of its brackets, or to the next `&&`, `||`, `?` or `,`.
fn reach(operand: &str) -> &str {
    let (mut depth, mut quoted) = (0_usize, None);
    for (at, letter) in operand.char_indices() {
        match (letter, quoted) {
            ('\'' | '"', None) => quoted = Some(letter),
            (_, Some(quote)) if letter == quote => quoted = None,
            (_, Some(_)) => {}
            ('(' | '[', None) => depth += 1,
            (')' | ']', None) if depth == 0 => return &operand[..at],
            (')' | ']', None) => depth -= 1,
            ('&' | '|' | '?' | ',', None) if depth == 0 => return &operand[..at],
            _ => {}
        }
    }
    operand
}

#[test]
fn what_is_negated_is_told_precisely() {
    for (condition, negated) in [
        ("!any.act.user_agent.matches('(?i)terraform')", true),
        (
            "!(any.act.action == 'x' || text(any.act, 'user_agent').contains('b'))",
            true,
        ),
        (
            "rows.exists(r, r.age_h < 1.0 && !lower(r.user_agent).startsWith('a'))",
            true,
        ),
        (
            "any.act.user_agent.matches('!x') && !any.act.action.matches('y')",
            false,
        ),
        ("any.act.user_agent != ''", false),
        (
            "!any.act.action.matches('(a|b)') && any.act.user_agent == 'x'",
            false,
        ),
    ] {
        assert_eq!(negates_the_agent(condition), negated, "{condition}");
    }
}

#[test]
fn no_signal_is_silenced_by_what_a_caller_calls_itself() {
    let library = data(&Config::default()).unwrap().library;
    let signals = library.entries().iter().flat_map(|e| &e.playbook.signals);
    let mut found: Vec<&str> = signals
        .filter(|s| s.lean == Lean::Malicious)
        .filter(|s| negates_the_agent(s.when.source()))
        .map(|s| s.id.as_str())
        .filter(|id| !KNOWN.contains(id))
        .collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, Vec::<&str>::new());
}
