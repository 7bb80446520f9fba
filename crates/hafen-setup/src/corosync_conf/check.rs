//! What is wrong in a corosync.conf that can be read.

use std::collections::BTreeMap;
use std::fmt;

use super::{CorosyncConf, Transport};

/// Something wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether Corosync cannot work with it; else it is only unwise.
    pub is_error: bool,
    /// What is wrong and where, in a sentence.
    pub what: String,
    /// What to do.
    pub mend: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}. {}", self.what, self.mend)
    }
}

/// Finds what is wrong.
pub fn check(conf: &CorosyncConf) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    check_totem(conf, &mut found);
    check_nodes(conf, &mut found);
    check_quorum(conf, &mut found);
    found.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, what: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Finding { is_error: true, what: what.into(), mend: mend.into() });
    }

    fn warning(&mut self, what: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Finding { is_error: false, what: what.into(), mend: mend.into() });
    }
}

fn check_totem(conf: &CorosyncConf, found: &mut Findings) {
    match conf.value("totem", "version") {
        Some("2") => {}
        None => found.error("totem has no version", "Write 'version: 2' into totem"),
        Some(other) => {
            found.error(format!("totem's version is '{other}'"), "Corosync knows 2 only: write 'version: 2'");
        }
    }
    let knet = match conf.transport() {
        Ok(transport) => transport == Transport::Knet,
        Err(word) => {
            return found.error(format!("the transport '{word}' is none"), "Use knet, udp or udpu");
        }
    };
    let encrypted = |key| conf.value("totem", key).is_some_and(|value| value != "none");
    let asked = encrypted("crypto_cipher") || encrypted("crypto_hash");
    let secauth = conf.value("totem", "secauth").is_some_and(|value| value == "on");
    if !knet && (asked || secauth) {
        found.error(
            "totem encrypts, and its transport cannot",
            "Only knet encrypts: remove crypto_cipher, crypto_hash and secauth, or use knet",
        );
    }
    if knet && !asked && !secauth {
        found.warning(
            "the hosts talk in the clear",
            "Set crypto_cipher: aes256 and crypto_hash: sha256, and give all hosts the same authkey",
        );
    }
    if encrypted("crypto_cipher") && !encrypted("crypto_hash") {
        found.error("crypto_cipher is set without crypto_hash", "Set crypto_hash: sha256");
    }
    if !knet && conf.links().len() > 1 {
        found.error(
            "there are several links, and the transport has one",
            "Only knet has links: use it, or ring0_addr only",
        );
    }
    for key in ["token", "consensus", "join", "token_coefficient", "token_retransmits_before_loss_const"] {
        if let Some(value) = conf.value("totem", key)
            && value.parse::<u32>().is_err()
        {
            found.error(format!("totem's {key} is '{value}'"), "It is a whole number, times in milliseconds");
        }
    }
}

fn check_nodes(conf: &CorosyncConf, found: &mut Findings) {
    let nodes = conf.nodes();
    if nodes.is_empty() {
        found.error(
            "the nodelist is empty",
            "Each host needs a node section with name, nodeid and ring0_addr",
        );
    }
    let mut seen: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let links = conf.links();
    for node in &nodes {
        let label = if node.name.is_empty() { format!("node {}", node.id) } else { node.name.clone() };
        if node.name.is_empty() {
            found.error(
                format!("{label} has no name"),
                "Write 'name:' with what 'uname -n' says on that host",
            );
        }
        if node.id == 0 {
            found.error(format!("{label} has no nodeid, or 0"), "Write 'nodeid:' with a number of its own");
        }
        let missing: Vec<String> = links
            .iter()
            .filter(|link| !node.addresses.contains_key(link))
            .map(|link| format!("ring{link}_addr"))
            .collect();
        if node.addresses.is_empty() || !missing.is_empty() {
            let missing = if missing.is_empty() { "ring0_addr".to_owned() } else { missing.join(", ") };
            found.error(format!("{label} has no {missing}"), "Every host needs an address on every link");
        }
        *seen.entry(("name", node.name.clone())).or_default() += 1;
        *seen.entry(("nodeid", node.id.to_string())).or_default() += 1;
        for address in node.addresses.values() {
            *seen.entry(("address", address.clone())).or_default() += 1;
        }
    }
    for ((what, value), _) in seen.into_iter().filter(|((_, value), count)| *count > 1 && !value.is_empty()) {
        found.error(format!("the {what} {value} is there twice in the nodelist"), "Each host needs its own");
    }
}

fn check_quorum(conf: &CorosyncConf, found: &mut Findings) {
    let hosts = conf.nodes().len();
    if conf.value("quorum", "provider") != Some("corosync_votequorum") {
        found.error("there is no quorum", "Write 'provider: corosync_votequorum' into quorum");
    }
    let two_node = conf.value("quorum", "two_node") == Some("1");
    if two_node && conf.has_quorum_device() {
        found.error("two_node and a quorum device exclude each other", "Remove 'two_node: 1'");
    } else if two_node && hosts != 2 {
        found.error(format!("two_node is set for {hosts} hosts"), "Remove 'two_node: 1'");
    } else if !two_node && hosts == 2 && !conf.has_quorum_device() {
        found.warning(
            "two hosts without two_node stop both when one is lost",
            "Write 'two_node: 1' into quorum, or add a quorum device",
        );
    }
    if let Some(expected) = conf.value("quorum", "expected_votes")
        && !conf.has_quorum_device()
        && expected.parse() != Ok(hosts)
    {
        found.warning(
            format!("expected_votes is {expected} for {hosts} hosts"),
            "Remove it: Corosync counts the nodelist",
        );
    }
}
