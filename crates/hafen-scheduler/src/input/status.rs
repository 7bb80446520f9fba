//! The status section: what each node's history says about each resource.

use crate::actions::Key;
use hafen_cib::xml::Element;

use super::blank::blank;
use super::find::{Guess, Guesses};
use super::history::{NodeHistory, OnFail};
use super::record::{self, Record};
use crate::ledger::Cause;
use crate::model::{Cluster, NodeIndex, Recovery, Requires, ResourceId, Role, Task, Variant};
use crate::score::{self, INFINITY};

impl<'a> Cluster<'a> {
    /// Reads all operation history.
    pub(crate) fn unpack_history(&mut self) {
        let Some(status) = self.document.root().child("status") else { return };
        let states: Vec<(NodeIndex, Element<'a>)> = status
            .children_named("node_state")
            .filter_map(|state| Some((self.node_of_state(state)?, state)))
            .collect();
        // Without fencing nothing is known of a node that is not online, so nothing runs there; but it may hold locks.
        let all = self.properties.stonith || self.properties.shutdown_lock;
        let mut guesses = Guesses::default();
        for (node, state) in &states {
            if all || self.node(*node).online {
                for (at, record) in records(*state).enumerate() {
                    self.unpack_record(*node, record, guesses.at(at));
                }
            }
        }
    }

    fn unpack_record(&mut self, node: NodeIndex, element: Element<'a>, guess: &mut Guess) {
        let Some(id) = element.attribute("id") else { return };
        let operations = record::sorted(element);
        let locks = self.properties.shutdown_lock;
        if operations.is_empty() && !locks {
            return;
        }
        let found = self.resource_of_record(node, id, guess);
        let orphan = || if operations.is_empty() { None } else { Some(()) };
        let Some(resource) = found.or_else(|| orphan().and_then(|()| self.adopt_orphan(node, id, element)))
        else {
            return;
        };
        if locks && let Some(time) = element.attribute("shutdown-lock").and_then(score::leading_integer) {
            self.apply_shutdown_lock(resource, node, time);
        }
        let saved = self.rsc(resource).role;
        self.rsc_mut(resource).role = Role::Unknown;
        let mut history = NodeHistory {
            resource,
            node,
            on_fail: OnFail::Ignore,
            last_failure: None,
            expired_recurring: Vec::new(),
        };
        for operation in &operations {
            self.unpack_operation(&mut history, *operation);
        }
        self.note_active_operations(&history, &operations);
        self.settle_state(&history);
        self.apply_target_role(resource);
        let reached = self.rsc(resource).role;
        if saved > reached {
            self.rsc_mut(resource).role = saved;
        }
    }

    /// Notes which recurring operations history shows as running, and which of these shall be started afresh because their
    /// failure has expired: not where the same history knows the operation by an older result.
    fn note_active_operations(&mut self, history: &NodeHistory<'a>, operations: &[Record<'a>]) {
        let (resource, node) = (history.resource, history.node);
        if !self.node(node).online {
            return;
        }
        let (start, stop) = record::active_range(operations);
        let begin = start.unwrap_or(0);
        for expired in &history.expired_recurring {
            let first = operations.iter().skip(begin).find(|operation| operation.same_operation(expired));
            if first.is_some_and(|first| first.element.node() == expired.element.node())
                && expired.element.attribute("op-digest").is_some()
            {
                let task = self.task(expired.task);
                self.stale_recurring.insert((resource, node, task, expired.interval_ms));
            }
        }
        for (at, operation) in operations.iter().enumerate() {
            let over = start < stop && stop.is_some_and(|stop| at <= stop);
            if over || at < begin || operation.interval_ms == 0 || operation.status == record::status::PENDING
            {
                continue;
            }
            let task = self.task(operation.task);
            let interval_ms = operation.interval_ms;
            self.active_recurring.insert((resource, node, task, interval_ms));
            // Its action is older than all that will be decided.
            self.action_for(Some(resource), task, interval_ms, Key::Operation, Some(node), true);
        }
    }

    fn apply_target_role(&mut self, resource: ResourceId) {
        let Some(wanted) = self.target_role(resource) else { return };
        let resource = self.rsc_mut(resource);
        if resource.next_role == Role::Unknown || wanted < resource.next_role {
            resource.next_role = wanted;
        }
    }

    /// The configured target role, where it limits anything: promotion is what happens anyway where it is possible.
    pub(crate) fn target_role(&self, resource: ResourceId) -> Option<Role> {
        match Role::parse(self.rsc(resource).meta.get("target-role")?)? {
            Role::Stopped => Some(Role::Stopped),
            Role::Unpromoted if self.is_promotable_part(resource) => Some(Role::Unpromoted),
            _ => None,
        }
    }

    /// Whether a resource is a promotable clone, or a part of one.
    pub(crate) fn is_promotable_part(&self, resource: ResourceId) -> bool {
        self.clone_of(resource)
            .and_then(|clone| self.rsc(clone).clone.as_ref())
            .is_some_and(|options| options.promotable)
    }

    fn apply_shutdown_lock(&mut self, resource: ResourceId, node: NodeIndex, time: i64) {
        if !self.properties.shutdown_lock || time <= 0 {
            return;
        }
        let limit = self.properties.shutdown_lock_limit_seconds;
        if limit > 0 && self.now > time.saturating_add(limit) {
            // What the node knows of the resource need not be kept any longer.
            self.resource_action(resource, Task::LrmDelete, Some(node), false);
            return;
        }
        let resource = self.rsc_mut(resource);
        resource.lock_node = Some(node);
        resource.lock_time = time;
    }

    /// The resource that a history record is about; instances of anonymous clones are matched by where they run.
    fn resource_of_record(&mut self, node: NodeIndex, id: &str, guess: &mut Guess) -> Option<ResourceId> {
        let found = match self.recorded_name(id, guess) {
            // It is no longer what it was: what history says is about a resource that is gone.
            Some(found) if self.rsc(found).variant != Variant::Primitive => return None,
            Some(found) => found,
            None => {
                // Even a clone without instances has a first one to match.
                let first = *self.by_id.get(&format!("{}:0", base_name(id)))?;
                if self.rsc(first).unique || self.rsc(first).variant != Variant::Primitive {
                    return None;
                }
                first
            }
        };
        let clone = self.clone_of(found).filter(|clone| !self.rsc(*clone).unique);
        let found = match clone {
            Some(clone) => self.instance_for(clone, node, base_name(id))?,
            None => found,
        };
        if id != self.rsc(found).id && id != self.rsc(found).history_id {
            id.clone_into(&mut self.rsc_mut(found).history_id);
        }
        Some(found)
    }

    /// The member of an instance of an anonymous clone that a history is about: of the one that is known to be on the node,
    /// else of the first that is nowhere.
    fn instance_for(&mut self, clone: ResourceId, node: NodeIndex, base: &str) -> Option<ResourceId> {
        let mut inactive: Option<ResourceId> = None;
        let mut taken = false;
        let mut active: Option<ResourceId> = None;
        for instance in self.rsc(clone).children.clone() {
            match self.known_place(instance) {
                Some(place) if place == node => {
                    let Some(member) = self.member_named(instance, base) else { continue };
                    if self.rsc(member).running_on.is_empty() {
                        active = Some(member);
                        break;
                    }
                    // Several histories of one anonymous clone on a node: of a time when it was globally unique.
                    taken = true;
                }
                Some(_) => {}
                None if !taken && inactive.is_none() && !self.rsc(instance).blocked => {
                    inactive = self.member_named(instance, base).filter(|member| {
                        self.rsc(*member).pending_task.as_ref().is_none_or(|(_, place)| *place == node)
                    });
                }
                None => {}
            }
        }
        let mut found = active.or(if taken { None } else { inactive });
        if let Some(member) = found {
            // Instances that need no fencing start elsewhere while a lost node may still run some: such count as extra.
            let fenced_first = matches!(self.rsc(member).requires, Requires::Fencing | Requires::Unfencing);
            let lost = self.node(node).unclean || !self.node(node).online;
            if !fenced_first && lost && !self.is_everywhere(clone) {
                found = None;
            }
        }
        found.or_else(|| {
            let number = u32::try_from(self.rsc(clone).children.len()).unwrap_or(u32::MAX);
            let options = self.rsc(clone).clone.as_ref();
            let beyond = options.is_some_and(|options| i64::from(number) >= i64::from(options.max));
            let instance = self.add_instance(clone, number, beyond)?;
            self.member_named(instance, base)
        })
    }

    /// Where any part of an instance is active, or has something to do.
    fn known_place(&self, instance: ResourceId) -> Option<NodeIndex> {
        self.family(instance).into_iter().find_map(|member| {
            let known = self.rsc(member);
            known.running_on.first().copied().or_else(|| known.pending_task.as_ref().map(|(_, node)| *node))
        })
    }

    fn member_named(&self, instance: ResourceId, base: &str) -> Option<ResourceId> {
        self.family(instance).into_iter().find(|member| {
            self.rsc(*member).variant == Variant::Primitive && base_name(&self.rsc(*member).id) == base
        })
    }

    /// Whether a clone may have an instance on each node.
    fn is_everywhere(&self, clone: ResourceId) -> bool {
        let nodes = self.nodes.iter().filter(|node| !node.ping).count();
        self.rsc(clone)
            .clone
            .as_ref()
            .is_some_and(|options| usize::try_from(options.max).unwrap_or(0) == nodes)
    }

    /// A resource that only history knows.
    fn adopt_orphan(&mut self, node: NodeIndex, id: &str, record: Element<'a>) -> Option<ResourceId> {
        let class = record.attribute("class")?;
        let type_ = record.attribute("type")?;
        let mut resource = blank(id.to_owned(), record, Variant::Primitive);
        resource.class = class.to_owned();
        resource.type_ = type_.to_owned();
        resource.provider =
            record.attribute("provider").filter(|provider| !provider.is_empty()).map(str::to_owned);
        resource.orphan = true;
        resource.stonith_device = class == "stonith";
        // What is left of one can still fence.
        self.have_stonith_devices |= class == "stonith";
        self.add_orphan_defaults(&mut resource);
        let handle = self.add_resource(resource);
        self.top.push(handle);
        if !self.properties.stop_orphans {
            self.rsc_mut(handle).managed = false;
        } else {
            for node in self.node_indices() {
                self.ban(handle, node, Cause::Orphan);
            }
        }
        let _ = node;
        Some(handle)
    }

    /// Draws the consequences of a node's history of a resource.
    fn settle_state(&mut self, history: &NodeHistory<'a>) {
        let (resource, node) = (history.resource, history.node);
        let role = self.rsc(resource).role;
        if role != Role::Unknown {
            self.mark_known(resource, node);
        }
        self.fence_where_active_but_lost(resource, node, role);
        let on_fail = if self.node(node).unclean { OnFail::Ignore } else { history.on_fail };
        self.apply_on_fail(resource, node, on_fail);
        if role.is_active() {
            self.add_running_after(resource, node, history.on_fail != OnFail::Ignore);
            let known = self.rsc_mut(resource);
            known.failed |= on_fail != OnFail::Ignore;
            known.stop_on_fail |= !matches!(on_fail, OnFail::Ignore | OnFail::Demote | OnFail::Block);
        } else if self.rsc(resource).history_id.contains(':') {
            // A numbered name of old histories belongs to an instance only where that runs.
            self.rsc_mut(resource).history_id = self.rsc(resource).id.clone();
        } else if let Some(stop) = self.action_on(resource, Task::Stop, node) {
            // It has stopped already.
            self.act_mut(stop).optional = true;
        }
        let known = self.rsc_mut(resource);
        if known.role == Role::Stopped
            && known.migration_source == Some(node)
            && known.migration_target.is_some()
            && !known.running_on.is_empty()
        {
            // A stop at the source does not end a partial migration at its target.
            known.role = Role::Started;
        }
    }

    /// What is known of an instance of an anonymous clone is known of the clone.
    fn mark_known(&mut self, resource: ResourceId, node: NodeIndex) {
        let mut at = Some(resource);
        while let Some(id) = at {
            let known = self.rsc_mut(id);
            known.known_on.insert(node);
            at = known.parent.filter(|_| !known.unique);
        }
    }

    fn fence_where_active_but_lost(&mut self, resource: ResourceId, node: NodeIndex, role: Role) {
        let known = self.node(node);
        if role <= Role::Stopped || known.online || known.maintenance || !self.rsc(resource).managed {
            return;
        }
        if self.properties.stonith {
            let reason = format!("{} is thought to be active there", self.rsc(resource).id);
            self.mark_unclean(node, &reason);
        }
    }

    fn apply_on_fail(&mut self, resource: ResourceId, node: NodeIndex, on_fail: OnFail) {
        match on_fail {
            OnFail::Ignore => {}
            OnFail::Demote => {
                self.rsc_mut(resource).failed = true;
                self.resource_action(resource, Task::Demote, Some(node), false);
            }
            OnFail::Fence => {
                let reason = format!("{} failed there", self.rsc(resource).id);
                self.mark_unclean(node, &reason);
            }
            OnFail::Standby => {
                self.node_mut(node).standby = true;
                self.node_mut(node).standby_on_fail = true;
            }
            OnFail::Block => {
                self.rsc_mut(resource).managed = false;
                self.rsc_mut(resource).blocked = true;
            }
            OnFail::Ban => self.ban(resource, node, Cause::FailedOperation),
            OnFail::Stop => self.rsc_mut(resource).next_role = Role::Stopped,
            OnFail::Restart => {
                if self.rsc(resource).role.is_active() {
                    self.stop_failed(resource, resource, node);
                }
            }
            OnFail::RestartContainer => match self.rsc(resource).container {
                Some(container) => self.stop_failed(resource, container, node),
                None if self.rsc(resource).role.is_active() => self.stop_failed(resource, resource, node),
                None => {}
            },
        }
    }

    /// A failed resource, or what contains it, has to stop.
    fn stop_failed(&mut self, resource: ResourceId, stopped: ResourceId, node: NodeIndex) {
        self.rsc_mut(resource).failed = true;
        self.rsc_mut(resource).stop_on_fail = true;
        self.resource_action(stopped, Task::Stop, Some(node), false);
    }

    /// Records that a resource is active on a node.
    pub(crate) fn add_running(&mut self, resource: ResourceId, node: NodeIndex) {
        self.add_running_after(resource, node, false);
    }

    /// The same, perhaps after a failure there: then it does not count for the node's worth.
    fn add_running_after(&mut self, resource: ResourceId, node: NodeIndex, failed: bool) {
        let mut at = Some(resource);
        while let Some(id) = at {
            if self.rsc(id).running_on.contains(&node) {
                return;
            }
            self.rsc_mut(id).running_on.push(node);
            let primitive = self.rsc(id).variant == Variant::Primitive;
            if primitive {
                self.count_running(id, node, failed);
            }
            if !self.rsc(id).managed {
                self.prefer(id, node, INFINITY, Cause::Unmanaged);
                if self.node(node).online {
                    self.mark_parents_running(id, node);
                }
                return;
            }
            if primitive && self.rsc(id).running_on.len() > 1 {
                self.multiply_active(id);
            }
            at = self.rsc(id).parent;
        }
    }

    fn count_running(&mut self, resource: ResourceId, node: NodeIndex, failed: bool) {
        let known = self.rsc(resource);
        let (priority, promoted) = (known.priority, known.role == Role::Promoted);
        if priority != 0 && !failed {
            let worth = priority.saturating_add(i32::from(promoted));
            self.node_mut(node).priority = score::add(self.node(node).priority, worth);
        }
        self.node_mut(node).running.push(resource);
        if self.node(node).maintenance {
            self.rsc_mut(resource).managed = false;
            self.rsc_mut(resource).maintenance = true;
        }
    }

    fn mark_parents_running(&mut self, resource: ResourceId, node: NodeIndex) {
        let mut at = self.rsc(resource).parent;
        while let Some(parent) = at {
            if !self.rsc(parent).running_on.contains(&node) {
                self.rsc_mut(parent).running_on.push(node);
            }
            at = self.rsc(parent).parent;
        }
    }

    fn multiply_active(&mut self, resource: ResourceId) {
        match self.rsc(resource).recovery {
            Recovery::StopStart | Recovery::StopUnexpected => {}
            Recovery::StopOnly => {
                for node in self.node_indices() {
                    self.ban(resource, node, Cause::MultiplyActive);
                }
            }
            Recovery::Block => {
                self.rsc_mut(resource).managed = false;
                self.rsc_mut(resource).blocked = true;
                let group =
                    self.rsc(resource).parent.filter(|parent| self.rsc(*parent).variant == Variant::Group);
                if let Some(group) = group
                    && self.rsc(group).recovery == Recovery::Block
                {
                    for member in self.rsc(group).children.clone() {
                        self.rsc_mut(member).managed = false;
                        self.rsc_mut(member).blocked = true;
                    }
                }
            }
        }
    }
}

/// A resource's name without an instance number.
pub(crate) fn base_name(id: &str) -> &str {
    match id.rsplit_once(':') {
        Some((base, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            base
        }
        _ => id,
    }
}

pub(super) fn records(state: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    state
        .child("lrm")
        .and_then(|lrm| lrm.child("lrm_resources"))
        .into_iter()
        .flat_map(|resources| resources.children_named("lrm_resource").collect::<Vec<_>>())
}
