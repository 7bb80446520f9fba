//! Streams to single members: one connection for each receiver and view.
//!
//! Frames are numbered; the receiver acknowledges what it has delivered, and says at the beginning of a connection
//! where to go on. So a connection may break and be made anew, by another address of the host, and nothing is lost
//! or doubled while both share the view. With the view everything ends that was on the way. The receiver answers a
//! connection when it is in that view itself, so nothing arrives too early.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hafen_protocol::view::MESSAGE_BYTES_MAXIMUM;
use hafen_protocol::{Delivery, HostId, MemberId, View, ViewId};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::nodelist::NodeList;
use super::pulse::Pulse;
use crate::streams::{BoxStream, StreamTransport};

/// Bytes that may wait for one receiver (192 MiB). Who sends more into a stream that does not move loses the view.
pub(super) const STREAM_BYTES_MAXIMUM: usize = 192 << 20;

/// The version of what is said on a stream.
const STREAM_VERSION: u32 = 1;
/// No greeting is longer.
const GREETING_BYTES_MAXIMUM: usize = 4096;
/// Incoming connections at once; further ones wait.
const INCOMING_MAXIMUM: usize = 64;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a greeting may take.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a receiver may take until it is in the sender's view.
const VIEW_TIMEOUT: Duration = Duration::from_secs(30);
/// Without an acknowledgement for this long, another address is tried.
const ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_secs(10);
const BACKOFF_MINIMUM: Duration = Duration::from_millis(20);
const BACKOFF_MAXIMUM: Duration = Duration::from_secs(1);

/// The first words of a sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Greeting {
    version: u32,
    cluster: String,
    from: MemberId,
    to: MemberId,
    view: ViewId,
}

/// The receiver's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// It has all frames up to this number.
    Resume(u64),
    /// It wants none.
    Refused(String),
}

/// The one way to the daemon: what is delivered by views, and what comes by streams, in an order that both agree on.
#[derive(Debug)]
pub(super) struct Gate {
    inner: AsyncMutex<Inner>,
    view: watch::Sender<Option<ViewId>>,
}

#[derive(Debug)]
struct Inner {
    deliveries: mpsc::Sender<Delivery>,
    view: Option<View>,
    /// The last frame of each sender in this view.
    received: BTreeMap<MemberId, u64>,
}

/// Where a view is, seen from the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Now,
    Later,
    Over,
}

impl Gate {
    pub(super) fn new(deliveries: mpsc::Sender<Delivery>) -> Gate {
        let inner = Inner { deliveries, view: None, received: BTreeMap::new() };
        Gate { inner: AsyncMutex::new(inner), view: watch::Sender::new(None) }
    }

    /// Delivers what is no stream's; waits while the daemon has no room.
    pub(super) async fn deliver(&self, delivery: Delivery) {
        let mut inner = self.inner.lock().await;
        let view = match &delivery {
            Delivery::View(view) => Some(Some(view.clone())),
            Delivery::Lost { .. } => Some(None),
            _ => None,
        };
        // The daemon's end: the task of this engine is aborted with it.
        let _ = inner.deliveries.send(delivery).await;
        if let Some(view) = view {
            inner.received.clear();
            self.view.send_replace(view.as_ref().map(View::id));
            inner.view = view;
        }
    }

    async fn place(&self, view: ViewId) -> Place {
        match self.inner.lock().await.view.as_ref().map(View::id) {
            Some(now) if now == view => Place::Now,
            Some(now) if (now.ring.sequence, now.sequence) >= (view.ring.sequence, view.sequence) => {
                Place::Over
            }
            _ => Place::Later,
        }
    }

    /// Delivers a frame; false when it cannot be: its view is over, or frames before it are missing.
    async fn frame(&self, view: ViewId, from: MemberId, number: u64, bytes: Vec<u8>) -> bool {
        let mut inner = self.inner.lock().await;
        let member = inner.view.as_ref().is_some_and(|now| now.id() == view && now.contains(from));
        let last = inner.received.get(&from).copied().unwrap_or(0);
        if !member || number > last + 1 {
            return false;
        }
        if number == last + 1 {
            inner.received.insert(from, number);
            return inner.deliveries.send(Delivery::Stream { from, bytes }).await.is_ok();
        }
        true
    }

    async fn last(&self, view: ViewId, from: MemberId) -> Option<u64> {
        let inner = self.inner.lock().await;
        let member = inner.view.as_ref().is_some_and(|now| now.id() == view && now.contains(from));
        member.then(|| inner.received.get(&from).copied().unwrap_or(0))
    }
}

/// The sending side.
pub(super) struct Links {
    about: Arc<About>,
    pulse: Arc<Pulse>,
    state: Mutex<State>,
}

struct About {
    cluster: String,
    me: MemberId,
    transport: Arc<dyn StreamTransport>,
    addresses: Mutex<BTreeMap<HostId, Vec<String>>>,
}

#[derive(Default)]
struct State {
    view: Option<View>,
    open: BTreeMap<MemberId, Link>,
}

/// A stream to one member; its task ends with it.
struct Link {
    queue: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Links {
    pub(super) fn new(
        cluster: String,
        me: MemberId,
        transport: Arc<dyn StreamTransport>,
        pulse: Arc<Pulse>,
    ) -> Links {
        let about = About { cluster, me, transport, addresses: Mutex::default() };
        Links { about: Arc::new(about), pulse, state: Mutex::default() }
    }

    pub(super) fn set_hosts(&self, list: &NodeList) {
        let addresses = list.hosts.iter().map(|(&id, host)| (id, host.addresses.clone())).collect();
        *locked(&self.about.addresses) = addresses;
    }

    /// Before a delivery: with a view all streams of the one before end.
    pub(super) fn notice(&self, delivery: &Delivery) {
        let view = match delivery {
            Delivery::View(view) => Some(view.clone()),
            Delivery::Lost { .. } => None,
            _ => return,
        };
        *locked(&self.state) = State { view, open: BTreeMap::new() };
    }

    /// Sends to a member of the view; to others it is dropped.
    pub(super) fn send(&self, to: MemberId, bytes: Vec<u8>) {
        let mut state = locked(&self.state);
        let State { view, open } = &mut *state;
        let Some(view) = view.as_ref().filter(|view| view.contains(to)) else { return };
        let link = open.entry(to).or_insert_with(|| {
            let (queue, frames) = mpsc::unbounded_channel();
            let waiting = Arc::new(AtomicUsize::new(0));
            let outgoing = Outgoing {
                about: Arc::clone(&self.about),
                view: view.id(),
                to,
                waiting: Arc::clone(&waiting),
                unacknowledged: Mutex::default(),
                progress: Notify::new(),
            };
            Link { queue, waiting, task: tokio::spawn(outgoing.run(frames)).abort_handle() }
        });
        let waiting = link.waiting.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len();
        if bytes.len() > MESSAGE_BYTES_MAXIMUM || waiting > STREAM_BYTES_MAXIMUM {
            tracing::error!(host = %to.host, waiting, "too much waits on a stream: the view is given up");
            self.pulse.give_up();
            return;
        }
        let _ = link.queue.send(bytes);
    }
}

/// A stream in the direction of its frames.
struct Outgoing {
    about: Arc<About>,
    view: ViewId,
    to: MemberId,
    waiting: Arc<AtomicUsize>,
    unacknowledged: Mutex<Unacknowledged>,
    progress: Notify,
}

#[derive(Default)]
struct Unacknowledged {
    frames: VecDeque<(u64, Arc<Vec<u8>>)>,
    last: u64,
}

impl Outgoing {
    /// Connects again and again, by each address in turn.
    async fn run(self, mut queue: mpsc::UnboundedReceiver<Vec<u8>>) {
        let (mut backoff, mut turn, mut reported) = (BACKOFF_MINIMUM, 0, String::new());
        loop {
            let addresses = locked(&self.about.addresses).get(&self.to.host).cloned().unwrap_or_default();
            let problem = if addresses.is_empty() {
                "the node list has no address of it".to_owned()
            } else {
                let address = &addresses[turn % addresses.len()];
                turn += 1;
                match self.connection(address, &mut queue).await {
                    Ok(()) => return,
                    Err(error) => format!("{address}: {error}"),
                }
            };
            if problem != reported {
                tracing::warn!(host = %self.to.host, "the stream to another host does not work: {problem}");
                reported = problem;
            }
            sleep(backoff).await;
            backoff = BACKOFF_MAXIMUM.min(backoff * 2);
        }
    }

    /// One connection; its good end is that of the queue.
    async fn connection(
        &self,
        address: &str,
        queue: &mut mpsc::UnboundedReceiver<Vec<u8>>,
    ) -> io::Result<()> {
        let slow = |_| io::Error::from(io::ErrorKind::TimedOut);
        let connecting = self.about.transport.connect(self.to.host, address);
        let stream = timeout(CONNECT_TIMEOUT, connecting).await.map_err(slow)??;
        let (mut read, mut write) = tokio::io::split(stream);
        let greeting = Greeting {
            version: STREAM_VERSION,
            cluster: self.about.cluster.clone(),
            from: self.about.me,
            to: self.to,
            view: self.view,
        };
        write_greeting(&mut write, &greeting).await?;
        let answer = timeout(VIEW_TIMEOUT, read_greeting(&mut read)).await.map_err(slow)??;
        let through = match answer {
            Answer::Resume(through) => through,
            Answer::Refused(reason) => return Err(io::Error::other(reason)),
        };
        self.acknowledged(through);
        tokio::select! {
            end = self.write(&mut write, queue) => end,
            end = self.read_acknowledgements(&mut read) => end,
            end = self.watch() => end,
        }
    }

    async fn write(
        &self,
        write: &mut (impl AsyncWrite + Unpin),
        queue: &mut mpsc::UnboundedReceiver<Vec<u8>>,
    ) -> io::Result<()> {
        let again: Vec<(u64, Arc<Vec<u8>>)> = locked(&self.unacknowledged).frames.iter().cloned().collect();
        for (number, bytes) in again {
            write_frame(write, number, &bytes).await?;
        }
        while let Some(bytes) = queue.recv().await {
            let bytes = Arc::new(bytes);
            let number = {
                let mut unacknowledged = locked(&self.unacknowledged);
                unacknowledged.last += 1;
                let number = unacknowledged.last;
                unacknowledged.frames.push_back((number, Arc::clone(&bytes)));
                number
            };
            write_frame(write, number, &bytes).await?;
        }
        Ok(())
    }

    async fn read_acknowledgements(&self, read: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        loop {
            let through = read.read_u64().await?;
            self.acknowledged(through);
        }
    }

    fn acknowledged(&self, through: u64) {
        let mut unacknowledged = locked(&self.unacknowledged);
        while let Some((number, bytes)) = unacknowledged.frames.front()
            && *number <= through
        {
            self.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
            unacknowledged.frames.pop_front();
        }
        self.progress.notify_one();
    }

    /// Ends a connection on which frames are never acknowledged.
    async fn watch(&self) -> io::Result<()> {
        let mut since = Instant::now();
        loop {
            let moved = timeout(ACKNOWLEDGEMENT_TIMEOUT / 4, self.progress.notified()).await.is_ok();
            if moved || locked(&self.unacknowledged).frames.is_empty() {
                since = Instant::now();
            } else if since.elapsed() >= ACKNOWLEDGEMENT_TIMEOUT {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing is acknowledged"));
            }
        }
    }
}

/// Takes incoming connections, for ever.
pub(super) async fn accept(
    cluster: String,
    me: MemberId,
    mut accepted: mpsc::Receiver<(HostId, BoxStream)>,
    gate: Arc<Gate>,
) {
    let mut incoming = JoinSet::new();
    loop {
        tokio::select! {
            connection = accepted.recv(), if incoming.len() < INCOMING_MAXIMUM => match connection {
                Some((host, stream)) => {
                    let (cluster, gate) = (cluster.clone(), Arc::clone(&gate));
                    incoming.spawn(async move {
                        if let Err(error) = receive(&cluster, me, host, stream, &gate).await {
                            tracing::debug!(%host, "a stream ended: {error}");
                        }
                    });
                }
                None => return std::future::pending().await,
            },
            Some(_) = incoming.join_next() => {}
        }
    }
}

/// One incoming connection, to its end.
async fn receive(
    cluster: &str,
    me: MemberId,
    host: HostId,
    stream: BoxStream,
    gate: &Gate,
) -> io::Result<()> {
    let slow = |_| io::Error::from(io::ErrorKind::TimedOut);
    let (mut read, mut write) = tokio::io::split(stream);
    let greeting: Greeting = timeout(GREETING_TIMEOUT, read_greeting(&mut read)).await.map_err(slow)??;
    let refusal = if greeting.version != STREAM_VERSION {
        Some(format!("it speaks version {} of streams, this is {STREAM_VERSION}", greeting.version))
    } else if greeting.cluster != cluster {
        Some(format!("it belongs to cluster '{}', this is '{cluster}'", greeting.cluster))
    } else if greeting.from.host != host {
        Some(format!("it says that it is host {}, but is host {host}", greeting.from.host))
    } else if greeting.to != me {
        Some("it wants another run of this daemon".to_owned())
    } else {
        let arrival = timeout(VIEW_TIMEOUT, arrive(gate, greeting.view)).await;
        (arrival != Ok(true)).then(|| "that view is over here, or never came".to_owned())
    };
    let through = match refusal {
        None => gate.last(greeting.view, greeting.from).await,
        Some(reason) => {
            write_greeting(&mut write, &Answer::Refused(reason.clone())).await?;
            return Err(io::Error::other(reason));
        }
    };
    let Some(through) = through else { return Ok(()) };
    write_greeting(&mut write, &Answer::Resume(through)).await?;
    let mut views = gate.view.subscribe();
    loop {
        let (number, bytes) = tokio::select! {
            frame = read_frame(&mut read) => frame?,
            over = passed(&mut views, greeting.view) => return over,
        };
        if !gate.frame(greeting.view, greeting.from, number, bytes).await {
            return Ok(());
        }
        write.write_u64(number).await?;
        write.flush().await?;
    }
}

/// Waits until the daemon is in this view; false when it is beyond.
async fn arrive(gate: &Gate, view: ViewId) -> bool {
    let mut views = gate.view.subscribe();
    loop {
        match gate.place(view).await {
            Place::Now => return true,
            Place::Over => return false,
            Place::Later => {}
        }
        if views.changed().await.is_err() {
            return false;
        }
    }
}

/// Waits until this view is over.
async fn passed(views: &mut watch::Receiver<Option<ViewId>>, view: ViewId) -> io::Result<()> {
    let _ = views.wait_for(|now| *now != Some(view)).await;
    Ok(())
}

async fn write_greeting<T: Serialize>(write: &mut (impl AsyncWrite + Unpin), words: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(words)?;
    write.write_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).await?;
    write.write_all(&bytes).await?;
    write.flush().await
}

async fn read_greeting<T: for<'a> Deserialize<'a>>(read: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let length = read.read_u32().await? as usize;
    if length > GREETING_BYTES_MAXIMUM {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let mut bytes = vec![0; length];
    read.read_exact(&mut bytes).await?;
    Ok(serde_json::from_slice(&bytes)?)
}

async fn write_frame(write: &mut (impl AsyncWrite + Unpin), number: u64, bytes: &[u8]) -> io::Result<()> {
    write.write_u64(number).await?;
    write.write_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).await?;
    write.write_all(bytes).await?;
    write.flush().await
}

async fn read_frame(read: &mut (impl AsyncRead + Unpin)) -> io::Result<(u64, Vec<u8>)> {
    let number = read.read_u64().await?;
    let length = read.read_u32().await? as usize;
    if length > MESSAGE_BYTES_MAXIMUM {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let mut bytes = vec![0; length];
    read.read_exact(&mut bytes).await?;
    Ok((number, bytes))
}
