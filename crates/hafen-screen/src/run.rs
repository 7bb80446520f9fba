//! The shell around the screen: the terminal, a thread that looks, a thread that follows events, and signals.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use hafen_protocol::client::Event;
use ratatui::crossterm::event::{self, Event as Input};
use tokio::signal::unix::{SignalKind, signal};

use crate::feed::{Events, Feed};
use crate::screen::{Act, Answer, Ask, Screen};
use crate::{Picture, View, draw};

/// How long keys are awaited before the messages are looked at.
const TICK: Duration = Duration::from_millis(100);
/// News is drawn no more often than this: lines may be slow. What a key does is drawn at once.
const FRAME_INTERVAL: Duration = Duration::from_millis(300);
/// Between two looks, however much happens.
const LOOK_INTERVAL_MINIMUM: Duration = Duration::from_millis(400);
/// Between two attempts to reach a daemon.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// So many messages are taken before the next key.
const MESSAGES_MAXIMUM: usize = 2000;

/// What the threads tell.
enum Message {
    Seen(Box<Picture>),
    Lost(String),
    /// Events are told from the beginning.
    EventsBegin,
    Happened(Event),
    Answered(Answer),
}

/// What the thread that looks is told.
enum Order {
    Ask(Ask),
    /// Something happened.
    Look,
}

/// Shows the cluster until somebody quits, or until a signal ends it. The terminal is then as it was before.
///
/// # Errors
/// The terminal cannot be used.
pub fn run(feed: Box<dyn Feed>, view: View, interval: Duration) -> io::Result<()> {
    let is_over = Arc::new(AtomicBool::new(false));
    end_on_signals(Arc::clone(&is_over))?;
    let (tell, messages) = mpsc::channel();
    let (order, orders) = mpsc::channel();
    let again = order.clone();
    let looks = Arc::new(AtomicBool::new(true));
    let alive = Alive(Arc::clone(&looks));
    thread::Builder::new().name("look".to_owned()).spawn(move || {
        let _alive = alive;
        Looker { feed, interval, tell, order: again, follows: Arc::default() }.run(&orders);
    })?;
    // A panic, of any thread, gives the terminal back before it is told.
    let mut terminal = ratatui::try_init()?;
    let goes_on = || match (is_over.load(Ordering::SeqCst), looks.load(Ordering::SeqCst)) {
        (true, _) => Ok(false),
        (false, true) => Ok(true),
        (false, false) => Err(looker_ended()),
    };
    let ended = show(&mut terminal, Screen::new(view), &messages, &order, goes_on);
    let restored = ratatui::try_restore();
    ended.and(restored)
}

/// Says when a thread has ended, also by a panic: what others still draw would be drawn over its words.
struct Alive(Arc<AtomicBool>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Signals that end a program end the screen: it gives the terminal back.
fn end_on_signals(is_over: Arc<AtomicBool>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let streams = {
        let _entered = runtime.enter();
        [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()]
            .into_iter()
            .map(signal)
            .collect::<io::Result<Vec<_>>>()?
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let mut waiting = tokio::task::JoinSet::new();
            for mut stream in streams {
                waiting.spawn(async move { stream.recv().await });
            }
            waiting.join_next().await;
        });
        is_over.store(true, Ordering::SeqCst);
    })?;
    Ok(())
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    mut screen: Screen,
    messages: &Receiver<Message>,
    order: &Sender<Order>,
    goes_on: impl Fn() -> io::Result<bool>,
) -> io::Result<()> {
    let (mut at_once, mut is_stale) = (true, true);
    let mut drawn = Instant::now();
    while goes_on()? {
        if at_once || (is_stale && drawn.elapsed() >= FRAME_INTERVAL) {
            // Only what differs from what was drawn last is written.
            terminal.draw(|frame| draw(&screen, frame))?;
            (at_once, is_stale, drawn) = (false, false, Instant::now());
        }
        if event::poll(TICK)? {
            match event::read()? {
                Input::Key(key) => match screen.handle(key) {
                    Some(Ask::Quit) => return Ok(()),
                    Some(ask) => order.send(Order::Ask(ask)).map_err(|_| looker_ended())?,
                    None => {}
                },
                Input::Resize(..) => {}
                _ => continue,
            }
            at_once = true;
        }
        for _ in 0..MESSAGES_MAXIMUM {
            match messages.try_recv() {
                Ok(message) => {
                    // What somebody waits for is drawn at once.
                    at_once |= matches!(message, Message::Answered(_));
                    is_stale |= take(&mut screen, message);
                }
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => return Err(looker_ended()),
            }
        }
    }
    Ok(())
}

fn looker_ended() -> io::Error {
    io::Error::other("the thread that looks at the cluster has ended")
}

/// Takes a message in. Whether the screen may look different then.
fn take(screen: &mut Screen, message: Message) -> bool {
    match message {
        Message::Seen(picture) => screen.show(*picture),
        Message::Lost(why) => screen.lose(why),
        Message::EventsBegin => screen.forget_events(),
        Message::Happened(event) => screen.happened(event),
        Message::Answered(answer) => screen.answer(answer),
    }
    true
}

/// Looks at the cluster: again and again, when something happens, and when it is asked.
struct Looker {
    feed: Box<dyn Feed>,
    interval: Duration,
    tell: Sender<Message>,
    order: Sender<Order>,
    /// Whether a thread follows the events.
    follows: Arc<AtomicBool>,
}

impl Looker {
    /// Until the screen is gone.
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let began = Instant::now();
            let seen = self.feed.look();
            let pause = if seen.is_ok() { self.interval } else { RETRY_INTERVAL.min(self.interval) };
            let message = match seen {
                Ok(picture) => Message::Seen(Box::new(picture)),
                Err(why) => Message::Lost(why),
            };
            let is_there = matches!(message, Message::Seen(_));
            if self.tell.send(message).is_err() || (is_there && self.follow().is_err()) {
                return;
            }
            // A large cluster is not kept busy by being looked at.
            let not_before = Instant::now() + LOOK_INTERVAL_MINIMUM.max(began.elapsed());
            if self.rest(orders, not_before, Instant::now() + pause).is_err() {
                return;
            }
        }
    }

    /// Answers what is asked, until it is time to look again.
    fn rest(&mut self, orders: &Receiver<Order>, not_before: Instant, latest: Instant) -> Result<(), ()> {
        let mut due = latest;
        loop {
            let left = due.max(not_before).saturating_duration_since(Instant::now());
            match orders.recv_timeout(left) {
                Ok(Order::Ask(ask)) => {
                    if let Some(answer) = self.answer(ask) {
                        self.tell.send(Message::Answered(answer)).map_err(drop)?;
                    }
                    due = Instant::now();
                }
                Ok(Order::Look) => due = Instant::now(),
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(()),
            }
        }
    }

    fn answer(&mut self, ask: Ask) -> Option<Answer> {
        Some(match ask {
            Ask::Quit | Ask::Look => return None,
            Ask::Explain { resource } => {
                let text = self.feed.explain(&resource);
                Answer::Explained { resource, text }
            }
            Ask::Preview(act) => {
                let lines = match &act {
                    Act::Move { resource, host } => self.feed.preview_move(resource, host),
                    Act::CleanUp { resource } => self.feed.preview_clean_up(resource),
                };
                Answer::Previewed { act, lines }
            }
            Ask::Act(act) => {
                let said = match &act {
                    Act::Move { resource, host } => self.feed.make_move(resource, host),
                    Act::CleanUp { resource } => self.feed.clean_up(resource),
                };
                Answer::Acted { act, said }
            }
        })
    }

    /// Has a thread follow the events, unless one does.
    fn follow(&mut self) -> Result<(), ()> {
        if self.follows.load(Ordering::SeqCst) {
            return Ok(());
        }
        // The next look tries again.
        let Ok(events) = self.feed.events() else { return Ok(()) };
        self.tell.send(Message::EventsBegin).map_err(drop)?;
        self.follows.store(true, Ordering::SeqCst);
        let (tell, order, follows) = (self.tell.clone(), self.order.clone(), Arc::clone(&self.follows));
        let follower = thread::Builder::new().name("events".to_owned());
        let started = follower.spawn(move || {
            pass_on(events, &tell, &order);
            follows.store(false, Ordering::SeqCst);
            // The daemon may be gone: a look tells.
            let _ = order.send(Order::Look);
        });
        started.map(drop).map_err(drop)
    }
}

fn pass_on(events: Events, tell: &Sender<Message>, order: &Sender<Order>) {
    for event in events {
        let Ok(event) = event else { return };
        if tell.send(Message::Happened(event)).is_err() || order.send(Order::Look).is_err() {
            return;
        }
    }
}
