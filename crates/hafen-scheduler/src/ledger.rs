//! The ledger: each change of a score with its cause, in the order in which it was made. Replaying a resource's entries for a
//! node gives its score there.

use crate::model::{Cluster, NodeIndex, ResourceId};
use crate::score;

/// Which score of a resource is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// What decides where it runs.
    Placement,
    /// What decides whether an instance of a promotable clone is promoted where it runs.
    Promotion,
}

/// What happened to a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Something was added, as scores are added: minus infinity wins over everything, then infinity.
    Add(i32),
    /// It was replaced, whatever it was.
    Set(i32),
}

impl Change {
    /// The score after the change.
    #[must_use]
    pub fn apply(self, before: i32) -> i32 {
        match self {
            Change::Add(amount) => score::add(before, amount),
            Change::Set(value) => value,
        }
    }
}

/// Why a score changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The node's own score, for everything.
    NodeScore,
    /// A location constraint, or a rule of one.
    Location,
    /// It runs there, and prefers to stay.
    Stickiness,
    /// It is not managed, and stays where it is active.
    Unmanaged,
    /// The node's health attributes.
    Health,
    /// It failed there as often as `migration-threshold` allows.
    FailureThreshold,
    /// An operation failed there in a way that bans it (`on-fail`, or an error that no other attempt can mend).
    FailedOperation,
    /// Its stop failed there.
    FailedStop,
    /// The node it ran on was shut down cleanly, and it is kept for that node.
    ShutdownLock,
    /// `resource-discovery=exclusive` names other nodes.
    ExclusiveDiscovery,
    /// It is no longer configured.
    Orphan,
    /// It is active on several nodes, and is only to be stopped.
    MultiplyActive,
    /// It depends on a ticket that was lost, was never granted, or is in standby.
    Ticket,
    /// It is to be stopped.
    Stopped,
    /// It is the dependent of a colocation with this resource, which is placed.
    ColocatedWith {
        /// The primary.
        primary: String,
    },
    /// This resource would like to be with (or away from) it: a dependent, or a dependent of one.
    Wish {
        /// Whose score was taken over, scaled.
        of: String,
    },
    /// Wishes that would have driven it away from the node were cut off.
    WishesCut,
    /// The node has not the capacity for it and for what must run with it.
    Capacity,
    /// An instance of a clone: the node cannot run anything, or the clone is kept from it.
    NodeClosed,
    /// An instance of a clone: the node has all the instances that it may have.
    NodeFull,
    /// An instance of a clone: all instances that may be active are placed.
    InstanceLimit,
    /// The score that its agent, or a node attribute, gives it for being promoted there.
    PromotionScore,
    /// A promotable clone weighs its instances: the node stands for the one that is placed there.
    PromotionOrder,
}

/// One change of a score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The resource (instance) whose score it is.
    pub resource: String,
    /// The node's name.
    pub node: String,
    /// Which score.
    pub measure: Measure,
    /// What happened to it.
    pub change: Change,
    /// The constraint's id, or the name of the property or meta attribute; empty where there is none.
    pub source: String,
    /// The rule of the constraint, where it has one.
    pub rule: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// The moment at which a resource's place was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The resource (instance).
    pub resource: String,
    /// Where it was placed.
    pub node: Option<String>,
    /// How many entries had been written: those before it are what counted.
    pub entries: usize,
}

/// All changes of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The changes, in order.
    pub entries: Vec<Entry>,
    /// The choices, in order.
    pub decisions: Vec<Decision>,
}

impl Ledger {
    /// The changes of a resource's score on a node, in order.
    pub fn of<'l>(
        &'l self,
        resource: &'l str,
        node: &'l str,
        measure: Measure,
    ) -> impl Iterator<Item = &'l Entry> + 'l {
        self.entries
            .iter()
            .filter(move |entry| entry.measure == measure && entry.resource == resource && entry.node == node)
    }

    /// The score that the entries add up to.
    #[must_use]
    pub fn score(&self, resource: &str, node: &str, measure: Measure) -> i32 {
        self.of(resource, node, measure).fold(0, |score, entry| entry.change.apply(score))
    }

    /// The choice that stands for a resource.
    #[must_use]
    pub fn decision(&self, resource: &str) -> Option<&Decision> {
        self.decisions.iter().rev().find(|decision| decision.resource == resource)
    }
}

/// Why a score changes, with everything by index: what is written down costs little, and naming it is put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// By index in `Cluster::locations`.
    Location(usize),
    NodeScore,
    Stickiness,
    Unmanaged,
    FailureThreshold,
    FailedOperation,
    FailedStop,
    ShutdownLock,
    ExclusiveDiscovery,
    Orphan,
    MultiplyActive,
    /// By index in `Cluster::ticket_constraints`.
    Ticket(usize),
    Stopped,
    /// By index in `Cluster::colocations`.
    Colocation(usize),
    Wish {
        colocation: usize,
        of: ResourceId,
    },
    WishesCut,
    Capacity,
    NodeClosed,
    NodeFull,
    InstanceLimit,
    PromotionScore,
    PromotionOrder,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Note {
    resource: ResourceId,
    node: NodeIndex,
    measure: Measure,
    change: Change,
    cause: Cause,
}

/// The ledger while it is being written. Every change of a score goes through [`Journal::write`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    on: bool,
    notes: Vec<Note>,
    decisions: Vec<(ResourceId, Option<NodeIndex>, usize)>,
    /// Scores that were shown and did not follow from the notes before.
    #[cfg(test)]
    pub(crate) contradictions: Vec<String>,
}

impl Journal {
    pub(crate) fn new(on: bool) -> Journal {
        Journal { on, ..Journal::default() }
    }

    #[cfg(test)]
    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// Changes a score. `owner` is whose score it is; a table that is only tried out has none, and leaves no trace.
    #[inline]
    pub(crate) fn write(
        &mut self,
        score: &mut i32,
        owner: Option<ResourceId>,
        node: NodeIndex,
        change: Change,
        cause: Cause,
    ) {
        *score = change.apply(*score);
        if self.on {
            self.note(owner, node, Measure::Placement, change, cause);
        }
    }

    /// Changes an instance's promotion score, likewise.
    pub(crate) fn write_promotion(
        &mut self,
        score: &mut i32,
        owner: ResourceId,
        node: NodeIndex,
        change: Change,
        cause: Cause,
    ) {
        *score = change.apply(*score);
        if self.on {
            self.note(Some(owner), node, Measure::Promotion, change, cause);
        }
    }

    fn note(
        &mut self,
        owner: Option<ResourceId>,
        node: NodeIndex,
        measure: Measure,
        change: Change,
        cause: Cause,
    ) {
        if let Some(resource) = owner
            && change != Change::Add(0)
        {
            self.notes.push(Note { resource, node, measure, change, cause });
        }
    }

    pub(crate) fn decide(&mut self, resource: ResourceId, node: Option<NodeIndex>) {
        if self.on {
            self.decisions.push((resource, node, self.notes.len()));
        }
    }

    /// A place to come back to.
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.notes.len(), self.decisions.len())
    }

    /// Forgets what was written about a resource since a mark, because its scores are taken back.
    pub(crate) fn revert(&mut self, mark: (usize, usize), resource: ResourceId) {
        if !self.on {
            return;
        }
        let mut kept = Vec::with_capacity(self.decisions.len());
        let mut position = mark.0;
        let mut moved = vec![0; self.notes.len().saturating_sub(mark.0) + 1];
        for (at, target) in moved.iter_mut().enumerate() {
            *target = position;
            if self.notes.get(mark.0 + at).is_some_and(|note| note.resource != resource) {
                position += 1;
            }
        }
        for (at, &(decided, node, entries)) in self.decisions.iter().enumerate() {
            if at < mark.1 {
                kept.push((decided, node, entries));
            } else if decided != resource {
                let entries = entries.checked_sub(mark.0).and_then(|at| moved.get(at)).copied();
                kept.push((decided, node, entries.unwrap_or(mark.0)));
            }
        }
        self.decisions = kept;
        let tail = self.notes.split_off(mark.0.min(self.notes.len()));
        self.notes.extend(tail.into_iter().filter(|note| note.resource != resource));
    }

    /// Replays the notes.
    #[cfg(test)]
    pub(crate) fn replay(&self, resource: ResourceId, node: NodeIndex, measure: Measure) -> i32 {
        let mine = |note: &&Note| note.resource == resource && note.node == node && note.measure == measure;
        self.notes.iter().filter(mine).fold(0, |score, note| note.change.apply(score))
    }
}

impl Cluster<'_> {
    /// The journal with names instead of indices.
    pub(crate) fn ledger(&self) -> Ledger {
        let name = |resource: ResourceId| self.rsc(resource).id.clone();
        let entry = |note: &Note| {
            let (source, rule, reason) = self.named_cause(note.cause);
            Entry {
                resource: name(note.resource),
                node: self.node(note.node).uname.clone(),
                measure: note.measure,
                change: note.change,
                source,
                rule,
                reason,
            }
        };
        let decisions = self.journal.decisions.iter().map(|(resource, node, entries)| Decision {
            resource: name(*resource),
            node: node.map(|node| self.node(node).uname.clone()),
            entries: *entries,
        });
        Ledger { entries: self.journal.notes.iter().map(entry).collect(), decisions: decisions.collect() }
    }

    fn named_cause(&self, cause: Cause) -> (String, Option<String>, Reason) {
        let (source, reason) = match cause {
            Cause::Location(at) => {
                let location = &self.locations[at];
                let reason = if location.health { Reason::Health } else { Reason::Location };
                return (location.id.clone(), location.rule.clone(), reason);
            }
            Cause::Colocation(at) => {
                let colocation = &self.colocations[at];
                let primary = self.rsc(colocation.primary).id.clone();
                return (colocation.id.clone(), None, Reason::ColocatedWith { primary });
            }
            Cause::Wish { colocation, of } => {
                let reason = Reason::Wish { of: self.rsc(of).id.clone() };
                return (self.colocations[colocation].id.clone(), None, reason);
            }
            Cause::Ticket(at) => return (self.ticket_constraints[at].id.clone(), None, Reason::Ticket),
            Cause::Stickiness => ("resource-stickiness", Reason::Stickiness),
            Cause::NodeScore => ("score", Reason::NodeScore),
            Cause::Unmanaged => ("is-managed", Reason::Unmanaged),
            Cause::FailureThreshold => ("migration-threshold", Reason::FailureThreshold),
            Cause::FailedOperation => ("", Reason::FailedOperation),
            Cause::FailedStop => ("", Reason::FailedStop),
            Cause::ShutdownLock => ("shutdown-lock", Reason::ShutdownLock),
            Cause::ExclusiveDiscovery => ("resource-discovery", Reason::ExclusiveDiscovery),
            Cause::Orphan => ("stop-orphan-resources", Reason::Orphan),
            Cause::MultiplyActive => ("multiple-active", Reason::MultiplyActive),
            Cause::Stopped => ("target-role", Reason::Stopped),
            Cause::WishesCut => ("", Reason::WishesCut),
            Cause::Capacity => ("utilization", Reason::Capacity),
            Cause::NodeClosed => ("", Reason::NodeClosed),
            Cause::NodeFull => ("clone-node-max", Reason::NodeFull),
            Cause::InstanceLimit => ("clone-max", Reason::InstanceLimit),
            Cause::PromotionScore => ("", Reason::PromotionScore),
            Cause::PromotionOrder => ("", Reason::PromotionOrder),
        };
        (source.to_owned(), None, reason)
    }
}

#[cfg(test)]
mod tests;
