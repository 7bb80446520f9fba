//! `pure` — the crm language: text to statements with the place of every mistake, statements to a CIB, and a CIB to text.
//!
//! [`parse`] reads a text as a whole and tells all of its mistakes. [`apply`] holds the statements against a CIB and changes it,
//! or tells what does not fit and changes nothing. [`show`] writes text that makes the same configuration again; what the
//! language has no words for it writes as `xml`. The words are one table ([`grammar`]), with the help on each.

mod apply;
mod change;
mod check;
mod complete;
mod diagnostic;
mod draft;
#[doc(hidden)]
pub mod fuzzing;
pub mod grammar;
mod graph;
mod options;
mod parse;
mod references;
mod set;
mod shortcuts;
mod show;
mod statement;
mod text;

pub use apply::{Mode, apply};
pub use change::{ChangeError, Place, add_to_group, delete, remove_from_group, rename};
pub use complete::{CANDIDATES_MAXIMUM, Candidate, Catalogue, Completion, complete, full_agent};
pub use diagnostic::{DIAGNOSTICS_MAXIMUM, Diagnostic, nearest, wrong_encoding};
pub use draft::{Draft, Id, MEMBER};
pub use graph::graph;
pub use parse::parse;
pub use set::{SetError, set};
pub use show::{Filter, FilterError, Object, difference, objects, show, show_json, show_xml};
pub use statement::{Kind, Reference, Statement};
pub use text::{Span, TEXT_BYTES_MAXIMUM};
