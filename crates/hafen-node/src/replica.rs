//! The replicated state: what every synchronised member of a view has alike, changed only by ordered messages.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::{Cib, Patchset, Version};
use hafen_protocol::message::{
    Change, Execute, FenceResult, FenceStart, Hello, HostChange, HostStatus, Lineage, OperationRecord,
    OperationResult, ProofLevel, StateVersion,
};
use hafen_protocol::{HostId, Incarnation, MemberId, View};
use serde::{Deserialize, Serialize};

/// Begins the error of a fencing whose end nobody will tell any more.
pub(crate) const OUTCOME_UNKNOWN: &str = "its outcome is unknown";

/// Fencings that are kept on record.
const FENCE_HISTORY_MAXIMUM: usize = 50;

/// How a host stands, seen from the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Configured, and not seen since the cluster's start.
    Unseen,
    /// In the view, and not yet at the coordinator's state.
    Joining,
    /// In the view, at the coordinator's state.
    Member,
    /// In the ring, but its daemon is gone.
    DaemonLost,
    /// Its resources are unaccounted for.
    Unclean {
        /// Why.
        cause: String,
    },
    /// It runs nothing: it left in good order, or it is proven off.
    Down {
        /// How that is known; `None`: it said so itself when it left.
        proof: Option<ProofLevel>,
    },
}

/// What is known about a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// Its name.
    pub uname: String,
    /// The last run of its daemon that was in a view.
    pub incarnation: Option<Incarnation>,
    /// The boot that it was last seen in.
    pub boot_id: String,
    /// How it stands.
    pub standing: Standing,
    /// What runs and ran there.
    pub status: HostStatus,
}

impl HostRecord {
    /// A host that nothing is known of but how it stands.
    pub fn new(uname: &str, standing: Standing) -> HostRecord {
        HostRecord {
            uname: uname.to_owned(),
            incarnation: None,
            boot_id: String::new(),
            standing,
            status: HostStatus::default(),
        }
    }

    /// Whether its daemon is in the view.
    fn is_present(&self) -> bool {
        matches!(self.standing, Standing::Joining | Standing::Member | Standing::DaemonLost)
    }
}

/// A fencing that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceEntry {
    /// What was ordered.
    pub start: FenceStart,
    /// How it ended.
    pub result: FenceResult,
}

/// A resource that may have arrived on a host, which the host itself may have forgotten with its daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The order to the migration's source.
    pub order: Execute,
    /// The boot of the target.
    pub boot_id: String,
    /// What was on record for the resource at the target: another record tells how it went.
    pub operations: BTreeMap<String, OperationRecord>,
}

/// The part of the state that neither the configuration nor the members' own words carry; it travels in a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// The configured hosts.
    #[serde(default)]
    pub configured: BTreeMap<HostId, String>,
    /// Hosts without a member in the view that has greeted.
    pub absent: BTreeMap<HostId, HostRecord>,
    /// Resources that may have arrived on hosts that speak for themselves.
    #[serde(default)]
    pub arriving: Arrivals,
    /// Fencings in flight.
    pub fencings: BTreeMap<String, FenceStart>,
    /// Fencings that ended, the oldest first.
    pub fence_history: Vec<FenceEntry>,
    /// Whether this cluster has planned since its start.
    pub seasoned: bool,
}

/// By host and resource.
pub type Arrivals = BTreeMap<HostId, BTreeMap<String, Arrival>>;

/// Why a change did not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It starts from another state; its origin may make it again.
    Stale,
    /// It started from this state and led to another one than its origin's: the replicas differ.
    Diverged(String),
}

/// The replicated state.
#[derive(Debug, Clone)]
pub struct Replica {
    cib: Cib,
    digest: String,
    /// Under which coordinator the last change was made.
    pub lineage: Lineage,
    /// The configured hosts: majorities are counted over these.
    pub configured: BTreeMap<HostId, String>,
    /// All configured hosts, and others that are here.
    pub hosts: BTreeMap<HostId, HostRecord>,
    /// Fencings in flight.
    pub fencings: BTreeMap<String, FenceStart>,
    /// Fencings that ended, the oldest first.
    pub fence_history: Vec<FenceEntry>,
    /// Whether this cluster has planned since its start.
    pub seasoned: bool,
}

/// Whether a fencing counts on its target's own watchdog, perhaps after other devices.
fn by_watchdog(start: &FenceStart) -> bool {
    start.levels.iter().flatten().any(|device| device.agent == crate::fencing::WATCHDOG_AGENT)
}

impl Replica {
    /// The state of a daemon that starts: what its disk held, and no host seen.
    pub fn new(mut cib: Cib, lineage: Lineage, hosts: &BTreeMap<HostId, String>) -> Replica {
        let digest = cib.refresh_digest();
        let records = hosts.iter().map(|(&host, uname)| (host, HostRecord::new(uname, Standing::Unseen)));
        Replica {
            cib,
            digest,
            lineage,
            configured: hosts.clone(),
            hosts: records.collect(),
            fencings: BTreeMap::new(),
            fence_history: Vec::new(),
            seasoned: false,
        }
    }

    /// The configuration; its status section is empty.
    pub fn cib(&self) -> &Cib {
        &self.cib
    }

    /// The configuration's digest.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Where this state stands in a merge.
    pub fn version(&self) -> StateVersion {
        let Version { admin_epoch, epoch, num_updates } = self.cib.version();
        StateVersion { admin_epoch, lineage: self.lineage, epoch, num_updates }
    }

    /// A host's name; its number where it is not known.
    pub fn uname(&self, host: HostId) -> String {
        self.hosts.get(&host).map_or_else(|| host.to_string(), |record| record.uname.clone())
    }

    /// A host by its name.
    pub fn host_by_name(&self, uname: &str) -> Option<HostId> {
        self.hosts.iter().find(|(_, record)| record.uname == uname).map(|(&host, _)| host)
    }

    /// What a copy carries beside the configuration, where these hosts speak for themselves.
    pub fn shared(&self, present: &BTreeSet<HostId>) -> Shared {
        let absent = self.hosts.iter().filter(|(host, _)| !present.contains(host));
        Shared {
            configured: self.configured.clone(),
            arriving: self.arrivals(|host| present.contains(host)),
            absent: absent.map(|(&host, record)| (host, record.clone())).collect(),
            fencings: self.fencings.clone(),
            fence_history: self.fence_history.clone(),
            seasoned: self.seasoned,
        }
    }

    /// Takes over a coordinator's copy. Hosts of the view keep what they said of themselves.
    pub fn install(&mut self, mut cib: Cib, lineage: Lineage, shared: Shared) {
        self.digest = cib.refresh_digest();
        self.cib = cib;
        self.lineage = lineage;
        // A host that was removed meanwhile is known to neither.
        let known = |host: &HostId| shared.configured.contains_key(host) || shared.absent.contains_key(host);
        self.hosts.retain(|host, record| known(host) || record.is_present());
        self.configured = shared.configured;
        self.hosts.extend(shared.absent);
        self.carry_arrivals(shared.arriving);
        self.fencings = shared.fencings;
        self.fence_history = shared.fence_history;
        self.seasoned = shared.seasoned;
    }

    /// What a new view alone tells, before its members have spoken. Returns a sentence for each host that is lost,
    /// and for each fencing that nobody carries out any more.
    pub fn enter_view(&mut self, view: &View) -> Vec<(HostId, String)> {
        let mut told = Vec::new();
        for (&host, record) in &mut self.hosts {
            let running =
                matches!(record.standing, Standing::Joining | Standing::Member | Standing::DaemonLost);
            if let Some(&incarnation) = view.members.get(&host) {
                // Whatever was known of it is over: should it be lost before it has greeted here, it may already have
                // been given something to run by those whom it did greet.
                if !matches!(record.standing, Standing::Joining | Standing::Member) {
                    record.standing = Standing::Joining;
                }
                record.incarnation = Some(incarnation);
                continue;
            }
            if !view.hosts.contains(&host) {
                if running {
                    let cause = "lost from the view".to_string();
                    told.push((host, format!("{} left the ring without a word", record.uname)));
                    record.standing = Standing::Unclean { cause };
                }
            } else if matches!(record.standing, Standing::Joining | Standing::Member | Standing::Unseen) {
                told.push((host, format!("the daemon of {} is gone, its host is in the ring", record.uname)));
                record.standing = Standing::DaemonLost;
            }
        }
        let left = |replica: &Replica, start: &FenceStart| {
            format!("{} left while it did it", replica.uname(start.by.host))
        };
        told.extend(self.void_fencings(|start| !view.contains(start.by), left));
        // A watchdog ends only a host that stays away: one that is back may have been fed all the time.
        let back = |start: &FenceStart| view.members.contains_key(&start.target) && by_watchdog(start);
        told.extend(self.void_fencings(back, |_, start| {
            format!("{} came back before its watchdog's time had passed", start.target_uname)
        }));
        told
    }

    fn arrivals(&self, wanted: impl Fn(&HostId) -> bool) -> Arrivals {
        let mut arrivals = Arrivals::new();
        for (&host, record) in self.hosts.iter().filter(|(host, _)| wanted(host)) {
            for (resource, order) in &record.status.arriving {
                let arrival = Arrival {
                    order: order.clone(),
                    boot_id: record.boot_id.clone(),
                    operations: operations_of(&record.status, resource),
                };
                arrivals.entry(host).or_default().insert(resource.clone(), arrival);
            }
        }
        arrivals
    }

    /// What others know of a host beside its own word: what may have arrived there in the same boot, unless the host
    /// has since found out.
    fn carry_arrivals(&mut self, arrivals: Arrivals) {
        for (host, arrivals) in arrivals {
            let Some(record) = self.hosts.get_mut(&host) else { continue };
            for (resource, arrival) in arrivals {
                let undecided = operations_of(&record.status, &resource) == arrival.operations;
                if undecided && record.boot_id == arrival.boot_id {
                    record.status.arriving.entry(resource).or_insert(arrival.order);
                }
            }
        }
    }

    /// What the members of a view said of themselves. `synchronised` are at the coordinator's state already; one of
    /// them (`knows`) also has what the others know of each.
    pub fn greet(
        &mut self,
        hellos: &BTreeMap<MemberId, Hello>,
        synchronised: &BTreeSet<HostId>,
        knows: bool,
    ) {
        let arrivals = if knows { self.arrivals(|_| true) } else { Arrivals::new() };
        for (member, hello) in hellos {
            let standing =
                if synchronised.contains(&member.host) { Standing::Member } else { Standing::Joining };
            let record = HostRecord {
                uname: hello.uname.clone(),
                incarnation: Some(member.incarnation),
                boot_id: hello.boot_id.clone(),
                standing,
                status: hello.status.clone(),
            };
            self.hosts.insert(member.host, record);
        }
        self.carry_arrivals(arrivals);
    }

    /// Applies a change of the configuration, or refuses it; a refused change leaves the state untouched.
    pub fn apply_change(&mut self, change: &Change) -> Result<(), Refusal> {
        if change.base_digest != self.digest {
            return Err(Refusal::Stale);
        }
        if let Some(xml) = &change.patchset {
            let patchset = Patchset::from_xml(xml).map_err(|error| Refusal::Diverged(error.to_string()))?;
            let mut next = self.cib.clone();
            patchset.apply(&mut next).map_err(|error| Refusal::Diverged(error.to_string()))?;
            let digest = next.refresh_digest();
            if digest != change.result_digest {
                let text =
                    format!("the change leads to {digest} here, to {} at its origin", change.result_digest);
                return Err(Refusal::Diverged(text));
            }
            self.cib = next;
            self.digest = digest;
        }
        if let Some(change) = &change.hosts {
            self.change_hosts(change);
        }
        self.lineage = change.lineage;
        Ok(())
    }

    /// A host joins: it has run nothing here, or is here and says so itself. Or it is removed, with its status.
    fn change_hosts(&mut self, change: &HostChange) {
        change.apply(&mut self.configured);
        match change {
            HostChange::Join { host, uname } => match self.hosts.get_mut(host) {
                Some(record) if record.is_present() => {}
                Some(record) => record.uname.clone_from(uname),
                None => {
                    self.hosts.insert(*host, HostRecord::new(uname, Standing::Down { proof: None }));
                }
            },
            HostChange::Remove { host } => {
                if self.hosts.get(host).is_some_and(|record| !record.is_present()) {
                    self.hosts.remove(host);
                }
            }
        }
    }

    /// The engine of the bus told a daemon that knew of no host which ones are configured.
    pub fn begin_with(&mut self, hosts: &BTreeMap<HostId, String>, cib: Cib) {
        self.cib = cib;
        self.digest = self.cib.refresh_digest();
        self.configured.clone_from(hosts);
        for (&host, uname) in hosts {
            self.hosts.entry(host).or_insert_with(|| HostRecord::new(uname, Standing::Unseen));
        }
    }

    /// Members of the view that have not greeted: their hosts are in the ring, and nobody knows what their daemons do.
    /// Returns a sentence for each fencing that nobody carries out any more.
    pub fn go_without(&mut self, silent: &BTreeSet<HostId>) -> Vec<(HostId, String)> {
        for &host in silent {
            let uname = self.configured.get(&host).cloned().unwrap_or_else(|| host.to_string());
            let record =
                self.hosts.entry(host).or_insert_with(|| HostRecord::new(&uname, Standing::DaemonLost));
            record.standing = Standing::DaemonLost;
        }
        self.void_fencings(
            |start| silent.contains(&start.by.host),
            |replica, start| format!("{} left while it did it", replica.uname(start.by.host)),
        )
    }

    /// Fencings whose outcome nobody will tell any more.
    fn void_fencings(
        &mut self,
        is_gone: impl Fn(&FenceStart) -> bool,
        why: impl Fn(&Replica, &FenceStart) -> String,
    ) -> Vec<(HostId, String)> {
        let gone: Vec<String> =
            self.fencings.iter().filter(|(_, start)| is_gone(start)).map(|(id, _)| id.clone()).collect();
        let mut told = Vec::new();
        for id in gone {
            if let Some(start) = self.fencings.remove(&id) {
                let why = why(self, &start);
                let text = format!("the outcome of fencing {} is unknown, since {why}", start.target_uname);
                told.push((start.target, text));
                let error = format!("{OUTCOME_UNKNOWN}: {why}");
                let (id, wall_ms) = (start.id.clone(), start.wall_ms);
                let outcome = Err(error);
                let result =
                    FenceResult { id, outcome, device: None, tried: Vec::new(), took_ms: 0, wall_ms };
                self.keep_fencing(FenceEntry { start, result });
            }
        }
        told
    }

    /// Whether a result is new: results are numbered by their host's executor and count once.
    pub fn is_new_result(&self, host: HostId, result: &OperationResult) -> bool {
        self.hosts.get(&host).is_some_and(|record| result.sequence > record.status.results_through)
    }

    /// Records the end of a fencing. Answers the host that is proven off by it, if one is.
    pub fn fence_ended(&mut self, result: &FenceResult, minimum: ProofLevel) -> Option<HostId> {
        let start = self.fencings.remove(&result.id)?;
        let target = start.target;
        let meant = start.target_incarnation;
        let action_is_off = start.action != "on";
        self.keep_fencing(FenceEntry { start, result: result.clone() });
        let proof = *result.outcome.as_ref().ok()?;
        if proof < minimum || !action_is_off {
            return None;
        }
        self.proven_off(target, meant, proof).then_some(target)
    }

    /// Keeps a fencing on record.
    pub fn keep_fencing(&mut self, entry: FenceEntry) {
        self.fence_history.push(entry);
        if self.fence_history.len() > FENCE_HISTORY_MAXIMUM {
            self.fence_history.remove(0);
        }
    }

    /// Records that a host is off. A newer run of its daemon than the one that is meant is not touched.
    pub fn proven_off(&mut self, target: HostId, meant: Option<Incarnation>, proof: ProofLevel) -> bool {
        let Some(record) = self.hosts.get_mut(&target) else { return false };
        let present = matches!(record.standing, Standing::Joining | Standing::Member);
        if present && record.incarnation != meant {
            return false;
        }
        record.standing = Standing::Down { proof: Some(proof) };
        record.status = HostStatus::default();
        true
    }

    /// Hosts that are proven off: the run of their daemon that is meant, and how it is known.
    pub fn all_proven_off(&self) -> BTreeMap<HostId, (Option<Incarnation>, ProofLevel)> {
        let proven = |record: &HostRecord| match record.standing {
            Standing::Down { proof: Some(proof) } => Some((record.incarnation, proof)),
            _ => None,
        };
        self.hosts.iter().filter_map(|(&host, record)| Some((host, proven(record)?))).collect()
    }

    /// What others know to be proven off counts here too, where the very run is meant that is lost here: who brings the
    /// state of a view need not be who saw the proof.
    pub fn take_proofs(&mut self, hellos: &BTreeMap<MemberId, Hello>) {
        let present: BTreeSet<HostId> = hellos.keys().map(|member| member.host).collect();
        for (&host, &(meant, proof)) in hellos.values().flat_map(|hello| &hello.proven_off) {
            let lost = |record: &HostRecord| {
                matches!(record.standing, Standing::Unclean { .. } | Standing::DaemonLost)
                    && record.incarnation == meant
                    && meant.is_some()
            };
            if !present.contains(&host) && self.hosts.get(&host).is_some_and(lost) {
                self.proven_off(host, meant, proof);
            }
        }
    }

    /// Operations that were ordered on hosts whose answers can still come, and have not ended.
    pub fn awaited_operations(&self) -> usize {
        let answering =
            |record: &&HostRecord| matches!(record.standing, Standing::Member | Standing::Joining);
        self.hosts
            .values()
            .filter(answering)
            .flat_map(|record| record.status.resources.values())
            .map(|history| history.pending.values().filter(|order| order.interval_ms == 0).count())
            .sum()
    }
}

/// What was done once with a resource on a host.
fn operations_of(status: &HostStatus, resource: &str) -> BTreeMap<String, OperationRecord> {
    let operations = status.resources.get(resource).into_iter().flat_map(|history| &history.operations);
    let once = operations.filter(|(_, record)| record.interval_ms == 0);
    once.map(|(id, record)| (id.clone(), record.clone())).collect()
}
