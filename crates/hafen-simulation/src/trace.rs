//! The log of a run: a tail to read, and a hash over everything that proves two runs equal.

use std::collections::VecDeque;
use std::fmt;

/// How many lines the tail keeps.
pub const TAIL_LINES_MAXIMUM: usize = 400;

/// A running hash (FNV-1a, 64 bits): the same bytes give the same value on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash(u64);

impl Hash {
    /// The hash of nothing.
    pub const fn new() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }

    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The value so far.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl Default for Hash {
    fn default() -> Hash {
        Hash::new()
    }
}

/// The log of one run.
#[derive(Debug)]
pub struct Trace {
    hash: Hash,
    lines: u64,
    tail: VecDeque<String>,
    all: bool,
}

impl Trace {
    /// An empty log. With `all` it keeps every line, else only the last ones.
    pub fn new(all: bool) -> Trace {
        Trace { hash: Hash::new(), lines: 0, tail: VecDeque::new(), all }
    }

    /// Adds a line about `who` at a simulated time.
    pub fn note(&mut self, now_ms: u64, who: &str, what: impl fmt::Display) {
        let line = format!("{} {who:<8} {what}", Clock(now_ms));
        self.hash.add(line.as_bytes());
        self.lines += 1;
        self.tail.push_back(line);
        if !self.all && self.tail.len() > TAIL_LINES_MAXIMUM {
            self.tail.pop_front();
        }
    }

    /// The hash over all lines so far.
    pub fn hash(&self) -> u64 {
        self.hash.value()
    }

    /// How many lines there were.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The lines that were kept.
    pub fn tail(&self) -> impl Iterator<Item = &str> {
        self.tail.iter().map(String::as_str)
    }
}

/// A simulated time as hours, minutes, seconds and milliseconds.
struct Clock(u64);

impl fmt::Display for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, milliseconds) = (self.0 / 1000, self.0 % 1000);
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(formatter, "{hours}:{minutes:02}:{seconds:02}.{milliseconds:03}")
    }
}
