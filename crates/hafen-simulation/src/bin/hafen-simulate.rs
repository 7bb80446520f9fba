//! Shell: plays seeds of the simulation on all cores, and says what did not hold.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use hafen_simulation::double_shoot::{self, Duel};
use hafen_simulation::mutant::{MUTANTS, Mutant};
use hafen_simulation::runner;

/// Plays whole clusters under seeded faults.
#[derive(Debug, Parser)]
#[command(name = "hafen-simulate")]
struct Arguments {
    /// How many seeds to play.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Threads; as many as there are cores when not given.
    #[arg(long)]
    threads: Option<usize>,
    /// Give the cluster a mistake, to see it caught.
    #[arg(long, value_parser = mutant)]
    mutant: Option<Mutant>,
    /// Stop after so many failed seeds.
    #[arg(long, default_value_t = 5)]
    failures: usize,
    /// Lines of a failed seed's log to print.
    #[arg(long, default_value_t = 120)]
    tail: usize,
    /// Print the whole log of each seed.
    #[arg(long)]
    log: bool,
    /// Play duels instead: two hosts that shoot each other at once.
    #[arg(long)]
    double_shoot: bool,
    /// With --double-shoot: without the delay that lets one of them win.
    #[arg(long, requires = "double_shoot")]
    no_delay: bool,
    /// With --log: write the scheduler's last inputs to this folder.
    #[arg(long)]
    inputs: Option<PathBuf>,
}

fn mutant(name: &str) -> Result<Mutant, String> {
    let names = || MUTANTS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let found = MUTANTS.iter().find(|(known, _)| *known == name).map(|(_, mutant)| *mutant);
    found.ok_or_else(|| format!("there is no mutant of that name; there are {}", names()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.double_shoot {
        return play_duels(&arguments);
    }
    if arguments.log {
        return play_aloud(&arguments);
    }
    // A panic in a node is a violation of its seed, and is told with it.
    std::panic::set_hook(Box::new(|_| {}));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.unwrap_or(cores);
    let began = Instant::now();
    let terminal = std::io::stderr().is_terminal();
    let progress = |runs: u64, report: &runner::Report| {
        if terminal || runs.is_multiple_of(100) || report.violation.is_some() {
            let word = report.violation.as_ref().map_or("", |_| " FAILED");
            let line = format!("{runs}/{} seeds, seed {}{word}", arguments.seeds, report.seed);
            let end = if terminal && word.is_empty() { "\r" } else { "\n" };
            let _ = write!(std::io::stderr(), "{line}{end}");
        }
    };
    let summary = runner::run_seeds(
        arguments.first,
        arguments.seeds,
        threads,
        arguments.mutant,
        arguments.failures,
        &progress,
    );
    for report in &summary.failures {
        print!("{}", runner::describe(report, arguments.mutant, arguments.tail));
    }
    print_summary(&summary, began);
    let judged = summary.runs >= runner::REACHED_SEEDS && arguments.mutant.is_none();
    let seldom = if judged { summary.too_seldom() } else { Vec::new() };
    for (situation, count) in &seldom {
        println!("reached too seldom ({count} times in {} seeds): {situation}", summary.runs);
    }
    if summary.failures.is_empty() && seldom.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn play_duels(arguments: &Arguments) -> ExitCode {
    let delay_ms = (!arguments.no_delay).then_some(double_shoot::DELAY_MS);
    let tell = |report: &runner::Report, lines| {
        print!("{}", runner::describe(report, None, lines));
        println!("that is: {}", double_shoot::replay_command(report.seed, delay_ms));
    };
    if arguments.log {
        let mut good = true;
        for seed in arguments.first..arguments.first + arguments.seeds {
            let (duel, report) = double_shoot::play(seed, delay_ms, true);
            tell(&report, usize::MAX);
            println!("{duel:?}");
            good &= report.violation.is_none();
        }
        return if good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let began = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.unwrap_or(cores);
    let (outcomes, failures) =
        runner::run_duels(arguments.first, arguments.seeds, threads, delay_ms, arguments.failures);
    for report in &failures {
        tell(report, arguments.tail);
    }
    let count = |duel| outcomes.get(&duel).copied().unwrap_or(0);
    println!(
        "{} duels {} in {:.1} s: one host shot in {}, both in {}, one more than once in {}, nobody in {}",
        arguments.seeds,
        if delay_ms.is_some() { "with the delay" } else { "without a delay" },
        began.elapsed().as_secs_f64(),
        count(Duel::One),
        count(Duel::Both),
        count(Duel::Again),
        count(Duel::Nobody)
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn play_aloud(arguments: &Arguments) -> ExitCode {
    let mut good = true;
    for seed in arguments.first..arguments.first + arguments.seeds {
        let report = runner::run_seed(seed, arguments.mutant, true);
        print!("{}", runner::describe(&report, arguments.mutant, usize::MAX));
        println!("hash {:016x} over {} lines", report.hash, report.lines);
        if let Some(folder) = &arguments.inputs {
            for (name, xml, now) in &report.inputs {
                let path = folder.join(format!("seed-{seed}-{name}-at-{now}.xml"));
                if let Err(error) = std::fs::write(&path, xml) {
                    eprintln!("{} cannot be written: {error}", path.display());
                }
            }
        }
        good &= report.violation.is_none();
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_summary(summary: &runner::Summary, began: Instant) {
    let took = began.elapsed().as_secs_f64();
    println!("situations reached:");
    print!("{}", runner::describe_table(&summary.table));
    let (done, refused, unknown) = summary.changes;
    println!(
        "{} seeds in {took:.1} s ({:.2} s each), {} hours simulated, {} faults (at least {} in a seed)",
        summary.runs,
        took / summary.runs.max(1) as f64,
        summary.simulated_ms / 3_600_000,
        summary.faults,
        summary.fewest_faults.unwrap_or(0)
    );
    println!("{done} changes acknowledged, {refused} refused, {unknown} of unknown outcome");
    println!("{} seeds failed", summary.failures.len());
}
