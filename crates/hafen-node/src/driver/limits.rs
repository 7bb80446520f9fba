//! How much may be under way at once, on a host and in all, by how busy the hosts are (Pacemaker's throttling).

use std::collections::BTreeMap;

use hafen_protocol::HostId;
use hafen_protocol::message::{HostLoad, LoadLevel};

use super::{DriverSettings, OPERATIONS_PER_HOST_MAXIMUM};

/// What hosts told of their load.
pub type Loads = BTreeMap<HostId, HostLoad>;

/// How many operations run on a host at a time: `node-action-limit`, else two for each of its cores; a busy host gets
/// less, and always one.
pub(super) fn on_host(settings: &DriverSettings, load: Option<&HostLoad>) -> usize {
    let configured = usize::try_from(settings.node_action_limit).ok().filter(|limit| *limit > 0);
    let by_cores = load.map(|load| (load.cores as usize).saturating_mul(2)).filter(|limit| *limit > 0);
    let most = configured.or(by_cores).unwrap_or(OPERATIONS_PER_HOST_MAXIMUM);
    let least_one = |limit: usize| limit.max(1);
    match load.map_or(LoadLevel::None, |load| load.level) {
        LoadLevel::None => most,
        LoadLevel::Low => least_one(most / 2),
        LoadLevel::Medium => least_one(most / 4),
        LoadLevel::High => 1,
    }
}

/// How many operations run in the whole cluster at a time: `batch-limit`; where it is 0, there is a limit only while a
/// host is very busy. Negative: none.
pub(super) fn in_all(settings: &DriverSettings, loads: &Loads) -> Option<usize> {
    match settings.batch_limit {
        0 => {
            let is_high = loads.values().any(|load| load.level == LoadLevel::High);
            is_high.then(|| (loads.len() / 2).max(1))
        }
        limit => usize::try_from(limit).ok(),
    }
}
