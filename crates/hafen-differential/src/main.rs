//! shell: the differential test. See `./dev differential`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use hafen_differential::graph::Level;
use hafen_differential::oracle::Oracle;
use hafen_differential::shrink::{Found, judge, shrink};
use hafen_differential::tree::Tree;
use hafen_differential::{case, generate, play};

/// Random CIBs, on which our scheduler and Debian's crm_simulate must agree.
#[derive(Debug, Parser)]
#[command(name = "hafen-differential")]
struct Arguments {
    /// How many CIBs.
    #[arg(long, default_value_t = 1000)]
    count: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// How far the answers are held against each other: decisions, graph, full, scores.
    #[arg(long, default_value = "graph", value_parser = Level::parse)]
    level: Level,
    /// Stop after so many differences.
    #[arg(long, default_value_t = 100_000)]
    differences: usize,
    /// Shrink so many differences, one of each kind, and print them.
    #[arg(long, default_value_t = 3)]
    shrink: usize,
    /// Print the seeds with a difference, and their kinds.
    #[arg(long)]
    list: bool,
    /// Have the oracle check each CIB against its schema, too.
    #[arg(long)]
    validate: bool,
    /// Print the CIB of the first seed, and nothing else.
    #[arg(long)]
    print: bool,
    /// Look at this CIB instead of random ones, and shrink it when there is a difference; or at all in this folder.
    #[arg(long)]
    cib: Option<PathBuf>,
    /// Write the shrunk CIBs to this folder.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write the shrunk CIBs (or, with --cib and --shrink 0, that CIB in any case) as case folders, with the oracle's
    /// answer, below this folder.
    #[arg(long)]
    cases: Option<PathBuf>,
    /// Print a digest of our own answer to each seed; needs no oracle. Says whether a change of the scheduler is seen.
    #[arg(long)]
    digests: bool,
    /// Count themes only; needs no oracle.
    #[arg(long)]
    themes: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.print {
        print!("{}", generate::generate(arguments.first).to_xml());
        return ExitCode::SUCCESS;
    }
    if arguments.themes {
        print!("{}", play::survey(arguments.first, arguments.count).table());
        return ExitCode::SUCCESS;
    }
    if arguments.digests {
        std::panic::set_hook(Box::new(|_| {}));
        for (seed, digest) in play::digests(arguments.first, arguments.count, arguments.level) {
            println!("{seed} {digest:016x}");
        }
        return ExitCode::SUCCESS;
    }
    let mut oracle = match Oracle::find() {
        Ok(oracle) => oracle,
        Err(text) => {
            println!("skipped: {text}");
            return ExitCode::SUCCESS;
        }
    };
    oracle.validate = arguments.validate;
    // A panic in the scheduler is a difference, and is told with its CIB.
    std::panic::set_hook(Box::new(|_| {}));
    let done = match &arguments.cib {
        Some(path) if path.is_dir() => folder(&oracle, path, &arguments),
        Some(path) => one(&oracle, path, &arguments),
        None => many(&oracle, &arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hafen-differential: {error}");
            ExitCode::from(2)
        }
    }
}

fn one(oracle: &Oracle, path: &Path, arguments: &Arguments) -> std::io::Result<bool> {
    let tree = Tree::parse(&std::fs::read_to_string(path)?).map_err(std::io::Error::other)?;
    let name = path.file_stem().map_or_else(|| "case".to_owned(), |name| name.to_string_lossy().into_owned());
    match oracle.ask(&[tree.to_xml()])?.into_iter().next() {
        Some(Err(complaint)) => {
            println!("the oracle refuses it: {complaint}");
            return Ok(false);
        }
        // What is agreed on is worth keeping, too.
        Some(Ok(answer)) if arguments.cases.is_some() && arguments.shrink == 0 => {
            let folder = arguments.cases.as_deref().unwrap_or(Path::new("."));
            case::save(&folder.join(&name), &tree, &answer.graph)?;
        }
        _ => {}
    }
    let Some(found) = judge(oracle, &[tree], arguments.level)?.pop().flatten() else {
        println!("no difference at {}", arguments.level.name());
        return Ok(true);
    };
    let found = if arguments.shrink > 0 { shrink(oracle, found)? } else { found };
    show(&name, &found, arguments)?;
    Ok(false)
}

/// Which CIBs in a folder still show a difference.
fn folder(oracle: &Oracle, path: &Path, arguments: &Arguments) -> std::io::Result<bool> {
    let mut names: Vec<PathBuf> = std::fs::read_dir(path)?.flatten().map(|entry| entry.path()).collect();
    names.retain(|name| name.extension().is_some_and(|extension| extension == "xml"));
    names.sort();
    let read = |name: &PathBuf| Tree::parse(&std::fs::read_to_string(name)?).map_err(std::io::Error::other);
    let trees = names.iter().map(read).collect::<std::io::Result<Vec<Tree>>>()?;
    let judged = judge(oracle, &trees, arguments.level)?;
    let mut count = 0;
    for (name, found) in names.iter().zip(&judged) {
        let Some(found) = found else { continue };
        count += 1;
        let name = name.file_stem().unwrap_or_default().to_string_lossy();
        println!("{name}: differs at {}\n{}", found.difference.level.name(), found.difference.text);
    }
    println!("{count} of {} differ", names.len());
    Ok(count == 0)
}

fn many(oracle: &Oracle, arguments: &Arguments) -> std::io::Result<bool> {
    let began = Instant::now();
    let progress = |played: u64, differences: usize| {
        let _ = write!(std::io::stderr(), "{played} CIBs, {differences} differences\r");
    };
    let seeds = (arguments.first, arguments.count);
    let summary = play::play(oracle, seeds, arguments.level, arguments.differences, &progress)?;
    let mut kinds: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut levels: BTreeMap<&str, usize> = BTreeMap::new();
    for (seed, found) in &summary.differences {
        kinds.entry(kind(found)).or_default().push(*seed);
        *levels.entry(found.difference.level.name()).or_default() += 1;
    }
    let mut kinds: Vec<(String, Vec<u64>)> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, seeds)| std::cmp::Reverse(seeds.len()));
    for (_, seeds) in kinds.iter().take(arguments.shrink) {
        // The smallest is soon shrunk.
        let size =
            |seed: &&u64| summary.differences.get(seed).map_or(usize::MAX, |one| one.cib.to_xml().len());
        let Some(seed) = seeds.iter().min_by_key(size) else { continue };
        let Some(found) = summary.differences.get(seed) else { continue };
        let shrunk = shrink(oracle, found.clone())?;
        show(&format!("seed-{seed}"), &shrunk, arguments)?;
    }
    print!("{}", summary.table());
    if arguments.list {
        for (kind, seeds) in &kinds {
            println!("{:>5}  {kind}  {:?}", seeds.len(), &seeds[..seeds.len().min(8)]);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let count = summary.differences.len();
    println!(
        "{} CIBs in {seconds:.0} s ({:.0} a second), {} refused, {} aborts of the oracle, {count} differences ({:.1} in 1,000) {levels:?}",
        summary.played,
        summary.played as f64 / seconds,
        summary.refused,
        summary.aborted,
        1000.0 * count as f64 / summary.played.max(1) as f64,
    );
    if summary.refused + summary.aborted > 0 {
        println!("a refusal or abort: {}", summary.refusal);
    }
    Ok(count == 0)
}

/// A difference's kind in short.
fn kind(found: &Found) -> String {
    let signature = &found.difference.signature;
    let rest = if signature.len() > 3 { format!(" +{}", signature.len() - 3) } else { String::new() };
    let words: Vec<&str> = signature.iter().take(3).map(String::as_str).collect();
    format!("{}: {}{rest}", found.difference.level.name(), words.join(", "))
}

fn show(name: &str, found: &Found, arguments: &Arguments) -> std::io::Result<()> {
    println!("--- {name}: differs at {}", found.difference.level.name());
    println!("{}", found.cib.to_xml());
    println!("the oracle:\n{}", found.oracle.graph.describe());
    println!("missing in ours, or extra:\n{}", found.difference.text);
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(format!("{name}.xml")), found.cib.to_xml())?;
    }
    if let Some(folder) = &arguments.cases {
        case::save(&folder.join(name), &found.cib, &found.oracle.graph)?;
    }
    Ok(())
}
