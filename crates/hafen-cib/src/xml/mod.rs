//! The ordered XML tree: parse, read, edit, write.
//!
//! What it keeps: elements, the order of attributes, comments, processing instructions, text and
//! CDATA, known to the CIB's schema or not. What it does not keep: blank text between elements
//! (layout, written anew with two blanks of indentation), the kind of quotes, and the choice
//! between `<a/>` and `<a></a>`.

pub(crate) mod arena;
mod attributes;
mod chars;
mod document;
mod edit;
mod element;
mod error;
mod hash;
mod ids;
mod limits;
mod names;
mod parse;
mod scan;
mod write;

pub use chars::is_name;
pub use document::Document;
pub use element::{Attributes, Children, Descendants, Element};
pub use error::{ParseError, ParseErrorKind};
pub(crate) use ids::is_id_reference;
pub use limits::Limits;

/// A node of one [`Document`]. It stays valid until that node is removed; afterwards the id may be
/// given to a new node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

#[cfg(test)]
mod tests;
