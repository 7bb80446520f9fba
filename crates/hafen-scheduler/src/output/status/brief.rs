//! Resources by agent: how many of each kind there are, and where they run.

use std::collections::BTreeMap;

use super::{How, Listing};
use crate::model::{Cluster, NodeIndex, ResourceId, Variant};

/// Primitives of one agent.
#[derive(Default)]
struct Kind {
    total: usize,
    /// How many run, by the name of the node.
    active: BTreeMap<String, usize>,
}

impl Cluster<'_> {
    /// A line for each agent and node; with `totals` also how many there are at all.
    pub(super) fn list_briefly(
        &self,
        out: &mut Listing,
        depth: usize,
        resources: &[ResourceId],
        totals: bool,
    ) {
        for (agent, Kind { total, active }) in self.kinds(resources.iter().copied()) {
            for (node, count) in &active {
                let of = if totals { format!("{count}/{total}") } else { count.to_string() };
                out.item(depth, &format!("{of}\t({agent}):\tActive {node}"));
            }
            if active.is_empty() && totals {
                out.item(depth, &format!("0/{total}\t({agent}):\tActive"));
            }
        }
    }

    /// A node's resources by agent; what runs on other nodes, too, is counted there once more.
    pub(super) fn list_node_briefly(&self, out: &mut Listing, depth: usize, node: NodeIndex, how: How<'_>) {
        let running = self.node(node).running.iter().copied().filter(|resource| how.only.resource(*resource));
        for (agent, Kind { active, .. }) in self.kinds(running) {
            for count in active.values() {
                out.item(depth, &format!("{count}\t({agent}):\tActive "));
            }
        }
    }

    fn kinds(&self, resources: impl Iterator<Item = ResourceId>) -> BTreeMap<String, Kind> {
        let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
        for resource in resources.filter(|resource| self.rsc(*resource).variant == Variant::Primitive) {
            let kind = kinds.entry(self.agent_of(resource)).or_default();
            kind.total += 1;
            for node in self.rsc(resource).running_on.iter().filter(|_| self.is_active(resource, true)) {
                *kind.active.entry(self.node(*node).uname.clone()).or_default() += 1;
            }
        }
        kinds
    }

    /// Whether a member of a group is shown: an instance of a clone is shown with all of its members.
    pub(super) fn member_fits(&self, member: ResourceId, how: How<'_>) -> bool {
        let group = self.rsc(member).parent.map(|group| self.rsc(group));
        group.is_some_and(|group| group.parent.is_some()) || self.fits(member, how)
    }

    /// Whether a part of something is shown: it is asked for, and runs on a node that is, or nowhere.
    pub(super) fn fits(&self, resource: ResourceId, how: How<'_>) -> bool {
        if !how.only.resource(resource) {
            return false;
        }
        if how.only.nodes.is_none() {
            return true;
        }
        let family = self.family(resource);
        let mut places = family.iter().flat_map(|member| self.rsc(*member).running_on.iter()).peekable();
        places.peek().is_none() || places.any(|node| how.only.node(*node))
    }
}
