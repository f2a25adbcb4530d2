//! The case as a graph: alerts, whom and what they name, and the order of the attack; bounded, and what was left out is said.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use state::model::{Alert, CaseId, Entity, Observable, Severity, Time};

use crate::text::{defang, oneline};
use crate::tier::Line;

use super::casefile::{AlertFile, CaseFile};

/// Most groups of equal alerts.
const MOST_ALERTS: usize = 15;
/// Most entities.
const MOST_ENTITIES: usize = 20;
/// Most observables.
const MOST_OBSERVABLES: usize = 12;
/// Most events in the order of the attack.
const MOST_EVENTS: usize = 25;

/// What a node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Alerts of one rule with one verdict.
    Alert,
    /// Who acts or is protected.
    Entity,
    /// A value to pivot on.
    Observable,
    /// One event of the attack.
    Event,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    /// Name inside the graph, for instance `a1`.
    pub id: String,
    /// What it stands for.
    pub kind: NodeKind,
    /// What to call it; may be attacker-written.
    pub label: String,
    /// More of it: kind, verdict, technique.
    pub detail: String,
}

/// One edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Edge {
    /// From this node.
    pub from: String,
    /// To this one.
    pub to: String,
    /// What holds between them.
    pub label: String,
}

/// The graph of a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseGraph {
    /// The case.
    pub case: CaseId,
    /// Nodes; events stand in order of time.
    pub nodes: Vec<Node>,
    /// Edges.
    pub edges: Vec<Edge>,
    /// What was left out, one line each; empty when the graph is whole.
    pub left_out: Vec<String>,
}

impl CaseGraph {
    /// The graph of a case.
    #[must_use]
    pub fn of(file: &CaseFile) -> Self {
        let mut graph = Self {
            case: file.case.id,
            nodes: Vec::new(),
            edges: Vec::new(),
            left_out: Vec::new(),
        };
        let groups = graph.alerts(file);
        let named = graph.named(&groups, (NodeKind::Entity, MOST_ENTITIES), &|a| {
            let entities = a.entities.iter();
            let name = |e: &Entity| Name::new(&e.value, e.kind.as_str(), e.role.as_str());
            entities.map(name).collect()
        });
        let names: BTreeSet<String> = named.keys().cloned().collect();
        graph.named(&groups, (NodeKind::Observable, MOST_OBSERVABLES), &|a| {
            let observables = a.observables.iter();
            let name = |o: &Observable| Name::new(&o.value, o.kind.as_str(), "has");
            let other = |name: &Name| !names.contains(&name.key);
            observables.map(name).filter(other).collect()
        });
        graph.order(file, &named);
        graph.edges.sort();
        graph.edges.dedup();
        graph
    }

    /// One node for the alerts of one rule with one verdict.
    fn alerts<'f>(&mut self, file: &'f CaseFile) -> Vec<(String, Vec<&'f Alert>)> {
        let mut groups: BTreeMap<(&str, &str, &str), Vec<&AlertFile>> = BTreeMap::new();
        for alert in &file.alerts {
            let verdict = alert
                .verdict
                .as_ref()
                .map_or("no verdict", |v| v.kind.as_str());
            let rule = &alert.alert.rule;
            groups
                .entry((&rule.id, &rule.name, verdict))
                .or_default()
                .push(alert);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|((_, _, verdict), alerts)| {
            let first = alerts.first().map(|a| a.alert.time);
            (*verdict != "true_positive", first)
        });
        self.cut(&mut groups, MOST_ALERTS, "groups of alerts");
        let mut placed = Vec::new();
        for (i, ((_, name, verdict), alerts)) in groups.into_iter().enumerate() {
            let id = format!("a{}", i + 1);
            let worst = alerts
                .iter()
                .map(|a| a.alert.severity)
                .max_by_key(|s| s.id());
            let worst = worst.unwrap_or(Severity::Unknown);
            let n = match alerts.len() {
                1 => "1 alert".to_owned(),
                n => format!("{n} alerts"),
            };
            self.nodes.push(Node {
                id: id.clone(),
                kind: NodeKind::Alert,
                label: oneline(name, 100),
                detail: format!("{n}, {worst}, {verdict}"),
            });
            placed.push((id, alerts.into_iter().map(|a| &a.alert).collect()));
        }
        placed
    }

    /// Nodes for what alerts name, those that most alerts name first; gives node by key.
    fn named(
        &mut self,
        groups: &[(String, Vec<&Alert>)],
        (kind, most): (NodeKind, usize),
        of: &dyn Fn(&Alert) -> Vec<Name>,
    ) -> BTreeMap<String, String> {
        let mut found: BTreeMap<(String, String), Named> = BTreeMap::new();
        for (group, alerts) in groups {
            for name in alerts.iter().flat_map(|a| of(a)) {
                let Name {
                    key,
                    value,
                    what,
                    part,
                } = name;
                let named = found
                    .entry((what.to_owned(), key))
                    .or_insert_with(|| Named {
                        value,
                        alerts: 0,
                        parts: BTreeSet::new(),
                    });
                named.alerts += 1;
                named.parts.insert((group.clone(), part.to_owned()));
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by(|(a, left), (b, right)| right.alerts.cmp(&left.alerts).then(a.cmp(b)));
        let (letter, plural) = match kind {
            NodeKind::Observable => ("o", "observables"),
            _ => ("e", "entities"),
        };
        self.cut(&mut found, most, plural);
        let mut nodes = BTreeMap::new();
        for (i, ((what, key), named)) in found.into_iter().enumerate() {
            let id = format!("{letter}{}", i + 1);
            self.nodes.push(Node {
                id: id.clone(),
                kind,
                label: oneline(&named.value, 100),
                detail: what,
            });
            let edges = named.parts.into_iter().map(|(group, part)| Edge {
                from: group,
                to: id.clone(),
                label: part,
            });
            self.edges.extend(edges);
            nodes.entry(key).or_insert(id);
        }
        nodes
    }

    /// The order of the attack: events that show a technique or are an alert's own, each tied to who acted.
    fn order(&mut self, file: &CaseFile, entities: &BTreeMap<String, String>) {
        let own = file.alerts.iter().flat_map(|a| &a.alert.activities);
        let own: BTreeSet<&str> = own
            .map(|a| a.uid.as_str())
            .filter(|u| !u.is_empty())
            .collect();
        let mut lines: Vec<&Line> = file.activity();
        lines.retain(|l| l.technique.is_some() || own.contains(l.event_uid.as_str()));
        self.cut(&mut lines, MOST_EVENTS, "later events");
        let mut before: Option<String> = None;
        for (i, line) in lines.into_iter().enumerate() {
            let id = format!("s{}", i + 1);
            let what = match line.object.as_str() {
                "" => line.action.clone(),
                object => format!("{}: {object}", line.action),
            };
            let technique = line.technique.as_deref().unwrap_or("no technique");
            self.nodes.push(Node {
                id: id.clone(),
                kind: NodeKind::Event,
                label: oneline(&what, 120),
                detail: format!("{}, {technique}, {}", time(line.at), line.evidence_ref),
            });
            if let Some(before) = before.replace(id.clone()) {
                self.edges.push(Edge {
                    from: before,
                    to: id.clone(),
                    label: "then".to_owned(),
                });
            }
            if let Some(actor) = entities.get(&line.actor.to_lowercase()) {
                self.edges.push(Edge {
                    from: actor.clone(),
                    to: id,
                    label: "did".to_owned(),
                });
            }
        }
    }

    fn cut<T>(&mut self, items: &mut Vec<T>, most: usize, what: &str) {
        if items.len() > most {
            self.left_out.push(format!("{} {what}", items.len() - most));
            items.truncate(most);
        }
    }

    fn nodes_of(&self, kind: NodeKind) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |n| n.kind == kind)
    }

    /// The graph as Mermaid text: every label is data, whatever an outsider wrote in it.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut out = "flowchart LR\n".to_owned();
        for (kind, name, title) in [
            (NodeKind::Entity, "entities", "who and what"),
            (NodeKind::Alert, "alerts", "alerts"),
            (NodeKind::Observable, "observables", "observables"),
            (NodeKind::Event, "attack", "in order of time"),
        ] {
            if self.nodes_of(kind).next().is_none() {
                continue;
            }
            out.push_str(&format!("  subgraph {name}[\"{title}\"]\n"));
            for node in self.nodes_of(kind) {
                let (label, detail) = (label(&node.label), label(&node.detail));
                out.push_str(&format!("    {}[\"{label}<br/>{detail}\"]\n", node.id));
            }
            out.push_str("  end\n");
        }
        for edge in &self.edges {
            let (from, to) = (&edge.from, &edge.to);
            out.push_str(&format!("  {from} -->|\"{}\"| {to}\n", label(&edge.label)));
        }
        for left in &self.left_out {
            out.push_str(&format!("  %% left out: {left}\n"));
        }
        out
    }

    /// The graph as text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (kind, title) in [
            (NodeKind::Alert, "alerts"),
            (NodeKind::Entity, "who and what"),
            (NodeKind::Observable, "observables"),
            (NodeKind::Event, "in order of time"),
        ] {
            out.push_str(&format!("{title}\n"));
            for node in self.nodes_of(kind) {
                out.push_str(&format!(
                    "  {:<4} {} ({})\n",
                    node.id, node.label, node.detail
                ));
                let edges = self.edges.iter().filter(|e| e.from == node.id);
                let to: Vec<String> = edges.map(|e| format!("{} {}", e.label, e.to)).collect();
                if !to.is_empty() {
                    out.push_str(&format!("       {}\n", to.join(", ")));
                }
            }
        }
        for left in &self.left_out {
            out.push_str(&format!("left out: {left}\n"));
        }
        out
    }
}

/// How an alert names something.
struct Name {
    key: String,
    value: String,
    what: &'static str,
    part: &'static str,
}

impl Name {
    fn new(value: &str, what: &'static str, part: &'static str) -> Self {
        Self {
            key: value.trim().to_lowercase(),
            value: value.to_owned(),
            what,
            part,
        }
    }
}

struct Named {
    value: String,
    alerts: usize,
    parts: BTreeSet<(String, String)>,
}

fn time(at: Time) -> String {
    at.format("%m-%d %H:%M:%SZ").to_string()
}

/// Text as a Mermaid label: what is neither letter, digit nor harmless is written as its number, links are dead.
fn label(text: &str) -> String {
    let mut out = String::new();
    for c in defang(&oneline(text, 140)).chars() {
        match c {
            ' ' | '.' | ',' | ':' | '-' | '_' | '/' | '+' | '=' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c => out.push_str(&format!("#{};", u32::from(c))),
        }
    }
    out
}
