//! Changing a CIB the way `cibadmin` does: create, modify, replace, delete.
//!
//! None of these changes the version: see [`Cib::bump_epoch`] and [`Cib::bump_num_updates`].

use crate::cib::{Cib, Version};
use crate::xml::{Element, NodeId};

/// Why a change of the CIB is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// There is an element of that name and id already.
    #[error("{0} exists already")]
    Exists(String),
    /// There is no such element.
    #[error("there is no {0}")]
    Missing(String),
    /// The CIB has no section of that name, and none can be made.
    #[error("`{0}` is not a section of the CIB")]
    Section(String),
}

impl Cib {
    /// Raise the epoch and set `num_updates` to 0: what a change of the configuration does.
    pub fn bump_epoch(&mut self) {
        let Version { admin_epoch, epoch, .. } = self.version();
        self.set_version(Version { admin_epoch, epoch: epoch.saturating_add(1), num_updates: 0 });
    }

    /// Raise `num_updates`: what a change of the status does.
    pub fn bump_num_updates(&mut self) {
        let version = self.version();
        self.set_version(Version { num_updates: version.num_updates.saturating_add(1), ..version });
    }

    /// Put a copy of an element `<configuration>` in the place of this CIB's.
    pub fn replace_configuration(&mut self, configuration: Element<'_>) {
        let root = self.root().node();
        let position = match self.configuration() {
            Some(old) => {
                let position = old.position();
                let old = old.node();
                self.document_mut().remove(old);
                position
            }
            None => 0,
        };
        self.document_mut().insert_copy(root, position, configuration);
    }

    /// The section of the CIB that holds an element of a name, such as `resources` for `primitive`.
    pub fn section_of(element_name: &str) -> Option<&'static str> {
        Some(match element_name {
            "cluster_property_set" => "crm_config",
            "node" => "nodes",
            "primitive" | "group" | "clone" | "bundle" | "template" => "resources",
            "rsc_location" | "rsc_colocation" | "rsc_order" | "rsc_ticket" => "constraints",
            "node_state" => "status",
            "fencing-level" => "fencing-topology",
            "tag" => "tags",
            "alert" => "alerts",
            "acl_target" | "acl_group" | "acl_role" => "acls",
            _ => return None,
        })
    }

    /// Find the element that stands for the given one: the same name, and the same id if it has one.
    pub fn find_like(&self, element: Element<'_>) -> Option<Element<'_>> {
        if element.name() == "cib" {
            return Some(self.root());
        }
        let like = |found: &Element<'_>| found.name() == element.name() && found.id() == element.id();
        match element.id() {
            Some(id) => {
                let indexed = self.document().all_by_id(id).into_iter().find(like);
                indexed.or_else(|| self.root().descendants().find(like))
            }
            None => self.root().descendants().find(|found| found.name() == element.name()),
        }
    }

    /// Add a copy of an element below `parent` (`cibadmin --create`).
    pub fn create(&mut self, parent: NodeId, element: Element<'_>) -> Result<NodeId, EditError> {
        let holder = self.document().element(parent);
        let taken = element.id().is_some_and(|id| {
            holder.children_named(element.name()).any(|child| child.id() == Some(id))
                || Cib::section_of(element.name()) != Some("status") && self.document().by_id(id).is_some()
        });
        if taken {
            return Err(EditError::Exists(described(element)));
        }
        Ok(self.document_mut().append_copy(parent, element))
    }

    /// Add a copy of an element to a section of the configuration, or to `status`.
    pub fn create_in(&mut self, section: &str, element: Element<'_>) -> Result<NodeId, EditError> {
        if Cib::section_of(element.name()).is_some_and(|right| right != section) {
            return Err(EditError::Section(section.to_string()));
        }
        let parent = if section == "status" { self.status_or_new() } else { self.section_or_new(section) };
        self.create(parent, element)
    }

    /// Merge an element into the one that stands for it (`cibadmin --modify`): its attributes are
    /// set, its children merged in the same way, or added where there are none. With
    /// `allow_create` it is added to its section if it is missing.
    pub fn modify(&mut self, element: Element<'_>, allow_create: bool) -> Result<NodeId, EditError> {
        let Some(found) = self.find_like(element).map(Element::node) else {
            return match Cib::section_of(element.name()) {
                Some(section) if allow_create => self.create_in(section, element),
                _ => Err(EditError::Missing(described(element))),
            };
        };
        let mut open = vec![(found, element)];
        while let Some((target, source)) = open.pop() {
            for (name, value) in source.attributes() {
                self.document_mut().set_attribute(target, name, value);
            }
            for child in source.children() {
                let like = self.document().element(target).children_named(child.name());
                let like = like.filter(|found| child.id().is_none() || found.id() == child.id());
                let like = like.map(Element::node).next();
                match like {
                    Some(found) => open.push((found, child)),
                    None => {
                        self.document_mut().append_copy(target, child);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Put a copy of an element in the place of the one that stands for it (`cibadmin --replace`).
    pub fn replace(&mut self, element: Element<'_>) -> Result<NodeId, EditError> {
        let Some(found) = self.find_like(element) else {
            return Err(EditError::Missing(described(element)));
        };
        let Some(parent) = found.parent() else {
            self.document_mut().replace_root(element);
            return Ok(self.root().node());
        };
        let (found, parent, position) = (found.node(), parent.node(), found.position());
        self.document_mut().remove(found);
        Ok(self.document_mut().insert_copy(parent, position, element))
    }

    /// Remove the element that stands for the given one and has all of its attributes
    /// (`cibadmin --delete`); `false` if there is none.
    pub fn delete(&mut self, element: Element<'_>) -> bool {
        let Some(found) = self.find_like(element) else { return false };
        let all = element.attributes().all(|(name, value)| found.attribute(name) == Some(value));
        if !all || found.parent().is_none() {
            return false;
        }
        let found = found.node();
        self.document_mut().remove(found);
        true
    }

    /// Remove the element of the configuration with an id; `false` if there is none.
    pub fn delete_id(&mut self, id: &str) -> bool {
        match self.document().by_id(id).filter(|found| found.parent().is_some()) {
            Some(found) => {
                let found = found.node();
                self.document_mut().remove(found);
                true
            }
            None => false,
        }
    }

    /// Set a name-value pair in a set of pairs below an element, making both where they are missing.
    ///
    /// `set_name` is the set's element (`meta_attributes`, `cluster_property_set`, ...), `set_id` the
    /// id for a new set; a new pair's id is the set's id, `-` and the name.
    pub fn set_pair(&mut self, owner: NodeId, set_name: &str, set_id: &str, name: &str, value: &str) {
        let owner_element = self.document().element(owner);
        let holds =
            |set: &Element<'_>| set.children_named("nvpair").any(|pair| pair.attribute("name") == Some(name));
        let set = owner_element.children_named(set_name).find(holds);
        let set = set.or_else(|| owner_element.child(set_name)).map(Element::node);
        let document = self.document_mut();
        let set = set.unwrap_or_else(|| {
            let set = document.append_element(owner, set_name);
            document.set_attribute(set, "id", set_id);
            set
        });
        let pair =
            document.element(set).children_named("nvpair").find(|pair| pair.attribute("name") == Some(name));
        let pair = pair.map(Element::node).unwrap_or_else(|| {
            let id = format!("{}-{name}", document.element(set).id().unwrap_or(set_id));
            let pair = document.append_element(set, "nvpair");
            document.set_attribute(pair, "id", &id);
            document.set_attribute(pair, "name", name);
            pair
        });
        document.set_attribute(pair, "value", value);
    }

    /// Set a cluster property in `crm_config`.
    pub fn set_property(&mut self, name: &str, value: &str) {
        let section = self.section_or_new("crm_config");
        self.set_pair(section, "cluster_property_set", "cib-bootstrap-options", name, value);
    }
}

fn described(element: Element<'_>) -> String {
    match element.id() {
        Some(id) => format!("<{}> with the id `{id}`", element.name()),
        None => format!("<{}>", element.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patchset::Patchset;
    use crate::xml::Document;

    fn cib() -> Cib {
        let mut cib = Cib::new();
        for source in [
            "<primitive id='vm1' class='ocf' type='a'><operations><op id='o' name='monitor' interval='10s'/></operations></primitive>",
            "<primitive id='vm2' class='ocf' type='a'/>",
        ] {
            cib.create_in("resources", element(source).root()).expect("created");
        }
        cib
    }

    fn element(source: &str) -> Document {
        Document::parse(source).expect(source)
    }

    #[test]
    fn create_refuses_what_exists() {
        let mut cib = cib();
        let taken = element("<primitive id='vm1'/>");
        assert!(matches!(cib.create_in("resources", taken.root()), Err(EditError::Exists(_))));
        let other = element("<rsc_location id='vm1'/>");
        assert!(
            matches!(cib.create_in("constraints", other.root()), Err(EditError::Exists(_))),
            "ids are unique"
        );
        assert!(matches!(cib.create_in("nodes", taken.root()), Err(EditError::Section(_))));
        let tag = element("<tag id='t'/>");
        cib.create_in("tags", tag.root()).expect("the section is made");
        assert_eq!(cib.section("tags").map(|tags| tags.children().count()), Some(1));
    }

    #[test]
    fn modify_merges() {
        let mut cib = cib();
        let change = element(
            "<primitive id='vm1' type='b'><operations><op id='o' timeout='5s'/><op id='p' name='start'/></operations></primitive>",
        );
        cib.modify(change.root(), false).expect("modified");
        assert_eq!(
            cib.document().by_id("vm1").map(|vm| vm.to_xml_compact()).as_deref(),
            Some(concat!(
                r#"<primitive id="vm1" class="ocf" type="b"><operations>"#,
                r#"<op id="o" name="monitor" interval="10s" timeout="5s"/>"#,
                r#"<op id="p" name="start"/></operations></primitive>"#
            ))
        );
        let missing = element("<primitive id='vm3'/>");
        assert!(matches!(cib.modify(missing.root(), false), Err(EditError::Missing(_))));
        cib.modify(missing.root(), true).expect("created");
        assert!(cib.document().by_id("vm3").is_some());
        let top = element("<cib have-quorum='1'><status><node_state id='1' uname='n'/></status></cib>");
        cib.modify(top.root(), false).expect("the root is modified");
        assert_eq!((cib.root().attribute("have-quorum"), cib.node_states().count()), (Some("1"), 1));
    }

    #[test]
    fn replace_and_delete() {
        let mut cib = cib();
        cib.replace(element("<primitive id='vm1' class='lsb'/>").root()).expect("replaced");
        let resources = cib.resources().expect("resources").to_xml_compact();
        assert_eq!(
            resources,
            "<resources><primitive id=\"vm1\" class=\"lsb\"/><primitive id=\"vm2\" class=\"ocf\" type=\"a\"/></resources>"
        );
        assert!(!cib.delete(element("<primitive id='vm1' class='ocf'/>").root()), "another class");
        assert!(cib.delete(element("<primitive id='vm1'/>").root()));
        assert!(cib.delete_id("vm2") && !cib.delete_id("vm2"));
        assert!(cib.document().by_id("o").is_none());
        assert!(!cib.delete(element("<cib/>").root()), "the root stays");
        cib.replace(element("<resources><primitive id='x'/></resources>").root()).expect("a whole section");
        assert_eq!(cib.resources().map(|resources| resources.children().count()), Some(1));
        assert!(matches!(cib.replace(element("<primitive id='y'/>").root()), Err(EditError::Missing(_))));
    }

    #[test]
    fn pairs_are_set_where_they_are() {
        let mut cib = cib();
        cib.set_property("stonith-enabled", "false");
        cib.set_property("batch-limit", "5");
        cib.set_property("stonith-enabled", "true");
        assert_eq!(
            cib.crm_config().map(|section| section.to_xml_compact()).as_deref(),
            Some(
                "<crm_config><cluster_property_set id=\"cib-bootstrap-options\"><nvpair id=\"cib-bootstrap-options-stonith-enabled\" name=\"stonith-enabled\" value=\"true\"/><nvpair id=\"cib-bootstrap-options-batch-limit\" name=\"batch-limit\" value=\"5\"/></cluster_property_set></crm_config>"
            )
        );
        let vm = cib.document().by_id("vm1").expect("vm1").node();
        cib.set_pair(vm, "meta_attributes", "vm1-meta", "target-role", "Stopped");
        assert_eq!(cib.resource("vm1").expect("vm1").meta("target-role"), Some("Stopped"));
    }

    #[test]
    fn another_configuration_leaves_the_status_alone() {
        let mut old = cib();
        old.bump_num_updates();
        let status = element("<node_state id='1' uname='n'/>");
        old.create_in("status", status.root()).expect("created");
        let loaded = Cib::parse(
            "<cib epoch='77'><configuration><resources/></configuration><status><x/></status></cib>",
        )
        .expect("parses");
        let patchset = Patchset::diff_configuration(&old, loaded.configuration().expect("configuration"));
        assert!(patchset.changes_configuration() && !patchset.changes_status());
        patchset.apply(&mut old).expect("applies");
        assert_eq!(old.version().to_string(), "0.1.0");
        assert_eq!(
            old.configuration().map(|c| c.to_xml_compact()).as_deref(),
            Some("<configuration><resources/></configuration>")
        );
        assert_eq!(old.node_states().count(), 1);
    }
}
