//! What a host tells about itself for `hafen check`.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::disk::sha256_hex;
use crate::host::Host;

/// How long name service may take for all names together.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(3);
/// Network interfaces that are told of, at most.
const INTERFACES_MAXIMUM: usize = 128;
/// Paths to storage that are told of, at most.
const STORAGE_PATHS_MAXIMUM: usize = 64;

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InterfaceFacts {
    /// `eth0`
    pub name: String,
    /// The largest packet, in bytes.
    pub mtu: u32,
    /// The hardware below it (a PCI function without its last digit, so that two ports of a card are one).
    pub hardware: Vec<String>,
    /// The interfaces below a bond or bridge.
    pub ports: Vec<String>,
}

/// A link of Corosync to another host, as this host sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// The link's number.
    pub link: u8,
    /// The other host's number.
    pub to: u32,
    /// Whether packets go both ways.
    pub connected: bool,
}

/// The watchdog of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchdogFacts {
    /// The device or socket that the daemon is to hold; none where none is configured.
    pub configured: Option<String>,
    /// Whether it is there.
    pub present: bool,
    /// A device that is there although none is configured.
    pub available: Option<String>,
}

/// Facts for the check. Fields that are added have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckFacts {
    /// The addresses of the names of the hosts (of its nodelist, and its own); an empty list does not resolve.
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// The SHA-256 of its corosync.conf.
    pub corosync_conf: Option<String>,
    /// The version of the configuration with which its Corosync runs.
    pub running_config_version: Option<u64>,
    /// Its version of Corosync.
    pub corosync: Option<String>,
    /// Its network interfaces.
    pub interfaces: Vec<InterfaceFacts>,
    /// Its Corosync's links.
    pub links: Vec<LinkState>,
    /// Its watchdog.
    pub watchdog: WatchdogFacts,
    /// Its paths to shared storage by target: iSCSI sessions and Fibre Channel ports.
    pub storage: BTreeMap<String, u32>,
}

impl CheckFacts {
    /// Gathers the facts of this host. What cannot be found out is left empty.
    pub fn gather(host: &Host) -> Self {
        let text = host.corosync_text().ok().flatten();
        let conf = host.corosync_conf().ok();
        let mut names: Vec<String> =
            conf.iter().flat_map(|conf| conf.nodes()).map(|node| node.name).collect();
        names.push(host.name.clone());
        names.retain(|name| !name.is_empty());
        names.sort();
        names.dedup();
        let said = |tool: &str, words: &[&str]| host.services.tool(tool, words).ok().map(|said| said.text);
        let running = said("corosync-cmapctl", &["-g", "totem.config_version"]);
        let version = said("corosync", &["-v"]).as_deref().and_then(corosync_version);
        Self {
            names: resolve(names, RESOLVE_TIMEOUT),
            corosync_conf: text.map(|text| sha256_hex(text.as_bytes())),
            running_config_version: running.as_deref().and_then(number_after_equals),
            corosync: version,
            interfaces: interfaces(&host.paths.at("/sys/class/net")),
            links: said("corosync-cfgtool", &["-s"]).map(|text| links(&text)).unwrap_or_default(),
            watchdog: watchdog(host),
            storage: storage(&host.paths.at("/sys/class")),
        }
    }

    /// The interface of that name.
    pub fn interface(&self, name: &str) -> Option<&InterfaceFacts> {
        self.interfaces.iter().find(|interface| interface.name == name)
    }
}

/// Looks names up, all at once. Who has no answer in time does not resolve; the thread that waits for it ends by itself.
fn resolve(names: Vec<String>, timeout: Duration) -> BTreeMap<String, Vec<IpAddr>> {
    let (sender, receiver) = mpsc::channel();
    let mut found: BTreeMap<String, Vec<IpAddr>> =
        names.iter().map(|name| (name.clone(), Vec::new())).collect();
    for name in names {
        let sender = sender.clone();
        thread::spawn(move || {
            let addresses = (name.as_str(), 0).to_socket_addrs();
            let mut addresses: Vec<IpAddr> =
                addresses.map(|all| all.map(|one| one.ip()).collect()).unwrap_or_default();
            addresses.sort();
            addresses.dedup();
            let _ = sender.send((name, addresses));
        });
    }
    drop(sender);
    let deadline = Instant::now() + timeout;
    while let Ok((name, addresses)) =
        receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        found.insert(name, addresses);
    }
    found
}

/// `key (u64) = 7`
fn number_after_equals(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.rsplit_once('=')?.1.trim().parse().ok())
}

/// `Corosync Cluster Engine, version '3.1.7'`
fn corosync_version(text: &str) -> Option<String> {
    let rest = text.lines().find_map(|line| line.split_once("version"))?.1;
    Some(rest.trim().trim_matches('\'').to_owned())
}

/// The links in the output of `corosync-cfgtool -s`.
pub(super) fn links(text: &str) -> Vec<LinkState> {
    let mut link = 0;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("LINK ID ") {
            link = rest.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
        } else if let Some(rest) = line.strip_prefix("nodeid:") {
            let mut words = rest.split(':').map(str::trim);
            let id = words.next().and_then(|word| word.parse().ok());
            let state = words.next().unwrap_or_default();
            if let (Some(to), false) = (id, state == "localhost") {
                found.push(LinkState { link, to, connected: state == "connected" });
            }
        }
    }
    found
}

fn read_trimmed(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned()).filter(|text| !text.is_empty())
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).map(|all| all.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let mut names: Vec<String> =
        entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn interfaces(folder: &Path) -> Vec<InterfaceFacts> {
    let names = names_in(folder).into_iter().filter(|name| name != "lo").take(INTERFACES_MAXIMUM);
    let interface = |name: String| {
        let own = folder.join(&name);
        let below =
            names_in(&own).into_iter().filter_map(|entry| Some(entry.strip_prefix("lower_")?.to_owned()));
        let ports: Vec<String> = below.collect();
        let mut hardware: Vec<String> = std::iter::once(&name)
            .chain(&ports)
            .filter_map(|one| fs::canonicalize(folder.join(one).join("device")).ok())
            .filter_map(|path| Some(card(path.file_name()?.to_str()?)))
            .collect();
        hardware.sort();
        hardware.dedup();
        let mtu = read_trimmed(&own.join("mtu")).and_then(|text| text.parse().ok()).unwrap_or(0);
        InterfaceFacts { name, mtu, hardware, ports }
    };
    names.map(interface).collect()
}

/// A PCI address without its function: `0000:03:00` of `0000:03:00.1`.
fn card(device: &str) -> String {
    match device.split_once('.') {
        Some((card, function)) if function.len() == 1 && card.contains(':') => card.to_owned(),
        _ => device.to_owned(),
    }
}

fn watchdog(host: &Host) -> WatchdogFacts {
    let config = fs::read(host.paths.daemon_json()).ok();
    let config = config.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    let named = config.as_ref().and_then(|config| {
        let watchdog = config.get("watchdog")?;
        ["device", "socket"].iter().find_map(|key| watchdog.get(key)?.as_str()).map(str::to_owned)
    });
    // Looking must not open it: that would start it.
    let present = named.as_ref().is_some_and(|path| fs::metadata(host.paths.at(path)).is_ok());
    let available = ["/dev/watchdog", "/dev/watchdog0"]
        .iter()
        .find(|path| fs::metadata(host.paths.at(path)).is_ok())
        .map(|path| (*path).to_owned());
    WatchdogFacts { configured: named, present, available }
}

/// How many paths lead to each target of shared storage.
fn storage(class: &Path) -> BTreeMap<String, u32> {
    let mut paths: BTreeMap<String, u32> = BTreeMap::new();
    let mut count = |target: String| *paths.entry(target).or_default() += 1;
    let sessions = class.join("iscsi_session");
    for session in names_in(&sessions).into_iter().take(STORAGE_PATHS_MAXIMUM) {
        if let Some(target) = read_trimmed(&sessions.join(session).join("targetname")) {
            count(target);
        }
    }
    let ports = class.join("fc_host");
    for port in names_in(&ports).into_iter().take(STORAGE_PATHS_MAXIMUM) {
        if read_trimmed(&ports.join(port).join("port_state")).as_deref() == Some("Online") {
            count("Fibre Channel".to_owned());
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_from_corosyncs_tool() {
        let text = "Local node ID 1, transport knet\nLINK ID 0 udp\n\taddr\t= 10.77.0.1\n\tstatus:\n\
            \t\tnodeid:          1:\tlocalhost\n\t\tnodeid:          2:\tconnected\n\
            LINK ID 1 udp\n\taddr\t= 10.77.1.1\n\tstatus:\n\t\tnodeid:          1:\tlocalhost\n\
            \t\tnodeid:          2:\tdisconnected\n";
        let wanted =
            [LinkState { link: 0, to: 2, connected: true }, LinkState { link: 1, to: 2, connected: false }];
        assert_eq!(links(text), wanted);
        assert!(links("Could not initialize corosync configuration API error 2\n").is_empty());
    }

    #[test]
    fn texts_of_tools_are_read() {
        assert_eq!(number_after_equals("totem.config_version (u64) = 12\n"), Some(12));
        assert_eq!(number_after_equals("Can't get key totem.config_version\n"), None);
        let text = "Corosync Cluster Engine, version '3.1.7'\nCopyright\n";
        assert_eq!(corosync_version(text).as_deref(), Some("3.1.7"));
    }

    #[test]
    fn two_ports_of_a_card_are_one_piece_of_hardware() {
        assert_eq!(card("0000:03:00.1"), card("0000:03:00.0"));
        assert_eq!(card("virtio0"), "virtio0");
    }

    #[test]
    fn a_name_that_does_not_resolve_is_there_with_nothing() {
        let found = resolve(vec!["no.such.name.invalid".into(), "localhost".into()], Duration::from_secs(20));
        assert!(found["no.such.name.invalid"].is_empty());
        assert!(!found["localhost"].is_empty());
    }

    #[test]
    fn storage_and_interfaces_are_read_from_sysfs() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        write("iscsi_session/session1/targetname", "iqn.a\n");
        write("iscsi_session/session2/targetname", "iqn.a\n");
        write("fc_host/host1/port_state", "Online\n");
        write("fc_host/host2/port_state", "Linkdown\n");
        assert_eq!(storage(folder.path()), [("Fibre Channel".to_owned(), 1), ("iqn.a".to_owned(), 2)].into());
        write("net/bond0/mtu", "9000\n");
        write("net/bond0/lower_eth0/x", "");
        write("net/lo/mtu", "65536\n");
        let found = interfaces(&folder.path().join("net"));
        assert_eq!(
            (found.len(), found[0].mtu, found[0].ports.as_slice()),
            (1, 9000, &["eth0".to_owned()][..])
        );
    }
}
