//! From what is known of hosts to the `<status>` section, attribute for attribute as Pacemaker writes it.
//!
//! A host whose daemon is lost, or that joins, must be left alone: nothing is probed, started, stopped or moved there,
//! and what it runs counts as running. Pacemaker has no such state. It is written as a node that is still joining
//! (`join="pending"`, so nothing is run on it) and that is in maintenance (a transient attribute, so what it runs is
//! not moved away); `crm_simulate` of Pacemaker 3.0 plans nothing for such a node.

mod operation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::{Cib, Document, NodeId};
use hafen_protocol::HostId;
use hafen_protocol::message::{Execute, HostStatus, ResourceHistory};

use crate::replica::Standing;

/// What `crm-debug-origin` says.
const ORIGIN: &str = "hafen";

/// A host as the status section shows it.
#[derive(Debug, Clone, Copy)]
pub struct HostSnapshot<'a> {
    /// Its number.
    pub host: HostId,
    /// Its name.
    pub uname: &'a str,
    /// How it stands.
    pub standing: &'a Standing,
    /// What runs and ran there.
    pub status: &'a HostStatus,
}

/// How a node state describes a host's place in the cluster.
struct Place {
    in_ccm: &'static str,
    crmd: &'static str,
    join: &'static str,
    expected: &'static str,
    left_alone: bool,
    /// What was on record still means something.
    has_history: bool,
}

/// Replaces the status section. Versions are not touched.
pub fn write<'a>(cib: &mut Cib, hosts: impl IntoIterator<Item = HostSnapshot<'a>>) {
    let hosts: Vec<HostSnapshot<'a>> = hosts.into_iter().collect();
    let told = departures(&hosts);
    let fences = cib.property_boolean("stonith-enabled");
    let status = cleared(cib);
    let document = cib.document_mut();
    for snapshot in &hosts {
        write_host(document, status, snapshot, &told, fences);
    }
}

/// Makes the status section new, with nothing in it but what no host tells: the state of tickets. It is kept with the
/// configuration, so it survives a start of the whole cluster, which Pacemaker's does not.
pub(crate) fn cleared(cib: &mut Cib) -> NodeId {
    let old = cib.status().map(|status| status.node());
    let tickets = cib.status().and_then(|status| status.child("tickets"));
    let tickets = tickets.and_then(|tickets| Document::parse(&tickets.to_xml()).ok());
    if let Some(old) = old {
        cib.document_mut().remove(old);
    }
    let status = cib.status_or_new();
    if let Some(tickets) = tickets {
        cib.document_mut().append_copy(status, tickets.root());
    }
    status
}

/// A host that was not seen since the cluster started has no state: `startup-fencing` decides about it.
///
/// A host that is left alone is joining. Without fencing a host that is no full member counts as running nothing, and what
/// it still runs would start elsewhere: there it is a member in maintenance.
fn place_of(standing: &Standing, fences: bool) -> Option<Place> {
    let place = |in_ccm, crmd, join, expected| Place {
        in_ccm,
        crmd,
        join,
        expected,
        left_alone: false,
        has_history: true,
    };
    match standing {
        Standing::Unseen => None,
        Standing::Member => Some(place("true", "online", "member", "member")),
        Standing::Joining | Standing::DaemonLost => {
            let join = if fences { "pending" } else { "member" };
            Some(Place { left_alone: true, ..place("true", "online", join, "member") })
        }
        Standing::Unclean { .. } => Some(place("false", "offline", "down", "member")),
        Standing::Down { .. } => {
            Some(Place { has_history: false, ..place("false", "offline", "down", "down") })
        }
    }
}

/// Resources and the names of the hosts that they migrate to, as far as their sources' records tell.
type Departures = BTreeSet<(String, String)>;

fn departures(hosts: &[HostSnapshot<'_>]) -> Departures {
    let mut told = Departures::new();
    let with_history =
        |host: &&HostSnapshot<'_>| place_of(host.standing, true).is_some_and(|place| place.has_history);
    for host in hosts.iter().filter(with_history) {
        for (resource, history) in &host.status.resources {
            let ended = history.operations.values().filter(|record| record.task == "migrate_to");
            let ended = ended.filter_map(|record| record.migration.clone());
            let pending = history.pending.values().filter(|order| order.task == "migrate_to");
            let pending = pending.filter_map(crate::history::migration_of);
            told.extend(ended.chain(pending).map(|(_, target)| (resource.clone(), target)));
        }
    }
    told
}

/// What the source of a migration would have told, had its record not gone with it: whether the resource arrived is
/// not known. Where an agent can be asked the history is left out, so that it is asked; elsewhere the resource counts
/// as there.
fn write_unknown_arrival(
    document: &mut Document,
    resources: NodeId,
    place: &Place,
    order: &Execute,
    uname: &str,
) {
    if !place.left_alone && place.in_ccm == "true" {
        return;
    }
    let element =
        write_resource(document, resources, &order.resource, &order.class, order.provider.as_deref());
    document.set_attribute(element, "type", &order.agent);
    operation::write_as_started(document, element, order, uname);
}

fn write_host(
    document: &mut Document,
    status: NodeId,
    snapshot: &HostSnapshot<'_>,
    told: &Departures,
    fences: bool,
) {
    let Some(place) = place_of(snapshot.standing, fences) else { return };
    let id = snapshot.host.to_string();
    let state = document.append_element(status, "node_state");
    for (name, value) in [
        ("id", id.as_str()),
        ("uname", snapshot.uname),
        ("in_ccm", place.in_ccm),
        ("crmd", place.crmd),
        ("crm-debug-origin", ORIGIN),
        ("join", place.join),
        ("expected", place.expected),
    ] {
        document.set_attribute(state, name, value);
    }
    if !place.has_history {
        return;
    }
    let mut attributes = snapshot.status.attributes.clone();
    if place.left_alone {
        attributes.insert("maintenance".to_owned(), "true".to_owned());
    }
    if matches!(snapshot.standing, Standing::Unclean { .. }) {
        // It did not come to its leaving in good order: what it ran is unaccounted for.
        attributes.remove("shutdown");
    }
    write_attributes(document, state, &id, &attributes);
    let lrm = document.append_element(state, "lrm");
    document.set_attribute(lrm, "id", &id);
    let resources = document.append_element(lrm, "lrm_resources");
    let unknown = |resource: &str| {
        snapshot.status.arriving.contains_key(resource)
            && !told.contains(&(resource.to_owned(), snapshot.uname.to_owned()))
    };
    for (resource, history) in snapshot.status.resources.iter().filter(|(resource, _)| !unknown(resource)) {
        write_history(document, resources, resource, history, snapshot.uname, place.left_alone);
    }
    for (_, order) in snapshot.status.arriving.iter().filter(|(resource, _)| unknown(resource)) {
        write_unknown_arrival(document, resources, &place, order, snapshot.uname);
    }
}

fn write_attributes(document: &mut Document, state: NodeId, id: &str, attributes: &BTreeMap<String, String>) {
    let transient = document.append_element(state, "transient_attributes");
    document.set_attribute(transient, "id", id);
    let set = document.append_element(transient, "instance_attributes");
    document.set_attribute(set, "id", &format!("status-{id}"));
    for (name, value) in attributes {
        add_pair(document, set, &format!("status-{id}"), name, value);
    }
}

fn add_pair(document: &mut Document, set: NodeId, set_id: &str, name: &str, value: &str) {
    let pair = document.append_element(set, "nvpair");
    document.set_attribute(pair, "id", &format!("{set_id}-{}", as_id(name)));
    document.set_attribute(pair, "name", name);
    document.set_attribute(pair, "value", value);
}

/// Sets or deletes a transient attribute in a host's state.
pub(crate) fn set_attribute(document: &mut Document, state: NodeId, name: &str, value: Option<&str>) {
    let existing = document.element(state).children_named("transient_attributes").find_map(|transient| {
        let pair = |element: &hafen_cib::Element<'_>| {
            element.name() == "nvpair" && element.attribute("name") == Some(name)
        };
        transient.descendants().find(pair).map(|pair| pair.node())
    });
    match (existing, value) {
        (Some(pair), Some(value)) => document.set_attribute(pair, "value", value),
        (Some(pair), None) => document.remove(pair),
        (None, None) => {}
        (None, Some(value)) => {
            let set = document
                .element(state)
                .child("transient_attributes")
                .and_then(|transient| transient.child("instance_attributes").map(|set| set.node()));
            match set {
                Some(set) => {
                    let id = document.element(set).id().unwrap_or("status").to_owned();
                    add_pair(document, set, &id, name, value);
                }
                None => {
                    let id = document.element(state).id().unwrap_or_default().to_owned();
                    write_attributes(
                        document,
                        state,
                        &id,
                        &BTreeMap::from([(name.to_owned(), value.to_owned())]),
                    );
                }
            }
        }
    }
}

/// What is no character of an XML id becomes a dot.
fn as_id(name: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    name.chars().map(|c| if fits(c) { c } else { '.' }).collect()
}

fn write_resource(
    document: &mut Document,
    resources: NodeId,
    resource: &str,
    class: &str,
    provider: Option<&str>,
) -> NodeId {
    let element = document.append_element(resources, "lrm_resource");
    document.set_attribute(element, "id", resource);
    document.set_attribute(element, "class", class);
    if let Some(provider) = provider {
        document.set_attribute(element, "provider", provider);
    }
    element
}

fn write_history(
    document: &mut Document,
    resources: NodeId,
    resource: &str,
    history: &ResourceHistory,
    uname: &str,
    left_alone: bool,
) {
    let provider = history.provider.as_deref();
    let element = write_resource(document, resources, resource, &history.class, provider);
    document.set_attribute(element, "type", &history.agent);
    let mut pending = operation::pending_of(resource, history, uname);
    if left_alone {
        // Whether a stop has ended there nobody can tell: until then the resource counts as running.
        pending.retain(|_, record| record.task != "stop");
    }
    for (id, record) in &history.operations {
        // What is being done takes the place of what was done before.
        if !pending.contains_key(id) {
            operation::write(document, element, id, record);
        }
    }
    for (id, record) in &pending {
        operation::write(document, element, id, record);
    }
}
