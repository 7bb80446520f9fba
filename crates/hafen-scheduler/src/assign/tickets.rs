//! Tickets: what a site may run.

use crate::model::{Cluster, LossPolicy, ResourceId, Role, Ticket, TicketConstraint, Variant};
use crate::score::INFINITY;

impl<'a> Cluster<'a> {
    /// Lets lost tickets stop, demote, block or fence what depends on them, and missing ones keep it from starting.
    pub(crate) fn apply_tickets(&mut self) {
        for at in 0..self.ticket_constraints.len() {
            let constraint = self.ticket_constraints[at].clone();
            let ticket = self.tickets.get(&constraint.ticket).cloned().unwrap_or_default();
            if ticket.granted && !ticket.standby {
                continue;
            }
            let promoted = constraint.role == Some(Role::Promoted);
            for member in self.family(constraint.resource) {
                if promoted {
                    self.rsc_mut(member).promotion_barred = true;
                }
                if self.rsc(member).variant == Variant::Primitive {
                    self.apply_missing_ticket(member, &constraint, &ticket);
                }
            }
        }
    }

    /// A primitive that depends on a ticket which is not there, or only in standby.
    fn apply_missing_ticket(&mut self, resource: ResourceId, constraint: &TicketConstraint, ticket: &Ticket) {
        let promoted = constraint.role == Some(Role::Promoted);
        if ticket.granted || self.rsc(resource).running_on.is_empty() {
            // Nothing was lost. A constraint on the promoted role lets everything else run, if it does not say stop.
            if !promoted || constraint.loss == LossPolicy::Stop {
                let why = if ticket.granted { "__ticket_standby__" } else { "__no_ticket__" };
                self.ban_all(resource, why);
            }
            return;
        }
        let concerned = !promoted || self.rsc(resource).role == Role::Promoted;
        match constraint.loss {
            LossPolicy::Stop => self.ban_all(resource, "__loss_of_ticket__"),
            LossPolicy::Demote if promoted => {}
            LossPolicy::Demote => self.ban_all(resource, "__loss_of_ticket__"),
            LossPolicy::Fence if concerned => {
                self.ban_all(resource, "__loss_of_ticket__");
                for node in self.rsc(resource).running_on.clone() {
                    self.mark_unclean(node, "deadman ticket was lost");
                }
            }
            LossPolicy::Freeze if concerned => {
                let known = self.rsc_mut(resource);
                known.managed = false;
                known.blocked = true;
            }
            LossPolicy::Fence | LossPolicy::Freeze => {}
        }
    }

    fn ban_all(&mut self, resource: ResourceId, why: &str) {
        for node in self.node_indices() {
            self.prefer(resource, node, -INFINITY, why);
        }
    }
}
