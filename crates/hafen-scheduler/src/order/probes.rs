//! Probes come before what their results may change.

use super::relation::{FIRST_IMPLIES_THEN, ORDERED};
use crate::model::{ActionId, Cluster};

impl<'a> Cluster<'a> {
    /// A restart that follows from a start after a probe waits for the probe too.
    pub(crate) fn order_restarts_after_probes(&mut self) {
        let probes: Vec<ActionId> = (0..u32::try_from(self.actions.len()).unwrap_or(u32::MAX))
            .map(ActionId)
            .filter(|action| self.is_probe(*action) && self.act(*action).resource.is_some())
            .collect();
        for probe in probes {
            let mut open: Vec<ActionId> = self.act(probe).after.iter().map(|(after, _)| *after).collect();
            let mut seen: std::collections::BTreeSet<ActionId> = open.iter().copied().collect();
            while let Some(after) = open.pop() {
                let known = self.act(after);
                if known.resource.is_none() || !matches!(known.task.as_str(), "start" | "promote" | "running")
                {
                    continue;
                }
                self.order_stops_of(probe, after);
                for (next, flags) in self.act(after).after.clone() {
                    let implies = flags & FIRST_IMPLIES_THEN != 0;
                    if implies && !self.act(next).optional && seen.insert(next) {
                        open.push(next);
                    }
                }
            }
        }
    }

    fn order_stops_of(&mut self, probe: ActionId, after: ActionId) {
        let resource = self.act(after).resource;
        if resource == self.act(probe).resource || self.act(after).optional {
            return;
        }
        for (before, _) in self.act(after).before.clone() {
            let known = self.act(before);
            let same = known.resource == resource;
            let ends = matches!(known.task.as_str(), "stop" | "stopped" | "demote" | "demoted");
            if same && ends && !self.leads_to(before, probe) {
                self.order_actions(probe, before, ORDERED);
            }
        }
    }

    /// Whether one action already comes before another.
    fn leads_to(&self, from: ActionId, to: ActionId) -> bool {
        let mut seen = std::collections::BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            if at == to {
                return true;
            }
            for (next, _) in &self.act(at).after {
                if seen.insert(*next) {
                    open.push(*next);
                }
            }
        }
        false
    }
}
