//! shell: measures the scheduler, and Debian's `crm_simulate` beside it. See `./dev bench scheduler`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hafen_differential::book::{State, cib};
use hafen_differential::measure::{self, Cost};
use hafen_differential::oracle::Oracle;
use hafen_differential::shell;

/// Measures the scheduler.
#[derive(Debug, Parser)]
#[command(name = "hafen-bench")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Ours and the oracle's crm_simulate side by side: processor seconds and memory, and the ratios.
    Scheduler(Scheduler),
    /// Write the CIB of so many hosts and machines.
    Cib {
        /// How many hosts.
        hosts: usize,
        /// How many virtual machines.
        machines: usize,
        /// What the cluster is doing: stopped, running, failed, changed.
        #[arg(value_parser = state)]
        state: State,
    },
    /// Run crm_simulate in this process.
    #[command(name = "crm_simulate")]
    Simulate {
        /// Its words.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Scheduler {
    /// 32 hosts with 10,000 machines, too; the oracle is not asked about them.
    #[arg(long)]
    large: bool,
    /// Do not ask the oracle: it takes minutes.
    #[arg(long)]
    no_oracle: bool,
    /// This size alone, such as 16x200.
    #[arg(long, value_parser = size)]
    size: Option<(usize, usize)>,
    /// The program that has crm_simulate; this one, when nothing is said.
    #[arg(long)]
    program: Option<PathBuf>,
}

fn state(word: &str) -> Result<State, String> {
    State::ALL.into_iter().find(|state| state.name() == word).ok_or_else(|| "no such state".to_owned())
}

fn size(word: &str) -> Result<(usize, usize), String> {
    let parse = |text: &str| text.parse().map_err(|_| format!("`{text}` is no number"));
    let (hosts, machines) = word.split_once('x').ok_or_else(|| "HOSTSxMACHINES is wanted".to_owned())?;
    Ok((parse(hosts)?, parse(machines)?))
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Cib { hosts, machines, state } => {
            print!("{}", cib(hosts, machines, state));
            Ok(())
        }
        Task::Simulate { words } => return ExitCode::from(shell::run(words.into_iter())),
        Task::Scheduler(scheduler) => Bench::new(&scheduler).and_then(|bench| bench.run(&scheduler)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hafen-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Bench {
    /// Ours, up to its own words.
    program: Vec<String>,
    /// Where the files are, seen from outside of the oracle's root.
    folder: PathBuf,
    oracle: Option<Oracle>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What one CIB costs.
struct Row {
    size: (usize, usize),
    state: State,
    /// From the file to the written graph.
    ours: Cost,
    theirs: Option<Cost>,
    /// From a CIB in memory to its plan.
    plan_s: f64,
    /// To the plan, and nothing else.
    planned: Cost,
    /// The plan played out, too.
    played: Cost,
}

impl Bench {
    fn new(arguments: &Scheduler) -> io::Result<Bench> {
        let program = match &arguments.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()?,
        };
        let oracle = match (arguments.no_oracle, Oracle::find()) {
            (true, _) => {
                println!("the oracle is not asked: --no-oracle");
                None
            }
            (false, Ok(oracle)) => Some(oracle),
            (false, Err(text)) => {
                println!("ours alone is measured: {text}");
                None
            }
        };
        let folder = std::env::temp_dir().join(format!("hafen-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let program = vec![program.to_string_lossy().into_owned(), "crm_simulate".to_owned()];
        Ok(Bench { program, folder, oracle })
    }

    fn run(&self, arguments: &Scheduler) -> io::Result<()> {
        let mut sizes = vec![(3, 30), (16, 200), (32, 1000)];
        if arguments.large {
            sizes.push((32, 10_000));
        }
        if let Some(size) = arguments.size {
            sizes = vec![size];
        }
        println!("From the file to the written graph: processor time, and memory at its peak.\n");
        println!("   hosts x VMs  state     Pacemaker       ours   ratio  Pacemaker      ours");
        let mut rows = Vec::new();
        for size in sizes {
            for state in State::ALL {
                let row = self.row(size, state)?;
                row.print_beside();
                rows.push(row);
            }
        }
        println!(
            "\nOurs in parts: the plan of a CIB in memory; a whole run with -R, and with -S, which plays the plan out.\n"
        );
        println!("   hosts x VMs  state          plan           -R          -S  times");
        rows.iter().for_each(Row::print_parts);
        growth(&rows);
        Ok(())
    }

    fn row(&self, size: (usize, usize), state: State) -> io::Result<Row> {
        let (hosts, machines) = size;
        let text = cib(hosts, machines, state);
        let file = self.folder.join("cib.xml");
        fs::write(&file, &text)?;
        let rounds = match machines {
            0..100 => 40,
            100..500 => 8,
            _ => 1,
        };
        let path = |name: &str| self.folder.join(name).to_string_lossy().into_owned();
        let (cib_path, graph) = (path("cib.xml"), path("graph.xml"));
        let ours = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned());
            let command: Vec<String> = self.program.iter().cloned().chain(words).collect();
            measure::command(&command, rounds)
        };
        let row = Row {
            size,
            state,
            ours: ours(&["-x", &cib_path, "-Q", "-G", &graph])?,
            planned: ours(&["-x", &cib_path, "-Q", "-R"])?,
            played: ours(&["-x", &cib_path, "-Q", "-S"])?,
            plan_s: measure::plan(&text).map_err(io::Error::other)?,
            theirs: self.theirs(&file, size)?,
        };
        Ok(row)
    }

    fn theirs(&self, file: &Path, (_, machines): (usize, usize)) -> io::Result<Option<Cost>> {
        let Some(oracle) = &self.oracle else { return Ok(None) };
        if machines > 1000 {
            return Ok(None);
        }
        let rounds = if machines < 100 { 5 } else { 1 };
        oracle.cost(file, rounds).map(Some)
    }
}

impl Row {
    fn name(&self) -> String {
        format!("{:>4} x {:<6}  {:<8}", self.size.0, self.size.1, self.state.name())
    }

    fn print_beside(&self) {
        let ours = &self.ours;
        let (seconds, ratio, memory) = self.theirs.as_ref().map_or_else(
            || ("-".to_owned(), "-".to_owned(), "-".to_owned()),
            |theirs| {
                let ratio = theirs.seconds / ours.seconds.max(1e-6);
                (
                    format!("{:.3} s", theirs.seconds),
                    format!("{ratio:.0}"),
                    format!("{} MB", theirs.memory_mb),
                )
            },
        );
        println!(
            " {}  {seconds:>10} {:>8.4} s {ratio:>7} {memory:>10} {:>6} MB",
            self.name(),
            ours.seconds,
            ours.memory_mb
        );
    }

    fn print_parts(&self) {
        let times = self.played.seconds / self.planned.seconds.max(1e-6);
        println!(
            " {}  {:>8.4} s   {:>8.4} s  {:>8.4} s  {times:>5.1}",
            self.name(),
            self.plan_s,
            self.planned.seconds,
            self.played.seconds
        );
    }
}

/// How the costs of the largest CIBs stand to those of a tenth of the machines.
fn growth(rows: &[Row]) {
    let of = |machines: usize| rows.iter().filter(move |row| row.size == (32, machines));
    for (small, large) in of(1000).zip(of(10_000)) {
        println!(
            "{}: ten times the machines take {:.1} times the whole and {:.1} times the plan",
            small.state.name(),
            large.ours.seconds / small.ours.seconds.max(1e-6),
            large.plan_s / small.plan_s.max(1e-6)
        );
    }
}
