//! `hafen leave` and `hafen remove`: one host less.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use hafen_cib::{Document, Element};
use hafen_client::Client;
use hafen_protocol::client::Edit;

use crate::corosync_conf::CorosyncConf;
use crate::host::Host;
use crate::pending::{Pending, put_store_aside, replaced};
use crate::request::PeerRequest;
use crate::services::Service;
use crate::{SetupError, change, disk};

/// How long the host that is asked may take: it asks all others.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long a change of the cluster's configuration may take.
const FORGET_TIMEOUT: Duration = Duration::from_secs(20);

/// Takes a host that is off out of the configuration of all others.
///
/// # Errors
/// When it is this host, unknown, still running, or another host does not answer.
pub fn remove(host: &Host, name: &str) -> Result<(), SetupError> {
    let _lock = host.lock()?;
    let conf = host.corosync_conf()?;
    if name == host.name {
        return Err(SetupError::input("a host does not remove itself", "Use 'hafen leave'"));
    }
    let Some(node) = conf.node(name) else {
        if known_to_daemon(host, name) {
            // An earlier run was interrupted.
            return Ok(());
        }
        let names = conf.nodes().into_iter().map(|node| node.name).collect::<Vec<_>>().join(", ");
        return Err(SetupError::input(
            format!("no host of this cluster is named {name}"),
            format!("Its hosts: {names}"),
        ));
    };
    if host.services.ring_members()?.contains(&node.id) {
        return Err(SetupError::state(
            format!("{name} is in the cluster and runs"),
            format!("Run 'hafen leave' on {name}; 'hafen remove' is for a host that is off for good"),
        ));
    }
    take_out(host, name)
}

/// Whether the cluster's configuration has an entry for a host.
fn known_to_daemon(host: &Host, name: &str) -> bool {
    let asked = Client::connect(&host.paths.daemon_socket(), FORGET_TIMEOUT);
    let xml = asked.and_then(|mut client| client.cib(false)).unwrap_or_default();
    Document::parse(&xml).is_ok_and(|document| {
        document
            .root()
            .descendants()
            .any(|element| element.name() == "node" && element.attribute("uname") == Some(name))
    })
}

fn take_out(host: &Host, name: &str) -> Result<(), SetupError> {
    change::change(host, &BTreeSet::from([name.to_owned()]), |conf| {
        conf.remove_node(name);
        conf.derive_two_node();
        Ok(())
    })?;
    Ok(())
}

/// Removes the entry of a host that is out of corosync.conf from the cluster's configuration too.
///
/// # Errors
/// When the daemon does not answer, or cannot change the configuration now.
pub fn forget(host: &Host, name: &str) -> Result<(), SetupError> {
    let later = |error: &dyn std::fmt::Display| {
        SetupError::unreachable(
            format!("the entry of {name} in the cluster's configuration is left: {error}"),
            "It does no harm; remove it later with 'hafen remove' again",
        )
    };
    let mut client =
        Client::connect(&host.paths.daemon_socket(), FORGET_TIMEOUT).map_err(|error| later(&error))?;
    let xml = client.cib(false).map_err(|error| later(&error))?;
    let document = Document::parse(&xml).map_err(|error| later(&error))?;
    let of_host =
        |element: &Element<'_>| element.name() == "node" && element.attribute("uname") == Some(name);
    let ids: Vec<String> = document
        .root()
        .descendants()
        .filter(of_host)
        .filter_map(|element| element.attribute("id").map(str::to_owned))
        .collect();
    for id in ids {
        let edits = vec![Edit::Delete { id, missing_ok: true }];
        let origin = format!("{}: {name} was taken out", host.name);
        client.change(edits, false, &origin).map_err(|error| later(&error))?;
    }
    Ok(())
}

/// The request of a host that leaves.
///
/// # Errors
/// When it is not that host that asks, or the change cannot be made.
pub(crate) fn remove_leaver(host: &Host, from: u32, name: &str) -> Result<(), SetupError> {
    let _lock = host.lock()?;
    let conf = host.corosync_conf()?;
    match conf.node(name) {
        Some(node) if node.id == from => {
            take_out(host, name)?;
            // The host is out; its entry does no harm.
            let _ = forget(host, name);
            Ok(())
        }
        Some(_) => Err(SetupError::input(format!("only {name} itself can ask for that"), "")),
        None => Ok(()),
    }
}

/// What came of leaving.
#[derive(Debug)]
pub struct Left {
    /// The cluster that was left; none when there was none.
    pub cluster: Option<String>,
    /// Where this host's files of that cluster are kept.
    pub kept: Option<PathBuf>,
    /// The hosts that go on.
    pub others: Vec<String>,
}

/// Leaves the cluster: the daemon ends (it moves its resources away first), Corosync stops, another host takes this one out of
/// the configuration, and the files of the cluster are put aside. `last` allows the last host to leave, which ends the cluster.
///
/// # Errors
/// When another host must know and does not answer, or a service does not stop.
pub fn leave(host: &Host, last: bool) -> Result<Left, SetupError> {
    let _lock = host.lock()?;
    if let Some(pending) = Pending::load(&host.paths)?
        && host.corosync_text()?.is_none_or(|text| !text.contains("hafen"))
    {
        // A join or init that never got as far as to a configuration.
        pending.forget()?;
        return Ok(Left { cluster: None, kept: None, others: Vec::new() });
    }
    let Some(_) = host.corosync_text()? else {
        return Ok(Left { cluster: None, kept: put_aside(host)?, others: Vec::new() });
    };
    let conf = host.corosync_conf()?;
    let cluster = conf.cluster_name().map(str::to_owned);
    let others: Vec<String> = host.others(&conf).into_iter().map(|node| node.name).collect();
    if others.is_empty() && !last {
        return Err(SetupError::state(
            "this is the last host: the cluster would end with it",
            "If that is meant, run 'hafen leave --last'; its files are kept",
        ));
    }
    if !others.is_empty() && conf.node(&host.name).is_some() {
        reachable(host, &conf)?;
    }
    host.services.stop(Service::Hafen)?;
    if conf.has_quorum_device() {
        host.services.stop(Service::QuorumDevice)?;
    }
    host.services.stop(Service::Corosync)?;
    if !others.is_empty() {
        ask_to_be_removed(host, &conf)?;
    }
    Ok(Left { cluster, kept: put_aside(host)?, others })
}

/// Before anything is stopped: the others can take this host out.
fn reachable(host: &Host, conf: &CorosyncConf) -> Result<(), SetupError> {
    let credentials = host.credentials()?;
    for node in host.others(conf) {
        if let Err(error) = host.connect(&credentials, &node) {
            return Err(SetupError::unreachable(
                format!("every other host must know that this one leaves: {error}"),
                format!(
                    "Bring {0} back, or take it out first with 'hafen remove {0}'; nothing was changed",
                    node.name
                ),
            ));
        }
    }
    Ok(())
}

fn ask_to_be_removed(host: &Host, conf: &CorosyncConf) -> Result<(), SetupError> {
    let credentials = host.credentials()?;
    let request = PeerRequest::RemoveHost { host: host.name.clone() };
    let mut first = None;
    for node in host.others(conf) {
        match host.connect(&credentials, &node).and_then(|mut client| client.ask(&request, TIMEOUT)) {
            Ok(_) => return Ok(()),
            Err(SetupError::Refused { what, .. }) if what.contains("is not in this cluster's nodelist") => {
                return Ok(());
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    let why = first.map(|error| error.to_string()).unwrap_or_default();
    Err(SetupError::unreachable(
        format!(
            "this host's services are stopped, but it is still in the configuration of the others: {why}"
        ),
        format!("Run 'hafen leave' again, or 'hafen remove {}' on another host", host.name),
    ))
}

/// Puts the files of the cluster aside, so that this host can begin or join another one.
fn put_aside(host: &Host) -> Result<Option<PathBuf>, SetupError> {
    let paths = &host.paths;
    let mut kept = put_store_aside(paths, "left")?;
    let files = [
        // The certificate goes first: without it this host no longer takes itself for a member.
        host.pki_dir()?.join(crate::pki::HOST_FILE),
        host.pki_dir()?.join(crate::pki::HOST_KEY_FILE),
        host.pki_dir()?.join(crate::pki::CA_FILE),
        host.pki_dir()?.join(crate::pki::CA_KEY_FILE),
        paths.corosync_conf(),
        paths.corosync_conf_prepared(),
        paths.authkey(),
        paths.daemon_json(),
        paths.initial_cib(),
        paths.agreed_patterns(),
    ];
    for file in files {
        let Some(bytes) = disk::read_optional(&file)? else { continue };
        let folder = match &kept {
            Some(folder) => folder.clone(),
            None => kept.insert(replaced(paths, "left")?).clone(),
        };
        let name = file.file_name().unwrap_or_default();
        disk::write_whole(&folder.join(name), &bytes, 0o600)?;
        disk::remove(&file)?;
    }
    disk::remove_folder(&paths.tokens_dir())?;
    disk::remove_folder(&paths.pending_dir())?;
    let state = paths.corosync_state_dir();
    if let Ok(entries) = fs::read_dir(&state) {
        // Ring ids of a cluster that is left.
        for entry in
            entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("ringid_"))
        {
            disk::remove(&entry.path())?;
        }
    }
    Ok(kept)
}
