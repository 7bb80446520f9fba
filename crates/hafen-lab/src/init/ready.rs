//! Services that say themselves when they are ready: a datagram `READY=1` to the socket that `NOTIFY_SOCKET` names.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use rustix::fd::BorrowedFd;

/// Where these sockets are.
const FOLDER: &str = "/run/notify";
/// The longest message that is looked at, in bytes.
const MESSAGE_BYTES: usize = 4096;

/// The messages of one run of a service.
pub(super) struct Notifications {
    socket: Option<(UnixDatagram, PathBuf)>,
}

impl Notifications {
    /// For a service that says nothing it is ready at once.
    pub(super) fn open(service: &str, notifies: bool) -> io::Result<Self> {
        if !notifies {
            return Ok(Self { socket: None });
        }
        fs::create_dir_all(FOLDER)?;
        let path = PathBuf::from(FOLDER).join(service);
        // That of an earlier run.
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Some((socket, path)) })
    }

    /// What the service is told of the socket.
    pub(super) fn variable(&self) -> Option<(&'static str, &PathBuf)> {
        self.socket.as_ref().map(|(_, path)| ("NOTIFY_SOCKET", path))
    }

    /// What can be waited for.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(|(socket, _)| socket.as_fd())
    }

    /// Whether the service is ready.
    pub(super) fn is_ready(&self) -> bool {
        let Some((socket, _)) = &self.socket else { return true };
        let mut message = [0; MESSAGE_BYTES];
        while let Ok(length) = socket.recv(&mut message) {
            if message[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                return true;
            }
        }
        false
    }
}
