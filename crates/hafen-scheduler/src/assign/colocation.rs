//! How resources pull each other: the effect of colocations on scores.

use crate::model::{Cluster, Colocation, NodeIndex, ResourceId, Role, Variant, Weight};
use crate::score::{self, INFINITY};

/// How deep the wishes of dependents of dependents are followed.
const DEPTH_LIMIT: usize = 200;

impl<'a> Cluster<'a> {
    /// Adds the colocation of each group member with the one before.
    pub(crate) fn add_group_colocations(&mut self) {
        for group in self.resource_ids() {
            if self.rsc(group).variant != Variant::Group || !self.group_is_colocated(group) {
                continue;
            }
            let members = self.rsc(group).children.clone();
            for pair in members.windows(2) {
                let influence = self.rsc(pair[1]).critical;
                self.add_colocation(Colocation {
                    id: "#group-members".to_owned(),
                    dependent: pair[1],
                    primary: pair[0],
                    score: INFINITY,
                    dependent_role: None,
                    primary_role: None,
                    node_attribute: None,
                    influence,
                    internal: true,
                });
            }
        }
    }

    /// Colocations in which this resource is the dependent, with those it has through what contains it.
    pub(crate) fn this_with(&self, resource: ResourceId) -> Vec<usize> {
        let mut list = self.rsc(resource).this_with.clone();
        let mut at = resource;
        while let Some(parent) = self.rsc(at).parent {
            let container = self.rsc(parent);
            if container.variant == Variant::Group
                && self.group_is_colocated(parent)
                && container.children.first() != Some(&at)
            {
                break;
            }
            list.extend(container.this_with.iter().copied());
            at = parent;
        }
        list.extend(self.mandatory_for_rest_of_group(resource));
        list.sort_by(|left, right| self.rank(*left, true).cmp(&self.rank(*right, true)));
        list
    }

    /// A group's first member goes only where all members can: what binds the others binds it.
    fn mandatory_for_rest_of_group(&self, resource: ResourceId) -> Vec<usize> {
        let Some(group) = self.rsc(resource).parent else { return Vec::new() };
        let known = self.rsc(group);
        if known.variant != Variant::Group
            || known.children.first() != Some(&resource)
            || !self.group_is_colocated(group)
        {
            return Vec::new();
        }
        let mut list = Vec::new();
        for &member in &known.children[1..] {
            for &at in &self.rsc(member).this_with {
                let colocation = &self.colocations[at];
                if !colocation.internal
                    && colocation.score.abs() >= INFINITY
                    && self.rsc(colocation.primary).parent != Some(group)
                {
                    list.push(at);
                }
            }
        }
        list
    }

    /// Colocations in which this resource is the primary, with those it has through what contains it.
    pub(crate) fn with_this(&self, resource: ResourceId) -> Vec<usize> {
        let mut list = self.rsc(resource).with_this.clone();
        let mut at = resource;
        while let Some(parent) = self.rsc(at).parent {
            let container = self.rsc(parent);
            if container.variant == Variant::Group
                && self.group_is_colocated(parent)
                && container.children.last() != Some(&at)
            {
                break;
            }
            list.extend(container.with_this.iter().copied());
            at = parent;
        }
        list.sort_by(|left, right| self.rank(*left, false).cmp(&self.rank(*right, false)));
        list
    }

    fn rank(&self, at: usize, by_primary: bool) -> (std::cmp::Reverse<i32>, u8, &str) {
        let colocation = &self.colocations[at];
        let other = self.rsc(if by_primary { colocation.primary } else { colocation.dependent });
        let kind = match other.variant {
            Variant::Clone => 0,
            Variant::Group => 1,
            Variant::Primitive => 2,
        };
        (std::cmp::Reverse(other.priority), kind, &colocation.id)
    }

    /// Whether some usable node remains in a table.
    pub(crate) fn any_available(&self, table: &[Weight]) -> bool {
        table
            .iter()
            .zip(&self.nodes)
            .any(|(weight, node)| weight.present && weight.score >= 0 && node.available())
    }

    /// Assigns the primary, then lets the colocation change the dependent's scores.
    pub(crate) fn apply_this_with(&mut self, resource: ResourceId, at: usize, depth: usize) {
        let colocation = self.colocations[at].clone();
        let reversible = colocation.dependent_role == Some(Role::Promoted)
            || (colocation.score < 0 && colocation.score > -INFINITY);
        let saved = reversible.then(|| self.rsc(resource).allowed.clone());
        self.assign(colocation.primary, None, depth + 1);
        self.apply_to_scores(resource, colocation.primary, &colocation);
        if let Some(saved) = saved
            && !self.any_available(&self.rsc(resource).allowed)
        {
            self.rsc_mut(resource).allowed = saved;
        }
    }

    /// Lets an assigned primary change a dependent's scores.
    pub(crate) fn apply_to_scores(
        &mut self,
        dependent: ResourceId,
        primary: ResourceId,
        colocation: &Colocation,
    ) {
        match self.rsc(primary).variant {
            Variant::Primitive => self.apply_primitive(dependent, primary, colocation),
            Variant::Group => {
                if self.rsc(primary).provisional {
                    return;
                }
                let members = self.rsc(primary).children.clone();
                if self.group_is_colocated(primary) {
                    let member = if colocation.score >= INFINITY { members.last() } else { members.first() };
                    if let Some(member) = member {
                        self.apply_to_scores(dependent, *member, colocation);
                    }
                } else if colocation.score < INFINITY {
                    for member in members {
                        self.apply_to_scores(dependent, member, colocation);
                    }
                }
            }
            Variant::Clone => self.apply_clone(dependent, primary, colocation),
        }
    }

    fn apply_clone(&mut self, dependent: ResourceId, primary: ResourceId, colocation: &Colocation) {
        if self.rsc(primary).provisional {
            return;
        }
        let options = self.rsc(primary).clone.clone().unwrap_or_default();
        if options.promotable
            && colocation.primary_role.is_some()
            && self.apply_to_promoted(dependent, primary, colocation)
        {
            return;
        }
        let own_clone = self.clone_of(dependent);
        let interleaved = own_clone.is_some_and(|clone| {
            clone != primary && self.rsc(clone).clone.as_ref().is_some_and(|own| own.interleave)
        });
        if interleaved && self.rsc(dependent).variant != Variant::Clone {
            match self.compatible_instance_for(dependent, primary, colocation.primary_role) {
                Some(instance) => self.apply_to_scores(dependent, instance, colocation),
                None if colocation.score >= INFINITY => {
                    self.place(dependent, None, true);
                    self.rsc_mut(dependent).next_role = Role::Stopped;
                }
                None => {}
            }
            return;
        }
        if colocation.score >= INFINITY {
            let mut open = Vec::new();
            for instance in self.rsc(primary).children.clone() {
                let fits = colocation.primary_role.is_none_or(|role| self.rsc(instance).next_role == role);
                if fits {
                    open.extend(self.assigned_nodes(instance));
                }
            }
            self.keep_only(dependent, &open, colocation);
            return;
        }
        for instance in self.rsc(primary).children.clone() {
            self.apply_to_scores(dependent, instance, colocation);
        }
    }

    /// Bans a resource from all nodes but those.
    pub(crate) fn keep_only(&mut self, resource: ResourceId, nodes: &[NodeIndex], colocation: &Colocation) {
        let attribute = colocation.node_attribute.clone().unwrap_or_else(|| "#uname".to_owned());
        let values: Vec<Option<String>> =
            nodes.iter().map(|node| self.node(*node).attributes.get(&attribute).cloned()).collect();
        for node in self.node_indices() {
            let value = self.node(node).attributes.get(&attribute).cloned();
            if !values.contains(&value) {
                self.rsc_mut(resource).allowed[node.at()].score = -INFINITY;
                self.note(resource, node, -INFINITY, &colocation.id, "colocation");
            }
        }
    }

    /// The instance of a clone that shares a node with another clone's instance.
    fn compatible_instance_for(
        &self,
        dependent: ResourceId,
        primary: ResourceId,
        role: Option<Role>,
    ) -> Option<ResourceId> {
        let fits = |instance: ResourceId, node: NodeIndex| {
            self.assigned_nodes(instance).contains(&node)
                && role.is_none_or(|role| self.rsc(instance).next_role == role)
        };
        let instances = &self.rsc(primary).children;
        if let Some(node) = self.rsc(dependent).assigned_to {
            return instances.iter().copied().find(|instance| fits(*instance, node));
        }
        let mut nodes: Vec<NodeIndex> =
            self.node_indices().filter(|node| self.rsc(dependent).allowed[node.at()].present).collect();
        self.sort_nodes(dependent, &mut nodes, None);
        nodes.iter().find_map(|node| instances.iter().copied().find(|instance| fits(*instance, *node)))
    }

    fn apply_primitive(&mut self, dependent: ResourceId, primary: ResourceId, colocation: &Colocation) {
        if self.rsc(primary).provisional || !self.rsc(dependent).provisional {
            return;
        }
        if let Some(role) = colocation.primary_role
            && role != self.rsc(primary).next_role
        {
            return;
        }
        if colocation.dependent_role == Some(Role::Promoted) && !self.rsc(dependent).next_role.is_active() {
            // Applied to the choice of the promoted instance instead.
            if self.clone_of(dependent).is_some() {
                return;
            }
        }
        let amount = colocation.score;
        let attribute = colocation.node_attribute.as_deref().unwrap_or("#uname");
        let place = self.rsc(primary).assigned_to;
        if place.is_none() && amount < 0 {
            return;
        }
        let value = place.map(|node| self.node(node).attributes.get(attribute).cloned());
        let mut work = self.rsc(dependent).allowed.clone();
        let mut notes = Vec::new();
        for (at, weight) in work.iter_mut().enumerate().filter(|(_, weight)| weight.present) {
            let change = match &value {
                None => -amount,
                Some(value) if self.nodes[at].attributes.get(attribute) == value.as_ref() => {
                    if amount >= INFINITY { 0 } else { amount }
                }
                Some(_) if amount >= INFINITY => -amount,
                Some(_) => 0,
            };
            weight.score = score::add(weight.score, change);
            if change != 0 {
                notes.push((NodeIndex(u32::try_from(at).unwrap_or(0)), change));
            }
        }
        if amount.abs() >= INFINITY || self.any_available(&work) {
            self.rsc_mut(dependent).allowed = work;
            for (node, change) in notes {
                self.note(dependent, node, change, &colocation.id, "colocation");
            }
        }
    }

    /// Whether the dependent's wishes count for the primary.
    pub(crate) fn has_influence(&self, colocation: &Colocation, resource: ResourceId) -> bool {
        colocation.influence || self.rsc(resource).running_on.is_empty()
    }

    /// Adds the wishes of a dependent (and of its own dependents) to the primary's scores.
    pub(crate) fn add_dependent_scores(&mut self, resource: ResourceId, at: usize) {
        let colocation = self.colocations[at].clone();
        if colocation.dependent_role == Some(Role::Promoted)
            || !self.has_influence(&colocation, colocation.primary)
        {
            return;
        }
        let factor = f64::from(colocation.score) / f64::from(INFINITY);
        let for_clone = self.rsc(resource).variant == Variant::Clone;
        let table = self.rsc(resource).allowed.clone();
        let table =
            self.with_wishes_of(colocation.dependent, resource, table, &colocation, factor, for_clone, 0);
        if self.explain {
            for node in self.node_indices() {
                let change =
                    table[node.at()].score.saturating_sub(self.rsc(resource).allowed[node.at()].score);
                if change != 0 {
                    self.note(resource, node, change, &colocation.id, "colocated dependent");
                }
            }
        }
        self.rsc_mut(resource).allowed = table;
    }

    /// A table plus the wishes of a resource, scaled, and of those that are colocated with it.
    #[allow(clippy::too_many_arguments, reason = "one step of a walk with its whole state")]
    pub(crate) fn with_wishes_of(
        &mut self,
        source: ResourceId,
        target: ResourceId,
        table: Vec<Weight>,
        colocation: &Colocation,
        factor: f64,
        positive_only: bool,
        depth: usize,
    ) -> Vec<Weight> {
        if self.rsc(source).merged || depth > DEPTH_LIMIT {
            return table;
        }
        if self.rsc(source).variant == Variant::Group {
            let first = self.rsc(source).children.first().copied();
            return match first {
                Some(first) => {
                    self.rsc_mut(source).merged = true;
                    let table = self.with_wishes_of(
                        first,
                        target,
                        table,
                        colocation,
                        factor,
                        positive_only,
                        depth + 1,
                    );
                    self.rsc_mut(source).merged = false;
                    table
                }
                None => table,
            };
        }
        self.rsc_mut(source).merged = true;
        let mut work = table.clone();
        if source != target {
            self.add_matching(&mut work, source, colocation, factor, positive_only);
        }
        let result = if self.any_available(&work) {
            for at in self.with_this(source) {
                let next = self.colocations[at].clone();
                if next.dependent_role == Some(Role::Promoted) || !self.has_influence(&next, next.primary) {
                    continue;
                }
                let scaled = factor * f64::from(next.score) / f64::from(INFINITY);
                work = self.with_wishes_of(
                    next.dependent,
                    target,
                    work,
                    &next,
                    scaled,
                    positive_only,
                    depth + 1,
                );
            }
            work
        } else if depth > 0 || positive_only || self.any_available(&table) {
            table
        } else {
            work
        };
        self.rsc_mut(source).merged = false;
        result
    }

    fn add_matching(
        &self,
        work: &mut [Weight],
        source: ResourceId,
        colocation: &Colocation,
        factor: f64,
        positive_only: bool,
    ) {
        let attribute = colocation.node_attribute.as_deref().unwrap_or("#uname");
        for (at, weight) in work.iter_mut().enumerate().filter(|(_, weight)| weight.present) {
            let wish = if attribute == "#uname" {
                let wish = self.rsc(source).allowed[at];
                if wish.present { wish.score } else { continue }
            } else {
                self.best_with_attribute(source, attribute, at)
            };
            if factor < 0.0 && wish < 0 {
                continue;
            }
            let exact = factor * f64::from(wish);
            #[allow(clippy::cast_possible_truncation, reason = "bounded by infinity squared over infinity")]
            let mut change = exact.clamp(-1_000_000.0, 1_000_000.0).round() as i32;
            if change == 0 && wish != 0 {
                change = if factor > 0.0 { 1 } else { -1 };
            }
            let sum = score::add(weight.score, change);
            if positive_only && sum < 0 {
                weight.score = if weight.score > 0 { 1 } else { weight.score };
                continue;
            }
            weight.score = sum;
        }
    }

    fn best_with_attribute(&self, source: ResourceId, attribute: &str, at: usize) -> i32 {
        let value = self.nodes[at].attributes.get(attribute);
        let mut best = -INFINITY;
        for (other, weight) in self.rsc(source).allowed.iter().enumerate() {
            let usable = self.nodes[other].available() || weight.score > -INFINITY;
            if weight.present && usable && self.nodes[other].attributes.get(attribute) == value {
                best = best.max(weight.score);
            }
        }
        best
    }
}
