//! What fencing as a whole needs: devices, a watchdog that fits, and no shared storage without it.

use super::{Checker, several};
use crate::values::parse_duration_ms;
use crate::views::Resource;

/// Agents whose resources write to storage that several hosts reach: two of them at a time destroy it. By provider and
/// type; a type that ends in `*` stands for all that begin so.
const SHARED_STORAGE_AGENTS: &[(&str, &str)] = &[
    ("hafen", "qemu"),
    ("heartbeat", "Xen"),
    ("heartbeat", "VirtualDomain"),
    ("heartbeat", "Filesystem"),
    ("heartbeat", "LVM*"),
    ("heartbeat", "lvmlockd"),
    ("heartbeat", "clvm"),
    ("heartbeat", "Raid1"),
    ("heartbeat", "mdraid"),
    ("heartbeat", "ZFS"),
    ("lvm2", "clvmd"),
    ("ocfs2", "o2cb"),
    ("pacemaker", "o2cb"),
    ("pacemaker", "controld"),
    ("linbit", "drbd*"),
];

/// File systems that look after themselves, or are no shared device.
const HARMLESS_FILE_SYSTEMS: &[&str] =
    &["nfs", "nfs4", "cifs", "smb3", "glusterfs", "ceph", "tmpfs", "none", "bind", "overlay", "fuse.sshfs"];

pub(super) fn check(checker: &mut Checker<'_>) {
    shared_storage(checker);
    devices(checker);
    watchdog(checker);
    unfencing(checker);
    proof(checker);
    on_fail(checker);
}

fn uses_shared_storage(resource: Resource<'_>) -> bool {
    if resource.class() != "ocf" {
        return false;
    }
    let known = SHARED_STORAGE_AGENTS.iter().any(|(provider, agent)| {
        let fits = match agent.strip_suffix('*') {
            Some(start) => resource.agent_type().starts_with(start),
            None => resource.agent_type() == *agent,
        };
        fits && resource.provider() == *provider
    });
    let harmless = resource.agent_type() == "Filesystem"
        && resource
            .instance_attribute("fstype")
            .is_some_and(|kind| HARMLESS_FILE_SYSTEMS.contains(&kind.to_ascii_lowercase().as_str()));
    known && !harmless
}

/// Resources that use shared storage, in a cluster of several hosts that cannot shoot each other.
fn shared_storage(checker: &mut Checker<'_>) {
    if checker.cib.can_fence() || checker.cib.configured_nodes().count() == 1 {
        return;
    }
    let users: Vec<&str> = checker
        .cib
        .primitives()
        .filter(|resource| uses_shared_storage(*resource))
        .map(Resource::id)
        .collect();
    let first = users.first().and_then(|id| checker.cib.resource(id));
    let Some(first) = first else { return };
    let (element, problem) = if checker.cib.property_boolean("stonith-enabled") {
        let problem =
            format!("{} use storage that several hosts reach, but there is no fence device", several(&users));
        (first.element(), problem)
    } else {
        let problem =
            format!("{} use storage that several hosts reach, but fencing is switched off", several(&users));
        (checker.property_element("stonith-enabled").unwrap_or(first.element()), problem)
    };
    checker.unsafe_(
        element,
        problem,
        "configure a fence device (`hafen fence add`) and set stonith-enabled=true: \
         without it two hosts may write to the same disk"
            .to_owned(),
    );
}

/// Whether every host can be shot.
fn devices(checker: &mut Checker<'_>) {
    let cib = checker.cib;
    let nodes: Vec<&str> = cib.configured_nodes().map(|node| node.uname()).collect();
    if !cib.property_boolean("stonith-enabled") || cib.property_timeout_ms("stonith-watchdog-timeout") != 0 {
        return;
    }
    let devices: Vec<_> = cib.fencing_devices().filter(|device| device.is_enabled()).collect();
    if devices.is_empty() {
        if nodes.len() > 1
            && let Some(resources) = cib.resources()
            && cib.primitives().next().is_some()
        {
            checker.warning(
                resources,
                "fencing is enabled, but there is no fence device: what a lost host ran is not recovered"
                    .to_owned(),
                "add a device (`hafen fence add`), or set stonith-enabled=false if nothing is shared"
                    .to_owned(),
            );
        }
        return;
    }
    let bare: Vec<&str> =
        nodes.into_iter().filter(|uname| !devices.iter().any(|device| device.may_target(uname))).collect();
    if let (false, Some(resources)) = (bare.is_empty(), cib.resources()) {
        checker.unsafe_(
            resources,
            format!("no fence device shoots {}", several(&bare)),
            "add a device for it, or its name to a device's `pcmk_host_list`".to_owned(),
        );
    }
}

/// A lost host is taken for dead after `stonith-watchdog-timeout`: by then its watchdog must have reset it.
fn watchdog(checker: &mut Checker<'_>) {
    let Some(text) = checker.cib.configured_property("stonith-watchdog-timeout") else { return };
    let Some(assumed_ms) = crate::values::parse_timeout_ms(text)
        .or_else(|| parse_duration_ms(text).and_then(|ms| i64::try_from(ms).ok()))
        .filter(|assumed_ms| *assumed_ms != 0)
    else {
        return;
    };
    let (restart, device) = ("daemon-restart-timeout", "watchdog-timeout");
    let device_ms = checker.cib.property_duration_ms(device);
    let needed_ms = checker.cib.property_duration_ms(restart).saturating_add(device_ms);
    // Negative: twice the device's own time.
    let assumed_ms = if assumed_ms < 0 { device_ms.saturating_mul(2) } else { assumed_ms.unsigned_abs() };
    let Some(element) = checker.property_element("stonith-watchdog-timeout") else { return };
    if assumed_ms <= needed_ms {
        let problem = format!(
            "`stonith-watchdog-timeout` is `{text}`: a lost host would be taken for dead while it may still run, because \
             its watchdog is fed for up to {restart} ({} s) and then needs {device} ({} s) to reset the host",
            seconds(needed_ms - device_ms),
            seconds(device_ms)
        );
        let mend = format!(
            "set it to more than {} s (a third more is safe), or lower {restart} or {device}",
            seconds(needed_ms)
        );
        checker.error(element, problem, mend);
    }
}

fn seconds(milliseconds: u64) -> String {
    match milliseconds % 1000 {
        0 => format!("{}", milliseconds / 1000),
        rest => format!("{}.{rest:03}", milliseconds / 1000),
    }
}

fn unfencing(checker: &mut Checker<'_>) {
    let cib = checker.cib;
    let wanting = cib
        .primitives()
        .find(|resource| resource.configured_meta("requires", crate::views::NO_RULES) == Some("unfencing"));
    let Some(resource) = wanting else { return };
    if !cib.fencing_devices().any(|device| device.provides_unfencing()) {
        checker.warning(
            resource.element(),
            format!("`{}` needs its host to be unfenced, but no fence device provides that", resource.id()),
            "set the meta-attribute provides=unfencing on the device, or requires=fencing on the resource"
                .to_owned(),
        );
    }
}

/// Agents that prove nothing, where proof is asked for.
fn proof(checker: &mut Checker<'_>) {
    let minimum = checker.cib.property("fencing-proof-minimum").unwrap_or("none");
    for device in checker.cib.fencing_devices() {
        let proves_nothing = matches!(device.agent(), "external/ssh" | "ssh" | "null" | "external/null");
        let human = matches!(device.agent(), "meatware" | "fence_meatware");
        let element = device.resource().element();
        let (id, agent) = (device.id(), device.agent());
        if proves_nothing && minimum != "none" {
            checker.unsafe_(
                element,
                format!(
                    "the fence device `{id}` ({agent}) proves nothing, but fencing-proof-minimum is {minimum}"
                ),
                "use another device; what a host ran stays blocked after this one".to_owned(),
            );
        } else if proves_nothing {
            checker.warning(
                element,
                format!(
                    "the fence device `{id}` ({agent}) is for tests only: it cannot prove that a host is off"
                ),
                "use a device that cuts the host's power".to_owned(),
            );
        } else if human && matches!(minimum, "agent-reported" | "off-verified") {
            checker.warning(
                element,
                format!("a human's word by the fence device `{id}` is less than fencing-proof-minimum ({minimum}) asks"),
                "set fencing-proof-minimum=human, or add another device".to_owned(),
            );
        }
    }
}

/// A failure that shall fence its host, where hosts are not fenced.
fn on_fail(checker: &mut Checker<'_>) {
    if checker.cib.property_boolean("stonith-enabled") {
        return;
    }
    for element in checker.elements().filter(|element| element.name() == "op") {
        if element.attribute("on-fail") == Some("fence") {
            checker.warning(
                element,
                "the operation fences its host when it fails, but fencing is switched off".to_owned(),
                "set stonith-enabled=true, or another on-fail".to_owned(),
            );
        }
    }
}
