//! Making all actions agree with all relations: a worklist that runs until nothing changes.

use std::collections::BTreeSet;

use super::relation::{
    ASYMMETRIC, FIRST_IMPLIES_SAME_NODE_THEN, FIRST_IMPLIES_THEN, FIRST_IMPLIES_THEN_GRAPHED,
    IF_FIRST_UNMIGRATABLE, IF_ON_SAME_NODE, INTERMEDIATE_STOP, MIN_RUNNABLE, ORDERED,
    PROMOTED_THEN_IMPLIES_FIRST, THEN_CANCELS_FIRST, THEN_IMPLIES_FIRST, THEN_IMPLIES_FIRST_GRAPHED,
    UNMIGRATABLE_THEN_BLOCKS, UNRUNNABLE_FIRST_BLOCKS,
};
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Role, Task, Variant};

/// Rounds per action after which the walk ends although actions still disagree (a loop in the configuration).
const ROUND_LIMIT: usize = 200;

/// What one relation changed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changed {
    pub(crate) first: bool,
    pub(crate) then: bool,
}

impl Changed {
    fn merge(&mut self, other: Changed) {
        self.first |= other.first;
        self.then |= other.then;
    }
}

/// An action's state as its relations see it: for joints, the sum of what they stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    pub(crate) optional: bool,
    pub(crate) runnable: bool,
}

impl<'a> Cluster<'a> {
    pub(crate) fn update_all_actions(&mut self) {
        let mut open: BTreeSet<ActionId> =
            (0..u32::try_from(self.actions.len()).unwrap_or(u32::MAX)).map(ActionId).collect();
        let mut budget = self.actions.len().saturating_mul(ROUND_LIMIT);
        while let Some(then) = open.pop_first() {
            if budget == 0 {
                self.warnings.push("The ordering constraints contradict each other".to_owned());
                return;
            }
            budget -= 1;
            self.update_action(then, &mut open);
        }
    }

    fn update_action(&mut self, then: ActionId, open: &mut BTreeSet<ActionId>) {
        let mut then_changed = false;
        if self.act(then).needs_some {
            then_changed |= self.update_needed(then);
        }
        for at in 0..self.act(then).before.len() {
            let (first, flags) = self.act(then).before[at];
            if flags == 0 {
                continue;
            }
            let (first_node, then_node) = (self.place_of(first), self.place_of(then));
            if flags & IF_ON_SAME_NODE != 0
                && let (Some(first_node), Some(then_node)) = (first_node, then_node)
                && first_node != then_node
            {
                self.act_mut(then).before[at].1 = 0;
                continue;
            }
            // A migration begins on its source, but depends on what happens on its target.
            let seen_from = if self.act(then).task == Task::MigrateTo { None } else { then_node };
            let before = self.flags_of(first, seen_from);
            self.flags_of(then, first_node);
            let changed = self.apply_relation(first, then, before, flags);
            for part in std::mem::take(&mut self.touched) {
                open.extend(self.act(part).after.iter().map(|(after, _)| *after));
                open.extend(self.act(part).before.iter().map(|(before, _)| *before));
                open.insert(part);
            }
            if changed.first {
                open.insert(first);
                open.extend(self.act(first).after.iter().map(|(after, _)| *after));
                if let Some(joints) = self.joints_of(first) {
                    open.extend(joints);
                }
            }
            then_changed |= changed.then;
        }
        if then_changed {
            open.insert(then);
            open.extend(self.act(then).after.iter().map(|(after, _)| *after));
            open.extend(self.act(then).before.iter().map(|(before, _)| *before));
            if let Some(joints) = self.joints_of(then) {
                open.extend(joints);
            }
        }
    }

    /// The actions that follow the joints that stand for an action.
    fn joints_of(&self, action: ActionId) -> Option<Vec<ActionId>> {
        let parent = self.rsc(self.act(action).resource?).parent?;
        let mut joints = Vec::new();
        let mut at = Some(parent);
        while let Some(id) = at {
            for &joint in &self.rsc(id).actions {
                joints.push(joint);
                joints.extend(self.act(joint).after.iter().map(|(after, _)| *after));
            }
            at = self.rsc(id).parent;
        }
        Some(joints)
    }

    fn place_of(&self, action: ActionId) -> Option<NodeIndex> {
        let known = self.act(action);
        if known.node.is_some() {
            return known.node;
        }
        let resource = known.resource?;
        if self.rsc(resource).variant == Variant::Group && known.task == Task::Start {
            return self.rsc(resource).assigned_to;
        }
        None
    }

    fn update_needed(&mut self, then: ActionId) -> bool {
        let possible = self
            .act(then)
            .before
            .clone()
            .into_iter()
            .filter(|(first, flags)| flags & MIN_RUNNABLE != 0 && self.flags_of(*first, None).runnable)
            .count();
        let enough = i32::try_from(possible).unwrap_or(i32::MAX) >= self.act(then).needed_firsts.max(1);
        let changed = self.act(then).runnable != enough;
        self.act_mut(then).runnable = enough;
        changed
    }

    /// What an action will be, as far as is known now.
    pub(crate) fn flags_of(&mut self, action: ActionId, node: Option<NodeIndex>) -> Flags {
        let known = self.act(action);
        let own = Flags { optional: known.optional, runnable: known.runnable };
        let Some(resource) = known.resource else { return own };
        let task = known.task;
        match self.rsc(resource).variant {
            Variant::Primitive => own,
            Variant::Group => self.group_flags(action, resource, task.of_members(), own, node),
            Variant::Clone => self.clone_flags(action, resource, task.of_members(), node),
        }
    }

    pub(crate) fn member_action(
        &self,
        member: ResourceId,
        task: Task,
        node: Option<NodeIndex>,
    ) -> Option<ActionId> {
        let actions = &self.rsc(member).actions;
        let matches = |action: &&ActionId| {
            let known = self.act(**action);
            known.task == task && known.interval_ms == 0
        };
        let on_node = actions.iter().filter(matches).find(|action| {
            let known = self.act(**action);
            node.is_none() || known.node.is_none() || known.node == node
        });
        on_node.copied()
    }

    fn group_flags(
        &mut self,
        action: ActionId,
        group: ResourceId,
        task: Task,
        own: Flags,
        node: Option<NodeIndex>,
    ) -> Flags {
        let mut flags = Flags { optional: true, runnable: true };
        // What ends a task cannot happen when a part of the task cannot; what begins it can.
        let ends = self.act(action).task != task;
        for member in self.rsc(group).children.clone() {
            let Some(part) = self.member_action(member, task, node) else {
                // A group begins only what all of its members will do.
                if !matches!(task, Task::Demote | Task::Stop) {
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
        Flags { optional: flags.optional && own.optional, runnable: flags.runnable }
    }

    /// Whether an action need not happen as far as one node is concerned: a clone that stops an instance elsewhere does
    /// not stop here.
    fn is_optional_at(&mut self, action: ActionId, node: Option<NodeIndex>) -> bool {
        let joint =
            self.act(action).resource.is_some_and(|resource| self.rsc(resource).variant == Variant::Clone);
        if joint && node.is_some() { self.flags_of(action, node).optional } else { self.act(action).optional }
    }

    fn clone_flags(
        &mut self,
        action: ActionId,
        clone: ResourceId,
        task: Task,
        node: Option<NodeIndex>,
    ) -> Flags {
        let mut flags = Flags { optional: true, runnable: true };
        let mut any_runnable = false;
        let mut any = false;
        for instance in self.rsc(clone).children.clone() {
            let elsewhere = node.is_some_and(|node| {
                !self.rsc(instance).running_on.contains(&node)
                    && !self.assigned_nodes(instance).contains(&node)
            });
            if elsewhere && self.rsc(instance).variant == Variant::Group {
                continue;
            }
            // A group has a joint of its own for the end of a task.
            let is_group = self.rsc(instance).variant == Variant::Group;
            let task = if is_group { self.act(action).task } else { task.to_owned() };
            let Some(part) = self.member_action(instance, task, node) else { continue };
            any = true;
            let part = self.flags_of(part, node);
            if flags.optional && !part.optional {
                flags.optional = false;
                self.act_mut(action).optional = false;
            }
            any_runnable |= part.runnable;
        }
        let _ = any;
        if !any_runnable {
            flags.runnable = false;
            if node.is_none() {
                self.act_mut(action).runnable = false;
            }
        }
        flags
    }

    fn apply_relation(&mut self, first: ActionId, then: ActionId, before: Flags, flags: u32) -> Changed {
        let mut changed = Changed::default();
        let mut flags = flags;
        let mut node = self.act(then).node;
        if flags & FIRST_IMPLIES_SAME_NODE_THEN != 0 {
            flags = flags & !FIRST_IMPLIES_SAME_NODE_THEN | FIRST_IMPLIES_THEN;
            node = self.act(first).node;
        }
        if self.act(then).resource.is_some() {
            changed.merge(self.update_ordered(first, then, node, before, flags));
        } else {
            if flags & FIRST_IMPLIES_THEN != 0 && !before.optional && self.act(then).optional {
                self.act_mut(then).optional = false;
                changed.then = true;
            }
            if flags & UNRUNNABLE_FIRST_BLOCKS != 0
                && !before.runnable
                && self.act(then).runnable
                && !self.act(then).needs_some
            {
                self.act_mut(then).runnable = false;
                changed.then = true;
            }
            if flags & THEN_IMPLIES_FIRST != 0 && !self.act(then).optional && self.act(first).optional {
                self.act_mut(first).optional = false;
                changed.first = true;
            }
        }
        let happens = !before.optional && (before.runnable || !self.act(then).needs_some);
        if flags & FIRST_IMPLIES_THEN_GRAPHED != 0 && happens && !self.act(then).shown {
            self.act_mut(then).shown = true;
            changed.then = true;
        }
        if flags & THEN_IMPLIES_FIRST_GRAPHED != 0
            && !self.flags_of(then, None).optional
            && !self.act(first).shown
        {
            self.act_mut(first).shown = true;
            changed.first = true;
        }
        self.block_behind_unmanaged_stop(first, then, flags, &mut changed);
        changed
    }

    /// A stop that cannot happen because its resource is unmanaged holds up whatever waits for it.
    fn block_behind_unmanaged_stop(
        &mut self,
        first: ActionId,
        then: ActionId,
        flags: u32,
        changed: &mut Changed,
    ) {
        if flags & (THEN_IMPLIES_FIRST | FIRST_IMPLIES_THEN | INTERMEDIATE_STOP) == 0 {
            return;
        }
        let known = self.act(first);
        let Some(resource) = known.resource else { return };
        if known.task == Task::Stop
            && !known.runnable
            && !self.rsc(resource).managed
            && self.rsc(resource).blocked
            && self.act(then).runnable
        {
            self.act_mut(then).runnable = false;
            changed.then = true;
        }
    }

    /// Applies a relation to the then action, and to what it stands for.
    pub(crate) fn update_ordered(
        &mut self,
        first: ActionId,
        then: ActionId,
        node: Option<NodeIndex>,
        before: Flags,
        flags: u32,
    ) -> Changed {
        let Some(resource) = self.act(then).resource else { return Changed::default() };
        let variant = self.rsc(resource).variant;
        if variant == Variant::Clone && self.can_interleave(first, then) {
            return self.update_interleaved(first, then, node, flags);
        }
        let mut changed = self.update_primitive(first, then, before, flags);
        if variant == Variant::Primitive {
            return changed;
        }
        let task = self.act(then).task;
        for member in self.rsc(resource).children.clone() {
            let Some(part) = self.member_action(member, task, node) else { continue };
            if variant == Variant::Clone && !self.flags_of(part, node).runnable {
                continue;
            }
            // Whether then is required was judged for the joint, as seen from first's node.
            let part_changed = self.update_ordered(first, part, node, before, flags & !THEN_IMPLIES_FIRST);
            changed.merge(part_changed);
            if part_changed.then {
                self.touched.insert(part);
            }
        }
        changed
    }

    fn update_primitive(&mut self, first: ActionId, then: ActionId, before: Flags, flags: u32) -> Changed {
        let (first_was, then_was) = (self.state(first), self.state(then));
        if flags & THEN_CANCELS_FIRST != 0 && !self.act(then).optional {
            self.act_mut(first).optional = true;
        }
        if flags & ASYMMETRIC != 0 {
            self.apply_asymmetric(first, then);
        }
        if flags & THEN_IMPLIES_FIRST != 0
            && !self.is_optional_at(then, self.act(first).node)
            && before.optional
            && !self.act(then).migratable
        {
            self.act_mut(first).optional = false;
            if self.act(first).migratable && !self.act(then).migratable {
                self.act_mut(first).migratable = false;
            }
        }
        if flags & PROMOTED_THEN_IMPLIES_FIRST != 0 && !self.act(then).optional && self.is_promoted(then) {
            self.act_mut(first).optional = false;
            if self.act(first).migratable && !self.act(then).migratable {
                self.act_mut(first).migratable = false;
            }
        }
        if flags & UNMIGRATABLE_THEN_BLOCKS != 0 && !(self.act(then).migratable && self.act(then).runnable) {
            self.act_mut(first).runnable = false;
        }
        if flags & IF_FIRST_UNMIGRATABLE != 0 && !before.runnable {
            let known = self.act_mut(then);
            known.migratable = false;
            known.pseudo = false;
        }
        if flags & UNRUNNABLE_FIRST_BLOCKS != 0 && self.act(then).runnable && !before.runnable {
            let known = self.act_mut(then);
            known.runnable = false;
            known.migratable = false;
        }
        if flags & FIRST_IMPLIES_THEN != 0
            && self.act(then).task == Task::MigrateTo
            && !before.optional
            && matches!(self.act(first).task, Task::Start | Task::Running)
        {
            // What has to start first would come too late for something that only moves.
            self.act_mut(then).runnable = false;
        }
        if flags & FIRST_IMPLIES_THEN != 0
            && self.act(then).optional
            && !before.optional
            && !self.act(first).migratable
        {
            self.act_mut(then).optional = false;
        }
        if flags & INTERMEDIATE_STOP != 0 {
            self.apply_restart(first, then);
        }
        let _ = ORDERED;
        Changed { first: first_was != self.state(first), then: then_was != self.state(then) }
    }

    fn state(&self, action: ActionId) -> (bool, bool, bool, bool) {
        let known = self.act(action);
        (known.optional, known.runnable, known.migratable, known.pseudo)
    }

    fn is_promoted(&self, action: ActionId) -> bool {
        self.act(action).resource.is_some_and(|resource| self.rsc(resource).role == Role::Promoted)
    }

    /// A start that is required, or impossible while the resource runs, requires the stop before it.
    fn apply_restart(&mut self, first: ActionId, then: ActionId) {
        let Some(resource) = self.act(then).resource else { return };
        let same = self.act(first).resource == Some(resource);
        let known = self.act(then);
        let impossible = !known.runnable
            && self.rsc(resource).managed
            && (!same || known.task == Task::Start && !self.rsc(resource).running_on.is_empty());
        let wanted = !known.optional;
        if !(wanted || impossible) {
            return;
        }
        if self.act(first).optional {
            let first_resource = self.act(first).resource;
            if first_resource.is_none_or(|resource| {
                self.rsc(resource).managed || !self.rsc(resource).running_on.is_empty()
            }) {
                self.act_mut(first).optional = false;
            }
        }
        if self.act(first).migratable && !self.act(then).migratable {
            self.act_mut(first).migratable = false;
        }
        if wanted && !self.act(first).runnable && self.act(then).runnable {
            self.act_mut(then).runnable = false;
        }
    }

    /// In one direction only: what is already as it should be is left alone.
    fn apply_asymmetric(&mut self, first: ActionId, then: ActionId) {
        let Some(resource) = self.act(then).resource else { return };
        let known = self.act(then);
        let role = self.rsc(resource).role;
        if role == Role::Stopped && known.task == Task::Stop {
            return;
        }
        if role.is_active()
            && known.task == Task::Start
            && known.optional
            && self.rsc(resource).running_on.len() == 1
        {
            return;
        }
        if !self.act(first).runnable {
            let known = self.act_mut(then);
            known.optional = false;
            known.runnable = false;
        }
    }
}
