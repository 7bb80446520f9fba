//! Judging the network: ports both ways on every link, the size of packets, and links that share something.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Answer, Lines, Situation, Topic};
use crate::corosync_conf::{CorosyncConf, Transport};
use crate::facts::Facts;

/// Corosync's port for its first link, unless its configuration says otherwise.
const COROSYNC_PORT: u16 = 5405;

pub(super) fn judge(situation: &Situation, lines: &mut Lines) {
    let Some(conf) = &situation.conf else {
        without_cluster(situation, lines);
        return;
    };
    tcp(situation, lines);
    udp(situation, conf, lines);
    mtus(situation, conf, lines);
    shared(situation, conf, lines);
    storage(situation, lines);
}

/// Before there is a cluster: how many networks a link could use.
fn without_cluster(situation: &Situation, lines: &mut Lines) {
    let networks: BTreeSet<String> = situation.facts.addresses.iter().map(|one| one.range()).collect();
    match networks.len() {
        0 => lines.error(
            Topic::Ports,
            "this host has no address that another host could reach",
            "Configure its network first",
        ),
        1 => lines.warning(
            Topic::SinglePoint,
            format!(
                "this host has one network ({}): a switch or cable takes the cluster with it",
                listed(&networks)
            ),
            "Give the hosts a second network on another switch: `hafen init --link NETWORK`",
        ),
        _ => lines.ok(Topic::SinglePoint, format!("networks for links: {}", listed(&networks))),
    }
    storage(situation, lines);
}

fn listed(words: &BTreeSet<String>) -> String {
    words.iter().cloned().collect::<Vec<_>>().join(", ")
}

fn tcp(situation: &Situation, lines: &mut Lines) {
    let mut tried = 0;
    // That a host does not answer at all is said once, and not for each way to it.
    let told = situation.measures.iter().filter(|measure| !is_silent(situation, &measure.to));
    let failed = told.filter(|measure| {
        tried += 1;
        measure.echoes == 0 || measure.failure.is_some()
    });
    // The other way round is a line of its own: a firewall stands at one end.
    for measure in failed {
        let why = measure.failure.clone().unwrap_or_else(|| "no answer".to_owned());
        lines.error(
            Topic::Ports,
            format!(
                "from {} to {} on link {}, TCP port {}: {why}",
                measure.from, measure.to, measure.link, situation.peer_port
            ),
            format!(
                "Open TCP port {} of {} to {} in the firewall, and look whether hafen runs there",
                situation.peer_port, measure.to, measure.from
            ),
        );
    }
    if tried > 0 {
        lines.ok_unless_told(Topic::Ports, format!("TCP {}: {tried} ways open", situation.peer_port));
    }
}

fn udp(situation: &Situation, conf: &CorosyncConf, lines: &mut Lines) {
    let nodes = conf.nodes();
    let name = |id: u32| {
        let node = nodes.iter().find(|node| node.id == id);
        node.map_or_else(|| format!("host {id}"), |node| node.name.clone())
    };
    let states = || situation.known().into_iter().flat_map(|facts| facts.check.links.iter());
    // A host that Corosync sees on no link at all, and whose daemon is silent, is off: said once.
    let is_off = |id: u32| {
        let seen = states().any(|state| state.to == id && state.connected);
        !seen && is_silent(situation, &name(id))
    };
    let mut open = 0;
    for facts in situation.known() {
        for link in &facts.check.links {
            if link.connected {
                open += 1;
                continue;
            }
            if is_off(link.to) {
                continue;
            }
            let port = udp_port(conf, link.link);
            let to = name(link.to);
            let mend = format!(
                "Open UDP port {port} between {} and {to} in both firewalls; look at cable and switch of link {}",
                facts.name, link.link
            );
            lines.error(
                Topic::Ports,
                format!(
                    "Corosync on {} has no connection to {to} on link {} (UDP {port})",
                    facts.name, link.link
                ),
                mend,
            );
        }
    }
    let has_links = conf.transport() == Ok(Transport::Knet) && nodes.len() > 1;
    if open > 0 {
        lines.ok_unless_told(Topic::Ports, format!("UDP, Corosync: {open} ways open"));
    } else if has_links && situation.facts.check.links.is_empty() {
        lines.error(
            Topic::Ports,
            format!("Corosync on {} does not answer", situation.own),
            "Start it with `systemctl start corosync` and look at its log",
        );
    }
}

fn is_silent(situation: &Situation, host: &str) -> bool {
    matches!(situation.others.get(host), Some(Answer::Silent { .. }))
}

fn udp_port(conf: &CorosyncConf, link: u8) -> u16 {
    let mut interfaces =
        conf.root.sections("totem").flat_map(|totem| totem.sections("interface").collect::<Vec<_>>());
    let number = link.to_string();
    let own = interfaces.find(|one| one.get("linknumber").unwrap_or("0") == number);
    let named = own.and_then(|one| one.get("mcastport")).and_then(|text| text.parse().ok());
    named.unwrap_or(COROSYNC_PORT + u16::from(link))
}

/// The interface of a host on a link.
fn interface_of<'a>(conf: &CorosyncConf, facts: &'a Facts, link: u8) -> Option<&'a str> {
    let node = conf.node(&facts.name)?;
    let written = node.addresses.get(&link)?;
    let address: IpAddr = match written.parse() {
        Ok(address) => address,
        Err(_) => *facts.check.names.get(written)?.first()?,
    };
    let own = facts.addresses.iter().find(|own| own.address == address)?;
    Some(&own.interface)
}

fn mtus(situation: &Situation, conf: &CorosyncConf, lines: &mut Lines) {
    let mut told = Vec::new();
    for link in conf.links() {
        let mut sizes: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
        for facts in situation.known() {
            let interface = interface_of(conf, facts, link).and_then(|name| facts.check.interface(name));
            if let Some(mtu) = interface.map(|interface| interface.mtu).filter(|mtu| *mtu > 0) {
                sizes.entry(mtu).or_default().push(&facts.name);
            }
        }
        if sizes.len() > 1 {
            let each: Vec<String> =
                sizes.iter().map(|(mtu, hosts)| format!("{mtu} on {}", hosts.join(", "))).collect();
            lines.error(
                Topic::Mtu,
                format!("the MTU of link {link} differs: {}", each.join("; ")),
                "Set the same MTU on that network's interfaces of all hosts, and one that its switches carry",
            );
        } else if let Some(mtu) = sizes.keys().next() {
            told.push(format!("link {link}: {mtu}"));
        }
    }
    if !told.is_empty() {
        lines.ok_unless_told(Topic::Mtu, told.join(", "));
    }
}

fn shared(situation: &Situation, conf: &CorosyncConf, lines: &mut Lines) {
    if conf.nodes().len() < 2 {
        return;
    }
    let links = conf.links();
    if links.len() < 2 {
        let bonded = situation.known().iter().all(|facts| {
            let interface = links.first().and_then(|link| interface_of(conf, facts, *link));
            interface.and_then(|name| facts.check.interface(name)).is_some_and(|one| one.ports.len() > 1)
        });
        if bonded {
            lines.ok(Topic::SinglePoint, "one link, over bonds of several interfaces");
        } else {
            lines.warning(
                Topic::SinglePoint,
                "there is one link: its switch or a cable takes the cluster with it",
                "Give all hosts an address in a second network, on another switch, as ring1_addr",
            );
        }
        return;
    }
    for facts in situation.known() {
        shared_at(conf, facts, &links, lines);
    }
    lines.ok_unless_told(Topic::SinglePoint, format!("{} links over different interfaces", links.len()));
}

fn shared_at(conf: &CorosyncConf, facts: &Facts, links: &[u8], lines: &mut Lines) {
    let at = &facts.name;
    let used: Vec<(u8, &str)> =
        links.iter().filter_map(|link| Some((*link, interface_of(conf, facts, *link)?))).collect();
    for (index, (link, interface)) in used.iter().enumerate() {
        for (other, second) in &used[index + 1..] {
            let own = facts.check.interface(interface);
            let hardware =
                |name: &str| facts.check.interface(name).map(|one| one.hardware.clone()).unwrap_or_default();
            let common = own.is_some_and(|own| !own.hardware.is_empty() && own.hardware == hardware(second));
            let range = |name: &str| {
                facts.addresses.iter().filter(|one| one.interface == name).map(|one| one.range()).next()
            };
            if interface == second {
                lines.warning(
                    Topic::SinglePoint,
                    format!("on {at}, links {link} and {other} use the same interface {interface}"),
                    "Put the second link on another interface, and on another switch",
                );
            } else if range(interface).is_some() && range(interface) == range(second) {
                lines.warning(
                    Topic::SinglePoint,
                    format!("on {at}, links {link} and {other} are in the same network: the kernel uses one interface for both"),
                    "Give the second link a network of its own",
                );
            } else if common {
                lines.advice(
                    Topic::SinglePoint,
                    format!("on {at}, links {link} and {other} are two ports of one network card"),
                    "Use ports of two cards, if there are two",
                );
            }
        }
    }
}

fn storage(situation: &Situation, lines: &mut Lines) {
    for facts in situation.known() {
        for (target, paths) in facts.check.storage.iter().filter(|(_, paths)| **paths == 1) {
            lines.warning(
                Topic::SinglePoint,
                format!("{} reaches the storage {target} by {paths} path", facts.name),
                "Give it a second path, over another controller and switch, with multipath",
            );
        }
    }
}
