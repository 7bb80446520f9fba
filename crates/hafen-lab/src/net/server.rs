//! The frame switch's process: one thread moves frames, one for each connection answers requests.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::Link;
use super::fabric::{Fabric, Place};
use super::pass::Inbox;
use super::shape::Shape;
use super::wire::{PortStatus, SwitchAnswer, SwitchRequest};
use crate::{LabError, LabSpec, Layout};

/// Connections that are served at once; more are refused. Each host holds one.
const CONNECTIONS_MAXIMUM: usize = 128;
/// Longer than any frame of a tap device.
const FRAME_BYTES: usize = 65_536 + 64;
/// Frames that are taken from a device before the others have their turn.
const FRAMES_A_TURN: usize = 64;

/// A device that is plugged in.
#[derive(Clone)]
struct Port {
    attachment: u64,
    device: Arc<OwnedFd>,
}

struct Stand {
    fabric: Mutex<Fabric>,
    ports: Mutex<BTreeMap<Place, Port>>,
    /// Written to when the thread that moves frames should look anew.
    wake: OwnedFd,
    attachments: AtomicU64,
    connections: AtomicUsize,
    began: Instant,
}

/// Serves until the process is killed.
pub fn run(layout: &Layout) -> Result<(), LabError> {
    let spec = LabSpec::load(layout)?;
    let hosts: Vec<String> = spec.all_hosts().map(|host| host.name.clone()).collect();
    let path = layout.switch_socket();
    // A switch that was killed leaves its socket.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).map_err(LabError::system("listen at", &path))?;
    let wake = rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC);
    let stand = Arc::new(Stand {
        fabric: Mutex::new(Fabric::new(&hosts, spec.seed)),
        ports: Mutex::default(),
        wake: wake.map_err(LabError::errno("make", "an event"))?,
        attachments: AtomicU64::new(0),
        connections: AtomicUsize::new(0),
        began: Instant::now(),
    });
    let accepting = Arc::clone(&stand);
    std::thread::spawn(move || accept(&listener, &accepting));
    stand.move_frames().map_err(LabError::errno("wait for frames at", &path))
}

fn accept(listener: &UnixListener, stand: &Arc<Stand>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        if stand.connections.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS_MAXIMUM {
            stand.connections.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let stand = Arc::clone(stand);
        std::thread::spawn(move || {
            let mut attached = None;
            if let Err(error) = stand.converse(&stream, &mut attached) {
                eprintln!("a connection ended: {error}");
            }
            if let Some((host, attachment)) = attached {
                stand.unplug(&host, attachment);
            }
            stand.connections.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stand {
    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn look_anew(&self) {
        // A counter that is full wakes as well.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Never returns but with an error.
    fn move_frames(&self) -> Result<(), Errno> {
        let mut buffer = vec![0; FRAME_BYTES];
        loop {
            let ports: Vec<(Place, Port)> =
                locked(&self.ports).iter().map(|(place, port)| (place.clone(), port.clone())).collect();
            loop {
                self.deliver();
                let mut events = vec![PollFd::new(&self.wake, PollFlags::IN)];
                events.extend(ports.iter().map(|(_, port)| PollFd::new(&*port.device, PollFlags::IN)));
                let next_us = locked(&self.fabric).next_arrival_us();
                let wait = next_us.map(|at_us| timespec(at_us.saturating_sub(self.now_us())));
                match rustix::event::poll(&mut events, wait.as_ref()) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error),
                }
                let ready: Vec<bool> = events.iter().map(|event| !event.revents().is_empty()).collect();
                for ((place, port), _) in ports.iter().zip(&ready[1..]).filter(|(_, ready)| **ready) {
                    self.read_frames(place, port, &mut buffer);
                }
                if ready[0] {
                    let _ = rustix::io::read(&self.wake, &mut buffer[..8]);
                    break;
                }
            }
        }
    }

    fn read_frames(&self, place: &Place, port: &Port, buffer: &mut [u8]) {
        for _ in 0..FRAMES_A_TURN {
            match rustix::io::read(&*port.device, &mut *buffer) {
                Ok(length) => locked(&self.fabric).take(self.now_us(), place, &buffer[..length]),
                Err(Errno::AGAIN | Errno::INTR) => return,
                // The device is gone.
                Err(_) => {
                    self.unplug(&place.0, port.attachment);
                    return;
                }
            }
        }
    }

    /// Gives hosts the frames that have arrived. A device that takes none loses it, as a full receiver does.
    fn deliver(&self) {
        loop {
            let Some((place, content)) = locked(&self.fabric).arrived(self.now_us()) else { return };
            let port = locked(&self.ports).get(&place).cloned();
            if let Some(port) = port {
                let _ = rustix::io::write(&*port.device, &content);
            }
        }
    }

    fn unplug(&self, host: &str, attachment: u64) {
        let mut ports = locked(&self.ports);
        let before = ports.len();
        ports.retain(|(name, _), port| name != host || port.attachment != attachment);
        let was_last = ports.len() < before;
        drop(ports);
        if was_last {
            locked(&self.fabric).unplug(host);
        }
        self.look_anew();
    }

    fn converse(&self, stream: &UnixStream, attached: &mut Option<(String, u64)>) -> std::io::Result<()> {
        let mut inbox = Inbox::default();
        while let Some(line) = inbox.line(stream)? {
            let descriptors = std::mem::take(&mut inbox.descriptors);
            let outcome = match serde_json::from_slice(&line) {
                Ok(SwitchRequest::Attach { host }) => self.attach(host, descriptors, attached),
                Ok(request) => self.answer(request),
                Err(error) => Err(format!("this is no request: {error}")),
            };
            let answer = outcome
                .unwrap_or_else(|error| SwitchAnswer { error: Some(error), ..SwitchAnswer::default() });
            let mut line = serde_json::to_vec(&answer)?;
            line.push(b'\n');
            (&mut &*stream).write_all(&line)?;
        }
        Ok(())
    }

    fn attach(
        &self,
        host: String,
        devices: Vec<OwnedFd>,
        attached: &mut Option<(String, u64)>,
    ) -> Result<SwitchAnswer, String> {
        if !locked(&self.fabric).counts().any(|((name, _), _)| *name == host) {
            return Err(format!("there is no host '{host}'"));
        }
        if devices.len() != Link::ALL.len() || attached.is_some() {
            return Err(format!("{} descriptors come with an attachment, once", Link::ALL.len()));
        }
        let attachment = self.attachments.fetch_add(1, Ordering::SeqCst);
        let mut ports = locked(&self.ports);
        for (link, device) in Link::ALL.into_iter().zip(devices) {
            // Reading must never wait.
            rustix::fs::fcntl_setfl(device.as_fd(), rustix::fs::OFlags::NONBLOCK)
                .map_err(|error| format!("the descriptor of {link} is of no use: {error}"))?;
            ports.insert((host.clone(), link), Port { attachment, device: Arc::new(device) });
        }
        drop(ports);
        *attached = Some((host, attachment));
        self.look_anew();
        Ok(SwitchAnswer::default())
    }

    fn answer(&self, request: SwitchRequest) -> Result<SwitchAnswer, String> {
        let mut fabric = locked(&self.fabric);
        match request {
            SwitchRequest::Shape { from, to, link, both, change } => {
                let mut wanted = Shape::default();
                change.apply(&mut wanted);
                wanted.check()?;
                let ends = [from.as_deref(), to.as_deref()];
                fabric.shapes.change(ends, link, both, |shape| change.apply(shape))?;
            }
            SwitchRequest::Heal { host } => {
                fabric
                    .shapes
                    .change([host.as_deref(), None], None, true, |shape| *shape = Shape::default())?;
            }
            SwitchRequest::Status => {
                let ports = locked(&self.ports);
                let status = fabric.counts().map(|(place, counts)| PortStatus {
                    host: place.0.clone(),
                    link: place.1,
                    attached: ports.contains_key(place),
                    sent: counts.sent,
                    received: counts.received,
                    lost: counts.lost,
                });
                let shapes = fabric.shapes.all().map(|(direction, shape)| (direction.clone(), *shape));
                return Ok(SwitchAnswer { ports: status.collect(), shapes: shapes.collect(), error: None });
            }
            SwitchRequest::Attach { .. } => return Err("an attachment comes first".to_owned()),
        }
        Ok(SwitchAnswer::default())
    }
}

fn timespec(microseconds: u64) -> Timespec {
    let seconds = i64::try_from(microseconds / 1_000_000).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: i64::try_from(microseconds % 1_000_000).unwrap_or(0) * 1_000 }
}
