//! What guests say over their serial ports, and what that proves: each line names the boot, a counter that lives on the
//! guest's disk, and the guest's uptime.

use std::collections::BTreeSet;
use std::fs;

use crate::{LabError, Layout};

/// One line of a guest.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// The boot of the guest.
    pub boot: String,
    /// The counter on its disk.
    pub count: u64,
    /// Seconds since the guest's boot.
    pub uptime_seconds: f64,
}

impl Heartbeat {
    /// Reads `HB name=NAME boot=BOOT n=COUNT up=SECONDS`; anything else is none.
    fn parse(line: &str) -> Option<Self> {
        let words = line.trim().strip_prefix("HB ")?;
        let value = |name: &str| words.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        Some(Self {
            boot: value("boot")?.to_owned(),
            count: value("n")?.parse().ok()?,
            uptime_seconds: value("up")?.parse().ok()?,
        })
    }
}

/// Everything that a guest has said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// In the order of the serial file.
    pub beats: Vec<Heartbeat>,
    /// Lines in which a guest itself saw another one at its disk.
    pub conflicts: Vec<String>,
}

impl History {
    /// Reads a guest's serial file; a missing one is empty.
    pub fn read(layout: &Layout, vm: &str) -> Result<Self, LabError> {
        let path = layout.guest_serial(vm);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            other => other.map_err(LabError::system("read", &path))?,
        };
        Ok(Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    fn parse(text: &str) -> Self {
        // A line that is being written has no end yet.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        Self {
            beats: whole.lines().filter_map(Heartbeat::parse).collect(),
            conflicts: whole.lines().filter(|line| line.contains("CONFLICT ")).map(str::to_owned).collect(),
        }
    }

    /// The last boot that was heard of.
    pub fn boot(&self) -> Option<&str> {
        self.beats.last().map(|beat| beat.boot.as_str())
    }

    /// The last count that was heard of; 0 before the first.
    pub fn count(&self) -> u64 {
        self.beats.last().map_or(0, |beat| beat.count)
    }

    /// What proves that two of the guest ran at once: boots that alternate, or a count or an uptime that does not grow.
    pub fn doubles(&self) -> Vec<String> {
        let mut found = self.conflicts.clone();
        let mut ended = BTreeSet::new();
        for pair in self.beats.windows(2) {
            let [before, after] = pair else { continue };
            if after.count <= before.count {
                found.push(format!("the count went from {} to {}", before.count, after.count));
            }
            if after.boot == before.boot {
                if after.uptime_seconds < before.uptime_seconds {
                    found.push(format!("the uptime of boot {} went back", after.boot));
                }
                continue;
            }
            ended.insert(before.boot.clone());
            if ended.contains(&after.boot) {
                found.push(format!("boot {} spoke again after {}", after.boot, before.boot));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(beats: &[(&str, u64, f64)]) -> History {
        let lines: Vec<String> =
            beats.iter().map(|(boot, n, up)| format!("HB name=vm1 boot={boot} n={n} up={up}\n")).collect();
        History::parse(&lines.concat())
    }

    #[test]
    fn lines_of_the_kernel_and_half_lines_are_passed_over() {
        let text = "[ 0.1] hello\nHB name=vm1 boot=a n=1 up=1.5\r\nHB name=vm1 boot=a n=x up=2\nHB name=vm1 boot=a n=2 up=2";
        let history = History::parse(text);
        assert_eq!(history.beats, [Heartbeat { boot: "a".into(), count: 1, uptime_seconds: 1.5 }]);
    }

    #[test]
    fn one_boot_after_the_other_is_no_double() {
        let history = history(&[("a", 1, 5.0), ("a", 2, 6.0), ("b", 3, 5.0), ("b", 4, 6.0)]);
        assert_eq!(history.doubles(), Vec::<String>::new());
        assert_eq!((history.boot(), history.count()), (Some("b"), 4));
    }

    #[test]
    fn alternating_boots_are_doubles() {
        assert_eq!(history(&[("a", 1, 5.0), ("b", 2, 5.0), ("a", 3, 6.0)]).doubles().len(), 1);
    }

    #[test]
    fn counts_that_go_back_or_stand_still_are_doubles() {
        assert_eq!(history(&[("a", 5, 5.0), ("b", 4, 5.0)]).doubles().len(), 1);
        assert_eq!(history(&[("a", 5, 5.0), ("a", 5, 6.0)]).doubles().len(), 1);
        assert_eq!(history(&[("a", 5, 5.0), ("a", 6, 4.0)]).doubles().len(), 1);
    }

    #[test]
    fn what_a_guest_saw_itself_counts() {
        assert_eq!(History::parse("CONFLICT name=vm1 boot=a other=b\n").doubles().len(), 1);
    }
}
