//! Notifications: clones with `notify=true` tell their instances before and after each change.

use std::collections::BTreeMap;

use super::Key;
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Role, Task, Variant};
use crate::order::relation::ORDERED;
use crate::score::INFINITY;

/// The changes that are told, each with the name of its end, in the order in which they happen.
const STAGES: [(Task, Task); 4] = [
    (Task::Demote, Task::Demoted),
    (Task::Stop, Task::Stopped),
    (Task::Start, Task::Running),
    (Task::Promote, Task::Promoted),
];

/// The joints around one change.
#[derive(Clone, Copy)]
struct Boundary {
    before: ActionId,
    after_done: ActionId,
}

impl<'a> Cluster<'a> {
    /// Adds the notifications around the changes that the plan holds.
    pub(crate) fn create_notifications(&mut self) {
        for clone in self.top.clone() {
            if self.rsc(clone).variant == Variant::Clone && self.rsc(clone).notify {
                self.notify_clone(clone);
            }
        }
    }

    fn notify_clone(&mut self, clone: ResourceId) {
        let stages: Vec<(usize, ActionId, ActionId)> =
            (0..STAGES.len()).filter_map(|stage| self.stage_of(clone, stage)).collect();
        if stages.is_empty() {
            return;
        }
        let environment = self.notify_environment(clone);
        self.add_environment(clone, &environment);
        let mut boundaries: BTreeMap<usize, Boundary> = BTreeMap::new();
        for (stage, begin, end) in stages {
            let boundary = self.notify_stage(clone, stage, begin, end, &environment);
            boundaries.insert(stage, boundary);
        }
        for (earlier, later) in [(0, 3), (0, 1), (1, 2), (2, 3), (1, 3), (0, 2)] {
            if let (Some(earlier), Some(later)) = (boundaries.get(&earlier), boundaries.get(&later)) {
                let (earlier, later) = (*earlier, *later);
                self.order_actions(earlier.after_done, later.before, ORDERED);
            }
        }
        let ends: Vec<(usize, ActionId)> =
            boundaries.iter().map(|(stage, boundary)| (*stage, boundary.after_done)).collect();
        self.order_monitors_after(clone, &ends);
    }

    /// The joints of a change, if it happens.
    fn stage_of(&self, clone: ResourceId, stage: usize) -> Option<(usize, ActionId, ActionId)> {
        let (task, done) = STAGES[stage];
        let find = |task: Task| {
            self.rsc(clone)
                .actions
                .iter()
                .copied()
                .find(|action| self.act(*action).task == task && self.act(*action).pseudo)
        };
        let (begin, end) = (find(task)?, find(done)?);
        let known = self.act(begin);
        let happens = known.runnable && (!known.optional || known.shown) && self.any_part(clone, task);
        happens.then_some((stage, begin, end))
    }

    fn any_part(&self, clone: ResourceId, task: Task) -> bool {
        self.family(clone).iter().any(|member| self.will(*member, task).is_some())
    }

    /// Where a primitive will carry out a task.
    fn will(&self, member: ResourceId, task: Task) -> Option<NodeIndex> {
        if self.rsc(member).variant != Variant::Primitive {
            return None;
        }
        self.rsc(member).actions.iter().find_map(|action| {
            let known = self.act(*action);
            (known.task == task && !known.optional && known.runnable).then_some(known.node).flatten()
        })
    }

    fn notify_stage(
        &mut self,
        clone: ResourceId,
        stage: usize,
        begin: ActionId,
        end: ActionId,
        environment: &BTreeMap<String, String>,
    ) -> Boundary {
        let (task, done) = STAGES[stage];
        let before = self.notify_joint(clone, "pre", Task::Notify, task, task);
        let before_done = self.notify_joint(clone, "confirmed-pre", Task::Notified, task, task);
        let after = self.notify_joint(clone, "post", Task::Notify, done, task);
        let after_done = self.notify_joint(clone, "confirmed-post", Task::Notified, done, task);
        for (first, then) in [
            (before, before_done),
            (before_done, begin),
            (before_done, after),
            (end, after),
            (after, after_done),
        ] {
            self.order_actions(first, then, ORDERED);
        }
        self.let_others_wait(clone, end, after_done);
        for joint in [after, after_done] {
            self.act_mut(joint).priority = INFINITY;
        }
        for member in self.family(clone) {
            if self.rsc(member).variant != Variant::Primitive {
                continue;
            }
            if let Some(node) = self.hears(member, stage, false) {
                let told = self.notify_member(member, node, "pre", task, task, environment);
                self.order_actions(before, told, ORDERED);
                self.order_actions(told, before_done, ORDERED);
            }
            if let Some(node) = self.hears(member, stage, true) {
                let told = self.notify_member(member, node, "post", task, done, environment);
                self.act_mut(told).priority = INFINITY;
                self.order_actions(after, told, ORDERED);
                self.order_actions(told, after_done, ORDERED);
            }
        }
        Boundary { before, after_done }
    }

    /// What waits for the end of a change waits until everyone has been told of it.
    fn let_others_wait(&mut self, clone: ResourceId, end: ActionId, told: ActionId) {
        for (then, flags) in self.act(end).after.clone() {
            let other = self.act(then).resource.is_some_and(|resource| self.top_of(resource) != clone);
            if other {
                for before in &mut self.act_mut(then).before {
                    if before.0 == end {
                        before.0 = told;
                    }
                }
                self.act_mut(told).after.push((then, flags));
            }
        }
    }

    fn usable(&self, node: NodeIndex) -> bool {
        self.node(node).online && !self.node(node).unclean
    }

    /// Where a member is told of a change: those that run just before it, or just after it.
    fn hears(&self, member: ResourceId, stage: usize, after: bool) -> Option<NodeIndex> {
        let known = self.rsc(member);
        let here =
            known.running_on.first().copied().filter(|node| known.role.is_active() && self.usable(*node));
        let stays = here.filter(|_| self.will(member, Task::Stop).is_none());
        let starts = self.will(member, Task::Start).filter(|node| self.usable(*node));
        match (STAGES[stage].0, after) {
            (Task::Demote, _) | (Task::Stop, false) => here,
            (Task::Stop, true) | (Task::Start, false) => stays,
            _ => starts.or(stays),
        }
    }

    fn notify_joint(
        &mut self,
        clone: ResourceId,
        phase: &'static str,
        task: Task,
        what: Task,
        operation: Task,
    ) -> ActionId {
        let joint = self.action_for(Some(clone), task, 0, Key::Notify(phase, what), None, false);
        let (what, operation) = (self.task_name(what).to_owned(), self.task_name(operation).to_owned());
        let known = self.act_mut(joint);
        known.pseudo = true;
        known.runnable = true;
        let short = phase.trim_start_matches("confirmed-");
        for (name, value) in [
            ("notify_type", short),
            ("notify_operation", &operation),
            ("notify_key_type", phase),
            ("notify_key_operation", &what),
        ] {
            known.meta.insert(name.to_owned(), value.to_owned());
        }
        joint
    }

    fn notify_member(
        &mut self,
        member: ResourceId,
        node: NodeIndex,
        phase: &'static str,
        task: Task,
        what: Task,
        environment: &BTreeMap<String, String>,
    ) -> ActionId {
        let key = Key::Notify(phase, task);
        let told = self.action_for(Some(member), Task::Notify, 0, key, Some(node), false);
        let (task, what) = (self.task_name(task).to_owned(), self.task_name(what).to_owned());
        let known = self.act_mut(told);
        known.optional = false;
        known.runnable = true;
        known.meta.extend(environment.clone());
        for (name, value) in [
            ("notify_type", phase),
            ("notify_operation", &task),
            ("notify_key_type", phase),
            ("notify_key_operation", &what),
        ] {
            known.meta.insert(name.to_owned(), value.to_owned());
        }
        told
    }

    fn order_monitors_after(&mut self, clone: ResourceId, ends: &[(usize, ActionId)]) {
        for member in self.family(clone) {
            for action in self.rsc(member).actions.clone() {
                let known = self.act(action);
                if known.interval_ms > 0 && known.task != Task::Cancel && !known.optional {
                    for &(stage, end) in ends {
                        if STAGES[stage].0 == Task::Stop && self.will(member, Task::Start).is_some() {
                            continue;
                        }
                        self.order_actions(end, action, ORDERED);
                    }
                }
            }
        }
    }

    /// What instances are told about all of them.
    fn notify_environment(&self, clone: ResourceId) -> BTreeMap<String, String> {
        let mut lists: BTreeMap<&str, Vec<(String, NodeIndex)>> = BTreeMap::new();
        let mut inactive: Vec<String> = Vec::new();
        let promotable = self.in_promotable(clone);
        for member in self.family(clone) {
            let known = self.rsc(member);
            if known.variant != Variant::Primitive || known.orphan && known.running_on.is_empty() {
                continue;
            }
            let name = self.notify_name(member);
            match known.running_on.first() {
                Some(&node) if known.role.is_active() => {
                    lists.entry("active").or_default().push((name.clone(), node));
                    if promotable && known.role == Role::Promoted {
                        lists.entry("promoted").or_default().push((name.clone(), node));
                    } else if promotable {
                        lists.entry("unpromoted").or_default().push((name.clone(), node));
                    }
                }
                _ => inactive.push(name.clone()),
            }
            for task in [Task::Start, Task::Stop, Task::Promote, Task::Demote] {
                if let Some(node) = self.will(member, task) {
                    lists.entry(self.task_name(task)).or_default().push((name.clone(), node));
                }
            }
        }
        let mut environment = BTreeMap::new();
        for kind in ["active", "promoted", "unpromoted", "start", "stop", "promote", "demote"] {
            let mut entries = lists.remove(kind).unwrap_or_default();
            entries.sort();
            let resources: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
            let nodes: Vec<&str> = entries.iter().map(|(_, node)| self.node(*node).uname.as_str()).collect();
            environment.insert(format!("notify_{kind}_resource"), joined(&resources));
            environment.insert(format!("notify_{kind}_uname"), joined(&nodes));
        }
        inactive.sort();
        environment.insert(
            "notify_inactive_resource".into(),
            joined(&inactive.iter().map(String::as_str).collect::<Vec<_>>()),
        );
        for (old, new) in [("master", "promoted"), ("slave", "unpromoted")] {
            for what in ["resource", "uname"] {
                let value = environment.get(&format!("notify_{new}_{what}")).cloned().unwrap_or_default();
                environment.insert(format!("notify_{old}_{what}"), value);
            }
        }
        let all: Vec<&str> =
            self.nodes.iter().filter(|node| !node.ping).map(|node| node.uname.as_str()).collect();
        let available: Vec<&str> = self
            .nodes
            .iter()
            .filter(|node| node.online && !node.unclean && !node.ping)
            .map(|node| node.uname.as_str())
            .collect();
        environment.insert("notify_all_uname".into(), joined(&all));
        environment.insert("notify_available_uname".into(), joined(&available));
        environment
    }

    fn notify_name(&self, member: ResourceId) -> String {
        self.rsc(member).id.clone()
    }

    /// Starts, stops, promotions and demotions know the same.
    fn add_environment(&mut self, clone: ResourceId, environment: &BTreeMap<String, String>) {
        for member in self.family(clone) {
            if self.rsc(member).variant != Variant::Primitive {
                continue;
            }
            for action in self.rsc(member).actions.clone() {
                if matches!(self.act(action).task, Task::Start | Task::Stop | Task::Promote | Task::Demote) {
                    self.act_mut(action).meta.extend(environment.clone());
                }
            }
        }
    }
}

fn joined(words: &[&str]) -> String {
    if words.is_empty() { " ".to_owned() } else { words.join(" ") }
}
