//! The timeline: events as dots in a lane for each actor, long silences folded, and every event as a row below.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use state::model::Time;

use crate::page::{Block, Said, Section, Svg, fit, px};
use crate::text::defang;
use crate::tier::Line;

use super::super::casefile::CaseFile;
use super::{NO_EVIDENCE, moment, section, time};

/// The drawing.
const WIDTH: i32 = 992;
const LEFT: i32 = 176;
const LANE: i32 = 26;
const TOP: i32 = 24;
/// A folded silence.
const FOLD: i32 = 34;
/// Most lanes; other actors share the last.
const LANES: usize = 9;
/// Most stretches between silences.
const STRETCHES: usize = 6;
/// Dots nearer than this are one.
const NEAR: i32 = 8;

pub(super) fn timeline(file: &CaseFile) -> Section {
    let lines = &file.story.timeline;
    let mut blocks = Vec::new();
    if let Some(svg) = draw(file, lines) {
        blocks.push(Block::Drawing {
            caption: "",
            svg,
            source: None,
        });
    }
    let rows = lines.iter().map(|l| {
        let technique = Said::ours(l.technique.clone().unwrap_or_default());
        vec![
            moment(l.at),
            Said::theirs(&l.actor, 100).tone("who"),
            Said::theirs(&l.text, 400).on(std::slice::from_ref(&l.evidence_ref)),
            technique.tone("nowrap"),
        ]
        .into()
    });
    let head = ["time", "who", "what happened", "technique"];
    blocks.push(Block::table(&head, rows.collect(), NO_EVIDENCE));
    if file.story.left_out > 0 {
        blocks.push(Block::nothing(&format!(
            "{} further events are left out: they show no technique and lie farther from the alerts.",
            file.story.left_out
        )));
    }
    section("timeline", "Timeline", blocks)
}

/// A stretch of time between two silences.
struct Stretch {
    from: Time,
    to: Time,
    x: i32,
    width: i32,
}

impl Stretch {
    /// Where a time stands; a stretch of one moment has it in its middle.
    fn at(&self, time: Time) -> i32 {
        let all = (self.to - self.from).num_milliseconds();
        if all <= 0 {
            return self.x + self.width / 2;
        }
        let part = (time - self.from).num_milliseconds().clamp(0, all);
        let pixels = i64::from(self.width) * part / all;
        self.x + i32::try_from(pixels).unwrap_or_default()
    }
}

/// Stretches of time, broken at the longest silences, each as wide as it is full.
fn stretches(times: &[Time]) -> Vec<Stretch> {
    let mut breaks: Vec<(TimeDelta, usize)> = times
        .windows(2)
        .enumerate()
        .map(|(i, pair)| (pair[1] - pair[0], i + 1))
        .filter(|(span, _)| *span >= TimeDelta::minutes(30))
        .collect();
    breaks.sort_by_key(|(span, at)| (std::cmp::Reverse(*span), *at));
    breaks.truncate(STRETCHES - 1);
    let mut cuts: Vec<usize> = breaks.into_iter().map(|(_, at)| at).collect();
    cuts.sort_unstable();
    cuts.push(times.len());
    let free = WIDTH - LEFT - 16 - FOLD * px(cuts.len() - 1);
    let mut parts: Vec<&[Time]> = Vec::new();
    let mut from = 0;
    for cut in cuts {
        parts.push(&times[from..cut]);
        from = cut;
    }
    // Ten for being there, one for each event up to thirty.
    let weight = |part: &[Time]| 10 + px(part.len().min(30));
    let whole: i32 = parts.iter().map(|p| weight(p)).sum();
    let (mut x, mut out) = (LEFT + 8, Vec::new());
    for part in parts {
        let (Some(first), Some(last)) = (part.first(), part.last()) else {
            continue;
        };
        let width = free * weight(part) / whole.max(1);
        out.push(Stretch {
            from: *first,
            to: *last,
            x,
            width,
        });
        x += width + FOLD;
    }
    out
}

fn draw(file: &CaseFile, lines: &[Line]) -> Option<Svg> {
    let mut times: Vec<Time> = lines.iter().map(|l| l.at).collect();
    times.extend(file.alerts.iter().map(|a| a.alert.time));
    times.sort_unstable();
    times.dedup();
    if lines.is_empty() {
        return None;
    }
    let stretches = stretches(&times);
    let place = |at: Time| {
        let found = stretches.iter().find(|s| at <= s.to);
        found.or(stretches.last()).map_or(LEFT, |s| s.at(at))
    };
    let lanes = lanes(lines);
    let count = px(lanes.len()) + 1;
    let bottom = TOP + count * LANE;
    let mut svg = Svg::new(
        WIDTH,
        bottom + 26,
        "When what happened, a lane for each actor",
    );
    axis(&mut svg, &stretches, bottom);
    svg.text((4, TOP + LANE / 2 + 4), "head", "alerts");
    for alert in &file.alerts {
        let (x, alert) = (place(alert.alert.time), &alert.alert);
        let title = format!("{} {}", time(alert.time), alert.rule.name);
        svg.line((x, TOP + LANE / 2), (x, bottom), "at");
        svg.group(&title, None, |svg| svg.dot((x, TOP + LANE / 2), 5, "mark"));
    }
    for (i, (actor, events)) in lanes.iter().enumerate() {
        let y = TOP + (px(i) + 1) * LANE + LANE / 2;
        svg.text((4, y + 4), "", &fit(&defang(actor), LEFT - 14));
        dots(&mut svg, events, y, &place);
    }
    Some(svg)
}

/// Events by actor, the actors in the order in which they come in; those beyond the last lane share it.
fn lanes(lines: &[Line]) -> Vec<(String, Vec<&Line>)> {
    let mut lanes: Vec<(String, Vec<&Line>)> = Vec::new();
    for line in lines {
        let name = if line.actor.is_empty() {
            "nobody named"
        } else {
            line.actor.as_str()
        };
        let known = lanes.iter().position(|(actor, _)| actor == name);
        let lane = known.unwrap_or(lanes.len().min(LANES));
        if lane == lanes.len() {
            let name = if lane == LANES { "others" } else { name };
            lanes.push((name.to_owned(), Vec::new()));
        }
        lanes[lane].1.push(line);
    }
    lanes
}

/// The stretches with their times, and the silences between them.
fn axis(svg: &mut Svg, stretches: &[Stretch], bottom: i32) {
    let mut day = String::new();
    let mut free = 0;
    for (i, s) in stretches.iter().enumerate() {
        svg.line((s.x, bottom), (s.x + s.width, bottom), "axis");
        if let Some(next) = stretches.get(i + 1) {
            svg.line((s.x + s.width, bottom), (next.x, bottom), "gap");
            let silent = next.from - s.to;
            let text = match silent.num_hours() {
                0 => format!("{} min", silent.num_minutes()),
                h if h < 48 => format!("{h} h"),
                h => format!("{} d", h / 24),
            };
            svg.text((s.x + s.width + 4, bottom - 4), "small", &text);
        }
        let date = s.from.format("%m-%d").to_string();
        let shown = if date == day { "%H:%M" } else { "%m-%d %H:%M" };
        day = date;
        if s.x >= free {
            svg.text(
                (s.x, bottom + 15),
                "small",
                &s.from.format(shown).to_string(),
            );
            free = s.x + 66;
        }
        let end = s.x + s.width - 26;
        if end >= free && s.to - s.from >= TimeDelta::minutes(1) {
            svg.text(
                (end, bottom + 15),
                "small",
                &s.to.format("%H:%M").to_string(),
            );
            free = end + 32;
        }
    }
}

/// The dots of a lane; those that would lie on each other are one larger dot.
fn dots(svg: &mut Svg, events: &[&Line], y: i32, place: &dyn Fn(Time) -> i32) {
    let mut bins: BTreeMap<i32, Vec<&Line>> = BTreeMap::new();
    for event in events {
        bins.entry(place(event.at) / NEAR).or_default().push(event);
    }
    for events in bins.into_values() {
        let Some(first) = events.first() else {
            continue;
        };
        // The one that shows a technique speaks for the others.
        let told = events
            .iter()
            .find(|e| e.technique.is_some())
            .unwrap_or(first);
        let class = if told.technique.is_some() {
            "hit"
        } else {
            "dot"
        };
        let r = match events.len() {
            1 => 4,
            2..=4 => 5,
            _ => 7,
        };
        let more = match events.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        let title = format!("{} {}{more}", time(told.at), told.text);
        svg.group(&title, Some(&told.evidence_ref), |svg| {
            svg.dot((place(first.at), y), r, class);
        });
    }
}
