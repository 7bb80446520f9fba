//! `stops_in_time`: a host that has lost quorum runs nothing any more after a stated time, or its watchdog has reset it.
//!
//! With a watchdog that holds whatever happens on the host. Without one it is claimed where `no-quorum-policy` is to stop,
//! and where nothing kept the host from it: its daemon and executor lived, its agents did what they were told, and no
//! disk failed (a part without a healthy disk has nobody who coordinates).

use std::collections::BTreeSet;

use crate::agents::Agents;
use crate::host::Host;

/// A daemon that lives has stopped everything after this time without quorum, where stops take three seconds at most, in
/// milliseconds: two pauses, the end of what is under way (a migration), and a group's stops one after another.
pub const STOPS_WITHIN_MS: u64 = 60_000;
/// How much later than its own time-outs a watchdog may have reset its host, in milliseconds.
pub const RESET_MARGIN_MS: u64 = 5_000;

/// What still runs on a host that has had no quorum for the stated time. `exclusive` are the resources that are looked at.
pub fn stops_in_time(host: &Host, exclusive: &BTreeSet<String>, agents: &Agents) -> Option<String> {
    let open = agents.active_on(host.id).filter(|(name, one)| exclusive.contains(*name) && !one.hidden);
    let running: Vec<&str> = open.map(|(name, _)| name).collect();
    if running.is_empty() {
        return None;
    }
    Some(format!("{} has long lost quorum, and still runs {}", host.uname, running.join(", ")))
}
