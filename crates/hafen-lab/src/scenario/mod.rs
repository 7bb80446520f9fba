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
//! hafen WORD...                a command as a user gives it
//! wait-event KIND SUBJECT      wait for such an event after the note
//! same-boot VM                 since the note (`all`: each)       other-boot VM    it was started anew
//! runs-on VM HOST              where it runs                      leaves HOST      nothing of the note's runs there
//! fenced HOST N                so many fencings of HOST succeeded since the note
//! oracle                       Pacemaker's tools find the live CIB valid and settled
//! ```
//! At the end of each scenario it is proved that no guest ever ran twice at once, and the story is compared.

mod play;
mod story;
pub(crate) mod world;

use std::fs;
use std::path::{Path, PathBuf};

use crate::LabError;

pub use play::{Report, play};

/// The scenarios that are part of the program, by name: commands and story.
const BUILT_IN: [(&str, &str, &str); 4] = [
    (
        "failover",
        include_str!("../../scenarios/failover/commands"),
        include_str!("../../scenarios/failover/events"),
    ),
    (
        "migrate",
        include_str!("../../scenarios/migrate/commands"),
        include_str!("../../scenarios/migrate/events"),
    ),
    (
        "daemon-killed",
        include_str!("../../scenarios/daemon-killed/commands"),
        include_str!("../../scenarios/daemon-killed/events"),
    ),
    (
        "power-cut",
        include_str!("../../scenarios/power-cut/commands"),
        include_str!("../../scenarios/power-cut/events"),
    ),
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
}

impl Scenario {
    /// A scenario by its name, or by the path of its folder.
    pub fn load(name: &str) -> Result<Self, LabError> {
        if let Some((_, commands, events)) = BUILT_IN.iter().find(|(known, ..)| *known == name) {
            return Self::parse(name, commands, events);
        }
        let folder = PathBuf::from(name);
        if !folder.join("commands").exists() {
            let names = BUILT_IN.map(|(name, ..)| name).join(", ");
            let text = format!(
                "there is no scenario '{name}': there are {names}, and folders with a file `commands`"
            );
            return Err(LabError::State(text));
        }
        let read = |file: &str| -> Result<String, LabError> {
            let path = folder.join(file);
            fs::read_to_string(&path).map_err(LabError::system("read", &path))
        };
        let events = if folder.join("events").exists() { read("events")? } else { String::new() };
        Self::parse(&base_name(&folder), &read("commands")?, &events)
    }

    fn parse(name: &str, commands: &str, events: &str) -> Result<Self, LabError> {
        let words = |text: &str| -> Vec<(usize, Vec<String>)> {
            let lines = text.lines().enumerate().map(|(index, line)| {
                let line = line.split('#').next().unwrap_or_default();
                (index + 1, line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            });
            lines.filter(|(_, words)| !words.is_empty()).collect()
        };
        let mut story = Vec::new();
        for (number, line) in words(events) {
            match &line[..] {
                [kind] => story.push((kind.clone(), "*".to_owned())),
                [kind, subject] => story.push((kind.clone(), subject.clone())),
                _ => {
                    let text = format!("{name}/events, line {number}: a kind and a subject are wanted");
                    return Err(LabError::State(text));
                }
            }
        }
        Ok(Self { name: name.to_owned(), commands: words(commands), story })
    }
}

/// The names of the scenarios that are part of the program.
pub fn names() -> Vec<&'static str> {
    BUILT_IN.map(|(name, ..)| name).to_vec()
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
            assert!(!scenario.commands.is_empty() && !scenario.story.is_empty(), "{name}");
        }
    }

    #[test]
    fn an_unknown_scenario_names_those_that_there_are() {
        let error = Scenario::load("nothing").expect_err("unknown");
        assert!(error.to_string().contains("failover"), "{error}");
    }

    #[test]
    fn comments_and_blank_lines_are_no_commands() {
        let scenario =
            Scenario::parse("x", "# a\n\nkill host1 # now\n", "view\nhost-lost $v\n").expect("read");
        assert_eq!(scenario.commands, [(3, vec!["kill".to_owned(), "host1".to_owned()])]);
        assert_eq!(scenario.story[1], ("host-lost".to_owned(), "$v".to_owned()));
    }
}
