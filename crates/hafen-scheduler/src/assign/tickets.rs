//! Tickets: what a site may run.

use crate::ledger::Cause;
use crate::model::{Cluster, LossPolicy, ResourceId, Role, Ticket, TicketConstraint, Variant};

impl<'a> Cluster<'a> {
    /// Lets lost tickets stop, demote, block or fence what depends on them, and missing ones keep it from starting.
    pub(crate) fn apply_tickets(&mut self) {
        for at in 0..self.ticket_constraints.len() {
            let constraint = self.ticket_constraints[at].clone();
            let ticket = self.tickets.get(&constraint.ticket).cloned().unwrap_or_default();
            if ticket.granted && !ticket.standby {
                continue;
            }
            for member in self.family(constraint.resource) {
                if self.rsc(member).variant == Variant::Primitive {
                    self.apply_missing_ticket(member, at, &constraint, &ticket);
                }
            }
        }
    }

    /// A primitive that depends, itself or through what contains it, on a ticket which is not there, or only in standby. (Promotion is refused where promotable
    /// instances are chosen.)
    fn apply_missing_ticket(
        &mut self,
        resource: ResourceId,
        at: usize,
        constraint: &TicketConstraint,
        ticket: &Ticket,
    ) {
        let promoted = constraint.role == Some(Role::Promoted);
        if ticket.granted || self.rsc(resource).running_on.is_empty() {
            // Nothing was lost. A constraint on the promoted role lets everything else run, if it does not say stop.
            if !promoted || constraint.loss == LossPolicy::Stop {
                self.ban_everywhere(resource, Cause::Ticket(at));
            }
            return;
        }
        let concerned = constraint.role.is_none_or(|role| role == self.rsc(resource).role);
        match constraint.loss {
            LossPolicy::Stop => self.ban_everywhere(resource, Cause::Ticket(at)),
            LossPolicy::Demote if promoted => {}
            LossPolicy::Demote => self.ban_everywhere(resource, Cause::Ticket(at)),
            LossPolicy::Fence if concerned => {
                self.ban_everywhere(resource, Cause::Ticket(at));
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
}
