//! The engine's task in the daemon's runtime: joins what the thread tells, the streams, and the daemon.

use std::sync::Arc;
use std::time::Duration;

use hafen_protocol::{Delivery, MemberId, Transmission};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval};

use super::CorosyncError;
use super::links::{self, Gate, Links};
use super::worker::{Command, Report, Worker};
use crate::streams::Streams;

/// A Corosync that has not answered for this long, and does not wait for a quorum device, is taken for lost.
const HANG: Duration = Duration::from_secs(3);

/// How often that is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Runs until the member has left.
pub(super) async fn run(
    cluster: String,
    member: MemberId,
    streams: Streams,
    worker: Worker,
    transmissions: mpsc::Receiver<Transmission>,
    deliveries: mpsc::Sender<Delivery>,
) {
    let Worker { commands, reports, pulse } = worker;
    let gate = Arc::new(Gate::new(deliveries));
    let links = Links::new(cluster.clone(), member, streams.transport, Arc::clone(&pulse));
    tokio::select! {
        () = receive(reports, &pulse, &gate, &links) => {}
        () = transmit(transmissions, commands, &links) => {}
        () = links::accept(cluster, member, streams.accepted, Arc::clone(&gate)) => {}
    }
}

/// Delivers what the thread tells, until it ends.
async fn receive(
    mut reports: mpsc::Receiver<Report>,
    pulse: &super::pulse::Pulse,
    gate: &Gate,
    links: &Links,
) {
    let mut look = interval(LOOK_INTERVAL);
    let (mut beats, mut moved) = (pulse.beats(), Instant::now());
    // The daemon was told of a loss; until the thread has noticed that, its reports mean nothing.
    let mut lost_already = false;
    loop {
        tokio::select! {
            report = reports.recv() => match report {
                None => return,
                Some(Report::Reset) => lost_already = false,
                Some(Report::Hosts(list)) => {
                    links.set_hosts(&list);
                    gate.deliver(Delivery::Hosts(list.names())).await;
                }
                Some(Report::Delivery(_)) if lost_already => {}
                Some(Report::Delivery(delivery)) => {
                    links.notice(&delivery);
                    gate.deliver(delivery).await;
                }
            },
            _ = look.tick() => {
                if pulse.beats() != beats {
                    (beats, moved) = (pulse.beats(), Instant::now());
                }
                let error = match (pulse.was_given_up(), moved.elapsed() >= HANG + pulse.synchronising()) {
                    (true, _) => CorosyncError::StreamStuck,
                    (_, true) => CorosyncError::Hangs,
                    _ => continue,
                };
                if !lost_already {
                    lost_already = true;
                    let lost = Delivery::Lost { reason: error.to_string() };
                    links.notice(&lost);
                    gate.deliver(lost).await;
                    pulse.reset();
                }
            }
        }
    }
}

/// Hands over what the daemon sends; never ends by itself.
async fn transmit(
    mut transmissions: mpsc::Receiver<Transmission>,
    commands: mpsc::Sender<Command>,
    links: &Links,
) {
    while let Some(transmission) = transmissions.recv().await {
        let (command, leave) = match transmission {
            Transmission::Stream { to, bytes } => {
                links.send(to, bytes);
                continue;
            }
            Transmission::Multicast(message) => (Command::Multicast(message), false),
            Transmission::ProceedWithout(hosts) => (Command::ProceedWithout(hosts), false),
            Transmission::Leave => (Command::Leave, true),
        };
        if commands.send(command).await.is_err() || leave {
            break;
        }
    }
    // The reports end when the thread has left. The commands stay open until then: their end is a death.
    std::future::pending::<()>().await;
    drop(commands);
}
