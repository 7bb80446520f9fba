//! Which changes of a cluster are worth trying.

use std::collections::BTreeSet;

use super::Edit;
use crate::input::status::base_name;
use crate::ledger::{Change, Ledger, Reason};
use crate::model::{Cluster, NodeIndex, ResourceId, Role, Task, Variant};

/// What may hold a resource whatever the host.
pub(super) fn general(cluster: &Cluster<'_>, parts: &[ResourceId]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let properties = &cluster.properties;
    if !properties.have_quorum {
        edits.push(Edit::Quorum);
    }
    if properties.stop_all {
        edits.push(Edit::Property { name: "stop-all-resources", value: "false" });
    }
    if properties.maintenance {
        edits.push(Edit::Property { name: "maintenance-mode", value: "false" });
    }
    if cluster.hold_still {
        edits.push(Edit::Property { name: "stonith-enabled", value: "false" });
    }
    for part in parts {
        let resources = chain(cluster, *part);
        let known = cluster.rsc(*part);
        if cluster.target_role(*part).is_some() {
            edits.push(Edit::Meta { resources: resources.clone(), name: "target-role", value: "Started" });
        }
        if !known.managed && !properties.maintenance && !known.blocked && !cluster.hold_still {
            edits.push(Edit::Meta { resources, name: "is-managed", value: "true" });
        }
    }
    edits.dedup();
    edits
}

/// The members of a group stick together; other primitives stick alone.
pub(super) fn sticking(cluster: &Cluster<'_>, parts: &[ResourceId]) -> Vec<ResourceId> {
    let mut all = Vec::new();
    for part in parts {
        let group = cluster.rsc(*part).parent.filter(|parent| cluster.rsc(*parent).variant == Variant::Group);
        let family = group.map_or_else(|| vec![*part], |group| cluster.rsc(group).children.clone());
        all.extend(family);
    }
    let mut seen = BTreeSet::new();
    all.retain(|part| seen.insert(base_name(&cluster.rsc(*part).id).to_owned()));
    all
}

/// What bans the parts from a host, as far as it can be taken away.
pub(super) fn hindrances(
    cluster: &Cluster<'_>,
    parts: &[ResourceId],
    ledger: &Ledger,
    host: &str,
) -> Vec<Edit> {
    let negative = |change: Change| match change {
        Change::Add(amount) | Change::Set(amount) => amount < 0,
    };
    let entries = ledger.entries.iter().filter(|entry| entry.node == host && negative(entry.change));
    let there = Ledger { entries: entries.cloned().collect(), decisions: Vec::new() };
    from_ledger(cluster, parts, &there, Some(host))
}

/// What the parts depend on, and is configured to be stopped.
pub(super) fn stopped_primaries(cluster: &Cluster<'_>, parts: &[ResourceId], ledger: &Ledger) -> Vec<Edit> {
    let ids: BTreeSet<&str> = parts.iter().map(|part| cluster.rsc(*part).id.as_str()).collect();
    let mut firsts: BTreeSet<ResourceId> = BTreeSet::new();
    for entry in ledger.entries.iter().filter(|entry| ids.contains(entry.resource.as_str())) {
        if let Reason::ColocatedWith { primary } = &entry.reason {
            firsts.extend(cluster.by_id.get(primary).copied());
        }
    }
    for part in parts {
        let actions = cluster.rsc(*part).actions.iter().map(|action| cluster.act(*action));
        let blocked = actions.filter(|action| action.task == Task::Start && !action.runnable);
        let before = blocked.flat_map(|start| start.before.iter().map(|(first, _)| cluster.act(*first)));
        firsts.extend(before.filter(|first| !first.runnable).filter_map(|first| first.resource));
    }
    let parts: BTreeSet<ResourceId> = parts.iter().copied().collect();
    let mut edits = Vec::new();
    for first in firsts.into_iter().flat_map(|first| cluster.family(first)) {
        if !parts.contains(&first) && cluster.target_role(first) == Some(Role::Stopped) {
            edits.push(Edit::Meta {
                resources: chain(cluster, first),
                name: "target-role",
                value: "Started",
            });
        }
    }
    edits.dedup();
    edits
}

/// The ids of a resource and of what contains it, outermost first.
fn chain(cluster: &Cluster<'_>, resource: ResourceId) -> Vec<String> {
    let mut chain = vec![resource];
    while let Some(parent) = chain.last().and_then(|last| cluster.rsc(*last).parent) {
        chain.push(parent);
    }
    chain.iter().rev().map(|id| base_name(&cluster.rsc(*id).id).to_owned()).collect()
}

/// What the ledger says about the parts (on a host): each constraint and each failure once.
pub(super) fn from_ledger(
    cluster: &Cluster<'_>,
    parts: &[ResourceId],
    ledger: &Ledger,
    host: Option<&str>,
) -> Vec<Edit> {
    let ids: BTreeSet<&str> = parts.iter().map(|part| cluster.rsc(*part).id.as_str()).collect();
    let mut edits: Vec<Edit> = Vec::new();
    for entry in ledger.entries.iter().filter(|entry| ids.contains(entry.resource.as_str())) {
        let elsewhere = host.is_some_and(|host| entry.node != host);
        let remove = |kind| Edit::Remove { id: entry.source.clone(), kind };
        let edit = match &entry.reason {
            Reason::Location => remove("location constraint"),
            Reason::PromotionScore if !entry.source.is_empty() => remove("location constraint"),
            Reason::ColocatedWith { .. } | Reason::Wish { .. } => remove("colocation constraint"),
            Reason::FailureThreshold | Reason::FailedOperation | Reason::FailedStop if !elsewhere => {
                let resource = cluster.by_id.get(&entry.resource).map(|id| cluster.shared_name(*id));
                Edit::Cleanup { resource: resource.unwrap_or_default(), host: entry.node.clone() }
            }
            Reason::Health if !elsewhere => Edit::Healthy { host: entry.node.clone() },
            Reason::Ticket => {
                let constraint = cluster.ticket_constraints.iter().find(|known| known.id == entry.source);
                let Some(constraint) = constraint else { continue };
                Edit::Grant { ticket: constraint.ticket.clone() }
            }
            _ => continue,
        };
        let exists = match &edit {
            Edit::Remove { id, .. } => {
                cluster.document.by_id(id).is_some_and(|found| found.name().starts_with("rsc_"))
            }
            _ => true,
        };
        if exists && !edits.contains(&edit) {
            edits.push(edit);
        }
    }
    edits
}

/// What the state of the hosts may be otherwise: those out of reach back, those in use lost.
pub(super) fn from_hosts(cluster: &Cluster<'_>, parts: &[ResourceId], host: Option<&str>) -> Vec<Edit> {
    /// So many hosts of each kind are tried.
    const HOSTS_MAXIMUM: usize = 8;
    let mut back = Vec::new();
    for node in &cluster.nodes {
        if node.ping || node.remote || host.is_some_and(|host| node.uname != host) {
            continue;
        }
        let host = node.uname.clone();
        let mut edits = Vec::new();
        if !node.online || node.unclean || node.shutdown || node.pending {
            edits.push(Edit::Online { host: host.clone() });
        }
        if node.standby {
            edits.push(Edit::Clear { host: host.clone(), name: "standby" });
        }
        if node.maintenance && !cluster.properties.maintenance {
            edits.push(Edit::Clear { host, name: "maintenance" });
        }
        match edits.len() {
            0 => {}
            1 => back.extend(edits),
            _ => back.push(Edit::All(edits)),
        }
    }
    back.truncate(HOSTS_MAXIMUM);
    let used: BTreeSet<NodeIndex> = parts.iter().filter_map(|part| cluster.rsc(*part).assigned_to).collect();
    let used = used.into_iter().map(|node| cluster.node(node));
    let lost = used.filter(|node| node.available()).map(|node| Edit::Lost { host: node.uname.clone() });
    back.extend(lost.take(HOSTS_MAXIMUM));
    back
}
