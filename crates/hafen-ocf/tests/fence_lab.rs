//! `fence_hafen_lab` against power switches that work, lie, refuse and hang.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use hafen_ocf::power_wire::{Answer, Request};

/// Tells this program to be the agent with this action, `-` for the one on standard input.
const CALL_VARIABLE: &str = "HAFEN_FENCE_TEST_CALL";

/// Not a test: the agent's own process, when this program is started as one.
#[test]
fn agent_process() {
    if let Ok(action) = std::env::var(CALL_VARIABLE) {
        std::process::exit(hafen_ocf::main("fence_hafen_lab", action.trim_start_matches('-')));
    }
}

/// How a switch behaves.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Works,
    /// Agrees to everything and does nothing.
    Lies,
    /// Works, except that nothing comes on again.
    StaysOff,
    Refuses,
    Hangs,
    Babbles,
}

struct Switch {
    folder: tempfile::TempDir,
    is_on: Arc<Mutex<bool>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Switch {
    /// A switch with one host, `host2`, which is on.
    fn start(manner: Manner) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("power.sock")).expect("a socket");
        let is_on = Arc::new(Mutex::new(true));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let switch = Self { folder, is_on: Arc::clone(&is_on), requests: Arc::clone(&requests) };
        thread::spawn(move || {
            let mut hung = Vec::new();
            for stream in listener.incoming().flatten() {
                match manner {
                    Manner::Hangs => hung.push(stream),
                    _ => serve(stream, manner, &is_on, &requests),
                }
            }
        });
        switch
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("power.sock")
    }

    fn is_on(&self) -> bool {
        *self.is_on.lock().expect("no panic")
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

fn serve(stream: UnixStream, manner: Manner, is_on: &Mutex<bool>, requests: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|length| length > 0) {
        let request: Request = serde_json::from_str(&line).expect("a request");
        line.clear();
        requests.lock().expect("no panic").push(request.request.clone());
        let mut state = is_on.lock().expect("no panic");
        let answer = |result: &str| Answer { result: result.into(), ..Answer::default() };
        let answer = match (manner, request.request.as_str()) {
            (Manner::Babbles, _) => answer("perhaps"),
            (Manner::Refuses, _) => Answer { detail: Some("the fuse has blown".into()), ..answer("error") },
            (_, "list") => Answer { hosts: vec!["host1".into(), "host2".into()], ..answer("ok") },
            _ if request.host.as_deref() != Some("host2") => {
                Answer { detail: Some("no such host".into()), ..answer("error") }
            }
            (_, "status") => answer(if *state { "on" } else { "off" }),
            (Manner::Lies, _) => answer("ok"),
            (Manner::StaysOff, "on") => answer("ok"),
            (_, word) => {
                *state = word == "on";
                answer("ok")
            }
        };
        let text = serde_json::to_string(&answer).expect("JSON");
        if lines.get_mut().write_all(format!("{text}\n").as_bytes()).is_err() {
            return;
        }
    }
}

/// Calls the agent with lines on standard input: exit status, standard output and error.
fn fence(input: &str) -> (i32, String, String) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["agent_process", "--exact", "--nocapture"]).env(CALL_VARIABLE, "-");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the agent starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("the agent reads");
    drop(stdin);
    let Output { status, stdout, stderr } = child.wait_with_output().expect("the agent ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code().unwrap_or(-1), text(&stdout), text(&stderr))
}

fn ask(switch: &Switch, action: &str, more: &str) -> (i32, String, String) {
    let socket = switch.socket();
    fence(&format!("# a comment\n\naction={action}\nplug=host2\nswitch={}\n{more}", socket.display()))
}

#[test]
fn a_switch_that_works_is_read_back() {
    let switch = Switch::start(Manner::Works);
    let (status, output, _) = ask(&switch, "status", "");
    assert_eq!((status, output.contains("Status: ON")), (0, true));
    assert_eq!(ask(&switch, "off", "").0, 0);
    assert!(!switch.is_on());
    assert_eq!(switch.requests(), ["status", "off", "status"]);
    let (status, output, _) = ask(&switch, "status", "");
    assert_eq!((status, output.contains("Status: OFF")), (2, true));
    assert_eq!(ask(&switch, "on", "").0, 0);
    assert!(switch.is_on());
    assert_eq!(ask(&switch, "monitor", "").0, 0);
    let (status, output, _) = ask(&switch, "list", "");
    assert_eq!((status, output.contains("host1,\nhost2,\n")), (0, true));
}

#[test]
fn a_reboot_is_off_read_back_and_on() {
    let switch = Switch::start(Manner::Works);
    assert_eq!(ask(&switch, "reboot", "").0, 0);
    assert_eq!(switch.requests(), ["off", "status", "on", "status"]);
    assert!(switch.is_on());
}

#[test]
fn a_host_that_stays_off_has_been_fenced() {
    let switch = Switch::start(Manner::StaysOff);
    let (status, _, said) = ask(&switch, "reboot", "power_timeout=300ms\n");
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("does not come on again"), "{said}");
    assert_eq!(ask(&switch, "on", "power_timeout=300ms\n").0, 1);
}

#[test]
fn what_the_switch_only_claims_is_a_failure() {
    for manner in [Manner::Lies, Manner::Refuses, Manner::Hangs, Manner::Babbles] {
        let switch = Switch::start(manner);
        for action in ["off", "reboot"] {
            let (status, _, said) = ask(&switch, action, "power_timeout=300ms\n");
            assert_eq!(status, 1, "{said}");
            assert!(said.contains("host2"), "{said}");
            assert!(switch.is_on());
        }
    }
    let switch = Switch::start(Manner::Hangs);
    for action in ["status", "monitor", "list"] {
        assert_eq!(ask(&switch, action, "power_timeout=300ms\n").0, 1, "{action}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let switch = Switch::start(Manner::Refuses);
    let (_, _, said) = ask(&switch, "off", "");
    assert!(said.contains("the fuse has blown"), "{said}");
    let (status, _, said) = fence("action=off\nplug=host2\nswitch=/nonexistent/power.sock\n");
    assert_eq!(status, 1);
    assert!(said.contains("/nonexistent/power.sock"), "{said}");
    let (status, _, said) = fence("action=off\n");
    assert_eq!(status, 1);
    assert!(said.contains("plug=HOST"), "{said}");
    let switch = Switch::start(Manner::Works);
    let socket = switch.socket();
    let (status, _, said) = fence(&format!("action=off\nport=host9\nswitch={}\n", socket.display()));
    assert_eq!((status, said.contains("no such host")), (1, true), "{said}");
    assert_eq!(ask(&switch, "explode", "").0, 1);
}

#[test]
fn the_metadata_names_all_actions() {
    let (status, output, _) = fence("action=metadata\n");
    assert_eq!(status, 0);
    // The test harness speaks first.
    let begin = output.find("<?xml").expect("XML");
    let metadata = hafen_cib::metadata::AgentMetadata::parse(&output[begin..]).expect("sound metadata");
    for action in ["on", "off", "reboot", "status", "monitor", "list", "metadata"] {
        assert!(metadata.action(action).is_some(), "{action}");
    }
    for parameter in ["action", "plug", "switch", "power_timeout"] {
        assert!(metadata.parameter(parameter).is_some(), "{parameter}");
    }
}
