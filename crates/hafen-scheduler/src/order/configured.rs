//! `rsc_order`: from the configuration to relations.

use hafen_cib::xml::Element;

use super::End;
use super::relation::{
    ASYMMETRIC, FIRST_IMPLIES_THEN, FIRST_IMPLIES_THEN_GRAPHED, MIN_RUNNABLE, ORDERED, SERIALIZE,
    THEN_IMPLIES_FIRST, UNRUNNABLE_FIRST_BLOCKS,
};
use crate::input::constraints::Set;
use crate::model::{ActionId, Cluster, ResourceId, Task};
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

/// One side of an order: a resource and its task.
type Side = (ResourceId, Task);

impl<'a> Cluster<'a> {
    pub(crate) fn unpack_order(&mut self, element: Element<'a>) {
        let id = element.attribute("id").unwrap_or("").to_owned();
        let kind = self.order_kind(element, &id);
        let symmetry = symmetry_of(element, kind, None);
        if element.child("resource_set").is_some() {
            self.unpack_order_sets(element, &id, kind, symmetry);
            return;
        }
        let (Some(first), Some(then)) = (element.attribute("first"), element.attribute("then")) else {
            return;
        };
        let first_action = element.attribute("first-action").unwrap_or("start");
        // A tag makes both sides sets: each has its own task, and any number of a clone's instances will do for neither.
        let tagged = [first, then].iter().any(|name| self.find_configured(name).is_none());
        let default = if tagged { "start" } else { first_action };
        let then_action = element.attribute("then-action").unwrap_or(default);
        let (Some(first_task), Some(then_task)) =
            (configured_task(first_action), configured_task(then_action))
        else {
            self.warnings.push(format!(
                "Ignoring ordering constraint '{id}': '{first_action}' or '{then_action}' is no action"
            ));
            return;
        };
        let firsts = self.named(first, &id);
        let thens = self.named(then, &id);
        if firsts.iter().chain(&thens).any(Option::is_none) {
            return;
        }
        let require_all = element.attribute("require-all").and_then(score::parse_bool);
        for &first in firsts.iter().flatten() {
            let minimum = if tagged { 0 } else { self.needed_instances(first, require_all) };
            for &then in thens.iter().flatten() {
                self.order_pair((first, first_task), (then, then_task), kind, symmetry, minimum, &id);
            }
        }
    }

    fn order_kind(&mut self, element: Element<'_>, id: &str) -> Kind {
        match element.attribute("kind") {
            None => match element.attribute("score").and_then(score::parse) {
                Some(0) => Kind::Optional,
                _ => Kind::Mandatory,
            },
            Some(kind) => kind_of(kind).unwrap_or_else(|| {
                self.warnings
                    .push(format!("Taking 'Mandatory' for the kind '{kind}' of ordering constraint '{id}'"));
                Kind::Mandatory
            }),
        }
    }

    fn order_pair(
        &mut self,
        first: Side,
        then: Side,
        kind: Kind,
        symmetry: Symmetry,
        minimum: i32,
        id: &str,
    ) {
        let flags = forward(kind, first.1, symmetry);
        if minimum > 0 {
            self.order_minimum(first, then, flags, minimum, id);
        } else {
            self.order_tasks(first, then, flags);
        }
        if symmetry != Symmetry::Symmetric {
            return;
        }
        if let (Some(first_inverse), Some(then_inverse)) = (inverse(first.1), inverse(then.1)) {
            // One instance less is no reason to stop what needs only some.
            let strict = forward(kind, then_inverse, Symmetry::Inverse);
            let flags = if minimum > 0 { ORDERED } else { strict };
            self.order_tasks((then.0, then_inverse), (first.0, first_inverse), flags);
        }
    }

    /// How many instances of a clone are enough (`clone-min`, or one without `require-all`); 0: all of them.
    fn needed_instances(&self, first: ResourceId, require_all: Option<bool>) -> i32 {
        match &self.rsc(first).clone {
            None => 0,
            Some(options) if options.min > 0 => options.min,
            Some(_) => i32::from(require_all == Some(false)),
        }
    }

    /// Then waits until a number of the first clone's instances can be there.
    fn order_minimum(&mut self, first: Side, then: Side, flags: u32, minimum: i32, id: &str) {
        let joint = self.some_of(&format!("clone-one-or-more:{id}"), minimum);
        for at in 0..self.rsc(first.0).children.len() {
            let instance = self.rsc(first.0).children[at];
            self.order(
                End::Task(instance, first.1),
                End::Action(joint),
                MIN_RUNNABLE | FIRST_IMPLIES_THEN_GRAPHED,
            );
        }
        self.order(End::Action(joint), End::Task(then.0, then.1), flags | UNRUNNABLE_FIRST_BLOCKS);
    }

    /// A joint that is possible when a number of the actions before it are.
    fn some_of(&mut self, name: &str, minimum: i32) -> ActionId {
        let joint = self.free_action(Task::OneOrMore, name, None, true);
        let known = self.act_mut(joint);
        known.pseudo = true;
        known.runnable = true;
        known.needs_some = true;
        known.needed_firsts = minimum;
        joint
    }

    fn unpack_order_sets(&mut self, element: Element<'a>, id: &str, kind: Kind, symmetry: Symmetry) {
        let mut sets = self.sets(element, id);
        // A set that names what does not exist says nothing, nor does any after it.
        if let Some(at) = sets.iter().position(|set| !set.complete) {
            sets.truncate(at);
        }
        let parent_symmetrical = element.attribute("symmetrical");
        for set in &sets {
            self.order_within(set, kind, parent_symmetrical);
        }
        for pair in sets.windows(2) {
            self.order_between(&pair[0], &pair[1], kind, symmetry);
            if symmetry == Symmetry::Symmetric {
                self.order_between(&pair[1], &pair[0], kind, Symmetry::Inverse);
            }
        }
    }

    fn order_within(&mut self, set: &Set<'a>, parent_kind: Kind, parent_symmetrical: Option<&str>) {
        let Some(task) = configured_task(set.element.attribute("action").unwrap_or("start")) else { return };
        let kind = set.element.attribute("kind").and_then(kind_of).unwrap_or(parent_kind);
        let symmetry = symmetry_of(set.element, kind, parent_symmetrical);
        let flags = forward(kind, task, symmetry);
        if kind == Kind::Serialize {
            for (at, &first) in set.members.iter().enumerate() {
                for &then in &set.members[at + 1..] {
                    self.order_tasks((first, task), (then, task), flags);
                }
            }
            return;
        }
        if !set.sequential {
            return;
        }
        for pair in set.members.windows(2) {
            self.order_tasks((pair[0], task), (pair[1], task), flags);
        }
        if symmetry != Symmetry::Symmetric {
            return;
        }
        if let Some(inverse) = inverse(task) {
            let flags = forward(kind, inverse, Symmetry::Inverse);
            for pair in set.members.windows(2) {
                self.order_tasks((pair[1], inverse), (pair[0], inverse), flags);
            }
        }
    }

    /// Relates two sets; for the inverse the later one comes as the first argument.
    fn order_between(&mut self, one: &Set<'a>, other: &Set<'a>, kind: Kind, symmetry: Symmetry) {
        let inverted = symmetry == Symmetry::Inverse;
        let task = |set: &Set<'a>| {
            let task = configured_task(set.element.attribute("action").unwrap_or("start"))?;
            if inverted { inverse(task) } else { Some(task) }
        };
        let (Some(first_task), Some(then_task)) = (task(one), task(other)) else { return };
        let flags = forward(kind, first_task, symmetry);
        // One of several is enough on the way up only: each of them has to wait until what needed one is down.
        let goes_up = matches!(first_task, Task::Start | Task::Promote);
        let require_all = one.element.attribute("require-all").and_then(score::parse_bool);
        if goes_up && require_all == Some(false) {
            self.order_one_or_more(one, other, (first_task, then_task), flags);
            return;
        }
        // Of members one after the other only the outermost touches the other set; but only where that is said: members
        // are one after the other when nothing is said, too, and then each of them touches it.
        let said =
            |set: &Set<'a>| set.element.attribute("sequential").and_then(score::parse_bool) == Some(true);
        let edge = |set: &Set<'a>, last: bool| -> Vec<ResourceId> {
            if !said(set) {
                return set.members.clone();
            }
            let end = if last { set.members.last() } else { set.members.first() };
            end.copied().into_iter().collect()
        };
        for first in edge(one, !inverted) {
            for &then in &edge(other, inverted) {
                self.order_tasks((first, first_task), (then, then_task), flags);
            }
        }
    }

    /// The later set waits for any one of the earlier.
    fn order_one_or_more(
        &mut self,
        earlier: &Set<'a>,
        later: &Set<'a>,
        (first_task, then_task): (Task, Task),
        flags: u32,
    ) {
        let set_id = earlier.element.attribute("id").unwrap_or("");
        let joint = self.some_of(&format!("one-or-more:{set_id}"), 1);
        for &first in &earlier.members {
            self.order(
                End::Task(first, first_task),
                End::Action(joint),
                MIN_RUNNABLE | FIRST_IMPLIES_THEN_GRAPHED,
            );
        }
        for &then in &later.members {
            self.order(End::Action(joint), End::Task(then, then_task), flags | UNRUNNABLE_FIRST_BLOCKS);
        }
    }
}

fn kind_of(text: &str) -> Option<Kind> {
    let kinds =
        [("Mandatory", Kind::Mandatory), ("Optional", Kind::Optional), ("Serialize", Kind::Serialize)];
    kinds.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, kind)| *kind)
}

fn symmetry_of(element: Element<'_>, kind: Kind, parent_symmetrical: Option<&str>) -> Symmetry {
    let symmetrical = element.attribute("symmetrical").or(parent_symmetrical).and_then(score::parse_bool);
    match (kind, symmetrical) {
        (Kind::Serialize, _) | (_, Some(false)) => Symmetry::Asymmetric,
        _ => Symmetry::Symmetric,
    }
}

fn configured_task(text: &str) -> Option<Task> {
    Task::known(text).filter(|task| inverse(*task).is_some())
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

/// The relation that an order means, with a given task before it: only what brings something up holds up what waits for it.
fn forward(kind: Kind, first: Task, symmetry: Symmetry) -> u32 {
    match (kind, symmetry) {
        (Kind::Optional, _) => ORDERED,
        (Kind::Serialize, _) => SERIALIZE,
        (Kind::Mandatory, Symmetry::Asymmetric) => ORDERED | ASYMMETRIC,
        (Kind::Mandatory, Symmetry::Inverse) => ORDERED | THEN_IMPLIES_FIRST,
        (Kind::Mandatory, Symmetry::Symmetric) => {
            let waits = matches!(first, Task::Start | Task::Promote);
            ORDERED | FIRST_IMPLIES_THEN | if waits { UNRUNNABLE_FIRST_BLOCKS } else { 0 }
        }
    }
}
