//! Whether a resource that a constraint moves gets where it is to go, and whether it stays there when the constraint is gone.

use std::collections::BTreeSet;

use hafen_cib::{Cib, NodeId};

use crate::crm_simulate::carried_out;
use crate::date::Seconds;
use crate::explain::{Explanation, Unknown, explain};
use crate::model::{Cluster, NodeIndex, ResourceId, Role};
use crate::run::{self, Options};

/// So many plans are played out, one after the other, until nothing is left to do.
const PLANS_MAXIMUM: usize = 8;

/// A move that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moving {
    /// What moves: a primitive, a group, or a clone.
    pub resource: String,
    /// Where to.
    pub host: String,
    /// Whether it is about where it is promoted.
    pub promoted: bool,
    /// The ids of the constraints that move it.
    pub constraints: Vec<String>,
}

/// What becomes of a move whose constraints are taken away when it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settling {
    /// It gets there, and stays there without them; the names of what runs there then: its members, its instances.
    Stays(BTreeSet<String>),
    /// It does not get there; why, as the cluster with the constraints decides.
    NeverThere(Box<Explanation>),
    /// It gets there, and leaves again without them; why, as the cluster without them decides.
    Leaves(Box<Explanation>),
}

/// Plays a move out. The CIB has its constraints; `now` is in seconds since 1970.
///
/// # Errors
///
/// The CIB has no such resource, or no such host.
pub fn settle(cib: &Cib, now: u64, moving: &Moving) -> Result<Settling, Unknown> {
    let before = View::of(cib, now, false);
    let moved = carried_out(cib, now, PLANS_MAXIMUM);
    let after = View::of(&moved, now, false);
    let is_there = after.runs_there(moving) && before.lost(&after, moving).is_empty();
    if !is_there {
        let why = explain(cib, now, &moving.resource, Some(&moving.host))?;
        return Ok(Settling::NeverThere(Box::new(why)));
    }
    Ok(match leaves(&moved, now, moving)? {
        None => Settling::Stays(after.names_there(moving)),
        Some(why) => Settling::Leaves(Box::new(why)),
    })
}

/// Whether it runs where it is to go, as the CIB's status tells: all that is expected there, an instance of a clone.
#[must_use]
pub fn has_arrived(cib: &Cib, now: u64, moving: &Moving, expected: &BTreeSet<String>) -> bool {
    let present = View::of(cib, now, false);
    present.runs_there(moving)
        && (present.is_clone(moving) || expected.is_subset(&present.names_there(moving)))
}

/// Why it would leave the host where it runs now if its constraints were taken away; nothing where it would stay.
///
/// # Errors
///
/// The CIB has no such resource, or no such host.
pub fn leaves(cib: &Cib, now: u64, moving: &Moving) -> Result<Option<Explanation>, Unknown> {
    let mut free = cib.clone();
    remove(&mut free, &moving.constraints);
    let (present, planned) = (View::of(cib, now, false), View::of(&free, now, true));
    let there = present.names_there(moving);
    let stays = planned.names_there(moving);
    let gone: Vec<&String> = there.difference(&stays).collect();
    if gone.is_empty() {
        return Ok(None);
    }
    let mut why = explain(&free, now, &moving.resource, Some(&moving.host))?;
    let elsewhere = |part: &crate::explain::Part| part.planned_on.as_ref() != Some(&moving.host);
    // An instance that was always elsewhere is no news; what is demoted in its place is.
    if !moving.promoted && why.parts.iter().any(elsewhere) {
        why.parts.retain(|part| elsewhere(part) && part.running_on.contains(&moving.host));
    }
    Ok(Some(why))
}

fn remove(cib: &mut Cib, ids: &[String]) {
    let nodes: Vec<NodeId> =
        ids.iter().filter_map(|id| cib.document().by_id(id).map(|found| found.node())).collect();
    nodes.into_iter().for_each(|node| cib.document_mut().remove(node));
}

/// A cluster as its status tells it, or as it is planned to be.
struct View<'c> {
    cluster: Cluster<'c>,
    planned: bool,
}

impl<'c> View<'c> {
    fn of(cib: &'c Cib, now: u64, planned: bool) -> Self {
        let now = Seconds::try_from(now).unwrap_or(Seconds::MAX);
        let mut cluster = run::unpack(cib, now, Options::default());
        if planned {
            cluster.run_all();
        }
        Self { cluster, planned }
    }

    /// Where a primitive runs, and whether it is promoted there.
    fn places(&self, part: ResourceId) -> (Vec<NodeIndex>, bool) {
        let known = self.cluster.rsc(part);
        if self.planned {
            let nodes = known.assigned_to.filter(|_| known.next_role.is_active()).into_iter().collect();
            return (nodes, known.next_role == Role::Promoted);
        }
        // What is under way is not done: the scheduler counts it as if it were.
        let under_way = known.pending_task.as_ref().map(|(task, node)| (task.as_str(), *node));
        let is_coming =
            |node: &NodeIndex| matches!(under_way, Some(("start" | "migrate_from", place)) if place == *node);
        let nodes = known.running_on.iter().copied().filter(|node| !is_coming(node)).collect();
        let promoting = matches!(under_way, Some(("promote", _)));
        (nodes, known.role == Role::Promoted && !promoting)
    }

    /// The names of the parts that run on the host of the move; for one that is about promotion, that are promoted there.
    fn names_there(&self, moving: &Moving) -> BTreeSet<String> {
        let Some(host) = self.cluster.node_by_name(&moving.host) else { return BTreeSet::new() };
        let counts = |part: &ResourceId| {
            let (nodes, promoted) = self.places(*part);
            nodes.contains(&host) && (promoted || !moving.promoted)
        };
        let parts = self.cluster.parts_of(&moving.resource).into_iter().filter(counts);
        parts.map(|part| self.cluster.shared_name(part)).collect()
    }

    fn names_running(&self, moving: &Moving) -> BTreeSet<String> {
        let parts = self.cluster.parts_of(&moving.resource).into_iter();
        let active = parts.filter(|part| !self.places(*part).0.is_empty());
        active.map(|part| self.cluster.shared_name(part)).collect()
    }

    fn is_clone(&self, moving: &Moving) -> bool {
        self.cluster.parts_of(&moving.resource).iter().any(|part| self.cluster.clone_of(*part).is_some())
    }

    /// Those of a clone's instances that are elsewhere do not matter; anything else runs nowhere else.
    fn runs_there(&self, moving: &Moving) -> bool {
        let there = self.names_there(moving);
        let is_here_alone = || {
            let parts = self.cluster.parts_of(&moving.resource).into_iter();
            parts
                .flat_map(|part| self.places(part).0)
                .all(|node| self.cluster.node(node).uname == moving.host)
        };
        !there.is_empty() && (self.is_clone(moving) || is_here_alone())
    }

    /// What runs here, and does not in the other.
    fn lost(&self, other: &Self, moving: &Moving) -> BTreeSet<String> {
        &self.names_running(moving) - &other.names_running(moving)
    }
}

#[cfg(test)]
mod tests;
