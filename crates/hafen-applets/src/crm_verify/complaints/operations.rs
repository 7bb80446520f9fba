//! What is complained of in operations.

use std::collections::BTreeMap;

use hafen_cib::Cib;
use hafen_cib::values::parse_duration_ms;
use hafen_cib::views::Operation;
use hafen_cib::xml::Element;
use hafen_scheduler::readable;

use super::Complaints;
use super::resources::Instance;

/// What is looked at before the others.
const FIRST: [&str; 2] = ["monitor", "stop"];
/// Operations that are done once.
const ONCE: [&str; 6] = ["start", "stop", "promote", "demote", "migrate_to", "migrate_from"];

pub(super) fn check(cib: &Cib, instances: &[Instance<'_>], fencing: bool, found: &mut Complaints) {
    let nodes = cib.nodes().map_or(0, |section| section.children_named("node").count());
    let is_assigned = |instance: &&Instance<'_>| {
        let most = instance.clone.and_then(|clone| clone.meta("clone-node-max")?.parse().ok()).unwrap_or(1);
        instance.is_primitive && (instance.clone.is_none() || instance.number < nodes.saturating_mul(most))
    };
    for instance in instances.iter().filter(is_assigned) {
        duplicates(instance, found);
        let mut operations = instance.resource.operations();
        operations.sort_by_key(|operation| place(*operation));
        for operation in operations {
            if let Some(role) = operation.option("role") {
                found.role(operation.element(), role);
            }
            if operation.is_enabled() {
                on_fail(instance, operation, fencing, found);
            }
        }
    }
}

fn place(operation: Operation<'_>) -> usize {
    FIRST.iter().position(|name| *name == operation.name()).unwrap_or(FIRST.len())
}

/// Operations that are told apart by nothing.
fn duplicates(instance: &Instance<'_>, found: &mut Complaints) {
    let mut alike: BTreeMap<(&str, u64), Vec<Element<'_>>> = BTreeMap::new();
    let blocks = instance.resource.element().children_named("operations");
    for operation in blocks.flat_map(|block| block.children_named("op")) {
        let interval = operation.attribute("interval").and_then(parse_duration_ms).unwrap_or(0);
        if let (Some(name), true) = (operation.attribute("name"), interval > 0) {
            alike.entry((name, interval)).or_default().push(operation);
        }
    }
    for operations in alike.values() {
        let [first, second, ..] = operations[..] else { continue };
        let text = format!(
            "Operation {} is duplicate of {} (do not use same name and interval combination more than once per \
             resource)",
            second.id().unwrap_or_default(),
            first.id().unwrap_or_default()
        );
        // Each of them is looked for in turn, and for each role.
        let times = operations.len() * if instance.is_promotable { 2 } else { 1 };
        for _ in 0..times {
            found.add(true, Some((second, "give it an interval of its own")), text.clone());
        }
    }
}

fn on_fail(instance: &Instance<'_>, operation: Operation<'_>, fencing: bool, found: &mut Complaints) {
    let (resource, name) = (&instance.name, operation.name());
    let recurs = operation.interval_ms() > 0;
    if recurs && ONCE.contains(&name) {
        let text = format!("Ignoring {} because {name} action cannot be recurring", operation.id());
        return found.add(true, Some((operation.element(), "set its interval to 0")), text);
    }
    let stays_off = instance.option("target-role").is_some_and(|role| role.eq_ignore_ascii_case("stopped"));
    // What stops is looked at where there is something to stop.
    let is_planned = match name {
        "monitor" => recurs && !stays_off,
        "start" => !stays_off,
        "stop" => instance.hosts > 0,
        _ => false,
    };
    match operation.option("on-fail") {
        Some("fence") if is_planned && !fencing => {
            let text = format!(
                "Resetting 'on-fail' for {name} of {resource} to 'stop' because 'fence' is not valid when fencing is \
                 disabled"
            );
            found.add(true, Some((operation.element(), "enable fencing, or set another on-fail")), text);
        }
        Some("stop") if is_planned && name == "stop" => {
            let text = format!(
                "Resetting 'on-fail' for {resource} stop action to default value because 'stop' is not allowed for stop"
            );
            found.add(true, Some((operation.element(), "set it to fence, block or ignore")), text);
        }
        Some("demote") if is_planned && !is_of_promoted(operation) => {
            let text = format!(
                "Resetting 'on-fail' for {resource} {name} action to default value because 'demote' is not allowed for it"
            );
            let mend = "it is for promote, and for recurring monitors with role Promoted";
            found.add(true, Some((operation.element(), mend)), text);
        }
        _ => {}
    }
}

fn is_of_promoted(operation: Operation<'_>) -> bool {
    let role = operation.option("role").unwrap_or_default();
    ["promoted", "master"].contains(&role.to_ascii_lowercase().as_str())
}

/// A failure that blocks a resource is not forgotten after a time.
pub(super) fn failure_timeouts(cib: &Cib, instances: &[Instance<'_>], found: &mut Complaints) {
    for instance in instances.iter().filter(|instance| instance.is_primitive) {
        let option = instance.option("failure-timeout");
        let Some(timeout) = option.and_then(parse_duration_ms).filter(|timeout| *timeout > 0) else {
            continue;
        };
        let id = instance.resource.id();
        let has_failed = cib.node_states().any(|state| {
            let passing = state.child("transient_attributes").into_iter();
            let prefix = format!("fail-count-{id}#");
            let counted = |pair: Element<'_>| {
                let name = pair.attribute("name").unwrap_or_default();
                name.starts_with(&prefix) && pair.attribute("value").is_some_and(|count| count != "0")
            };
            passing.flat_map(Element::descendants).any(counted) && is_blocked(state, instance)
        });
        if has_failed {
            let text = format!(
                "Ignoring failure timeout ({}) for {} because it conflicts with on-fail=block",
                readable(timeout),
                instance.name
            );
            let mend = "leave one of the two out: who blocks a resource wants to look at it";
            found.add(false, Some((instance.resource.element(), mend)), text);
        }
    }
}

/// Whether an operation of it failed on a node whose failure blocks it.
fn is_blocked(state: Element<'_>, instance: &Instance<'_>) -> bool {
    let id = instance.resource.id();
    let histories = state.descendants().filter(|element| element.name() == "lrm_resource");
    let mut failures = histories
        .filter(|history| history.id() == Some(id))
        .flat_map(|history| history.children_named("lrm_rsc_op"))
        .filter(|entry| entry.id().is_some_and(|entry| entry.ends_with("_last_failure_0")));
    failures.any(|entry| {
        let name = entry.attribute("operation").unwrap_or_default();
        let interval = entry.attribute("interval").and_then(|interval| interval.parse().ok()).unwrap_or(0);
        let configured = instance.resource.operation(name, interval);
        configured.and_then(|operation| operation.option("on-fail")) == Some("block")
    })
}
