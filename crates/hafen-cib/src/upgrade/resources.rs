//! Resources and their operations.

use super::{OLD_PREFIX, PREFIX, Upgrader};
use crate::xml::{Element, NodeId};

/// Classes of agents that are not known any more.
const DROPPED_CLASSES: [&str; 2] = ["nagios", "upstart"];

impl Upgrader<'_> {
    /// What 3.0 did to operations: what a start requires became an option of its resource, and parameters of operations
    /// were given up where they were meant as options.
    pub(super) fn old_operations(&mut self) {
        for operation in
            self.find(|element| element.name() == "op" && element.attribute("requires").is_some())
        {
            let (requires, id) = (self.value(operation, "requires"), self.value(operation, "id"));
            self.unset(operation, "requires");
            let element = self.element(operation);
            let resource = element.parent().and_then(Element::parent).map(Element::node);
            if let Some(resource) = resource.filter(|_| matches!(element.attribute("name"), Some("start"))) {
                let set = self.own_options(resource);
                let pair = format!("{OLD_PREFIX}{id}-meta-requires");
                self.add(set, "nvpair", &[("id", &pair), ("name", "requires"), ("value", &requires)]);
            }
        }
        let dropped = self.find(|element| {
            let parent = element.parent();
            let in_operation = parent.and_then(Element::parent).is_some_and(|around| around.name() == "op");
            let set = parent.map_or("", Element::name);
            let name = element.attribute("name").unwrap_or_default();
            element.name() == "nvpair"
                && in_operation
                && (set == "meta_attributes" && name == "requires"
                    || set == "instance_attributes" && matches!(name, "requires" | "timeout"))
        });
        self.remove_all(&dropped);
        let emptied = self.find(|element| {
            element.name() == "instance_attributes"
                && element.parent().is_some_and(|parent| parent.name() == "op")
                && element.children().next().is_none()
                && element.attribute("id-ref").is_none()
        });
        self.remove_all(&emptied);
    }

    /// The set of options that an upgrade gives a resource.
    fn own_options(&mut self, resource: NodeId) -> NodeId {
        let id = format!("{OLD_PREFIX}{}-meta", self.value(resource, "id"));
        let known = self.element(resource).children().find(|set| set.id() == Some(id.as_str()));
        match known.map(Element::node) {
            Some(known) => known,
            None => self.add(resource, "meta_attributes", &[("id", &id)]),
        }
    }

    /// A colocation's score cannot come from attributes.
    pub(super) fn old_colocations(&mut self) {
        for colocation in self.find(|element| element.name() == "rsc_colocation") {
            for name in ["score-attribute", "score-attribute-mangle"] {
                self.unset(colocation, name);
            }
        }
    }

    /// Resources that cannot run any more go, and with them what names them.
    pub(super) fn dropped_resources(&mut self) {
        let mut gone = self.find(|element| {
            matches!(element.name(), "primitive" | "template")
                && element.attribute("class").is_some_and(|class| DROPPED_CLASSES.contains(&class))
                || element.name() == "bundle" && element.child("rkt").is_some()
        });
        for container in self.find(|element| matches!(element.name(), "docker" | "podman")) {
            if let Some(masters) = self.element(container).attribute("masters").map(str::to_owned) {
                self.unset(container, "masters");
                if self.element(container).attribute("promoted-max").is_none() {
                    self.set(container, "promoted-max", &masters);
                }
            }
        }
        let templates = self.ids_of(&gone);
        gone.extend(self.find(|element| {
            element.attribute("template").is_some_and(|template| templates.iter().any(|id| id == template))
        }));
        let mut ids = Vec::new();
        while !gone.is_empty() {
            ids.extend(self.ids_of(&gone));
            gone.sort();
            self.remove_all(&gone);
            gone = self.find(|element| {
                matches!(element.name(), "group" | "clone" | "master")
                    && !element.children().any(|child| matches!(child.name(), "primitive" | "group"))
            });
            if ids.is_empty() {
                break;
            }
        }
        if !ids.is_empty() {
            self.forget(&ids);
        }
    }

    fn ids_of(&self, nodes: &[NodeId]) -> Vec<String> {
        nodes.iter().map(|node| self.value(*node, "id")).collect()
    }

    /// Removes constraints, members of sets and tags that name resources which are gone.
    fn forget(&mut self, ids: &[String]) {
        let names = |element: Element<'_>, attribute: &str| {
            element.attribute(attribute).is_some_and(|id| ids.iter().any(|gone| gone == id))
        };
        let constraints = self.find(|element| match element.name() {
            "rsc_location" | "rsc_ticket" => names(element, "rsc"),
            "rsc_colocation" => names(element, "rsc") || names(element, "with-rsc"),
            "rsc_order" => names(element, "first") || names(element, "then"),
            "resource_ref" | "obj_ref" => names(element, "id"),
            _ => false,
        });
        self.remove_all(&constraints);
        loop {
            let emptied = self.find(|element| {
                let empty = element.children().next().is_none();
                match element.name() {
                    "resource_set" => empty && element.attribute("id-ref").is_none(),
                    "tag" => empty,
                    "rsc_colocation" => empty && element.attribute("rsc").is_none(),
                    "rsc_order" => empty && element.attribute("first").is_none(),
                    "rsc_ticket" => empty && element.attribute("rsc").is_none(),
                    _ => false,
                }
            });
            if emptied.is_empty() {
                return;
            }
            self.remove_all(&emptied);
        }
    }

    /// A resource that could be master became a promotable clone.
    pub(super) fn masters(&mut self) {
        for master in self.find(|element| element.name() == "master") {
            let clone = self.rename(master, "clone");
            let id = format!("{PREFIX}promotable-legacy-{}-meta_attributes", self.value(clone, "id"));
            let set = self.insert(clone, 0, "meta_attributes", &[("id", &id), ("score", "INFINITY")]);
            let pair = format!("{id}-promotable");
            self.add(set, "nvpair", &[("id", &pair), ("name", "promotable"), ("value", "true")]);
        }
    }
}
