//! `pure` — the cluster information base (CIB): an ordered XML tree that loses nothing, its
//! versions and patchsets, and typed views in the terms of Pacemaker's configuration.
//!
//! The tree ([`xml`]) is an arena: node ids are small and `Copy`, names are interned, values are
//! ranges of one text buffer. Everything else stands on it.

pub mod xml;

pub mod acl;
pub mod catalogue;
pub mod checks;
pub mod merge;
pub mod metadata;
pub mod old_names;
pub mod options;
pub mod patchset;
pub mod schema;
pub mod upgrade;
pub mod values;
pub mod views;
pub mod xpath;

#[doc(hidden)]
pub mod fuzzing;

mod cib;
mod digest;
mod edit;

pub use cib::{Cib, CibError, DC_VERSION, FEATURE_SET, SCHEMA, Version};
pub use edit::EditError;
pub use patchset::{PatchError, Patchset};
pub use xml::{Document, Element, NodeId, ParseError, ParseErrorKind};
