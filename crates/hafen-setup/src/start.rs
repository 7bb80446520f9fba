//! Starting Corosync and the daemon, and waiting until they do their work.

use std::thread;
use std::time::{Duration, Instant};

use hafen_client::Client;

use crate::host::Host;
use crate::services::Service;
use crate::{SetupError, clock};

/// How long Corosync may take until it sees the others.
const RING_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the daemon may take until it answers.
const DAEMON_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Starts Corosync with the configuration that is in place now, and waits until this host (and another one, where
/// `others` are configured) is in the ring.
///
/// # Errors
/// When it does not start, or stays alone.
pub(crate) fn corosync(host: &Host, own_id: u32, others: &[u32]) -> Result<(), SetupError> {
    let joined = |members: &[u32]| {
        members.contains(&own_id) && (others.is_empty() || others.iter().any(|id| members.contains(id)))
    };
    if host.services.runs(Service::Corosync)? {
        if joined(&host.services.ring_members()?) {
            return Ok(());
        }
        // It runs with what was there before.
        host.services.restart(Service::Corosync)?;
    } else {
        host.services.start(Service::Corosync)?;
    }
    let end = Instant::now() + RING_TIMEOUT;
    loop {
        let members = host.services.ring_members()?;
        if joined(&members) {
            return Ok(());
        }
        if Instant::now() >= end {
            return Err(alone(&members, own_id, others));
        }
        thread::sleep(LOOK_INTERVAL);
    }
}

fn alone(members: &[u32], own_id: u32, others: &[u32]) -> SetupError {
    let seconds = RING_TIMEOUT.as_secs();
    if !members.contains(&own_id) {
        return SetupError::state(
            format!("Corosync does not come up within {seconds} s"),
            "Look at its log (journalctl -u corosync), mend what it names, and run the same command again",
        );
    }
    SetupError::unreachable(
        format!("Corosync runs here, but sees none of the other hosts ({others:?}) after {seconds} s"),
        "Look whether UDP port 5405 is open both ways between the hosts on every link, and run the same command again",
    )
}

/// Starts the daemon, and waits until it answers.
///
/// # Errors
/// When it does not start, or does not answer.
pub(crate) fn daemon(host: &Host) -> Result<(), SetupError> {
    host.services.start(Service::Hafen)?;
    let socket = host.paths.daemon_socket();
    let end = Instant::now() + DAEMON_TIMEOUT;
    loop {
        let asked = Client::connect(&socket, Duration::from_secs(5)).and_then(|mut client| client.status());
        match asked {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= end => {
                return Err(SetupError::unreachable(
                    format!("the daemon was started, and does not answer: {error}"),
                    "Look at its log (journalctl -u hafen), and run the same command again",
                ));
            }
            Err(_) => thread::sleep(LOOK_INTERVAL),
        }
    }
}

/// What to tell about two clocks that differ.
pub(crate) fn clock_note(name: &str, wall_ms: u64) -> Option<String> {
    let own = clock::wall_ms();
    let apart = own.abs_diff(wall_ms) / 1000;
    (apart >= 5).then(|| {
        let way = if own > wall_ms { "ahead of" } else { "behind" };
        format!(
            "this host's clock is {apart} s {way} that of {name}: times in logs and time-based rules will not agree. Set up NTP \
             (chrony) on all hosts"
        )
    })
}
