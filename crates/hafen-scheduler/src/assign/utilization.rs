//! Capacity: what nodes have, what resources need.

use std::cmp::{Ordering, Reverse};

use crate::hash_order::hash_order;
use crate::ledger::Cause;
use crate::model::{Amounts, Cluster, Node, NodeIndex, Placement, ResourceId, Variant};
use crate::output::scores::ScoreRow;
use crate::score::INFINITY;

use super::colocation::Affects;
use super::lists::Side;

fn amount(amounts: &Amounts, name: &str) -> Option<i64> {
    amounts.iter().find(|(known, _)| known == name).map(|(_, amount)| *amount)
}

impl<'a> Cluster<'a> {
    pub(crate) fn consume_utilization(&mut self, resource: ResourceId, node: NodeIndex) {
        let (resources, nodes) = (&self.resources, &mut self.nodes);
        for (name, need) in &resources[resource.0 as usize].utilization {
            let capacity = nodes[node.at()].utilization.iter_mut().find(|(known, _)| known == name);
            if let Some((_, left)) = capacity {
                *left = left.saturating_sub(*need);
            }
        }
    }

    pub(crate) fn release_utilization(&mut self, resource: ResourceId, node: NodeIndex) {
        let (resources, nodes) = (&self.resources, &mut self.nodes);
        for (name, need) in &resources[resource.0 as usize].utilization {
            let capacity = nodes[node.at()].utilization.iter_mut().find(|(known, _)| known == name);
            if let Some((_, left)) = capacity {
                *left = left.saturating_add(*need);
            }
        }
    }

    fn has_room(&self, node: NodeIndex, needs: &Amounts) -> bool {
        let capacity = &self.node(node).utilization;
        needs.iter().all(|(name, need)| *need <= amount(capacity, name).unwrap_or(0))
    }

    /// Bans a resource from nodes that lack the capacity for it and all that must go with it. Where no node has that much,
    /// it is banned only where it does not fit itself, and the node with the most room is returned.
    pub(crate) fn ban_where_too_small(&mut self, resource: ResourceId) -> Option<NodeIndex> {
        if self.properties.placement == Placement::Default {
            return None;
        }
        let together = self.colocated_resources(resource);
        let mut needs = Amounts::new();
        for &other in &together {
            self.add_needs(other, &together, &mut needs);
        }
        let open: Vec<NodeIndex> = self
            .nodes_in_table_order(resource)
            .into_iter()
            .filter(|node| self.rsc(resource).allowed[node.at()].score >= 0 && self.node(*node).available())
            .collect();
        let mut roomiest: Option<NodeIndex> = None;
        for &node in &open {
            if roomiest.is_none_or(|best| self.compare_capacity(node, best).is_lt()) {
                roomiest = Some(node);
            }
        }
        if open.iter().any(|node| self.has_room(*node, &needs)) {
            roomiest = None;
        } else {
            needs.clone_from(&self.rsc(resource).utilization);
        }
        for node in open {
            if !self.has_room(node, &needs) {
                self.ban(resource, node, Cause::Capacity);
            }
        }
        roomiest
    }

    fn nodes_in_table_order(&self, resource: ResourceId) -> Vec<NodeIndex> {
        let nodes: Vec<NodeIndex> =
            self.node_indices().filter(|node| self.rsc(resource).allowed[node.at()].present).collect();
        let order = hash_order(nodes.iter().map(|node| self.node(*node).id.as_str()));
        order.into_iter().map(|at| nodes[at]).collect()
    }

    /// What a resource and everything in it needs, as far as that is not placed and is not counted already.
    fn add_needs(&self, resource: ResourceId, counted: &[ResourceId], needs: &mut Amounts) {
        let known = self.rsc(resource);
        if !known.provisional {
            return;
        }
        match known.variant {
            Variant::Primitive => {
                for (name, need) in &known.utilization {
                    match needs.iter_mut().find(|(known, _)| known == name) {
                        Some((_, sum)) => *sum = sum.saturating_add(*need),
                        None => needs.push((name.clone(), *need)),
                    }
                }
            }
            Variant::Group if self.goes_as_one(resource) => {
                for member in &known.children {
                    if !counted.contains(member) {
                        self.add_needs(*member, counted, needs);
                    }
                }
            }
            Variant::Group => {
                if let Some(first) = known.children.first()
                    && !counted.contains(first)
                {
                    self.add_needs(*first, counted, needs);
                }
            }
            Variant::Clone => {
                let instances = known.children.iter();
                let mut parts = instances
                    .flat_map(|instance| std::iter::once(instance).chain(&self.rsc(*instance).children));
                if !parts.any(|part| counted.contains(part))
                    && let Some(first) = known.children.first()
                {
                    self.add_needs(*first, counted, needs);
                }
            }
        }
    }

    fn goes_as_one(&self, group: ResourceId) -> bool {
        self.group_is_colocated(group)
            || self.rsc(group).parent.is_some_and(|parent| self.rsc(parent).variant == Variant::Clone)
    }

    /// A resource and all that must run where it runs.
    fn colocated_resources(&mut self, resource: ResourceId) -> Vec<ResourceId> {
        let mut found = Vec::new();
        let mut seen = vec![false; self.resources.len()];
        let mut open = vec![resource];
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut seen[at.0 as usize], true) {
                continue;
            }
            found.push(at);
            if self.rsc(at).variant == Variant::Group && self.goes_as_one(at) {
                open.extend(self.rsc(at).children.iter().copied());
                continue;
            }
            for side in [Side::Dependent, Side::Primary] {
                self.must_go_with(at, side, &mut open);
            }
        }
        found
    }

    fn must_go_with(&mut self, resource: ResourceId, side: Side, found: &mut Vec<ResourceId>) {
        let list = match side {
            Side::Dependent => self.this_with(resource),
            Side::Primary => self.with_this(resource),
        };
        for &at in list.iter() {
            let colocation = &self.colocations[at];
            let (dependent, primary, other) = match side {
                Side::Dependent => (resource, colocation.primary, colocation.primary),
                Side::Primary => (colocation.dependent, resource, colocation.dependent),
            };
            // Which instance of the clone the dependent will be with is not known.
            let vague = side == Side::Primary
                && self.rsc(resource).variant == Variant::Clone
                && self.rsc(other).variant != Variant::Clone;
            if colocation.score >= INFINITY
                && !vague
                && self.affects(dependent, primary, at, true) == Affects::Placement
            {
                found.push(other);
            }
        }
    }

    /// Which node has more capacity left (it comes first), by the number of kinds in which it has more.
    pub(crate) fn compare_capacity(&self, left: NodeIndex, right: NodeIndex) -> Ordering {
        let (left, right) = (&self.node(left).utilization, &self.node(right).utilization);
        let mut more = 0_i32;
        for (name, here) in left {
            more += here.cmp(&amount(right, name).unwrap_or(0)) as i32;
        }
        for (name, there) in right {
            if amount(left, name).is_none() {
                more += 0.cmp(there) as i32;
            }
        }
        0.cmp(&more)
    }

    /// With a placement strategy, what has the higher priority is placed first; then what prefers its place more.
    pub(crate) fn sort_by_need(&mut self) {
        let nodes = self.nodes_by_worth();
        #[allow(clippy::type_complexity, reason = "a key to sort by, and what is sorted")]
        let mut keyed: Vec<(Reverse<(i32, i32, Vec<i32>)>, ResourceId)> = Vec::new();
        for resource in self.top.clone() {
            let table = self.scores_with_wishes(resource, Side::Dependent);
            let score = |node: NodeIndex| {
                let weight = table[node.at()];
                if weight.present { weight.score } else { -INFINITY }
            };
            let here = self.active_node(resource).map_or(-INFINITY, score);
            let all = nodes.iter().map(|node| score(*node)).collect();
            keyed.push((Reverse((self.rsc(resource).priority, here, all)), resource));
        }
        keyed.sort_by(|left, right| left.0.cmp(&right.0));
        self.top = keyed.into_iter().map(|(_, resource)| resource).collect();
    }

    pub(crate) fn show_capacities(&mut self, when: &'static str) {
        if !self.want_utilization {
            return;
        }
        let row = |node: &Node| ScoreRow::Capacity {
            when,
            node: node.uname.clone(),
            amounts: in_order(&node.utilization),
        };
        self.score_rows.extend(self.nodes.iter().map(row));
    }

    pub(crate) fn show_utilization(&mut self, resource: ResourceId, node: NodeIndex) {
        if !self.want_utilization {
            return;
        }
        let known = self.rsc(resource);
        let row = ScoreRow::Utilization {
            resource: known.id.clone(),
            node: self.node(node).uname.clone(),
            amounts: in_order(&known.utilization),
        };
        self.score_rows.push(row);
    }
}

fn in_order(amounts: &Amounts) -> Amounts {
    let order = hash_order(amounts.iter().map(|(name, _)| name.as_str()));
    order.into_iter().map(|at| amounts[at].clone()).collect()
}
