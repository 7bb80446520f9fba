//! What stands between a cluster and its purpose: facts of all hosts, judged line by line, each with what mends it.
//!
//! [`collect()`] asks, [`judge`] is pure. Both work before there is a cluster, on one host, and with hosts that are down.

mod collect;
mod facts;
mod fencing;
mod hosts;
mod links;
mod quorum;

use std::collections::BTreeMap;

use hafen_cib::Cib;
use hafen_protocol::client::FenceCheck;
use serde::{Deserialize, Serialize};

use crate::corosync_conf::{CorosyncConf, Finding};
use crate::facts::Facts;
use crate::timing::LinkMeasure;

pub use collect::collect;
pub use facts::{CheckFacts, InterfaceFacts, LinkState, WatchdogFacts};

/// How bad a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Not known, or could be better.
    Advice,
    /// Works now, and will not when something else fails.
    Warning,
    /// Does not work.
    Error,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Whether there is a cluster, and its daemon.
    Cluster,
    /// corosync.conf, the same everywhere.
    Configuration,
    /// Hosts that answer.
    Hosts,
    /// Names resolve.
    Names,
    /// Clocks agree.
    Clocks,
    /// Versions agree.
    Versions,
    /// Ports are reachable, both ways, on every link.
    Ports,
    /// The size of packets.
    Mtu,
    /// Fencing is configured and its devices answer.
    Fencing,
    /// Watchdogs.
    Watchdog,
    /// The arithmetic of votes.
    Quorum,
    /// What takes everything with it when it fails.
    SinglePoint,
}

impl Topic {
    /// The word before the line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Configuration => "files",
            Self::Hosts => "hosts",
            Self::Names => "names",
            Self::Clocks => "clocks",
            Self::Versions => "versions",
            Self::Ports => "ports",
            Self::Mtu => "mtu",
            Self::Fencing => "fencing",
            Self::Watchdog => "watchdog",
            Self::Quorum => "quorum",
            Self::SinglePoint => "single",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Line {
    /// What it is about.
    pub topic: Topic,
    /// How bad it is.
    pub level: Level,
    /// What was found and where, in a sentence without its full stop.
    pub what: String,
    /// What to do; empty where nothing is to be done.
    pub mend: String,
}

/// What another host said, or why it said nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Its facts.
    Facts {
        /// As it told them.
        facts: Box<Facts>,
        /// By how much its clock is ahead of ours, in milliseconds.
        ahead_ms: i64,
        /// How long it took to ask, in milliseconds: the offset is no better known than that.
        took_ms: u64,
    },
    /// What was wrong, and what to do.
    Silent {
        /// What was wrong.
        what: String,
        /// What to do.
        mend: String,
    },
}

/// What this host's own daemon says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DaemonView {
    /// Why it says nothing.
    pub silent: Option<String>,
    /// Whether this part of the cluster has quorum.
    pub quorate: bool,
    /// Its warnings.
    pub warnings: Vec<String>,
    /// What the fence devices answered; why they were not asked.
    pub drill: Option<Result<Vec<FenceCheck>, String>>,
}

/// All that is judged.
#[derive(Debug, Clone, Default)]
pub struct Situation {
    /// This host's name.
    pub own: String,
    /// This host's own facts.
    pub facts: Facts,
    /// This host's corosync.conf, with what is wrong in it; none when there is none.
    pub conf: Option<CorosyncConf>,
    /// What is wrong in it.
    pub conf_findings: Vec<Finding>,
    /// Why corosync.conf or the certificates cannot be read: what, and what to do.
    pub faults: Vec<(String, String)>,
    /// The other hosts, by name.
    pub others: BTreeMap<String, Answer>,
    /// What was measured, from this host and from the others.
    pub measures: Vec<LinkMeasure>,
    /// The TCP port of the daemons.
    pub peer_port: u16,
    /// This host's daemon; none where there is no cluster.
    pub daemon: Option<DaemonView>,
    /// The configuration with its status.
    pub cib: Option<Cib>,
}

impl Situation {
    /// The facts of all hosts that said something, this one's first.
    fn known(&self) -> Vec<&Facts> {
        let others = self.others.values().filter_map(|answer| match answer {
            Answer::Facts { facts, .. } => Some(&**facts),
            Answer::Silent { .. } => None,
        });
        std::iter::once(&self.facts).chain(others).collect()
    }
}

/// Collects lines.
#[derive(Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn add(&mut self, topic: Topic, level: Level, what: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Line { topic, level, what: what.into(), mend: mend.into() });
    }

    fn ok(&mut self, topic: Topic, what: impl Into<String>) {
        self.add(topic, Level::Ok, what, "");
    }

    fn advice(&mut self, topic: Topic, what: impl Into<String>, mend: impl Into<String>) {
        self.add(topic, Level::Advice, what, mend);
    }

    fn warning(&mut self, topic: Topic, what: impl Into<String>, mend: impl Into<String>) {
        self.add(topic, Level::Warning, what, mend);
    }

    fn error(&mut self, topic: Topic, what: impl Into<String>, mend: impl Into<String>) {
        self.add(topic, Level::Error, what, mend);
    }

    /// Says that a topic is as it should be, unless something else was said about it.
    fn ok_unless_told(&mut self, topic: Topic, what: impl Into<String>) {
        if self.0.iter().all(|line| line.topic != topic || line.level < Level::Warning) {
            self.ok(topic, what);
        }
    }
}

/// Judges a situation: at least one line for each topic that can be judged, by topic, the worst first.
#[must_use]
pub fn judge(situation: &Situation) -> Vec<Line> {
    let mut lines = Lines::default();
    cluster(situation, &mut lines);
    hosts::judge(situation, &mut lines);
    links::judge(situation, &mut lines);
    fencing::judge(situation, &mut lines);
    quorum::judge(situation, &mut lines);
    let mut lines = lines.0;
    lines.sort_by(|left, right| {
        (left.topic, std::cmp::Reverse(left.level)).cmp(&(right.topic, std::cmp::Reverse(right.level)))
    });
    lines.dedup();
    lines
}

/// The worst level of some lines.
pub fn worst(lines: &[Line]) -> Level {
    lines.iter().map(|line| line.level).max().unwrap_or(Level::Ok)
}

fn cluster(situation: &Situation, lines: &mut Lines) {
    for (what, mend) in &situation.faults {
        lines.error(Topic::Cluster, what, mend);
    }
    let Some(conf) = &situation.conf else {
        if situation.faults.is_empty() {
            lines.advice(
                Topic::Cluster,
                "this host is in no cluster yet",
                "Begin one with `hafen init`, or join one with `hafen join HOST --token T`",
            );
        }
        return;
    };
    let name = conf.cluster_name().unwrap_or("without a name");
    match &situation.daemon {
        Some(DaemonView { silent: Some(why), .. }) => {
            lines.error(
                Topic::Cluster,
                format!("this host's daemon does not answer: {why}"),
                "Start it with `systemctl start hafen` and look at its log",
            );
        }
        Some(DaemonView { quorate: false, .. }) => {
            lines.error(
                Topic::Cluster,
                format!("cluster {name}: this part has no quorum"),
                "`hafen quorum` tells who is missing",
            );
        }
        _ => lines.ok(Topic::Cluster, format!("cluster {name}: the daemon answers, with quorum")),
    }
    for finding in &situation.conf_findings {
        let level = if finding.is_error { Level::Error } else { Level::Warning };
        lines.add(Topic::Configuration, level, format!("corosync.conf: {}", finding.what), &finding.mend);
    }
}

#[cfg(test)]
mod tests;
