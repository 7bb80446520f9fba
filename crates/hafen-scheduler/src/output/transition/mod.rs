//! What a transition does to each node and resource, one line each, with the reason: `Transition Summary:`.

mod change;
mod print;

use super::Format;
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Role, Task};

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Start,
    Stop,
    Restart,
    Recover,
    Move,
    Migrate,
    Promote,
    Demote,
    RePromote,
    Reload,
}

/// A line of the summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) resource: ResourceId,
    pub(crate) verb: Verb,
    pub(crate) from: Option<NodeIndex>,
    pub(crate) to: Option<NodeIndex>,
    /// The action that carries the change out.
    pub(crate) action: Option<ActionId>,
    /// The action that knows why.
    pub(crate) source: Option<ActionId>,
    /// What the resource's role was, and will be.
    pub(crate) role: Role,
    pub(crate) next_role: Role,
}

/// Fencing, or shutting down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeChange {
    pub(crate) task: String,
    pub(crate) node: NodeIndex,
    pub(crate) reason: Option<String>,
}

impl Cluster<'_> {
    /// The summary of a planned transition, as a whole section: `Transition Summary:`, or `<actions>`.
    pub(crate) fn transition_summary(&self, format: Format) -> String {
        let nodes = self.node_changes();
        let changes = self.changes();
        match format {
            Format::Text => self.summary_text(&nodes, &changes),
            Format::Xml => self.summary_xml(&nodes, &changes),
        }
    }

    pub(crate) fn node_changes(&self) -> Vec<NodeChange> {
        let mut changes = Vec::new();
        for &id in self.free_actions.iter().rev() {
            let action = self.act(id);
            let Some(node) = action.node.filter(|_| !action.optional) else { continue };
            let task = match action.task {
                Task::Fence => {
                    format!("Fence ({})", action.meta.get("stonith_action").map_or("", String::as_str))
                }
                _ => continue,
            };
            changes.push(NodeChange { task, node, reason: self.reason_text(id) });
        }
        changes
    }
}
