//! Choosing among nodes, and the text of the scores.

use std::cmp::Ordering;

use crate::model::{Cluster, NodeIndex, Placement, ResourceId, Variant};
use crate::score::{self, INFINITY};

impl<'a> Cluster<'a> {
    /// Best first: score, then load, then the node where it runs, then name.
    pub(crate) fn sort_nodes(
        &self,
        resource: ResourceId,
        nodes: &mut [NodeIndex],
        active: Option<NodeIndex>,
    ) {
        nodes.sort_by(|left, right| self.compare_nodes(resource, *left, *right, active));
    }

    fn effective(&self, resource: ResourceId, node: NodeIndex) -> i32 {
        if self.node(node).available() { self.rsc(resource).allowed[node.at()].score } else { -INFINITY }
    }

    fn compare_nodes(
        &self,
        resource: ResourceId,
        left: NodeIndex,
        right: NodeIndex,
        active: Option<NodeIndex>,
    ) -> Ordering {
        let order = self.effective(resource, right).cmp(&self.effective(resource, left));
        if order != Ordering::Equal {
            return order;
        }
        if self.properties.placement != Placement::Minimal {
            if self.properties.placement == Placement::Balanced {
                let order = self.compare_capacity(left, right);
                if order != Ordering::Equal {
                    return order;
                }
            }
            let order = self.node(left).load.cmp(&self.node(right).load);
            if order != Ordering::Equal {
                return order;
            }
        }
        if active == Some(left) && active != Some(right) {
            return Ordering::Less;
        }
        if active == Some(right) && active != Some(left) {
            return Ordering::Greater;
        }
        self.node(left).uname.cmp(&self.node(right).uname)
    }

    /// Adds a resource's scores, and those of its parts, to the text.
    pub(crate) fn show_scores(&mut self, resource: ResourceId, label: &str) {
        for member in self.family_in_order(resource) {
            let known = self.rsc(member);
            if known.orphan && known.orphan_filler {
                continue;
            }
            let mut rows: Vec<(String, String)> = Vec::new();
            for (at, weight) in known.allowed.iter().enumerate() {
                if weight.present {
                    let node = &self.nodes[at].uname;
                    rows.push((
                        node.clone(),
                        format!(
                            "{label}: {} allocation score on {node}: {}",
                            known.id,
                            score::text(weight.score)
                        ),
                    ));
                }
            }
            rows.sort();
            self.scores_text.extend(rows.into_iter().map(|(_, row)| row));
        }
    }

    /// A resource, then its parts, depth first.
    pub(crate) fn family_in_order(&self, resource: ResourceId) -> Vec<ResourceId> {
        let mut ordered = Vec::new();
        let mut open = vec![resource];
        while let Some(at) = open.pop() {
            ordered.push(at);
            open.extend(self.rsc(at).children.iter().rev().copied());
        }
        ordered
    }

    /// Decides on a node: the preferred one when nothing is better, else the best.
    pub(crate) fn choose(&self, resource: ResourceId, prefer: Option<NodeIndex>) -> Option<NodeIndex> {
        let known = self.rsc(resource);
        let mut nodes: Vec<NodeIndex> =
            self.node_indices().filter(|node| known.allowed[node.at()].present).collect();
        let active = known.running_on.first().copied();
        self.sort_nodes(resource, &mut nodes, active);
        let usable = |node: NodeIndex| known.allowed[node.at()].score >= 0 && self.node(node).available();
        let best = *nodes.first()?;
        if let Some(prefer) = prefer
            && known.allowed[prefer.at()].present
            && usable(prefer)
            && known.allowed[prefer.at()].score >= known.allowed[best.at()].score
        {
            return Some(prefer);
        }
        if !usable(best) {
            return None;
        }
        let unique_instance = known
            .parent
            .is_some_and(|parent| self.rsc(parent).variant == Variant::Clone && self.rsc(parent).unique);
        let score = known.allowed[best.at()].score;
        if score > 0 && !unique_instance {
            let here = known
                .running_on
                .iter()
                .copied()
                .find(|node| usable(*node) && known.allowed[node.at()].score == score);
            if let Some(here) = here
                && known.running_on.len() == 1
            {
                return Some(here);
            }
        }
        Some(best)
    }
}
