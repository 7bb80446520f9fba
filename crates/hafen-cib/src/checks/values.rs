//! Values: scores, times, booleans and words where the configuration expects them.

use super::{Checker, named, nearest};
use crate::options::{
    ALIASES, CLUSTER_OPTIONS, DEFAULT_MARK, OPERATION_OPTIONS, OptionInfo, OptionType, RESOURCE_OPTIONS,
    canonical_property, find,
};
use crate::xml::Element;

/// Attributes of elements with a value of some type.
const TYPED: &[(&str, &str, OptionType)] = &[
    ("rsc_location", "score", OptionType::Score),
    ("rsc_location", "resource-discovery", OptionType::Select(&["always", "never", "exclusive"])),
    ("rsc_colocation", "score", OptionType::Score),
    ("rsc_colocation", "influence", OptionType::Boolean),
    ("rsc_order", "score", OptionType::Score),
    ("rsc_order", "kind", OptionType::Select(&["Mandatory", "Optional", "Serialize"])),
    ("rsc_order", "symmetrical", OptionType::Boolean),
    ("rsc_order", "require-all", OptionType::Boolean),
    ("rsc_ticket", "loss-policy", OptionType::Select(&["stop", "demote", "fence", "freeze"])),
    ("resource_set", "sequential", OptionType::Boolean),
    ("resource_set", "require-all", OptionType::Boolean),
    ("resource_set", "score", OptionType::Score),
    ("rule", "score", OptionType::Score),
    ("cluster_property_set", "score", OptionType::Score),
    ("meta_attributes", "score", OptionType::Score),
    ("instance_attributes", "score", OptionType::Score),
    ("fencing-level", "index", OptionType::Integer),
];

/// Names of properties that the documentation of other programs tells people to set there.
const FOREIGN_PREFIXES: &[&str] = &["last-lrm-refresh", "hafen-", "maintenance-force"];

pub(super) fn check(checker: &mut Checker<'_>) {
    for element in checker.elements() {
        for (_, attribute, values) in TYPED.iter().filter(|(name, ..)| *name == element.name()) {
            typed(checker, element, attribute, *values);
        }
        match element.name() {
            "op" => operation(checker, element),
            "nvpair" => pair(checker, element),
            _ => {}
        }
    }
}

fn typed(checker: &mut Checker<'_>, element: Element<'_>, attribute: &str, values: OptionType) {
    if let Some(value) = element.attribute(attribute)
        && let Some(expected) = values.fault(value)
    {
        let problem = format!("{} has {attribute}=\"{value}\"", named(element));
        checker.error(element, problem, format!("expected {expected}"));
    }
}

fn operation(checker: &mut Checker<'_>, element: Element<'_>) {
    for option in OPERATION_OPTIONS {
        typed(checker, element, option.name, option.values);
    }
    if element.attribute("name").is_none() && element.attribute("id-ref").is_none() {
        checker.error(
            element,
            format!("{} has no name", named(element)),
            "set `name` to the action, such as monitor".to_string(),
        );
    }
}

/// A pair of a set whose names are known.
fn pair(checker: &mut Checker<'_>, element: Element<'_>) {
    let (Some(name), Some(value)) = (element.attribute("name"), element.attribute("value")) else {
        let reference = element.attribute("id-ref").is_some();
        if !reference && element.attribute("name").is_none() {
            checker.error(element, format!("{} has no name", named(element)), "set `name`".to_string());
        }
        return;
    };
    let Some(set) = element.parent() else { return };
    let holder = set.parent().map_or("", Element::name);
    match (set.name(), holder) {
        ("cluster_property_set", _) => property(checker, element, name, value),
        ("meta_attributes", "op" | "op_defaults") => known(checker, element, name, value, OPERATION_OPTIONS),
        ("meta_attributes", _) => known(checker, element, name, value, RESOURCE_OPTIONS),
        _ => {}
    }
}

fn property(checker: &mut Checker<'_>, element: Element<'_>, name: &str, value: &str) {
    if find(CLUSTER_OPTIONS, canonical_property(name)).is_some() {
        known(checker, element, canonical_property(name), value, CLUSTER_OPTIONS);
    } else if !FOREIGN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        let mut words: Vec<&str> = CLUSTER_OPTIONS.iter().map(|option| option.name).collect();
        words.extend(ALIASES.iter().map(|(alias, _)| alias));
        let mend = nearest(name, &words, "it has no effect; check its name");
        checker.warning(element, format!("the cluster has no property `{name}`"), mend);
    }
}

fn known(
    checker: &mut Checker<'_>,
    element: Element<'_>,
    name: &str,
    value: &str,
    table: &'static [OptionInfo],
) {
    if value != DEFAULT_MARK
        && let Some(option) = find(table, name)
        && let Some(expected) = option.values.fault(value)
    {
        checker.error(element, format!("`{name}` is set to `{value}`"), format!("expected {expected}"));
    }
}
