//! Bringing a CIB of an older schema to the present one, in memory.
//!
//! What a newer schema no longer knows is reworded, or dropped where it has had no effect any more. A CIB that claims the
//! present schema is left alone, so that [`crate::schema::validate`] refuses old words in it.

mod constraints;
mod options;
mod resources;

pub(crate) use options::{MOVED_PROPERTIES, renamed_property};

use crate::cib::{Cib, SCHEMA};
use crate::xml::{Element, NodeId};

/// The prefix of ids that an upgrade from a schema before 4.0 makes.
const PREFIX: &str = "pcmk__3_10_upgrade-";
/// The prefix of ids that an upgrade from a schema before 3.0 makes.
const OLD_PREFIX: &str = "_2TO3_";

/// A schema's version: `pacemaker-MAJOR.MINOR`.
type SchemaVersion = (u32, u32);

/// The schemas that there are, by major version: the last minor one of each.
const LAST_MINORS: [SchemaVersion; 4] = [(1, 3), (2, 10), (3, 10), (4, 0)];

/// What a CIB says of its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It names a schema that there is.
    Schema {
        /// The first part of its version.
        major: u32,
        /// The second part of its version.
        minor: u32,
    },
    /// It does not want to be held against one (`validate-with="none"`).
    Unchecked,
    /// It names none, or one that there is not.
    Unknown,
}

/// The schema that a CIB claims to follow.
pub fn claim(cib: &Cib) -> Claim {
    match cib.root().attribute("validate-with") {
        Some("none") => Claim::Unchecked,
        Some(text) => {
            known_version(text).map_or(Claim::Unknown, |(major, minor)| Claim::Schema { major, minor })
        }
        None => Claim::Unknown,
    }
}

fn known_version(text: &str) -> Option<SchemaVersion> {
    let (major, minor) = text.strip_prefix("pacemaker-")?.split_once('.')?;
    // `1.01` is no version, and neither is `1.+1`.
    let number = |digits: &str| digits.parse().ok().filter(|number: &u32| number.to_string() == digits);
    let version = (number(major)?, number(minor)?);
    let exists = LAST_MINORS.iter().any(|last| last.0 == version.0 && version.1 <= last.1);
    // There never was a 1.1.
    (exists && version != (1, 1)).then_some(version)
}

/// Brings a CIB to the present schema. Gives whether it followed an older one.
pub fn upgrade(cib: &mut Cib) -> bool {
    let Claim::Schema { major, minor } = claim(cib) else { return false };
    if format!("pacemaker-{major}.{minor}") == SCHEMA {
        return false;
    }
    let mut upgrader = Upgrader { cib };
    if major < 2 {
        upgrader.access_control();
    }
    if major < 3 {
        upgrader.old_options();
        upgrader.old_nodes();
        upgrader.old_operations();
        upgrader.old_colocations();
    }
    upgrader.options();
    upgrader.pairs_without_value();
    upgrader.dropped_resources();
    upgrader.masters();
    upgrader.ping_nodes();
    upgrader.locations();
    upgrader.lifetimes();
    upgrader.rules();
    let root = cib.root().node();
    cib.document_mut().set_attribute(root, "validate-with", SCHEMA);
    true
}

struct Upgrader<'a> {
    cib: &'a mut Cib,
}

impl Upgrader<'_> {
    /// The elements of the configuration for which something holds, in document order.
    fn find(&self, wanted: impl Fn(Element<'_>) -> bool) -> Vec<NodeId> {
        let elements = self.cib.configuration().into_iter().flat_map(|top| top.descendants());
        elements.filter(|element| wanted(*element)).map(Element::node).collect()
    }

    fn element(&self, node: NodeId) -> Element<'_> {
        self.cib.document().element(node)
    }

    fn value(&self, node: NodeId, name: &str) -> String {
        self.element(node).attribute(name).unwrap_or_default().to_owned()
    }

    fn set(&mut self, node: NodeId, name: &str, value: &str) {
        self.cib.document_mut().set_attribute(node, name, value);
    }

    fn unset(&mut self, node: NodeId, name: &str) {
        self.cib.document_mut().remove_attribute(node, name);
    }

    fn remove(&mut self, node: NodeId) {
        self.cib.document_mut().remove(node);
    }

    /// Removes elements, some of which may be inside of others.
    fn remove_all(&mut self, nodes: &[NodeId]) {
        // Backwards in document order what is inside goes before what is around it.
        for node in nodes.iter().rev() {
            self.remove(*node);
        }
    }

    /// Adds an element with attributes as the last child.
    fn add(&mut self, parent: NodeId, name: &str, attributes: &[(&str, &str)]) -> NodeId {
        self.insert(parent, usize::MAX, name, attributes)
    }

    fn insert(&mut self, parent: NodeId, position: usize, name: &str, attributes: &[(&str, &str)]) -> NodeId {
        let node = self.cib.document_mut().insert_element(parent, position, name);
        for (name, value) in attributes {
            self.set(node, name, value);
        }
        node
    }

    /// Gives an element another name; its attributes and all inside of it stay. Gives the new element.
    fn rename(&mut self, node: NodeId, name: &str) -> NodeId {
        let element = self.element(node);
        let position = element.position();
        let Some(parent) = element.parent().map(Element::node) else { return node };
        let attributes: Vec<(String, String)> =
            element.attributes().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let children: Vec<NodeId> = element.children().map(Element::node).collect();
        // The id goes over from one to the other.
        self.unset(node, "id");
        let new = self.insert(parent, position, name, &[]);
        for (name, value) in &attributes {
            self.set(new, name, value);
        }
        for child in children {
            self.cib.document_mut().move_to(child, new, usize::MAX);
        }
        self.remove(node);
        new
    }
}

#[cfg(test)]
mod tests;
