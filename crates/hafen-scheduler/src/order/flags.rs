//! What an action will be, as the other end of a relation sees it: for the joints of groups and clones that follows from
//! their parts.

use crate::actions::Key;
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Task, Variant};

/// Whether an action need not happen, and whether it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) optional: bool,
    pub(crate) runnable: bool,
}

impl Cluster<'_> {
    /// An action's flags for a relation with something on `node`. A clone's joint is judged for that node alone, but it is
    /// possible there if it is possible anywhere.
    pub(crate) fn flags_for_relation(&mut self, action: ActionId, node: Option<NodeIndex>) -> Flags {
        let all = self.flags_of(action, None);
        let known = self.act(action);
        let is_clone = known.resource.is_some_and(|resource| self.rsc(resource).variant == Variant::Clone);
        if node.is_none() || !is_clone {
            return all;
        }
        let here = self.flags_of(action, node);
        Flags { optional: here.optional, runnable: here.runnable || all.runnable }
    }

    /// An action's flags. Those of a joint are the sum of its parts'; what it learns of them stays with it.
    pub(crate) fn flags_of(&mut self, action: ActionId, node: Option<NodeIndex>) -> Flags {
        let known = self.act(action);
        let own = Flags { optional: known.optional, runnable: known.runnable };
        let Some(resource) = known.resource else { return own };
        match self.rsc(resource).variant {
            Variant::Primitive => own,
            Variant::Group => self.group_flags(action, resource, node),
            Variant::Clone => self.clone_flags(action, resource, node),
        }
    }

    fn group_flags(&mut self, action: ActionId, group: ResourceId, node: Option<NodeIndex>) -> Flags {
        let mut flags = Flags { optional: true, runnable: true };
        let task = self.original_task(action);
        // What ends a task cannot happen when a part of the task cannot; what begins it can.
        let ends = self.act(action).task != task;
        for at in 0..self.rsc(group).children.len() {
            let member = self.rsc(group).children[at];
            let Some(part) = self.first_action(member, task, node) else {
                if !matches!(task, Task::Stop | Task::Demote) {
                    flags.runnable = false;
                }
                continue;
            };
            let part = self.flags_of(part, node);
            if flags.optional && !part.optional {
                flags.optional = false;
                self.act_mut(action).optional = false;
            }
            if ends && flags.runnable && !part.runnable {
                flags.runnable = false;
                self.act_mut(action).runnable = false;
            }
        }
        flags
    }

    fn clone_flags(&mut self, action: ActionId, clone: ResourceId, node: Option<NodeIndex>) -> Flags {
        let mut flags = Flags { optional: true, runnable: true };
        let task = self.original_task(action);
        let mut any_runnable = false;
        for at in 0..self.rsc(clone).children.len() {
            let instance = self.rsc(clone).children[at];
            // A group's joints are on no node, and it has one of its own for the end of a task.
            let is_group = self.rsc(instance).variant == Variant::Group;
            let own_node = node.filter(|_| !is_group);
            let task = if is_group { self.named_task(action) } else { task };
            let Some(part) = self.first_action(instance, task, own_node) else { continue };
            let part = self.flags_of(part, node);
            if flags.optional && !part.optional {
                flags.optional = false;
                self.act_mut(action).optional = false;
            }
            any_runnable |= part.runnable;
        }
        if !any_runnable {
            flags.runnable = false;
            if node.is_none() {
                self.act_mut(action).runnable = false;
            }
        }
        flags
    }

    /// The task of the parts that a joint, or a notification, stands for.
    pub(crate) fn original_task(&self, action: ActionId) -> Task {
        self.named_task(action).of_members()
    }

    /// An action's task; of a notification, the one that it is about.
    pub(crate) fn named_task(&self, action: ActionId) -> Task {
        let known = self.act(action);
        match known.key {
            Key::Notify(_, about) => about,
            _ => known.task,
        }
    }

    /// The newest of a resource's actions with a task: on a node, where one is named.
    pub(crate) fn first_action(
        &self,
        resource: ResourceId,
        task: Task,
        node: Option<NodeIndex>,
    ) -> Option<ActionId> {
        self.rsc(resource).actions.iter().rev().copied().find(|action| {
            let known = self.act(*action);
            known.task == task && (node.is_none() || known.node == node)
        })
    }

    /// The action of which one waits when it waits for `first`: something made of parts has to be through with all of
    /// them, and with telling them.
    pub(crate) fn remapped_first(&self, first: ActionId) -> ActionId {
        let known = self.act(first);
        let Some(resource) = known.resource else { return first };
        let resource = self.rsc(resource);
        if resource.variant == Variant::Primitive || known.interval_ms > 0 || known.key != Key::Operation {
            return first;
        }
        let end = known.task.end();
        if end.of_members() == end {
            return first;
        }
        let fits = |key: &Key, action: &ActionId| {
            let other = self.act(*action);
            other.key == *key && (*key != Key::Operation || other.task == end)
        };
        let find = |key: Key| resource.actions.iter().rev().copied().find(|action| fits(&key, action));
        let told = Key::Notify("confirmed-post", end);
        let of_outermost = resource.notify && resource.parent.is_none();
        of_outermost.then(|| find(told)).flatten().or_else(|| find(Key::Operation)).unwrap_or(first)
    }
}
