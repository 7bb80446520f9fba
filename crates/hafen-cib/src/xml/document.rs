//! The document: an arena of nodes.

use super::arena::{Attribute, Kind, NONE, Node, Span};
use super::element::Element;
use super::error::ParseError;
use super::ids::IdIndex;
use super::limits::Limits;
use super::names::Names;
use super::{NodeId, parse};

/// An XML document with one root element.
#[derive(Debug, Clone)]
pub struct Document {
    pub(super) nodes: Vec<Node>,
    pub(super) free_node: u32,
    pub(super) attributes: Vec<Attribute>,
    pub(super) free_attribute: u32,
    pub(super) text: String,
    /// Bytes of `text` that edits have left behind.
    pub(super) dead_text: usize,
    pub(super) names: Names,
    pub(super) ids: IdIndex,
    pub(super) root: u32,
    /// The hashes of subtrees, by slot; see [`Node::hashed`].
    pub(super) hashes: Vec<[u8; 16]>,
}

impl Document {
    /// A document with an empty root element. Panics if `root_name` is not a name ([`super::is_name`]).
    pub fn new(root_name: &str) -> Document {
        let mut document = Document::empty();
        document.root = document.new_element(root_name);
        document.link(document.root, 0, NONE);
        document
    }

    /// Parse a source within [`Limits::DEFAULT`].
    pub fn parse(source: &str) -> Result<Document, ParseError> {
        Document::parse_within(source, &Limits::DEFAULT)
    }

    /// Parse a source within given limits.
    pub fn parse_within(source: &str, limits: &Limits) -> Result<Document, ParseError> {
        parse::parse(source, limits)
    }

    /// Parse bytes, which must be UTF-8, within [`Limits::DEFAULT`].
    pub fn parse_bytes(source: &[u8]) -> Result<Document, ParseError> {
        Document::parse_bytes_within(source, &Limits::DEFAULT)
    }

    /// Parse bytes, which must be UTF-8, within given limits.
    pub fn parse_bytes_within(source: &[u8], limits: &Limits) -> Result<Document, ParseError> {
        parse::parse_bytes(source, limits)
    }

    /// The root element.
    pub fn root(&self) -> Element<'_> {
        Element::new(self, self.root)
    }

    /// The element with a node id. Panics if that node was removed.
    pub fn element(&self, node: NodeId) -> Element<'_> {
        Element::new(self, node.0)
    }

    /// The element with an `id` attribute; the first in document order if there are several.
    ///
    /// Elements below `/cib/status` are not found: there the same id stands once for each host. Nor
    /// are `resource_ref`, `obj_ref` and `role`, whose `id` names another element.
    pub fn by_id(&self, id: &str) -> Option<Element<'_>> {
        let node = match self.ids.get(id) {
            [] => return None,
            [one] => *one,
            several => several.iter().copied().min_by_key(|node| self.path(*node))?,
        };
        Some(Element::new(self, node))
    }

    /// All elements with an `id` attribute of that value outside of `/cib/status`, in document order.
    pub fn all_by_id(&self, id: &str) -> Vec<Element<'_>> {
        let mut nodes = self.ids.get(id).to_vec();
        nodes.sort_by_cached_key(|node| self.path(*node));
        nodes.into_iter().map(|node| Element::new(self, node)).collect()
    }

    /// A document without a root element, for the parser.
    pub(super) fn empty() -> Document {
        Document {
            nodes: vec![Node::new(Kind::Document, 0)],
            free_node: NONE,
            attributes: Vec::new(),
            free_attribute: NONE,
            text: String::new(),
            dead_text: 0,
            names: Names::default(),
            ids: IdIndex::default(),
            root: NONE,
            hashes: Vec::new(),
        }
    }

    /// How many slots there are for nodes: all ids of nodes are below.
    pub(crate) fn slots(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    pub(crate) fn span(&self, span: Span) -> &str {
        &self.text[span.start as usize..(span.start + span.length) as usize]
    }

    /// The positions of a node and its ancestors, outermost first: its place in document order.
    fn path(&self, mut node: u32) -> Vec<usize> {
        let mut path = Vec::new();
        while self.node(node).parent != NONE {
            path.push(self.position(node));
            node = self.node(node).parent;
        }
        path.reverse();
        path
    }

    /// How many siblings of any kind stand before a node.
    pub(crate) fn position(&self, node: u32) -> usize {
        let mut position = 0;
        let mut previous = self.node(node).previous;
        while previous != NONE {
            position += 1;
            previous = self.node(previous).previous;
        }
        position
    }

    /// The children of a node, of all kinds.
    pub(crate) fn child_nodes(&self, node: u32) -> impl Iterator<Item = u32> {
        let first = self.node(node).first_child;
        let next = |node: &u32| Some(self.node(*node).next).filter(|next| *next != NONE);
        std::iter::successors((first != NONE).then_some(first), next)
    }

    /// The node after `node` in document order within the subtree of `top`.
    pub(crate) fn following(&self, node: u32, top: u32) -> Option<u32> {
        let child = self.node(node).first_child;
        if child != NONE {
            return Some(child);
        }
        self.following_outside(node, top)
    }

    /// The node after the subtree of `node` within the subtree of `top`.
    pub(crate) fn following_outside(&self, mut node: u32, top: u32) -> Option<u32> {
        while node != top {
            let next = self.node(node).next;
            if next != NONE {
                return Some(next);
            }
            node = self.node(node).parent;
        }
        None
    }
}
