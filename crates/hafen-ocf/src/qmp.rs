//! A small client of QMP, QEMU's machine protocol: greeting, commands, events, and nothing ever waits without a deadline.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde_json::{Value, json};

use crate::deadline::Deadline;

/// The longest message that is read, in bytes.
const MESSAGE_BYTES_LIMIT: usize = 4 * 1024 * 1024;
/// The most events that are kept for a later look; older ones are dropped.
const EVENTS_LIMIT: usize = 256;
/// The pause before another attempt when a socket's queue is full.
const CONNECT_RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Why a command brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// No answer until the deadline: QEMU is stopped, overloaded or hangs.
    #[error("no answer within the time given")]
    TimedOut,
    /// Nobody listens, or the connection broke.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// QEMU refused the command.
    #[error("{command}: {description}")]
    Refused {
        /// The command.
        command: String,
        /// QEMU's own words.
        description: String,
    },
    /// The peer does not speak QMP.
    #[error("not QMP: {0}")]
    Protocol(String),
}

impl QmpError {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}

/// Connects to a Unix socket, also when the queue of its listener is full, until the deadline (`TimedOut`).
///
/// A listener that is stopped accepts nothing: a plain blocking connect would then wait for ever.
pub fn connect(path: &Path, deadline: Deadline) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let address = SocketAddrUnix::new(path)?;
    loop {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) => {
                let stream = UnixStream::from(socket);
                stream.set_nonblocking(false)?;
                stream.set_write_timeout(Some(deadline.left().max(Duration::from_millis(1))))?;
                return Ok(stream);
            }
            Err(Errno::AGAIN | Errno::INTR) if !deadline.has_passed() => {
                thread::sleep(deadline.left().min(CONNECT_RETRY_INTERVAL));
            }
            Err(Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// An event that QEMU reported.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name, such as `SHUTDOWN`.
    pub name: String,
    /// What it carries.
    pub data: Value,
}

/// A connection, ready for commands.
#[derive(Debug)]
pub struct Qmp {
    stream: UnixStream,
    received: Vec<u8>,
    events: VecDeque<Event>,
}

impl Qmp {
    /// Connects, reads the greeting and leaves the negotiation mode.
    pub fn connect(path: &Path, deadline: Deadline) -> Result<Self, QmpError> {
        let stream = connect(path, deadline).map_err(QmpError::of)?;
        let mut qmp = Self { stream, received: Vec::new(), events: VecDeque::new() };
        let greeting = qmp.receive(deadline)?;
        if greeting.get("QMP").is_none() {
            return Err(QmpError::Protocol(format!("the greeting is {greeting}")));
        }
        qmp.execute("qmp_capabilities", Value::Null, deadline)?;
        Ok(qmp)
    }

    /// Runs a command; its arguments are an object, or null for none.
    pub fn execute(
        &mut self,
        command: &str,
        arguments: Value,
        deadline: Deadline,
    ) -> Result<Value, QmpError> {
        let message = match arguments {
            Value::Null => json!({ "execute": command }),
            arguments => json!({ "execute": command, "arguments": arguments }),
        };
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        self.stream
            .set_write_timeout(Some(deadline.left().max(Duration::from_millis(1))))
            .map_err(QmpError::of)?;
        self.stream.write_all(&line).map_err(QmpError::of)?;
        loop {
            let mut answer = self.receive(deadline)?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                let description = error.get("desc").and_then(Value::as_str).unwrap_or("no description");
                return Err(QmpError::Refused { command: command.into(), description: description.into() });
            }
            self.keep_event(&mut answer);
        }
    }

    /// The guest's run state in QEMU's words, such as `running` or `inmigrate`.
    pub fn run_state(&mut self, deadline: Deadline) -> Result<String, QmpError> {
        let status = self.execute("query-status", Value::Null, deadline)?;
        let word = status.get("status").and_then(Value::as_str);
        word.map(str::to_owned).ok_or_else(|| QmpError::Protocol(format!("query-status answered {status}")))
    }

    /// The next event, waiting for it until the deadline (`TimedOut`).
    pub fn next_event(&mut self, deadline: Deadline) -> Result<Event, QmpError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            let mut message = self.receive(deadline)?;
            self.keep_event(&mut message);
        }
    }

    fn keep_event(&mut self, message: &mut Value) {
        let Some(name) = message.get("event").and_then(Value::as_str).map(str::to_owned) else {
            return;
        };
        if self.events.len() == EVENTS_LIMIT {
            self.events.pop_front();
        }
        let data = message.get_mut("data").map(Value::take).unwrap_or_default();
        self.events.push_back(Event { name, data });
    }

    fn receive(&mut self, deadline: Deadline) -> Result<Value, QmpError> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return serde_json::from_slice(&line).map_err(|error| QmpError::Protocol(error.to_string()));
            }
            if self.received.len() > MESSAGE_BYTES_LIMIT {
                return Err(QmpError::Protocol("a message is too long".into()));
            }
            let left = deadline.left();
            if left.is_zero() {
                return Err(QmpError::TimedOut);
            }
            self.stream.set_read_timeout(Some(left)).map_err(QmpError::of)?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(QmpError::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(QmpError::of(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::thread::JoinHandle;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    /// A QEMU that says these lines after each line that it hears, and then hangs up.
    fn scripted(path: &Path, greeting: &'static str, answers: &'static [&'static str]) -> JoinHandle<()> {
        let listener = UnixListener::bind(path).expect("bind");
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("accept");
            stream.write_all(greeting.as_bytes()).expect("greeting");
            for answer in answers {
                let mut byte = [0];
                while stream.read(&mut byte).expect("read") == 1 && byte != *b"\n" {}
                stream.write_all(answer.as_bytes()).expect("answer");
            }
        })
    }

    #[test]
    fn events_between_answers_are_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("q");
        let answers = &[
            "{\"return\": {}}\n",
            "{\"event\": \"STOP\"}\n{\"return\": {\"status\": \"paused\"}}\n{\"event\": \"RESUME\"}\n",
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}}\n",
        ];
        let server = scripted(&path, "{\"QMP\": {}}\n", answers);
        let mut qmp = Qmp::connect(&path, soon()).expect("connects");
        assert_eq!(qmp.run_state(soon()).expect("answers"), "paused");
        assert_eq!(qmp.next_event(soon()).expect("kept").name, "STOP");
        assert_eq!(qmp.next_event(soon()).expect("read").name, "RESUME");
        let error = qmp.execute("x", Value::Null, soon()).expect_err("refused");
        assert_eq!(error.to_string(), "x: no such thing");
        server.join().expect("server");
        assert!(matches!(qmp.run_state(soon()), Err(QmpError::Io(_))), "nobody is left");
    }

    #[test]
    fn a_listener_that_accepts_nothing_times_out_however_often_it_is_tried() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("q");
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).expect("socket");
        rustix::net::bind(&socket, &SocketAddrUnix::new(&path).expect("address")).expect("bind");
        rustix::net::listen(&socket, 1).expect("listen");
        for _ in 0..6 {
            let deadline = Deadline::after(Duration::from_millis(50));
            let error = Qmp::connect(&path, deadline).expect_err("nobody answers");
            assert!(matches!(error, QmpError::TimedOut), "{error}");
        }
    }

    #[test]
    fn what_is_not_qmp_is_refused() {
        for greeting in ["hello\n", "{\"hello\": 1}\n"] {
            let folder = tempfile::tempdir().expect("folder");
            let path = folder.path().join("q");
            let server = scripted(&path, greeting, &[]);
            let error = Qmp::connect(&path, soon()).expect_err("not QMP");
            assert!(matches!(error, QmpError::Protocol(_)), "{error}");
            server.join().expect("server");
        }
    }
}
