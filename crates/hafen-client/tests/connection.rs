//! The client against daemons that behave, refuse, break off and keep silent.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use hafen_client::{Client, ClientError};
use hafen_protocol::client::{Event, Failure, Numbered, Reply, Request, StatusReport};

const PATIENCE: Duration = Duration::from_secs(30);

struct FakeDaemon {
    folder: tempfile::TempDir,
    thread: JoinHandle<()>,
}

impl FakeDaemon {
    /// Serves one connection: `answer` gets each request.
    fn start(mut answer: impl FnMut(&mut UnixStream, Numbered<Request>) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("daemon.sock")).expect("a socket");
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
            for line in lines.map_while(Result::ok) {
                let request = serde_json::from_str(&line).expect("a request");
                answer(&mut stream, request);
            }
        });
        Self { folder, thread }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("daemon.sock")
    }
}

fn say(stream: &mut UnixStream, number: u64, body: Reply) {
    let mut line = serde_json::to_vec(&Numbered { number, body }).expect("JSON");
    line.push(b'\n');
    stream.write_all(&line).expect("the client listens");
}

fn event(number: u64) -> Event {
    let text = |word: &str| word.to_owned();
    Event {
        number,
        wall_ms: 0,
        host: text("host1"),
        kind: text("view"),
        subject: String::new(),
        text: text("x"),
        cause: String::new(),
    }
}

#[test]
fn answers_are_matched_by_number() {
    let daemon = FakeDaemon::start(|stream, request| {
        say(stream, request.number + 100, Reply::Done { note: None });
        let report = StatusReport { host: "host1".into(), ..StatusReport::default() };
        say(stream, request.number, Reply::Status(Box::new(report)));
    });
    let mut client = Client::connect(&daemon.path(), PATIENCE).expect("connected");
    for _ in 0..3 {
        assert_eq!(client.status().expect("a status").host, "host1");
    }
    drop(client);
    daemon.thread.join().expect("the daemon ends");
}

#[test]
fn a_refusal_says_what_to_do() {
    let daemon = FakeDaemon::start(|stream, request| {
        let failure = Failure {
            kind: "no-quorum".into(),
            message: "1 of 3 hosts is here".into(),
            mend: "Start more hosts".into(),
        };
        say(stream, request.number, Reply::Failed(failure));
    });
    let mut client = Client::connect(&daemon.path(), PATIENCE).expect("connected");
    let error = client.change(Vec::new(), false, "test").expect_err("refused");
    assert_eq!(error.kind(), "no-quorum");
    assert_eq!(error.to_string(), "1 of 3 hosts is here. Start more hosts");
}

#[test]
fn a_daemon_that_ends_leaves_the_outcome_open() {
    let daemon = FakeDaemon::start(|stream, _| {
        stream.write_all(b"{\"number\":1,").expect("half an answer");
        stream.shutdown(std::net::Shutdown::Both).expect("shut");
    });
    let mut client = Client::connect(&daemon.path(), PATIENCE).expect("connected");
    let error = client.cib(false).expect_err("broken");
    assert!(matches!(error, ClientError::Broken { .. }), "{error}");
    assert_eq!(error.kind(), "unknown-outcome");
}

#[test]
fn silence_ends_after_the_time_limit() {
    let daemon = FakeDaemon::start(|_, _| {});
    let mut client = Client::connect(&daemon.path(), Duration::from_millis(50)).expect("connected");
    assert_eq!(client.status().expect_err("silence").kind(), "timeout");
}

#[test]
fn nobody_there_is_told_from_nonsense() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Client::connect(&folder.path().join("daemon.sock"), PATIENCE).expect_err("nobody");
    assert_eq!(error.kind(), "no-daemon");
    assert!(error.to_string().contains("hafen lab up"), "{error}");
    let daemon = FakeDaemon::start(|stream, _| stream.write_all(b"{}\n").expect("the client listens"));
    let mut client = Client::connect(&daemon.path(), PATIENCE).expect("connected");
    assert_eq!(client.status().expect_err("nonsense").kind(), "version");
}

#[test]
fn events_end_with_the_last_one() {
    let daemon = FakeDaemon::start(|stream, request| {
        for number in 1..=3 {
            say(stream, request.number, Reply::Event(event(number)));
        }
        say(stream, request.number, Reply::Done { note: None });
    });
    let client = Client::connect(&daemon.path(), PATIENCE).expect("connected");
    let events: Result<Vec<_>, _> = client.events(None, false).expect("a stream").collect();
    let numbers: Vec<u64> = events.expect("events").iter().map(|event| event.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
}
