//! Probes: finding out what runs where nothing is known.

use crate::model::{Cluster, Discovery, NodeIndex, ResourceId, Role, Task, Variant};
use crate::order::{End, relation};

/// What holds for the probes of all nodes.
struct Probing {
    /// By resource: some location constraint confines its discovery, maybe to no node at all.
    exclusive: Vec<bool>,
}

impl<'a> Cluster<'a> {
    pub(crate) fn create_probes(&mut self) {
        if !self.properties.probe {
            return;
        }
        let mut exclusive = vec![false; self.resources.len()];
        for location in &self.locations {
            exclusive[location.resource.0 as usize] |= location.discovery == Discovery::Exclusive;
        }
        let probing = Probing { exclusive };
        let top = self.top.clone();
        for node in self.node_indices() {
            let known = self.node(node);
            let joining = known.pending && !known.unclean;
            if !(known.online || joining) || known.unclean || known.ping || known.remote {
                continue;
            }
            for &resource in &top {
                self.probe(resource, node, &probing);
            }
        }
    }

    fn probe(&mut self, resource: ResourceId, node: NodeIndex, probing: &Probing) {
        match self.rsc(resource).variant {
            Variant::Primitive => self.probe_primitive(resource, node, probing),
            Variant::Group => {
                for at in 0..self.rsc(resource).children.len() {
                    self.probe(self.rsc(resource).children[at], node, probing);
                }
            }
            Variant::Clone => self.probe_clone(resource, node, probing),
        }
    }

    fn probe_clone(&mut self, clone: ResourceId, node: NodeIndex, probing: &Probing) {
        let known = self.rsc(clone);
        if probing.exclusive[clone.0 as usize] && known.allowed[node.at()].discovery != Discovery::Exclusive {
            // Its instances never run there, and need not be told of that node.
            self.rsc_mut(clone).allowed[node.at()].present = false;
            return;
        }
        // From here on instances are gone through by number, however their assignment sorted them.
        let mut children = known.children.clone();
        children.sort_by_key(|child| self.rsc(*child).instance);
        self.rsc_mut(clone).children = children;
        let known = self.rsc(clone);
        if known.unique {
            for at in 0..self.rsc(clone).children.len() {
                self.probe(self.rsc(clone).children[at], node, probing);
            }
            return;
        }
        // One instance is as good as another, but the one that is known there is the best, then the one that will run there.
        let instances = || known.children.iter().copied();
        let here = instances()
            .find(|instance| self.is_known_anywhere_in(*instance, node))
            .or_else(|| instances().find(|instance| self.assigned_nodes(*instance).contains(&node)))
            .or_else(|| instances().next());
        if let Some(instance) = here {
            self.probe(instance, node, probing);
        }
    }

    /// Whether the state of some part of a resource on a node is known.
    fn is_known_anywhere_in(&self, resource: ResourceId, node: NodeIndex) -> bool {
        let known = self.rsc(resource);
        if known.children.is_empty() {
            known.known_on.contains(&node)
        } else {
            known.children.iter().any(|child| self.is_known_anywhere_in(*child, node))
        }
    }

    fn probe_primitive(&mut self, resource: ResourceId, node: NodeIndex, probing: &Probing) {
        let known = self.rsc(resource);
        if known.orphan || known.container.is_some() || known.known_on.contains(&node) {
            return;
        }
        let top = self.top_of(resource);
        let discovery = known.allowed[node.at()].discovery;
        let exclusive = probing.exclusive[resource.0 as usize] || probing.exclusive[top.0 as usize];
        if discovery == Discovery::Never || exclusive && discovery != Discovery::Exclusive {
            return;
        }
        let target_rc = if !known.running_on.contains(&node) {
            Some(7)
        } else if known.role == Role::Promoted {
            Some(8)
        } else {
            None
        };
        let probe = self.resource_action(resource, Task::Monitor, Some(node), false);
        let action = self.act_mut(probe);
        action.optional = false;
        action.target_rc = target_rc;
        let runnable = action.runnable;
        self.order_after_unfencing(resource, node, probe, relation::ORDERED);
        // Instances start together.
        let top = if self.rsc(top).variant == Variant::Clone { top } else { resource };
        let mut flags = relation::ORDERED;
        if !runnable {
            // What cannot be probed does not start, but does not have to stop either.
            if self.rsc(top).running_on.is_empty() {
                flags |= relation::UNRUNNABLE_FIRST_BLOCKS;
            }
            for at in 0..self.rsc(top).children.len() {
                let instance = self.rsc(top).children[at];
                if self.rsc(instance).running_on.is_empty() {
                    let blocked = End::Task(instance, Task::Start);
                    self.order(End::Action(probe), blocked, relation::UNRUNNABLE_FIRST_BLOCKS);
                }
            }
        }
        self.order(End::Action(probe), End::Task(top, Task::Start), flags);
        if self.rsc(resource).reload {
            self.order(End::Action(probe), End::Task(top, Task::ReloadAgent), relation::ORDERED);
        }
    }
}
