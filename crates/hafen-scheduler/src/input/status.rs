//! The status section: what each node's history says about each resource.

use hafen_cib::xml::Element;

use super::history::{NodeHistory, OnFail};
use super::resources::blank;
use crate::model::{Cluster, Location, NodeIndex, Recovery, ResourceId, Role, Variant};
use crate::score::{self, INFINITY};

impl<'a> Cluster<'a> {
    /// Reads all operation history: of nodes that are up first, then of the others.
    pub(crate) fn unpack_history(&mut self) {
        let Some(status) = self.document.root().child("status") else { return };
        let states: Vec<(NodeIndex, Element<'a>)> = status
            .children_named("node_state")
            .filter_map(|state| Some((self.node_of_state(state)?, state)))
            .collect();
        for (node, state) in &states {
            for record in records(*state) {
                if let Some(id) = record.attribute("id") {
                    self.history.insert((*node, id.to_owned()), record);
                }
            }
        }
        for (node, state) in &states {
            // Without fencing nothing is known of a node that is not online, so nothing runs there.
            if self.node(*node).online || self.properties.stonith {
                for record in records(*state) {
                    self.unpack_record(*node, record);
                }
            }
        }
    }

    fn unpack_record(&mut self, node: NodeIndex, record: Element<'a>) {
        let Some(id) = record.attribute("id") else { return };
        let mut operations: Vec<Element<'a>> = record.children_named("lrm_rsc_op").collect();
        let locked = record.attribute("shutdown-lock").and_then(score::leading_integer);
        if operations.is_empty() && locked.is_none() {
            return;
        }
        operations.sort_by(|left, right| super::history::by_age(*left, *right));
        let Some(resource) =
            self.resource_of_record(node, id).or_else(|| self.adopt_orphan(node, id, record))
        else {
            return;
        };
        if let Some(time) = locked {
            self.apply_shutdown_lock(resource, node, time);
        }
        let saved = self.rsc(resource).role;
        self.rsc_mut(resource).role = Role::Unknown;
        self.apply_target_role(resource);
        let mut history = NodeHistory { resource, node, on_fail: OnFail::Ignore, last_failure: None };
        for operation in &operations {
            self.unpack_operation(&mut history, *operation);
        }
        self.settle_state(&history);
        let reached = self.rsc(resource).role;
        if saved > reached {
            self.rsc_mut(resource).role = saved;
        }
    }

    fn apply_target_role(&mut self, resource: ResourceId) {
        let Some(wanted) = self.target_role(resource) else { return };
        if wanted == Role::Started {
            return;
        }
        let resource = self.rsc_mut(resource);
        if resource.next_role == Role::Unknown || wanted < resource.next_role {
            resource.next_role = wanted;
        }
    }

    /// The configured target role, where it limits anything.
    pub(crate) fn target_role(&self, resource: ResourceId) -> Option<Role> {
        let text = self.rsc(resource).meta.get("target-role")?;
        let wanted = Role::parse(text)?;
        let promotable = self
            .clone_of(resource)
            .and_then(|clone| self.rsc(clone).clone.as_ref())
            .is_some_and(|options| options.promotable);
        match wanted {
            Role::Stopped => Some(Role::Stopped),
            Role::Unpromoted if promotable => Some(Role::Unpromoted),
            Role::Promoted if promotable => Some(Role::Promoted),
            _ => Some(Role::Started),
        }
    }

    fn apply_shutdown_lock(&mut self, resource: ResourceId, node: NodeIndex, time: i64) {
        if !self.properties.shutdown_lock || time <= 0 {
            return;
        }
        let limit = self.properties.shutdown_lock_limit_seconds;
        if limit > 0 && self.now > time + limit {
            return;
        }
        let resource = self.rsc_mut(resource);
        resource.lock_node = Some(node);
        resource.lock_time = time;
    }

    /// The resource that a history record is about; instances of anonymous clones are matched by where they run.
    fn resource_of_record(&mut self, node: NodeIndex, id: &str) -> Option<ResourceId> {
        if let Some(&resource) = self.by_id.get(id)
            && self.rsc(resource).variant == Variant::Primitive
        {
            let anonymous = self.rsc(resource).instance.is_some() && !self.rsc(resource).unique;
            if !anonymous {
                return Some(resource);
            }
        }
        let base = base_name(id);
        let first = *self.by_id.get(&format!("{base}:0")).or_else(|| self.by_id.get(base))?;
        if self.rsc(first).variant != Variant::Primitive
            || self.rsc(first).instance.is_none()
            || self.rsc(first).unique
        {
            return None;
        }
        let clone = self.clone_of(first)?;
        let found = self.free_instance(clone, node, base)?;
        if id != self.rsc(found).id {
            id.clone_into(&mut self.rsc_mut(found).history_id);
        }
        Some(found)
    }

    fn free_instance(&mut self, clone: ResourceId, node: NodeIndex, base: &str) -> Option<ResourceId> {
        let mut inactive: Option<ResourceId> = None;
        let mut highest = 0;
        for instance in self.rsc(clone).children.clone() {
            highest = highest.max(self.rsc(instance).instance.unwrap_or(0));
            let family = self.family(instance);
            let member = family.iter().copied().find(|member| base_name(&self.rsc(*member).id) == base);
            let Some(member) = member else { continue };
            if family.iter().any(|member| self.rsc(*member).running_on.contains(&node)) {
                return Some(member);
            }
            let idle = family.iter().all(|member| {
                let resource = self.rsc(*member);
                resource.running_on.is_empty()
                    && resource.pending_task.as_ref().is_none_or(|(_, at)| *at == node)
            });
            if inactive.is_none() && idle {
                inactive = Some(member);
            }
        }
        if inactive.is_some() {
            return inactive;
        }
        let instance = self.add_instance(clone, highest + 1, true)?;
        for member in self.family(instance) {
            self.rsc_mut(member).orphan_filler = false;
        }
        self.family(instance).into_iter().find(|member| base_name(&self.rsc(*member).id) == base)
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
        self.add_orphan_defaults(&mut resource);
        let handle = self.add_resource(resource);
        self.top.push(handle);
        if !self.properties.stop_orphans {
            self.rsc_mut(handle).managed = false;
        } else {
            for node in self.node_indices() {
                self.prefer(handle, node, -INFINITY, "__orphan_do_not_run__");
            }
        }
        let _ = node;
        Some(handle)
    }

    /// Adds a preference that comes from the state, not from a constraint.
    pub(crate) fn prefer(&mut self, resource: ResourceId, node: NodeIndex, score: i32, why: &str) {
        let at = self.locations.len();
        self.locations.push(Location {
            id: why.to_owned(),
            resource,
            role: None,
            discovery: crate::model::Discovery::Always,
            nodes: vec![(node, score)],
        });
        self.rsc_mut(resource).locations.push(at);
    }

    /// Draws the consequences of a node's history of a resource.
    fn settle_state(&mut self, history: &NodeHistory<'a>) {
        let (resource, node) = (history.resource, history.node);
        let role = self.rsc(resource).role;
        if role != Role::Unknown {
            self.rsc_mut(resource).known_on.insert(node);
            self.mark_known(resource, node);
        }
        self.fence_where_active_but_lost(resource, node, role);
        let on_fail = if self.node(node).unclean { OnFail::Ignore } else { history.on_fail };
        self.apply_on_fail(resource, node, on_fail, role);
        if self.rsc(resource).role.is_active() {
            self.add_running(resource, node);
        } else if self.rsc(resource).history_id.contains(':') && self.rsc(resource).running_on.is_empty() {
            // A numbered name of old histories belongs to an instance only where that runs.
            self.rsc_mut(resource).history_id = self.rsc(resource).id.clone();
        }
    }

    fn mark_known(&mut self, resource: ResourceId, node: NodeIndex) {
        let Some(clone) = self.clone_of(resource) else { return };
        if self.rsc(clone).unique {
            return;
        }
        let base = base_name(&self.rsc(resource).id).to_owned();
        for member in self.family(clone) {
            if self.rsc(member).variant == Variant::Primitive && base_name(&self.rsc(member).id) == base {
                self.rsc_mut(member).known_on.insert(node);
            }
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

    fn apply_on_fail(&mut self, resource: ResourceId, node: NodeIndex, on_fail: OnFail, role: Role) {
        match on_fail {
            OnFail::Ignore => {}
            OnFail::Demote => self.rsc_mut(resource).failed = true,
            OnFail::Fence => {
                let reason = format!("{} failed there", self.rsc(resource).id);
                self.rsc_mut(resource).failed = true;
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
            OnFail::Ban => self.prefer(resource, node, -INFINITY, "__action_migration_auto__"),
            OnFail::Stop => self.rsc_mut(resource).next_role = Role::Stopped,
            OnFail::Restart => {
                if role.is_active() {
                    self.rsc_mut(resource).failed = true;
                    self.rsc_mut(resource).stop_on_fail = true;
                }
            }
        }
    }

    /// Records that a resource is active on a node.
    pub(crate) fn add_running(&mut self, resource: ResourceId, node: NodeIndex) {
        if self.rsc(resource).running_on.contains(&node) {
            return;
        }
        let mut at = Some(resource);
        while let Some(id) = at {
            if !self.rsc(id).running_on.contains(&node) {
                self.rsc_mut(id).running_on.push(node);
            }
            at = self.rsc(id).parent;
        }
        self.node_mut(node).running.push(resource);
        if self.node(node).maintenance {
            self.rsc_mut(resource).managed = false;
            self.rsc_mut(resource).maintenance = true;
        }
        if !self.rsc(resource).managed {
            return;
        }
        if self.rsc(resource).running_on.len() > 1 {
            self.multiply_active(resource);
        }
    }

    fn multiply_active(&mut self, resource: ResourceId) {
        match self.rsc(resource).recovery {
            Recovery::StopStart | Recovery::StopUnexpected => {}
            Recovery::StopOnly => {
                for node in self.rsc(resource).running_on.clone() {
                    let _ = node;
                }
                for node in self.node_indices() {
                    self.prefer(resource, node, -INFINITY, "__multiply_active__");
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

fn records(state: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    state
        .child("lrm")
        .and_then(|lrm| lrm.child("lrm_resources"))
        .into_iter()
        .flat_map(|resources| resources.children_named("lrm_resource").collect::<Vec<_>>())
}
