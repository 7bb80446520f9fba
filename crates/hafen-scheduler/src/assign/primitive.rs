//! Assigning a primitive.

use crate::model::{Cluster, NodeIndex, ResourceId, Role};
use crate::score::INFINITY;

impl<'a> Cluster<'a> {
    pub(crate) fn assign_primitive(
        &mut self,
        resource: ResourceId,
        prefer: Option<NodeIndex>,
        depth: usize,
    ) -> Option<NodeIndex> {
        let parent = self.rsc(resource).parent;
        if let Some(parent) = parent
            && !self.rsc(parent).assigning
        {
            self.assign(parent, prefer, depth + 1);
        }
        if !self.rsc(resource).provisional {
            return self.rsc(resource).assigned_to;
        }
        if self.rsc(resource).assigning {
            return None;
        }
        self.rsc_mut(resource).assigning = true;
        self.apply_colocations(resource, depth);
        if self.rsc(resource).next_role == Role::Stopped {
            for node in self.node_indices() {
                if self.rsc(resource).allowed[node.at()].present {
                    self.rsc_mut(resource).allowed[node.at()].score = -INFINITY;
                    self.note(resource, node, -INFINITY, "target-role", "it should be stopped");
                }
            }
        }
        let shown = !self.rsc(resource).orphan
            && (self.target_role(resource) != Some(Role::Stopped)
                || !self.rsc(resource).running_on.is_empty());
        if shown {
            self.show_scores(resource, "pcmk__primitive_assign");
        }
        self.ban_where_too_small(resource);
        self.decide(resource, prefer);
        self.rsc_mut(resource).assigning = false;
        self.rsc(resource).assigned_to
    }

    fn apply_colocations(&mut self, resource: ResourceId, depth: usize) {
        let (mandatory, others): (Vec<usize>, Vec<usize>) =
            self.with_this(resource).into_iter().partition(|at| self.colocations[*at].internal);
        for at in mandatory {
            self.add_dependent_scores(resource, at);
        }
        for at in self.this_with(resource) {
            if self.rsc(resource).provisional {
                self.apply_this_with(resource, at, depth);
            }
        }
        for at in others {
            self.add_dependent_scores(resource, at);
        }
    }

    fn decide(&mut self, resource: ResourceId, prefer: Option<NodeIndex>) {
        if !self.rsc(resource).provisional {
            return;
        }
        if !self.rsc(resource).managed {
            let here = self.rsc(resource).running_on.first().copied();
            let role = self.rsc(resource).role;
            self.rsc_mut(resource).next_role = role;
            self.place(resource, here, true);
            return;
        }
        if self.properties.stop_all && !self.rsc(resource).stonith_device {
            self.place(resource, None, true);
            return;
        }
        let chosen = self.choose(resource, prefer);
        self.place(resource, chosen, false);
    }
}
