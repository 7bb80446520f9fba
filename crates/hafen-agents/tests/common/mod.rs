//! What the tests of agents share: agents written into a folder of the test's own.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hafen_agents::{AgentName, AgentPaths, Agents, Invocation, Outcome};
use tempfile::TempDir;

/// A folder with agents of provider `test` and with fence agents.
pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// Writes an executable shell script. Another process writes it: a descriptor of this process, open for writing in a child
    /// that another test is just starting, would make the kernel refuse to run it.
    pub(crate) fn script(&self, path: &str, body: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        let script = "cat > \"$0\" && chmod 755 \"$0\"";
        let mut writer =
            Command::new("sh").args(["-c", script]).arg(&path).stdin(Stdio::piped()).spawn().expect("sh");
        let text = format!("#!/bin/sh\n{body}\n");
        writer.stdin.take().expect("piped").write_all(text.as_bytes()).expect("the script can be written");
        assert!(writer.wait().expect("sh ends").success());
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn agents(&self) -> Agents {
        let paths = AgentPaths {
            ocf_extra: vec![self.path().join("resource.d")],
            fence: vec![self.path().join("fence")],
            init: vec![self.path().join("init.d")],
            heartbeat: vec![self.path().join("ha.d")],
            ..AgentPaths::default()
        };
        Agents { paths, ..Agents::default() }
    }
}

pub(crate) fn invocation(agent: &str, task: &str, parameters: &[(&str, &str)]) -> Invocation {
    Invocation {
        agent: agent.parse::<AgentName>().expect("an agent's name"),
        resource: "rsc1".to_owned(),
        task: task.to_owned(),
        parameters: parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        meta: BTreeMap::from([
            ("timeout".to_owned(), "20000".to_owned()),
            ("on-fail".to_owned(), "block".to_owned()),
        ]),
        timeout: Duration::from_secs(60),
    }
}

pub(crate) async fn run(agents: &Agents, invocation: &Invocation) -> Outcome {
    match agents.start(invocation, None) {
        Ok(running) => running.end().await,
        Err(not_started) => not_started.outcome,
    }
}

/// Whether the test can go on: it cannot where agents are not installed, which fails it under CI.
pub(crate) fn installed(agents: &Agents, names: &[&str]) -> bool {
    for name in names {
        if let Err(error) = agents.paths.find(&name.parse().expect("an agent's name")) {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{error}");
            eprintln!("skipped: {error}");
            return false;
        }
    }
    true
}
