//! Resources.

use super::super::types::Type::{self, Boolean, Id, IdRef, Integer, Range, Text, Word};
use super::super::{Attribute, Child, Kind, Version};
use super::sets::{
    AGENT_PARAMETERS, OPERATION_OPTIONS, OPERATION_PARAMETERS, PRIMITIVE_OPTIONS, RESOURCE_OPTIONS, SET,
};
use super::{any, both, may, must, nothing, old_role, role, some, up_to_one};
use crate::xml::Element;

pub(super) static RESOURCES: Kind = Kind {
    attributes: &[],
    children: &[
        any("primitive", &PRIMITIVE),
        any("template", &TEMPLATE).since(1, 2),
        any("group", &GROUP),
        any("clone", &CLONE),
        any("master", &CLONE).until(4, 0),
        any("bundle", &BUNDLE).since(2, 8),
    ],
    also: nothing,
};

const FIRST_CLASSES: Type = Word(&["ocf", "lsb", "heartbeat", "stonith", "upstart"]);
const OLD_CLASSES: Type =
    Word(&["ocf", "lsb", "heartbeat", "stonith", "upstart", "service", "systemd", "nagios"]);
const CLASSES: Type = Word(&["ocf", "lsb", "heartbeat", "stonith", "service", "systemd"]);
const PRIMITIVE_CHILDREN: &[Child] = &[
    any("instance_attributes", &AGENT_PARAMETERS),
    any("meta_attributes", &PRIMITIVE_OPTIONS),
    any("utilization", &SET).since(1, 2),
    up_to_one("operations", &OPERATIONS),
];

static PRIMITIVE: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("class", FIRST_CLASSES).until(1, 2),
        may("class", OLD_CLASSES).since(1, 2).until(4, 0),
        may("class", CLASSES).since(4, 0),
        may("provider", Text),
        may("type", Text),
        may("template", IdRef).since(1, 2),
        may("description", Text),
    ],
    children: PRIMITIVE_CHILDREN,
    also: primitive,
};
static TEMPLATE: Kind = Kind {
    attributes: &[
        must("id", Id),
        must("class", FIRST_CLASSES).until(2, 7),
        must("class", OLD_CLASSES).since(2, 7).until(4, 0),
        must("class", CLASSES).since(4, 0),
        may("provider", Text),
        must("type", Text),
        may("description", Text),
    ],
    children: PRIMITIVE_CHILDREN,
    also: agent,
};
static GROUP: Kind = Kind {
    attributes: &[must("id", Id), may("description", Text)],
    children: &[
        any("instance_attributes", &SET),
        any("meta_attributes", &RESOURCE_OPTIONS),
        some("primitive", &PRIMITIVE),
    ],
    also: nothing,
};
static CLONE: Kind = Kind {
    attributes: &[must("id", Id), may("description", Text)],
    children: &[
        any("instance_attributes", &SET),
        any("meta_attributes", &RESOURCE_OPTIONS),
        any("primitive", &PRIMITIVE),
        any("group", &GROUP),
    ],
    also: clone,
};
static OPERATIONS: Kind = Kind {
    attributes: &[may("id", Id), may("id-ref", IdRef)],
    children: &[any("op", &OPERATION)],
    also: nothing,
};
static OPERATION: Kind = Kind {
    attributes: &[
        must("id", Id),
        must("name", Text),
        must("interval", Text),
        may("description", Text),
        may("start-delay", Text),
        may("interval-origin", Text),
        may("timeout", Text),
        may("enabled", Boolean),
        may("record-pending", Boolean),
        old_role("role"),
        role("role"),
        may("requires", Word(&["nothing", "quorum", "fencing"])).until(1, 3),
        may("requires", Word(&["nothing", "quorum", "fencing", "unfencing"])).since(1, 3).until(3, 0),
        on_fail(&["ignore", "block", "stop", "restart", "standby", "fence"]).until(1, 2),
        on_fail(&["ignore", "block", "stop", "restart", "standby", "fence", "restart-container"])
            .since(1, 2)
            .until(3, 4),
        on_fail(&["ignore", "block", "demote", "stop", "restart", "standby", "fence", "restart-container"])
            .since(3, 4),
    ],
    children: &[
        any("instance_attributes", &OPERATION_PARAMETERS),
        any("meta_attributes", &OPERATION_OPTIONS),
    ],
    also: |element, _| both(element, "start-delay", "interval-origin"),
};

const fn on_fail(values: &'static [&'static str]) -> Attribute {
    may("on-fail", Word(values))
}

fn primitive(element: Element<'_>, version: Version) -> Option<String> {
    if element.attribute("template").is_none() {
        let missing = ["class", "type"].into_iter().find(|name| element.attribute(name).is_none());
        return missing.map(|missing| format!("has no `{missing}`")).or_else(|| agent(element, version));
    }
    let more = ["class", "provider", "type"].into_iter().find(|name| element.attribute(name).is_some())?;
    Some(format!("has both `template` and `{more}`"))
}

fn agent(element: Element<'_>, _: Version) -> Option<String> {
    let class = element.attribute("class")?;
    match (class, element.attribute("provider")) {
        ("ocf", None) => Some("has no `provider`".to_owned()),
        ("ocf", Some(_)) | (_, None) => None,
        (_, Some(_)) => Some(format!("has a `provider`, which class=\"{class}\" does not know")),
    }
}

fn clone(element: Element<'_>, _: Version) -> Option<String> {
    let inner = element.children().filter(|child| matches!(child.name(), "primitive" | "group")).count();
    (inner != 1).then(|| format!("holds {inner} resources, expected one <primitive> or <group>"))
}

// Bundles.

const CONTAINERS: [&str; 3] = ["docker", "rkt", "podman"];

static BUNDLE: Kind = Kind {
    attributes: &[must("id", Id), may("description", Text)],
    children: &[
        any("instance_attributes", &SET),
        any("meta_attributes", &RESOURCE_OPTIONS),
        up_to_one("docker", &CONTAINER),
        up_to_one("rkt", &CONTAINER).since(2, 10).until(4, 0),
        up_to_one("podman", &CONTAINER).since(3, 2),
        up_to_one("network", &NETWORK),
        up_to_one("storage", &STORAGE),
        up_to_one("primitive", &PRIMITIVE),
    ],
    also: |element, _| {
        let kinds = element.children().filter(|child| CONTAINERS.contains(&child.name())).count();
        (kinds != 1).then(|| "needs either <docker> or <podman>".to_owned())
    },
};
static CONTAINER: Kind = Kind {
    attributes: &[
        must("image", Text),
        may("replicas", Integer),
        may("replicas-per-host", Integer),
        may("masters", Integer).until(4, 0),
        may("promoted-max", Integer).since(3, 0),
        may("run-command", Text),
        may("network", Text),
        may("options", Text),
    ],
    children: &[],
    also: |element, _| both(element, "masters", "promoted-max"),
};
static NETWORK: Kind = Kind {
    attributes: &[
        may("ip-range-start", Text),
        may("control-port", Integer),
        may("host-interface", Text),
        may("host-netmask", Integer),
        may("add-host", Boolean).since(3, 0),
    ],
    children: &[any("port-mapping", &PORT_MAPPING)],
    also: nothing,
};
static PORT_MAPPING: Kind = Kind {
    attributes: &[must("id", Id), may("port", Integer), may("internal-port", Integer), may("range", Range)],
    children: &[],
    also: |element, _| {
        let (port, range) = (element.attribute("port").is_some(), element.attribute("range").is_some());
        (port == range).then(|| "needs either `port` or `range`".to_owned())
    },
};
static STORAGE: Kind =
    Kind { attributes: &[], children: &[any("storage-mapping", &STORAGE_MAPPING)], also: nothing };
static STORAGE_MAPPING: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("source-dir", Text),
        may("source-dir-root", Text),
        must("target-dir", Text),
        may("options", Text),
    ],
    children: &[],
    also: |element, _| {
        let has = |name: &str| element.attribute(name).is_some();
        (has("source-dir") == has("source-dir-root"))
            .then(|| "needs either `source-dir` or `source-dir-root`".to_owned())
    },
};
