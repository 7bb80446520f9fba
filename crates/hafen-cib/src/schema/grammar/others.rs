//! Fencing levels, access control, tags and alerts.

use super::super::types::Type::{DeviceNames, Id, IdRef, LevelIndex, Positive, Text, Word};
use super::super::{Kind, version};
use super::sets::SET;
use super::{any, may, must, nothing, some, up_to_one};

pub(super) static TOPOLOGY: Kind =
    Kind { attributes: &[], children: &[any("fencing-level", &LEVEL)], also: nothing };
static LEVEL: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("target", Text),
        may("target-pattern", Text),
        may("target-attribute", Text).since(2, 4),
        may("target-value", Text).since(2, 4),
        must("index", Positive).until(4, 0),
        must("index", LevelIndex).since(4, 0),
        must("devices", DeviceNames),
    ],
    children: &[],
    also: |element, _| {
        let has = |name: &str| usize::from(element.attribute(name).is_some());
        let by_attribute = has("target-attribute") + has("target-value");
        let kinds = has("target") + has("target-pattern") + by_attribute / 2;
        (kinds != 1 || by_attribute == 1).then(|| {
            "needs one of `target`, `target-pattern`, and `target-attribute` with `target-value`".to_owned()
        })
    },
};
/// Access control as it was before 2.0.
pub(super) static OLD_ACLS: Kind = Kind {
    attributes: &[],
    children: &[any("acl_user", &OLD_USER), any("acl_role", &OLD_ROLE)],
    also: nothing,
};
static OLD_USER: Kind = Kind {
    attributes: &[must("id", Id)],
    children: &[
        any("role_ref", &ROLE),
        any("read", &OLD_PERMISSION),
        any("write", &OLD_PERMISSION),
        any("deny", &OLD_PERMISSION),
    ],
    also: |element, _| {
        let roles = element.children().filter(|child| child.name() == "role_ref").count();
        (roles > 0 && roles < element.children().count())
            .then(|| "has both <role_ref> and permissions of its own".to_owned())
    },
};
static OLD_ROLE: Kind = Kind {
    attributes: &[must("id", Id)],
    children: &[any("read", &OLD_PERMISSION), any("write", &OLD_PERMISSION), any("deny", &OLD_PERMISSION)],
    also: nothing,
};
static OLD_PERMISSION: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("tag", Text),
        may("ref", IdRef),
        may("xpath", Text),
        may("attribute", Text),
    ],
    children: &[],
    also: |element, _| {
        let has = |name: &str| element.attribute(name).is_some();
        ((has("tag") || has("ref")) == has("xpath"))
            .then(|| "needs either `xpath`, or `tag` or `ref` or both".to_owned())
    },
};
pub(super) static ACLS: Kind = Kind {
    attributes: &[],
    children: &[any("acl_target", &ACL_TARGET), any("acl_group", &ACL_GROUP), any("acl_role", &ACL_ROLE)],
    also: nothing,
};
static ACL_TARGET: Kind = Kind {
    attributes: &[must("id", Text), may("name", Text).since(3, 8)],
    children: &[any("role", &ROLE)],
    also: nothing,
};
static ACL_GROUP: Kind = Kind {
    attributes: &[must("id", Id), may("name", Text).since(3, 8)],
    children: &[any("role", &ROLE)],
    also: nothing,
};
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
    also: |element, _| {
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
static TAG: Kind =
    Kind { attributes: &[must("id", Id)], children: &[some("obj_ref", &OBJECT_REFERENCE)], also: nothing };
static OBJECT_REFERENCE: Kind = Kind {
    attributes: &[must("id", IdRef).until(3, 3), must("id", Text).since(3, 3)],
    children: &[],
    also: nothing,
};
pub(super) static ALERTS: Kind = Kind { attributes: &[], children: &[any("alert", &ALERT)], also: nothing };
static ALERT: Kind = Kind {
    attributes: &[must("id", Id), may("description", Text), must("path", Text)],
    children: &[
        any("meta_attributes", &SET),
        any("instance_attributes", &SET),
        up_to_one("select", &SELECT).since(2, 10),
        any("recipient", &RECIPIENT),
    ],
    also: |element, at| {
        let sets_end = element.children().skip_while(|child| child.name() != "recipient");
        let after = sets_end.map(|child| child.name()).find(|name| *name != "recipient")?;
        (at < version(2, 10)).then(|| format!("has a <{after}> after a <recipient>"))
    },
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
