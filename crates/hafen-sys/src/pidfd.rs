//! Handles on processes that never mean another one.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::process::checked_pid;

/// A handle on one process. Readable (in the sense of `poll`) when the process has ended, whether or not it was waited for.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Opens the process that has this id now. `NotFound` when there is none.
    pub fn open(pid: u32) -> io::Result<Self> {
        match pidfd_open(checked_pid(pid)?, PidfdFlags::empty()) {
            Ok(fd) => Ok(Self(fd)),
            Err(Errno::SRCH) => Err(io::Error::new(io::ErrorKind::NotFound, format!("no process {pid}"))),
            Err(error) => Err(error.into()),
        }
    }

    /// Signals the process. `NotFound` when it has ended and was waited for.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.0, signal) {
            Err(Errno::SRCH) => Err(io::Error::new(io::ErrorKind::NotFound, "the process has ended")),
            other => Ok(other?),
        }
    }

    /// Blocks until the process has ended, at most for `timeout` (`None`: without limit). Whether it has ended.
    ///
    /// Does not take the exit status: any process may be waited for, a child remains to be reaped.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let deadline = timeout.map(|timeout| std::time::Instant::now() + timeout);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
            let left = left.map(|left| Timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: left.subsec_nanos().into(),
            });
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut fds, left.as_ref()) {
                Ok(0) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for PidFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// A [`PidFd`] whose end a task of a tokio runtime can wait for.
#[derive(Debug)]
pub struct AsyncPidFd(AsyncFd<PidFd>);

impl AsyncPidFd {
    /// Registers the handle. Panics outside of a tokio runtime.
    #[expect(unsafe_code, reason = "the registration is unsafe")]
    pub fn new(handle: PidFd) -> io::Result<Self> {
        // SAFETY: a PidFd owns its descriptor, gives out only borrows of it, and is not reachable for changes here.
        Ok(Self(unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) }?))
    }

    /// Waits until the process has ended. Does not take the exit status. May be dropped and called again.
    pub async fn ended(&self) -> io::Result<()> {
        self.0.readable().await.map(drop)
    }

    /// Signals the process: see [`PidFd::signal`].
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        self.0.get_ref().signal(signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn an_end_is_seen_before_and_after_the_wait() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep starts");
        let handle = PidFd::open(child.id()).expect("the child can be opened");
        assert!(!handle.wait(Some(Duration::ZERO)).expect("poll works"));
        handle.signal(Signal::KILL).expect("the child can be killed");
        assert!(handle.wait(Some(Duration::from_secs(30))).expect("poll works"));
        child.wait().expect("the child can be waited for");
        let error = handle.signal(Signal::KILL).expect_err("nobody is left");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
