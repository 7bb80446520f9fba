//! Fencing levels, access control, tags and alerts.

use super::super::types::Type::{DeviceNames, Id, IdRef, LevelIndex, Text, Word};
use super::super::{Child, Kind};
use super::sets::SET;
use super::{MANY, any, may, must, nothing, up_to_one};

pub(super) static TOPOLOGY: Kind =
    Kind { attributes: &[], children: &[any("fencing-level", &LEVEL)], also: nothing };
static LEVEL: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("target", Text),
        may("target-pattern", Text),
        may("target-attribute", Text),
        may("target-value", Text),
        must("index", LevelIndex),
        must("devices", DeviceNames),
    ],
    children: &[],
    also: |element| {
        let has = |name: &str| usize::from(element.attribute(name).is_some());
        let by_attribute = has("target-attribute") + has("target-value");
        let kinds = has("target") + has("target-pattern") + by_attribute / 2;
        (kinds != 1 || by_attribute == 1).then(|| {
            "needs one of `target`, `target-pattern`, and `target-attribute` with `target-value`".to_owned()
        })
    },
};
pub(super) static ACLS: Kind = Kind {
    attributes: &[],
    children: &[any("acl_target", &ACL_TARGET), any("acl_group", &ACL_GROUP), any("acl_role", &ACL_ROLE)],
    also: nothing,
};
static ACL_TARGET: Kind = Kind {
    attributes: &[must("id", Text), may("name", Text)],
    children: &[any("role", &ROLE)],
    also: nothing,
};
static ACL_GROUP: Kind =
    Kind { attributes: &[must("id", Id), may("name", Text)], children: &[any("role", &ROLE)], also: nothing };
static ROLE: Kind = Kind { attributes: &[must("id", IdRef)], children: &[], also: nothing };
static ACL_ROLE: Kind = Kind {
    attributes: &[must("id", Id), may("description", Text)],
    children: &[any("acl_permission", &PERMISSION)],
    also: nothing,
};
static PERMISSION: Kind = Kind {
    attributes: &[
        must("id", Id),
        must("kind", Word(&["read", "write", "deny"])),
        may("xpath", Text),
        may("reference", IdRef),
        may("object-type", Text),
        may("attribute", Text),
        may("description", Text),
    ],
    children: &[],
    also: |element| {
        let has = |name: &str| element.attribute(name).is_some();
        let kinds = ["xpath", "reference", "object-type"].into_iter().filter(|name| has(name)).count();
        if kinds != 1 {
            return Some("needs one of `xpath`, `reference` and `object-type`".to_owned());
        }
        (has("attribute") && !has("object-type"))
            .then(|| "has an `attribute` without `object-type`".to_owned())
    },
};
pub(super) static TAGS: Kind = Kind { attributes: &[], children: &[any("tag", &TAG)], also: nothing };
static TAG: Kind = Kind {
    attributes: &[must("id", Id)],
    children: &[Child { name: "obj_ref", kind: &OBJECT_REFERENCE, least: 1, most: MANY }],
    also: nothing,
};
static OBJECT_REFERENCE: Kind = Kind { attributes: &[must("id", Text)], children: &[], also: nothing };
pub(super) static ALERTS: Kind = Kind { attributes: &[], children: &[any("alert", &ALERT)], also: nothing };
static ALERT: Kind = Kind {
    attributes: &[must("id", Id), may("description", Text), must("path", Text)],
    children: &[
        any("meta_attributes", &SET),
        any("instance_attributes", &SET),
        up_to_one("select", &SELECT),
        any("recipient", &RECIPIENT),
    ],
    also: nothing,
};
static RECIPIENT: Kind = Kind {
    attributes: &[must("id", Id), may("description", Text), must("value", Text)],
    children: &[any("meta_attributes", &SET), any("instance_attributes", &SET)],
    also: nothing,
};
static NOTHING: Kind = Kind { attributes: &[], children: &[], also: nothing };
static SELECT: Kind = Kind {
    attributes: &[],
    children: &[
        up_to_one("select_attributes", &SELECT_ATTRIBUTES),
        up_to_one("select_fencing", &NOTHING),
        up_to_one("select_nodes", &NOTHING),
        up_to_one("select_resources", &NOTHING),
    ],
    also: nothing,
};
static SELECT_ATTRIBUTES: Kind =
    Kind { attributes: &[], children: &[any("attribute", &SELECTED)], also: nothing };
static SELECTED: Kind =
    Kind { attributes: &[must("id", Id), must("name", Text)], children: &[], also: nothing };
