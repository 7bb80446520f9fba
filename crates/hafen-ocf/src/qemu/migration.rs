//! Live migration, as the sender and as the cluster see it; the other end is [`super::receiver`].
//!
//! The order is what keeps a guest from running twice. QEMU on the target loads the guest and waits. Only when the
//! sender's QEMU has given the guest up (`postmigrate`) does the sender say `commit`, and only then does the target run
//! it. Until `commit` is said, whoever sees a failure may let the guest go on at its source, once the receiver has
//! confirmed that the guest at the target is dead. After it, only the receiver knows, and is asked ([`settle`]).

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hafen_sys::ProcessIdentity;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::instance::{Arriving, Fate, Instance, Launch, Note, Outgoing, Sight, has_ended};
use super::lifecycle::{Meaning, meaning};
use super::parameters::{Operation, Parameters};
use crate::deadline::Deadline;
use crate::json_lines;
use crate::outcome::{AgentError, OcfCode};
use crate::qmp::{Qmp, QmpError, connect};

/// How long the receiver may take to answer.
const RECEIVER_LIMIT: Duration = Duration::from_secs(15);
/// How long QEMU may take to answer a command.
const QMP_LIMIT: Duration = Duration::from_secs(10);
/// How long one wait for QEMU's events lasts before its state is asked for.
const EVENT_INTERVAL: Duration = Duration::from_millis(250);
/// The speed of a transfer that is not limited, in MiB a second: more than any memory gives.
const UNLIMITED_MIB: u64 = 1 << 20;
/// The pause before a receiver that does not answer is asked again.
const ASK_AGAIN_INTERVAL: Duration = Duration::from_millis(200);
/// The share of the time that a migration may use before it is called off, so that there is time to clear up.
const TRANSFER_SHARE: f64 = 0.8;

/// What a sender asks a receiver, one JSON object a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "lowercase")]
pub(crate) enum Request {
    /// Start a QEMU that waits for this guest. The guest is dropped when the connection ends before `Commit`.
    Receive {
        /// Tells this migration from all others of the same virtual machine.
        token: String,
        /// How the guest runs at its source.
        launch: Box<Launch>,
    },
    /// The source has given the guest up: run it.
    Commit,
    /// Drop the guest unless it was committed, and say which.
    Abandon {
        /// The virtual machine.
        name: String,
        /// The migration.
        token: String,
    },
}

/// What a receiver answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub(crate) enum Answer {
    /// QEMU waits at this address.
    Ready {
        /// In QEMU's form.
        uri: String,
    },
    /// The guest was committed: it runs here, or did.
    Running,
    /// The guest never ran here, and never will.
    Absent {
        /// Why.
        detail: String,
    },
    /// The request could not be served; nothing is known about the guest.
    Error {
        /// Why.
        detail: String,
    },
}

/// Where a guest that was sent away turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// It goes on here.
    RunsHere,
    /// It was committed there; here is nothing left of it.
    RunsThere,
}

fn refused(what: &str) -> impl Fn(QmpError) -> AgentError {
    move |error| AgentError::generic(format!("{what}: {error}"))
}

/// A word that no other migration of this virtual machine has.
fn new_token() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", since.as_nanos(), std::process::id())
}

/// Sends the guest to another host, and returns when it runs there.
pub(crate) fn migrate_to(parameters: &Parameters, operation: &Operation) -> Result<OcfCode, AgentError> {
    let deadline = Deadline::after(operation.own_limit());
    let Some(target) = &operation.migrate_target else {
        return Err(AgentError::new(OcfCode::Arguments, "no node to migrate to was named"));
    };
    let receiver = parameters.receiver(target)?;
    let instance = Instance::of(parameters);
    let _lock = instance.lock(deadline)?;
    let (process, mut qmp) = match instance.look(&instance.control_socket(), deadline.at_most(QMP_LIMIT))? {
        Sight::Seen(process, run_state, qmp)
            if meaning(&run_state, instance.awaits_arrival()) == Meaning::Running =>
        {
            (process, qmp)
        }
        Sight::Seen(_, run_state, _) => {
            return Err(AgentError::generic(format!("nothing to migrate: the guest is '{run_state}'")));
        }
        Sight::Absent => return Err(AgentError::new(OcfCode::NotRunning, "nothing to migrate: not running")),
        Sight::Unreachable(process, error) => {
            let pid = process.pid;
            return Err(AgentError::generic(format!("QEMU (process {pid}) does not answer: {error}")));
        }
    };
    let outgoing = Outgoing { token: new_token(), receiver };
    let launch = instance.note::<Launch>(Note::Launch).ok_or_else(|| {
        AgentError::generic("it is not known how this guest was started: stop and start it once")
    })?;
    let (mut stream, uri) = prepare(&outgoing, launch, target, deadline)?;
    instance.write_note(Note::Outgoing, &outgoing)?;
    let transfer_limit = deadline.at_most(deadline.left().mul_f64(TRANSFER_SHARE));
    let failure = match transfer(&mut qmp, &uri, parameters, transfer_limit) {
        Ok(()) => match json_lines::exchange(&mut stream, &Request::Commit, deadline.at_most(RECEIVER_LIMIT))
        {
            Ok(Answer::Running) => {
                leave(&instance, process, &mut qmp, deadline)?;
                return Ok(OcfCode::Success);
            }
            Ok(Answer::Absent { detail } | Answer::Error { detail }) => detail,
            Ok(Answer::Ready { .. }) => "the receiver's answer makes no sense".into(),
            Err(error) => format!("the receiver did not confirm: {error}"),
        },
        Err(error) => {
            call_off(&mut qmp, deadline);
            error.reason
        }
    };
    // The receiver drops the guest when this connection ends; settle asks it to, and waits for its word.
    drop(stream);
    match settle(parameters, &instance, process, &mut qmp, deadline)? {
        Settlement::RunsHere => Err(AgentError::generic(format!(
            "migration to {target} failed, the guest goes on here: {failure}"
        ))),
        Settlement::RunsThere => Ok(OcfCode::Success),
    }
}

/// Has the receiver start a QEMU that waits; the connection, and where QEMU waits.
fn prepare(
    outgoing: &Outgoing,
    launch: Launch,
    target: &str,
    deadline: Deadline,
) -> Result<(UnixStream, String), AgentError> {
    let failed = |detail: String| AgentError::generic(format!("{target} cannot receive the guest: {detail}"));
    let limit = deadline.at_most(RECEIVER_LIMIT);
    let mut stream = connect(&outgoing.receiver, limit)
        .map_err(|error| failed(format!("its receiver {}: {error}", outgoing.receiver.display())))?;
    let request = Request::Receive { token: outgoing.token.clone(), launch: Box::new(launch) };
    match json_lines::exchange(&mut stream, &request, limit) {
        Ok(Answer::Ready { uri }) => Ok((stream, uri)),
        Ok(Answer::Absent { detail } | Answer::Error { detail }) => Err(failed(detail)),
        Ok(Answer::Running) => Err(failed("its receiver's answer makes no sense".into())),
        Err(error) => Err(failed(format!("its receiver: {error}"))),
    }
}

/// Transfers the guest; when this is done, QEMU has given it up here and has it there, paused.
fn transfer(qmp: &mut Qmp, uri: &str, parameters: &Parameters, deadline: Deadline) -> Result<(), AgentError> {
    // With the return path, "completed" means that the target has loaded the guest, not only that it was sent.
    let capabilities: Vec<Value> = ["events", "return-path"]
        .into_iter()
        .map(|capability| json!({ "capability": capability, "state": true }))
        .collect();
    let bandwidth_mib = match parameters.migrate_bandwidth_mib {
        0 => UNLIMITED_MIB,
        limited => limited.min(UNLIMITED_MIB),
    };
    let limits = json!({
        "downtime-limit": u64::try_from(parameters.migrate_downtime.as_millis()).unwrap_or(u64::MAX),
        "max-bandwidth": bandwidth_mib << 20,
    });
    let commands = [
        ("migrate-set-capabilities", json!({ "capabilities": capabilities })),
        ("migrate-set-parameters", limits),
        ("migrate", json!({ "uri": uri })),
    ];
    for (command, arguments) in commands {
        qmp.execute(command, arguments, deadline.at_most(QMP_LIMIT)).map_err(refused("QEMU"))?;
    }
    loop {
        let answer = qmp.execute("query-migrate", Value::Null, deadline.at_most(QMP_LIMIT));
        let answer = answer.map_err(refused("QEMU"))?;
        match answer.get("status").and_then(Value::as_str) {
            Some("completed") => return Ok(()),
            Some("failed" | "cancelled") => {
                let detail =
                    answer.get("error-desc").and_then(Value::as_str).unwrap_or("QEMU does not say why");
                return Err(AgentError::generic(format!("the transfer failed: {detail}")));
            }
            _ if deadline.has_passed() => {
                return Err(AgentError::generic("the transfer took too long and was called off"));
            }
            _ => {}
        }
        match qmp.next_event(deadline.at_most(EVENT_INTERVAL)) {
            Ok(_) | Err(QmpError::TimedOut) => {}
            Err(error) => return Err(refused("QEMU")(error)),
        }
    }
}

/// Cancels a transfer and waits until QEMU has let go of it. What QEMU then does with the guest is looked at next.
fn call_off(qmp: &mut Qmp, deadline: Deadline) {
    let limit = deadline.at_most(QMP_LIMIT);
    let _ = qmp.execute("migrate_cancel", Value::Null, limit);
    limit.poll(|| {
        let answer = qmp.execute("query-migrate", Value::Null, limit).ok()?;
        let status = answer.get("status").and_then(Value::as_str).unwrap_or("none");
        ["none", "completed", "failed", "cancelled"].contains(&status).then_some(())
    });
}

/// Ends the QEMU that the guest has left.
fn leave(
    instance: &Instance,
    process: ProcessIdentity,
    qmp: &mut Qmp,
    deadline: Deadline,
) -> Result<(), AgentError> {
    // QEMU may end before its answer is read; whether it has ended is looked at next.
    let _ = qmp.execute("quit", Value::Null, deadline.at_most(QMP_LIMIT));
    has_ended(process, deadline.at_most(QMP_LIMIT));
    instance.kill(process)
}

/// Finds out where a guest is whose migration from here was not seen to its end, and makes it true: it goes on here if
/// the receiver confirms that it is dead there, and is ended here if the receiver says that it was committed.
///
/// An error means that nobody knows, and nothing was changed. The instance's lock must be held.
pub(crate) fn settle(
    parameters: &Parameters,
    instance: &Instance,
    process: ProcessIdentity,
    qmp: &mut Qmp,
    deadline: Deadline,
) -> Result<Settlement, AgentError> {
    let unknown = |why: String| {
        AgentError::generic(format!("the guest was sent away, and it is not known whether it arrived: {why}"))
    };
    let outgoing: Outgoing =
        instance.note(Note::Outgoing).ok_or_else(|| unknown("nobody noted where to".into()))?;
    let request = Request::Abandon { name: parameters.name.clone(), token: outgoing.token };
    match ask(&outgoing.receiver, &request, deadline.at_most(RECEIVER_LIMIT)) {
        Ok(Answer::Absent { .. }) => {
            go_on(qmp, deadline)?;
            instance.remove_note(Note::Outgoing)?;
            Ok(Settlement::RunsHere)
        }
        Ok(Answer::Running) => {
            leave(instance, process, qmp, deadline)?;
            Ok(Settlement::RunsThere)
        }
        Ok(Answer::Error { detail }) => settle_unanswered(qmp, deadline, unknown(detail)),
        Ok(Answer::Ready { .. }) => Err(unknown("the receiver's answer makes no sense".into())),
        Err(error) => {
            let why = format!("its receiver {}: {error}", outgoing.receiver.display());
            settle_unanswered(qmp, deadline, unknown(why))
        }
    }
}

/// Without the receiver's word: QEMU resumes a guest by itself when the transfer failed before it was complete. Such a
/// guest was never committed, since commit is only said after completion.
fn settle_unanswered(
    qmp: &mut Qmp,
    deadline: Deadline,
    unknown: AgentError,
) -> Result<Settlement, AgentError> {
    let limit = deadline.at_most(QMP_LIMIT);
    match qmp.run_state(limit) {
        Ok(run_state) if run_state == "running" => Ok(Settlement::RunsHere),
        _ => Err(unknown),
    }
}

/// Lets the guest go on here, unless QEMU has done so already.
fn go_on(qmp: &mut Qmp, deadline: Deadline) -> Result<(), AgentError> {
    let limit = deadline.at_most(QMP_LIMIT);
    let resumed = limit.poll(|| match qmp.run_state(limit) {
        Ok(run_state) if run_state == "running" => Some(Ok(())),
        // QEMU is still deciding.
        Ok(run_state) if run_state == "finish-migrate" => None,
        Ok(_) => match qmp.execute("cont", Value::Null, limit) {
            Ok(_) => None,
            Err(error) => Some(Err(refused("the guest cannot go on here")(error))),
        },
        Err(error) => Some(Err(refused("QEMU")(error))),
    });
    resumed.unwrap_or_else(|| {
        Err(AgentError::generic("the guest does not go on here, and QEMU does not say why"))
    })
}

/// One request over a connection of its own. A receiver that is being started again is waited for until the deadline.
fn ask(receiver: &Path, request: &Request, deadline: Deadline) -> io::Result<Answer> {
    loop {
        let error = match connect(receiver, deadline) {
            Ok(mut stream) => match json_lines::exchange(&mut stream, request, deadline) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            },
            Err(error) => error,
        };
        if deadline.left() <= ASK_AGAIN_INTERVAL {
            return Err(error);
        }
        thread::sleep(ASK_AGAIN_INTERVAL);
    }
}

/// Confirms on the target that the guest has arrived and runs.
pub(crate) fn migrate_from(parameters: &Parameters, operation: &Operation) -> Result<OcfCode, AgentError> {
    let deadline = Deadline::after(operation.own_limit());
    let instance = Instance::of(parameters);
    let source = operation.migrate_source.as_deref().unwrap_or("another node");
    let _lock = instance.lock(deadline)?;
    match instance.look(&instance.control_socket(), deadline.at_most(QMP_LIMIT))? {
        Sight::Seen(_, run_state, mut qmp) => {
            let arrived = instance.note::<Arriving>(Note::Arrival).map(|arrival| arrival.fate);
            match meaning(&run_state, arrived == Some(Fate::Waiting)) {
                Meaning::Running => Ok(OcfCode::Success),
                // The receiver was killed between the permission and the act.
                Meaning::Broken(_) if run_state == "paused" && arrived == Some(Fate::Arrived) => {
                    go_on(&mut qmp, deadline)?;
                    Ok(OcfCode::Success)
                }
                _ => Err(AgentError::generic(format!(
                    "the guest has not arrived from {source}: QEMU is in the run state '{run_state}'"
                ))),
            }
        }
        Sight::Absent => {
            Err(AgentError::generic(format!("the guest has not arrived from {source}: no QEMU here")))
        }
        Sight::Unreachable(process, error) => {
            let pid = process.pid;
            Err(AgentError::generic(format!("QEMU (process {pid}) does not answer: {error}")))
        }
    }
}
