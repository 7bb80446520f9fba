//! Fence devices: their `pcmk_*` parameters, where they may be used from, and the levels that they stand in.

use std::collections::BTreeMap;

use super::{Checker, named, nearest};
use crate::options::{FENCING_PARAMETERS, fencing_parameter};
use crate::values::parse_duration_ms;
use crate::views::{FENCING_LEVELS, FencingDevice, FencingLevel, Node, delay_base_ms, host_list, host_map};
use crate::xml::Element;

pub(super) fn check(checker: &mut Checker<'_>) {
    let cib = checker.cib;
    let nodes: Vec<Node<'_>> = cib.configured_nodes().filter(|node| node.node_type() != "ping").collect();
    for device in cib.fencing_devices() {
        parameters(checker, device, &nodes);
        if device.is_enabled() && !device.is_watchdog() {
            placement(checker, device, &nodes);
        }
    }
    let mut seen = BTreeMap::new();
    for level in cib.fencing_levels() {
        level_devices(checker, level);
        level_shape(checker, level, &mut seen);
    }
}

/// The pair that sets a parameter of a device, or the device.
fn pair<'a>(device: FencingDevice<'a>, name: &str) -> Element<'a> {
    let owners = [Some(device.resource().element()), device.resource().template()];
    let pairs = owners.into_iter().flatten().flat_map(|owner| owner.descendants());
    pairs
        .filter(|element| element.name() == "nvpair")
        .find(|element| element.attribute("name") == Some(name))
        .unwrap_or_else(|| device.resource().element())
}

fn parameters<'a>(checker: &mut Checker<'a>, device: FencingDevice<'a>, nodes: &[Node<'a>]) {
    let id = device.id();
    for (name, value) in device.resource().instance_attributes() {
        if !name.starts_with("pcmk_") {
            continue;
        }
        let element = pair(device, name);
        let Some(values) = fencing_parameter(name) else {
            let mend = nearest(name, &known_parameters(), "it has no effect; check its name");
            checker.warning(element, format!("fence devices have no parameter `{name}`"), mend);
            continue;
        };
        if let Some(expected) = values.fault(value) {
            let problem = format!("the fence device `{id}` has `{name}` set to `{value}`");
            checker.error(element, problem, format!("expected {expected}"));
        }
    }
    targets(checker, device, nodes);
    delays(checker, device);
    let has_list = ["pcmk_host_list", "pcmk_host_map"].iter().any(|name| device.parameter(name).is_some());
    if device.parameter("pcmk_host_check") == Some("static-list") && !has_list {
        checker.error(
            pair(device, "pcmk_host_check"),
            format!("the fence device `{id}` looks up its targets in a list, but has none, so it can shoot no host"),
            "set `pcmk_host_list` or `pcmk_host_map`, or remove `pcmk_host_check`".to_owned(),
        );
    }
}

fn known_parameters() -> Vec<&'static str> {
    // The composed names are too many to name all: the nearest is looked for among the plain ones and the usual ones.
    let mut known: Vec<&str> = FENCING_PARAMETERS.iter().map(|option| option.name).collect();
    known.extend(["pcmk_reboot_action", "pcmk_reboot_timeout", "pcmk_reboot_retries"]);
    known.extend(["pcmk_off_action", "pcmk_off_timeout", "pcmk_off_retries", "pcmk_on_timeout"]);
    known.extend(["pcmk_monitor_timeout", "pcmk_status_timeout", "pcmk_list_timeout"]);
    known
}

fn targets<'a>(checker: &mut Checker<'a>, device: FencingDevice<'a>, nodes: &[Node<'a>]) {
    let id = device.id();
    let mut named_hosts: Vec<(&str, String)> = Vec::new();
    if let Some(map) = device.parameter("pcmk_host_map") {
        match host_map(map) {
            Ok(entries) => named_hosts.extend(entries.into_iter().map(|(name, _)| ("pcmk_host_map", name))),
            Err(part) => checker.error(
                pair(device, "pcmk_host_map"),
                format!("`pcmk_host_map` of the fence device `{id}` cannot be read at `{part}`"),
                "write HOST:PORT;HOST:PORT, with a backslash before a separator that belongs to a port"
                    .to_owned(),
            ),
        }
    }
    if let Some(list) = device.parameter("pcmk_host_list") {
        named_hosts.extend(host_list(list).map(|name| ("pcmk_host_list", name)));
    }
    let known: Vec<&str> = nodes.iter().map(|node| node.uname()).collect();
    if known.is_empty() {
        return;
    }
    for (parameter, name) in named_hosts {
        if !known.iter().any(|node| node.eq_ignore_ascii_case(&name)) {
            checker.warning(
                pair(device, parameter),
                format!("`{parameter}` of the fence device `{id}` names `{name}`, which is no host"),
                nearest(&name, &known, "check the host's name; until such a host joins this has no effect"),
            );
        }
    }
}

fn delays<'a>(checker: &mut Checker<'a>, device: FencingDevice<'a>) {
    let Some(base) = device.parameter("pcmk_delay_base") else { return };
    let Some(base_ms) = delay_base_ms(base, "") else {
        checker.error(
            pair(device, "pcmk_delay_base"),
            format!("`pcmk_delay_base` of the fence device `{}` cannot be read: `{base}`", device.id()),
            "expected a time such as 5s, or HOST:0s;HOST:5s".to_owned(),
        );
        return;
    };
    let most = device.parameter("pcmk_delay_max").and_then(parse_duration_ms);
    if most.is_some_and(|most| base_ms > most) {
        checker.warning(
            pair(device, "pcmk_delay_max"),
            format!(
                "`pcmk_delay_base` of the fence device `{}` is larger than its `pcmk_delay_max`",
                device.id()
            ),
            "make `pcmk_delay_max` larger, or remove it: it is the most that both delays may be together"
                .to_owned(),
        );
    }
}

/// A device that shoots one host has to be usable, and to be kept off that host: a host that hangs cannot shoot itself.
fn placement<'a>(checker: &mut Checker<'a>, device: FencingDevice<'a>, nodes: &[Node<'a>]) {
    let id = device.id();
    let Some(listed) = device.listed_targets() else { return };
    let is_target = |node: &&Node<'_>| listed.iter().any(|name| name.eq_ignore_ascii_case(node.uname()));
    let targets: Vec<&Node<'_>> = nodes.iter().filter(is_target).collect();
    let others: Vec<&Node<'_>> = nodes.iter().filter(|node| !is_target(node)).collect();
    let [target] = targets[..] else { return };
    if others.is_empty() {
        return;
    }
    let element = device.resource().element();
    let uname = target.uname();
    if others.iter().all(|node| checker.cib.is_kept_off(id, **node)) {
        checker.unsafe_(
            element,
            format!("the fence device `{id}` shoots `{uname}`, but no other host may run it"),
            "remove the location constraint that keeps it off one of the other hosts".to_owned(),
        );
    } else if !checker.cib.is_kept_off(id, *target) {
        checker.unsafe_(
            element,
            format!("the fence device `{id}` shoots `{uname}`, but may run on `{uname}` itself, where it is of no use"),
            format!(
                "add <rsc_location id=\"{id}-not-on-{uname}\" rsc=\"{id}\" node=\"{uname}\" score=\"-INFINITY\"/>"
            ),
        );
    }
}

fn level_devices(checker: &mut Checker<'_>, level: FencingLevel<'_>) {
    for id in level.devices() {
        let Some(resource) = checker.cib.resource(id) else { continue };
        let Some(device) = checker.cib.fencing_devices().find(|device| device.id() == id) else {
            checker.error(
                level.element(),
                format!(
                    "{} lists `{id}`, which is a {} and no fence device",
                    named(level.element()),
                    resource.class()
                ),
                "take it out of `devices`".to_owned(),
            );
            continue;
        };
        let Some(target) = level.target() else { continue };
        if !device.may_target(target) {
            checker.warning(
                level.element(),
                format!("{} uses `{id}` for `{target}`, which that device does not list", named(level.element())),
                format!("add `{target}` to the device's `pcmk_host_list` or `pcmk_host_map`, or use another device"),
            );
        } else if !device.is_enabled() {
            checker.warning(
                level.element(),
                format!("{} uses the device `{id}`, which is switched off", named(level.element())),
                "set its target-role to Started".to_owned(),
            );
        }
    }
}

fn level_shape<'a>(
    checker: &mut Checker<'a>,
    level: FencingLevel<'a>,
    seen: &mut BTreeMap<(String, u32), String>,
) {
    let element = level.element();
    let of = |name: &str| element.attribute(name);
    let kinds = ["target", "target-pattern", "target-attribute"];
    let given = kinds.iter().filter(|name| of(name).is_some()).count();
    if given != 1 || of("target-attribute").is_some() != of("target-value").is_some() {
        checker.error(
            element,
            format!("{} says in {given} ways which hosts it is for", named(element)),
            "give it one of `target`, `target-pattern`, or `target-attribute` with `target-value`".to_owned(),
        );
    }
    if level.devices().next().is_none() {
        checker.error(
            element,
            format!("{} has no devices", named(element)),
            "list them in `devices`, with commas".to_owned(),
        );
    }
    let Some(index) = level.index().filter(|index| FENCING_LEVELS.contains(index)) else {
        let mend = "expected a number from 1 to 9, the order in which levels are tried".to_owned();
        checker.error(
            element,
            format!("{} has index=\"{}\"", named(element), of("index").unwrap_or("")),
            mend,
        );
        return;
    };
    let target = kinds.iter().find_map(|name| of(name).map(|value| format!("{name}={value}")));
    let target = format!("{}={}", target.unwrap_or_default(), of("target-value").unwrap_or(""));
    if let Some(first) = seen.get(&(target.clone(), index)) {
        checker.error(
            element,
            format!("{} is level {index} of the same hosts as `{first}`", named(element)),
            "put both levels' devices into one, or give them different numbers".to_owned(),
        );
    } else {
        seen.insert((target, index), element.id().unwrap_or("").to_owned());
    }
}
