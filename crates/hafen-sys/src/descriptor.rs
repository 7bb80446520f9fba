//! Descriptors that C libraries name by their numbers.
#![expect(unsafe_code, reason = "a bare number must be believed; each use says why it is sound")]

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits for what comes in by a descriptor that a C library owns, and of which it only tells the number.
#[derive(Debug)]
pub struct ReadableDescriptor(AsyncFd<OwnedFd>);

impl ReadableDescriptor {
    /// Watches an open descriptor, by a duplicate of it: begin while the library surely has it open. Needs a tokio runtime.
    ///
    /// # Errors
    /// When no such descriptor is open, or it cannot be waited for.
    pub fn watch(descriptor: RawFd) -> io::Result<Self> {
        if descriptor < 0 {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::BADF.raw_os_error()));
        }
        // SAFETY: the number is not -1, and the borrow lives for one system call only, which fails if nothing is open
        // there; nothing is read, written or closed through it.
        let duplicate = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()?;
        // SAFETY: the duplicate is owned, and always the same descriptor as long as it is watched.
        Ok(Self(unsafe { AsyncFd::register_with_interest(duplicate, Interest::READABLE) }?))
    }

    /// Waits until something new has come in. The library must then take everything: what it leaves is not told again.
    ///
    /// # Errors
    /// When the runtime ends.
    pub async fn readable(&self) -> io::Result<()> {
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;

    #[tokio::test]
    async fn what_comes_in_is_told_once() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let watched = ReadableDescriptor::watch(reader.as_raw_fd()).expect("a watch");
        for _ in 0..2 {
            writer.write_all(b"x").expect("it writes");
            watched.readable().await.expect("it is told");
        }
        let again = tokio::time::timeout(std::time::Duration::from_millis(50), watched.readable()).await;
        assert!(again.is_err(), "nothing new came");
    }

    #[tokio::test]
    async fn what_is_not_open_is_an_error() {
        for number in [-1, i32::MIN, i32::MAX] {
            assert!(ReadableDescriptor::watch(number).is_err(), "{number}");
        }
    }
}
