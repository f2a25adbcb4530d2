//! The steps of a playbook as a directed acyclic graph; which have run is said by the step runs.

use std::collections::{BTreeSet, HashMap};

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use state::model::Tier;

use super::form::Step;

/// Why steps are not a graph that can be worked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two steps have one name.
    #[error("two steps are called `{0}`; names must differ")]
    Twice(String),
    /// A step needs one that is not there.
    #[error("step `{step}` needs `{needs}`, which is not a step of this playbook")]
    Missing {
        /// The step.
        step: String,
        /// What it needs.
        needs: String,
    },
    /// Steps wait for each other.
    #[error("step `{0}` is on a cycle: it would wait for itself")]
    Cycle(String),
    /// A step needs one of a later tier and could never run in its own.
    #[error("step `{step}` of tier {tier} needs `{needs}` of a later tier, so it is never reached")]
    Unreachable {
        /// The step.
        step: String,
        /// Its tier.
        tier: Tier,
        /// What it needs.
        needs: String,
    },
}

/// The graph; an edge goes from a step to one that needs it.
#[derive(Debug, Clone)]
pub struct Graph {
    graph: StableDiGraph<usize, ()>,
}

impl Graph {
    /// Builds and checks the graph.
    ///
    /// # Errors
    /// Every fault found.
    pub fn of(steps: &[Step]) -> Result<Self, Vec<GraphError>> {
        let mut faults = Vec::new();
        let mut graph = StableDiGraph::new();
        let mut nodes: HashMap<&str, NodeIndex> = HashMap::new();
        for (i, step) in steps.iter().enumerate() {
            let node = graph.add_node(i);
            if nodes.insert(&step.id, node).is_some() {
                faults.push(GraphError::Twice(step.id.clone()));
            }
        }
        for step in steps {
            for needs in &step.needs {
                let Some(from) = nodes.get(needs.as_str()) else {
                    faults.push(GraphError::Missing {
                        step: step.id.clone(),
                        needs: needs.clone(),
                    });
                    continue;
                };
                let needed = &steps[graph[*from]];
                if needed.tier > step.tier {
                    faults.push(GraphError::Unreachable {
                        step: step.id.clone(),
                        tier: step.tier,
                        needs: needs.clone(),
                    });
                }
                graph.add_edge(*from, nodes[step.id.as_str()], ());
            }
        }
        if let Err(cycle) = toposort(&graph, None) {
            faults.push(GraphError::Cycle(steps[graph[cycle.node_id()]].id.clone()));
        }
        if faults.is_empty() {
            Ok(Self { graph })
        } else {
            Err(faults)
        }
    }

    /// Steps that may run now, as authored: of this tier or an earlier one, not done, and all they need is done.
    #[must_use]
    pub fn ready<'s>(
        &self,
        steps: &'s [Step],
        upto: Tier,
        done: &BTreeSet<String>,
    ) -> Vec<&'s Step> {
        let step = |node| &steps[self.graph[node]];
        let met = |node| {
            let mut needed = self.graph.neighbors_directed(node, Direction::Incoming);
            needed.all(|n| done.contains(&step(n).id))
        };
        self.graph
            .node_indices()
            .filter(|n| step(*n).tier <= upto && !done.contains(&step(*n).id) && met(*n))
            .map(step)
            .collect()
    }

    /// How many steps and edges there are.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.graph.node_count(), self.graph.edge_count())
    }
}
