//! Quorum, as far as the configuration alone tells, and who shoots whom when two halves lose sight of each other.

use super::Checker;
use crate::views::FencingDevice;

pub(super) fn check(checker: &mut Checker<'_>) {
    policy(checker);
    double_shoot(checker);
    priority_delay(checker);
}

/// What a part without quorum does.
fn policy(checker: &mut Checker<'_>) {
    let cib = checker.cib;
    let hosts = cib.configured_nodes().filter(|node| node.node_type() == "member").count();
    let fences = cib.property_boolean("stonith-enabled");
    let Some(element) = checker.property_element("no-quorum-policy") else { return };
    let shown = cib.property("no-quorum-policy").unwrap_or("stop");
    match shown {
        "ignore" if !fences && hosts > 1 => checker.unsafe_(
            element,
            "no-quorum-policy is ignore and fencing is switched off: two halves that lose sight of each other \
             run everything twice"
                .to_owned(),
            "set stonith-enabled=true with a fence device, or no-quorum-policy=stop".to_owned(),
        ),
        "ignore" if hosts > 2 => checker.warning(
            element,
            format!("no-quorum-policy is ignore with {hosts} hosts: one that is cut off shoots the others"),
            "set no-quorum-policy=stop: of three or more hosts one part has quorum".to_owned(),
        ),
        "fence" | "suicide" if !fences => checker.warning(
            element,
            format!("no-quorum-policy is {shown}, but fencing is switched off: it has the effect of stop"),
            "set stonith-enabled=true, or no-quorum-policy=stop".to_owned(),
        ),
        "freeze" if !fences && hosts > 1 => checker.warning(
            element,
            "no-quorum-policy is freeze and fencing is switched off: the part with quorum starts what the other runs"
                .to_owned(),
            "set stonith-enabled=true, or no-quorum-policy=stop".to_owned(),
        ),
        _ => {}
    }
}

/// Two hosts that shoot each other at once both die, unless one of them waits.
fn double_shoot(checker: &mut Checker<'_>) {
    let cib = checker.cib;
    let hosts: Vec<&str> =
        cib.configured_nodes().filter(|node| node.node_type() == "member").map(|node| node.uname()).collect();
    let [first, second] = hosts[..] else { return };
    if !cib.property_boolean("stonith-enabled") || cib.property_duration_ms("priority-fencing-delay") > 0 {
        return;
    }
    let devices: Vec<FencingDevice<'_>> =
        cib.fencing_devices().filter(|device| device.is_enabled() && !device.is_watchdog()).collect();
    // The shortest wait of any device before it shoots a host, and whether chance adds to it.
    let delay = |uname: &str| {
        let delays =
            devices.iter().filter(|device| device.may_target(uname)).map(|device| device.delay_ms(uname));
        delays.min()
    };
    let (Some(against_first), Some(against_second)) = (delay(first), delay(second)) else { return };
    if against_first != against_second || against_first.1 > against_first.0 {
        return;
    }
    let Some(resources) = cib.resources() else { return };
    checker.unsafe_(
        resources,
        format!("`{first}` and `{second}` wait equally long before they shoot: cut off from each other, both may die"),
        format!("set pcmk_delay_base=5s on the device that shoots `{first}`, or priority-fencing-delay"),
    );
}

fn priority_delay(checker: &mut Checker<'_>) {
    let cib = checker.cib;
    let delay_ms = cib.property_duration_ms("priority-fencing-delay");
    if delay_ms == 0 {
        return;
    }
    let hosts: Vec<&str> = cib.configured_nodes().map(|node| node.uname()).collect();
    let longest_ms = cib
        .fencing_devices()
        .flat_map(|device| hosts.iter().map(move |uname| device.delay_ms(uname).1))
        .max()
        .unwrap_or(0);
    if delay_ms < longest_ms.saturating_mul(2)
        && let Some(element) = checker.property_element("priority-fencing-delay")
    {
        checker.warning(
            element,
            format!(
                "priority-fencing-delay is {} s, but devices wait up to {} s themselves",
                delay_ms / 1000,
                longest_ms / 1000
            ),
            "make it twice as long as the longest pcmk_delay_max or pcmk_delay_base".to_owned(),
        );
    }
}
