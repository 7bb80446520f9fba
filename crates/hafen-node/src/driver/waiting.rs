//! Why each step of a plan waits.

use std::fmt;

use hafen_protocol::{HostId, Now};
use hafen_scheduler::ActionKind;

use super::{Driver, Step, firing, limits};

/// A step that has not ended, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The action's number in its plan.
    pub action: u32,
    /// Its key (`vm1_start_0`).
    pub operation_key: String,
    /// The name of the node that it is about, if it is about one.
    pub node: Option<String>,
    /// What it waits for.
    pub reason: WaitingFor,
}

/// What a step waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitingFor {
    /// It has begun and has not ended.
    Answer {
        /// When it began.
        since: Now,
    },
    /// These actions have to be complete before.
    Inputs(Vec<u32>),
    /// One of its inputs failed: it will never begin.
    FailedInput(u32),
    /// `batch-limit` is reached.
    BatchLimit,
    /// The host has enough to do.
    HostLimit(HostId),
    /// `migration-limit` is reached on the host.
    MigrationLimit(HostId),
    /// The plan was aborted: it will never begin.
    Aborted(String),
    /// Nothing; it begins with the next poll.
    Turn,
}

impl fmt::Display for WaitingFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitingFor::Answer { since } => write!(f, "running since {}", since.epoch_seconds()),
            WaitingFor::Inputs(inputs) => {
                let inputs: Vec<String> = inputs.iter().map(u32::to_string).collect();
                write!(f, "waits for {}", inputs.join(", "))
            }
            WaitingFor::FailedInput(input) => write!(f, "never begins: {input} failed"),
            WaitingFor::BatchLimit => f.write_str("waits for a place within batch-limit"),
            WaitingFor::HostLimit(host) => write!(f, "waits for a place on host {host}"),
            WaitingFor::MigrationLimit(host) => write!(f, "waits for migration-limit on host {host}"),
            WaitingFor::Aborted(cause) => write!(f, "never begins: {cause}"),
            WaitingFor::Turn => f.write_str("begins next"),
        }
    }
}

impl Driver {
    /// Why each step that has not ended waits, in the order of the plan.
    #[must_use]
    pub fn explain_waiting(&self) -> Vec<Waiting> {
        let explain = |action: &hafen_scheduler::Action| {
            Some(Waiting {
                action: action.id,
                operation_key: action.operation_key().into_owned(),
                node: action.node.as_ref().map(|node| node.uname.clone()),
                reason: self.waits_for(action.id, &action.inputs)?,
            })
        };
        self.plan.actions.iter().filter_map(explain).collect()
    }

    fn waits_for(&self, id: u32, inputs: &[u32]) -> Option<WaitingFor> {
        let aborted = || self.aborted.clone().filter(|_| !self.goes_on(id)).map(WaitingFor::Aborted);
        match self.steps.get(&id)? {
            Step::Done | Step::Failed(_) => None,
            Step::InFlight { since, .. } => Some(WaitingFor::Answer { since: *since }),
            Step::Ready => aborted().or_else(|| self.held_back(id)).or(Some(WaitingFor::Turn)),
            Step::Waiting { .. } => {
                let failed =
                    inputs.iter().find(|input| matches!(self.steps.get(input), Some(Step::Failed(_))));
                let open = |input: &&u32| !matches!(self.steps.get(input), Some(Step::Done));
                failed
                    .map(|input| WaitingFor::FailedInput(*input))
                    .or_else(aborted)
                    .or_else(|| Some(WaitingFor::Inputs(inputs.iter().filter(open).copied().collect())))
            }
        }
    }

    /// Which limit an action that is ready runs into.
    pub(super) fn held_back(&self, id: u32) -> Option<WaitingFor> {
        let action = self.plan.action(id)?;
        let ActionKind::Resource { task, .. } = &action.kind else { return None };
        let host = firing::host_of(action).ok()?;
        let load = self.load.get(&host).copied().unwrap_or_default();
        let reached = |limit: i64, load: usize| i64::try_from(load).is_ok_and(|load| load >= limit);
        let migration_limit = self.settings.migration_limit;
        let all: usize = self.load.values().map(|load| load.operations).sum();
        if limits::in_all(&self.settings, &self.loads).is_some_and(|limit| all >= limit) {
            Some(WaitingFor::BatchLimit)
        } else if load.operations >= limits::on_host(&self.settings, self.loads.get(&host)) {
            Some(WaitingFor::HostLimit(host))
        } else if is_migration(task) && migration_limit >= 0 && reached(migration_limit, load.migrations) {
            Some(WaitingFor::MigrationLimit(host))
        } else {
            None
        }
    }
}

pub(super) fn is_migration(task: &str) -> bool {
    matches!(task, "migrate_to" | "migrate_from")
}
