//! The random constraints and lists of a configuration, one function for each statement.

use super::generate::Generator;
use super::objects::words;

impl Generator {
    /// Members in sets with brackets of both kinds, and at times with what they do.
    fn sets(&mut self, suffixes: &[&str]) -> Vec<String> {
        let count = 3 + self.dice.below(4);
        let mut left = self.several(count);
        let mut said = Vec::new();
        while !left.is_empty() {
            let size = (1 + self.dice.below(3)).min(left.len());
            let suffix =
                if self.dice.chance(20) { format!(":{}", self.dice.pick(suffixes)) } else { String::new() };
            let mut members: Vec<String> = left.drain(..size).map(|id| id + &suffix).collect();
            match self.dice.below(4) {
                0 => {
                    members.insert(0, "(".to_string());
                    members.push(")".to_string());
                }
                1 => {
                    members.insert(0, "[".to_string());
                    if self.dice.chance(20) {
                        members.push("sequential=true".to_string());
                    }
                    members.push("]".to_string());
                }
                2 if self.dice.chance(30) => members.push("sequential=false".to_string()),
                _ => {}
            }
            said.extend(members);
        }
        said
    }

    fn two_or_sets(&mut self, suffixes: &[&str]) -> Option<Vec<String>> {
        if self.dice.chance(40) && self.resources.len() > 2 {
            return Some(self.sets(suffixes));
        }
        let mut two = self.several(2);
        if two.len() < 2 {
            return None;
        }
        for member in &mut two {
            if self.dice.chance(20) {
                *member += &format!(":{}", self.dice.pick(suffixes));
            }
        }
        Some(two)
    }

    pub(super) fn colocation(&mut self) {
        let name = self.name("col");
        let score = self.score();
        let mut said = words(&format!("colocation {name} {score}:"));
        let Some(resources) = self.two_or_sets(&["Started", "Promoted", "Unpromoted"]) else { return };
        said.extend(resources);
        if self.dice.chance(10) {
            said.push("node-attribute=site".to_string());
        }
        self.say(said);
    }

    pub(super) fn order(&mut self) {
        const KINDS: [&str; 6] = ["Mandatory:", "Optional:", "Serialize:", "inf:", "0:", ""];
        let name = self.name("ord");
        let kind = self.dice.pick(&KINDS).to_string();
        let mut said = words(&format!("order {name} {kind}"));
        let Some(resources) = self.two_or_sets(&["start", "promote", "stop", "demote"]) else { return };
        said.extend(resources);
        if kind != "Serialize:" && self.dice.chance(30) {
            let value = self.dice.pick(&["true", "false"]);
            said.push(format!("symmetrical={value}"));
        }
        self.say(said);
    }

    pub(super) fn ticket(&mut self) {
        let name = self.name("tkt");
        let mut said = words(&format!("rsc_ticket {name} ticketA:"));
        if self.dice.chance(50) {
            said.push(self.resource());
        } else {
            said.extend(self.sets(&["Promoted", "Started"]));
        }
        if self.dice.chance(50) {
            let policy = self.dice.pick(&["stop", "demote", "fence", "freeze"]);
            said.push(format!("loss-policy={policy}"));
        }
        self.say(said);
    }

    pub(super) fn tag(&mut self) {
        let name = self.name("tag");
        let colon = self.dice.pick(&["", ":"]).to_string();
        let count = 1 + self.dice.below(3);
        let members = self.several(count).join(" ");
        self.say(words(&format!("tag {name}{colon} {members}")));
    }

    pub(super) fn access(&mut self) {
        const RIGHTS: [&str; 9] = [
            "xpath:/cib/configuration",
            "xpath:\"//nodes\"",
            "ref:vm1",
            "type:primitive",
            "type:node attribute:x",
            "property",
            "node",
            "status",
            "nodeattr",
        ];
        let name = self.name("role");
        let mut said = words(&format!("role {name}"));
        if self.dice.chance(15) {
            said.push("description=watchers".to_string());
        }
        for _ in 0..1 + self.dice.below(3) {
            let right = self.dice.pick(&["read", "write", "deny"]);
            let what = if self.dice.chance(30) {
                let resource = self.resource();
                let set = self.dice.pick(&["meta", "params", "utilization"]);
                match (set, self.dice.chance(50)) {
                    ("utilization", _) | (_, false) => format!("{set}:{resource}"),
                    (_, true) => format!("{set}:{resource}:x"),
                }
            } else {
                self.dice.pick(&RIGHTS).to_string()
            };
            said.extend(words(&format!("{right} {what}")));
        }
        self.say(said);
        self.roles.push(name.clone());
        if self.dice.chance(60) {
            let who = self.name("joe");
            let word = if self.dice.chance(70) { "acl_target" } else { "acl_group" };
            let roles = self.roles.join(" ");
            self.say(words(&format!("{word} {who} {roles}")));
        }
    }

    pub(super) fn alert(&mut self) {
        let name = self.name("alert");
        let mut said = words(&format!("alert {name} /usr/bin/tell.sh"));
        if self.dice.chance(10) {
            said.push("description=\"tells all\"".to_string());
        }
        if self.dice.chance(40) {
            said.push("attributes".to_string());
            said.extend(self.pairs(&["mail_from", "subject"]));
        }
        if self.dice.chance(40) {
            said.extend(words("meta timeout=15s"));
        }
        if self.dice.chance(40) {
            let kinds = self.dice.some(&["nodes", "fencing", "resources"], 60);
            let names = if self.dice.chance(40) { "attributes { pingd standby }" } else { "" };
            if !kinds.is_empty() || !names.is_empty() {
                said.extend(words(&format!("select {} {names}", kinds.join(" "))));
            }
        }
        for number in 0..self.dice.below(3) {
            let braced = self.dice.chance(40);
            said.push("to".to_string());
            said.extend(braced.then(|| "{".to_string()));
            said.push(format!("/var/log/{number}.log"));
            if self.dice.chance(40) {
                said.push("attributes".to_string());
                said.extend(self.pairs(&["mail_to"]));
            }
            if self.dice.chance(30) {
                said.extend(words("meta timeout=5s"));
            }
            said.extend(braced.then(|| "}".to_string()));
        }
        self.say(said);
    }

    pub(super) fn monitor(&mut self) {
        let Some(resource) = self.free.first().cloned() else { return };
        let timeout = self.dice.pick(&["", ":30s"]).to_string();
        let interval = 61 + self.statements.len();
        self.say(words(&format!("monitor {resource} {interval}s{timeout}")));
    }

    pub(super) fn xml(&mut self) {
        let name = self.name("xmlp");
        self.say(vec![
            "xml".to_string(),
            format!("<primitive id=\"{name}\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\">"),
            format!(
                "<instance_attributes id=\"{name}-p\"><nvpair id=\"{name}-f\" name=\"fake\" value=\"a b\"/>"
            ),
            "</instance_attributes></primitive>".to_string(),
        ]);
        self.resources.push(name);
    }

    pub(super) fn bundle(&mut self) {
        let name = self.name("bnd");
        let container = self.dice.pick(&["docker", "podman"]).to_string();
        let mut said = words(&format!("bundle {name} {container} image=pcmk:http"));
        if self.dice.chance(60) {
            said.push(format!("replicas={}", 1 + self.dice.below(3)));
        }
        if self.dice.chance(30) {
            said.push("options=\"--log-driver=journald --x\"".to_string());
        }
        if self.dice.chance(60) {
            said.extend(words("network ip-range-start=192.168.1.10 host-netmask=24"));
            if self.dice.chance(60) {
                let id = self.name("port");
                said.extend(words(&format!("port-mapping id={id} port=80")));
            }
        }
        if self.dice.chance(60) {
            let id = self.name("store");
            said.extend(words(&format!(
                "storage storage-mapping id={id} source-dir=/srv/www target-dir=/var/www options=rw"
            )));
        }
        if self.dice.chance(30) {
            said.extend(words("meta target-role=Stopped"));
        }
        if self.dice.chance(50) && !self.free.is_empty() {
            let at = self.dice.below(self.free.len());
            let member = self.free.swap_remove(at);
            said.extend(words(&format!("primitive {member}")));
        }
        self.say(said);
        self.resources.push(name);
    }

    pub(super) fn options(&mut self) {
        let word = self.dice.pick(&["property", "rsc_defaults", "op_defaults"]).to_string();
        // crmsh shows several sets by their ids, though their order counts, and takes an unnamed one only once.
        if self.statements.iter().any(|said| said[0] == word) && !self.own(100) {
            return;
        }
        let mut said = vec![word.clone()];
        let named = match self.dice.below(5) {
            0 => Some(format!("$id={}", self.name("set"))),
            1 => Some(format!("{}:", self.name("set").replace('.', "-"))),
            _ => None,
        };
        // A rule that comes later crmsh puts behind the values.
        let ruled = named.is_some() || self.own(100);
        said.extend(named);
        if word != "property" && ruled && self.dice.chance(40) {
            said.extend(self.rule());
        }
        let names: &[&str] = match word.as_str() {
            "property" => &["stonith-enabled", "no-quorum-policy", "cluster-name", "x-own"],
            "rsc_defaults" => &["resource-stickiness", "migration-threshold", "failure-timeout"],
            _ => &["timeout", "record-pending", "on-fail"],
        };
        said.extend(self.pairs(names));
        self.say(said);
    }

    pub(super) fn topology(&mut self) {
        if self.devices.is_empty() {
            return;
        }
        let mut said = vec!["fencing_topology".to_string()];
        // Which nodes there are crmsh knows only after they are committed.
        if self.own(30) {
            said.extend(self.devices.clone());
        } else {
            let mut targets: Vec<String> = self.nodes.iter().map(|node| format!("{node}:")).collect();
            // crmsh reads these, but shows them as XML.
            if self.own(100) {
                targets.extend(["attr:site=a".to_string(), "pattern:web.*".to_string()]);
            }
            for target in self.dice.some(&targets, 50) {
                said.push(target);
                let devices = self.dice.some(&self.devices.clone(), 60);
                match devices.is_empty() {
                    true => said.push(self.devices[0].clone()),
                    false if self.dice.chance(30) => said.push(devices.join(",")),
                    false => said.extend(devices),
                }
            }
            if said.len() == 1 {
                return;
            }
        }
        self.say(said);
    }
}
