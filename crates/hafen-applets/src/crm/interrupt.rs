//! Ctrl-C: what comes of it depends on what the shell is doing.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::output;

/// What the shell is doing.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Doing {
    /// Nothing that somebody would have to be told about.
    Anything,
    /// An editor has the terminal, and Ctrl-C is its own.
    Editing,
    /// It waits for something, and whoever waits looks whether Ctrl-C was pressed.
    Waiting,
    /// A commit is being prepared.
    Preparing,
    /// A commit is on its way.
    Sending,
}

static DOING: AtomicU8 = AtomicU8::new(Doing::Anything as u8);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// The exit status of a program that SIGINT ended.
pub(super) const EXIT: u8 = 130;

/// Listens for Ctrl-C from now on.
pub(super) fn listen() {
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        // Where nothing can listen, Ctrl-C ends the shell as it ends any program.
        let _ = output::waited(async {
            let Ok(mut interrupts) = signal(SignalKind::interrupt()) else { return };
            let _ = ready.send(());
            while interrupts.recv().await.is_some() {
                interrupted();
            }
        });
    });
    // An error says that nothing listens.
    let _ = is_ready.recv();
}

fn interrupted() {
    let doing = DOING.load(Ordering::SeqCst);
    let again = INTERRUPTED.swap(true, Ordering::SeqCst);
    let last_words = if doing == Doing::Editing as u8 || doing == Doing::Waiting as u8 {
        return;
    } else if doing == Doing::Preparing as u8 {
        "interrupted: nothing is committed"
    } else if doing != Doing::Sending as u8 {
        "interrupted"
    } else if again {
        "left without an answer: `crm configure show` tells whether the changes count"
    } else {
        eprintln!(
            "\ncrm: the changes are on their way, all of them or none: this waits for the answer (Ctrl-C again does not)"
        );
        return;
    };
    eprintln!("\ncrm: {last_words}");
    std::process::exit(i32::from(EXIT));
}

/// Does something during which Ctrl-C means something else.
pub(super) fn while_doing<T>(doing: Doing, act: impl FnOnce() -> T) -> T {
    INTERRUPTED.store(false, Ordering::SeqCst);
    let before = DOING.swap(doing as u8, Ordering::SeqCst);
    let value = act();
    DOING.store(before, Ordering::SeqCst);
    value
}

/// As long as it lives, Ctrl-C ends a wait and not the shell.
pub(super) struct Interrupt {
    before: u8,
}

impl Interrupt {
    pub(super) fn new() -> Self {
        INTERRUPTED.store(false, Ordering::SeqCst);
        Self { before: DOING.swap(Doing::Waiting as u8, Ordering::SeqCst) }
    }

    /// Waits a while; gives whether Ctrl-C was pressed.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let pressed = || INTERRUPTED.load(Ordering::SeqCst);
        if !pressed() {
            std::thread::sleep(time);
        }
        pressed()
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        DOING.store(self.before, Ordering::SeqCst);
    }
}

/// The status to end with after a commit that was made while somebody wanted to leave.
pub(super) fn asked_to_leave() -> Option<ExitCode> {
    INTERRUPTED.load(Ordering::SeqCst).then(|| ExitCode::from(EXIT))
}
