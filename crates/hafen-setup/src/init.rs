//! `hafen init`: a cluster of one host, ready for the next one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::corosync_conf::{CorosyncConf, Item, NodeEntry, Section};
use crate::fencing::{DELAY_SECONDS_DEFAULT, Device, escape};
use crate::host::{Host, parse_conf};
use crate::membership::{Membership, in_foreign_cluster, interrupted};
use crate::network::{self, InterfaceAddress};
use crate::pending::{Operation, Pending, put_store_aside};
use crate::pki::{self, Authority, HostKey};
use crate::server::check_name;
use crate::services::{Manager, Service};
use crate::timing::{self, DETECTION_MS_DEFAULT};
use crate::token::{LIFETIME_SECONDS_DEFAULT, Token, TokenStore};
use crate::{SetupError, change, clock, corosync_conf, disk, resolve, start};

/// Bytes of Corosync's key.
const AUTHKEY_BYTES: usize = 256;
/// Links of a cluster, at most.
const LINKS_MAXIMUM: usize = 8;
/// The number of the first host.
const FIRST_ID: u32 = 1;
/// Corosync's port for multicast; it uses the one below it too.
const MCAST_PORT: u16 = 5405;

/// What `hafen init` is told.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The cluster's name; none: `hafen`.
    pub name: Option<String>,
    /// The network of the first link; none: this host's only one.
    pub bind: Option<String>,
    /// The networks of more links.
    pub links: Vec<String>,
    /// Within how many milliseconds a lost host is to be noticed.
    pub detection_ms: Option<u64>,
    /// The address of udp multicast, instead of knet.
    pub mcast: Option<IpAddr>,
    /// Whether Corosync encrypts; none: wherever it can.
    pub encryption: Option<bool>,
    /// Fence devices, as `AGENT:name=value,...`.
    pub fence: Vec<String>,
    /// How long the shot at the lowest-numbered host waits, in seconds.
    pub fence_delay_seconds: Option<u32>,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// The cluster's name.
    pub cluster: String,
    /// Whether the cluster was there before.
    pub was_there: bool,
    /// What the user should know.
    pub notes: Vec<String>,
    /// The line for the next host.
    pub join_line: String,
}

/// Begins a cluster on this host. Called again, it completes what was interrupted, or makes a new token.
///
/// # Errors
/// When the options are wrong, this host is in another cluster, or a service does not start; files are as before then.
pub fn init(host: &Host, options: &Options) -> Result<Report, SetupError> {
    let _lock = host.lock()?;
    let pending = interrupted(host, Operation::Init)?;
    let mut notes = Vec::new();
    if pending.is_none() {
        match Membership::of(host)? {
            Membership::None => {}
            Membership::Foreign { cluster } => return Err(in_foreign_cluster(&cluster)),
            Membership::Ours { conf, .. } => return again(host, options, &conf),
        }
    }
    if *host.services.manager() == Manager::Nobody {
        // Tells so, before anything is changed.
        host.services.runs(Service::Corosync)?;
    }
    let was_there = pending.is_some();
    let pending = match pending {
        Some(pending) => {
            notes.push(
                "an earlier 'hafen init' was interrupted; it is completed, with the options of that time"
                    .to_owned(),
            );
            pending
        }
        None => begin(host, options, &mut notes)?,
    };
    complete(host, pending, was_there, &mut notes)?;
    let conf = host.corosync_conf()?;
    let token = new_token(host, &conf, LIFETIME_SECONDS_DEFAULT)?;
    Ok(Report {
        cluster: conf.cluster_name().unwrap_or_default().to_owned(),
        was_there: false,
        notes,
        join_line: join_line(host, &conf, &token),
    })
}

/// In a cluster already: everything runs, and there is a new token.
fn again(host: &Host, options: &Options, conf: &CorosyncConf) -> Result<Report, SetupError> {
    let cluster = conf.cluster_name().unwrap_or_default().to_owned();
    if options.name.as_ref().is_some_and(|name| *name != cluster) {
        return Err(SetupError::state(
            format!("this host is in the cluster '{cluster}' already"),
            "Leave it with 'hafen leave' before you begin another one",
        ));
    }
    let own = own_entry(host, conf)?;
    let others: Vec<u32> = host.others(conf).iter().map(|node| node.id).collect();
    let mut notes =
        vec![format!("this host is in the cluster '{cluster}' already; its options stay as they are")];
    if start::corosync(host, own.id, if others.len() < 2 { &[] } else { &others }).is_err() {
        notes.push("Corosync sees no other host".to_owned());
    }
    start::daemon(host)?;
    let token = new_token(host, conf, LIFETIME_SECONDS_DEFAULT)?;
    Ok(Report { cluster, was_there: true, notes, join_line: join_line(host, conf, &token) })
}

fn begin(host: &Host, options: &Options, notes: &mut Vec<String>) -> Result<Pending, SetupError> {
    check_name(&host.name)?;
    let cluster = options.name.clone().unwrap_or_else(|| "hafen".to_owned());
    check_cluster_name(&cluster)?;
    let links = links(host, options)?;
    let encrypted = encrypted(options, links.len())?;
    let conf = configuration(host, options, &cluster, &links, encrypted, notes)?;
    let cib = initial_cib(host, options, &cluster, &conf, notes)?;
    let authority = Authority::generate(&cluster)?;
    let key = HostKey::generate()?;
    let certificate = authority.sign(&key.request(&host.name)?, &host.name, FIRST_ID)?;
    let authkey = disk::random::<AUTHKEY_BYTES>()?;
    let conf = conf.to_string();
    let daemon = daemon_json(&cluster, host.peer_port, true);
    let pki = |name: &str| format!("/etc/hafen/pki/{name}");
    let (ca, ca_key, own, own_key) =
        (pki(pki::CA_FILE), pki(pki::CA_KEY_FILE), pki(pki::HOST_FILE), pki(pki::HOST_KEY_FILE));
    let mut files: Vec<(&str, &[u8], u32)> = vec![
        (&ca, authority.certificate_pem().as_bytes(), 0o644),
        (&ca_key, authority.key_pem().as_bytes(), 0o600),
        (&own, certificate.as_bytes(), 0o644),
        (&own_key, key.key_pem().as_bytes(), 0o600),
        ("/etc/hafen/initial-cib.xml", cib.as_bytes(), 0o600),
        ("/etc/hafen/daemon.json", daemon.as_bytes(), 0o644),
        ("/etc/corosync/corosync.conf", conf.as_bytes(), 0o644),
    ];
    if encrypted {
        files.push(("/etc/corosync/authkey", &authkey, 0o400));
    }
    Pending::begin(&host.paths, Operation::Init, &files)
}

/// Puts the files in place and starts the services; takes everything back where Corosync will not have it.
fn complete(host: &Host, pending: Pending, resumed: bool, notes: &mut Vec<String>) -> Result<(), SetupError> {
    let tested = test(host, &pending);
    if let Err(error) = tested {
        if resumed {
            pending.roll_back()?
        } else {
            pending.forget()?
        }
        return Err(error);
    }
    if !host.services.runs(Service::Hafen)?
        && let Some(folder) = put_store_aside(&host.paths, "state-of-an-earlier-cluster")?
    {
        notes.push(format!("the state of an earlier cluster was moved to {}", folder.display()));
    }
    let started = pending.install().and_then(|()| start::corosync(host, FIRST_ID, &[]));
    if let Err(error) = started {
        host.services.stop(Service::Corosync)?;
        pending.roll_back()?;
        return Err(error);
    }
    start::daemon(host)?;
    pending.finish()
}

/// Has Corosync read the configuration with the key as it is kept until both are put in place.
fn test(host: &Host, pending: &Pending) -> Result<(), SetupError> {
    let text = pending.read(change::PATH)?.unwrap_or_default();
    let mut conf = parse_conf(&String::from_utf8_lossy(&text), change::PATH)?;
    let key = pending.stored("/etc/corosync/authkey");
    if key.exists() {
        conf.top("totem").set("keyfile", key.to_string_lossy());
    }
    let trial = host.paths.run_dir().join("corosync.conf.trial");
    disk::write_whole(&trial, conf.to_string().as_bytes(), 0o600)?;
    let tested = host.services.test_corosync_conf(&trial);
    disk::remove(&trial)?;
    tested
}

fn check_cluster_name(name: &str) -> Result<(), SetupError> {
    let letter = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    if !name.is_empty() && name.len() <= 15 && name.chars().all(letter) {
        return Ok(());
    }
    Err(SetupError::input(
        format!("'{name}' cannot be a cluster's name"),
        "Use up to 15 letters, digits, '-', '_' and '.' (lock managers of shared file systems allow no more)",
    ))
}

fn links(host: &Host, options: &Options) -> Result<Vec<InterfaceAddress>, SetupError> {
    let first = match &options.bind {
        Some(text) => network::choose(text, &host.addresses)?,
        None => network::choose_default(&host.addresses)?,
    };
    let mut links = vec![first];
    for text in &options.links {
        let link = network::choose(text, &host.addresses)?;
        if let Some(same) =
            links.iter().find(|one| one.interface == link.interface || one.network() == link.network())
        {
            return Err(SetupError::input(
                format!(
                    "the link '{text}' is no second way: {} is in use on {} already",
                    same.range(),
                    same.interface
                ),
                "A redundant link needs an interface and a network of its own",
            ));
        }
        links.push(link);
    }
    if links.len() > LINKS_MAXIMUM {
        return Err(SetupError::input(
            format!("{} links", links.len()),
            format!("Corosync has {LINKS_MAXIMUM} at most"),
        ));
    }
    Ok(links)
}

/// Whether Corosync encrypts.
fn encrypted(options: &Options, links: usize) -> Result<bool, SetupError> {
    let Some(group) = options.mcast else { return Ok(options.encryption.unwrap_or(true)) };
    if !group.is_multicast() {
        return Err(SetupError::input(
            format!("{group} is no multicast address"),
            "Use one between 224.0.0.0 and 239.255.255.255; 239.192.0.0/14 is meant for an organisation's own use",
        ));
    }
    if links > 1 {
        return Err(SetupError::input(
            "--mcast and --link exclude each other: Corosync's udp transport has one link",
            "Leave --mcast out: knet has up to eight links",
        ));
    }
    if options.encryption == Some(true) {
        return Err(SetupError::input(
            "--mcast and --encryption exclude each other: Corosync's udp transport neither encrypts nor authenticates",
            "Leave --mcast out: knet encrypts; or say --encryption no, in a network that nobody else reaches",
        ));
    }
    Ok(false)
}

fn configuration(
    host: &Host,
    options: &Options,
    cluster: &str,
    links: &[InterfaceAddress],
    encrypted: bool,
    notes: &mut Vec<String>,
) -> Result<CorosyncConf, SetupError> {
    let mut conf = CorosyncConf::default();
    let comment =
        "# Written by hafen; it can be edited by hand, then brought to all hosts with 'hafen files push'.";
    conf.root.items.push(Item::Comment(comment.to_owned()));
    let totem = conf.top("totem");
    totem.set("version", "2");
    totem.set("cluster_name", cluster);
    totem.set("config_version", "1");
    match options.mcast {
        None => totem.set("transport", "knet"),
        Some(group) => {
            totem.set("transport", "udp");
            let mut interface = Section::new("interface");
            interface.set("linknumber", "0");
            interface.set("bindnetaddr", links[0].network().to_string());
            interface.set("mcastaddr", group.to_string());
            interface.set("mcastport", MCAST_PORT.to_string());
            totem.items.push(Item::Section(interface));
            notes.push("with udp multicast anybody in the network can read and forge what the hosts say to each other".into());
        }
    }
    totem.set("crypto_cipher", if encrypted { "aes256" } else { "none" });
    totem.set("crypto_hash", if encrypted { "sha256" } else { "none" });
    let quorum = conf.top("quorum");
    quorum.set("provider", "corosync_votequorum");
    let logging = conf.top("logging");
    for (key, value) in
        [("to_stderr", "yes"), ("to_logfile", "no"), ("to_syslog", "yes"), ("timestamp", "on")]
    {
        logging.set(key, value);
    }
    let addresses: BTreeMap<u8, String> =
        (0..).zip(links.iter().map(|link| link.address.to_string())).collect();
    conf.add_node(&NodeEntry { id: FIRST_ID, name: host.name.clone(), addresses });
    let timing = timing::propose(options.detection_ms.unwrap_or(DETECTION_MS_DEFAULT), 1, &[])?;
    timing::apply(&timing, &mut conf);
    notes.push(format!("{timing}"));
    match corosync_conf::check(&conf).into_iter().find(|finding| finding.is_error) {
        Some(finding) => Err(SetupError::state(finding.what, finding.mend)),
        None => Ok(conf),
    }
}

/// What the configuration of a new cluster holds.
fn initial_cib(
    host: &Host,
    options: &Options,
    cluster: &str,
    conf: &CorosyncConf,
    notes: &mut Vec<String>,
) -> Result<String, SetupError> {
    let delay = options.fence_delay_seconds.unwrap_or(DELAY_SECONDS_DEFAULT);
    let (mut resources, mut constraints) = (String::new(), String::new());
    let mut ids: BTreeMap<String, u32> = BTreeMap::new();
    for text in &options.fence {
        let mut device = Device::parse(text)?;
        let count = ids.entry(device.id.clone()).or_default();
        *count += 1;
        if *count > 1 {
            device.id = format!("{}-{count}", device.id);
        }
        let xml = device.xml(&conf.nodes(), delay);
        resources.push_str(&xml.resource);
        xml.constraints.iter().for_each(|constraint| constraints.push_str(constraint));
    }
    if options.fence.is_empty() {
        notes.push(
            "no fence device is configured: resources wait until there is one ('hafen fence add'), or until you give up \
             fencing ('hafen config' sets stonith-enabled=false; never with shared storage)"
                .to_owned(),
        );
    }
    let properties = [
        ("cluster-infrastructure", "corosync"),
        ("cluster-name", cluster),
        ("dc-version", hafen_cib::DC_VERSION),
        ("stonith-enabled", "true"),
        ("fencing-proof-minimum", "agent-reported"),
    ];
    let pairs: String = properties
        .iter()
        .map(|(name, value)| {
            let value = escape(value);
            format!("<nvpair id=\"cib-bootstrap-options-{name}\" name=\"{name}\" value=\"{value}\"/>")
        })
        .collect();
    let name = escape(&host.name);
    let written = hafen_client::written_now();
    Ok(format!(
        "<cib crm_feature_set=\"3.20.0\" validate-with=\"pacemaker-4.0\" admin_epoch=\"0\" epoch=\"1\" num_updates=\"0\" \
         cib-last-written=\"{written}\" update-origin=\"{name}\" update-client=\"hafen init\" update-user=\"root\">\
         <configuration><crm_config><cluster_property_set id=\"cib-bootstrap-options\">{pairs}</cluster_property_set>\
         </crm_config><nodes><node id=\"{FIRST_ID}\" uname=\"{name}\"/></nodes><resources>{resources}</resources>\
         <constraints>{constraints}</constraints></configuration><status/></cib>\n"
    ))
}

/// The daemon's configuration; the first host names what the cluster's configuration begins with.
pub(crate) fn daemon_json(cluster: &str, peer_port: u16, first: bool) -> String {
    let mut json = serde_json::json!({
        "cluster": cluster,
        "bus": { "engine": "corosync" },
        "peer_port": peer_port,
    });
    if first {
        json["initial_cib_file"] = "/etc/hafen/initial-cib.xml".into();
    }
    format!("{json:#}\n")
}

fn own_entry(host: &Host, conf: &CorosyncConf) -> Result<NodeEntry, SetupError> {
    conf.node(&host.name).ok_or_else(|| {
        SetupError::state(
            format!("this host is {}, and no such host is in its corosync.conf", host.name),
            "A host's name must stay as it was when it joined: set it back, or mend the nodelist on all hosts",
        )
    })
}

/// A new token of this host.
///
/// # Errors
/// When this host is in no cluster, or its authority's files are missing.
pub fn token(host: &Host, lifetime_seconds: u64) -> Result<(Token, String), SetupError> {
    let conf = host.corosync_conf()?;
    let token = new_token(host, &conf, lifetime_seconds)?;
    let line = join_line(host, &conf, &token);
    Ok((token, line))
}

fn new_token(host: &Host, conf: &CorosyncConf, lifetime_seconds: u64) -> Result<Token, SetupError> {
    let own = own_entry(host, conf)?;
    let fingerprint = Authority::load(&host.pki_dir()?)?.fingerprint()?;
    let store = TokenStore::new(host.paths.tokens_dir());
    store.create(own.id, fingerprint, clock::wall_seconds(), lifetime_seconds)
}

/// `hafen join HOST --token T`, with a name where the name leads to the right address.
fn join_line(host: &Host, conf: &CorosyncConf, token: &Token) -> String {
    let address =
        conf.node(&host.name).and_then(|node| node.addresses.into_values().next()).unwrap_or_default();
    let leads_here = resolve(&host.name, host.peer_port)
        .is_ok_and(|found| found.iter().all(|one| host.addresses.iter().any(|own| own.address == one.ip())));
    let place = if leads_here { host.name.clone() } else { address };
    let port = match (host.peer_port, place.contains(':')) {
        (crate::peer::PORT_DEFAULT, _) => String::new(),
        (port, false) => format!(":{port}"),
        (port, true) => return format!("hafen join [{place}]:{port} --token {token}"),
    };
    format!("hafen join {place}{port} --token {token}")
}
