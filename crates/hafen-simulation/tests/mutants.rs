//! Shell: each invariant's check catches the mistake that it is there for.

use hafen_simulation::invariants::Invariant;
use hafen_simulation::mutant::Mutant;
use hafen_simulation::runner::{describe, run_seed, run_seeds};

/// Plays seeds until one fails; it must be within 500, and for the invariant that the mistake breaks.
fn is_caught(mutant: Mutant, invariant: Invariant) {
    let summary = run_seeds(1, 500, 1, Some(mutant), 1, &|_, _| {});
    let failed = summary.failures.first();
    let report = failed.unwrap_or_else(|| panic!("{mutant} was not caught in {} seeds", summary.runs));
    let violation = report.violation.as_ref().expect("a failed run says what did not hold");
    assert_eq!(violation.invariant, invariant, "{}", describe(report, Some(mutant), 60));
}

#[test]
fn skipping_the_proof_is_caught_by_at_most_one_active() {
    is_caught(Mutant::SkipTheProof, Invariant::AtMostOneActive);
}

#[test]
fn acknowledging_before_the_sync_is_caught_by_acknowledged_changes_survive() {
    is_caught(Mutant::AcknowledgeBeforeSync, Invariant::AcknowledgedChangesSurvive);
}

#[test]
fn applying_out_of_order_is_caught_by_same_order_same_state() {
    is_caught(Mutant::ApplyOutOfOrder, Invariant::SameOrderSameState);
}

#[test]
fn forgetting_to_plan_again_is_caught_by_settles() {
    // What is forgotten may be the stop of a part without quorum, which ends that run earlier: others are played
    // until one does not settle.
    let mutant = Mutant::ForgetToPlanAgain;
    for seed in 1..=500 {
        let report = run_seed(seed, Some(mutant), false);
        match report.violation.as_ref().map(|violation| violation.invariant) {
            Some(Invariant::Settles) => return,
            None | Some(Invariant::StopsInTime) => {}
            Some(_) => panic!("{}", describe(&report, Some(mutant), 60)),
        }
    }
    panic!("{mutant} was not caught in 500 seeds");
}

#[test]
fn fencing_twice_is_caught_by_no_fencing_storm() {
    is_caught(Mutant::FenceTwice, Invariant::NoFencingStorm);
}
