//! What the sequencer may do to its cluster: every fault is a named, bounded option, drawn from one seed.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::view::HostId;

/// A range of durations in milliseconds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The shortest.
    pub minimum_ms: u64,
    /// The longest.
    pub maximum_ms: u64,
}

impl Span {
    /// Always the same duration.
    pub const fn exactly(milliseconds: u64) -> Span {
        Span { minimum_ms: milliseconds, maximum_ms: milliseconds }
    }

    /// Between two durations.
    pub const fn between(minimum_ms: u64, maximum_ms: u64) -> Span {
        Span { minimum_ms, maximum_ms }
    }
}

/// A probability in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerMille(pub u32);

/// How the sequencer behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The configured hosts: quorum is a majority of them.
    pub configured: BTreeSet<HostId>,
    /// Of two configured hosts one is enough (Corosync's `two_node`).
    pub two_node: bool,
    /// No quorum after a boot until all configured hosts were seen at once, or a host that has (`wait_for_all`).
    pub wait_for_all: bool,
    /// The sequence of the first ring. Higher than that of any ring an earlier sequencer gave to the same daemons.
    pub first_ring_sequence: u64,
    /// From sending a message to its place in the total order.
    pub order_delay: Span,
    /// From its place in the order to its delivery, drawn for each receiver.
    pub delivery_delay: Span,
    /// How often a delivery stalls, and everything behind it …
    pub stall: PerMille,
    /// … for this long.
    pub stall_delay: Span,
    /// From sending to delivery on a stream.
    pub stream_delay: Span,
    /// From the loss of a host or a link to the new ring.
    pub detection_delay: Span,
    /// From the appearance of a host or the healing of a link to the new ring.
    pub merge_delay: Span,
    /// How often quorum is told at once when a ring forms, before its view.
    pub quorum_first: PerMille,
    /// Else how long after the view it is told.
    pub quorum_delay: Span,
    /// How often a ring with quorum is first said to have none.
    pub quorum_flap: PerMille,
    /// How often a side of a broken ring has not got all that was ordered before.
    pub cut_short: PerMille,
    /// How often a host of a broken ring still orders, and delivers, its own message on its side alone.
    pub order_alone: PerMille,
    /// How often a sender's messages that its side had not got when a ring ended are lost, instead of being delivered
    /// at the old ring's end or ordered in the next one.
    pub lose_in_flight: PerMille,
}

impl Settings {
    /// Well-behaved: at once and in order, nothing is lost that need not be. For the lab.
    pub fn calm(configured: BTreeSet<HostId>) -> Settings {
        Settings {
            configured,
            two_node: false,
            wait_for_all: false,
            first_ring_sequence: 1,
            order_delay: Span::exactly(0),
            delivery_delay: Span::exactly(0),
            stall: PerMille(0),
            stall_delay: Span::exactly(0),
            stream_delay: Span::exactly(0),
            detection_delay: Span::exactly(300),
            merge_delay: Span::exactly(100),
            quorum_first: PerMille(500),
            quorum_delay: Span::exactly(0),
            quorum_flap: PerMille(0),
            cut_short: PerMille(0),
            order_alone: PerMille(0),
            lose_in_flight: PerMille(0),
        }
    }

    /// The worst that the contract allows, often.
    pub fn worst(configured: BTreeSet<HostId>) -> Settings {
        Settings {
            order_delay: Span::between(0, 20),
            delivery_delay: Span::between(0, 40),
            stall: PerMille(20),
            stall_delay: Span::between(50, 2000),
            stream_delay: Span::between(0, 200),
            detection_delay: Span::between(200, 3000),
            merge_delay: Span::between(50, 2000),
            quorum_delay: Span::between(0, 1500),
            quorum_flap: PerMille(100),
            cut_short: PerMille(700),
            order_alone: PerMille(600),
            lose_in_flight: PerMille(300),
            ..Settings::calm(configured)
        }
    }
}

/// Draws from the seed.
#[derive(Debug)]
pub(crate) struct Dice(Pcg64Mcg);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(Pcg64Mcg::seed_from_u64(seed))
    }

    pub(crate) fn span(&mut self, span: Span) -> u64 {
        self.between(span.minimum_ms, span.maximum_ms)
    }

    /// Both ends included; the lower one if they are the wrong way round.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        if low >= high { low } else { self.0.random_range(low..=high) }
    }

    /// A number of items out of `length`, from none to all.
    pub(crate) fn part_of(&mut self, length: usize) -> usize {
        if length == 0 { 0 } else { self.0.random_range(0..=length) }
    }

    pub(crate) fn chance(&mut self, chance: PerMille) -> bool {
        chance.0 > 0 && self.0.random_range(0..1000) < chance.0
    }
}
