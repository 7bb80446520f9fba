//! Assignment: where each resource should run.

mod clone;
mod colocation;
mod criteria;
mod group;
mod primitive;
mod promote;
mod scores;
mod tickets;
mod utilization;

use crate::model::{Cluster, NodeIndex, ResourceId, Role, Variant};

/// Colocation chains are followed this deep before a dependent stops waiting for what it depends on.
pub(crate) const DEPTH_LIMIT: usize = 800;

impl<'a> Cluster<'a> {
    /// Assigns everything.
    pub(crate) fn assign_all(&mut self) {
        self.apply_criteria();
        self.sort_for_assignment();
        for resource in self.top.clone() {
            self.assign(resource, None, 0);
        }
    }

    /// Assigns a resource of any kind, unless that is done.
    pub(crate) fn assign(
        &mut self,
        resource: ResourceId,
        prefer: Option<NodeIndex>,
        depth: usize,
    ) -> Option<NodeIndex> {
        if depth > DEPTH_LIMIT {
            return self.rsc(resource).assigned_to;
        }
        match self.rsc(resource).variant {
            Variant::Primitive => self.assign_primitive(resource, prefer, depth),
            Variant::Group => self.assign_group(resource, prefer, depth),
            Variant::Clone => self.assign_clone(resource, depth),
        }
    }

    /// Settles a primitive's place. Without `force` an unusable node means none.
    pub(crate) fn place(&mut self, resource: ResourceId, node: Option<NodeIndex>, force: bool) {
        let mut chosen = node;
        if !force && let Some(node) = node {
            let score = self.rsc(resource).allowed[node.at()].score;
            if score < 0 || !self.node(node).available() {
                chosen = None;
            }
        }
        self.unplace(resource);
        self.rsc_mut(resource).provisional = false;
        match chosen {
            None => {
                if !force || self.rsc(resource).managed {
                    self.rsc_mut(resource).next_role = Role::Stopped;
                }
                self.rsc_mut(resource).assigned_to = None;
            }
            Some(node) => {
                self.rsc_mut(resource).assigned_to = Some(node);
                if self.rsc(resource).next_role == Role::Unknown {
                    self.rsc_mut(resource).next_role = self.default_role(resource);
                }
                self.node_mut(node).load += 1;
                self.node_mut(node).assigned.push(resource);
                self.consume_utilization(resource, node);
            }
        }
    }

    /// Takes an assignment back.
    pub(crate) fn unplace(&mut self, resource: ResourceId) {
        if let Some(node) = self.rsc_mut(resource).assigned_to.take() {
            let known = self.node_mut(node);
            known.load = known.load.saturating_sub(1);
            known.assigned.retain(|other| *other != resource);
            self.release_utilization(resource, node);
        }
        self.rsc_mut(resource).provisional = true;
    }

    fn default_role(&self, resource: ResourceId) -> Role {
        let promotable = self
            .clone_of(resource)
            .and_then(|clone| self.rsc(clone).clone.as_ref())
            .is_some_and(|options| options.promotable);
        if promotable { Role::Unpromoted } else { Role::Started }
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
