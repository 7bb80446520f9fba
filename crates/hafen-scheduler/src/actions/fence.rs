//! Fencing, and what waits for it.

use crate::model::{ActionId, Cluster, NoQuorumPolicy, NodeIndex, Requires, ResourceId, Task, Variant};
use crate::order::relation;

impl<'a> Cluster<'a> {
    pub(crate) fn create_fencing(&mut self) {
        // Where nothing is managed nothing would be recovered by fencing.
        if !self.properties.stonith || self.resources.iter().all(|resource| !resource.managed) {
            return;
        }
        self.fence_without_quorum();
        let mut last: Option<ActionId> = None;
        let mut of_dc: Option<ActionId> = None;
        let mut others = Vec::new();
        for node in self.node_indices() {
            let known = self.node(node);
            if !known.unclean || known.ping || known.remote || !self.can_fence(node) {
                continue;
            }
            let fencing = self.fencing_of(node);
            if self.node(node).is_dc {
                of_dc = Some(fencing);
            } else {
                if !self.properties.concurrent_fencing
                    && let Some(last) = last
                {
                    self.order_actions(last, fencing, relation::ORDERED);
                }
                last = Some(fencing);
                others.push(fencing);
            }
        }
        if let Some(of_dc) = of_dc {
            for &fencing in &others {
                self.order_actions(fencing, of_dc, relation::ORDERED);
            }
        }
        self.order_shutdown_of_dc(&others);
        for fencing in self.fencings.clone() {
            for resource in self.resource_ids() {
                self.order_around_fencing(resource, fencing);
            }
        }
    }

    /// The coordinator leaves last: after the others, and after fencing, which it drives.
    fn order_shutdown_of_dc(&mut self, fencings: &[ActionId]) {
        let is_dc = |cluster: &Self, action: ActionId| {
            cluster.act(action).node.is_some_and(|node| cluster.node(node).is_dc)
        };
        let shutdowns = self.shutdowns.clone();
        let Some(&of_dc) = shutdowns.iter().find(|action| is_dc(self, **action)) else { return };
        for shutdown in shutdowns.into_iter().filter(|shutdown| *shutdown != of_dc) {
            self.order_actions(shutdown, of_dc, relation::ORDERED);
        }
        // Fencings one by one are ordered among themselves: the last of them is enough.
        let from = if self.properties.concurrent_fencing { 0 } else { fencings.len().saturating_sub(1) };
        for fencing in &fencings[from..] {
            self.order_actions(*fencing, of_dc, relation::ORDERED);
        }
    }

    /// How long a lost node is spared because what it runs is worth more than what others run (`priority-fencing-delay`):
    /// not where this part of the cluster has more than half of the nodes, nor where all nodes are worth the same.
    fn priority_delay_seconds(&self, target: NodeIndex) -> i64 {
        let delay = self.properties.priority_fencing_delay_seconds;
        if delay <= 0 || self.node(target).online {
            return 0;
        }
        let members: Vec<NodeIndex> =
            self.node_indices().filter(|node| !self.node(*node).ping && !self.node(*node).remote).collect();
        let here = members.iter().filter(|node| self.node(**node).online).count();
        let worth = |node: NodeIndex| self.node(node).priority;
        let all = members.iter().map(|node| worth(*node));
        let (least, most) = (all.clone().min().unwrap_or(0), all.max().unwrap_or(0));
        if here > members.len() / 2 || least == most || worth(target) < most { 0 } else { delay }
    }

    /// Fencing is enabled, and there is nothing to fence with: nothing starts or stops until there is.
    pub(crate) fn hold_still_without_devices(&mut self) {
        if !self.properties.stonith || self.have_stonith_devices || self.properties.watchdog {
            return;
        }
        let text = "Nothing is started or stopped: fencing is enabled, but there is no fence device; \
                    configure one, or set stonith-enabled to false";
        self.warnings.push(text.to_owned());
        for resource in &mut self.resources {
            resource.managed = false;
        }
    }

    /// A partition that lost its quorum and must not live on fences itself.
    fn fence_without_quorum(&mut self) {
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

    pub(crate) fn can_fence(&self, node: NodeIndex) -> bool {
        if !self.properties.stonith {
            return false;
        }
        if self.properties.have_quorum {
            return true;
        }
        match self.properties.no_quorum {
            NoQuorumPolicy::Ignore => true,
            NoQuorumPolicy::Demote | NoQuorumPolicy::Stop | NoQuorumPolicy::Freeze => self.node(node).online,
            NoQuorumPolicy::Suicide => self.node(node).online,
        }
    }

    fn fencing_of(&mut self, node: NodeIndex) -> ActionId {
        let kind = self.properties.stonith_action.clone();
        let key = format!("stonith-{}-{kind}", self.node(node).uname);
        let fencing = self.free_action(Task::Fence, &key, Some(node), false);
        let reason = self.node(node).fence_reason.clone();
        let action = self.act_mut(fencing);
        action.optional = false;
        action.meta.insert("stonith_action".into(), kind);
        action.reason = reason;
        self.add_device_digests(fencing, node);
        let delay_seconds = self.priority_delay_seconds(node);
        if delay_seconds > 0 {
            self.act_mut(fencing).meta.insert("priority_fencing_delay".into(), delay_seconds.to_string());
        }
        if !self.fencings.contains(&fencing) {
            self.fencings.push(fencing);
        }
        fencing
    }

    fn order_around_fencing(&mut self, resource: ResourceId, fencing: ActionId) {
        if self.rsc(resource).variant != Variant::Primitive || !self.rsc(resource).managed {
            return;
        }
        let Some(target) = self.act(fencing).node else { return };
        for action in self.rsc(resource).actions.clone() {
            let known = self.act(action);
            match known.requires {
                Requires::Nothing => {}
                Requires::Fencing | Requires::Unfencing => {
                    self.order_actions(fencing, action, relation::ORDERED)
                }
                Requires::Quorum => {
                    let fresh = known.task == Task::Start
                        && self.rsc(resource).allowed[target.at()].present
                        && !self.rsc(resource).known_on.contains(&target);
                    if fresh {
                        self.order_actions(fencing, action, relation::ORDERED);
                    }
                }
            }
        }
        self.imply_stops(resource, fencing, target);
    }

    /// The joint at which what contains a resource begins to stop.
    fn outer_stop(&self, resource: ResourceId) -> Option<ActionId> {
        let top = self.top_of(resource);
        if top == resource {
            return None;
        }
        self.rsc(top).actions.iter().copied().find(|action| self.act(*action).task == Task::Stop)
    }

    /// What runs on a fenced node is stopped, or demoted, by the fencing. Where a resource requires fencing, that comes
    /// after it.
    fn imply_stops(&mut self, resource: ResourceId, fencing: ActionId, target: NodeIndex) {
        let ordered = matches!(self.rsc(resource).requires, Requires::Fencing | Requires::Unfencing);
        let implied = self.node(target).unclean;
        for action in self.rsc(resource).actions.clone() {
            let known = self.act(action);
            if known.node != Some(target) {
                continue;
            }
            let needed = match known.task {
                Task::Stop => implied,
                Task::Demote => implied || !self.node(target).online || self.rsc(resource).failed,
                _ => false,
            };
            if !needed {
                continue;
            }
            let is_stop = known.task == Task::Stop;
            let known = self.act_mut(action);
            known.pseudo = true;
            known.runnable = true;
            if ordered {
                self.order_actions(fencing, action, relation::ORDERED);
                if let Some(joint) = self.outer_stop(resource).filter(|_| is_stop) {
                    self.order_actions(fencing, joint, relation::ORDERED);
                }
            }
        }
    }
}
