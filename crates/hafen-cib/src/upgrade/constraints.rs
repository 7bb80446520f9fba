//! Location constraints and rules.

use super::{PREFIX, Upgrader};
use crate::xml::{Element, NodeId};

impl Upgrader<'_> {
    /// A location constraint has one rule: several become as many constraints.
    pub(super) fn locations(&mut self) {
        for location in self.find(|element| element.name() == "rsc_location") {
            let rules = self.children(location, &["rule"]);
            if rules.len() < 2 {
                continue;
            }
            let element = self.element(location);
            let (id, position) = (element.id().unwrap_or_default().to_owned(), element.position());
            let Some(parent) = element.parent().map(Element::node) else { continue };
            for (number, rule) in rules.iter().enumerate() {
                let copy = self.cib.document_mut().duplicate(parent, position + number, location);
                for old in self.children(copy, &["rule"]) {
                    self.remove(old);
                }
                self.set(copy, "id", &format!("{PREFIX}{id}-{}", number + 1));
                self.cib.document_mut().move_to(*rule, copy, usize::MAX);
            }
            self.remove(location);
        }
    }

    /// For how long a constraint holds is said by its rule.
    pub(super) fn lifetimes(&mut self) {
        for lifetime in self.find(|element| element.name() == "lifetime") {
            let around = self.element(lifetime).parent();
            let Some(location) = around.filter(|around| around.name() == "rsc_location").map(Element::node)
            else {
                self.remove(lifetime);
                continue;
            };
            let conditions = self.children(lifetime, &["rule"]);
            let own = self.children(location, &["rule"]);
            let id = format!("{PREFIX}{}", self.value(location, "id"));
            let both = [("id", format!("{id}-lifetime-and-rule")), ("boolean-op", "and".to_owned())];
            let both: Vec<(&str, &str)> = both.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let rule = self.add(location, "rule", &both);
            for own in own {
                self.cib.document_mut().move_to(own, rule, usize::MAX);
            }
            if let Some(node) = self.element(location).attribute("node").map(str::to_owned) {
                self.on_node(location, rule, &id, &node);
            }
            for condition in conditions {
                self.cib.document_mut().move_to(condition, rule, usize::MAX);
            }
            self.remove(lifetime);
        }
    }

    /// A node and a score as a rule.
    fn on_node(&mut self, location: NodeId, around: NodeId, id: &str, node: &str) {
        let score = self.value(location, "score");
        let (rule_id, expression_id) =
            (format!("{id}-node-score-rule"), format!("{id}-node-score-rule-expr"));
        let rule = self.add(around, "rule", &[("id", &rule_id), ("score", &score)]);
        let expression =
            [("id", expression_id.as_str()), ("attribute", "#uname"), ("operation", "eq"), ("value", node)];
        self.add(rule, "expression", &expression);
        self.unset(location, "node");
        self.unset(location, "score");
    }

    /// No rule asks for the moon any more.
    pub(super) fn rules(&mut self) {
        for specification in self.find(|element| element.name() == "date_spec") {
            self.unset(specification, "moon");
        }
    }
}
