//! Sorts alerts into cases: a graph of alerts, entities and cases, walked in the order of time; equal input gives equal cases in whatever order it comes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::TimeDelta;
use petgraph::graph::{NodeIndex, UnGraph};
use state::model::{Alert, CaseId, Mentions, Part, Time};
use state::store::{Candidate, RuleBy, Spread};

use super::weight::{ACTOR, Alike, Link, Share, stake, weight};

/// Undecided cases this close together are one story.
const CLOSE_BY: TimeDelta = TimeDelta::hours(2);

/// An alert without a case and what it names.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// The alert.
    pub alert: Alert,
    /// What it names.
    pub named: Mentions,
}

/// Where an alert goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Its place in the list of newcomers.
    pub newcomer: usize,
    /// The case, when there is one; newcomers of one `group` without it open one together.
    pub case: Option<CaseId>,
    /// Number of the group.
    pub group: usize,
    /// What joins it; none when it is the first of its group.
    pub link: Option<Link>,
}

/// A case, or one that is to be opened.
struct Group {
    case: Option<CaseId>,
    first: Time,
    rules: BTreeSet<String>,
    decided: bool,
    incident: bool,
    apart: Vec<RuleBy>,
    node: NodeIndex,
}

enum Node {
    Entity,
    Group(usize),
}

/// An edge goes from a group to an entity; the weight says which parts the entity plays there.
struct Board<'s> {
    graph: UnGraph<Node, BTreeSet<Part>>,
    entities: HashMap<String, NodeIndex>,
    groups: Vec<Group>,
    spread: HashMap<&'s str, &'s Spread>,
    window: TimeDelta,
}

/// Puts each newcomer into the case it is tied to most, or into one of its own. In order of the result, a group is
/// opened before it is joined.
#[must_use]
pub fn sort(
    newcomers: &[Newcomer],
    candidates: Vec<Candidate>,
    spread: &[Spread],
    window: TimeDelta,
) -> Vec<Placed> {
    let mut board = Board {
        graph: UnGraph::default(),
        entities: HashMap::new(),
        groups: Vec::new(),
        spread: spread.iter().map(|s| (s.key.as_str(), s)).collect(),
        window,
    };
    for candidate in candidates {
        board.seat(candidate);
    }
    let mut order: Vec<usize> = (0..newcomers.len()).collect();
    order.sort_by_key(|i| {
        let alert = &newcomers[*i].alert;
        (alert.time, &alert.source, &alert.source_alert_id)
    });
    order
        .into_iter()
        .map(|i| board.place(i, &newcomers[i]))
        .collect()
}

impl Board<'_> {
    fn seat(&mut self, candidate: Candidate) {
        let (incident, decided) = (candidate.is_incident(), candidate.worst.is_some());
        let at = self.open(Group {
            case: Some(candidate.case.id),
            first: candidate.case.alert_time,
            rules: candidate.rules.into_iter().collect(),
            decided,
            incident,
            apart: candidate.apart,
            node: NodeIndex::end(),
        });
        for mention in candidate.shared {
            self.tie(at, mention.key, mention.part);
        }
    }

    fn open(&mut self, mut group: Group) -> usize {
        let at = self.groups.len();
        group.node = self.graph.add_node(Node::Group(at));
        self.groups.push(group);
        at
    }

    fn tie(&mut self, group: usize, key: String, part: Part) {
        let graph = &mut self.graph;
        let entity = self.entities.entry(key);
        let entity = *entity.or_insert_with(|| graph.add_node(Node::Entity));
        let group = self.groups[group].node;
        match graph.find_edge(group, entity) {
            Some(edge) => drop(graph[edge].insert(part)),
            None => drop(graph.add_edge(group, entity, BTreeSet::from([part]))),
        }
    }

    fn place(&mut self, newcomer: usize, new: &Newcomer) -> Placed {
        let best = self.best(new);
        let (group, link) = match best {
            Some((group, link)) => (group, Some(link)),
            None => {
                let opened = Group {
                    case: None,
                    first: new.alert.time,
                    rules: BTreeSet::new(),
                    decided: false,
                    incident: false,
                    apart: Vec::new(),
                    node: NodeIndex::end(),
                };
                (self.open(opened), None)
            }
        };
        self.groups[group].rules.insert(new.alert.rule.id.clone());
        for mention in &new.named.all {
            self.tie(group, mention.key.clone(), mention.part);
        }
        Placed {
            newcomer,
            case: self.groups[group].case,
            group,
            link,
        }
    }

    /// The group with the strongest link; among equals the one that began first.
    fn best(&self, new: &Newcomer) -> Option<(usize, Link)> {
        let mut shares: BTreeMap<usize, BTreeMap<&str, Share>> = BTreeMap::new();
        for mention in &new.named.all {
            let Some(entity) = self.entities.get(&mention.key) else {
                continue;
            };
            for neighbour in self.graph.neighbors(*entity) {
                let Node::Group(at) = self.graph[neighbour] else {
                    continue;
                };
                let Some(share) = self.share(new, mention, (neighbour, *entity)) else {
                    continue;
                };
                let of_group = shares.entry(at).or_default();
                // One entity in two parts is one entity: its heavier part counts.
                let heavier = |s: &Share| s.weight >= share.weight;
                if !of_group.get(mention.key.as_str()).is_some_and(heavier) {
                    of_group.insert(&mention.key, share);
                }
            }
        }
        let links = shares.into_iter().filter_map(|(at, shared)| {
            let alike = self.alike(at, new)?;
            Some((at, Link::of(shared.into_values().collect(), alike)?))
        });
        links.min_by(|(a, left), (b, right)| {
            let strong = right.score.total_cmp(&left.score);
            let first = |at: usize| (self.groups[at].first, self.groups[at].case, at);
            strong.then_with(|| first(*a).cmp(&first(*b)))
        })
    }

    fn share(
        &self,
        new: &Newcomer,
        mention: &state::model::Mention,
        (group, entity): (NodeIndex, NodeIndex),
    ) -> Option<Share> {
        let parts = &self.graph[self.graph.find_edge(group, entity)?];
        let alone = Spread::default();
        let spread = self.spread.get(mention.key.as_str()).copied();
        let spread = spread.unwrap_or(&alone);
        // Whoever acted weighs as the actor where the case knows it in the same part.
        let is_actor = new.named.actor == mention.key && parts.contains(&mention.part);
        let known_as = parts.iter().map(|part| stake(*part));
        let known_as = known_as.fold(0.0, f64::max).min(stake(mention.part));
        let stake = if is_actor { ACTOR } else { known_as };
        Some(Share {
            entity: mention.key.clone(),
            part: mention.part,
            weight: weight(stake, mention.part, spread),
            actors: spread.actors,
        })
    }

    /// What makes an alert and a group one story besides what they share; none when nothing does.
    fn alike(&self, at: usize, new: &Newcomer) -> Option<Alike> {
        let (group, alert) = (&self.groups[at], &new.alert);
        let off = (group.first - alert.time).abs();
        let kept_apart = |by: &RuleBy| {
            by.source == alert.source && by.rule_id == alert.rule.id && by.actor == new.named.actor
        };
        if off > self.window || group.apart.iter().any(kept_apart) {
            return None;
        }
        if group.incident {
            return Some(Alike::Incident);
        }
        if group.rules.contains(&alert.rule.id) {
            return Some(Alike::SameRule);
        }
        (!group.decided && off <= CLOSE_BY).then_some(Alike::CloseInTime)
    }
}
