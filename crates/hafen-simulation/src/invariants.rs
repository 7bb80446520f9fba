//! The invariants. Each looks at the world from outside: at what agents really run, what the device's own log
//! says, what clients were answered.

pub mod acknowledged_changes_survive;
pub mod at_most_one_active;
pub mod no_fencing_storm;
pub mod same_order_same_state;
pub mod settles;
pub mod stops_in_time;

use std::fmt;

/// What must always hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Nothing of a lost host starts elsewhere before that host is proven off.
    AtMostOneActive,
    /// What was acknowledged is still there.
    AcknowledgedChangesSurvive,
    /// Members that delivered the same messages are in the same state.
    SameOrderSameState,
    /// Some time after the last fault the policy's state is reached, and stays.
    Settles,
    /// A host is fenced only for a recorded cause, and once for each.
    NoFencingStorm,
    /// A host that has lost quorum runs nothing any more after a stated time, or was reset.
    StopsInTime,
    /// A host that has just booted fences nobody before it was in a quorate view with another host, or heard an
    /// operator's word.
    NoPingPong,
    /// Of two hosts that shoot each other at once exactly one survives, where their devices have delays.
    OneSurvives,
    /// A node does not panic, and does not spin.
    Sound,
}

impl fmt::Display for Invariant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Invariant::AtMostOneActive => "at_most_one_active",
            Invariant::AcknowledgedChangesSurvive => "acknowledged_changes_survive",
            Invariant::SameOrderSameState => "same_order_same_state",
            Invariant::Settles => "settles",
            Invariant::NoFencingStorm => "no_fencing_storm",
            Invariant::StopsInTime => "stops_in_time",
            Invariant::NoPingPong => "no_ping_pong",
            Invariant::OneSurvives => "one_survives",
            Invariant::Sound => "sound",
        })
    }
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// When it was seen, in simulated milliseconds.
    pub at_ms: u64,
    /// What was seen.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} does not hold: {}", self.invariant, self.text)
    }
}
