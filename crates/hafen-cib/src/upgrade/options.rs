//! Cluster options, options of resources and operations, nodes, and access control.

use std::collections::BTreeSet;

use super::{OLD_PREFIX, Upgrader};
use crate::xml::{Element, NodeId};

/// Cluster options that were renamed before 3.0; most of them because a hyphen replaced an underscore.
const RENAMED_BEFORE_3: &[(&str, &str)] = &[
    ("no_quorum_policy", "no-quorum-policy"),
    ("symmetric_cluster", "symmetric-cluster"),
    ("stonith_enabled", "stonith-enabled"),
    ("stonith_action", "stonith-action"),
    ("transition_idle_timeout", "cluster-delay"),
    ("stop_orphan_resources", "stop-orphan-resources"),
    ("stop_orphan_actions", "stop-orphan-actions"),
    ("remove_after_stop", "remove-after-stop"),
    ("election_timeout", "election-timeout"),
    ("shutdown_escalation", "shutdown-escalation"),
    ("cluster_recheck_interval", "cluster-recheck-interval"),
    ("dc_deadtime", "dc-deadtime"),
    ("startup_fencing", "startup-fencing"),
];
/// Cluster options that lost their meaning before 3.0.
const DROPPED_BEFORE_3: &[&str] = &[
    "default-resource-failure-stickiness",
    "default_resource_failure_stickiness",
    "default-migration-threshold",
    "default_migration_threshold",
    "notification-agent",
    "notification-recipient",
    "expected-quorum-votes",
];
/// Cluster options that became defaults of operations (`true`) or resources.
pub(crate) const MOVED_PROPERTIES: &[(&str, bool, &str)] = &[
    ("default-action-timeout", true, "timeout"),
    ("default_action_timeout", true, "timeout"),
    ("default-resource-stickiness", false, "resource-stickiness"),
    ("default_resource_stickiness", false, "resource-stickiness"),
    ("is-managed-default", false, "is-managed"),
    ("is_managed_default", false, "is-managed"),
];
/// Options of resources that lost their meaning before 3.0.
const DROPPED_META_BEFORE_3: &[&str] = &[
    "isolation",
    "isolation-host",
    "isolation-instance",
    "isolation-wrapper",
    "resource-failure-stickiness",
    "resource_failure_stickiness",
];

/// Cluster options that were renamed in 4.0.
const RENAMED: &[(&str, &str)] = &[
    ("crmd-finalization-timeout", "join-finalization-timeout"),
    ("crmd-integration-timeout", "join-integration-timeout"),
    ("crmd-transition-delay", "transition-delay"),
];

/// What a cluster option of old is called today.
pub(crate) fn renamed_property(name: &str) -> Option<&'static str> {
    let mut all = RENAMED_BEFORE_3.iter().chain(RENAMED);
    all.find(|(old, _)| *old == name).map(|(_, today)| *today)
}

fn is_property(element: Element<'_>) -> bool {
    element.name() == "nvpair" && parent_is(element, "cluster_property_set")
}

fn parent_is(element: Element<'_>, name: &str) -> bool {
    element.parent().is_some_and(|parent| parent.name() == name)
}

/// Whether an element is an option of an operation, rather than of a resource.
fn is_of_operation(element: Element<'_>) -> bool {
    let around = element.parent().and_then(Element::parent);
    around.is_some_and(|around| matches!(around.name(), "op" | "op_defaults"))
}

impl Upgrader<'_> {
    /// What 3.0 did to options.
    pub(super) fn old_options(&mut self) {
        for pair in self.find(is_property) {
            let name = self.value(pair, "name");
            if DROPPED_BEFORE_3.contains(&name.as_str()) {
                self.remove(pair);
            } else if let Some((_, new)) = RENAMED_BEFORE_3.iter().find(|(old, _)| *old == name) {
                self.set(pair, "name", new);
            }
        }
        self.drop_repeated_properties();
        self.properties_to_defaults();
        let dropped = self.find(|element| {
            element.name() == "nvpair"
                && parent_is(element, "meta_attributes")
                && element.attribute("name").is_some_and(|name| DROPPED_META_BEFORE_3.contains(&name))
        });
        self.remove_all(&dropped);
    }

    /// Of options that have come to the same name in a set, the first counts.
    fn drop_repeated_properties(&mut self) {
        let mut seen = BTreeSet::new();
        for pair in self.find(is_property) {
            let name = self.value(pair, "name");
            let set = self.element(pair).parent().map(|set| set.node().0);
            if !name.is_empty() && !seen.insert((set, name)) {
                self.remove(pair);
            }
        }
    }

    fn properties_to_defaults(&mut self) {
        let mut taken: Vec<&str> = Vec::new();
        for pair in self.find(is_property) {
            let name = self.value(pair, "name");
            let Some((_, operations, new)) = MOVED_PROPERTIES.iter().find(|(old, ..)| *old == name) else {
                continue;
            };
            let (id, value) = (self.value(pair, "id"), self.value(pair, "value"));
            self.remove(pair);
            if taken.contains(new) {
                continue;
            }
            taken.push(new);
            let (section, set_id) = if *operations {
                ("op_defaults", format!("{OLD_PREFIX}-op-defaults"))
            } else {
                ("rsc_defaults", format!("{OLD_PREFIX}-rsc-defaults"))
            };
            let set = self.default_set(section, &set_id);
            self.add(set, "nvpair", &[("id", &id), ("name", new), ("value", &value)]);
        }
    }

    fn default_set(&mut self, section: &str, id: &str) -> NodeId {
        let section = self.cib.section_or_new(section);
        let known = self.element(section).children().find(|set| set.id() == Some(id)).map(Element::node);
        known.unwrap_or_else(|| self.add(section, "meta_attributes", &[("id", id)]))
    }

    /// Members were called normal.
    pub(super) fn old_nodes(&mut self) {
        for node in
            self.find(|element| element.name() == "node" && element.attribute("type") == Some("normal"))
        {
            self.set(node, "type", "member");
        }
    }

    /// What 4.0 did to options.
    pub(super) fn options(&mut self) {
        for pair in self.find(is_property) {
            let name = self.value(pair, "name");
            if name == "remove-after-stop" {
                self.remove(pair);
            } else if name == "stonith-action" && self.value(pair, "value") == "poweroff" {
                self.set(pair, "value", "off");
            } else if let Some((_, new)) = RENAMED.iter().find(|(old, _)| *old == name) {
                self.set(pair, "name", new);
            }
        }
        let dropped = self.find(|element| {
            if element.name() != "nvpair" || !parent_is(element, "meta_attributes") {
                return false;
            }
            match element.attribute("name") {
                Some("restart-type") => !is_of_operation(element),
                Some("can_fail" | "role_after_failure") => is_of_operation(element),
                _ => false,
            }
        });
        self.remove_all(&dropped);
    }

    /// Pairs without a value say nothing, and neither do those that refer to them.
    pub(super) fn pairs_without_value(&mut self) {
        let empty = self.find(|element| {
            let attribute = |name| element.attribute(name).is_some();
            let sets = ["instance_attributes", "meta_attributes", "utilization", "cluster_property_set"];
            // One with anything else breaks its schema.
            let bare = attribute("id") && attribute("name") && element.attributes().count() == 2;
            element.name() == "nvpair" && bare && sets.iter().any(|set| parent_is(element, set))
        });
        let ids: BTreeSet<String> = empty.iter().map(|pair| self.value(*pair, "id")).collect();
        let references = self.find(|element| {
            element.name() == "nvpair" && element.attribute("id-ref").is_some_and(|id| ids.contains(id))
        });
        self.remove_all(&references);
        self.remove_all(&empty);
    }

    /// Hosts to which others only sent pings become members on which nothing runs.
    pub(super) fn ping_nodes(&mut self) {
        for node in self.find(|element| element.name() == "node" && element.attribute("type") == Some("ping"))
        {
            self.set(node, "type", "member");
            let name = self.value(node, "uname");
            let constraints = self.cib.section_or_new("constraints");
            let id = format!("{}ping-node-ban-{name}", super::PREFIX);
            let everything = [
                ("id", id.as_str()),
                ("rsc-pattern", ".*"),
                ("node", &name),
                ("score", "-INFINITY"),
                ("resource-discovery", "never"),
            ];
            self.add(constraints, "rsc_location", &everything);
        }
    }

    /// Users whose rights were written with them get a role of their own.
    pub(super) fn access_control(&mut self) {
        for user in self.find(|element| element.name() == "acl_user") {
            let target = self.rename(user, "acl_target");
            let id = self.value(target, "id");
            for reference in self.children(target, &["role_ref"]) {
                self.rename(reference, "role");
            }
            let rights = self.children(target, &["read", "write", "deny"]);
            if rights.is_empty() {
                continue;
            }
            let name = format!("auto-{id}");
            self.add(target, "role", &[("id", &name)]);
            let element = self.element(target);
            let position = element.position() + 1;
            let Some(section) = element.parent().map(Element::node) else { continue };
            let role = self.insert(section, position, "acl_role", &[("id", &name)]);
            for right in rights {
                self.cib.document_mut().move_to(right, role, usize::MAX);
            }
        }
        for role in self.find(|element| element.name() == "acl_role") {
            for right in self.children(role, &["read", "write", "deny"]) {
                self.permission(right);
            }
        }
    }

    fn permission(&mut self, right: NodeId) {
        let kind = self.element(right).name().to_owned();
        let permission = self.rename(right, "acl_permission");
        self.set(permission, "kind", &kind);
        for (old, new) in [("ref", "reference"), ("tag", "object-type")] {
            if let Some(value) = self.element(permission).attribute(old).map(str::to_owned) {
                self.unset(permission, old);
                self.set(permission, new, &value);
            }
        }
    }

    pub(super) fn children(&self, parent: NodeId, names: &[&str]) -> Vec<NodeId> {
        let children = self.element(parent).children();
        children.filter(|child| names.contains(&child.name())).map(Element::node).collect()
    }
}
