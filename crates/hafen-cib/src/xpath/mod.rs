//! XPath 1.0 over a document, as agents, tools, alerts and access control lists use it.
//!
//! What is there: all axes but `namespace::`, `following::` and `preceding::`; the node tests `NAME`, `*` and `node()`; predicates;
//! all operators; the core functions but `id()` (which needs a DTD), `lang()` and `namespace-uri()`. Texts and comments are no
//! nodes here. What is not there (variables, prefixes, other node tests
//! and functions) is an error, never an empty result. Source: XML Path Language (XPath) Version 1.0, W3C, 1999.

mod error;
mod evaluate;
mod functions;
mod lexer;
mod node;
mod parser;
mod syntax;
mod value;

pub use error::{XPathError, XPathErrorKind};
pub use node::XPathNode;
pub use value::XPathValue;

use crate::xml::{Document, Element};
use syntax::Expression;

/// An expression, ready to be evaluated.
#[derive(Debug, Clone)]
pub struct XPath {
    source: String,
    expression: Expression,
}

impl XPath {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// What is no XPath, or none that is understood here, with its place.
    pub fn parse(source: &str) -> Result<XPath, XPathError> {
        let expression = parser::parse(source)?;
        Ok(XPath { source: source.to_owned(), expression })
    }

    /// The value of the expression, with the document's root for its context.
    ///
    /// # Errors
    ///
    /// [`XPathErrorKind::TooExpensive`], and what only shows with values: a string where nodes are needed.
    pub fn evaluate<'a>(&self, document: &'a Document) -> Result<XPathValue<'a>, XPathError> {
        evaluate::evaluate(&self.expression, document).map_err(|kind| XPathError {
            source: self.source.clone(),
            position: None,
            kind,
        })
    }

    /// The nodes that the expression selects, in document order.
    ///
    /// # Errors
    ///
    /// As [`XPath::evaluate`]; and [`XPathErrorKind::NotNodes`] where it selects none because it is no path.
    pub fn select<'a>(&self, document: &'a Document) -> Result<Vec<XPathNode<'a>>, XPathError> {
        match self.evaluate(document)? {
            XPathValue::Nodes(nodes) => Ok(nodes),
            _ => Err(XPathError {
                source: self.source.clone(),
                position: None,
                kind: XPathErrorKind::NotNodes,
            }),
        }
    }

    /// The elements among what the expression selects.
    ///
    /// # Errors
    ///
    /// As [`XPath::select`].
    pub fn elements<'a>(&self, document: &'a Document) -> Result<Vec<Element<'a>>, XPathError> {
        let element = |node| match node {
            XPathNode::Element(element) => Some(element),
            XPathNode::Root(_) | XPathNode::Attribute(..) => None,
        };
        Ok(self.select(document)?.into_iter().filter_map(element).collect())
    }
}

#[cfg(test)]
mod tests;
