//! What would become of every resource if some hosts were lost and fenced now.

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::Cib;

use crate::date::Seconds;
use crate::input::status::base_name;
use crate::ledger::{Change, Entry, Reason};
use crate::lose::{Gone, without_host};
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Role, Task, Variant};
use crate::order::relation::UNRUNNABLE_FIRST_BLOCKS;
use crate::run::{self, Options};
use crate::score::INFINITY;

/// How many causes a forecast gives for one resource on one host.
const CAUSES_MAXIMUM: usize = 3;

/// What would happen if hosts were fenced now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// The hosts that are lost in it, as the CIB spells them.
    pub lost_hosts: Vec<String>,
    /// Names that are no hosts of this cluster; they were passed over.
    pub unknown_hosts: Vec<String>,
    /// Whether the remaining hosts count as quorate: as the CIB says about the present ones.
    pub have_quorum: bool,
    /// What the lost hosts run, and what changes on the others because of that; by name.
    pub resources: Vec<ResourceForecast>,
}

/// What becomes of one resource. A clone with interchangeable instances has one for each host that loses one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceForecast {
    /// The resource's id.
    pub resource: String,
    /// Its agent's class.
    pub class: String,
    /// Its agent's type.
    pub agent_type: String,
    /// The host where it runs now.
    pub from: String,
    /// Whether that host is one of the lost.
    pub lost: bool,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a resource whose host is lost, or that has to make room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It starts there.
    Starts {
        /// The host's name.
        host: String,
    },
    /// It would start there, but waits.
    Waits {
        /// The host's name.
        host: String,
        /// For what.
        reason: String,
    },
    /// Its clone goes on with the other instances, and none takes its place.
    GoesOnWithout {
        /// Where the others run.
        hosts: Vec<String>,
    },
    /// It can run nowhere.
    Nowhere {
        /// Why, host by host; the host is `None` where the cause is the same everywhere.
        reasons: Vec<Hindrance>,
    },
}

/// Why a resource cannot run on a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hindrance {
    /// The host; `None`: any.
    pub host: Option<String>,
    /// The constraint's, rule's or property's id, where there is one.
    pub source: Option<String>,
    /// Why, in words.
    pub reason: String,
}

/// A resource's name in a forecast, where it is active, and the resources of that name.
type Places = BTreeMap<String, (Vec<String>, Vec<ResourceId>)>;

/// Plays the loss and the fencing of hosts. `now` is in seconds since 1970.
///
/// The copy of the CIB that is planned for has those hosts proven off. Whether the remaining ones have quorum then is not
/// known here: `have-quorum` stays as it is, and whoever knows better sets it in the CIB before.
#[must_use]
pub fn forecast(cib: &Cib, now: u64, lost_hosts: &[String]) -> Forecast {
    let now = Seconds::try_from(now).unwrap_or(Seconds::MAX);
    let mut changed = cib.clone();
    let mut result = Forecast::default();
    for uname in lost_hosts {
        match without_host(&changed, uname, Gone::Fenced) {
            Some(next) => {
                changed = next;
                let spelled = cib.configured_nodes().find(|node| node.uname().eq_ignore_ascii_case(uname));
                result.lost_hosts.extend(spelled.map(|node| node.uname().to_owned()));
            }
            None => result.unknown_hosts.push(uname.clone()),
        }
    }
    let before = run::unpack(cib, now, Options::default());
    let mut after = run::unpack(&changed, now, Options { explain: true, ..Options::default() });
    after.run_all();
    result.have_quorum = after.properties.have_quorum;
    let (places_before, places_after) = (before.places_now(), after.places_planned());
    for (name, (hosts, members)) in &places_before {
        let Some(&member) = members.first() else { continue };
        let empty = (Vec::new(), Vec::new());
        let (then, _) = places_after.get(name).unwrap_or(&empty);
        let mut fresh: Vec<&String> = then.iter().filter(|host| !hosts.contains(*host)).collect();
        fresh.reverse();
        for host in hosts {
            let lost = result.lost_hosts.contains(host);
            if !lost && then.contains(host) {
                continue;
            }
            let fate = after.fate(name, fresh.pop(), then);
            let known = before.rsc(member);
            result.resources.push(ResourceForecast {
                resource: name.clone(),
                class: known.class.clone(),
                agent_type: known.type_.clone(),
                from: host.clone(),
                lost,
                fate,
            });
        }
    }
    result
}

impl Cluster<'_> {
    /// The name under which interchangeable instances are one.
    pub(crate) fn shared_name(&self, resource: ResourceId) -> String {
        let known = self.rsc(resource);
        let anonymous = self.clone_of(resource).is_some_and(|clone| !self.rsc(clone).unique);
        if anonymous { base_name(&known.id).to_owned() } else { known.id.clone() }
    }

    fn places_of(&self, hosts: impl Fn(ResourceId) -> Vec<NodeIndex>) -> Places {
        let mut places = Places::new();
        for resource in self.resource_ids() {
            if self.rsc(resource).variant != Variant::Primitive {
                continue;
            }
            let hosts = hosts(resource);
            if hosts.is_empty() {
                continue;
            }
            let place = places.entry(self.shared_name(resource)).or_default();
            place.0.extend(hosts.into_iter().map(|node| self.node(node).uname.clone()));
            place.1.push(resource);
        }
        for (hosts, _) in places.values_mut() {
            hosts.sort();
            hosts.dedup();
        }
        places
    }

    pub(crate) fn places_now(&self) -> Places {
        self.places_of(|resource| self.rsc(resource).running_on.clone())
    }

    pub(crate) fn places_planned(&self) -> Places {
        self.places_of(|resource| {
            let known = self.rsc(resource);
            known.assigned_to.filter(|_| known.next_role.is_active()).into_iter().collect()
        })
    }

    fn resources_named(&self, name: &str) -> Vec<ResourceId> {
        self.resource_ids()
            .filter(|resource| self.rsc(*resource).variant == Variant::Primitive)
            .filter(|resource| self.shared_name(*resource) == name)
            .collect()
    }

    pub(crate) fn fate(&self, name: &str, place: Option<&String>, others: &[String]) -> Fate {
        let members = self.resources_named(name);
        let Some(host) = place else {
            if !others.is_empty() {
                return Fate::GoesOnWithout { hosts: others.to_vec() };
            }
            let member = members.iter().copied().find(|member| !self.rsc(*member).orphan_filler);
            let reasons = member.or(members.first().copied()).map(|member| self.hindrances(member));
            return Fate::Nowhere { reasons: reasons.unwrap_or_default() };
        };
        let start =
            members.iter().flat_map(|member| self.rsc(*member).actions.iter().copied()).find(|action| {
                let known = self.act(*action);
                known.task == Task::Start && known.node.is_some_and(|node| self.node(node).uname == *host)
            });
        match start.filter(|start| !self.act(*start).runnable) {
            None => Fate::Starts { host: host.clone() },
            Some(start) => Fate::Waits { host: host.clone(), reason: self.what_blocks(start) },
        }
    }

    fn what_blocks(&self, start: ActionId) -> String {
        if !self.properties.have_quorum {
            return "the remaining hosts have no quorum".to_owned();
        }
        let blocking = self
            .act(start)
            .before
            .iter()
            .find(|(first, flags)| flags & UNRUNNABLE_FIRST_BLOCKS != 0 && !self.act(*first).runnable);
        match blocking.map(|(first, _)| (*first, self.act(*first))) {
            Some((id, first)) => match first.resource {
                Some(resource) => {
                    format!("{} of {} is not possible", self.task_name(first.task), self.rsc(resource).id)
                }
                None => format!("{} is not possible", self.key_of(id)),
            },
            None => "its start is not possible there".to_owned(),
        }
    }

    /// Why a resource that is placed nowhere is kept off each host.
    fn hindrances(&self, resource: ResourceId) -> Vec<Hindrance> {
        let everywhere = |source: &str, reason: &str| {
            vec![Hindrance { host: None, source: Some(source.to_owned()), reason: reason.to_owned() }]
        };
        let own = |name: &str| Hindrance { host: Some(name.to_owned()), source: None, reason: String::new() };
        if self.target_role(resource) == Some(Role::Stopped) {
            return everywhere("target-role", "it is configured to be stopped");
        }
        if self.properties.stop_all && !self.rsc(resource).stonith_device {
            return everywhere("stop-all-resources", "everything is configured to be stopped");
        }
        let mut reasons = Vec::new();
        for node in self.node_indices() {
            let known = self.node(node);
            if known.ping || known.remote {
                continue;
            }
            let weight = self.rsc(resource).allowed[node.at()];
            if let Some(why) = self.unavailable(node) {
                reasons.push(Hindrance { reason: why.to_owned(), ..own(&known.uname) });
            } else if !weight.present {
                let reason = "no location constraint allows it there".to_owned();
                reasons.push(Hindrance { reason, ..own(&known.uname) });
            } else if weight.score < 0 {
                reasons.extend(self.what_bans(resource, node));
            }
        }
        if reasons.is_empty() {
            return everywhere("", "what it depends on is not placed");
        }
        reasons
    }

    pub(crate) fn unavailable(&self, node: NodeIndex) -> Option<&'static str> {
        let known = self.node(node);
        Some(match () {
            () if known.unclean => "the host's state is not known: it has to be fenced",
            () if !known.online => "the host is offline",
            () if known.shutdown => "the host is shutting down",
            () if known.pending => "the host is still joining",
            () if known.standby => "the host is in standby",
            () if known.maintenance => "the host is in maintenance",
            () => return None,
        })
    }

    /// What gave a resource, or what contains it, less than nothing on a node.
    fn what_bans(&self, resource: ResourceId, node: NodeIndex) -> Vec<Hindrance> {
        let host = &self.node(node).uname;
        let mut chain = BTreeSet::new();
        let mut at = Some(resource);
        while let Some(id) = at {
            chain.insert(self.rsc(id).id.as_str());
            at = self.rsc(id).parent;
        }
        let ledger = self.ledger();
        let contributions = ledger.entries.iter().filter_map(|entry| {
            let amount = match entry.change {
                Change::Add(amount) => amount,
                Change::Set(value) => value,
            };
            let counts = entry.node == *host && amount < 0 && chain.contains(entry.resource.as_str());
            counts.then_some((amount, entry))
        });
        let (bans, others): (Vec<_>, Vec<_>) = contributions.partition(|(amount, _)| *amount <= -INFINITY);
        let mut found: Vec<Hindrance> = Vec::new();
        for (_, entry) in if bans.is_empty() { others } else { bans } {
            let hindrance = Hindrance {
                host: Some(host.clone()),
                source: Some(entry.source.clone()).filter(|source| !source.is_empty()),
                reason: in_words(entry).to_owned(),
            };
            if !found.contains(&hindrance) && found.len() < CAUSES_MAXIMUM {
                found.push(hindrance);
            }
        }
        if found.is_empty() {
            found.push(Hindrance {
                host: Some(host.clone()),
                source: None,
                reason: "its score is below zero there".to_owned(),
            });
        }
        found
    }
}

fn in_words(entry: &Entry) -> &'static str {
    match &entry.reason {
        Reason::FailureThreshold | Reason::FailedOperation => "it failed there too often",
        Reason::FailedStop => "its stop failed there",
        Reason::Ticket => "its ticket is missing",
        Reason::Health => "the host is not healthy",
        Reason::ShutdownLock => "it is locked to the host that was shut down",
        Reason::Capacity => "not enough capacity left",
        Reason::Location => "a location constraint keeps it off",
        Reason::ColocatedWith { .. } | Reason::Wish { .. } if entry.source == "#group-members" => {
            "another member of its group cannot run there"
        }
        Reason::ColocatedWith { .. } | Reason::Wish { .. } => "a colocation constraint keeps it off",
        Reason::ExclusiveDiscovery => "resource-discovery confines it to other hosts",
        Reason::MultiplyActive => "it is active on several hosts",
        Reason::Orphan => "it is no longer configured",
        Reason::Stopped => "it is to be stopped",
        Reason::NodeClosed | Reason::NodeFull | Reason::InstanceLimit => "no further instance may run there",
        Reason::NodeScore
        | Reason::Stickiness
        | Reason::Unmanaged
        | Reason::WishesCut
        | Reason::PromotionScore
        | Reason::PromotionOrder => "its score is below zero there",
    }
}

#[cfg(test)]
pub(crate) mod tests;
