//! The full screen on a real pseudo-terminal.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use hafen_client::Client;
use hafen_lab::Lab;
use hafen_protocol::client::Edit;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{EXECUTABLE, Place, can_hold_a_lab, hosts, up};

const PATIENCE: Duration = Duration::from_secs(60);
const COLUMNS: usize = 80;
const LINES: usize = 24;
/// What a program writes to have the terminal's other screen, and to give it back.
const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";

/// A terminal: what was written to it, and what is to be seen of that.
struct Terminal {
    script: Child,
    bytes: Receiver<Vec<u8>>,
    written: Vec<u8>,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

impl Terminal {
    /// Runs a shell's commands on a pseudo-terminal, which util-linux's `script` makes.
    fn new(commands: &str, lab: &Path, variables: &[(&str, &str)]) -> Self {
        let commands = format!("stty cols {COLUMNS} rows {LINES}; {commands}");
        let mut command = Command::new("script");
        command.args(["-qfec", &commands, "/dev/null"]).env("TERM", "xterm").env("HAFEN_LAB", lab);
        command.env_remove("HAFEN_SOCKET").env_remove("NO_COLOR").envs(variables.iter().copied());
        let mut script =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("util-linux has script");
        let mut out = script.stdout.take().expect("piped");
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { script, bytes, written: Vec::new() }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.written).into_owned()
    }

    /// Waits until what was written, or what is seen of it, is as wanted.
    fn until(&mut self, what: &str, holds: impl Fn(&str, &str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (text, seen) = (self.text(), seen(&self.text()));
            if holds(&text, &seen) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.bytes.recv_timeout(left) {
                Ok(bytes) => self.written.extend(bytes),
                Err(RecvTimeoutError::Timeout) => panic!("never came about: {what}\n{seen}"),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended before: {what}\n{text}"),
            }
        }
    }

    fn press(&mut self, keys: &str) {
        let stdin = self.script.stdin.as_mut().expect("piped");
        stdin.write_all(keys.as_bytes()).and_then(|()| stdin.flush()).expect("a key");
    }
}

/// What a terminal shows: as much of its language as the screen speaks.
fn seen(text: &str) -> String {
    let mut grid = vec![vec![' '; COLUMNS]; LINES];
    let (mut line, mut column) = (0, 0);
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => {
                if chars.next() != Some('[') {
                    continue;
                }
                let mut parameters = String::new();
                let last = chars.by_ref().find(|char| {
                    parameters.push(*char);
                    ('@'..='~').contains(char)
                });
                let mut numbers =
                    parameters.split(|char: char| !char.is_ascii_digit()).map(str::parse::<usize>);
                let mut number = || numbers.next().and_then(Result::ok).unwrap_or(1).max(1) - 1;
                match last {
                    Some('H') => (line, column) = (number(), number()),
                    Some('J') => grid.iter_mut().flatten().for_each(|cell| *cell = ' '),
                    _ => {}
                }
            }
            '\r' => column = 0,
            '\n' => line += 1,
            char => {
                if let Some(cell) = grid.get_mut(line).and_then(|line| line.get_mut(column)) {
                    *cell = char;
                }
                column += 1;
            }
        }
    }
    grid.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned() + "\n").collect()
}

/// A client of a daemon, once one has a quorate cluster.
fn answering(lab: &Lab) -> Client {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut client = lab.any_client(PATIENCE).ok().map(|(_, client)| client);
        let status = client.as_mut().and_then(|client| client.status().ok());
        if let (Some(client), true) = (client, status.is_some_and(|status| status.coordinator.is_some())) {
            return client;
        }
        assert!(Instant::now() < deadline, "no daemon answers");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn dummy(id: &str) -> Edit {
    let xml = format!(r#"<primitive id="{id}" class="ocf" provider="pacemaker" type="Dummy"/>"#);
    Edit::Create { section: "resources".to_owned(), xml }
}

/// Runs it, says how it ended, and how the terminal is then.
fn and_after(program: &str) -> String {
    format!("{program}; echo ended $?; stty -a | grep -o '[-]*icanon'; echo over")
}

fn gave_the_terminal_back(terminal: &mut Terminal, status: i32) {
    terminal.until("it ends", |text, _| text.contains("over\r\n"));
    let text = terminal.text();
    let (_, after) = text.rsplit_once(LEAVE).expect("the other screen was left");
    assert!(after.contains(&format!("ended {status}\r\n")), "{after:?}");
    assert!(after.contains("icanon") && !after.contains("-icanon"), "lines are edited again: {after:?}");
}

/// What a terminal shows of a cluster: a move and its preview, a host that is lost, and the terminal as it was before.
#[test]
fn the_screen_shows_a_cluster_and_moves_what_runs_in_it() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(3));
    let mut client = answering(&lab);
    client.change(vec![dummy("first")], false, "test").expect("changed");
    let mut terminal =
        Terminal::new(&and_after(&format!("{EXECUTABLE} crm_mon")), place.layout().root(), &[]);
    let runs = |seen: &str| {
        let its = |line: &&str| line.contains(" first ") && line.contains("Started");
        seen.lines().find(its).and_then(|line| line.split_whitespace().last().map(str::to_owned))
    };
    terminal.until("all is well", |_, seen| {
        seen.contains("3 of 3 hosts online") && seen.contains("Settled") && runs(seen).is_some()
    });
    assert!(terminal.text().contains(ENTER));
    let from = runs(&seen(&terminal.text())).expect("it runs");
    client.change(vec![dummy("second")], false, "test").expect("changed");
    terminal.until("a change is seen", |_, seen| {
        seen.lines().any(|line| line.contains(" second ") && line.contains("Started"))
    });
    terminal.press("/first\r");
    terminal.until("the others are hidden", |_, seen| {
        let mut rows = seen.lines().filter(|line| line.contains("Started"));
        rows.next().is_some_and(|line| line.contains("first")) && rows.next().is_none()
    });
    terminal.press("e");
    terminal.until("it is explained", |_, seen| {
        seen.contains("Why first is where it is") && seen.contains("Scores of first")
    });
    terminal.press("q");
    terminal.until("back", |_, seen| seen.contains("filter: first"));
    terminal.press("m");
    terminal.until("which host", |_, seen| seen.contains("Move first to which host?"));
    let to = seen(&terminal.text())
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(1).map(str::to_owned));
    let to = to.expect("a host is chosen");
    assert_ne!(to, from, "where it runs it is not moved");
    terminal.press("\r");
    let preview = format!("Move first from {from} to {to}");
    terminal.until("what it leads to", |_, seen| seen.contains(&preview) && seen.contains("y do it"));
    assert!(!client.cib(false).expect("a CIB").contains("cli-prefer"), "nothing is done before a yes");
    terminal.press("y");
    terminal.until("it is done", |_, seen| {
        seen.contains("DONE: Move first") && runs(seen).as_deref() == Some(&to)
    });
    assert!(client.cib(false).expect("a CIB").contains("cli-prefer-first"));
    let mut kill = Command::new(EXECUTABLE);
    let killed = kill.args(["lab", "kill", &to]).env("HAFEN_LAB", place.layout().root()).status();
    assert!(killed.expect("hafen runs").success());
    terminal.press("\u{1b}ff");
    let word = format!("Fencing of {to} (reboot) succeeded");
    terminal.until("the loss is told", |_, seen| seen.contains("Fencing history") && seen.contains(&word));
    terminal.press("f");
    terminal.until("events are told", |_, seen| {
        seen.contains("Events, the newest first") && seen.contains("settled")
    });
    terminal.press("\u{1b}q");
    gave_the_terminal_back(&mut terminal, 0);
}

#[test]
fn a_signal_ends_the_screen_and_the_terminal_is_as_it_was() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, hosts(1));
    drop(answering(&lab));
    let file = place.layout().root().join("screen.pid");
    for (words, signal) in [("crm_mon", Signal::TERM), ("status --watch", Signal::HUP)] {
        let program = format!("sh -c 'echo $$ >{}; exec {EXECUTABLE} {words}'", file.display());
        let mut terminal = Terminal::new(&and_after(&program), place.layout().root(), &[]);
        terminal.until("it is shown", |_, seen| seen.contains("hosts online"));
        let number = std::fs::read_to_string(&file).expect("a number");
        let pid = number.trim().parse().ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("signalled");
        gave_the_terminal_back(&mut terminal, 0);
    }
}

/// What there is no screen for stays as it was: a file, a terminal that can do nothing, what the screen does not have.
#[test]
fn without_a_daemon_or_a_terminal_there_is_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cib.xml");
    let cib = r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0"><configuration><crm_config/>
        <nodes><node id="1" uname="node1"/></nodes><resources/><constraints/></configuration><status/></cib>"#;
    std::fs::write(&file, cib).expect("written");
    let path = file.to_str().expect("a path");
    let program = and_after(&format!("{EXECUTABLE} crm_mon"));
    let mut terminal = Terminal::new(&program, folder.path(), &[("CIB_file", path)]);
    terminal.until("it is shown once", |text, _| text.contains("Node List:") && text.contains("ended 0"));
    assert!(!terminal.text().contains(ENTER));
    let mut terminal = Terminal::new(&program, folder.path(), &[("HAFEN_SOCKET", "/nowhere/daemon.sock")]);
    terminal.until("nobody answers", |text, _| {
        text.contains("Connection to cluster failed") && text.contains("ended 102")
    });
    assert!(!terminal.text().contains(ENTER), "the terminal is left alone");
}
