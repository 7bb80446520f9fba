//! The coordinator's part: when to plan, and carrying a plan out step by step.

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::Cib;
use hafen_protocol::HostId;
use hafen_protocol::message::{Change, Lineage, Message, OperationResult};
use hafen_scheduler::schedule;

use super::Node;
use super::fence::{Attempts, OperatorFencing};
use super::overdue::ANSWER_MARGIN_MS;
use crate::api::Output;
use crate::driver::{Driver, DriverSettings, Firing, Matched, Outcome};
use crate::properties;
use crate::replica::Standing;
use crate::status_xml;

/// A plan that does the same as the one before is held back, at first this long, in milliseconds.
pub(super) const REPEAT_PAUSE_MS: u64 = 1_000;
/// And at most this long.
pub(super) const REPEAT_PAUSE_MAXIMUM_MS: u64 = 30_000;
/// Updates of attributes are gathered for so long, in milliseconds, before they are planned for: a plan for each would
/// keep a large cluster busy with nothing else.
const GATHER_MS: u64 = 50;

/// What the coordinator is doing.
#[derive(Debug, Default)]
pub(super) struct Planner {
    pub(super) driver: Option<Driver>,
    /// Why a new plan is needed.
    pub(super) cause: Option<String>,
    pub(super) transition: u64,
    /// Failed attempts to fence.
    pub(super) attempts: Attempts,
    /// Fencings that an operator asked for; all members know them, the coordinator does them.
    pub(super) operator_fencings: BTreeMap<HostId, OperatorFencing>,
    /// Since when a host's daemon is gone, or catches up, on the monotonic clock.
    pub(super) lost_since: BTreeMap<HostId, u64>,
    pub(super) declared: BTreeSet<HostId>,
    /// Since when a fencing is under way, and whether its end was said for the member that does it.
    pub(super) flying: BTreeMap<String, (u64, bool)>,
    /// Since when this member could plan, in a cluster that has not planned yet.
    ready_since: Option<u64>,
    /// Since when orders of an earlier plan are awaited.
    pub(super) awaiting_since: Option<u64>,
    /// The change of the configured hosts that is under way.
    pub(super) hosts: super::hosts::Hosts,
    /// When waiting values of attributes are to count, by their names.
    pub(super) dampings: super::attributes::Dampings,
    started_said: bool,
    term_said: bool,
    opening_said: bool,
    settled_said: Option<u64>,
    pub(super) recheck_at: Option<u64>,
    not_before: u64,
    /// Until when updates of attributes are gathered, where they are the only cause.
    gathers_until: u64,
    pub(super) started_at_ms: u64,
    repeats: u32,
    last_plan: Vec<String>,
    pub(super) fence_number: u64,
    /// Fencings that this member must not do by itself, and why.
    pub(super) held_back: BTreeMap<HostId, String>,
    warnings: Vec<String>,
    /// A mistake for tests of the simulation's checks: what a plan leaves undone is not planned for.
    pub(super) forgetful: bool,
}

impl Planner {
    /// The plan is void: its view is gone, or its coordinator is another one now.
    pub(super) fn forget_plan(&mut self) {
        *self = Planner {
            transition: self.transition,
            fence_number: self.fence_number,
            attempts: std::mem::take(&mut self.attempts),
            operator_fencings: std::mem::take(&mut self.operator_fencings),
            cause: self.cause.take(),
            warnings: std::mem::take(&mut self.warnings),
            forgetful: self.forgetful,
            ..Planner::default()
        };
    }

    /// Nothing is planned before that time, on the monotonic clock.
    pub(super) fn hold_back_until(&mut self, monotonic_ms: u64) {
        self.not_before = self.not_before.max(monotonic_ms);
    }

    /// The term's first change was refused: it is to be made again.
    pub(super) fn opening_refused(&mut self) {
        self.opening_said = false;
    }

    /// An attribute changed, and others may follow at once.
    pub(super) fn attributes_changed(&mut self, cause: &str, now_ms: u64) {
        let gathers_until = if self.cause.is_none() { now_ms + GATHER_MS } else { self.gathers_until };
        self.disturbed(cause);
        self.gathers_until = gathers_until;
    }

    /// When the cause that there is may be planned for.
    fn due_ms(&self) -> u64 {
        self.not_before.max(self.gathers_until)
    }

    /// Something happened that the plan does not know of.
    pub(super) fn disturbed(&mut self, cause: &str) {
        self.gathers_until = 0;
        if let Some(driver) = &mut self.driver {
            driver.abort(cause);
        }
        self.repeats = 0;
        self.last_plan.clear();
        if self.cause.is_none() {
            self.cause = Some(cause.to_string());
        }
    }

    /// An operation ended. Answers what that is to the plan.
    pub(super) fn operation_ended(&mut self, result: &OperationResult) -> Matched {
        let Some(driver) = &mut self.driver else { return Matched::Unknown };
        driver.operation_ended(&result.order.transition_key, result.rc, result.op_status)
    }

    /// A step of the plan failed. The next plan may well be the same: it is held back then, unlike after what came from outside.
    pub(super) fn step_failed(&mut self, cause: &str) {
        if self.cause.is_none() {
            self.cause = Some(cause.to_string());
        }
    }

    /// A step of the plan that is not an operation ended.
    pub(super) fn step_ended(&mut self, transition_key: &str, outcome: Outcome) -> bool {
        let Some(driver) = &mut self.driver else { return false };
        driver.completed(transition_key, outcome) == Matched::AsPlanned
    }

    /// What keeps the cluster from being settled.
    pub(super) fn waiting_for(&self) -> String {
        match (&self.driver, &self.cause) {
            (Some(driver), _) => {
                let first = driver.explain_waiting().into_iter().next();
                let step =
                    first.map_or_else(|| "its last steps".to_string(), |waiting| waiting.operation_key);
                format!("transition {}: {step}", driver.transition())
            }
            (None, Some(cause)) => format!("the next plan ({cause})"),
            (None, None) => "the coordinator's plan".to_string(),
        }
    }

    /// Problems of the configuration that the last plan met.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Node {
    /// Whether hosts are fenced.
    pub(super) fn fencing_enabled(&self) -> bool {
        properties::fencing_enabled(self.replica.cib())
    }

    /// How long a host may be without its daemon, in milliseconds: the property `daemon-restart-timeout`, else the
    /// daemon's own setting.
    pub(super) fn daemon_restart_timeout_ms(&self) -> u64 {
        match self.replica.cib().configured_property("daemon-restart-timeout") {
            Some(_) => self.replica.cib().property_duration_ms("daemon-restart-timeout"),
            None => self.settings.daemon_restart_timeout_ms,
        }
    }

    /// Which proof frees what a fenced host ran.
    pub(super) fn proof_minimum(&self) -> hafen_protocol::message::ProofLevel {
        properties::proof_minimum(self.replica.cib())
    }

    /// Pacemaker's `start-failure-is-fatal`.
    pub(super) fn start_failure_is_fatal(&self) -> bool {
        self.replica.cib().property_boolean("start-failure-is-fatal")
    }

    /// The whole CIB: the configuration, and the status as this member knows it.
    pub fn live_cib(&self) -> Cib {
        let mut cib = self.replica.cib().clone();
        let root = cib.root().node();
        let quorate = if self.quorate() { "1" } else { "0" };
        cib.document_mut().set_attribute(root, "have-quorum", quorate);
        if let Some(coordinator) = self.membership.coordinator {
            cib.document_mut().set_attribute(root, "dc-uuid", &coordinator.host.to_string());
        }
        if !self.quorate() && self.quorate_ring > 0 {
            // What no-quorum-policy=fence looks at: quorum was lost, it is not just awaited.
            cib.document_mut().set_attribute(root, "no-quorum-panic", "true");
        }
        let snapshots = self.replica.hosts.iter().map(|(&host, record)| status_xml::HostSnapshot {
            host,
            uname: &record.uname,
            standing: &record.standing,
            status: &record.status,
        });
        status_xml::write(&mut cib, snapshots);
        cib
    }

    /// Gives this node a mistake, to see that the simulation catches it: what a plan leaves undone is not planned for.
    #[doc(hidden)]
    pub fn forget_to_plan_again(&mut self) {
        self.planner.forgetful = true;
    }

    /// The coordinator's next steps.
    pub(super) fn step_plan(&mut self) {
        if !self.is_coordinator() || self.quorum.quorate().is_none() {
            return;
        }
        self.step_term();
        self.step_hosts();
        self.step_lost_daemons();
        self.step_overdue_fencings();
        if !self.ready_to_plan() {
            return;
        }
        self.step_operator_fencings();
        self.step_driver();
        self.step_schedule();
        self.step_driver();
    }

    /// Proposes a term, and opens it when enough disks have promised it.
    fn step_term(&mut self) {
        if !self.quorate() {
            return;
        }
        match self.membership.term {
            None if !self.planner.term_said => {
                let promised = self.membership.hellos.values().map(|hello| hello.promised_term).max();
                let term = promised.unwrap_or(0).max(self.store.promised_term()) + 1;
                self.planner.term_said = self.say(&Message::Term { term });
            }
            Some((term, position))
                if !self.membership.term_open
                    && !self.planner.opening_said
                    && self.acknowledged(position, false) =>
            {
                let change = Change {
                    answers: Vec::new(),
                    lineage: Lineage { term, host: self.me().host.0 },
                    base_digest: self.replica.digest().to_string(),
                    patchset: None,
                    result_digest: self.replica.digest().to_string(),
                    hosts: None,
                    without_quorum: false,
                    origin: "the coordinator opens its term".to_string(),
                    wall_ms: self.now.wall_ms,
                };
                self.planner.opening_said = self.say(&Message::Change(Box::new(change)));
            }
            _ => {}
        }
    }

    /// A cluster that starts waits for its hosts, so that it does not fence those that are a little late.
    fn ready_to_plan(&mut self) -> bool {
        if self.replica.seasoned {
            return true;
        }
        let without_quorum = self.replica.cib().property("no-quorum-policy") == Some("ignore");
        if !self.quorate() && !without_quorum {
            // The wait begins with quorum. A daemon that was started again in a cluster that had planned obeys
            // no-quorum-policy at once.
            self.planner.ready_since = None;
            return self.local.was_seasoned();
        }
        let since = *self.planner.ready_since.get_or_insert(self.now.monotonic_ms);
        let is_here = |host: &HostId| {
            self.replica.hosts.get(host).is_some_and(|record| record.standing == Standing::Member)
        };
        let all_here = self.replica.configured.keys().all(is_here);
        let waited = self.now.monotonic_ms >= since + self.settings.startup_wait_ms;
        if (all_here || waited) && !self.planner.started_said {
            self.planner.started_said = self.say(&Message::Started);
            let text = if all_here { "all hosts are here" } else { "the wait for all hosts is over" };
            self.event("started", "", text, "the cluster starts");
        }
        false
    }

    /// Without quorum nothing is recovered from another part, and nothing begins on a host that has not seen quorum
    /// since its daemon started: those who have quorum may know it as proven off, and start elsewhere what runs there.
    pub(super) fn forbidden_without_quorum(&self, firing: &Firing) -> Option<String> {
        let Firing::Execute(order) = firing else { return None };
        if self.quorate() {
            return None;
        }
        let target = match order.task.as_str() {
            "start" | "promote" => Some(order.host),
            "migrate_to" => {
                crate::history::migration_of(order).and_then(|(_, target)| self.replica.host_by_name(&target))
            }
            _ => None,
        }?;
        if self.may_run_elsewhere(&order.resource) {
            return Some(format!("{} may run on a host of another part", order.resource));
        }
        let hellos = &self.membership.hellos;
        let known = hellos.iter().any(|(member, hello)| member.host == target && hello.quorate_ring > 0);
        let name = self.replica.uname(target);
        (!known).then(|| format!("{name} has not seen quorum since its daemon started"))
    }

    /// Whether a resource may run, or may have arrived, on a host that is unaccounted for.
    fn may_run_elsewhere(&self, resource: &str) -> bool {
        let lost = |standing: &Standing| matches!(standing, Standing::Unclean { .. } | Standing::DaemonLost);
        self.replica.hosts.values().filter(|record| lost(&record.standing)).any(|record| {
            let status = &record.status;
            let active = status.resources.get(resource).is_some_and(crate::history::is_active);
            active || status.arriving.contains_key(resource)
        })
    }

    /// Plans, when there is a reason and nothing of an earlier plan is under way.
    fn step_schedule(&mut self) {
        if self.planner.recheck_at.is_some_and(|at| self.now.monotonic_ms >= at) {
            // What is under way may keep the next plan waiting: the time has passed for good.
            self.planner.recheck_at = None;
            if self.planner.cause.is_none() {
                self.planner.cause = Some("time has passed".to_string());
            }
        }
        if self.planner.driver.is_some() || self.planner.cause.is_none() || !self.replica.fencings.is_empty()
        {
            return;
        }
        if self.now.monotonic_ms < self.planner.due_ms() || self.quorum_pause_ends().is_some() {
            return;
        }
        if !self.earlier_orders_ended() {
            return;
        }
        let Some(cause) = self.planner.cause.take() else { return };
        let cib = self.live_cib();
        let now = self.now.epoch_seconds();
        let plan = schedule(&cib, now);
        self.planner.warnings = plan.warnings.clone();
        let interval_ms = properties::recheck_interval_ms(self.replica.cib());
        let due_ms = plan.recheck_after.map_or(interval_ms, |seconds| seconds.max(1) * 1000);
        let recheck_ms = due_ms.min(interval_ms);
        self.planner.recheck_at = Some(self.now.monotonic_ms + recheck_ms);
        self.planner.awaiting_since = None;
        if plan.is_empty() {
            let position = self.membership.position;
            self.say(&Message::Settled { position });
            if self.planner.settled_said.replace(position).is_none() {
                self.event("settled", "", "nothing is left to do", cause);
            }
            return;
        }
        self.planner.settled_said = None;
        let steps: Vec<String> = plan
            .actions
            .iter()
            .map(|action| {
                let node = action.node.as_ref().map_or("", |node| node.uname.as_str());
                format!("{} {node}", action.operation_key())
            })
            .collect();
        if steps == self.planner.last_plan {
            self.planner.repeats += 1;
            let pause = REPEAT_PAUSE_MS << self.planner.repeats.min(5);
            self.planner.not_before = self.now.monotonic_ms + pause.min(REPEAT_PAUSE_MAXIMUM_MS);
        } else {
            self.planner.repeats = 0;
        }
        self.planner.last_plan = steps;
        self.planner.transition += 1;
        let number = self.planner.transition;
        self.event("plan", "", format!("transition {number} has {} steps", plan.actions.len()), cause);
        self.outputs.push_back(Output::SaveInput { number, xml: cib.to_xml(), now });
        let properties = DriverSettings {
            transition: number,
            uuid: self.settings.transition_uuid.clone(),
            ..properties::driver_settings(self.replica.cib())
        };
        self.planner.started_at_ms = self.now.monotonic_ms;
        match Driver::start(plan, properties) {
            Ok(driver) => self.planner.driver = Some(driver),
            Err(error) => {
                self.event(
                    "plan-refused",
                    "",
                    format!("transition {number} cannot be driven: {error}"),
                    "linted",
                );
                self.planner.not_before = self.now.monotonic_ms + REPEAT_PAUSE_MAXIMUM_MS;
                self.planner.cause = Some("the last plan could not be driven".to_string());
            }
        }
    }

    /// When the coordinator must be woken.
    pub(super) fn plan_timeout(&self) -> Option<u64> {
        if !self.is_coordinator() {
            return None;
        }
        let planner = &self.planner;
        let lost = self.overdue_timeout();
        let start = planner
            .ready_since
            .filter(|_| !planner.started_said && !self.replica.seasoned)
            .map(|since| since + self.settings.startup_wait_ms);
        let held_back =
            planner.cause.as_ref().map(|_| planner.due_ms()).filter(|&at| at > self.now.monotonic_ms);
        let overdue = planner.awaiting_since.map(|_| self.now.monotonic_ms + ANSWER_MARGIN_MS / 4);
        let driver = planner.driver.as_ref().and_then(Driver::poll_timeout);
        let pause = self.quorum_pause_ends();
        [lost, start, held_back, pause, overdue, driver, planner.recheck_at].into_iter().flatten().min()
    }
}
