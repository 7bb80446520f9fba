//! What a running cluster does: forgetting, looking afresh, waiting, restarting.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use hafen_cib::values::parse_duration_ms;
use hafen_client::{Client, ClientError};
use hafen_protocol::client::{Edit, Request};

use super::super::options::Given;
use super::super::output::{self, CrmExit, Failed, Printed};
use super::super::source::Source;
use super::{SPEC, Wanted};

/// How long is waited where nothing is said.
const WAIT_MAXIMUM: Duration = Duration::from_secs(3600);
/// The pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

fn failed(error: &ClientError) -> Failed {
    output::failed_request("controller", error)
}

fn connected(source: &mut Source) -> Result<&mut Client, Failed> {
    let offline = || {
        let text =
            "Error connecting to controller: Connection refused\nError performing operation: Not connected";
        Failed::new(CrmExit::Disconnected, text)
    };
    source.daemon().ok_or_else(offline)
}

/// Forgets failures (`-C`) or all history (`-R`). Either way what runs is looked at afresh.
pub(super) fn clean_up(
    command: char,
    given: &Given,
    wanted: &Wanted,
    source: &mut Source,
) -> Result<Printed, Failed> {
    if source.daemon().is_none() {
        let place = wanted.host.as_deref().unwrap_or("all nodes");
        let text = format!("Dry run: skipping clean-up of {place} due to CIB_file\n");
        return Ok(Printed { text, xml: String::new() });
    }
    let client = connected(source)?;
    let status = client.status().map_err(|error| failed(&error))?;
    let everything = given.value(&['r']).is_none();
    let names: BTreeSet<String> = if everything {
        let all = wanted.all.iter().filter(|found| found.is_primitive);
        all.map(|found| found.name.clone()).collect()
    } else {
        members(wanted, given.has('f'))
    };
    let mut printed = Printed::default();
    for resource in names {
        let names_it = |failure: &String| failure.split_whitespace().any(|word| word == resource);
        let had_failures = status.failures.iter().any(names_it);
        if command == 'C' && everything && !had_failures {
            continue;
        }
        let request = Request::Cleanup { resource: resource.clone(), host: wanted.host.clone() };
        client.done(request).map_err(|error| failed(&error))?;
        if !everything {
            let hosts = status.hosts.iter().map(|host| host.name.as_str());
            let hosts = hosts.filter(|host| wanted.host.as_deref().is_none_or(|wanted| wanted == *host));
            printed.text +=
                &hosts.map(|host| format!("Cleaned up {resource} on {host}\n")).collect::<String>();
        }
    }
    if everything {
        let place = wanted.host.as_deref().unwrap_or("all nodes");
        printed.text += &format!("Cleaned up all resources on {place}\n");
    }
    Ok(printed)
}

/// The primitives that are meant: without force those of the whole group or clone.
fn members(wanted: &Wanted, alone: bool) -> BTreeSet<String> {
    let mut top = wanted.at;
    while let Some(parent) = top.and_then(|at| wanted.all.get(at)).and_then(|resource| resource.parent) {
        if alone {
            break;
        }
        top = Some(parent);
    }
    let mut names = BTreeSet::new();
    let mut left: Vec<usize> = top.into_iter().collect();
    while let Some(resource) = left.pop().and_then(|at| wanted.all.get(at)) {
        if resource.is_primitive {
            names.insert(resource.name.clone());
        }
        left.extend(&resource.children);
    }
    names
}

fn deadline(given: &Given) -> Result<Instant, Failed> {
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

fn timed_out() -> Failed {
    Failed::new(CrmExit::Timeout, "Error performing operation: Timeout occurred")
}

/// Waits until nothing is left to do.
pub(super) fn wait(given: &Given, source: &mut Source) -> Result<Printed, Failed> {
    let deadline = deadline(given)?;
    let client = connected(source)?;
    until_settled(client, deadline).map(|()| Printed::default())
}

fn until_settled(client: &mut Client, deadline: Instant) -> Result<(), Failed> {
    loop {
        match client.status() {
            Ok(status) if status.waiting_for.is_none() && status.coordinator.is_some() => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(failed(&error)),
        }
        if Instant::now() >= deadline {
            return Err(timed_out());
        }
        thread::sleep(LOOK_INTERVAL);
    }
}

/// Stops a resource by its target role and lets it start again; whatever happens the target role is put back.
pub(super) fn restart(given: &Given, wanted: &Wanted, source: &mut Source) -> Result<Printed, Failed> {
    let deadline = deadline(given)?;
    let resource = wanted.resource()?;
    let name = wanted.clone().map_or_else(|| resource.name.clone(), |clone| clone.name.clone());
    if wanted.active().is_empty() && resource.is_primitive {
        let text = format!("{} is not running and so cannot be restarted", wanted.name);
        return Err(Failed::new(CrmExit::Error, text));
    }
    let cib = source.cib(false)?;
    let old = cib.document().by_id(&name).and_then(|element| {
        let mut sets = element.children_named("meta_attributes");
        let pairs = sets.find_map(|set| {
            set.children_named("nvpair").find(|pair| pair.attribute("name") == Some("target-role"))
        });
        pairs.and_then(|pair| pair.attribute("value")).map(str::to_owned)
    });
    let client = connected(source)?;
    let mut role = |value: Option<String>| {
        let edit = Edit::ResourceMeta { resource: name.clone(), name: "target-role".to_owned(), value };
        client.change(vec![edit], false, &output::origin(SPEC.name)).map_err(|error| failed(&error))
    };
    role(Some("Stopped".to_owned()))?;
    outln!("Waiting for {name} to stop");
    let stopped = wait_again(deadline);
    role(old)?;
    stopped?;
    outln!("Waiting for {name} to start again");
    wait_again(deadline)?;
    Ok(Printed::default())
}

/// Waits on a connection of its own: the first is in use.
fn wait_again(deadline: Instant) -> Result<(), Failed> {
    let mut client = output::connect().map_err(|error| failed(&error))?;
    until_settled(&mut client, deadline)
}
