//! Plays a scenario's commands against a lab.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::world::{self, Machines};
use super::{Scenario, story};
use crate::layout::FOLDER_VARIABLE;
use crate::oracle::{self, Verdict};
use crate::{Lab, LabError};

/// How long the cluster may take to settle where the command does not say.
const SETTLE_SECONDS: u64 = 180;
/// How long `wait-event` waits.
const EVENT_LIMIT: Duration = Duration::from_secs(120);
/// Events that are shown after a failure.
const EVENTS_SHOWN: usize = 120;
/// Names the number of rounds of scenarios that play something again and again (`repeat $rounds`).
const ROUNDS_VARIABLE: &str = "HAFEN_ROUNDS";
/// That number where nothing else is said.
const ROUNDS_DEFAULT: &str = "10";
/// The most rounds.
const ROUNDS_MAXIMUM: usize = 10_000;

/// A command: its number and its words.
type Line = (usize, Vec<String>);

/// How a scenario ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The scenario's name.
    pub name: String,
    /// What was found out, a sentence each.
    pub findings: Vec<String>,
    /// What was not as it should be.
    pub failure: Option<String>,
    /// The last events, for whoever looks into a failure.
    pub events: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Plays a scenario. `tell` hears each step as it begins.
pub fn play(lab: &Lab, scenario: &Scenario, tell: &mut dyn FnMut(&str)) -> Report {
    let began = Instant::now();
    let rounds = std::env::var(ROUNDS_VARIABLE).unwrap_or_else(|_| ROUNDS_DEFAULT.to_owned());
    let player = Player {
        lab,
        variables: BTreeMap::from([("rounds".to_owned(), rounds)]),
        noted: Machines::default(),
        noted_ms: 0,
        members: None,
        findings: Vec::new(),
        files: scenario.files.clone(),
    };
    player.play(scenario, tell, began)
}

pub(super) struct Player<'a> {
    pub(super) lab: &'a Lab,
    variables: BTreeMap<String, String>,
    noted: Machines,
    pub(super) noted_ms: u64,
    /// The hosts that are expected to be members; none: those that are on and not cut off.
    pub(super) members: Option<Vec<String>>,
    findings: Vec<String>,
    files: BTreeMap<String, String>,
}

impl Player<'_> {
    fn play(mut self, scenario: &Scenario, tell: &mut dyn FnMut(&str), began: Instant) -> Report {
        let mut failure = None;
        let commands = self.repeated(&scenario.commands).unwrap_or_else(|what| {
            failure = Some(format!("{}/commands: {what}", scenario.name));
            Vec::new()
        });
        for (number, words) in commands {
            let words: Vec<String> = words.iter().map(|word| self.resolved(word)).collect();
            tell(&words.join(" "));
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if let Err(what) = self.step(&words) {
                failure = Some(format!(
                    "{}/commands, line {number} (`{}`): {what}",
                    scenario.name,
                    words.join(" ")
                ));
                break;
            }
        }
        let failure = failure.or_else(|| self.last_checks(scenario).err());
        let events = match failure {
            Some(_) => self.last_events(),
            None => Vec::new(),
        };
        Report {
            name: scenario.name.clone(),
            findings: self.findings,
            failure,
            events,
            took: began.elapsed(),
        }
    }

    fn last_checks(&mut self, scenario: &Scenario) -> Result<(), String> {
        let doubles = world::doubles(self.lab);
        if !doubles.is_empty() {
            return Err(format!("a guest ran twice at once: {}", doubles.join("; ")));
        }
        self.found("no guest ever ran twice at once".to_owned());
        let parts = scenario.story.iter().map(|(kind, subject)| (kind.clone(), self.resolved(subject)));
        let parts: Vec<(String, String)> = parts.collect();
        let events = world::events_since(self.lab, self.noted_ms);
        if let Some(index) = story::missing(&parts, &events) {
            let (kind, subject) = &parts[index];
            return Err(format!(
                "the event log does not tell, at its place, '{kind} {subject}' (part {})",
                index + 1
            ));
        }
        self.found("the event log tells the story in order".to_owned());
        Ok(())
    }

    /// The commands, with what stands between `repeat N` and `end` as often as it is to be played.
    fn repeated<'b>(&self, commands: &'b [Line]) -> Result<Vec<&'b Line>, String> {
        let (mut all, mut block): (Vec<&Line>, Option<(usize, Vec<&Line>)>) = (Vec::new(), None);
        for line in commands {
            let words: Vec<&str> = line.1.iter().map(String::as_str).collect();
            match (&words[..], &mut block) {
                (["repeat", count], None) => {
                    let count: usize =
                        self.resolved(count).parse().map_err(|_| "repeat: a number is wanted")?;
                    if count > ROUNDS_MAXIMUM {
                        return Err(format!("repeat: at most {ROUNDS_MAXIMUM} times"));
                    }
                    block = Some((count, Vec::new()));
                }
                (["end"], Some((count, lines))) => {
                    (0..*count).for_each(|_| all.extend(lines.iter().copied()));
                    block = None;
                }
                (["repeat", ..], _) | (["end"], None) => return Err("repeat and end do not fit".to_owned()),
                (_, Some((_, lines))) => lines.push(line),
                (_, None) => all.push(line),
            }
        }
        if block.is_some() { Err("repeat has no end".to_owned()) } else { Ok(all) }
    }

    pub(super) fn found(&mut self, text: String) {
        self.findings.push(text);
    }

    /// A word with its variables put in.
    fn resolved(&self, word: &str) -> String {
        // Longer names first: `$vm2` is not `$vm` and a 2.
        let mut names: Vec<(&String, &String)> = self.variables.iter().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        names
            .into_iter()
            .fold(word.to_owned(), |word, (name, value)| word.replace(&format!("${name}"), value))
    }

    fn step(&mut self, words: &[&str]) -> Result<(), String> {
        let system = |error: LabError| error.to_string();
        match words {
            ["settle"] => self.settle(SETTLE_SECONDS),
            ["settle", seconds] => self.settle(seconds.parse().map_err(|_| "seconds are wanted")?),
            ["note"] => self.note(),
            ["choose", name, rest @ ..] => {
                let value = self.choose(rest)?;
                self.found(format!("{name} is {value}"));
                self.variables.insert((*name).to_owned(), value);
                Ok(())
            }
            ["kill", host] => self.power(host, "off"),
            ["boot", host] => self.power(host, "on"),
            ["cut", host] => self.lab.cut(host, None).map_err(system),
            ["cut", host, other] => self.lab.cut(host, Some(other)).map_err(system),
            ["heal"] => self.lab.heal(None).map_err(system),
            ["signal", host, what @ ..] if !what.is_empty() => match self.lab.kill_processes(host, what) {
                Ok(0) => Err(format!("{host} has no process of '{}'", what.join(" "))),
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
            ["hafen", arguments @ ..] => self.hafen(arguments),
            ["refused", arguments @ ..] => self.refused(arguments),
            ["fill", host] => self.lab.fill_disk(host).map(drop).map_err(system),
            ["free", host] => self.lab.free_disk(host).map_err(system),
            ["wait-event", kind, subject] => self.wait_event(kind, subject),
            ["same-boot", vm] => self.boots(vm, true),
            ["other-boot", vm] => self.boots(vm, false),
            ["runs-on", vm, host] => self.runs_on(vm, host),
            ["leaves", host] => self.leaves(host),
            ["fenced", host, count] => self.fenced(host, count.parse().map_err(|_| "a number is wanted")?),
            ["oracle"] => self.oracle(),
            _ => self.net_step(words),
        }
    }

    fn settle(&mut self, seconds: u64) -> Result<(), String> {
        let began = Instant::now();
        let limit = Duration::from_secs(seconds);
        let settled = world::settle_among(self.lab, self.members.as_deref(), limit);
        settled.map_err(|what| format!("not settled within {seconds} s: {what}"))?;
        self.found(format!("settled after {:.1} s", began.elapsed().as_secs_f32()));
        Ok(())
    }

    fn note(&mut self) -> Result<(), String> {
        self.noted = world::machines(self.lab)?;
        self.noted_ms = world::wall_ms();
        Ok(())
    }

    fn choose(&self, words: &[&str]) -> Result<String, String> {
        if let ["survivor", one, other] = words {
            return self.survivor([one, other]);
        }
        let status = world::quorate_status(self.lab).map_err(|error| error.to_string())?;
        let machines = world::machines(self.lab)?;
        let hosts = self.lab.spec().hosts.iter().map(|host| host.name.clone());
        let on = |host: &str| machines.0.values().filter(|(place, _)| place == host).count();
        let found = match words {
            ["busiest"] => hosts.max_by_key(|host| on(host)),
            ["coordinator"] => status.coordinator,
            ["other", excluded] => hosts.into_iter().find(|host| host != excluded),
            ["vm-on", host] => {
                machines.0.iter().find(|(_, (place, _))| place == host).map(|(vm, _)| vm.clone())
            }
            ["host-of", vm] => machines.0.get(*vm).map(|(place, _)| place.clone()),
            _ => return Err("nothing is chosen this way".to_owned()),
        };
        found.ok_or_else(|| "there is none".to_owned())
    }

    fn power(&self, host: &str, request: &str) -> Result<(), String> {
        let switch = self.lab.power();
        let names: Vec<String> = match host {
            "all" => self.lab.spec().hosts.iter().map(|one| one.name.clone()).collect(),
            one => vec![one.to_owned()],
        };
        let change = |name: &String| match request {
            "off" => switch.off(name),
            _ => switch.on(name),
        };
        // All at once, as when a room loses its power.
        std::thread::scope(|scope| {
            let threads: Vec<_> = names.iter().map(|name| scope.spawn(|| change(name))).collect();
            let outcomes = threads.into_iter().map(|thread| thread.join());
            outcomes
                .map(|outcome| match outcome {
                    Ok(outcome) => outcome.map_err(|error| error.to_string()),
                    Err(_) => Err("a request's thread died".to_owned()),
                })
                .collect::<Result<Vec<()>, String>>()
        })
        .map(drop)
    }

    fn hafen(&self, arguments: &[&str]) -> Result<(), String> {
        let output = self.run_hafen(arguments)?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// A refusal names a reason, and has an exit status of `sysexits.h`.
    fn refused(&mut self, arguments: &[&str]) -> Result<(), String> {
        let output = self.run_hafen(arguments)?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        match output.status.code() {
            Some(64..=78) if !said.is_empty() && !said.contains("panicked") => {
                self.found(format!("refused: {}", said.lines().next().unwrap_or_default()));
                Ok(())
            }
            _ => Err(format!("not refused as it should be: {}: {said}", output.status)),
        }
    }

    fn run_hafen(&self, arguments: &[&str]) -> Result<Output, String> {
        let mut command = Command::new(self.lab.layout().executable());
        command.env(FOLDER_VARIABLE, self.lab.layout().root()).args(self.with_files(arguments)?);
        command.output().map_err(|error| error.to_string())
    }

    /// The words, files of the scenario written into the lab's folder and named by their paths there.
    pub(super) fn with_files(&self, words: &[&str]) -> Result<Vec<String>, String> {
        let word = |word: &&str| match self.files.get(*word) {
            Some(text) => {
                let path = self.lab.layout().root().join(word);
                std::fs::write(&path, text).map_err(|error| error.to_string())?;
                Ok(path.display().to_string())
            }
            None => Ok((*word).to_owned()),
        };
        words.iter().map(word).collect()
    }

    fn wait_event(&self, kind: &str, subject: &str) -> Result<(), String> {
        let part = [(kind.to_owned(), subject.to_owned())];
        let deadline = Instant::now() + EVENT_LIMIT;
        while story::missing(&part, &world::events_since(self.lab, self.noted_ms)).is_some() {
            if Instant::now() > deadline {
                return Err(format!("no such event within {} s", EVENT_LIMIT.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn boots(&mut self, which: &str, same: bool) -> Result<(), String> {
        let now = world::machines(self.lab)?;
        let noted = self.noted.0.iter().filter(|(vm, _)| which == "all" || *vm == which);
        let mut findings = Vec::new();
        for (vm, (_, before)) in noted {
            let after = now.0.get(vm).map_or("", |(_, boot)| boot.as_str());
            if (before == after) != same {
                let wanted = if same { "the same boot as" } else { "another boot than" };
                return Err(format!("{vm} is not {wanted} before: {before}, now {after}"));
            }
            findings.push(format!("{vm} is {} boot", if same { "the same" } else { "another" }));
        }
        if findings.is_empty() {
            return Err(format!("nothing was noted of {which}"));
        }
        self.findings.extend(findings);
        Ok(())
    }

    fn runs_on(&mut self, vm: &str, host: &str) -> Result<(), String> {
        match world::machines(self.lab)?.0.get(vm) {
            Some((place, _)) if place == host => {
                self.found(format!("{vm} runs on {host}"));
                Ok(())
            }
            other => Err(format!("{vm} runs on {:?}", other.map(|(place, _)| place))),
        }
    }

    /// What ran on the host at the note is another boot on another host; what ran elsewhere has not noticed.
    fn leaves(&mut self, host: &str) -> Result<(), String> {
        let now = world::machines(self.lab)?;
        let noted = self.noted.0.clone();
        for (vm, (before, boot)) in noted {
            let (place, present) = now.0.get(&vm).cloned().unwrap_or_default();
            let stays = before != host;
            if stays && (place != before || present != boot) {
                return Err(format!("{vm} ran on {before} and should not have noticed; now on {place}"));
            }
            if !stays && (place == before || present == boot) {
                return Err(format!("{vm} should run elsewhere as another boot; it runs on {place}"));
            }
            let what = if stays { "has not noticed" } else { "was started anew" };
            self.found(format!("{vm} {what}, on {place}"));
        }
        Ok(())
    }

    fn fenced(&mut self, host: &str, wanted: usize) -> Result<(), String> {
        let events = world::events_since(self.lab, self.noted_ms);
        let starts = events.iter().filter(|event| event.kind == "fence-start" && event.subject == host);
        // Every host's log tells of the same fencing: those at the coordinator count once by their text and time.
        let mut by_host: BTreeMap<&str, usize> = BTreeMap::new();
        for event in starts {
            *by_host.entry(event.host.as_str()).or_default() += 1;
        }
        let most = by_host.values().copied().max().unwrap_or(0);
        if most != wanted {
            return Err(format!("{host} was fenced {most} times"));
        }
        self.found(format!("{host} was fenced {wanted} times"));
        Ok(())
    }

    fn oracle(&mut self) -> Result<(), String> {
        let report = world::quorate_status(self.lab).map_err(|error| error.to_string())?;
        let client =
            self.lab.client(&report.host, Duration::from_secs(30)).map_err(|error| error.to_string())?;
        let cib = { client }.cib(true).map_err(|error| error.to_string())?;
        match oracle::ask(&cib).map_err(|error| error.to_string())? {
            Verdict::Settled => {
                self.found("Pacemaker's tools find the live CIB valid and nothing to do".to_owned());
                Ok(())
            }
            Verdict::Missing(what) if std::env::var("CI").as_deref() == Ok("true") => Err(what),
            Verdict::Missing(what) => {
                self.found(format!("SKIPPED, the interchange test: {what}"));
                Ok(())
            }
            Verdict::Wrong(what) => Err(what),
        }
    }

    fn last_events(&self) -> Vec<String> {
        let events = world::events_since(self.lab, self.noted_ms);
        let skipped = events.len().saturating_sub(EVENTS_SHOWN);
        let line = |event: &hafen_protocol::client::Event| {
            format!(
                "{} {:<8} {:<12} {} {} [{}]",
                event.wall_ms, event.host, event.kind, event.subject, event.text, event.cause
            )
        };
        events.iter().skip(skipped).map(line).collect()
    }
}
