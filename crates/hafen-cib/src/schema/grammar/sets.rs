//! Sets of names and values, and the rules on which they depend.

use super::super::types::Type::{self, Id, IdRef, NotOneOf, Score, Text, Word};
use super::super::{Attribute, Kind};
use super::{any, both, may, must, nothing, up_to_one};
use crate::xml::Element;

const REMOVED_PROPERTIES: Type = NotOneOf(&[
    "crmd-finalization-timeout",
    "crmd-integration-timeout",
    "crmd-transition-delay",
    "remove-after-stop",
]);
const REMOVED_RESOURCE_OPTIONS: Type = NotOneOf(&["restart-type"]);
const REMOVED_OPERATION_OPTIONS: Type = NotOneOf(&["can_fail", "role_after_failure"]);

const SET_ATTRIBUTES: &[Attribute] = &[may("id", Id), may("id-ref", IdRef), may("score", Score)];

pub(super) static SET: Kind = Kind {
    attributes: SET_ATTRIBUTES,
    children: &[up_to_one("rule", &RULE), any("nvpair", &PAIR)],
    also: id_or_reference,
};
static PROPERTIES: Kind = Kind {
    attributes: SET_ATTRIBUTES,
    children: &[up_to_one("rule", &RULE), any("nvpair", &PROPERTY)],
    also: id_or_reference,
};
pub(super) static RESOURCE_OPTIONS: Kind = Kind {
    attributes: SET_ATTRIBUTES,
    children: &[up_to_one("rule", &RULE), any("nvpair", &RESOURCE_OPTION)],
    also: id_or_reference,
};
pub(super) static OPERATION_OPTIONS: Kind = Kind {
    attributes: SET_ATTRIBUTES,
    children: &[up_to_one("rule", &RULE), any("nvpair", &OPERATION_OPTION)],
    also: id_or_reference,
};

static PAIR: Kind = Kind {
    attributes: &[may("id", Id), may("id-ref", IdRef), may("name", Text), may("value", Text)],
    children: &[],
    also: pair,
};
static PROPERTY: Kind = Kind {
    attributes: &[may("id", Id), may("id-ref", IdRef), may("name", REMOVED_PROPERTIES), may("value", Text)],
    children: &[],
    also: property,
};
static RESOURCE_OPTION: Kind = Kind {
    attributes: &[
        may("id", Id),
        may("id-ref", IdRef),
        may("name", REMOVED_RESOURCE_OPTIONS),
        may("value", Text),
    ],
    children: &[],
    also: pair,
};
static OPERATION_OPTION: Kind = Kind {
    attributes: &[
        may("id", Id),
        may("id-ref", IdRef),
        may("name", REMOVED_OPERATION_OPTIONS),
        may("value", Text),
    ],
    children: &[],
    also: pair,
};

/// Something either is itself, or stands for another element and has nothing of its own.
pub(super) fn id_or_reference(element: Element<'_>) -> Option<String> {
    match (element.attribute("id-ref"), element.id()) {
        (None, None) => Some("has no `id`".to_owned()),
        (None, Some(_)) => None,
        (Some(_), _) if element.attributes().count() > 1 || element.children().next().is_some() => {
            Some("has an `id-ref`, and more beside it".to_owned())
        }
        (Some(_), _) => None,
    }
}

fn pair(element: Element<'_>) -> Option<String> {
    if let Some(problem) = id_or_reference(element) {
        return Some(problem);
    }
    if element.attribute("id-ref").is_some() {
        return None;
    }
    let missing = ["name", "value"].into_iter().find(|name| element.attribute(name).is_none())?;
    Some(format!("has no `{missing}`"))
}

fn property(element: Element<'_>) -> Option<String> {
    let poweroff =
        element.attribute("name") == Some("stonith-action") && element.attribute("value") == Some("poweroff");
    if poweroff {
        return Some("has value=\"poweroff\", expected off".to_owned());
    }
    pair(element)
}

pub(super) static CRM_CONFIG: Kind =
    Kind { attributes: &[], children: &[any("cluster_property_set", &PROPERTIES)], also: nothing };
pub(super) static RESOURCE_DEFAULTS: Kind =
    Kind { attributes: &[], children: &[any("meta_attributes", &RESOURCE_OPTIONS)], also: nothing };
pub(super) static OPERATION_DEFAULTS: Kind =
    Kind { attributes: &[], children: &[any("meta_attributes", &OPERATION_OPTIONS)], also: nothing };

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
        any("rsc_expression", &RESOURCE_EXPRESSION),
        any("op_expression", &OPERATION_EXPRESSION),
    ],
    also: rule,
};
static EXPRESSION: Kind = Kind {
    attributes: &[
        must("id", Id),
        must("attribute", Text),
        must("operation", Word(&["defined", "not_defined", "lt", "gt", "lte", "gte", "eq", "ne"])),
        may("value", Text),
        may("type", Word(&["string", "integer", "number", "version"])),
        may("value-source", Word(&["literal", "param", "meta"])),
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
        may("days", Text),
        may("hours", Text),
        may("minutes", Text),
        may("seconds", Text),
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
        may("minutes", Text),
        may("seconds", Text),
        may("yeardays", Text),
        may("weekyears", Text),
        may("weeks", Text),
        may("weekdays", Text),
        may("yearsdays", Text),
    ],
    children: &[],
    also: nothing,
};

fn rule(element: Element<'_>) -> Option<String> {
    if let Some(problem) = id_or_reference(element) {
        return Some(problem);
    }
    if element.attribute("id-ref").is_none() && element.children().next().is_none() {
        return Some("has no expression".to_owned());
    }
    both(element, "score", "score-attribute")
}

fn date_expression(element: Element<'_>) -> Option<String> {
    let has = |name: &str| element.attribute(name).is_some();
    let (start, end) = (has("start"), has("end"));
    let (duration, specification) =
        (element.child("duration").is_some(), element.child("date_spec").is_some());
    let operation = element.attribute("operation")?;
    let fits = match operation {
        "in_range" => (start || end) && !specification,
        "gt" => start && !end && !duration && !specification,
        "lt" => end && !start && !duration && !specification,
        "date_spec" => specification && !start && !end && !duration,
        _ => true,
    };
    (!fits).then(|| format!("does not have what operation=\"{operation}\" needs, or more than that"))
}
