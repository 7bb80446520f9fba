//! Rules: of dates, of attributes, of resources and operations.

use super::World;
use crate::themes::Theme;
use crate::tree::Tree;

/// Where a rule stands: what may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a location constraint.
    Location,
    /// Where only the time counts.
    Dates,
    /// In a resource's parameters.
    Parameters,
    /// In the defaults of resources.
    Resources,
    /// In the defaults of operations.
    Operations,
}

impl World {
    pub(super) fn rule(&mut self, place: Place) -> Tree {
        let mut rule = Tree::new("rule").with("id", self.id("rule"));
        let count = self.dice.weighted(&[(1, 65), (2, 28), (3, 7)]);
        if count > 1 || self.dice.chance(150) {
            rule = rule.with("boolean-op", self.dice.pick(&["and", "or"]));
        }
        for _ in 0..count {
            let nested = self.dice.chance(60);
            let part = if nested { self.nested(place) } else { self.expression(place) };
            rule.children.push(part);
        }
        rule
    }

    fn nested(&mut self, place: Place) -> Tree {
        let first = self.expression(place);
        let second = self.expression(place);
        let operator = self.dice.pick(&["and", "or"]);
        Tree::new("rule")
            .with("id", self.id("rule"))
            .with("boolean-op", operator)
            .holding(first)
            .holding(second)
    }

    fn expression(&mut self, place: Place) -> Tree {
        let dates = if self.wished(Theme::RulesDates) { 600 } else { 120 };
        match place {
            Place::Dates => self.date(),
            _ if self.dice.chance(dates) => self.date(),
            Place::Location | Place::Parameters => self.attribute_expression(),
            Place::Resources => self.resource_expression(),
            Place::Operations => {
                if self.dice.chance(700) {
                    self.operation_expression()
                } else {
                    self.resource_expression()
                }
            }
        }
    }

    fn attribute_expression(&mut self) -> Tree {
        let (attribute, values): (&str, &[&str]) = self.dice.pick(&[
            ("site", &["a", "b", "c"][..]),
            ("rack", &["1", "2", "10"][..]),
            ("#uname", &["node1", "node2", "node3"][..]),
            ("#id", &["1", "2"][..]),
            ("pingd", &["0", "100", "1000"][..]),
            ("#kind", &["cluster"][..]),
            ("#is_dc", &["true", "false"][..]),
        ]);
        let tree = Tree::new("expression").with("id", self.id("expr")).with("attribute", attribute);
        if self.dice.chance(200) {
            return tree.with("operation", self.dice.pick(&["defined", "not_defined"]));
        }
        let operator = self.dice.pick(&["eq", "ne", "lt", "gt", "lte", "gte"]);
        let tree = tree.with("operation", operator).with("value", self.dice.pick(values));
        if self.dice.chance(300) {
            // Versions with letters in them make crm_simulate run for ever.
            let numbers = matches!(attribute, "rack" | "pingd");
            let types: &[&str] =
                if numbers { &["string", "number", "integer", "version"] } else { &["string"] };
            return tree.with("type", self.dice.pick(types));
        }
        tree
    }

    /// The time of all CIBs is 2023-11-14 22:13:20 UTC, a Tuesday in week 46.
    fn date(&mut self) -> Tree {
        let tree = Tree::new("date_expression").with("id", self.id("date"));
        let earlier = ["2023-11-14", "2023-11-14 21:00:00", "2020-01-01", "2023-11-14 23:00:00 +01:00"];
        let later = ["2023-11-15", "2023-11-14 23:00:00Z", "2030-12-31", "2023-11-14 22:14:00"];
        let (early, late) = (self.dice.pick(&earlier), self.dice.pick(&later));
        match self.dice.below(7) {
            0 => tree.with("operation", "lt").with("end", self.dice.pick(&[early, late])),
            1 => tree.with("operation", "gt").with("start", self.dice.pick(&[early, late])),
            2 => tree.with("operation", "in_range").with("start", early).with("end", late),
            3 => {
                let bound = if self.dice.chance(500) { ("start", late) } else { ("end", early) };
                tree.with("operation", "in_range").with(bound.0, bound.1)
            }
            4 => {
                let (unit, value) = self.dice.pick(&[
                    ("hours", "2"),
                    ("minutes", "90"),
                    ("days", "1"),
                    ("weeks", "2"),
                    ("months", "1"),
                    ("years", "1"),
                    ("seconds", "10"),
                ]);
                let duration = Tree::new("duration").with("id", self.id("dur")).with(unit, value);
                tree.with("operation", "in_range").with("start", early).holding(duration)
            }
            _ => {
                let units: [(&str, &[&str]); 9] = [
                    ("hours", &["9-16", "22", "20-", "-5"]),
                    ("weekdays", &["1-5", "2", "6-7"]),
                    ("years", &["2023", "2024-2030", "2020-"]),
                    ("months", &["11", "1-6"]),
                    ("monthdays", &["14", "1-10", "31"]),
                    ("minutes", &["0-13", "13", "14-59"]),
                    ("weeks", &["46", "1-20"]),
                    ("yeardays", &["318", "1-100"]),
                    ("weekyears", &["2023", "2024"]),
                ];
                let mut spec = Tree::new("date_spec").with("id", self.id("spec"));
                for _ in 0..self.dice.weighted(&[(1, 6), (2, 4)]) {
                    let (unit, values) = self.dice.pick(&units);
                    if spec.attribute(unit).is_none() {
                        spec = spec.with(unit, self.dice.pick(values));
                    }
                }
                tree.with("operation", "date_spec").holding(spec)
            }
        }
    }

    fn resource_expression(&mut self) -> Tree {
        let tree = Tree::new("rsc_expression").with("id", self.id("rexpr"));
        match self.dice.below(4) {
            0 => tree.with("class", self.dice.pick(&["ocf", "systemd", "stonith"])),
            1 => tree.with("class", "ocf").with("provider", self.dice.pick(&["pacemaker", "heartbeat"])),
            2 => tree.with("type", self.dice.pick(&["Dummy", "Stateful", "IPaddr2"])),
            _ => tree.with("class", "ocf").with("provider", "pacemaker").with("type", "Dummy"),
        }
    }

    fn operation_expression(&mut self) -> Tree {
        let name = self.dice.pick(&["monitor", "start", "stop", "promote", "migrate_to"]);
        let tree = Tree::new("op_expression").with("id", self.id("oexpr")).with("name", name);
        if self.dice.chance(250) { tree.with("interval", self.dice.pick(&["10s", "20s", "0"])) } else { tree }
    }
}
