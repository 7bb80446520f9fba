//! `same_order_same_state`: members of one view that have delivered the same messages of it in the same order, and have
//! taken over the coordinator's copy, are in the same state.
//!
//! The messages are compared, not their count: where a view ends, a member may have delivered one of its own that
//! the others never see, in the place of another one.

use std::collections::BTreeMap;
use std::io;

use hafen_node::Node;
use hafen_node::membership::Phase;
use hafen_protocol::HostId;
use hafen_protocol::view::ViewId;

use crate::trace::Hash;

/// Every so many positions the whole state is looked at; the configuration's digest at each.
const WHOLE_EVERY: u64 = 16;
/// How many positions are remembered, the latest ones.
const POSITIONS_MAXIMUM: usize = 4_096;

/// What was seen at positions of views.
#[derive(Debug, Default)]
pub struct Observed {
    /// By view, position and hash over the messages: who was seen there first, and in which state.
    states: BTreeMap<(ViewId, u64, u64), (HostId, u64)>,
}

struct Hashing<'a>(&'a mut Hash);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The hash of what a node has replicated.
pub fn state_hash(node: &Node, whole: bool) -> u64 {
    let replica = node.replica();
    let mut hash = Hash::new();
    hash.add(replica.digest().as_bytes());
    hash.add(format!("{:?}", replica.version()).as_bytes());
    if whole {
        let parts = (&replica.hosts, &replica.fencings, &replica.fence_history, replica.seasoned);
        let written = serde_json::to_writer(Hashing(&mut hash), &parts);
        debug_assert!(written.is_ok(), "the records are serializable");
    }
    hash.value()
}

/// Looks at a member after it delivered a message; `delivered` is the hash over its messages in this view. What is wrong,
/// if another one was in another state there.
pub fn same_order_same_state(
    observed: &mut Observed,
    host: HostId,
    delivered: u64,
    node: &Node,
) -> Option<String> {
    let membership = node.membership();
    let view = membership.view.as_ref()?.id();
    if membership.phase != Phase::Synchronised {
        return None;
    }
    let position = membership.position;
    let state = state_hash(node, position.is_multiple_of(WHOLE_EVERY));
    let (other, expected) = *observed.states.entry((view, position, delivered)).or_insert((host, state));
    while observed.states.len() > POSITIONS_MAXIMUM {
        observed.states.pop_first();
    }
    (expected != state).then(|| {
        format!(
            "host{host} and host{other} differ after message {position} of view {}.{}.{} ({} and another)",
            view.ring.sequence,
            view.ring.representative,
            view.sequence,
            node.replica().digest()
        )
    })
}
