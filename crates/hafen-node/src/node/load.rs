//! How busy the hosts are: each tells the others its level when that changes, in the order, so that whoever coordinates
//! knows it.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::message::{HostLoad, LoadLevel, Message};
use hafen_protocol::{HostId, MemberId};

use super::Node;
use crate::driver::Loads;
use crate::membership::Phase;
use crate::properties;

/// From so many percent of `load-threshold` on a host is busy: a little, more, very.
const LOW_PERCENT: u64 = 120;
const MEDIUM_PERCENT: u64 = 160;
const HIGH_PERCENT: u64 = 200;

/// This host's load, and what all have told.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// What was measured last.
    measured: Option<HostLoad>,
    /// What counts: a level that was found twice in a row, so that a short peak changes nothing.
    current: Option<HostLoad>,
    /// What was said in this view.
    said: Option<HostLoad>,
    told: Loads,
}

impl Load {
    /// A view begins: those who come do not know what was said before.
    pub(super) fn begin(&mut self, present: &BTreeSet<HostId>) {
        self.said = None;
        self.told.retain(|host, _| present.contains(host));
    }
}

impl Node {
    /// The daemon has looked: the load of a minute, in hundredths, and how many cores share it.
    pub(super) fn load_measured(&mut self, load_hundredths: u64, cores: u32) {
        let threshold = properties::load_threshold_percent(self.replica.cib());
        let level = level_of(load_hundredths / u64::from(cores.max(1)), threshold);
        let load = HostLoad { level, cores };
        let found_twice = self.load.measured.replace(load.clone()).is_none_or(|before| before == load);
        if !found_twice || self.load.current.as_ref() == Some(&load) {
            return;
        }
        let before = self.load.current.replace(load).map_or(LoadLevel::None, |load| load.level);
        if before != level {
            let text = format!("this host's load is {}, it was {}", level.as_str(), before.as_str());
            let cause = format!("{}.{:02} on {cores} cores", load_hundredths / 100, load_hundredths % 100);
            self.event("load", "", text, cause);
        }
    }

    /// Tells the others what has changed.
    pub(super) fn step_load(&mut self) {
        if self.membership.phase != Phase::Synchronised || self.load.said == self.load.current {
            return;
        }
        let Some(load) = self.load.current.clone() else { return };
        if self.say(&Message::Load(load.clone())) {
            self.load.said = Some(load);
        }
    }

    /// A member told its load.
    pub(super) fn load_ordered(&mut self, from: MemberId, load: HostLoad) {
        self.load.told.insert(from.host, load);
    }

    /// What hosts told of their load.
    pub fn loads(&self) -> &BTreeMap<HostId, HostLoad> {
        &self.load.told
    }
}

/// The level of a load for each core, in percent, with a threshold of so many percent; 0: hosts are never busy.
fn level_of(load_percent: u64, threshold_percent: u64) -> LoadLevel {
    let scaled = load_percent.saturating_mul(100);
    let beyond = |percent: u64| scaled > threshold_percent.saturating_mul(percent);
    match threshold_percent {
        0 => LoadLevel::None,
        _ if beyond(HIGH_PERCENT) => LoadLevel::High,
        _ if beyond(MEDIUM_PERCENT) => LoadLevel::Medium,
        _ if beyond(LOW_PERCENT) => LoadLevel::Low,
        _ => LoadLevel::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_begin_above_the_threshold() {
        let cases =
            [(96, LoadLevel::None), (97, LoadLevel::Low), (129, LoadLevel::Medium), (161, LoadLevel::High)];
        for (load, level) in cases {
            assert_eq!(level_of(load, 80), level, "{load}");
        }
        assert_eq!(level_of(9_999, 0), LoadLevel::None);
    }
}
