//! What people and other programs read: the graph, the scores, the summary.

mod graph;

mod summary;

pub(crate) use graph::escape;
