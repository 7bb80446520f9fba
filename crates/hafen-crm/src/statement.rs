//! A parsed statement.

use crate::draft::Draft;
use crate::grammar::Word;
use crate::text::Span;

/// What a statement refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A resource, or a tag of resources.
    Resource,
    /// A primitive or a template: what can give its attributes to others.
    Template,
    /// A role of access control.
    Role,
    /// An attribute list, or an object that has one.
    List,
}

/// A name that must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name.
    pub id: String,
    /// What it must be.
    pub kind: Kind,
    /// Where the text says it.
    pub span: Span,
}

/// A statement of the language: one object, or values of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What begins it.
    pub word: &'static Word,
    /// Where it is.
    pub span: Span,
    /// The object's name, and where; sets of options may have none.
    pub name: Option<(String, Span)>,
    /// What is made.
    pub draft: Draft,
    /// What must exist for it.
    pub references: Vec<Reference>,
}

impl Statement {
    /// The object's name.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.name.as_ref().map(|(id, _)| id.as_str())
    }
}
