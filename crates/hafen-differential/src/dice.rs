//! Randomness from a seed: the same seed draws the same numbers on every machine.

use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// One stream of randomness.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    source: Pcg64Mcg,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice { source: Pcg64Mcg::seed_from_u64(seed) }
    }

    /// A number from 0 up to, but not including, `end`; 0 when there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u128::try_from(end).unwrap_or(1);
        usize::try_from((u128::from(self.source.next_u64()) * end) >> 64).unwrap_or(0)
    }

    /// A number within bounds, both included.
    pub(crate) fn within(&mut self, low: i64, high: i64) -> i64 {
        let span = usize::try_from(high - low + 1).unwrap_or(1);
        low + i64::try_from(self.below(span)).unwrap_or(0)
    }

    /// Whether something with that many chances in a thousand happens.
    pub(crate) fn chance(&mut self, per_mille: usize) -> bool {
        self.below(1000) < per_mille
    }

    /// One of the items, of which there must be some.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// One of the items, by the weight that stands beside each.
    pub(crate) fn weighted<T: Copy>(&mut self, items: &[(T, usize)]) -> T {
        let total: usize = items.iter().map(|(_, weight)| weight).sum();
        let mut roll = self.below(total);
        for (item, weight) in items {
            if roll < *weight {
                return *item;
            }
            roll -= weight;
        }
        items[0].0
    }

    /// Puts the items into an order of its own.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
