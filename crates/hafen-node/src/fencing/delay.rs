//! How long a shot waits, so that of hosts that shoot each other only one fires in time.

use super::Situation;
use super::device::Device;
use super::levels::Level;

/// The delays of a fencing, in milliseconds.
pub(super) struct Delays {
    /// Before its first device.
    pub(super) first_ms: u64,
    /// How much later than that the devices of each level may begin at the earliest.
    pub(super) of_devices_ms: Vec<Vec<u64>>,
}

/// `priority-fencing-delay`, `pcmk_delay_base` and the random part of `pcmk_delay_max`. Giving access back waits for nothing.
pub(super) fn delays(situation: &Situation<'_>, levels: &[Level<'_>], target: &str, action: &str) -> Delays {
    let mut random = situation.random;
    let mut own_ms = |device: &Device<'_>| {
        random = random_of("", random);
        device_delay_ms(device, target, action, random)
    };
    let of_devices_ms: Vec<Vec<u64>> =
        levels.iter().map(|level| level.devices.iter().map(&mut own_ms).collect()).collect();
    let first_ms = of_devices_ms.first().and_then(|level| level.iter().max()).copied().unwrap_or(0);
    let later = |delays: &Vec<u64>| delays.iter().map(|delay_ms| delay_ms.saturating_sub(first_ms)).collect();
    Delays {
        of_devices_ms: of_devices_ms.iter().map(later).collect(),
        first_ms: first_ms.saturating_add(if action == "on" {
            0
        } else {
            priority_delay_ms(situation, target)
        }),
    }
}

fn device_delay_ms(device: &Device<'_>, target: &str, action: &str, random: u64) -> u64 {
    match device.configured() {
        Some(configured) if action != "on" && !configured.is_watchdog() => {
            let (base_ms, most_ms) = configured.delay_ms(target);
            let span_ms = most_ms - base_ms;
            if span_ms == 0 { base_ms } else { base_ms + random % span_ms }
        }
        _ => 0,
    }
}

/// `priority-fencing-delay`: without a majority of the hosts, those that are worth most are shot last. Where all are worth
/// the same, none is.
fn priority_delay_ms(situation: &Situation<'_>, target: &str) -> u64 {
    let configured_ms = situation.cib.property_duration_ms("priority-fencing-delay");
    let others = situation.members.values().filter(|uname| !uname.eq_ignore_ascii_case(target)).count();
    if configured_ms == 0 || others * 2 > situation.hosts {
        return 0;
    }
    let priorities = &situation.facts.priorities;
    let worth =
        priorities.iter().find(|(uname, _)| uname.eq_ignore_ascii_case(target)).map(|(_, worth)| *worth);
    let (least, most) = (priorities.values().min().copied(), priorities.values().max().copied());
    if worth.is_some() && worth == most && least != most { configured_ms } else { 0 }
}

/// A number that a seed gives, for those who have no randomness of their own: evenly spread, another one for each number.
#[must_use]
pub fn random_of(seed: &str, number: u64) -> u64 {
    let mixed = seed.bytes().fold(number ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // The finaliser of SplitMix64.
    let mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
