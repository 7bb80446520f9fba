//! What the daemons have on record: events, and the transitions that they planned, with what they were given for them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hafen_cib::Cib;
use hafen_protocol::client::Event;
use hafen_scheduler::{Whereabouts, whereabouts};

use crate::crm_node::own_host;
use crate::output::{self, CrmExit, Failed};

/// The same event, logged by several hosts, has times no further apart.
const SAME_EVENT_MS: u64 = 5000;
/// A saved input has the second in which its transition was planned; the event may be told in the next.
const SAME_PLAN_SECONDS: u64 = 1;

/// A host whose daemon tells.
pub(super) struct Witness {
    pub(super) host: String,
    socket: PathBuf,
}

/// An event, and who logged it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) event: Event,
    pub(super) hosts: Vec<String>,
}

/// A transition that a host planned.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Transition {
    /// Who planned it.
    pub(super) host: String,
    pub(super) number: u64,
    /// Its planning.
    pub(super) plan: Event,
    /// How it ended, in a sentence; nothing while it is under way, or where its host stopped.
    pub(super) end: Option<Event>,
    /// How many operations did not end as expected.
    pub(super) failures: usize,
    /// Whether no later one of that host has its number: a daemon counts from its start.
    pub(super) is_newest: bool,
}

/// All that is on record, oldest first.
pub(super) struct Past {
    pub(super) witnesses: Vec<Witness>,
    /// Hosts of the cluster that did not tell.
    pub(super) silent: Vec<String>,
    pub(super) entries: Vec<Entry>,
    pub(super) transitions: Vec<Transition>,
    /// What each configured resource consists of, by id: itself, its members, its instances.
    parts: BTreeMap<String, Vec<String>>,
}

impl Past {
    /// Asks the daemons.
    pub(super) fn read() -> Result<Self, Failed> {
        let failed = |error: &hafen_client::ClientError| output::failed_request("the daemon", error);
        let clients = output::connect_all().map_err(|error| failed(&error))?;
        let (mut witnesses, mut logs, mut silent) = (Vec::new(), Vec::new(), Vec::new());
        let mut parts = BTreeMap::new();
        for mut client in clients {
            let host = own_host(&mut client)?.name;
            if silent.is_empty() {
                let status = client.status().map_err(|error| failed(&error))?;
                silent = status.hosts.into_iter().map(|host| host.name).collect();
                let xml = client.cib(false).map_err(|error| failed(&error))?;
                parts = Cib::parse(&xml)
                    .map(|cib| parts_of(&whereabouts(&cib, output::now())))
                    .unwrap_or_default();
            }
            let socket = client.path().to_owned();
            let events = client.events(None, false).map_err(|error| failed(&error))?;
            logs.push(events.collect::<Result<Vec<Event>, _>>().map_err(|error| failed(&error))?);
            witnesses.push(Witness { host, socket });
        }
        silent.retain(|host| !witnesses.iter().any(|witness| witness.host == *host));
        let mut transitions: Vec<Transition> = logs.iter().flat_map(|log| transitions_of(log)).collect();
        transitions.sort_by_key(|transition| transition.plan.wall_ms);
        Ok(Self { witnesses, silent, entries: merged(logs), transitions, parts })
    }

    /// What its host was given for a transition.
    pub(super) fn input(&self, transition: &Transition) -> Result<String, Failed> {
        let gone = || {
            let text = format!(
                "the input of transition {} of {} is not kept any more: a daemon keeps its last hundred, and counts from its \
                 start",
                transition.number, transition.host
            );
            Failed::new(CrmExit::NoSuchObject, text)
        };
        let witness = self.witnesses.iter().find(|witness| witness.host == transition.host);
        let Some(witness) = witness.filter(|_| transition.is_newest) else { return Err(gone()) };
        let mut client = output::connect_at(&witness.socket)
            .map_err(|error| output::failed_request("the daemon", &error))?;
        let xml = client.transition_input(transition.number).map_err(|_| gone())?;
        let planned = transition.plan.wall_ms / 1000;
        let is_its_own = time_of(&xml).is_some_and(|time| time.abs_diff(planned) <= SAME_PLAN_SECONDS);
        if is_its_own { Ok(xml) } else { Err(gone()) }
    }

    /// The ids under which a resource is told about.
    pub(super) fn parts_of(&self, resource: &str) -> Vec<String> {
        self.parts.get(resource).cloned().unwrap_or_else(|| vec![resource.to_owned()])
    }
}

/// The time that a saved input was planned for, in seconds since 1970.
pub(super) fn time_of(xml: &str) -> Option<u64> {
    Cib::parse(xml).ok()?.root().attribute("execution-date")?.trim().parse().ok()
}

fn parts_of(all: &[Whereabouts]) -> BTreeMap<String, Vec<String>> {
    let mut parts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in all {
        let mut at = Some(one);
        while let Some(outer) = at {
            let known = parts.entry(outer.name.clone()).or_default();
            for id in [&one.name, &one.id] {
                if !known.contains(id) {
                    known.push(id.clone());
                }
            }
            at = outer.parent.and_then(|parent| all.get(parent));
        }
    }
    parts
}

/// The number of the transition that an event's text begins with.
fn numbered(event: &Event) -> Option<u64> {
    event.text.strip_prefix("transition ")?.split_ascii_whitespace().next()?.parse().ok()
}

fn has_failed(event: &Event) -> bool {
    let outcome = event.text.split_once(" ended: ").map(|(_, outcome)| outcome);
    event.kind == "result"
        && outcome
            .is_some_and(|outcome| !outcome.starts_with("as expected") && !outcome.starts_with("cancelled"))
}

/// The transitions of one host's log, in its order.
fn transitions_of(log: &[Event]) -> Vec<Transition> {
    let mut found: Vec<Transition> = Vec::new();
    let mut is_open = false;
    for event in log {
        match (event.kind.as_str(), numbered(event)) {
            ("plan", Some(number)) => {
                found.iter_mut().filter(|one| one.number == number).for_each(|one| one.is_newest = false);
                let (host, plan) = (event.host.clone(), event.clone());
                found.push(Transition { host, number, plan, end: None, failures: 0, is_newest: true });
                is_open = true;
            }
            ("plan-ended" | "plan-refused", Some(number)) => {
                if let Some(last) = found.last_mut().filter(|last| is_open && last.number == number) {
                    last.end = Some(event.clone());
                }
                is_open = false;
            }
            _ if is_open && has_failed(event) => {
                if let Some(last) = found.last_mut() {
                    last.failures += 1;
                }
            }
            _ => {}
        }
    }
    found
}

/// The logs in one, in the order of time. What several hosts logged is there once.
fn merged(logs: Vec<Vec<Event>>) -> Vec<Entry> {
    let mut events: Vec<Event> = logs.into_iter().flatten().collect();
    events.sort_by_key(|event| (event.wall_ms, event.number));
    let mut entries: Vec<Entry> = Vec::new();
    for event in events {
        let is_same = |entry: &&mut Entry| {
            let known = &entry.event;
            known.kind == event.kind
                && known.subject == event.subject
                && known.text == event.text
                && known.cause == event.cause
                && !entry.hosts.contains(&event.host)
        };
        let recent =
            entries.iter_mut().rev().take_while(|entry| entry.event.wall_ms + SAME_EVENT_MS >= event.wall_ms);
        match recent.into_iter().find(is_same) {
            Some(entry) => entry.hosts.push(event.host),
            None => entries.push(Entry { hosts: vec![event.host.clone()], event }),
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(host: &str, number: u64, wall_ms: u64, kind: &str, text: &str) -> Event {
        let word = |text: &str| text.to_owned();
        let (host, kind, text) = (word(host), word(kind), word(text));
        Event { number, wall_ms, host, kind, subject: String::new(), text, cause: String::new() }
    }

    #[test]
    fn transitions_are_found_with_their_ends_and_failures() {
        let log = [
            event("h", 1, 10, "plan", "transition 1 has 3 steps"),
            event("h", 2, 20, "result", "start a on h ended: status 1 (broken)"),
            event("h", 3, 21, "result", "start b on h ended: as expected"),
            event("h", 4, 30, "plan-ended", "transition 1 is complete"),
            event("h", 5, 31, "result", "monitor a on h ended: timed out"),
            event("h", 6, 40, "plan", "transition 2 has 1 steps"),
            // The daemon was started anew.
            event("h", 7, 50, "plan", "transition 1 has 2 steps"),
        ];
        let found = transitions_of(&log);
        let told: Vec<_> =
            found.iter().map(|one| (one.number, one.failures, one.end.is_some(), one.is_newest)).collect();
        assert_eq!(told, [(1, 1, true, false), (2, 0, false, true), (1, 0, false, true)]);
    }

    #[test]
    fn what_several_hosts_logged_is_told_once() {
        let ours = vec![event("a", 7, 100, "view", "a b"), event("a", 8, 9000, "view", "a b")];
        let theirs = vec![event("b", 3, 90, "view", "a b"), event("b", 4, 95, "joined", "b has joined")];
        let entries = merged(vec![ours, theirs]);
        let told: Vec<_> = entries.iter().map(|one| (one.event.wall_ms, one.hosts.join("+"))).collect();
        assert_eq!(told, [(90, "b+a".to_owned()), (95, "b".to_owned()), (9000, "a".to_owned())]);
    }
}
