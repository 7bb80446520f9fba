//! Which devices fence a host, and which member runs them.
//!
//! Levels of `fencing-topology` are not looked at: devices that can fence a target are tried one after the other, those
//! that name it before those that do not say whom they can fence.

mod device;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::Cib;
use hafen_cib::values::Score;
use hafen_cib::views::Constraint;
use hafen_protocol::HostId;
use hafen_protocol::message::FenceDevice;

use device::Device;

/// Pacemaker's default of `stonith-max-attempts`, which also stands for values below 1.
const ATTEMPTS_MAXIMUM: u32 = 10;

/// How a host is fenced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The member that does it.
    pub by: HostId,
    /// The devices to try, in order.
    pub devices: Vec<FenceDevice>,
    /// `reboot`, or `off` where the cluster or the first device is told never to reboot.
    pub action: String,
    /// How long it may take, all devices together, in milliseconds.
    pub timeout_ms: u64,
}

/// Chooses the devices for a target and the member that runs them.
///
/// `members` are those that may run fence agents, by name; the coordinator is preferred, then the lowest number. A
/// device is not used by a member where a location constraint forbids it; a member that may use none is passed over.
/// `None`: nobody can fence the target.
#[must_use]
pub fn choose(
    cib: &Cib,
    target_uname: &str,
    coordinator: HostId,
    members: &BTreeMap<HostId, String>,
) -> Option<Choice> {
    let devices = devices_for(cib, target_uname);
    let forbidden = forbidden(cib);
    let mut candidates: Vec<(HostId, &str)> =
        members.iter().map(|(&host, uname)| (host, uname.as_str())).collect();
    candidates.retain(|(_, uname)| *uname != target_uname);
    candidates.sort_by_key(|(host, _)| (*host != coordinator, *host));
    candidates.into_iter().find_map(|(host, uname)| {
        let may_use = |device: &&Device<'_>| !forbidden.contains(&(device.id(), uname));
        let usable: Vec<&Device<'_>> = devices.iter().filter(may_use).collect();
        (!usable.is_empty()).then(|| choice(cib, host, target_uname, &usable))
    })
}

/// The cluster property `stonith-max-attempts`: after so many failures in a row a target is not tried again at once.
#[must_use]
pub fn attempts_maximum(cib: &Cib) -> u32 {
    let configured = u32::try_from(cib.property_score("stonith-max-attempts").value()).unwrap_or(0);
    if configured > 0 { configured } else { ATTEMPTS_MAXIMUM }
}

fn choice(cib: &Cib, by: HostId, target_uname: &str, usable: &[&Device<'_>]) -> Choice {
    let off = cib.property("stonith-action") != Some("reboot")
        || usable.first().is_some_and(|device| device.reboots_by("off"));
    let action = if off { "off" } else { "reboot" }.to_owned();
    let default_ms = cib.property_duration_ms("stonith-timeout");
    let timeouts = usable.iter().map(|device| device.timeout_ms(&action).unwrap_or(default_ms));
    // As Pacemaker does: a fifth more, for the work around it.
    let timeout_ms = timeouts.fold(0, u64::saturating_add).saturating_mul(6) / 5;
    let devices = usable.iter().map(|device| device.for_target(target_uname)).collect();
    Choice { by, devices, action, timeout_ms }
}

/// The devices that can fence a target, those first that name it; else in the order of the configuration.
fn devices_for<'a>(cib: &'a Cib, target_uname: &str) -> Vec<Device<'a>> {
    let mut devices: Vec<Device<'a>> = cib
        .primitives()
        .filter(|resource| resource.is_fencing_device())
        .map(Device::new)
        .filter(|device| device.is_enabled() && device.can_fence(target_uname))
        .collect();
    devices.sort_by_key(|device| !device.names(target_uname));
    devices
}

/// Which resource must not run on which node: location constraints of minus infinity for a node by name. Rules are
/// not judged here: a device that could be used only where a rule holds at this moment would fail when it is needed.
fn forbidden(cib: &Cib) -> BTreeSet<(&str, &str)> {
    cib.configured_constraints()
        .filter_map(|constraint| match constraint {
            Constraint::Location(location) => Some(location),
            _ => None,
        })
        .filter(|location| location.score() == Some(Score::MINUS_INFINITY))
        .filter_map(|location| Some((location.resource()?, location.node()?)))
        .collect()
}
