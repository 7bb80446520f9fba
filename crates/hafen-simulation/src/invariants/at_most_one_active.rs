//! `at_most_one_active`: a resource that is no clone runs on one host at most.
//!
//! Claimed where fencing is enabled, and for instances that no agent has denied while they ran: see `agents`.

use std::collections::BTreeSet;

use crate::agents::Agents;

/// Looks at a resource after something began to run. What is wrong, if it runs twice.
pub fn at_most_one_active(agents: &Agents, exclusive: &BTreeSet<String>, resource: &str) -> Option<String> {
    if !exclusive.contains(resource) {
        return None;
    }
    let hosts = agents.openly_active(resource);
    if hosts.len() <= 1 {
        return None;
    }
    let names: Vec<String> = hosts.iter().map(|host| format!("host{host}")).collect();
    Some(format!("{resource} is active on {}", names.join(" and ")))
}
