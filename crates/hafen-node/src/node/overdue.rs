//! What stays away: daemons that do not come back or do not catch up, orders and fencings that nobody answers.

use hafen_protocol::HostId;
use hafen_protocol::message::{FenceResult, Message};

use super::Node;
use crate::replica::{HostRecord, Standing};

/// An order whose host does not answer is given this long beyond its own time-out, in milliseconds.
pub(super) const ANSWER_MARGIN_MS: u64 = 60_000;
/// A member that fences is given this long beyond the fencing's own time-out, in milliseconds.
const FENCE_ANSWER_MARGIN_MS: u64 = 30_000;
/// A member that joins is given this long to catch up, in milliseconds.
const JOINING_MAXIMUM_MS: u64 = 120_000;

impl Node {
    /// How long a host may stay as it is before it counts as lost, and what it is then lost for.
    fn patience_with(&self, host: HostId, record: &HostRecord) -> Option<(u64, &'static str)> {
        match record.standing {
            // It tries again and again, and whoever can mend it is told why.
            Standing::DaemonLost if self.membership.foreign.contains_key(&host) => None,
            Standing::DaemonLost if self.membership.silent.contains(&host) => {
                Some((self.daemon_restart_timeout_ms(), "its daemon hangs and did not come back"))
            }
            Standing::DaemonLost => Some((self.daemon_restart_timeout_ms(), "its daemon did not come back")),
            Standing::Joining => Some((JOINING_MAXIMUM_MS, "it did not catch up with the coordinator")),
            _ => None,
        }
    }

    /// A host whose daemon does not come back, or does not catch up, in time is unclean.
    pub(super) fn step_lost_daemons(&mut self) {
        let waited: Vec<_> = self
            .replica
            .hosts
            .iter()
            .filter_map(|(&host, record)| Some((host, record, self.patience_with(host, record)?)))
            .map(|(host, record, patience)| (host, record.incarnation, record.uname.clone(), patience))
            .collect();
        self.planner.lost_since.retain(|host, _| waited.iter().any(|(waited, ..)| waited == host));
        for (host, incarnation, uname, (timeout_ms, what)) in waited {
            let since = *self.planner.lost_since.entry(host).or_insert(self.now.monotonic_ms);
            if self.now.monotonic_ms < since + timeout_ms || self.planner.declared.contains(&host) {
                continue;
            }
            let cause = format!("{what} within {} s", timeout_ms / 1000);
            let message = Message::DeclareUnclean { host, incarnation, cause: cause.clone() };
            if self.say(&message) {
                self.planner.declared.insert(host);
                self.event("daemon-timeout", &uname, format!("the daemon of {uname} stays away"), cause);
            }
        }
    }

    /// A fencing whose member never tells how it ended has failed.
    pub(super) fn step_overdue_fencings(&mut self) {
        let now_ms = self.now.monotonic_ms;
        self.planner.flying.retain(|id, _| self.replica.fencings.contains_key(id));
        let mut overdue = Vec::new();
        for (id, start) in &self.replica.fencings {
            let (since, said) = self.planner.flying.entry(id.clone()).or_insert((now_ms, false));
            let patience_ms = start.delay_ms + start.timeout_ms + FENCE_ANSWER_MARGIN_MS;
            if now_ms >= since.saturating_add(patience_ms) && !*said {
                overdue.push((id.clone(), start.by.host, now_ms - *since));
            }
        }
        for (id, by, took_ms) in overdue {
            let error =
                format!("{} did not tell how it ended within {} s", self.replica.uname(by), took_ms / 1000);
            let (outcome, wall_ms) = (Err(error), self.now.wall_ms);
            let result =
                FenceResult { id: id.clone(), outcome, device: None, tried: Vec::new(), took_ms, wall_ms };
            if self.say(&Message::FenceResult(Box::new(result)))
                && let Some((_, said)) = self.planner.flying.get_mut(&id)
            {
                *said = true;
            }
        }
    }

    /// When the coordinator must be woken for what stays away.
    pub(super) fn overdue_timeout(&self) -> Option<u64> {
        let planner = &self.planner;
        let lost = planner.lost_since.iter().filter(|(host, _)| !planner.declared.contains(*host));
        let lost = lost.filter_map(|(host, since)| {
            let (timeout_ms, _) = self.patience_with(*host, self.replica.hosts.get(host)?)?;
            Some(since + timeout_ms)
        });
        let flying = planner.flying.iter().filter(|(_, (_, said))| !said);
        let flying = flying.filter_map(|(id, (since, _))| {
            let start = self.replica.fencings.get(id)?;
            Some(since + start.delay_ms + start.timeout_ms + FENCE_ANSWER_MARGIN_MS)
        });
        lost.chain(flying).min()
    }

    /// Whether what an earlier plan ordered has ended. A host that never answers becomes unclean.
    pub(super) fn earlier_orders_ended(&mut self) -> bool {
        if self.replica.awaited_operations() == 0 {
            self.planner.awaiting_since = None;
            return true;
        }
        let since = *self.planner.awaiting_since.get_or_insert(self.now.monotonic_ms);
        let overdue: Vec<_> = self
            .replica
            .hosts
            .iter()
            .filter(|(_, record)| record.standing == Standing::Member)
            .filter_map(|(&host, record)| {
                let orders = record.status.resources.values().flat_map(|history| history.pending.values());
                let order = orders
                    .filter(|order| order.interval_ms == 0)
                    .find(|order| self.now.monotonic_ms > since + order.timeout_ms + ANSWER_MARGIN_MS)?;
                let cause = format!("{} {} never ended", order.task, order.resource);
                Some((host, record.incarnation, cause))
            })
            .collect();
        for (host, incarnation, cause) in overdue {
            let said = self.planner.declared.contains(&host);
            if !said && self.say(&Message::DeclareUnclean { host, incarnation, cause }) {
                self.planner.declared.insert(host);
            }
        }
        false
    }
}
