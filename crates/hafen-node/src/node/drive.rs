//! Carrying a plan out: each step becomes a message of the total order, and its end comes back in one.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::HostId;
use hafen_protocol::message::Message;
use hafen_scheduler::FenceAction;

use super::Node;
use super::plan::REPEAT_PAUSE_MS;
use crate::driver::{Driver, Firing, Outcome};
use crate::history;
use crate::replica::Standing;

impl Node {
    /// Hands the plan's next steps to those who do them.
    pub(super) fn step_driver(&mut self) {
        let Some(mut driver) = self.planner.driver.take() else { return };
        driver.set_loads(self.loads());
        for key in driver.handle_timeout(self.now) {
            self.event("overdue", "", "a step of the plan was not answered in time", key);
        }
        while let Some(firing) = driver.poll_action(self.now) {
            if !self.fire(&mut driver, firing) {
                break;
            }
        }
        if driver.is_finished() {
            let number = self.planner.transition;
            let text = match driver.aborted() {
                Some(cause) => format!("transition {number} ended before its end: {cause}"),
                None => format!("transition {number} is complete"),
            };
            self.event("plan-ended", "", text, "its last step ended");
            if self.planner.cause.is_none() {
                self.planner.cause = Some(format!("transition {number} ended"));
            }
            if self.planner.forgetful {
                self.planner.recheck_at = None;
                self.planner.cause = None;
            }
            if self.planner.started_at_ms == self.now.monotonic_ms {
                // It ended in the instant in which it began: nothing else would wake the coordinator.
                self.planner.hold_back_until(self.now.monotonic_ms + REPEAT_PAUSE_MS);
            }
        } else {
            self.planner.driver = Some(driver);
        }
    }

    /// Carries out one step. False: the bus has no room, and the plan ends here.
    fn fire(&mut self, driver: &mut Driver, firing: Firing) -> bool {
        if self.is_left_alone(&firing) {
            // Nothing is ended or forgotten on a host that cannot answer; the next plan asks again.
            let Firing::Forget { transition_key, .. } = firing else { return true };
            driver.completed(&transition_key, Outcome::Done);
            return true;
        }
        if let Firing::Fence { target, action, transition_key, .. } = &firing
            && self.is_proven_down(*target)
            && *action != FenceAction::On
        {
            // A record elsewhere still speaks of this host (half of a migration, say): nothing runs there any more, and to
            // fence it again would only disturb its next start.
            driver.completed(transition_key, Outcome::Done);
            return true;
        }
        if let Some(text) = self.forbidden_without_quorum(&firing) {
            if let Firing::Execute(order) = &firing {
                driver.completed(&order.transition_key, Outcome::Failed(text));
            }
            return true;
        }
        let said = match firing {
            Firing::Execute(order) => self.say(&Message::Execute(order)),
            Firing::Fence { target, action, transition_key, .. } => {
                let cause = self.fencing_cause(target);
                if let Some(why) = self.fencing_held_back(target, action.as_str()) {
                    self.note_held_back(target, why.clone());
                    driver.completed(&transition_key, Outcome::Failed(why));
                } else if !self.order_fencing(
                    target,
                    action.as_str(),
                    cause,
                    (None, Some(transition_key.clone())),
                ) {
                    let text = "it cannot be fenced now".to_string();
                    driver.completed(&transition_key, Outcome::Failed(text));
                }
                true
            }
            Firing::ClearFailcount { host, resource, transition_key } => {
                self.clear_fail_count(host, &resource, transition_key)
            }
            Firing::Forget { host, resource, operation, transition_key } => {
                let transition_key = Some(transition_key);
                self.say(&Message::Forget { host, resource, operation, transition_key })
            }
            Firing::Shutdown { host, transition_key } => {
                let said = self.say(&Message::Shutdown { host });
                driver.completed(&transition_key, Outcome::Done);
                said
            }
        };
        if !said {
            driver.abort("the bus has no room");
        }
        said
    }

    /// Whether a host is out of the cluster, and proven to run nothing.
    fn is_proven_down(&self, host: HostId) -> bool {
        self.replica.hosts.get(&host).is_some_and(|record| matches!(record.standing, Standing::Down { .. }))
    }

    /// Whether a step would end a recurring operation on a host that is no member at the coordinator's state.
    fn is_left_alone(&self, firing: &Firing) -> bool {
        let Firing::Forget { host, .. } = firing else { return false };
        self.replica
            .hosts
            .get(host)
            .is_some_and(|record| matches!(record.standing, Standing::DaemonLost | Standing::Joining))
    }

    fn clear_fail_count(&mut self, host: HostId, resource: &str, transition_key: String) -> bool {
        let Some(record) = self.replica.hosts.get(&host) else { return true };
        let prefixes = [format!("fail-count-{resource}#"), format!("last-failure-{resource}#")];
        let its = |name: &&String| prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()));
        let mut names: BTreeSet<String> = record.status.attributes.keys().filter(its).cloned().collect();
        // A failure that was not counted, as of a probe, goes with the count that it would have.
        let failure = record.status.resources.get(resource).and_then(history::last_failure);
        names.extend(
            failure.map(|failure| format!("fail-count-{resource}#{}_{}", failure.task, failure.interval_ms)),
        );
        let values: BTreeMap<String, Option<String>> = names.into_iter().map(|name| (name, None)).collect();
        self.say(&Message::Attributes { host, values, transition_key: Some(transition_key) })
    }
}
