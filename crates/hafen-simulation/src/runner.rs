//! Many runs: a seed each, on several threads, with a summary.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::double_shoot::{self, Duel};
use crate::invariants::{Invariant, Violation};
use crate::mutant::Mutant;
use crate::options::Options;
use crate::situations::{SITUATIONS, Table};
pub use crate::world::Report;
use crate::world::World;

/// Each situation must be reached so often in so many seeds.
pub const REACHED_MINIMUM: u64 = 20;
/// See `REACHED_MINIMUM`.
pub const REACHED_SEEDS: u64 = 500;

/// What came out of many runs.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many runs there were.
    pub runs: u64,
    /// What was reached in all of them.
    pub table: Table,
    /// Faults in all runs.
    pub faults: u64,
    /// The fewest faults in a run.
    pub fewest_faults: Option<usize>,
    /// The shortest run, in simulated milliseconds.
    pub shortest_ms: Option<u64>,
    /// Simulated time of all runs, in milliseconds.
    pub simulated_ms: u64,
    /// Changes that were acknowledged, refused, and of unknown outcome.
    pub changes: (u64, u64, u64),
    /// The runs in which something did not hold, the lowest seeds first.
    pub failures: Vec<Report>,
}

/// Plays one seed. A panic becomes a violation, with the log up to it.
pub fn run_seed(seed: u64, mutant: Option<Mutant>, keep_all: bool) -> Report {
    let mut world = World::new(Options::draw(seed), mutant, keep_all);
    let ended = catch_unwind(AssertUnwindSafe(|| world.run()));
    let mut report = world.report();
    if let Err(panic) = ended {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let text = format!("a panic: {}", text.unwrap_or_default());
        report.violation = Some(Violation { invariant: Invariant::Sound, at_ms: report.simulated_ms, text });
    }
    report
}

/// Plays seeds `first` to `first + count - 1` on `threads` threads. Ends early once `enough` runs have failed. After each
/// run `progress` is told how many there were.
pub fn run_seeds(
    first: u64,
    count: u64,
    threads: usize,
    mutant: Option<Mutant>,
    enough: usize,
    progress: &(dyn Fn(u64, &Report) + Sync),
) -> Summary {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let summary = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let report = run_seed(first + index, mutant, false);
                    let mut summary = summary.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    summary.add(report, |runs, report| progress(runs, report));
                    if summary.failures.len() >= enough {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    summary.failures.sort_by_key(|report| report.seed);
    summary
}

impl Summary {
    fn add(&mut self, report: Report, progress: impl Fn(u64, &Report)) {
        self.runs += 1;
        progress(self.runs, &report);
        self.table.add(&report.table);
        self.faults += report.faults as u64;
        self.simulated_ms += report.simulated_ms;
        self.changes.0 += report.changes.0;
        self.changes.1 += report.changes.1;
        self.changes.2 += report.changes.2;
        if report.violation.is_some() {
            self.failures.push(report);
        } else {
            self.fewest_faults = Some(self.fewest_faults.map_or(report.faults, |few| few.min(report.faults)));
            let shortest = self.shortest_ms.map_or(report.simulated_ms, |ms| ms.min(report.simulated_ms));
            self.shortest_ms = Some(shortest);
        }
    }

    /// Situations that were reached too seldom for that many runs, and how often.
    pub fn too_seldom(&self) -> Vec<(&'static str, u64)> {
        let least = REACHED_MINIMUM * self.runs / REACHED_SEEDS;
        SITUATIONS
            .iter()
            .map(|&(situation, name)| (name, self.table.count(situation)))
            .filter(|&(_, count)| count < least)
            .collect()
    }
}

/// Plays that many duels of two hosts, from seed `first` on, on `threads` threads: how often each outcome came, and the
/// first `enough` runs in which something did not hold.
pub fn run_duels(
    first: u64,
    count: u64,
    threads: usize,
    delay_ms: Option<u64>,
    enough: usize,
) -> (BTreeMap<Duel, u64>, Vec<Report>) {
    let next = AtomicU64::new(0);
    let outcomes = Mutex::new((BTreeMap::new(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let (duel, report) = double_shoot::play(first + index, delay_ms, false);
                    let mut outcomes = outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    *outcomes.0.entry(duel).or_insert(0) += 1;
                    if report.violation.is_some() && outcomes.1.len() < enough {
                        outcomes.1.push(report);
                    }
                }
            });
        }
    });
    outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The command that plays a seed again.
pub fn replay_command(seed: u64, mutant: Option<Mutant>) -> String {
    let mutant = mutant.map_or(String::new(), |mutant| format!(" --mutant {mutant}"));
    format!("./dev simulate --seeds 1 --first {seed}{mutant}")
}

/// A failed run, to read: what did not hold, the end of its log, how to play it again.
pub fn describe(report: &Report, mutant: Option<Mutant>, tail_lines: usize) -> String {
    let mut text = format!("seed {}: {}\n", report.seed, report.options);
    let skip = report.tail.len().saturating_sub(tail_lines);
    for line in report.tail.iter().skip(skip) {
        text.push_str("  ");
        text.push_str(line);
        text.push('\n');
    }
    if let Some(violation) = &report.violation {
        text.push_str(&format!("seed {}: {violation}\n", report.seed));
    }
    text.push_str(&format!("play it again: {}\n", replay_command(report.seed, mutant)));
    text
}

/// The table of situations, to read.
pub fn describe_table(table: &Table) -> String {
    let lines =
        SITUATIONS.iter().map(|&(situation, name)| format!("{:>8}  {name}\n", table.count(situation)));
    lines.collect()
}
