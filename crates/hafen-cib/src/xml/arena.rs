//! The storage of a document: slots for nodes and attributes, and one text buffer.

use super::names::Symbol;

/// No node, no attribute.
pub(crate) const NONE: u32 = u32::MAX;

/// A range of the text buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) length: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, length: (end - start) as u32 }
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The node above the root element, which also holds comments outside of it. Always slot 0.
    Document,
    /// `<?xml ...?>`; its text is what stands between `<?` and `?>`.
    Declaration,
    Element,
    Text,
    CData,
    Comment,
    Instruction,
    /// A slot waiting to be used again.
    Free,
}

/// A node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Whether [`super::document::Document::hashes`] has the subtree's hash. If not, no ancestor's is there.
    pub(crate) hashed: bool,
    pub(crate) name: Symbol,
    /// The text of all kinds but elements.
    pub(crate) text: Span,
    /// The first attribute of an element.
    pub(crate) attributes: u32,
    /// The line of the source; 0 for nodes made by edits.
    pub(crate) line: u32,
    pub(crate) parent: u32,
    pub(crate) previous: u32,
    pub(crate) next: u32,
    pub(crate) first_child: u32,
    pub(crate) last_child: u32,
}

impl Node {
    pub(crate) fn new(kind: Kind, line: u32) -> Node {
        Node {
            kind,
            hashed: false,
            name: Symbol(0),
            text: Span::default(),
            attributes: NONE,
            line,
            parent: NONE,
            previous: NONE,
            next: NONE,
            first_child: NONE,
            last_child: NONE,
        }
    }
}

/// An attribute, a link of its element's chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attribute {
    pub(crate) name: Symbol,
    pub(crate) value: Span,
    pub(crate) next: u32,
}
