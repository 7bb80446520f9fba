//! Assigning a clone: instances stay where they run, the rest is spread.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::ledger::Cause;
use crate::model::{Cluster, NodeIndex, ResourceId, Weight};
use crate::score::INFINITY;

use super::lists::Side;
use super::wishes::{Asking, Via, scaled};

/// What is known while the instances of a clone are placed.
struct Distribution {
    clone: ResourceId,
    node_max: i32,
    /// How many instances each node has been given.
    counts: Vec<i32>,
}

impl<'a> Cluster<'a> {
    pub(crate) fn assign_clone(&mut self, clone: ResourceId, depth: usize) {
        if !self.rsc(clone).provisional || self.rsc(clone).assigning {
            return;
        }
        let options = self.rsc(clone).clone.clone().unwrap_or_default();
        if options.promotable {
            self.add_promotion_scores(clone);
        }
        self.rsc_mut(clone).assigning = true;
        for &at in self.this_with(clone).iter() {
            let primary = self.colocations[at].primary;
            self.assign(primary, None, true, depth + 1);
        }
        for &at in self.with_this(clone).iter() {
            self.add_dependent_scores(clone, at);
        }
        self.show_scores(clone, "pcmk__clone_assign");
        self.sort_instances(clone);
        self.assign_instances(clone, options.max, options.node_max, depth);
        if options.promotable {
            self.choose_promoted(clone);
        }
        self.rsc_mut(clone).provisional = false;
        self.rsc_mut(clone).assigning = false;
    }

    fn assign_instances(&mut self, clone: ResourceId, max: i32, node_max: i32, depth: usize) {
        let open =
            |node: &NodeIndex| self.rsc(clone).allowed[node.at()].present && self.node(*node).available();
        let usable = i32::try_from(self.node_indices().filter(open).count()).unwrap_or(i32::MAX);
        let optimal = (max / usable.max(1)).max(1);
        let mut spread = Distribution { clone, node_max, counts: vec![0; self.nodes.len()] };
        let instances = self.rsc(clone).children.clone();
        let mut assigned = 0;
        for &instance in &instances {
            if assigned >= max {
                break;
            }
            let Some(here) = self.preferred_node(&spread, instance, optimal) else { continue };
            if self.assign_early(&mut spread, instance, here, max - assigned, depth) {
                assigned += 1;
            }
        }
        for &instance in &instances {
            if !self.rsc(instance).provisional {
                continue;
            }
            if assigned >= max {
                self.ban_everywhere(instance, Cause::InstanceLimit);
            } else if self.assign_instance(&mut spread, instance, None, depth).is_some() {
                assigned += 1;
            }
        }
    }

    /// Where an instance runs, if it may stay there.
    fn preferred_node(&self, spread: &Distribution, instance: ResourceId, optimal: i32) -> Option<NodeIndex> {
        let known = self.rsc(instance);
        if !known.provisional || known.failed {
            return None;
        }
        let here = self.active_node(instance)?;
        let weight = self.rsc(spread.clone).allowed[here.at()];
        let crowded = weight.present && spread.counts[here.at()] >= optimal;
        (self.node(here).available() && !crowded).then_some(here)
    }

    /// Tries to leave an instance where it runs. Where another node is better, an instance is set aside for that node and
    /// the attempt is repeated, so that nodes get instances as they deserve, but few instances move.
    fn assign_early(
        &mut self,
        spread: &mut Distribution,
        instance: ResourceId,
        here: NodeIndex,
        left: i32,
        depth: usize,
    ) -> bool {
        let weight = self.rsc(instance).allowed[here.at()];
        if !weight.present || weight.score < 0 || !self.node(here).available() {
            return false;
        }
        let counts = spread.counts.clone();
        let family = self.family(instance);
        let saved: Vec<Vec<Weight>> = family.iter().map(|member| self.rsc(*member).allowed.clone()).collect();
        let mut stays = false;
        for _ in 0..left {
            let mark = self.journal.mark();
            let chosen = self.assign_instance(spread, instance, Some(here), depth);
            if chosen == Some(here) {
                stays = true;
                break;
            }
            for (member, allowed) in family.iter().zip(&saved) {
                self.rsc_mut(*member).allowed.clone_from(allowed);
                self.journal.revert(mark, *member);
            }
            if chosen.is_none() {
                // The members of a group have had their chance with that.
                let known = self.rsc_mut(instance);
                known.provisional = true;
                break;
            }
            self.unplace(instance);
        }
        spread.counts = counts;
        if stays {
            spread.counts[here.at()] += 1;
        }
        stays
    }

    fn assign_instance(
        &mut self,
        spread: &mut Distribution,
        instance: ResourceId,
        prefer: Option<NodeIndex>,
        depth: usize,
    ) -> Option<NodeIndex> {
        if self.rsc(instance).assigning {
            return None;
        }
        self.close_nodes(spread, instance);
        let chosen = self.assign(instance, prefer, prefer.is_none(), depth + 1);
        if let Some(chosen) = chosen {
            spread.counts[chosen.at()] += 1;
        }
        chosen
    }

    /// Bans an instance from nodes that cannot have it.
    fn close_nodes(&mut self, spread: &Distribution, instance: ResourceId) {
        let members: Vec<ResourceId> =
            std::iter::once(instance).chain(self.rsc(instance).children.iter().copied()).collect();
        let orphan = self.rsc(instance).orphan;
        for node in self.node_indices() {
            let weight = self.rsc(spread.clone).allowed[node.at()];
            let cause = if orphan || !self.node(node).available() || !weight.present || weight.score < 0 {
                Cause::NodeClosed
            } else if spread.counts[node.at()] >= spread.node_max {
                Cause::NodeFull
            } else {
                continue;
            };
            if self.rsc(instance).allowed[node.at()].present {
                for &member in &members {
                    self.set_score(member, node, -INFINITY, cause);
                }
            }
        }
    }

    fn sort_instances(&mut self, clone: ResourceId) {
        let mut instances = self.rsc(clone).children.clone();
        let mut wishes = BTreeMap::new();
        instances.sort_by(|left, right| self.compare_instances(*left, *right, &mut wishes));
        self.rsc_mut(clone).children = instances;
    }

    /// Which instance is looked after first: those that run, where they may stay.
    pub(crate) fn compare_instances(
        &mut self,
        left: ResourceId,
        right: ResourceId,
        wishes: &mut BTreeMap<ResourceId, i32>,
    ) -> Ordering {
        let runs = |instance: ResourceId| self.rsc(instance).running_on.len();
        let (left_runs, right_runs) = (runs(left), runs(right));
        if left_runs > 0 && right_runs > 0 && left_runs != right_runs {
            return left_runs.cmp(&right_runs);
        }
        let place = |instance: ResourceId| {
            let node = self.active_node(instance);
            let weight = |node: NodeIndex| self.rsc(instance).allowed[node.at()];
            let allowed = node.is_none_or(|node| weight(node).present && weight(node).score >= 0);
            (allowed, node.filter(|_| allowed))
        };
        let ((left_allowed, left_node), (right_allowed, right_node)) = (place(left), place(right));
        let order = right_allowed.cmp(&left_allowed).then_with(|| self.rank(right).cmp(&self.rank(left)));
        let (left_node, right_node) = match (left_node, right_node) {
            _ if order.is_ne() => return order,
            (None, None) => return Ordering::Equal,
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (Some(left_node), Some(right_node)) => (left_node, right_node),
        };
        let usable = |node: NodeIndex| self.node(node).available();
        let failed =
            |instance: ResourceId| self.family(instance).iter().any(|member| self.rsc(*member).failed);
        let order = usable(right_node).cmp(&usable(left_node)).then(failed(left).cmp(&failed(right)));
        if order.is_ne() {
            return order;
        }
        let left_wish = self.wishes_for_instance(left, left_node, wishes);
        let right_wish = self.wishes_for_instance(right, right_node, wishes);
        right_wish.cmp(&left_wish).then(self.rsc(left).instance.cmp(&self.rsc(right).instance))
    }

    /// An instance's priority, or what has taken its place.
    fn rank(&self, instance: ResourceId) -> i32 {
        let known = self.rsc(instance);
        if self.is_promotable_part(instance) { known.promotion_priority } else { known.priority }
    }

    /// What all that an instance is colocated with thinks of the node where it runs.
    fn wishes_for_instance(
        &mut self,
        instance: ResourceId,
        node: NodeIndex,
        known: &mut BTreeMap<ResourceId, i32>,
    ) -> i32 {
        if let Some(&wish) = known.get(&instance) {
            return wish;
        }
        let mut work = vec![Weight::default(); self.nodes.len()];
        work[node.at()] = Weight { score: self.node(node).score, present: true, ..Weight::default() };
        for &at in self.this_with(instance).iter() {
            let via = Via { colocation: at, factor: scaled(1.0, self.colocations[at].score) };
            let asking = Asking { owner: None, side: Side::Primary, cautious: false, nonnegative: false };
            self.ask(self.colocations[at].primary, via, asking, &mut work);
        }
        for &at in self.with_this(instance).iter() {
            let colocation = &self.colocations[at];
            if !colocation.influence && !self.rsc(instance).running_on.is_empty() {
                continue;
            }
            let via = Via { colocation: at, factor: scaled(1.0, colocation.score) };
            let asking = Asking { owner: None, side: Side::Primary, cautious: false, nonnegative: true };
            self.ask(colocation.dependent, via, asking, &mut work);
        }
        known.insert(instance, work[node.at()].score);
        work[node.at()].score
    }
}
