//! Options of the cluster, its hosts, defaults and fencing levels.

use super::rules::Place;
use super::{Fate, Node, World};
use crate::themes::Theme;
use crate::tree::Tree;

type Pairs = Vec<(&'static str, String)>;

impl World {
    pub(super) fn make_options(&mut self) -> Tree {
        let mut pairs: Pairs = Vec::new();
        self.fencing = !self.dice.chance(250);
        let fencing_wished =
            [Theme::Fencing, Theme::Unfencing, Theme::Topology, Theme::Watchdog, Theme::FailFence];
        self.fencing |= fencing_wished.iter().any(|theme| self.wished(*theme));
        if !self.fencing || self.dice.chance(500) {
            pairs.push(("stonith-enabled", self.fencing.to_string()));
        }
        self.fencing_options(&mut pairs);
        if self.on(Theme::Quorum, 60) {
            let policy = self.dice.pick(&["stop", "ignore", "freeze", "demote", "suicide", "fence"]);
            pairs.push(("no-quorum-policy", policy.to_owned()));
        }
        if self.on(Theme::MaintenanceMode, 10) {
            pairs.push(("maintenance-mode", "true".into()));
        }
        if self.on(Theme::Placement, 15) {
            let strategy = self.dice.pick(&["utilization", "balanced", "minimal", "default"]);
            pairs.push(("placement-strategy", strategy.to_owned()));
        }
        self.health_options(&mut pairs);
        if self.on(Theme::ShutdownLocks, 10) {
            pairs.push(("shutdown-lock", "true".into()));
            if self.dice.chance(400) {
                pairs.push(("shutdown-lock-limit", self.dice.pick(&["5min", "1h", "10s", "0"]).to_owned()));
            }
        }
        if self.on(Theme::PendingTimeout, 10) {
            pairs.push(("node-pending-timeout", self.dice.pick(&["0", "60s", "2h", "10min"]).to_owned()));
        }
        let rare: [(&'static str, &[&str], usize); 11] = [
            ("symmetric-cluster", &["false"], 40),
            ("enable-startup-probes", &["false"], 20),
            ("stop-all-resources", &["true"], 10),
            ("stop-orphan-resources", &["false"], 60),
            ("stop-orphan-actions", &["false"], 40),
            ("start-failure-is-fatal", &["false"], 120),
            ("cluster-delay", &["30s", "2min"], 20),
            ("batch-limit", &["0", "5"], 20),
            ("migration-limit", &["1", "-1", "3"], 20),
            ("default-action-timeout", &["30s"], 5),
            ("dc-deadtime", &["30s"], 5),
        ];
        for (name, values, chance) in rare {
            if self.dice.chance(chance) {
                pairs.push((name, self.dice.pick(values).to_owned()));
            }
        }
        let mut config = Tree::new("crm_config");
        let mut set = self.nvset("cluster_property_set", &pairs);
        set.attributes[0].1 = "cib-bootstrap-options".into();
        config.children.push(set);
        if self.on(Theme::RulesDates, 5) {
            let extra = self.dice.pick(&["maintenance-mode", "stop-all-resources", "enable-startup-probes"]);
            let mut set = self.nvset("cluster_property_set", &[(extra, "true".into())]);
            let rule = self.rule(Place::Dates);
            set.children.insert(0, rule);
            let score = self.dice.pick(&["10", "-5", "INFINITY"]);
            config.children.push(set.with("score", score));
        }
        config
    }

    fn fencing_options(&mut self, pairs: &mut Pairs) {
        if self.on(Theme::Watchdog, 20) {
            pairs.push(("have-watchdog", "true".into()));
            if self.dice.chance(700) {
                let timeout = self.dice.pick(&["10s", "-1", "0", "30"]);
                pairs.push(("stonith-watchdog-timeout", timeout.to_owned()));
            }
        }
        let rare: [(&'static str, &[&str], usize); 5] = [
            ("stonith-action", &["off", "reboot"], 150),
            ("stonith-timeout", &["30s", "120s"], 60),
            ("startup-fencing", &["false"], 60),
            ("concurrent-fencing", &["false", "true"], 80),
            ("priority-fencing-delay", &["15s"], 80),
        ];
        for (name, values, chance) in rare {
            if self.dice.chance(chance) {
                pairs.push((name, self.dice.pick(values).to_owned()));
            }
        }
    }

    fn health_options(&mut self, pairs: &mut Pairs) {
        if !self.on(Theme::Health, 15) {
            return;
        }
        let strategy = self.dice.pick(&["migrate-on-red", "only-green", "progressive", "custom", "none"]);
        pairs.push(("node-health-strategy", strategy.to_owned()));
        for name in ["node-health-green", "node-health-yellow", "node-health-red", "node-health-base"] {
            if self.dice.chance(200) {
                let value = self.dice.pick(&["0", "10", "-10", "100", "-INFINITY", "-1000"]);
                pairs.push((name, value.to_owned()));
            }
        }
    }

    pub(super) fn make_nodes(&mut self) -> Tree {
        let count =
            usize::try_from(self.dice.weighted(&[(1, 4), (2, 40), (3, 36), (4, 13), (5, 7)])).unwrap_or(2);
        let mut names: Vec<String> = (1..=count).map(|number| format!("node{number}")).collect();
        if self.dice.chance(200) {
            self.dice.shuffle(&mut names);
        }
        let mut list = Tree::new("nodes");
        let capacity = self.on(Theme::Placement, 20) || self.on(Theme::Utilization, 20);
        for (number, name) in names.into_iter().enumerate() {
            let id = (number + 1).to_string();
            let fate = self.fate();
            let tree = Tree::new("node").with("id", &id).with("uname", &name);
            self.nodes.push(Node { id, name, fate, leaving: false, transient: Vec::new() });
            let tree = self.node_details(tree, capacity);
            list.children.push(tree);
        }
        list
    }

    fn fate(&mut self) -> Fate {
        if self.wished(Theme::Fencing) && self.dice.chance(250) {
            return self.dice.pick(&[Fate::Lost, Fate::Dead]);
        }
        if self.wished(Theme::PendingTimeout) && self.dice.chance(300) {
            return Fate::Pending;
        }
        if self.wished(Theme::ShutdownLocks) && self.dice.chance(250) {
            return Fate::Off;
        }
        self.dice.weighted(&[
            (Fate::Online, 880),
            (Fate::Off, 40),
            (Fate::Lost, 30),
            (Fate::Dead, 12),
            (Fate::Pending, 18),
            (Fate::Unseen, 20),
        ])
    }

    fn node_details(&mut self, mut tree: Tree, capacity: bool) -> Tree {
        let mut pairs: Pairs = Vec::new();
        if self.on(Theme::Standby, 20) && self.dice.chance(500) {
            pairs.push(("standby", self.dice.pick(&["on", "true", "off"]).to_owned()));
        }
        if self.on(Theme::MaintenanceNode, 10) && self.dice.chance(600) {
            pairs.push(("maintenance", self.dice.pick(&["true", "true", "false"]).to_owned()));
        }
        if self.dice.chance(450) {
            pairs.push(("site", self.dice.pick(&["a", "b"]).to_owned()));
        }
        if self.dice.chance(300) {
            pairs.push(("rack", self.dice.pick(&["1", "2", "10"]).to_owned()));
        }
        if self.wished(Theme::Health) && self.dice.chance(400) {
            let value = self.dice.pick(&["red", "yellow", "green", "-50", "30"]);
            pairs.push(("#health-disk", value.to_owned()));
        }
        if !pairs.is_empty() {
            tree.children.push(self.nvset("instance_attributes", &pairs));
        }
        if capacity {
            let mut pairs: Pairs = vec![("cpu", self.dice.pick(&["1", "2", "4", "8"]).to_owned())];
            if self.dice.chance(400) {
                pairs.push(("memory", self.dice.pick(&["512", "1024", "4096"]).to_owned()));
            }
            tree.children.push(self.nvset("utilization", &pairs));
        }
        tree
    }

    pub(super) fn make_topology(&mut self) -> Option<Tree> {
        if !self.on(Theme::Topology, 15) {
            return None;
        }
        let devices: Vec<String> =
            self.tops.iter().filter(|top| top.device).map(|top| top.id.clone()).collect();
        let first = devices.first().cloned()?;
        let last = devices.last().cloned()?;
        let mut topology = Tree::new("fencing-topology");
        for node in self.nodes.clone() {
            if self.dice.chance(700) {
                let target = if self.dice.chance(800) {
                    ("target", node.name)
                } else {
                    ("target-pattern", ".*".into())
                };
                let level = Tree::new("fencing-level").with("id", self.id("level")).with(target.0, target.1);
                let devices = if self.dice.chance(500) { format!("{first},{last}") } else { first.clone() };
                topology.children.push(level.with("index", 1).with("devices", devices));
            }
        }
        Some(topology)
    }

    pub(super) fn make_defaults(&mut self) -> Vec<Tree> {
        let mut found = Vec::new();
        if self.dice.chance(450) {
            let mut pairs: Pairs = Vec::new();
            if self.dice.chance(600) {
                let value = self.dice.pick(&["1", "100", "INFINITY", "0", "10"]);
                pairs.push(("resource-stickiness", value.to_owned()));
            }
            if self.dice.chance(200) {
                pairs.push(("migration-threshold", self.dice.pick(&["1", "3", "5000"]).to_owned()));
            }
            if self.dice.chance(100) {
                pairs.push(("failure-timeout", self.dice.pick(&["60s", "1h"]).to_owned()));
            }
            let mut defaults = Tree::new("rsc_defaults");
            let mut set = self.nvset("meta_attributes", &pairs);
            if self.on(Theme::RulesOperations, 10) {
                let rule = self.rule(Place::Resources);
                set.children.insert(0, rule);
            }
            defaults.children.push(set);
            found.push(defaults);
        }
        if self.on(Theme::RulesOperations, 100) {
            let mut pairs: Pairs = vec![("timeout", self.dice.pick(&["20s", "30s", "1min"]).to_owned())];
            if self.dice.chance(150) {
                pairs.push(("record-pending", self.dice.pick(&["true", "false"]).to_owned()));
            }
            if self.dice.chance(150) {
                pairs.push(("on-fail", self.dice.pick(&["ignore", "restart", "block", "stop"]).to_owned()));
            }
            let mut defaults = Tree::new("op_defaults");
            let mut set = self.nvset("meta_attributes", &pairs);
            if self.wished(Theme::RulesOperations) {
                let rule = self.rule(Place::Operations);
                set.children.insert(0, rule);
            }
            defaults.children.push(set);
            found.push(defaults);
        }
        found
    }
}
