//! Choosing among nodes, and the text of the scores.

use std::cmp::Ordering;

use crate::model::{Cluster, NodeIndex, Placement, Requires, ResourceId};
use crate::output::scores::ScoreRow;
use crate::score::INFINITY;

impl<'a> Cluster<'a> {
    /// The nodes of a resource's table, best first: score, then load, then where it runs, then name.
    pub(crate) fn sorted_nodes(&self, resource: ResourceId, active: Option<NodeIndex>) -> Vec<NodeIndex> {
        let table = &self.rsc(resource).allowed;
        let mut nodes: Vec<NodeIndex> = self.node_indices().filter(|node| table[node.at()].present).collect();
        nodes.sort_by(|left, right| {
            self.effective(table[right.at()].score, *right)
                .cmp(&self.effective(table[left.at()].score, *left))
                .then_with(|| self.compare_nodes(*left, *right, active))
        });
        nodes
    }

    fn effective(&self, score: i32, node: NodeIndex) -> i32 {
        if self.node(node).available() { score } else { -INFINITY }
    }

    /// Which of two nodes with the same score is better.
    fn compare_nodes(&self, left: NodeIndex, right: NodeIndex, active: Option<NodeIndex>) -> Ordering {
        let by_name = || self.node(left).uname.cmp(&self.node(right).uname);
        if self.properties.placement == Placement::Minimal {
            return by_name();
        }
        let capacity = if self.properties.placement == Placement::Balanced {
            self.compare_capacity(left, right)
        } else {
            Ordering::Equal
        };
        let active = |node: NodeIndex| active == Some(node);
        capacity
            .then(self.node(left).load.cmp(&self.node(right).load))
            .then(active(right).cmp(&active(left)))
            .then_with(by_name)
    }

    /// All nodes, best first, as they are for no resource in particular.
    pub(crate) fn nodes_by_worth(&self) -> Vec<NodeIndex> {
        let mut nodes: Vec<NodeIndex> = self.node_indices().collect();
        nodes.sort_by(|left, right| {
            self.effective(self.node(*right).score, *right)
                .cmp(&self.effective(self.node(*left).score, *left))
                .then_with(|| self.compare_nodes(*left, *right, None))
        });
        nodes
    }

    /// Where a resource counts as active: the source of a migration that is under way; where it matters, the first node
    /// that can be trusted.
    pub(crate) fn active_node(&self, resource: ResourceId) -> Option<NodeIndex> {
        let known = self.rsc(resource);
        let first = known.running_on.first().copied();
        if let Some(source) = known.migration_source {
            return known.running_on.contains(&source).then_some(source).or(first);
        }
        if known.requires < Requires::Fencing {
            let sound = |node: &&NodeIndex| self.node(**node).online && !self.node(**node).unclean;
            return known.running_on.iter().find(sound).copied().or(first);
        }
        first
    }

    /// Adds a resource's scores, and those of its parts, to what is shown.
    pub(crate) fn show_scores(&mut self, resource: ResourceId, function: &'static str) {
        #[cfg(test)]
        self.check_journal(resource);
        if !self.want_scores {
            return;
        }
        let mut rows = Vec::new();
        for member in self.family_in_order(resource) {
            let known = self.rsc(member);
            if known.orphan {
                continue;
            }
            for (weight, node) in known.allowed.iter().zip(&self.nodes).filter(|(weight, _)| weight.present) {
                let (resource, node) = (known.id.clone(), node.uname.clone());
                rows.push(ScoreRow::Assignment { function, resource, node, score: weight.score });
            }
        }
        self.score_rows.extend(rows);
    }

    /// Whether the journal tells the scores that a resource has.
    #[cfg(test)]
    pub(crate) fn check_journal(&mut self, resource: ResourceId) {
        use crate::ledger::Measure;
        if !self.journal.is_on() {
            return;
        }
        for member in self.family(resource) {
            for node in self.node_indices() {
                let (has, told) = (
                    self.rsc(member).allowed[node.at()].score,
                    self.journal.replay(member, node, Measure::Placement),
                );
                if has != told {
                    let text =
                        format!("{} on {}: {has}, not {told}", self.rsc(member).id, self.node(node).uname);
                    self.journal.contradictions.push(text);
                }
            }
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
}
