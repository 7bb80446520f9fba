//! Makes a CIB from a seed: a small cluster with something of every theme, valid, and most of the time with a past that
//! a real cluster could have had.

mod cluster;
mod constraints;
mod history;
mod past;
mod pen;
mod resources;
mod rules;

use std::collections::BTreeSet;

use crate::dice::Dice;
use crate::themes::{THEMES, Theme};
use crate::tree::Tree;

/// The time of all CIBs, seconds since 1970.
pub const NOW: i64 = 1_700_000_000;

/// What becomes of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// A member like any other.
    Online,
    /// Left in order.
    Off,
    /// Lost from the membership.
    Lost,
    /// In the membership, but its daemon is not.
    Dead,
    /// In the membership, its daemon is not yet.
    Pending,
    /// Known from the configuration alone.
    Unseen,
}

impl Fate {
    fn has_history(self) -> bool {
        matches!(self, Fate::Online | Fate::Lost | Fate::Dead)
    }
}

/// A host.
#[derive(Clone, Debug)]
struct Node {
    id: String,
    name: String,
    fate: Fate,
    /// It has been asked to leave.
    leaving: bool,
    /// Transient attributes.
    transient: Vec<(String, String)>,
}

/// A recurring operation.
#[derive(Clone, Debug)]
struct Recurring {
    interval_ms: i64,
    timeout_ms: i64,
    role: Option<&'static str>,
    parameters: Vec<(String, String)>,
}

/// A primitive, with what its history must know.
#[derive(Clone, Debug)]
struct Primitive {
    id: String,
    class: &'static str,
    provider: Option<&'static str>,
    agent: &'static str,
    parameters: Vec<(String, String)>,
    recurring: Vec<Recurring>,
    migratable: bool,
    reloadable: bool,
}

/// What a resource at the top is made of.
#[derive(Clone, Debug, Default)]
struct Top {
    id: String,
    group: Option<String>,
    members: Vec<usize>,
    clone: bool,
    unique: bool,
    promotable: bool,
    max: Option<usize>,
    promoted_max: usize,
    device: bool,
}

/// What is being made.
struct World {
    dice: Dice,
    wishes: BTreeSet<Theme>,
    next_id: usize,
    nodes: Vec<Node>,
    primitives: Vec<Primitive>,
    tops: Vec<Top>,
    /// Tags with what they are on.
    tags: Vec<(String, Vec<String>)>,
    /// Whether there is a template that constraints can name.
    has_template: bool,
    tickets: Vec<&'static str>,
    fencing: bool,
}

/// The CIB of a seed.
#[must_use]
pub fn generate(seed: u64) -> Tree {
    let mut dice = Dice::new(seed);
    let wishes = (0..dice.within(2, 7)).map(|_| dice.pick(THEMES)).collect();
    let mut world = World {
        dice,
        wishes,
        next_id: 0,
        nodes: Vec::new(),
        primitives: Vec::new(),
        tops: Vec::new(),
        tags: Vec::new(),
        has_template: false,
        tickets: Vec::new(),
        fencing: true,
    };
    world.cib()
}

impl World {
    /// Whether to have something of a theme: mostly where it was wished for, else by a chance in a thousand.
    fn on(&mut self, theme: Theme, per_mille: usize) -> bool {
        let chance = if self.wishes.contains(&theme) { 850 } else { per_mille };
        self.dice.chance(chance)
    }

    fn wished(&self, theme: Theme) -> bool {
        self.wishes.contains(&theme)
    }

    /// An id that nothing else has.
    fn id(&mut self, prefix: &str) -> String {
        self.next_id += 1;
        format!("{prefix}-{}", self.next_id)
    }

    /// A set of pairs.
    fn nvset(&mut self, tag: &str, pairs: &[(&str, String)]) -> Tree {
        let mut set = Tree::new(tag).with("id", self.id("set"));
        for (name, value) in pairs {
            set.children.push(self.nvpair(name, value));
        }
        set
    }

    fn nvpair(&mut self, name: &str, value: &str) -> Tree {
        Tree::new("nvpair").with("id", self.id("nv")).with("name", name).with("value", value)
    }

    fn cib(&mut self) -> Tree {
        let quorum = !self.on(Theme::Quorum, 20);
        let options = self.make_options();
        let nodes = self.make_nodes();
        let resources = self.make_resources();
        let topology = self.make_topology();
        let tags = self.make_tags();
        let constraints = self.make_constraints();
        let mut configuration = Tree::new("configuration").holding(options).holding(nodes);
        configuration.children.extend([resources, constraints]);
        configuration.children.extend(tags);
        configuration.children.extend(topology);
        configuration.children.extend(self.make_defaults());
        let status = self.make_status();
        let schema = if self.dice.chance(100) { "pacemaker-3.10" } else { "pacemaker-4.0" };
        let coordinator = self.nodes.iter().find(|node| node.fate == Fate::Online);
        let coordinator = coordinator.map_or_else(String::new, |node| node.id.clone());
        Tree::new("cib")
            .with("crm_feature_set", "3.20.0")
            .with("validate-with", schema)
            .with("epoch", 5)
            .with("num_updates", 0)
            .with("admin_epoch", 0)
            .with("have-quorum", quorum)
            .with("dc-uuid", coordinator)
            .with("execution-date", NOW)
            .holding(configuration)
            .holding(status)
    }
}
