//! `settles`: some time after the last fault the policy's state is reached, and stays.
//!
//! Reached: all hosts have joined one view and have the same state, the scheduler has nothing to do for the
//! coordinator's live CIB, and what that says to be active really is.

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::Cib;
use hafen_node::Node;
use hafen_node::membership::Phase;
use hafen_protocol::HostId;
use hafen_protocol::client::{ResourceReport, StatusReport};

use crate::agents::Agents;
use crate::configuration::uname;
use crate::host::Host;
use crate::invariants::same_order_same_state::state_hash;

/// What is missing until the policy's state is reached; `live` gives a coordinator's CIB with its status, `now` is the
/// coordinator's date in seconds since the Unix epoch.
pub fn settles(hosts: &BTreeMap<HostId, Host>, now: u64) -> Option<String> {
    let mut states = BTreeMap::new();
    let mut coordinator: Option<&Node> = None;
    for host in hosts.values() {
        let Some(node) = host.node() else { return Some(format!("{} has no daemon", host.uname)) };
        let membership = node.membership();
        let Some(view) = &membership.view else { return Some(format!("{} is in no view", host.uname)) };
        if view.members.len() != hosts.len() {
            return Some(format!("{}'s view has {} members", host.uname, view.members.len()));
        }
        if membership.phase != Phase::Synchronised {
            return Some(format!("{} is {:?}", host.uname, membership.phase));
        }
        states.insert(state_hash(node, true), host.uname.clone());
        if node.is_coordinator() {
            coordinator = Some(node);
        }
    }
    if states.len() > 1 {
        let names: Vec<String> = states.into_values().collect();
        return Some(format!("{} are in different states", names.join(" and ")));
    }
    let Some(node) = coordinator else { return Some("nobody coordinates".to_owned()) };
    if !node.membership().term_open {
        return Some("no term is open: the configuration cannot be changed".to_owned());
    }
    let cib = node.live_cib();
    nothing_to_do(&cib, now)
}

fn nothing_to_do(cib: &Cib, now: u64) -> Option<String> {
    let plan = hafen_scheduler::schedule(cib, now);
    // A failure that has expired by time alone is cleared at the coordinator's next recheck.
    let left = plan.actions.iter().filter(|action| action.task() != "clear_failcount");
    let names: Vec<String> = left.take(6).map(|action| action.operation_key().into_owned()).collect();
    if names.is_empty() {
        return None;
    }
    Some(format!("the scheduler still has {} actions: {}", plan.actions.len(), names.join(", ")))
}

/// What a coordinator reports to run must really run there, and nothing else openly. Where a resource has failed and
/// only an operator can help (a failed stop without fencing) nobody knows what it does.
pub fn as_reported(report: &StatusReport, exclusive: &BTreeSet<String>, agents: &Agents) -> Option<String> {
    let certain = |resource: &&ResourceReport| {
        exclusive.contains(&resource.id) && matches!(resource.state.as_str(), "running" | "stopped")
    };
    for resource in report.resources.iter().filter(certain) {
        let reported: BTreeSet<String> = resource.hosts.iter().cloned().collect();
        let names = |hosts: BTreeSet<HostId>| hosts.into_iter().map(|host| uname(host.0)).collect();
        let real: BTreeSet<String> = names(agents.active(&resource.id));
        let open: BTreeSet<String> = names(agents.openly_active(&resource.id));
        if !reported.is_subset(&real) || !open.is_subset(&reported) {
            return Some(format!("{} is reported on {reported:?} and runs on {real:?}", resource.id));
        }
    }
    None
}
