//! What a lab consists of.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{LabError, Layout};

/// The most hosts of a lab.
pub const HOSTS_MAXIMUM: u32 = 32;
/// The most recorders that a lab is set up with.
pub const RECORDERS_MAXIMUM: u32 = 256;
/// The most virtual machines that a lab is set up with.
pub const VMS_MAXIMUM: u32 = 64;

/// A lab as it was asked for, kept in its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabSpec {
    /// The cluster's name.
    pub cluster: String,
    /// The hosts.
    pub hosts: Vec<HostSpec>,
    /// How many virtual machines (`vm1`, `vm2`, …) it begins with.
    pub vms: u32,
    /// The memory of each virtual machine, in MiB.
    pub vm_memory_mib: u32,
    /// The size of each host's `/var/lib/hafen`, in MiB.
    pub disk_mib: u32,
    /// How the hub delivers.
    pub network: Network,
    /// From what the hub draws delays and orders.
    pub seed: u64,
    /// How long a host may be without its daemon, in milliseconds.
    pub daemon_restart_timeout_ms: u64,
    /// How long a cluster that starts waits for all of its hosts, in milliseconds.
    pub startup_wait_ms: u64,
    /// How long the power switch takes for `off` and `on`, in milliseconds.
    pub power_delay_ms: u64,
    /// A folder with the guests' `kernel` and `initrd`; needed where there are virtual machines.
    pub guest_dir: Option<PathBuf>,
    /// Variables for daemons and executors, beside their usual environment.
    pub environment: Vec<(String, String)>,
    /// Hosts have networks of their own, joined by a switch; none: they share the hub.
    #[serde(default)]
    pub net: Option<NetSpec>,
}

/// Hosts with interfaces, files and services of their own, as after an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetSpec {
    /// Neither Corosync nor Hafen is configured: that is left to `hafen init` and `hafen join`.
    pub bare: bool,
    /// How many recorders (`r1`, `r2`, …: resources that say that they run) the cluster begins with.
    #[serde(default)]
    pub recorders: u32,
    /// A further host, that is none of the cluster's, runs `corosync-qnetd`, and has a vote.
    #[serde(default)]
    pub qnetd: Option<HostSpec>,
    /// How long a shot at the first host waits, in seconds, so that of two hosts that shoot each other one survives.
    #[serde(default)]
    pub fence_delay_seconds: u32,
    /// Virtual machines and recorders run only where the gateway of the LAN answers.
    #[serde(default)]
    pub needs_lan: bool,
    /// Within what time a lost host is noticed, in milliseconds; none: as `hafen init` has it.
    #[serde(default)]
    pub detection_ms: Option<u64>,
    /// Further properties of the cluster.
    #[serde(default)]
    pub properties: Vec<(String, String)>,
}

impl NetSpec {
    /// The host of the quorum device.
    pub fn quorum_device_host() -> HostSpec {
        HostSpec { name: "qnet1".to_owned(), id: HOSTS_MAXIMUM + 1 }
    }
}

/// How the hub delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// At once, and nothing is lost that need not be.
    Calm,
    /// The worst that the contract of messaging allows, drawn from the seed.
    Worst,
}

/// One host of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSpec {
    /// Its name.
    pub name: String,
    /// Its number in the cluster.
    pub id: u32,
}

impl LabSpec {
    /// Hosts `host1`, `host2`, … and nothing configured.
    pub fn with_hosts(count: u32) -> Result<Self, LabError> {
        if !(1..=HOSTS_MAXIMUM).contains(&count) {
            return Err(LabError::State(format!("a lab has 1 to {HOSTS_MAXIMUM} hosts, not {count}")));
        }
        Ok(Self {
            cluster: "lab".to_owned(),
            hosts: (1..=count).map(|id| HostSpec { name: format!("host{id}"), id }).collect(),
            vms: 0,
            vm_memory_mib: 96,
            disk_mib: 32,
            network: Network::Calm,
            seed: 1,
            daemon_restart_timeout_ms: 20_000,
            startup_wait_ms: 20_000,
            power_delay_ms: 0,
            guest_dir: None,
            environment: Vec::new(),
            net: None,
        })
    }

    /// All hosts that can be switched on: the cluster's, and that of the quorum device.
    pub fn all_hosts(&self) -> impl Iterator<Item = &HostSpec> {
        self.hosts.iter().chain(self.net.as_ref().and_then(|net| net.qnetd.as_ref()))
    }

    /// The host of that name. The error names those that there are.
    pub fn host(&self, name: &str) -> Result<&HostSpec, LabError> {
        self.all_hosts().find(|host| host.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.all_hosts().map(|host| host.name.as_str()).collect();
            LabError::State(format!("the lab has no host '{name}': there are {}", names.join(", ")))
        })
    }

    /// Writes it into the lab's folder.
    pub fn save(&self, layout: &Layout) -> Result<(), LabError> {
        let path = layout.spec();
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| LabError::State(format!("the lab cannot be described: {error}")))?;
        fs::write(&path, text).map_err(LabError::system("write", &path))
    }

    /// Reads it from the lab's folder.
    pub fn load(layout: &Layout) -> Result<Self, LabError> {
        let path = layout.spec();
        let text = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let root = layout.root().display();
                return Err(LabError::State(format!(
                    "there is no lab in {root}: start one with `hafen lab up`, or name its folder with --lab or HAFEN_LAB"
                )));
            }
            other => other.map_err(LabError::system("read", &path))?,
        };
        serde_json::from_slice(&text).map_err(|error| {
            LabError::State(format!(
                "{} is damaged ({error}): remove it with `hafen lab down`",
                path.display()
            ))
        })
    }
}
