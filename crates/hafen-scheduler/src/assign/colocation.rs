//! What an assigned resource means for those that are colocated with it.

use crate::ledger::{Cause, Change};
use crate::model::{Cluster, Colocation, NodeIndex, ResourceId, Role, Variant, Weight};
use crate::score::{self, INFINITY};

/// What a colocation decides about its dependent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Affects {
    Nothing,
    /// Where it runs.
    Placement,
    /// In which role: it is placed already.
    Promotion,
}

impl<'a> Cluster<'a> {
    /// Whether some usable node remains in a table.
    pub(crate) fn any_available(&self, table: &[Weight]) -> bool {
        table
            .iter()
            .zip(&self.nodes)
            .any(|(weight, node)| weight.present && weight.score >= 0 && node.available())
    }

    /// Whether two nodes are one as far as a colocation is concerned.
    pub(crate) fn same_place(&self, colocation: &Colocation, left: NodeIndex, right: NodeIndex) -> bool {
        match colocation.node_attribute.as_deref() {
            None | Some("#uname") => left == right,
            Some(attribute) => {
                let value = |node: NodeIndex| self.node(node).attributes.get(attribute);
                match (value(left), value(right)) {
                    (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
                    (None, None) => true,
                    _ => false,
                }
            }
        }
    }

    /// Whether the dependent's wishes count for the primary.
    pub(crate) fn has_influence(&self, at: usize) -> bool {
        let colocation = &self.colocations[at];
        colocation.influence || self.rsc(colocation.primary).running_on.is_empty()
    }

    /// Assigns the primary, then lets the colocation change the dependent's scores.
    pub(crate) fn apply_this_with(&mut self, resource: ResourceId, at: usize, depth: usize) {
        let colocation = &self.colocations[at];
        let primary = colocation.primary;
        let may_fail = colocation.dependent_role >= Some(Role::Promoted)
            || (colocation.score < 0 && colocation.score > -INFINITY);
        let saved = may_fail.then(|| self.rsc(resource).allowed.clone());
        self.assign(primary, None, true, depth + 1);
        let mark = self.journal.mark();
        self.colocate(resource, primary, at);
        if let Some(saved) = saved
            && !self.any_available(&self.rsc(resource).allowed)
        {
            self.rsc_mut(resource).allowed = saved;
            self.journal.revert(mark, resource);
        }
    }

    /// Lets an assigned primary change a dependent's scores, or its promotion priority: by how much is returned.
    pub(crate) fn colocate(&mut self, dependent: ResourceId, primary: ResourceId, at: usize) -> i32 {
        let members = match self.rsc(dependent).variant {
            Variant::Primitive => return self.colocate_with(dependent, primary, at),
            Variant::Group if self.group_is_colocated(dependent) => {
                self.rsc(dependent).children.first().copied().into_iter().collect()
            }
            Variant::Group if self.colocations[at].score < INFINITY => self.rsc(dependent).children.clone(),
            // The instances of a clone have its colocations.
            Variant::Group | Variant::Clone => Vec::new(),
        };
        let mut sum = 0;
        for member in members {
            sum = score::add(sum, self.colocate_with(member, primary, at));
        }
        if sum != 0
            && let Some((node, _)) = self.location(dependent)
        {
            self.change_promotion(dependent, node, Change::Add(sum), Cause::Colocation(at));
        }
        sum
    }

    /// The same for a dependent that is a primitive.
    fn colocate_with(&mut self, dependent: ResourceId, primary: ResourceId, at: usize) -> i32 {
        match self.rsc(primary).variant {
            Variant::Primitive => match self.affects(dependent, primary, at, false) {
                Affects::Nothing => 0,
                Affects::Placement => {
                    self.colocate_placement(dependent, primary, at);
                    0
                }
                Affects::Promotion => self.colocate_promotion(dependent, primary, at),
            },
            Variant::Group => {
                if self.rsc(primary).provisional {
                    return 0;
                }
                let score = self.colocations[at].score;
                let children = &self.rsc(primary).children;
                let members: Vec<ResourceId> = if !self.group_is_colocated(primary) {
                    if score >= INFINITY { Vec::new() } else { children.clone() }
                } else if score >= INFINITY {
                    children.last().copied().into_iter().collect()
                } else {
                    children.first().copied().into_iter().collect()
                };
                let deltas = members.into_iter().map(|member| self.colocate_with(dependent, member, at));
                deltas.fold(0, score::add)
            }
            Variant::Clone => self.colocate_with_clone(dependent, primary, at),
        }
    }

    /// What a colocation decides about a dependent; `preview` asks before the two are assigned.
    pub(crate) fn affects(
        &self,
        dependent: ResourceId,
        primary: ResourceId,
        at: usize,
        preview: bool,
    ) -> Affects {
        let colocation = &self.colocations[at];
        if !preview && self.rsc(primary).provisional {
            return Affects::Nothing;
        }
        let known = self.rsc(dependent);
        if colocation.dependent_role >= Some(Role::Unpromoted) && !known.provisional {
            let clone = self.clone_of(dependent).and_then(|clone| self.rsc(clone).clone.as_ref());
            if clone.is_some_and(|options| options.promotable) {
                return Affects::Promotion;
            }
        }
        let other_role = |wanted: Option<Role>, resource: ResourceId| {
            wanted.is_some_and(|wanted| wanted != self.rsc(resource).next_role)
        };
        if !preview && !known.provisional
            || other_role(colocation.dependent_role, dependent)
            || other_role(colocation.primary_role, primary)
        {
            return Affects::Nothing;
        }
        Affects::Placement
    }

    fn colocate_placement(&mut self, dependent: ResourceId, primary: ResourceId, at: usize) {
        let amount = self.colocations[at].score;
        let place = self.rsc(primary).assigned_to;
        if place.is_none() && amount < 0 {
            return;
        }
        let saved = (amount.abs() < INFINITY).then(|| self.rsc(dependent).allowed.clone());
        let mark = self.journal.mark();
        for node in self.node_indices() {
            if !self.rsc(dependent).allowed[node.at()].present {
                continue;
            }
            let together = place.map(|place| self.same_place(&self.colocations[at], node, place));
            let change = match together {
                None => -amount,
                // What is a requirement is no preference: it only closes the other nodes.
                Some(true) if amount < INFINITY => amount,
                Some(false) if amount >= INFINITY => -amount,
                Some(_) => continue,
            };
            self.add_score(dependent, node, change, Cause::Colocation(at));
        }
        if let Some(saved) = saved
            && !self.any_available(&self.rsc(dependent).allowed)
        {
            self.rsc_mut(dependent).allowed = saved;
            self.journal.revert(mark, dependent);
        }
    }

    /// An instance that is placed: whether it is promoted.
    fn colocate_promotion(&mut self, dependent: ResourceId, primary: ResourceId, at: usize) -> i32 {
        let colocation = &self.colocations[at];
        let Some(here) = self.rsc(dependent).assigned_to else { return 0 };
        let there = self.rsc(primary).assigned_to;
        let amount = if there.is_none_or(|there| !self.same_place(colocation, here, there)) {
            if colocation.score < INFINITY || colocation.dependent_role != Some(Role::Promoted) {
                return 0;
            }
            -INFINITY
        } else if colocation.primary_role.is_some_and(|role| role != self.rsc(primary).next_role) {
            return 0;
        } else if colocation.dependent_role == Some(Role::Unpromoted) {
            -colocation.score
        } else {
            colocation.score
        };
        self.change_promotion(dependent, here, Change::Add(amount), Cause::Colocation(at));
        amount
    }

    fn colocate_with_clone(&mut self, dependent: ResourceId, primary: ResourceId, at: usize) -> i32 {
        if self.rsc(primary).provisional {
            return 0;
        }
        let colocation = &self.colocations[at];
        let (score, role) = (colocation.score, colocation.primary_role);
        let promotable = self.rsc(primary).clone.as_ref().is_some_and(|options| options.promotable);
        if promotable && role.is_some() {
            if self.rsc(dependent).provisional {
                self.colocate_with_role(dependent, primary, at);
                return 0;
            }
            if colocation.dependent_role == Some(Role::Promoted) {
                return self.colocate_promotion_with_role(dependent, primary, at);
            }
        }
        if self.is_interleaved(dependent, primary) {
            match self.compatible_instance(dependent, primary, None, false) {
                Some(instance) => return self.colocate(dependent, instance, at),
                None if score >= INFINITY => self.place(dependent, None, true, true),
                None => {}
            }
            return 0;
        }
        let instances = self.rsc(primary).children.clone();
        if score < INFINITY {
            let deltas = instances.into_iter().map(|instance| self.colocate_with(dependent, instance, at));
            return deltas.fold(0, score::add);
        }
        let open: Vec<(NodeIndex, i32)> = instances
            .into_iter()
            .filter(|instance| !self.is_blocked(*instance))
            .filter_map(|instance| self.location(instance))
            .collect();
        self.keep_only(dependent, &open, at, false);
        0
    }

    /// Whether each instance of the dependent's clone goes with one instance of the other clone.
    fn is_interleaved(&self, dependent: ResourceId, primary: ResourceId) -> bool {
        let top = self.top_of(dependent);
        let own = self.rsc(top).clone.as_ref().filter(|own| own.interleave);
        let other = self.rsc(primary).clone.as_ref();
        own.is_some_and(|own| other.is_some_and(|other| own.node_max == other.node_max))
    }

    fn is_blocked(&self, resource: ResourceId) -> bool {
        self.family(resource).iter().any(|member| self.rsc(*member).blocked)
    }

    /// Bans a resource from all nodes but those; perhaps those bring their own scores.
    pub(crate) fn keep_only(
        &mut self,
        resource: ResourceId,
        nodes: &[(NodeIndex, i32)],
        at: usize,
        with_scores: bool,
    ) {
        for node in self.node_indices() {
            if !self.rsc(resource).allowed[node.at()].present {
                continue;
            }
            let same = nodes.iter().find(|(other, _)| self.same_place(&self.colocations[at], node, *other));
            match same {
                None => self.set_score(resource, node, -INFINITY, Cause::Colocation(at)),
                Some((_, score)) if with_scores => {
                    self.add_score(resource, node, *score, Cause::Colocation(at));
                }
                Some(_) => {}
            }
        }
    }

    /// A dependent of one role of a clone follows the instances in that role.
    fn colocate_with_role(&mut self, dependent: ResourceId, primary: ResourceId, at: usize) {
        let (score, role) = (self.colocations[at].score, self.colocations[at].primary_role);
        let places: Vec<(NodeIndex, i32)> = self
            .rsc(primary)
            .children
            .iter()
            .filter(|instance| Some(self.state_of(**instance, false)) == role)
            .filter_map(|instance| self.location(*instance))
            .collect();
        if score >= INFINITY {
            self.keep_only(dependent, &places, at, true);
            return;
        }
        for (place, _) in places {
            for node in self.node_indices() {
                if self.rsc(dependent).allowed[node.at()].present
                    && self.same_place(&self.colocations[at], node, place)
                {
                    self.add_score(dependent, node, score, Cause::Colocation(at));
                }
            }
        }
    }

    /// An instance that is placed is promoted where an instance of the other clone has the wanted role.
    fn colocate_promotion_with_role(&mut self, dependent: ResourceId, primary: ResourceId, at: usize) -> i32 {
        let Some(here) = self.rsc(dependent).assigned_to else { return 0 };
        let (score, role) = (self.colocations[at].score, self.colocations[at].primary_role);
        let amount = match self.compatible_instance(dependent, primary, role, false) {
            Some(_) => score,
            None if score >= INFINITY => -INFINITY,
            None => return 0,
        };
        self.change_promotion(dependent, here, Change::Add(amount), Cause::Colocation(at));
        amount
    }
}
