//! Judging hosts: who answers, names, clocks, versions, corosync.conf, watchdogs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Answer, Lines, Situation, Topic};
use crate::corosync_conf::CorosyncConf;
use crate::facts::Facts;

/// A difference of clocks that makes events hard to read, in milliseconds.
const CLOCK_WARNING_MS: u64 = 1_000;
/// A difference of clocks that makes certificates and dates in rules wrong, in milliseconds.
const CLOCK_ERROR_MS: u64 = 60_000;
const TIME_SERVICE: &str = "Run a time service on all hosts: chrony or systemd-timesyncd";

pub(super) fn judge(situation: &Situation, lines: &mut Lines) {
    answers(situation, lines);
    names(situation, lines);
    clocks(situation, lines);
    versions(situation, lines);
    if let Some(conf) = &situation.conf {
        files(situation, conf, lines);
    }
    watchdogs(situation, lines);
}

fn answers(situation: &Situation, lines: &mut Lines) {
    for (host, answer) in &situation.others {
        if let Answer::Silent { what, mend } = answer {
            let what = if what.contains(host.as_str()) { what.clone() } else { format!("{host}: {what}") };
            lines.error(Topic::Hosts, format!("{what}; it is not checked"), mend);
        }
    }
    if situation.conf.is_some() {
        let count = situation.others.len() + 1;
        lines.ok_unless_told(Topic::Hosts, counted(count, "host answers", "hosts answer"));
    }
}

/// `1 host answers`, `all 3 hosts answer`.
fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("all {count} {many}") }
}

fn names(situation: &Situation, lines: &mut Lines) {
    let listed: BTreeMap<String, BTreeSet<String>> = situation
        .conf
        .iter()
        .flat_map(CorosyncConf::nodes)
        .map(|node| (node.name, node.addresses.into_values().collect()))
        .collect();
    for facts in situation.known() {
        for (name, addresses) in &facts.check.names {
            let at = &facts.name;
            if addresses.is_empty() {
                lines.warning(
                    Topic::Names,
                    format!("on {at}, the name {name} does not resolve"),
                    format!("Put {name} with its address into /etc/hosts of {at}, or into the DNS"),
                );
            } else if name == at && addresses.iter().all(IpAddr::is_loopback) {
                lines.warning(
                    Topic::Names,
                    format!("on {at}, its own name stands for {} only", addresses[0]),
                    format!("Give {name} its address of the network in /etc/hosts, not a loopback address"),
                );
            } else if let Some(own) = listed.get(name)
                && let Some(odd) = strange(name, addresses, own, situation)
            {
                lines.warning(
                    Topic::Names,
                    format!("on {at}, the name {name} stands for {odd}, which is no address of that host"),
                    format!("Correct {name} in /etc/hosts of {at}, or in the DNS"),
                );
            }
        }
    }
    let known = situation.known().len();
    lines.ok_unless_told(Topic::Names, counted(known, "host resolves all names", "hosts resolve all names"));
}

/// An address that the host of that name does not have, as far as that is known.
fn strange(
    name: &str,
    addresses: &[IpAddr],
    listed: &BTreeSet<String>,
    situation: &Situation,
) -> Option<IpAddr> {
    let facts = situation.known().into_iter().find(|facts| facts.name == name)?;
    addresses.iter().copied().find(|address| {
        let is_own = facts.addresses.iter().any(|own| own.address == *address);
        !address.is_loopback() && !is_own && !listed.contains(&address.to_string())
    })
}

fn clocks(situation: &Situation, lines: &mut Lines) {
    let mut compared = 0;
    for (host, answer) in &situation.others {
        let Answer::Facts { ahead_ms, took_ms, .. } = answer else { continue };
        compared += 1;
        let off_ms = ahead_ms.unsigned_abs().saturating_sub(*took_ms);
        let way = if *ahead_ms > 0 { "ahead of" } else { "behind" };
        let what = format!("the clock of {host} is {} {way} that of {}", span(off_ms), situation.own);
        if off_ms >= CLOCK_ERROR_MS {
            lines.error(Topic::Clocks, what, TIME_SERVICE);
        } else if off_ms >= CLOCK_WARNING_MS {
            lines.warning(Topic::Clocks, what, TIME_SERVICE);
        }
    }
    if compared > 0 {
        lines.ok_unless_told(Topic::Clocks, format!("the clocks of {} hosts agree", compared + 1));
    }
}

fn span(ms: u64) -> String {
    match ms {
        0..=9_999 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        10_000..=599_999 => format!("{} s", ms / 1000),
        _ => format!("{} minutes", ms / 60_000),
    }
}

fn versions(situation: &Situation, lines: &mut Lines) {
    let known = situation.known();
    let mut differs = |program: &str, version: &dyn Fn(&Facts) -> Option<String>| {
        let mut hosts: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for facts in &known {
            if let Some(version) = version(facts).filter(|version| !version.is_empty()) {
                hosts.entry(version).or_default().push(&facts.name);
            }
        }
        if hosts.len() > 1 {
            let each: Vec<String> =
                hosts.iter().map(|(version, hosts)| format!("{version} on {}", hosts.join(", "))).collect();
            let what = format!("several versions of {program}: {}", each.join("; "));
            lines.warning(Topic::Versions, what, "Bring all hosts to the same version, one after the other");
        }
        hosts.into_keys().next()
    };
    let hafen = differs("hafen", &|facts| Some(facts.version.clone()));
    let corosync = differs("corosync", &|facts| facts.check.corosync.clone());
    let corosync_there = corosync.is_some();
    if !corosync_there {
        lines.warning(
            Topic::Versions,
            "Corosync is not installed here",
            "Install it: `apt install corosync`; hosts find each other by it",
        );
    }
    let all = [("hafen", hafen), ("corosync", corosync)];
    let all: Vec<String> =
        all.into_iter().filter_map(|(name, version)| Some(format!("{name} {}", version?))).collect();
    lines.ok_unless_told(Topic::Versions, all.join(", "));
}

fn files(situation: &Situation, conf: &CorosyncConf, lines: &mut Lines) {
    let own = &situation.facts.check.corosync_conf;
    for answer in situation.others.values() {
        let Answer::Facts { facts, .. } = answer else { continue };
        if facts.check.corosync_conf.is_none() {
            lines.error(
                Topic::Configuration,
                format!("{} has no corosync.conf", facts.name),
                "Bring it there with `hafen files`",
            );
        } else if facts.check.corosync_conf != *own {
            lines.error(
                Topic::Configuration,
                format!("corosync.conf of {} differs from that of {}", facts.name, situation.own),
                "`hafen files diff` shows the difference, `hafen files` makes all hosts alike",
            );
        }
    }
    let version = conf.config_version();
    for facts in situation.known() {
        let Some(running) = facts.check.running_config_version else { continue };
        let is_same = facts.check.corosync_conf == *own;
        if is_same && running != version && version > 0 {
            lines.warning(
                Topic::Configuration,
                format!(
                    "Corosync on {} runs version {running} of its file, which is at {version}",
                    facts.name
                ),
                format!("Run `corosync-cfgtool -R` on {}", facts.name),
            );
        }
    }
    let known = situation.known().len();
    lines.ok_unless_told(
        Topic::Configuration,
        counted(known, "host has a sound corosync.conf", "hosts have the same corosync.conf"),
    );
}

/// After this long a Corosync that answers nothing is taken for lost, in milliseconds.
const HANG_MS: u64 = 3000;

fn watchdogs(situation: &Situation, lines: &mut Lines) {
    let timeout_ms =
        situation.cib.as_ref().map_or(0, |cib| cib.property_timeout_ms("stonith-watchdog-timeout"));
    let mut unused: Vec<&str> = Vec::new();
    let mut none: Vec<&str> = Vec::new();
    let mut unarmed: Vec<&str> = Vec::new();
    for facts in situation.known() {
        let (at, watchdog) = (&facts.name, &facts.check.watchdog);
        match &watchdog.configured {
            Some(path) if !watchdog.present => lines.error(
                Topic::Watchdog,
                format!("{at} is to hold the watchdog {path}, which is not there"),
                format!("Load its driver on {at} (softdog, if there is no other), or correct /etc/hafen/daemon.json"),
            ),
            None if timeout_ms != 0 => lines.error(
                Topic::Watchdog,
                format!("stonith-watchdog-timeout is set, and {at} holds no watchdog: nothing resets it"),
                format!(
                    "Write \"watchdog\": {{\"device\": \"/dev/watchdog\"}} into /etc/hafen/daemon.json of {at}, or delete \
                     the property"
                ),
            ),
            None if watchdog.available.is_some() => unused.push(at),
            None => none.push(at),
            Some(_) if timeout_ms == 0 => unarmed.push(at),
            Some(_) => {}
        }
    }
    const WHY: &str = "A watchdog ends a host that nobody can reach: see stonith-watchdog-timeout";
    let cases = [
        (unused, "a watchdog that is not used", WHY),
        (none, "no watchdog: a host that hangs is ended by a fence device or not at all", WHY),
        (unarmed, "a watchdog that is not armed", "Set stonith-watchdog-timeout to have it armed"),
    ];
    for (hosts, what, mend) in cases.into_iter().filter(|(hosts, _, _)| !hosts.is_empty()) {
        lines.advice(Topic::Watchdog, format!("on {}: {what}", hosts.join(", ")), mend);
    }
    let sync_ms = situation.conf.as_ref().and_then(CorosyncConf::quorum_device_sync_timeout_ms);
    if let Some(sync_ms) = sync_ms
        .filter(|&sync_ms| timeout_ms != 0 && u64::try_from(timeout_ms).unwrap_or(0) <= sync_ms + HANG_MS)
    {
        lines.error(
            Topic::Watchdog,
            "a host may learn that its quorum is lost after the others take it for reset by its watchdog",
            format!(
                "Corosync waits up to {} s for the quorum device: set stonith-watchdog-timeout to {} s or more, or \
                 sync_timeout in corosync.conf to less",
                sync_ms.div_ceil(1000),
                (sync_ms + 2 * HANG_MS).div_ceil(1000)
            ),
        );
    }
    if timeout_ms != 0 {
        lines.ok_unless_told(
            Topic::Watchdog,
            format!("armed before the first start, {} s", timeout_ms / 1000),
        );
    }
}
