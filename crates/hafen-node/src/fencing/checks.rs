//! What a host can look at without harm, to see that its devices would work.

use hafen_cib::Cib;
use hafen_cib::views::FencingDevice;
use hafen_protocol::message::FenceDevice;
use hafen_scheduler::FencingFacts;

use super::device::Device;

/// How a device's targets are found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckKind {
    /// The configuration lists them (`static-list`).
    Static,
    /// The device lists them (`dynamic-list`), told by the operator.
    List,
    /// The device is asked about each (`status`), told by the operator.
    Status,
    /// It can fence any host (`none`).
    Any,
    /// Nothing is said: by `list` where the device can, else by `status` where it can, else any host.
    Default,
}

/// A device to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCheck {
    /// The device, without a target.
    pub device: FenceDevice,
    /// How its targets are found out.
    pub kind: CheckKind,
    /// Its possible targets: host's name, and its name at the device.
    pub targets: Vec<(String, String)>,
    /// Whether this host may use it.
    pub allowed: bool,
}

/// The devices that are switched on, with the hosts that each may have to fence. `here` is the host that looks.
#[must_use]
pub fn checks(cib: &Cib, facts: &FencingFacts, hosts: &[String], here: &str) -> Vec<DeviceCheck> {
    let usable = cib.fencing_devices().filter(|device| device.is_enabled() && !device.is_watchdog());
    let check = |configured: FencingDevice<'_>| {
        let device = Device::Configured(configured);
        let named = hosts.iter().filter(|uname| configured.may_target(uname));
        let targets = named.map(|uname| (uname.clone(), device.for_target(cib, uname).port)).collect();
        let kind = match configured.parameter("pcmk_host_check") {
            Some("static-list") => CheckKind::Static,
            Some("dynamic-list") => CheckKind::List,
            Some("status") => CheckKind::Status,
            Some("none") => CheckKind::Any,
            _ if configured.listed_targets().is_some() => CheckKind::Static,
            _ => CheckKind::Default,
        };
        DeviceCheck {
            device: device.as_it_is(cib),
            kind,
            targets,
            allowed: facts.may_use(configured.id(), here),
        }
    };
    usable.map(check).collect()
}
