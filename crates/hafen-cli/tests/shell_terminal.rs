//! The shell at a terminal: completion, history, questions, Ctrl-C. The terminal is `script`'s.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test of processes")]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const CIB: &str = r#"<cib crm_feature_set="3.20.0" validate-with="pacemaker-4.0" epoch="1" num_updates="0" admin_epoch="0">
<configuration><crm_config><cluster_property_set id="o"><nvpair id="o-s" name="stonith-enabled" value="false"/></cluster_property_set></crm_config><nodes><node id="1" uname="node1"/><node id="2" uname="node2"/></nodes><resources>
<primitive id="database" class="ocf" provider="pacemaker" type="Dummy"/></resources><constraints/></configuration><status/></cib>"#;
/// Longer nobody waits for what is to be seen.
const WAIT: Duration = Duration::from_secs(60);
const TAB: &str = "\t";
const UP: &str = "\x1b[A";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

/// A shell at a terminal of 80 columns.
struct Terminal {
    child: Child,
    keys: Option<ChildStdin>,
    shown: Receiver<Vec<u8>>,
    /// What was shown and not yet looked at.
    rest: String,
}

impl Terminal {
    fn start(home: &Path) -> Self {
        let command = format!("stty rows 24 cols 80; exec {} crm", env!("CARGO_BIN_EXE_hafen"));
        let mut child = Command::new("script")
            .args(["-qfec", &command, "/dev/null"])
            .env("HOME", home)
            .env("TERM", "xterm")
            .env("CIB_file", home.join("cib.xml"))
            .env_remove("XDG_STATE_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("CIB_shadow")
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("util-linux has `script`");
        let mut out = child.stdout.take().expect("piped");
        let (show, shown) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = out.read(&mut bytes) {
                if show.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keys = child.stdin.take();
        let mut terminal = Self { child, keys, shown, rest: String::new() };
        terminal.see("crm(live)# ");
        terminal
    }

    fn keys(&mut self, text: &str) {
        let keys = self.keys.as_mut().expect("not closed");
        keys.write_all(text.as_bytes()).and_then(|()| keys.flush()).expect("written");
    }

    /// Waits until something is shown, and gives what was shown before it.
    #[track_caller]
    fn see(&mut self, words: &str) -> String {
        let deadline = Instant::now() + WAIT;
        loop {
            if let Some(at) = self.rest.find(words) {
                let before = self.rest[..at].to_owned();
                self.rest = self.rest[at + words.len()..].to_owned();
                return before;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.shown.recv_timeout(left) {
                Ok(bytes) => self.rest += &String::from_utf8_lossy(&bytes),
                Err(error) => panic!("never {words:?} ({error}) in {:?}", self.rest),
            }
        }
    }

    /// Types a line, and waits for the next prompt. The editor may show the line, and the prompt before it, more than once.
    #[track_caller]
    fn line(&mut self, text: &str, prompt: &str) -> String {
        self.keys(text);
        let last = text.split(' ').next_back().unwrap_or("");
        // What may follow is shown after each blank, in the middle of the line.
        self.see(&last.chars().skip(1).collect::<String>());
        self.keys("\r");
        self.see("\n");
        self.see(prompt)
    }

    /// Waits until the shell has ended.
    #[track_caller]
    fn end(mut self) -> i32 {
        let deadline = Instant::now() + WAIT;
        // `script` ends with its input.
        drop(self.keys.take());
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code().unwrap_or(-1);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the shell does not end: {:?}", self.rest);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.keys.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join("cib.xml"), CIB).expect("written");
    home
}

fn cib(home: &tempfile::TempDir) -> String {
    fs::read_to_string(home.path().join("cib.xml")).expect("a CIB")
}

#[test]
fn words_ids_and_values_are_completed() {
    let home = home();
    let mut terminal = Terminal::start(home.path());
    terminal.keys(&format!("reso{TAB}"));
    terminal.see("resource ");
    terminal.keys(&format!("met{TAB}da{TAB}se{TAB}target-{TAB}Stopp{TAB}"));
    terminal.see("meta database set target-role Stopped ");
    terminal.line("", "crm(live)# ");
    assert!(cib(&home).contains(r#"name="target-role" value="Stopped""#), "{}", cib(&home));
    // Of several each is told with what it is.
    terminal.keys(&format!("node sta{TAB}"));
    terminal.see("standby");
    terminal.see("Let nothing run on a host");
    terminal.keys(CTRL_C);
    terminal.see("\n");
    terminal.see("crm(live)# ");
    terminal.keys(CTRL_D);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn pasted_lines_are_done_one_after_the_other() {
    let home = home();
    let mut terminal = Terminal::start(home.path());
    // As a terminal with bracketed paste sends them, and as one without.
    terminal.keys("\x1b[200~configure\nprimitive a ocf:pacemaker:Dummy \\\n  meta priority=3\n\x1b[201~\r");
    terminal.see("\n");
    terminal.see("crm(live)configure*# ");
    terminal.keys("primitive b ocf:pacemaker:Dummy\rcommit\rup\r");
    terminal.see("b would run nowhere");
    terminal.see("crm(live)# ");
    terminal.keys(CTRL_D);
    assert_eq!(terminal.end(), 0);
    let cib = cib(&home);
    assert!(cib.contains(r#"name="priority" value="3""#) && cib.contains(r#"<primitive id="b""#), "{cib}");
}

#[test]
fn a_statement_goes_on_over_lines_and_is_asked_about_when_somebody_leaves() {
    let home = home();
    let mut terminal = Terminal::start(home.path());
    terminal.line("configure", "crm(live)configure# ");
    terminal.keys("primitive new ocf:pacemaker:Dummy \\\r");
    terminal.line("meta priority=7", "crm(live)configure*# ");
    terminal.keys("up\r");
    terminal.see("not committed. Commit them? (y/n) ");
    terminal.keys("n\r");
    terminal.see("forgotten");
    terminal.see("crm(live)# ");
    terminal.line("configure", "crm(live)configure# ");
    terminal.line("primitive other ocf:pacemaker:Dummy meta priority=8", "crm(live)configure*# ");
    terminal.keys("quit\r");
    terminal.see("not committed. Commit them? (y/n) ");
    terminal.keys("y\r");
    terminal.see("These would not run");
    assert_eq!(terminal.end(), 0);
    let cib = cib(&home);
    assert!(cib.contains(r#"name="priority" value="8""#) && !cib.contains(r#"value="7""#), "{cib}");
}

#[test]
fn an_interrupt_forgets_the_line_and_nothing_else() {
    let home = home();
    let mut terminal = Terminal::start(home.path());
    terminal.line("configure", "crm(live)configure# ");
    terminal.line("primitive new ocf:pacemaker:Dummy", "crm(live)configure*# ");
    terminal.keys("delete database");
    terminal.see("atabase");
    terminal.keys(CTRL_C);
    terminal.see("\n");
    terminal.see("crm(live)configure*# ");
    let shown = terminal.line("show", "crm(live)configure*# ");
    assert!(shown.contains("new") && shown.contains("database"), "{shown}");
    // A mistake ends nothing, either.
    let shown = terminal.line("primitve x Dummy", "crm(live)configure*# ");
    assert!(shown.contains("did you mean `primitive`?"), "{shown}");
    terminal.line("commit", "crm(live)configure# ");
    assert!(cib(&home).contains(r#"<primitive id="new""#), "{}", cib(&home));
    terminal.keys(CTRL_D);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn lines_are_remembered_but_for_secrets() {
    let home = home();
    let mut terminal = Terminal::start(home.path());
    terminal.line("help resource move", "crm(live)# ");
    terminal.line("resource param database set password geheim", "crm(live)# ");
    terminal.keys("quit\r");
    assert_eq!(terminal.end(), 0);
    let file = home.path().join(".local/state/hafen/crm_history");
    let kept = fs::read_to_string(&file).expect("a history");
    assert!(kept.contains("help resource move") && !kept.contains("geheim"), "{kept}");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o077, 0, "for its owner alone");
    let mut terminal = Terminal::start(home.path());
    terminal.keys(&format!("{UP}{UP}"));
    terminal.see("help resource move");
    terminal.keys(CTRL_C);
    terminal.see("crm(live)# ");
    terminal.keys(CTRL_D);
    assert_eq!(terminal.end(), 0);
}
