//! The switch's process.
//!
//! A host's life hangs on the thread that started it, so the main thread starts hosts and nothing else. Requests are
//! served by a thread for each connection: those about different hosts do not wait for each other.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hafen_sys::{CommandHooks, Signal};

use super::host::RunningHost;
use super::journal::Journal;
use super::watchdog::Watchdogs;
use super::wire::{Answer, HostPower, LINE_BYTES_LIMIT, Request};
use crate::{LabError, LabSpec, Layout};

/// Connections that are served at once; more are refused.
const CONNECTIONS_MAXIMUM: usize = 64;
/// How often the network's process is looked at.
const NETWORK_LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// No request may take longer than this.
const DELAY_MAXIMUM: Duration = Duration::from_secs(600);

/// What the switch holds of a host.
struct Socket {
    host: Option<RunningHost>,
    boots: u64,
}

/// How the switch treats changes of a host's power.
#[derive(Clone, Copy)]
struct Manner {
    delay: Duration,
    fail: bool,
}

struct Switch {
    sockets: BTreeMap<String, Mutex<Socket>>,
    manners: Mutex<BTreeMap<String, Manner>>,
    boots: SyncSender<Boot>,
    connections: AtomicUsize,
    watchdogs: Watchdogs,
    journal: Journal,
}

/// An order to the main thread.
struct Boot {
    name: String,
    answer: SyncSender<Result<RunningHost, LabError>>,
}

/// Serves until the process is killed; with `lease` until standard input ends. Must run in a mount namespace of its own.
/// Begins when standard input says so: then the lab's record knows this process.
pub fn run(layout: &Layout, lease: bool) -> Result<(), LabError> {
    let mut word = String::new();
    let read = std::io::stdin().read_line(&mut word).map_err(LabError::system("read", "standard input"))?;
    if read == 0 {
        return Err(LabError::State(
            "whoever started this power switch is gone: start a lab with `hafen lab up`".into(),
        ));
    }
    let spec = LabSpec::load(layout)?;
    rustix::mount::mount_change(
        "/",
        rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC,
    )
    .map_err(LabError::errno("make private", "/"))?;
    for host in spec.all_hosts() {
        mount_disk(layout, &host.name, spec.disk_mib)?;
    }
    let path = layout.power_socket();
    let listener = UnixListener::bind(&path).map_err(LabError::system("listen at", &path))?;
    let (boots, orders) = sync_channel(spec.all_hosts().count());
    let switch = Arc::new(Switch::new(&spec, boots, Journal::open(layout)?));
    let watching = Arc::clone(&switch);
    std::thread::spawn(move || bite(&watching));
    std::thread::spawn(move || accept(&listener, &switch));
    if lease {
        std::thread::spawn(end_with_lease);
    }
    serve_boots(layout, network_process(&spec), &orders)
}

/// The process that joins the hosts, as a subcommand of `hafen lab`.
fn network_process(spec: &LabSpec) -> &'static str {
    if spec.net.is_some() { "switch" } else { "hub" }
}

/// The main thread's work: starts hosts, and keeps the network running. What it starts ends with it.
fn serve_boots(layout: &Layout, network: &str, orders: &Receiver<Boot>) -> Result<(), LabError> {
    let mut running = start_network(layout, network)?;
    loop {
        let order = match orders.recv_timeout(NETWORK_LOOK_INTERVAL) {
            Ok(order) => order,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                if let Ok(Some(status)) = running.try_wait() {
                    eprintln!("the {network} ended ({status}): it starts again");
                    running = start_network(layout, network)?;
                }
                continue;
            }
        };
        let started = RunningHost::boot(layout, &order.name);
        // Nobody waits for the answer when its connection's thread died: then the host ends at once, below.
        if let Err(unwanted) = order.answer.send(started)
            && let Ok(mut host) = unwanted.0
            && let Err(detail) = host.end()
        {
            eprintln!("{}: {detail}", order.name);
        }
    }
}

fn start_network(layout: &Layout, network: &str) -> Result<Child, LabError> {
    let path = layout.log(network);
    let log = OpenOptions::new().create(true).append(true).open(&path);
    let log = log.map_err(LabError::system("open", &path))?;
    let second = log.try_clone().map_err(LabError::system("open", &path))?;
    let mut command = Command::new(layout.executable());
    command.args(["lab", network, "--lab"]).arg(layout.root());
    command.stdin(Stdio::null()).stdout(log).stderr(second).new_session().die_with_parent(Signal::KILL);
    command.spawn().map_err(LabError::system("start the network with", layout.executable()))
}

/// Whoever started the lab holds the other end of standard input, and is gone.
fn end_with_lease() {
    let mut rest = Vec::new();
    let _ = std::io::stdin().take(1 << 20).read_to_end(&mut rest);
    eprintln!("whoever started this lab is gone: it ends");
    std::process::exit(0);
}

fn accept(listener: &UnixListener, switch: &Arc<Switch>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        if switch.connections.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS_MAXIMUM {
            switch.connections.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let switch = Arc::clone(switch);
        std::thread::spawn(move || {
            if let Err(error) = converse(&switch, stream) {
                eprintln!("a connection ended: {error}");
            }
            switch.connections.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn converse(switch: &Switch, stream: UnixStream) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        if (&mut reader).take(LINE_BYTES_LIMIT).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let answer = match serde_json::from_slice(&line) {
            Ok(request) => switch.answer(&request),
            Err(error) => Answer::error(format!("this is no request: {error}")),
        };
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        writer.write_all(&line)?;
    }
}

/// Cuts the power of hosts whose watchdog has expired, and switches them on again.
fn bite(switch: &Arc<Switch>) {
    loop {
        let name = switch.watchdogs.next_expired();
        switch.journal.tell(&name, "watchdog-expired");
        let switch = Arc::clone(switch);
        std::thread::spawn(move || {
            let Some(socket) = switch.sockets.get(&name) else { return };
            let mut socket = locked(socket);
            let outcome = switch.off(&name, &mut socket).and_then(|()| switch.on(&name, &mut socket));
            if let Err(detail) = outcome {
                eprintln!("{name}, after its watchdog expired: {detail}");
            }
        });
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Switch {
    fn new(spec: &LabSpec, boots: SyncSender<Boot>, journal: Journal) -> Self {
        let manner = Manner { delay: Duration::from_millis(spec.power_delay_ms), fail: false };
        let names = || spec.all_hosts().map(|host| host.name.clone());
        Self {
            sockets: names().map(|name| (name, Mutex::new(Socket { host: None, boots: 0 }))).collect(),
            manners: Mutex::new(names().map(|name| (name, manner)).collect()),
            boots,
            connections: AtomicUsize::new(0),
            watchdogs: Watchdogs::default(),
            journal,
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        match request.request.as_str() {
            "list" => self.list(),
            "set" => self.set(request),
            "status" | "on" | "off" | "reboot" | "watchdog-arm" | "watchdog-feed" | "watchdog-disarm" => {
                let name = request.host.as_deref().unwrap_or_default();
                let Some(socket) = self.sockets.get(name) else {
                    return Answer::error(format!("nothing is plugged in as '{name}'"));
                };
                match request.request.as_str() {
                    "status" => Answer::result(if locked(socket).is_on() { "on" } else { "off" }),
                    "on" | "off" | "reboot" => self.change(request, name, socket),
                    _ => Answer::of(self.watchdog(request, name, socket)),
                }
            }
            other => {
                Answer::error(format!("'{other}' is none of status, on, off, reboot, list, set, watchdog-*"))
            }
        }
    }

    fn watchdog(&self, request: &Request, name: &str, socket: &Mutex<Socket>) -> Result<(), String> {
        match request.request.as_str() {
            "watchdog-feed" => self.watchdogs.feed(name),
            "watchdog-arm" => {
                // Held until it is armed, so that no watchdog of a host that is off is.
                let mut socket = locked(socket);
                if !socket.is_on() {
                    return Err(format!("{name} is off"));
                }
                self.watchdogs.arm(name, request.timeout_ms.unwrap_or_default())?;
                self.journal.tell(name, "watchdog-armed");
                Ok(())
            }
            _ => {
                if self.watchdogs.disarm(name) {
                    self.journal.tell(name, "watchdog-disarmed");
                }
                Ok(())
            }
        }
    }

    fn list(&self) -> Answer {
        let power = self.sockets.iter().map(|(name, socket)| {
            let mut socket = locked(socket);
            let init = socket.host.as_ref().filter(|host| host.is_running()).map(RunningHost::init);
            HostPower {
                host: name.clone(),
                on: socket.is_on(),
                init,
                boots: socket.boots,
                watchdog_ms: self.watchdogs.timeout_ms(name),
            }
        });
        let power = power.collect();
        Answer { hosts: self.sockets.keys().cloned().collect(), power, ..Answer::result("ok") }
    }

    fn set(&self, request: &Request) -> Answer {
        let mut manners = locked(&self.manners);
        if let Some(name) = &request.host
            && !manners.contains_key(name)
        {
            return Answer::error(format!("nothing is plugged in as '{name}'"));
        }
        for (name, manner) in manners.iter_mut() {
            if request.host.as_ref().is_none_or(|wanted| wanted == name) {
                manner.delay =
                    request.delay_ms.map_or(manner.delay, Duration::from_millis).min(DELAY_MAXIMUM);
                manner.fail = request.fail.unwrap_or(manner.fail);
            }
        }
        Answer::result("ok")
    }

    fn change(&self, request: &Request, name: &str, socket: &Mutex<Socket>) -> Answer {
        let manner = locked(&self.manners).get(name).copied();
        let manner = manner.unwrap_or(Manner { delay: Duration::ZERO, fail: false });
        self.journal.tell(name, &format!("{}-asked", request.request));
        std::thread::sleep(request.delay_ms.map_or(manner.delay, Duration::from_millis).min(DELAY_MAXIMUM));
        if manner.fail {
            self.journal.tell(name, "failed");
            return Answer::error(format!("the socket of {name} does not react"));
        }
        let mut socket = locked(socket);
        let mut outcome = Ok(());
        if request.request != "on" {
            outcome = self.off(name, &mut socket);
        }
        if request.request != "off" && outcome.is_ok() {
            outcome = self.on(name, &mut socket);
        }
        Answer::of(outcome)
    }

    fn off(&self, name: &str, socket: &mut Socket) -> Result<(), String> {
        let was_there = socket.host.is_some();
        self.watchdogs.disarm(name);
        socket.off()?;
        if was_there {
            self.journal.tell(name, "off");
        }
        Ok(())
    }

    fn on(&self, name: &str, socket: &mut Socket) -> Result<(), String> {
        if socket.host.as_ref().is_some_and(RunningHost::is_running) {
            return Ok(());
        }
        // What a dead init left must be gone before the same host begins anew.
        self.off(name, socket)?;
        let (answer, answers) = sync_channel(1);
        self.boots.send(Boot { name: name.to_owned(), answer }).map_err(|_| "the switch ends".to_owned())?;
        let host = answers.recv().map_err(|_| "the switch ends".to_owned())?;
        socket.host = Some(host.map_err(|error| error.to_string())?);
        socket.boots += 1;
        self.journal.tell(name, "on");
        Ok(())
    }
}

impl Socket {
    /// A host whose init ended counts as on until it is proved that nothing is left of it.
    fn is_on(&mut self) -> bool {
        match &self.host {
            None => false,
            Some(host) => host.is_running() || self.off().is_err(),
        }
    }

    fn off(&mut self) -> Result<(), String> {
        if let Some(host) = &mut self.host {
            host.end()?;
        }
        self.host = None;
        Ok(())
    }
}

/// Mounts a host's disk: an image of limited size by a loop device, or else a tmpfs of that size. Both outlive the host.
fn mount_disk(layout: &Layout, name: &str, size_mib: u32) -> Result<(), LabError> {
    let (image, folder) = (layout.disk_image(name), layout.disk(name));
    let mut attempts = Vec::new();
    let loop_mount = || -> Result<(), String> {
        let file = std::fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(u64::from(size_mib) << 20).map_err(|error| error.to_string())?;
        run_program(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))?;
        run_program(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&folder))
    };
    match loop_mount() {
        Ok(()) => return Ok(()),
        Err(error) => attempts.push(error),
    }
    let size = format!("size={size_mib}m");
    match run_program(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&folder)) {
        Ok(()) => Ok(()),
        Err(error) => {
            attempts.push(error);
            Err(LabError::State(format!("no disk for {name}: {}", attempts.join("; "))))
        }
    }
}

fn run_program(command: &mut Command) -> Result<(), String> {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let output = command.env("PATH", path).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
