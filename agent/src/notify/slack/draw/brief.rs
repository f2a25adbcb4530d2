//! Short posts: a later event, a reminder, a notice, the week; none has a button.

use super::super::block::{Block, Piece};
use super::super::paper::{Drawn, Paper, fallback};
use super::{Mentions, mentions, person};
use crate::notify::card::{Digest, Line, Notice, Reminder};
use crate::text::oneline;

/// Most blocks of a digest: header, numbers, six sections, footer.
const SECTIONS: usize = 6;

pub(super) fn line(line: &Line) -> Drawn {
    let pieces = vec![
        Piece::date(line.at),
        Piece::ours(" "),
        person(&line.actor),
        Piece::ours(": "),
        Piece::outside(&line.text, 1_500),
    ];
    let text = format!("{}: {}", line.case, line.text);
    Drawn::of(&text, pieces)
}

pub(super) fn reminder(reminder: &Reminder) -> Drawn {
    let mut pieces = mentions(&reminder.mention);
    pieces.push(Piece::bold(format!("Reminder {}: ", reminder.rung)));
    pieces.push(Piece::outside(&reminder.text, 1_000));
    let text = format!("Reminder, {}: {}", reminder.case, reminder.text);
    Drawn::of(&text, pieces)
}

pub(super) fn notice(notice: &Notice, who: &Mentions) -> Drawn {
    let mut paper = Paper::default();
    let title = format!("{} · {}", notice.severity, notice.title);
    let _ = paper.put(Block::header(&title));
    let mut pieces = vec![Piece::outside(&notice.text, 2_500)];
    let on_call = who.at(notice.severity);
    if !on_call.is_empty() {
        pieces.push(Piece::ours("\n"));
        pieces.extend(on_call);
    }
    let _ = paper.put(Block::rich(pieces));
    paper.done(&title)
}

pub(super) fn digest(digest: &Digest) -> Drawn {
    let mut paper = Paper::default();
    let title = format!("nightdesk, week {}", digest.week);
    let _ = paper.put(Block::header(&title));
    let number = |(name, value, change): &(String, String, String)| {
        let change = match change.as_str() {
            "" => String::new(),
            change => format!(" ({})", oneline(change, 60)),
        };
        Block::field(name, &format!("{}{change}", oneline(value, 60)))
    };
    for numbers in digest.numbers.chunks(10).take(2) {
        let _ = paper.put(Block::fields(numbers.iter().map(number).collect()));
    }
    for (name, lines) in digest.sections.iter().take(SECTIONS) {
        let form = |(most, count): (usize, usize)| {
            let mut pieces = vec![Piece::label(name, 100)];
            for line in lines.iter().take(count) {
                pieces.push(Piece::outside(line, most));
            }
            let apart = std::iter::repeat_n(Piece::ours("\n"), pieces.len());
            let mut all: Vec<Piece> = pieces
                .into_iter()
                .zip(apart)
                .flat_map(|(a, b)| [a, b])
                .collect();
            all.pop();
            Block::rich(all)
        };
        let forms = [(200, 10), (120, 8), (80, 5), (60, 3)];
        let _ = paper.put_one_of(1_400, forms.into_iter().map(form));
    }
    let _ = paper.put(Block::context(
        "The definitions and the whole report: nightdesk metrics export",
    ));
    let numbers = digest.numbers.iter().take(4);
    let short: Vec<String> = numbers.map(|(n, v, _)| format!("{n} {v}")).collect();
    let mut drawn = paper.done(&title);
    drawn.text = fallback(&format!("{title}: {}", short.join(", ")));
    drawn
}
