//! What a running cluster does: forgetting, failing, waiting.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use hafen_cib::Cib;
use hafen_cib::values::parse_duration_ms;
use hafen_client::{Client, ClientError};
use hafen_protocol::client::{FailuresOf, Request};
use hafen_scheduler::{Inquiry, Whereabouts};

use super::super::options::Given;
use super::super::output::{self, CrmExit, Failed, Printed};
use super::super::source::Source;
use super::Wanted;

/// How long is waited where nothing is said.
const WAIT_MAXIMUM: Duration = Duration::from_secs(3600);
/// The pause between two looks.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(250);

pub(super) fn failed_request(error: &ClientError) -> Failed {
    output::failed_request("controller", error)
}

/// What Pacemaker says when something cannot be done, after what there is to note.
pub(super) fn impossible(notes: Vec<String>, exit: CrmExit) -> Failed {
    Failed { notes, ..Failed::new(exit, format!("Error performing operation: {}", exit.message())) }
}

pub(super) fn connected(source: &mut Source) -> Result<&mut Client, Failed> {
    let offline = || {
        let text =
            "Error connecting to controller: Connection refused\nError performing operation: Not connected";
        Failed::new(CrmExit::Disconnected, text)
    };
    source.daemon().ok_or_else(offline)
}

/// Forgets failures (`-C`) or all history (`-R`), and has afresh looked at what is forgotten.
pub(super) fn clean_up(
    command: char,
    given: &Given,
    wanted: &Wanted,
    source: &mut Source,
    cib: &Cib,
) -> Result<Printed, Failed> {
    let failures = failures(command, given)?;
    let everything = given.value(&['r']).is_none();
    let parts = parts(wanted, everything, given.has('f'));
    let place = wanted.host.as_deref().unwrap_or("all nodes");
    let mut printed = Printed::default();
    if source.daemon().is_none() {
        if everything {
            printed.text = format!("Dry run: skipping clean-up of {place} due to CIB_file\n");
        } else {
            for (part, host) in places(&parts, wanted) {
                let text = format!("Dry run: skipping clean-up of {part} on {host} due to CIB_file\n");
                printed.text += &text;
            }
            add_check(&mut printed, wanted, cib);
        }
        return Ok(printed);
    }
    let client = connected(source)?;
    let histories: BTreeSet<&str> = parts.iter().map(|part| part.history.as_str()).collect();
    let failed = failed_histories(cib);
    for resource in histories {
        // One request each is dear: what cannot have failed is left alone.
        if everything && failures.is_some() && !failed.contains(resource) {
            continue;
        }
        let (resource, host) = (resource.to_owned(), wanted.host.clone());
        let request = Request::Cleanup { resource, host, failures: failures.clone() };
        client.done(request).map_err(|error| failed_request(&error))?;
    }
    if !everything {
        for (part, host) in places(&parts, wanted) {
            printed.text += &format!("Cleaned up {part} on {host}\n");
        }
        add_check(&mut printed, wanted, cib);
    } else if failures.is_some() {
        printed.text += &format!("Cleaned up all resources on {place}\n");
    }
    if given.has('Q') {
        printed.text.clear();
    }
    Ok(printed)
}

/// A copy of the CIB without the failures of a resource: what `clean_up` leads to where the fresh look finds what is known
/// now. With the names in histories that it is about.
pub(super) fn without_failures(wanted: &Wanted, cib: &Cib) -> (BTreeSet<String>, Cib) {
    let histories: BTreeSet<String> =
        parts(wanted, false, false).iter().map(|part| part.history.clone()).collect();
    let counts = |name: &str| {
        let rest = name.strip_prefix("fail-count-").or_else(|| name.strip_prefix("last-failure-"));
        rest.is_some_and(|rest| histories.contains(rest.split('#').next().unwrap_or_default()))
    };
    let mut after = cib.clone();
    let mut gone = Vec::new();
    let status = after.document().root().child("status");
    for element in status.into_iter().flat_map(|status| status.descendants()) {
        let id = element.id().unwrap_or_default();
        match element.name() {
            "nvpair" if element.attribute("name").is_some_and(counts) => gone.push(element.node()),
            "lrm_resource" if histories.contains(id) => {
                let failure = format!("{id}_last_failure_0");
                let failed = element.children().find(|operation| operation.id() == Some(failure.as_str()));
                let Some(call) = failed.and_then(|failed| failed.attribute("call-id")) else { continue };
                let its: Vec<_> = element
                    .children()
                    .filter(|operation| operation.attribute("call-id") == Some(call))
                    .map(|operation| operation.node())
                    .collect();
                let is_all = its.len() == element.children().count();
                gone.extend(if is_all { vec![element.node()] } else { its });
            }
            _ => {}
        }
    }
    gone.into_iter().for_each(|node| after.document_mut().remove(node));
    (histories, after)
}

/// Which failures are meant; nothing: all of the history.
fn failures(command: char, given: &Given) -> Result<Option<FailuresOf>, Failed> {
    let interval_ms = match given.value(&['I']) {
        Some(text) => {
            parse_duration_ms(text).ok_or_else(|| Failed::usage(format!("'{text}' is no interval")))?
        }
        None => 0,
    };
    match (command, given.value(&['n'])) {
        ('C', Some(task)) => Ok(Some(FailuresOf::Operation { task: task.to_owned(), interval_ms })),
        ('C', None) if given.has('I') => {
            Err(Failed::usage("-I needs the operation whose interval it is: -n"))
        }
        ('C', None) => Ok(Some(FailuresOf::All)),
        _ if given.has('n') || given.has('I') => {
            Err(Failed::usage("-n and -I go with -C alone: -R forgets all operations"))
        }
        _ => Ok(None),
    }
}

/// The names in histories of what has failed somewhere.
fn failed_histories(cib: &Cib) -> BTreeSet<String> {
    let mut failed = BTreeSet::new();
    let Some(status) = cib.document().root().child("status") else { return failed };
    for element in status.descendants() {
        let id = element.id().unwrap_or_default();
        match element.name() {
            "nvpair" => {
                let name = element.attribute("name").unwrap_or_default();
                let rest = name.strip_prefix("fail-count-").and_then(|rest| rest.rsplit_once('#'));
                failed.extend(rest.map(|(resource, _)| resource.to_owned()));
            }
            "lrm_rsc_op" => failed.extend(id.strip_suffix("_last_failure_0").map(str::to_owned)),
            _ => {}
        }
    }
    failed
}

/// The primitives that are meant: without force those of the whole group or clone.
fn parts(wanted: &Wanted, everything: bool, alone: bool) -> Vec<&Whereabouts> {
    if everything {
        return wanted.all.iter().filter(|part| part.is_primitive).collect();
    }
    let mut top = wanted.at;
    while let Some(parent) = top.and_then(|at| wanted.all.get(at)).and_then(|resource| resource.parent) {
        if alone {
            break;
        }
        top = Some(parent);
    }
    let mut parts = Vec::new();
    let mut left: Vec<usize> = top.into_iter().collect();
    while let Some(resource) = left.pop().and_then(|at| wanted.all.get(at)) {
        if resource.is_primitive {
            parts.push(resource);
        }
        left.extend(resource.children.iter().rev());
    }
    parts
}

/// Where a history of each of them is, or is to be forgotten.
fn places<'a>(parts: &[&'a Whereabouts], wanted: &'a Wanted) -> Vec<(&'a str, &'a str)> {
    let hosts = |part: &&'a Whereabouts| {
        let hosts = match &wanted.host {
            Some(host) => vec![host.as_str()],
            None => part.known_on.iter().map(String::as_str).collect(),
        };
        let id = part.id.as_str();
        hosts.into_iter().map(move |host| (id, host)).collect::<Vec<_>>()
    };
    parts.iter().flat_map(hosts).collect()
}

/// Adds why the resource may not run all the same.
fn add_check(printed: &mut Printed, wanted: &Wanted, cib: &Cib) {
    let Ok(resource) = wanted.resource() else { return };
    let told = Inquiry::of(cib, output::now()).check(&resource.id);
    printed.text += &told.text;
    printed.xml += &format!("  {}", told.xml);
}

/// Takes a resource as failed.
pub(super) fn fail(given: &Given, wanted: &Wanted, source: &mut Source) -> Result<Printed, Failed> {
    let client = connected(source)?;
    let name = given.value(&['r']).unwrap_or_default();
    let Ok(resource) = wanted.resource() else {
        return Err(impossible(vec![format!("Resource {name} not found")], CrmExit::NoSuchObject));
    };
    if !resource.is_primitive {
        let note = format!("We can only process primitive resources, not {name}");
        return Err(impossible(vec![note], CrmExit::Software));
    }
    let host = wanted.host.clone().unwrap_or_default();
    let request = Request::Fail { resource: resource.history.clone(), host };
    client.done(request).map_err(|error| failed_request(&error))?;
    Ok(Printed::default())
}

pub(super) fn deadline(given: &Given) -> Result<Instant, Failed> {
    let limit = match given.value(&['T']) {
        Some(text) => {
            let milliseconds = parse_duration_ms(text).filter(|milliseconds| *milliseconds > 0);
            Duration::from_millis(
                milliseconds.ok_or_else(|| Failed::usage(format!("'{text}' is no duration")))?,
            )
        }
        None => WAIT_MAXIMUM,
    };
    Ok(Instant::now() + limit)
}

pub(super) fn timed_out() -> Failed {
    impossible(Vec::new(), CrmExit::Timeout)
}

/// Waits until nothing is left to do.
pub(super) fn wait(given: &Given, source: &mut Source, cib: &Cib) -> Result<Printed, Failed> {
    let deadline = deadline(given)?;
    match source.daemon() {
        Some(client) => until_settled(client, deadline)?,
        // A file stays as it is.
        None if hafen_scheduler::schedule(cib, output::now()).actions.is_empty() => {}
        None => return Err(timed_out()),
    }
    Ok(Printed::default())
}

pub(super) fn until_settled(client: &mut Client, deadline: Instant) -> Result<(), Failed> {
    loop {
        match client.status() {
            Ok(status) if status.waiting_for.is_none() && status.coordinator.is_some() => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(failed_request(&error)),
        }
        if Instant::now() >= deadline {
            return Err(timed_out());
        }
        thread::sleep(LOOK_INTERVAL);
    }
}
