//! Assignment: where each resource should run.

mod clone;
mod colocation;
mod criteria;
mod group;
pub(crate) mod lists;
mod primitive;
mod promote;
mod scores;
mod tickets;
mod utilization;
mod wishes;

use crate::model::{Cluster, NodeIndex, Placement, ResourceId, Role, Variant};

/// Colocation chains are followed this deep before a dependent stops waiting for what it depends on.
pub(crate) const DEPTH_LIMIT: usize = 800;

impl<'a> Cluster<'a> {
    /// Assigns everything.
    pub(crate) fn assign_all(&mut self) {
        if self.properties.placement != Placement::Default {
            self.sort_by_need();
        }
        self.show_capacities("Original");
        for resource in self.top.clone() {
            self.assign(resource, None, true, 0);
        }
        self.show_capacities("Remaining");
    }

    /// Assigns a resource of any kind, unless that is done. Without `stop_if_fail` it is only an attempt.
    pub(crate) fn assign(
        &mut self,
        resource: ResourceId,
        prefer: Option<NodeIndex>,
        stop_if_fail: bool,
        depth: usize,
    ) -> Option<NodeIndex> {
        if depth > DEPTH_LIMIT {
            return self.rsc(resource).assigned_to;
        }
        match self.rsc(resource).variant {
            Variant::Primitive => self.assign_primitive(resource, prefer, stop_if_fail, depth),
            Variant::Group => self.assign_group(resource, prefer, stop_if_fail, depth),
            Variant::Clone => {
                self.assign_clone(resource, depth);
                None
            }
        }
    }

    /// Settles the place of a primitive, or of all parts of a group. Without `force` an unusable node means none; without
    /// `stop_if_fail` none does not yet mean that it is stopped.
    pub(crate) fn place(
        &mut self,
        resource: ResourceId,
        node: Option<NodeIndex>,
        force: bool,
        stop_if_fail: bool,
    ) {
        if !self.rsc(resource).children.is_empty() {
            for part in self.rsc(resource).children.clone() {
                self.place(part, node, force, stop_if_fail);
            }
            return;
        }
        let usable = |node: &NodeIndex| {
            force || (self.rsc(resource).allowed[node.at()].score >= 0 && self.node(*node).available())
        };
        let chosen = node.filter(usable);
        self.unplace(resource);
        self.rsc_mut(resource).provisional = false;
        self.journal.decide(resource, chosen);
        let Some(node) = chosen else {
            if stop_if_fail {
                self.rsc_mut(resource).next_role = Role::Stopped;
                self.give_up_actions(resource);
            }
            return;
        };
        let basis = self.node(node).score;
        let known = self.rsc_mut(resource);
        known.assigned_score = if known.managed { known.allowed[node.at()].score } else { basis };
        known.assigned_to = Some(node);
        self.node_mut(node).load += 1;
        self.node_mut(node).assigned.push(resource);
        self.consume_utilization(resource, node);
        self.show_utilization(resource, node);
    }

    /// Takes an assignment back, with those of its parts.
    pub(crate) fn unplace(&mut self, resource: ResourceId) {
        self.rsc_mut(resource).provisional = true;
        if self.rsc(resource).variant == Variant::Group {
            self.rsc_mut(resource).assigned_to = None;
            for part in self.rsc(resource).children.clone() {
                self.unplace(part);
            }
            return;
        }
        if let Some(node) = self.rsc_mut(resource).assigned_to.take() {
            let known = self.node_mut(node);
            known.load = known.load.saturating_sub(1);
            if let Some(at) = known.assigned.iter().rposition(|other| *other == resource) {
                known.assigned.remove(at);
            }
            self.release_utilization(resource, node);
        }
    }

    /// The node to which a resource, or all parts of it, are assigned, with its score there.
    pub(crate) fn location(&self, resource: ResourceId) -> Option<(NodeIndex, i32)> {
        let known = self.rsc(resource);
        if known.children.is_empty() {
            return Some((known.assigned_to?, known.assigned_score));
        }
        let mut found = None;
        for member in self.family(resource) {
            let known = self.rsc(member);
            match (known.assigned_to, found) {
                (Some(node), None) if known.children.is_empty() => {
                    found = Some((node, known.assigned_score));
                }
                (Some(node), Some((other, _))) if known.children.is_empty() && node != other => {
                    return None;
                }
                _ => {}
            }
        }
        found
    }

    /// All nodes where parts of a resource are assigned.
    pub(crate) fn assigned_nodes(&self, resource: ResourceId) -> Vec<NodeIndex> {
        let mut nodes = Vec::new();
        for member in self.family(resource) {
            if let Some(node) = self.rsc(member).assigned_to
                && !nodes.contains(&node)
            {
                nodes.push(node);
            }
        }
        nodes
    }
}
