//! The card of a case: what, how bad, why, what was not checked, what is asked, and what became of it.

use state::model::ApprovalState;

use super::super::block::{Block, Button, Markup, Piece, Text};
use super::super::click::{Press, Subject};
use super::super::paper::{BUDGET, Drawn, Fits, Paper};
use super::ask::{self, Takeover};
use super::{Mentions, person};
use crate::notify::card::{Ask, CaseCard, Closed};
use crate::text::oneline;

/// Most questions with buttons on one card; the others follow when these are answered.
const ASKS: usize = 3;
/// Characters that stay for head, facts, reasons and gaps, however long the arguments are.
const REASONS: usize = 4_500;

pub(super) fn draw(card: &CaseCard, rev: u64, mentions: &Mentions) -> Drawn {
    let open: Vec<&Ask> = card
        .asks
        .iter()
        .filter(|a| a.state == ApprovalState::Pending)
        .collect();
    // What is asked is drawn first, so that its room does not depend on how much there is to say.
    let tail = tail(card, &open, rev, mentions);
    let bare = asked(card, &open, (rev, 0)).used();
    let room = BUDGET.saturating_sub(REASONS + tail.used() + bare) / open.len().clamp(1, ASKS);
    let asked = asked(card, &open, (rev, room));
    let mut paper = Paper::default();
    let title = title(card, &open);
    let _ = paper.put(Block::header(&title));
    let _ = paper.put(Block::fields(fields(card, &open)));
    // A note that something was cut needs room too.
    let spoken_for = asked.used() + tail.used() + 300;
    facts(&mut paper, card, spoken_for);
    reasons(&mut paper, card, spoken_for);
    unchecked(&mut paper, card, spoken_for);
    paper.append(asked);
    paper.append(tail);
    paper.done(&format!("{title} ({}, {})", card.severity, card.case))
}

fn title(card: &CaseCard, open: &[&Ask]) -> String {
    let name = &card.title;
    match (open, card.closed, &card.owner) {
        ([], Closed::Yes, _) => format!("Closed · {name}"),
        ([], Closed::No, Some(_)) => format!("Taken over · {name}"),
        ([], Closed::No, None) => format!("Needs a person · {name}"),
        ([one], ..) => format!("Approval needed · {} · {name}", oneline(&one.action, 40)),
        (many, ..) => format!("{} approvals needed · {name}", many.len()),
    }
}

/// The facts that are words and numbers of ours.
fn fields(card: &CaseCard, open: &[&Ask]) -> Vec<Text> {
    let mut fields = vec![Markup::word("Severity", card.severity.as_str())];
    fields.push(match &card.verdict {
        Some(v) => Markup::verdict(v.kind.as_str(), v.confidence, v.tier),
        None => Markup::word("Verdict", "none: it was given up before one"),
    });
    if let Some(first) = open.iter().map(|a| a.expires).min() {
        fields.push(Markup::date("Open until, then it means no", first));
    }
    fields.into_iter().map(Text::Markup).collect()
}

/// Lines of name and value; shorter ones, then fewer, where there is little room.
fn facts(paper: &mut Paper, card: &CaseCard, spoken_for: usize) {
    let analyst = card.verdict.iter().map(|v| ("Analyst", v.analyst.as_str()));
    let facts: Vec<(&str, &str)> = card
        .facts
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain(analyst)
        .take(12)
        .collect();
    let form = |(most, count): (usize, usize)| {
        let mut pieces = Vec::new();
        for (i, (name, value)) in facts.iter().take(count).enumerate() {
            pieces.push(Piece::ours(if i == 0 { "" } else { "\n" }));
            pieces.push(Piece::label(name, 40));
            pieces.push(Piece::ours(": "));
            pieces.push(Piece::outside(value, most));
        }
        Block::rich(pieces)
    };
    if !facts.is_empty() {
        let forms = [(200, 12), (120, 12), (60, 12), (60, 6), (40, 3)];
        let room = paper.left().saturating_sub(spoken_for) / 2;
        let fits = paper.put_one_of(room, forms.into_iter().map(form));
        let whole = facts.iter().all(|(_, value)| value.chars().count() <= 200);
        if fits == Fits::No || !whole {
            let lines = facts.iter().map(|(name, value)| format!("{name}: {value}"));
            paper.keep("Facts", lines);
        }
    }
}

fn reasons(paper: &mut Paper, card: &CaseCard, spoken_for: usize) {
    if card.reasons.is_empty() {
        return;
    }
    let form = |most: usize| {
        let entry = |reason: &crate::notify::card::Reason| {
            let mut pieces = vec![Piece::outside(&reason.text, most)];
            for id in reason.evidence.iter().take(6) {
                pieces.extend([Piece::ours(" "), Piece::code(&oneline(id, 12))]);
            }
            pieces
        };
        Block::list("Why", card.reasons.iter().take(3).map(entry).collect())
    };
    let room = paper.left().saturating_sub(spoken_for);
    let whole = card
        .reasons
        .iter()
        .take(3)
        .all(|r| r.text.chars().count() <= 450);
    let fits = paper.put_one_of(room * 3 / 4, [450, 300, 200, 100, 60].into_iter().map(form));
    if fits == Fits::No || !whole {
        let lines = card.reasons.iter().map(|r| {
            let evidence = r.evidence.join(" ");
            format!("{} {evidence}", r.text)
        });
        paper.keep("Why", lines);
    }
}

fn unchecked(paper: &mut Paper, card: &CaseCard, spoken_for: usize) {
    if card.unchecked.is_empty() {
        return;
    }
    let all = card.unchecked.len();
    let form = |(most, count): (usize, usize)| {
        let entry = |text: &String| vec![Piece::outside(text, most)];
        let mut entries: Vec<_> = card.unchecked.iter().take(count).map(entry).collect();
        if all > count {
            entries.push(vec![Piece::ours(format!("and {} more", all - count))]);
        }
        Block::list("Not checked", entries)
    };
    let room = paper.left().saturating_sub(spoken_for);
    let forms = [(250, 6), (120, 6), (80, 4), (60, 2), (60, 0)];
    let fits = paper.put_one_of(room, forms.into_iter().map(form));
    let whole = all <= 6 && card.unchecked.iter().all(|u| u.chars().count() <= 250);
    if fits == Fits::No || !whole {
        paper.keep("Not checked", card.unchecked.iter().cloned());
    }
}

/// The questions: open ones with their buttons, then what became of the others.
/// `about` is the form of the card, and how many characters of arguments each question may show.
fn asked(card: &CaseCard, open: &[&Ask], about: (u64, usize)) -> Paper {
    let (rev, room) = about;
    let mut paper = Paper::default();
    for (i, one) in open.iter().take(ASKS).enumerate() {
        let takeover = match (i, &card.owner) {
            (0, None) => Takeover::Offered,
            _ => Takeover::Not,
        };
        ask::open(&mut paper, one, room, (rev, takeover));
    }
    if open.len() > ASKS {
        let more = open.len() - ASKS;
        let text = format!(
            "{more} more wait; they are shown when one of these is answered. `nightdesk approvals list` has all."
        );
        let _ = paper.put(Block::context(&text));
    }
    let settled: Vec<_> = card
        .asks
        .iter()
        .filter(|a| a.state != ApprovalState::Pending)
        .take(6)
        .collect();
    if !settled.is_empty() && open.len() < ASKS {
        ask::answered(&mut paper, &settled);
    }
    paper
}

/// What became of it, who is told, and how to say whether the verdict was right.
fn tail(card: &CaseCard, open: &[&Ask], rev: u64, mentions: &Mentions) -> Paper {
    let mut paper = Paper::default();
    let mut words = Vec::new();
    if !card.standing.is_empty() {
        words.push(Piece::outside(&card.standing, 300));
    }
    if let Some(owner) = &card.owner {
        words.extend([Piece::ours("\nTaken over by "), person(owner)]);
    }
    if waits(card) {
        let who = mentions.at(card.severity);
        if !who.is_empty() {
            words.push(Piece::ours("\n"));
            words.extend(who);
        }
    }
    if !words.is_empty() {
        let _ = paper.put(Block::rich(words));
    }
    let buttons = feedback(card, open);
    if !buttons.is_empty() {
        let _ = paper.put(Block::Actions {
            block_id: Subject::Case(card.case.0).block_id(rev),
            elements: buttons,
        });
    }
    let case = card.case;
    let _ = paper.put(Block::context(&format!(
        "Case {case} · nightdesk case show {case}"
    )));
    paper
}

/// Whether a person has yet to take it.
fn waits(card: &CaseCard) -> bool {
    card.closed == Closed::No && card.owner.is_none()
}

/// Buttons about the case itself, once nothing is asked any more.
fn feedback(card: &CaseCard, open: &[&Ask]) -> Vec<Button> {
    let id = card.case.0;
    let mut buttons = Vec::new();
    if !open.is_empty() {
        return buttons;
    }
    if waits(card) {
        buttons.push(Button::new(Press::Takeover.as_str(), "Take over", id));
    }
    if card.verdict.is_some() {
        buttons.push(Button::new(Press::Agree.as_str(), "Verdict is right", id));
        buttons.push(Button::new(Press::Wrong.as_str(), "Verdict is wrong…", id));
    }
    buttons
}
