//! What a resource's scores start from: constraints, stickiness, health, failures.

use crate::ledger::{Cause, Change};
use crate::model::{Cluster, Discovery, Location, NodeIndex, ResourceId, Role, Task, Variant};
use crate::score::{self, INFINITY};

impl<'a> Cluster<'a> {
    pub(crate) fn apply_criteria(&mut self) {
        self.apply_shutdown_locks();
        // The latest first, as Pacemaker has it; it shows where a sum comes near infinity.
        for at in (0..self.locations.len()).rev() {
            self.apply_location(at);
        }
        self.apply_stickiness();
        self.apply_failure_bans();
        self.apply_exclusive_discovery();
    }

    /// Adds to a score of a resource. A node that was not in its table now is.
    pub(crate) fn add_score(&mut self, resource: ResourceId, node: NodeIndex, amount: i32, cause: Cause) {
        let weight = &mut self.resources[resource.0 as usize].allowed[node.at()];
        weight.present = true;
        self.journal.write(&mut weight.score, Some(resource), node, Change::Add(amount), cause);
    }

    /// Replaces a score of a resource, if the node is in its table.
    pub(crate) fn set_score(&mut self, resource: ResourceId, node: NodeIndex, value: i32, cause: Cause) {
        let weight = &mut self.resources[resource.0 as usize].allowed[node.at()];
        if weight.present && weight.score != value {
            self.journal.write(&mut weight.score, Some(resource), node, Change::Set(value), cause);
        }
    }

    /// Adds to the scores of a resource and of everything in it.
    pub(crate) fn prefer(&mut self, resource: ResourceId, node: NodeIndex, amount: i32, cause: Cause) {
        let basis = self.node(node).score;
        for member in self.family(resource) {
            if basis != 0 && !self.rsc(member).allowed[node.at()].present {
                self.add_score(member, node, basis, Cause::NodeScore);
            }
            self.add_score(member, node, amount, cause);
        }
    }

    /// Keeps a resource, and everything in it, from a node.
    pub(crate) fn ban(&mut self, resource: ResourceId, node: NodeIndex, cause: Cause) {
        self.prefer(resource, node, -INFINITY, cause);
    }

    /// Keeps a resource, and everything in it, from all nodes.
    pub(crate) fn ban_everywhere(&mut self, resource: ResourceId, cause: Cause) {
        for node in self.node_indices() {
            self.ban(resource, node, cause);
        }
    }

    fn apply_location(&mut self, at: usize) {
        if self.locations[at].role == Some(Role::Promoted) {
            return;
        }
        let nodes = std::mem::take(&mut self.locations[at].nodes);
        let discovery = self.locations[at].discovery;
        let mut open = vec![(self.locations[at].resource, true)];
        while let Some((resource, scored)) = open.pop() {
            for &(node, amount) in &nodes {
                self.add_score(resource, node, if scored { amount } else { 0 }, Cause::Location(at));
                let weight = &mut self.rsc_mut(resource).allowed[node.at()];
                if discovery != Discovery::Always && weight.discovery != Discovery::Exclusive {
                    weight.discovery = discovery;
                }
            }
            // Of a group whose members run together, the first draws the others.
            let all = self.rsc(resource).variant != Variant::Group || !self.group_is_colocated(resource);
            let parts = self.rsc(resource).children.iter().enumerate();
            open.extend(parts.map(|(place, part)| (*part, scored && (all || place == 0))));
        }
        self.locations[at].nodes = nodes;
    }

    /// Turns the nodes' health into preferences of everything.
    pub(crate) fn add_health(&mut self) {
        let sick: Vec<(NodeIndex, i32)> = self
            .node_indices()
            .map(|node| (node, self.node(node).health))
            .filter(|(_, health)| *health != 0)
            .collect();
        if sick.is_empty() {
            return;
        }
        for resource in self.top.clone() {
            let indulgent = self
                .rsc(resource)
                .meta
                .get("allow-unhealthy-nodes")
                .is_some_and(|value| score::is_true(value));
            for &(node, health) in &sick {
                if health < 0 && indulgent {
                    continue;
                }
                self.push_location(Location {
                    id: "node-health-strategy".to_owned(),
                    resource,
                    role: None,
                    discovery: Discovery::Always,
                    nodes: vec![(node, health)],
                    rule: None,
                    health: true,
                });
            }
        }
    }

    /// What runs on one node prefers to stay (a negative stickiness says nothing); in an opt-in cluster only where it is
    /// still allowed.
    fn apply_stickiness(&mut self) {
        for resource in self.resource_ids() {
            let known = self.rsc(resource);
            let [node] = known.running_on[..] else { continue };
            if known.variant != Variant::Primitive || !known.managed || known.stickiness < 1 {
                continue;
            }
            if self.properties.symmetric || known.allowed[node.at()].present {
                self.add_score(resource, node, known.stickiness, Cause::Stickiness);
            }
        }
    }

    /// What runs on a host that leaves cleanly is locked to it, unless it is a fence device.
    fn lock_to_leaving_node(&mut self, resource: ResourceId) {
        let known = self.rsc(resource);
        let [node] = known.running_on[..] else { return };
        let leaving = self.node(node).shutdown && !self.node(node).unclean;
        if !leaving || known.class == "stonith" {
            return;
        }
        let asked = self.node(node).attributes.get("shutdown").and_then(|time| score::leading_integer(time));
        let since = asked.filter(|time| *time > 1).unwrap_or(self.now);
        let known = self.rsc_mut(resource);
        known.lock_node = Some(node);
        known.lock_time = since;
    }

    /// What a host that has left still holds is kept from all others. Instances of clones are never held.
    fn apply_shutdown_locks(&mut self) {
        if !self.properties.shutdown_lock {
            return;
        }
        let limit = self.properties.shutdown_lock_limit_seconds;
        for resource in self.resource_ids() {
            if self.rsc(resource).variant != Variant::Primitive || self.clone_of(resource).is_some() {
                continue;
            }
            match self.rsc(resource).lock_node {
                Some(node) if !self.rsc(resource).running_on.is_empty() => {
                    // It runs in spite of its lock, and is left in peace: the lock is forgotten.
                    self.resource_action(resource, Task::LrmDelete, Some(node), false);
                    let known = self.rsc_mut(resource);
                    known.lock_node = None;
                    known.lock_time = 0;
                }
                Some(_) => {}
                None => self.lock_to_leaving_node(resource),
            }
            let Some(node) = self.rsc(resource).lock_node else { continue };
            if limit > 0 {
                let due = self.rsc(resource).lock_time.saturating_add(limit).saturating_add(1);
                self.next_change.note(self.now, due);
            }
            for other in self.node_indices() {
                if other != node {
                    self.ban(resource, other, Cause::ShutdownLock);
                }
            }
        }
    }

    /// Where exclusive discovery is asked for, perhaps on no node at all, all others are closed.
    fn apply_exclusive_discovery(&mut self) {
        if self.locations.iter().all(|location| location.discovery != Discovery::Exclusive) {
            return;
        }
        for resource in self.resource_ids() {
            if !self.is_confined(resource) && !self.is_confined(self.top_of(resource)) {
                continue;
            }
            for node in self.node_indices() {
                if self.rsc(resource).allowed[node.at()].discovery != Discovery::Exclusive {
                    self.set_score(resource, node, -INFINITY, Cause::ExclusiveDiscovery);
                }
            }
        }
    }

    /// Whether some location constraint of a resource asks for exclusive discovery.
    fn is_confined(&self, resource: ResourceId) -> bool {
        let mut locations = self.rsc(resource).locations.iter();
        locations.any(|at| self.locations[*at].discovery == Discovery::Exclusive)
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
