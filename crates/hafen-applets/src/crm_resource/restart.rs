//! Restarting a resource, and what goes with it: by its target role, or on one host by a ban.

use std::collections::BTreeSet;
use std::thread;
use std::time::Instant;

use hafen_cib::Cib;
use hafen_scheduler::{Action, ActionKind, Whereabouts, whereabouts};

use super::super::options::{Given, OUTPUT_AS};
use super::super::output::{self, CrmExit, Failed, Printed};
use super::super::source::Source;
use super::actions::{LOOK_INTERVAL, connected, deadline, impossible, until_settled};
use super::{SPEC, Wanted, moves, parameters};

/// How often a cluster that has nothing to do may be found without what is awaited, before it is given up.
const IDLE_LOOKS: u32 = 8;

/// How a restart goes on.
struct Restart<'a> {
    given: &'a Given,
    wanted: &'a Wanted,
    deadline: Instant,
    quiet: bool,
    printed: Printed,
}

/// Stops a resource and lets it start again; whatever happens, what stopped it is taken back.
pub(super) fn restart(
    given: &Given,
    wanted: &Wanted,
    source: &mut Source,
    cib: &Cib,
) -> Result<Printed, Failed> {
    let deadline = deadline(given)?;
    let resource = wanted.resource()?;
    let active = wanted.active();
    let is_there = |(host, _): &(&str, bool)| wanted.host.as_deref().is_none_or(|wanted| wanted == *host);
    if !active.iter().any(is_there) && running(cib, &resource.id).is_empty() {
        let place = wanted.host.as_ref().map_or_else(|| "anywhere".to_owned(), |host| format!("on {host}"));
        let note = format!("{} is not running {place} and so cannot be restarted", wanted.name);
        return Err(impossible(vec![note], CrmExit::NoSuchObject));
    }
    if resource.is_unmanaged {
        let note = "Unmanaged resources cannot be restarted.".to_owned();
        return Err(impossible(vec![note], CrmExit::NotNow));
    }
    connected(source)?;
    let quiet = given.value(&[OUTPUT_AS]).is_some_and(|format| format != "text");
    let mut restart = Restart { given, wanted, deadline, quiet, printed: Printed::default() };
    match &wanted.host {
        Some(_) if wanted.clone().is_some() => restart.by_ban(source)?,
        _ => restart.by_role(source, cib)?,
    }
    Ok(restart.printed)
}

impl Restart<'_> {
    /// Prints what was done at once: the rest takes its time.
    fn tell(&mut self, printed: Printed) {
        if !self.quiet {
            out!("{}", printed.text);
        }
        self.printed.xml += &printed.xml;
    }

    fn by_role(&mut self, source: &mut Source, cib: &Cib) -> Result<(), Failed> {
        let name = self.wanted.clone().or(self.wanted.resource().ok()).map(|found| found.name.clone());
        let name = name.unwrap_or_default();
        let old = parameters::own_value(cib, &name, "meta_attributes", "target-role").map(str::to_owned);
        let before = names(&whereabouts(cib, output::now()));
        let set = |value: &str| SPEC.parse(&words(&["-m", "-p", "target-role", "-v", value]));
        let stopping = set("stopped").map_err(Failed::usage)?;
        let done = parameters::set(&stopping, self.wanted, source)?;
        self.tell(done);
        let mut planned = source.cib(true)?;
        hafen_cib::upgrade::upgrade(&mut planned);
        let stops = stopping_of(&planned, &before, &name);
        self.announce("stop", &stops);
        let stopped =
            self.until(&stops, |running, stops| stops.iter().filter(|stop| running.contains(*stop)).count());
        let undo = match &old {
            Some(value) => set(value)
                .map_err(Failed::usage)
                .and_then(|given| parameters::set(&given, self.wanted, source)),
            None => SPEC
                .parse(&words(&["-m", "-d", "target-role"]))
                .map_err(Failed::usage)
                .and_then(|given| parameters::delete(&given, self.wanted, source)),
        };
        let done = undo?;
        self.tell(Printed { text: done.text, xml: String::new() });
        stopped?;
        self.announce("start again", &stops);
        self.until(&stops, |running, stops| stops.iter().filter(|stop| !running.contains(*stop)).count())
    }

    /// An instance of a clone on one host.
    fn by_ban(&mut self, source: &mut Source) -> Result<(), Failed> {
        moves::make('B', self.given, self.wanted, source)?;
        let settled = until_settled(&mut again()?, self.deadline);
        moves::clear(self.given, self.wanted, source)?;
        settled?;
        until_settled(&mut again()?, self.deadline)
    }

    fn announce(&mut self, what: &str, resources: &[String]) {
        let list: String = resources.iter().map(|name| format!(" * {name}\n")).collect();
        let text = format!("Waiting for {} resources to {what}:\n{list}", resources.len());
        self.tell(Printed { text, xml: String::new() });
    }

    /// Waits until as many as `left` says are none.
    fn until(
        &self,
        resources: &[String],
        left: impl Fn(&BTreeSet<String>, &[String]) -> usize,
    ) -> Result<(), Failed> {
        let mut client = again()?;
        let mut idle = 0;
        loop {
            let xml = client.cib(true).map_err(|error| super::actions::failed_request(&error))?;
            let running =
                Cib::parse(&xml).map(|cib| names(&whereabouts(&cib, output::now()))).unwrap_or_default();
            let remaining = left(&running, resources);
            if remaining == 0 {
                return until_settled(&mut client, self.deadline);
            }
            let status = client.status().map_err(|error| super::actions::failed_request(&error))?;
            idle = if status.waiting_for.is_none() { idle + 1 } else { 0 };
            if idle > IDLE_LOOKS || Instant::now() >= self.deadline {
                let text = format!(
                    "Could not complete restart of {}, {remaining} resources remaining",
                    self.wanted.name
                );
                return Err(impossible(vec![text], CrmExit::Timeout));
            }
            thread::sleep(LOOK_INTERVAL);
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Another connection: the first is in use.
fn again() -> Result<hafen_client::Client, Failed> {
    output::connect().map_err(|error| super::actions::failed_request(&error))
}

/// What runs, instances by the name of their clone.
fn names(all: &[Whereabouts]) -> BTreeSet<String> {
    let active = all.iter().filter(|part| part.is_primitive && !part.hosts.is_empty());
    active.map(|part| shown(all, part).to_owned()).collect()
}

fn shown<'a>(all: &'a [Whereabouts], part: &'a Whereabouts) -> &'a str {
    let mut at = part;
    while let Some(parent) = at.parent.and_then(|parent| all.get(parent)) {
        at = parent;
        if at.is_clone {
            return &at.name;
        }
    }
    &part.name
}

/// Which of those that run are planned to stop, in the order of the configuration.
fn stopping_of(cib: &Cib, running: &BTreeSet<String>, own: &str) -> Vec<String> {
    let all = whereabouts(cib, output::now());
    let plan = hafen_scheduler::schedule(cib, output::now());
    let stops: BTreeSet<&str> = plan.actions.iter().filter_map(stopped).collect();
    let mut names: Vec<String> = Vec::new();
    for part in all.iter().filter(|part| part.is_primitive) {
        let name = shown(&all, part);
        let stops = stops.contains(part.history.as_str()) || name == own;
        if stops && running.contains(name) && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn stopped(action: &Action) -> Option<&str> {
    match &action.kind {
        ActionKind::Resource { resource, task, .. } if task == "stop" => Some(resource.id.as_str()),
        _ => None,
    }
}

/// The hosts where a resource or a part of it runs.
fn running(cib: &Cib, id: &str) -> Vec<String> {
    let all = whereabouts(cib, output::now());
    let mut left: Vec<usize> = all.iter().position(|found| found.id == id).into_iter().collect();
    let mut hosts = Vec::new();
    while let Some(found) = left.pop().and_then(|at| all.get(at)) {
        hosts.extend(found.hosts.iter().cloned());
        left.extend(&found.children);
    }
    hosts
}
