//! What `hafen init` and `hafen join` would have written: Corosync's configuration, certificates, and the daemon's.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hafen_setup::corosync_conf::{CorosyncConf, Item, NodeEntry, Section};
use hafen_setup::pki::{Authority, CA_FILE, CA_KEY_FILE, HOST_FILE, HOST_KEY_FILE, HostKey};
use hafen_setup::timing::{self, DETECTION_MS_DEFAULT};
use hafen_setup::{Paths, disk};

use super::Link;
use crate::{HostSpec, LabError, LabSpec, Layout, NetSpec};

/// Bytes of Corosync's key.
const AUTHKEY_BYTES: usize = 256;
/// Readable by root alone.
const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// The part of the configuration that is the same on all hosts.
pub(super) struct Configuration {
    corosync_conf: String,
    authkey: [u8; AUTHKEY_BYTES],
    authority: Authority,
    cib: String,
    daemon: String,
}

impl Configuration {
    /// Chooses keys, and writes the rest.
    pub(super) fn new(layout: &Layout, spec: &LabSpec, net: &NetSpec) -> Result<Self, LabError> {
        let daemon = serde_json::json!({
            "cluster": spec.cluster,
            "bus": { "engine": "corosync" },
            "initial_cib_file": "/etc/hafen/initial-cib.xml",
            "daemon_restart_timeout_ms": spec.daemon_restart_timeout_ms,
            "startup_wait_ms": spec.startup_wait_ms,
            "watchdog": { "socket": layout.power_socket() },
        });
        Ok(Self {
            corosync_conf: corosync_conf(spec, net)?.to_string(),
            authkey: disk::random().map_err(setup)?,
            authority: Authority::generate(&spec.cluster).map_err(setup)?,
            cib: crate::guests::initial_cib(layout, spec)?,
            daemon: format!("{daemon:#}\n"),
        })
    }

    /// Puts it into a host's image.
    pub(super) fn install(&self, image: &Path, host: &HostSpec) -> Result<(), LabError> {
        let paths = Paths::new(image);
        let pki = paths.pki_dir();
        let key = HostKey::generate().map_err(setup)?;
        let request = key.request(&host.name).map_err(setup)?;
        let certificate = self.authority.sign(&request, &host.name, host.id).map_err(setup)?;
        write(&paths.corosync_conf(), self.corosync_conf.as_bytes(), PUBLIC)?;
        write(&paths.authkey(), &self.authkey, SECRET)?;
        write(&pki.join(CA_FILE), self.authority.certificate_pem().as_bytes(), PUBLIC)?;
        write(&pki.join(CA_KEY_FILE), self.authority.key_pem().as_bytes(), SECRET)?;
        write(&pki.join(HOST_FILE), certificate.as_bytes(), PUBLIC)?;
        write(&pki.join(HOST_KEY_FILE), key.key_pem().as_bytes(), SECRET)?;
        write(&paths.initial_cib(), self.cib.as_bytes(), PUBLIC)?;
        write(&paths.daemon_json(), self.daemon.as_bytes(), PUBLIC)
    }
}

fn setup(error: hafen_setup::SetupError) -> LabError {
    LabError::State(format!("the hosts cannot be configured: {error}"))
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), LabError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(LabError::system("create", folder))?;
    fs::write(path, content).map_err(LabError::system("write", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(LabError::system("protect", path))
}

fn corosync_conf(spec: &LabSpec, net: &NetSpec) -> Result<CorosyncConf, LabError> {
    let mut conf = CorosyncConf::default();
    let totem = [
        ("version", "2"),
        ("cluster_name", &spec.cluster),
        ("config_version", "1"),
        ("transport", "knet"),
        ("crypto_cipher", "aes256"),
        ("crypto_hash", "sha256"),
    ];
    set(&mut conf, "totem", &totem);
    // Without real-time priority: hosts share the machine's processors with each other and with the tests.
    set(&mut conf, "system", &[("sched_rr", "no"), ("move_to_root_cgroup", "no")]);
    set(&mut conf, "quorum", &[("provider", "corosync_votequorum")]);
    set(&mut conf, "logging", &[("to_stderr", "yes"), ("to_syslog", "no"), ("timestamp", "hires")]);
    if let Some(device) = &net.qnetd {
        conf.top("quorum").items.push(Item::Section(quorum_device(device)));
    }
    for host in &spec.hosts {
        let addresses: BTreeMap<u8, String> =
            (0..).zip([Link::Eth0, Link::Eth1].map(|link| link.address(host.id).to_string())).collect();
        conf.add_node(&NodeEntry { id: host.id, name: host.name.clone(), addresses });
    }
    conf.derive_two_node();
    let detection_ms = net.detection_ms.unwrap_or(DETECTION_MS_DEFAULT);
    let timing = timing::propose(detection_ms, spec.hosts.len(), &[]).map_err(setup)?;
    timing::apply(&timing, &mut conf);
    Ok(conf)
}

fn set(conf: &mut CorosyncConf, section: &str, pairs: &[(&str, &str)]) {
    let section = conf.top(section);
    pairs.iter().for_each(|(key, value)| section.set(key, *value));
}

/// The vote of a third party, without certificates: the network is the lab's own.
fn quorum_device(host: &HostSpec) -> Section {
    let mut net = Section::new("net");
    net.set("host", Link::Eth0.address(host.id).to_string());
    net.set("tls", "off");
    net.set("algorithm", "ffsplit");
    let mut device = Section::new("device");
    device.set("model", "net");
    device.set("votes", "1");
    device.items.push(Item::Section(net));
    device
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(hosts: u32, net: &NetSpec) -> String {
        corosync_conf(&LabSpec::with_hosts(hosts).expect("a spec"), net).expect("a configuration").to_string()
    }

    #[test]
    fn two_hosts_have_two_node_unless_a_device_votes() {
        let net = NetSpec::default();
        assert!(text(2, &net).contains("two_node: 1"));
        assert!(!text(3, &net).contains("two_node"));
        let with_device = NetSpec { qnetd: Some(NetSpec::quorum_device_host()), ..net };
        let text = text(2, &with_device);
        assert!(!text.contains("two_node") && text.contains("host: 10.77.0.33"), "{text}");
    }

    #[test]
    fn what_is_written_is_found_right() {
        let conf = corosync_conf(&LabSpec::with_hosts(3).expect("a spec"), &NetSpec::default()).expect("one");
        let findings = hafen_setup::corosync_conf::check(&conf);
        assert!(findings.iter().all(|finding| !finding.is_error), "{findings:?}");
        assert_eq!(conf.links(), [0, 1]);
    }
}
