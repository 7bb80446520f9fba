//! Randomness from a seed. Each part of a world draws from a stream of its own, so that a change in one part does not
//! throw the others off course.

use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// One stream of randomness.
#[derive(Debug, Clone)]
pub struct Dice {
    source: Pcg64Mcg,
}

/// Bounds of something that is drawn, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least value.
    pub low: u64,
    /// The greatest value.
    pub high: u64,
}

/// Bounds from the least to the greatest value.
pub const fn bounds(low: u64, high: u64) -> Bounds {
    assert!(low <= high, "bounds the wrong way round");
    Bounds { low, high }
}

impl Dice {
    /// The stream of that name below a seed.
    pub fn new(seed: u64, stream: &str) -> Dice {
        let mut hash = crate::trace::Hash::new();
        hash.add(&seed.to_be_bytes());
        hash.add(stream.as_bytes());
        Dice { source: Pcg64Mcg::seed_from_u64(hash.value()) }
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.source.next_u64()
    }

    /// A number within bounds.
    pub fn within(&mut self, bounds: Bounds) -> u64 {
        let span = u128::from(bounds.high - bounds.low) + 1;
        let offset = (u128::from(self.number()) * span) >> 64;
        bounds.low + u64::try_from(offset).expect("smaller than the span")
    }

    /// Whether something with that many chances in a thousand happens.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.within(bounds(0, 999)) < per_mille
    }

    /// One of the items; `None` when there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let last = items.len().checked_sub(1)?;
        let index = self.within(bounds(0, u64::try_from(last).expect("a length")));
        items.get(usize::try_from(index).expect("an index"))
    }

    /// One of the items, with the weight that stands beside each; `None` when all weights are 0.
    pub fn pick_weighted<T: Copy>(&mut self, items: &[(T, u64)]) -> Option<T> {
        let total: u64 = items.iter().map(|(_, weight)| weight).sum();
        let mut roll = self.within(bounds(0, total.checked_sub(1)?));
        for &(item, weight) in items {
            if roll < weight {
                return Some(item);
            }
            roll -= weight;
        }
        None
    }

    /// Puts the items into an order of its own.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.within(bounds(0, u64::try_from(last).expect("a length")));
            items.swap(last, usize::try_from(other).expect("an index"));
        }
    }
}
