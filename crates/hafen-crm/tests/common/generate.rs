//! Random configurations in the language.

use super::dice::Dice;

/// A configuration being made: what there is already, for others to refer to.
pub struct Generator {
    dialect: Dialect,
    pub(super) dice: Dice,
    pub(super) statements: Vec<Vec<String>>,
    pub(super) nodes: Vec<String>,
    pub(super) templates: Vec<String>,
    /// Primitives that are in nothing.
    pub(super) free: Vec<String>,
    /// Groups that are in nothing.
    pub(super) groups: Vec<String>,
    /// All resources.
    pub(super) resources: Vec<String>,
    pub(super) devices: Vec<String>,
    pub(super) roles: Vec<String>,
    /// Objects with meta attributes, which others can use by `$id-ref`.
    pub(super) lists: Vec<String>,
    number: usize,
}

/// Which forms are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// What crmsh takes as well, and makes the same of.
    Common,
    /// All of the language.
    Whole,
}

/// A configuration of a seed, as text.
pub fn text(seed: u64, dialect: Dialect) -> String {
    let mut generator = Generator::new(seed, dialect);
    generator.configuration();
    generator.write()
}

impl Generator {
    pub fn new(seed: u64, dialect: Dialect) -> Generator {
        Generator {
            dialect,
            dice: Dice::new(seed),
            statements: Vec::new(),
            nodes: Vec::new(),
            templates: Vec::new(),
            free: Vec::new(),
            groups: Vec::new(),
            resources: Vec::new(),
            devices: Vec::new(),
            roles: Vec::new(),
            lists: Vec::new(),
            number: 0,
        }
    }

    fn configuration(&mut self) {
        for _ in 0..2 + self.dice.below(3) {
            self.node();
        }
        for _ in 0..self.dice.below(3) {
            self.template();
        }
        for _ in 0..3 + self.dice.below(8) {
            self.primitive();
        }
        for _ in 0..self.dice.below(3) {
            self.device();
        }
        for _ in 0..self.dice.below(5) {
            self.parent();
        }
        for _ in 0..self.dice.below(8) {
            match self.dice.below(6) {
                0 | 1 => self.location(),
                2 => self.colocation(),
                3 => self.order(),
                4 => self.ticket(),
                _ => self.tag(),
            }
        }
        for _ in 0..self.dice.below(5) {
            match self.dice.below(6) {
                0 => self.access(),
                1 => self.alert(),
                2 => self.monitor(),
                3 => self.xml(),
                4 => self.bundle(),
                _ => self.options(),
            }
        }
        if self.dice.chance(50) {
            self.options();
        }
        if self.dice.chance(40) {
            self.topology();
        }
    }

    /// The statements as a text: in lines of their own, continued, with comments between them.
    pub fn write(&mut self) -> String {
        let mut text = String::new();
        for words in std::mem::take(&mut self.statements) {
            if self.dice.chance(5) {
                text += self
                    .dice
                    .pick(&["# a comment: primitive x y\n", "#primitive x Dummy \\\n\tparams y=1\n"]);
            }
            if self.dice.chance(5) {
                text += "\n";
            }
            let style = self.dice.below(3);
            for (at, word) in words.iter().enumerate() {
                if at > 0 {
                    let next = style == 1 && self.dice.chance(15) || style == 2 && is_section(word);
                    text += if next { " \\\n\t" } else { " " };
                }
                text += word;
            }
            text.push('\n');
        }
        text
    }

    /// Whether a form is drawn that crmsh does not take, or makes something else of.
    pub(super) fn own(&mut self, percent: usize) -> bool {
        self.dialect == Dialect::Whole && self.dice.chance(percent)
    }

    pub(super) fn say(&mut self, words: Vec<String>) {
        self.statements.push(words);
    }

    /// A name that was not there.
    pub(super) fn name(&mut self, head: &str) -> String {
        self.number += 1;
        let form = self.dice.below(12);
        match form {
            0 => format!("{head}-{}", self.number),
            1 => format!("{head}_{}.x", self.number),
            2 => format!("{}{}", head.to_uppercase(), self.number),
            _ => format!("{head}{}", self.number),
        }
    }

    /// One of the resources.
    pub(super) fn resource(&mut self) -> String {
        let at = self.dice.below(self.resources.len());
        self.resources[at].clone()
    }

    /// So many different resources, if there are.
    pub(super) fn several(&mut self, count: usize) -> Vec<String> {
        let mut all = self.resources.clone();
        let mut some = Vec::new();
        while some.len() < count && !all.is_empty() {
            some.push(all.swap_remove(self.dice.below(all.len())));
        }
        some
    }

    pub(super) fn node_name(&mut self) -> String {
        let at = self.dice.below(self.nodes.len());
        self.nodes[at].clone()
    }

    /// A value, in quotes where it needs them, and sometimes where not.
    pub(super) fn value(&mut self) -> String {
        const VALUES: [&str; 16] = [
            "1",
            "x",
            "true",
            "a b",
            "it's",
            "50%",
            "/var/lib/x.conf",
            "a=b",
            "10.0.0.1",
            "-1",
            "x;y,z",
            "#h",
            "<&>",
            "no",
            "yes",
            "v_1-2",
        ];
        // crmsh writes other letters as their numbers, ampersand and all.
        let value = if self.own(10) { "naïve" } else { self.dice.pick(&VALUES) };
        let plain = value.chars().all(|char| char.is_ascii_alphanumeric() || "._-/=;,%".contains(char));
        if plain && self.dice.chance(80) { value.to_string() } else { format!("\"{value}\"") }
    }

    /// `NAME=VALUE` of some of these names.
    pub(super) fn pairs(&mut self, names: &[&str]) -> Vec<String> {
        let mut some = self.dice.some(names, 40);
        if some.is_empty() {
            some.push(self.dice.pick(names));
        }
        some.into_iter().map(|name| format!("{name}={}", self.value())).collect()
    }

    /// The head of a list: at times a name, a score, a rule.
    pub(super) fn list_head(&mut self, id: &str) -> Vec<String> {
        let mut words = Vec::new();
        if self.dice.chance(8) {
            words.push(format!("$id={}", self.name(id)));
        }
        if self.dice.chance(6) {
            // crmsh takes `inf` there as it is.
            let score = self.score();
            words.push(if score.ends_with("inf") && !self.own(100) {
                "INFINITY:".into()
            } else {
                format!("{score}:")
            });
        }
        if self.dice.chance(10) {
            words.extend(self.rule());
        }
        words
    }

    pub(super) fn meta(&mut self) -> Vec<String> {
        const NAMES: [&str; 6] = [
            "priority",
            "is-managed",
            "resource-stickiness",
            "migration-threshold",
            "failure-timeout",
            "x-y",
        ];
        let mut words = self.list_head("meta");
        if self.dice.chance(25) {
            let role = self.dice.pick(&["Started", "Stopped"]);
            words.push(format!("target-role={role}"));
        }
        words.extend(self.pairs(&NAMES));
        words
    }

    pub(super) fn params(&mut self) -> Vec<String> {
        let mut words = self.list_head("params");
        words.extend(self.pairs(&["fake", "state", "passwd", "op_sleep", "envfile"]));
        words
    }

    pub(super) fn utilization(&mut self) -> Vec<String> {
        let names = self.dice.some(&["cpu", "memory", "hv_memory"], 60);
        let mut words: Vec<String> =
            names.into_iter().map(|name| format!("{name}={}", self.dice.below(4096))).collect();
        if words.is_empty() {
            words.push("cpu=1".to_string());
        }
        words
    }

    pub(super) fn score(&mut self) -> String {
        const SCORES: [&str; 8] = ["inf", "-inf", "INFINITY", "-INFINITY", "100", "0", "-5", "1000000"];
        self.dice.pick(&SCORES).to_string()
    }

    /// `rule [$role=ROLE] [SCORE:] EXPRESSION [and|or EXPRESSION ...]`.
    pub(super) fn rule(&mut self) -> Vec<String> {
        let mut words = vec!["rule".to_string()];
        if self.dice.chance(8) {
            words.push(format!("$id={}", self.name("rule")));
        }
        if self.dice.chance(70) {
            let score = self.score();
            words.push(format!("{score}:"));
        } else if self.dice.chance(10) {
            words.push("pingd:".to_string());
        }
        let joint = self.dice.pick(&["and", "or"]).to_string();
        for at in 0..1 + self.dice.below(3) {
            if at > 0 {
                words.push(joint.clone());
            }
            words.extend(self.expression());
        }
        words
    }

    fn expression(&mut self) -> Vec<String> {
        let node = self.node_name();
        let number = self.dice.below(100);
        let said = match self.dice.below(12) {
            0 | 1 => format!("#uname eq {node}"),
            2 => format!("#uname ne {node}"),
            3 => "defined pingd".to_string(),
            4 => "not_defined pingd".to_string(),
            5 => format!("pingd lt {number}"),
            6 => format!("pingd number:gte {number}"),
            7 => format!("site version:gt 1.{number}"),
            8 => "date gt 2024-01-01".to_string(),
            9 => format!("date in start=\"2024-01-01 10:00\" end=2025-0{}-01", 1 + number % 9),
            10 => format!("date in start=2024-01-01 hours={number}"),
            _ => "date spec hours=9-16 weekdays=1-5".to_string(),
        };
        // A value with a blank is one word.
        let mut words: Vec<String> = Vec::new();
        let mut open = false;
        for word in said.split(' ') {
            match words.last_mut() {
                Some(last) if open => *last += &format!(" {word}"),
                _ => words.push(word.to_string()),
            }
            open ^= word.matches('"').count() % 2 == 1;
        }
        words
    }
}

fn is_section(word: &str) -> bool {
    matches!(
        word,
        "params" | "meta" | "utilization" | "op" | "rule" | "attributes" | "to" | "select" | "operations"
    )
}
