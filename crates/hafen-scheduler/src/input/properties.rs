//! Cluster options, decoded.

use hafen_cib::xml::Element;

use super::nvpairs::{self, Values};
use super::rules::{NextChange, RuleInput};
use crate::date::Seconds;
use crate::model::{NoQuorumPolicy, Placement, Properties};
use crate::score;

/// Newer names of options and the names under which they are looked up here.
const ALIASES: &[(&str, &str)] = &[
    ("fencing-enabled", "stonith-enabled"),
    ("fencing-action", "stonith-action"),
    ("fencing-timeout", "stonith-timeout"),
    ("fencing-watchdog-timeout", "stonith-watchdog-timeout"),
    ("fencing-max-attempts", "stonith-max-attempts"),
    ("stop-removed-resources", "stop-orphan-resources"),
    ("stop-removed-actions", "stop-orphan-actions"),
    ("cancel-removed-actions", "stop-orphan-actions"),
];

pub(crate) fn unpack(root: Element<'_>, now: Seconds, next: &mut NextChange) -> Properties {
    let mut values = Values::new();
    let input = RuleInput { now, ..RuleInput::default() };
    if let Some(config) =
        root.child("configuration").and_then(|configuration| configuration.child("crm_config"))
    {
        nvpairs::unpack(
            config,
            "cluster_property_set",
            Some("cib-bootstrap-options"),
            &input,
            next,
            &mut values,
        );
    }
    for (alias, name) in ALIASES {
        if let Some(value) = values.get(*alias).cloned() {
            values.entry((*name).to_owned()).or_insert(value);
        }
    }
    let have_quorum = root.attribute("have-quorum").is_some_and(score::is_true);
    let had_quorum = root.attribute("no-quorum-panic").is_some_and(score::is_true);
    decode(values, have_quorum, had_quorum)
}

fn decode(values: Values, have_quorum: bool, had_quorum: bool) -> Properties {
    let text = |name: &str| values.get(name).map(String::as_str);
    let flag = |name: &str, default: bool| text(name).and_then(score::parse_bool).unwrap_or(default);
    let seconds = |name: &str| score::to_seconds(text(name).and_then(score::parse_milliseconds).unwrap_or(0));
    let stonith = flag("stonith-enabled", true);
    let no_quorum = match text("no-quorum-policy") {
        Some("ignore") => NoQuorumPolicy::Ignore,
        Some("freeze") => NoQuorumPolicy::Freeze,
        Some("demote") => NoQuorumPolicy::Demote,
        Some("suicide" | "fence") => {
            // A cluster that never had quorum does not have to fence itself.
            if stonith && (have_quorum || had_quorum) {
                NoQuorumPolicy::Suicide
            } else {
                NoQuorumPolicy::Stop
            }
        }
        _ => NoQuorumPolicy::Stop,
    };
    let stonith_action = match text("stonith-action") {
        Some("off" | "poweroff") => "off",
        _ => "reboot",
    };
    let placement = match text("placement-strategy") {
        Some("utilization") => Placement::Utilization,
        Some("balanced") => Placement::Balanced,
        Some("minimal") => Placement::Minimal,
        _ => Placement::Default,
    };
    Properties {
        have_quorum,
        no_quorum,
        symmetric: flag("symmetric-cluster", true),
        stonith,
        stonith_action: stonith_action.to_owned(),
        concurrent_fencing: flag("concurrent-fencing", true),
        startup_fencing: flag("startup-fencing", true),
        // Whoever runs the cluster detects it and says so; a timeout alone does not make a watchdog.
        watchdog: flag("have-watchdog", false),
        maintenance: flag("maintenance-mode", false),
        managed_default: flag("is-managed-default", true),
        stop_all: flag("stop-all-resources", false),
        stop_orphans: flag("stop-orphan-resources", true),
        cancel_orphans: flag("stop-orphan-actions", true),
        probe: flag("enable-startup-probes", true),
        start_failure_is_fatal: flag("start-failure-is-fatal", true),
        placement,
        shutdown_lock: flag("shutdown-lock", false),
        shutdown_lock_limit_seconds: seconds("shutdown-lock-limit"),
        node_pending_timeout_seconds: seconds("node-pending-timeout"),
        priority_fencing_delay_seconds: seconds("priority-fencing-delay"),
        values,
    }
}
