//! Primitives, groups, clones, templates, tags.

use super::rules::Place;
use super::{Primitive, Recurring, Top, World};
use crate::themes::Theme;
use crate::tree::Tree;

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Primitive,
    Group,
    Clone,
    CloneOfGroup,
    Promotable,
    Device,
}

/// Class, provider, type, and whether it can be promoted.
type Agent = (&'static str, Option<&'static str>, &'static str);

const AGENTS: [(Agent, usize); 5] = [
    (("ocf", Some("pacemaker"), "Dummy"), 60),
    (("ocf", Some("heartbeat"), "IPaddr2"), 15),
    (("systemd", None, "httpd"), 10),
    (("lsb", None, "exim"), 6),
    (("ocf", Some("pacemaker"), "Stateful"), 4),
];
const STATEFUL: Agent = ("ocf", Some("pacemaker"), "Stateful");
const DEVICE: Agent = ("stonith", None, "fence_xvm");

impl World {
    pub(super) fn make_resources(&mut self) -> Tree {
        let mut kinds = Vec::new();
        if self.fencing && !self.dice.chance(60) {
            kinds.push(Kind::Device);
            if self.on(Theme::Topology, 60) {
                kinds.push(Kind::Device);
            }
        }
        self.wished_kinds(&mut kinds);
        let more = self.dice.weighted(&[(0, 10), (1, 25), (2, 25), (3, 18), (4, 10), (5, 5)]);
        for _ in 0..more {
            kinds.push(self.dice.weighted(&[
                (Kind::Primitive, 60),
                (Kind::Group, 14),
                (Kind::Clone, 12),
                (Kind::CloneOfGroup, 5),
                (Kind::Promotable, 9),
            ]));
        }
        if kinds.iter().all(|kind| *kind == Kind::Device) {
            kinds.push(Kind::Primitive);
        }
        if self.dice.chance(400) {
            self.dice.shuffle(&mut kinds);
        }
        let mut resources = Tree::new("resources");
        let template = self.on(Theme::Templates, 15).then(|| self.template());
        self.has_template = template.is_some();
        let mut made = Vec::new();
        for kind in kinds {
            made.push(self.resource(kind));
        }
        if let Some(template) = template {
            for primitive in made.iter_mut().flat_map(|tree| primitives_of(tree)) {
                if primitive.says("type", "Dummy") && self.dice.chance(700) {
                    primitive
                        .attributes
                        .retain(|(name, _)| !matches!(name.as_str(), "class" | "provider" | "type"));
                    primitive.attributes.push(("template".into(), "tmpl".into()));
                }
            }
            resources.children.push(template);
        }
        resources.children.extend(made);
        resources
    }

    fn wished_kinds(&mut self, kinds: &mut Vec<Kind>) {
        let wishes: [(Theme, Kind); 16] = [
            (Theme::Groups, Kind::Group),
            (Theme::Clones, Kind::Clone),
            (Theme::CloneUnique, Kind::Clone),
            (Theme::CloneInterleave, Kind::Clone),
            (Theme::CloneNotify, Kind::Clone),
            (Theme::CloneOrdered, Kind::Clone),
            (Theme::CloneMin, Kind::Clone),
            (Theme::CloneGroups, Kind::CloneOfGroup),
            (Theme::Promotable, Kind::Promotable),
            (Theme::FailDemote, Kind::Promotable),
            (Theme::ColocationRoles, Kind::Promotable),
            (Theme::OrderActions, Kind::Promotable),
            (Theme::OrderOneOrMore, Kind::Primitive),
            (Theme::OrderSets, Kind::Primitive),
            (Theme::ColocationSets, Kind::Primitive),
            (Theme::Migration, Kind::Primitive),
        ];
        for (theme, kind) in wishes {
            if self.wished(theme) && self.dice.chance(900) && kinds.len() < 6 {
                kinds.push(kind);
            }
        }
    }

    fn template(&mut self) -> Tree {
        let mut tree = Tree::new("template").with("id", "tmpl");
        tree = tree.with("class", "ocf").with("provider", "pacemaker").with("type", "Dummy");
        if self.dice.chance(500) {
            let value = self.dice.pick(&["1", "200", "INFINITY"]);
            tree.children.push(self.nvset("meta_attributes", &[("resource-stickiness", value.into())]));
        }
        if self.dice.chance(300) {
            let op = Tree::new("op").with("id", self.id("op")).with("name", "start").with("interval", "0");
            tree.children.push(Tree::new("operations").holding(op.with("timeout", "40s")));
        }
        tree
    }

    fn resource(&mut self, kind: Kind) -> Tree {
        let number = self.tops.len() + 1;
        let mut top = Top { promoted_max: 1, ..Top::default() };
        let tree = match kind {
            Kind::Primitive => self.primitive(&mut top, None),
            Kind::Device => {
                top.device = true;
                self.primitive(&mut top, Some(DEVICE))
            }
            Kind::Group => self.group(&mut top, number),
            Kind::Clone | Kind::CloneOfGroup | Kind::Promotable => {
                top.clone = true;
                top.promotable = kind == Kind::Promotable;
                let grouped = kind == Kind::CloneOfGroup || (top.promotable && self.dice.chance(150));
                let agent = top.promotable.then_some(STATEFUL);
                let inner =
                    if grouped { self.group(&mut top, number) } else { self.primitive(&mut top, agent) };
                self.clone_of(&mut top, number, inner)
            }
        };
        if let Some(id) = tree.attribute("id") {
            id.clone_into(&mut top.id);
        }
        self.tops.push(top);
        tree
    }

    fn group(&mut self, top: &mut Top, number: usize) -> Tree {
        let id = format!("grp{number}");
        top.group = Some(id.clone());
        let mut tree = Tree::new("group").with("id", id);
        let agent = top.promotable.then_some(STATEFUL);
        for _ in 0..self.dice.weighted(&[(1, 12), (2, 55), (3, 33)]) {
            let member = self.primitive(top, agent);
            tree.children.push(member);
        }
        let pairs = self.common_meta(false);
        if !pairs.is_empty() {
            tree.children.push(self.nvset("meta_attributes", &pairs));
        }
        tree
    }

    fn clone_of(&mut self, top: &mut Top, number: usize, inner: Tree) -> Tree {
        let mut pairs = self.common_meta(top.promotable);
        let count = self.nodes.len();
        if self.dice.chance(250) {
            let max = self.dice.pick(&[1, 2, 3, 4]);
            top.max = Some(max);
            pairs.push(("clone-max", max.to_string()));
        }
        if self.on(Theme::CloneUnique, 60) {
            top.unique = true;
            pairs.push(("globally-unique", "true".into()));
            if self.dice.chance(400) {
                pairs.push(("clone-node-max", self.dice.pick(&["1", "2", "3"]).to_owned()));
            }
        }
        if top.promotable {
            pairs.push(("promotable", "true".into()));
            if self.dice.chance(200) {
                top.promoted_max = self.dice.pick(&[1, 2, 3]).min(count.max(1));
                pairs.push(("promoted-max", top.promoted_max.to_string()));
            }
            if self.dice.chance(60) {
                pairs.push(("promoted-node-max", self.dice.pick(&["1", "2"]).to_owned()));
            }
        }
        let switches = [
            (Theme::CloneInterleave, "interleave", 200),
            (Theme::CloneNotify, "notify", 80),
            (Theme::CloneOrdered, "ordered", 50),
        ];
        for (theme, name, chance) in switches {
            if self.on(theme, chance) {
                pairs.push((name, "true".into()));
            }
        }
        if self.on(Theme::CloneMin, 20) {
            pairs.push(("clone-min", self.dice.pick(&["1", "2", "3"]).to_owned()));
        }
        let meta = self.nvset("meta_attributes", &pairs);
        Tree::new("clone").with("id", format!("clone{number}")).holding(inner).holding(meta)
    }

    /// Meta-attributes that any resource can have.
    fn common_meta(&mut self, promotable: bool) -> Vec<(&'static str, String)> {
        let mut pairs: Vec<(&'static str, String)> = Vec::new();
        let roles: &[&str] = if promotable {
            &["Started", "Stopped", "Unpromoted", "Promoted", "Slave", "Master"]
        } else {
            &["Started", "Stopped", "Stopped"]
        };
        let rare: [(&'static str, &[&str], usize); 12] = [
            ("target-role", roles, 90),
            ("resource-stickiness", &["0", "1", "100", "1000", "-10", "INFINITY"], 130),
            ("priority", &["0", "1", "5", "10", "-1"], 90),
            ("migration-threshold", &["1", "2", "3", "INFINITY"], 100),
            ("failure-timeout", &["30s", "10min", "1h", "1d"], 90),
            ("multiple-active", &["stop_only", "block", "stop_start", "stop_unexpected"], 40),
            ("requires", &["nothing", "quorum", "fencing"], 50),
            ("critical", &["false"], 40),
            ("allow-unhealthy-nodes", &["true"], 20),
            ("is-managed", &["false"], 12),
            ("maintenance", &["true"], 8),
            ("description", &["words"], 3),
        ];
        for (name, values, chance) in rare {
            let chance = match name {
                "is-managed" if self.wished(Theme::Unmanaged) => 400,
                "maintenance" if self.wished(Theme::MaintenanceResource) => 400,
                "allow-unhealthy-nodes" if self.wished(Theme::Health) => 200,
                "migration-threshold" | "failure-timeout" if self.wished(Theme::Failures) => 300,
                _ => chance,
            };
            if self.dice.chance(chance) {
                pairs.push((name, self.dice.pick(values).to_owned()));
            }
        }
        if self.on(Theme::Unfencing, 5) && self.dice.chance(500) {
            pairs.retain(|(name, _)| *name != "requires");
            pairs.push(("requires", "unfencing".into()));
        }
        pairs
    }

    fn primitive(&mut self, top: &mut Top, agent: Option<Agent>) -> Tree {
        let (class, provider, kind) = agent.unwrap_or_else(|| self.dice.weighted(&AGENTS));
        let number = self.primitives.len() + 1;
        let id = if top.device { format!("fence{number}") } else { format!("rsc{number}") };
        let mut made = Primitive {
            id: id.clone(),
            class,
            provider,
            agent: kind,
            parameters: Vec::new(),
            recurring: Vec::new(),
            migratable: false,
            reloadable: class == "ocf" && self.on(Theme::Reload, 100),
        };
        let mut tree = Tree::new("primitive").with("id", id).with("class", class);
        if let Some(provider) = provider {
            tree = tree.with("provider", provider);
        }
        tree = tree.with("type", kind);
        self.parameters(&mut made, &mut tree, top.device);
        self.primitive_meta(&mut made, &mut tree, top);
        if self.on(Theme::Utilization, 10) || self.on(Theme::Placement, 10) {
            let pairs = [("cpu", self.dice.pick(&["1", "2", "3"]).to_owned())];
            tree.children.push(self.nvset("utilization", &pairs));
        }
        let operations = self.operations(&mut made, top);
        if !operations.children.is_empty() {
            tree.children.push(operations);
        }
        top.members.push(self.primitives.len());
        self.primitives.push(made);
        tree
    }

    fn parameters(&mut self, made: &mut Primitive, tree: &mut Tree, device: bool) {
        let mut pairs: Vec<(&'static str, String)> = Vec::new();
        if device && self.dice.chance(500) {
            let count = if self.dice.chance(700) { self.nodes.len() } else { 1 };
            let hosts: Vec<String> = self.nodes.iter().take(count).map(|node| node.name.clone()).collect();
            pairs.push(("pcmk_host_list", hosts.join(" ")));
        }
        let wanted = if made.reloadable || self.wished(Theme::Digests) { 900 } else { 350 };
        if !device && self.dice.chance(wanted) {
            pairs.push(("fake", self.dice.pick(&["one", "two"]).to_owned()));
            if self.dice.chance(400) {
                pairs.push(("delay", "3".into()));
            }
            if self.dice.chance(80) {
                pairs.push(("passwd", "secret".into()));
            }
        }
        made.parameters = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        if !pairs.is_empty() {
            tree.children.push(self.nvset("instance_attributes", &pairs));
        }
        if !device && self.on(Theme::RulesAttributes, 10) && self.dice.chance(300) {
            let mut set = self.nvset("instance_attributes", &[("fake", "by-rule".into())]);
            let rule = self.rule(Place::Parameters);
            set.children.insert(0, rule);
            tree.children.push(set.with("score", "100"));
        }
    }

    fn primitive_meta(&mut self, made: &mut Primitive, tree: &mut Tree, top: &Top) {
        let mut pairs = self.common_meta(top.promotable);
        if top.device {
            pairs.retain(|(name, _)| *name != "requires");
            if self.on(Theme::Unfencing, 10) {
                pairs.push(("provides", "unfencing".into()));
            }
        }
        let migrating = [Theme::Migration, Theme::MigrationFailed].iter().any(|theme| self.wished(*theme));
        let chance = if migrating { 850 } else { 100 };
        if !top.clone && top.group.is_none() && !top.device && self.dice.chance(chance) {
            made.migratable = true;
            pairs.push(("allow-migrate", "true".into()));
        } else if top.clone && self.dice.chance(15) {
            pairs.push(("allow-migrate", "true".into()));
        }
        if !pairs.is_empty() {
            tree.children.push(self.nvset("meta_attributes", &pairs));
        }
    }

    pub(super) fn make_tags(&mut self) -> Option<Tree> {
        if !self.on(Theme::Tags, 15) {
            return None;
        }
        let mut tags = Tree::new("tags");
        for number in 1..=self.dice.within(1, 2) {
            let id = format!("tag{number}");
            let mut tag = Tree::new("tag").with("id", &id);
            let count = self.dice.within(1, 3);
            for _ in 0..count {
                let top = self.dice.below(self.tops.len());
                let known = self.tops[top].id.clone();
                if !tag.children.iter().any(|child| child.says("id", &known)) {
                    tag.children.push(Tree::new("obj_ref").with("id", known));
                }
            }
            let members =
                tag.children.iter().filter_map(|child| child.attribute("id").map(str::to_owned)).collect();
            self.tags.push((id, members));
            tags.children.push(tag);
        }
        Some(tags)
    }

    fn operations(&mut self, made: &mut Primitive, top: &Top) -> Tree {
        let mut tree = Tree::new("operations");
        if self.dice.chance(650) {
            let interval = self.dice.pick(&[10_000, 10_000, 20_000, 60_000]);
            let op = self.recurring(made, interval, None);
            tree.children.push(op);
            if top.promotable && self.dice.chance(700) {
                let op = self.recurring(made, interval + 1000, Some("Promoted"));
                tree.children.push(op);
            }
            if self.dice.chance(80) {
                let op = self.recurring(made, 120_000, Some("Stopped"));
                tree.children.push(op);
            } else if self.dice.chance(40) {
                let op = self.recurring(made, 130_000, None);
                tree.children.push(op);
            }
        }
        let tasks = ["start", "stop", "promote", "demote", "migrate_to", "migrate_from"];
        for task in tasks {
            let known = match task {
                "promote" | "demote" => top.promotable,
                "migrate_to" | "migrate_from" => made.migratable,
                _ => true,
            };
            if known && self.dice.chance(220) {
                let mut op =
                    Tree::new("op").with("id", self.id("op")).with("name", task).with("interval", "0");
                if self.dice.chance(600) {
                    op = op.with("timeout", self.dice.pick(&["30s", "60s", "120"]));
                }
                if self.dice.chance(20) {
                    op = op.with("record-pending", false);
                }
                tree.children.push(op);
            }
        }
        for op in &mut tree.children {
            self.on_fail(op, top.promotable);
        }
        tree
    }

    fn on_fail(&mut self, op: &mut Tree, promotable: bool) {
        let values = [
            (Theme::FailIgnore, "ignore"),
            (Theme::FailBlock, "block"),
            (Theme::FailStop, "stop"),
            (Theme::FailRestart, "restart"),
            (Theme::FailStandby, "standby"),
            (Theme::FailFence, "fence"),
            (Theme::FailBan, "ban"),
            (Theme::FailDemote, "demote"),
        ];
        let wished: Vec<&str> =
            values.iter().filter(|(theme, _)| self.wished(*theme)).map(|(_, value)| *value).collect();
        let name = op.attribute("name").unwrap_or("").to_owned();
        let promoted = op.says("role", "Promoted");
        let may_demote = promotable && (name == "promote" || (name == "monitor" && promoted));
        let value = if may_demote && self.wished(Theme::FailDemote) && self.dice.chance(700) {
            "demote"
        } else if !wished.is_empty() && self.dice.chance(500) {
            self.dice.pick(&wished)
        } else if self.dice.chance(100) {
            self.dice.pick(&values).1
        } else {
            return;
        };
        if value == "demote" && !may_demote {
            return;
        }
        if value == "ban" {
            // The schema knows these only as meta-attributes, and the scheduler only the first.
            let said = self.dice.weighted(&[("migrate", 9), ("ban", 1)]);
            let set = self.nvset("meta_attributes", &[("on-fail", said.into())]);
            op.children.push(set);
        } else {
            op.attributes.push(("on-fail".into(), value.into()));
        }
    }

    fn recurring(&mut self, made: &mut Primitive, interval_ms: i64, role: Option<&'static str>) -> Tree {
        let mut op = Tree::new("op").with("id", self.id("op")).with("name", "monitor");
        op = op.with("interval", format!("{}s", interval_ms / 1000));
        let mut timeout_ms = 20_000;
        if self.dice.chance(500) {
            timeout_ms = self.dice.pick(&[20_000, 30_000, 60_000]);
            op = op.with("timeout", format!("{}s", timeout_ms / 1000));
        }
        if let Some(role) = role {
            op = op.with("role", role);
        }
        if self.dice.chance(20) {
            op = op.with("enabled", false);
        }
        if self.dice.chance(15) {
            op = op.with("start-delay", "5s");
        } else if self.dice.chance(15) {
            op = op.with("interval-origin", "2023-11-14 00:00:00");
        }
        let mut parameters = Vec::new();
        if self.dice.chance(40) {
            op.children.push(self.nvset("instance_attributes", &[("OCF_CHECK_LEVEL", "10".into())]));
            parameters.push(("OCF_CHECK_LEVEL".to_owned(), "10".to_owned()));
        }
        made.recurring.push(Recurring { interval_ms, timeout_ms, role, parameters });
        op
    }
}

fn primitives_of(tree: &mut Tree) -> Vec<&mut Tree> {
    if tree.name == "primitive" {
        return vec![tree];
    }
    tree.children.iter_mut().flat_map(primitives_of).collect()
}
