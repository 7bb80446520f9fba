//! Promotable clones: which instances are promoted.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::input::status::base_name;
use crate::ledger::{Cause, Change};
use crate::model::{Cluster, NoQuorumPolicy, NodeIndex, ResourceId, Role, Variant};
use crate::output::scores::ScoreRow;
use crate::score::{self, INFINITY};

use super::lists::Side;
use super::wishes::{Asking, Via, scaled};

impl<'a> Cluster<'a> {
    /// The score that agents gave an instance for being promoted on a node.
    fn promotion_score(&self, resource: ResourceId, node: NodeIndex) -> Option<i32> {
        let known = self.rsc(resource);
        if !known.children.is_empty() {
            let parts = known.children.iter().filter_map(|part| self.promotion_score(*part, node));
            // The plain sum: one member that must not be promoted can be outweighed.
            return parts.reduce(i32::saturating_add);
        }
        if !self.counts_for_promotion(resource, node) {
            return None;
        }
        let attribute = |name: &str| self.node(node).attributes.get(&format!("master-{name}"));
        let value = attribute(&known.history_id).or_else(|| {
            let base = base_name(&known.id);
            (!known.unique && base != known.id).then(|| attribute(base)).flatten()
        });
        value.map(|value| score::parse(value).unwrap_or(0))
    }

    /// Whether a promotion score of a node is meant for this instance.
    fn counts_for_promotion(&self, resource: ResourceId, node: NodeIndex) -> bool {
        let known = self.rsc(resource);
        let weight = known.allowed[node.at()];
        if !weight.present || weight.score < 0 {
            return false;
        }
        if !known.unique {
            let base = base_name(&known.id);
            let alike = |other: &ResourceId| {
                let other = self.rsc(*other);
                other.variant == Variant::Primitive && base_name(&other.id) == base
            };
            let instances: Vec<ResourceId> =
                self.family(self.top_of(resource)).into_iter().filter(alike).collect();
            let active = instances.iter().find(|other| self.rsc(**other).running_on.contains(&node));
            if active == Some(&resource) {
                return true;
            }
            let examined = |other: &ResourceId| self.rsc(*other).known_on.contains(&node);
            if active.is_none() && instances.iter().any(examined) {
                return true;
            }
        }
        // Before anything was probed, permanent scores count everywhere.
        known.running_on.is_empty() && known.known_on.is_empty()
            || known.known_on.contains(&node)
            || known.running_on.contains(&node)
    }

    /// Lets promotion scores decide where instances run.
    pub(crate) fn add_promotion_scores(&mut self, clone: ResourceId) {
        if std::mem::replace(&mut self.rsc_mut(clone).promotion_scores_added, true) {
            return;
        }
        for instance in self.rsc(clone).children.clone() {
            // Until it is known better, its priority stands for its fitness.
            let known = self.rsc_mut(instance);
            known.promotion_priority = known.priority;
            for node in self.node_indices() {
                if !self.rsc(instance).allowed[node.at()].present || !self.node(node).available() {
                    continue;
                }
                let amount = self.promotion_score(instance, node).unwrap_or(0);
                if amount > 0 {
                    self.add_score(instance, node, amount, Cause::PromotionScore);
                }
                let known = self.rsc_mut(instance);
                known.promotion_priority = known.promotion_priority.max(amount);
            }
        }
    }

    /// Changes what decides whether an instance is promoted.
    pub(crate) fn change_promotion(
        &mut self,
        resource: ResourceId,
        node: NodeIndex,
        change: Change,
        cause: Cause,
    ) {
        let priority = &mut self.resources[resource.0 as usize].promotion_priority;
        self.journal.write_promotion(priority, resource, node, change, cause);
    }

    /// Chooses who is promoted.
    pub(crate) fn choose_promoted(&mut self, clone: ResourceId) {
        for instance in self.rsc(clone).children.clone() {
            self.set_promotion_priority(clone, instance);
        }
        self.sort_promotable(clone);
        let mut counts = vec![0_i32; self.nodes.len()];
        let mut promoted = 0;
        for instance in self.rsc(clone).children.clone() {
            self.show_promotion(instance);
            let options = self.rsc(clone).clone.as_ref();
            let (max, node_max) =
                options.map_or((0, 0), |options| (options.promoted_max, options.promoted_node_max));
            let eligible =
                self.rsc(instance).promotion_index >= 0 && (promoted < max || !self.rsc(clone).managed);
            let chosen =
                if eligible { self.promotion_node(clone, instance, &counts, node_max) } else { None };
            let frozen = !self.properties.have_quorum
                && self.properties.no_quorum == NoQuorumPolicy::Freeze
                && self.state_of(instance, true) < Role::Promoted;
            match chosen {
                Some(node) if !frozen => {
                    counts[node.at()] += 1;
                    promoted += 1;
                    self.will_be_promoted(instance);
                }
                _ => self.will_be_unpromoted(instance),
            }
        }
        if let Some(options) = self.rsc_mut(clone).clone.as_mut() {
            options.promoted_count = promoted;
        }
    }

    fn set_promotion_priority(&mut self, clone: ResourceId, instance: ResourceId) {
        if self.state_of(instance, true) == Role::Started {
            for member in self.family(instance) {
                if self.rsc(member).role == Role::Started {
                    self.rsc_mut(member).role = Role::Unpromoted;
                }
            }
        }
        let Some((node, _)) = self.location(instance) else { return };
        let next_role = self.state_of(instance, false);
        match next_role {
            Role::Started | Role::Unknown => {
                // Without a score it takes a location constraint to make an instance fit for promotion.
                let value = self.promotion_score(instance, node).unwrap_or(-1);
                self.change_promotion(instance, node, Change::Set(value), Cause::PromotionScore);
            }
            Role::Unpromoted | Role::Stopped => {
                self.change_promotion(instance, node, Change::Set(-INFINITY), Cause::Stopped);
            }
            Role::Promoted => {}
        }
        for container in [instance, clone] {
            self.add_promoted_locations(container, instance, node);
        }
        for &at in self.this_with(instance).iter() {
            let primary = self.colocations[at].primary;
            self.colocate(instance, primary, at);
        }
        let known = self.rsc_mut(instance);
        known.promotion_index = if next_role == Role::Promoted { INFINITY } else { known.promotion_priority };
    }

    fn add_promoted_locations(&mut self, container: ResourceId, instance: ResourceId, node: NodeIndex) {
        for at in self.rsc(container).locations.clone() {
            let location = &self.locations[at];
            if location.role != Some(Role::Promoted) {
                continue;
            }
            let amount = location.nodes.iter().find(|(other, _)| *other == node).map(|(_, amount)| *amount);
            if let Some(amount) = amount {
                self.change_promotion(instance, node, Change::Add(amount), Cause::Location(at));
            }
        }
    }

    /// Sorts the instances by how fit they are for promotion. What wants to be with the promoted role has a
    /// say: for that the clone's own table stands for the instances, each at its node.
    fn sort_promotable(&mut self, clone: ResourceId) {
        self.rsc_mut(clone).merged = true;
        let instances = self.rsc(clone).children.clone();
        let places: Vec<Option<NodeIndex>> = instances
            .iter()
            .map(|instance| {
                let place = self.location(*instance).map(|(node, _)| node);
                place.filter(|_| self.rsc(*instance).promotion_index >= 0)
            })
            .collect();
        for (&instance, place) in instances.iter().zip(&places) {
            if let Some(node) = *place {
                let index = self.rsc(instance).promotion_index;
                self.add_score(clone, node, index, Cause::PromotionOrder);
            }
        }
        self.ask_about_promotion(clone);
        self.require_tickets_for_promotion(clone);
        for (&instance, place) in instances.iter().zip(&places) {
            let known = self.rsc(instance);
            let index = if !known.managed && self.state_of(instance, false) == Role::Promoted {
                INFINITY
            } else if let Some(node) = place {
                self.rsc(clone).allowed[node.at()].score
            } else {
                continue;
            };
            self.rsc_mut(instance).promotion_index = index;
        }
        self.rsc_mut(clone).merged = false;
        let mut sorted = instances;
        let mut wishes = BTreeMap::new();
        sorted.sort_by(|left, right| self.compare_promotable(*left, *right, &mut wishes));
        self.rsc_mut(clone).children = sorted;
    }

    fn ask_about_promotion(&mut self, clone: ResourceId) {
        for &at in self.with_this(clone).iter() {
            let colocation = &self.colocations[at];
            if colocation.primary_role != Some(Role::Promoted) || !self.has_influence(at) {
                continue;
            }
            let asking =
                Asking { owner: Some(clone), side: Side::Primary, cautious: true, nonnegative: true };
            let via = Via { colocation: at, factor: scaled(1.0, colocation.score) };
            let dependent = colocation.dependent;
            let mut work = self.rsc(clone).allowed.clone();
            self.ask(dependent, via, asking, &mut work);
            self.rsc_mut(clone).allowed = work;
        }
    }

    fn require_tickets_for_promotion(&mut self, clone: ResourceId) {
        for at in self.rsc(clone).tickets.clone() {
            let constraint = &self.ticket_constraints[at];
            let ticket = self.tickets.get(&constraint.ticket);
            let holds = ticket.is_some_and(|ticket| ticket.granted && !ticket.standby);
            if constraint.role == Some(Role::Promoted) && !holds {
                self.ban_everywhere(clone, Cause::Ticket(at));
            }
        }
    }

    fn compare_promotable(
        &mut self,
        left: ResourceId,
        right: ResourceId,
        wishes: &mut BTreeMap<ResourceId, i32>,
    ) -> Ordering {
        let index = |instance: ResourceId| self.rsc(instance).promotion_index;
        let order = index(right)
            .cmp(&index(left))
            .then_with(|| self.state_of(right, true).cmp(&self.state_of(left, true)));
        if order.is_ne() { order } else { self.compare_instances(left, right, wishes) }
    }

    /// Where an instance would be promoted, if it may be.
    fn promotion_node(
        &self,
        clone: ResourceId,
        instance: ResourceId,
        counts: &[i32],
        node_max: i32,
    ) -> Option<NodeIndex> {
        let known = self.rsc(instance);
        for part in &known.children {
            self.promotion_node(clone, *part, counts, node_max)?;
        }
        // An instance has its standing instead of its priority; the members of a cloned group keep theirs.
        let own = if known.parent == Some(clone) { 0 } else { known.priority };
        let fitness = score::add(own, known.promotion_priority);
        let (node, _) = self.location(instance)?;
        if !known.managed {
            if self.state_of(instance, true) != Role::Promoted {
                return None;
            }
        } else if fitness < 0 || !self.node(node).available() || counts[node.at()] >= node_max {
            return None;
        }
        self.rsc(clone).allowed[node.at()].present.then_some(node)
    }

    fn will_be_promoted(&mut self, instance: ResourceId) {
        for member in self.family(instance) {
            let known = self.rsc_mut(member);
            if known.next_role == Role::Unknown {
                known.next_role = Role::Promoted;
            }
        }
    }

    fn will_be_unpromoted(&mut self, instance: ResourceId) {
        for member in self.family(instance) {
            let placed = !self.assigned_nodes(member).is_empty();
            self.rsc_mut(member).next_role = if placed { Role::Unpromoted } else { Role::Stopped };
        }
    }

    fn show_promotion(&mut self, instance: ResourceId) {
        if !self.want_scores {
            return;
        }
        let node = self.location(instance).map(|(node, _)| self.node(node).uname.clone());
        let known = self.rsc(instance);
        let row = ScoreRow::Promotion { resource: known.id.clone(), node, score: known.promotion_index };
        self.score_rows.push(row);
    }
}
