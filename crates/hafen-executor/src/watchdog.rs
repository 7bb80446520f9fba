//! The watchdog: armed before anything starts, fed while the daemon allows it, and left armed by an executor that dies.
//!
//! A thread of its own speaks to the device, because a device, or the socket that stands for one, may hang. [`Plan`] decides, and
//! is pure; [`Keeper`] is the thread's handle; [`Watchdog`] is what it speaks to.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use hafen_sys::WatchdogDevice;
use serde::{Deserialize, Serialize};

/// How often it is fed within its timeout.
const FEEDS_PER_TIMEOUT: u64 = 5;
/// The shortest pause between two feeds, in milliseconds.
const FEED_PAUSE_MINIMUM_MS: u64 = 100;
/// The longest pause between two feeds, in milliseconds.
const FEED_PAUSE_MAXIMUM_MS: u64 = 1_000;
/// How long arming and disarming may take; starts wait for it.
const ARM_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a socket may take for an answer.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest answer of a socket, in bytes.
const ANSWER_BYTES_LIMIT: u64 = 64 * 1024;
/// The pause before arming is tried again after a failure, in milliseconds.
const RETRY_PAUSE_MS: u64 = 1_000;

/// Which watchdog a host has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchdogConfig {
    /// The kernel's device.
    Device(PathBuf),
    /// A socket of a power switch, with the host's name there (in labs).
    Socket(PathBuf, String),
}

/// Something that resets the host when it is not fed.
pub trait Watchdog: Send {
    /// Arms it, or sets another timeout, in milliseconds. What was armed stays armed; it need not be fed by this.
    fn arm(&mut self, timeout_ms: u64) -> io::Result<()>;
    /// Its time begins anew.
    fn feed(&mut self) -> io::Result<()>;
    /// The host may live on without being fed.
    fn disarm(&mut self) -> io::Result<()>;
}

impl WatchdogConfig {
    /// The watchdog itself; nothing is opened yet.
    pub fn watchdog(&self) -> Box<dyn Watchdog> {
        match self {
            Self::Device(path) => Box::new(Device { path: path.clone(), device: None }),
            Self::Socket(path, host) => Box::new(Socket { path: path.clone(), host: host.clone() }),
        }
    }
}

struct Device {
    path: PathBuf,
    device: Option<WatchdogDevice>,
}

impl Watchdog for Device {
    fn arm(&mut self, timeout_ms: u64) -> io::Result<()> {
        let device = match self.device.take() {
            Some(device) => device,
            None => WatchdogDevice::open(&self.path)?,
        };
        let wanted_s = u32::try_from(timeout_ms.div_ceil(1000)).unwrap_or(u32::MAX);
        let set = device.set_timeout_s(wanted_s);
        self.device = Some(device);
        match set? {
            // The other hosts wait no longer than this.
            longer_s if longer_s > wanted_s => Err(io::Error::other(format!(
                "{} cannot wait {wanted_s} s only, but {longer_s} s: raise watchdog-timeout and stonith-watchdog-timeout",
                self.path.display()
            ))),
            _ => Ok(()),
        }
    }

    fn feed(&mut self) -> io::Result<()> {
        self.device.as_mut().map_or(Err(io::ErrorKind::NotConnected.into()), WatchdogDevice::feed)
    }

    fn disarm(&mut self) -> io::Result<()> {
        self.device.take().map_or(Ok(()), WatchdogDevice::disarm)
    }
}

struct Socket {
    path: PathBuf,
    host: String,
}

#[derive(Serialize)]
struct SocketRequest<'a> {
    request: &'a str,
    host: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
struct SocketAnswer {
    result: String,
    #[serde(default)]
    detail: String,
}

impl Socket {
    fn ask(&self, request: &str, timeout_ms: Option<u64>) -> io::Result<()> {
        let mut stream = UnixStream::connect(&self.path)?;
        stream.set_read_timeout(Some(SOCKET_TIMEOUT))?;
        stream.set_write_timeout(Some(SOCKET_TIMEOUT))?;
        let mut line = serde_json::to_vec(&SocketRequest { request, host: &self.host, timeout_ms })?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut answer = String::new();
        BufReader::new(io::Read::take(stream, ANSWER_BYTES_LIMIT)).read_line(&mut answer)?;
        let answer: SocketAnswer = serde_json::from_str(&answer)?;
        if answer.result == "ok" { Ok(()) } else { Err(io::Error::other(answer.detail)) }
    }
}

impl Watchdog for Socket {
    fn arm(&mut self, timeout_ms: u64) -> io::Result<()> {
        self.ask("watchdog-arm", Some(timeout_ms))
    }

    fn feed(&mut self) -> io::Result<()> {
        self.ask("watchdog-feed", None)
    }

    fn disarm(&mut self) -> io::Result<()> {
        self.ask("watchdog-disarm", None)
    }
}

/// What the watchdog is to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Arm it with this timeout in milliseconds.
    Arm(u64),
    /// Feed it.
    Feed,
    /// Disarm it.
    Disarm,
}

/// When the watchdog is armed, fed and disarmed. Pure: it is told the time in milliseconds of a clock that only rises.
#[derive(Debug, Default)]
pub struct Plan {
    /// What the daemon wants: a timeout in milliseconds, 0 for none; nothing as long as it has not said.
    wanted_ms: Option<u64>,
    /// The timeout with which it is armed, in milliseconds.
    armed_ms: Option<u64>,
    /// Why it is not armed although it should be.
    failure: Option<String>,
    /// Before this nothing is tried again.
    not_before_ms: u64,
}

impl Plan {
    /// A plan for a watchdog that an executor before this one left armed, with its timeout in milliseconds.
    pub fn left_armed(timeout_ms: u64) -> Self {
        Self { armed_ms: Some(timeout_ms), ..Self::default() }
    }

    /// The daemon wants this timeout; 0: no watchdog. It is disarmed only where the daemon says so.
    pub fn want(&mut self, timeout_ms: u64) {
        if self.wanted_ms != Some(timeout_ms) {
            self.not_before_ms = 0;
        }
        self.wanted_ms = Some(timeout_ms);
    }

    /// The next order; `may_feed`: the daemon's last report allows it and is young enough.
    pub fn next(&mut self, now_ms: u64, may_feed: bool) -> Option<Order> {
        if now_ms < self.not_before_ms {
            return None;
        }
        match (self.wanted_ms, self.armed_ms) {
            (Some(0), None) | (None, None) => None,
            (Some(0), Some(_)) => Some(Order::Disarm),
            (Some(wanted_ms), armed_ms) if armed_ms != Some(wanted_ms) => Some(Order::Arm(wanted_ms)),
            (_, Some(timeout_ms)) if may_feed => {
                self.not_before_ms = now_ms.saturating_add(feed_pause_ms(timeout_ms));
                Some(Order::Feed)
            }
            _ => None,
        }
    }

    /// When [`Plan::next`] may have an order, if ever without an input.
    pub fn due_ms(&self) -> Option<u64> {
        let is_open = self.armed_ms.is_some() || self.wanted_ms.is_some_and(|wanted_ms| wanted_ms > 0);
        is_open.then_some(self.not_before_ms)
    }

    /// An order was carried out, or not and why.
    pub fn done(&mut self, order: Order, result: Result<(), String>, now_ms: u64) {
        match (order, result) {
            (Order::Arm(timeout_ms), Ok(())) => (self.armed_ms, self.failure) = (Some(timeout_ms), None),
            (Order::Disarm, Ok(())) => (self.armed_ms, self.failure) = (None, None),
            (Order::Feed, Ok(())) => self.failure = None,
            (order, Err(error)) => {
                self.failure = Some(error);
                if order != Order::Feed {
                    self.not_before_ms = now_ms.saturating_add(RETRY_PAUSE_MS);
                }
            }
        }
    }

    /// Why nothing may be started on this host now: the others count on a watchdog that is not armed.
    pub fn refusal(&self) -> Option<String> {
        match self.wanted_ms {
            Some(wanted_ms) if wanted_ms > 0 && self.armed_ms.is_none() => {
                let why = self.failure.as_deref().unwrap_or("it is being armed");
                Some(format!("the watchdog is not armed, and stonith-watchdog-timeout counts on it: {why}"))
            }
            _ => None,
        }
    }

    /// The timeout with which it is armed, in milliseconds.
    pub fn armed_ms(&self) -> Option<u64> {
        self.armed_ms
    }
}

fn feed_pause_ms(timeout_ms: u64) -> u64 {
    (timeout_ms / FEEDS_PER_TIMEOUT).clamp(FEED_PAUSE_MINIMUM_MS, FEED_PAUSE_MAXIMUM_MS)
}

/// The handle of the thread that speaks to a watchdog.
#[derive(Debug)]
pub(crate) struct Keeper {
    orders: SyncSender<Order>,
    results: Receiver<(Order, io::Result<()>)>,
    /// An order whose end is not known yet.
    busy: bool,
}

impl Keeper {
    /// Starts the thread.
    pub(crate) fn start(mut watchdog: Box<dyn Watchdog>) -> io::Result<Self> {
        let (orders, incoming) = sync_channel(1);
        let (outgoing, results) = sync_channel(1);
        thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            while let Ok(order) = incoming.recv() {
                let result = match order {
                    Order::Arm(timeout_ms) => watchdog.arm(timeout_ms),
                    Order::Feed => watchdog.feed(),
                    Order::Disarm => watchdog.disarm(),
                };
                if outgoing.send((order, result)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { orders, results, busy: false })
    }

    /// Whether another order would be taken.
    pub(crate) fn is_free(&self) -> bool {
        !self.busy
    }

    /// Gives an order. Feeding is not waited for.
    pub(crate) fn give(&mut self, order: Order) -> Option<(Order, io::Result<()>)> {
        match self.orders.try_send(order) {
            Ok(()) => self.busy = true,
            Err(TrySendError::Full(_)) => return None,
            Err(TrySendError::Disconnected(_)) => {
                return Some((order, Err(io::Error::other("the watchdog's thread has ended"))));
            }
        }
        if order == Order::Feed {
            return None;
        }
        let ended = self.results.recv_timeout(ARM_TIMEOUT).ok();
        self.busy = ended.is_none();
        Some(ended.unwrap_or((order, Err(io::ErrorKind::TimedOut.into()))))
    }

    /// What has ended meanwhile.
    pub(crate) fn ended(&mut self) -> Option<(Order, io::Result<()>)> {
        let ended = self.results.try_recv().ok()?;
        self.busy = false;
        Some(ended)
    }
}

/// What the next executor of this boot has to know.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    boot_id: String,
    timeout_ms: u64,
}

/// Remembers beside the journal whether the watchdog is armed, so that a next executor opens it again before it expires.
#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
    boot_id: String,
}

impl Memory {
    pub(crate) fn beside(journal: &Path, boot_id: &str) -> Self {
        Self { path: journal.with_extension("watchdog"), boot_id: boot_id.to_owned() }
    }

    /// The timeout with which an earlier executor of this boot left it armed, in milliseconds.
    pub(crate) fn recall(&self) -> Option<u64> {
        let remembered: Remembered = serde_json::from_slice(&fs::read(&self.path).ok()?).ok()?;
        (remembered.boot_id == self.boot_id).then_some(remembered.timeout_ms)
    }

    /// Remembers. Where that cannot be written, a next executor hears of it from the daemon.
    pub(crate) fn remember(&self, timeout_ms: Option<u64>) -> io::Result<()> {
        match timeout_ms {
            Some(timeout_ms) => {
                let remembered = Remembered { boot_id: self.boot_id.clone(), timeout_ms };
                fs::write(&self.path, serde_json::to_vec(&remembered)?)
            }
            None => match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_armed_before_it_is_fed_and_disarmed_only_on_request() {
        let mut plan = Plan::default();
        assert_eq!(
            (plan.next(0, true), plan.due_ms(), plan.refusal()),
            (None, None, None),
            "nobody has said anything"
        );
        plan.want(5000);
        assert!(plan.refusal().expect("not armed").contains("is being armed"));
        assert_eq!(plan.next(1, false), Some(Order::Arm(5000)));
        plan.done(Order::Arm(5000), Ok(()), 1);
        assert_eq!((plan.refusal(), plan.armed_ms()), (None, Some(5000)));
        assert_eq!(plan.next(2, false), None, "the daemon does not allow it");
        assert_eq!(plan.next(2, true), Some(Order::Feed));
        assert_eq!((plan.next(3, true), plan.due_ms()), (None, Some(1002)));
        assert_eq!(plan.next(1002, true), Some(Order::Feed));
        plan.want(300);
        assert_eq!(plan.next(1003, true), Some(Order::Arm(300)));
        plan.done(Order::Arm(300), Ok(()), 1003);
        assert_eq!(plan.next(1004, true), Some(Order::Feed));
        assert_eq!(
            plan.next(1104, true),
            Some(Order::Feed),
            "five times within its timeout, but not more often than that"
        );
        plan.want(0);
        assert_eq!(plan.next(1105, true), Some(Order::Disarm));
        plan.done(Order::Disarm, Ok(()), 1105);
        assert_eq!((plan.next(9999, true), plan.armed_ms()), (None, None));
    }

    #[test]
    fn a_watchdog_that_cannot_be_armed_refuses_starts_and_is_tried_again() {
        let mut plan = Plan::default();
        plan.want(5000);
        plan.done(Order::Arm(5000), Err("no such device".to_owned()), 10);
        assert!(plan.refusal().expect("not armed").ends_with("no such device"));
        assert_eq!(plan.next(11, true), None);
        assert_eq!(plan.next(1010, true), Some(Order::Arm(5000)));
        plan.done(Order::Arm(5000), Err("no such device".to_owned()), 1010);
        plan.want(0);
        assert_eq!((plan.refusal(), plan.next(1011, true)), (None, None), "nobody counts on it any more");
    }

    #[test]
    fn what_a_lost_executor_left_armed_is_fed_as_soon_as_the_daemon_allows_it() {
        let mut plan = Plan::left_armed(5000);
        assert_eq!(plan.next(0, false), None);
        assert_eq!(plan.next(1, true), Some(Order::Feed), "also before the daemon knows what it wants");
        plan.want(5000);
        assert_eq!(plan.next(2, true), Some(Order::Feed), "and it goes on");
        plan.done(Order::Feed, Err("busy".to_owned()), 3);
        assert_eq!((plan.refusal(), plan.armed_ms()), (None, Some(5000)));
    }

    #[test]
    fn a_memory_of_another_boot_is_void() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = folder.path().join("executor.journal");
        let memory = Memory::beside(&journal, "boot1");
        assert_eq!(memory.recall(), None);
        memory.remember(Some(7000)).expect("written");
        assert_eq!(Memory::beside(&journal, "boot1").recall(), Some(7000));
        assert_eq!(Memory::beside(&journal, "boot2").recall(), None);
        memory.remember(None).expect("removed");
        memory.remember(None).expect("removing twice is no error");
        assert_eq!(memory.recall(), None);
    }
}
