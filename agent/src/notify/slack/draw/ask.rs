//! A question on a card: exactly what would be done, its digest, and the buttons; the card around it is `case`'s.

use state::model::ApprovalState;

use super::super::block::{Block, Button, Confirm, Look, Part, Piece};
use super::super::click::{Press, Subject};
use super::super::paper::{Fits, Paper, exact, head};
use super::person;
use crate::notify::card::{Ask, ReasonFor};
use crate::text::{defang, oneline};

/// Most characters of what is asked; the whole of a longer one is kept for the thread.
const SUMMARY: usize = 500;
/// Most characters of all answered questions as JSON.
const SETTLED: usize = 3_000;

/// Whether the card offers to take the case over beside this question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takeover {
    Offered,
    Not,
}

/// An open question with its buttons; at most `most` characters of arguments are shown, and the others kept for the thread.
pub(super) fn open(paper: &mut Paper, ask: &Ask, most: usize, about: (u64, Takeover)) {
    let mut elements = vec![Part::section(what(ask))];
    keep(paper, ask, SUMMARY);
    if !ask.arguments.is_empty() {
        let arguments = exact(&ask.arguments);
        let (shown, whole) = head(&arguments, most);
        if whole == Fits::No {
            paper.keep_exact(format!("Arguments of question {}", ask.approval), arguments);
        }
        elements.push(Part::Preformatted {
            elements: vec![Piece::ours(shown)],
        });
    }
    let digest = vec![
        Piece::ours("Question "),
        Piece::code(&ask.approval.to_string()),
        Piece::ours(", digest "),
        Piece::code(&ask.digest),
    ];
    elements.push(Part::section(digest));
    for block in [Block::RichText { elements }, buttons(ask, about)] {
        // The caller has left room; a card without its buttons asks nothing, which is a no.
        let Fits::Yes = paper.put(block) else {
            let text = format!("Question {0}: nightdesk approvals show {0}", ask.approval);
            return paper.keep("Did not fit", std::iter::once(text));
        };
    }
}

/// The action, in words, and who has said yes so far.
fn what(ask: &Ask) -> Vec<Piece> {
    let mut pieces = vec![
        Piece::code(&ask.action),
        Piece::ours(" "),
        Piece::outside(&ask.summary, SUMMARY),
    ];
    if ask.needed > 1 || !ask.approved_by.is_empty() {
        let (done, needed) = (ask.approved_by.len(), ask.needed);
        pieces.push(Piece::ours(format!("\n{done} of {needed} have approved")));
        for (i, name) in ask.approved_by.iter().take(4).enumerate() {
            pieces.push(Piece::ours(if i == 0 { ": " } else { ", " }));
            pieces.push(person(name));
        }
    }
    pieces
}

fn buttons(ask: &Ask, about: (u64, Takeover)) -> Block {
    let (rev, takeover) = about;
    let (approve, id) = (approve(ask), ask.approval);
    let mut elements = vec![
        approve,
        Button::new(Press::Deny.as_str(), "Deny", id).look(Look::Danger),
    ];
    if takeover == Takeover::Offered {
        elements.push(Button::new(Press::Takeover.as_str(), "Take over", id));
    }
    Block::Actions {
        block_id: Subject::Approval(id).block_id(rev),
        elements,
    }
}

fn approve(ask: &Ask) -> Button {
    let short = ask.digest.get(..12).unwrap_or(&ask.digest);
    let more = match ask.reason {
        ReasonFor::Both => " You are asked for a reason next.",
        ReasonFor::Denial => "",
    };
    let text = format!(
        "{}: {}. Question {}, digest {short}.{more}",
        ask.action,
        oneline(&ask.summary, 120),
        ask.approval
    );
    Button::new(Press::Approve.as_str(), "Approve", ask.approval)
        .look(Look::Primary)
        .confirm(Confirm::new("Approve exactly this?", &text, "Approve"))
}

/// Keeps the words of a question for the thread if more than `most` characters of them would be shown.
fn keep(paper: &mut Paper, ask: &Ask, most: usize) {
    if defang(&ask.summary).chars().count() > most {
        let title = format!("What question {} asks", ask.approval);
        paper.keep(&title, std::iter::once(ask.summary.clone()));
    }
}

/// Questions that are no longer open; shorter where there are many or long ones, and what is cut is kept for the thread.
pub(super) fn answered(paper: &mut Paper, asks: &[&Ask]) {
    let form = |most: usize| {
        let each = asks.iter().map(|ask| settled(ask, most));
        Block::list("Answered", each.collect())
    };
    let lengths = [SUMMARY, 300, 200, 100];
    let fitting = lengths
        .into_iter()
        .find(|most| form(*most).size() < SETTLED);
    let most = fitting.unwrap_or(60);
    let _ = paper.put(form(most));
    asks.iter().for_each(|ask| keep(paper, ask, most));
}

/// A question that is no longer open, in one line.
fn settled(ask: &Ask, most: usize) -> Vec<Piece> {
    let word = match ask.state {
        ApprovalState::Pending => "open",
        ApprovalState::Approved => "approved",
        ApprovalState::Denied => "denied",
        ApprovalState::Expired => "ran out, which means no",
        ApprovalState::Used => "approved and used",
    };
    let mut pieces = vec![
        Piece::code(&ask.action),
        Piece::ours(" "),
        Piece::outside(&ask.summary, most),
        Piece::ours(": "),
        Piece::bold(word),
    ];
    let mut who: Vec<&String> = ask.approved_by.iter().collect();
    who.extend(
        ask.answered_by
            .iter()
            .filter(|n| !ask.approved_by.contains(n)),
    );
    for (i, name) in who.into_iter().take(5).enumerate() {
        pieces.push(Piece::ours(if i == 0 { " by " } else { ", " }));
        pieces.push(person(name));
    }
    pieces
}
