//! A host's first process: makes the host out of its fresh namespaces, keeps its services running, reaps.
//!
//! The switch starts it in new PID, mount, network, UTS and IPC namespaces. Its end is the host's power cut.

mod control;
mod enabled;
mod image;
mod mounts;
mod network;
mod ready;
mod services;
mod surroundings;

use std::time::{Duration, Instant};

use hafen_protocol::HostId;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{WaitOptions, WaitStatus};

pub(crate) use control::SOCKET as SERVICES_SOCKET;
pub use control::{ServiceAction, ServiceAnswer, ask as ask_service};
pub use services::Service;

use crate::{LabError, LabSpec, Layout};
use control::Requests;
use enabled::Enabled;
use services::Supervised;

pub use surroundings::{services, write_daemon_config};

/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The longest pause between two looks for orphans that have ended.
const REAP_INTERVAL: Duration = Duration::from_millis(200);

/// Makes the host's surroundings: its name, its own file systems, its interfaces. Only for the first process of a
/// PID namespace: elsewhere it would change the machine itself.
pub fn prepare(layout: &Layout, spec: &LabSpec, name: &str) -> Result<(), LabError> {
    if std::process::id() != 1 {
        return Err(LabError::State(
            "`hafen lab init` is started by the power switch only: use `hafen lab boot HOST`".to_owned(),
        ));
    }
    let host = spec.host(name)?;
    rustix::system::sethostname(name.as_bytes()).map_err(LabError::errno("name the host", name))?;
    mounts::prepare(layout, spec, name)?;
    if spec.net.is_some() {
        network::plug_in(layout, name, host.id)?;
    } else {
        network::loopback(name);
    }
    Ok(())
}

/// Keeps the host in the hub's ring for as long as this process lives, whether or not its daemon runs. Where hosts have
/// networks of their own, Corosync does.
pub fn hold_ring(layout: &Layout, spec: &LabSpec, name: &str) -> Result<(), LabError> {
    if spec.net.is_some() {
        return Ok(());
    }
    let (socket, id) = (layout.hub_socket(), HostId(spec.host(name)?.id));
    let thread = std::thread::Builder::new().name("ring".to_owned());
    let started = thread.spawn(move || hafen_bus::ring_agent::hold(&socket, id));
    started.map(drop).map_err(LabError::system("start", "the thread of the ring"))
}

/// Starts the services that are enabled, does what is asked for, reaps all other children. Never returns in good order.
pub fn serve(spec: &LabSpec, name: &str, services: Vec<Service>) -> Result<(), LabError> {
    let mut enabled = Enabled::load(spec, &services);
    let mut services: Vec<Supervised> = services
        .into_iter()
        .map(|service| {
            let starts = enabled.contains(service.name);
            Supervised::new(service, name, starts)
        })
        .collect();
    let requests = Requests::open()?;
    loop {
        while let Some((pid, status)) = next_end() {
            for service in &mut services {
                service.ended(pid, status, Instant::now());
            }
        }
        while let Some((request, waiter)) = requests.next() {
            match services.iter_mut().find(|service| service.service.name == request.name) {
                Some(service) => service.request(request.action, Instant::now(), waiter),
                None => {
                    let names: Vec<&str> = services.iter().map(|service| service.service.name).collect();
                    let text =
                        format!("there is no service '{}': there are {}", request.name, names.join(", "));
                    let _ = waiter.try_send(ServiceAnswer::error(text));
                }
            }
            let starting = services.iter().filter(|service| service.enabled);
            enabled.set(starting.map(|service| service.service.name.to_owned()));
        }
        for service in &mut services {
            service.look(Instant::now());
        }
        wait(&services, &requests);
    }
}

/// Waits until something has happened, or is due, or for a moment.
fn wait(services: &[Supervised], requests: &Requests) {
    let now = Instant::now();
    let due = services.iter().filter_map(Supervised::due).min();
    let pause = due.map_or(REAP_INTERVAL, |due| due.saturating_duration_since(now).min(REAP_INTERVAL));
    let watched = services.iter().flat_map(Supervised::watched).chain([requests.descriptor()]);
    let mut events: Vec<PollFd<'_>> = watched.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    let pause = Timespec { tv_sec: 0, tv_nsec: i64::from(pause.subsec_nanos()) };
    // An error means only that the look comes early.
    let _ = rustix::event::poll(&mut events, Some(&pause));
}

/// The next child that has ended.
fn next_end() -> Option<(u32, WaitStatus)> {
    let (pid, status) = rustix::process::wait(WaitOptions::NOHANG).ok()??;
    Some((pid.as_raw_nonzero().get().unsigned_abs(), status))
}
