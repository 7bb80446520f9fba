//! The agent `ocf:hafen:ping`: how many of some addresses this host reaches, as a transient attribute of the host.

pub mod icmp;
pub mod metadata;
pub mod parameters;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hafen_client::{Client, ClientError, SOCKET_PATH, SOCKET_VARIABLE};
use hafen_protocol::client::{AttributeMode, Request};

use crate::deadline::Deadline;
use crate::outcome::{AgentError, OcfCode};
use crate::qemu::parameters::Operation;
use icmp::Patience;
use parameters::Parameters;

/// Addresses of one name that are asked, at most.
const ADDRESSES_PER_NAME: usize = 8;
/// How long name service may take: addresses that are there already are asked meanwhile in vain.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one request to the daemon may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause before the daemon is asked again.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// Runs an action with the parameters of the environment; the exit status.
pub(crate) fn main(action: &str) -> i32 {
    match action {
        "meta-data" => {
            print!("{}", metadata::XML);
            return OcfCode::Success.exit_status();
        }
        "usage" | "help" => {
            println!("usage: ping {{start|stop|monitor|reload-agent|validate-all|meta-data}}");
            return OcfCode::Success.exit_status();
        }
        _ => {}
    }
    let variable = |name: &str| std::env::var(name).ok();
    let operation = Operation::from_variables(variable);
    let outcome =
        Parameters::from_variables(variable).and_then(|parameters| act(action, &parameters, &operation));
    match outcome {
        Ok(code) => code.exit_status(),
        Err(error) => error.report(),
    }
}

fn act(action: &str, parameters: &Parameters, operation: &Operation) -> Result<OcfCode, AgentError> {
    let deadline = Deadline::after(operation.own_limit());
    match action {
        "start" => start(parameters, operation, deadline),
        "stop" => stop(parameters, deadline),
        "monitor" | "status" if !parameters.state.exists() => Ok(OcfCode::NotRunning),
        "monitor" | "status" => update(parameters, operation, deadline),
        "reload-agent" | "validate-all" => Ok(OcfCode::Success),
        _ => Err(AgentError::new(OcfCode::Unimplemented, format!("ocf:hafen:ping has no action '{action}'"))),
    }
}

fn start(parameters: &Parameters, operation: &Operation, deadline: Deadline) -> Result<OcfCode, AgentError> {
    let state = &parameters.state;
    let written = match state.parent() {
        Some(folder) => fs::create_dir_all(folder).and_then(|()| fs::write(state, "started\n")),
        None => fs::write(state, "started\n"),
    };
    written.map_err(|error| AgentError::generic(format!("cannot write {}: {error}", state.display())))?;
    update(parameters, operation, deadline)
}

/// Stopped is stopped: an attribute that cannot be deleted now goes with the host's daemon.
fn stop(parameters: &Parameters, deadline: Deadline) -> Result<OcfCode, AgentError> {
    match fs::remove_file(&parameters.state) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(AgentError::generic(format!(
                "cannot delete {}: {error}",
                parameters.state.display()
            )));
        }
        Err(_) => return Ok(OcfCode::Success),
        Ok(()) => {}
    }
    if let Err(error) = tell(parameters, None, deadline) {
        eprintln!("the attribute {} stays as it is: {error}", parameters.name);
    }
    Ok(OcfCode::Success)
}

/// Pings, and sets the attribute.
fn update(parameters: &Parameters, operation: &Operation, deadline: Deadline) -> Result<OcfCode, AgentError> {
    let patience = Patience {
        attempts: parameters.attempts,
        timeout: parameters.timeout,
        deadline: deadline.at_most(operation.two_thirds()),
    };
    let silent = silent(&parameters.hosts, patience)?;
    let reached = parameters.hosts.len() - silent.len();
    let score = u64::try_from(reached).unwrap_or(u64::MAX).saturating_mul(parameters.multiplier);
    if !silent.is_empty() {
        eprintln!("no answer from {}", silent.join(", "));
    }
    match tell(parameters, Some(score), deadline) {
        Ok(()) => {}
        // Without a daemon nobody plans by the old value either; what comes back with it is told by the next monitor.
        Err(error) if matches!(error.kind(), "no-daemon" | "unknown-outcome" | "timeout") => {
            eprintln!("the attribute {} stays as it is: {error}", parameters.name);
        }
        Err(error) => return Err(AgentError::generic(format!("cannot set {}: {error}", parameters.name))),
    }
    match parameters.failure_score {
        Some(least) if score < least => {
            let reason = format!(
                "the score {score} is less than failure_score={least}: no answer from {}",
                silent.join(", ")
            );
            Err(AgentError::generic(reason))
        }
        _ => Ok(OcfCode::Success),
    }
}

/// The hosts of the list that do not answer, in its order.
fn silent(hosts: &[String], patience: Patience) -> Result<Vec<String>, AgentError> {
    let addresses = addresses(hosts, patience.deadline.at_most(RESOLVE_TIMEOUT));
    let all: Vec<SocketAddr> = addresses.values().flatten().copied().collect();
    let answers = icmp::reachable(&all, patience);
    if let (true, Some(fault)) = (answers.reached.is_empty(), answers.faults.first()) {
        return Err(AgentError::new(OcfCode::Error, format!("{fault}. Agents must run as root")));
    }
    let answers_one = |host: &String| {
        addresses.get(host).is_some_and(|some| some.iter().any(|one| answers.reached.contains(one)))
    };
    Ok(hosts.iter().filter(|host| !answers_one(host)).cloned().collect())
}

/// The addresses of hosts. Addresses are taken as they are; names are looked up all at once, until the deadline.
fn addresses(hosts: &[String], deadline: Deadline) -> BTreeMap<String, Vec<SocketAddr>> {
    let mut known = BTreeMap::new();
    let (sender, receiver) = mpsc::channel();
    let mut asked = 0;
    for host in hosts {
        if let Some(address) = literal(host) {
            known.insert(host.clone(), vec![address]);
            continue;
        }
        let (sender, host) = (sender.clone(), host.clone());
        asked += 1;
        // Nobody waits for a thread that hangs in name service: it ends with the agent.
        thread::spawn(move || {
            let found =
                (host.as_str(), 0).to_socket_addrs().map(|all| all.take(ADDRESSES_PER_NAME).collect());
            let _ = sender.send((host, found.unwrap_or_default()));
        });
    }
    while asked > 0
        && let Ok((host, found)) = receiver.recv_timeout(deadline.left())
    {
        asked -= 1;
        known.insert(host, found);
    }
    known
}

/// An address as it is written, a link-local one with its interface (`fe80::1%eth0`).
fn literal(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    let (address, zone) = text.split_once('%')?;
    let address: Ipv6Addr = address.parse().ok()?;
    let index = zone.parse().ok().or_else(|| {
        let path = PathBuf::from("/sys/class/net").join(zone).join("ifindex");
        fs::read_to_string(path).ok()?.trim().parse().ok()
    })?;
    Some(SocketAddrV6::new(address, 0, 0, index).into())
}

/// Sets the attribute (or deletes it), trying again while the daemon is being restarted.
fn tell(parameters: &Parameters, score: Option<u64>, deadline: Deadline) -> Result<(), ClientError> {
    let path = std::env::var_os(SOCKET_VARIABLE).unwrap_or_else(|| SOCKET_PATH.into());
    let request = Request::SetAttribute {
        host: None,
        name: parameters.name.clone(),
        value: score.map(|score| score.to_string()),
        dampen_ms: Some(u64::try_from(parameters.dampen.as_millis()).unwrap_or(u64::MAX)),
        mode: if score.is_some() { AttributeMode::Both } else { AttributeMode::Value },
    };
    loop {
        let timeout = deadline.left().clamp(RETRY_INTERVAL, REQUEST_TIMEOUT);
        let outcome =
            Client::connect(path.as_ref(), timeout).and_then(|mut client| client.done(request.clone()));
        match outcome {
            Ok(_) => return Ok(()),
            Err(error)
                if !matches!(error.kind(), "no-daemon" | "unknown-outcome" | "timeout")
                    || deadline.left() <= RETRY_INTERVAL =>
            {
                return Err(error);
            }
            Err(_) => thread::sleep(RETRY_INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_they_are() {
        assert_eq!(literal("10.0.0.1").map(|one| one.to_string()).as_deref(), Some("10.0.0.1:0"));
        assert_eq!(literal("::1").map(|one| one.to_string()).as_deref(), Some("[::1]:0"));
        assert_eq!(literal("fe80::1%7").map(|one| one.to_string()).as_deref(), Some("[fe80::1%7]:0"));
        assert_eq!(literal("fe80::1%nosuch0"), None);
        assert_eq!(literal("gateway"), None);
    }

    #[test]
    fn a_name_that_cannot_be_looked_up_is_silent_and_holds_up_nobody() {
        let hosts = ["127.0.0.1".to_owned(), "no.such.name.invalid".to_owned()];
        let known = addresses(&hosts, Deadline::after(Duration::from_secs(20)));
        assert_eq!(known["127.0.0.1"].len(), 1);
        assert!(known.get("no.such.name.invalid").is_none_or(Vec::is_empty));
    }
}
