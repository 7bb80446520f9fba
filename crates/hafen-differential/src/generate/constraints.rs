//! Locations, orderings, colocations, tickets.

use super::rules::Place;
use super::{Top, World};
use crate::themes::Theme;
use crate::tree::Tree;

const SCORES: [&str; 16] = [
    "INFINITY",
    "INFINITY",
    "INFINITY",
    "-INFINITY",
    "-INFINITY",
    "100",
    "200",
    "50",
    "1",
    "10",
    "500",
    "1000",
    "-1",
    "-100",
    "-500",
    "0",
];

impl World {
    pub(super) fn make_constraints(&mut self) -> Tree {
        let mut tree = Tree::new("constraints");
        for _ in 0..self.dice.weighted(&[(0, 35), (1, 30), (2, 20), (3, 10), (4, 5)]) {
            let made = self.location();
            tree.children.push(made);
        }
        if self.wished(Theme::Discovery)
            || self.wished(Theme::RulesAttributes)
            || self.wished(Theme::RulesDates)
        {
            let made = self.location();
            tree.children.push(made);
        }
        let wishes = |world: &World, themes: &[Theme]| themes.iter().any(|theme| world.wished(*theme));
        let orders = [
            Theme::Ordering,
            Theme::OrderKinds,
            Theme::OrderSets,
            Theme::OrderOneOrMore,
            Theme::OrderAsymmetrical,
            Theme::OrderActions,
            Theme::CloneMin,
            Theme::CloneInterleave,
        ];
        let mut count = self.dice.weighted(&[(0, 60), (1, 25), (2, 12), (3, 3)]);
        count += usize::from(wishes(self, &orders));
        for _ in 0..count {
            tree.children.extend(self.order());
        }
        let colocations = [
            Theme::Colocation,
            Theme::ColocationSets,
            Theme::ColocationRoles,
            Theme::ColocationAttribute,
            Theme::ColocationInfluence,
        ];
        let mut count = self.dice.weighted(&[(0, 60), (1, 25), (2, 12), (3, 3)]);
        count += usize::from(wishes(self, &colocations));
        for _ in 0..count {
            tree.children.extend(self.colocation());
        }
        if self.on(Theme::Tickets, 10) {
            for _ in 0..self.dice.within(1, 2) {
                let made = self.ticket();
                tree.children.push(made);
            }
        }
        tree
    }

    /// Something that constraints can name.
    fn anything(&mut self) -> String {
        if self.wished(Theme::Tags) && !self.tags.is_empty() && self.dice.chance(400) {
            return self.tags[self.dice.below(self.tags.len())].0.clone();
        }
        if self.has_template && self.dice.chance(100) {
            return "tmpl".into();
        }
        let top = self.tops[self.dice.below(self.tops.len())].clone();
        if top.device && self.dice.chance(700) {
            // Devices are rarely bound.
            return self.tops[self.dice.below(self.tops.len())].id.clone();
        }
        if top.group.is_some() && !top.clone && self.dice.chance(150) {
            let member = top.members[self.dice.below(top.members.len())];
            return self.primitives[member].id.clone();
        }
        top.id
    }

    /// Two different things. Mostly in the order in which they stand in the configuration, so that loops are rare.
    fn pair(&mut self) -> Option<(String, String)> {
        let first = self.anything();
        let others: Vec<String> = (0..4).map(|_| self.anything()).collect();
        let then = others.into_iter().find(|then| self.apart(&first, then))?;
        let backwards = self.homes(&first).first() > self.homes(&then).first();
        if backwards && !self.dice.chance(15) { Some((then, first)) } else { Some((first, then)) }
    }

    /// The places of the resources at the top that a name stands for; a template stands for none.
    fn homes(&self, id: &str) -> Vec<usize> {
        if let Some((_, members)) = self.tags.iter().find(|(tag, _)| tag == id) {
            return members.iter().flat_map(|member| self.homes(member)).collect();
        }
        let is_home = |top: &Top| top.id == id || top.members.iter().any(|at| self.primitives[*at].id == id);
        self.tops.iter().position(is_home).into_iter().collect()
    }

    /// Whether two names have no resource in common.
    fn apart(&self, first: &str, second: &str) -> bool {
        let (first, second) = (self.homes(first), self.homes(second));
        !first.is_empty() && !second.is_empty() && first.iter().all(|home| !second.contains(home))
    }

    /// Some different resources.
    fn several(&mut self, most: usize) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for _ in 0..most {
            let next = self.anything();
            let new = found.iter().all(|known| self.apart(known, &next));
            if new && !next.starts_with("tag") && next != "tmpl" {
                found.push(next);
            }
        }
        if !self.dice.chance(20) {
            found.sort_by_key(|id| self.homes(id));
        }
        found
    }

    fn is_promotable(&self, id: &str) -> bool {
        self.tops.iter().any(|top| top.id == id && top.promotable)
    }

    fn score(&mut self) -> &'static str {
        self.dice.pick(&SCORES)
    }

    fn location(&mut self) -> Tree {
        let mut tree = Tree::new("rsc_location").with("id", self.id("loc"));
        let id = self.anything();
        let promotable = self.is_promotable(&id);
        if self.dice.chance(60) {
            let pattern = self.dice.pick(&["rsc.*", ".*", "rsc[12]", "^grp(.*)$"]);
            tree = tree.with("rsc-pattern", pattern);
        } else if self.dice.chance(60) {
            let mut set = Tree::new("resource_set").with("id", self.id("rset"));
            for id in self.several(3) {
                set.children.push(Tree::new("resource_ref").with("id", id));
            }
            if set.children.is_empty() {
                set.children.push(Tree::new("resource_ref").with("id", id));
            }
            tree.children.push(set);
        } else {
            tree = tree.with("rsc", id);
            if promotable && self.dice.chance(200) {
                tree = tree.with("role", self.dice.pick(&["Promoted", "Unpromoted", "Started"]));
            }
        }
        if self.on(Theme::RulesAttributes, 150) || (self.wished(Theme::RulesDates) && self.dice.chance(700)) {
            let mut rule = self.rule(Place::Location);
            if self.dice.chance(900) {
                rule = rule.with("score", self.score());
            } else {
                rule = rule.with("score-attribute", self.dice.pick(&["pingd", "rack"]));
            }
            if promotable && self.dice.chance(300) {
                rule = rule.with("role", self.dice.pick(&["Promoted", "Started"]));
            }
            tree.children.push(rule);
        } else {
            let node = self.nodes[self.dice.below(self.nodes.len())].name.clone();
            tree = tree.with("node", node).with("score", self.score());
        }
        if self.on(Theme::Discovery, 20) {
            tree = tree.with("resource-discovery", self.dice.pick(&["always", "never", "exclusive"]));
        }
        tree
    }

    fn kind_of_order(&mut self, mut tree: Tree) -> Tree {
        if self.on(Theme::OrderKinds, 150) {
            tree = tree.with("kind", self.dice.pick(&["Optional", "Serialize"]));
        } else if self.dice.chance(300) {
            tree = tree.with("kind", "Mandatory");
        } else if self.dice.chance(60) {
            tree = tree.with("score", self.dice.pick(&["0", "INFINITY", "100"]));
        }
        if !tree.says("kind", "Serialize") && self.on(Theme::OrderAsymmetrical, 80) {
            tree = tree.with("symmetrical", false);
        } else if self.dice.chance(60) && !tree.says("kind", "Serialize") {
            tree = tree.with("symmetrical", true);
        }
        tree
    }

    fn order(&mut self) -> Option<Tree> {
        let tree = Tree::new("rsc_order").with("id", self.id("ord"));
        let mut tree = self.kind_of_order(tree);
        let sets = self.on(Theme::OrderSets, 80);
        let one_or_more = self.on(Theme::OrderOneOrMore, 30);
        if sets || one_or_more {
            let mut sets = self.sets(true)?;
            if one_or_more {
                sets[0].attributes.retain(|(name, _)| name != "sequential" && name != "require-all");
                sets[0].attributes.push(("sequential".into(), "false".into()));
                sets[0].attributes.push(("require-all".into(), "false".into()));
            }
            tree.children = sets;
            return Some(tree);
        }
        let (first, then) = self.pair()?;
        for (end, id) in [("first-action", &first), ("then-action", &then)] {
            let promotable = self.is_promotable(id);
            let chance = if promotable { 350 } else { 40 };
            if self.on(Theme::OrderActions, chance) {
                let actions: &[&str] = if promotable {
                    &["start", "promote", "demote", "stop", "promote"]
                } else {
                    &["start", "stop"]
                };
                tree = tree.with(end, self.dice.pick(actions));
            }
        }
        tree = tree.with("first", &first).with("then", &then);
        if self.tops.iter().any(|top| top.clone && top.id == first) && self.dice.chance(80) {
            tree = tree.with("require-all", false);
        }
        Some(tree)
    }

    /// Sets of resources; at least two resources in all.
    fn sets(&mut self, ordering: bool) -> Option<Vec<Tree>> {
        let several = self.several(5);
        if several.len() < 2 {
            return None;
        }
        let cut = if several.len() > 2 && self.dice.chance(700) {
            1 + self.dice.below(several.len() - 1)
        } else if self.dice.chance(300) {
            1
        } else {
            several.len()
        };
        let mut made = Vec::new();
        for part in [&several[..cut], &several[cut..]] {
            if part.is_empty() {
                continue;
            }
            let mut set = Tree::new("resource_set").with("id", self.id("rset"));
            if self.dice.chance(350) {
                set = set.with("sequential", self.dice.chance(250));
            }
            let promotable = part.iter().all(|id| self.is_promotable(id));
            if ordering && self.dice.chance(if promotable { 400 } else { 60 }) {
                let actions: &[&str] = if promotable { &["promote", "demote"] } else { &["start", "stop"] };
                set = set.with("action", self.dice.pick(actions));
            } else if !ordering && self.dice.chance(if promotable { 500 } else { 30 }) {
                let roles: &[&str] = if promotable { &["Promoted", "Unpromoted"] } else { &["Started"] };
                set = set.with("role", self.dice.pick(roles));
            }
            if ordering && self.dice.chance(50) {
                set = set.with("require-all", false);
            }
            if !ordering && self.dice.chance(60) {
                set = set.with("ordering", self.dice.pick(&["group", "listed"]));
            }
            for id in part {
                set.children.push(Tree::new("resource_ref").with("id", id));
            }
            made.push(set);
        }
        Some(made)
    }

    fn colocation(&mut self) -> Option<Tree> {
        let mut tree = Tree::new("rsc_colocation").with("id", self.id("col"));
        if !self.dice.chance(50) {
            tree = tree.with("score", self.score());
        }
        if self.on(Theme::ColocationInfluence, 40) {
            tree = tree.with("influence", self.dice.pick(&["true", "false", "false"]));
        }
        if self.on(Theme::ColocationSets, 80) {
            tree.children = self.sets(false)?;
            return Some(tree);
        }
        let (primary, dependent) = self.pair()?;
        tree = tree.with("rsc", &dependent).with("with-rsc", &primary);
        if self.on(Theme::ColocationAttribute, 40) {
            tree = tree.with("node-attribute", self.dice.pick(&["site", "rack"]));
        }
        for (end, id) in [("rsc-role", &dependent), ("with-rsc-role", &primary)] {
            let chance = if self.is_promotable(id) { 450 } else { 10 };
            if self.dice.chance(chance) {
                let roles: &[&str] = if self.is_promotable(id) {
                    &["Promoted", "Promoted", "Started", "Unpromoted"]
                } else {
                    &["Started"]
                };
                tree = tree.with(end, self.dice.pick(roles));
            }
        }
        Some(tree)
    }

    fn ticket(&mut self) -> Tree {
        let ticket = self.dice.pick(&["ticketA", "ticketB"]);
        self.tickets.push(ticket);
        let mut tree = Tree::new("rsc_ticket").with("id", self.id("tick"));
        let id = self.anything();
        if self.dice.chance(150) {
            let set = Tree::new("resource_set").with("id", self.id("rset"));
            tree.children.push(set.holding(Tree::new("resource_ref").with("id", id)));
        } else {
            let promotable = self.is_promotable(&id);
            tree = tree.with("rsc", id);
            if promotable && self.dice.chance(600) {
                tree = tree.with("rsc-role", self.dice.pick(&["Promoted", "Unpromoted", "Started"]));
            }
        }
        tree = tree.with("ticket", ticket);
        if self.dice.chance(700) {
            tree = tree.with("loss-policy", self.dice.pick(&["stop", "demote", "fence", "freeze"]));
        }
        tree
    }
}
