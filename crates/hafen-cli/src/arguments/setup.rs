//! The command line of `hafen init`, `join`, `token`, `leave`, `remove`, `files` and `quorum tune`.

use std::net::IpAddr;

use clap::{Args, Subcommand};

/// Begin a cluster on this host
///
/// Writes corosync.conf and the keys, starts Corosync and the daemon, and prints the line that brings the next host in. Run
/// again, it completes what was interrupted, or prints a new line.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hafen init\n  hafen init --name web --bind 10.0.0.0/24 --link 10.0.1.0/24\n  \
    hafen init --fence external/rackpdu:pduip=10.0.0.9,hostlist=AUTO\n  hafen init --mcast 239.192.14.15\n\n\
    The key of the cluster's authority is in /etc/hafen/pki/ca-key.pem, on every host, readable by root alone: any host\n\
    can admit another one, and the key survives the loss of any host."
)]
pub(crate) struct InitArguments {
    /// The cluster's name (default: hafen)
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The network that the hosts talk over: 10.0.0.0/24, an address of this host, or an interface (default: the only one)
    #[arg(long, value_name = "NETWORK")]
    pub(crate) bind: Option<String>,
    /// The network of a redundant link; may be given several times
    #[arg(long = "link", value_name = "NETWORK")]
    pub(crate) links: Vec<String>,
    /// Notice a lost host within this time, in milliseconds (default: 2500)
    #[arg(long = "detection", value_name = "MS")]
    pub(crate) detection_ms: Option<u64>,
    /// Use udp multicast with this address instead of knet: one link, and in the clear
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mcast: Option<IpAddr>,
    /// Whether Corosync encrypts and authenticates (default: yes; multicast cannot)
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    pub(crate) encryption: Option<bool>,
    /// A fence device, AGENT:name=value,...; may be given several times
    #[arg(long, value_name = "DEVICE")]
    pub(crate) fence: Vec<String>,
    /// How long the shot at the host with the lowest number waits, in seconds, so that of two hosts one survives (default: 5)
    #[arg(long, value_name = "SECONDS")]
    pub(crate) fence_delay: Option<u32>,
}

/// Join the cluster of another host
///
/// Run again, it completes what was interrupted.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hafen join host1 --token hafen1-...\n\n\
    'hafen init' and 'hafen token' print the whole line. The token holds the fingerprint of the cluster's authority: nothing\n\
    is sent to a host that cannot prove to be of that cluster.")]
pub(crate) struct JoinArguments {
    /// A host of the cluster: the one that made the token (a name or an address, with :PORT or without)
    #[arg(value_name = "HOST")]
    pub(crate) target: String,
    /// The token
    #[arg(long)]
    pub(crate) token: String,
    /// This host's address on a link, where the networks do not tell it; may be given several times
    #[arg(long = "address", value_name = "LINK=ADDRESS", value_parser = link_address)]
    pub(crate) addresses: Vec<(u8, String)>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FilesCommand {
    /// Show how a file differs between this host and the others (default: all that differ)
    Diff {
        /// Its path
        path: Option<String>,
    },
    /// Bring this host's files to all others; what was changed there too is shown and left alone
    #[command(after_help = "Examples:\n  hafen files push\n  hafen files push /etc/xen/vm/web\n  \
        hafen files push --overwrite /etc/xen/vm/web")]
    Push {
        /// Only these
        paths: Vec<String>,
        /// Replace them on the other hosts even where they were changed there (what is replaced is kept)
        #[arg(long, requires = "paths")]
        overwrite: bool,
        /// Remove on the other hosts what is not on this one (it is kept aside there)
        #[arg(long)]
        remove: bool,
    },
    /// Take another host's copy of a file (this host's own is kept aside)
    Pull {
        /// Its path
        path: String,
        /// The other host
        #[arg(long = "from", value_name = "HOST")]
        from: String,
    },
    /// Make files the same on all hosts from now on: an absolute path, its last part may have a *
    #[command(after_help = "Example:\n  hafen files add '/etc/multipath/conf.d/*'")]
    Add {
        /// The path
        pattern: String,
    },
    /// Let files differ again; they stay where they are
    Forget {
        /// The path, as it was added
        pattern: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TuneArguments {
    /// Notice a lost host within this time, in milliseconds (default: 2500, or as long as the links need)
    #[arg(long = "detection", value_name = "MS")]
    pub(crate) detection_ms: Option<u64>,
    /// Put the timings in place on all hosts, by a reload
    #[arg(long)]
    pub(crate) apply: bool,
    /// How often each link is measured
    #[arg(long, value_name = "NUMBER", default_value_t = hafen_setup::measure::ECHOES_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) echoes: u32,
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("say yes or no".to_owned()),
    }
}

fn link_address(text: &str) -> Result<(u8, String), String> {
    let (link, address) = text.split_once('=').ok_or("write it as LINK=ADDRESS, such as 1=10.0.1.7")?;
    let link = link.parse().ok().filter(|link| *link < 8).ok_or("a link is a number from 0 to 7")?;
    address.parse::<IpAddr>().map_err(|_| format!("'{address}' is no address"))?;
    Ok((link, address.to_owned()))
}
