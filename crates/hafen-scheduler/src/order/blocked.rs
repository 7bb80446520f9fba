//! What cannot start keeps those from starting that must be with it.

use crate::actions::Reason;
use crate::model::{ActionId, Cluster, ResourceId, Role, Task};
use crate::score::INFINITY;

impl Cluster<'_> {
    /// Blocks the starts of everything that must be with a resource which cannot start (or be promoted) anywhere, and of
    /// what must be with that.
    pub(crate) fn block_colocation_dependents(&mut self, action: ActionId) {
        let mut open = vec![action];
        while let Some(action) = open.pop() {
            let Some(primary) = self.act(action).resource else { continue };
            let why = self.top_of(primary);
            for (resource, task) in self.blocked_with(action) {
                self.block_task(resource, task, why, &mut open);
            }
        }
    }

    /// What cannot happen because an action cannot.
    fn blocked_with(&mut self, action: ActionId) -> Vec<(ResourceId, Task)> {
        let known = self.act(action);
        if known.runnable || !matches!(known.task, Task::Start | Task::Promote) {
            return Vec::new();
        }
        let Some(resource) = known.resource else { return Vec::new() };
        let task = known.task;
        let top = self.top_of(resource);
        // As long as a part can, the whole is not given up.
        for &child in &self.rsc(top).children {
            let part = self.first_action(child, task, None);
            if part.is_none_or(|part| self.act(part).runnable) {
                return Vec::new();
            }
        }
        let mut blocked = Vec::new();
        for &at in self.with_this(top).iter() {
            let colocation = &self.colocations[at];
            if colocation.score < INFINITY
                || task == Task::Promote && colocation.primary_role != Some(Role::Promoted)
            {
                continue;
            }
            let promoted = colocation.dependent_role == Some(Role::Promoted);
            blocked.push((colocation.dependent, if promoted { Task::Promote } else { Task::Start }));
        }
        blocked
    }

    fn block_task(&mut self, resource: ResourceId, task: Task, why: ResourceId, open: &mut Vec<ActionId>) {
        for member in self.family(resource) {
            for at in 0..self.rsc(member).actions.len() {
                let action = self.rsc(member).actions[at];
                if self.act(action).task != task || !self.act(action).runnable {
                    continue;
                }
                self.act_mut(action).runnable = false;
                self.give_reason(action, Reason::Colocation(why), false);
                open.push(action);
                // What comes after it learns of it when its turn comes.
                self.look_again_at(action);
            }
        }
    }
}
