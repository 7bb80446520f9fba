//! The state of the cluster, as clients are told it.

use hafen_cib::{Cib, Element};
use hafen_protocol::HostId;
use hafen_protocol::client::{HostReport, ResourceReport, StatusReport};
use hafen_protocol::message::PROTOCOL_VERSION;
use hafen_scheduler::leftovers;

use super::Node;
use crate::fencing;
use crate::history;
use crate::membership::Phase;
use crate::replica::{FenceEntry, HostRecord, Standing};

/// Fencings that a report lists.
const FENCINGS_SHOWN: usize = 5;

impl Node {
    /// The state of the cluster as this member sees it.
    pub(super) fn report(&self) -> StatusReport {
        StatusReport {
            host: self.identity.uname.clone(),
            cluster: self.settings.cluster.clone(),
            coordinator: self.membership.coordinator.map(|member| self.replica.uname(member.host)),
            quorate: self.quorate(),
            bus_lost: self.lost.as_ref().map(|lost| lost.reason.clone()),
            waiting_for: self.waiting_for(),
            version: self.replica.cib().version().to_string(),
            digest: self.replica.digest().to_string(),
            transition: self.transition_report(),
            hosts: self.replica.hosts.iter().map(|(id, record)| self.host_report(id.0, record)).collect(),
            resources: self.resource_reports(),
            fencings: self.fencing_lines(),
            failures: self.failure_lines(),
            failed_operations: self.failed_operations(),
            leftovers: self.leftover_lines(),
            warnings: self.warning_lines(),
        }
    }

    fn waiting_for(&self) -> Option<String> {
        if let Some(lost) = &self.lost {
            let doing = if lost.alone { "; meanwhile this host does what no-quorum-policy says" } else { "" };
            return Some(format!("the cluster's messaging: {}{doing}", lost.reason));
        }
        let text = match self.membership.phase {
            Phase::Detached => "the cluster's messaging".to_string(),
            Phase::Greeting => {
                let missing = self.membership.missing();
                let names: Vec<String> =
                    missing.iter().map(|member| self.replica.uname(member.host)).collect();
                format!("the greeting of {}", names.join(", "))
            }
            Phase::Copying => "the coordinator's copy of the cluster's state".to_string(),
            Phase::Synchronised if self.membership.coordinator.is_none() => {
                "a disk that takes writes: nobody can coordinate".to_string()
            }
            Phase::Synchronised if self.requests.is_settled() => return None,
            Phase::Synchronised if self.quorum.quorate() == Some(false) && !self.replica.seasoned => {
                self.waiting_for_quorum()
            }
            Phase::Synchronised if !self.planner.held_back.is_empty() => {
                let why: Vec<&str> = self.planner.held_back.values().map(String::as_str).collect();
                why.join("; ")
            }
            Phase::Synchronised => match self.replica.fencings.values().next() {
                Some(start) => format!("fencing of {}", start.target_uname),
                None => self.planner.waiting_for(),
            },
        };
        Some(text)
    }

    /// A cluster that has not begun names the hosts that it waits for, and what to say when one is off for good.
    fn waiting_for_quorum(&self) -> String {
        let in_ring =
            |host: &HostId| self.membership.view.as_ref().is_some_and(|view| view.hosts.contains(host));
        let absent: Vec<&str> = self
            .replica
            .configured
            .iter()
            .filter(|(host, _)| !in_ring(host))
            .map(|(_, uname)| uname.as_str())
            .collect();
        let names = absent.join(", ");
        match absent.first() {
            Some(first) => format!(
                "quorum: it waits for {names}. When one of them is off for good: `hafen quorum proceed-without {first}`"
            ),
            None => "quorum: the bus has not said that there is one".to_string(),
        }
    }

    /// What unblocks a host that cannot be fenced.
    fn fencing_trouble(&self, host: u32) -> Option<String> {
        let its = self.replica.fence_history.iter().rev().filter(|entry| entry.start.target.0 == host);
        let enough = |entry: &&FenceEntry| entry.suffices(self.proof_minimum());
        let failed: Vec<&FenceEntry> = its.take_while(|entry| !enough(entry)).collect();
        let last = failed.first()?;
        let why = match &last.result.outcome {
            Ok(_) => "what its device proves is less than fencing-proof-minimum asks for".to_string(),
            Err(error) => error.clone(),
        };
        let name = &last.start.target_uname;
        let times = if failed.len() == 1 { "once".to_string() } else { format!("{} times", failed.len()) };
        Some(format!(
            "fencing it failed {times} ({why}), so what it runs is not recovered: mend the device, or, when you are sure \
             that {name} is off, say `hafen fence confirm {name}`"
        ))
    }

    fn host_report(&self, id: u32, record: &HostRecord) -> HostReport {
        let permanent = self.node_attributes(&record.uname);
        let has = |name: &str| {
            permanent
                .get(name)
                .or_else(|| record.status.attributes.get(name))
                .is_some_and(|value| value == "on" || value == "true")
        };
        let (state, reason) = match &record.standing {
            Standing::Unseen => ("offline", "not seen since the cluster started".to_string()),
            Standing::Joining => ("joining", "it catches up with the coordinator".to_string()),
            Standing::Member if has("standby") => ("standby", String::new()),
            Standing::Member if has("maintenance") => ("maintenance", String::new()),
            Standing::Member => ("online", String::new()),
            Standing::DaemonLost if self.membership.silent.contains(&HostId(id)) => {
                ("daemon lost", "its daemon is silent: it hangs".to_string())
            }
            Standing::DaemonLost => ("daemon lost", "its host is in the ring, its daemon is not".to_string()),
            Standing::Unclean { cause } => match self.fencing_trouble(id) {
                Some(trouble) => ("unclean", format!("{cause}; {trouble}")),
                None => ("unclean", cause.clone()),
            },
            Standing::Down { proof: None } => ("offline", "it left in good order".to_string()),
            Standing::Down { proof: Some(_) } => ("offline", "it is proven off".to_string()),
        };
        let mut attributes = permanent;
        attributes.extend(record.status.attributes.clone());
        let reason = match (self.foreigners.get(&HostId(id)), self.membership.failed_disks.get(&HostId(id))) {
            (Some(version), _) => format!(
                "its daemon speaks protocol {version}, this cluster {PROTOCOL_VERSION}: install the cluster's version of \
                 hafen on it"
            ),
            (None, Some(why)) => format!("its disk does not take writes: {why}"),
            (None, None) => reason,
        };
        HostReport { name: record.uname.clone(), id, state: state.to_string(), reason, attributes }
    }

    fn node_attributes(&self, uname: &str) -> std::collections::BTreeMap<String, String> {
        let Some(nodes) = self.replica.cib().nodes() else { return std::collections::BTreeMap::new() };
        nodes
            .children()
            .filter(|node| node.attribute("uname") == Some(uname))
            .flat_map(|node| node.children_named("instance_attributes"))
            .flat_map(|set| set.children_named("nvpair"))
            .filter_map(|pair| {
                Some((pair.attribute("name")?.to_string(), pair.attribute("value")?.to_string()))
            })
            .collect()
    }

    fn resource_reports(&self) -> Vec<ResourceReport> {
        let Some(resources) = self.replica.cib().resources() else { return Vec::new() };
        let primitives = resources.descendants().filter(|element| element.name() == "primitive");
        primitives.map(|primitive| self.resource_report(primitive)).collect()
    }

    fn resource_report(&self, primitive: Element<'_>) -> ResourceReport {
        let id = primitive.attribute("id").unwrap_or("").to_string();
        let part = |name| primitive.attribute(name).unwrap_or("");
        let agent = match primitive.attribute("provider") {
            Some(provider) => format!("{}:{provider}:{}", part("class"), part("type")),
            None => format!("{}:{}", part("class"), part("type")),
        };
        let virtual_machine =
            matches!(agent.as_str(), "ocf:hafen:qemu" | "ocf:heartbeat:Xen" | "ocf:heartbeat:VirtualDomain");
        let mut hosts = Vec::new();
        let mut doing = None;
        let mut failed = None;
        let mut blocked = false;
        for record in self.replica.hosts.values() {
            let histories = record.status.resources.iter();
            let its = histories.filter(|(name, _)| {
                **name == id || name.strip_prefix(&id).is_some_and(|rest| rest.starts_with(':'))
            });
            for (_, history) in its {
                if history::is_active(history) {
                    hosts.push(record.uname.clone());
                }
                if let Some(order) = history.pending.values().next() {
                    doing = Some(order.task.clone());
                }
                if let Some(record) = history::told_failure(history) {
                    blocked |= record.task == "stop" && !self.fencing_enabled();
                    failed = Some(format!("{} ended with {} on {}", record.task, record.rc, record.on_node));
                }
            }
        }
        let state = match doing.as_deref() {
            Some("start") => "starting",
            Some("stop") => "stopping",
            Some("migrate_to" | "migrate_from") => "migrating",
            // Nobody knows what a failed stop left behind, and nobody may find out by fencing.
            _ if blocked => "blocked",
            _ if !hosts.is_empty() => "running",
            _ if failed.is_some() => "failed",
            _ => "stopped",
        };
        ResourceReport {
            id,
            agent,
            virtual_machine,
            state: state.to_string(),
            hosts,
            reason: failed.unwrap_or_default(),
        }
    }

    fn fencing_lines(&self) -> Vec<String> {
        let flying = self.replica.fencings.values().map(|start| {
            format!(
                "{} of {} is under way, by {}: {}",
                start.action,
                start.target_uname,
                self.replica.uname(start.by.host),
                start.cause
            )
        });
        let ended = self.replica.fence_history.iter().rev().take(FENCINGS_SHOWN).map(|entry| {
            let outcome = match &entry.result.outcome {
                Ok(_) => "succeeded".to_string(),
                Err(error) => format!("failed: {error}"),
            };
            format!(
                "{} of {} {outcome} ({})",
                entry.start.action, entry.start.target_uname, entry.start.cause
            )
        });
        flying.chain(ended).collect()
    }

    fn failure_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for record in self.replica.hosts.values() {
            for (id, history) in &record.status.resources {
                if let Some(failure) = history::told_failure(history) {
                    let reason = if failure.exit_reason.is_empty() {
                        String::new()
                    } else {
                        format!(": {}", failure.exit_reason)
                    };
                    lines.push(format!(
                        "{} of {id} on {} ended with {}{reason}",
                        failure.task, record.uname, failure.rc
                    ));
                }
            }
        }
        lines
    }

    fn leftover_lines(&self) -> Vec<String> {
        let now = i64::try_from(self.now.epoch_seconds()).unwrap_or(i64::MAX);
        leftovers(self.replica.cib()).iter().map(|one| one.told(now)).collect()
    }

    fn warning_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.fencing_enabled() {
            lines.push("fencing is off: a host that is lost may still run its resources".to_string());
        }
        for (host, reason) in &self.membership.failed_disks {
            lines.push(format!("the disk of {} does not take writes: {reason}", self.replica.uname(*host)));
        }
        lines.extend(self.host_warnings());
        for line in self.planner.warnings() {
            lines.push(line.clone());
        }
        lines.extend(fencing::warnings(self.replica.cib()));
        lines.extend(undriven(self.replica.cib()));
        lines.extend(self.learned.failures.iter().cloned());
        lines
    }
}

/// What is configured, and cannot be run yet.
fn undriven(cib: &Cib) -> Vec<String> {
    let told = |element: Element<'_>| {
        let id = element.id().unwrap_or_default();
        let agent = ["class", "provider", "type"].map(|name| element.attribute(name).unwrap_or_default());
        let is_guest = |meta: Element<'_>| {
            let mut pairs = meta.children_named("nvpair");
            pairs.any(|pair| pair.attribute("name") == Some("remote-node"))
        };
        match element.name() {
            "bundle" => Some(format!("bundle {id} is not started: bundles are not driven yet")),
            "primitive" if agent == ["ocf", "pacemaker", "remote"] => {
                Some(format!("{id} is not connected: remote nodes are not driven yet"))
            }
            "primitive" if element.children_named("meta_attributes").any(is_guest) => {
                Some(format!("{id} does not become a node: guest nodes are not driven yet"))
            }
            _ => None,
        }
    };
    cib.resources().into_iter().flat_map(Element::descendants).filter_map(told).collect()
}
