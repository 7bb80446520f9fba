//! What people and other programs read: the graph, the scores, the summary.

mod graph;
pub(crate) mod names;
pub(crate) mod scores;
pub(crate) mod status;
pub(crate) mod transition;
pub(crate) mod xml;

pub(crate) use graph::escape;

/// For whom a text is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Xml,
}
