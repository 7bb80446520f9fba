//! Reading elements.

use std::borrow::Cow;

use super::NodeId;
use super::arena::{Kind, NONE};
use super::document::Document;

/// An element of a document.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    pub(super) document: &'a Document,
    pub(super) node: u32,
}

impl<'a> Element<'a> {
    pub(super) fn new(document: &'a Document, node: u32) -> Element<'a> {
        assert_eq!(document.node(node).kind, Kind::Element, "node {node} is no element (any more)");
        Element { document, node }
    }

    /// The element's id in the document's arena.
    pub fn node(self) -> NodeId {
        NodeId(self.node)
    }

    /// The document that the element belongs to.
    pub fn document(self) -> &'a Document {
        self.document
    }

    /// The tag.
    pub fn name(self) -> &'a str {
        self.document.names.text(self.document.node(self.node).name)
    }

    /// The line of the source where the element starts; 0 if an edit made it.
    pub fn line(self) -> u32 {
        self.document.node(self.node).line
    }

    /// The value of an attribute.
    pub fn attribute(self, name: &str) -> Option<&'a str> {
        let symbol = self.document.names.find(name)?;
        let mut link = self.document.node(self.node).attributes;
        while link != NONE {
            let attribute = &self.document.attributes[link as usize];
            if attribute.name == symbol {
                return Some(self.document.span(attribute.value));
            }
            link = attribute.next;
        }
        None
    }

    /// The value of the attribute `id`.
    pub fn id(self) -> Option<&'a str> {
        self.attribute("id")
    }

    /// The attributes in their order.
    pub fn attributes(self) -> Attributes<'a> {
        Attributes { document: self.document, link: self.document.node(self.node).attributes }
    }

    /// The child elements in their order.
    pub fn children(self) -> Children<'a> {
        Children { document: self.document, node: self.document.node(self.node).first_child }
    }

    /// The path that names the element, for people: each step with its id, if it has one.
    #[must_use]
    pub fn place(self) -> String {
        let mut steps: Vec<String> = std::iter::successors(Some(self), |element| element.parent())
            .map(|element| match element.id() {
                Some(id) => format!("/{}[@id='{id}']", element.name()),
                None => format!("/{}", element.name()),
            })
            .collect();
        steps.reverse();
        steps.concat()
    }

    /// The first child element of a name.
    pub fn child(self, name: &str) -> Option<Element<'a>> {
        self.children_named(name).next()
    }

    /// The child elements of a name.
    pub fn children_named(self, name: &str) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let document = self.document;
        let symbol = document.names.find(name);
        self.children().filter(move |child| Some(document.node(child.node).name) == symbol)
    }

    /// The parent element; `None` for the root.
    pub fn parent(self) -> Option<Element<'a>> {
        let parent = self.document.node(self.node).parent;
        (parent != NONE && self.document.node(parent).kind == Kind::Element)
            .then(|| Element::new(self.document, parent))
    }

    /// The elements below this one, in document order, without itself.
    pub fn descendants(self) -> Descendants<'a> {
        Descendants { document: self.document, top: self.node, node: self.node }
    }

    /// How many siblings of any kind (elements, comments, texts) stand before the element: the
    /// position that [`Document::insert_element`] takes.
    pub fn position(self) -> usize {
        self.document.position(self.node)
    }

    /// The text directly inside the element, pieces joined; empty if there is none.
    pub fn text(self) -> Cow<'a, str> {
        let mut text = Cow::Borrowed("");
        let mut child = self.document.node(self.node).first_child;
        while child != NONE {
            let node = self.document.node(child);
            if matches!(node.kind, Kind::Text | Kind::CData) {
                text += self.document.span(node.text);
            }
            child = node.next;
        }
        text
    }
}

impl Document {
    /// The node of a slot as an element; nothing where it is of another kind.
    pub(crate) fn as_element(&self, node: u32) -> Option<Element<'_>> {
        (self.node(node).kind == Kind::Element).then(|| Element::new(self, node))
    }
}

impl std::fmt::Debug for Element<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "<{}", self.name())?;
        for (name, value) in self.attributes() {
            write!(formatter, " {name}={value:?}")?;
        }
        formatter.write_str(">")
    }
}

/// The attributes of an element: pairs of name and value.
#[derive(Clone)]
pub struct Attributes<'a> {
    document: &'a Document,
    link: u32,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.link == NONE {
            return None;
        }
        let attribute = &self.document.attributes[self.link as usize];
        self.link = attribute.next;
        Some((self.document.names.text(attribute.name), self.document.span(attribute.value)))
    }
}

/// The child elements of an element.
#[derive(Clone)]
pub struct Children<'a> {
    document: &'a Document,
    node: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        while self.node != NONE {
            let node = self.node;
            self.node = self.document.node(node).next;
            if self.document.node(node).kind == Kind::Element {
                return Some(Element { document: self.document, node });
            }
        }
        None
    }
}

/// The elements below an element, in document order.
#[derive(Clone)]
pub struct Descendants<'a> {
    document: &'a Document,
    top: u32,
    node: u32,
}

impl<'a> Iterator for Descendants<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        while let Some(node) = self.document.following(self.node, self.top) {
            self.node = node;
            if self.document.node(node).kind == Kind::Element {
                return Some(Element { document: self.document, node });
            }
        }
        None
    }
}
