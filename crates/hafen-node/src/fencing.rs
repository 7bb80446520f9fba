//! Which devices fence a host, in which order, and which member runs them.
//!
//! `device` is one configured device, `levels` the topology, `delay` who waits how long before it shoots, `learned` what only the
//! devices themselves know, `checks` what is looked at without harm, `warn` what an operator should know of the devices.
//!
//! All devices of a level are run by one member: a level whose devices are usable only on different hosts cannot be done.

mod checks;
mod delay;
mod device;
mod learned;
mod levels;
#[cfg(test)]
mod tests;
mod warn;

use std::collections::BTreeMap;

use hafen_cib::Cib;
use hafen_protocol::HostId;
use hafen_protocol::message::FenceDevice;
use hafen_scheduler::FencingFacts;

pub use checks::{CheckKind, DeviceCheck, checks};
pub use delay::random_of;
pub use learned::{DeviceKnowledge, Learned};
pub use warn::warnings;

use levels::Level;

/// Pacemaker's default of `stonith-max-attempts`, which also stands for values below 1.
const ATTEMPTS_MAXIMUM: u32 = 10;

/// The agent that stands for a host's own watchdog: it has fenced its host when `stonith-watchdog-timeout` has passed.
pub const WATCHDOG_AGENT: &str = hafen_cib::views::WATCHDOG_AGENT;

/// What a choice is made from.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The configuration, with the status where attributes of it matter.
    pub cib: &'a Cib,
    /// What the scheduler tells of it.
    pub facts: &'a FencingFacts,
    /// What the devices told.
    pub learned: &'a Learned,
    /// The coordinator: it is preferred.
    pub coordinator: HostId,
    /// The members that may run fence agents, by name; the target may be one of them.
    pub members: &'a BTreeMap<HostId, String>,
    /// How many hosts are configured.
    pub hosts: usize,
    /// Whether more than half of the configured hosts are here beside the target. Without that both parts of a cluster may
    /// have quorum (`two_node`, a quorum device), feed their watchdogs, and each take the other for ended.
    pub majority: bool,
    /// A random number: the random part of delays is made from it.
    pub random: u64,
}

/// How a host is fenced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The member that does it.
    pub by: HostId,
    /// The levels to try, in order; all devices of a level must succeed.
    pub levels: Vec<Vec<FenceDevice>>,
    /// `reboot`, `off` or `on`.
    pub action: String,
    /// How long the first device waits, in milliseconds.
    pub delay_ms: u64,
    /// How long it may take after that, all levels together, in milliseconds.
    pub timeout_ms: u64,
}

/// Chooses the levels for a target and the member that runs them. `action` is `reboot`, `off` or `on`.
///
/// A device is used where no location constraint keeps it off. A member that can do an earlier level wins; then one that is not
/// the target (nobody fences itself while another can), one where the device is started, the coordinator, the lowest number.
///
/// # Errors
///
/// Nobody can fence the target: why each device cannot, in one sentence.
pub fn choose(situation: &Situation<'_>, target_uname: &str, action: &str) -> Result<Choice, String> {
    let action = match situation.cib.property("stonith-action") {
        Some("off") if action == "reboot" => "off",
        _ => action,
    };
    let levels = levels::for_target(situation, target_uname, action)?;
    let mut best: Option<(Preference, HostId, Vec<Level<'_>>)> = None;
    for (&host, uname) in situation.members {
        let usable: Vec<Level<'_>> =
            levels.iter().filter(|level| may_run(situation, level, uname)).cloned().collect();
        let Some(first) = usable.first() else { continue };
        let preference = Preference {
            first_level: first.index,
            is_wrong_side: prefers_target(situation, first, action)
                != uname.eq_ignore_ascii_case(target_uname),
            is_not_started: !first.devices.iter().any(|one| situation.facts.is_started(one.id(), uname)),
            is_not_coordinator: host != situation.coordinator,
            host,
        };
        if best.as_ref().is_none_or(|(known, ..)| preference < *known) {
            best = Some((preference, host, usable));
        }
    }
    match best {
        Some((_, by, usable)) => Ok(choice(situation, by, &usable, target_uname, action)),
        None => Err(nobody(situation, &levels, target_uname)),
    }
}

/// The cluster property `stonith-max-attempts`: after so many failures in a row a target is not tried again at once.
#[must_use]
pub fn attempts_maximum(cib: &Cib) -> u32 {
    let configured = u32::try_from(cib.property_score("stonith-max-attempts").value()).unwrap_or(0);
    if configured > 0 { configured } else { ATTEMPTS_MAXIMUM }
}

/// Which member is better: the lower one, field by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Preference {
    first_level: u32,
    is_wrong_side: bool,
    is_not_started: bool,
    is_not_coordinator: bool,
    host: HostId,
}

/// Whether the target itself runs the level: some devices give access back only from the host that gets it.
fn prefers_target(situation: &Situation<'_>, level: &Level<'_>, action: &str) -> bool {
    action == "on" && level.devices.iter().any(|device| situation.learned.is_on_target(device.id()))
}

/// Whether a member may run all devices of a level. A watchdog needs nobody.
fn may_run(situation: &Situation<'_>, level: &Level<'_>, uname: &str) -> bool {
    level.devices.iter().all(|device| device.is_watchdog() || situation.facts.may_use(device.id(), uname))
}

fn nobody(situation: &Situation<'_>, levels: &[Level<'_>], target: &str) -> String {
    let members: Vec<&str> = situation.members.values().map(String::as_str).collect();
    let ids: Vec<String> = levels.iter().map(Level::ids).collect();
    if members.is_empty() {
        return format!("no device can fence {target}: there is no member that could run one");
    }
    let (ids, members) = (ids.join(", "), members.join(", "));
    format!("no device can fence {target}: location constraints keep {ids} off {members}")
}

fn choice(situation: &Situation<'_>, by: HostId, usable: &[Level<'_>], target: &str, action: &str) -> Choice {
    let delays = delay::delays(situation, usable, target, action);
    let mut timeout_ms: u64 = 0;
    let mut levels = Vec::new();
    for (level, delays_ms) in usable.iter().zip(&delays.of_devices_ms) {
        let word = level.action_word(action);
        let mut devices = Vec::new();
        for (device, delay_ms) in level.devices.iter().zip(delays_ms) {
            let own_ms = device.timeout_ms(situation.cib, word);
            timeout_ms = timeout_ms.saturating_add(own_ms).saturating_add(*delay_ms);
            devices.push(FenceDevice { delay_ms: *delay_ms, ..device.for_target(situation.cib, target) });
        }
        levels.push(devices);
    }
    // As Pacemaker does: a fifth more, for the work around it.
    let timeout_ms = timeout_ms.saturating_mul(6) / 5;
    Choice { by, levels, action: action.to_owned(), delay_ms: delays.first_ms, timeout_ms }
}
