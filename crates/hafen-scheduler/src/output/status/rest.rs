//! Tickets, and constraints that keep resources away from nodes.

use std::collections::BTreeSet;

use super::failures::moment;
use super::{Listing, MonitorView, Only};
use crate::model::{Cluster, Role};
use crate::output::xml::XmlWriter;
use crate::score;
use hafen_cib::xml::Element;

struct Ticket<'a> {
    id: &'a str,
    state: Option<Element<'a>>,
    granted: bool,
    standby: bool,
    /// When it was granted last, if it was.
    last: Option<i64>,
}

/// A constraint that keeps a resource from a node.
pub(super) struct Ban {
    id: String,
    resource: String,
    node: String,
    /// The node as text names it.
    node_words: String,
    score: i32,
    promoted: bool,
}

impl<'a> Cluster<'a> {
    fn shown_tickets(&self) -> Vec<Ticket<'a>> {
        let root = self.document.root();
        let states: Vec<Element<'a>> = root
            .child("status")
            .and_then(|status| status.child("tickets"))
            .into_iter()
            .flat_map(|tickets| tickets.children_named("ticket_state"))
            .collect();
        let constraints = root.child("configuration").and_then(|all| all.child("constraints"));
        let asked = constraints.into_iter().flat_map(|all| all.children_named("rsc_ticket"));
        let mut ids: BTreeSet<&str> = states.iter().filter_map(|state| state.attribute("id")).collect();
        ids.extend(asked.filter_map(|constraint| constraint.attribute("ticket")));
        let truth = |state: Option<Element<'a>>, name| {
            let value = state.and_then(|state| state.attribute(name)).unwrap_or_default();
            ["1", "y", "yes", "on", "true"].iter().any(|word| value.eq_ignore_ascii_case(word))
        };
        let of = |id| {
            let state = states.iter().copied().find(|state| state.attribute("id") == Some(id));
            let last = state.and_then(|state| state.attribute("last-granted"));
            Ticket {
                id,
                state,
                granted: truth(state, "granted"),
                standby: truth(state, "standby"),
                last: last.and_then(score::leading_integer),
            }
        };
        ids.into_iter().map(of).collect()
    }

    pub(super) fn list_tickets(&self, out: &mut Listing, depth: usize) -> bool {
        let tickets = self.shown_tickets();
        if tickets.is_empty() {
            return false;
        }
        out.title(depth - 1, "Tickets");
        for Ticket { id, granted, standby, last, .. } in tickets {
            let mut words = format!("{id}\t{}", if granted { "granted" } else { "revoked" });
            if standby {
                words.push_str(" [standby]");
            }
            if let Some(last) = last {
                words.push_str(&format!(" last-granted=\"{}\"", moment(last)));
            }
            out.item(depth, &words);
        }
        true
    }

    pub(super) fn tickets_xml(&self, xml: &mut XmlWriter) {
        let tickets = self.shown_tickets();
        if tickets.is_empty() {
            return;
        }
        xml.open("tickets");
        for Ticket { id, state, granted, standby, last } in tickets {
            xml.open("ticket");
            xml.attribute("id", id);
            xml.attribute("status", if granted { "granted" } else { "revoked" });
            xml.flag("standby", standby);
            if let Some(last) = last {
                xml.attribute("last-granted", &moment(last));
            }
            let own = ["id", "standby", "last-granted"];
            for (name, value) in state.into_iter().flat_map(Element::attributes) {
                if !own.contains(&name) {
                    xml.attribute(name, value);
                }
            }
            xml.close();
        }
        xml.close();
    }

    /// Constraints with negative scores, the last first; of a cluster whose constraints were unpacked.
    pub(super) fn bans(&self, only: &Only, view: &MonitorView) -> Vec<Ban> {
        let mut bans = Vec::new();
        for location in self.locations.iter().rev() {
            let id = location.rule.as_ref().unwrap_or(&location.id);
            if !id.starts_with(&view.ban_prefix) || !only.named(location.resource) {
                continue;
            }
            for (node, score) in location.nodes.iter().rev() {
                if *score < 0 {
                    bans.push(Ban {
                        id: id.clone(),
                        resource: self.rsc(location.resource).id.clone(),
                        node: self.node(*node).uname.clone(),
                        node_words: view.node_name(self.node(*node)),
                        score: *score,
                        promoted: location.role == Some(Role::Promoted),
                    });
                }
            }
        }
        bans
    }
}

pub(super) fn list_bans(out: &mut Listing, depth: usize, bans: &[Ban]) {
    out.title(depth - 1, "Negative Location Constraints");
    for Ban { id, resource, node_words, promoted, .. } in bans {
        let role = if *promoted { "in Promoted role " } else { "" };
        out.item(depth, &format!("{id}\tprevents {resource} from running {role}on {node_words}"));
    }
}

pub(super) fn bans_xml(xml: &mut XmlWriter, bans: &[Ban]) {
    xml.open("bans");
    for Ban { id, resource, node, score, promoted, .. } in bans {
        xml.open("ban");
        xml.attribute("id", id);
        xml.attribute("resource", resource);
        xml.attribute("node", node);
        xml.attribute("weight", &score.to_string());
        xml.flag("promoted-only", *promoted);
        xml.flag("master_only", *promoted);
        xml.close();
    }
    xml.close();
}
