//! Assigning a group: member by member, each pulled to the one before.

use crate::model::{Cluster, NodeIndex, ResourceId};

impl<'a> Cluster<'a> {
    pub(crate) fn assign_group(
        &mut self,
        group: ResourceId,
        prefer: Option<NodeIndex>,
        stop_if_fail: bool,
        depth: usize,
    ) -> Option<NodeIndex> {
        if !self.rsc(group).provisional {
            return self.rsc(group).assigned_to;
        }
        if self.rsc(group).assigning {
            return None;
        }
        self.rsc_mut(group).assigning = true;
        self.show_scores(group, "pcmk__group_assign");
        let mut first = None;
        for member in self.rsc(group).children.clone() {
            let node = self.assign(member, prefer, stop_if_fail, depth + 1);
            first = first.or(node);
        }
        let next_role = self.rsc(group).children.first().map(|member| self.rsc(*member).next_role);
        let known = self.rsc_mut(group);
        known.assigning = false;
        known.provisional = false;
        known.assigned_to = first;
        if let Some(next_role) = next_role {
            known.next_role = next_role;
        }
        first
    }
}
