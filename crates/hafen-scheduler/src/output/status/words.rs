//! What the lists say about a resource, whatever their format.

use crate::model::{Cluster, NodeIndex, ResourceId, Role, Variant};

/// The name of a role.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Unknown => "Unknown",
        Role::Stopped => "Stopped",
        Role::Started => "Started",
        Role::Unpromoted => "Unpromoted",
        Role::Promoted => "Promoted",
    }
}

impl Cluster<'_> {
    /// Whether a resource runs at all; with `all`, whether every part of it does.
    pub(super) fn is_active(&self, resource: ResourceId, all: bool) -> bool {
        let known = self.rsc(resource);
        if known.variant == Variant::Primitive {
            return self.is_primitive_active(resource);
        }
        let mut some = false;
        for child in &known.children {
            let active = self.is_active(*child, all);
            if active && !all {
                return true;
            }
            if !active && all {
                return false;
            }
            some |= active;
        }
        some
    }

    fn is_primitive_active(&self, resource: ResourceId) -> bool {
        let known = self.rsc(resource);
        known.running_on.iter().any(|node| {
            let node = self.node(*node);
            // What runs on a lost node counts: nobody has proven that it stopped.
            node.unclean || node.online || !known.managed
        })
    }

    /// The role to show: instances that can be promoted are unpromoted rather than started.
    pub(crate) fn shown_role(&self, resource: ResourceId) -> Role {
        let role = self.rsc(resource).role;
        if role == Role::Started && self.is_promotable(resource) {
            Role::Unpromoted
        } else {
            role.max(Role::Stopped)
        }
    }

    pub(super) fn is_promotable(&self, resource: ResourceId) -> bool {
        self.clone_of(resource)
            .and_then(|clone| self.rsc(clone).clone.as_ref())
            .is_some_and(|options| options.promotable)
    }

    /// The role that the administrator wants, as written.
    pub(super) fn wanted_role(&self, resource: ResourceId) -> Option<Role> {
        self.rsc(resource).meta.get("target-role").and_then(|text| Role::parse(text))
    }

    /// As `wanted_role`; of something made of parts that does not say, the first part's.
    pub(super) fn configured_role(&self, resource: ResourceId) -> Option<Role> {
        self.target_role_text(resource).and_then(Role::parse)
    }

    pub(super) fn target_role_text(&self, resource: ResourceId) -> Option<&str> {
        let own = |resource: ResourceId| self.rsc(resource).meta.get("target-role").map(String::as_str);
        own(resource).or_else(|| own(*self.rsc(resource).children.first()?))
    }

    /// Whether the administrator keeps it from running, or from being promoted.
    pub(super) fn is_disabled(&self, resource: ResourceId) -> bool {
        match self.wanted_role(resource) {
            Some(Role::Stopped) => true,
            Some(Role::Unpromoted) => self.is_promotable(resource),
            _ => false,
        }
    }

    /// The operation under way, worded as a state.
    pub(super) fn pending_state(&self, resource: ResourceId) -> Option<&'static str> {
        Some(match self.rsc(resource).pending_task.as_ref()?.0.as_str() {
            "start" | "migrate_from" => "Starting",
            "stop" => "Stopping",
            "migrate_to" => "Migrating",
            "promote" => "Promoting",
            "demote" => "Demoting",
            _ => return None,
        })
    }

    /// The operation under way, where it does not change the state.
    pub(super) fn pending_check(&self, resource: ResourceId) -> Option<&'static str> {
        (self.rsc(resource).pending_task.as_ref()?.0 == "monitor").then_some("Monitoring")
    }

    /// The name by which people know a resource: instances that are all alike go without their number.
    pub(crate) fn shown_name(&self, resource: ResourceId) -> &str {
        let known = self.rsc(resource);
        if known.unique || known.instance.is_none() {
            &known.id
        } else {
            crate::input::status::base_name(&known.id)
        }
    }

    /// Names of nodes as people sort them.
    pub(super) fn sorted_names(&self, nodes: impl Iterator<Item = NodeIndex>) -> Vec<&str> {
        let mut names: Vec<&str> = nodes.map(|node| self.node(node).uname.as_str()).collect();
        names.sort_by(|left, right| crate::output::names::by_name(left, right));
        names
    }
}
