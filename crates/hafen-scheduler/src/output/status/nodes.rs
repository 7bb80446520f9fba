//! The list of nodes: those of whom something special is to be said, then the others together.

use super::{Listing, Only, Span};
use crate::model::{Cluster, NodeIndex};
use crate::output::names::by_name;
use crate::score::INFINITY;

/// How a node's health stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    Red,
    Yellow,
    Green,
}

impl Cluster<'_> {
    /// Nodes in the order in which they are listed.
    pub(super) fn listed_nodes(&self) -> Vec<NodeIndex> {
        let mut nodes: Vec<NodeIndex> = self.node_indices().collect();
        nodes.sort_by(|left, right| by_name(&self.node(*left).uname, &self.node(*right).uname));
        nodes
    }

    pub(super) fn list_nodes(&self, out: &mut Listing, depth: usize, only: &Only) {
        let mut online = Vec::new();
        let mut remote_online = Vec::new();
        let mut offline = Vec::new();
        let mut remote_offline = Vec::new();
        for index in self.listed_nodes().into_iter().filter(|node| only.node(*node)) {
            let node = self.node(index);
            let name = node.uname.as_str();
            match self.node_state(index) {
                State::Online if node.remote => remote_online.push(name),
                State::Online => online.push(name),
                State::Offline if node.remote => remote_offline.push(name),
                State::Offline => offline.push(name),
                State::Special(words) => {
                    let kind = if node.remote { "RemoteNode" } else { "Node" };
                    out.item(depth, &format!("{kind} {name}: {words}"));
                }
            }
        }
        let lists = [
            ("Online", online),
            ("OFFLINE", offline),
            ("RemoteOnline", remote_online),
            ("RemoteOFFLINE", remote_offline),
        ];
        for (title, names) in lists {
            if !names.is_empty() {
                out.item(depth, &format!("{title}: [ {} ]", names.join(" ")));
            }
        }
    }

    /// The worst of a node's health attributes. Scores count as colours as far as the options give colours scores.
    pub(super) fn health_of(&self, node: NodeIndex) -> Health {
        let option = |name: &str| self.properties.values.get(name).map(String::as_str);
        let score = |name: &str, default: i32| option(name).and_then(crate::score::parse).unwrap_or(default);
        let (red, yellow, green) = match option("node-health-strategy") {
            Some("migrate-on-red") => (-INFINITY, 0, 0),
            Some("only-green") => (-INFINITY, -INFINITY, 0),
            Some("progressive" | "custom") => (
                score("node-health-red", -INFINITY),
                score("node-health-yellow", 0),
                score("node-health-green", 0),
            ),
            _ => return Health::Green,
        };
        let of_score = |score: i32| match score {
            score if score <= red => Health::Red,
            score if score <= yellow && yellow != green => Health::Yellow,
            _ => Health::Green,
        };
        let attributes = self.node(node).attributes.iter().filter(|(name, _)| name.starts_with("#health"));
        let healths = attributes.map(|(_, value)| match value.as_str() {
            "red" => Health::Red,
            "yellow" => Health::Yellow,
            "green" => of_score(green),
            other => crate::score::parse(other).map_or(Health::Green, of_score),
        });
        healths.min().unwrap_or(Health::Green)
    }

    /// A node's state in words, whatever it is.
    pub(super) fn node_words(&self, index: NodeIndex) -> String {
        match self.node_state(index) {
            State::Online => "online".to_owned(),
            State::Offline => "OFFLINE".to_owned(),
            State::Special(words) => words,
        }
    }

    fn node_state(&self, index: NodeIndex) -> State {
        let node = self.node(index);
        let words = if node.unclean {
            if node.online {
                "UNCLEAN (online)"
            } else if node.pending {
                "UNCLEAN (pending)"
            } else {
                "UNCLEAN (offline)"
            }
        } else if node.pending {
            "pending"
        } else if node.standby_on_fail && node.online {
            "standby (on-fail)"
        } else if node.standby {
            match (node.online, node.running.is_empty()) {
                (false, _) => "OFFLINE (standby)",
                (true, true) => "standby",
                (true, false) => "standby (with active resources)",
            }
        } else if node.maintenance {
            if node.online { "maintenance" } else { "OFFLINE (maintenance)" }
        } else if node.online {
            if self.health_words(index).is_none() {
                return State::Online;
            }
            "online"
        } else {
            return State::Offline;
        };
        let health = self.health_words(index).map_or("", |(_, words)| words);
        State::Special(format!("{words}{health}"))
    }

    /// What is to be said of the health of a node that is online, and how it looks.
    fn health_words(&self, index: NodeIndex) -> Option<(&'static str, &'static str)> {
        match self.health_of(index) {
            _ if !self.node(index).online => None,
            Health::Red => Some(("health_red", " (health is RED)")),
            Health::Yellow => Some(("health_yellow", " (health is YELLOW)")),
            Health::Green => None,
        }
    }

    /// A node's state on a page of HTML.
    pub(super) fn node_spans(&self, index: NodeIndex, detail: bool) -> Vec<Span> {
        let node = self.node(index);
        let mut spans = vec![if node.online { ("online", " online") } else { ("offline", " OFFLINE") }];
        match (node.standby_on_fail && node.online, node.standby, node.running.is_empty()) {
            (true, _, true) => spans.push(("standby", " (in standby due to on-fail)")),
            (true, _, false) => {
                spans.push(("standby", " (in standby due to on-fail, with active resources)"));
            }
            (_, true, false) if node.online => {
                spans.push(("standby", " (in standby, with active resources)"));
            }
            (_, true, _) => spans.push(("standby", " (in standby)")),
            _ => {}
        }
        if node.maintenance {
            spans.push(("maint", " (in maintenance mode)"));
        }
        spans.extend(self.health_words(index));
        let mut spans: Vec<Span> =
            spans.into_iter().map(|(class, words)| (class, words.to_owned())).collect();
        if let Some(version) = self.feature_set(index).filter(|_| detail) {
            spans.push(("", format!(", feature set {version}")));
        }
        spans
    }

    /// What a member's version can do. Nodes older than that do not tell.
    pub(super) fn feature_set(&self, index: NodeIndex) -> Option<&str> {
        let node = self.node(index);
        (node.online && node.expected_up && !node.remote)
            .then(|| node.attributes.get("#feature-set").map_or("<3.15.1", String::as_str))
    }
}

/// A node's state, as far as lists are concerned.
enum State {
    Online,
    Offline,
    /// Worth a line of its own.
    Special(String),
}
