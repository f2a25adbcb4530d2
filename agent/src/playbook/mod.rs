//! Authored playbooks: the form, the checks, the graph and the library; running them is `pipeline::investigate`.

mod attack;
mod check;
mod condition;
mod event;
mod form;
mod functions;
mod graph;
mod learned;
mod library;
mod queries;
mod reads;
mod slots;
mod terms;
mod view;

pub use attack::{Attack, Expectation, Likelihood, Technique};
pub use condition::{Condition, ConditionError, Conditions, Roots};
pub use event::activity_view;
pub use form::{CloseRule, EscalateRule, Lean, Playbook, Response, Signal, Step, StepTarget};
pub use graph::Graph;
pub use learned::{BAND, Fitted, InForce, Learned, LearnedRule, LearnedSignal, MOST_OF_A_RULE};
pub use library::{Entry, Library, PlaybookFault};
pub use queries::{Asked, Dialect, Listed, QueryError, Rows, cut};
pub use reads::Reads;
pub use slots::{Filled, SlotError, Slots, rfc3339};
pub use view::{MOST_ROWS, Scene, TRUSTED_ROWS, rows_of};
