//! Promotable clones: which instances are promoted.

use std::cmp::Ordering;

use crate::input::status::base_name;
use crate::model::{Cluster, Colocation, NodeIndex, ResourceId, Role, Variant};
use crate::score::{self, INFINITY};

impl<'a> Cluster<'a> {
    /// The score that agents gave an instance for being promoted on a node.
    fn agent_promotion_score(&self, instance: ResourceId, node: NodeIndex) -> i32 {
        let mut total = 0;
        for member in self.family(instance) {
            let known = self.rsc(member);
            if known.variant != Variant::Primitive {
                continue;
            }
            let names = [known.id.as_str(), known.history_id.as_str(), base_name(&known.id)];
            let value =
                names.iter().find_map(|name| self.node(node).attributes.get(&format!("master-{name}")));
            if let Some(value) = value {
                total = score::add(total, score::parse(value).unwrap_or(0));
            }
        }
        total
    }

    /// Lets promotion scores decide where instances run.
    pub(crate) fn add_promotion_scores(&mut self, clone: ResourceId) {
        for instance in self.rsc(clone).children.clone() {
            for node in self.node_indices() {
                if !self.rsc(instance).allowed[node.at()].present
                    || !self.counts_for_promotion(instance, node)
                {
                    continue;
                }
                let amount = self.agent_promotion_score(instance, node);
                if amount == 0 {
                    continue;
                }
                let members = self.promotion_carriers(instance);
                for member in members {
                    let weight = &mut self.rsc_mut(member).allowed[node.at()];
                    weight.score = score::add(weight.score, amount);
                    self.note(member, node, amount, "promotion", "promotion score");
                }
            }
        }
    }

    /// An instance's promotion score counts where it runs, or anywhere while it runs nowhere.
    fn counts_for_promotion(&self, instance: ResourceId, node: NodeIndex) -> bool {
        let known = self.rsc(instance);
        if known.unique {
            return true;
        }
        if known.running_on.is_empty() {
            let clone = known.parent;
            return clone.is_none_or(|clone| {
                !self.rsc(clone).children.iter().any(|other| self.rsc(*other).running_on.contains(&node))
            });
        }
        known.running_on.contains(&node)
    }

    fn promotion_carriers(&self, instance: ResourceId) -> Vec<ResourceId> {
        match self.rsc(instance).variant {
            Variant::Group => {
                let mut carriers = vec![instance];
                carriers.extend(self.rsc(instance).children.first().copied());
                carriers
            }
            _ => vec![instance],
        }
    }

    /// Chooses who is promoted.
    pub(crate) fn choose_promoted(&mut self, clone: ResourceId) {
        let options = self.rsc(clone).clone.clone().unwrap_or_default();
        let mut instances = self.rsc(clone).children.clone();
        for &instance in &instances {
            let index = self.promotion_index(clone, instance);
            self.rsc_mut(instance).sort_index = index;
        }
        self.add_promoted_colocations(clone, &instances);
        for &instance in &instances {
            let index = self.rsc(instance).sort_index;
            self.rsc_mut(instance).promotion_score = index;
        }
        instances.sort_by(|left, right| self.compare_promotion(*left, *right));
        let mut promoted = 0;
        let mut counts = vec![0_i32; self.nodes.len()];
        for &instance in &instances {
            self.show_promotion(instance);
            let Some(node) = self.rsc(instance).assigned_to else {
                self.set_instance_role(instance, Role::Stopped);
                continue;
            };
            let barred = self.family(instance).iter().any(|member| self.rsc(*member).promotion_barred);
            let wanted =
                self.target_role(instance).is_none_or(|role| role >= Role::Promoted || role == Role::Started);
            let limited = self.target_role(instance) == Some(Role::Unpromoted);
            let managed = self.rsc(instance).managed;
            let already = self.rsc(instance).role == Role::Promoted;
            let score = self.rsc(instance).sort_index;
            let possible = score >= 0 && wanted && !limited && !barred && self.may_promote(instance)
                || (!managed && already);
            if promoted < options.promoted_max
                && counts[node.at()] < options.promoted_node_max.max(1)
                && possible
            {
                promoted += 1;
                counts[node.at()] += 1;
                self.set_instance_role(instance, Role::Promoted);
            } else {
                self.set_instance_role(instance, Role::Unpromoted);
            }
        }
        if let Some(options) = self.rsc_mut(clone).clone.as_mut() {
            options.promoted_count = promoted;
        }
    }

    fn may_promote(&self, instance: ResourceId) -> bool {
        let quorate = self.properties.have_quorum
            || !matches!(
                self.properties.no_quorum,
                crate::model::NoQuorumPolicy::Demote | crate::model::NoQuorumPolicy::Stop
            );
        let _ = instance;
        quorate
    }

    fn set_instance_role(&mut self, instance: ResourceId, role: Role) {
        for member in self.family(instance) {
            let placed = self.rsc(member).assigned_to.is_some();
            let known = self.rsc_mut(member);
            if known.managed || placed {
                known.next_role = if placed { role } else { Role::Stopped };
            }
            if !known.managed {
                known.next_role = known.role;
            }
        }
    }

    /// Negative: never promoted.
    fn promotion_index(&self, clone: ResourceId, instance: ResourceId) -> i32 {
        let Some(node) = self.rsc(instance).assigned_to else { return -INFINITY };
        let known = self.rsc(instance);
        if !self.node(node).available() && known.managed {
            return -1;
        }
        let mut index = self.agent_promotion_score(instance, node);
        let explicit = self.has_promotion_attribute(instance, node);
        let mut locations = 0;
        let mut from_location = false;
        for family in [clone, instance] {
            for &at in &self.rsc(family).locations {
                let location = &self.locations[at];
                if location.role != Some(Role::Promoted) {
                    continue;
                }
                for (other, amount) in &location.nodes {
                    if *other == node {
                        locations = score::add(locations, *amount);
                        from_location = true;
                    }
                }
            }
        }
        index = score::add(index, locations);
        if !explicit && !from_location {
            return -1;
        }
        index
    }

    fn has_promotion_attribute(&self, instance: ResourceId, node: NodeIndex) -> bool {
        self.family(instance).iter().any(|member| {
            let known = self.rsc(*member);
            [known.id.as_str(), known.history_id.as_str(), base_name(&known.id)]
                .iter()
                .any(|name| self.node(node).attributes.contains_key(&format!("master-{name}")))
        })
    }

    /// Colocations of, and with, the promoted role change who is promoted.
    fn add_promoted_colocations(&mut self, clone: ResourceId, instances: &[ResourceId]) {
        for at in self.rsc(clone).this_with.clone() {
            let colocation = self.colocations[at].clone();
            if colocation.dependent_role != Some(Role::Promoted) {
                continue;
            }
            let places = self.role_places(colocation.primary, colocation.primary_role);
            for &instance in instances {
                let Some(node) = self.rsc(instance).assigned_to else { continue };
                let together = self.shares(&places, node, &colocation);
                let known = self.rsc_mut(instance);
                if together {
                    known.sort_index = score::add(known.sort_index, colocation.score);
                } else if colocation.score >= INFINITY {
                    known.sort_index = -INFINITY;
                }
            }
        }
        for at in self.rsc(clone).with_this.clone() {
            let colocation = self.colocations[at].clone();
            if colocation.primary_role != Some(Role::Promoted) || !self.has_influence(&colocation, clone) {
                continue;
            }
            self.add_wishes_for_promoted(&colocation, instances);
        }
    }

    fn add_wishes_for_promoted(&mut self, colocation: &Colocation, instances: &[ResourceId]) {
        let factor = f64::from(colocation.score) / f64::from(INFINITY);
        let blank = vec![crate::model::Weight { present: true, ..Default::default() }; self.nodes.len()];
        let table =
            self.with_wishes_of(colocation.dependent, colocation.primary, blank, colocation, factor, true, 0);
        for &instance in instances {
            if let Some(node) = self.rsc(instance).assigned_to
                && self.rsc(instance).sort_index >= 0
            {
                let known = self.rsc_mut(instance);
                known.sort_index = score::add(known.sort_index, table[node.at()].score);
            }
        }
    }

    fn role_places(&self, resource: ResourceId, role: Option<Role>) -> Vec<NodeIndex> {
        let mut places = Vec::new();
        for member in self.family(resource) {
            let known = self.rsc(member);
            if known.variant == Variant::Primitive
                && role.is_none_or(|role| known.next_role == role)
                && let Some(node) = known.assigned_to
            {
                places.push(node);
            }
        }
        places
    }

    fn shares(&self, places: &[NodeIndex], node: NodeIndex, colocation: &Colocation) -> bool {
        let attribute = colocation.node_attribute.as_deref().unwrap_or("#uname");
        let value = self.node(node).attributes.get(attribute);
        places.iter().any(|place| self.node(*place).attributes.get(attribute) == value)
    }

    fn compare_promotion(&self, left: ResourceId, right: ResourceId) -> Ordering {
        let order = self.rsc(right).sort_index.cmp(&self.rsc(left).sort_index);
        if order != Ordering::Equal {
            return order;
        }
        let role = self.rsc(right).role.cmp(&self.rsc(left).role);
        if role != Ordering::Equal {
            return role;
        }
        let parent = self.rsc(left).parent;
        let place = |instance: ResourceId| {
            parent.and_then(|parent| self.rsc(parent).children.iter().position(|child| *child == instance))
        };
        place(left).cmp(&place(right))
    }

    fn show_promotion(&mut self, instance: ResourceId) {
        let known = self.rsc(instance);
        let place = match known.assigned_to {
            Some(node) => format!("on {}", self.node(node).uname),
            None => "(inactive)".to_owned(),
        };
        let row = format!("{} promotion score {place}: {}", known.id, score::text(known.sort_index));
        self.scores_text.push(row);
    }

    /// A dependent of one role of a clone follows the instances in that role. Returns whether that was all.
    pub(crate) fn apply_to_promoted(
        &mut self,
        dependent: ResourceId,
        primary: ResourceId,
        colocation: &Colocation,
    ) -> bool {
        let places = self.role_places(primary, colocation.primary_role);
        if colocation.score >= INFINITY {
            self.keep_only(dependent, &places, colocation);
            return true;
        }
        for node in self.node_indices() {
            if self.shares(&places, node, colocation) {
                let weight = &mut self.rsc_mut(dependent).allowed[node.at()];
                weight.score = score::add(weight.score, colocation.score);
                self.note(dependent, node, colocation.score, &colocation.id, "colocation");
            }
        }
        true
    }
}
