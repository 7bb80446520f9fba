//! What a command costs, and what planning costs in this process.

use hafen_cib::xml::Limits;
use hafen_cib::{Cib, Document};
use hafen_scheduler::{Options, report};
use std::io;
use std::process::{Command, Stdio};

/// The resources that one run took.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Processor time, for the program and for the kernel on its behalf.
    pub seconds: f64,
    /// Resident memory at its peak.
    pub memory_mb: u64,
}

/// How often each figure is taken: the smallest is the one that was least disturbed.
const TRIES: usize = 3;
/// A command that takes longer is not run again.
const LONG_S: f64 = 2.0;

/// What one run of a command takes. A short one is run many times in a row, since the kernel's clock is coarse.
///
/// # Errors
///
/// That the command failed, or that there is no `time`.
pub fn command(words: &[String], rounds: u32) -> io::Result<Cost> {
    let mut best: Option<Cost> = None;
    for _ in 0..TRIES {
        let cost = once(words, rounds)?;
        let long = cost.seconds * f64::from(rounds) > LONG_S;
        best = Some(match best {
            Some(other) if other.seconds < cost.seconds => other,
            _ => cost,
        });
        if long {
            break;
        }
    }
    best.ok_or_else(|| io::Error::other("nothing was measured"))
}

fn once(words: &[String], rounds: u32) -> io::Result<Cost> {
    let script =
        "rounds=$1; shift; while [ $rounds -gt 0 ]; do \"$@\" >/dev/null || exit; rounds=$((rounds-1)); done";
    let mut command = Command::new("/usr/bin/time");
    command.args(["-f", "cost %U %S %M", "sh", "-c", script, "sh", &rounds.to_string()]).args(words);
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(io::Error::other(format!("{}: {}", words.join(" "), said.trim())));
    }
    let line = said.lines().find_map(|line| line.strip_prefix("cost ")).unwrap_or("");
    let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [user, system, kilobytes] = numbers[..] else {
        return Err(io::Error::other(format!("`time` says: {}", said.trim())));
    };
    let memory_mb = (kilobytes / 1024.0).round() as u64;
    Ok(Cost { seconds: (user + system) / f64::from(rounds), memory_mb })
}

/// The processor time that this thread has used, which other work on the machine disturbs less than the time that passes.
fn spent_s() -> Result<f64, String> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").map_err(|error| error.to_string())?;
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
    nanoseconds.map(|spent| spent as f64 / 1e9).ok_or_else(|| format!("schedstat says: {text}"))
}

/// How many seconds of processor time it takes from a CIB in memory to its plan.
///
/// # Errors
///
/// That it is no CIB, or that the kernel does not say what was spent.
pub fn plan(text: &str) -> Result<f64, String> {
    let document = Document::parse_within(text, &Limits::OFFLINE).map_err(|error| error.to_string())?;
    let cib = Cib::from_document(document).map_err(|error| error.to_string())?;
    let mut best = f64::INFINITY;
    for _ in 0..TRIES {
        let began = spent_s()?;
        let planned = report(&cib, 1_764_000_000, Options::default()).plan;
        best = best.min(spent_s()? - began);
        drop(planned);
    }
    Ok(best)
}
