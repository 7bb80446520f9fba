//! Where the resources of a CIB are now, as its status tells.

use hafen_cib::Cib;

use crate::date::Seconds;
use crate::hash_order::hash_order;
use crate::model::{ResourceId, Role, Variant};
use crate::run::{self, Options};

/// A resource as it is configured, with its instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// Its id; an instance of a clone has a number after it.
    pub id: String,
    /// Its id as it is configured.
    pub name: String,
    /// Its name in histories: instances that are alike share one.
    pub history: String,
    /// Whether its instances (if it is one) are told apart.
    pub is_unique: bool,
    /// Whether the configuration says that the cluster is to leave it alone, or something made it do so.
    pub is_unmanaged: bool,
    /// The names of the hosts that have a history of it.
    pub known_on: Vec<String>,
    /// The position of what contains it.
    pub parent: Option<usize>,
    /// The positions of what it contains.
    pub children: Vec<usize>,
    /// Whether it is a primitive.
    pub is_primitive: bool,
    /// Whether it is a clone.
    pub is_clone: bool,
    /// The names of the hosts where it is active.
    pub hosts: Vec<String>,
    /// Whether it is promoted there.
    pub promoted: bool,
    /// Whether it is a group.
    pub is_group: bool,
    /// The agent of a primitive (`ocf:heartbeat:IPaddr2`).
    pub agent: String,
    /// Its state, as `crm_mon` words it: the role (`Started`, `Stopped`, …), or what is being done to it (`Starting`, …).
    pub state: &'static str,
    /// Something of it failed, and is not recovered.
    pub has_failed: bool,
    /// What else there is to say, as `crm_mon` words it: `disabled`, `blocked`, `maintenance`, `unmanaged`, ….
    pub marks: Vec<&'static str>,
    /// It is not configured any more, and still known on a host.
    pub is_orphan: bool,
}

/// All resources, outer ones before inner ones.
#[must_use]
pub fn whereabouts(cib: &Cib, now: u64) -> Vec<Whereabouts> {
    let now: Seconds = i64::try_from(now).unwrap_or(i64::MAX);
    let cluster = run::unpack(cib, now, Options::default());
    let order: Vec<ResourceId> = cluster.top.iter().flat_map(|&top| cluster.family(top)).collect();
    let position = |wanted: ResourceId| order.iter().position(|&id| id == wanted);
    let of = |&id: &ResourceId| {
        let resource = cluster.rsc(id);
        Whereabouts {
            id: resource.id.clone(),
            name: resource.element.id().unwrap_or(&resource.history_id).to_owned(),
            history: resource.history_id.clone(),
            is_unique: resource.unique,
            is_unmanaged: !resource.managed,
            known_on: {
                // In the order of Pacemaker's table, whose keys are ids of nodes.
                let nodes: Vec<_> = resource.known_on.iter().map(|node| cluster.node(*node)).collect();
                let order = hash_order(nodes.iter().map(|node| node.id.as_str()));
                order.into_iter().filter_map(|at| nodes.get(at)).map(|node| node.uname.clone()).collect()
            },
            parent: resource.parent.and_then(position),
            children: resource.children.iter().filter_map(|&child| position(child)).collect(),
            is_primitive: resource.variant == Variant::Primitive,
            is_clone: resource.variant == Variant::Clone,
            hosts: resource.running_on.iter().map(|&node| cluster.node(node).uname.clone()).collect(),
            promoted: resource.role == Role::Promoted,
            is_group: resource.variant == Variant::Group,
            agent: if resource.variant == Variant::Primitive { cluster.agent_of(id) } else { String::new() },
            state: cluster.state_word(id),
            has_failed: resource.failed,
            marks: cluster.own_marks(id),
            is_orphan: resource.orphan,
        }
    };
    order.iter().map(of).collect()
}
