//! The drawing of a plan for Graphviz, with what is not part of it.

use std::fmt::Write as _;

use crate::model::{ActionId, Cluster, Task};
use crate::order::relation;

/// Relations that hold only where the two actions are on the same node.
const DEPENDS_ON_PLACE: u32 = relation::IF_ON_SAME_NODE_OR_TARGET | relation::IF_REQUIRED_ON_SAME_NODE;

impl Cluster<'_> {
    /// The transition graph in the language of Graphviz, after the plan was built; with `all`, actions that nothing
    /// requires are drawn, too.
    pub(super) fn to_dot(&self, all: bool) -> String {
        let last = u32::try_from(self.actions.len()).unwrap_or(u32::MAX);
        let in_plan: Vec<bool> = (0..last).map(|at| self.is_wanted(ActionId(at))).collect();
        let mut text = String::from(" digraph \"g\" {\n");
        let mut drawn = vec![false; self.actions.len()];
        let mut names = vec![String::new(); self.actions.len()];
        for action in (0..last).rev().map(ActionId) {
            let at = action.0 as usize;
            names[at] = self.dot_name(action);
            let (style, color, font) = self.dot_style(action, in_plan[at]);
            // What is required but cannot be done is worth seeing; what nobody asked for only by request.
            drawn[at] = color != "blue" && font != "purple";
            if all || drawn[at] {
                let name = &names[at];
                let _ = writeln!(text, "\"{name}\" [ style={style} color=\"{color}\" fontcolor=\"{font}\"]");
            }
        }
        for action in (0..last).rev().map(ActionId) {
            let then = action.0 as usize;
            let inputs = if in_plan[then] { self.inputs_as_related(action) } else { Vec::new() };
            for (first, flags) in self.relations_before(action) {
                let from = first.0 as usize;
                // An order by load or place that does not hold here is none.
                let moot = flags == 0 || in_plan[then] && flags & DEPENDS_ON_PLACE == flags;
                let style = match () {
                    () if inputs.contains(&first) => "bold",
                    () if moot => continue,
                    () if all || drawn[from] && drawn[then] => "dashed",
                    () => continue,
                };
                let _ = writeln!(text, "\"{}\" -> \"{}\" [ style = {style}]", names[from], names[then]);
            }
        }
        text.push_str("}\n");
        text
    }

    /// How an action is drawn: the style and colour of its frame, and the colour of its name.
    fn dot_style(&self, action: ActionId, in_plan: bool) -> (&'static str, &'static str, &'static str) {
        let known = self.act(action);
        let font = if known.pseudo { "orange" } else { "black" };
        if in_plan {
            ("bold", "green", font)
        } else if known.resource.is_some_and(|resource| !self.rsc(resource).managed) {
            ("dashed", "red", "purple")
        } else if known.optional {
            ("dashed", "blue", font)
        } else {
            ("dashed", "red", font)
        }
    }

    fn dot_name(&self, action: ActionId) -> String {
        let known = self.act(action);
        let node = known.node.map(|node| self.node(node).uname.as_str());
        let name = match (known.task, node) {
            (Task::Fence, Some(node)) => {
                let kind = known.meta.get("stonith_action").map_or("reboot", String::as_str);
                format!("stonith '{kind}' {node}")
            }
            (Task::Shutdown, Some(node)) => format!("do_shutdown {node}"),
            (Task::Cancel, Some(node)) => format!("Cancel {} {node}", self.printed_key(action).0),
            (_, Some(node)) => format!("{} {node}", self.printed_key(action).0),
            (_, None) if known.pseudo => self.printed_key(action).0,
            (_, None) => format!("{} <none>", self.printed_key(action).0),
        };
        name.replace('"', "'")
    }
}
