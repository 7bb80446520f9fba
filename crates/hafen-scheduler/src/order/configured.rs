//! `rsc_order`: from the configuration to relations.

use hafen_cib::xml::Element;

use super::End;
use super::relation::{
    ASYMMETRIC, FIRST_IMPLIES_THEN, FIRST_IMPLIES_THEN_GRAPHED, INTERMEDIATE_STOP, MIN_RUNNABLE, ORDERED,
    SERIALIZE, THEN_IMPLIES_FIRST, UNRUNNABLE_FIRST_BLOCKS,
};
use crate::input::constraints::Set;
use crate::model::{ActionId, Cluster, ResourceId, Task, Variant};
use crate::score;

/// How strict an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Optional,
    Mandatory,
    Serialize,
}

/// Whether the reverse holds when things stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symmetry {
    Asymmetric,
    Symmetric,
    Inverse,
}

/// One side of an order: a resource, its task, and how many instances are needed.
type Side = (ResourceId, Task);

impl<'a> Cluster<'a> {
    pub(crate) fn unpack_order(&mut self, element: Element<'a>) {
        let id = element.attribute("id").unwrap_or("").to_owned();
        let kind = match element.attribute("kind") {
            Some(kind) if kind.eq_ignore_ascii_case("optional") => Kind::Optional,
            Some(kind) if kind.eq_ignore_ascii_case("serialize") => Kind::Serialize,
            Some(_) => Kind::Mandatory,
            None => match element.attribute("score").and_then(score::parse) {
                Some(0) => Kind::Optional,
                _ => Kind::Mandatory,
            },
        };
        let symmetrical = element.attribute("symmetrical").and_then(score::parse_bool);
        let symmetry = match (kind, symmetrical) {
            (Kind::Serialize, _) | (_, Some(false)) => Symmetry::Asymmetric,
            _ => Symmetry::Symmetric,
        };
        if element.child("resource_set").is_some() {
            self.unpack_order_sets(element, &id, kind, symmetry);
            return;
        }
        let (Some(first), Some(then)) = (element.attribute("first"), element.attribute("then")) else {
            return;
        };
        let first_task = task_name(element.attribute("first-action").unwrap_or("start"));
        let default_then = element.attribute("first-action").unwrap_or("start");
        let then_task = task_name(element.attribute("then-action").unwrap_or(default_then));
        let thens = self.named(then, &id);
        let require_all = element.attribute("require-all").and_then(score::parse_bool);
        for first in self.named(first, &id) {
            for &then in &thens {
                self.order_pair((first, first_task), (then, then_task), kind, symmetry, require_all, &id);
            }
        }
    }

    fn order_pair(
        &mut self,
        first: Side,
        then: Side,
        kind: Kind,
        symmetry: Symmetry,
        require_all: Option<bool>,
        id: &str,
    ) {
        let minimum = self.needed_instances(first.0, require_all);
        if minimum > 0 && matches!(first.1, Task::Start | Task::Promote) {
            self.order_minimum(first, then, kind, minimum, id);
        } else {
            self.order_tasks(first, then, forward(kind, first.1, then.1, symmetry));
        }
        if symmetry != Symmetry::Symmetric {
            return;
        }
        if let (Some(first_inverse), Some(then_inverse)) = (inverse(first.1), inverse(then.1)) {
            let flags = forward(kind, then_inverse, first_inverse, Symmetry::Inverse);
            let flags = if minimum > 0 { ORDERED } else { flags };
            self.order_tasks((then.0, then_inverse), (first.0, first_inverse), flags);
        }
    }

    fn needed_instances(&self, first: ResourceId, require_all: Option<bool>) -> i32 {
        let Some(options) = &self.rsc(first).clone else { return 0 };
        if options.min > 0 {
            return options.min;
        }
        if require_all == Some(false) { 1 } else { 0 }
    }

    /// Then waits until a number of the first clone's instances can be there.
    fn order_minimum(&mut self, first: Side, then: Side, kind: Kind, minimum: i32, id: &str) {
        let joint = self.joint_of(&format!("clone-one-or-more:{id}"), minimum);
        for instance in self.rsc(first.0).children.clone() {
            let task = if self.rsc(instance).variant == Variant::Group && first.1 == Task::Start {
                Task::Running
            } else {
                first.1
            };
            self.order(
                End::Task(instance, task),
                End::Action(joint),
                MIN_RUNNABLE | FIRST_IMPLIES_THEN_GRAPHED,
            );
        }
        let flags = if kind == Kind::Optional { ORDERED } else { UNRUNNABLE_FIRST_BLOCKS };
        self.order(End::Action(joint), End::Task(then.0, then.1), flags);
    }

    fn joint_of(&mut self, key: &str, minimum: i32) -> ActionId {
        let joint = self.free_action(Task::OneOrMore, key, None, true);
        let known = self.act_mut(joint);
        known.pseudo = true;
        known.runnable = true;
        known.needs_some = true;
        known.needed_firsts = minimum;
        joint
    }

    fn unpack_order_sets(&mut self, element: Element<'a>, id: &str, kind: Kind, symmetry: Symmetry) {
        let sets = self.sets(element, id);
        for set in &sets {
            self.order_within(set, kind, symmetry, id);
        }
        for pair in sets.windows(2) {
            self.order_between(&pair[0], &pair[1], kind, symmetry, id);
        }
    }

    fn set_kind(set: &Set<'a>, kind: Kind) -> Kind {
        match set.element.attribute("kind") {
            Some(own) if own.eq_ignore_ascii_case("optional") => Kind::Optional,
            Some(own) if own.eq_ignore_ascii_case("serialize") => Kind::Serialize,
            Some(_) => Kind::Mandatory,
            None => kind,
        }
    }

    fn order_within(&mut self, set: &Set<'a>, kind: Kind, symmetry: Symmetry, id: &str) {
        let task = task_name(set.element.attribute("action").unwrap_or("start"));
        let kind = Self::set_kind(set, kind);
        let symmetry = match (kind, set.element.attribute("symmetrical").and_then(score::parse_bool)) {
            (Kind::Serialize, _) | (_, Some(false)) => Symmetry::Asymmetric,
            _ => symmetry,
        };
        if kind == Kind::Serialize {
            for (at, &first) in set.members.iter().enumerate() {
                for &then in &set.members[at + 1..] {
                    self.order_pair((first, task), (then, task), kind, symmetry, None, id);
                }
            }
            return;
        }
        if !set.sequential {
            return;
        }
        for pair in set.members.windows(2) {
            self.order_pair((pair[0], task), (pair[1], task), kind, symmetry, None, id);
        }
    }

    fn order_between(
        &mut self,
        earlier: &Set<'a>,
        later: &Set<'a>,
        kind: Kind,
        symmetry: Symmetry,
        id: &str,
    ) {
        let task = |set: &Set<'a>| task_name(set.element.attribute("action").unwrap_or("start"));
        let (first_task, then_task) = (task(earlier), task(later));
        let require_all =
            earlier.element.attribute("require-all").and_then(score::parse_bool).unwrap_or(true);
        if !require_all {
            self.order_one_or_more(earlier, later, (first_task, then_task), kind, symmetry, id);
            return;
        }
        let sequential = |set: &Set<'a>, last: bool| -> Vec<ResourceId> {
            if !set.sequential {
                return set.members.clone();
            }
            let end = if last { set.members.last() } else { set.members.first() };
            end.copied().into_iter().collect()
        };
        if kind == Kind::Serialize {
            for &first in &earlier.members {
                for &then in &later.members {
                    self.order_pair(
                        (first, first_task),
                        (then, then_task),
                        kind,
                        Symmetry::Asymmetric,
                        None,
                        id,
                    );
                }
            }
            return;
        }
        for first in sequential(earlier, true) {
            for &then in &sequential(later, false) {
                self.order_pair((first, first_task), (then, then_task), kind, symmetry, None, id);
            }
        }
    }

    /// The later set waits for any one of the earlier.
    fn order_one_or_more(
        &mut self,
        earlier: &Set<'a>,
        later: &Set<'a>,
        (first_task, then_task): (Task, Task),
        kind: Kind,
        symmetry: Symmetry,
        id: &str,
    ) {
        let set_id = earlier.element.attribute("id").unwrap_or("");
        let joint = self.joint_of(&format!("one-or-more:{set_id}"), 1);
        for &first in &earlier.members {
            let task = self.end_task(first, first_task);
            self.order(End::Task(first, task), End::Action(joint), MIN_RUNNABLE | FIRST_IMPLIES_THEN_GRAPHED);
        }
        let flags = if kind == Kind::Optional { ORDERED } else { UNRUNNABLE_FIRST_BLOCKS };
        for &then in &later.members {
            self.order(End::Action(joint), End::Task(then, then_task), flags);
        }
        if symmetry != Symmetry::Symmetric {
            return;
        }
        let _ = id;
        if let (Some(first_inverse), Some(then_inverse)) = (inverse(first_task), inverse(then_task)) {
            for &then in &later.members {
                for &first in &earlier.members {
                    self.order_tasks(
                        (then, self.end_task(then, then_inverse)),
                        (first, first_inverse),
                        ORDERED,
                    );
                }
            }
        }
    }

    /// For something made of parts, the joint that ends a task.
    pub(crate) fn end_task(&self, resource: ResourceId, task: Task) -> Task {
        if self.rsc(resource).variant == Variant::Primitive { task } else { task.end() }
    }

    /// Lets relations between resources begin at the joints that end their tasks.
    pub(crate) fn expand_order_ends(&mut self, internal_from: usize) {
        for at in 0..internal_from.min(self.orders.len()) {
            if let End::Task(resource, task) = self.orders[at].first {
                let task = self.end_task(resource, task);
                self.orders[at].first = End::Task(resource, task);
            }
        }
    }
}

fn task_name(text: &str) -> Task {
    match text {
        "stop" => Task::Stop,
        "promote" => Task::Promote,
        "demote" => Task::Demote,
        _ => Task::Start,
    }
}

fn inverse(task: Task) -> Option<Task> {
    match task {
        Task::Start => Some(Task::Stop),
        Task::Stop => Some(Task::Start),
        Task::Promote => Some(Task::Demote),
        Task::Demote => Some(Task::Promote),
        _ => None,
    }
}

/// The relation that an order means for the given tasks.
fn forward(kind: Kind, first: Task, then: Task, symmetry: Symmetry) -> u32 {
    match kind {
        Kind::Optional => ORDERED,
        Kind::Serialize => SERIALIZE,
        Kind::Mandatory => match symmetry {
            Symmetry::Asymmetric => ASYMMETRIC | ORDERED,
            Symmetry::Inverse => THEN_IMPLIES_FIRST | ORDERED,
            Symmetry::Symmetric => {
                let mut flags = FIRST_IMPLIES_THEN | ORDERED;
                if matches!(then, Task::Start | Task::Promote) {
                    flags |= UNRUNNABLE_FIRST_BLOCKS;
                }
                let _ = (first, INTERMEDIATE_STOP);
                flags
            }
        },
    }
}
