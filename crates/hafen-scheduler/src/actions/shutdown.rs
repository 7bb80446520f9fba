//! Nodes that ask to leave.

use std::collections::BTreeMap;

use crate::model::{ActionId, Cluster, NodeIndex, Task};
use crate::order::{End, relation};

impl<'a> Cluster<'a> {
    pub(crate) fn create_shutdown(&mut self, node: NodeIndex) -> ActionId {
        let key = format!("do_shutdown-{}", self.node(node).uname);
        let shutdown = self.free_action(Task::Shutdown, &key, Some(node), false);
        self.act_mut(shutdown).meta.insert("op_no_wait".into(), "true".into());
        shutdown
    }

    /// Everything that stops on a leaving node stops before it leaves, except what is not the cluster's business. What
    /// failed to stop holds the node up.
    pub(crate) fn order_stops_before_shutdown(
        &mut self,
        node: NodeIndex,
        shutdown: ActionId,
        stops: &BTreeMap<NodeIndex, Vec<ActionId>>,
    ) {
        if self.node(node).maintenance {
            return;
        }
        for &stop in stops.get(&node).into_iter().flatten() {
            let Some(resource) = self.act(stop).resource else { continue };
            let known = self.rsc(resource);
            if known.maintenance || !(known.managed || known.blocked) {
                continue;
            }
            self.act_mut(stop).optional = false;
            let flags = relation::ORDERED | relation::UNRUNNABLE_FIRST_BLOCKS;
            self.order(End::Action(stop), End::Action(shutdown), flags);
        }
    }
}
