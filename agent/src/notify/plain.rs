//! A post as a subject and plain text, for mail and for whoever has nothing better; outside text is one line and links in it are dead.

use std::fmt::Write as _;

use state::model::ApprovalState;

use crate::text::inert;

use super::card::{CaseCard, Post};

/// Subject and text of a post.
#[must_use]
pub(super) fn plain(post: &Post) -> (String, String) {
    let mut text = String::new();
    let subject = match post {
        Post::Case(card) => {
            case(card, &mut text);
            format!("{}: {}", card.case, card.title)
        }
        Post::Batch(batch) => {
            put(
                &mut text,
                &format!("{} proposed closes alike.", batch.count),
            );
            let cases: Vec<String> = batch.cases.iter().map(ToString::to_string).collect();
            put(&mut text, &format!("Cases: {}", cases.join(", ")));
            if let Some(outcome) = &batch.outcome {
                put(&mut text, outcome);
            }
            for card in &batch.sample {
                case(card, &mut text);
            }
            let answer = "Answer: nightdesk approvals approve --batch";
            put(&mut text, &format!("{answer} {}", batch.batch));
            format!("{} proposed closes: {}", batch.count, batch.title)
        }
        Post::Line(line) => {
            let at = line.at.format("%Y-%m-%d %H:%M:%SZ");
            put(&mut text, &format!("{at} {}: {}", line.actor, line.text));
            format!("{}: {}", line.case, line.text)
        }
        Post::Reminder(reminder) => {
            put(&mut text, &reminder.text);
            reminder.text.clone()
        }
        Post::Notice(notice) => {
            put(&mut text, &notice.text);
            format!("[{}] {}", notice.severity, notice.title)
        }
        Post::Digest(digest) => {
            for (name, value, change) in &digest.numbers {
                put(&mut text, &format!("{name}: {value} {change}"));
            }
            for (title, lines) in &digest.sections {
                put(&mut text, &format!("\n{title}"));
                lines
                    .iter()
                    .for_each(|line| put(&mut text, &format!("- {line}")));
            }
            format!("week {}", digest.week)
        }
    };
    (format!("nightdesk: {}", safe(&subject, 150)), text)
}

fn case(card: &CaseCard, text: &mut String) {
    put(
        text,
        &format!("{}: {} ({})", card.case, card.title, card.severity),
    );
    match &card.verdict {
        Some(v) => put(
            text,
            &format!(
                "Verdict: {}, confidence {} of 100, tier {}, analyst {}",
                v.kind, v.confidence, v.tier, v.analyst
            ),
        ),
        None => put(text, "Verdict: none"),
    }
    put(text, &format!("Stands: {}", card.standing));
    if let Some(owner) = &card.owner {
        put(text, &format!("Taken over by {owner}"));
    }
    for (name, value) in &card.facts {
        put(text, &format!("{name}: {value}"));
    }
    for reason in &card.reasons {
        let evidence = reason.evidence.join(", ");
        put(text, &format!("- {} [{evidence}]", reason.text));
    }
    for gap in &card.unchecked {
        put(text, &format!("Not checked: {gap}"));
    }
    let open = |state| state == ApprovalState::Pending;
    for ask in card.asks.iter().filter(|a| open(a.state)) {
        put(text, &format!("Asked: {}", ask.summary));
        if !ask.arguments.is_empty() {
            put(text, &format!("Arguments: {}", ask.arguments));
        }
        put(text, &format!("Digest: {}", ask.digest));
        let answer = "Answer: nightdesk approvals approve|deny";
        put(text, &format!("{answer} {}", ask.approval));
    }
}

fn put(text: &mut String, line: &str) {
    let _ = writeln!(text, "{}", safe(line, 3_000));
}

fn safe(line: &str, most: usize) -> String {
    inert(line, most)
}
