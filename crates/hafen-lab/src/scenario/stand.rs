//! On what a scenario is played.

use std::path::PathBuf;

use crate::{LabError, LabSpec, NetSpec};

/// The file `stand` of a scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stand {
    /// How many hosts.
    pub hosts: u32,
    /// How many virtual machines.
    pub vms: u32,
    /// From what the network draws.
    pub seed: u64,
    /// How long the power switch takes, in milliseconds.
    pub power_delay_ms: u64,
    /// All the rest.
    pub net: NetSpec,
}

impl Stand {
    /// Reads the words of its lines; an error names the line.
    pub(super) fn parse(lines: &[(usize, Vec<String>)]) -> Result<Self, String> {
        let mut stand = Self { hosts: 3, seed: 1, ..Self::default() };
        for (number, words) in lines {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            stand.take(&words).map_err(|what| format!("line {number} (`{}`): {what}", words.join(" ")))?;
        }
        Ok(stand)
    }

    fn take(&mut self, words: &[&str]) -> Result<(), String> {
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("'{text}' is no number"));
        match words {
            ["hosts", count] => self.hosts = number(count)?,
            ["vms", count] => self.vms = number(count)?,
            ["recorders", count] => self.net.recorders = number(count)?,
            ["seed", seed] => self.seed = number(seed)?.into(),
            ["power-delay", milliseconds] => self.power_delay_ms = number(milliseconds)?.into(),
            ["fence-delay", seconds] => self.net.fence_delay_seconds = number(seconds)?,
            ["detection", milliseconds] => self.net.detection_ms = Some(number(milliseconds)?.into()),
            ["needs-lan"] => self.net.needs_lan = true,
            ["qnetd"] => self.net.qnetd = Some(NetSpec::quorum_device_host()),
            ["property", pair] => {
                let (name, value) = pair.split_once('=').ok_or("NAME=VALUE is wanted")?;
                self.net.properties.push((name.to_owned(), value.to_owned()));
            }
            _ => return Err("this is no option of a stand".to_owned()),
        }
        Ok(())
    }

    /// The lab that it describes. `guest` holds the guests' kernel where there are virtual machines.
    pub fn spec(&self, guest: Option<PathBuf>) -> Result<LabSpec, LabError> {
        let mut spec = LabSpec::with_hosts(self.hosts)?;
        spec.vms = self.vms;
        spec.guest_dir = guest.filter(|_| self.vms > 0);
        spec.seed = self.seed;
        spec.power_delay_ms = self.power_delay_ms;
        spec.net = Some(self.net.clone());
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Stand, String> {
        let lines = text.lines().enumerate();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        Stand::parse(&lines.map(|(index, line)| (index + 1, words(line))).collect::<Vec<_>>())
    }

    #[test]
    fn a_stand_is_read() {
        let stand = parse("hosts 2\nqnetd\nproperty stonith-action=off\nfence-delay 5").expect("a stand");
        let spec = stand.spec(None).expect("a spec");
        assert_eq!(spec.all_hosts().count(), 3);
        assert_eq!(spec.net.map(|net| net.fence_delay_seconds), Some(5));
    }

    #[test]
    fn what_is_wrong_names_its_line() {
        assert!(parse("hosts 2\nhosts two").expect_err("no number").contains("line 2"));
        assert!(parse("bridges 2").is_err());
    }
}
