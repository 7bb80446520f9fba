//! Which colocations concern a resource, and in which order they count.

use std::cmp::{Ordering, Reverse};
use std::rc::Rc;

use crate::model::{Cluster, Colocation, ResourceId, Variant};
use crate::score::INFINITY;

/// The end of a colocation from which one looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Colocations in which the resource is the dependent: "this with".
    Dependent,
    /// Colocations in which the resource is the primary: "with this".
    Primary,
}

impl<'a> Cluster<'a> {
    /// Adds the colocations of each group member with the one before, and of what runs in a container with that, and puts all colocations in their order.
    pub(crate) fn add_group_colocations(&mut self) {
        for group in self.resource_ids() {
            if self.rsc(group).variant != Variant::Group || !self.group_is_colocated(group) {
                continue;
            }
            let members = self.rsc(group).children.clone();
            for pair in members.windows(2) {
                let influence = self.rsc(pair[1]).critical;
                self.add_internal_colocation("#group-members", pair[1], pair[0], influence);
            }
        }
        for resource in self.resource_ids() {
            if let Some(container) = self.rsc(resource).container {
                self.add_internal_colocation("#resource-with-container", resource, container, true);
            }
        }
        self.rank_colocations();
    }

    fn add_internal_colocation(
        &mut self,
        id: &str,
        dependent: ResourceId,
        primary: ResourceId,
        influence: bool,
    ) {
        self.add_colocation(Colocation {
            id: id.to_owned(),
            dependent,
            primary,
            score: INFINITY,
            dependent_role: None,
            primary_role: None,
            node_attribute: None,
            influence,
            explicit: false,
            rank: (0, 0),
        });
    }

    pub(crate) fn rank_colocations(&mut self) {
        for side in [Side::Dependent, Side::Primary] {
            let mut order: Vec<usize> = (0..self.colocations.len()).collect();
            order.sort_by(|left, right| self.compare_colocations(*left, *right, side));
            let mut rank = 0;
            for (place, &at) in order.iter().enumerate() {
                if place > 0 && self.compare_colocations(order[place - 1], at, side).is_ne() {
                    rank += 1;
                }
                match side {
                    Side::Dependent => self.colocations[at].rank.0 = rank,
                    Side::Primary => self.colocations[at].rank.1 = rank,
                }
            }
        }
        for resource in self.resource_ids() {
            let mut this_with = std::mem::take(&mut self.rsc_mut(resource).this_with);
            self.put_in_order(&mut this_with, Side::Dependent);
            self.rsc_mut(resource).this_with = this_with;
            let mut with_this = std::mem::take(&mut self.rsc_mut(resource).with_this);
            self.put_in_order(&mut with_this, Side::Primary);
            self.rsc_mut(resource).with_this = with_this;
        }
    }

    /// By what is at the other end: priority, then clones before groups before primitives; then its id.
    fn compare_colocations(&self, left: usize, right: usize, side: Side) -> Ordering {
        let key = |at: usize| {
            let colocation = &self.colocations[at];
            let other = match side {
                Side::Dependent => self.rsc(colocation.primary),
                Side::Primary => self.rsc(colocation.dependent),
            };
            let kind = match other.variant {
                Variant::Clone if other.clone.as_ref().is_some_and(|options| options.promotable) => 0,
                Variant::Clone => 1,
                Variant::Group => 2,
                Variant::Primitive => 3,
            };
            (Reverse(other.priority), kind, other.id.as_str())
        };
        key(left).cmp(&key(right))
    }

    fn rank_of(&self, at: usize, side: Side) -> u32 {
        match side {
            Side::Dependent => self.colocations[at].rank.0,
            Side::Primary => self.colocations[at].rank.1,
        }
    }

    /// Of colocations that rank alike, the one that came last counts first.
    fn put_in_order(&self, list: &mut [usize], side: Side) {
        list.reverse();
        list.sort_by_key(|at| self.rank_of(*at, side));
    }

    /// Adds colocations that are in order to such a list; each comes before those that rank alike.
    fn merge(&self, list: &mut Vec<usize>, more: impl Iterator<Item = usize>, side: Side) {
        if list.is_empty() {
            list.extend(more);
            return;
        }
        for at in more {
            let rank = self.rank_of(at, side);
            let place = list.partition_point(|other| self.rank_of(*other, side) < rank);
            list.insert(place, at);
        }
    }

    /// Colocations in which this resource is the dependent, with those that it has through what contains it.
    pub(crate) fn this_with(&mut self, resource: ResourceId) -> Rc<[usize]> {
        self.list(resource, Side::Dependent)
    }

    /// Colocations in which this resource is the primary, with those that it has through what contains it.
    pub(crate) fn with_this(&mut self, resource: ResourceId) -> Rc<[usize]> {
        self.list(resource, Side::Primary)
    }

    fn list(&mut self, resource: ResourceId, side: Side) -> Rc<[usize]> {
        let at = resource.0 as usize;
        if self.colocation_lists.len() <= at {
            self.colocation_lists.resize(self.resources.len().max(at + 1), [None, None]);
        }
        if let Some(known) = &self.colocation_lists[at][side as usize] {
            return Rc::clone(known);
        }
        let list = self.make_list(resource, side);
        if !self.depends_on_earlier_members(resource, side) {
            self.colocation_lists[at][side as usize] = Some(Rc::clone(&list));
        }
        list
    }

    fn make_list(&mut self, resource: ResourceId, side: Side) -> Rc<[usize]> {
        let known = self.rsc(resource);
        let own = match side {
            Side::Dependent => &known.this_with,
            Side::Primary => &known.with_this,
        };
        if own.is_empty()
            && known.variant == Variant::Primitive
            && let Some(parent) = known.parent
            && self.rsc(parent).variant == Variant::Clone
        {
            return self.list(parent, side);
        }
        let mut list = Vec::new();
        self.collect(resource, resource, side, &mut list);
        list.into()
    }

    /// A later member of a group looks whether one before it is managed, and that may change.
    fn depends_on_earlier_members(&self, resource: ResourceId, side: Side) -> bool {
        side == Side::Dependent
            && self
                .rsc(resource)
                .parent
                .map(|parent| self.rsc(parent))
                .is_some_and(|known| known.variant == Variant::Group && known.children[0] != resource)
    }

    fn own_list(&self, resource: ResourceId, side: Side) -> &[usize] {
        match side {
            Side::Dependent => &self.rsc(resource).this_with,
            Side::Primary => &self.rsc(resource).with_this,
        }
    }

    /// Adds the colocations of `container` that matter for `origin`, which is it or a part of it.
    fn collect(&self, container: ResourceId, origin: ResourceId, side: Side, list: &mut Vec<usize>) {
        let own = self.own_list(container, side);
        match self.rsc(container).variant {
            Variant::Primitive if container == origin => {
                self.merge(list, own.iter().copied(), side);
                if let Some(parent) = self.rsc(container).parent {
                    self.collect(parent, origin, side, list);
                }
            }
            Variant::Primitive => {
                self.merge(list, own.iter().copied().filter(|at| self.colocations[*at].explicit), side);
            }
            Variant::Group => self.collect_of_group(container, origin, side, list),
            Variant::Clone => self.merge(list, own.iter().copied(), side),
        }
    }

    /// A group's colocations bind its first member (as dependent) or its last (as primary); what binds the members between
    /// counts there too, since each is bound to the one before.
    fn collect_of_group(&self, group: ResourceId, origin: ResourceId, side: Side, list: &mut Vec<usize>) {
        let members = &self.rsc(group).children;
        let end = match side {
            Side::Dependent => members.first(),
            Side::Primary => members.last(),
        };
        if origin == group || end == Some(&origin) {
            self.merge(list, self.own_list(group, side).iter().copied(), side);
            if let Some(parent) = self.rsc(group).parent {
                self.collect(parent, origin, side, list);
            }
            for &member in members.iter().filter(|member| **member != origin) {
                self.collect(member, origin, side, list);
            }
            return;
        }
        // Behind an unmanaged member the chain is broken, so that what is mandatory for the group must be said again.
        let broken = members.iter().take_while(|member| **member != origin).any(|at| !self.rsc(*at).managed);
        if side == Side::Dependent && broken {
            let mandatory = |at: &usize| self.colocations[*at].score >= INFINITY;
            self.merge(list, self.own_list(group, side).iter().copied().filter(mandatory), side);
        }
    }
}
