//! This host: what its executor holds, what it was told to run, and what it has not yet told the others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hafen_protocol::message::{Execute, FenceResult, HostStatus, Message, OperationResult};
use serde::{Deserialize, Serialize};

use super::Node;
use crate::api::{Identity, Output};
use crate::history;
use crate::membership::Phase;
use crate::properties;
use crate::replica::Replica;

/// Names a recurring operation.
type RecurringKey = (String, String, u64);

/// What a next run of the daemon in the same boot must know of this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The boot that it belongs to.
    pub boot_id: String,
    /// What runs and ran on this host.
    pub status: HostStatus,
    /// The recurring operations that were set up.
    pub recurring: Vec<Execute>,
    /// Whether the cluster had planned.
    #[serde(default)]
    pub seasoned: bool,
    /// Whether this host has been in a ring with quorum and another host since it booted.
    #[serde(default)]
    pub seen_quorum: bool,
    /// Whether this boot is to end by the host's own watchdog.
    #[serde(default)]
    pub doomed: bool,
}

/// This member's own host.
#[derive(Debug, Default)]
pub(super) struct Local {
    /// Whether the executor can be told anything.
    connected: bool,
    /// Whether it has said what it holds since this daemon started.
    known: bool,
    /// Whether this view was greeted.
    greeted: bool,
    /// Orders that wait for the executor.
    runs: VecDeque<Execute>,
    recurring: BTreeMap<RecurringKey, Execute>,
    /// Results that did not come back in the total order yet, by their numbers.
    results: BTreeMap<u64, OperationResult>,
    results_said: BTreeSet<u64>,
    fence_results: BTreeMap<String, FenceResult>,
    fence_results_said: BTreeSet<String>,
    was_seasoned: bool,
    seen_quorum: bool,
    watchdog: Option<(bool, u64)>,
    /// This host is being fenced by its own watchdog: it is not fed again.
    doomed: bool,
    leaving: bool,
    leaving_said: bool,
    changed: bool,
}

impl Local {
    /// What an earlier run of the daemon in this boot of the host knew.
    pub(super) fn recall(remembered: Option<&[u8]>, identity: &Identity, replica: &mut Replica) -> Local {
        let mut local = Local::default();
        let recalled = remembered.and_then(|bytes| serde_json::from_slice::<Remembered>(bytes).ok());
        if let Some(recalled) = recalled.filter(|recalled| recalled.boot_id == identity.boot_id)
            && let Some(record) = replica.hosts.get_mut(&identity.host)
        {
            record.status = recalled.status;
            // It was the earlier run that was to leave; this one was started.
            record.status.attributes.remove("shutdown");
            local.was_seasoned = recalled.seasoned;
            local.seen_quorum = recalled.seen_quorum;
            local.doomed = recalled.doomed;
            local.recurring =
                recalled.recurring.into_iter().map(|order| (recurring_key(&order), order)).collect();
        }
        local
    }

    /// Whether the executor has said what it holds.
    pub(super) fn knows_its_host(&self) -> bool {
        self.known
    }

    /// Whether an earlier run of the daemon in this boot was in a cluster that had planned.
    pub(super) fn was_seasoned(&self) -> bool {
        self.was_seasoned
    }

    /// This host is in a ring with quorum and another host.
    pub(super) fn seen_quorum_with_others(&mut self) {
        self.changed |= !self.seen_quorum;
        self.seen_quorum = true;
    }

    /// Whether this host may fence others. One that has just booted may have been fenced itself, and must not
    /// shoot back before it has seen its cluster, or an operator has said that the others are off.
    pub(super) fn may_fence(&self) -> bool {
        self.seen_quorum
    }

    /// This host is to end by its own watchdog.
    pub(super) fn doom(&mut self) {
        self.doomed = true;
        self.changed = true;
    }

    /// Whether the view can be greeted now; true once a view.
    pub(super) fn take_greeting(&mut self) -> bool {
        let now = self.known && !self.greeted;
        self.greeted |= now;
        now
    }

    /// What was said in the old view and did not come back may be lost.
    pub(super) fn view_changed(&mut self) {
        self.greeted = false;
        self.results_said.clear();
        self.fence_results_said.clear();
        self.leaving_said = false;
    }

    /// This member may speak in the view.
    pub(super) fn synchronised(&mut self) {
        self.changed = true;
    }

    /// What is to be remembered has changed.
    pub(super) fn changed(&mut self) {
        self.changed = true;
    }

    /// An own result came back in the total order: all who are here have it.
    pub(super) fn result_delivered(&mut self, sequence: u64) {
        self.results.remove(&sequence);
        self.results_said.remove(&sequence);
    }

    /// An own fencing's end came back in the total order.
    pub(super) fn fence_result_delivered(&mut self, id: &str) {
        self.fence_results.remove(id);
        self.fence_results_said.remove(id);
    }
}

impl Node {
    /// The executor is connected: bring together what it holds and what is on record.
    pub(super) fn executor_connected(
        &mut self,
        accepted: &[Execute],
        results: Vec<OperationResult>,
        recovered: bool,
    ) {
        let first = !self.local.known;
        self.local.connected = true;
        self.local.known = true;
        let cause = if recovered { "a new executor, which ended what the last one ran" } else { "connected" };
        self.event("executor", "", format!("the executor runs {} operations", accepted.len()), cause);
        for result in results {
            self.operation_ended(result);
        }
        self.reconcile_pending(accepted, first);
        self.reconcile_recurring(accepted);
        while let Some(order) = self.local.runs.pop_front() {
            self.run_here(order);
        }
        self.greet_if_ready();
    }

    /// Orders on record that the executor never got: a new daemon forgets them, since they never began; the daemon that
    /// gave them gives them again.
    fn reconcile_pending(&mut self, accepted: &[Execute], first: bool) {
        let mine = self.me().host;
        let Some(record) = self.replica.hosts.get_mut(&mine) else { return };
        let known: BTreeSet<&str> = accepted
            .iter()
            .map(|order| order.transition_key.as_str())
            .chain(self.local.results.values().map(|result| result.order.transition_key.as_str()))
            .chain(self.local.runs.iter().map(|order| order.transition_key.as_str()))
            .collect();
        let lost: Vec<Execute> = record
            .status
            .resources
            .values()
            .flat_map(|history| history.pending.values())
            .filter(|order| order.interval_ms == 0 && !known.contains(order.transition_key.as_str()))
            .cloned()
            .collect();
        for order in accepted.iter().filter(|order| order.interval_ms == 0) {
            let on_record = record
                .status
                .resources
                .get(&order.resource)
                .is_some_and(|history| history.pending.contains_key(&order.operation_key));
            if first && !on_record {
                history::record_pending(&mut record.status, order);
            }
        }
        for order in lost {
            if first {
                if let Some(record) = self.replica.hosts.get_mut(&mine) {
                    history::drop_pending(&mut record.status, &order);
                }
                let text = format!("{} {} was ordered and never began", order.task, order.resource);
                self.event(
                    "forgotten",
                    &order.resource,
                    text,
                    "the daemon ended before it told the executor",
                );
            } else {
                self.run_here(order);
            }
        }
        self.local.changed = true;
    }

    /// Recurring operations that the executor lost are set up again; those that nobody wants any more are ended.
    fn reconcile_recurring(&mut self, accepted: &[Execute]) {
        let held: BTreeSet<RecurringKey> =
            accepted.iter().filter(|order| order.interval_ms > 0).map(recurring_key).collect();
        let missing: Vec<Execute> = self
            .local
            .recurring
            .iter()
            .filter(|(key, _)| !held.contains(*key))
            .map(|(_, order)| order.clone())
            .collect();
        for order in missing {
            self.outputs.push_back(Output::Run(Box::new(order)));
        }
        for (resource, task, interval_ms) in held {
            if !self.local.recurring.contains_key(&(resource.clone(), task.clone(), interval_ms)) {
                self.outputs.push_back(Output::Cancel { resource, task, interval_ms });
            }
        }
    }

    /// The connection to the executor broke. What it runs goes on.
    pub(super) fn executor_lost(&mut self) {
        self.local.connected = false;
        self.event("executor", "", "the connection to the executor broke", "the executor ended or hangs");
    }

    /// Runs an order here; remembered before the executor hears of it.
    pub(super) fn run_here(&mut self, order: Execute) {
        if !self.local.connected {
            self.local.runs.push_back(order);
            return;
        }
        if matches!(order.task.as_str(), "stop" | "demote" | "promote" | "migrate_to") {
            self.cancel_recurring(&order.resource);
        }
        if order.interval_ms > 0 {
            self.local.recurring.insert(recurring_key(&order), order.clone());
        }
        self.remember();
        self.outputs.push_back(Output::Run(Box::new(order)));
    }

    /// Forgets here what the order forgot on record.
    pub(super) fn forget_here(&mut self, resource: &str, operation: Option<&(String, u64)>) {
        match operation {
            Some((task, interval_ms)) => {
                let key = (resource.to_string(), task.clone(), *interval_ms);
                self.local.recurring.remove(&key);
                let (resource, task, interval_ms) = key;
                self.outputs.push_back(Output::Cancel { resource, task, interval_ms });
            }
            None => self.cancel_recurring(resource),
        }
        self.local.changed = true;
    }

    fn cancel_recurring(&mut self, resource: &str) {
        let keys: Vec<RecurringKey> =
            self.local.recurring.keys().filter(|key| key.0 == resource).cloned().collect();
        for key in keys {
            self.local.recurring.remove(&key);
            let (resource, task, interval_ms) = key;
            self.outputs.push_back(Output::Cancel { resource, task, interval_ms });
        }
    }

    /// An operation ended here: the others must hear of it, in the total order.
    pub(super) fn operation_ended(&mut self, result: OperationResult) {
        let through =
            self.replica.hosts.get(&self.me().host).map_or(0, |record| record.status.results_through);
        if result.sequence <= through {
            self.outputs.push_back(Output::AcknowledgeResults { through });
            return;
        }
        self.local.results.insert(result.sequence, result);
    }

    /// A fencing that this member did has ended.
    pub(super) fn fence_ended_here(&mut self, result: FenceResult) {
        self.local.fence_results.insert(result.id.clone(), result);
    }

    /// The coordinator has seen this host empty: it may go.
    pub(super) fn shutdown_ordered(&mut self, host: hafen_protocol::HostId) {
        if host == self.me().host {
            self.local.leaving = true;
        }
    }

    /// The watchdog may be fed while there is quorum, or nothing runs here, or policy permits to go on without; never
    /// again when this host is to end by it. Where the others count on watchdogs no policy permits it: they take what
    /// runs on a host that they have lost for ended after `stonith-watchdog-timeout`.
    fn step_watchdog(&mut self) {
        let cib = self.replica.cib();
        let runs_nothing = || {
            let record = self.replica.hosts.get(&self.me().host);
            record.is_none_or(|record| !record.status.resources.values().any(history::is_active))
        };
        let timeout_ms = properties::watchdog_device_timeout_ms(cib);
        let policy = cib.property("no-quorum-policy");
        let permits = timeout_ms == 0 && matches!(policy, Some("ignore" | "freeze"));
        let feed = !self.local.doomed && (self.quorate() || permits || runs_nothing());
        if self.local.watchdog != Some((feed, timeout_ms)) {
            self.local.watchdog = Some((feed, timeout_ms));
            self.outputs.push_back(Output::Watchdog { feed, timeout_ms });
        }
    }

    /// Says what did not come back yet, and remembers what changed.
    pub(super) fn step_local(&mut self) {
        self.step_watchdog();
        if self.membership.phase == Phase::Synchronised {
            self.say_results();
            if self.local.leaving && !self.local.leaving_said {
                self.local.leaving_said = self.say(&Message::Leaving);
            }
        }
        if self.local.changed {
            self.remember();
        }
    }

    fn say_results(&mut self) {
        let unsaid: Vec<OperationResult> = self
            .local
            .results
            .iter()
            .filter(|(sequence, _)| !self.local.results_said.contains(*sequence))
            .map(|(_, result)| result.clone())
            .collect();
        for result in unsaid {
            let sequence = result.sequence;
            if !self.say(&Message::Result(Box::new(result))) {
                return;
            }
            self.local.results_said.insert(sequence);
        }
        let unsaid: Vec<FenceResult> = self
            .local
            .fence_results
            .iter()
            .filter(|(id, _)| !self.local.fence_results_said.contains(*id))
            .map(|(_, result)| result.clone())
            .collect();
        for result in unsaid {
            let id = result.id.clone();
            if !self.say(&Message::FenceResult(Box::new(result))) {
                return;
            }
            self.local.fence_results_said.insert(id);
        }
    }

    /// Puts out what a next run of this daemon must know.
    pub(super) fn remember(&mut self) {
        self.local.changed = false;
        let Some(record) = self.replica.hosts.get(&self.me().host) else { return };
        let remembered = Remembered {
            boot_id: self.identity.boot_id.clone(),
            status: record.status.clone(),
            recurring: self.local.recurring.values().cloned().collect(),
            seasoned: self.replica.seasoned || self.local.was_seasoned,
            seen_quorum: self.local.seen_quorum,
            doomed: self.local.doomed,
        };
        if let Ok(bytes) = serde_json::to_vec(&remembered) {
            self.outputs.push_back(Output::Remember(bytes));
        }
    }
}

fn recurring_key(order: &Execute) -> RecurringKey {
    (order.resource.clone(), order.task.clone(), order.interval_ms)
}
