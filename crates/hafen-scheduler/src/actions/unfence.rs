//! Unfencing: giving a node back its access before it may use what it shares.

use super::digests::{hashed_fewer, parameters_digest};
use crate::input::nvpairs::Values;
use crate::model::{ActionId, Cluster, NodeIndex, Requires, ResourceId, Task};
use crate::order::{End, relation};

/// Parameters whose change is nobody's business: a device with another password is the same device.
const SECRETS: [&str; 3] = ["passwd", "password", "user"];

impl<'a> Cluster<'a> {
    /// Whether a node has been unfenced since it came.
    fn is_unfenced(&self, node: NodeIndex) -> bool {
        self.node(node).attributes.get("#node-unfenced").is_some_and(|value| value != "0")
    }

    /// Whether a resource waits for the unfencing of its node.
    fn waits_for_unfencing(&self, resource: ResourceId) -> bool {
        let known = self.rsc(resource);
        known.stonith_device && self.unfencing || known.requires == Requires::Unfencing
    }

    /// Unfencing comes before probes and starts of what requires it, and of fence devices: many of them cannot even be
    /// asked for their state from a node that is cut off. It is only required where it has never been done: a new resource
    /// is no reason to stop all others.
    pub(crate) fn order_after_unfencing(
        &mut self,
        resource: ResourceId,
        node: NodeIndex,
        action: ActionId,
        flags: u32,
    ) {
        if !self.waits_for_unfencing(resource) {
            return;
        }
        let unfencing = self.unfencing_of(node);
        self.order_actions(unfencing, action, flags);
        if !self.is_unfenced(node) {
            let reason =
                format!("required by {} {}", self.rsc(resource).id, self.task_name(self.act(action).task));
            self.require_unfencing(node, &reason);
        }
    }

    /// Where a node is unfenced again, what runs there stops before and starts after it.
    pub(crate) fn order_around_unfencing(&mut self, resource: ResourceId) {
        let known = self.rsc(resource);
        if !self.unfencing || known.stonith_device || known.requires != Requires::Unfencing {
            return;
        }
        for node in self.node_indices() {
            if !self.rsc(resource).allowed[node.at()].present {
                continue;
            }
            let unfencing = self.unfencing_of(node);
            self.order(
                End::Task(resource, Task::Stop),
                End::Action(unfencing),
                relation::ORDERED | relation::IF_ON_SAME_NODE,
            );
            self.order(
                End::Action(unfencing),
                End::Task(resource, Task::Start),
                relation::FIRST_IMPLIES_SAME_NODE_THEN | relation::IF_ON_SAME_NODE,
            );
        }
    }

    /// A fence device has changed: every node that it serves has to be unfenced with what it is now.
    pub(crate) fn unfence_for(&mut self, device: ResourceId, node: Option<NodeIndex>, reason: &str) {
        if !self.unfencing || !self.rsc(device).stonith_device {
            return;
        }
        if let Some(node) = node
            && self.can_be_unfenced(node)
        {
            self.require_unfencing(node, reason);
            return;
        }
        for node in self.node_indices() {
            if self.rsc(device).allowed[node.at()].present {
                self.require_unfencing(node, reason);
            }
        }
    }

    fn require_unfencing(&mut self, node: NodeIndex, reason: &str) {
        if !self.unfencing || !self.can_be_unfenced(node) {
            return;
        }
        let unfencing = self.unfencing_of(node);
        if self.can_fence(node) {
            self.act_mut(unfencing).optional = false;
        }
        self.give_reason(unfencing, reason, false);
    }

    fn can_be_unfenced(&self, node: NodeIndex) -> bool {
        let known = self.node(node);
        known.online && !known.unclean && !known.shutdown
    }

    pub(crate) fn unfencing_of(&mut self, node: NodeIndex) -> ActionId {
        self.fence_action(node, "on")
    }

    /// Tells with a fencing what the devices that unfence are like now, so that a later change is noticed.
    pub(crate) fn add_device_digests(&mut self, fencing: ActionId, node: NodeIndex) {
        if !self.unfencing {
            return;
        }
        let fewer = hashed_fewer(self.document.root());
        let (mut all, mut secure) = (String::new(), String::new());
        // The last one first, as Pacemaker prints them: nodes compare these texts with what they stored.
        let devices: Vec<ResourceId> = self.resource_ids().collect();
        for device in devices.into_iter().rev() {
            if !self.rsc(device).stonith_device || !self.rsc(device).fence_device_unfences {
                continue;
            }
            let mut parameters: Values = self.parameters(device, Some(node));
            parameters.retain(|name, _| !name.starts_with("CRM_meta_") && name != "crm_feature_set");
            let known = self.rsc(device);
            let whole = format!("{}:{}:{},", known.id, known.type_, parameters_digest(&parameters));
            parameters
                .retain(|name, _| !(SECRETS.contains(&name.as_str()) || fewer && name.starts_with("pcmk_")));
            let open = format!("{}:{}:{},", known.id, known.type_, parameters_digest(&parameters));
            let knows = |name: &str, entry: &str| {
                self.node(node).attributes.get(name).map(|entries| entries.contains(entry))
            };
            let changed =
                knows("#digests-all", &whole) == Some(false) && knows("#digests-secure", &open) != Some(true);
            if changed && self.can_fence(node) {
                let reason = format!("because the definition of {} changed", known.id);
                self.act_mut(fencing).optional = false;
                self.give_reason(fencing, reason.as_str(), false);
            }
            all.push_str(&whole);
            secure.push_str(&open);
        }
        let action = self.act_mut(fencing);
        action.meta.insert("digests_all".into(), all);
        action.meta.insert("digests_secure".into(), secure);
    }
}
