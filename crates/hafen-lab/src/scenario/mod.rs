//! A scenario is a folder: `commands`, which are played against a lab, and `events`, the story that its event log must tell.
//!
//! The tool with which people play one (`hafen lab scenario NAME`) is the harness of the tests.
//!
//! `commands` has one command a line (`#` begins a comment; `$NAME` is a variable that `choose` set):
//!
//! ```text
//! settle SECONDS               all hosts agree that nothing is left to do, and every running guest's counter grows
//! note                         remember where each virtual machine runs and which boot it is; the story begins here
//! choose NAME busiest          the host with the most virtual machines
//! choose NAME coordinator      the coordinator
//! choose NAME other HOST       a host that is not HOST
//! choose NAME vm-on HOST       a virtual machine on HOST
//! choose NAME host-of VM       where VM runs
//! kill HOST | boot HOST        the power of a host; `all` is all of them at once
//! cut HOST | heal              the network
//! signal HOST WORD...          kill -9 the processes of HOST whose command line holds the words
//! hafen WORD...                a command as a user gives it (a file of the scenario's folder may be named)
//! refused WORD...              such a command, which must be refused with a reason and an exit status of its own
//! fill HOST | free HOST        the disk of a host
//! wait-event KIND SUBJECT      wait for such an event after the note
//! same-boot VM                 since the note (`all`: each)       other-boot VM    it was started anew
//! runs-on VM HOST              where it runs                      leaves HOST      nothing of the note's runs there
//! fenced HOST N                so many fencings of HOST succeeded since the note
//! oracle                       Pacemaker's tools find the live CIB valid and settled
//! repeat N … end               plays what stands between N times; $rounds is HAFEN_ROUNDS, or 10
//! ```
//! Hosts with networks of their own know more (a host that is shot or that bites its watchdog is switched on again by its
//! fence device; `members` tells `settle` whom to expect where that is not "all that are on and not cut off"):
//!
//! ```text
//! members HOST... | members all     whom `settle` expects to be members
//! cut HOST OTHER                    one pair, on all links; OTHER may be `gateway`
//! shape WORD...                     from=HOST to=HOST link=eth0|eth1|lan0 loss=PERCENT delay=MS jitter=MS cut=yes|no both
//! service HOST start|stop|restart NAME     corosync, corosync-qdevice, corosync-qnetd, hafen
//! exec HOST WORD...                 a command in the host, which must succeed
//! switch DELAY_MS | switch fail     how long the power switch takes from now on, or that it refuses everything
//! cut-lan HOST                      from the LAN and its gateway; the links of the cluster stay
//! wait-power HOST WHAT              the switch did that since the note: off, on, watchdog-expired, ...
//! no-power HOST WHAT                it did not
//! wait-status HOST WORD...          the host's status, as JSON, holds the words
//! wait-quorum HOST yes|no           what Corosync on the host says of its quorum
//! silent HOST                       nothing that says that it runs does so on HOST any more (within a limit)
//! choose NAME survivor ONE OTHER    of two that shoot each other exactly one goes off; NAME is the other
//! both-off ONE OTHER                of two that shoot each other both go off
//! pause SECONDS                     time passes (only where something must not happen)
//! ```
//! A file `stand` says what such a scenario is played on, an option a line: `hosts N`, `vms N`, `recorders N`, `qnetd`,
//! `fence-delay SECONDS`, `power-delay MS`, `property NAME=VALUE`, `needs-lan` (all runs only where the gateway answers a ping),
//! `detection MS`, `seed N`.
//!
//! At the end of each scenario it is proved that no guest ever ran twice at once, and the story is compared.

mod net;
mod play;
mod stand;
mod story;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::LabError;

pub use play::{Report, play};
pub use stand::Stand;

/// A folder that is part of the program: its name, and its files by name.
type BuiltIn = (&'static str, &'static [(&'static str, &'static str)]);

macro_rules! built_in {
    ($name:literal, $($file:literal),+) => {
        ($name, &[$(($file, include_str!(concat!("../../scenarios/", $name, "/", $file)))),+])
    };
}

/// The scenarios that are part of the program.
const BUILT_IN: [BuiltIn; 27] = [
    built_in!("failover", "commands", "events"),
    built_in!("migrate", "commands", "events"),
    built_in!("daemon-killed", "commands", "events"),
    built_in!("power-cut", "commands", "events"),
    built_in!("cut", "commands", "events"),
    built_in!("guest-killed", "commands", "events"),
    built_in!("disk-full", "commands", "events"),
    built_in!(
        "broken-input",
        "commands",
        "events",
        "broken.xml",
        "entities.xml",
        "not-a-cib.xml",
        "dangling.xml"
    ),
    built_in!("net-host-killed", "stand", "commands", "events"),
    built_in!("net-corosync-killed", "stand", "commands", "events"),
    built_in!("net-daemon-killed", "stand", "commands", "events"),
    built_in!("net-partition-three", "stand", "commands", "events"),
    built_in!("net-partition-two", "stand", "commands", "events"),
    built_in!("net-quorum-lost", "stand", "commands", "events"),
    built_in!("net-asymmetric-loss", "stand", "commands", "events"),
    built_in!("net-lossy", "stand", "commands", "events"),
    built_in!("net-second-link", "stand", "commands", "events"),
    built_in!("net-rejoin", "stand", "commands", "events", "other.xml", "kept.sh"),
    built_in!("net-rolling-restart", "stand", "commands", "events"),
    built_in!("net-qdevice", "stand", "commands", "events"),
    built_in!("net-all-at-once", "stand", "commands", "events"),
    built_in!("net-alone", "stand", "commands", "events"),
    built_in!("net-one-dead", "stand", "commands", "events"),
    built_in!("net-lan-lost", "stand", "commands", "events"),
    built_in!("net-watchdog", "stand", "commands", "events"),
    built_in!("net-double-shoot", "stand", "commands", "events"),
    built_in!("net-double-shoot-bare", "stand", "commands", "events"),
];

/// A scenario as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The lines of `commands` that are commands: number and words.
    pub commands: Vec<(usize, Vec<String>)>,
    /// The lines of `events`: kind and subject (`*`: any).
    pub story: Vec<(String, String)>,
    /// On what it is played; none: on the hub, as its caller sets it up.
    pub stand: Option<Stand>,
    /// The other files of the folder, by name.
    pub files: BTreeMap<String, String>,
}

impl Scenario {
    /// A scenario by its name, or by the path of its folder.
    pub fn load(name: &str) -> Result<Self, LabError> {
        if let Some((_, files)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            let files = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
            return Self::parse(name, files.collect());
        }
        let folder = PathBuf::from(name);
        if !folder.join("commands").exists() {
            let names = names().join(", ");
            let text = format!(
                "there is no scenario '{name}': there are {names}, and folders with a file `commands`"
            );
            return Err(LabError::State(text));
        }
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&folder).map_err(LabError::system("read", &folder))? {
            let path = entry.map_err(LabError::system("read", &folder))?.path();
            let text = fs::read_to_string(&path).map_err(LabError::system("read", &path))?;
            files.insert(base_name(&path), text);
        }
        Self::parse(&base_name(&folder), files)
    }

    fn parse(name: &str, mut files: BTreeMap<String, String>) -> Result<Self, LabError> {
        let (commands, events) = (files.remove("commands"), files.remove("events"));
        let words = |text: &str| -> Vec<(usize, Vec<String>)> {
            let lines = text.lines().enumerate().map(|(index, line)| {
                let line = line.split('#').next().unwrap_or_default();
                (index + 1, line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            });
            lines.filter(|(_, words)| !words.is_empty()).collect()
        };
        let mut story = Vec::new();
        for (number, line) in words(&events.unwrap_or_default()) {
            match &line[..] {
                [kind] => story.push((kind.clone(), "*".to_owned())),
                [kind, subject] => story.push((kind.clone(), subject.clone())),
                _ => {
                    let text = format!("{name}/events, line {number}: a kind and a subject are wanted");
                    return Err(LabError::State(text));
                }
            }
        }
        let stand = files.remove("stand");
        let stand = stand.map(|text| Stand::parse(&words(&text))).transpose();
        let stand = stand.map_err(|what| LabError::State(format!("{name}/stand, {what}")))?;
        Ok(Self {
            name: name.to_owned(),
            commands: words(&commands.unwrap_or_default()),
            story,
            stand,
            files,
        })
    }
}

/// The names of the scenarios that are part of the program.
pub fn names() -> Vec<&'static str> {
    BUILT_IN.map(|(name, _)| name).to_vec()
}

fn base_name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_built_in_scenarios_can_be_read() {
        for name in names() {
            let scenario = Scenario::load(name).expect(name);
            assert!(!scenario.commands.is_empty(), "{name}");
        }
    }

    #[test]
    fn an_unknown_scenario_names_those_that_there_are() {
        let error = Scenario::load("nothing").expect_err("unknown");
        assert!(error.to_string().contains("failover"), "{error}");
    }

    #[test]
    fn comments_and_blank_lines_are_no_commands() {
        let scenario = {
            let files = [
                ("commands", "# a\n\nkill host1 # now\n"),
                ("events", "view\nhost-lost $v\n"),
                ("a.xml", "<a/>"),
            ];
            let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
            Scenario::parse("x", files.into()).expect("read")
        };
        assert_eq!(scenario.files.keys().collect::<Vec<_>>(), ["a.xml"]);
        assert_eq!(scenario.commands, [(3, vec!["kill".to_owned(), "host1".to_owned()])]);
        assert_eq!(scenario.story[1], ("host-lost".to_owned(), "$v".to_owned()));
    }
}
