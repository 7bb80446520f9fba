//! The storage of a document: slots for nodes and attributes, and one text buffer.

use super::names::Symbol;

/// No node, no attribute.
pub(super) const NONE: u32 = u32::MAX;

/// A range of the text buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) length: u32,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, length: (end - start) as u32 }
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) name: Symbol,
    /// The text of all kinds but elements.
    pub(super) text: Span,
    /// The first attribute of an element.
    pub(super) attributes: u32,
    /// The line of the source; 0 for nodes made by edits.
    pub(super) line: u32,
    pub(super) parent: u32,
    pub(super) previous: u32,
    pub(super) next: u32,
    pub(super) first_child: u32,
    pub(super) last_child: u32,
}

impl Node {
    pub(super) fn new(kind: Kind, line: u32) -> Node {
        Node {
            kind,
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
pub(super) struct Attribute {
    pub(super) name: Symbol,
    pub(super) value: Span,
    pub(super) next: u32,
}
