//! The client side of the frame switch.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use super::Link;
use super::wire::{ANSWER_BYTES_LIMIT, ShapeChange, SwitchAnswer, SwitchRequest};
use crate::LabError;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A frame switch, reached by its socket.
#[derive(Debug, Clone)]
pub struct FrameSwitch {
    path: PathBuf,
}

impl FrameSwitch {
    /// The switch that listens at this socket.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Asks, and waits for the answer. A refusal is an error.
    pub fn ask(&self, request: &SwitchRequest) -> Result<SwitchAnswer, LabError> {
        let exchange = || -> io::Result<SwitchAnswer> {
            let mut stream = UnixStream::connect(&self.path)?;
            stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
            stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
            let mut line = serde_json::to_vec(request)?;
            line.push(b'\n');
            stream.write_all(&line)?;
            read_answer(&stream)
        };
        let answer = exchange().map_err(LabError::system("ask the network's switch at", &self.path))?;
        match answer.error {
            None => Ok(answer),
            Some(error) => Err(LabError::State(error)),
        }
    }

    /// Cuts a host off from another, or from all and the gateway; on a link, or on all.
    pub fn cut(&self, host: &str, other: Option<&str>, link: Option<Link>) -> Result<(), LabError> {
        let change = ShapeChange { cut: Some(true), ..ShapeChange::default() };
        self.shape([Some(host), other], link, true, change)
    }

    /// Changes what happens to frames between two places; none stands for all.
    pub fn shape(
        &self,
        [from, to]: [Option<&str>; 2],
        link: Option<Link>,
        both: bool,
        change: ShapeChange,
    ) -> Result<(), LabError> {
        let [from, to] = [from, to].map(|place| place.map(str::to_owned));
        self.ask(&SwitchRequest::Shape { from, to, link, both, change }).map(drop)
    }

    /// Makes the network as new, or what a host has of it.
    pub fn heal(&self, host: Option<&str>) -> Result<(), LabError> {
        self.ask(&SwitchRequest::Heal { host: host.map(str::to_owned) }).map(drop)
    }

    /// What is plugged in, and what is not as new.
    pub fn status(&self) -> Result<SwitchAnswer, LabError> {
        self.ask(&SwitchRequest::Status)
    }
}

/// Reads the answer to a request.
pub(super) fn read_answer(stream: &UnixStream) -> io::Result<SwitchAnswer> {
    let mut line = Vec::new();
    BufReader::new(stream.take(ANSWER_BYTES_LIMIT)).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_slice(&line).map_err(io::Error::from)
}
