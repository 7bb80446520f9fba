//! How a host's tap devices get to the switch: made by the host's first process in its own network namespace, passed on over
//! the switch's socket. Both hold them: when the switch is started again, the host passes them once more.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

use super::Link;
use super::client::read_answer;
use super::wire::{REQUEST_BYTES_LIMIT, SwitchRequest};
use crate::LabError;

/// Descriptors that one request may carry.
const DESCRIPTORS: usize = Link::ALL.len();
/// How long the switch may take to answer the first time.
const ATTACH_TIMEOUT: Duration = Duration::from_secs(20);
/// The pause between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// A host's interfaces at the switch, for as long as the process lives.
#[derive(Debug)]
pub struct Attachment {
    socket: PathBuf,
    host: String,
    devices: Vec<OwnedFd>,
}

impl Attachment {
    /// Makes the interfaces, in the calling thread's network namespace, and plugs them in.
    pub fn hold(socket: &Path, host: &str) -> Result<(), LabError> {
        let devices: io::Result<Vec<OwnedFd>> =
            Link::ALL.iter().map(|link| hafen_sys::create_tap(link.name())).collect();
        let devices = devices.map_err(LabError::system("make the interfaces of", host))?;
        let attachment = Self { socket: socket.to_owned(), host: host.to_owned(), devices };
        let deadline = Instant::now() + ATTACH_TIMEOUT;
        let connection = loop {
            match attachment.attach() {
                Ok(connection) => break connection,
                Err(error) if Instant::now() > deadline => {
                    return Err(LabError::system("plug the interfaces in at", socket)(error));
                }
                Err(_) => std::thread::sleep(RETRY_INTERVAL),
            }
        };
        let thread = std::thread::Builder::new().name("interfaces".to_owned());
        let started = thread.spawn(move || attachment.stay(connection));
        started.map(drop).map_err(LabError::system("start", "the thread of the interfaces"))
    }

    fn attach(&self) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(ATTACH_TIMEOUT))?;
        let mut line = serde_json::to_vec(&SwitchRequest::Attach { host: self.host.clone() })?;
        line.push(b'\n');
        send_with(&stream, &line, &self.devices)?;
        match read_answer(&stream)?.error {
            None => Ok(stream),
            Some(error) => Err(io::Error::other(error)),
        }
    }

    /// Plugs the interfaces in again whenever the switch was started again. Never returns.
    fn stay(&self, mut connection: UnixStream) {
        loop {
            let _ = connection.set_read_timeout(None);
            // The switch says nothing more; what ends is its process.
            let _ = connection.read(&mut [0]);
            connection = loop {
                std::thread::sleep(RETRY_INTERVAL);
                if let Ok(again) = self.attach() {
                    break again;
                }
            };
        }
    }
}

/// Sends bytes together with descriptors.
fn send_with(stream: &UnixStream, line: &[u8], descriptors: &[OwnedFd]) -> io::Result<()> {
    let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    let sent = sendmsg(stream, &[IoSlice::new(line)], &mut control, SendFlags::NOSIGNAL)?;
    if sent == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// What has come over a connection and was not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// The descriptors that came, in their order.
    pub(super) descriptors: Vec<OwnedFd>,
}

impl Inbox {
    /// The next line; none at the end of the connection. An error when a line is too long.
    pub(super) fn line(&mut self, stream: &UnixStream) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.bytes.drain(..=end).collect()));
            }
            if self.bytes.len() > REQUEST_BYTES_LIMIT {
                return Err(io::Error::other("a request is too long"));
            }
            if self.receive(stream)? == 0 {
                return Ok(None);
            }
        }
    }

    fn receive(&mut self, stream: &UnixStream) -> io::Result<usize> {
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received =
            recvmsg(stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        // Nobody needs more: those of an earlier request have been taken.
        self.descriptors.truncate(DESCRIPTORS);
        self.bytes.extend_from_slice(&bytes[..received.bytes]);
        Ok(received.bytes)
    }
}
