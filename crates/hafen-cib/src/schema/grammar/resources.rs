//! Resources.

use super::super::types::Type::{self, Boolean, Id, IdRef, Integer, Range, Text, Word};
use super::super::{Child, Kind};
use super::sets::{OPERATION_OPTIONS, RESOURCE_OPTIONS, SET};
use super::{MANY, ROLES, any, both, may, must, nothing, up_to_one};
use crate::xml::Element;

pub(super) static RESOURCES: Kind = Kind {
    attributes: &[],
    children: &[
        any("primitive", &PRIMITIVE),
        any("template", &TEMPLATE),
        any("group", &GROUP),
        any("clone", &CLONE),
        any("bundle", &BUNDLE),
    ],
    also: nothing,
};

const CLASSES: Type = Word(&["ocf", "lsb", "heartbeat", "stonith", "service", "systemd"]);
const PRIMITIVE_CHILDREN: &[Child] = &[
    any("instance_attributes", &SET),
    any("meta_attributes", &RESOURCE_OPTIONS),
    any("utilization", &SET),
    up_to_one("operations", &OPERATIONS),
];

static PRIMITIVE: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("class", CLASSES),
        may("provider", Text),
        may("type", Text),
        may("template", IdRef),
        may("description", Text),
    ],
    children: PRIMITIVE_CHILDREN,
    also: primitive,
};
static TEMPLATE: Kind = Kind {
    attributes: &[
        must("id", Id),
        must("class", CLASSES),
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
        Child { name: "primitive", kind: &PRIMITIVE, least: 1, most: MANY },
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
        may("role", ROLES),
        may(
            "on-fail",
            Word(&["ignore", "block", "demote", "stop", "restart", "standby", "fence", "restart-container"]),
        ),
    ],
    children: &[any("instance_attributes", &SET), any("meta_attributes", &OPERATION_OPTIONS)],
    also: |element| both(element, "start-delay", "interval-origin"),
};

fn primitive(element: Element<'_>) -> Option<String> {
    if element.attribute("template").is_none() {
        let missing = ["class", "type"].into_iter().find(|name| element.attribute(name).is_none());
        return missing.map(|missing| format!("has no `{missing}`")).or_else(|| agent(element));
    }
    let more = ["class", "provider", "type"].into_iter().find(|name| element.attribute(name).is_some())?;
    Some(format!("has both `template` and `{more}`"))
}

fn agent(element: Element<'_>) -> Option<String> {
    let class = element.attribute("class")?;
    match (class, element.attribute("provider")) {
        ("ocf", None) => Some("has no `provider`".to_owned()),
        ("ocf", Some(_)) | (_, None) => None,
        (_, Some(_)) => Some(format!("has a `provider`, which class=\"{class}\" does not know")),
    }
}

fn clone(element: Element<'_>) -> Option<String> {
    let inner = element.children().filter(|child| matches!(child.name(), "primitive" | "group")).count();
    (inner != 1).then(|| format!("holds {inner} resources, expected one <primitive> or <group>"))
}

// Bundles.

static BUNDLE: Kind = Kind {
    attributes: &[must("id", Id), may("description", Text)],
    children: &[
        any("instance_attributes", &SET),
        any("meta_attributes", &RESOURCE_OPTIONS),
        up_to_one("docker", &CONTAINER),
        up_to_one("podman", &CONTAINER),
        up_to_one("network", &NETWORK),
        up_to_one("storage", &STORAGE),
        up_to_one("primitive", &PRIMITIVE),
    ],
    also: |element| {
        let kinds = element.children().filter(|child| matches!(child.name(), "docker" | "podman")).count();
        (kinds != 1).then(|| "needs either <docker> or <podman>".to_owned())
    },
};
static CONTAINER: Kind = Kind {
    attributes: &[
        must("image", Text),
        may("replicas", Integer),
        may("replicas-per-host", Integer),
        may("promoted-max", Integer),
        may("run-command", Text),
        may("network", Text),
        may("options", Text),
    ],
    children: &[],
    also: nothing,
};
static NETWORK: Kind = Kind {
    attributes: &[
        may("ip-range-start", Text),
        may("control-port", Integer),
        may("host-interface", Text),
        may("host-netmask", Integer),
        may("add-host", Boolean),
    ],
    children: &[any("port-mapping", &PORT_MAPPING)],
    also: nothing,
};
static PORT_MAPPING: Kind = Kind {
    attributes: &[must("id", Id), may("port", Integer), may("internal-port", Integer), may("range", Range)],
    children: &[],
    also: |element| {
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
    also: |element| {
        let has = |name: &str| element.attribute(name).is_some();
        (has("source-dir") == has("source-dir-root"))
            .then(|| "needs either `source-dir` or `source-dir-root`".to_owned())
    },
};
