//! The case graph as a drawing: four columns side by side, each ordered so that few lines cross; the same case gives the same drawing.

use std::collections::HashMap;

use crate::page::{Block, Svg, fit, px};
use crate::text::{defang, oneline};

use super::super::casefile::CaseFile;
use super::super::graph::{CaseGraph, Node, NodeKind};

/// A box.
const WIDE: i32 = 214;
const HIGH: i32 = 40;
/// From one box to the next.
const DOWN: i32 = 52;
const ACROSS: i32 = 262;
/// Above the first box, and around everything.
const TOP: i32 = 30;
const EDGE: i32 = 6;
/// How often the columns are ordered by their neighbours.
const SWEEPS: usize = 6;

/// The columns from left to right; lines run between neighbours only, but for those from alerts to nothing.
const COLUMNS: [(NodeKind, &str, &str); 4] = [
    (NodeKind::Observable, "observables", "o"),
    (NodeKind::Alert, "alerts", "a"),
    (NodeKind::Entity, "who and what", "e"),
    (NodeKind::Event, "in order of time", "s"),
];

/// The drawing, and what it leaves out.
pub(super) fn graph(file: &CaseFile) -> Vec<Block> {
    let graph = CaseGraph::of(file);
    if graph.nodes.is_empty() {
        return vec![Block::nothing("There is nothing to draw.")];
    }
    let columns = ordered(&graph);
    let mut blocks = vec![Block::Drawing {
        caption: "",
        svg: draw(&graph, &columns),
        source: Some(("mermaid", graph.mermaid())),
    }];
    if !graph.left_out.is_empty() {
        let left = graph.left_out.join(", ");
        blocks.push(Block::nothing(&format!("Left out of the drawing: {left}.")));
    }
    blocks
}

/// Nodes of each column in their order from top to bottom; empty columns are left out.
fn ordered(graph: &CaseGraph) -> Vec<Vec<&Node>> {
    let mut columns: Vec<Vec<&Node>> = COLUMNS
        .iter()
        .map(|(kind, ..)| graph.nodes.iter().filter(|n| n.kind == *kind).collect())
        .filter(|column: &Vec<&Node>| !column.is_empty())
        .collect();
    for sweep in 0..SWEEPS {
        let mut order: Vec<usize> = (0..columns.len()).collect();
        if sweep % 2 == 1 {
            order.reverse();
        }
        for at in order {
            // Events keep the order of time.
            if columns[at]
                .first()
                .is_some_and(|n| n.kind == NodeKind::Event)
            {
                continue;
            }
            let places = places(&columns);
            let middle = |node: &Node| -> i64 {
                let near = graph.edges.iter().filter_map(|e| match &node.id {
                    id if *id == e.from => places.get(e.to.as_str()),
                    id if *id == e.to => places.get(e.from.as_str()),
                    _ => None,
                });
                let near: Vec<i64> = near.copied().collect();
                match near.len() {
                    0 => places.get(node.id.as_str()).copied().unwrap_or_default(),
                    n => near.iter().sum::<i64>() / i64::try_from(n).unwrap_or(1),
                }
            };
            // A stable sort: who has the same middle stays in order.
            columns[at].sort_by_cached_key(|n| middle(n));
        }
    }
    columns
}

/// Where each node stands in its column, as thousandths of the column's length.
fn places<'g>(columns: &[Vec<&'g Node>]) -> HashMap<&'g str, i64> {
    let mut places = HashMap::new();
    for column in columns {
        let n = i64::try_from(column.len()).unwrap_or(1).max(1);
        for (i, node) in column.iter().enumerate() {
            let i = i64::try_from(i).unwrap_or_default();
            places.insert(node.id.as_str(), (2 * i + 1) * 500 / n);
        }
    }
    places
}

fn draw(graph: &CaseGraph, columns: &[Vec<&Node>]) -> Svg {
    let rows = px(columns.iter().map(Vec::len).max().unwrap_or(1));
    let width = px(columns.len() - 1) * ACROSS + WIDE + 2 * EDGE;
    let height = TOP + rows * DOWN + EDGE;
    let mut svg = Svg::new(
        width,
        height,
        "Alerts, who and what they name, and the order of events",
    );
    let mut at: HashMap<&str, (i32, i32)> = HashMap::new();
    for (c, column) in columns.iter().enumerate() {
        // Shorter columns stand in the middle.
        let free = (rows - px(column.len())) * DOWN / 2;
        for (r, node) in column.iter().enumerate() {
            let x = EDGE + px(c) * ACROSS;
            at.insert(&node.id, (x, TOP + free + px(r) * DOWN));
        }
    }
    for edge in &graph.edges {
        let (Some(&from), Some(&to)) = (at.get(edge.from.as_str()), at.get(edge.to.as_str()))
        else {
            continue;
        };
        line(&mut svg, from, to);
    }
    for (c, column) in columns.iter().enumerate() {
        let Some(first) = column.first() else {
            continue;
        };
        let found = COLUMNS.iter().find(|(kind, ..)| *kind == first.kind);
        let (_, title, class) = found.copied().unwrap_or(COLUMNS[0]);
        svg.text((EDGE + px(c) * ACROSS, 16), "head", title);
        for node in column {
            if let Some(&place) = at.get(node.id.as_str()) {
                boxed(&mut svg, graph, node, (place, class));
            }
        }
    }
    svg
}

fn line(svg: &mut Svg, (x1, y1): (i32, i32), (x2, y2): (i32, i32)) {
    match x1.cmp(&x2) {
        std::cmp::Ordering::Equal => {
            let x = x1 + WIDE / 2;
            svg.line((x, y1 + HIGH), (x, y2), "edge then");
        }
        std::cmp::Ordering::Less => {
            svg.curve((x1 + WIDE, y1 + HIGH / 2), (x2, y2 + HIGH / 2), "edge");
        }
        std::cmp::Ordering::Greater => {
            svg.curve((x1, y1 + HIGH / 2), (x2 + WIDE, y2 + HIGH / 2), "edge");
        }
    }
}

fn boxed(svg: &mut Svg, graph: &CaseGraph, node: &Node, (place, class): ((i32, i32), &str)) {
    let (x, y) = place;
    let roles = graph.edges.iter().filter(|e| e.to == node.id);
    let mut roles: Vec<&str> = roles.map(|e| e.label.as_str()).collect();
    roles.sort_unstable();
    roles.dedup();
    let detail = match node.kind {
        NodeKind::Entity => format!("{}, {}", node.detail, roles.join(", ")),
        _ => node.detail.clone(),
    };
    let label = defang(&oneline(&node.label, 120));
    // An event's detail ends with its evidence.
    let link = match node.kind {
        NodeKind::Event => node.detail.rsplit(", ").next(),
        _ => None,
    };
    svg.group(&format!("{label} ({detail})"), link, |svg| {
        svg.rect((x, y, WIDE, HIGH), &format!("box {class}"));
        svg.text((x + 8, y + 17), "", &fit(&label, WIDE - 16));
        svg.text((x + 8, y + 31), "small", &fit(&detail, WIDE + 10));
    });
}
