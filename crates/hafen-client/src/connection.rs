//! A connection, and what is asked over it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hafen_protocol::client::{Edit, Event, Numbered, Reply, Request, StatusReport};

use crate::{ClientError, LINE_BYTES_MAXIMUM};

/// The form of dates in a CIB and in what tools print: `ctime(3)`'s.
pub const CTIME: &str = "%a %b %e %H:%M:%S %Y";

/// Now, in that form, where this process runs.
pub fn written_now() -> String {
    jiff::Zoned::now().strftime(CTIME).to_string()
}

/// A connection to one daemon. Requests follow each other; each has its own time limit.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    reader: BufReader<UnixStream>,
    timeout: Duration,
    last_number: u64,
    /// With whose rights requests are made; nothing: with those of who connected.
    user: Option<String>,
}

impl Client {
    /// Connects to the daemon at this socket. `timeout` bounds each request from sending to its answer.
    pub fn connect(path: &Path, timeout: Duration) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path)
            .map_err(|source| ClientError::Connect { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            reader: BufReader::new(stream),
            timeout,
            last_number: 0,
            user: None,
        })
    }

    /// Makes the requests from here on with the rights of another user, as only root and hacluster may.
    pub fn act_as(&mut self, user: &str) {
        self.user = Some(user.to_owned());
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks, and waits for the answer. A refusal is an error ([`ClientError::Refused`]).
    pub fn request(&mut self, request: Request) -> Result<Reply, ClientError> {
        let number = self.send(request)?;
        let deadline = Instant::now() + self.timeout;
        loop {
            let answer = self.receive(Some(deadline))?;
            if answer.number != number {
                continue;
            }
            return match answer.body {
                Reply::Failed(failure) => Err(ClientError::Refused(failure)),
                reply => Ok(reply),
            };
        }
    }

    /// The state of the cluster.
    pub fn status(&mut self) -> Result<StatusReport, ClientError> {
        match self.request(Request::Status)? {
            Reply::Status(report) => Ok(*report),
            other => Err(self.unexpected(&other)),
        }
    }

    /// The CIB as XML, with its status section or without.
    pub fn cib(&mut self, status: bool) -> Result<String, ClientError> {
        match self.request(Request::Cib { status })? {
            Reply::Xml { xml } => Ok(xml),
            other => Err(self.unexpected(&other)),
        }
    }

    /// What the scheduler was given for a transition that this daemon planned.
    pub fn transition_input(&mut self, number: u64) -> Result<String, ClientError> {
        match self.request(Request::TransitionInput { number })? {
            Reply::Xml { xml } => Ok(xml),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Changes the configuration, all or nothing, and waits until the change is acknowledged. What to tell the user.
    pub fn change(
        &mut self,
        edits: Vec<Edit>,
        without_quorum: bool,
        origin: &str,
    ) -> Result<Option<String>, ClientError> {
        let written = Some(written_now());
        self.done(Request::Change { edits, without_quorum, origin: origin.to_owned(), written })
    }

    /// A request that is answered with `Done`.
    pub fn done(&mut self, request: Request) -> Result<Option<String>, ClientError> {
        match self.request(request)? {
            Reply::Done { note } => Ok(note),
            other => Err(self.unexpected(&other)),
        }
    }

    /// The events after a number; with `follow` the stream goes on until the connection ends.
    pub fn events(mut self, after: Option<u64>, follow: bool) -> Result<EventStream, ClientError> {
        let number = self.send(Request::Events { after, follow })?;
        Ok(EventStream { client: self, number, follow })
    }

    pub(crate) fn unexpected(&self, reply: &Reply) -> ClientError {
        let mut what = format!("{reply:?}");
        what.truncate(what.char_indices().nth(100).map_or(what.len(), |(index, _)| index));
        ClientError::Nonsense { path: self.path.clone(), what }
    }

    fn broken(&self, source: io::Error) -> ClientError {
        if matches!(source.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            return ClientError::TimedOut { path: self.path.clone(), after: self.timeout };
        }
        ClientError::Broken { path: self.path.clone(), source }
    }

    fn send(&mut self, body: Request) -> Result<u64, ClientError> {
        self.last_number += 1;
        let number = self.last_number;
        let body = match &self.user {
            Some(user) => Request::As { user: user.clone(), body: Box::new(body) },
            None => body,
        };
        let mut line = serde_json::to_vec(&Numbered { number, body })
            .map_err(|error| ClientError::Nonsense { path: self.path.clone(), what: error.to_string() })?;
        line.push(b'\n');
        let timeout = self.timeout;
        let stream = self.reader.get_mut();
        stream
            .set_write_timeout(Some(timeout))
            .and_then(|()| stream.write_all(&line))
            .map_err(|error| self.broken(error))?;
        Ok(number)
    }

    fn receive(&mut self, deadline: Option<Instant>) -> Result<Numbered<Reply>, ClientError> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(ClientError::TimedOut { path: self.path.clone(), after: self.timeout });
        }
        self.reader.get_mut().set_read_timeout(left).map_err(|error| self.broken(error))?;
        let mut line = Vec::new();
        let read = (&mut self.reader).take(LINE_BYTES_MAXIMUM).read_until(b'\n', &mut line);
        read.map_err(|error| self.broken(error))?;
        if line.last() != Some(&b'\n') {
            return Err(self.broken(io::ErrorKind::UnexpectedEof.into()));
        }
        serde_json::from_slice(&line)
            .map_err(|error| ClientError::Nonsense { path: self.path.clone(), what: error.to_string() })
    }
}

/// Events as they come. Without `follow` it ends with the last one that the daemon has.
#[derive(Debug)]
pub struct EventStream {
    client: Client,
    number: u64,
    follow: bool,
}

impl Iterator for EventStream {
    type Item = Result<Event, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        let deadline = (!self.follow).then(|| Instant::now() + self.client.timeout);
        loop {
            match self.client.receive(deadline) {
                Ok(answer) if answer.number != self.number => {}
                Ok(answer) => {
                    return match answer.body {
                        Reply::Event(event) => Some(Ok(event)),
                        Reply::Done { .. } => None,
                        Reply::Failed(failure) => Some(Err(ClientError::Refused(failure))),
                        other => Some(Err(self.client.unexpected(&other))),
                    };
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
