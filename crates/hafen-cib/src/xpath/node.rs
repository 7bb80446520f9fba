//! What an expression can select.

use crate::xml::{Document, Element};

/// A node of a document.
#[derive(Debug, Clone, Copy)]
pub enum XPathNode<'a> {
    /// The document itself, above its root element.
    Root(&'a Document),
    /// An element.
    Element(Element<'a>),
    /// An attribute: its element, its place among the attributes, its name and its value.
    Attribute(Element<'a>, u32, &'a str, &'a str),
}

impl<'a> XPathNode<'a> {
    /// The element, or the element that the attribute belongs to.
    #[must_use]
    pub fn element(self) -> Option<Element<'a>> {
        match self {
            XPathNode::Root(_) => None,
            XPathNode::Element(element) | XPathNode::Attribute(element, ..) => Some(element),
        }
    }

    /// The name; empty for the document.
    #[must_use]
    pub fn name(self) -> &'a str {
        match self {
            XPathNode::Root(_) => "",
            XPathNode::Element(element) => element.name(),
            XPathNode::Attribute(_, _, name, _) => name,
        }
    }

    /// The string value: the text in an element and below it, or an attribute's value.
    #[must_use]
    pub fn text(self) -> String {
        let below = |element: Element<'a>| {
            let mut text = element.text().into_owned();
            element.descendants().for_each(|element| text.push_str(&element.text()));
            text
        };
        match self {
            XPathNode::Root(document) => below(document.root()),
            XPathNode::Element(element) => below(element),
            XPathNode::Attribute(_, _, _, value) => value.to_owned(),
        }
    }

    pub(super) fn parent(self) -> Option<XPathNode<'a>> {
        match self {
            XPathNode::Root(_) => None,
            XPathNode::Attribute(element, ..) => Some(XPathNode::Element(element)),
            XPathNode::Element(element) => Some(match element.parent() {
                Some(parent) => XPathNode::Element(parent),
                None => XPathNode::Root(element.document()),
            }),
        }
    }

    pub(super) fn children(self) -> Vec<XPathNode<'a>> {
        match self {
            XPathNode::Root(document) => vec![XPathNode::Element(document.root())],
            XPathNode::Element(element) => element.children().map(XPathNode::Element).collect(),
            XPathNode::Attribute(..) => Vec::new(),
        }
    }

    pub(super) fn attributes(self) -> Vec<XPathNode<'a>> {
        let XPathNode::Element(element) = self else { return Vec::new() };
        let attributes = (0..).zip(element.attributes());
        attributes.map(|(at, (name, value))| XPathNode::Attribute(element, at, name, value)).collect()
    }

    /// The same for the same node only: the element's number, and which of its attributes it is.
    pub(super) fn key(self) -> (u32, u32) {
        match self {
            XPathNode::Root(_) => (u32::MAX, 0),
            XPathNode::Element(element) => (element.node().0, 0),
            XPathNode::Attribute(element, at, ..) => (element.node().0, at + 1),
        }
    }
}
