//! The grammar: what each kind of element of the configuration may have.

mod constraints;
mod others;
mod resources;
mod sets;

use super::types::Type::{self, Boolean, Natural, Score, Text, Word};
use super::{Attribute, Child, Kind, Version, Versions, version};
use crate::xml::Element;
use constraints::CONSTRAINTS;
use others::{ACLS, ALERTS, OLD_ACLS, TAGS, TOPOLOGY};
use resources::RESOURCES;
use sets::{CRM_CONFIG, OPERATION_DEFAULTS, RESOURCE_DEFAULTS, SET};

const MANY: usize = usize::MAX;

const fn may(name: &'static str, values: Type) -> Attribute {
    Attribute { name, values, required: false, versions: Versions::ALL }
}

const fn must(name: &'static str, values: Type) -> Attribute {
    Attribute { name, values, required: true, versions: Versions::ALL }
}

impl Attribute {
    /// From this version on.
    const fn since(self, major: u32, minor: u32) -> Self {
        Self { versions: Versions { since: version(major, minor), ..self.versions }, ..self }
    }

    /// Before this version.
    const fn until(self, major: u32, minor: u32) -> Self {
        Self { versions: Versions { until: version(major, minor), ..self.versions }, ..self }
    }
}

const fn any(name: &'static str, kind: &'static Kind) -> Child {
    Child { name, kind, least: 0, most: MANY, versions: Versions::ALL }
}

const fn some(name: &'static str, kind: &'static Kind) -> Child {
    Child { least: 1, ..any(name, kind) }
}

const fn up_to_one(name: &'static str, kind: &'static Kind) -> Child {
    Child { most: 1, ..any(name, kind) }
}

const fn one(name: &'static str, kind: &'static Kind) -> Child {
    Child { least: 1, most: 1, ..any(name, kind) }
}

impl Child {
    /// From this version on.
    const fn since(self, major: u32, minor: u32) -> Self {
        Self { versions: Versions { since: version(major, minor), ..self.versions }, ..self }
    }

    /// Before this version.
    const fn until(self, major: u32, minor: u32) -> Self {
        Self { versions: Versions { until: version(major, minor), ..self.versions }, ..self }
    }
}

fn nothing(_: Element<'_>, _: Version) -> Option<String> {
    None
}

/// The version by which a section is judged: some were not given what others got at the same time.
pub(in super::super) fn version_inside(section: &str, at: Version) -> Version {
    match section {
        "crm_config" | "rsc_defaults" | "op_defaults" if at < version(3, 0) => version(1, 0),
        "constraints" | "alerts" if at == version(3, 4) => version(3, 3),
        _ => at,
    }
}

/// Children whose order counts.
fn in_order(element: Element<'_>, order: &[&str]) -> Option<String> {
    let rank = |child: Element<'_>| order.iter().position(|name| *name == child.name());
    let ranks: Vec<usize> = element.children().filter_map(rank).collect();
    (!ranks.is_sorted()).then(|| format!("has children that are not in their order ({})", order.join(", ")))
}

const OLD_ROLES: Type = Word(&["Stopped", "Started", "Master", "Slave"]);
const ROLES: Type = Word(&["Stopped", "Started", "Promoted", "Unpromoted", "Master", "Slave"]);

const fn old_role(name: &'static str) -> Attribute {
    may(name, OLD_ROLES).until(3, 7)
}

const fn role(name: &'static str) -> Attribute {
    may(name, ROLES).since(3, 7)
}

/// The root; its children are looked at by hand.
pub(in super::super) static CIB: Kind = Kind {
    attributes: &[
        must("validate-with", Text),
        must("admin_epoch", Natural),
        must("epoch", Natural),
        must("num_updates", Natural),
        may("crm_feature_set", Text),
        may("remote-tls-port", Natural),
        may("remote-clear-port", Natural),
        may("have-quorum", Boolean),
        may("dc-uuid", Text),
        may("cib-last-written", Text),
        may("no-quorum-panic", Boolean),
        may("update-origin", Text).since(1, 2),
        may("update-client", Text).since(1, 2),
        may("update-user", Text).since(1, 2),
        may("execution-date", Text).since(1, 2),
    ],
    children: &[],
    also: nothing,
};

pub(in super::super) static CONFIGURATION: Kind = Kind {
    attributes: &[],
    children: &[
        one("crm_config", &CRM_CONFIG),
        up_to_one("rsc_defaults", &RESOURCE_DEFAULTS),
        up_to_one("op_defaults", &OPERATION_DEFAULTS),
        one("nodes", &NODES),
        one("resources", &RESOURCES),
        one("constraints", &CONSTRAINTS),
        up_to_one("fencing-topology", &TOPOLOGY).since(1, 2),
        up_to_one("acls", &OLD_ACLS).since(1, 2).until(2, 0),
        up_to_one("acls", &ACLS).since(2, 0),
        up_to_one("tags", &TAGS).since(1, 3),
        up_to_one("alerts", &ALERTS).since(2, 5),
    ],
    also: nothing,
};

static NODES: Kind = Kind { attributes: &[], children: &[any("node", &NODE)], also: nothing };
static NODE: Kind = Kind {
    attributes: &[
        must("id", Text),
        must("uname", Text),
        must("type", Word(&["normal", "member", "ping"])).until(1, 2),
        may("type", Word(&["normal", "member", "ping"])).since(1, 2).until(1, 3),
        may("type", Word(&["normal", "member", "ping", "remote"])).since(1, 3).until(3, 0),
        may("type", Word(&["member", "ping", "remote"])).since(3, 0).until(4, 0),
        may("type", Word(&["member", "remote"])).since(4, 0),
        may("description", Text),
        may("score", Score).since(1, 2),
    ],
    children: &[any("instance_attributes", &SET), any("utilization", &SET).since(1, 2)],
    also: nothing,
};

/// Two attributes that exclude each other.
fn both(element: Element<'_>, first: &str, second: &str) -> Option<String> {
    let both = element.attribute(first).is_some() && element.attribute(second).is_some();
    both.then(|| format!("has both `{first}` and `{second}`"))
}
