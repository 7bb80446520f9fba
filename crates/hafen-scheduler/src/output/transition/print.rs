//! The lines of a summary, in columns, and its XML.

use std::fmt::Write as _;

use super::{Change, NodeChange, Verb};
use crate::model::{Cluster, Role};
use crate::output::status::role_name;
use crate::output::xml::XmlWriter;

impl Verb {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Verb::Start => "Start",
            Verb::Stop => "Stop",
            Verb::Restart => "Restart",
            Verb::Recover => "Recover",
            Verb::Move => "Move",
            Verb::Migrate => "Migrate",
            Verb::Promote => "Promote",
            Verb::Demote => "Demote",
            Verb::RePromote => "Re-promote",
            Verb::Reload => "Reload",
        }
    }
}

impl Change {
    /// Whether its roles are told: not where something just runs, or will.
    fn has_roles(&self) -> bool {
        self.role > Role::Started || self.next_role > Role::Unpromoted
    }
}

/// The columns are never narrower than this.
const LEAST_WIDTH: usize = 5;

impl Cluster<'_> {
    pub(super) fn summary_text(&self, nodes: &[NodeChange], changes: &[Change]) -> String {
        let mut text = String::from("Transition Summary:\n");
        for change in nodes {
            let name = &self.node(change.node).uname;
            let _ = match &change.reason {
                Some(reason) => writeln!(text, "  * {} {name} '{reason}'", change.task),
                None => writeln!(text, "  * {} {name}", change.task),
            };
        }
        let details: Vec<String> = changes.iter().map(|change| self.detail(change)).collect();
        let (mut name_width, mut detail_width) = (LEAST_WIDTH, LEAST_WIDTH);
        for (change, detail) in changes.iter().zip(&details) {
            let length = self.rsc(change.resource).id.len();
            if length > name_width {
                name_width = length + 2;
            }
            detail_width = detail_width.max(detail.len());
        }
        for (change, detail) in changes.iter().zip(&details) {
            let _ = write!(
                text,
                "  * {:<8}   {:<name_width$}   ( {detail:>detail_width$} )",
                change.verb.word(),
                self.rsc(change.resource).id,
            );
            let (reason, blocked) = self.why(change);
            match (reason, blocked) {
                (Some(reason), true) => _ = write!(text, "  due to {reason} (blocked)"),
                (Some(reason), false) => _ = write!(text, "  due to {reason}"),
                (None, true) => text.push_str("  blocked"),
                (None, false) => {}
            }
            text.push('\n');
        }
        text
    }

    /// Why a change happens, and whether it cannot.
    pub(crate) fn why(&self, change: &Change) -> (Option<String>, bool) {
        let source = change.source.or(change.action);
        let reason = source.and_then(|source| self.reason_text(source));
        (reason, change.action.is_none_or(|action| !self.act(action).runnable))
    }

    /// Between which nodes and roles.
    fn detail(&self, change: &Change) -> String {
        let name = |node| self.node(node).uname.as_str();
        let (role, next_role) = (role_name(change.role), role_name(change.next_role));
        let with_role = change.has_roles();
        let same_role = change.role == change.next_role;
        match (change.from, change.to) {
            (None, None) => String::new(),
            (None, Some(to)) if with_role => format!("{role} -> {next_role} {}", name(to)),
            (None, Some(to)) => name(to).to_owned(),
            (Some(from), None) if with_role => format!("{role} {}", name(from)),
            (Some(from), None) => name(from).to_owned(),
            (Some(from), Some(to)) => match (with_role, same_role, from == to) {
                (true, true, true) => format!("{role} {}", name(from)),
                (false, true, true) => name(from).to_owned(),
                (true, true, false) => format!("{} -> {} {role}", name(from), name(to)),
                (false, true, false) => format!("{} -> {}", name(from), name(to)),
                (_, false, true) => format!("{role} -> {next_role} {}", name(from)),
                (_, false, false) => format!("{role} {} -> {next_role} {}", name(from), name(to)),
            },
        }
    }

    pub(super) fn summary_xml(&self, nodes: &[NodeChange], changes: &[Change]) -> String {
        let mut xml = XmlWriter::default();
        xml.open("actions");
        for change in nodes {
            xml.open("node_action");
            xml.attribute("task", &change.task);
            xml.attribute("node", &self.node(change.node).uname);
            if let Some(reason) = &change.reason {
                xml.attribute("reason", reason);
            }
            xml.close();
        }
        for change in changes {
            self.change_xml(&mut xml, change);
        }
        xml.finish()
    }

    fn change_xml(&self, xml: &mut XmlWriter, change: &Change) {
        let name = |node| self.node(node).uname.as_str();
        let with_role = change.has_roles();
        let same_role = change.role == change.next_role;
        xml.open("rsc_action");
        xml.attribute("action", &change.verb.word().to_ascii_lowercase());
        xml.attribute("resource", &self.rsc(change.resource).id);
        let role = role_name(change.role);
        let next_role = role_name(change.next_role);
        match (change.from, change.to) {
            (None, None) => {}
            (None, Some(to)) => {
                if with_role {
                    xml.attribute("role", role);
                    xml.attribute("next-role", next_role);
                }
                xml.attribute(if change.has_roles() { "dest" } else { "node" }, name(to));
            }
            (Some(from), None) => {
                if with_role {
                    xml.attribute("role", role);
                }
                xml.attribute("node", name(from));
            }
            (Some(from), Some(to)) => {
                let moves = from != to;
                if with_role || !same_role {
                    xml.attribute("role", role);
                }
                if !same_role {
                    xml.attribute("next-role", next_role);
                }
                if moves {
                    xml.attribute("source", name(from));
                    xml.attribute("dest", name(to));
                } else {
                    xml.attribute("source", name(from));
                }
            }
        }
        let (reason, blocked) = self.why(change);
        if let Some(reason) = reason {
            xml.attribute("reason", &reason);
        }
        if blocked {
            xml.flag("blocked", true);
        }
        xml.close();
    }
}
