//! `hafen fence`.

mod add;
mod drill;
mod history;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use hafen_client::Client;
use hafen_protocol::client::{FenceOutcome, Reply, Request, StatusReport};

use super::text::{confirm, wrapped};
use crate::arguments::{Connection, FenceCommand, Vouch};
use crate::exit::WrongInput;
use crate::target;

/// A fencing may take this long before its outcome is not waited for any more.
const FENCING_TIMEOUT: Duration = Duration::from_secs(300);
/// A word of a human is on record at once; where it changed nothing, no more than this is waited for a record.
const WORD_TIMEOUT: Duration = Duration::from_secs(3);
pub(super) fn run(command: FenceCommand, connection: &Connection) -> anyhow::Result<ExitCode> {
    match command {
        FenceCommand::History { target, json } => history::run(target, json, connection)?,
        FenceCommand::Now { target, off, vouch } => return now(&target, off, &vouch, connection),
        FenceCommand::Confirm { target, vouch } => confirm_off(&target, &vouch, connection)?,
        FenceCommand::Drill { target, real, json, vouch } => {
            return drill::run(target, real, json, &vouch, connection);
        }
        FenceCommand::Add(options) => add::run(&options, connection)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A client that waits as long as a fencing may take.
fn patient(connection: &Connection) -> anyhow::Result<Client> {
    let seconds = u32::try_from(FENCING_TIMEOUT.as_secs()).unwrap_or(u32::MAX);
    let patient = Connection {
        host: connection.host.clone(),
        lab: connection.lab.clone(),
        timeout_seconds: connection.timeout_seconds.max(seconds),
    };
    target::connect(&patient)
}

/// That there is such a host.
pub(super) fn known(status: &StatusReport, host: &str) -> anyhow::Result<()> {
    if status.hosts.iter().any(|known| known.name == host) {
        return Ok(());
    }
    let names: Vec<&str> = status.hosts.iter().map(|known| known.name.as_str()).collect();
    Err(WrongInput(format!("there is no host '{host}': there are {}", names.join(", "))).into())
}

/// What runs on a host, in a sentence.
pub(super) fn what_runs(status: &StatusReport, host: &str) -> String {
    let here = |hosts: &Vec<String>| hosts.iter().any(|name| name == host);
    let running: Vec<&str> = status
        .resources
        .iter()
        .filter(|resource| here(&resource.hosts) && !resource.agent.starts_with("stonith:"))
        .map(|resource| resource.id.as_str())
        .collect();
    match running.as_slice() {
        [] => format!("Nothing is known to run on {host}."),
        some => format!("On {host} run {}.", some.join(", ")),
    }
}

/// The ids of a host's fencings on record.
fn known_fencings(client: &mut Client, host: &str) -> anyhow::Result<BTreeSet<String>> {
    Ok(client.fence_history(Some(host))?.into_iter().map(|record| record.id).collect())
}

/// Asks for a fencing, waits for its end and prints it.
fn fence_and_tell(client: &mut Client, host: &str, request: Request) -> anyhow::Result<ExitCode> {
    let known = known_fencings(client, host)?;
    let reply = client.request(request)?;
    if let Reply::FenceDrill { checks } = reply {
        out!("{}", drill::render(&checks, true));
        return Ok(drill::exit(&checks));
    }
    match client.fencing_ended(host, &known, FENCING_TIMEOUT)? {
        Some(record) => {
            out!("{}", history::render(&record));
            let done = record.outcome == FenceOutcome::Succeeded;
            Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        None => {
            let after = FENCING_TIMEOUT.as_secs();
            let text =
                format!("{host} is not fenced after {after} s. Look on with `hafen fence history {host}`.");
            out!("{}", wrapped("", &text));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn now(host: &str, off: bool, vouch: &Vouch, connection: &Connection) -> anyhow::Result<ExitCode> {
    let mut client = patient(connection)?;
    let status = client.status()?;
    known(&status, host)?;
    let fate = if off { "switched off" } else { "switched off and on again" };
    let question =
        format!("{} {host} is {fate} at once, without stopping anything.", what_runs(&status, host));
    confirm(vouch, host, &question, host)?;
    let action = if off { "off" } else { "reboot" };
    let origin = target::origin(&format!("fence now {host}"));
    let request = Request::Fence { host: host.to_owned(), action: action.to_owned(), origin };
    fence_and_tell(&mut client, host, request)
}

fn confirm_off(host: &str, vouch: &Vouch, connection: &Connection) -> anyhow::Result<()> {
    let mut client = target::connect(connection)?;
    let status = client.status()?;
    known(&status, host)?;
    let question = format!(
        "You vouch that {host} is off. {} The cluster then starts that elsewhere. If {host} still runs, both write to the \
         same disks, and destroy them.",
        what_runs(&status, host)
    );
    confirm(vouch, host, &question, host)?;
    let second = format!("Have you seen that {host} has no power, or pulled its plugs yourself?");
    confirm(vouch, host, &second, &format!("{host} is off"))?;
    let origin = target::origin(&format!("fence confirm {host}"));
    vouch_and_tell(&mut client, host, Request::ConfirmOff { host: host.to_owned(), origin })
}

/// Gives a human's word, and prints it as it stands on record.
pub(super) fn vouch_and_tell(client: &mut Client, host: &str, request: Request) -> anyhow::Result<()> {
    let known = known_fencings(client, host)?;
    client.done(request)?;
    match client.fencing_ended(host, &known, WORD_TIMEOUT)? {
        Some(record) => out!("{}", history::render(&record)),
        None => outln!("{host} counts as off by your word; what follows from it: `hafen status`."),
    }
    Ok(())
}
