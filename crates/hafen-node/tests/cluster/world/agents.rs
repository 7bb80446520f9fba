//! Agents: they work, unless they are told to fail, and what is under way is counted.

use std::collections::BTreeMap;

use hafen_node::api::Input;
use hafen_protocol::message::{Execute, OperationResult};
use hafen_protocol::{HostId, Incarnation};

use super::{Due, World};

/// How long an agent runs that was not told otherwise.
const AGENT_MS: u64 = 5;

/// What agents are told, and what is seen of them.
#[derive(Default)]
pub(crate) struct Agents {
    /// The exit statuses of what fails, by host, resource and task.
    fails: BTreeMap<(u32, String, String), i32>,
    /// How long an agent runs, if not as long as most.
    pub(crate) takes_ms: Option<u64>,
    /// The orders of recurring operations, by host and operation key.
    recurring: BTreeMap<(HostId, String), Execute>,
    /// How many operations are under way on each host.
    under_way: BTreeMap<HostId, usize>,
    /// The most that were under way at a time, by host.
    pub(crate) most: BTreeMap<u32, usize>,
    /// The most that were under way at a time in the whole cluster.
    pub(crate) most_at_all: usize,
    /// The parameters that each operation was last given, by resource and task.
    pub(crate) parameters: BTreeMap<(String, String), BTreeMap<String, String>>,
    /// What agents tell of the parameters that they cannot take while they run.
    pub(crate) restart_parameters: Option<Vec<String>>,
}

impl Agents {
    /// From now on a task fails on a host.
    pub(crate) fn fail(&mut self, host: u32, resource: &str, task: &str, rc: i32) {
        self.fails.insert((host, resource.to_string(), task.to_string()), rc);
    }

    /// The task works again.
    pub(crate) fn work(&mut self, host: u32, resource: &str, task: &str) {
        self.fails.remove(&(host, resource.to_string(), task.to_string()));
    }

    /// All that was seen is forgotten.
    pub(crate) fn forget_most(&mut self) {
        self.most.clear();
        self.most_at_all = 0;
    }

    /// The recurring operations that a host repeats for a resource, by their intervals.
    pub(crate) fn watched(&self, host: u32, resource: &str) -> Vec<u64> {
        let its = self.recurring.iter().filter(|((on, _), order)| on.0 == host && order.resource == resource);
        its.map(|(_, order)| order.interval_ms).collect()
    }

    pub(super) fn cancelled(&mut self, host: HostId, resource: String, task: String, interval_ms: u64) {
        self.recurring.remove(&(host, format!("{resource}_{task}_{interval_ms}")));
    }

    pub(super) fn power_off(&mut self, host: HostId) {
        self.recurring.retain(|(on, _), _| *on != host);
        self.under_way.remove(&host);
    }

    fn begins(&mut self, host: HostId, order: &Execute) {
        let key = (order.resource.clone(), order.task.clone());
        self.parameters.insert(key, order.parameters.clone());
        if order.interval_ms > 0 {
            self.recurring.insert((host, order.operation_key.clone()), order.clone());
        } else if matches!(order.task.as_str(), "stop" | "migrate_to") {
            // As the executor does.
            self.recurring.retain(|(on, _), kept| *on != host || kept.resource != order.resource);
        }
        let on_host = self.under_way.entry(host).or_default();
        *on_host += 1;
        let most = self.most.entry(host.0).or_default();
        *most = (*most).max(*on_host);
        self.most_at_all = self.most_at_all.max(self.under_way.values().sum());
    }
}

impl World {
    pub(super) fn agent_begins(&mut self, host: HostId, boot: Incarnation, order: Box<Execute>) {
        self.ran.push((host.0, order.task.clone(), order.resource.clone()));
        self.agents.begins(host, &order);
        let takes_ms = self.agents.takes_ms.unwrap_or(AGENT_MS);
        self.later(takes_ms, Due::AgentEnds(host, boot, order));
    }

    pub(super) fn agent_ends(&mut self, host: HostId, order: Box<Execute>) {
        if let Some(under_way) = self.agents.under_way.get_mut(&host) {
            *under_way = under_way.saturating_sub(1);
        }
        let told = (host.0, order.resource.clone(), order.task.clone());
        let failure = self.agents.fails.get(&told).copied();
        let Some(state) = self.hosts.get_mut(&host) else { return };
        let resource = &order.resource;
        let rc = failure.unwrap_or_else(|| match order.task.as_str() {
            "monitor" if !state.active.contains(resource) => 7,
            "monitor" if state.promoted.contains(resource) => 8,
            _ => 0,
        });
        if failure.is_none() {
            match order.task.as_str() {
                "start" | "migrate_from" => drop(state.active.insert(resource.clone())),
                "promote" => drop(state.promoted.insert(resource.clone())),
                "demote" => drop(state.promoted.remove(resource)),
                "stop" | "migrate_to" => {
                    state.active.remove(resource);
                    state.promoted.remove(resource);
                }
                _ => {}
            }
        }
        self.result(host, *order, rc);
    }

    /// The next repetition of a recurring operation finds something else than before.
    pub(crate) fn monitor_finds(&mut self, host: u32, operation_key: &str, rc: i32) {
        let key = (HostId(host), operation_key.to_string());
        let order = self.agents.recurring.get(&key).cloned().expect("a recurring operation");
        if rc == 7
            && let Some(state) = self.hosts.get_mut(&HostId(host))
        {
            state.active.remove(&order.resource);
            state.promoted.remove(&order.resource);
        }
        self.result(HostId(host), order, rc);
    }

    fn result(&mut self, host: HostId, order: Execute, rc: i32) {
        let now = self.now();
        let Some(state) = self.hosts.get_mut(&host) else { return };
        state.sequence += 1;
        let result = OperationResult {
            rc,
            op_status: 0,
            exit_reason: String::new(),
            output: if rc == 0 { String::new() } else { "what the agent wrote".to_string() },
            started_wall_ms: now.wall_ms - AGENT_MS,
            ended_wall_ms: now.wall_ms,
            queue_time_ms: 0,
            restart_parameters: self.agents.restart_parameters.clone(),
            sequence: state.sequence,
            order,
        };
        self.input(host, Input::OperationEnded(Box::new(result)));
    }
}
