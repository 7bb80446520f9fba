//! What follows from the end of a run.

use hafen_agents::{AgentClass, OcfExitCode, OpStatus};

use super::{Engine, Now, Output};
use crate::ledger::{AnyResult, Record};
use crate::wire::{End, Event, FenceOperation, FenceResult, Operation, OperationResult};

impl Engine {
    pub(super) fn ended(&mut self, now: Now, number: u64, end: End) {
        let Some(run) = self.runs.remove(&number) else { return };
        let Some(operation) = run.operation else {
            if let Some(operation) = self.ledger.fencings.get(&run.call_id).cloned() {
                self.finish_fencing(Some(number), run.call_id, operation, end);
            }
            return;
        };
        if let Some(resource) = self.resources.get_mut(&operation.resource) {
            resource.running = None;
        }
        if run.dropped {
            return self.record(Record::Ended { run: number });
        }
        if operation.interval_ms == 0 {
            let void = operation.task == "migrate_to" && end.is_ok();
            let resource = operation.resource.clone();
            let since = end.started_at_seconds;
            self.finish_operation(Some(number), run.call_id, operation, end, (run.queue_time_ms, since));
            if void {
                // The resource is elsewhere now; had the migration failed, it would be here, and still be looked after.
                self.cancel_all_recurring(&resource);
            }
            return;
        }
        self.recurring_ended(now, number, run.call_id, run.queue_time_ms, operation, end);
    }

    fn recurring_ended(
        &mut self,
        now: Now,
        run: u64,
        call_id: u64,
        queue_time_ms: u64,
        operation: Operation,
        end: End,
    ) {
        let last = self.ledger.history.get(&operation.key()).and_then(|history| history.last.as_ref());
        let last = last.filter(|last| last.call_id == call_id);
        let changed = last.is_none_or(|last| (last.end.rc, last.end.op_status) != (end.rc, end.op_status));
        let key = (operation.task.clone(), operation.interval_ms);
        let resource = self.resources.get_mut(&operation.resource);
        if let Some(recurring) = resource.and_then(|resource| resource.recurring.get_mut(&key)) {
            recurring.due_ms = now.monotonic_ms.saturating_add(operation.interval_ms);
        }
        if changed {
            let seconds = now.wall_seconds;
            self.finish_operation(Some(run), call_id, operation, end, (queue_time_ms, seconds));
        } else {
            self.record(Record::Ended { run });
        }
    }

    /// `times`: how long the operation waited in milliseconds, and the last change of its return code in seconds since 1970.
    pub(super) fn finish_operation(
        &mut self,
        run: Option<u64>,
        call_id: u64,
        operation: Operation,
        end: End,
        times: (u64, u64),
    ) {
        let sequence = self.take_sequence();
        let (queue_time_ms, last_rc_change_seconds) = times;
        let result =
            OperationResult { sequence, call_id, operation, end, last_rc_change_seconds, queue_time_ms };
        let result = Box::new(result);
        self.record(Record::Result { run, result: result.clone() });
        self.send(Output::Send(Event::Result(result)));
    }

    pub(super) fn finish_fencing(
        &mut self,
        run: Option<u64>,
        call_id: u64,
        operation: FenceOperation,
        end: End,
    ) {
        let result = Box::new(FenceResult { sequence: self.take_sequence(), operation, end });
        self.record(Record::FenceResult { run, call_id, result: result.clone() });
        self.send(Output::Send(Event::FenceResult(result)));
    }

    fn take_sequence(&mut self) -> u64 {
        let sequence = self.ledger.next_sequence;
        self.ledger.next_sequence = sequence.saturating_add(1);
        sequence
    }
}

impl AnyResult {
    pub(super) fn to_event(&self) -> Event {
        match self {
            Self::Operation(result) => Event::Result(result.clone()),
            Self::Fence(result) => Event::FenceResult(result.clone()),
        }
    }
}

impl Operation {
    /// Whether the operation is run even if the journal cannot take it, for want of space.
    ///
    /// A start that nobody remembers could become a second one after a crash: it is refused. A stop that is refused gets the
    /// whole host fenced, and a monitor that is refused hides a failure; run twice, both do no harm.
    pub fn may_run_unrecorded(&self) -> bool {
        matches!(self.task.as_str(), "stop" | "demote" | "monitor") || self.agent.class == AgentClass::Stonith
    }

    /// Whether it makes the host run something that others take over when it is lost.
    pub fn begins_something(&self) -> bool {
        matches!(self.task.as_str(), "start" | "promote" | "migrate_from")
            && self.agent.class != AgentClass::Stonith
    }
}

impl End {
    /// An end without output that took no time.
    pub fn bare(rc: OcfExitCode, op_status: OpStatus, exit_reason: Option<String>, now: Now) -> Self {
        let (stdout, stderr) = (String::new(), String::new());
        Self {
            rc,
            op_status,
            exit_reason,
            stdout,
            stderr,
            started_at_seconds: now.wall_seconds,
            exec_time_ms: 0,
        }
    }

    /// The end of an operation that was not begun because the journal did not take it.
    pub fn not_recorded(reason: &str, now: Now) -> Self {
        let reason = format!("not begun, because the executor's journal cannot be written: {reason}");
        Self::bare(OcfExitCode::ERROR, OpStatus::Error, Some(reason), now)
    }

    /// Whether the agent ended by itself with `OK`.
    pub fn is_ok(&self) -> bool {
        (self.rc, self.op_status) == (OcfExitCode::OK, OpStatus::Done)
    }
}
