//! What a host answers at its port: requests of other hosts, and hosts that want to join.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::corosync_conf::{CorosyncConf, NodeEntry};
use crate::host::Host;
use crate::network::{self, InterfaceAddress};
use crate::peer::Handler;
use crate::pki::Authority;
use crate::request::{FileContent, JoinReply, JoinRequest, Joiner, PeerReply, PeerRequest, Welcome};
use crate::token::{Admission, TokenStore};
use crate::{Paths, SetupError, agreed, change, clock, disk, facts, leave, measure, resolve};

/// Hosts on Corosync, at most.
pub const HOSTS_MAXIMUM: usize = 32;
/// Bytes of agreed files that a new host is given along (128 KiB in base64 fit its frame many times over).
const WELCOME_BYTES_MAXIMUM: usize = 4 << 20;

/// Answers for this host.
#[derive(Debug)]
pub struct Service {
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Looked at anew for each request: addresses and configuration may change.
    This(Paths),
    /// As it is told.
    Told(Box<Host>),
}

impl Service {
    /// For the host that this process runs on.
    pub fn new(paths: Paths) -> Self {
        Self { source: Source::This(paths) }
    }

    /// For a host that is described.
    pub fn of(host: Host) -> Self {
        Self { source: Source::Told(Box::new(host)) }
    }

    fn host(&self) -> Result<Host, SetupError> {
        match &self.source {
            Source::This(paths) => Host::this(paths.clone()),
            Source::Told(host) => Ok((**host).clone()),
        }
    }

    fn answer(&self, from: u32, request: PeerRequest) -> Result<PeerReply, SetupError> {
        if let PeerRequest::Echo { number } = request {
            return Ok(PeerReply::Echo { number });
        }
        let host = self.host()?;
        match request {
            PeerRequest::Hello => Ok(PeerReply::Hello {
                name: host.name,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                wall_ms: clock::wall_ms(),
            }),
            PeerRequest::Measure { targets, echoes } => {
                let measures = measure::measure(&host, &host.credentials()?, &targets, echoes);
                Ok(PeerReply::Measures { measures })
            }
            PeerRequest::Facts => Ok(PeerReply::Facts(Box::new(facts::gather(&host)))),
            PeerRequest::Configuration => Ok(PeerReply::Configuration {
                text: host.corosync_text()?.unwrap_or_default(),
                prepared: change::prepared_digest(&host)?,
            }),
            PeerRequest::Files => Ok(PeerReply::Files { files: agreed::list(&host)? }),
            PeerRequest::FetchFile { path } => Ok(PeerReply::File { content: agreed::fetch(&host, &path)? }),
            other => carry_out(&host, from, other).map(|()| PeerReply::Done),
        }
    }

    fn admit(&self, request: JoinRequest) -> Result<JoinReply, SetupError> {
        let host = self.host()?;
        let (joiner, confirmed) = match request {
            JoinRequest::Join(joiner) => (joiner, false),
            JoinRequest::Confirm(joiner) => (joiner, true),
        };
        let _lock = host.lock()?;
        let tokens = TokenStore::new(host.paths.tokens_dir());
        let key = disk::sha256_hex(joiner.certificate_request.as_bytes());
        let admission = tokens.admit(&joiner.secret, &key, &joiner.name, clock::wall_seconds())?;
        if confirmed {
            return confirm(&host, &tokens, &admission, &joiner);
        }
        let conf = host.corosync_conf()?;
        let node = new_node(&host, &conf, &joiner, admission.id)?;
        let welcome = welcome(&host, &conf, &node, &joiner)?;
        tokens.bind(&admission, &key, &joiner.name, node.id)?;
        Ok(JoinReply::Welcome(Box::new(welcome)))
    }
}

/// Requests that change something and are answered with `Done`.
fn carry_out(host: &Host, from: u32, request: PeerRequest) -> Result<(), SetupError> {
    match request {
        PeerRequest::PutFile { path, content, expected } => {
            agreed::put(host, &path, content.as_ref(), expected.as_deref())
        }
        PeerRequest::Agree { digests } => agreed::agree_here(host, &digests),
        PeerRequest::Prepare { base, text } => change::prepare_here(host, &base, &text),
        PeerRequest::Commit { digest } => change::commit_here(host, &digest),
        PeerRequest::Abandon { digest } => change::abandon_here(host, &digest),
        PeerRequest::RemoveHost { host: name } => leave::remove_leaver(host, from, &name),
        _ => Err(SetupError::state(
            "the request is not understood",
            "Use the same version of hafen on all hosts",
        )),
    }
}

impl Handler for Service {
    fn is_member(&self, id: u32) -> bool {
        // With a corosync.conf that nobody can read, a certificate must do: else nobody could mend the file from elsewhere.
        match self.host().and_then(|host| host.corosync_conf()) {
            Ok(conf) => conf.nodes().iter().any(|node| node.id == id),
            Err(_) => true,
        }
    }

    fn peer(&self, from: u32, request: PeerRequest) -> PeerReply {
        self.answer(from, request).unwrap_or_else(|error| {
            let (kind, what, mend) = parts(error);
            PeerReply::Refused { kind, what, mend }
        })
    }

    fn join(&self, request: JoinRequest) -> JoinReply {
        self.admit(request).unwrap_or_else(|error| {
            let (kind, what, mend) = parts(error);
            JoinReply::Refused { kind, what, mend }
        })
    }
}

fn parts(error: SetupError) -> (crate::Kind, String, String) {
    match error {
        SetupError::Refused { kind, what, mend } => (kind, what, mend),
        other => (other.kind(), other.to_string(), String::new()),
    }
}

/// The second half of joining: the new host is in the configuration of all hosts afterwards.
fn confirm(
    host: &Host,
    tokens: &TokenStore,
    admission: &Admission,
    joiner: &Joiner,
) -> Result<JoinReply, SetupError> {
    let id = admission.id.ok_or_else(|| {
        SetupError::state("this host was not welcomed with this token yet", "Run 'hafen join' again")
    })?;
    let conf = host.corosync_conf()?;
    let present = conf.node(&joiner.name).is_some_and(|node| node.id == id);
    let text = if present {
        host.corosync_text()?.unwrap_or_default()
    } else {
        let node = new_node(host, &conf, joiner, Some(id))?;
        if node.id != id {
            return Err(SetupError::conflict(
                format!("another host has joined meanwhile and is host {id} now"),
                "Run 'hafen join' again",
            ));
        }
        change::change(host, &BTreeSet::new(), |conf| {
            conf.add_node(&node);
            conf.derive_two_node();
            Ok(())
        })?
    };
    tokens.finish(admission)?;
    Ok(JoinReply::Admitted { corosync_conf: text })
}

/// The entry of the nodelist for a host that wants to join.
fn new_node(
    host: &Host,
    conf: &CorosyncConf,
    joiner: &Joiner,
    given: Option<u32>,
) -> Result<NodeEntry, SetupError> {
    check_name(&joiner.name)?;
    if let Some(known) = conf.node(&joiner.name) {
        return Err(SetupError::input(
            format!("a host named {} is in the cluster already (host {})", joiner.name, known.id),
            format!(
                "Give the new host another name (hostnamectl set-hostname NAME), or, if it is that host set up anew, run \
                 'hafen remove {}' on another host first",
                joiner.name
            ),
        ));
    }
    let nodes = conf.nodes();
    if nodes.len() >= HOSTS_MAXIMUM {
        return Err(SetupError::state(
            format!("the cluster has {HOSTS_MAXIMUM} hosts already"),
            "That is the limit",
        ));
    }
    let own = conf.node(&host.name).ok_or_else(|| {
        SetupError::state(format!("{} is not in its own nodelist", host.name), "Mend its corosync.conf")
    })?;
    let mut addresses = BTreeMap::new();
    for link in conf.links() {
        let address = match joiner.chosen.get(&link) {
            Some(chosen) => chosen.clone(),
            None => address_on(host, &own, link, &joiner.addresses)?,
        };
        if let Some(taken) = nodes.iter().find(|node| node.addresses.values().any(|other| *other == address))
        {
            return Err(SetupError::input(
                format!("the address {address} is that of {} already", taken.name),
                "Give each host its own address",
            ));
        }
        addresses.insert(link, address);
    }
    let free = |id: &u32| nodes.iter().all(|node| node.id != *id);
    let id = given.filter(free).unwrap_or_else(|| conf.next_id());
    Ok(NodeEntry { id, name: joiner.name.clone(), addresses })
}

/// The joiner's address in the network of a link.
fn address_on(
    host: &Host,
    own: &NodeEntry,
    link: u8,
    theirs: &[InterfaceAddress],
) -> Result<String, SetupError> {
    let unknown = || {
        SetupError::state(
            format!("{} cannot tell which network link {link} of the cluster is", host.name),
            format!("Say which address the new host has there: --address {link}=ADDRESS"),
        )
    };
    let text = own.addresses.get(&link).ok_or_else(unknown)?;
    let address: IpAddr = resolve(text, 0)?.first().map(|address| address.ip()).ok_or_else(unknown)?;
    let interface = host.addresses.iter().find(|one| one.address == address).ok_or_else(unknown)?;
    let chosen = network::choose_for_link(link, interface.network(), interface.prefix, theirs)?;
    Ok(chosen.address.to_string())
}

/// Whether a name is one that certificates, Corosync and the CIB can all hold.
///
/// # Errors
/// When it is not.
pub fn check_name(name: &str) -> Result<(), SetupError> {
    let letter = |char: char| char.is_ascii_alphanumeric() || "-.".contains(char);
    let edge = |char: char| char.is_ascii_alphanumeric();
    let fine = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(letter)
        && name.starts_with(edge)
        && name.ends_with(edge)
        && !name.contains("..");
    if fine && name != "localhost" {
        return Ok(());
    }
    Err(SetupError::input(
        format!("'{name}' cannot be the name of a host in a cluster"),
        "Letters, digits and '-' make a host name, and localhost is none: set one with hostnamectl set-hostname NAME",
    ))
}

fn welcome(
    host: &Host,
    conf: &CorosyncConf,
    node: &NodeEntry,
    joiner: &Joiner,
) -> Result<Welcome, SetupError> {
    let authority = Authority::load(&host.pki_dir()?)?;
    let mut files = BTreeMap::new();
    let mut bytes = 0;
    for state in agreed::list(host)? {
        let known = agreed::PATTERNS.iter().any(|pattern| *pattern == state.path);
        if known || state.digest.is_none() {
            continue;
        }
        if let Some(content) = agreed::fetch(host, &state.path)? {
            bytes += content.bytes().map_or(0, |bytes| bytes.len());
            if bytes > WELCOME_BYTES_MAXIMUM {
                break;
            }
            files.insert(state.path, content);
        }
    }
    let authkey = disk::read_optional(&host.paths.authkey())?.map(|bytes| FileContent::new(&bytes, 0o400));
    let encrypted = conf.value("totem", "crypto_hash").is_some_and(|hash| hash != "none");
    if encrypted && authkey.is_none() {
        return Err(SetupError::state(
            format!(
                "{} of {} is not there, and the cluster encrypts",
                host.paths.authkey().display(),
                host.name
            ),
            "Restore it from another host with 'hafen files push' there",
        ));
    }
    Ok(Welcome {
        cluster: conf.cluster_name().unwrap_or_default().to_owned(),
        id: node.id,
        ca: authority.certificate_pem().to_owned(),
        ca_key: authority.key_pem().to_owned(),
        certificate: authority.sign(&joiner.certificate_request, &joiner.name, node.id)?,
        authkey,
        peer_port: host.peer_port,
        patterns: agreed::patterns(host)?,
        files,
        wall_ms: clock::wall_ms(),
    })
}
