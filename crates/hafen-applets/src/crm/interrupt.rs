//! Ctrl-C while something is waited for: it ends the wait, and what was done can be told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

/// Whether somebody waits, and wants to hear of it.
static WAITS: AtomicBool = AtomicBool::new(false);
/// Whether it was pressed since.
static PRESSED: AtomicBool = AtomicBool::new(false);
/// Whether the thread that listens could be started.
static LISTENS: OnceLock<bool> = OnceLock::new();
/// The exit status of what Ctrl-C ended.
pub(super) const EXIT: u8 = 130;

/// As long as it lives, Ctrl-C does not end the process.
pub(super) struct Interrupt(());

impl Interrupt {
    /// Begins to listen. Where that is not possible Ctrl-C ends the process, as ever.
    pub(super) fn new() -> Self {
        LISTENS.get_or_init(|| {
            let (ready, is_ready) = mpsc::channel();
            let listens = thread::Builder::new().name("interrupts".to_owned()).spawn(move || listen(&ready));
            listens.is_ok() && is_ready.recv().is_ok()
        });
        PRESSED.store(false, Ordering::SeqCst);
        WAITS.store(true, Ordering::SeqCst);
        Self(())
    }

    /// Waits a while; gives whether Ctrl-C was pressed.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let pressed = || PRESSED.load(Ordering::SeqCst);
        if !pressed() {
            thread::sleep(time);
        }
        pressed()
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        WAITS.store(false, Ordering::SeqCst);
    }
}

/// Once a process listens, the system does nothing by itself any more: while nobody waits, this ends it.
fn listen(ready: &mpsc::Sender<()>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let Ok(mut signals) = signal(SignalKind::interrupt()) else { return };
        let _ = ready.send(());
        while signals.recv().await.is_some() {
            if WAITS.load(Ordering::SeqCst) {
                PRESSED.store(true, Ordering::SeqCst);
            } else {
                std::process::exit(i32::from(EXIT));
            }
        }
    });
}
