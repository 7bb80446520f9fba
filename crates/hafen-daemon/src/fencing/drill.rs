//! All looks at fence devices: what is learned when the configuration changes, drills on demand, and drills again and again.

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::metadata::AgentMetadata;
use hafen_executor::wire::{End, FenceOperation};
use hafen_node::fencing::{DeviceCheck, DeviceKnowledge};
use hafen_protocol::client::FenceCheck;
use hafen_protocol::message::StateVersion;

use super::agent::AgentFacts;
use super::look::{Found, Look, Looked, Purpose};

/// Drills that clients wait for, at most.
const DRILLS_MAXIMUM: usize = 16;

/// What is to be done after something happened.
#[derive(Debug)]
pub(crate) enum Todo {
    /// Run this agent.
    Run(Box<FenceOperation>),
    /// Ask the executor for an agent's metadata.
    Describe(String),
    /// Tell the node what a device told.
    Learned { device: String, knowledge: DeviceKnowledge },
    /// A drill ended.
    Drilled { request: Option<u64>, checks: Vec<FenceCheck> },
}

/// A drill under way.
#[derive(Debug)]
struct Drill {
    /// The client's request; none for one that time brought.
    request: Option<u64>,
    looks: BTreeSet<u64>,
    checks: Vec<FenceCheck>,
}

/// All looks of this host.
#[derive(Debug, Default)]
pub(crate) struct Drills {
    /// What agents said of themselves; nothing where they could not.
    agents: BTreeMap<String, Option<AgentFacts>>,
    asked: BTreeSet<String>,
    version: Option<StateVersion>,
    /// Devices whose targets are not known yet.
    to_learn: Vec<DeviceCheck>,
    knowledge: BTreeMap<String, DeviceKnowledge>,
    looks: Vec<Look>,
    drills: Vec<Drill>,
    last_number: u64,
}

impl Drills {
    /// What is known of agents.
    pub(crate) fn facts(&self) -> BTreeMap<String, AgentFacts> {
        let known = self.agents.iter().filter_map(|(agent, facts)| Some((agent.clone(), facts.clone()?)));
        known.collect()
    }

    /// Whether devices were last learned from another configuration.
    pub(crate) fn is_of_other(&self, version: StateVersion) -> bool {
        self.version != Some(version)
    }

    /// The configuration has changed: these are its devices now.
    pub(crate) fn configured(
        &mut self,
        version: StateVersion,
        checks: Vec<DeviceCheck>,
        here: &str,
    ) -> Vec<Todo> {
        self.version = Some(version);
        self.knowledge.retain(|device, _| checks.iter().any(|check| check.device.id == *device));
        let mut todo = Vec::new();
        for check in &checks {
            let agent = &check.device.agent;
            if self.asked.insert(agent.clone()) {
                todo.push(Todo::Describe(agent.clone()));
            } else if self.agents.contains_key(agent) {
                todo.extend(self.told_by(check));
            }
        }
        self.to_learn = checks;
        todo.extend(self.learn(here));
        todo
    }

    /// An agent described itself, or could not.
    pub(crate) fn described(&mut self, agent: &str, metadata: Result<&str, &str>, here: &str) -> Vec<Todo> {
        let facts =
            metadata.ok().and_then(|xml| AgentMetadata::parse(xml).ok()).map(|data| AgentFacts::of(&data));
        self.agents.insert(agent.to_owned(), facts);
        let known: Vec<DeviceCheck> =
            self.to_learn.iter().filter(|check| check.device.agent == agent).cloned().collect();
        let mut todo: Vec<Todo> = known.iter().filter_map(|check| self.told_by(check)).collect();
        todo.extend(self.learn(here));
        todo
    }

    /// What a device's agent tells of it.
    fn told_by(&mut self, check: &DeviceCheck) -> Option<Todo> {
        let facts = self.agents.get(&check.device.agent)?.as_ref()?;
        let knowledge = self.knowledge.entry(check.device.id.clone()).or_default();
        (knowledge.unfences, knowledge.on_target) = (facts.unfences, facts.on_target);
        Some(Todo::Learned { device: check.device.id.clone(), knowledge: knowledge.clone() })
    }

    /// Looks at the devices whose targets are to be learned and whose agents are known.
    fn learn(&mut self, here: &str) -> Vec<Todo> {
        let (ready, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.to_learn)
            .into_iter()
            .partition(|check| self.agents.contains_key(&check.device.agent));
        self.to_learn = later;
        let mut todo = Vec::new();
        for check in ready {
            // What is found at once is that there is nothing to find.
            if let (_, Looked::Run(operation)) = self.look(check, here, Purpose::Learn) {
                todo.push(Todo::Run(operation));
            }
        }
        todo
    }

    /// Begins a look, which is kept while it goes on.
    fn look(&mut self, check: DeviceCheck, here: &str, purpose: Purpose) -> (u64, Looked) {
        self.last_number += 1;
        let number = self.last_number;
        let facts = self.agents.get(&check.device.agent).cloned().flatten();
        let (look, looked) = Look::begin(number, check, facts, here, purpose);
        if matches!(looked, Looked::Run(_)) {
            self.looks.push(look);
        }
        (number, looked)
    }

    /// Looks at all devices, or at those for one target. `request`: who waits for it.
    ///
    /// # Errors
    /// Too many drills are under way.
    pub(crate) fn drill(
        &mut self,
        request: Option<u64>,
        checks: Vec<DeviceCheck>,
        here: &str,
        only: Option<&str>,
    ) -> Result<Vec<Todo>, String> {
        if self.drills.len() >= DRILLS_MAXIMUM {
            return Err(format!("{DRILLS_MAXIMUM} drills are under way"));
        }
        let mut drill = Drill { request, looks: BTreeSet::new(), checks: Vec::new() };
        let mut todo = Vec::new();
        for check in checks {
            let is_meant =
                |only: &str| check.targets.iter().any(|(uname, _)| uname.eq_ignore_ascii_case(only));
            if only.is_some_and(|only| !is_meant(only)) {
                continue;
            }
            match self.look(check, here, Purpose::Drill(only.map(str::to_owned))) {
                (number, Looked::Run(operation)) => {
                    drill.looks.insert(number);
                    todo.push(Todo::Run(operation));
                }
                (_, Looked::Found(found)) => drill.checks.extend(found.checks),
            }
        }
        self.drills.push(drill);
        todo.extend(self.drilled());
        Ok(todo)
    }

    /// Whether a drill that time brought is under way.
    pub(crate) fn is_drilling(&self) -> bool {
        self.drills.iter().any(|drill| drill.request.is_none())
    }

    /// A step ended at the executor; nothing: it is none of these looks.
    pub(crate) fn step_ended(&mut self, id: &str, end: &End) -> Option<Vec<Todo>> {
        let look = self.looks.iter_mut().find(|look| look.operation_id() == id)?;
        let number = look.number;
        Some(match look.step_ended(end) {
            Looked::Run(operation) => vec![Todo::Run(operation)],
            Looked::Found(found) => self.found(number, found),
        })
    }

    /// A step could not be run.
    pub(crate) fn step_lost(&mut self, id: &str, reason: &str) -> Option<Vec<Todo>> {
        let look = self.looks.iter_mut().find(|look| look.operation_id() == id)?;
        let (number, found) = (look.number, look.step_lost(reason));
        Some(self.found(number, found))
    }

    /// The executor is lost: what was under way is told as failed, and all is learned anew.
    pub(crate) fn lost(&mut self, reason: &str) -> Vec<Todo> {
        self.asked.clear();
        self.version = None;
        let ids: Vec<String> = self.looks.iter().map(Look::operation_id).collect();
        ids.iter().filter_map(|id| self.step_lost(id, reason)).flatten().collect()
    }

    fn found(&mut self, number: u64, found: Found) -> Vec<Todo> {
        self.looks.retain(|look| look.number != number);
        let mut todo: Vec<Todo> = self.learned(&found).into_iter().collect();
        if let Some(drill) = self.drills.iter_mut().find(|drill| drill.looks.contains(&number)) {
            drill.looks.remove(&number);
            drill.checks.extend(found.checks);
        }
        todo.extend(self.drilled());
        todo
    }

    fn learned(&mut self, found: &Found) -> Option<Todo> {
        if found.targets.is_empty() {
            return None;
        }
        let knowledge = self.knowledge.entry(found.device.clone()).or_default();
        knowledge.targets.clone_from(&found.targets);
        Some(Todo::Learned { device: found.device.clone(), knowledge: knowledge.clone() })
    }

    /// The drills whose last look has ended.
    fn drilled(&mut self) -> Vec<Todo> {
        let (done, open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.drills).into_iter().partition(|drill| drill.looks.is_empty());
        self.drills = open;
        let todo = |mut drill: Drill| {
            drill.checks.sort_by(|a, b| (&a.device, &a.target).cmp(&(&b.device, &b.target)));
            Todo::Drilled { request: drill.request, checks: drill.checks }
        };
        done.into_iter().map(todo).collect()
    }
}

/// What an operator is told of devices that did not answer as they must.
pub(crate) fn failures(checks: &[FenceCheck]) -> Vec<String> {
    let failed = checks.iter().filter(|check| !check.succeeded);
    let sentence = |check: &FenceCheck| {
        let target = check.target.as_ref().map(|target| format!(" for {target}")).unwrap_or_default();
        let FenceCheck { device, by, action, answer, .. } = check;
        format!(
            "{device} may not be able to fence: its {action}{target} failed on {by} ({answer}); `hafen fence drill` looks again"
        )
    };
    failed.map(sentence).collect()
}
