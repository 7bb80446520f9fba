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
            node.shutdown = requested(node, "shutdown");
            node.expected_up = state.attribute("expected") == Some("member") && !node.shutdown;
            node.unclean = false;
            node.unseen = false;
            self.judge_membership(state, index);
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

    fn judge_membership(&mut self, state: Element<'a>, index: NodeIndex) {
        let flag = |name: &str| {
            state.attribute(name).is_some_and(|value| {
                value == "online"
                    || score::parse_bool(value).unwrap_or_else(|| score::leading_integer(value) > Some(0))
            })
        };
        let (member, process) = (flag("in_ccm"), flag("crmd"));
        let join = state.attribute("join").unwrap_or("");
        let seen = state.attribute("in_ccm").is_some();
        let stonith = self.properties.stonith;
        let node = self.node_mut(index);
        let mut lost: Option<&str> = None;
        if node.ping {
            node.online = false;
        } else if !stonith {
            node.online = member && process && join == "member";
            if member && !process && node.expected_up {
                node.unclean = true;
            }
        } else if node.shutdown {
            node.online = process;
        } else if !seen {
            node.online = false;
            node.unclean = true;
        } else if matches!(join, "banned" | "nack") {
            node.online = member;
            lost = Some("peer failed Pacemaker membership criteria");
        } else if !node.expected_up {
            node.online = member && process;
            node.pending = member || process;
        } else if !member {
            lost = Some("peer is no longer part of the cluster");
        } else if !process {
            node.online = true;
            lost = Some("peer process is no longer available");
        } else if requested(node, "terminate") {
            node.online = true;
            lost = Some("termination was requested");
        } else if join == "member" {
            node.online = true;
        } else if matches!(join, "pending" | "down") {
            node.online = true;
            node.pending = true;
        } else {
            node.online = true;
            lost = Some("peer was in an unknown state");
        }
        if let Some(reason) = lost {
            node.unclean = true;
            node.fence_reason = Some(reason.to_owned());
        }
        self.judge_pending_timeout(state, index);
    }

    fn judge_pending_timeout(&mut self, state: Element<'a>, index: NodeIndex) {
        let limit = self.properties.node_pending_timeout_seconds;
        if limit <= 0 || !self.node(index).pending {
            return;
        }
        let since = |name: &str| state.attribute(name).and_then(score::leading_integer).unwrap_or(0);
        let joined = since("in_ccm");
        if joined <= 1 {
            return;
        }
        if self.now - joined >= limit {
            let node = self.node_mut(index);
            node.pending = false;
            node.unclean = true;
            node.fence_reason = Some("peer pending timed out on joining the process group".to_owned());
        } else {
            self.next_change.note(self.now, joined + limit);
        }
    }

    fn unpack_health(&mut self) {
        let text = |name: &str| self.properties.values.get(name).map(String::as_str);
        let number = |name: &str, default: i32| text(name).and_then(score::parse).unwrap_or(default);
        let (red, yellow, green, base) = match text("node-health-strategy") {
            Some("migrate-on-red") => (-INFINITY, 0, 0, 0),
            Some("only-green") => (-INFINITY, -INFINITY, 0, 0),
            Some("progressive") => (
                number("node-health-red", -INFINITY),
                number("node-health-yellow", 0),
                number("node-health-green", 0),
                number("node-health-base", 0),
            ),
            Some("custom") => (
                number("node-health-red", -INFINITY),
                number("node-health-yellow", 0),
                number("node-health-green", 0),
                0,
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

/// Whether an attribute holds the time of a request, or yes.
fn requested(node: &Node, name: &str) -> bool {
    node.attributes.get(name).is_some_and(|value| {
        score::parse_bool(value).unwrap_or_else(|| score::leading_integer(value).unwrap_or(0) != 0)
    })
}
