//! The shell and a daemon that is slow, or goes away: a commit is made whole or not at all, and what is known of it is said.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test of processes")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use hafen_protocol::client::{Numbered, Reply, Request};

const CIB: &str = r#"<cib crm_feature_set="3.20.0" validate-with="pacemaker-4.0" epoch="1" num_updates="0" admin_epoch="0">
<configuration><crm_config><cluster_property_set id="o"><nvpair id="o-s" name="stonith-enabled" value="false"/></cluster_property_set></crm_config><nodes><node id="1" uname="node1"/></nodes><resources/><constraints/></configuration><status/></cib>"#;
/// Longer nobody waits here for anything.
const WAIT: Duration = Duration::from_secs(60);

/// What a stand-in for a daemon does with a change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Answers when it is told to.
    Hold,
    /// Ends without a word.
    Break,
}

/// A stand-in for a daemon.
struct Daemon {
    folder: tempfile::TempDir,
    /// A change came.
    came: Receiver<()>,
    /// Lets it be answered.
    answer: Sender<()>,
}

impl Daemon {
    fn start(change: Change) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("sock")).expect("bound");
        let ((come, came), (answer, go_on)) = (channel(), channel());
        std::thread::spawn(move || {
            // It ends with the test's process, or with the first broken change.
            for stream in listener.incoming().filter_map(Result::ok) {
                if serve(stream, change, &come, &go_on).is_none() {
                    return;
                }
            }
        });
        Self { folder, came, answer }
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("sock")
    }
}

/// Answers one client; nothing once the daemon is to be gone.
fn serve(stream: UnixStream, change: Change, come: &Sender<()>, go_on: &Receiver<()>) -> Option<()> {
    let mut out = stream.try_clone().expect("cloned");
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let asked: Numbered<Request> = serde_json::from_str(&line).expect("a request");
        let body = match asked.body {
            Request::Cib { .. } => Reply::Xml { xml: CIB.to_owned() },
            Request::Change { .. } => {
                come.send(()).ok()?;
                if change == Change::Break {
                    return None;
                }
                go_on.recv_timeout(WAIT).ok()?;
                Reply::Done { note: None }
            }
            other => panic!("nobody asks this here: {other:?}"),
        };
        let answer = serde_json::to_string(&Numbered { number: asked.number, body }).expect("JSON");
        // A client that left is none of ours.
        let _ = out.write_all(format!("{answer}\n").as_bytes());
    }
    Some(())
}

fn crm(socket: &Path, script: &str) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hafen"))
        .arg("crm")
        .env("HAFEN_SOCKET", socket)
        .env("XDG_CONFIG_HOME", socket.with_file_name("config"))
        .env_remove("CIB_file")
        .env_remove("CIB_shadow")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("piped").write_all(script.as_bytes()).expect("it reads");
    child
}

fn interrupt(child: &Child) {
    let id = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it is there");
}

/// What it said on stderr up to some words.
fn said_until(child: &mut Child, words: &str) -> String {
    let err = child.stderr.as_mut().expect("piped");
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&said).contains(words) {
        assert_eq!(
            err.read(&mut byte).expect("read"),
            1,
            "never {words}: {}",
            String::from_utf8_lossy(&said)
        );
        said.push(byte[0]);
    }
    String::from_utf8(said).expect("text")
}

const SCRIPT: &str = "configure\nprimitive d ocf:pacemaker:Dummy\ncommit\nproperty no-quorum-policy=stop\n";

#[test]
fn an_interrupt_in_the_middle_of_a_commit_waits_for_the_answer() {
    let daemon = Daemon::start(Change::Hold);
    let mut child = crm(&daemon.socket(), SCRIPT);
    daemon.came.recv_timeout(WAIT).expect("a change");
    interrupt(&child);
    said_until(&mut child, "on their way");
    assert!(child.try_wait().expect("a child").is_none(), "it waits for the answer");
    daemon.answer.send(()).expect("it waits");
    let said = child.wait_with_output().expect("it ends");
    assert_eq!(said.status.code(), Some(130));
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(err.contains("committed"), "{err}");
    assert!(
        daemon.came.recv_timeout(Duration::from_millis(200)).is_err(),
        "the rest of the script is not done"
    );
}

#[test]
fn a_second_interrupt_leaves_and_says_what_is_not_known() {
    let daemon = Daemon::start(Change::Hold);
    let mut child = crm(&daemon.socket(), SCRIPT);
    daemon.came.recv_timeout(WAIT).expect("a change");
    interrupt(&child);
    said_until(&mut child, "on their way");
    interrupt(&child);
    let said = child.wait_with_output().expect("it ends");
    assert_eq!(said.status.code(), Some(130));
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(err.contains("left without an answer: `crm configure show` tells"), "{err}");
}

#[test]
fn a_daemon_that_goes_away_in_the_middle_of_a_commit() {
    let daemon = Daemon::start(Change::Break);
    let child = crm(&daemon.socket(), SCRIPT);
    daemon.came.recv_timeout(WAIT).expect("a change");
    let said = child.wait_with_output().expect("it ends");
    assert!(!said.status.success());
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(err.contains("whether the request was carried out is"), "{err}");
    assert!(daemon.came.recv_timeout(Duration::from_millis(200)).is_err(), "the script ended there");
}

#[test]
fn a_daemon_that_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = crm(&folder.path().join("none"), "configure\nproperty no-quorum-policy=stop\n");
    let said = said.wait_with_output().expect("it ends");
    assert_eq!(said.status.code(), Some(102), "{said:?}");
    assert!(!String::from_utf8_lossy(&said.stderr).is_empty());
}
