//! What actions do, and the keys by which history and the graph name them.

use crate::model::{ActionId, Cluster, NodeIndex, ResourceId};

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    Start,
    /// A group's or clone's start is over.
    Running,
    Stop,
    Stopped,
    Promote,
    Promoted,
    Demote,
    Demoted,
    Monitor,
    MigrateTo,
    MigrateFrom,
    Notify,
    Notified,
    Delete,
    Cancel,
    ReloadAgent,
    ClearFailcount,
    /// Fencing or unfencing a node.
    Fence,
    Shutdown,
    LrmDelete,
    /// Everything that leaves a node to make room has left it.
    LoadStopped,
    /// Enough of several actions are possible.
    OneOrMore,
    /// Another operation of an agent, by its place in `Cluster::task_names`.
    Other(u16),
}

/// Tasks with a name of their own.
const NAMES: [(Task, &str); 22] = [
    (Task::Start, "start"),
    (Task::Running, "running"),
    (Task::Stop, "stop"),
    (Task::Stopped, "stopped"),
    (Task::Promote, "promote"),
    (Task::Promoted, "promoted"),
    (Task::Demote, "demote"),
    (Task::Demoted, "demoted"),
    (Task::Monitor, "monitor"),
    (Task::MigrateTo, "migrate_to"),
    (Task::MigrateFrom, "migrate_from"),
    (Task::Notify, "notify"),
    (Task::Notified, "notified"),
    (Task::Delete, "delete"),
    (Task::Cancel, "cancel"),
    (Task::ReloadAgent, "reload-agent"),
    (Task::ClearFailcount, "clear_failcount"),
    (Task::Fence, "stonith"),
    (Task::Shutdown, "do_shutdown"),
    (Task::LrmDelete, "lrm_delete"),
    (Task::LoadStopped, "load_stopped"),
    (Task::OneOrMore, "one-or-more"),
];

impl Task {
    /// The task of that name, unless it is an agent's own.
    pub(crate) fn known(name: &str) -> Option<Task> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(task, _)| *task)
    }

    /// The joint that ends this task for something made of parts.
    pub(crate) fn end(self) -> Task {
        match self {
            Task::Start => Task::Running,
            Task::Stop => Task::Stopped,
            Task::Promote => Task::Promoted,
            Task::Demote => Task::Demoted,
            other => other,
        }
    }

    /// The parts' task that a joint stands for.
    pub(crate) fn of_members(self) -> Task {
        match self {
            Task::Running => Task::Start,
            Task::Stopped => Task::Stop,
            Task::Promoted => Task::Promote,
            Task::Demoted => Task::Demote,
            other => other,
        }
    }
}

/// By what an action is found again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// `RESOURCE_TASK_INTERVAL`.
    Operation,
    /// `RESOURCE_PHASE_notify_TASK_0`.
    Notify(&'static str, Task),
    /// An action that belongs to no resource has a name of its own.
    Named(Box<str>),
}

/// The name of an operation in history: `RESOURCE_TASK_MILLISECONDS`.
pub(crate) fn operation_key(resource: &str, task: &str, interval_ms: u64) -> String {
    format!("{resource}_{task}_{interval_ms}")
}

impl Cluster<'_> {
    /// The task of that name.
    pub(crate) fn task(&mut self, name: &str) -> Task {
        if let Some(task) = self.find_task(name) {
            return task;
        }
        self.task_names.push(name.to_owned());
        Task::Other(u16::try_from(self.task_names.len() - 1).unwrap_or(u16::MAX))
    }

    /// The task of that name, if any action or operation has it.
    pub(crate) fn find_task(&self, name: &str) -> Option<Task> {
        Task::known(name).or_else(|| {
            let at = self.task_names.iter().position(|known| known == name)?;
            u16::try_from(at).ok().map(Task::Other)
        })
    }

    /// The name of a task.
    pub(crate) fn task_name(&self, task: Task) -> &str {
        match task {
            Task::Other(at) => self.task_names.get(usize::from(at)).map_or("", String::as_str),
            known => NAMES.iter().find(|(task, _)| *task == known).map_or("", |(_, name)| name),
        }
    }

    /// An action's key, with the name by which the scheduler, or history, knows its resource.
    pub(crate) fn key_with(&self, action: ActionId, resource: &str) -> String {
        let known = self.act(action);
        match &known.key {
            Key::Operation => {
                let task = if known.task == Task::Cancel { known.cancels } else { known.task };
                operation_key(resource, self.task_name(task), known.interval_ms)
            }
            Key::Notify(phase, task) => format!("{resource}_{phase}_notify_{}_0", self.task_name(*task)),
            Key::Named(name) => name.to_string(),
        }
    }

    /// The key under which history would know an action, with the name by which it knows the resource.
    pub(crate) fn history_key(&self, action: ActionId, resource: &str) -> String {
        let known = self.act(action);
        match (known.task, known.meta.get("notify_type"), known.meta.get("notify_operation")) {
            (Task::Notify, Some(phase), Some(task)) => format!("{resource}_{phase}_notify_{task}_0"),
            (Task::Notified, _, _) => operation_key(resource, "notified", 0),
            _ => self.key_with(action, resource),
        }
    }

    /// An action's key.
    pub(crate) fn key_of(&self, action: ActionId) -> String {
        let resource = self.act(action).resource.map_or("", |resource| self.rsc(resource).id.as_str());
        self.key_with(action, resource)
    }

    /// The actions of a resource with a task and interval.
    pub(crate) fn actions_of(
        &self,
        resource: ResourceId,
        task: Task,
        interval_ms: u64,
    ) -> impl Iterator<Item = ActionId> {
        let matches = move |action: &ActionId| {
            let known = self.act(*action);
            known.task == task && known.interval_ms == interval_ms
        };
        self.rsc(resource).actions.iter().copied().filter(matches)
    }

    /// The action of a resource with a task, without an interval, on a node.
    pub(crate) fn action_on(&self, resource: ResourceId, task: Task, node: NodeIndex) -> Option<ActionId> {
        self.actions_of(resource, task, 0).find(|action| self.act(*action).node == Some(node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_has_one_name() {
        for (task, name) in NAMES {
            assert_eq!(Task::known(name), Some(task));
        }
        assert_eq!(Task::known("sing"), None);
    }
}
