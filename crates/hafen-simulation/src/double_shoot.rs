//! Two hosts that lose sight of each other and shoot at once.
//!
//! The switch takes two seconds for each request and serves requests side by side: without a delay both shots are under way
//! before either host is off. With the delay that `hafen init` writes for the host with the lower number exactly one
//! survives. The run goes on until the host that was shot has booted again, alone still: it must not shoot back.

use std::collections::BTreeSet;

use crate::invariants::{Invariant, Violation};
use crate::options::Options;
use crate::runner::Report;
use crate::world::World;

/// The delay before the host with the lower number is shot, in milliseconds (`pcmk_delay_base`).
pub const DELAY_MS: u64 = 5_000;

/// How a duel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duel {
    /// Nobody was shot.
    Nobody,
    /// One host was shot, once.
    One,
    /// Both were shot.
    Both,
    /// One host was shot more than once.
    Again,
}

/// Plays one duel. With a delay anything but one shot is a violation.
pub fn play(seed: u64, delay_ms: Option<u64>, keep_all: bool) -> (Duel, Report) {
    let mut world = World::new(Options::double_shoot(seed, delay_ms), None, keep_all);
    world.run();
    let mut report = world.report();
    let shot: BTreeSet<_> = report.shot.iter().map(|(host, _)| *host).collect();
    let duel = match (shot.len(), report.shot.len()) {
        (0, _) => Duel::Nobody,
        (1, 1) => Duel::One,
        (1, _) => Duel::Again,
        _ => Duel::Both,
    };
    if delay_ms.is_some() && duel != Duel::One && report.violation.is_none() {
        report.violation = Some(Violation {
            invariant: Invariant::OneSurvives,
            at_ms: report.simulated_ms,
            text: format!("of two hosts that shot each other: {duel:?} ({:?})", report.shot),
        });
    }
    (duel, report)
}

/// The command that plays a duel again.
pub fn replay_command(seed: u64, delay_ms: Option<u64>) -> String {
    let delay = delay_ms.map_or(" --no-delay".to_owned(), |_| String::new());
    format!("./dev simulate --double-shoot --seeds 1 --first {seed}{delay}")
}
