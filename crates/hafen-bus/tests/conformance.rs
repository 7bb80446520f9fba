//! The engine `local` passes the contract's tests over real sockets.

mod support;

use std::collections::BTreeSet;

use hafen_protocol::HostId;
use hafen_protocol::conformance::{HOSTS, SCRIPTS, storm};
use hafen_protocol::sequencer::{PerMille, Settings, Span};
use support::SocketCluster;

fn hosts() -> BTreeSet<HostId> {
    (1..=HOSTS).map(HostId).collect()
}

/// The worst, but quicker, and nothing lost that a script waits for.
fn quick_worst() -> Settings {
    Settings {
        stall_delay: Span::between(5, 50),
        detection_delay: Span::between(20, 200),
        merge_delay: Span::between(10, 100),
        quorum_delay: Span::between(0, 100),
        lose_in_flight: PerMille(0),
        ..Settings::worst(hosts())
    }
}

#[test]
fn scripts_hold_when_calm() {
    for (name, script) in SCRIPTS {
        let mut cluster = SocketCluster::new(Settings::calm(hosts()), 1);
        script(&mut cluster).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn scripts_hold_at_the_worst() {
    for (name, script) in SCRIPTS {
        let mut cluster = SocketCluster::new(quick_worst(), 2);
        script(&mut cluster).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn storms_hold() {
    for seed in 0..2 {
        let settings = Settings { lose_in_flight: PerMille(300), ..quick_worst() };
        storm(&mut SocketCluster::new(settings, seed), seed, 80)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}
