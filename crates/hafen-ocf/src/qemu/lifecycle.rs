//! start, stop and monitor.

use std::process::Child;
use std::time::Duration;

use hafen_sys::ProcessIdentity;
use serde_json::Value;

use super::command::Arrival;
use super::instance::{Instance, Launch, Note, Sight, has_ended};
use super::migration::{self, Settlement};
use super::parameters::{Operation, Parameters};
use crate::accel;
use crate::deadline::Deadline;
use crate::outcome::{AgentError, OcfCode};
use crate::qmp::{Qmp, QmpError};

/// The most that a monitor waits for QEMU unless told otherwise.
const QMP_LIMIT: Duration = Duration::from_secs(20);
/// The most that a stop waits for an answer of QEMU before it uses force.
const STOP_QMP_LIMIT: Duration = Duration::from_secs(5);
/// How often the power button is pressed: a guest that is still booting does not see it.
const POWER_BUTTON_INTERVAL: Duration = Duration::from_secs(2);
/// How long QEMU may take to quit.
const QUIT_LIMIT: Duration = Duration::from_secs(3);

/// What a run state in QEMU's words means for the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The guest runs here.
    Running,
    /// QEMU is there, the guest is not (yet, or any more).
    NotHere(&'static str),
    /// The guest has been sent away, or was about to be: see [`migration::settle`].
    SentAway,
    /// The guest is here and does not run.
    Broken(&'static str),
}

/// The meaning of a run state. `incoming` tells whether the guest may not run here yet.
pub(crate) fn meaning(run_state: &str, incoming: bool) -> Meaning {
    match run_state {
        _ if incoming => Meaning::NotHere("a guest is to arrive here by live migration"),
        // The last is the short pause at the end of a live migration, the one before a guest that sleeps by its own will.
        "running" | "save-vm" | "restore-vm" | "debug" | "colo" | "suspended" | "finish-migrate" => {
            Meaning::Running
        }
        "inmigrate" => Meaning::NotHere("QEMU waits for a guest to arrive by live migration"),
        "shutdown" => Meaning::NotHere("the guest has shut down"),
        "postmigrate" => Meaning::SentAway,
        "paused" => Meaning::Broken("paused by someone: resume it, or stop and start it"),
        "prelaunch" => Meaning::Broken("not started yet"),
        "internal-error" => Meaning::Broken("stopped by an internal error of QEMU or KVM"),
        "io-error" => Meaning::Broken("stopped because a disk failed or is full"),
        "guest-panicked" => Meaning::Broken("panicked"),
        "watchdog" => Meaning::Broken("stopped by its watchdog device"),
        _ => Meaning::Broken("in a run state that this agent does not know"),
    }
}

fn unreachable(process: ProcessIdentity, error: &QmpError) -> AgentError {
    AgentError::generic(format!("QEMU (process {}) runs but does not answer: {error}", process.pid))
}

/// Whether the guest runs here.
pub(crate) fn monitor(parameters: &Parameters, operation: &Operation) -> Result<OcfCode, AgentError> {
    let limit = parameters.qmp_timeout.unwrap_or_else(|| operation.two_thirds().min(QMP_LIMIT));
    let deadline = Deadline::after(limit.max(Duration::from_millis(100)));
    let instance = Instance::of(parameters);
    match instance.look(&instance.monitor_socket(), deadline)? {
        Sight::Absent => Ok(OcfCode::NotRunning),
        Sight::Unreachable(process, error) => Err(unreachable(process, &error)),
        Sight::Seen(_, run_state, _) => match meaning(&run_state, instance.awaits_arrival()) {
            Meaning::Running => Ok(OcfCode::Success),
            Meaning::NotHere(why) => {
                eprintln!("INFO: {}: {why}", parameters.name);
                Ok(OcfCode::NotRunning)
            }
            Meaning::SentAway => settle_sent_away(parameters, &instance, deadline),
            Meaning::Broken(why) => {
                Err(AgentError::generic(format!("the guest is {why} (QEMU calls it '{run_state}')")))
            }
        },
    }
}

/// A guest that was sent away by an agent that did not live to see it arrive, or is just being sent.
fn settle_sent_away(
    parameters: &Parameters,
    instance: &Instance,
    deadline: Deadline,
) -> Result<OcfCode, AgentError> {
    let _lock = instance.lock(deadline)?;
    match instance.look(&instance.control_socket(), deadline)? {
        Sight::Absent => Ok(OcfCode::NotRunning),
        Sight::Unreachable(process, error) => Err(unreachable(process, &error)),
        Sight::Seen(_, run_state, _) if run_state == "running" => Ok(OcfCode::Success),
        Sight::Seen(process, _, mut qmp) => {
            match migration::settle(parameters, instance, process, &mut qmp, deadline)? {
                Settlement::RunsHere => Ok(OcfCode::Success),
                Settlement::RunsThere => Ok(OcfCode::NotRunning),
            }
        }
    }
}

/// Starts the guest unless it runs, and returns when QEMU runs it.
pub(crate) fn start(parameters: &Parameters, operation: &Operation) -> Result<OcfCode, AgentError> {
    parameters.check_files()?;
    let deadline = Deadline::after(operation.own_limit());
    let instance = Instance::of(parameters);
    let _lock = instance.lock(deadline)?;
    match instance.look(&instance.control_socket(), deadline)? {
        Sight::Absent => {}
        Sight::Unreachable(process, error) => return Err(unreachable(process, &error)),
        Sight::Seen(process, run_state, mut qmp) => {
            if start_over(parameters, &instance, (process, &run_state, &mut qmp), deadline)? {
                return Ok(OcfCode::Success);
            }
        }
    }
    instance.clean()?;
    // From here on nobody may be told that a guest never ran here.
    instance.remove_note(Note::Arrival)?;
    let accel = accel::choose(parameters)?;
    let launch = Launch { parameters: parameters.clone(), accel };
    let child = instance.launch(&launch, Arrival::Boot)?;
    await_running(&instance, child, deadline)?;
    Ok(OcfCode::Success)
}

/// Start where there is a QEMU already: whether the guest runs here now. If not, there is no QEMU any more.
fn start_over(
    parameters: &Parameters,
    instance: &Instance,
    (process, run_state, qmp): (ProcessIdentity, &str, &mut Qmp),
    deadline: Deadline,
) -> Result<bool, AgentError> {
    match meaning(run_state, instance.awaits_arrival()) {
        Meaning::Running => Ok(true),
        Meaning::NotHere(_) => instance.kill(process).map(|()| false),
        Meaning::SentAway => match migration::settle(parameters, instance, process, qmp, deadline)? {
            Settlement::RunsHere => Ok(true),
            Settlement::RunsThere => {
                Err(AgentError::generic(format!("{} runs where it was sent to", parameters.name)))
            }
        },
        Meaning::Broken(_) if ["paused", "prelaunch"].contains(&run_state) => {
            let resumed = qmp.execute("cont", Value::Null, deadline);
            resumed.map_err(|error| AgentError::generic(format!("cannot resume the guest: {error}")))?;
            Ok(true)
        }
        Meaning::Broken(why) => {
            Err(AgentError::generic(format!("the guest is {why}: it needs a stop first")))
        }
    }
}

/// Waits until QEMU runs the guest. When it does not, it is ended.
fn await_running(instance: &Instance, mut child: Child, deadline: Deadline) -> Result<(), AgentError> {
    let mut last = String::from("it said nothing yet");
    let running = deadline.poll(|| {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(Err(AgentError::generic(format!(
                "QEMU ended ({status}): {}",
                instance.last_words()
            ))));
        }
        match Qmp::connect(&instance.control_socket(), deadline).and_then(|mut qmp| qmp.run_state(deadline)) {
            Ok(run_state) if run_state == "running" => Some(Ok(())),
            Ok(run_state) => {
                last = format!("the guest is in the run state '{run_state}'");
                None
            }
            Err(error) => {
                last = error.to_string();
                None
            }
        }
    });
    let failed = match running {
        Some(Ok(())) => return Ok(()),
        Some(Err(error)) => error,
        None => AgentError::generic(format!("QEMU did not run the guest in time: {last}")),
    };
    // A start that failed leaves nothing behind. QEMU may have ended by itself, then there is nothing to kill.
    let _ = child.kill();
    let _ = child.wait();
    instance.clean()?;
    Err(failed)
}

/// Stops the guest: by the power button, then by force.
pub(crate) fn stop(parameters: &Parameters, operation: &Operation) -> Result<OcfCode, AgentError> {
    let deadline = Deadline::after(operation.own_limit());
    let instance = Instance::of(parameters);
    let _lock = instance.lock(deadline)?;
    let look_limit = deadline.at_most(STOP_QMP_LIMIT);
    let process = match instance.look(&instance.control_socket(), look_limit)? {
        Sight::Absent => {
            instance.clean()?;
            return Ok(OcfCode::Success);
        }
        Sight::Unreachable(process, error) => {
            eprintln!("WARNING: {}; it is ended by force", unreachable(process, &error));
            process
        }
        Sight::Seen(process, run_state, mut qmp) => {
            if meaning(&run_state, instance.awaits_arrival()) == Meaning::Running {
                let limit = parameters.shutdown_timeout.unwrap_or_else(|| operation.two_thirds());
                press_power_button(&mut qmp, process, deadline.at_most(limit));
            }
            // The answer may be lost with the process; whether it ended is looked at next.
            let _ = qmp.execute("quit", Value::Null, deadline.at_most(QUIT_LIMIT));
            has_ended(process, deadline.at_most(QUIT_LIMIT));
            process
        }
    };
    instance.kill(process)?;
    Ok(OcfCode::Success)
}

/// Presses the power button until the guest has ended QEMU, or the deadline passes.
fn press_power_button(qmp: &mut Qmp, process: ProcessIdentity, deadline: Deadline) {
    while !deadline.has_passed() {
        if qmp.execute("system_powerdown", Value::Null, deadline.at_most(STOP_QMP_LIMIT)).is_err() {
            // Either QEMU has ended, or it will not be talked to: force follows.
            return;
        }
        if has_ended(process, deadline.at_most(POWER_BUTTON_INTERVAL)) {
            return;
        }
    }
    eprintln!("WARNING: the guest did not end after the power button; it is ended by force");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_guest_is_not_running() {
        for run_state in ["inmigrate", "paused", "running"] {
            assert!(matches!(meaning(run_state, true), Meaning::NotHere(_)), "{run_state}");
        }
        assert!(matches!(meaning("inmigrate", false), Meaning::NotHere(_)));
        assert_eq!(meaning("running", false), Meaning::Running);
        assert_eq!(meaning("postmigrate", false), Meaning::SentAway);
    }

    #[test]
    fn a_guest_that_does_not_run_is_an_error_that_says_why() {
        let states =
            ["paused", "internal-error", "io-error", "guest-panicked", "watchdog", "brand-new-state"];
        let mut reasons = std::collections::BTreeSet::new();
        for run_state in states {
            let Meaning::Broken(why) = meaning(run_state, false) else { panic!("{run_state} is an error") };
            reasons.insert(why);
        }
        assert_eq!(reasons.len(), states.len(), "each has its own reason");
    }
}
