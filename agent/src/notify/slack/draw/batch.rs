//! The card of a batch: equal closes that one answer settles, with some of them shown; drawing them is the lot's choice.

use super::super::block::{Block, Button, Confirm, Look, Markup, Piece, Text};
use super::super::click::{Press, Subject};
use super::super::paper::{Drawn, Fits, Paper};
use crate::notify::card::{BatchCard, CaseCard};
use crate::text::oneline;

pub(super) fn draw(card: &BatchCard, rev: u64) -> Drawn {
    let mut paper = Paper::default();
    let title = match &card.outcome {
        None => format!("{} equal closes proposed · {}", card.count, card.title),
        Some(_) => format!("Closes settled · {}", card.title),
    };
    let _ = paper.put(Block::header(&title));
    let mut facts = vec![
        Piece::bold("What they have in common: "),
        Piece::outside(&card.title, 400),
        Piece::ours("\nAll of them as one, digest "),
        Piece::code(&card.digest),
    ];
    if let Some(outcome) = &card.outcome {
        facts.extend([Piece::ours("\n"), Piece::outside(outcome, 400)]);
    } else {
        let until = Markup::date("Open until, then it means no", card.expires);
        let _ = paper.put(Block::fields(vec![Text::Markup(until)]));
    }
    let _ = paper.put(Block::rich(facts));
    if card.outcome.is_none() {
        samples(&mut paper, &card.sample);
    }
    cases(&mut paper, card);
    if card.outcome.is_none() {
        let _ = paper.put(buttons(card, rev));
    }
    paper.done(&title)
}

/// The cases drawn at random, as short as it needs.
fn samples(paper: &mut Paper, sample: &[CaseCard]) {
    let form = |(most, count): (usize, usize)| {
        let entries = sample.iter().take(count).map(|case| entry(case, most));
        Block::list("Drawn at random, look at them first", entries.collect())
    };
    if !sample.is_empty() {
        let forms = [(300, 5), (200, 5), (120, 4), (80, 3), (60, 2)];
        let fits = paper.put_one_of(5_500, forms.into_iter().map(form));
        if fits == Fits::No || sample.len() > 5 {
            let all = sample.iter().map(|c| format!("{} {}", c.case, c.title));
            paper.keep("Drawn at random", all);
        }
    }
}

fn entry(case: &CaseCard, most: usize) -> Vec<Piece> {
    let mut pieces = vec![
        Piece::bold(case.case.to_string()),
        Piece::ours(" "),
        Piece::outside(&case.title, most.min(120)),
    ];
    for (name, value) in case.facts.iter().take(4) {
        pieces.extend([
            Piece::ours("\n"),
            Piece::outside(name, 40),
            Piece::ours(": "),
        ]);
        pieces.push(Piece::outside(value, most.min(150)));
    }
    if let Some(verdict) = &case.verdict {
        let word = verdict.kind.as_str().replace('_', " ");
        pieces.push(Piece::ours(format!(
            "\n{word}, {} of 100",
            verdict.confidence
        )));
    }
    for reason in case.reasons.iter().take(2) {
        pieces.push(Piece::ours("\n"));
        pieces.push(Piece::outside(&reason.text, most));
        for id in reason.evidence.iter().take(4) {
            pieces.extend([Piece::ours(" "), Piece::code(&oneline(id, 12))]);
        }
    }
    pieces
}

/// All cases by id; where they are too many the others stand in the thread.
fn cases(paper: &mut Paper, card: &BatchCard) {
    const SHOWN: usize = 100;
    let ids: Vec<String> = card.cases.iter().map(ToString::to_string).collect();
    let mut text = format!("Cases: {}", ids[..ids.len().min(SHOWN)].join(", "));
    if ids.len() > SHOWN {
        text.push_str(&format!(" and {} more", ids.len() - SHOWN));
        paper.keep(
            "All cases of the batch",
            ids.chunks(100).map(|c| c.join(", ")),
        );
    }
    let _ = paper.put(Block::context(&text));
}

fn buttons(card: &BatchCard, rev: u64) -> Block {
    let (id, count) = (card.batch, card.count);
    let short = card.digest.get(..12).unwrap_or(&card.digest);
    let confirm = Confirm::new(
        "Close all of them?",
        &format!("{count} cases are closed as proposed. Batch {id}, digest {short}."),
        "Close all",
    );
    let approve = Button::new(Press::Approve.as_str(), "Approve all", id);
    Block::Actions {
        block_id: Subject::Batch(id).block_id(rev),
        elements: vec![
            approve.look(Look::Primary).confirm(confirm),
            Button::new(Press::Deny.as_str(), "Deny all", id).look(Look::Danger),
            Button::new(Press::Look.as_str(), "Look at each", id),
        ],
    }
}
