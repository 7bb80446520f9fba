//! The commands of scenarios for hosts with networks of their own.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::play::Player;
use crate::heartbeat::History;
use crate::net::{Link, ShapeChange};
use crate::power::{PowerEvent, power_events};
use crate::{LabError, guests};

/// How long the commands that wait do so.
const WAIT_LIMIT: Duration = Duration::from_secs(120);
/// Nothing was said for so long: whoever said it has ended. Recorders speak every 0.2 s.
const SILENCE: Duration = Duration::from_secs(2);
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// After the first of two went off, the second has this long to follow.
const DUEL_TIME: Duration = Duration::from_secs(4);
/// The longest `pause`, in seconds.
const PAUSE_MAXIMUM: u64 = 120;

impl Player<'_> {
    pub(super) fn net_step(&mut self, words: &[&str]) -> Result<(), String> {
        let system = |error: LabError| error.to_string();
        match words {
            ["members", "all"] => self.members = None,
            ["members", hosts @ ..] if !hosts.is_empty() => {
                self.members = Some(hosts.iter().map(|host| (*host).to_owned()).collect());
            }
            ["shape", words @ ..] if !words.is_empty() => self.shape(words)?,
            ["service", host, action, name] => {
                self.run_in(host, &["lab-service", action, name])?;
            }
            ["exec", host, command @ ..] if !command.is_empty() => {
                let command = self.with_files(command)?;
                self.run_in(host, &command.iter().map(String::as_str).collect::<Vec<_>>())?;
            }
            ["switch", manner] => {
                let fails = *manner == "fail";
                let delay_ms = if fails { Ok(0) } else { manner.parse() };
                let delay_ms = delay_ms.map_err(|_| "milliseconds are wanted, or fail")?;
                self.lab.power().set(None, Duration::from_millis(delay_ms), fails).map_err(system)?;
            }
            ["cut-lan", host] => {
                let switch = self.lab.frame_switch().map_err(system)?;
                switch.cut(host, None, Some(Link::Lan0)).map_err(system)?;
            }
            ["wait-power", host, what] => {
                self.wait(&format!("the switch did not say '{what}' of {host}"), |player| {
                    Ok(player
                        .power_since_note()?
                        .iter()
                        .any(|event| event.host == *host && event.what == *what))
                })?;
            }
            ["no-power", host, what] => {
                let events = self.power_since_note()?;
                if let Some(event) = events.iter().find(|event| event.host == *host && event.what == *what) {
                    return Err(format!("the switch said so at {}", event.wall_ms));
                }
            }
            ["wait-status", host, text @ ..] if !text.is_empty() => {
                self.wait_status(host, &text.join(" "))?
            }
            ["wait-quorum", host, wanted @ ("yes" | "no")] => {
                let wanted = if *wanted == "yes" { "Yes" } else { "No" };
                self.wait(&format!("Corosync on {host} does not say 'Quorate: {wanted}'"), |player| {
                    let said = player.output_in(host, &["corosync-quorumtool", "-s"])?;
                    let line = said.lines().find_map(|line| line.strip_prefix("Quorate:"));
                    Ok(line.is_some_and(|line| line.trim() == wanted))
                })?;
            }
            ["silent", host] => self.silent(host)?,
            ["both-off", one, other] => {
                let off = self.gone_off([one, other], 2)?;
                if off.len() < 2 {
                    return Err(format!("only {off:?} went off"));
                }
                self.found(format!("{one} and {other} shot each other: both are off"));
            }
            ["pause", seconds] => {
                let seconds: u64 = seconds.parse().map_err(|_| "seconds are wanted")?;
                std::thread::sleep(Duration::from_secs(seconds.min(PAUSE_MAXIMUM)));
            }
            _ => return Err("this is no command of a scenario, or its words are not as wanted".to_owned()),
        }
        Ok(())
    }

    fn shape(&self, words: &[&str]) -> Result<(), String> {
        let (mut ends, mut link, mut both) = ([None, None], None, false);
        let mut change = ShapeChange::default();
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("'{text}' is no number"));
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("from", host) => ends[0] = Some(host),
                ("to", host) => ends[1] = Some(host),
                ("link", name) => link = Some(name.parse::<Link>()?),
                ("loss", percent) => change.loss_percent = Some(number(percent)?.into()),
                ("delay", milliseconds) => change.delay_ms = Some(number(milliseconds)?),
                ("jitter", milliseconds) => change.jitter_ms = Some(number(milliseconds)?),
                ("cut", answer) => change.cut = Some(answer == "yes"),
                ("both", "") => both = true,
                _ => return Err(format!("'{word}' is no word of shape")),
            }
        }
        let switch = self.lab.frame_switch().map_err(|error| error.to_string())?;
        switch.shape(ends, link, both, change).map_err(|error| error.to_string())
    }

    /// What a command in a host says; it must succeed.
    fn run_in(&self, host: &str, words: &[&str]) -> Result<String, String> {
        let (success, said) = self.in_host(host, words)?;
        if success { Ok(said) } else { Err(said) }
    }

    /// What a command in a host says, however it ends.
    fn output_in(&self, host: &str, words: &[&str]) -> Result<String, String> {
        self.in_host(host, words).map(|(_, said)| said)
    }

    fn in_host(&self, host: &str, words: &[&str]) -> Result<(bool, String), String> {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.lab.spawn_in(host, command).map_err(|error| error.to_string())?;
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
        Ok((output.status.success(), said.join("\n").trim().to_owned()))
    }

    fn wait(&self, else_say: &str, holds: impl Fn(&Self) -> Result<bool, String>) -> Result<(), String> {
        let deadline = Instant::now() + WAIT_LIMIT;
        loop {
            let answer = holds(self);
            if answer == Ok(true) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let why = answer.err().map(|error| format!(": {error}")).unwrap_or_default();
                return Err(format!("{else_say}, within {} s{why}", WAIT_LIMIT.as_secs()));
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    fn wait_status(&self, host: &str, text: &str) -> Result<(), String> {
        self.wait(&format!("the status of {host} does not hold '{text}'"), |player| {
            let client = player.lab.client(host, Duration::from_secs(5));
            let report =
                client.and_then(|mut client| Ok(client.status()?)).map_err(|error| error.to_string())?;
            Ok(serde_json::to_string(&report).is_ok_and(|json| json.contains(text)))
        })
    }

    fn power_since_note(&self) -> Result<Vec<PowerEvent>, String> {
        let mut events = power_events(self.lab.layout()).map_err(|error| error.to_string())?;
        events.retain(|event| event.wall_ms >= self.noted_ms);
        Ok(events)
    }

    /// Waits until no recorder has spoken on a host for a while.
    fn silent(&mut self, host: &str) -> Result<(), String> {
        let counts = |player: &Self| -> Result<Vec<u64>, String> {
            let count = |name: String| {
                let history = History::read(player.lab.layout(), &name).map_err(|error| error.to_string())?;
                let spoken =
                    history.beats.iter().rev().find(|beat| beat.boot.starts_with(&format!("{host}/")));
                Ok(spoken.map_or(0, |beat| beat.count))
            };
            guests::names(player.lab.spec()).into_iter().map(count).collect()
        };
        self.wait(&format!("something still runs on {host}"), |player| {
            let before = counts(player)?;
            std::thread::sleep(SILENCE);
            Ok(before == counts(player)?)
        })?;
        self.found(format!("nothing runs on {host}"));
        Ok(())
    }

    /// Which of two hosts went off since the note: waits for the first, then gives the second its time.
    fn gone_off(&self, hosts: [&str; 2], wanted: usize) -> Result<BTreeSet<String>, String> {
        let off = |player: &Self| -> Result<BTreeSet<String>, String> {
            let events = player.power_since_note()?.into_iter();
            let events = events.filter(|event| event.what == "off" && hosts.contains(&event.host.as_str()));
            Ok(events.map(|event| event.host).collect())
        };
        self.wait("neither went off", |player| Ok(!off(player)?.is_empty()))?;
        let deadline = Instant::now() + DUEL_TIME;
        while Instant::now() < deadline && off(self)?.len() < wanted {
            std::thread::sleep(LOOK_INTERVAL);
        }
        off(self)
    }

    /// Of two hosts that shoot each other exactly one goes off: the other.
    pub(super) fn survivor(&self, hosts: [&str; 2]) -> Result<String, String> {
        let off = self.gone_off(hosts, 2)?;
        let left: Vec<&&str> = hosts.iter().filter(|host| !off.contains(**host)).collect();
        match left[..] {
            [survivor] => Ok((*survivor).to_string()),
            _ => Err(format!("{off:?} went off")),
        }
    }
}
