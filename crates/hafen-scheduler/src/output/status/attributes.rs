//! The attributes of nodes, as far as they are an administrator's or an agent's.

use super::{Listing, Only};
use crate::model::{Cluster, NodeIndex};
use crate::output::xml::XmlWriter;
use crate::score;

/// What a ping says about a node: the attribute's value where all of its hosts answer.
struct Expected(i64);

struct Attribute<'c> {
    name: &'c str,
    value: &'c str,
    expected: Option<Expected>,
}

impl Cluster<'_> {
    pub(super) fn list_attributes(&self, out: &mut Listing, depth: usize, only: &Only, ids: bool) {
        let shown = self.shown_attributes(only);
        if !shown.is_empty() {
            out.gap();
            out.title(depth, "Node Attributes");
        }
        for (node, attributes) in shown {
            out.node_title(depth + 1, &self.node(node).named(ids));
            for Attribute { name, value, expected } in attributes {
                let reached = score::leading_integer(value).unwrap_or(0);
                let remark = match expected {
                    Some(_) if reached <= 0 => "\t: Connectivity is lost".to_owned(),
                    Some(Expected(all)) if reached < all => {
                        format!("\t: Connectivity is degraded (Expected={all})")
                    }
                    _ => String::new(),
                };
                out.item(depth + 2, &format!("{name:<32}\t: {value:<10}{remark}"));
            }
        }
    }

    /// The same, less the gap, as HTML.
    pub(super) fn attributes_html(&self, out: &mut Listing, only: &Only, ids: bool) -> bool {
        let shown = self.shown_attributes(only);
        out.title(0, "Node Attributes");
        let any = !shown.is_empty();
        for (node, attributes) in shown {
            out.node_title(1, &self.node(node).named(ids));
            for Attribute { name, value, expected } in attributes {
                let words = format!("{name}: {value}");
                let Some(Expected(all)) = expected else {
                    out.item(2, &words);
                    continue;
                };
                let mut spans = vec![("", words)];
                match score::leading_integer(value).unwrap_or(0) {
                    ..=0 => spans.push(("bold", "(connectivity is lost)".to_owned())),
                    reached if reached < all => {
                        spans.push(("bold", format!("(connectivity is degraded -- expected {all})")));
                    }
                    _ => {}
                }
                out.spans(2, &spans);
            }
        }
        any
    }

    pub(super) fn attributes_xml(&self, xml: &mut XmlWriter, only: &Only) {
        let shown = self.shown_attributes(only);
        if shown.is_empty() {
            return;
        }
        xml.open("node_attributes");
        for (node, attributes) in shown {
            xml.open("node");
            xml.attribute("name", &self.node(node).uname);
            for Attribute { name, value, expected } in attributes {
                xml.open("attribute");
                xml.attribute("name", name);
                xml.attribute("value", value);
                if let Some(Expected(all)) = expected {
                    xml.attribute("expected", &all.to_string());
                }
                xml.close();
            }
            xml.close();
        }
        xml.close();
    }

    fn shown_attributes(&self, only: &Only) -> Vec<(NodeIndex, Vec<Attribute<'_>>)> {
        let mut shown = Vec::new();
        for node in self.listed_nodes().into_iter().filter(|node| self.node(*node).online && only.node(*node))
        {
            let attributes: Vec<_> = self
                .node(node)
                .attributes
                .iter()
                .filter(|(name, _)| !is_the_clusters(name))
                .map(|(name, value)| Attribute { name, value, expected: self.expected_of_ping(node, name) })
                .collect();
            if !attributes.is_empty() {
                shown.push((node, attributes));
            }
        }
        shown
    }

    /// The value of an attribute if all hosts answer to the ping that keeps it, and runs on the node.
    fn expected_of_ping(&self, node: NodeIndex, attribute: &str) -> Option<Expected> {
        self.node(node).running.iter().find_map(|resource| {
            let known = self.rsc(*resource);
            if !matches!(known.type_.as_str(), "ping" | "pingd") {
                return None;
            }
            let parameters = self.parameters(*resource, Some(node));
            let name = parameters.get("name").map_or("pingd", String::as_str);
            let hosts = parameters.get("host_list").filter(|_| name == attribute)?;
            let hosts = i64::try_from(hosts.split_whitespace().count()).unwrap_or(i64::MAX);
            let multiplier = parameters.get("multiplier").and_then(|text| score::leading_integer(text));
            Some(Expected(hosts.saturating_mul(multiplier.unwrap_or(1))))
        })
    }
}

/// Whether an attribute tells only the cluster something.
fn is_the_clusters(name: &str) -> bool {
    matches!(name, "shutdown" | "standby" | "terminate")
        || ["#", "fail-count", "last-failure"].iter().any(|prefix| name.starts_with(prefix))
}
