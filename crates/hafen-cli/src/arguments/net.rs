//! The command line of `hafen net`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hafen_lab::net::Link;

#[derive(Debug, Subcommand)]
pub(crate) enum NetCommand {
    /// Start hosts with networks of their own on this machine
    #[command(
        after_help = "Examples:\n  hafen net up --hosts 3 --bare\n  hafen net exec host1 -- ping 10.77.9.1\n  \
        hafen net cut host1 host2 --link eth1\n  hafen net down"
    )]
    Up(NetUp),
    /// End all hosts and remove everything of them
    Down,
    /// What is on, what is plugged in, and what is not as new
    Status,
    /// Run a command in a host
    #[command(after_help = "Example:\n  hafen net exec host2 -- corosync-cfgtool -s")]
    Exec {
        /// Its name
        target: String,
        /// The command
        #[arg(last = true, required = true)]
        command: Vec<std::ffi::OsString>,
    },
    /// Cut a host's power
    Kill {
        /// Its name
        target: String,
    },
    /// Switch a host on
    Boot {
        /// Its name
        target: String,
    },
    /// Cut a host off from another, or from all and the gateway
    #[command(after_help = "Examples:\n  hafen net cut host1\n  hafen net cut host1 host2 --link eth0\n  \
        hafen net cut host1 gateway")]
    Cut {
        /// Its name
        target: String,
        /// The other host, or `gateway`
        other: Option<String>,
        /// Only on this link: eth0, eth1 or lan0
        #[arg(long)]
        link: Option<Link>,
    },
    /// Change what happens to frames: loss, delay, jitter, in one direction unless --both
    #[command(after_help = "Examples:\n  hafen net shape --loss 10 --jitter 50\n  \
        hafen net shape --from host1 --to host2 --link eth0 --loss 30\n  hafen net shape --link eth1 --mtu 1400")]
    Shape(NetShape),
    /// Make the network as new
    Heal {
        /// Only what this host has of it
        target: Option<String>,
    },
    /// Play a scenario: against what is up, or on its own stand, which is gone afterwards
    #[command(after_help = "Example:\n  hafen net scenario net-partition-two")]
    Scenario {
        /// Its name, or the path of its folder; without: the names that there are
        name: Option<String>,
        /// The folder with the guests' kernel and initrd (default: HAFEN_GUEST, else target/guest)
        #[arg(long, value_name = "FOLDER")]
        guest: Option<PathBuf>,
    },
    /// Set how long the power switch takes, or that it fails
    Power {
        /// Of this host only
        target: Option<String>,
        /// Milliseconds for each change of the power
        #[arg(long, default_value_t = 0)]
        delay_ms: u64,
        /// Every change of the power fails
        #[arg(long)]
        fail: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NetUp {
    /// How many hosts
    #[arg(long, default_value_t = 3)]
    pub(crate) hosts: u32,
    /// Leave Corosync and Hafen unconfigured, for `hafen init` and `hafen join`
    #[arg(long)]
    pub(crate) bare: bool,
    /// How many virtual machines
    #[arg(long, default_value_t = 0, conflicts_with = "bare")]
    pub(crate) vms: u32,
    /// How many recorders: resources without anything in them that say outside of the hosts that they run
    #[arg(long, default_value_t = 0, conflicts_with = "bare")]
    pub(crate) recorders: u32,
    /// A further host, qnet1, with a quorum device
    #[arg(long)]
    pub(crate) qnetd: bool,
    /// How long a shot at the first host waits, in seconds
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub(crate) fence_delay: u32,
    /// The folder with the guests' kernel and initrd, as guest/build.sh makes it (default: HAFEN_GUEST, else target/guest)
    #[arg(long, value_name = "FOLDER")]
    pub(crate) guest: Option<PathBuf>,
    /// From what the network draws loss and jitter
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long the power switch takes, in milliseconds
    #[arg(long, default_value_t = 0)]
    pub(crate) power_delay_ms: u64,
}

#[derive(Debug, Args)]
pub(crate) struct NetShape {
    /// Frames of this host, or of `gateway` (default: of all)
    #[arg(long, value_name = "HOST")]
    pub(crate) from: Option<String>,
    /// Frames to this host, or to `gateway` (default: to all)
    #[arg(long, value_name = "HOST")]
    pub(crate) to: Option<String>,
    /// Only on this link: eth0, eth1 or lan0
    #[arg(long)]
    pub(crate) link: Option<Link>,
    /// In the opposite direction too
    #[arg(long)]
    pub(crate) both: bool,
    /// How many of a hundred frames are lost
    #[arg(long, value_name = "PERCENT")]
    pub(crate) loss: Option<f64>,
    /// How long each frame takes, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) delay: Option<u32>,
    /// How much longer it may take, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) jitter: Option<u32>,
    /// Longer packets are lost, in bytes; 0: none
    #[arg(long, value_name = "BYTES")]
    pub(crate) mtu: Option<u32>,
}
