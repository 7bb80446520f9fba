//! Causes in words.

use crate::ledger::{Entry, Reason};
use crate::model::Role;

/// A role's name.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Unknown => "Unknown",
        Role::Stopped => "Stopped",
        Role::Started => "Started",
        Role::Unpromoted => "Unpromoted",
        Role::Promoted => "Promoted",
    }
}

/// Why a score changed. `placed` says where another resource is to run.
pub(super) fn reason(entry: &Entry, placed: &dyn Fn(&str) -> Option<String>) -> String {
    let source = entry.source.as_str();
    let away = matches!(entry.change, crate::ledger::Change::Add(amount) if amount < 0);
    let place = |resource: &str| match placed(resource) {
        Some(host) => format!("{resource} (on {host})"),
        None => format!("{resource} (not running)"),
    };
    let constraint = |kind: &str| {
        if source.starts_with('#') || source.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind} {source}")
        }
    };
    match &entry.reason {
        Reason::NodeScore => "the host's own score".to_owned(),
        Reason::Location => match &entry.rule {
            Some(rule) => format!("{}, rule {rule}", constraint("location constraint")),
            None => constraint("location constraint"),
        },
        Reason::Stickiness => "it runs there and prefers to stay (resource-stickiness)".to_owned(),
        Reason::Unmanaged => "it is not managed, and stays where it is".to_owned(),
        Reason::Health => "the host's health (node-health-strategy)".to_owned(),
        Reason::FailureThreshold => "it failed there as often as migration-threshold allows".to_owned(),
        Reason::FailedOperation => "an operation failed there in a way that bans it".to_owned(),
        Reason::FailedStop => "its stop failed there".to_owned(),
        Reason::ShutdownLock => "it is kept for the host that was shut down (shutdown-lock)".to_owned(),
        Reason::ExclusiveDiscovery => "resource-discovery=exclusive names other hosts".to_owned(),
        Reason::Orphan => "it is no longer configured".to_owned(),
        Reason::MultiplyActive => "it is active on several hosts".to_owned(),
        Reason::Ticket => format!("its ticket is missing (constraint {source})"),
        Reason::Stopped => "it is to be stopped".to_owned(),
        Reason::ColocatedWith { primary } if source == "#group-members" => {
            format!("group: it runs with {}", place(primary))
        }
        Reason::ColocatedWith { .. } if away => ban(entry, placed),
        Reason::ColocatedWith { primary } => {
            format!("{} draws it to {}", constraint("colocation"), place(primary))
        }
        Reason::Wish { of } if source == "#group-members" => format!("group: {of} runs with it"),
        Reason::Wish { of } => {
            let how = if away { "would rather not have it here" } else { "would like to run here with it" };
            format!("{}: {of} {how}", constraint("colocation"))
        }
        Reason::WishesCut => "what others wish would have driven it away: not counted".to_owned(),
        Reason::Capacity => "not enough capacity is left there (utilization)".to_owned(),
        Reason::NodeClosed => "the host can run nothing, or the clone is kept from it".to_owned(),
        Reason::NodeFull => "the host has all instances that it may have (clone-node-max)".to_owned(),
        Reason::InstanceLimit => "all instances that may be active are placed (clone-max)".to_owned(),
        Reason::PromotionScore if source.is_empty() => "promotion score".to_owned(),
        Reason::PromotionScore => format!("promotion score ({source})"),
        Reason::PromotionOrder => "the clone weighs its instances here".to_owned(),
    }
}

/// Why an entry that bans a resource does so, as the rest of "it may not run there: ...".
pub(super) fn ban(entry: &Entry, placed: &dyn Fn(&str) -> Option<String>) -> String {
    match &entry.reason {
        Reason::ColocatedWith { primary } => {
            let bond = if entry.source == "#group-members" {
                "its group".to_owned()
            } else {
                format!("colocation {}", entry.source)
            };
            match placed(primary) {
                Some(host) if host == entry.node => {
                    format!("{bond} keeps it apart from {primary}, which runs there")
                }
                Some(host) => format!("{bond} binds it to {primary}, which runs on {host}"),
                None => format!("{bond} binds it to {primary}, which does not run"),
            }
        }
        Reason::Location => format!("{} bans it", reason(entry, placed)),
        Reason::Health => "the host is not healthy (node-health-strategy)".to_owned(),
        Reason::Stopped => "it is to be stopped".to_owned(),
        _ => reason(entry, placed),
    }
}

/// Names in a row: "a, b and c".
pub(super) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// A text that begins with a capital letter.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
