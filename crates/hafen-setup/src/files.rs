//! Comparing the agreed files of all hosts, and bringing them together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::agreed;
use crate::change::{self, ask_all};
use crate::corosync_conf::{self, NodeEntry};
use crate::host::Host;
use crate::peer::Credentials;
use crate::request::{FileContent, FileState, PeerReply, PeerRequest};
use crate::{SetupError, disk};

/// How long a host may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What all hosts have.
#[derive(Debug, Default)]
pub struct Survey {
    /// By path, then by host.
    pub files: BTreeMap<String, BTreeMap<String, FileState>>,
    /// Hosts that answered, this one among them.
    pub hosts: BTreeSet<String>,
    /// Hosts that did not, and why.
    pub silent: BTreeMap<String, String>,
}

/// How a file stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The same on all hosts that answered.
    Same,
    /// One version on some hosts; the others still have what was agreed last, or nothing: pushing the new one loses nothing.
    Newer {
        /// The hosts that have the new version.
        on: BTreeSet<String>,
    },
    /// Several hosts have changed it, or nobody knows what was agreed.
    Conflict {
        /// The hosts of each version; `None` is that the file is not there.
        versions: BTreeMap<Option<String>, BTreeSet<String>>,
    },
}

impl Survey {
    /// How a file stands.
    pub fn standing(&self, path: &str) -> Standing {
        let empty = BTreeMap::new();
        let states = self.files.get(path).unwrap_or(&empty);
        let mut versions: BTreeMap<Option<String>, BTreeSet<String>> = BTreeMap::new();
        for host in &self.hosts {
            let digest = states.get(host).and_then(|state| state.digest.clone());
            versions.entry(digest).or_default().insert(host.clone());
        }
        if versions.len() <= 1 {
            return Standing::Same;
        }
        let untouched = |digest: &Option<String>, hosts: &BTreeSet<String>| {
            hosts
                .iter()
                .all(|host| states.get(host).and_then(|state| state.agreed.as_ref()) == digest.as_ref())
        };
        let mut touched = versions.iter().filter(|(digest, hosts)| !untouched(digest, hosts));
        match (touched.next(), touched.next()) {
            (Some((_, hosts)), None) => Standing::Newer { on: hosts.clone() },
            _ => Standing::Conflict { versions },
        }
    }

    /// The files that are not the same everywhere.
    pub fn differing(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).filter(|path| self.standing(path) != Standing::Same).collect()
    }
}

/// Asks all hosts what they have.
///
/// # Errors
/// When this host is in no cluster.
pub fn survey(host: &Host) -> Result<Survey, SetupError> {
    let (credentials, others) = cluster(host)?;
    let mut survey = Survey::default();
    let mut note = |name: &str, states: Vec<FileState>| {
        survey.hosts.insert(name.to_owned());
        for state in states {
            survey.files.entry(state.path.clone()).or_default().insert(name.to_owned(), state);
        }
    };
    note(&host.name, agreed::list(host)?);
    let mut silent = BTreeMap::new();
    for (name, answer) in ask_all(host, &credentials, &others, &PeerRequest::Files, TIMEOUT) {
        match answer {
            Ok(PeerReply::Files { files }) => note(&name, files),
            Ok(_) => drop(silent.insert(name, "it answered something else than was asked".to_owned())),
            Err(error) => drop(silent.insert(name, error.to_string())),
        }
    }
    survey.silent = silent;
    Ok(survey)
}

fn cluster(host: &Host) -> Result<(Credentials, Vec<NodeEntry>), SetupError> {
    let credentials = host.credentials()?;
    Ok((credentials, host.others(&host.corosync_conf()?)))
}

/// The bytes of a file on a host.
fn fetch(
    host: &Host,
    credentials: &Credentials,
    node: &NodeEntry,
    path: &str,
) -> Result<Option<FileContent>, SetupError> {
    let request = PeerRequest::FetchFile { path: path.to_owned() };
    match host.connect(credentials, node)?.ask(&request, TIMEOUT)? {
        PeerReply::File { content } => Ok(content),
        _ => Err(SetupError::state(format!("{} answered something else than was asked", node.name), "")),
    }
}

/// How this host's copy of a file differs from another host's, as a unified diff. Secrets are only said to differ.
///
/// # Errors
/// When the other host does not answer.
pub fn diff(host: &Host, path: &str, other: &str) -> Result<String, SetupError> {
    let (credentials, others) = cluster(host)?;
    let node = others.iter().find(|node| node.name == other).ok_or_else(|| {
        SetupError::input(format!("{other} is no other host of this cluster"), "'hafen status' lists them")
    })?;
    let own = agreed::fetch(host, path)?.and_then(|content| content.bytes());
    let theirs = fetch(host, &credentials, node, path)?.and_then(|content| content.bytes());
    if own == theirs {
        return Ok(String::new());
    }
    let (left, right) = (format!("{}:{path}", host.name), format!("{other}:{path}"));
    let texts = (as_text(own.as_deref()), as_text(theirs.as_deref()));
    let (Some(own_text), Some(their_text), false) = (texts.0, texts.1, agreed::is_secret(path)) else {
        return Ok(format!("{left} and {right} differ\n"));
    };
    let diff =
        similar::TextDiff::configure().timeout(Duration::from_secs(2)).diff_lines(&own_text, &their_text);
    Ok(diff.unified_diff().header(&left, &right).to_string())
}

fn as_text(bytes: Option<&[u8]>) -> Option<String> {
    match bytes {
        None => Some(String::new()),
        Some(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
    }
}

/// What came of one file at one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The file.
    pub path: String,
    /// The host.
    pub host: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of pushing a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Replaced there (what was there is kept).
    Written,
    /// Left as it is: it was changed there too.
    Conflict,
    /// Left as it is: it is not on this host, and pushing does not remove.
    MissingHere,
    /// It could not be done.
    Failed(String),
}

/// How to push.
#[derive(Debug, Clone, Default)]
pub struct Push {
    /// Only these files; empty: all agreed files.
    pub paths: Vec<String>,
    /// Replace what was changed on other hosts too.
    pub overwrite: bool,
    /// Remove on the other hosts what is not on this one.
    pub remove: bool,
}

/// Brings this host's files to all others. What was changed there is left alone unless the user says otherwise.
///
/// # Errors
/// When a named file is not agreed, or this host is in no cluster.
pub fn push(host: &Host, how: &Push) -> Result<Vec<Pushed>, SetupError> {
    let _lock = host.lock()?;
    if how.overwrite && how.paths.is_empty() {
        return Err(SetupError::input("--overwrite needs the files that are meant", "Name them"));
    }
    if how.paths.iter().any(|path| path == change::PATH) {
        must_be_sound(host)?;
    }
    let survey = survey(host)?;
    if let Some(unknown) = how.paths.iter().find(|path| !survey.files.contains_key(*path)) {
        return Err(SetupError::input(
            format!("{unknown} is no agreed file of any host"),
            format!("'hafen files' lists them; 'hafen files add {unknown}' makes it one"),
        ));
    }
    if meant_conf(how, &survey) {
        must_be_sound(host)?;
    }
    let (credentials, others) = cluster(host)?;
    let mut reload = false;
    let mut pushed = Vec::new();
    let mut agreed_now = BTreeMap::new();
    let meant = |path: &&String| how.paths.is_empty() || how.paths.contains(path);
    for (path, states) in survey.files.iter().filter(|(path, _)| meant(path)) {
        let own = states.get(&host.name).and_then(|state| state.digest.clone());
        let mut same = survey.silent.is_empty();
        for node in others.iter().filter(|node| survey.hosts.contains(&node.name)) {
            let outcome = push_one(host, &credentials, node, path, &own, states.get(&node.name), how);
            same &= matches!(outcome, None | Some(Outcome::Written));
            let name = node.name.clone();
            reload |= path == change::PATH && outcome == Some(Outcome::Written);
            pushed.extend(outcome.map(|outcome| Pushed { path: path.clone(), host: name, outcome }));
        }
        if let (true, Some(own)) = (same, own) {
            agreed_now.insert(path.clone(), own);
        }
    }
    pushed.extend(survey.silent.iter().map(|(name, why)| Pushed {
        path: "*".to_owned(),
        host: name.clone(),
        outcome: Outcome::Failed(why.clone()),
    }));
    agree(host, &credentials, &others, agreed_now)?;
    if reload {
        host.services.reload_corosync()?;
    }
    Ok(pushed)
}

/// Whether a corosync.conf that differs is among what is pushed.
fn meant_conf(how: &Push, survey: &Survey) -> bool {
    let named = how.paths.is_empty() || how.paths.iter().any(|path| path == change::PATH);
    named && survey.standing(change::PATH) != Standing::Same
}

/// A corosync.conf that was edited by hand is only brought to others when it can work.
fn must_be_sound(host: &Host) -> Result<(), SetupError> {
    let conf = host.corosync_conf()?;
    match corosync_conf::check(&conf).into_iter().find(|finding| finding.is_error) {
        Some(finding) => Err(SetupError::state(
            format!(
                "{} is wrong, and stays on this host alone: {}",
                host.paths.corosync_conf().display(),
                finding.what
            ),
            finding.mend,
        )),
        None => change::test(host, conf.to_string().as_bytes()),
    }
}

#[allow(clippy::too_many_arguments, reason = "what is known of one file at one host")]
fn push_one(
    host: &Host,
    credentials: &Credentials,
    node: &NodeEntry,
    path: &str,
    own: &Option<String>,
    theirs: Option<&FileState>,
    how: &Push,
) -> Option<Outcome> {
    let digest = theirs.and_then(|state| state.digest.clone());
    if digest == *own {
        return None;
    }
    let agreed = theirs.and_then(|state| state.agreed.clone());
    if own.is_none() && !how.remove {
        return Some(Outcome::MissingHere);
    }
    if digest != agreed && !how.overwrite {
        return Some(Outcome::Conflict);
    }
    let put = || {
        let content = agreed::fetch(host, path)?;
        let request = PeerRequest::PutFile { path: path.to_owned(), content, expected: digest.clone() };
        host.connect(credentials, node)?.ask(&request, TIMEOUT)
    };
    Some(match put() {
        Ok(_) => Outcome::Written,
        Err(error) => Outcome::Failed(error.to_string()),
    })
}

/// All hosts remember what is the same now.
fn agree(
    host: &Host,
    credentials: &Credentials,
    others: &[NodeEntry],
    digests: BTreeMap<String, String>,
) -> Result<(), SetupError> {
    if digests.is_empty() {
        return Ok(());
    }
    agreed::agree_here(host, &digests)?;
    // A host that misses this takes its own copy for a change later: a question to the user, and nothing lost.
    ask_all(host, credentials, others, &PeerRequest::Agree { digests }, TIMEOUT);
    Ok(())
}

/// Takes another host's copy of a file; this host's own is kept among the replaced files.
///
/// # Errors
/// When that host does not answer, or has no such file.
pub fn pull(host: &Host, path: &str, other: &str) -> Result<(), SetupError> {
    let _lock = host.lock()?;
    let (credentials, others) = cluster(host)?;
    let node = others.iter().find(|node| node.name == other).ok_or_else(|| {
        SetupError::input(format!("{other} is no other host of this cluster"), "'hafen status' lists them")
    })?;
    let content = fetch(host, &credentials, node, path)?.ok_or_else(|| {
        SetupError::input(format!("{path} is not on {other}"), "See what is where with 'hafen files'")
    })?;
    let own = agreed::fetch(host, path)?.and_then(|content| content.bytes());
    agreed::put(host, path, Some(&content), own.as_deref().map(disk::sha256_hex).as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey_of(states: &[(&str, Option<&str>, Option<&str>)]) -> Survey {
        let mut survey = Survey::default();
        for (host, digest, agreed) in states {
            survey.hosts.insert((*host).to_owned());
            let state = FileState {
                path: "/f".to_owned(),
                digest: digest.map(str::to_owned),
                agreed: agreed.map(str::to_owned),
            };
            survey.files.entry("/f".to_owned()).or_default().insert((*host).to_owned(), state);
        }
        survey
    }

    #[test]
    fn one_change_is_newer_and_two_are_a_conflict() {
        let same = survey_of(&[("a", Some("1"), None), ("b", Some("1"), Some("1"))]);
        assert_eq!(same.standing("/f"), Standing::Same);
        let newer = survey_of(&[
            ("a", Some("2"), Some("1")),
            ("b", Some("1"), Some("1")),
            ("c", Some("2"), Some("1")),
        ]);
        assert_eq!(newer.standing("/f"), Standing::Newer { on: ["a".to_owned(), "c".to_owned()].into() });
        let fresh = survey_of(&[("a", Some("2"), None), ("b", None, None)]);
        assert_eq!(fresh.standing("/f"), Standing::Newer { on: ["a".to_owned()].into() });
        let both = survey_of(&[("a", Some("2"), Some("1")), ("b", Some("3"), Some("1"))]);
        assert!(matches!(both.standing("/f"), Standing::Conflict { .. }));
        let unknown = survey_of(&[("a", Some("2"), None), ("b", Some("3"), None)]);
        assert!(matches!(unknown.standing("/f"), Standing::Conflict { .. }));
        let deleted = survey_of(&[("a", None, Some("1")), ("b", Some("1"), Some("1"))]);
        assert_eq!(deleted.standing("/f"), Standing::Newer { on: ["a".to_owned()].into() });
        assert_eq!(both.differing(), ["/f"]);
    }
}
