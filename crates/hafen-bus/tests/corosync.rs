//! The engine `corosync` passes the contract's tests over real Corosyncs, each in namespaces of its own.
#![cfg(feature = "corosync")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

#[path = "net/failures.rs"]
mod failures;
mod net;
#[path = "net/peers.rs"]
mod peers;

use hafen_protocol::conformance::{HOSTS, SCRIPTS, storm};
use net::{Net, NetSettings, unable};
use peers::Peers;

/// The test that becomes a process with a bus.
const ENTRY: &str = "a_process_with_a_bus";

/// Started by the other tests in a host; alone it does nothing.
#[test]
fn a_process_with_a_bus() {
    peers::run_if_told();
}

fn three() -> Peers {
    Peers::new(Net::new(NetSettings::hosts(HOSTS)), ENTRY)
}

fn script(name: &str) {
    if unable() {
        return;
    }
    let (_, script) = SCRIPTS.iter().find(|(other, _)| *other == name).expect("such a script");
    let mut cluster = three();
    if let Err(error) = script(&mut cluster) {
        panic!("{name}: {error}\n{}", cluster.net.logs());
    }
}

/// Each script is a test of its own, and none is forgotten.
macro_rules! scripts {
    ($($name:ident),*) => {
        $(#[test] fn $name() { script(stringify!($name)); })*
        #[test]
        fn all_scripts_are_here() {
            let here = [$(stringify!($name)),*];
            assert_eq!(here.to_vec(), SCRIPTS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        }
    };
}

scripts!(
    one_after_the_other,
    messages_of_all_in_one_order,
    a_process_lost_and_a_host_lost_are_told_apart,
    leaving_in_good_order,
    partition_and_merge,
    a_reboot_is_never_hidden,
    streams_reach_one_member,
    longest_messages_and_garbage
);

#[test]
fn a_storm_holds() {
    if unable() {
        return;
    }
    let seed = std::env::var("HAFEN_STORM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let steps = std::env::var("HAFEN_STORM_STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(150);
    let mut cluster = three();
    if let Err(error) = storm(&mut cluster, seed, steps) {
        panic!("seed {seed}: {error}\n{}", cluster.net.logs());
    }
}
