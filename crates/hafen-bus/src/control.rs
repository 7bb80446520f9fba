//! What people and tests ask of the lab's hub: JSON, a line each, on its control socket.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use hafen_protocol::{HostId, Incarnation};
use serde::{Deserialize, Serialize};

/// No line on the control socket is longer.
pub const LINE_BYTES_MAXIMUM: usize = 64 << 10;

/// How long a caller waits for the hub.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
pub enum Control {
    /// Hosts, rings, cut links.
    Status,
    /// Cuts a host off from one other host, or from all.
    Cut {
        /// The host.
        host: HostId,
        /// The other end of the link; all links if none is named.
        other: Option<HostId>,
    },
    /// Heals links: one, all of a host, or all.
    Heal {
        /// The host; all hosts if none is named.
        host: Option<HostId>,
        /// The other end of the link; all links of the host if none is named.
        other: Option<HostId>,
    },
    /// Only hosts of the same part reach each other.
    Partition {
        /// Who is with whom; a host that is named nowhere is alone.
        parts: Vec<BTreeSet<HostId>>,
    },
    /// The power of a host is cut: it leaves the ring, and its connections are ended. A host that still runs comes
    /// back with its next ring connection.
    HostDown {
        /// The host.
        host: HostId,
    },
    /// Sets how long the loss of a host or link takes to be noticed.
    Detection {
        /// The shortest, in milliseconds.
        minimum_ms: u64,
        /// The longest, in milliseconds.
        maximum_ms: u64,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
pub enum ControlReply {
    /// Done.
    Done,
    /// Refused, and why.
    Failed {
        /// What was wrong.
        message: String,
    },
    /// Hosts, rings, cut links.
    Status(HubStatus),
}

/// How the hub sees its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HubStatus {
    /// The seed of the sequencer.
    pub seed: u64,
    /// The configured hosts.
    pub configured: BTreeSet<HostId>,
    /// The hosts with a ring connection.
    pub up: BTreeSet<HostId>,
    /// The daemons with a connection.
    pub daemons: Vec<(HostId, Incarnation)>,
    /// The rings.
    pub rings: Vec<RingStatus>,
    /// The cut links.
    pub cuts: Vec<(HostId, HostId)>,
}

/// A ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingStatus {
    /// Its sequence.
    pub sequence: u64,
    /// The host that formed it.
    pub representative: HostId,
    /// The hosts that are in it now.
    pub hosts: BTreeSet<HostId>,
    /// Whether it has quorum.
    pub quorate: bool,
}

/// Asks the hub, and waits for its answer.
///
/// # Errors
/// When the hub cannot be reached, does not answer within five seconds, or answers what is none.
pub fn request(socket: &Path, control: &Control) -> io::Result<ControlReply> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    let mut line = serde_json::to_vec(control)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    serde_json::from_str(&answer).map_err(io::Error::from)
}
