//! The grammar: what each kind of element of the configuration may have.

mod constraints;
mod others;
mod resources;
mod sets;

use super::types::Type::{self, Boolean, Natural, Score, Text, Word};
use super::{Attribute, Child, Kind};
use crate::xml::Element;
use constraints::CONSTRAINTS;
use others::{ACLS, ALERTS, TAGS, TOPOLOGY};
use resources::RESOURCES;
use sets::{CRM_CONFIG, OPERATION_DEFAULTS, RESOURCE_DEFAULTS, SET};

const MANY: usize = usize::MAX;

const fn may(name: &'static str, values: Type) -> Attribute {
    Attribute { name, values, required: false }
}

const fn must(name: &'static str, values: Type) -> Attribute {
    Attribute { name, values, required: true }
}

const fn any(name: &'static str, kind: &'static Kind) -> Child {
    Child { name, kind, least: 0, most: MANY }
}

const fn up_to_one(name: &'static str, kind: &'static Kind) -> Child {
    Child { name, kind, least: 0, most: 1 }
}

const fn one(name: &'static str, kind: &'static Kind) -> Child {
    Child { name, kind, least: 1, most: 1 }
}

fn nothing(_: Element<'_>) -> Option<String> {
    None
}

const ROLES: Type = Word(&["Stopped", "Started", "Promoted", "Unpromoted", "Master", "Slave"]);

/// The root; its children are looked at by hand.
pub(in super::super) static CIB: Kind = Kind {
    attributes: &[
        may("validate-with", Text),
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
        may("update-origin", Text),
        may("update-client", Text),
        may("update-user", Text),
        may("execution-date", Text),
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
        up_to_one("fencing-topology", &TOPOLOGY),
        up_to_one("acls", &ACLS),
        up_to_one("tags", &TAGS),
        up_to_one("alerts", &ALERTS),
    ],
    also: nothing,
};

static NODES: Kind = Kind { attributes: &[], children: &[any("node", &NODE)], also: nothing };
static NODE: Kind = Kind {
    attributes: &[
        must("id", Text),
        must("uname", Text),
        may("type", Word(&["member", "remote"])),
        may("description", Text),
        may("score", Score),
    ],
    children: &[any("instance_attributes", &SET), any("utilization", &SET)],
    also: nothing,
};

/// Two attributes that exclude each other.
fn both(element: Element<'_>, first: &str, second: &str) -> Option<String> {
    let both = element.attribute(first).is_some() && element.attribute(second).is_some();
    both.then(|| format!("has both `{first}` and `{second}`"))
}
