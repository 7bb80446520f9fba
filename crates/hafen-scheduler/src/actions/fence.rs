//! Fencing, and what waits for it.

use std::collections::BTreeMap;

use crate::model::{ActionId, Cluster, NoQuorumPolicy, NodeIndex, Requires, ResourceId, Task, Variant};
use crate::order::relation::{ORDERED, UNRUNNABLE_FIRST_BLOCKS};

/// Why a node is fenced that left: only then may both sides of a split shoot at each other, and a delay decide.
const GONE: &str = "peer is no longer part of the cluster";

/// What waits for fencings, or is implied by them, of all managed primitives.
#[derive(Default)]
struct Fenceable {
    /// What requires fencing, or quorum, before it may happen.
    waiting: Vec<ActionId>,
    stops: BTreeMap<NodeIndex, Vec<ActionId>>,
    demotes: BTreeMap<NodeIndex, Vec<ActionId>>,
}

impl<'a> Cluster<'a> {
    /// Nodes that have to be fenced, and those that ask to leave.
    pub(crate) fn create_fencing_and_shutdowns(&mut self) {
        // Where nothing is managed nothing would be recovered by fencing.
        let managed = self.resources.iter().any(|resource| resource.managed);
        let fenceable = self.fenceable();
        let all_stops = self.stops_by_node();
        let (mut of_dc, mut fencings, mut shutdowns) = (None, Vec::new(), Vec::new());
        for node in self.node_indices() {
            let known = self.node(node);
            let is_dc = known.is_dc;
            let member = !known.ping && !known.remote;
            if known.unclean && member && managed && self.can_fence(node) {
                let fencing = self.fencing_of(node);
                self.order_around_fencing(fencing, node, &fenceable);
                if is_dc {
                    of_dc = Some(fencing);
                } else {
                    if !self.properties.concurrent_fencing
                        && let Some(&last) = fencings.last()
                    {
                        self.order_actions(last, fencing, ORDERED);
                    }
                    fencings.push(fencing);
                }
            } else if known.online && known.shutdown && member {
                let shutdown = self.create_shutdown(node);
                self.order_stops_before_shutdown(node, shutdown, &all_stops);
                if is_dc {
                    of_dc = Some(shutdown);
                } else {
                    shutdowns.push(shutdown);
                }
            }
        }
        let Some(of_dc) = of_dc else { return };
        // The coordinator leaves last, so that not every step elects another. Its fencing need not wait for shutdowns.
        if self.act(of_dc).task == Task::Shutdown {
            for shutdown in shutdowns {
                self.order_actions(shutdown, of_dc, ORDERED);
            }
        }
        // Fencings one by one are ordered among themselves: the last of them is enough.
        let from = if self.properties.concurrent_fencing { 0 } else { fencings.len().saturating_sub(1) };
        for fencing in &fencings[from..] {
            self.order_actions(*fencing, of_dc, ORDERED);
        }
    }

    fn fenceable(&self) -> Fenceable {
        let mut found = Fenceable::default();
        if !self.nodes.iter().any(|node| node.unclean) {
            return found;
        }
        for resource in &self.resources {
            if resource.variant != Variant::Primitive || !resource.managed {
                continue;
            }
            for &action in &resource.actions {
                let known = self.act(action);
                if known.requires != Requires::Nothing {
                    found.waiting.push(action);
                }
                let list = match known.task {
                    Task::Stop => &mut found.stops,
                    Task::Demote => &mut found.demotes,
                    _ => continue,
                };
                if let Some(node) = known.node {
                    list.entry(node).or_default().push(action);
                }
            }
        }
        found
    }

    fn stops_by_node(&self) -> BTreeMap<NodeIndex, Vec<ActionId>> {
        let mut stops: BTreeMap<NodeIndex, Vec<ActionId>> = BTreeMap::new();
        if self.nodes.iter().any(|node| node.shutdown) {
            for resource in &self.resources {
                for &action in &resource.actions {
                    let known = self.act(action);
                    if let (Task::Stop, Some(node)) = (known.task, known.node) {
                        stops.entry(node).or_default().push(action);
                    }
                }
            }
        }
        stops
    }

    /// Fencing is enabled, and there is nothing to fence with: nothing starts or stops until there is.
    pub(crate) fn hold_still_without_devices(&mut self) {
        if !self.properties.stonith || self.have_stonith_devices || self.properties.watchdog {
            return;
        }
        let text = "Nothing is started or stopped: fencing is enabled, but there is no fence device; \
                    configure one, or set stonith-enabled to false";
        self.warnings.push(text.to_owned());
        self.hold_still = true;
    }

    /// A partition that lost its quorum and must not live on fences itself.
    pub(crate) fn fence_without_quorum(&mut self) {
        if self.properties.have_quorum || self.properties.no_quorum != NoQuorumPolicy::Suicide {
            return;
        }
        let was_quorate =
            self.document.root().attribute("no-quorum-panic").is_some_and(crate::score::is_true);
        if !was_quorate {
            return;
        }
        for node in self.node_indices() {
            if self.node(node).online {
                self.mark_unclean(node, "cluster does not have quorum");
            }
        }
    }

    /// Whether a node could be fenced: by a quorate partition, or as one that is part of this partition.
    pub(crate) fn can_fence(&self, node: NodeIndex) -> bool {
        self.properties.stonith
            && (self.have_stonith_devices || self.properties.watchdog)
            && (self.properties.have_quorum
                || self.properties.no_quorum == NoQuorumPolicy::Ignore
                || self.node(node).online)
    }

    fn fencing_of(&mut self, node: NodeIndex) -> ActionId {
        let kind = self.properties.stonith_action.clone();
        let fencing = self.fence_action(node, &kind);
        let reason = self.node(node).fence_reason.clone();
        if self.properties.priority_fencing_delay_seconds > 0 && reason.as_deref() == Some(GONE) {
            let delay_seconds = self.priority_delay_seconds(node);
            self.act_mut(fencing).meta.insert("priority_fencing_delay".into(), delay_seconds.to_string());
        }
        self.act_mut(fencing).optional = false;
        self.give_reason(fencing, reason.as_deref().unwrap_or("node is unclean"), false);
        fencing
    }

    /// The fencing of that kind (`reboot`, `off`, or `on` to unfence) of a node; not required when it is new.
    pub(crate) fn fence_action(&mut self, node: NodeIndex, kind: &str) -> ActionId {
        let found = self.free_actions.iter().copied().find(|action| {
            let action = self.act(*action);
            action.task == Task::Fence
                && action.node == Some(node)
                && action.meta.get("stonith_action").is_some_and(|known| known == kind)
        });
        if let Some(found) = found {
            return found;
        }
        let key = format!("stonith-{}-{kind}", self.node(node).uname);
        let fencing = self.free_action(Task::Fence, &key, Some(node), true);
        self.act_mut(fencing).meta.insert("stonith_action".into(), kind.to_owned());
        self.add_device_digests(fencing, node);
        fencing
    }

    /// How long a lost node is spared because what it runs is worth more than what others run (`priority-fencing-delay`):
    /// not where this part of the cluster has more than half of the nodes, nor where all nodes are worth the same.
    fn priority_delay_seconds(&self, target: NodeIndex) -> i64 {
        if self.node(target).online || self.node(target).remote {
            return 0;
        }
        let members = self.nodes.iter().filter(|node| !node.ping && !node.remote);
        let here = members.clone().filter(|node| node.online).count();
        let all = members.clone().map(|node| node.priority);
        let (least, most) = (all.clone().min().unwrap_or(0), all.max().unwrap_or(0));
        let spared = here <= members.count() / 2 && least != most && self.node(target).priority >= most;
        if spared { self.properties.priority_fencing_delay_seconds } else { 0 }
    }

    fn order_around_fencing(&mut self, fencing: ActionId, target: NodeIndex, fenceable: &Fenceable) {
        for &action in &fenceable.waiting {
            let known = self.act(action);
            let Some(resource) = known.resource else { continue };
            match known.requires {
                Requires::Nothing => {}
                Requires::Fencing | Requires::Unfencing => self.order_actions(fencing, action, ORDERED),
                Requires::Quorum => {
                    // It may be active on a node of which nothing is known.
                    if known.task == Task::Start
                        && self.rsc(resource).allowed[target.at()].present
                        && !self.is_state_known(resource, target)
                    {
                        self.order_actions(fencing, action, ORDERED | UNRUNNABLE_FIRST_BLOCKS);
                    }
                }
            }
        }
        for &stop in fenceable.stops.get(&target).into_iter().flatten() {
            self.imply_stop(fencing, stop);
        }
        for &demote in fenceable.demotes.get(&target).into_iter().flatten() {
            self.imply_demote(fencing, demote);
        }
    }

    /// Whether a resource's state on a node is known; any instance of an anonymous clone will do.
    fn is_state_known(&self, resource: ResourceId, node: NodeIndex) -> bool {
        let known = self.rsc(resource);
        // Not of a member of a cloned group: which of its members are known there is not.
        known.known_on.contains(&node)
            || known.parent.is_some_and(|parent| {
                let parent = self.rsc(parent);
                parent.variant == Variant::Clone && !parent.unique && parent.known_on.contains(&node)
            })
    }

    fn waits_for_fencing(&self, resource: ResourceId) -> bool {
        matches!(self.rsc(resource).requires, Requires::Fencing | Requires::Unfencing)
    }

    /// A stop on a fenced node is done by the fencing. Where the resource requires fencing, it counts as stopped after it,
    /// and so does what contains it.
    fn imply_stop(&mut self, fencing: ActionId, stop: ActionId) {
        let Some(resource) = self.act(stop).resource else { return };
        let known = self.act_mut(stop);
        known.pseudo = true;
        known.runnable = true;
        if self.waits_for_fencing(resource) {
            self.order_actions(fencing, stop, ORDERED);
            let outer = self.actions_of(self.top_of(resource), Task::Stop, 0).last();
            if let Some(outer) = outer {
                self.order_actions(fencing, outer, ORDERED);
            }
        }
        if self.rsc(resource).notify {
            self.notify_after_fencing(stop, fencing);
        }
    }

    fn imply_demote(&mut self, fencing: ActionId, demote: ActionId) {
        let (Some(resource), Some(node)) = (self.act(demote).resource, self.act(demote).node) else { return };
        let lost = !self.node(node).online || self.node(node).unclean;
        if !(lost || self.rsc(resource).failed) {
            return;
        }
        let known = self.act_mut(demote);
        known.pseudo = true;
        known.runnable = true;
        if self.waits_for_fencing(resource) {
            self.order_actions(fencing, demote, ORDERED);
        }
    }
}
