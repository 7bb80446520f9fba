//! Cluster properties that a node itself obeys.

use hafen_cib::Cib;
use hafen_protocol::message::ProofLevel;

use crate::driver::DriverSettings;

/// What a driver of plans obeys; its transition and name are the caller's.
pub(crate) fn driver_settings(cib: &Cib) -> DriverSettings {
    let number =
        |name: &str, default: i64| cib.property(name).and_then(|value| value.parse().ok()).unwrap_or(default);
    DriverSettings {
        transition: 0,
        uuid: String::new(),
        cluster_delay_ms: cib.property_duration_ms("cluster-delay"),
        batch_limit: number("batch-limit", 0),
        node_action_limit: number("node-action-limit", 0),
        migration_limit: Some(number("migration-limit", -1)).filter(|limit| *limit > 0).unwrap_or(-1),
    }
}

/// How long the coordinator goes at most without planning again, in milliseconds: `cluster-recheck-interval`, or its
/// default where that is 0.
pub(crate) fn recheck_interval_ms(cib: &Cib) -> u64 {
    match cib.property_duration_ms("cluster-recheck-interval") {
        0 => 15 * 60 * 1000,
        interval_ms => interval_ms,
    }
}

/// From which load on a host is busy, in percent of a core (`load-threshold`); 0: never.
pub(crate) fn load_threshold_percent(cib: &Cib) -> u64 {
    cib.property("load-threshold").and_then(|value| value.trim_end_matches('%').parse().ok()).unwrap_or(0)
}

/// Whether hosts are fenced.
pub(crate) fn fencing_enabled(cib: &Cib) -> bool {
    cib.property_boolean("stonith-enabled")
}

/// Which proof is enough to free what a fenced host ran.
pub(crate) fn proof_minimum(cib: &Cib) -> ProofLevel {
    match cib.property("fencing-proof-minimum") {
        Some("off-verified") => ProofLevel::OffVerified,
        Some("agent-reported") => ProofLevel::AgentReported,
        Some("human") => ProofLevel::Human,
        _ => ProofLevel::None,
    }
}

/// How long a host's watchdog waits after it was last fed, in milliseconds (`watchdog-timeout`); 0 where no watchdog is
/// counted on, because `stonith-watchdog-timeout` is 0.
pub(crate) fn watchdog_device_timeout_ms(cib: &Cib) -> u64 {
    match cib.property_timeout_ms("stonith-watchdog-timeout") {
        0 => 0,
        _ => cib.property_duration_ms("watchdog-timeout"),
    }
}
