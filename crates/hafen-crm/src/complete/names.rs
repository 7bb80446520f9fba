//! Names of attributes and their values.

use hafen_cib::Element;
use hafen_cib::catalogue::{CLUSTER, Described, FENCING, PRIMITIVE, Values};
use hafen_cib::metadata::{AgentMetadata, Parameter};

use super::Place;

/// Meta attributes of clones.
const CLONE: &[(&str, &str)] = &[
    ("promotable", "whether instances can be promoted"),
    ("clone-max", "how many instances there are"),
    ("clone-node-max", "how many instances one host runs"),
    ("clone-min", "how many must run before what depends on them"),
    ("promoted-max", "how many instances are promoted"),
    ("promoted-node-max", "how many one host promotes"),
    ("interleave", "whether dependents wait only for the instance on their own host"),
    ("notify", "whether instances are told of each other's actions"),
    ("ordered", "whether instances start one after the other"),
    ("globally-unique", "whether each instance is something of its own"),
];
const BOOLEAN: &[&str] = &["true", "false"];

/// `NAME=` of names not yet given since a word, or `NAME=VALUE` once the name is there.
pub(super) fn described(place: &mut Place<'_>, since: usize, table: &[Described]) {
    let values = |found: &Described| -> Vec<String> {
        let words = if found.values == Values::Boolean { BOOLEAN } else { found.values.choices() };
        words.iter().map(|word| word.to_string()).collect()
    };
    let usable = table.iter().filter(|found| !found.generated && !found.deprecated);
    for found in usable {
        let default = found.default.map(|value| format!(" (default {value})")).unwrap_or_default();
        named(place, since, found.name, &format!("{}{default}", found.about), &values(found));
    }
}

/// One name, and its values if they are known.
pub(super) fn named(place: &mut Place<'_>, since: usize, name: &str, about: &str, values: &[String]) {
    if place.given_since(since, name) {
        return;
    }
    if place.part.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')) {
        let all = values.iter().map(|value| (format!("{name}={value}"), about.to_string()));
        place.offer(all.collect::<Vec<_>>());
    } else {
        place.offer([(format!("{name}="), about.to_string())]);
    }
}

/// Names whose values are checked: only whole pairs are offered.
pub(super) fn pairs(place: &mut Place<'_>, name: &str, values: &[&str], about: &str) {
    if !place.given_since(1, name) {
        place.offer(values.iter().map(|value| (format!("{name}={value}"), about.to_string())));
    }
}

pub(super) fn cluster(place: &mut Place<'_>) {
    described(place, 1, CLUSTER);
}

pub(super) fn meta(place: &mut Place<'_>, since: usize, of_clone: bool) {
    if of_clone {
        for (name, about) in CLONE {
            let yes_or_no = !name.contains("-m");
            let values: &[&str] = if yes_or_no { BOOLEAN } else { &[] };
            let values: Vec<String> = values.iter().map(|value| value.to_string()).collect();
            named(place, since, name, about, &values);
        }
    }
    described(place, since, PRIMITIVE);
}

/// The parameters of an agent; required ones first.
pub(super) fn parameters(place: &mut Place<'_>, since: usize, agent: &str) {
    if let Some(metadata) = place.catalogue.metadata(agent) {
        let (required, others): (Vec<&Parameter>, Vec<&Parameter>) =
            metadata.parameters.iter().partition(|parameter| parameter.required);
        for parameter in required.into_iter().chain(others) {
            let mut values = parameter.options.clone();
            if parameter.content_type == "boolean" {
                values = BOOLEAN.iter().map(|value| value.to_string()).collect();
            }
            let mut about = parameter.short_description.clone();
            if parameter.required {
                about += " (required)";
            } else if let Some(default) = parameter.default.as_ref().filter(|default| !default.is_empty()) {
                about += &format!(" (default {default})");
            }
            named(place, since, &parameter.name, &about, &values);
        }
    }
    if agent.starts_with("stonith:") {
        described(place, since, FENCING);
    }
}

/// The actions of an agent, with what it suggests, or the usual ones.
pub(super) fn actions(place: &mut Place<'_>, agent: &str) {
    let Some(metadata) = place.catalogue.metadata(agent) else {
        place.keywords(crate::grammar::OPERATIONS, "an action");
        return;
    };
    let own = metadata
        .actions
        .iter()
        .filter(|action| !["meta-data", "validate-all"].contains(&action.name.as_str()));
    let about = |timeout: Option<u64>| match timeout {
        Some(timeout) => format!("the agent suggests a timeout of {}s", timeout / 1000),
        None => "an action of the agent".to_string(),
    };
    place.offer(own.map(|action| (action.name.clone(), about(action.timeout_ms))).collect::<Vec<_>>());
}

/// Attributes of an operation, with the values of those that have few.
pub(super) fn operation(place: &mut Place<'_>, since: usize, metadata: Option<&AgentMetadata>) {
    let action = place.words.get(since).and_then(|word| metadata?.action(&word.text));
    let seconds = |time: Option<u64>| time.map(|time| format!("{}s", time / 1000));
    for name in crate::grammar::OPERATION_ATTRIBUTES {
        let values: Vec<String> = match *name {
            "role" => ["Started", "Stopped", "Promoted", "Unpromoted"].map(str::to_string).to_vec(),
            "on-fail" => {
                ["ignore", "block", "stop", "demote", "restart", "standby", "fence", "restart-container"]
                    .map(str::to_string)
                    .to_vec()
            }
            "requires" => ["nothing", "quorum", "fencing", "unfencing"].map(str::to_string).to_vec(),
            "enabled" | "record-pending" => BOOLEAN.iter().map(|value| value.to_string()).collect(),
            "interval" => seconds(action.and_then(|action| action.interval_ms)).into_iter().collect(),
            "timeout" => seconds(action.and_then(|action| action.timeout_ms)).into_iter().collect(),
            _ => Vec::new(),
        };
        named(place, since, name, "an attribute of the operation", &values);
    }
}

/// Names that lists of this kind in the configuration have.
pub(super) fn used(place: &mut Place<'_>, since: usize, holder: &str, list: &str) {
    let holders = place.cib.configuration().into_iter().flat_map(Element::descendants);
    let mut names: Vec<&str> = holders
        .filter(|found| found.name() == holder)
        .flat_map(|found| found.children_named(list))
        .flat_map(Element::children)
        .filter_map(|pair| pair.attribute("name"))
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        named(place, since, name, "used in this configuration", &[]);
    }
}
