//! The line of a primitive: what it is, its state, where it runs, and what is special about it.

use super::words::role_name;
use super::{How, Listing};
use crate::model::{Cluster, NodeIndex, ResourceId, Role};

impl Cluster<'_> {
    pub(super) fn show_primitive(&self, out: &mut Listing, depth: usize, resource: ResourceId, how: How<'_>) {
        let mut words = self.agent_words(resource);
        words.push_str(":\t");
        self.add_state(&mut words, resource, how);
        out.spans(depth, &[(self.look(resource), words)]);
    }

    fn look(&self, resource: ResourceId) -> &'static str {
        let known = self.rsc(resource);
        if !known.managed {
            "rsc-managed"
        } else if known.failed || known.running_on.is_empty() {
            "rsc-failed"
        } else if known.running_on.len() > 1 {
            "rsc-multiple"
        } else if known.failure_ignored {
            "rsc-failure-ignored"
        } else {
            "rsc-ok"
        }
    }

    fn agent_words(&self, resource: ResourceId) -> String {
        format!("{}\t({})", self.shown_name(resource), self.agent_of(resource))
    }

    /// `ocf:heartbeat:IPaddr2`.
    pub(crate) fn agent_of(&self, resource: ResourceId) -> String {
        let known = self.rsc(resource);
        match &known.provider {
            Some(provider) => format!("{}:{provider}:{}", known.class, known.type_),
            None => format!("{}:{}", known.class, known.type_),
        }
    }

    fn add_state(&self, words: &mut String, resource: ResourceId, how: How<'_>) {
        let known = self.rsc(resource);
        let role = self.shown_role(resource);
        let node = match known.running_on.as_slice() {
            _ if !how.placed => None,
            [] => known.lock_node,
            [only] => Some(*only),
            _ => None,
        };
        let pending = self.pending_state(resource).filter(|_| how.pending);
        if known.orphan {
            words.push_str(" ORPHANED");
        }
        if known.failed {
            words.push_str(" FAILED");
            if role > Role::Unpromoted {
                words.push(' ');
                words.push_str(role_name(role));
            }
        } else {
            words.push(' ');
            words.push_str(pending.unwrap_or(role_name(role)));
        }
        if let Some(node) = node {
            words.push(' ');
            words.push_str(&self.node(node).uname);
        }
        if role == Role::Stopped
            && let Some(reason) = self.probe_failure(self.shown_name(resource), node)
        {
            words.push_str(" (");
            words.push_str(reason);
            words.push_str(") ");
        }
        let marks = self.marks(resource, node, how);
        if !marks.is_empty() {
            words.push_str(" (");
            words.push_str(&marks.join(", "));
            words.push(')');
        }
        if let Some(description) = known.element.attribute("description").filter(|_| how.description) {
            words.push_str(&format!(" ({description})"));
        }
        if how.placed && known.running_on.len() > 1 {
            words.push_str(" [");
            for node in &known.running_on {
                words.push(' ');
                words.push_str(&self.node(*node).uname);
            }
            words.push_str(" ]");
        }
    }

    /// What is being done to it where something is, else its role.
    pub(crate) fn state_word(&self, resource: ResourceId) -> &'static str {
        self.pending_state(resource).unwrap_or(role_name(self.shown_role(resource)))
    }

    /// What there is to say of it wherever it is, while it is watched.
    pub(crate) fn own_marks(&self, resource: ResourceId) -> Vec<&'static str> {
        let only = super::Only::default();
        self.marks(resource, None, How::simulated(true, &only))
    }

    fn marks(&self, resource: ResourceId, node: Option<NodeIndex>, how: How<'_>) -> Vec<&'static str> {
        let known = self.rsc(resource);
        let mut marks = Vec::new();
        if let Some(node) = node {
            if !self.node(node).online && self.node(node).unclean {
                marks.push("UNCLEAN");
            }
            if known.lock_node == Some(node) {
                marks.push("LOCKED");
            }
        }
        marks.extend(self.pending_check(resource).filter(|_| how.pending));
        match self.wanted_role(resource) {
            Some(Role::Stopped) => marks.push("disabled"),
            Some(Role::Unpromoted) if self.is_promotable(resource) => marks.push("target-role:Unpromoted"),
            _ => {}
        }
        if known.blocked {
            marks.push("blocked");
        } else if known.maintenance {
            marks.push("maintenance");
        } else if !known.managed {
            marks.push("unmanaged");
        }
        if known.failure_ignored {
            marks.push("failure ignored");
        }
        marks
    }
}
