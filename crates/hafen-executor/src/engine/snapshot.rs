//! What the executor tells a daemon that asks for everything.

use super::{Engine, Output, SNAPSHOT_PART_LENGTH};
use crate::wire::{Event, KnownOperation};

impl Engine {
    pub(super) fn send_snapshot(&mut self) {
        let operations = self.known_operations();
        let mut parts = operations.chunks(SNAPSHOT_PART_LENGTH).peekable();
        let mut events = Vec::new();
        while let Some(part) = parts.next() {
            events.push(Event::Snapshot { operations: part.to_vec(), last: parts.peek().is_none() });
        }
        if events.is_empty() {
            events.push(Event::Snapshot { operations: Vec::new(), last: true });
        }
        self.outputs.extend(events.into_iter().map(Output::Send));
    }

    fn known_operations(&self) -> Vec<KnownOperation> {
        let mut known = Vec::new();
        for (call_id, operation) in &self.ledger.operations {
            let (call_id, operation) = (*call_id, operation.clone());
            let running = self.runs.values().any(|run| run.call_id == call_id);
            known.push(match operation.interval_ms {
                _ if running => KnownOperation::Running { call_id, operation },
                0 => KnownOperation::Queued { call_id, operation },
                _ => KnownOperation::Recurring { call_id, operation },
            });
        }
        let fencings = self.ledger.fencings.values();
        known.extend(fencings.map(|operation| KnownOperation::Fencing { operation: operation.clone() }));
        let mut results = Vec::new();
        for history in self.ledger.history.values() {
            let sequence = history.last.as_ref().map(|last| last.sequence);
            results.extend(
                history
                    .last
                    .iter()
                    .map(|last| (last.sequence, KnownOperation::LastResult(Box::new(last.clone())))),
            );
            let older = history.failure.iter().filter(|failure| Some(failure.sequence) != sequence);
            results.extend(
                older.map(|failure| {
                    (failure.sequence, KnownOperation::LastFailure(Box::new(failure.clone())))
                }),
            );
        }
        results.sort_by_key(|(sequence, _)| *sequence);
        known.extend(results.into_iter().map(|(_, result)| result));
        known
    }
}
