//! One run: every step from the CIB to the plan, in order.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::Cib;

use crate::build::{Seen, break_cycles, leave_out_what_waits_in_vain};
use crate::date::Seconds;
use crate::input::{properties, rules::NextChange};
use crate::ledger::Journal;
use crate::model::{Cluster, Requires};
use crate::order::Worklist;
use crate::output::scores::ScoreRow;
use crate::plan::{ActionKind, Plan};

/// What a run may be asked for beside the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Fill `Plan::ledger`.
    pub explain: bool,
    /// Fill `Report::scores` with scores.
    pub scores: bool,
    /// Fill `Report::scores` with capacities and what they are used for.
    pub utilization: bool,
    /// The CIB was passed around, and its secrets may be blotted out: do not take that for a change.
    pub sanitized: bool,
}

/// A plan and the texts that `crm_simulate` prints about it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The plan.
    pub plan: Plan,
    /// What `crm_simulate -s` and `-U` tell, in the order in which it came up.
    pub scores: Vec<ScoreRow>,
}

/// Decides what the cluster does next. `now` is in seconds since 1970.
#[must_use]
pub fn schedule(cib: &Cib, now: u64) -> Plan {
    let mut plan = report(cib, now, Options::default()).plan;
    leave_out_what_waits_in_vain(&mut plan);
    break_cycles(&mut plan.actions, &mut plan.warnings);
    // Joints alone do nothing: whoever drives them would plan the same again.
    if plan.actions.iter().all(|action| matches!(action.kind, ActionKind::Pseudo { .. })) {
        plan.actions.clear();
    }
    plan
}

/// As [`schedule`], with what people want to know about it.
#[must_use]
pub fn report(cib: &Cib, now: u64, options: Options) -> Report {
    let mut cluster = unpack(cib, i64::try_from(now).unwrap_or(i64::MAX), options);
    cluster.run_all();
    let scores = std::mem::take(&mut cluster.score_rows);
    let plan = cluster.build_plan();
    Report { plan, scores }
}

/// Takes the CIB in; constraints are left out.
pub(crate) fn unpack(cib: &Cib, now: Seconds, options: Options) -> Cluster<'_> {
    let document = cib.document();
    let mut next_change = NextChange::default();
    let properties = properties::unpack(document.root(), now, &mut next_change);
    let mut cluster = Cluster {
        document,
        now,
        next_change,
        properties,
        nodes: Vec::new(),
        resources: Vec::new(),
        top: Vec::new(),
        by_id: BTreeMap::new(),
        locations: Vec::new(),
        colocations: Vec::new(),
        ticket_constraints: Vec::new(),
        tickets: BTreeMap::new(),
        tags: BTreeMap::new(),
        actions: Vec::new(),
        free_actions: Vec::new(),
        task_names: Vec::new(),
        settings: BTreeMap::new(),
        orders: Vec::new(),
        histories: OnceCell::new(),
        spare_tables: Vec::new(),
        failed_probes: BTreeMap::new(),
        failed_operations: Vec::new(),
        unfencing: false,
        have_stonith_devices: false,
        warnings: Vec::new(),
        journal: Journal::new(options.explain),
        score_rows: Vec::new(),
        want_scores: options.scores,
        want_utilization: options.utilization,
        hold_still: false,
        colocation_lists: Vec::new(),
        active_recurring: BTreeSet::new(),
        stale_recurring: BTreeSet::new(),
        worklist: Worklist::default(),
        seen: Seen::default(),
        sanitized: options.sanitized,
    };
    cluster.find_unfencing();
    cluster.unpack_nodes();
    cluster.unpack_tickets();
    cluster.unpack_resources();
    // What asks for unfencing itself turns it on, too.
    cluster.unfencing |= cluster.resources.iter().any(|resource| resource.requires == Requires::Unfencing);
    cluster.unpack_node_states();
    cluster.fence_without_quorum();
    cluster.unpack_failures();
    cluster.unpack_history();
    cluster
}

impl Cluster<'_> {
    pub(crate) fn run_all(&mut self) {
        self.hold_still_without_devices();
        self.add_health();
        self.unpack_constraints();
        self.add_group_colocations();
        self.order_anti_colocated();
        self.apply_tickets();
        // A failure count that a changed definition clears counts this once.
        self.apply_criteria();
        self.create_internal_orders();
        self.check_history();
        self.assign_all();
        self.create_probes();
        self.clear_failures_of_orphans();
        self.create_actions();
        self.create_fencing_and_shutdowns();
        self.order_migrations();
        self.resolve_orders();
        self.order_probes_before_restarts();
        self.order_probes_before_thens();
        self.update_all_actions();
        self.create_notifications();
    }
}
