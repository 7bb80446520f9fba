//! What a resource's scores start from: constraints, stickiness, health, failures.

use crate::ledger::Entry;
use crate::model::{Cluster, Discovery, Location, NodeIndex, Placement, ResourceId, Role, Variant};
use crate::score::{self, INFINITY};

impl<'a> Cluster<'a> {
    pub(crate) fn apply_criteria(&mut self) {
        self.apply_health();
        self.apply_stickiness();
        self.apply_failure_bans();
        self.apply_shutdown_locks();
        for at in 0..self.locations.len() {
            let location = self.locations[at].clone();
            self.apply_location(&location);
        }
        self.apply_exclusive_discovery();
    }

    fn apply_location(&mut self, location: &Location) {
        if location.role == Some(Role::Promoted) {
            return;
        }
        let mut open = vec![(location.resource, true)];
        while let Some((resource, scored)) = open.pop() {
            self.apply_location_here(resource, location, scored);
            match self.rsc(resource).variant {
                Variant::Primitive => {}
                Variant::Clone => {
                    open.extend(self.rsc(resource).children.iter().rev().map(|child| (*child, scored)))
                }
                Variant::Group => {
                    let colocated = self.group_is_colocated(resource);
                    let children = &self.rsc(resource).children;
                    open.extend(
                        children
                            .iter()
                            .enumerate()
                            .rev()
                            .map(|(at, child)| (*child, scored && (at == 0 || !colocated))),
                    );
                }
            }
        }
    }

    fn apply_location_here(&mut self, resource: ResourceId, location: &Location, scored: bool) {
        for &(node, amount) in &location.nodes {
            let amount = if scored { amount } else { 0 };
            let weight = &mut self.rsc_mut(resource).allowed[node.at()];
            if weight.present {
                weight.score = score::add(weight.score, amount);
            } else {
                weight.present = true;
                weight.score = amount;
            }
            if location.discovery != Discovery::Always && weight.discovery != Discovery::Exclusive {
                weight.discovery = location.discovery;
            }
            if amount != 0 {
                self.note(resource, node, amount, &location.id, "location");
            }
        }
    }

    /// Writes a contribution into the ledger.
    pub(crate) fn note(
        &mut self,
        resource: ResourceId,
        node: NodeIndex,
        amount: i32,
        source: &str,
        reason: &str,
    ) {
        if !self.explain {
            return;
        }
        let entry = Entry {
            resource: self.rsc(resource).id.clone(),
            node: self.node(node).uname.clone(),
            score: amount,
            source: source.to_owned(),
            reason: reason.to_owned(),
        };
        self.ledger.entries.push(entry);
    }

    fn apply_health(&mut self) {
        if self.nodes.iter().all(|node| node.health == 0) {
            return;
        }
        for resource in self.top.clone() {
            let exempt = self
                .rsc(resource)
                .meta
                .get("allow-unhealthy-nodes")
                .is_some_and(|value| score::is_true(value));
            if exempt {
                continue;
            }
            for node in self.node_indices() {
                let health = self.node(node).health;
                if health != 0 {
                    self.prefer(resource, node, health, "node-health-strategy");
                }
            }
        }
    }

    fn apply_stickiness(&mut self) {
        for resource in self.resource_ids() {
            let known = self.rsc(resource);
            if known.variant != Variant::Primitive
                || !known.managed
                || known.stickiness == 0
                || known.running_on.len() != 1
            {
                continue;
            }
            let (node, stickiness) = (known.running_on[0], known.stickiness);
            if self.properties.symmetric || self.has_location(resource, node) {
                self.prefer(resource, node, stickiness, "stickiness");
            }
        }
    }

    fn has_location(&self, resource: ResourceId, node: NodeIndex) -> bool {
        let mut at = Some(resource);
        while let Some(id) = at {
            let known = self.rsc(id);
            let mentioned = known.locations.iter().any(|location| {
                let location = &self.locations[*location];
                location.nodes.iter().any(|(other, _)| *other == node)
            });
            if mentioned {
                return true;
            }
            at = known.parent;
        }
        false
    }

    /// What runs on a host that leaves cleanly is locked to it. Instances of clones never are.
    fn lock_to_leaving_nodes(&mut self) {
        if !self.properties.shutdown_lock {
            return;
        }
        for resource in self.resource_ids() {
            let known = self.rsc(resource);
            let [node] = known.running_on[..] else { continue };
            let leaving = self.node(node).online && self.node(node).shutdown && !self.node(node).unclean;
            if !leaving
                || known.variant != Variant::Primitive
                || known.class == "stonith"
                || known.lock_node.is_some()
                || !known.managed
                || self.clone_of(resource).is_some()
            {
                continue;
            }
            let asked =
                self.node(node).attributes.get("shutdown").and_then(|time| score::leading_integer(time));
            let since = asked.filter(|time| *time > 1).unwrap_or(self.now);
            let known = self.rsc_mut(resource);
            known.lock_node = Some(node);
            known.lock_time = since;
        }
    }

    fn apply_shutdown_locks(&mut self) {
        self.lock_to_leaving_nodes();
        for resource in self.resource_ids() {
            let Some(node) = self.rsc(resource).lock_node else { continue };
            let limit = self.properties.shutdown_lock_limit_seconds;
            if self.rsc(resource).class == "stonith" || self.node(node).available() {
                continue;
            }
            if limit > 0 {
                let due = self.rsc(resource).lock_time.saturating_add(limit);
                self.next_change.note(self.now, due);
            }
            for other in self.node_indices() {
                if other != node {
                    self.prefer(resource, other, -INFINITY, "shutdown-lock");
                }
            }
        }
    }

    /// Where exclusive discovery is asked for on some node, all others are closed.
    fn apply_exclusive_discovery(&mut self) {
        for resource in self.resource_ids() {
            let exclusive =
                self.rsc(resource).allowed.iter().any(|weight| weight.discovery == Discovery::Exclusive);
            if exclusive {
                for weight in &mut self.rsc_mut(resource).allowed {
                    if weight.discovery != Discovery::Exclusive {
                        weight.score = -INFINITY;
                    }
                }
            }
        }
    }

    /// Where load is looked at, those with the highest priority, then those with the best places, come first. (Else the
    /// order stays as it was unpacked: by priority, removed resources last.)
    pub(crate) fn sort_for_assignment(&mut self) {
        if self.properties.placement != Placement::Default {
            let mut top = std::mem::take(&mut self.top);
            top.sort_by_key(|resource| std::cmp::Reverse(self.rsc(*resource).priority));
            self.sort_by_need(&mut top);
            self.top = top;
        }
    }

    /// Whether a group's members run together (always, unless an old option says otherwise).
    pub(crate) fn group_is_colocated(&self, group: ResourceId) -> bool {
        self.rsc(group).meta.get("collocated").is_none_or(|value| score::is_true(value))
    }

    /// Whether a group's members start one after the other.
    pub(crate) fn group_is_ordered(&self, group: ResourceId) -> bool {
        self.rsc(group).meta.get("ordered").is_none_or(|value| score::is_true(value))
    }
}
