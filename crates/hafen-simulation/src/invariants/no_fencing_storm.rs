//! `no_fencing_storm`: a host is fenced only for a recorded cause, and one cause leads to one successful fencing at most.
//!
//! Causes are recorded by the world as it sees them happen: a host or its daemon is lost from a member's view, a stop
//! fails, an operator asks. A cluster that starts and knows nothing of a host may fence it too. A second fencing
//! without a new cause counts when somebody in the asking member's view knew of the first one's success; where
//! nobody there did (the fencer was lost with the answer, or hangs and the others went on without it) it is a new
//! attempt, not a storm.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::HostId;

/// A request to the device, with what was known when it was made.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The fencing's id.
    pub id: String,
    /// When, in simulated microseconds.
    pub us: u64,
    /// Fencings of the same host, in flight or successful, that somebody in the asking member's view knew of.
    pub known: BTreeSet<String>,
    /// The last cause for it, and when that was seen.
    pub cause: Option<(u64, String)>,
    /// Whether the target was a member of the asking member's view.
    pub present: bool,
}

/// Causes and successes, by host.
#[derive(Debug, Default)]
pub struct Causes {
    last: BTreeMap<HostId, (u64, String)>,
    successes: BTreeMap<HostId, Vec<Asked>>,
}

impl Causes {
    /// Something happened that a host may be fenced for.
    pub fn record(&mut self, host: HostId, now_us: u64, cause: impl Into<String>) {
        self.last.insert(host, (now_us, cause.into()));
    }

    /// The last cause for a host, and when it was seen.
    pub fn last(&self, host: HostId) -> Option<(u64, String)> {
        self.last.get(&host).cloned()
    }

    /// The device has fenced a host, and said so.
    pub fn succeeded(&mut self, host: HostId, asked: Asked) {
        self.successes.entry(host).or_default().push(asked);
    }
}

/// Looks at a request that the device carries out with success: what is wrong, if it had no cause of its own.
pub fn no_fencing_storm(causes: &Causes, host: HostId, asked: &Asked) -> Option<String> {
    let known = |before: &&Asked| before.us <= asked.us && asked.known.contains(&before.id);
    let before = causes.successes.get(&host).and_then(|all| all.iter().rev().find(known));
    match (before, &asked.cause) {
        (Some(before), Some((cause_us, cause))) if *cause_us <= before.us => Some(format!(
            "host{host} was fenced again ({} after {}) although nothing new had happened since: {cause}",
            asked.id, before.id
        )),
        (Some(before), None) => {
            Some(format!("host{host} was fenced again ({} after {}) without a cause", asked.id, before.id))
        }
        (None, None) if asked.present => {
            Some(format!("host{host} is a member, and was fenced without a cause ({})", asked.id))
        }
        _ => None,
    }
}
