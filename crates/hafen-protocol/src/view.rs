//! Members, views and deliveries: what an engine of the bus gives to a node, and takes from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// A host's number in the cluster (Corosync's `nodeid`), unique and never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostId(pub u32);

impl fmt::Display for HostId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Tells one run of a host's daemon from the next one: higher is later on the same host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

/// One process in the group: a host's daemon in one of its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId {
    /// The host that the process runs on.
    pub host: HostId,
    /// Which run of the daemon.
    pub incarnation: Incarnation,
}

/// Names one ring of hosts. A later ring has a higher sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RingId {
    /// Grows with every change of the ring that this host takes part in.
    pub sequence: u64,
    /// The host that formed the ring: two halves of a partition may reach the same sequence.
    pub representative: HostId,
}

/// Who is in the group, as agreed by all of its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The ring of hosts below this view.
    pub ring: RingId,
    /// Counts the views of one ring (a process may come or go while the ring stays).
    pub sequence: u64,
    /// The hosts in the ring, whether or not a daemon runs on them.
    pub hosts: BTreeSet<HostId>,
    /// The daemons in the group, one for each host at most.
    pub members: BTreeMap<HostId, Incarnation>,
}

impl View {
    /// The name of the view: equal on all members that share it, and on no others.
    pub fn id(&self) -> ViewId {
        ViewId { ring: self.ring, sequence: self.sequence }
    }

    /// Whether this very run of the daemon is in the group.
    pub fn contains(&self, member: MemberId) -> bool {
        self.members.get(&member.host) == Some(&member.incarnation)
    }

    /// The members in the order of their hosts.
    pub fn member_ids(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.members.iter().map(|(&host, &incarnation)| MemberId { host, incarnation })
    }
}

/// The name of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ViewId {
    /// The ring of hosts below.
    pub ring: RingId,
    /// The view's number in that ring.
    pub sequence: u64,
}

/// What an engine gives to its node. Everything but `Quorum` and `Stream` is in the total order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The membership changed. Messages that follow were sent by members of this view (but may have been sent
    /// before their sender knew of it).
    View(View),
    /// Whether the hosts of a ring have quorum; it comes before or after the view that it belongs to.
    Quorum {
        /// The ring that is meant.
        ring: RingId,
        /// Whether it has quorum.
        quorate: bool,
    },
    /// A message of a member, in the total order; one's own messages come back this way too.
    Message {
        /// Who sent it.
        from: MemberId,
        /// At most `MESSAGE_BYTES_MAXIMUM`.
        bytes: Vec<u8>,
    },
    /// A message to this member alone, in its sender's order, outside of the total order. It arrives while this
    /// member is in the view that the engine had given the sender last when it sent (the engine holds it back until
    /// then), or never. A sender that lags behind its engine should name the view that it means in the message.
    Stream {
        /// Who sent it.
        from: MemberId,
        /// At most `MESSAGE_BYTES_MAXIMUM`.
        bytes: Vec<u8>,
    },
    /// The configured hosts (Corosync's node list): number and name. It comes before the first view, and again whenever
    /// the list has changed; not in the total order. The engine `local` never gives it.
    Hosts(BTreeMap<HostId, String>),
    /// The engine has lost its substrate (the hub or Corosync died): no view is known until the next one arrives.
    Lost {
        /// What was lost, by name.
        reason: String,
    },
}

/// What a node gives to its engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmission {
    /// To all members of the view, in the total order.
    Multicast(Vec<u8>),
    /// To one member, by the stream.
    Stream {
        /// The receiver.
        to: MemberId,
        /// At most `MESSAGE_BYTES_MAXIMUM`.
        bytes: Vec<u8>,
    },
    /// A human has proven these hosts off: whoever waits for them to have quorum waits no more.
    ProceedWithout(BTreeSet<HostId>),
    /// Leave the group in good order.
    Leave,
}

/// No message on the bus is longer (1 MiB); what is longer travels in fragments.
pub const MESSAGE_BYTES_MAXIMUM: usize = 1 << 20;
