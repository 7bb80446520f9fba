//! Where everything is in a lab's folder. The folder has the same path inside and outside of the hosts.

use std::path::{Path, PathBuf};

/// Names the lab's folder.
pub const FOLDER_VARIABLE: &str = "HAFEN_LAB";
/// The lab's folder where nothing else is said.
pub const FOLDER_DEFAULT: &str = "/var/tmp/hafen-lab";
/// The folder of a lab whose hosts have networks of their own, where nothing else is said.
pub const NET_FOLDER_DEFAULT: &str = "/var/tmp/hafen-net";
/// Where a daemon keeps what a power cut must not take: mounted from outside, limited in size.
pub const STORE: &str = "/var/lib/hafen";
/// Where a daemon keeps what only its own end must not take.
pub const RUN: &str = "/run/hafen";

/// The paths of a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The lab in this folder (an absolute path).
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The lab that the user means: the given folder, else `HAFEN_LAB`, else [`FOLDER_DEFAULT`].
    pub fn chosen(folder: Option<&Path>) -> Self {
        Self::chosen_or(folder, FOLDER_DEFAULT)
    }

    /// As [`Layout::chosen`], for `hafen net`: where nothing else is said, [`NET_FOLDER_DEFAULT`].
    pub fn chosen_net(folder: Option<&Path>) -> Self {
        Self::chosen_or(folder, NET_FOLDER_DEFAULT)
    }

    fn chosen_or(folder: Option<&Path>, default: &str) -> Self {
        let folder =
            folder.map(Path::to_owned).or_else(|| std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from));
        let folder = folder.unwrap_or_else(|| PathBuf::from(default));
        Self::new(std::path::absolute(&folder).unwrap_or(folder))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the lab consists of.
    pub fn spec(&self) -> PathBuf {
        self.root.join("lab.json")
    }

    /// The processes that hold the lab, and what was created outside of it.
    pub fn record(&self) -> PathBuf {
        self.root.join("record.json")
    }

    /// Locked while the lab is set up or taken down.
    pub fn lock(&self) -> PathBuf {
        let mut name = self.root.clone().into_os_string();
        name.push(".lock");
        name.into()
    }

    /// The hub's socket.
    pub fn hub_socket(&self) -> PathBuf {
        self.root.join("hub.sock")
    }

    /// The hub's socket for commands.
    pub fn hub_control(&self) -> PathBuf {
        self.root.join("hub-control.sock")
    }

    /// The configuration that the cluster begins with.
    pub fn initial_cib(&self) -> PathBuf {
        self.root.join("initial-cib.xml")
    }

    /// The frame switch's socket.
    pub fn switch_socket(&self) -> PathBuf {
        self.root.join("switch.sock")
    }

    /// What the power switch did, a JSON object a line.
    pub fn power_journal(&self) -> PathBuf {
        self.root.join("power.jsonl")
    }

    /// The power switch's socket.
    pub fn power_socket(&self) -> PathBuf {
        self.root.join("power.sock")
    }

    /// The copy of the executable that the lab runs: a build in the meantime does not disturb it.
    pub fn executable(&self) -> PathBuf {
        self.root.join("bin/hafen")
    }

    /// Links by whose names the executable is an agent.
    pub fn agents(&self) -> PathBuf {
        self.root.join("bin/resource.d/hafen")
    }

    /// The folder of the fence agents.
    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// The guests' disks, visible in all hosts.
    pub fn shared(&self) -> PathBuf {
        self.root.join("shared")
    }

    /// Where the hosts' receivers of live migrations listen.
    pub fn receivers(&self) -> PathBuf {
        self.shared().join("receivers")
    }

    /// The guests' kernel and initial file system.
    pub fn guest(&self) -> PathBuf {
        self.root.join("guest")
    }

    /// What a process of the lab writes to its standard output and error.
    pub fn log(&self, process: &str) -> PathBuf {
        self.root.join(format!("{process}.log"))
    }

    /// The folder of a host.
    pub fn host(&self, name: &str) -> PathBuf {
        self.root.join("hosts").join(name)
    }

    /// The image of a host's disk.
    pub fn disk_image(&self, name: &str) -> PathBuf {
        self.host(name).join("disk.img")
    }

    /// Where a host's disk is mounted, in the switch's mount namespace only.
    pub fn disk(&self, name: &str) -> PathBuf {
        self.host(name).join("disk")
    }

    /// The configuration of a host's daemon.
    pub fn daemon_config(&self, name: &str) -> PathBuf {
        self.host(name).join("daemon.json")
    }

    /// Files that a host has from its first boot on, by their paths in it.
    pub fn image(&self, name: &str) -> PathBuf {
        self.host(name).join("image")
    }

    /// A guest's disk.
    pub fn guest_disk(&self, vm: &str) -> PathBuf {
        self.shared().join(format!("{vm}.img"))
    }

    /// What a guest says over its serial port.
    pub fn guest_serial(&self, vm: &str) -> PathBuf {
        self.shared().join(format!("{vm}.serial"))
    }

    /// The id of the host's present boot (the kernel's own is the same for all hosts).
    pub fn boot_id(&self, name: &str) -> PathBuf {
        self.host(name).join("boot-id")
    }

    /// What the host's processes write.
    pub fn console(&self, name: &str) -> PathBuf {
        self.host(name).join("console.log")
    }
}
