//! Nodes, their attributes and health, and whether they can be trusted to be up or down.

use hafen_cib::xml::Element;

use super::nvpairs;
use super::rules::RuleInput;
use crate::model::{Cluster, Node, NodeIndex};
use crate::output::names::by_name;
use crate::score::{self, INFINITY};

impl<'a> Cluster<'a> {
    /// Nodes from the configuration.
    pub(crate) fn unpack_nodes(&mut self) {
        let root = self.document.root();
        let dc = root.attribute("dc-uuid").unwrap_or("");
        let Some(nodes) = root.child("configuration").and_then(|configuration| configuration.child("nodes"))
        else {
            return;
        };
        for element in nodes.children_named("node") {
            let Some(id) = element.attribute("id") else {
                self.warnings.push("Ignoring a node without an id".to_owned());
                continue;
            };
            let Some(uname) = element.attribute("uname") else {
                self.unpack_nameless(id);
                continue;
            };
            let mut node = Node {
                id: id.to_owned(),
                uname: uname.to_owned(),
                ping: element.attribute("type") == Some("ping"),
                remote: element.attribute("type") == Some("remote"),
                is_dc: !dc.is_empty() && dc == id,
                unclean: self.properties.startup_fencing && self.properties.stonith,
                unseen: true,
                score: element.attribute("score").and_then(score::parse).unwrap_or(0),
                ..Node::default()
            };
            self.add_builtin_attributes(&mut node, element);
            self.nodes.push(node);
        }
        self.nodes.sort_by(|left, right| by_name(&left.uname, &right.uname));
    }

    fn unpack_nameless(&mut self, id: &str) {
        self.warnings.push(format!("Node {id} has no name"));
    }

    fn add_builtin_attributes(&mut self, node: &mut Node, element: Element<'a>) {
        node.attributes.insert("#uname".into(), node.uname.clone());
        node.attributes.insert("#id".into(), node.id.clone());
        node.attributes.insert("#kind".into(), if node.remote { "remote" } else { "cluster" }.into());
        node.attributes.insert("#is_dc".into(), if node.is_dc { "true" } else { "false" }.into());
        if let Some(name) = self.properties.values.get("cluster-name") {
            node.attributes.insert("#cluster-name".into(), name.clone());
        }
        let builtin = node.attributes.clone();
        let input = RuleInput { now: self.now, node_attributes: Some(&builtin), ..RuleInput::default() };
        nvpairs::unpack(
            element,
            "instance_attributes",
            None,
            &input,
            &mut self.next_change,
            &mut node.attributes,
        );
        let site = node.attributes.get("site-name").or(self.properties.values.get("cluster-name")).cloned();
        if let Some(site) = site {
            node.attributes.insert("#site-name".into(), site);
        }
        let mut amounts = nvpairs::Values::new();
        nvpairs::unpack(element, "utilization", None, &input, &mut self.next_change, &mut amounts);
        node.utilization = nvpairs::amounts(amounts, [Some(element), None]);
    }

    /// Membership and transient attributes from the status section.
    pub(crate) fn unpack_node_states(&mut self) {
        let Some(status) = self.document.root().child("status") else { return };
        for state in status.children_named("node_state") {
            let Some(index) = self.node_of_state(state) else { continue };
            if self.node(index).unpacked {
                continue;
            }
            self.unpack_transient(state, index);
            let node = self.node_mut(index);
            node.unpacked = true;
            node.standby |= node.attributes.get("standby").is_some_and(|value| score::is_true(value));
            node.maintenance |= node.attributes.get("maintenance").is_some_and(|value| score::is_true(value));
            // A time, or anything else but zero.
            node.shutdown = node.attributes.get("shutdown").is_some_and(|value| value != "0");
            node.expected_up = state.attribute("expected") == Some("member") && !node.shutdown;
            node.unclean = false;
            node.unseen = false;
            self.judge_membership(state, index);
            let node = self.node_mut(index);
            if !node.online || node.shutdown {
                // Out of contention: so it counts wherever nodes are weighed apart from a resource's own scores.
                node.score = -INFINITY;
            }
        }
        self.unpack_health();
    }

    pub(crate) fn node_of_state(&self, state: Element<'a>) -> Option<NodeIndex> {
        let by = |test: &dyn Fn(&Node) -> bool| {
            self.nodes.iter().position(test).and_then(|at| u32::try_from(at).ok()).map(NodeIndex)
        };
        let id = state.attribute("id");
        by(&|node| id == Some(node.id.as_str())).or_else(|| {
            state.attribute("uname").and_then(|uname| by(&|node| node.uname.eq_ignore_ascii_case(uname)))
        })
    }

    fn unpack_transient(&mut self, state: Element<'a>, index: NodeIndex) {
        let Some(transient) = state.child("transient_attributes") else { return };
        let mut attributes = nvpairs::Values::new();
        let input = RuleInput { now: self.now, ..RuleInput::default() };
        nvpairs::unpack(
            transient,
            "instance_attributes",
            None,
            &input,
            &mut self.next_change,
            &mut attributes,
        );
        self.node_mut(index).attributes.extend(attributes);
    }

    /// Whether a node is up, and can be trusted to be what it seems.
    fn judge_membership(&mut self, state: Element<'a>, index: NodeIndex) {
        let member = self.member_since(state);
        let process = process_since(state);
        let join = state.attribute("join").unwrap_or("");
        let fences = self.properties.stonith;
        let node = self.node_mut(index);
        if node.ping {
            return;
        }
        if fences {
            self.judge_with_fencing(state, index, member, process);
        } else if member > 0 && process > 0 {
            node.online = join == "member";
        } else if member > 0 && node.expected_up {
            self.mark_unclean(index, "peer is unexpectedly down");
        }
    }

    fn judge_with_fencing(&mut self, state: Element<'a>, index: NodeIndex, member: i64, process: i64) {
        let join = state.attribute("join").unwrap_or("");
        let expected = state.attribute("expected").unwrap_or("down");
        let terminated = self.node(index).attributes.get("terminate").is_some_and(|value| {
            score::parse_bool(value)
                .unwrap_or_else(|| score::whole_integer(value).is_some_and(|time| time > 0))
        });
        if self.node(index).shutdown {
            self.node_mut(index).online = process > 0;
            return;
        }
        if member < 0 {
            self.mark_unclean(index, "peer has not been seen by the cluster");
            return;
        }
        self.node_mut(index).online = member > 0;
        if join == "banned" {
            self.mark_unclean(index, "peer failed Pacemaker membership criteria");
        } else if terminated {
            if member > 0 || process > 0 || join != "down" {
                self.mark_unclean(index, "fencing was requested");
            }
        } else if expected == "down" {
            if self.pending_too_long(member, process) {
                self.mark_unclean(index, "peer pending timed out on joining the process group");
            } else if member > 0 || process > 0 {
                self.mark_pending(index);
            }
        } else if member == 0 {
            self.mark_unclean(index, "peer is no longer part of the cluster");
        } else if process <= 0 {
            self.mark_unclean(index, "peer process is no longer available");
        } else if matches!(join, "pending" | "down") {
            self.mark_pending(index);
        } else if join != "member" {
            self.mark_unclean(index, "peer was in an unknown state");
        }
    }

    fn mark_pending(&mut self, index: NodeIndex) {
        let node = self.node_mut(index);
        node.standby = true;
        node.pending = true;
    }

    /// Since when a node is a member of the cluster layer: 0 when it is not, negative when that is not known. Old
    /// histories only say yes or no.
    fn member_since(&self, state: Element<'a>) -> i64 {
        let Some(text) = state.attribute("in_ccm") else { return -1 };
        match score::parse_bool(text) {
            Some(true) => self.now,
            Some(false) => 0,
            None => score::whole_integer(text).filter(|time| *time >= 0).unwrap_or(-1),
        }
    }

    /// Whether a node takes too long from the cluster layer to the controller.
    fn pending_too_long(&mut self, member: i64, process: i64) -> bool {
        let limit = self.properties.node_pending_timeout_seconds;
        if limit <= 0 || member <= 0 || process > 0 {
            return false;
        }
        let due = member.saturating_add(limit);
        if self.now < due {
            self.next_change.note(self.now, due);
        }
        self.now >= due
    }

    fn unpack_health(&mut self) {
        let text = |name: &str| self.properties.values.get(name).map(String::as_str);
        let number = |name: &str, default: i32| text(name).and_then(score::parse).unwrap_or(default);
        let strategy = text("node-health-strategy").unwrap_or("none").to_ascii_lowercase();
        let (red, yellow, green, base) = match strategy.as_str() {
            "migrate-on-red" => (-INFINITY, 0, 0, 0),
            "only-green" => (-INFINITY, -INFINITY, 0, 0),
            "progressive" | "custom" => (
                number("node-health-red", -INFINITY),
                number("node-health-yellow", 0),
                number("node-health-green", 0),
                if strategy == "custom" { 0 } else { number("node-health-base", 0) },
            ),
            _ => return,
        };
        for node in &mut self.nodes {
            let mut health = base;
            for (name, value) in &node.attributes {
                if name.starts_with("#health") {
                    let part = match value.as_str() {
                        "red" => red,
                        "yellow" => yellow,
                        "green" => green,
                        other => score::parse(other).unwrap_or(0),
                    };
                    health = score::add(health, part);
                }
            }
            node.health = health;
        }
    }

    /// Marks a node for fencing; the first reason stays.
    pub(crate) fn mark_unclean(&mut self, index: NodeIndex, reason: &str) {
        let node = self.node_mut(index);
        node.unclean = true;
        node.fence_reason.get_or_insert_with(|| reason.to_owned());
    }
}

/// Since when a node's controller takes part: 0 when it does not.
fn process_since(state: Element<'_>) -> i64 {
    match state.attribute("crmd") {
        Some("online") => i64::MAX,
        Some(text) => score::whole_integer(text).unwrap_or(0),
        None => 0,
    }
}
