//! `hafen join`: this host becomes one of a cluster.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::corosync_conf::CorosyncConf;
use crate::host::{Host, parse_conf};
use crate::init::daemon_json;
use crate::membership::{Membership, in_foreign_cluster, interrupted};
use crate::peer::{Connecting, Credentials, PORT_DEFAULT, PeerClient};
use crate::pending::{Operation, Pending, put_store_aside};
use crate::pki::{self, HostKey};
use crate::request::{JoinReply, JoinRequest, Joiner, PeerReply, PeerRequest, Welcome};
use crate::server::check_name;
use crate::services::{Manager, Service};
use crate::token::Token;
use crate::{Kind, SetupError, agreed, change, disk, resolve, start};

/// How long the host that is asked may take: it asks all others.
const TIMEOUT: Duration = Duration::from_secs(120);
const KEY: &str = "/etc/hafen/pki/host-key.pem";
const CERTIFICATE: &str = "/etc/hafen/pki/host.pem";
const AUTHORITY: &str = "/etc/hafen/pki/ca.pem";
/// Kept while the join is under way, never put in place.
const REQUEST: &str = "/etc/hafen/pki/host-request.pem";

/// What `hafen join` is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// The host to ask: a name or an address, with a port or without.
    pub host: String,
    /// The token as it was printed.
    pub token: String,
    /// This host's address on a link, where it cannot be told from the networks.
    pub addresses: BTreeMap<u8, String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// The cluster's name.
    pub cluster: String,
    /// Whether this host was a member before.
    pub was_there: bool,
    /// All hosts of the cluster.
    pub hosts: Vec<String>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Makes this host a member. Called again, it completes what was interrupted.
///
/// # Errors
/// When the token or the host is wrong, this host is in another cluster, or the cluster refuses; nothing is changed then. When
/// a service does not start, the error says what to do; this host is a member then.
pub fn join(host: &Host, options: &Options) -> Result<Report, SetupError> {
    let _lock = host.lock()?;
    let token: Token = options.token.parse()?;
    check_name(&host.name)?;
    let pending = interrupted(host, Operation::Join)?;
    let mut notes = Vec::new();
    if pending.is_none() {
        match Membership::of(host)? {
            Membership::None => {}
            Membership::Foreign { cluster } => return Err(in_foreign_cluster(&cluster)),
            Membership::Ours { conf, fingerprint } => return again(host, &token, &conf, fingerprint),
        }
    } else {
        notes.push("an earlier 'hafen join' was interrupted; it is completed".to_owned());
    }
    if *host.services.manager() == Manager::Nobody {
        host.services.runs(Service::Corosync)?;
    }
    if let Some(pending) = pending
        && pending.read(change::PATH)?.is_some()
    {
        return complete(host, pending, notes);
    }
    // Before anything is written: a host that cannot be reached, or is not the one that is meant, leaves nothing behind.
    let (name, port) = split_port(&options.host)?;
    let addresses = resolve(&name, port)?;
    let client = connect(&token, &name, &addresses)?;
    let mut pending = match Pending::load(&host.paths)? {
        Some(pending) => pending,
        None => begin(host)?,
    };
    // The cluster may have taken this host in already, if an earlier run got that far.
    let maybe_member = pending.read(CERTIFICATE)?.is_some();
    let asking = Asking { host, options, token: &token, name: &name, addresses: &addresses };
    if let Err(error) = asking.ask(client, &mut pending, &mut notes) {
        // A clear no means that nothing has happened; after anything else the next run asks again with the same key.
        if !maybe_member && matches!(error.kind(), Kind::Input | Kind::State | Kind::Conflict) {
            pending.forget()?;
        }
        return Err(error);
    }
    complete(host, pending, notes)
}

fn again(
    host: &Host,
    token: &Token,
    conf: &CorosyncConf,
    fingerprint: Option<[u8; 32]>,
) -> Result<Report, SetupError> {
    let cluster = conf.cluster_name().unwrap_or_default().to_owned();
    if fingerprint != Some(token.fingerprint) {
        return Err(SetupError::state(
            format!("this host is in the cluster '{cluster}' already, and the token is of another one"),
            "Leave it with 'hafen leave' before you join another one",
        ));
    }
    start_services(host, conf)?;
    let notes = vec![format!("this host is in the cluster '{cluster}' already")];
    Ok(Report { cluster, was_there: true, hosts: names(conf), notes })
}

fn names(conf: &CorosyncConf) -> Vec<String> {
    conf.nodes().into_iter().map(|node| node.name).collect()
}

/// The key of this host is made first and kept: by it the cluster knows that the same host asks again.
fn begin(host: &Host) -> Result<Pending, SetupError> {
    let key = HostKey::generate()?;
    let request = key.request(&host.name)?;
    let files: [(&str, &[u8], u32); 2] =
        [(KEY, key.key_pem().as_bytes(), 0o600), (REQUEST, request.as_bytes(), 0o600)];
    Pending::begin(&host.paths, Operation::Join, &files)
}

/// What is known while one asks to be a member.
struct Asking<'a> {
    host: &'a Host,
    options: &'a Options,
    token: &'a Token,
    name: &'a str,
    addresses: &'a [SocketAddr],
}

impl Asking<'_> {
    /// Asks to be a member. Afterwards everything is collected.
    fn ask(
        &self,
        mut client: PeerClient,
        pending: &mut Pending,
        notes: &mut Vec<String>,
    ) -> Result<(), SetupError> {
        if let Some(text) = already_admitted(self.token, pending, self.name, self.addresses)? {
            return pending.add(change::PATH, text.as_bytes(), 0o644);
        }
        let request = pending.read(REQUEST)?.unwrap_or_default();
        let joiner = Box::new(Joiner {
            secret: self.token.secret_hex(),
            name: self.host.name.clone(),
            certificate_request: String::from_utf8_lossy(&request).into_owned(),
            addresses: self.host.addresses.clone(),
            chosen: self.options.addresses.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        let welcome = match client.ask_to_join(&JoinRequest::Join(joiner.clone()), TIMEOUT)? {
            JoinReply::Welcome(welcome) => welcome,
            _ => return Err(client.unexpected()),
        };
        if pki::fingerprint(&pki::certificate(welcome.ca.as_bytes(), pki::CA_FILE)?) != self.token.fingerprint
        {
            return Err(client.unexpected());
        }
        notes.extend(start::clock_note(self.name, welcome.wall_ms));
        collect(self.host, &welcome, pending, notes)?;
        match client.ask_to_join(&JoinRequest::Confirm(joiner), TIMEOUT)? {
            JoinReply::Admitted { corosync_conf } => {
                pending.add(change::PATH, corosync_conf.as_bytes(), 0o644)
            }
            _ => Err(client.unexpected()),
        }
    }
}

fn split_port(text: &str) -> Result<(String, u16), SetupError> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Ok((text.to_owned(), PORT_DEFAULT));
    }
    match text.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() => {
            let port = port.parse().map_err(|_| {
                SetupError::input(
                    format!("'{port}' is no port"),
                    "Write HOST or HOST:PORT, as in the line of 'hafen init'",
                )
            })?;
            Ok((name.to_owned(), port))
        }
        _ => Ok((text.to_owned(), PORT_DEFAULT)),
    }
}

fn connect(token: &Token, name: &str, addresses: &[SocketAddr]) -> Result<PeerClient, SetupError> {
    let mut first = None;
    for address in addresses {
        match PeerClient::connect_to_join(token, name, *address) {
            Ok(client) => return Ok(client),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| SetupError::input(format!("{name} has no address"), "")))
}

/// Where an earlier run was killed after the cluster had taken this host in: the configuration, by the certificate that it was
/// given.
fn already_admitted(
    token: &Token,
    pending: &Pending,
    name: &str,
    addresses: &[SocketAddr],
) -> Result<Option<String>, SetupError> {
    if pending.read(CERTIFICATE)?.is_none() || pending.read(AUTHORITY)?.is_none() {
        return Ok(None);
    }
    let stored = pending.stored(CERTIFICATE);
    let credentials = Credentials::load(stored.parent().unwrap_or(&stored))?;
    for address in addresses {
        let to = Connecting { id: token.issuer, name: name.to_owned(), address: *address };
        let Ok(mut client) = PeerClient::connect(&credentials, &to) else { continue };
        let Ok(PeerReply::Configuration { text, .. }) = client.ask(&PeerRequest::Configuration, TIMEOUT)
        else {
            continue;
        };
        let listed = parse_conf(&text, name)?.nodes().iter().any(|node| node.id == credentials.id());
        return Ok(listed.then_some(text));
    }
    Ok(None)
}

/// Keeps what the cluster gave.
fn collect(
    host: &Host,
    welcome: &Welcome,
    pending: &mut Pending,
    notes: &mut Vec<String>,
) -> Result<(), SetupError> {
    let broken = || SetupError::unreachable("a file was damaged on its way", "Run 'hafen join' again");
    pending.add(AUTHORITY, welcome.ca.as_bytes(), 0o644)?;
    pending.add("/etc/hafen/pki/ca-key.pem", welcome.ca_key.as_bytes(), 0o600)?;
    if let Some(authkey) = &welcome.authkey {
        pending.add("/etc/corosync/authkey", &authkey.bytes().ok_or_else(broken)?, 0o400)?;
    }
    let daemon = daemon_json(&welcome.cluster, welcome.peer_port, false);
    pending.add("/etc/hafen/daemon.json", daemon.as_bytes(), 0o644)?;
    let mut patterns = String::new();
    for pattern in &welcome.patterns {
        agreed::check_pattern(pattern)?;
        patterns.push_str(&format!("{pattern}\n"));
    }
    if !patterns.is_empty() {
        pending.add("/etc/hafen/files.conf", patterns.as_bytes(), 0o644)?;
    }
    for (path, content) in &welcome.files {
        agreed::check_pattern(path)?;
        let bytes = content.bytes().ok_or_else(broken)?;
        match disk::read_optional(&host.paths.at(path))? {
            Some(own) if own != bytes => notes.push(format!(
                "{path} differs from that of the cluster and was left alone: see 'hafen files diff {path}'"
            )),
            _ => pending.add(path, &bytes, content.mode & 0o777)?,
        }
    }
    // Last: with it, the next run knows that all of the above is there.
    pending.add(CERTIFICATE, welcome.certificate.as_bytes(), 0o644)
}

/// Puts the files in place and starts the services. This host is in the configuration of all others already, so nothing is
/// taken back when a service does not start: the next run tries again.
fn complete(host: &Host, pending: Pending, mut notes: Vec<String>) -> Result<Report, SetupError> {
    if !host.services.runs(Service::Hafen)?
        && let Some(folder) = put_store_aside(&host.paths, "state-of-an-earlier-cluster")?
    {
        notes.push(format!("the state of an earlier cluster was moved to {}", folder.display()));
    }
    pending.install()?;
    disk::remove(&host.paths.at(REQUEST))?;
    disk::remove(&host.paths.initial_cib())?;
    let conf = host.corosync_conf()?;
    start_services(host, &conf).map_err(|error| match error {
        SetupError::Refused { kind, what, mend } => SetupError::Refused {
            kind,
            what: format!("this host is in the cluster's configuration now, but {what}"),
            mend,
        },
        other => other,
    })?;
    let mut digests = BTreeMap::new();
    for state in agreed::list(host)? {
        digests.extend(state.digest.map(|digest| (state.path, digest)));
    }
    // What differs from the cluster's files was named above, and is not agreed.
    digests.retain(|path, _| !notes.iter().any(|note| note.starts_with(&format!("{path} differs"))));
    agreed::agree_here(host, &digests)?;
    pending.finish()?;
    let cluster = conf.cluster_name().unwrap_or_default().to_owned();
    Ok(Report { cluster, was_there: false, hosts: names(&conf), notes })
}

fn start_services(host: &Host, conf: &CorosyncConf) -> Result<(), SetupError> {
    let own = conf.node(&host.name).ok_or_else(|| {
        SetupError::state(
            format!("this host is {}, and no such host is in its corosync.conf", host.name),
            "A host's name must stay as it was when it joined",
        )
    })?;
    let others: Vec<u32> = host.others(conf).iter().map(|node| node.id).collect();
    start::corosync(host, own.id, &others)?;
    start::daemon(host)
}
