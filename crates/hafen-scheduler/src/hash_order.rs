//! The order in which Pacemaker goes through its tables of strings. It shows wherever a table is printed, and where the first
//! of several equals wins: so it is a fact of its behaviour, like any other. The tables are GLib's (open addressing, quadratic
//! probing, sizes that are powers of two), with a multiplicative hash of the bytes.

/// The largest prime below each power of two.
const PRIMES: [u32; 22] = [
    1, 2, 3, 7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131_071, 262_139,
    524_287, 1_048_573, 2_097_143,
];

const SMALLEST_SHIFT: usize = 3;

fn hash(key: &str) -> u32 {
    // Bytes count as signed.
    let add =
        |hash: u32, byte: u8| hash.wrapping_mul(31).wrapping_add_signed(i32::from(i8::from_ne_bytes([byte])));
    key.bytes().fold(0, add).max(2)
}

fn place(hash: u32, shift: usize) -> usize {
    (hash.wrapping_mul(11) % PRIMES[shift.min(PRIMES.len() - 1)]) as usize
}

struct Table {
    shift: usize,
    /// Positions in the list of keys, with their hashes.
    slots: Vec<Option<(usize, u32)>>,
    count: usize,
}

impl Table {
    fn insert(&mut self, key: usize, hash: u32) {
        let mask = self.slots.len() - 1;
        let (mut at, mut step) = (place(hash, self.shift), 0);
        while self.slots[at & mask].is_some() {
            step += 1;
            at = (at + step) & mask;
        }
        self.slots[at & mask] = Some((key, hash));
        self.count += 1;
        if self.slots.len() <= self.count + self.count / 16 {
            self.grow();
        }
    }

    /// A larger table takes the keys slot by slot; one that is in the way is moved next.
    fn grow(&mut self) {
        let wanted = self.count * 1333 / 1000;
        self.shift =
            ((usize::BITS - wanted.leading_zeros()) as usize).clamp(SMALLEST_SHIFT, PRIMES.len() - 1);
        let before = self.slots.len();
        self.slots.resize(before.max(1 << self.shift), None);
        let mask = self.slots.len() - 1;
        let mut settled = vec![false; self.slots.len()];
        for from in 0..before {
            if settled[from] {
                continue;
            }
            let mut moving = self.slots[from].take();
            while let Some((_, hash)) = moving {
                let (mut at, mut step) = (place(hash, self.shift), 0);
                while settled[at & mask] {
                    step += 1;
                    at = (at + step) & mask;
                }
                settled[at & mask] = true;
                std::mem::swap(&mut self.slots[at & mask], &mut moving);
            }
        }
    }
}

/// Positions of keys, which were put in one after the other and are all different, as GLib goes through a table of them.
pub fn hash_order<'k>(keys: impl Iterator<Item = &'k str>) -> Vec<usize> {
    let mut table = Table { shift: SMALLEST_SHIFT, slots: vec![None; 1 << SMALLEST_SHIFT], count: 0 };
    for (at, key) in keys.enumerate() {
        table.insert(at, hash(key));
    }
    table.slots.into_iter().flatten().map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(keys: &str) -> String {
        let keys: Vec<&str> = keys.split(' ').collect();
        let order: Vec<&str> = hash_order(keys.iter().copied()).into_iter().map(|at| keys[at]).collect();
        order.join(" ")
    }

    /// As Debian 13's `crm_simulate -U` prints the capacities of nodes.
    #[test]
    fn tables_are_gone_through_as_pacemaker_does() {
        assert_eq!(ordered("cpu mem disk"), "cpu mem disk");
        assert_eq!(ordered("mem cpu"), "mem cpu");
        assert_eq!(ordered("d c b a"), "b d a c");
        let nine = "cpu mem disk net gpu foo bar baz qux";
        assert_eq!(ordered(nine), "cpu disk foo mem net gpu baz bar qux");
        let reversed = "qux baz bar foo gpu net disk mem cpu";
        assert_eq!(ordered(reversed), "cpu disk foo mem net baz gpu bar qux");
    }
}
