//! The random objects of a configuration, one function for each statement.

use super::generate::Generator;

/// Words of a text without quotes.
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_string).collect()
}

impl Generator {
    pub(super) fn node(&mut self) {
        let name = self.name("node");
        let mut said = vec!["node".to_string()];
        match self.dice.below(10) {
            0 => said.push(format!("{}:", 1000 + self.nodes.len())),
            1 => said.push(format!("$id={}", 1000 + self.nodes.len())),
            _ => {}
        }
        let remote = self.dice.chance(6);
        said.push(if remote { format!("{name}:remote") } else { name.clone() });
        if self.dice.chance(10) {
            said.push("description=\"a host\"".to_string());
        }
        if self.dice.chance(30) {
            said.push("attributes".to_string());
            said.extend(self.pairs(&["standby", "site", "rack"]));
        }
        if self.dice.chance(30) {
            said.push("utilization".to_string());
            said.extend(self.utilization());
        }
        self.say(said);
        self.nodes.push(name);
    }

    /// The parts that a primitive and a template have.
    fn parts(&mut self, id: &str, said: &mut Vec<String>) {
        if self.dice.chance(8) {
            said.push("description=\"what it is for\"".to_string());
        }
        if self.dice.chance(50) {
            said.push("params".to_string());
            said.extend(self.params());
        }
        if self.dice.chance(45) {
            said.push("meta".to_string());
            if !self.lists.is_empty() && self.dice.chance(20) {
                let at = self.dice.below(self.lists.len());
                said.push(format!("$id-ref={}", self.lists[at]));
            } else {
                let meta = self.meta();
                // crmsh does not show the name of a list, whatever refers to it.
                if !meta[0].starts_with("$id") || self.own(100) {
                    self.lists.push(id.to_string());
                }
                said.extend(meta);
            }
        }
        if self.dice.chance(20) {
            said.push("utilization".to_string());
            said.extend(self.utilization());
        }
        if self.dice.chance(6) {
            let name = self.name("ops");
            said.extend(["operations".to_string(), format!("$id={name}")]);
        }
        if self.dice.chance(60) {
            for action in ["start", "stop", "monitor"] {
                if self.dice.chance(60) {
                    said.extend(self.operation(action));
                }
            }
        }
    }

    fn operation(&mut self, action: &str) -> Vec<String> {
        let mut said = words(&format!("op {action}"));
        if action == "monitor" {
            said.push(format!("interval={}s", 10 + self.dice.below(50)));
        } else if self.dice.chance(40) {
            said.push("interval=0".to_string());
        }
        if self.dice.chance(60) {
            said.push(format!("timeout={}", 20 + self.dice.below(100)));
        }
        if self.dice.chance(20) {
            let what = self.dice.pick(&["ignore", "restart", "fence", "block"]);
            said.push(format!("on-fail={what}"));
        }
        if action == "monitor" && self.dice.chance(15) {
            said.push("role=Promoted".to_string());
        }
        if self.dice.chance(8) {
            said.push("enabled=false".to_string());
        }
        if self.dice.chance(8) {
            // Without an interval crmsh takes that for a mistake.
            if said.iter().any(|word| word.starts_with("interval")) || self.own(50) {
                said.push("OCF_CHECK_LEVEL=10".to_string());
            }
        } else if self.dice.chance(8) {
            said.extend(words("op_params depth=0"));
        }
        if self.dice.chance(8) {
            said.extend(words("op_meta timeout-x=3"));
        }
        said
    }

    pub(super) fn template(&mut self) {
        let name = self.name("tpl");
        let mut said = words(&format!("rsc_template {name} ocf:heartbeat:Dummy"));
        self.parts(&name, &mut said);
        self.say(said);
        self.templates.push(name);
    }

    pub(super) fn primitive(&mut self) {
        const AGENTS: [&str; 6] = [
            "Dummy",
            "ocf:heartbeat:Dummy",
            "ocf:pacemaker:Dummy",
            "ocf:pacemaker:Stateful",
            "ocf:pacemaker:ping",
            "Dummy",
        ];
        let name = self.name("vm");
        let agent = self.dice.pick(&AGENTS).to_string();
        let agent = match self.templates.first() {
            Some(template) if self.dice.chance(25) => format!("@{template}"),
            _ => agent,
        };
        let mut said = words(&format!("primitive {name} {agent}"));
        if self.dice.chance(10) {
            said.extend(self.pairs(&["fake", "state"]));
        }
        self.parts(&name, &mut said);
        self.say(said);
        self.free.push(name.clone());
        self.resources.push(name);
    }

    pub(super) fn device(&mut self) {
        let name = self.name("st");
        let node = self.node_name();
        let mut said = words(&format!("primitive {name} stonith:null params hostlist={node}"));
        if self.dice.chance(50) {
            said.extend(words("op monitor interval=3600s"));
        }
        self.say(said);
        self.devices.push(name);
    }

    /// A group, a clone or a promotable clone of what is in nothing.
    pub(super) fn parent(&mut self) {
        let form = self.dice.below(4);
        let mut said = match form {
            0 | 1 if self.free.len() >= 2 => {
                let name = self.name("grp");
                let count = 1 + self.dice.below(3.min(self.free.len()));
                let members: Vec<String> = (0..count)
                    .map(|_| {
                        let at = self.dice.below(self.free.len());
                        self.free.swap_remove(at)
                    })
                    .collect();
                self.groups.push(name.clone());
                self.resources.push(name.clone());
                words(&format!("group {name} {}", members.join(" ")))
            }
            _ => {
                let from_group = !self.groups.is_empty() && self.dice.chance(40);
                let pool = if from_group { &mut self.groups } else { &mut self.free };
                if pool.is_empty() {
                    return;
                }
                let at = self.dice.below(pool.len());
                let pool = if from_group { &mut self.groups } else { &mut self.free };
                let member = pool.swap_remove(at);
                // crmsh makes a clone of `ms` only when it commits.
                let word = if self.own(40) { self.dice.pick(&["ms", "master"]) } else { "clone" };
                let name = self.name("cl");
                self.resources.push(name.clone());
                words(&format!("{word} {name} {member}"))
            }
        };
        if self.dice.chance(10) {
            said.push("description=together".to_string());
        }
        if self.dice.chance(50) {
            said.push("meta".to_string());
            if said[0] == "group" {
                said.extend(self.meta());
            } else {
                if self.dice.chance(50) {
                    said.push("promotable=true".to_string());
                }
                said.extend(self.pairs(&["interleave", "clone-max", "notify"]));
            }
        }
        if self.dice.chance(10) {
            said.push("params".to_string());
            said.extend(self.params());
        }
        self.say(said);
    }

    pub(super) fn location(&mut self) {
        let name = self.name("loc");
        let mut said = words(&format!("location {name}"));
        match self.dice.below(8) {
            0 => said.push("/vm.*/".to_string()),
            1 => {
                said.push("{".to_string());
                let count = 2 + self.dice.below(2);
                said.extend(self.several(count));
                if self.dice.chance(30) {
                    said.push("sequential=false".to_string());
                }
                said.push("}".to_string());
            }
            _ => said.push(self.resource()),
        }
        if self.dice.chance(10) {
            said.push("role=Promoted".to_string());
        }
        if self.dice.chance(20) {
            let when = self.dice.pick(&["never", "exclusive", "always"]);
            said.push(format!("resource-discovery={when}"));
        }
        if self.dice.chance(50) {
            let score = self.score();
            said.push(format!("{score}:"));
            said.push(self.node_name());
        } else {
            for _ in 0..1 + self.dice.below(2) {
                said.extend(self.rule());
            }
        }
        self.say(said);
    }
}
