//! A host's first process: makes the host out of its fresh namespaces, keeps its services running, reaps.
//!
//! The switch starts it in new PID, mount, network, UTS and IPC namespaces. Its end is the host's power cut.

mod mounts;
mod services;
mod surroundings;

use std::time::{Duration, Instant};

use hafen_protocol::HostId;
use rustix::process::{WaitOptions, WaitStatus};

pub use services::Service;

use crate::{LabError, LabSpec, Layout};

pub use surroundings::{services, write_daemon_config};

/// The pause between two looks for ended children while a service waits for its restart.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Makes the host's surroundings: its name, its own file systems, its loopback interface. Only for the first process of a
/// PID namespace: elsewhere it would change the machine itself.
pub fn prepare(layout: &Layout, spec: &LabSpec, name: &str) -> Result<(), LabError> {
    if std::process::id() != 1 {
        return Err(LabError::State(
            "`hafen lab init` is started by the power switch only: use `hafen lab boot HOST`".to_owned(),
        ));
    }
    spec.host(name)?;
    rustix::system::sethostname(name.as_bytes()).map_err(LabError::errno("name the host", name))?;
    mounts::prepare(layout, name)?;
    let up = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status();
    if !up.is_ok_and(|status| status.success()) {
        // A host without a loopback interface does all that the lab itself needs; agents for addresses will say so.
        eprintln!(
            "{name}: the loopback interface stays down (`ip link set lo up` failed: is iproute2 installed?)"
        );
    }
    Ok(())
}

/// Keeps the host in the ring for as long as this process lives, whether or not its daemon runs.
pub fn hold_ring(layout: &Layout, spec: &LabSpec, name: &str) -> Result<(), LabError> {
    let (socket, id) = (layout.hub_socket(), HostId(spec.host(name)?.id));
    let thread = std::thread::Builder::new().name("ring".to_owned());
    let started = thread.spawn(move || hafen_bus::ring_agent::hold(&socket, id));
    started.map(drop).map_err(LabError::system("start", "the thread of the ring"))
}

/// Starts the services, restarts those that end, reaps all other children. Never returns.
pub fn serve(name: &str, services: Vec<Service>) -> ! {
    let mut services: Vec<services::Running> = services.into_iter().map(services::Running::new).collect();
    loop {
        for service in &mut services {
            service.start_if_due(Instant::now(), name);
        }
        let due = services.iter().filter_map(services::Running::due).min();
        if let Some((pid, status)) = next_end(due) {
            for service in &mut services {
                service.ended(pid, status, Instant::now(), name);
            }
        }
    }
}

/// The next child that ended; `None` when a service is due before that.
fn next_end(due: Option<Instant>) -> Option<(u32, WaitStatus)> {
    loop {
        let options = if due.is_some() { WaitOptions::NOHANG } else { WaitOptions::empty() };
        if let Ok(Some((pid, status))) = rustix::process::wait(options) {
            return Some((pid.as_raw_nonzero().get().unsigned_abs(), status));
        }
        // Nobody ended, or (an error) there is no child at all.
        if due.is_some_and(|due| Instant::now() >= due) {
            return None;
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}
