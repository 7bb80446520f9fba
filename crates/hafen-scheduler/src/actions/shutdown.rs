//! Nodes that ask to leave.

use crate::model::{Cluster, NodeIndex, Task};
use crate::order::relation;

impl<'a> Cluster<'a> {
    pub(crate) fn create_shutdowns(&mut self) {
        for node in self.node_indices() {
            let known = self.node(node);
            if known.online && known.shutdown && !known.unclean && !known.remote && !known.pending {
                self.create_shutdown(node);
            }
        }
    }

    fn create_shutdown(&mut self, node: NodeIndex) {
        let key = format!("do_shutdown-{}", self.node(node).uname);
        let shutdown = self.free_action(Task::Shutdown, &key, Some(node), false);
        self.act_mut(shutdown).meta.insert("op_no_wait".into(), "true".into());
        self.shutdowns.push(shutdown);
    }

    /// Everything that stops on a leaving node stops before it leaves.
    pub(crate) fn order_shutdowns(&mut self) {
        for shutdown in self.shutdowns.clone() {
            let node = self.act(shutdown).node;
            for resource in self.resource_ids() {
                for action in self.rsc(resource).actions.clone() {
                    let known = self.act(action);
                    if known.node != node || known.task != Task::Stop {
                        continue;
                    }
                    let managed = self.rsc(resource).managed || self.rsc(resource).blocked;
                    if (self.rsc(resource).maintenance || !managed) && !known.runnable {
                        continue;
                    }
                    self.order_actions(
                        action,
                        shutdown,
                        relation::ORDERED | relation::UNRUNNABLE_FIRST_BLOCKS,
                    );
                }
            }
        }
    }
}
