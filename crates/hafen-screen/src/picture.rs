//! The cluster as it was looked at.

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::Cib;
use hafen_protocol::client::{FailedOperation, FenceRecord, HostReport, StatusReport};
use hafen_scheduler::{Whereabouts, whereabouts};

use crate::look::Look;

/// All that was seen of the cluster at one moment.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// What the daemon tells.
    pub(crate) status: StatusReport,
    /// The resources, outer ones before inner ones.
    pub(crate) resources: Vec<Whereabouts>,
    /// How each of them is.
    pub(crate) looks: Vec<Look>,
    /// The fencings on record, the oldest first.
    pub(crate) fencings: Vec<FenceRecord>,
    /// The cluster leaves everything alone (`maintenance-mode`).
    pub(crate) is_in_maintenance: bool,
    /// The positions of failed operations in the status, by the resource's name in histories.
    failures: BTreeMap<String, Vec<usize>>,
}

impl Picture {
    /// Puts together what was fetched: the CIB is brought to the present schema, and has its status. `now` is in seconds since
    /// 1970.
    #[must_use]
    pub fn of(status: StatusReport, cib: &Cib, fencings: Vec<FenceRecord>, now: u64) -> Self {
        let resources = whereabouts(cib, now);
        let mut failures: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, failure) in status.failed_operations.iter().enumerate() {
            failures.entry(failure.resource.clone()).or_default().push(at);
        }
        let is_in_maintenance = cib.property_boolean("maintenance-mode");
        let mut picture =
            Self { status, resources, looks: Vec::new(), fencings, is_in_maintenance, failures };
        picture.judge();
        picture
    }

    /// The failures on record of a resource.
    pub(crate) fn failures_of(&self, resource: &Whereabouts) -> impl Iterator<Item = &FailedOperation> {
        let its = self.failures.get(&resource.history).into_iter().flatten();
        its.filter_map(|at| self.status.failed_operations.get(*at))
    }

    /// A resource with how it is.
    pub(crate) fn resource(&self, at: usize) -> Option<(&Whereabouts, Look)> {
        Some((self.resources.get(at)?, self.looks.get(at).copied().unwrap_or_default()))
    }

    /// Whether something contains it that has instances.
    pub(crate) fn is_in_clone(&self, resource: &Whereabouts) -> bool {
        let mut parent = resource.parent;
        while let Some(above) = parent.and_then(|at| self.resources.get(at)) {
            if above.is_clone {
                return true;
            }
            parent = above.parent;
        }
        false
    }

    fn judge(&mut self) {
        let unclean: BTreeSet<String> = self
            .status
            .hosts
            .iter()
            .filter(|host| host.state == "unclean")
            .map(|host| host.name.clone())
            .collect();
        let mut looks: Vec<Look> = vec![Look::Plain; self.resources.len()];
        // What contains comes before what it contains.
        for (at, resource) in self.resources.iter().enumerate().rev() {
            let look = if resource.is_primitive {
                self.look_of_primitive(resource, &unclean)
            } else {
                let inner = resource.children.iter().filter_map(|&child| looks.get(child).copied());
                inner.max().unwrap_or(Look::Idle)
            };
            if let Some(place) = looks.get_mut(at) {
                *place = look;
            }
        }
        self.looks = looks;
    }

    fn look_of_primitive(&self, resource: &Whereabouts, unclean: &BTreeSet<String>) -> Look {
        let has = |mark: &str| resource.marks.contains(&mark);
        let is_lost = resource.hosts.iter().any(|host| unclean.contains(host));
        let is_off = matches!(resource.state, "Stopped");
        let in_clone = self.is_in_clone(resource);
        match resource.state {
            _ if resource.has_failed || has("blocked") || is_lost => Look::Wrong,
            "Starting" | "Stopping" | "Migrating" | "Promoting" | "Demoting" => Look::Busy,
            _ if is_off && (has("disabled") || has("maintenance") || has("unmanaged")) => Look::Idle,
            _ if is_off && (in_clone || resource.is_orphan) => Look::Idle,
            _ if is_off => Look::Wrong,
            _ if resource.hosts.len() > 1 && !in_clone => Look::Wrong,
            _ if has("maintenance") || has("unmanaged") || resource.is_orphan => Look::Warn,
            _ if self.failures_of(resource).next().is_some() => Look::Warn,
            _ => Look::Good,
        }
    }
}

/// How a host is.
pub(crate) fn look_of_host(host: &HostReport) -> Look {
    match host.state.as_str() {
        "unclean" | "daemon lost" => Look::Wrong,
        "offline" => Look::Warn,
        "joining" => Look::Busy,
        "online" if host.reason.is_empty() => Look::Good,
        "standby" | "maintenance" if host.reason.is_empty() => Look::Idle,
        _ => Look::Warn,
    }
}

/// The state of a host in letters that are seen: capitals where it is broken.
pub(crate) fn word_of_host(host: &HostReport) -> String {
    if look_of_host(host) == Look::Wrong { host.state.to_uppercase() } else { host.state.clone() }
}
