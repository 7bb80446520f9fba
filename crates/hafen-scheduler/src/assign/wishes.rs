//! Wishes: what the scores of a resource mean for those with which it is colocated.

use crate::ledger::{Cause, Change};
use crate::model::{Cluster, Node, NodeIndex, ResourceId, Variant, Weight};
use crate::score::{self, INFINITY};

use super::lists::Side;

/// How deep the wishes of dependents of dependents are followed.
const DEPTH_LIMIT: usize = 400;

/// How many resources are asked for their wishes before one is decided. Colocations that meet again and again make more
/// ways than anybody can walk.
const STEP_LIMIT: usize = 200_000;

/// In a table under work: a node that wishes would have closed, and that takes no more of them.
const CUT: i32 = -100 * INFINITY;

/// Whose table is filled, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking {
    /// Whose scores these will be; none for a table that is only compared.
    pub(crate) owner: Option<ResourceId>,
    /// Which colocations are followed from one resource to the next.
    pub(crate) side: Side,
    /// What would leave no node is not taken.
    pub(crate) cautious: bool,
    /// Nothing may become negative.
    pub(crate) nonnegative: bool,
}

/// The colocation over which wishes come, and how much of them arrives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Via {
    pub(crate) colocation: usize,
    pub(crate) factor: f32,
}

/// The part of a score that a colocation passes on.
#[allow(clippy::cast_precision_loss, reason = "scores are below 2^24, and Pacemaker rounds the same way")]
pub(crate) fn scaled(factor: f32, score: i32) -> f32 {
    factor * score as f32 / INFINITY as f32
}

impl<'a> Cluster<'a> {
    /// Adds the wishes of a dependent (and of its own dependents) to the primary's scores.
    pub(crate) fn add_dependent_scores(&mut self, primary: ResourceId, at: usize) {
        if !self.has_influence(at) {
            return;
        }
        let dependent = self.colocations[at].dependent;
        let via = Via { colocation: at, factor: scaled(1.0, self.colocations[at].score) };
        let asking = Asking {
            owner: Some(primary),
            side: Side::Primary,
            cautious: true,
            nonnegative: self.rsc(primary).variant == Variant::Clone,
        };
        let mut work = self.spare_tables.pop().unwrap_or_default();
        work.clone_from(&self.rsc(primary).allowed);
        self.ask(dependent, via, asking, &mut work);
        let before = std::mem::replace(&mut self.rsc_mut(primary).allowed, work);
        self.spare_tables.push(before);
    }

    /// A resource's own scores, with the wishes of those that it is colocated with.
    pub(crate) fn scores_with_wishes(&mut self, resource: ResourceId, side: Side) -> Vec<Weight> {
        let asking = Asking { owner: None, side, cautious: false, nonnegative: false };
        let mut source = resource;
        while self.rsc(source).variant == Variant::Group
            && let Some(&end) = match side {
                // The last member is bound to all others.
                Side::Dependent => self.rsc(source).children.last(),
                Side::Primary => self.rsc(source).children.first(),
            }
        {
            source = end;
        }
        let mut work = self.rsc(source).allowed.clone();
        if self.any_available(&work) {
            self.rsc_mut(source).merged = true;
            let mut steps = 0;
            self.ask_further(source, 1.0, asking, &mut work, 0, &mut steps);
            self.rsc_mut(source).merged = false;
        }
        work
    }

    /// Adds to a table what a resource wishes, and what others wish of that resource.
    pub(crate) fn ask(&mut self, source: ResourceId, via: Via, asking: Asking, work: &mut Vec<Weight>) {
        let mut steps = 0;
        self.ask_at(source, via, asking, work, 0, &mut steps);
    }

    fn ask_at(
        &mut self,
        source: ResourceId,
        via: Via,
        asking: Asking,
        work: &mut Vec<Weight>,
        depth: usize,
        steps: &mut usize,
    ) {
        *steps += 1;
        if self.rsc(source).merged || depth > DEPTH_LIMIT || *steps > STEP_LIMIT {
            return;
        }
        self.rsc_mut(source).merged = true;
        if self.rsc(source).variant == Variant::Group {
            if let Some(&first) = self.rsc(source).children.first() {
                self.ask_at(first, via, asking, work, depth + 1, steps);
            }
        } else {
            let saved = asking.cautious.then(|| (self.spare_table(work), self.journal.mark()));
            self.add_matching(work, source, via, asking);
            if self.any_available(work) {
                let further = Asking { cautious: true, ..asking };
                self.ask_further(source, via.factor, further, work, depth, steps);
                self.open_cut_nodes(work, asking);
                self.spare_tables.extend(saved.map(|(table, _)| table));
            } else if let Some((table, mark)) = saved {
                self.spare_tables.push(std::mem::replace(work, table));
                if let Some(owner) = asking.owner {
                    self.journal.revert(mark, owner);
                }
            } else {
                self.open_cut_nodes(work, asking);
            }
        }
        self.rsc_mut(source).merged = false;
    }

    /// A copy of a table.
    fn spare_table(&mut self, table: &[Weight]) -> Vec<Weight> {
        let mut copy = self.spare_tables.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(table);
        copy
    }

    fn ask_further(
        &mut self,
        source: ResourceId,
        factor: f32,
        asking: Asking,
        work: &mut Vec<Weight>,
        depth: usize,
        steps: &mut usize,
    ) {
        let asking = Asking { cautious: true, ..asking };
        let list = match asking.side {
            Side::Dependent => self.this_with(source),
            Side::Primary => self.with_this(source),
        };
        for &at in list.iter() {
            let other = match asking.side {
                Side::Dependent => self.colocations[at].primary,
                Side::Primary if self.has_influence(at) => self.colocations[at].dependent,
                Side::Primary => continue,
            };
            let via = Via { colocation: at, factor: scaled(factor, self.colocations[at].score) };
            self.ask_at(other, via, asking, work, depth + 1, steps);
        }
    }

    /// Ends the special standing of nodes that wishes would have closed.
    fn open_cut_nodes(&mut self, work: &mut [Weight], asking: Asking) {
        if !asking.nonnegative {
            return;
        }
        for node in self.node_indices() {
            let weight = &mut work[node.at()];
            if weight.score == CUT {
                self.journal.write(&mut weight.score, asking.owner, node, Change::Set(1), Cause::WishesCut);
            }
        }
    }

    fn add_matching(&mut self, work: &mut [Weight], source: ResourceId, via: Via, asking: Asking) {
        let cause = Cause::Wish { colocation: via.colocation, of: source };
        let only_place = via.factor < 0.0 && self.has_one_place(self.colocations[via.colocation].dependent);
        let influence = self.has_influence(via.colocation);
        let stickiness = self.rsc(self.colocations[via.colocation].primary).stickiness;
        let particular = self.particular_wishes(source, via.colocation);
        // Most colocations are mandatory, and pass on all of a score.
        let whole = (via.factor - 1.0).abs() < f32::EPSILON;
        let table = &self.resources[source.0 as usize].allowed;
        for (((weight, own), node), at) in work.iter_mut().zip(table).zip(&self.nodes).zip(0..) {
            if !weight.present || weight.score == CUT {
                continue;
            }
            let wish = match &particular {
                None => own_wish(own, node),
                Some(wishes) => wishes[at as usize],
            };
            // What keeps away from the primary does not draw it to where it does not want to be itself: only when it has one
            // place, and the primary is not too lazy to leave it.
            let moves = only_place && influence && stickiness < -wish;
            if via.factor < 0.0 && wish < 0 && !moves {
                continue;
            }
            let change = if whole { wish } else { rounded(via.factor, wish) };
            if change == 0 {
                continue;
            }
            let sum = score::add(change, weight.score);
            if asking.nonnegative && sum < 0 {
                if weight.score > 0 {
                    weight.score = CUT;
                    continue;
                }
                if weight.score == 0 {
                    continue;
                }
            }
            let change = Change::Add(change);
            self.journal.write(&mut weight.score, asking.owner, NodeIndex(at), change, cause);
        }
    }

    /// What a resource wishes of each node, where that is not just its own score there.
    fn particular_wishes(&self, source: ResourceId, at: usize) -> Option<Vec<i32>> {
        let adjusted = self.with_group_locations(source, at);
        if adjusted.is_none() && self.colocations[at].node_attribute.is_none() {
            return None;
        }
        let table = adjusted.as_ref().unwrap_or(&self.rsc(source).allowed);
        Some(self.node_indices().map(|node| self.wish_for(table, at, node)).collect())
    }

    /// Whether a resource's own scores leave it exactly one node.
    fn has_one_place(&self, resource: ResourceId) -> bool {
        let open = self.rsc(resource).allowed.iter().filter(|weight| weight.present && weight.score >= 0);
        open.take(2).count() == 1
    }

    /// A resource's score for a node, from its table; of nodes that are one for the colocation, the best.
    fn wish_for(&self, table: &[Weight], at: usize, node: NodeIndex) -> i32 {
        let own = |node: NodeIndex| own_wish(&table[node.at()], self.node(node));
        let colocation = &self.colocations[at];
        match colocation.node_attribute.as_deref() {
            None | Some("#uname") => own(node),
            Some(_) => {
                let alike = |other: &NodeIndex| self.same_place(colocation, node, *other);
                self.node_indices().filter(alike).map(own).max().unwrap_or(-INFINITY)
            }
        }
    }

    /// The location preferences of a group are given to its first member only. Where another member is named in a
    /// colocation, they count all the same.
    fn with_group_locations(&self, source: ResourceId, at: usize) -> Option<Vec<Weight>> {
        let colocation = &self.colocations[at];
        let group = self.rsc(source).parent.map(|parent| self.rsc(parent))?;
        if group.variant != Variant::Group
            || !colocation.explicit
            || colocation.dependent != source
            || group.children.first() == Some(&source)
        {
            return None;
        }
        let mut table = self.rsc(source).allowed.clone();
        for &location in group.locations.iter().rev() {
            let location = &self.locations[location];
            if location.role.is_some() {
                continue;
            }
            for &(node, amount) in &location.nodes {
                let weight = &mut table[node.at()];
                weight.present = true;
                weight.score = score::add(weight.score, amount);
            }
        }
        Some(table)
    }
}

/// A resource's score for a node.
#[inline]
fn own_wish(weight: &Weight, node: &Node) -> i32 {
    if weight.present && node.available() { weight.score } else { -INFINITY }
}

/// A scaled score as an integer; what is not nothing stays something.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "scores are below 2^24, and Pacemaker rounds the same way"
)]
fn rounded(factor: f32, wish: i32) -> i32 {
    let exact = factor * wish as f32;
    let change = if exact < 0.0 { exact - 0.5 } else { exact + 0.5 } as i32;
    if change != 0 || wish == 0 || factor == 0.0 {
        change
    } else if factor > 0.0 {
        1
    } else {
        -1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_wishes_stay_something() {
        assert_eq!(rounded(scaled(1.0, 100), 200), 1);
        assert_eq!(rounded(scaled(1.0, 100), -200), 1);
        assert_eq!(rounded(scaled(1.0, -100), 200), -1);
        assert_eq!(rounded(scaled(1.0, 100), 0), 0);
        assert_eq!(rounded(scaled(1.0, INFINITY), -INFINITY), -INFINITY);
        assert_eq!(rounded(scaled(1.0, 500_000), 3), 2);
    }
}
