//! The order between actions: relations, and the walk that makes all actions agree with them.

mod blocked;
mod configured;
mod flags;
mod instances;
mod migrations;
mod ordered;
mod probes;
mod resolve;
mod update;

pub(crate) use update::Worklist;

use crate::model::{ActionId, Cluster, ResourceId, Task};

/// What a relation between a first and a then action means; bits combine.
pub(crate) mod relation {
    /// If both happen, first comes first.
    pub(crate) const ORDERED: u32 = 1;
    /// If first is required, so is then.
    pub(crate) const FIRST_IMPLIES_THEN: u32 = 1 << 1;
    /// If then is required, so is first.
    pub(crate) const THEN_IMPLIES_FIRST: u32 = 1 << 2;
    /// The same, when then's resource is promoted.
    pub(crate) const PROMOTED_THEN_IMPLIES_FIRST: u32 = 1 << 3;
    /// Then cannot run when first cannot.
    pub(crate) const UNRUNNABLE_FIRST_BLOCKS: u32 = 1 << 4;
    /// First cannot be a migration when then is none.
    pub(crate) const UNMIGRATABLE_THEN_BLOCKS: u32 = 1 << 5;
    /// Only on the same node.
    pub(crate) const IF_ON_SAME_NODE: u32 = 1 << 6;
    /// Only on the same node, or the migration target.
    pub(crate) const IF_ON_SAME_NODE_OR_TARGET: u32 = 1 << 7;
    /// Only if first is not part of a migration.
    pub(crate) const IF_FIRST_UNMIGRATABLE: u32 = 1 << 8;
    /// If first is required, then is required on the same node.
    pub(crate) const FIRST_IMPLIES_SAME_NODE_THEN: u32 = 1 << 9;
    /// If first happens, then is shown although nothing requires it.
    pub(crate) const FIRST_IMPLIES_THEN_GRAPHED: u32 = 1 << 10;
    /// If then happens, first is shown although nothing requires it.
    pub(crate) const THEN_IMPLIES_FIRST_GRAPHED: u32 = 1 << 11;
    /// A stop between two starts of the same resource.
    pub(crate) const INTERMEDIATE_STOP: u32 = 1 << 12;
    /// Then needs a number of firsts to be possible.
    pub(crate) const MIN_RUNNABLE: u32 = 1 << 13;
    /// Only in this direction.
    pub(crate) const ASYMMETRIC: u32 = 1 << 14;
    /// Not at the same time.
    pub(crate) const SERIALIZE: u32 = 1 << 15;
    /// Only if first is required and both are on the same node.
    pub(crate) const IF_REQUIRED_ON_SAME_NODE: u32 = 1 << 16;
    /// If then is required, first is not needed.
    pub(crate) const THEN_CANCELS_FIRST: u32 = 1 << 17;
    /// If first cannot run, then is done in its stead: it is no longer only said.
    pub(crate) const FIRST_ELSE_THEN: u32 = 1 << 18;
}

/// One end of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Action(ActionId),
    /// All actions of that name (and interval 0) of a resource, once they exist.
    Task(ResourceId, Task),
}

/// A relation, not yet resolved to actions.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) first: End,
    pub(crate) then: End,
    pub(crate) flags: u32,
}

impl<'a> Cluster<'a> {
    pub(crate) fn order(&mut self, first: End, then: End, flags: u32) {
        self.orders.push(Order { first, then, flags });
    }

    pub(crate) fn order_tasks(&mut self, first: (ResourceId, Task), then: (ResourceId, Task), flags: u32) {
        self.order(End::Task(first.0, first.1), End::Task(then.0, then.1), flags);
    }

    /// Relates two actions at once.
    pub(crate) fn order_actions(&mut self, first: ActionId, then: ActionId, flags: u32) {
        self.relate(first, then, flags);
    }

    /// Relates two actions at once. Says whether that is new.
    pub(crate) fn relate(&mut self, first: ActionId, then: ActionId, flags: u32) -> bool {
        if first == then || flags == 0 {
            return false;
        }
        // A relation that shares a meaning with an earlier one is not made, even if it means more; nor is one that has become
        // void, which stays in `after`. The shorter list is searched first.
        let (after, before) = (&self.act(first).after, &self.act(then).before);
        let mentioned = after.len() <= before.len() || before.iter().any(|(other, _)| *other == first);
        if mentioned && after.iter().any(|(other, known)| *other == then && known & flags != 0) {
            return false;
        }
        self.act_mut(first).after.push((then, flags));
        self.act_mut(then).before.push((first, flags));
        true
    }
}
