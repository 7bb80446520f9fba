//! The shell at a terminal, which is `script`'s.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longer nobody waits for what is to be seen.
const WAIT: Duration = Duration::from_secs(60);

/// A shell at a terminal of 80 columns.
pub(crate) struct Terminal {
    child: Child,
    keys: Option<ChildStdin>,
    shown: Receiver<Vec<u8>>,
    /// What was shown and not yet looked at.
    rest: String,
}

impl Terminal {
    pub(crate) fn start(home: &Path) -> Self {
        let command = format!("stty rows 24 cols 80; exec {} crm", env!("CARGO_BIN_EXE_hafen"));
        let mut child = Command::new("script")
            .args(["-qfec", &command, "/dev/null"])
            .env("HOME", home)
            .env("TERM", "xterm")
            .env("CIB_file", home.join("cib.xml"))
            .env_remove("XDG_STATE_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env("CIB_shadow_dir", home)
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

    pub(crate) fn keys(&mut self, text: &str) {
        let keys = self.keys.as_mut().expect("not closed");
        keys.write_all(text.as_bytes()).and_then(|()| keys.flush()).expect("written");
    }

    /// Waits until something is shown, and gives what was shown before it.
    #[track_caller]
    pub(crate) fn see(&mut self, words: &str) -> String {
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
    pub(crate) fn line(&mut self, text: &str, prompt: &str) -> String {
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
    pub(crate) fn end(mut self) -> i32 {
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
