//! Assigning a primitive.

use crate::ledger::Cause;
use crate::model::{Cluster, NoQuorumPolicy, NodeIndex, ResourceId, Role, Variant};
use crate::score::INFINITY;

impl<'a> Cluster<'a> {
    pub(crate) fn assign_primitive(
        &mut self,
        resource: ResourceId,
        prefer: Option<NodeIndex>,
        stop_if_fail: bool,
        depth: usize,
    ) -> Option<NodeIndex> {
        let parent = self.rsc(resource).parent;
        if let Some(parent) = parent
            && !self.rsc(parent).assigning
        {
            self.assign(parent, prefer, stop_if_fail, depth + 1);
        }
        if !self.rsc(resource).provisional {
            return self.rsc(resource).assigned_to;
        }
        if self.rsc(resource).assigning {
            return None;
        }
        self.rsc_mut(resource).assigning = true;
        self.apply_colocations(resource, depth);
        self.limit_role(resource);
        self.show_scores(resource, "pcmk__primitive_assign");
        self.decide(resource, prefer, stop_if_fail);
        self.rsc_mut(resource).assigning = false;
        self.rsc(resource).assigned_to
    }

    /// What is mandatory first, so that as much of it as possible is kept.
    fn apply_colocations(&mut self, resource: ResourceId, depth: usize) {
        let (this_with, with_this) = (self.this_with(resource), self.with_this(resource));
        for mandatory in [true, false] {
            for &at in this_with.iter() {
                if (self.colocations[at].score.abs() >= INFINITY) == mandatory {
                    self.apply_this_with(resource, at, depth);
                }
            }
            for &at in with_this.iter() {
                if (self.colocations[at].score.abs() >= INFINITY) == mandatory {
                    self.add_dependent_scores(resource, at);
                }
            }
        }
    }

    fn limit_role(&mut self, resource: ResourceId) {
        let known = self.rsc(resource);
        if known.next_role == Role::Stopped {
            self.ban_everywhere(resource, Cause::Stopped);
        } else if known.next_role > known.role
            && !self.properties.have_quorum
            && self.properties.no_quorum == NoQuorumPolicy::Freeze
        {
            let role = known.role;
            self.rsc_mut(resource).next_role = role;
        }
    }

    fn decide(&mut self, resource: ResourceId, prefer: Option<NodeIndex>, stop_if_fail: bool) {
        if self.hold_still {
            self.rsc_mut(resource).managed = false;
        }
        if !self.rsc(resource).managed {
            let here = self.active_node(resource);
            let role = self.rsc(resource).role;
            self.rsc_mut(resource).next_role = role;
            self.place(resource, here, true, stop_if_fail);
        } else if self.properties.stop_all {
            self.place(resource, None, true, stop_if_fail);
        } else {
            self.place_best(resource, prefer, stop_if_fail);
        }
    }

    /// Decides on a node: the preferred one when nothing is better, else the best.
    fn place_best(&mut self, resource: ResourceId, prefer: Option<NodeIndex>, stop_if_fail: bool) {
        let roomiest = self.ban_where_too_small(resource);
        if !self.rsc(resource).provisional {
            return;
        }
        let chosen = self.choose(resource, prefer.or(roomiest));
        self.place(resource, chosen, false, stop_if_fail);
    }

    fn choose(&self, resource: ResourceId, prefer: Option<NodeIndex>) -> Option<NodeIndex> {
        let known = self.rsc(resource);
        let current = self.active_node(resource);
        let nodes = self.sorted_nodes(resource, current);
        let best = *nodes.first()?;
        let score = |node: NodeIndex| known.allowed[node.at()].score;
        if let Some(prefer) = prefer
            && known.allowed[prefer.at()].present
            && score(prefer) >= score(best).max(0)
            && self.node(prefer).available()
        {
            return Some(prefer);
        }
        let unique_instance = known
            .parent
            .map(|parent| self.rsc(parent))
            .is_some_and(|parent| parent.variant == Variant::Clone && parent.unique);
        // Where it runs is as good as the best: it stays. Instances of unique clones have had that chance already.
        if let Some(here) = current
            && !unique_instance
            && score(best) > 0
            && self.node(best).available()
            && self.node(here).available()
            && known.allowed[here.at()].present
            && score(here) == score(best)
        {
            return Some(here);
        }
        Some(best)
    }
}
