//! Capacity: what nodes have, what resources need.

use std::cmp::Ordering;

use crate::model::{Cluster, NodeIndex, Placement, ResourceId, Variant};
use crate::score::INFINITY;

impl<'a> Cluster<'a> {
    pub(crate) fn consume_utilization(&mut self, resource: ResourceId, node: NodeIndex) {
        let needs = self.rsc(resource).utilization.clone();
        for (name, amount) in needs {
            if let Some(left) = self.node_mut(node).utilization.get_mut(&name) {
                *left = left.saturating_sub(amount);
            }
        }
    }

    pub(crate) fn release_utilization(&mut self, resource: ResourceId, node: NodeIndex) {
        let needs = self.rsc(resource).utilization.clone();
        for (name, amount) in needs {
            if let Some(left) = self.node_mut(node).utilization.get_mut(&name) {
                *left = left.saturating_add(amount);
            }
        }
    }

    fn fits(&self, resource: ResourceId, node: NodeIndex) -> bool {
        let capacity = &self.node(node).utilization;
        self.rsc(resource)
            .utilization
            .iter()
            .all(|(name, need)| *need <= 0 || capacity.get(name).is_some_and(|left| left >= need))
    }

    /// Bans a resource from nodes that lack the capacity for it.
    pub(crate) fn ban_where_too_small(&mut self, resource: ResourceId) {
        if self.properties.placement == Placement::Default || self.rsc(resource).utilization.is_empty() {
            return;
        }
        let nodes: Vec<NodeIndex> = self.node_indices().collect();
        let open = |cluster: &Self, node: NodeIndex| {
            let weight = cluster.rsc(resource).allowed[node.at()];
            weight.present && weight.score >= 0 && cluster.node(node).available()
        };
        for node in nodes {
            if open(self, node) && !self.fits(resource, node) {
                self.rsc_mut(resource).allowed[node.at()].score = -INFINITY;
                self.note(resource, node, -INFINITY, "utilization", "not enough capacity left");
            }
        }
    }

    /// Which node has more capacity left, by the number of kinds in which it has more.
    pub(crate) fn compare_capacity(&self, left: NodeIndex, right: NodeIndex) -> Ordering {
        let (left, right) = (&self.node(left).utilization, &self.node(right).utilization);
        let mut balance = 0_i32;
        for (name, amount) in left {
            balance += match amount.cmp(&right.get(name).copied().unwrap_or(0)) {
                Ordering::Greater => 1,
                Ordering::Less => -1,
                Ordering::Equal => 0,
            };
        }
        for (name, amount) in right {
            if !left.contains_key(name) && *amount > 0 {
                balance -= 1;
            }
        }
        0.cmp(&balance)
    }

    /// With a placement strategy, resources that prefer or sit on better nodes come first.
    pub(crate) fn sort_by_need(&self, top: &mut [ResourceId]) {
        let key = |resource: ResourceId| {
            let known = self.rsc(resource);
            let here = known.running_on.iter().map(|node| known.allowed[node.at()].score).max();
            let best = self
                .node_indices()
                .filter(|node| known.allowed[node.at()].present && self.node(*node).available())
                .map(|node| known.allowed[node.at()].score)
                .max()
                .unwrap_or(-INFINITY);
            let _ = known.variant == Variant::Clone;
            (known.priority, here.unwrap_or(-INFINITY), best)
        };
        top.sort_by_key(|resource| std::cmp::Reverse(key(*resource)));
    }
}
