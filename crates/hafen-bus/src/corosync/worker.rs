//! The thread that owns the connections to Corosync.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hafen_protocol::{Delivery, HostId, MemberId, Now};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::CorosyncError;
use super::group::{Group, Input, Output};
use super::handles::{Event, Handles, Sent, corosync_process, ending};
use super::nodelist::NodeList;
use super::pulse::Pulse;

/// The first wait before Corosync is tried again; it doubles up to `BACKOFF_MAXIMUM`.
const BACKOFF_MINIMUM: Duration = Duration::from_millis(50);
/// The longest wait before Corosync is tried again.
const BACKOFF_MAXIMUM: Duration = Duration::from_secs(2);
/// How long a daemon stays out of a group that speaks an older protocol.
const WITHDRAWN_PAUSE: Duration = Duration::from_secs(10);
/// When a call is repeated for which Corosync had no room.
const LATER: Duration = Duration::from_millis(2);
/// How often Corosync is asked something that it must answer.
const PING_INTERVAL: Duration = Duration::from_secs(1);
/// The thread wakes up at least this often, to show that it lives.
const PULSE_INTERVAL: Duration = Duration::from_millis(250);
/// A changed node list is read when it has been quiet for this long: a reload changes it key by key.
const NODE_LIST_QUIET: Duration = Duration::from_millis(300);
/// How long data that waits for a view may hold up a leaving.
const LEAVE_PATIENCE: Duration = Duration::from_secs(3);
/// How long a Corosync whose connection has ended may take to end itself …
const END_PATIENCE: Duration = Duration::from_secs(2);
/// … and how often that is looked at.
const END_INTERVAL: Duration = Duration::from_millis(20);

/// Transmissions are taken while fewer bytes than this wait for Corosync or for the next view.
const QUEUE_BYTES_MAXIMUM: usize = 1 << 20;
/// The group's events are taken while fewer bytes than this wait for the daemon.
const OUTBOX_BYTES_MAXIMUM: usize = 64 << 20;
/// Reports between this thread and the engine's task.
const REPORTS_MAXIMUM: usize = 32;
/// Commands between the engine's task and this thread.
const COMMANDS_MAXIMUM: usize = 16;

/// What the engine's task wants.
#[derive(Debug)]
pub(super) enum Command {
    Multicast(Vec<u8>),
    ProceedWithout(BTreeSet<HostId>),
    Leave,
}

/// What the thread tells. After leaving it tells nothing more.
#[derive(Debug)]
pub(super) enum Report {
    Delivery(Delivery),
    Hosts(NodeList),
    /// The thread moves again: what follows is new.
    Reset,
}

/// The thread's other end. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) reports: mpsc::Receiver<Report>,
    pub(super) pulse: Arc<Pulse>,
}

/// Starts the thread.
pub(super) fn start(group: String, member: MemberId) -> io::Result<Worker> {
    let (commands, orders) = mpsc::channel(COMMANDS_MAXIMUM);
    let (teller, reports) = mpsc::channel(REPORTS_MAXIMUM);
    let pulse = Arc::new(Pulse::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = Thread {
        name: group,
        member,
        group: Group::new(member, std::process::id()),
        commands: orders,
        reports: teller,
        pulse: Arc::clone(&pulse),
        started: Instant::now(),
        packets: VecDeque::new(),
        packets_bytes: 0,
        outbox: VecDeque::new(),
        outbox_bytes: 0,
        hosts: None,
        leaving: None,
        withdrawn: false,
        corosync: None,
    };
    thread::Builder::new().name("corosync".to_owned()).spawn(move || runtime.block_on(thread.run()))?;
    Ok(Worker { commands, reports, pulse })
}

struct Thread {
    name: String,
    member: MemberId,
    group: Group,
    commands: mpsc::Receiver<Command>,
    reports: mpsc::Sender<Report>,
    pulse: Arc<Pulse>,
    started: Instant,
    /// Packets that wait for Corosync.
    packets: VecDeque<Vec<u8>>,
    packets_bytes: usize,
    /// Reports that wait for the engine's task.
    outbox: VecDeque<Report>,
    outbox_bytes: usize,
    /// The node list that was reported last.
    hosts: Option<NodeList>,
    /// The daemon leaves, since then.
    leaving: Option<Instant>,
    withdrawn: bool,
    /// The process that the last connection was to.
    corosync: Option<u32>,
}

/// Why a connection to Corosync is over.
enum End {
    /// The member has left, or the engine is gone.
    Over,
    Lost(CorosyncError),
    /// Another member speaks an older protocol.
    Withdrawn,
}

/// What is due on a connection besides its events.
struct Duties {
    joined: bool,
    ping: Instant,
    node_list: Option<Instant>,
    /// A call is to be repeated.
    later: bool,
    /// More events wait than were taken.
    more: bool,
}

impl Thread {
    async fn run(mut self) {
        let mut backoff = BACKOFF_MINIMUM;
        let mut reported: Option<CorosyncError> = None;
        loop {
            let end = self.connection().await;
            self.heed_reset();
            self.packets.clear();
            self.packets_bytes = 0;
            let pause = match end {
                End::Over => {
                    // Whoever waits for the last reports gets them.
                    while let Some(report) = self.outbox.pop_front() {
                        if self.reports.send(report).await.is_err() {
                            break;
                        }
                    }
                    return;
                }
                End::Withdrawn => {
                    self.group.disconnected("");
                    WITHDRAWN_PAUSE
                }
                End::Lost(error) => {
                    let error = if error == CorosyncError::Gone { self.cause().await } else { error };
                    if self.group.has_view() {
                        (backoff, reported) = (BACKOFF_MINIMUM, None);
                    }
                    self.group.disconnected(&error.to_string());
                    let told = self.drain_group();
                    if !told && reported.as_ref() != Some(&error) {
                        self.report(Report::Delivery(Delivery::Lost { reason: error.to_string() }));
                    }
                    reported = Some(error);
                    backoff
                }
            };
            if self.leaving.is_some() || !self.rest(pause).await {
                return;
            }
            backoff = BACKOFF_MAXIMUM.min(backoff * 2);
        }
    }

    /// Why a connection that worked has ended.
    async fn cause(&self) -> CorosyncError {
        let begin = Instant::now();
        loop {
            if let Some(cause) = ending(self.corosync) {
                return cause;
            }
            if begin.elapsed() >= END_PATIENCE {
                return CorosyncError::Gone;
            }
            self.pulse.beat();
            sleep(END_INTERVAL).await;
        }
    }

    /// Waits, and drops what is sent meanwhile: no view is known. False when the engine is gone or leaves.
    async fn rest(&mut self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        loop {
            self.pulse.beat();
            let wake = end.min(Instant::now() + PULSE_INTERVAL);
            tokio::select! {
                () = sleep_until(wake) => {
                    if Instant::now() >= end {
                        return true;
                    }
                }
                command = self.commands.recv() => match command {
                    None | Some(Command::Leave) => return false,
                    Some(_) => {}
                },
                permit = self.reports.reserve(), if !self.outbox.is_empty() => if permit.is_err() {
                    return false;
                },
            }
            self.pour();
        }
    }

    /// One connection to Corosync, from its beginning to its end.
    async fn connection(&mut self) -> End {
        let mut handles = match Handles::open(&self.name, self.member.host) {
            Ok(handles) => handles,
            Err(error) => return End::Lost(error),
        };
        self.corosync = corosync_process();
        let synchronising = u64::try_from(handles.synchronising().as_millis()).unwrap_or(u64::MAX);
        self.pulse.set_synchronising(synchronising);
        match handles.node_list() {
            Ok(list) => self.report_hosts(list),
            Err(error) => return End::Lost(error),
        }
        let now = Instant::now();
        let mut duties = Duties { joined: false, ping: now, node_list: None, later: false, more: false };
        loop {
            match self.turn(&mut handles, &mut duties) {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(error) => return End::Lost(error),
            }
            if let Err(end) = self.wait(&handles, &mut duties).await {
                return end;
            }
        }
    }

    /// Does everything that can be done without waiting.
    fn turn(&mut self, handles: &mut Handles, duties: &mut Duties) -> Result<Option<End>, CorosyncError> {
        self.pulse.beat();
        self.heed_reset();
        let (events, more) = handles.dispatch(self.outbox_bytes < OUTBOX_BYTES_MAXIMUM)?;
        duties.more = more;
        for event in events {
            self.event(event, duties);
        }
        let now = self.now();
        if self.group.poll_timeout().is_some_and(|due| due <= now.monotonic_ms) {
            self.group.handle_timeout(now);
        }
        self.drain_group();
        if self.withdrawn {
            self.withdrawn = false;
            handles.leave()?;
            return Ok(Some(End::Withdrawn));
        }
        let instant = Instant::now();
        if duties.node_list.is_some_and(|due| due <= instant) {
            duties.node_list = None;
            match handles.node_list() {
                Ok(list) => self.report_hosts(list),
                Err(error) => tracing::warn!("the changed node list cannot be read: {error}"),
            }
        }
        if duties.ping <= instant {
            handles.ping()?;
            duties.ping = instant + PING_INTERVAL;
        }
        duties.later = !self.send(handles, duties)?;
        self.leave(handles, duties)
    }

    /// Joins, and hands packets to Corosync; false when it has no room.
    fn send(&mut self, handles: &Handles, duties: &mut Duties) -> Result<bool, CorosyncError> {
        if !duties.joined {
            match handles.join()? {
                Sent::Done => duties.joined = true,
                Sent::Later => return Ok(false),
            }
        }
        while let Some(packet) = self.packets.front() {
            match handles.cast(packet)? {
                Sent::Done => self.packets_bytes -= packet.len(),
                Sent::Later => return Ok(false),
            }
            self.packets.pop_front();
        }
        Ok(true)
    }

    /// Leaves the group, if that is wanted, after everything that was sent before.
    fn leave(&mut self, handles: &Handles, duties: &mut Duties) -> Result<Option<End>, CorosyncError> {
        let Some(since) = self.leaving else { return Ok(None) };
        let waits = !self.packets.is_empty() || self.group.holds_data();
        if waits && since.elapsed() < LEAVE_PATIENCE {
            return Ok(None);
        }
        match handles.leave()? {
            Sent::Done => Ok(Some(End::Over)),
            Sent::Later if since.elapsed() < LEAVE_PATIENCE => {
                duties.later = true;
                Ok(None)
            }
            Sent::Later => Ok(Some(End::Over)),
        }
    }

    /// Waits for whatever comes next.
    async fn wait(&mut self, handles: &Handles, duties: &mut Duties) -> Result<(), End> {
        let now = Instant::now();
        let mut wake = now + PULSE_INTERVAL;
        if duties.more && self.outbox_bytes < OUTBOX_BYTES_MAXIMUM {
            wake = now;
        } else if duties.later {
            wake = now + LATER;
        }
        wake = duties.node_list.map_or(wake, |due| wake.min(due)).min(duties.ping);
        if let Some(due_ms) = self.group.poll_timeout() {
            wake = wake.min(self.started + Duration::from_millis(due_ms));
        }
        let room =
            self.packets_bytes + self.group.held_bytes() < QUEUE_BYTES_MAXIMUM && self.leaving.is_none();
        let mut command = None;
        tokio::select! {
            () = handles.wait() => {}
            () = sleep_until(wake) => {}
            order = self.commands.recv(), if room => match order {
                Some(order) => command = Some(order),
                None => return Err(End::Over),
            },
            permit = self.reports.reserve(), if !self.outbox.is_empty() => if permit.is_err() {
                return Err(End::Over);
            },
            () = self.reports.closed() => return Err(End::Over),
        }
        if let Some(command) = command {
            self.command(handles, command);
        }
        self.pour();
        Ok(())
    }

    /// Hands over further reports while there is room.
    fn pour(&mut self) {
        while let Some(report) = self.outbox.pop_front() {
            let bytes = size(&report);
            match self.reports.try_send(report) {
                Ok(()) => self.outbox_bytes -= bytes,
                Err(mpsc::error::TrySendError::Full(report) | mpsc::error::TrySendError::Closed(report)) => {
                    self.outbox.push_front(report);
                    return;
                }
            }
        }
    }

    fn command(&mut self, handles: &Handles, command: Command) {
        match command {
            Command::Multicast(message) => {
                let now = self.now();
                self.group.handle(now, Input::Send(message));
            }
            Command::ProceedWithout(hosts) => {
                if let Err(error) = handles.proceed_without(&hosts) {
                    tracing::error!("the wait for absent hosts cannot be ended: {error}");
                }
            }
            Command::Leave => self.leaving = Some(Instant::now()),
        }
    }

    fn event(&mut self, event: Event, duties: &mut Duties) {
        let input = match event {
            Event::Processes { processes, ring_follows } => Input::Processes { processes, ring_follows },
            Event::Ring { id, hosts } => Input::Ring { id, hosts },
            Event::Message { from, bytes } => Input::Packet { from, bytes },
            Event::Hosts { ring, hosts, left } => Input::Hosts { ring, hosts, left },
            Event::Quorum { ring, quorate } => Input::Quorum { ring, quorate },
            Event::NodeListChanged => {
                duties.node_list = Some(Instant::now() + NODE_LIST_QUIET);
                return;
            }
            Event::ShutdownAsked => return,
        };
        let now = self.now();
        self.group.handle(now, input);
    }

    /// Takes what the group wants; true if that told the daemon of a loss.
    fn drain_group(&mut self) -> bool {
        let mut lost = false;
        while let Some(output) = self.group.poll_output() {
            match output {
                Output::Cast(packet) => {
                    self.packets_bytes += packet.len();
                    self.packets.push_back(packet);
                }
                Output::Deliver(delivery) => {
                    lost |= matches!(delivery, Delivery::Lost { .. });
                    self.report(Report::Delivery(delivery));
                }
                Output::Withdraw => self.withdrawn = true,
            }
        }
        lost
    }

    fn report(&mut self, report: Report) {
        self.outbox_bytes += size(&report);
        self.outbox.push_back(report);
    }

    fn report_hosts(&mut self, list: NodeList) {
        if self.hosts.as_ref() != Some(&list) {
            self.hosts = Some(list.clone());
            self.report(Report::Hosts(list));
        }
    }

    /// The daemon was told that the view is lost: what was known before means nothing.
    fn heed_reset(&mut self) {
        if self.pulse.was_reset() {
            tracing::warn!("the engine begins anew");
            self.outbox.retain(|report| matches!(report, Report::Hosts(_)));
            self.outbox_bytes = 0;
            let now = self.now();
            self.group.handle(now, Input::Reset);
            self.report(Report::Reset);
        }
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let monotonic = self.started.elapsed();
        Now {
            monotonic_ms: u64::try_from(monotonic.as_millis()).unwrap_or(u64::MAX),
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// What a report counts for.
fn size(report: &Report) -> usize {
    match report {
        Report::Delivery(Delivery::Message { bytes, .. }) => bytes.len() + 64,
        Report::Delivery(_) => 64,
        Report::Hosts(_) | Report::Reset => 0,
    }
}
