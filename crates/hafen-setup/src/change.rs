//! Changing corosync.conf on all hosts: agreed by all before it happens on any.
//!
//! 1. Every host tells its text; they must be the same.
//! 2. Every host keeps the new text beside the old one (`Prepare`): from now on no other change can begin.
//! 3. Every host renames it into place (`Commit`).
//! 4. Corosync reloads, on all hosts.
//!
//! Killed before 3, the next change finds what is prepared and, after a minute, replaces it. Killed in 3, it finds some hosts
//! ahead of others that have the same text prepared, and completes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::corosync_conf::{self, CorosyncConf, NodeEntry};
use crate::host::{Host, parse_conf};
use crate::peer::Credentials;
use crate::request::{PeerReply, PeerRequest};
use crate::{Kind, SetupError, agreed, disk};

/// A preparation that is older belongs to a change that died.
const PREPARED_MAXIMUM: Duration = Duration::from_secs(60);
/// How long a host may take for one step.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// The path of the file, as hosts see it.
pub(crate) const PATH: &str = "/etc/corosync/corosync.conf";

/// What a host has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    text: String,
    digest: String,
    prepared: Option<String>,
}

/// Asks every one of these hosts, all at once. The answers by name.
pub(crate) fn ask_all(
    host: &Host,
    credentials: &Credentials,
    nodes: &[NodeEntry],
    request: &PeerRequest,
    timeout: Duration,
) -> BTreeMap<String, Result<PeerReply, SetupError>> {
    thread::scope(|scope| {
        let threads: Vec<_> = nodes
            .iter()
            .map(|node| {
                let ask = move || host.connect(credentials, node)?.ask(request, timeout);
                (node.name.clone(), scope.spawn(ask))
            })
            .collect();
        let answer = |thread: thread::ScopedJoinHandle<'_, Result<PeerReply, SetupError>>| {
            thread.join().unwrap_or_else(|_| Err(SetupError::state("a thread of hafen ended", "")))
        };
        threads.into_iter().map(|(name, thread)| (name, answer(thread))).collect()
    })
}

fn held(host: &Host) -> Result<Held, SetupError> {
    let text = host.corosync_text()?.unwrap_or_default();
    Ok(Held { digest: disk::sha256_hex(text.as_bytes()), text, prepared: prepared_digest(host)? })
}

/// The SHA-256 of what is prepared on this host.
pub(crate) fn prepared_digest(host: &Host) -> Result<Option<String>, SetupError> {
    Ok(disk::read_optional(&host.paths.corosync_conf_prepared())?.map(|bytes| disk::sha256_hex(&bytes)))
}

/// Changes the configuration on all hosts but those in `without`, and has Corosync take it. The new text.
///
/// # Errors
/// When a host cannot be reached, has another configuration, or refuses; nothing is changed then. When a host is lost on the
/// way, the error says so, and the next change completes this one.
pub fn change(
    host: &Host,
    without: &BTreeSet<String>,
    edit: impl FnOnce(&mut CorosyncConf) -> Result<(), SetupError>,
) -> Result<String, SetupError> {
    let credentials = host.credentials()?;
    let mut conf = host.corosync_conf()?;
    let own_text = complete_earlier(host, &credentials, &conf, without)?;
    if let Some(text) = &own_text {
        conf = parse_conf(text, PATH)?;
    }
    let before = conf.clone();
    edit(&mut conf)?;
    if conf == before {
        // An earlier run may have been killed before Corosync heard of it.
        host.services.reload_corosync()?;
        return Ok(own_text.unwrap_or(host.corosync_text()?.unwrap_or_default()));
    }
    conf.raise_config_version();
    if let Some(finding) = corosync_conf::check(&conf).into_iter().find(|finding| finding.is_error) {
        return Err(SetupError::state(
            format!("the new corosync.conf would be wrong: {}", finding.what),
            finding.mend,
        ));
    }
    let text = conf.to_string();
    let others: Vec<NodeEntry> =
        host.others(&before).into_iter().filter(|node| !without.contains(&node.name)).collect();
    replace(host, &credentials, &others, &text)?;
    host.services.reload_corosync()?;
    Ok(text)
}

fn replace(
    host: &Host,
    credentials: &Credentials,
    others: &[NodeEntry],
    text: &str,
) -> Result<(), SetupError> {
    let digest = disk::sha256_hex(text.as_bytes());
    let base = held(host)?.digest;
    let prepare = PeerRequest::Prepare { base: base.clone(), text: text.to_owned() };
    let mut outcome = prepare_here(host, &base, text);
    if outcome.is_ok() {
        let answers = ask_all(host, credentials, others, &prepare, STEP_TIMEOUT);
        outcome = answers.into_values().find_map(Result::err).map_or(Ok(()), Err);
    }
    if let Err(error) = outcome {
        let abandon = PeerRequest::Abandon { digest: digest.clone() };
        ask_all(host, credentials, others, &abandon, STEP_TIMEOUT);
        abandon_here(host, &digest)?;
        return Err(error);
    }
    let answers =
        ask_all(host, credentials, others, &PeerRequest::Commit { digest: digest.clone() }, STEP_TIMEOUT);
    commit_here(host, &digest)?;
    let lost: Vec<String> = answers
        .into_iter()
        .filter_map(|(name, answer)| Some(format!("{name} ({})", answer.err()?)))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(SetupError::unreachable(
        format!("corosync.conf is replaced on this host, and perhaps not on {}", lost.join(", ")),
        "Run the same command again when they can be reached: it completes the change",
    ))
}

/// Completes a change that died while hosts took it over. The text of this host, if that changed.
fn complete_earlier(
    host: &Host,
    credentials: &Credentials,
    conf: &CorosyncConf,
    without: &BTreeSet<String>,
) -> Result<Option<String>, SetupError> {
    let others: Vec<NodeEntry> =
        host.others(conf).into_iter().filter(|node| !without.contains(&node.name)).collect();
    let mut all = BTreeMap::from([(host.name.clone(), held(host)?)]);
    for (name, answer) in ask_all(host, credentials, &others, &PeerRequest::Configuration, STEP_TIMEOUT) {
        match answer {
            Ok(PeerReply::Configuration { text, prepared }) => {
                all.insert(name, Held { digest: disk::sha256_hex(text.as_bytes()), text, prepared });
            }
            Ok(_) => {
                return Err(SetupError::state(format!("{name} answered something else than was asked"), ""));
            }
            Err(error) => return Err(all_must_answer(&name, &error)),
        }
    }
    let version =
        |held: &Held| held.text.parse().map(|conf: CorosyncConf| conf.config_version()).unwrap_or(0);
    let Some(newest) = all.values().max_by_key(|held| version(held)).cloned() else { return Ok(None) };
    let behind: Vec<&String> =
        all.iter().filter(|(_, held)| held.digest != newest.digest).map(|(name, _)| name).collect();
    if behind.is_empty() {
        return Ok(None);
    }
    let ready =
        |name: &&String| all.get(*name).is_some_and(|held| held.prepared.as_ref() == Some(&newest.digest));
    if !behind.iter().all(ready) {
        let names = behind.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(SetupError::conflict(
            format!(
                "corosync.conf differs between the hosts: {names} not as the newest (version {})",
                version(&newest)
            ),
            "See what differs with 'hafen files diff', then run 'hafen files push --overwrite /etc/corosync/corosync.conf' on \
             the host that has the right one",
        ));
    }
    let commit = PeerRequest::Commit { digest: newest.digest.clone() };
    let late: Vec<NodeEntry> = others.into_iter().filter(|node| behind.contains(&&node.name)).collect();
    for answer in ask_all(host, credentials, &late, &commit, STEP_TIMEOUT).into_values() {
        answer?;
    }
    let own = behind.contains(&&host.name);
    if own {
        commit_here(host, &newest.digest)?;
    }
    host.services.reload_corosync()?;
    Ok(own.then_some(newest.text))
}

fn all_must_answer(name: &str, error: &SetupError) -> SetupError {
    let why = match error {
        SetupError::Refused { what, .. } => what.clone(),
        other => other.to_string(),
    };
    SetupError::Refused {
        kind: if error.kind() == Kind::Unreachable { Kind::Unreachable } else { Kind::State },
        what: format!("{name} must know of the change, and does not answer: {why}"),
        mend: format!(
            "Bring {name} back, or take it out of the cluster with 'hafen remove {name}'; nothing was changed"
        ),
    }
}

/// The first half of a change, at each host.
///
/// # Errors
/// When this host has another configuration, another change is under way, or Corosync does not understand the new text.
pub(crate) fn prepare_here(host: &Host, base: &str, text: &str) -> Result<(), SetupError> {
    let own = held(host)?;
    if own.digest != base {
        return Err(SetupError::conflict(
            format!("corosync.conf of {} is another one", host.name),
            "See what differs with 'hafen files diff'",
        ));
    }
    let path = host.paths.corosync_conf_prepared();
    let digest = disk::sha256_hex(text.as_bytes());
    if own.prepared.as_ref().is_some_and(|prepared| *prepared != digest) {
        let written =
            fs::metadata(&path).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        if written.elapsed().unwrap_or(PREPARED_MAXIMUM) < PREPARED_MAXIMUM {
            return Err(SetupError::unreachable(
                format!("another change of corosync.conf is under way at {}", host.name),
                "Try again in a minute",
            ));
        }
    }
    test(host, text.as_bytes())?;
    disk::write_whole(&path, text.as_bytes(), 0o644)
}

/// Has Corosync read a text that may become this host's configuration.
///
/// # Errors
/// With what Corosync finds wrong in it.
pub(crate) fn test(host: &Host, text: &[u8]) -> Result<(), SetupError> {
    let trial = host.paths.run_dir().join("corosync.conf.trial");
    disk::write_whole(&trial, text, 0o600)?;
    let tested = host.services.test_corosync_conf(&trial);
    disk::remove(&trial)?;
    tested
}

/// The second half of a change, at each host; done already, it does nothing.
///
/// # Errors
/// When nothing of that digest is prepared.
pub(crate) fn commit_here(host: &Host, digest: &str) -> Result<(), SetupError> {
    let (from, to) = (host.paths.corosync_conf_prepared(), host.paths.corosync_conf());
    if prepared_digest(host)?.as_deref() == Some(digest) {
        fs::rename(&from, &to).map_err(SetupError::system("replace", &to))?;
        disk::sync_folder(to.parent().unwrap_or(&to))?;
    } else if held(host)?.digest != digest {
        return Err(SetupError::state(
            format!("{} has not got ready for this change of corosync.conf", host.name),
            "Run the command again",
        ));
    }
    agreed::agree_here(host, &BTreeMap::from([(PATH.to_owned(), digest.to_owned())]))
}

/// Forgets what is prepared, if it is that.
///
/// # Errors
/// When it cannot be removed.
pub(crate) fn abandon_here(host: &Host, digest: &str) -> Result<(), SetupError> {
    if prepared_digest(host)?.as_deref() == Some(digest) {
        disk::remove(&host.paths.corosync_conf_prepared())?;
    }
    Ok(())
}
