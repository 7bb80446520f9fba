//! The replicated state: what every synchronised member of a view has alike, changed only by ordered messages.

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::{Cib, Patchset, Version};
use hafen_protocol::message::{
    Change, FenceResult, FenceStart, Hello, HostStatus, Lineage, OperationResult, ProofLevel, StateVersion,
};
use hafen_protocol::{HostId, Incarnation, MemberId, View};
use serde::{Deserialize, Serialize};

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

/// A fencing that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceEntry {
    /// What was ordered.
    pub start: FenceStart,
    /// How it ended.
    pub result: FenceResult,
}

/// The part of the state that neither the configuration nor the members' own words carry; it travels in a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// Hosts without a member in the view.
    pub absent: BTreeMap<HostId, HostRecord>,
    /// Fencings in flight.
    pub fencings: BTreeMap<String, FenceStart>,
    /// Fencings that ended, the oldest first.
    pub fence_history: Vec<FenceEntry>,
    /// Whether this cluster has planned since its start.
    pub seasoned: bool,
}

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
    /// All configured hosts.
    pub hosts: BTreeMap<HostId, HostRecord>,
    /// Fencings in flight.
    pub fencings: BTreeMap<String, FenceStart>,
    /// Fencings that ended, the oldest first.
    pub fence_history: Vec<FenceEntry>,
    /// Whether this cluster has planned since its start.
    pub seasoned: bool,
}

impl Replica {
    /// The state of a daemon that starts: what its disk held, and no host seen.
    pub fn new(mut cib: Cib, lineage: Lineage, hosts: &BTreeMap<HostId, String>) -> Replica {
        let hosts = hosts
            .iter()
            .map(|(&host, uname)| {
                let record = HostRecord {
                    uname: uname.clone(),
                    incarnation: None,
                    boot_id: String::new(),
                    standing: Standing::Unseen,
                    status: HostStatus::default(),
                };
                (host, record)
            })
            .collect();
        let digest = cib.refresh_digest();
        Replica {
            cib,
            digest,
            lineage,
            hosts,
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

    /// What a copy carries beside the configuration, in this view.
    pub fn shared(&self, view: &View) -> Shared {
        let absent = self.hosts.iter().filter(|(host, _)| !view.members.contains_key(host));
        Shared {
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
        self.hosts.extend(shared.absent);
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
        let gone: Vec<String> = self
            .fencings
            .iter()
            .filter(|(_, start)| !view.contains(start.by))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            if let Some(start) = self.fencings.remove(&id) {
                let by = self.uname(start.by.host);
                let text = format!(
                    "the outcome of fencing {} is unknown, since {by} left while it did it",
                    start.target_uname
                );
                told.push((start.target, text));
            }
        }
        told
    }

    /// What the members of a view said of themselves. `synchronised` are at the coordinator's state already.
    pub fn greet(&mut self, hellos: &BTreeMap<MemberId, Hello>, synchronised: &BTreeSet<HostId>) {
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
        self.lineage = change.lineage;
        Ok(())
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
        self.fence_history.push(FenceEntry { start, result: result.clone() });
        if self.fence_history.len() > FENCE_HISTORY_MAXIMUM {
            self.fence_history.remove(0);
        }
        let proof = *result.outcome.as_ref().ok()?;
        if proof < minimum || !action_is_off {
            return None;
        }
        self.proven_off(target, meant, proof).then_some(target)
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
