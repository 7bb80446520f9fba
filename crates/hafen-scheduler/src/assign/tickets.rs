//! Tickets: what a site may run.

use crate::model::{Cluster, LossPolicy, ResourceId, Role, TicketConstraint};
use crate::score::INFINITY;

impl<'a> Cluster<'a> {
    /// Lets lost tickets stop, demote, block or fence what depends on them.
    pub(crate) fn apply_tickets(&mut self) {
        for at in 0..self.ticket_constraints.len() {
            let constraint = self.ticket_constraints[at].clone();
            let ticket = self.tickets.get(&constraint.ticket).cloned().unwrap_or_default();
            if !ticket.granted {
                self.apply_lost_ticket(&constraint);
            } else if ticket.standby && constraint.role.is_none() {
                self.keep_stopped_ones_stopped(constraint.resource);
            } else if ticket.standby {
                self.keep_unpromoted(constraint.resource);
            }
        }
    }

    fn keep_stopped_ones_stopped(&mut self, resource: ResourceId) {
        // A ticket in standby: what runs may run on, nothing new starts.
        if self.rsc(resource).running_on.is_empty() {
            self.ban_all(resource, "__ticket_standby__");
        }
    }

    fn keep_unpromoted(&mut self, resource: ResourceId) {
        for member in self.family(resource) {
            self.rsc_mut(member).promotion_barred = true;
        }
    }

    pub(crate) fn ban_all(&mut self, resource: ResourceId, why: &str) {
        for node in self.node_indices() {
            self.prefer(resource, node, -INFINITY, why);
        }
    }

    fn apply_lost_ticket(&mut self, constraint: &TicketConstraint) {
        let resource = constraint.resource;
        if constraint.role == Some(Role::Promoted) {
            self.keep_unpromoted(resource);
            if matches!(constraint.loss, LossPolicy::Demote) {
                return;
            }
        }
        match constraint.loss {
            LossPolicy::Stop => self.ban_all(resource, "__loss_of_ticket__"),
            LossPolicy::Demote => {
                if constraint.role.is_none() {
                    self.keep_unpromoted(resource);
                }
            }
            LossPolicy::Fence => {
                self.ban_all(resource, "__loss_of_ticket__");
                for node in self.rsc(resource).running_on.clone() {
                    let reason = format!("deadman ticket {} was lost", constraint.ticket);
                    self.mark_unclean(node, &reason);
                }
            }
            LossPolicy::Freeze => {
                if self.rsc(resource).running_on.is_empty() {
                    self.ban_all(resource, "__loss_of_ticket__");
                } else {
                    for member in self.family(resource) {
                        self.rsc_mut(member).managed = false;
                        self.rsc_mut(member).blocked = true;
                    }
                }
            }
        }
    }
}
