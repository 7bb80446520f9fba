//! The state as XML.

use super::words::role_name;
use super::{Format, How, Only, StatusOptions};
use crate::model::{Cluster, NodeIndex, ResourceId, Variant};
use crate::output::status::nodes::Health;
use crate::output::xml::XmlWriter;

impl Cluster<'_> {
    pub(super) fn status_xml(&self, options: StatusOptions) -> String {
        debug_assert_eq!(options.format, Format::Xml);
        let only = Only::default();
        let how = How::simulated(!options.revised, &only);
        let mut xml = XmlWriter::default();
        xml.open(if options.revised { "revised_cluster_status" } else { "cluster_status" });
        xml.open("nodes");
        for node in self.listed_nodes() {
            self.node_xml(&mut xml, node, None);
        }
        xml.close();
        let mut shown = self.listed_resources().peekable();
        if shown.peek().is_some() {
            xml.open("resources");
            for top in shown {
                self.resource_xml(&mut xml, top, how);
            }
            xml.close();
        }
        if options.attributes {
            self.attributes_xml(&mut xml, &only);
        }
        if options.fail_counts && self.nodes.iter().any(|node| node.online) {
            self.failure_counts_xml(&mut xml, &only);
            if !self.failed_operations.is_empty() {
                self.failed_operations_xml(&mut xml, &only);
            }
        }
        xml.finish()
    }

    /// With `running`, what runs there is inside.
    pub(super) fn node_xml(&self, xml: &mut XmlWriter, index: NodeIndex, running: Option<How<'_>>) {
        let node = self.node(index);
        xml.open("node");
        xml.attribute("name", &node.uname);
        xml.attribute("id", &node.id);
        xml.flag("online", node.online);
        xml.flag("standby", node.standby);
        xml.flag("standby_onfail", node.standby_on_fail);
        xml.flag("maintenance", node.maintenance);
        xml.flag("pending", node.pending);
        xml.flag("unclean", node.unclean);
        let health = match self.health_of(index) {
            Health::Red => "red",
            Health::Yellow => "yellow",
            Health::Green => "green",
        };
        xml.attribute("health", health);
        if let Some(version) = self.feature_set(index) {
            xml.attribute("feature_set", version);
        }
        xml.flag("shutdown", node.shutdown);
        xml.flag("expected_up", node.expected_up);
        xml.flag("is_dc", node.is_dc);
        xml.attribute("resources_running", &node.running.len().to_string());
        let kind = if node.ping {
            "ping"
        } else if node.remote {
            "remote"
        } else {
            "member"
        };
        xml.attribute("type", kind);
        if let Some(how) = running {
            for resource in node.running.iter().filter(|resource| how.only.resource(**resource)) {
                self.primitive_xml(xml, *resource, how);
            }
        }
        xml.close();
    }

    pub(super) fn resource_xml(&self, xml: &mut XmlWriter, resource: ResourceId, how: How<'_>) {
        match self.rsc(resource).variant {
            Variant::Primitive => self.primitive_xml(xml, resource, how),
            Variant::Group => self.group_xml(xml, resource, how),
            Variant::Clone => self.clone_xml(xml, resource, how),
        }
    }

    fn primitive_xml(&self, xml: &mut XmlWriter, id: ResourceId, how: How<'_>) {
        let resource = self.rsc(id);
        xml.open("resource");
        xml.attribute("id", self.shown_name(id));
        xml.attribute("resource_agent", &self.agent_of(id));
        let pending = self.pending_state(id).filter(|_| how.pending);
        xml.attribute("role", pending.unwrap_or(role_name(self.shown_role(id))));
        if let Some(wanted) = resource.meta.get("target-role") {
            xml.attribute("target_role", wanted);
        }
        xml.flag("active", self.is_active(id, true));
        xml.flag("orphaned", resource.orphan);
        xml.flag("blocked", resource.blocked);
        xml.flag("maintenance", resource.maintenance);
        xml.flag("managed", resource.managed);
        xml.flag("failed", resource.failed);
        xml.flag("failure_ignored", resource.failure_ignored);
        xml.attribute("nodes_running_on", &resource.running_on.len().to_string());
        if let Some(pending) = self.pending_check(id).filter(|_| how.pending) {
            xml.attribute("pending", pending);
        }
        if let Some(lock) = resource.lock_node {
            xml.attribute("locked_to", &self.node(lock).uname);
        }
        self.description_xml(xml, id, how);
        for node in &resource.running_on {
            xml.open("node");
            xml.attribute("name", &self.node(*node).uname);
            xml.attribute("id", &self.node(*node).id);
            xml.flag("cached", self.node(*node).online);
            xml.close();
        }
        xml.close();
    }

    fn description_xml(&self, xml: &mut XmlWriter, id: ResourceId, how: How<'_>) {
        if let Some(description) = self.rsc(id).element.attribute("description").filter(|_| how.description) {
            xml.attribute("description", description);
        }
    }

    fn group_xml(&self, xml: &mut XmlWriter, id: ResourceId, how: How<'_>) {
        let group = self.rsc(id);
        xml.open("group");
        xml.attribute("id", &group.id);
        // Pacemaker counts from the first one that is shown.
        let members = group.children.iter().skip_while(|member| !self.member_fits(**member, how));
        xml.attribute("number_resources", &members.clone().count().to_string());
        xml.flag("maintenance", group.maintenance);
        xml.flag("managed", group.managed);
        xml.flag("disabled", self.is_disabled(id));
        self.description_xml(xml, id, how);
        for member in members.filter(|member| self.member_fits(**member, how)) {
            self.resource_xml(xml, *member, how);
        }
        xml.close();
    }

    fn clone_xml(&self, xml: &mut XmlWriter, id: ResourceId, how: How<'_>) {
        let clone = self.rsc(id);
        xml.open("clone");
        xml.attribute("id", &clone.id);
        xml.flag("multi_state", self.is_promotable(id));
        xml.flag("unique", clone.unique);
        xml.flag("maintenance", clone.maintenance);
        xml.flag("managed", clone.managed);
        xml.flag("disabled", self.is_disabled(id));
        xml.flag("failed", clone.failed);
        xml.flag("failure_ignored", clone.failure_ignored);
        if let Some(wanted) = self.target_role_text(id) {
            xml.attribute("target_role", wanted);
        }
        self.description_xml(xml, id, how);
        let is_told = |instance: &ResourceId| {
            how.inactive
                || self.rsc(*instance).variant == Variant::Primitive
                || self.is_active(*instance, false)
        };
        for instance in
            clone.children.iter().filter(|instance| is_told(instance) && self.fits(**instance, how))
        {
            self.resource_xml(xml, *instance, how);
        }
        xml.close();
    }
}
