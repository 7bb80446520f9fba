//! Sets of names and values, and the rules on which they depend.

use super::super::types::Type::{self, Id, IdRef, NotOneOf, Score, Text, Word};
use super::super::{Attribute, Kind, Version, version};
use super::{any, both, may, must, nothing, up_to_one};
use crate::xml::Element;

const REMOVED_IN_3: Type = NotOneOf(&[
    "cluster_recheck_interval",
    "dc_deadtime",
    "default-action-timeout",
    "default_action_timeout",
    "default-migration-threshold",
    "default_migration_threshold",
    "default-resource-failure-stickiness",
    "default_resource_failure_stickiness",
    "default-resource-stickiness",
    "default_resource_stickiness",
    "election_timeout",
    "expected-quorum-votes",
    "is-managed-default",
    "is_managed_default",
    "no_quorum_policy",
    "notification-agent",
    "notification-recipient",
    "remove_after_stop",
    "shutdown_escalation",
    "startup_fencing",
    "stonith_action",
    "stonith_enabled",
    "stop_orphan_actions",
    "stop_orphan_resources",
    "symmetric_cluster",
    "transition_idle_timeout",
]);
const REMOVED_IN_4: Type = NotOneOf(&[
    "crmd-finalization-timeout",
    "crmd-integration-timeout",
    "crmd-transition-delay",
    "remove-after-stop",
]);
const ISOLATION: Type = NotOneOf(&["isolation", "isolation-host", "isolation-instance", "isolation-wrapper"]);
const FENCE_COMMANDS: Type = NotOneOf(&[
    "pcmk_arg_map",
    "pcmk_list_cmd",
    "pcmk_monitor_cmd",
    "pcmk_off_cmd",
    "pcmk_on_cmd",
    "pcmk_reboot_cmd",
    "pcmk_status_cmd",
]);
/// What is an operation's own attribute was no parameter in 3.0.
const OPERATION_ATTRIBUTES: Type = NotOneOf(&[
    "interval-origin",
    "start-delay",
    "enabled",
    "on-fail",
    "record-pending",
    "role",
    "timeout",
    "requires",
]);
/// Membership layers that there are no more.
const OLD_LAYERS: [&str; 5] =
    ["heartbeat", "openais", "classic openais", "classic openais (with plugin)", "cman"];

const SET_ATTRIBUTES: &[Attribute] = &[may("id", Id), may("id-ref", IdRef), may("score", Score)];

/// A set of pairs, and what their names may be.
macro_rules! set {
    ($set:ident, $pair:ident, $also:expr, $($name:expr),+) => {
        pub(super) static $set: Kind = Kind {
            attributes: SET_ATTRIBUTES,
            children: &[up_to_one("rule", &RULE), any("nvpair", &$pair)],
            also: id_or_reference,
        };
        static $pair: Kind = Kind {
            attributes: &[may("id", Id), may("id-ref", IdRef).since(1, 3), $($name,)+ may("value", Text)],
            children: &[],
            also: $also,
        };
    };
}

const fn name(values: Type) -> Attribute {
    may("name", values)
}

set!(SET, PAIR, pair, name(Text));
set!(
    PROPERTIES,
    PROPERTY,
    property,
    name(Text).until(3, 0),
    name(REMOVED_IN_3).since(3, 0).until(4, 0),
    name(REMOVED_IN_4).since(4, 0)
);
set!(
    PRIMITIVE_OPTIONS,
    PRIMITIVE_OPTION,
    pair,
    name(Text).until(3, 0),
    name(ISOLATION).since(3, 0).until(4, 0),
    name(NotOneOf(&["restart-type"])).since(4, 0)
);
set!(
    RESOURCE_OPTIONS,
    RESOURCE_OPTION,
    pair,
    name(Text).until(4, 0),
    name(NotOneOf(&["restart-type"])).since(4, 0)
);
set!(
    OPERATION_OPTIONS,
    OPERATION_OPTION,
    pair,
    name(Text).until(3, 0),
    name(NotOneOf(&["requires"])).since(3, 0).until(4, 0),
    name(NotOneOf(&["can_fail", "role_after_failure"])).since(4, 0)
);
set!(
    DEFAULT_OPERATION_OPTIONS,
    DEFAULT_OPERATION_OPTION,
    pair,
    name(Text).until(4, 0),
    name(NotOneOf(&["can_fail", "role_after_failure"])).since(4, 0)
);
set!(
    AGENT_PARAMETERS,
    AGENT_PARAMETER,
    pair,
    name(Text).until(3, 0),
    name(FENCE_COMMANDS).since(3, 0).until(3, 1),
    name(Text).since(3, 1)
);
set!(
    OPERATION_PARAMETERS,
    OPERATION_PARAMETER,
    pair,
    name(Text).until(3, 0),
    name(OPERATION_ATTRIBUTES).since(3, 0).until(3, 1),
    name(Text).since(3, 1)
);

/// Something either is itself, or stands for another element and has nothing of its own.
pub(super) fn id_or_reference(element: Element<'_>, _: Version) -> Option<String> {
    match (element.attribute("id-ref"), element.id()) {
        (None, None) => Some("has no `id`".to_owned()),
        (None, Some(_)) => None,
        (Some(_), _) if element.attributes().count() > 1 || element.children().next().is_some() => {
            Some("has an `id-ref`, and more beside it".to_owned())
        }
        (Some(_), _) => None,
    }
}

fn pair(element: Element<'_>, at: Version) -> Option<String> {
    let has = |name: &str| element.attribute(name).is_some();
    if at < version(4, 0) && has("id-ref") {
        return (has("id") || has("value"))
            .then(|| "has an `id-ref`, and more than a name beside it".to_owned());
    }
    if let Some(problem) = id_or_reference(element, at) {
        return Some(problem);
    }
    if has("id-ref") {
        return None;
    }
    let needed: &[&str] = if at < version(4, 0) { &["name"] } else { &["name", "value"] };
    needed.iter().find(|name| !has(name)).map(|missing| format!("has no `{missing}`"))
}

fn property(element: Element<'_>, at: Version) -> Option<String> {
    let (name, value) = (element.attribute("name"), element.attribute("value"));
    if at >= version(4, 0) && name == Some("stonith-action") && value == Some("poweroff") {
        return Some("has value=\"poweroff\", expected off".to_owned());
    }
    let layer = name == Some("cluster-infrastructure") && (version(3, 0)..version(4, 0)).contains(&at);
    if layer && element.attribute("id-ref").is_none() {
        match value {
            None => return Some("has no `value`".to_owned()),
            Some(value) if OLD_LAYERS.contains(&value) => {
                return Some(format!("has value=\"{value}\", which there is no more"));
            }
            Some(_) => {}
        }
    }
    pair(element, at)
}

pub(super) static CRM_CONFIG: Kind =
    Kind { attributes: &[], children: &[any("cluster_property_set", &PROPERTIES)], also: nothing };
pub(super) static RESOURCE_DEFAULTS: Kind =
    Kind { attributes: &[], children: &[any("meta_attributes", &RESOURCE_OPTIONS)], also: nothing };
pub(super) static OPERATION_DEFAULTS: Kind =
    Kind { attributes: &[], children: &[any("meta_attributes", &DEFAULT_OPERATION_OPTIONS)], also: nothing };

pub(super) static RULE: Kind = Kind {
    attributes: &[
        may("id", Id),
        may("id-ref", IdRef),
        may("boolean-op", Word(&["or", "and"])),
        may("role", Text),
        may("score", Score),
        may("score-attribute", Text),
    ],
    children: &[
        any("expression", &EXPRESSION),
        any("date_expression", &DATE_EXPRESSION),
        any("rule", &RULE),
        any("rsc_expression", &RESOURCE_EXPRESSION).since(3, 4),
        any("op_expression", &OPERATION_EXPRESSION).since(3, 4),
    ],
    also: rule,
};
static EXPRESSION: Kind = Kind {
    attributes: &[
        must("id", Id),
        must("attribute", Text),
        must("operation", Word(&["defined", "not_defined", "lt", "gt", "lte", "gte", "eq", "ne"])),
        may("value", Text),
        may("type", Word(&["string", "number", "version"])).until(3, 5),
        may("type", Word(&["string", "integer", "number", "version"])).since(3, 5),
        may("value-source", Word(&["literal", "param", "meta"])).since(2, 9),
    ],
    children: &[],
    also: nothing,
};
static DATE_EXPRESSION: Kind = Kind {
    attributes: &[
        must("id", Id),
        must("operation", Word(&["in_range", "gt", "lt", "date_spec"])),
        may("start", Text),
        may("end", Text),
    ],
    children: &[up_to_one("duration", &DURATION), up_to_one("date_spec", &DATE_SPECIFICATION)],
    also: date_expression,
};
static RESOURCE_EXPRESSION: Kind = Kind {
    attributes: &[must("id", Id), may("class", Text), may("provider", Text), may("type", Text)],
    children: &[],
    also: nothing,
};
static OPERATION_EXPRESSION: Kind = Kind {
    attributes: &[must("id", Id), must("name", Text), may("interval", Text)],
    children: &[],
    also: nothing,
};
static DURATION: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("years", Text),
        may("months", Text),
        may("weeks", Text),
        may("days", Text).since(3, 9),
        may("hours", Text),
        may("minutes", Text).since(3, 9),
        may("seconds", Text).since(3, 9),
        may("monthdays", Text),
        may("weekdays", Text),
        may("yearsdays", Text),
        may("weekyears", Text),
        may("moon", Text),
    ],
    children: &[],
    also: nothing,
};
static DATE_SPECIFICATION: Kind = Kind {
    attributes: &[
        must("id", Id),
        may("years", Text),
        may("months", Text),
        may("monthdays", Text),
        may("hours", Text),
        may("minutes", Text).since(3, 9),
        may("seconds", Text).since(3, 9),
        may("yeardays", Text).since(3, 9),
        may("weekyears", Text),
        may("weeks", Text),
        may("weekdays", Text),
        may("yearsdays", Text),
        may("moon", Text).until(4, 0),
    ],
    children: &[],
    also: nothing,
};

fn rule(element: Element<'_>, at: Version) -> Option<String> {
    if let Some(problem) = id_or_reference(element, at) {
        return Some(problem);
    }
    if element.attribute("id-ref").is_some() {
        return None;
    }
    if element.children().next().is_none() {
        return Some("has no expression".to_owned());
    }
    let has = |name: &str| element.attribute(name).is_some();
    if at < version(3, 9) && !has("score") && !has("score-attribute") {
        return Some("needs either `score` or `score-attribute`".to_owned());
    }
    both(element, "score", "score-attribute")
}

fn date_expression(element: Element<'_>, at: Version) -> Option<String> {
    let has = |name: &str| element.attribute(name).is_some();
    let (start, end) = (has("start"), has("end"));
    let (duration, specification) =
        (element.child("duration").is_some(), element.child("date_spec").is_some());
    let operation = element.attribute("operation")?;
    let fits = match operation {
        // A duration was instead of an end.
        "in_range" if at < version(3, 9) => {
            end != (duration && start) && !(end && duration) && !specification
        }
        "in_range" => (start || end) && !specification,
        "gt" => start && !end && !duration && !specification,
        "lt" => end && !start && !duration && !specification,
        "date_spec" => specification && !start && !end && !duration,
        _ => true,
    };
    (!fits).then(|| format!("does not have what operation=\"{operation}\" needs, or more than that"))
}
