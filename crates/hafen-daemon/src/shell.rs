//! The loop: inputs in, outputs out, sleep until the node's next deadline.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::time::Duration;

use hafen_bus::{Bus, BusError};
use hafen_cib::acl::User;
use hafen_executor::wire::{self, FenceOperation};
use hafen_node::api::{Input, Output};
use hafen_node::{Identity, Node, Settings};
use hafen_protocol::client::{Event, Numbered, Reply, Request};
use hafen_protocol::message::{Execute, FenceStart};
use hafen_protocol::{Delivery, HostId, Machine, MemberId};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::alerts::Alerts;
use crate::bus::{self, Engine};
use crate::clients::{self, ClientEvent};
use crate::clock;
use crate::config::DaemonConfig;
use crate::error::DaemonError;
use crate::executor::{self, Link, LinkEvent, to_operation};
use crate::fencing::{Fencing, Next};
use crate::log::EventLog;
use crate::memory::{Memory, next_incarnation};
use crate::storage::{self, Storage};

mod agents;
mod fencing;
mod load;
mod orders;

use orders::{executor_command, identity_and_settings};

/// Outputs that are carried out before the next input gets its turn.
const OUTPUTS_PER_TURN: usize = 512;
/// How long an output waits when its receiver has no room.
const BLOCKED_PAUSE: Duration = Duration::from_millis(2);
/// How often the executor hears that this daemon lives.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// How long the executor may take to hear that its watchdog is not needed any more.
const RELEASE_PAUSE: Duration = Duration::from_millis(200);
/// When an operation that the executor did not accept is offered again.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Runs a host's daemon until it has left the cluster. Blocks.
pub fn run(config: DaemonConfig) -> Result<(), DaemonError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::system("start", "the event loop"))?;
    runtime.block_on(serve(bus::complete(config)?))
}

async fn serve(config: DaemonConfig) -> Result<(), DaemonError> {
    for folder in [&config.run_dir, &config.store_dir] {
        fs::create_dir_all(folder).map_err(DaemonError::system("create", folder))?;
    }
    let _lock = lock(&config)?;
    let engine = Engine::prepare(&config).await?;
    let mut shell = Shell::start(&config, engine)?;
    let mut signals = signal(SignalKind::terminate()).map_err(DaemonError::system("await", "signals"))?;
    loop {
        let pause = shell.drain();
        if let Some(reason) = &shell.exit {
            eprintln!("{}: the daemon ends: {reason}", config.host);
            shell.release_watchdog().await;
            return Ok(());
        }
        let until = pause.map(|pause| Instant::now() + pause).unwrap_or_else(|| shell.next_deadline());
        tokio::select! {
        delivery = receive(&mut shell.bus) => match delivery {
                        Some(delivery) => shell.feed(Input::Bus(delivery)),
                        None => return Ok(()),
                    },
                    Some(event) = shell.link.events.recv() => shell.executor_event(event),
                    Some(ended) = shell.storage.ended.recv() => shell.storage_ended(ended),
                    Some(event) = shell.clients.recv() => shell.client_event(event),
                    _ = signals.recv() => shell.leave(),
                    () = tokio::time::sleep_until(until) => shell.timeout(),
                }
    }
}

/// The next delivery; none ever while the bus is not open.
async fn receive(bus: &mut Option<Bus>) -> Option<Delivery> {
    match bus {
        Some(bus) => bus.receiver.receive().await,
        None => std::future::pending().await,
    }
}

/// Held as long as the daemon runs; the kernel lets it go however the daemon ends.
fn lock(config: &DaemonConfig) -> Result<File, DaemonError> {
    let path = config.run_dir.join("daemon.lock");
    let file = File::create(&path).map_err(DaemonError::system("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(DaemonError::Running(path)),
        Err(fs::TryLockError::Error(error)) => Err(DaemonError::system("lock", &path)(error)),
    }
}

/// Who waits for an answer.
struct Asker {
    connection: u64,
    number: u64,
    answers: mpsc::Sender<Numbered<Reply>>,
}

struct Shell {
    node: Node,
    host: String,
    /// Opened when the executor has said what it holds: a member that cannot greet holds up all others.
    bus: Option<Bus>,
    /// Until then: how to open it, and as whom.
    engine: Option<(Engine, MemberId)>,
    storage: Storage,
    alerts: Alerts,
    storage_failures: u64,
    link: Link,
    /// The connection to the executor; none while there is none.
    connection: Option<u64>,
    feed_watchdog: bool,
    /// Nothing until the node has said whether a watchdog is wanted.
    watchdog_timeout_ms: Option<u64>,
    report_due: Instant,
    /// When to look how busy the host is.
    load_due: Instant,
    /// Orders at the executor by transition key, in case it does not accept them.
    ordered: BTreeMap<String, Execute>,
    /// Orders that were not accepted, and when to offer them again.
    refused: Vec<(Instant, Execute)>,
    /// Results that the executor still keeps.
    unacknowledged: Vec<u64>,
    agents: agents::Agents,
    fences: fencing::Fences,
    clients: mpsc::Receiver<ClientEvent>,
    askers: BTreeMap<u64, Asker>,
    last_request: u64,
    log: EventLog,
    memory: Memory,
    /// An output whose receiver had no room.
    blocked: Option<Output>,
    exit: Option<String>,
}

impl Shell {
    fn start(config: &DaemonConfig, engine: Engine) -> Result<Self, DaemonError> {
        let (identity, settings) = identity_and_settings(config)?;
        let member = MemberId { host: identity.host, incarnation: identity.incarnation };
        let memory = Memory::new(&config.run_dir, &identity.boot_id);
        let files = storage::load(&config.state_dir())?;
        let remembered = memory.load();
        let node = Node::new(identity, settings, &files, remembered.as_deref(), clock::now());
        let node = node.map_err(|detail| DaemonError::State { path: config.store_dir.clone(), detail })?;
        let log = EventLog::open(&config.store_dir)
            .map_err(DaemonError::system("open the log in", &config.store_dir))?;
        let (events, latest) = log.reader();
        let socket = config.socket();
        let clients = clients::start(&socket, &config.store_dir, events, latest)
            .map_err(DaemonError::system("listen at", &socket))?;
        let storage = storage::start(config.state_dir());
        Ok(Self {
            node,
            host: config.host.clone(),
            bus: None,
            engine: Some((engine, member)),
            storage: storage.map_err(DaemonError::system("start", "the storage thread"))?,
            alerts: Alerts::new(&config.host),
            storage_failures: 0,
            link: executor::start(config.executor_socket(), executor_command(config)?),
            connection: None,
            feed_watchdog: false,
            watchdog_timeout_ms: None,
            report_due: Instant::now(),
            load_due: Instant::now(),
            ordered: BTreeMap::new(),
            refused: Vec::new(),
            unacknowledged: Vec::new(),
            agents: agents::Agents::default(),
            fences: fencing::Fences::new(),
            clients,
            askers: BTreeMap::new(),
            last_request: 0,
            log,
            memory,
            blocked: None,
            exit: None,
        })
    }

    fn feed(&mut self, input: Input) {
        self.node.handle(clock::now(), input);
    }

    /// When something is to be done without an input.
    fn next_deadline(&self) -> Instant {
        let mut next = self.report_due;
        if let Some(at_ms) = self.node.poll_timeout() {
            let left = at_ms.saturating_sub(clock::now().monotonic_ms);
            next = next.min(Instant::now() + Duration::from_millis(left));
        }
        next = next.min(self.fences.deadline()).min(self.load_due);
        self.refused.iter().fold(next, |next, (due, _)| next.min(*due))
    }

    fn timeout(&mut self) {
        let (now, instant) = (clock::now(), Instant::now());
        if self.node.poll_timeout().is_some_and(|at_ms| at_ms <= now.monotonic_ms) {
            self.node.handle_timeout(now);
        }
        if instant >= self.report_due {
            self.report_due = instant + REPORT_INTERVAL;
            self.report();
        }
        if instant >= self.load_due {
            self.load_due = instant + load::LOOK_INTERVAL;
            if let Some(load) = load::look() {
                self.feed(load);
            }
        }
        self.fences_timeout();
        let (due, later) =
            std::mem::take(&mut self.refused).into_iter().partition(|(due, _)| *due <= instant);
        self.refused = later;
        let due: Vec<(Instant, Execute)> = due;
        for (_, order) in due {
            self.execute(order);
        }
    }

    /// Carries out what the node wants. How long to wait before going on, when there is more than can be done now.
    fn drain(&mut self) -> Option<Duration> {
        for _ in 0..OUTPUTS_PER_TURN {
            let output = self.blocked.take().or_else(|| self.node.poll_output())?;
            if let Some(output) = self.carry_out(output) {
                self.blocked = Some(output);
                return Some(BLOCKED_PAUSE);
            }
        }
        Some(Duration::ZERO)
    }

    /// Carries out one output, or gives it back when its receiver has no room.
    fn carry_out(&mut self, output: Output) -> Option<Output> {
        match output {
            Output::Bus(transmission) => {
                let sent = self.bus.as_mut().map(|bus| bus.sender.try_send(transmission));
                // After the end of the bus the receiver says so too.
                if let Some(Err(BusError::Full(transmission))) = sent {
                    return Some(Output::Bus(transmission));
                }
            }
            Output::Storage { token, effect } => match self.storage.orders.try_reserve() {
                Ok(place) => {
                    place.send(storage::Order { token, effect, failures_known: self.storage_failures });
                }
                Err(_) => return Some(Output::Storage { token, effect }),
            },
            Output::Run(order) => {
                if self.executor_has_room() {
                    self.execute(*order);
                } else {
                    return Some(Output::Run(order));
                }
            }
            Output::Cancel { resource, task, interval_ms } => {
                self.ordered.retain(|_, order| {
                    (&order.resource, &order.task, order.interval_ms) != (&resource, &task, interval_ms)
                });
                if !self.ask_executor(wire::Request::CancelRecurring {
                    resource: resource.clone(),
                    task: task.clone(),
                    interval_ms,
                }) {
                    return Some(Output::Cancel { resource, task, interval_ms });
                }
            }
            Output::AcknowledgeResults { through } => self.acknowledge(through),
            Output::Fence(start) => self.fence(*start),
            other => self.tell(other),
        }
        None
    }

    /// Outputs that always have room.
    fn tell(&mut self, output: Output) {
        match output {
            Output::Remember(bytes) => {
                if let Err(error) = self.memory.save(&bytes) {
                    eprintln!("{}: the node's memory cannot be kept: {error}", self.host);
                }
            }
            Output::Reply { request, reply } => self.reply(request, *reply),
            Output::Alert(call) => self.alerts.tell(*call),
            Output::Event(event) => self.log.add(event),
            Output::SaveInput { number, xml, now } => self.log.save_input(number, xml, now),
            Output::Watchdog { feed, timeout_ms } => {
                self.feed_watchdog = feed;
                self.watchdog_timeout_ms = Some(timeout_ms);
                self.report();
            }
            Output::Exit { reason } => self.exit = Some(reason),
            // Carried out above.
            _ => {}
        }
    }

    fn reply(&mut self, request: u64, body: Reply) {
        // A client that has gone, or does not read its answers, misses this one.
        if let Some(asker) = self.askers.remove(&request) {
            let _ = asker.answers.try_send(Numbered { number: asker.number, body });
        }
    }

    fn event(&mut self, kind: &str, subject: &str, text: String, cause: &str) {
        let event = Event {
            number: 0,
            wall_ms: clock::now().wall_ms,
            host: self.host.clone(),
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            text,
            cause: cause.to_owned(),
        };
        self.log.add(event);
    }

    fn client_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Asked { connection, number, user, body, answers } => {
                self.last_request += 1;
                self.askers.insert(self.last_request, Asker { connection, number, answers });
                self.asked(self.last_request, user, body);
            }
            ClientEvent::MayAsk { user, body, answer } => {
                // Who does not wait any more needs no answer.
                let _ = answer.send(self.node.permits(&user, &body));
            }
            ClientEvent::Gone { connection } => {
                let gone: Vec<u64> = self
                    .askers
                    .iter()
                    .filter(|(_, asker)| asker.connection == connection)
                    .map(|(request, _)| *request)
                    .collect();
                for request in gone {
                    self.askers.remove(&request);
                    self.feed(Input::ClientGone { request });
                }
            }
        }
    }

    fn asked(&mut self, request: u64, user: Option<User>, body: Request) {
        match (body, user) {
            (Request::FenceDrill { host, real }, user) => {
                let body = Request::FenceDrill { host: host.clone(), real };
                match user.map_or(Ok(()), |user| self.node.permits(&user, &body)) {
                    Ok(()) => self.drill(request, host, real),
                    Err(failure) => self.reply(request, Reply::Failed(failure)),
                }
            }
            (body, Some(user)) => self.feed(Input::ClientAs { request, user, body }),
            (body, None) => self.feed(Input::Client { request, body }),
        }
    }

    /// `SIGTERM`: the host's resources are moved away, then the daemon ends.
    fn leave(&mut self) {
        self.last_request += 1;
        self.feed(Input::Client { request: self.last_request, body: Request::Shutdown });
    }

    fn storage_ended(&mut self, ended: storage::Ended) {
        let failed =
            matches!(&ended.result, Err(error) if *error != hafen_node::api::StorageError::Cancelled);
        self.feed(Input::Storage { token: ended.token, result: ended.result });
        if failed {
            // Effects that come out from here on were given in knowledge of the failure.
            self.storage_failures += 1;
        }
    }
}
