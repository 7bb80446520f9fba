//! Which devices can fence a target, by levels.

use hafen_cib::Cib;
use hafen_cib::views::{FENCING_LEVELS, FencingDevice, FencingLevel};
use regex_lite::Regex;

use super::device::{Device, watchdog_timeout_ms};
use super::{Learned, Situation};

/// Devices that all have to succeed.
#[derive(Debug, Clone)]
pub(super) struct Level<'a> {
    /// When it is tried: the lowest first.
    pub(super) index: u32,
    pub(super) devices: Vec<Device<'a>>,
}

impl Level<'_> {
    /// What the devices are told to do for an action: a reboot by several devices is off at all of them, then on.
    pub(super) fn action_word<'w>(&self, action: &'w str) -> &'w str {
        match &self.devices[..] {
            [_] => action,
            _ if action == "reboot" => "off",
            _ => action,
        }
    }

    pub(super) fn ids(&self) -> String {
        self.devices.iter().map(Device::id).collect::<Vec<_>>().join("+")
    }
}

/// The levels for a target, in order. Without a topology for it each device is a level, those that name the target first.
///
/// # Errors
///
/// There is none: why, device by device.
pub(super) fn for_target<'a>(
    situation: &Situation<'a>,
    uname: &str,
    action: &str,
) -> Result<Vec<Level<'a>>, String> {
    let cib = situation.cib;
    let mut refusals = Vec::new();
    let mut able: Vec<Device<'a>> = Vec::new();
    for device in cib.fencing_devices() {
        match refusal(situation, device, uname) {
            Some(reason) => refusals.push(format!("{} {reason}", device.id())),
            None => able.push(Device::Configured(device)),
        }
    }
    if action == "on" {
        return unfencing(situation.learned, able, uname);
    }
    let configured = of_topology(cib, uname);
    let mut levels = match configured.is_empty() {
        true => each_alone(able, uname),
        false => chosen(configured, &able, &mut refusals),
    };
    add_own_watchdog(situation, &mut levels, &mut refusals);
    if levels.is_empty() {
        let why = if refusals.is_empty() { "none is configured".to_owned() } else { refusals.join("; ") };
        return Err(format!("no device can fence {uname}: {why}"));
    }
    Ok(levels)
}

/// Why a watchdog is not counted on.
const NO_MAJORITY: &str =
    "counts only where more than half of the configured hosts are here without it: add a fence device";

/// Why a device cannot fence a host.
fn refusal(situation: &Situation<'_>, device: FencingDevice<'_>, uname: &str) -> Option<String> {
    if !device.is_enabled() {
        return Some("is switched off (target-role=Stopped)".to_owned());
    }
    if device.is_watchdog() && watchdog_timeout_ms(situation.cib) == 0 {
        return Some("counts only with stonith-watchdog-timeout".to_owned());
    }
    if device.is_watchdog() && !situation.majority {
        return Some(NO_MAJORITY.to_owned());
    }
    let static_list = device.parameter("pcmk_host_check") == Some("static-list");
    if !device.may_target(uname) || static_list && device.listed_targets().is_none() {
        let listed = device.listed_targets().unwrap_or_default().join(", ");
        return Some(format!("is for {}", if listed.is_empty() { "no host" } else { &listed }));
    }
    situation.learned.refuses(device.id(), uname).then(|| "says that it does not control it".to_owned())
}

/// Unfencing: every device that gives access back must do so.
fn unfencing<'a>(learned: &Learned, able: Vec<Device<'a>>, uname: &str) -> Result<Vec<Level<'a>>, String> {
    let provides = |device: &Device<'_>| {
        let configured = device.configured().is_some_and(FencingDevice::provides_unfencing);
        configured || learned.unfences(device.id())
    };
    let (unfencing, others): (Vec<_>, Vec<_>) = able.into_iter().partition(provides);
    // Somebody asked for `on` where no device unfences: those that switch the host on.
    let levels = if unfencing.is_empty() {
        each_alone(others.into_iter().filter(|device| !device.is_watchdog()).collect(), uname)
    } else {
        vec![Level { index: 1, devices: unfencing }]
    };
    if levels.is_empty() { Err(format!("no device can switch {uname} on")) } else { Ok(levels) }
}

/// Devices one after the other, those first that name the target.
fn each_alone<'a>(mut devices: Vec<Device<'a>>, uname: &str) -> Vec<Level<'a>> {
    devices.sort_by_key(|device| (device.is_watchdog(), !device.names(uname)));
    (1..).zip(devices).map(|(index, device)| Level { index, devices: vec![device] }).collect()
}

/// The target's own watchdog comes last: it needs nobody, and more time than all others.
fn add_own_watchdog(situation: &Situation<'_>, levels: &mut Vec<Level<'_>>, refusals: &mut Vec<String>) {
    let cib = situation.cib;
    let is_configured = cib.fencing_devices().any(FencingDevice::is_watchdog);
    if watchdog_timeout_ms(cib) == 0 || is_configured {
        return;
    }
    if situation.majority {
        let index = levels.last().map_or(1, |level| level.index + 1);
        levels.push(Level { index, devices: vec![Device::Watchdog] });
    } else {
        refusals.push(format!("its own watchdog {NO_MAJORITY}"));
    }
}

/// The levels of the topology for a target: those that name it, else those of the first pattern that matches, else those
/// of its attributes.
fn of_topology<'a>(cib: &'a Cib, uname: &str) -> Vec<FencingLevel<'a>> {
    let valid = |level: &FencingLevel<'_>| level.index().is_some_and(|index| FENCING_LEVELS.contains(&index));
    let all: Vec<FencingLevel<'a>> = cib.fencing_levels().filter(valid).collect();
    let by_name: Vec<FencingLevel<'a>> = all
        .iter()
        .copied()
        .filter(|level| level.target().is_some_and(|name| name.eq_ignore_ascii_case(uname)))
        .collect();
    if !by_name.is_empty() {
        return by_name;
    }
    let pattern = |level: &FencingLevel<'a>| level.element().attribute("target-pattern");
    let first = all
        .iter()
        .find(|level| level.target().is_none() && pattern(level).is_some_and(|text| matches(text, uname)));
    if let Some(text) = first.and_then(pattern) {
        return all
            .into_iter()
            .filter(|level| level.target().is_none() && pattern(level) == Some(text))
            .collect();
    }
    all.into_iter()
        .filter(|level| level.target().is_none() && level.is_for(cib, uname) == Some(true))
        .collect()
}

/// Whether a POSIX extended regular expression occurs in a name. A broken one matches nothing.
fn matches(pattern: &str, uname: &str) -> bool {
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(uname))
}

/// The levels whose devices are all able, by index; levels of the same index are one.
fn chosen<'a>(
    configured: Vec<FencingLevel<'a>>,
    able: &[Device<'a>],
    refusals: &mut Vec<String>,
) -> Vec<Level<'a>> {
    let mut found: Vec<(u32, Vec<&str>)> = Vec::new();
    for level in configured {
        let index = level.index().unwrap_or_default();
        match found.iter_mut().find(|(known, _)| *known == index) {
            Some((_, devices)) => devices.extend(level.devices()),
            None => found.push((index, level.devices().collect())),
        }
    }
    found.sort_by_key(|(index, _)| *index);
    let mut levels = Vec::new();
    for (index, ids) in found {
        let device =
            |id: &&str| able.iter().find(|device| device.id() == *id).copied().ok_or((*id).to_owned());
        match ids.iter().map(device).collect::<Result<Vec<_>, String>>() {
            Ok(devices) if !devices.is_empty() => levels.push(Level { index, devices }),
            Ok(_) => refusals.push(format!("level {index} has no device")),
            Err(id) => refusals.push(format!("level {index} needs {id}, which cannot")),
        }
    }
    levels
}
