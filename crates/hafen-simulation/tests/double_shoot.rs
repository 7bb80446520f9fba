//! Shell: two hosts that lose sight of each other and shoot at once.

use std::collections::BTreeMap;

use hafen_simulation::double_shoot::{DELAY_MS, Duel};
use hafen_simulation::runner::{describe, run_duels};

/// So many duels; `./dev full` plays 10,000.
const DUELS: u64 = 100;

#[test]
fn without_a_delay_both_hosts_die_more_often_than_not() {
    let (outcomes, failures) = run_duels(1, DUELS, 1, None, 1);
    assert!(failures.is_empty(), "{}", describe(&failures[0], None, 60));
    let both = outcomes.get(&Duel::Both).copied().unwrap_or(0);
    assert!(both > DUELS / 2, "both died in {both} of {DUELS}: {outcomes:?}");
}

#[test]
fn with_the_delay_exactly_one_host_survives() {
    let (outcomes, failures) = run_duels(1, DUELS, 1, Some(DELAY_MS), 1);
    assert!(failures.is_empty(), "{}", describe(&failures[0], None, 60));
    assert_eq!(outcomes, BTreeMap::from([(Duel::One, DUELS)]));
}
