//! Probes come before what their results may change.

use super::End;
use super::relation::{
    FIRST_IMPLIES_THEN, IF_FIRST_UNMIGRATABLE, IF_ON_SAME_NODE, IF_ON_SAME_NODE_OR_TARGET,
    IF_REQUIRED_ON_SAME_NODE, ORDERED,
};
use crate::model::{ActionId, Cluster, ResourceId, Role, Task, Variant};
use crate::score::INFINITY;

impl Cluster<'_> {
    /// What waits for a stop waits for the probes that may find something to stop.
    pub(crate) fn order_probes_before_thens(&mut self) {
        for at in 0..self.orders.len() {
            let order = &self.orders[at];
            let first = match order.first {
                End::Task(resource, Task::Stop) => resource,
                End::Action(action) if self.act(action).task == Task::Stop => {
                    let Some(resource) = self.act(action).resource else { continue };
                    resource
                }
                _ => continue,
            };
            let then_resource = match order.then {
                End::Task(resource, _) => Some(resource),
                End::Action(action) => self.act(action).resource,
            };
            // What belongs to no resource, like a shutdown, does not wait for probes.
            if then_resource.is_none_or(|then| then == first) {
                continue;
            }
            let mut flags = ORDERED | order.flags & (IF_FIRST_UNMIGRATABLE | IF_ON_SAME_NODE);
            if order.flags == IF_REQUIRED_ON_SAME_NODE || order.flags == IF_ON_SAME_NODE_OR_TARGET {
                flags = order.flags;
            }
            let probes: Vec<ActionId> = self.actions_of(first, Task::Monitor, 0).collect();
            if probes.is_empty() {
                continue;
            }
            let thens = self.thens(&order.then);
            for probe in probes {
                for &then in &thens {
                    self.order_actions(probe, then, flags);
                }
            }
        }
    }

    /// What must not share a node with another comes only after the other has left it.
    pub(crate) fn order_anti_colocated(&mut self) {
        for at in 0..self.colocations.len() {
            let colocation = &self.colocations[at];
            if colocation.score > -INFINITY {
                continue;
            }
            let one = (colocation.dependent, colocation.dependent_role);
            let other = (colocation.primary, colocation.primary_role);
            self.order_leaving(one, other);
            self.order_leaving(other, one);
        }
    }

    fn order_leaving(
        &mut self,
        (leaving, leaving_role): (ResourceId, Option<Role>),
        (coming, coming_role): (ResourceId, Option<Role>),
    ) {
        let leaves: &[Task] = match leaving_role {
            Some(Role::Promoted) => &[Task::Demote],
            Some(Role::Unpromoted) => &[Task::Stop, Task::Promote],
            _ => &[Task::Stop],
        };
        let comes: &[Task] = match coming_role {
            Some(Role::Promoted) => &[Task::Promote],
            Some(Role::Unpromoted) => &[Task::Start, Task::Demote],
            _ => &[Task::Start],
        };
        for &first in leaves {
            for &then in comes {
                self.order_tasks((leaving, first), (coming, then), IF_REQUIRED_ON_SAME_NODE);
            }
        }
    }

    /// A restart, or another promotion, that follows from a start after a probe waits for the probe too: it may turn out
    /// not to be needed.
    pub(crate) fn order_probes_before_restarts(&mut self) {
        let mut seen = vec![0_u32; self.actions.len()];
        let mut stamp = 0;
        for resource in self.resource_ids() {
            if self.rsc(resource).variant != Variant::Primitive {
                continue;
            }
            let probes: Vec<ActionId> = self.actions_of(resource, Task::Monitor, 0).collect();
            #[allow(
                clippy::type_complexity,
                reason = "what the last probe comes before, and what that leads to"
            )]
            let mut last: Option<(Vec<(ActionId, u32)>, Vec<ActionId>)> = None;
            for probe in probes {
                // The probes of a resource mostly come before the same actions.
                let after = self.act(probe).after.clone();
                let downs = match last.take() {
                    Some((known, downs)) if known == after => downs,
                    _ => {
                        stamp += 1;
                        self.restarts_after(probe, &mut seen, stamp)
                    }
                };
                for &down in &downs {
                    self.order_actions(probe, down, ORDERED);
                }
                last = Some((after, downs));
            }
        }
    }

    /// The stops and demotions that a start after a probe leads to.
    fn restarts_after(&self, probe: ActionId, seen: &mut [u32], stamp: u32) -> Vec<ActionId> {
        let Some(probed) = self.act(probe).resource else { return Vec::new() };
        let mut downs = Vec::new();
        let mut open: Vec<ActionId> = self.act(probe).after.iter().map(|(after, _)| *after).collect();
        while let Some(at) = open.pop() {
            let place = at.0 as usize;
            if place >= seen.len() || seen[place] == stamp {
                continue;
            }
            seen[place] = stamp;
            let known = self.act(at);
            let owner = known.resource;
            if let Some(resource) = owner
                && resource != probed
                && self.rsc(resource).variant == Variant::Primitive
            {
                let down = match known.task {
                    Task::Start => Some(Task::Stop),
                    Task::Promote => Some(Task::Demote),
                    _ => None,
                };
                if let Some(down) = down {
                    downs.extend(
                        self.actions_of(resource, down, 0).filter(|action| !self.act(*action).pseudo),
                    );
                }
            }
            let neighbour = self.interleaved_neighbour(owner, probed);
            for &(next, flags) in &known.after {
                if flags & FIRST_IMPLIES_THEN != 0 || self.leads_to_part(owner, probed, next, neighbour) {
                    open.push(next);
                }
            }
        }
        downs
    }

    /// Of an interleaved clone, the instance that goes with a resource; the outer option says whether it interleaves.
    fn interleaved_neighbour(
        &self,
        clone: Option<ResourceId>,
        resource: ResourceId,
    ) -> Option<Option<ResourceId>> {
        let clone = clone?;
        let interleave = self.rsc(clone).clone.as_ref().is_some_and(|options| options.interleave);
        interleave.then(|| self.compatible_instance(resource, clone, None, false))
    }

    /// Whether the walk goes on from something made of parts to one of its parts.
    fn leads_to_part(
        &self,
        whole: Option<ResourceId>,
        probed: ResourceId,
        next: ActionId,
        neighbour: Option<Option<ResourceId>>,
    ) -> bool {
        let (Some(whole), Some(part)) = (whole, self.act(next).resource) else { return false };
        self.rsc(whole).variant != Variant::Primitive
            && self.rsc(probed).parent != Some(whole)
            && self.rsc(part).variant != Variant::Clone
            && self.rsc(part).parent == Some(whole)
            && neighbour.is_none_or(|neighbour| neighbour == Some(part))
    }
}
