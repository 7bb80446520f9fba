//! Wrong clusters on purpose: one for each invariant, to prove that its check catches what it is there for.
//!
//! Where it is truly the same, the wrong thing is done at the boundary of a node, so that the node under test is the one
//! that ships; only forgetting to plan again is a switch in the node itself, off unless a test turns it on.

use std::fmt;

/// A mistake that a cluster is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// A fencing counts as done although the device was not even asked.
    SkipTheProof,
    /// A sync is answered before anything is synced.
    AcknowledgeBeforeSync,
    /// One host is given two messages the wrong way round now and then.
    ApplyOutOfOrder,
    /// What a plan leaves undone, or what aborts it, is not planned for afterwards.
    ForgetToPlanAgain,
    /// Each fencing is asked of the device twice.
    FenceTwice,
}

/// All mutants, with the names that the command line takes.
pub const MUTANTS: [(&str, Mutant); 5] = [
    ("skip-the-proof", Mutant::SkipTheProof),
    ("acknowledge-before-sync", Mutant::AcknowledgeBeforeSync),
    ("apply-out-of-order", Mutant::ApplyOutOfOrder),
    ("forget-to-plan-again", Mutant::ForgetToPlanAgain),
    ("fence-twice", Mutant::FenceTwice),
];

impl fmt::Display for Mutant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = MUTANTS.iter().find(|(_, mutant)| mutant == self).map_or("", |(name, _)| name);
        formatter.write_str(name)
    }
}
