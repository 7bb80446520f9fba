//! Cluster properties that a node itself obeys.

use hafen_cib::Cib;
use hafen_protocol::message::ProofLevel;

use crate::driver::DriverSettings;

/// The default of `cluster-delay`, in milliseconds.
const CLUSTER_DELAY_MS: u64 = 60_000;

/// A property as configured, under any of its names; nothing where it is not.
pub(crate) fn configured<'a>(cib: &'a Cib, names: &[&str]) -> Option<&'a str> {
    let sets = cib.crm_config()?;
    sets.children_named("cluster_property_set")
        .flat_map(|set| set.children_named("nvpair"))
        .find(|pair| pair.attribute("name").is_some_and(|name| names.contains(&name)))
        .and_then(|pair| pair.attribute("value"))
}

/// A boolean property in any of Pacemaker's spellings.
pub(crate) fn boolean(cib: &Cib, names: &[&str], default: bool) -> bool {
    match configured(cib, names).map(str::to_ascii_lowercase).as_deref() {
        Some("true" | "on" | "yes" | "y" | "1") => true,
        Some("false" | "off" | "no" | "n" | "0") => false,
        _ => default,
    }
}

/// A time in whole seconds (`60s`, `60`) as milliseconds.
fn seconds_ms(text: &str) -> Option<u64> {
    text.strip_suffix('s').unwrap_or(text).trim().parse::<u64>().ok()?.checked_mul(1000)
}

/// What a driver of plans obeys; its transition and name are the caller's.
pub(crate) fn driver_settings(cib: &Cib) -> DriverSettings {
    let number = |name: &str, default: i64| {
        configured(cib, &[name]).and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let delay = configured(cib, &["cluster-delay"]).and_then(seconds_ms);
    DriverSettings {
        transition: 0,
        uuid: String::new(),
        cluster_delay_ms: delay.unwrap_or(CLUSTER_DELAY_MS),
        batch_limit: number("batch-limit", 0),
        migration_limit: number("migration-limit", -1),
    }
}

/// Whether hosts are fenced.
pub(crate) fn fencing_enabled(cib: &Cib) -> bool {
    boolean(cib, &["stonith-enabled", "fencing-enabled"], true)
}

/// Which proof is enough to free what a fenced host ran.
pub(crate) fn proof_minimum(cib: &Cib) -> ProofLevel {
    match configured(cib, &["fencing-proof-minimum"]) {
        Some("off-verified") => ProofLevel::OffVerified,
        Some("agent-reported") => ProofLevel::AgentReported,
        Some("human") => ProofLevel::Human,
        _ => ProofLevel::None,
    }
}
