//! The link to the executor: finds it, starts one where none is there, and connects again when it is lost.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hafen_agents::AgentName;
use hafen_executor::client::{EventReceiver, RequestSender, connect};
use hafen_executor::wire;
use hafen_protocol::message::{Execute, OUTPUT_BYTES_MAXIMUM, OperationResult};
use hafen_sys::CommandHooks;
use tokio::sync::mpsc;

/// Requests that wait for the executor, at most.
pub(crate) const ORDERS_MAXIMUM: usize = 256;
/// Events that wait for the loop, at most.
const EVENTS_MAXIMUM: usize = 256;
/// The pause between two tries to connect; every tenth failure starts another executor.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// So many tries belong to one started executor: it needs some time until it listens.
const TRIES_PER_START: u32 = 100;

/// A request, with the number of the connection that it is meant for: what was meant for a lost one is not sent.
pub(crate) struct Order {
    pub(crate) connection: u64,
    pub(crate) request: wire::Request,
}

/// What the link tells the loop.
pub(crate) enum LinkEvent {
    /// Connected, and what the executor holds.
    Connected { connection: u64, accepted: Vec<Execute>, results: Vec<OperationResult>, recovered: bool },
    /// An operation ended.
    Ended(Box<OperationResult>),
    /// A run of a fence agent ended.
    FenceEnded(Box<wire::FenceResult>),
    /// An operation or fencing was not accepted.
    Refused { id: String, transition_key: String, reason: String },
    /// An agent described itself, or could not.
    Described { request_id: u64, metadata: Result<String, String> },
    /// The connection broke.
    Lost { reason: String },
}

/// The loop's end of the link.
pub(crate) struct Link {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) events: mpsc::Receiver<LinkEvent>,
}

/// Starts the link's task. `command` starts an executor.
pub(crate) fn start(socket: PathBuf, command: Vec<String>) -> Link {
    let (orders, incoming) = mpsc::channel(ORDERS_MAXIMUM);
    let (outgoing, events) = mpsc::channel(EVENTS_MAXIMUM);
    let task = Task { socket, command, orders: incoming, events: outgoing, child: None, connection: 0 };
    tokio::spawn(task.run());
    Link { orders, events }
}

struct Task {
    socket: PathBuf,
    command: Vec<String>,
    orders: mpsc::Receiver<Order>,
    events: mpsc::Sender<LinkEvent>,
    /// The executor that this daemon started, to be reaped when it ends.
    child: Option<Child>,
    connection: u64,
}

/// The loop is gone: so is the link.
struct LoopGone;

impl Task {
    async fn run(mut self) {
        loop {
            let (sender, receiver, recovered) = self.connect().await;
            let reason = match self.serve(sender, receiver, recovered).await {
                Ok(reason) => reason,
                Err(LoopGone) => return,
            };
            if self.events.send(LinkEvent::Lost { reason }).await.is_err() {
                return;
            }
        }
    }

    async fn connect(&mut self) -> (RequestSender, EventReceiver, bool) {
        let mut tries = 0;
        loop {
            match connect(&self.socket).await {
                Ok((sender, receiver, welcome)) => {
                    return (sender, receiver, !welcome.recovered.is_empty());
                }
                Err(error) if tries % TRIES_PER_START == 0 => {
                    eprintln!("{error}; an executor is started");
                    self.start_executor();
                }
                Err(_) => {}
            }
            tries = tries.wrapping_add(1);
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    /// Starts an executor in a session of its own. Where one runs already, the new one ends by itself.
    fn start_executor(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.try_wait();
        }
        let Some((program, arguments)) = self.command.split_first() else { return };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).current_dir("/").new_session();
        match command.spawn() {
            Ok(child) => self.child = Some(child),
            Err(error) => eprintln!("cannot start {program}: {error}"),
        }
    }

    /// Serves one connection. Why it ended.
    async fn serve(
        &mut self,
        mut sender: RequestSender,
        mut receiver: EventReceiver,
        recovered: bool,
    ) -> Result<String, LoopGone> {
        self.connection += 1;
        if let Err(error) = sender.send(&wire::Request::List).await {
            return Ok(error.to_string());
        }
        let (mut accepted, mut results) = (Vec::new(), Vec::new());
        loop {
            match receiver.receive().await {
                Ok(wire::Event::Snapshot { operations, last }) => {
                    accepted.extend(operations.into_iter().filter_map(accepted_order));
                    if last {
                        break;
                    }
                }
                Ok(wire::Event::Result(result)) => results.extend(to_result(*result)),
                // A fencing of a daemon that is gone has nobody who waits for it.
                Ok(wire::Event::FenceResult(result)) => {
                    let acknowledge = wire::Request::Acknowledge { sequence: result.sequence };
                    if let Err(error) = sender.send(&acknowledge).await {
                        return Ok(error.to_string());
                    }
                }
                Ok(_) => {}
                Err(error) => return Ok(error.to_string()),
            }
        }
        let connection = self.connection;
        self.tell(LinkEvent::Connected { connection, accepted, results, recovered }).await?;
        self.converse(sender, receiver).await
    }

    async fn converse(
        &mut self,
        mut sender: RequestSender,
        mut receiver: EventReceiver,
    ) -> Result<String, LoopGone> {
        loop {
            tokio::select! {
                order = self.orders.recv() => {
                    let Some(order) = order else { return Err(LoopGone) };
                    if order.connection == self.connection
                        && let Err(error) = sender.send(&order.request).await
                    {
                        return Ok(error.to_string());
                    }
                }
                event = receiver.receive() => match event {
                    Ok(event) => {
                        if let Some(event) = to_link_event(event) {
                            self.tell(event).await?;
                        }
                    }
                    Err(error) => return Ok(error.to_string()),
                },
            }
        }
    }

    async fn tell(&self, event: LinkEvent) -> Result<(), LoopGone> {
        self.events.send(event).await.map_err(|_| LoopGone)
    }
}

fn to_link_event(event: wire::Event) -> Option<LinkEvent> {
    match event {
        wire::Event::Result(result) => to_result(*result).map(|result| LinkEvent::Ended(Box::new(result))),
        wire::Event::FenceResult(result) => Some(LinkEvent::FenceEnded(result)),
        wire::Event::Metadata { request_id, outcome } => {
            Some(LinkEvent::Described { request_id, metadata: outcome })
        }
        wire::Event::Refused { id, transition_key, reason, .. } => {
            Some(LinkEvent::Refused { id, transition_key, reason })
        }
        _ => None,
    }
}

/// An order as the executor takes it. The order itself travels along and comes back with the result.
///
/// # Errors
/// When the agent's name is none, in a sentence.
/// What stands for an agent of a class that is not run here: it is installed nowhere, so that every operation of it ends
/// with "not installed" instead of never.
const UNSUPPORTED_AGENT: &str = "class-not-supported";

pub(crate) fn to_operation(order: &Execute) -> Result<wire::Operation, String> {
    let agent = AgentName::new(&order.class, order.provider.as_deref(), &order.agent)
        .or_else(|_| AgentName::new("ocf", Some("hafen"), UNSUPPORTED_AGENT))
        .map_err(|error| error.to_string())?;
    Ok(wire::Operation {
        resource: order.resource.clone(),
        agent,
        task: order.task.clone(),
        interval_ms: order.interval_ms,
        timeout_ms: order.timeout_ms,
        start_delay_ms: 0,
        parameters: order.parameters.clone(),
        meta: order.meta.clone(),
        transition_key: order.transition_key.clone(),
        user_data: serde_json::to_string(order).map_err(|error| error.to_string())?,
    })
}

fn to_order(operation: &wire::Operation) -> Option<Execute> {
    serde_json::from_str(&operation.user_data).ok()
}

fn accepted_order(known: wire::KnownOperation) -> Option<Execute> {
    match known {
        wire::KnownOperation::Queued { operation, .. }
        | wire::KnownOperation::Running { operation, .. }
        | wire::KnownOperation::Recurring { operation, .. } => to_order(&operation),
        _ => None,
    }
}

/// The end of what an agent wrote, from the beginning of a line on where there is one.
fn ending(text: &str) -> String {
    let text = text.trim_end();
    let least = text.len().saturating_sub(OUTPUT_BYTES_MAXIMUM);
    let cut = (least..=text.len()).find(|cut| text.is_char_boundary(*cut)).unwrap_or(text.len());
    let rest = text.get(cut..).unwrap_or_default();
    let whole_lines = rest.split_once('\n').map(|(_, whole)| whole).filter(|_| cut > 0);
    whole_lines.unwrap_or(rest).to_owned()
}

fn to_result(result: wire::OperationResult) -> Option<OperationResult> {
    let order = to_order(&result.operation)?;
    let started_wall_ms = result.end.started_at_seconds.saturating_mul(1000);
    let failed = result.end.rc.0 != 0 || result.end.op_status.code() != 0;
    Some(OperationResult {
        order,
        rc: result.end.rc.0.into(),
        op_status: result.end.op_status.code().into(),
        exit_reason: result.end.exit_reason.unwrap_or_default(),
        output: if failed { ending(&result.end.stderr) } else { String::new() },
        started_wall_ms,
        ended_wall_ms: started_wall_ms.saturating_add(result.end.exec_time_ms),
        queue_time_ms: result.queue_time_ms,
        restart_parameters: None,
        sequence: result.sequence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_an_agent_wrote_the_end_is_kept_in_whole_lines() {
        assert_eq!(ending("one\ntwo\n"), "one\ntwo");
        assert_eq!(ending(""), "");
        let long = format!("{}\nthe cause\n", "ä".repeat(OUTPUT_BYTES_MAXIMUM));
        assert_eq!(ending(&long), "the cause");
        let one_line = "ä".repeat(OUTPUT_BYTES_MAXIMUM);
        assert_eq!(
            ending(&one_line).len(),
            OUTPUT_BYTES_MAXIMUM,
            "without a line's beginning as much as fits"
        );
        assert!(ending(&format!("x{one_line}")).len() <= OUTPUT_BYTES_MAXIMUM);
    }
}
