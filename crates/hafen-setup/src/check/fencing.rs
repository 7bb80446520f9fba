//! Judging fencing: configured for every host, allowed where it must be, answering.

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::Cib;
use hafen_cib::checks::{self, Severity};
use hafen_cib::views::FencingDevice;
use hafen_protocol::client::FenceCheck;

use super::{DaemonView, Lines, Situation, Topic};

/// Agents whose success proves nothing.
const NO_PROOF: [&str; 4] = ["ssh", "external/ssh", "null", "external/null"];

pub(super) fn judge(situation: &Situation, lines: &mut Lines) {
    let Some(cib) = &situation.cib else {
        if situation.conf.is_some() {
            lines.advice(
                Topic::Fencing,
                "not checked: the daemon gave no configuration",
                "Mend what is said about the cluster and its daemon first",
            );
        }
        return;
    };
    if !cib.property_boolean("stonith-enabled") {
        lines.error(
            Topic::Fencing,
            "stonith-enabled is false: what a lost host ran is started elsewhere while it may still run there",
            "Add a device with `hafen fence add`, then set stonith-enabled to true",
        );
        return;
    }
    let devices: Vec<FencingDevice<'_>> =
        cib.fencing_devices().filter(|device| device.is_enabled() && !device.is_watchdog()).collect();
    let hosts: Vec<String> = cib.configured_nodes().map(|node| node.uname().to_owned()).collect();
    covered(cib, &devices, &hosts, lines);
    rules(cib, &devices, lines);
    match &situation.daemon {
        Some(DaemonView { drill: Some(Ok(answers)), .. }) => drill(answers, &devices, lines),
        Some(DaemonView { drill: Some(Err(why)), .. }) => {
            lines.error(
                Topic::Fencing,
                format!("the devices could not be asked: {why}"),
                "Try `hafen fence drill`",
            );
        }
        _ => {}
    }
    lines.ok_unless_told(Topic::Fencing, format!("devices: {}, hosts: {}", devices.len(), hosts.len()));
}

/// Every host needs a device, and better two that do not fail together.
fn covered(cib: &Cib, devices: &[FencingDevice<'_>], hosts: &[String], lines: &mut Lines) {
    let watchdog = cib.property_timeout_ms("stonith-watchdog-timeout") > 0;
    let mut alone: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for host in hosts {
        let own: Vec<&FencingDevice<'_>> = devices.iter().filter(|device| device.may_target(host)).collect();
        match own.as_slice() {
            [] if watchdog => {}
            [] => lines.error(
                Topic::Fencing,
                format!("no device can fence {host}: if it is lost, what it ran stays down"),
                format!("Add one: `hafen fence add AGENT --target {host} name=value...`"),
            ),
            [one] if !watchdog => alone.entry(one.agent()).or_default().push(host),
            _ => {}
        }
    }
    for (agent, hosts) in alone {
        lines.advice(
            Topic::SinglePoint,
            format!(
                "only one device ({agent}) fences {}: without it, what was there stays down",
                hosts.join(", ")
            ),
            "Add a second device of another kind as level 2, such as a switched power outlet",
        );
    }
    let weak: BTreeSet<&str> = devices
        .iter()
        .filter(|device| NO_PROOF.contains(&device.agent()))
        .map(|device| device.id())
        .collect();
    for id in weak {
        lines.warning(
            Topic::Fencing,
            format!("the device {id} proves nothing: a host that hangs is taken for dead while it is not"),
            "Use a device that cuts the power, such as IPMI or a switched outlet",
        );
    }
}

/// What the checks of the configuration say about devices.
fn rules(cib: &Cib, devices: &[FencingDevice<'_>], lines: &mut Lines) {
    for finding in checks::check(cib) {
        let about = |device: &FencingDevice<'_>| {
            finding.id == device.id() || finding.problem.contains(&format!("`{}`", device.id()))
        };
        if !devices.iter().any(about) && !finding.problem.contains("stonith-watchdog-timeout") {
            continue;
        }
        match finding.severity {
            Severity::Error => lines.error(Topic::Fencing, &finding.problem, &finding.mend),
            _ => lines.warning(Topic::Fencing, &finding.problem, &finding.mend),
        }
    }
}

fn drill(answers: &[FenceCheck], devices: &[FencingDevice<'_>], lines: &mut Lines) {
    for answer in answers.iter().filter(|answer| !answer.succeeded) {
        let target = answer.target.as_ref().map(|target| format!(" of {target}")).unwrap_or_default();
        let said = if answer.answer.is_empty() { "no answer".to_owned() } else { answer.answer.clone() };
        lines.error(
            Topic::Fencing,
            format!("{} at {}: {}{target} failed: {said}", answer.device, answer.by, answer.action),
            format!("Mend the device {0}, then look with `hafen fence drill`", answer.device),
        );
    }
    let asked: BTreeSet<&str> = answers.iter().map(|answer| answer.device.as_str()).collect();
    for device in devices.iter().filter(|device| !asked.contains(device.id())) {
        lines.warning(
            Topic::Fencing,
            format!("nobody asked the device {}", device.id()),
            "Look where it may run: `hafen config show`, and which hosts are there",
        );
    }
}
