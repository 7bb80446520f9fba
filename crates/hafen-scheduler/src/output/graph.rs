//! A plan as Pacemaker's transition graph.

use std::fmt::Write as _;

use crate::plan::{Action, ActionKind, Plan, ResourceRef};

impl Plan {
    /// The transition graph's XML. `recheck_by` is the absolute time of `Plan::recheck_after`, where it should be told.
    #[must_use]
    pub fn to_graph_xml(&self, transition_id: u64, recheck_by: Option<u64>) -> String {
        let mut text = String::new();
        let parameters = &self.parameters;
        let _ = write!(
            text,
            "<transition_graph cluster-delay=\"{}\" stonith-timeout=\"{}\" failed-stop-offset=\"{}\" \
             failed-start-offset=\"{}\" batch-limit=\"{}\" transition_id=\"{transition_id}\"",
            escape(&parameters.cluster_delay),
            escape(&parameters.stonith_timeout),
            parameters.failed_stop_offset,
            parameters.failed_start_offset,
            escape(&parameters.batch_limit),
        );
        if let Some(limit) = &parameters.migration_limit {
            let _ = write!(text, " migration-limit=\"{}\"", escape(limit));
        }
        if let Some(moment) = recheck_by {
            let _ = write!(text, " recheck-by=\"{moment}\"");
        }
        if self.actions.is_empty() {
            text.push_str("/>\n");
            return text;
        }
        text.push_str(">\n");
        for (number, action) in self.actions.iter().enumerate() {
            self.synapse(&mut text, number, action);
        }
        text.push_str("</transition_graph>\n");
        text
    }

    fn synapse(&self, text: &mut String, number: usize, action: &Action) {
        let _ = write!(text, "  <synapse id=\"{number}\"");
        if action.priority > 0 {
            let _ = write!(text, " priority=\"{}\"", action.priority);
        }
        text.push_str(">\n    <action_set>\n      ");
        element(text, action, true);
        text.push_str("    </action_set>\n");
        if action.inputs.is_empty() {
            text.push_str("    <inputs/>\n");
        } else {
            text.push_str("    <inputs>\n");
            for input in &action.inputs {
                if let Some(input) = self.action(*input) {
                    text.push_str("      <trigger>\n        ");
                    element(text, input, false);
                    text.push_str("      </trigger>\n");
                }
            }
            text.push_str("    </inputs>\n");
        }
        text.push_str("  </synapse>\n");
    }
}

fn element(text: &mut String, action: &Action, whole: bool) {
    let (tag, resource) = match &action.kind {
        ActionKind::Resource { resource, .. } => ("rsc_op", Some(resource)),
        ActionKind::Pseudo { .. } => ("pseudo_event", None),
        ActionKind::Cluster { resource, .. } => ("crm_event", resource.as_ref()),
        ActionKind::Fence { .. } => ("crm_event", None),
    };
    let _ = write!(
        text,
        "<{tag} id=\"{}\" operation=\"{}\" operation_key=\"{}\"",
        action.id,
        escape(action.task()),
        escape(&action.operation_key())
    );
    if let ActionKind::Resource { internal_operation_key: Some(key), .. } = &action.kind {
        let _ = write!(text, " internal_operation_key=\"{}\"", escape(key));
    }
    if let Some(node) = &action.node {
        let _ = write!(text, " on_node=\"{}\" on_node_uuid=\"{}\"", escape(&node.uname), escape(&node.id));
    }
    if let Some(router) = &action.router {
        let _ = write!(text, " router_node=\"{}\"", escape(&router.uname));
    }
    if !whole {
        text.push_str("/>\n");
        return;
    }
    text.push_str(">\n");
    if let Some(resource) = resource {
        primitive(text, resource);
    }
    text.push_str("        <attributes");
    for (name, value) in &action.attributes {
        let _ = write!(text, " {}=\"{}\"", name, escape(value));
    }
    text.push_str(" crm_feature_set=\"3.20.0\"/>\n");
    if !action.downed.is_empty() {
        text.push_str("        <downed>\n");
        for node in &action.downed {
            let _ = writeln!(text, "          <node id=\"{}\"/>", escape(node));
        }
        text.push_str("        </downed>\n");
    }
    if let ActionKind::Cluster { maintenance, .. } = &action.kind
        && !maintenance.is_empty()
    {
        text.push_str("        <maintenance>\n");
        for (node, value) in maintenance {
            let _ = writeln!(
                text,
                "          <node id=\"{}\" maintenance=\"{}\"/>",
                escape(node),
                u8::from(*value)
            );
        }
        text.push_str("        </maintenance>\n");
    }
    let _ = writeln!(text, "      </{tag}>");
}

fn primitive(text: &mut String, resource: &ResourceRef) {
    let _ = write!(text, "        <primitive id=\"{}\"", escape(&resource.id));
    if let Some(long_id) = &resource.long_id {
        let _ = write!(text, " long-id=\"{}\"", escape(long_id));
    }
    let _ = write!(text, " class=\"{}\"", escape(&resource.class));
    if let Some(provider) = &resource.provider {
        let _ = write!(text, " provider=\"{}\"", escape(provider));
    }
    let _ = writeln!(text, " type=\"{}\"/>", escape(&resource.type_));
}

/// A text as an attribute's value.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\r' => escaped.push_str("&#13;"),
            other => escaped.push(other),
        }
    }
    escaped
}
