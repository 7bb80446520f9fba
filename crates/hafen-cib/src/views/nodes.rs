//! The nodes of the configuration.

use super::pairs::{NO_RULES, Pairs};
use crate::cib::Cib;
use crate::values::parse_boolean;
use crate::xml::Element;

/// A `<node>` of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a>(Element<'a>);

impl<'a> Node<'a> {
    /// The element.
    pub fn element(self) -> Element<'a> {
        self.0
    }

    /// The node's id, which its `node_state` carries as well.
    pub fn id(self) -> &'a str {
        self.0.id().unwrap_or("")
    }

    /// The node's name.
    pub fn uname(self) -> &'a str {
        self.0.attribute("uname").unwrap_or("")
    }

    /// `member`, `remote` or `ping`.
    pub fn node_type(self) -> &'a str {
        self.0.attribute("type").unwrap_or("member")
    }

    /// The permanent attributes.
    pub fn attributes(self) -> Pairs<'a> {
        Pairs::of(self.0, "instance_attributes", None, NO_RULES)
    }

    /// What the node offers.
    pub fn utilization(self) -> Pairs<'a> {
        Pairs::of(self.0, "utilization", None, NO_RULES)
    }

    /// Whether the node is put in standby by a permanent attribute.
    pub fn is_standby(self) -> bool {
        self.attributes().get("standby").and_then(parse_boolean).unwrap_or(false)
    }

    /// Whether the node is put in maintenance by a permanent attribute.
    pub fn is_maintenance(self) -> bool {
        self.attributes().get("maintenance").and_then(parse_boolean).unwrap_or(false)
    }
}

impl Cib {
    /// The nodes of the configuration.
    pub fn configured_nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.nodes().into_iter().flat_map(|nodes| nodes.children_named("node")).map(Node)
    }

    /// The node of a name.
    pub fn configured_node(&self, uname: &str) -> Option<Node<'_>> {
        self.configured_nodes().find(|node| node.uname() == uname)
    }
}
