//! Plays many seeds against the oracle, two processes at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::generate::generate;
use crate::graph::Level;
use crate::oracle::Oracle;
use crate::ours;
use crate::shrink::{self, Found};
use crate::themes::{THEMES, Theme, areas, occurring};
use crate::tree::Tree;

/// How many CIBs one process of the oracle is given.
const BATCH: u64 = 50;

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many CIBs were played.
    pub played: u64,
    /// How many the oracle refused.
    pub refused: u64,
    /// At how many it broke down itself: a failed assertion, or no end within its time. That is no difference.
    pub aborted: u64,
    /// One of its refusals, or of its last words.
    pub refusal: String,
    /// The seeds with a difference, with it.
    pub differences: BTreeMap<u64, Found>,
    /// In how many CIBs each theme occurred.
    pub themes: BTreeMap<Theme, u64>,
    /// In how many of them there was a difference.
    pub differing: BTreeMap<Theme, u64>,
    /// In how many CIBs three areas or more occurred.
    pub rich: u64,
}

impl Summary {
    fn count(&mut self, cib: &Tree, differs: bool) {
        let found = occurring(cib);
        self.played += 1;
        self.rich += u64::from(areas(&found) >= 3);
        for theme in found {
            *self.themes.entry(theme).or_default() += 1;
            *self.differing.entry(theme).or_default() += u64::from(differs);
        }
    }

    /// The themes as a table.
    #[must_use]
    pub fn table(&self) -> String {
        let part = |count: u64, of: u64| 100.0 * count as f64 / of.max(1) as f64;
        let share = |count: u64| part(count, self.played);
        let mut text = "  CIBs  share  differ  theme\n".to_owned();
        for theme in THEMES {
            let count = self.themes.get(theme).copied().unwrap_or(0);
            let differing = part(self.differing.get(theme).copied().unwrap_or(0), count);
            text.push_str(&format!(
                "{:>6} {:4.1} % {differing:5.1} %  {}\n",
                count,
                share(count),
                theme.name()
            ));
        }
        text.push_str(&format!(
            "{:>6} {:4.1} %          three themes or more\n",
            self.rich,
            share(self.rich)
        ));
        text
    }
}

/// Counts themes only.
#[must_use]
pub fn survey(first: u64, count: u64) -> Summary {
    let mut summary = Summary::default();
    for seed in first..first.saturating_add(count) {
        summary.count(&generate(seed), false);
    }
    summary
}

/// A digest of our own answer to each seed, as far as a level goes.
pub fn digests(first: u64, count: u64, level: Level) -> impl Iterator<Item = (u64, u64)> {
    (first..first.saturating_add(count)).map(move |seed| {
        let mut hash = DefaultHasher::new();
        match ours::ask(&generate(seed).to_xml()) {
            Ok(answer) => {
                answer.graph.hash_at(level, &mut hash);
                if level == Level::Scores {
                    answer.scores.hash(&mut hash);
                }
            }
            Err(text) => text.hash(&mut hash),
        }
        (seed, hash.finish())
    })
}

/// Plays the seeds, and stops when there are so many differences.
///
/// # Errors
///
/// What kept the oracle from being asked.
pub fn play(
    oracle: &Oracle,
    seeds: (u64, u64),
    level: Level,
    most: usize,
    progress: &(dyn Fn(u64, usize) + Sync),
) -> io::Result<Summary> {
    let (first, count) = seeds;
    let next = AtomicU64::new(first);
    let end = first.saturating_add(count);
    let summary = Mutex::new(Summary::default());
    let work = || -> io::Result<()> {
        loop {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            let to = from.saturating_add(BATCH).min(end);
            if from >= end {
                return Ok(());
            }
            batch(oracle, from..to, level, &summary)?;
            let Ok(summary) = summary.lock() else { return Ok(()) };
            progress(summary.played, summary.differences.len());
            if summary.differences.len() >= most {
                return Ok(());
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or(Ok(())))
    })?;
    Ok(summary.into_inner().unwrap_or_default())
}

fn batch(
    oracle: &Oracle,
    seeds: std::ops::Range<u64>,
    level: Level,
    summary: &Mutex<Summary>,
) -> io::Result<()> {
    let cibs: Vec<Tree> = seeds.clone().map(generate).collect();
    let sources: Vec<String> = cibs.iter().map(Tree::to_xml).collect();
    let answers = oracle.ask(&sources)?;
    let mut found = Vec::new();
    let mut refused = Vec::new();
    for ((seed, cib), (source, answer)) in seeds.clone().zip(&cibs).zip(sources.iter().zip(answers)) {
        match answer {
            Err(text) => refused.push(format!("seed {seed}: {text}")),
            Ok(oracle) => {
                let difference = shrink::difference(&oracle, ours::ask(source), level);
                found.extend(
                    difference.map(|difference| (seed, Found { cib: cib.clone(), difference, oracle })),
                );
            }
        }
    }
    let differing: BTreeSet<u64> = found.iter().map(|(seed, _)| *seed).collect();
    if let Ok(mut summary) = summary.lock() {
        for (seed, cib) in seeds.zip(&cibs) {
            summary.count(cib, differing.contains(&seed));
        }
        let broke_down = |text: &&String| {
            ["exit status 134:", "exit status 139:", "exit status 124:"]
                .iter()
                .any(|status| text.contains(status))
        };
        let aborted = refused.iter().filter(broke_down).count() as u64;
        summary.aborted += aborted;
        summary.refused += refused.len() as u64 - aborted;
        // A refusal says more than a break-down.
        let spare = refused.last().filter(|_| summary.refusal.is_empty());
        if let Some(text) = refused.iter().find(|text| !broke_down(text)).or(spare) {
            summary.refusal.clone_from(text);
        }
        summary.differences.extend(found);
    }
    Ok(())
}
