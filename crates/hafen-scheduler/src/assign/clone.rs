//! Assigning a clone: instances stay where they run, the rest is spread.

use std::cmp::Ordering;

use crate::model::{Cluster, NodeIndex, ResourceId, Weight};
use crate::score::INFINITY;

impl<'a> Cluster<'a> {
    pub(crate) fn assign_clone(&mut self, clone: ResourceId, depth: usize) -> Option<NodeIndex> {
        if !self.rsc(clone).provisional || self.rsc(clone).assigning {
            return None;
        }
        self.rsc_mut(clone).assigning = true;
        let promotable = self.rsc(clone).clone.as_ref().is_some_and(|options| options.promotable);
        if promotable {
            self.add_promotion_scores(clone);
        }
        for at in self.this_with(clone) {
            let primary = self.colocations[at].primary;
            self.assign(primary, None, depth + 1);
        }
        for at in self.with_this(clone) {
            self.add_dependent_scores(clone, at);
        }
        self.show_scores(clone, "pcmk__clone_assign");
        let mut instances = self.rsc(clone).children.clone();
        instances.sort_by(|left, right| self.compare_instances(clone, *left, *right));
        self.rsc_mut(clone).children.clone_from(&instances);
        self.assign_instances(clone, &instances, depth);
        self.rsc_mut(clone).provisional = false;
        if promotable {
            self.choose_promoted(clone);
        }
        self.rsc_mut(clone).assigning = false;
        None
    }

    fn assign_instances(&mut self, clone: ResourceId, instances: &[ResourceId], depth: usize) {
        let options = self.rsc(clone).clone.clone().unwrap_or_default();
        let usable = self
            .node_indices()
            .filter(|node| {
                let weight = self.rsc(clone).allowed[node.at()];
                weight.present && weight.score >= 0 && self.node(*node).available()
            })
            .count();
        let usable = i32::try_from(usable).unwrap_or(i32::MAX).max(1);
        let optimal = (options.max / usable).max(1);
        let mut counts = vec![0_i32; self.nodes.len()];
        let mut assigned = 0;
        for &instance in instances {
            if assigned >= options.max {
                break;
            }
            let Some(here) = self.early_node(clone, instance, optimal, &counts) else { continue };
            if self.try_early(clone, instance, here, options.node_max, &mut counts, depth) {
                assigned += 1;
            }
        }
        for &instance in instances {
            if !self.rsc(instance).provisional {
                continue;
            }
            if assigned >= options.max {
                self.ban_everywhere(instance);
                self.assign(instance, None, depth + 1);
            } else if self
                .assign_instance(clone, instance, None, options.node_max, &mut counts, depth)
                .is_some()
            {
                assigned += 1;
            }
        }
    }

    fn ban_everywhere(&mut self, instance: ResourceId) {
        for member in self.family(instance) {
            for weight in &mut self.rsc_mut(member).allowed {
                weight.score = -INFINITY;
            }
        }
    }

    /// Where an instance runs, if it may stay there.
    fn early_node(
        &self,
        clone: ResourceId,
        instance: ResourceId,
        optimal: i32,
        counts: &[i32],
    ) -> Option<NodeIndex> {
        let known = self.rsc(instance);
        let here = *known.running_on.first()?;
        if !known.provisional || self.family(instance).iter().any(|member| self.rsc(*member).failed) {
            return None;
        }
        if !self.node(here).available() {
            return None;
        }
        let weight = self.rsc(clone).allowed[here.at()];
        (weight.present && weight.score >= 0 && counts[here.at()] < optimal).then_some(here)
    }

    fn try_early(
        &mut self,
        clone: ResourceId,
        instance: ResourceId,
        here: NodeIndex,
        node_max: i32,
        counts: &mut [i32],
        depth: usize,
    ) -> bool {
        let saved: Vec<(ResourceId, Vec<Weight>)> = self
            .family(instance)
            .into_iter()
            .map(|member| (member, self.rsc(member).allowed.clone()))
            .collect();
        let chosen = self.assign_instance(clone, instance, Some(here), node_max, counts, depth);
        if chosen == Some(here) {
            return true;
        }
        if let Some(chosen) = chosen {
            counts[chosen.at()] -= 1;
        }
        for (member, allowed) in saved {
            self.unplace(member);
            let wanted = self.target_role(member).filter(|role| *role != crate::model::Role::Started);
            let known = self.rsc_mut(member);
            known.allowed = allowed;
            known.next_role = wanted.unwrap_or_default();
        }
        false
    }

    fn assign_instance(
        &mut self,
        clone: ResourceId,
        instance: ResourceId,
        prefer: Option<NodeIndex>,
        node_max: i32,
        counts: &mut [i32],
        depth: usize,
    ) -> Option<NodeIndex> {
        if self.rsc(instance).assigning {
            return None;
        }
        for (at, count) in counts.iter().enumerate() {
            let full = *count >= node_max;
            let weight = self.rsc(clone).allowed[at];
            let closed = !weight.present || weight.score < 0 || !self.nodes[at].available();
            if full || closed {
                for member in self.family(instance) {
                    self.rsc_mut(member).allowed[at].score = -INFINITY;
                }
            }
        }
        let chosen = self.assign(instance, prefer, depth + 1);
        if let Some(chosen) = chosen {
            counts[chosen.at()] += 1;
        }
        chosen
    }

    /// Which instance is looked after first: those that run, where they may stay.
    fn compare_instances(&self, clone: ResourceId, left: ResourceId, right: ResourceId) -> Ordering {
        let active = |instance: ResourceId| self.rsc(instance).running_on.len();
        let (left_count, right_count) = (active(left), active(right));
        if left_count > 0 && right_count > 0 && left_count != right_count {
            return left_count.cmp(&right_count);
        }
        let here = |instance: ResourceId| {
            self.rsc(instance).running_on.first().copied().filter(|node| {
                self.rsc(instance).allowed[node.at()].present && self.rsc(clone).allowed[node.at()].present
            })
        };
        let (left_node, right_node) = (here(left), here(right));
        match (left_node, right_node) {
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (Some(left_node), Some(right_node)) => {
                let usable = |node: NodeIndex| self.node(node).available();
                if usable(left_node) != usable(right_node) {
                    return if usable(left_node) { Ordering::Less } else { Ordering::Greater };
                }
                let priority = self.rsc(right).priority.cmp(&self.rsc(left).priority);
                if priority != Ordering::Equal {
                    return priority;
                }
                let score =
                    |instance: ResourceId, node: NodeIndex| self.rsc(instance).allowed[node.at()].score;
                let parent = |node: NodeIndex| self.rsc(clone).allowed[node.at()].score;
                let order = parent(right_node).cmp(&parent(left_node));
                if order != Ordering::Equal {
                    return order;
                }
                let failed = |instance: ResourceId| {
                    self.family(instance).iter().any(|member| self.rsc(*member).failed)
                };
                if failed(left) != failed(right) {
                    return if failed(left) { Ordering::Greater } else { Ordering::Less };
                }
                let order = score(right, right_node).cmp(&score(left, left_node));
                if order != Ordering::Equal {
                    return order;
                }
            }
            (None, None) => {}
        }
        self.rsc(left).instance.cmp(&self.rsc(right).instance)
    }
}
