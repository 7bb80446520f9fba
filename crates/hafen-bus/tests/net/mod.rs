//! Hosts in namespaces, each with a real Corosync, joined by bridges in a network namespace of their own.
#![allow(dead_code, reason = "support of several tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hafen_protocol::HostId;
use hafen_sys::{Namespaces, PidFd, spawn_in_new, spawn_inside};

/// The bound of every wait: far beyond what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Parts of a partition, at most.
const BRIDGES: usize = 8;

/// Why these tests cannot run here; under `CI` that is a failure.
pub(crate) fn unable() -> bool {
    let root = rustix_is_root();
    let installed = Command::new("corosync").arg("-v").stdout(Stdio::null()).status().is_ok();
    let reason = match (root, installed) {
        (false, _) => "namespaces need root",
        (_, false) => "Corosync is not installed",
        _ => return false,
    };
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{reason}");
    eprintln!("skipped: {reason}");
    true
}

fn rustix_is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "never came about: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// How a net is configured.
#[derive(Debug, Clone)]
pub(crate) struct NetSettings {
    pub(crate) hosts: u32,
    /// Lines of the section `quorum`.
    pub(crate) quorum: String,
    /// Corosync's token timeout.
    pub(crate) token_ms: u32,
}

impl NetSettings {
    pub(crate) fn hosts(hosts: u32) -> NetSettings {
        NetSettings { hosts, quorum: String::new(), token_ms: 1000 }
    }
}

/// A host that is up. When it is dropped, everything in it has ended.
struct Host {
    init: Child,
    handle: PidFd,
    corosync: Option<Child>,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.init.kill();
        // The init's end waits until all that it took along is reaped.
        if let Some(mut corosync) = self.corosync.take() {
            let _ = corosync.wait();
        }
        let _ = self.init.wait();
    }
}

/// The hosts and what joins them; it is all gone when this is dropped.
pub(crate) struct Net {
    pub(crate) settings: NetSettings,
    pub(crate) folder: tempfile::TempDir,
    hosts: BTreeMap<HostId, Host>,
    switch: Child,
    switch_handle: PidFd,
}

impl Drop for Net {
    fn drop(&mut self) {
        self.hosts.clear();
        let _ = self.switch.kill();
        let _ = self.switch.wait();
    }
}

/// A shell that is killed when the thread that starts it ends, however that comes about.
fn holder(script: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "sh", "-c", script]).stdin(Stdio::null());
    command
}

impl Net {
    /// The hosts' folders and the switch; no host is up.
    pub(crate) fn new(settings: NetSettings) -> Net {
        let folder = tempfile::Builder::new().prefix("hcs").tempdir().expect("a folder");
        let switch = spawn_in_new(holder("exec sleep infinity"), Namespaces::NETWORK).expect("a switch");
        let switch_handle = PidFd::open(switch.id()).expect("the switch runs");
        let net = Net { settings, folder, hosts: BTreeMap::new(), switch, switch_handle };
        // The namespace is entered between fork and exec: until then the process is still in ours.
        until("the switch has a network of its own", || {
            let network = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
            network(&net.switch.id().to_string()) != network("self")
        });
        let bridges = (0..BRIDGES).map(|n| format!("link add br{n} type bridge\nlink set br{n} up\n"));
        net.ip(&bridges.collect::<String>());
        for host in 1..=net.settings.hosts {
            for part in ["etc", "var"] {
                fs::create_dir_all(net.host_folder(HostId(host)).join(part)).expect("a folder");
            }
        }
        net.write_configuration(1..=net.settings.hosts);
        net
    }

    pub(crate) fn host_folder(&self, host: HostId) -> PathBuf {
        self.folder.path().join(format!("host{host}"))
    }

    /// Writes the configuration of all hosts, with these hosts in it.
    pub(crate) fn write_configuration(&self, listed: impl Iterator<Item = u32> + Clone) {
        let nodes: String = listed
            .map(|host| {
                format!(
                    "  node {{\n    ring0_addr: 10.99.0.{host}\n    name: host{host}\n    nodeid: {host}\n  }}\n"
                )
            })
            .collect();
        let NetSettings { quorum, token_ms, .. } = &self.settings;
        let text = format!(
            "totem {{\n  version: 2\n  cluster_name: test\n  transport: knet\n  token: {token_ms}\n  \
             token_coefficient: 0\n  crypto_cipher: none\n  crypto_hash: none\n}}\n\
             system {{\n  sched_rr: no\n  move_to_root_cgroup: no\n  allow_knet_handle_fallback: yes\n}}\n\
             quorum {{\n  provider: corosync_votequorum\n{quorum}}}\n\
             logging {{\n  to_stderr: yes\n  to_syslog: no\n  to_logfile: no\n}}\n\
             nodelist {{\n{nodes}}}\n"
        );
        for host in 1..=self.settings.hosts {
            let path = self.host_folder(HostId(host)).join("etc/corosync.conf");
            fs::write(path, &text).expect("a configuration");
        }
    }

    /// Runs `ip` in the switch.
    fn ip(&self, batch: &str) {
        let mut command = Command::new("ip");
        command.args(["-force", "-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child =
            spawn_inside(command, &self.switch_handle, Namespaces::NETWORK).expect("iproute2 is installed");
        child.stdin.take().expect("a pipe").write_all(batch.as_bytes()).expect("ip reads");
        child.wait().expect("ip ends");
    }

    pub(crate) fn is_up(&self, host: HostId) -> bool {
        self.hosts.contains_key(&host)
    }

    /// Boots a host, with Corosync.
    pub(crate) fn host_up(&mut self, host: HostId) {
        self.boot(host);
        self.start_corosync(host);
    }

    /// Boots a host, without Corosync.
    pub(crate) fn boot(&mut self, host: HostId) {
        if self.is_up(host) {
            return;
        }
        let folder = self.host_folder(host);
        let ready = folder.join("ready");
        let _ = fs::remove_file(&ready);
        let script = format!(
            "set -e; mount --make-rprivate /; mount -t proc proc /proc; mount -t tmpfs tmpfs /run; \
             mount -t tmpfs tmpfs /dev/shm; mount --bind {folder}/etc /etc/corosync; \
             mount --bind {folder}/var /var/lib/corosync; mount -t tmpfs tmpfs /var/log/corosync; \
             mkdir /run/lock; hostname host{host}; ip link set lo up; \
             while ! ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done; \
             ip addr add 10.99.0.{host}/24 dev eth0; ip link set eth0 up; \
             touch {ready}; exec sleep infinity",
            folder = folder.display(),
            ready = ready.display(),
        );
        let init = spawn_in_new(holder(&script), Namespaces::HOST).expect("a host");
        let handle = PidFd::open(init.id()).expect("the host runs");
        self.hosts.insert(host, Host { init, handle, corosync: None });
        let init = self.hosts.get(&host).map(|host| host.init.id()).unwrap_or_default();
        until("the host has a network of its own", || {
            let network = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
            network(&init.to_string()) != network("self")
        });
        self.ip(&format!(
            "link del v{host}\nlink add v{host} type veth peer name eth0 netns {init}\n\
             link set v{host} master br0 up\n"
        ));
        until("the host has booted", || ready.exists());
    }

    /// Starts a host's Corosync.
    pub(crate) fn start_corosync(&mut self, host: HostId) {
        let log = self.host_folder(host).join("corosync.log");
        let log = fs::File::options().create(true).append(true).open(log).expect("a log");
        let mut command = Command::new("corosync");
        command.arg("-f").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        assert!(self.hosts.get(&host).is_some_and(|host| host.corosync.is_none()), "Corosync runs already");
        let child = self.spawn(host, command);
        self.hosts.entry(host).and_modify(|host| host.corosync = Some(child));
    }

    /// The process id of a host's Corosync.
    pub(crate) fn corosync(&self, host: HostId) -> u32 {
        self.hosts.get(&host).and_then(|host| host.corosync.as_ref()).map(Child::id).expect("Corosync runs")
    }

    /// Sends a signal to a host's Corosync.
    pub(crate) fn signal_corosync(&self, host: HostId, signal: hafen_sys::Signal) {
        hafen_sys::kill_process(self.corosync(host), signal).expect("Corosync runs");
    }

    /// Ends a host's Corosync by a signal.
    pub(crate) fn end_corosync(&mut self, host: HostId, signal: hafen_sys::Signal) {
        self.signal_corosync(host, signal);
        let corosync = self.hosts.get_mut(&host).and_then(|host| host.corosync.take());
        corosync.expect("Corosync runs").wait().expect("Corosync ends");
    }

    /// Ends everything in a host at once. Whoever started programs in it must reap them before `host_down`.
    pub(crate) fn cut_power(&mut self, host: HostId) {
        if let Some(host) = self.hosts.get_mut(&host) {
            let _ = host.init.kill();
        }
    }

    /// Cuts a host's power, in which no other programs were started or all are reaped.
    pub(crate) fn host_down(&mut self, host: HostId) {
        self.hosts.remove(&host);
    }

    /// Starts a program in a host.
    pub(crate) fn spawn(&self, host: HostId, command: Command) -> Child {
        let handle = &self.hosts.get(&host).expect("the host is up").handle;
        spawn_inside(command, handle, Namespaces::HOST).expect("the program starts")
    }

    /// Runs a program in a host to its end; its standard output.
    pub(crate) fn run(&self, host: HostId, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let output = self.spawn(host, command).wait_with_output().expect("it ends");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Lets only hosts of the same part reach each other.
    pub(crate) fn partition(&self, parts: &[BTreeSet<HostId>]) {
        assert!(parts.len() < BRIDGES, "so many parts");
        let batch = (1..=self.settings.hosts).map(HostId).map(|host| {
            match parts.iter().position(|part| part.contains(&host)) {
                Some(part) => format!("link set v{host} master br{part}\n"),
                None => format!("link set v{host} nomaster\n"),
            }
        });
        self.ip(&batch.collect::<String>());
    }

    /// Lets all hosts reach each other.
    pub(crate) fn heal(&self) {
        self.partition(&[(1..=self.settings.hosts).map(HostId).collect()]);
    }

    /// What the hosts' Corosyncs wrote, for a failing test.
    pub(crate) fn logs(&self) -> String {
        let log = |host| fs::read_to_string(self.host_folder(HostId(host)).join("corosync.log"));
        (1..=self.settings.hosts)
            .map(|host| format!("--- host{host}\n{}", log(host).unwrap_or_default()))
            .collect()
    }
}

/// Where something is in the net's folder.
pub(crate) fn path_in(net: &Net, name: &str) -> PathBuf {
    Path::new(net.folder.path()).join(name)
}
