//! A plan as Pacemaker's transition graph.

use std::fmt::Write as _;

use hafen_cib::xml::is_name;

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

    fn outside(&self, id: u32) -> Option<&Action> {
        // Their numbers follow each other.
        let at = id.checked_sub(self.outside.first()?.id)?;
        self.outside.get(usize::try_from(at).ok()?)
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
                if let Some(input) = self.action(*input).or_else(|| self.outside(*input)) {
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
    let _ = write!(text, "<{tag} id=\"{}\"", action.id);
    attribute(text, "operation", action.task());
    attribute(text, "operation_key", &action.operation_key());
    if let ActionKind::Resource { internal_operation_key: Some(key), .. } = &action.kind {
        attribute(text, "internal_operation_key", key);
    }
    if let Some(node) = &action.node {
        attribute(text, "on_node", &node.uname);
        attribute(text, "on_node_uuid", &node.id);
    }
    if let Some(router) = &action.router {
        attribute(text, "router_node", &router.uname);
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
    for (name, value) in action.attributes.iter().filter(|(name, _)| can_be_named(name)) {
        attribute(text, name, value);
    }
    text.push_str(" crm_feature_set=\"3.20.0\"/>\n");
    if !action.downed.is_empty() {
        text.push_str("        <downed>\n");
        for node in &action.downed {
            text.push_str("          <node");
            attribute(text, "id", node);
            text.push_str("/>\n");
        }
        text.push_str("        </downed>\n");
    }
    if let ActionKind::Cluster { maintenance, .. } = &action.kind
        && !maintenance.is_empty()
    {
        text.push_str("        <maintenance>\n");
        for (node, value) in maintenance {
            text.push_str("          <node");
            attribute(text, "id", node);
            attribute(text, "maintenance", if *value { "1" } else { "0" });
            text.push_str("/>\n");
        }
        text.push_str("        </maintenance>\n");
    }
    let _ = writeln!(text, "      </{tag}>");
}

/// Whether an attribute can have this name: parameters may be called what is none in XML.
fn can_be_named(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let begins = name.as_bytes().first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_');
    begins && name.bytes().all(plain) || is_name(name)
}

fn primitive(text: &mut String, resource: &ResourceRef) {
    text.push_str("        <primitive");
    attribute(text, "id", &resource.id);
    if let Some(long_id) = &resource.long_id {
        attribute(text, "long-id", long_id);
    }
    attribute(text, "class", &resource.class);
    if let Some(provider) = &resource.provider {
        attribute(text, "provider", provider);
    }
    attribute(text, "type", &resource.type_);
    text.push_str("/>\n");
}

/// Writes an attribute, and the space before it.
fn attribute(text: &mut String, name: &str, value: &str) {
    text.push(' ');
    text.push_str(name);
    text.push_str("=\"");
    push_escaped(text, value);
    text.push('"');
}

/// Writes a text as an attribute's value.
fn push_escaped(text: &mut String, mut value: &str) {
    while let Some((at, replacement)) = first_special(value) {
        text.push_str(&value[..at]);
        text.push_str(replacement);
        value = &value[at + 1..];
    }
    text.push_str(value);
}

/// The place of the first character that does not stand for itself in a value, and what is written for it.
fn first_special(value: &str) -> Option<(usize, &'static str)> {
    value.bytes().enumerate().find_map(|(at, byte)| {
        let replacement = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\n' => "&#10;",
            b'\t' => "&#9;",
            b'\r' => "&#13;",
            _ => return None,
        };
        Some((at, replacement))
    })
}

/// A text as an attribute's value.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    push_escaped(&mut escaped, text);
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_markup_is_made_of_is_escaped() {
        assert_eq!(escape("a<b>&\"c\"\n\t\r é"), "a&lt;b&gt;&amp;&quot;c&quot;&#10;&#9;&#13; é");
        assert_eq!(escape("plain"), "plain");
        assert_eq!(escape(""), "");
    }
}
