//! What each host has done with each resource.

use super::{Fate, Top, World};
use crate::themes::Theme;

/// Where a resource stands at a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody has looked.
    Absent,
    /// A probe found this.
    Probed(i32),
    Stopped,
    Active,
    /// Running, found by a probe.
    Found,
    Promoted,
    /// It was promoted, and is not any more.
    Demoted,
    FailedMonitor(i32),
    FailedStart(i32),
    /// The start failed, and it was stopped then.
    GivenUp(i32),
    FailedStop,
    FailedPromote,
    FailedDemote,
    /// An operation is under way.
    Busy(&'static str),
    /// A migration to that host is under way.
    Leaving(usize),
    /// It has left for that host.
    Left(usize),
    /// And its rest was stopped.
    LeftAndStopped(usize),
    FailedToLeave(usize),
    /// From that host, under way.
    Arriving(usize),
    Arrived(usize),
    FailedToArrive(usize),
}

/// A resource's record at a host.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) host: usize,
    /// The id that history uses.
    pub(super) id: String,
    pub(super) primitive: usize,
    pub(super) state: State,
    pub(super) promotable: bool,
    pub(super) device: bool,
}

/// How far the cluster has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fresh,
    Mixed,
    Settled,
}

impl World {
    pub(super) fn make_past(&mut self) -> Vec<Entry> {
        let phase = self.dice.weighted(&[(Phase::Settled, 60), (Phase::Mixed, 30), (Phase::Fresh, 10)]);
        let mut hosts: Vec<usize> =
            (0..self.nodes.len()).filter(|host| self.nodes[*host].fate.has_history()).collect();
        // A host that has just come knows nothing.
        let fresh = if self.wished(Theme::Probes) { 300 } else { 30 };
        hosts.retain(|_| !self.dice.chance(fresh));
        let mut entries = Vec::new();
        for top in self.tops.clone() {
            let unknown = if self.wished(Theme::Probes) { 200 } else { 20 };
            if hosts.is_empty() || self.dice.chance(unknown) {
                continue;
            }
            self.place(&top, &hosts, phase, &mut entries);
        }
        self.orphans(&hosts, &mut entries);
        self.off_hosts(&mut entries);
        self.troubles(&mut entries, &hosts);
        entries
    }

    fn place(&mut self, top: &Top, hosts: &[usize], phase: Phase, entries: &mut Vec<Entry>) {
        let runs = match phase {
            Phase::Settled => self.dice.chance(950),
            Phase::Mixed => self.dice.chance(600),
            Phase::Fresh => false,
        };
        let home = self.dice.pick(hosts);
        let instances = if top.unique { top.max.unwrap_or(self.nodes.len()) } else { 1 };
        let numbered = top.clone && !top.unique && self.dice.chance(120);
        for instance in 0..instances {
            let start = self.dice.below(hosts.len());
            let twice = !top.clone && self.dice.chance(12);
            let mut running = 0;
            let mut promoted = 0;
            for (at, host) in hosts.iter().enumerate() {
                let mut here = runs
                    && if top.unique {
                        (instance + start) % hosts.len() == at
                    } else if top.clone {
                        self.dice.chance(950) && running < top.max.unwrap_or(99)
                    } else {
                        *host == home
                    };
                if phase == Phase::Mixed && self.dice.chance(100) && top.clone {
                    here = false;
                }
                here |= twice && self.dice.chance(500);
                running += usize::from(here);
                let role = here && top.promotable && promoted < top.promoted_max && self.dice.chance(850);
                promoted += usize::from(role);
                let active = if phase == Phase::Mixed { self.dice.below(top.members.len() + 1) } else { 9 };
                for (position, member) in top.members.iter().enumerate() {
                    let state = self.state(here && position < active.max(1), role);
                    let base = self.primitives[*member].id.clone();
                    let id = if top.unique {
                        format!("{base}:{instance}")
                    } else if numbered {
                        format!("{base}:{at}")
                    } else {
                        base
                    };
                    let (promotable, device) = (top.promotable, top.device);
                    if top.unique && state != State::Active && !here && self.dice.chance(500) {
                        continue;
                    }
                    entries.push(Entry { host: *host, id, primitive: *member, state, promotable, device });
                }
            }
        }
    }

    fn state(&mut self, here: bool, promoted: bool) -> State {
        match (here, promoted) {
            (false, _) if self.dice.chance(150) => State::Stopped,
            (false, _) if self.dice.chance(10) => State::Absent,
            (false, _) if self.dice.chance(8) => State::Probed(5),
            (false, _) => State::Probed(7),
            (true, true) => State::Promoted,
            (true, false) if self.dice.chance(60) => State::Found,
            (true, false) if self.dice.chance(60) => State::Demoted,
            (true, false) => State::Active,
        }
    }

    /// What history knows and the configuration does not.
    fn orphans(&mut self, hosts: &[usize], entries: &mut Vec<Entry>) {
        if hosts.is_empty() || self.primitives.is_empty() || !self.on(Theme::Orphans, 20) {
            return;
        }
        let model = self.dice.below(self.primitives.len());
        let mut gone = self.primitives[model].clone();
        gone.id = "gone1".into();
        let index = self.primitives.len();
        let device = gone.class == "stonith";
        self.primitives.push(gone);
        let home = self.dice.pick(hosts);
        for host in hosts {
            let state = if *host == home && self.dice.chance(700) { State::Active } else { State::Probed(7) };
            let id = "gone1".to_owned();
            entries.push(Entry { host: *host, id, primitive: index, state, promotable: false, device });
        }
    }

    /// A host that left may have left its records.
    fn off_hosts(&mut self, entries: &mut Vec<Entry>) {
        for host in 0..self.nodes.len() {
            let keeps = if self.wished(Theme::ShutdownLocks) { 900 } else { 400 };
            if self.nodes[host].fate != Fate::Off || !self.dice.chance(keeps) {
                continue;
            }
            for top in self.tops.clone().into_iter().filter(|top| !top.unique) {
                for member in &top.members {
                    let state = if self.dice.chance(500) { State::Stopped } else { State::Probed(7) };
                    entries.push(Entry {
                        host,
                        id: self.primitives[*member].id.clone(),
                        primitive: *member,
                        state,
                        promotable: top.promotable,
                        device: top.device,
                    });
                }
            }
        }
    }

    fn troubles(&mut self, entries: &mut Vec<Entry>, hosts: &[usize]) {
        let fails = [
            Theme::Failures,
            Theme::FailBan,
            Theme::FailBlock,
            Theme::FailDemote,
            Theme::FailFence,
            Theme::FailIgnore,
            Theme::FailRestart,
            Theme::FailStandby,
            Theme::FailStop,
        ];
        let mut count = self.dice.weighted(&[(0, 55), (1, 35), (2, 10)]);
        let failing = fails.iter().any(|theme| self.wished(*theme));
        count += usize::from(failing);
        for _ in 0..count {
            self.trouble(entries, failing, false);
        }
        if self.wished(Theme::Pending) {
            self.trouble(entries, false, true);
        }
        let moving = self.wished(Theme::Migration) || self.wished(Theme::MigrationFailed);
        if moving || self.dice.chance(60) {
            self.migration(entries, hosts);
        }
    }

    fn trouble(&mut self, entries: &mut [Entry], failing: bool, pending: bool) {
        if entries.is_empty() {
            return;
        }
        let at = self.dice.below(entries.len());
        let promotable = entries[at].promotable;
        let runs = matches!(entries[at].state, State::Active | State::Found | State::Demoted);
        let promoted = entries[at].state == State::Promoted;
        let rc =
            self.dice.weighted(&[(1, 50), (7, 20), (5, 5), (6, 3), (2, 4), (3, 2), (4, 2), (9, 2), (190, 2)]);
        let roll = if pending { 0 } else { self.dice.below(if failing { 1800 } else { 1000 }) };
        let busy = roll < 300;
        let state = match (runs || promoted, busy) {
            (true, true) if promotable => self.dice.pick(&[
                State::Busy("promote"),
                State::Busy("demote"),
                State::Busy("stop"),
                State::Busy("monitor"),
            ]),
            (true, true) => {
                self.dice.pick(&[State::Busy("stop"), State::Busy("monitor"), State::Busy("start")])
            }
            (false, true) => self.dice.pick(&[State::Busy("probe"), State::Busy("start")]),
            (true, false) if promotable => self.dice.pick(&[
                State::FailedMonitor(rc),
                State::FailedMonitor(if promoted { 9 } else { 8 }),
                State::FailedPromote,
                State::FailedDemote,
                State::FailedStop,
            ]),
            (true, false) => self.dice.weighted(&[
                (State::FailedMonitor(rc), 60),
                (State::FailedStop, 25),
                (State::FailedStart(rc), 15),
            ]),
            (false, false) => self.dice.weighted(&[
                (State::FailedStart(if rc == 190 { 1 } else { rc }), 40),
                (State::GivenUp(1), 45),
                (State::Probed(5), 5),
                (State::Probed(1), 5),
                (State::Probed(if promotable { 8 } else { 0 }), 5),
            ]),
        };
        entries[at].state = state;
    }

    fn migration(&mut self, entries: &mut Vec<Entry>, hosts: &[usize]) {
        let movable: Vec<usize> =
            (0..self.primitives.len()).filter(|index| self.primitives[*index].migratable).collect();
        if movable.is_empty() || hosts.len() < 2 {
            return;
        }
        let primitive = self.dice.pick(&movable);
        let from = self.dice.pick(hosts);
        let Some(to) = (0..8).map(|_| self.dice.pick(hosts)).find(|host| *host != from) else { return };
        let ends = [
            (State::Leaving(to), State::Probed(7), 20),
            (State::Left(to), State::Probed(7), 15),
            (State::Left(to), State::Busy("probe"), 2),
            (State::Left(to), State::Arriving(from), 15),
            (State::Left(to), State::Arrived(from), 20),
            (State::LeftAndStopped(to), State::Arrived(from), 10),
            (State::FailedToLeave(to), State::Probed(7), 12),
            (State::FailedToLeave(to), State::Stopped, 6),
            (State::FailedToLeave(to), State::Active, 3),
            (State::Left(to), State::FailedToArrive(from), 15),
            (State::LeftAndStopped(to), State::FailedToArrive(from), 6),
            (State::Left(to), State::Stopped, 6),
            (State::Stopped, State::FailedToArrive(from), 3),
        ];
        let failed = self.wished(Theme::MigrationFailed);
        let weights: Vec<(usize, usize)> = ends
            .iter()
            .enumerate()
            .map(|(at, (left, arrived, weight))| {
                let bad =
                    matches!(left, State::FailedToLeave(_)) || matches!(arrived, State::FailedToArrive(_));
                (at, if bad && failed { weight * 5 } else { *weight })
            })
            .collect();
        let (left, arrived, _) = ends[self.dice.weighted(&weights)];
        entries.retain(|entry| entry.primitive != primitive || (entry.host != from && entry.host != to));
        for entry in entries.iter_mut().filter(|entry| entry.primitive == primitive) {
            entry.state = State::Probed(7);
        }
        for (host, state) in [(from, left), (to, arrived)] {
            let id = self.primitives[primitive].id.clone();
            entries.push(Entry { host, id, primitive, state, promotable: false, device: false });
        }
    }
}
