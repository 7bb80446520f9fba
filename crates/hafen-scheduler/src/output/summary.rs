//! A plan for people: its actions in an order in which they can happen, and a drawing for Graphviz.

use std::fmt::Write as _;

use crate::plan::{Action, ActionKind, Plan};

impl Plan {
    /// The list of actions as `crm_simulate -S` words them.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::from("Executing Cluster Transition:\n");
        for action in self.in_order() {
            let node = action.node.as_ref().map_or("", |node| node.uname.as_str());
            let _ = match &action.kind {
                ActionKind::Resource { resource, task, interval_ms, .. } => {
                    let name = resource.long_id.as_deref().unwrap_or(&resource.id);
                    let every = if *interval_ms > 0 { format!("={interval_ms}") } else { String::new() };
                    writeln!(text, "  * Resource action: {name:<15} {task}{every} on {node}")
                }
                ActionKind::Pseudo { operation_key, .. } => {
                    writeln!(text, "  * Pseudo action:   {operation_key}")
                }
                ActionKind::Cluster { task, resource, .. } => {
                    let about =
                        resource.as_ref().map_or(String::new(), |resource| format!("{} ", resource.id));
                    writeln!(text, "  * Cluster action:  {task} for {about}on {node}")
                }
                ActionKind::Fence { target, action } => {
                    writeln!(text, "  * Fencing {} ({})", target.uname, action.as_str())
                }
            };
        }
        text
    }

    /// The graph in the language of Graphviz.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let name = |action: &Action| {
            let node = action.node.as_ref().map_or(String::new(), |node| format!(" {}", node.uname));
            format!("{}{node}", action.operation_key()).replace('"', "'")
        };
        let mut text = String::from(" digraph \"g\" {\n");
        for action in &self.actions {
            for input in &action.inputs {
                if let Some(input) = self.action(*input) {
                    let _ = writeln!(text, "\"{}\" -> \"{}\" [ style = bold]", name(input), name(action));
                }
            }
            let font = if matches!(action.kind, ActionKind::Pseudo { .. }) { "orange" } else { "black" };
            let _ = writeln!(text, "\"{}\" [ style=bold color=\"green\" fontcolor=\"{font}\"]", name(action));
        }
        text.push_str("}\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudo(id: u32, inputs: Vec<u32>) -> Action {
        Action {
            id,
            kind: ActionKind::Pseudo { task: "start".into(), operation_key: format!("a{id}_start_0") },
            node: None,
            router: None,
            inputs,
            priority: 0,
            can_fail: false,
            downed: Vec::new(),
            attributes: crate::plan::Attributes::default(),
        }
    }

    #[test]
    fn what_waits_comes_later() {
        let plan = Plan {
            actions: vec![pseudo(1, vec![3]), pseudo(2, vec![]), pseudo(3, vec![2])],
            ..Plan::default()
        };
        assert!(plan.to_dot().contains("\"a2_start_0\" -> \"a3_start_0\""));
        assert!(plan.to_text().contains("Pseudo action:   a1_start_0"));
    }
}
