//! Shell: a seed is a run, and always the same one.

use hafen_simulation::options::{FAULTS_UNTIL_MS, Options};
use hafen_simulation::runner::{describe, replay_command, run_seed};

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 11] {
        let (one, other) = (run_seed(seed, None, false), run_seed(seed, None, false));
        assert_eq!(one.hash, other.hash, "seed {seed} went two ways");
        assert_eq!(one.lines, other.lines);
    }
}

#[test]
fn different_seeds_are_different_runs() {
    assert_ne!(run_seed(5, None, false).hash, run_seed(6, None, false).hash);
}

#[test]
fn a_seed_is_at_least_an_hour_and_twenty_faults() {
    for seed in 1..200 {
        let options = Options::draw(seed);
        assert!(options.faults.len() >= 20, "seed {seed} has {} faults", options.faults.len());
        assert!(options.faults.iter().all(|fault| fault.at_ms <= FAULTS_UNTIL_MS));
        assert!((2..=8).contains(&options.hosts));
    }
    let report = run_seed(1, None, false);
    assert!(report.violation.is_none(), "{}", describe(&report, None, 60));
    assert!(report.simulated_ms >= 60 * 60_000, "{} ms were simulated", report.simulated_ms);
    assert!(report.faults >= 20, "{} faults struck", report.faults);
}

#[test]
fn a_failed_seed_says_how_to_play_it_again() {
    assert_eq!(replay_command(42, None), "./dev simulate --seeds 1 --first 42");
    let mut report = run_seed(2, None, false);
    report.tail.truncate(10);
    assert!(describe(&report, None, 10).contains("./dev simulate --seeds 1 --first 2"));
}
