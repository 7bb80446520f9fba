//! The sequencer passes the contract's tests, calm and at its worst.

use std::collections::BTreeSet;

use hafen_protocol::conformance::{Cluster, HOSTS, SCRIPTS, storm};
use hafen_protocol::sequencer::{Input, Output, PerMille, Settings};
use hafen_protocol::{Delivery, HostId, Machine, MemberId, Now, Sequencer, Transmission};

struct Simulated {
    sequencer: Sequencer,
    now_ms: u64,
}

impl Simulated {
    fn new(settings: fn(BTreeSet<HostId>) -> Settings, seed: u64) -> Simulated {
        let hosts = (1..=HOSTS).map(HostId).collect();
        Simulated { sequencer: Sequencer::new(settings(hosts), seed), now_ms: 0 }
    }

    fn now(&self) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: 0 }
    }

    fn input(&mut self, input: Input) {
        self.sequencer.handle(self.now(), input);
    }
}

impl Cluster for Simulated {
    fn host_up(&mut self, host: HostId) {
        self.input(Input::HostUp(host));
    }
    fn host_down(&mut self, host: HostId) {
        self.input(Input::HostDown(host));
    }
    fn join(&mut self, member: MemberId) {
        self.input(Input::ProcessJoin(member));
    }
    fn kill(&mut self, member: MemberId) {
        self.input(Input::ProcessGone(member));
    }
    fn transmit(&mut self, from: MemberId, transmission: Transmission) {
        self.input(Input::Transmit { from, transmission });
    }
    fn partition(&mut self, parts: &[BTreeSet<HostId>]) {
        self.input(Input::Partition(parts.to_vec()));
    }
    fn heal(&mut self) {
        self.input(Input::HealAll);
    }
    fn advance(&mut self, milliseconds: u64) -> Vec<(MemberId, Delivery)> {
        self.now_ms += milliseconds;
        self.sequencer.handle_timeout(self.now());
        let mut deliveries = Vec::new();
        while let Some(output) = self.sequencer.poll_output() {
            if let Output::Deliver { to, delivery } = output {
                deliveries.push((to, delivery));
            }
        }
        deliveries
    }
    fn exact_streams(&self) -> bool {
        // A step of time holds several deliveries: the sender may have been given a later view within it.
        false
    }
}

/// The worst that can still be awaited: nothing that a script waits for is lost.
fn lossless(hosts: BTreeSet<HostId>) -> Settings {
    Settings { lose_in_flight: PerMille(0), ..Settings::worst(hosts) }
}

#[test]
fn scripts_hold_when_calm() {
    for (name, script) in SCRIPTS {
        script(&mut Simulated::new(Settings::calm, 1)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn scripts_hold_at_the_worst() {
    for seed in 0..30 {
        for (name, script) in SCRIPTS {
            script(&mut Simulated::new(lossless, seed))
                .unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
        }
    }
}

#[test]
fn storms_hold() {
    for seed in 0..300 {
        storm(&mut Simulated::new(Settings::worst, seed), seed, 500)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}
