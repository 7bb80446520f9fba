//! Notifications: clones with `notify=true` tell their instances before and after each change.

use std::rc::Rc;

use super::Key;
use crate::input::nvpairs::Values;
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Role, Task, Variant};
use crate::order::relation::{FIRST_IMPLIES_THEN, ORDERED};
use crate::score::INFINITY;

/// The changes that are told, in the order in which their notifications are made.
const CHANGES: [Task; 4] = [Task::Start, Task::Stop, Task::Promote, Task::Demote];

/// An announcement, and the joint at which everyone has heard it.
#[derive(Clone, Copy)]
struct Announcement {
    phase: &'static str,
    change: Task,
    told: ActionId,
    heard: ActionId,
}

/// What all instances of a clone do and are, as its notifications tell it: resources with the node.
#[derive(Default)]
struct Census {
    start: Vec<(ResourceId, NodeIndex)>,
    stop: Vec<(ResourceId, NodeIndex)>,
    promote: Vec<(ResourceId, NodeIndex)>,
    demote: Vec<(ResourceId, NodeIndex)>,
    active: Vec<(ResourceId, NodeIndex)>,
    promoted: Vec<(ResourceId, NodeIndex)>,
    unpromoted: Vec<(ResourceId, NodeIndex)>,
    inactive: Vec<ResourceId>,
}

impl Census {
    fn doing(&self, change: Task) -> &[(ResourceId, NodeIndex)] {
        match change {
            Task::Start => &self.start,
            Task::Stop => &self.stop,
            Task::Promote => &self.promote,
            Task::Demote => &self.demote,
            _ => &[],
        }
    }
}

impl<'a> Cluster<'a> {
    /// The joints around each of a clone's changes, given with their beginning and end.
    pub(crate) fn create_notification_joints<const N: usize>(
        &mut self,
        clone: ResourceId,
        changes: [(Task, ActionId, ActionId); N],
    ) {
        if !self.rsc(clone).notify {
            return;
        }
        for (change, begin, end) in changes {
            let pre = self.announce(clone, "pre", change, begin);
            self.order_actions(pre.told, pre.heard, ORDERED);
            self.order_actions(pre.heard, begin, ORDERED);
            let post = self.announce_after(clone, change, end);
            self.order_actions(pre.heard, post.told, ORDERED);
        }
    }

    /// What is told after a change, and is told whenever the change is over.
    fn announce_after(&mut self, resource: ResourceId, change: Task, end: ActionId) -> Announcement {
        let post = self.announce(resource, "post", change, end);
        let runnable = self.act(end).runnable;
        for joint in [post.told, post.heard] {
            let joint = self.act_mut(joint);
            joint.priority = INFINITY;
            joint.runnable = runnable;
        }
        self.order_actions(end, post.told, FIRST_IMPLIES_THEN);
        self.order_actions(post.told, post.heard, FIRST_IMPLIES_THEN);
        post
    }

    fn announce(
        &mut self,
        resource: ResourceId,
        phase: &'static str,
        change: Task,
        about: ActionId,
    ) -> Announcement {
        let confirmed = if phase == "pre" { "confirmed-pre" } else { "confirmed-post" };
        let (task, optional) = (self.act(about).task, self.act(about).optional);
        let mut joint = |kind: Task, key_phase: &'static str| {
            let joint =
                self.action_for(Some(resource), kind, 0, Key::Notify(key_phase, task), None, optional);
            let words = [
                ("notify_type", phase.to_owned()),
                ("notify_operation", self.task_name(change).to_owned()),
                ("notify_key_type", key_phase.to_owned()),
                ("notify_key_operation", self.task_name(task).to_owned()),
            ];
            let known = self.act_mut(joint);
            known.pseudo = true;
            known.runnable = true;
            known.meta.extend(words.map(|(name, word)| (name.to_owned(), word)));
            joint
        };
        let told = joint(Task::Notify, phase);
        let heard = joint(Task::Notified, confirmed);
        Announcement { phase, change, told, heard }
    }

    /// An announcement of a clone that exists already.
    fn announcement(&self, clone: ResourceId, phase: &'static str, change: Task) -> Option<Announcement> {
        let about = if phase == "pre" { change } else { change.end() };
        let confirmed = if phase == "pre" { "confirmed-pre" } else { "confirmed-post" };
        let find = |kind: Task, phase: &'static str| {
            self.actions_of(clone, kind, 0).find(|action| self.act(*action).key == Key::Notify(phase, about))
        };
        Some(Announcement {
            phase,
            change,
            told: find(Task::Notify, phase)?,
            heard: find(Task::Notified, confirmed)?,
        })
    }

    /// Everyone has heard of one change before the next is announced.
    pub(crate) fn order_notification_joints(&mut self, clone: ResourceId) {
        if !self.rsc(clone).notify {
            return;
        }
        for (earlier, later) in [
            (Task::Stop, Task::Start),
            (Task::Stop, Task::Promote),
            (Task::Start, Task::Promote),
            (Task::Demote, Task::Promote),
            (Task::Demote, Task::Start),
            (Task::Demote, Task::Stop),
        ] {
            let after = self.announcement(clone, "post", earlier);
            let before = self.announcement(clone, "pre", later);
            if let (Some(after), Some(before)) = (after, before) {
                self.order_actions(after.heard, before.told, ORDERED);
            }
        }
    }

    /// An instance that stops by fencing cannot tell the others: they are told of it after the fencing. The usual
    /// notification waits for all stops, some of which may wait for what waits for this one.
    pub(crate) fn notify_after_fencing(&mut self, stop: ActionId, fencing: ActionId) {
        let (Some(resource), Some(node)) = (self.act(stop).resource, self.act(stop).node) else { return };
        let post = self.announce_after(resource, Task::Stop, fencing);
        let environment = Rc::new(Values::from([
            ("stop_resource".to_owned(), self.rsc(resource).id.clone()),
            ("stop_uname".to_owned(), self.node(node).uname.clone()),
        ]));
        let census = Census::default();
        let top = self.top_of(resource);
        for member in self.family(top) {
            if self.rsc(member).variant == Variant::Primitive {
                self.notify_member(member, None, post, &census, &environment);
            }
        }
    }

    /// Tells the instances about the changes that the plan holds.
    pub(crate) fn create_notifications(&mut self) {
        self.count_turns();
        for (turn, clone) in self.top.clone().into_iter().enumerate() {
            if self.rsc(clone).variant != Variant::Clone {
                continue;
            }
            let states = self.states_in(clone);
            // Its joints learn from their parts once more: the walk may have ended before they did.
            for at in (0..self.rsc(clone).actions.len()).rev() {
                self.flags_of(self.rsc(clone).actions[at], None);
            }
            if self.rsc(clone).notify {
                self.notify_clone(clone);
            }
            self.remember_turn(turn, &states);
        }
    }

    fn notify_clone(&mut self, clone: ResourceId) {
        let members: Vec<ResourceId> = self
            .family(clone)
            .into_iter()
            .filter(|member| self.rsc(*member).variant == Variant::Primitive)
            .collect();
        let census = self.census(&members);
        let mut environment: Option<Rc<Values>> = None;
        for change in CHANGES {
            let pre = self.announcement(clone, "pre", change);
            let Some(post) = self.announcement(clone, "post", change) else { continue };
            if !census.doing(change).is_empty() {
                for joint in pre.iter().chain([&post]) {
                    self.act_mut(joint.told).optional = false;
                    self.act_mut(joint.heard).optional = false;
                }
            }
            let needed = pre.iter().chain([&post]).any(|joint| !self.act(joint.told).optional);
            if !needed {
                continue;
            }
            let environment = match &environment {
                Some(known) => Rc::clone(known),
                None => Rc::clone(environment.insert(Rc::new(self.environment(clone, &census)))),
            };
            for &member in &members {
                self.inform_changes(member, &environment);
                self.notify_member(member, pre, post, &census, &environment);
            }
        }
    }

    /// What all instances do and are.
    fn census(&self, members: &[ResourceId]) -> Census {
        let mut census = Census::default();
        for &member in members {
            let known = self.rsc(member);
            match (known.role, known.running_on.first()) {
                (Role::Started | Role::Unpromoted | Role::Promoted, Some(&node)) => {
                    census.active.push((member, node));
                    match known.role {
                        Role::Promoted => census.promoted.push((member, node)),
                        Role::Unpromoted => census.unpromoted.push((member, node)),
                        _ => {}
                    }
                }
                _ => census.inactive.push(member),
            }
            for &action in &known.actions {
                let action = self.act(action);
                let Some(node) = action.node.filter(|_| !action.optional) else { continue };
                let lost = action.task == Task::Stop && self.node(node).unclean;
                if !(lost || action.runnable) {
                    continue;
                }
                match action.task {
                    Task::Start => census.start.push((member, node)),
                    Task::Stop => census.stop.push((member, node)),
                    Task::Promote => census.promote.push((member, node)),
                    Task::Demote => census.demote.push((member, node)),
                    _ => {}
                }
            }
        }
        census
    }

    /// The census in words.
    fn environment(&self, clone: ResourceId, census: &Census) -> Values {
        let mut environment = Values::new();
        for (names, list) in [
            (&["start"][..], &census.start),
            (&["stop"], &census.stop),
            (&["promote"], &census.promote),
            (&["demote"], &census.demote),
            (&["active"], &census.active),
            (&["promoted", "master"], &census.promoted),
            (&["unpromoted", "slave"], &census.unpromoted),
        ] {
            let mut list: Vec<(&str, &str)> = list
                .iter()
                .map(|(member, node)| (self.rsc(*member).id.as_str(), self.node(*node).uname.as_str()))
                .collect();
            list.sort_unstable();
            list.dedup_by_key(|(id, _)| *id);
            for name in names {
                environment.insert(format!("{name}_resource"), joined(list.iter().map(|(id, _)| *id)));
                environment.insert(format!("{name}_uname"), joined(list.iter().map(|(_, uname)| *uname)));
            }
        }
        let mut inactive: Vec<&str> =
            census.inactive.iter().map(|member| self.rsc(*member).id.as_str()).collect();
        inactive.sort_unstable();
        environment.insert("inactive_resource".into(), joined(inactive.into_iter()));
        let allowed = &self.rsc(clone).allowed;
        let names = |some: &dyn Fn(usize) -> bool| {
            let nodes = self.nodes.iter().enumerate().filter(|(at, _)| some(*at));
            joined(nodes.map(|(_, node)| node.uname.as_str()))
        };
        environment.insert("all_uname".into(), names(&|_| true));
        environment.insert(
            "available_uname".into(),
            names(&|at| allowed.get(at).is_some_and(|weight| weight.present)),
        );
        environment
    }

    /// Starts, stops, promotions and demotions know what the notifications tell.
    fn inform_changes(&mut self, member: ResourceId, environment: &Rc<Values>) {
        for action in self.rsc(member).actions.clone() {
            let known = self.act(action);
            if !known.optional && known.node.is_some() && CHANGES.contains(&known.task) {
                self.act_mut(action).notify = Some(Rc::clone(environment));
            }
        }
    }

    /// Tells one instance about a change: before it what runs, after it what will run.
    fn notify_member(
        &mut self,
        member: ResourceId,
        pre: Option<Announcement>,
        post: Announcement,
        census: &Census,
        environment: &Rc<Values>,
    ) {
        let change = post.change;
        if change != Task::Stop && census.doing(change).is_empty() {
            return;
        }
        let newest = |cluster: &Self, task: Task| cluster.actions_of(member, task, 0).last();
        if matches!(change, Task::Stop | Task::Demote) {
            if self.rsc(member).role <= Role::Stopped {
                return;
            }
            let stop = newest(self, Task::Stop);
            let implied = stop.is_some_and(|stop| self.act(stop).pseudo);
            let stays = stop.is_none_or(|stop| self.act(stop).optional);
            for node in self.rsc(member).running_on.clone() {
                if implied && self.node(node).unclean {
                    continue;
                }
                if let Some(pre) = pre {
                    self.tell(member, node, pre, environment);
                }
                if change == Task::Demote || stays {
                    self.tell_after(member, node, post, environment);
                }
            }
        } else if self.rsc(member).next_role > Role::Stopped
            && let Some(node) = self.rsc(member).assigned_to
        {
            let starts = newest(self, Task::Start).is_some_and(|start| !self.act(start).optional);
            if let Some(pre) = pre
                && (change != Task::Start || !starts)
            {
                self.tell(member, node, pre, environment);
            }
            self.tell_after(member, node, post, environment);
        }
    }

    fn tell(
        &mut self,
        member: ResourceId,
        node: NodeIndex,
        announcement: Announcement,
        environment: &Rc<Values>,
    ) -> Option<ActionId> {
        let joint = self.act(announcement.told);
        if !self.node(node).online || !joint.runnable || joint.optional {
            return None;
        }
        let words = joint.meta.clone();
        let key = Key::Notify(announcement.phase, announcement.change);
        let told = self.action_for(Some(member), Task::Notify, 0, key, Some(node), false);
        let known = self.act_mut(told);
        for (name, word) in words {
            known.meta.entry(name).or_insert(word);
        }
        known.notify = Some(Rc::clone(environment));
        self.order_actions(announcement.told, told, ORDERED);
        self.order_actions(told, announcement.heard, ORDERED);
        Some(told)
    }

    /// Monitors go on when everyone has heard of the change.
    fn tell_after(
        &mut self,
        member: ResourceId,
        node: NodeIndex,
        announcement: Announcement,
        environment: &Rc<Values>,
    ) {
        if let Some(told) = self.tell(member, node, announcement, environment) {
            self.act_mut(told).priority = INFINITY;
        }
        for action in self.rsc(member).actions.clone() {
            let known = self.act(action);
            if known.interval_ms > 0 && known.task != Task::Cancel {
                self.order_actions(announcement.heard, action, ORDERED);
            }
        }
    }
}

fn joined<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let text = words.collect::<Vec<_>>().join(" ");
    if text.is_empty() { " ".to_owned() } else { text }
}
