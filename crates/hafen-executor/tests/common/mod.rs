//! What the tests of the process share: an executor in a process of its own, agents that obey files, a daemon's client.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hafen_agents::{AgentPaths, Agents};
use hafen_executor::client::{ClientError, EventReceiver, RequestSender, Welcome, connect};
use hafen_executor::watchdog::WatchdogConfig;
use hafen_executor::wire::{Event, Operation, OperationResult, Request};
use hafen_executor::{ExecutorConfig, run};
use hafen_sys::{ProcessIdentity, Signal};
use tempfile::TempDir;

/// The longest that anything here is waited for: only a failing test takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const FOLDER_VARIABLE: &str = "HAFEN_TEST_EXECUTOR_FOLDER";
/// The test of this name is the executor's process when the variable is set: each test file has to have it.
const EXECUTOR_TEST: &str = "executor_process";

/// The body of the test [`EXECUTOR_TEST`].
pub(crate) fn executor_process() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from) else { return };
    let paths = AgentPaths {
        ocf_extra: vec![folder.join("resource.d")],
        fence: vec![folder.join("fence")],
        ..AgentPaths::default()
    };
    let config = ExecutorConfig {
        socket: folder.join("socket"),
        journal: folder.join("journal/executor"),
        agents: Agents { paths, ..Agents::default() },
        concurrent_runs_limit: 16,
        watchdog: Some(WatchdogConfig::Socket(folder.join("switch"), "host2".to_owned())),
        daemon_restart_timeout_ms: 1_500,
    };
    if let Err(error) = run(config) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

/// A host: a folder with agents, a journal and a socket, and at times an executor.
pub(crate) struct Host {
    folder: TempDir,
    pub(crate) executor: Option<Child>,
    /// Processes to be ended with the test, whatever becomes of it.
    left: Vec<ProcessIdentity>,
}

/// The agent: it writes a line to `log` and does what the file `behaviour-TASK` says, a shell script.
const AGENT: &str = r#"cd "$OCF_RESKEY_folder" || exit 1
echo "$OCF_RESOURCE_INSTANCE $1 begin $$" >> log
test -e "behaviour-$1" && . "./behaviour-$1"
echo "$OCF_RESOURCE_INSTANCE $1 end $$" >> log
exit ${rc:-0}"#;

impl Host {
    pub(crate) fn new() -> Self {
        let host = Self { folder: tempfile::tempdir().expect("a folder"), executor: None, left: Vec::new() };
        host.script("resource.d/test/obedient", AGENT);
        host
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes an executable script, through another process: see the same in the tests of the agents.
    pub(crate) fn script(&self, name: &str, body: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        let script = "cat > \"$0\" && chmod 755 \"$0\"";
        let mut writer =
            Command::new("sh").args(["-c", script]).arg(&path).stdin(Stdio::piped()).spawn().expect("sh");
        writer
            .stdin
            .take()
            .expect("piped")
            .write_all(format!("#!/bin/sh\n{body}\n").as_bytes())
            .expect("written");
        assert!(writer.wait().expect("sh ends").success());
    }

    /// What the agent does at this task.
    pub(crate) fn behaviour(&self, task: &str, body: &str) {
        let path = self.path().join(format!("behaviour-{task}"));
        let new = path.with_extension("new");
        std::fs::write(&new, body).expect("written");
        std::fs::rename(new, path).expect("renamed");
    }

    pub(crate) fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path().join("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How many lines of the log begin with this.
    pub(crate) fn count(&self, beginning: &str) -> usize {
        self.log().iter().filter(|line| line.starts_with(beginning)).count()
    }

    /// Waits for a line of the log that begins with this, and gives the process in it.
    pub(crate) async fn process_at(&mut self, beginning: &str) -> ProcessIdentity {
        let found = |host: &Self| {
            let line = host.log().into_iter().find(|line| line.starts_with(beginning))?;
            line.rsplit(' ').next()?.parse().ok()
        };
        until(|| found(self).is_some(), beginning).await;
        let process = ProcessIdentity::of(found(self).expect("a process id")).expect("the process runs");
        self.left.push(process);
        process
    }

    /// Starts an executor.
    pub(crate) fn start(&mut self) {
        assert!(self.executor.is_none());
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", EXECUTOR_TEST, "--nocapture", "--test-threads=1"]);
        command.env(FOLDER_VARIABLE, self.path()).stdin(Stdio::null()).stdout(Stdio::null());
        self.executor = Some(command.spawn().expect("the executor starts"));
    }

    /// Kills the executor as hard as it gets.
    pub(crate) fn kill(&mut self) {
        let mut executor = self.executor.take().expect("an executor runs");
        executor.kill().expect("it can be killed");
        executor.wait().expect("it ends");
    }

    /// Connects a daemon, waiting for the executor to listen.
    pub(crate) async fn connect(&mut self) -> Daemon {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match connect(&self.path().join("socket")).await {
                Ok((sender, receiver, welcome)) => {
                    return Daemon { sender, receiver, welcome, folder: self.path().to_owned() };
                }
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            let ended = self.executor.as_mut().expect("an executor runs").try_wait().expect("its state");
            assert!(ended.is_none(), "the executor has ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut executor) = self.executor.take() {
            let _ = executor.kill();
            let _ = executor.wait();
        }
        for line in self.log() {
            let process = line
                .rsplit(' ')
                .next()
                .and_then(|pid| pid.parse().ok())
                .and_then(|pid| ProcessIdentity::of(pid).ok());
            // The log names processes of this test only, and those that are left are its agents.
            let folder = self.path().as_os_str().as_encoded_bytes().to_owned();
            let of_this_test = |process: &ProcessIdentity| {
                let environment = std::fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
                environment.windows(folder.len()).any(|window| window == folder)
            };
            if let Some(process) = process.filter(of_this_test) {
                self.left.push(process);
            }
        }
        for process in self.left.iter().filter(|process| process.is_running()) {
            let _ = hafen_sys::kill_process(process.pid, Signal::KILL);
        }
    }
}

/// Waits until it holds.
pub(crate) async fn until(mut holds: impl FnMut() -> bool, what: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A daemon, as far as the executor sees one.
pub(crate) struct Daemon {
    sender: RequestSender,
    receiver: EventReceiver,
    pub(crate) welcome: Welcome,
    folder: PathBuf,
}

impl Daemon {
    pub(crate) async fn send(&mut self, request: Request) {
        self.sender.send(&request).await.expect("the executor takes requests");
    }

    pub(crate) fn operation(&self, resource: &str, task: &str, interval_ms: u64) -> Operation {
        let folder = self.folder.to_str().expect("text").to_owned();
        Operation {
            resource: resource.to_owned(),
            agent: "ocf:test:obedient".parse().expect("a name"),
            task: task.to_owned(),
            interval_ms,
            timeout_ms: 60_000,
            start_delay_ms: 0,
            parameters: BTreeMap::from([("folder".to_owned(), folder)]),
            meta: BTreeMap::new(),
            transition_key: String::new(),
            user_data: format!("{resource}/{task}"),
        }
    }

    pub(crate) async fn execute(&mut self, resource: &str, task: &str, interval_ms: u64) {
        let operation = self.operation(resource, task, interval_ms);
        self.send(Request::Execute(operation)).await;
    }

    pub(crate) async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(PATIENCE, self.receiver.receive()).await;
        event.expect("an event comes").expect("the connection holds")
    }

    /// The end of the connection; events before it are dropped.
    pub(crate) async fn end(&mut self) -> ClientError {
        loop {
            match tokio::time::timeout(PATIENCE, self.receiver.receive()).await.expect("the connection ends")
            {
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }

    /// The next result, which is not acknowledged; other events are dropped.
    pub(crate) async fn result(&mut self) -> OperationResult {
        loop {
            if let Event::Result(result) = self.event().await {
                return *result;
            }
        }
    }

    pub(crate) async fn acknowledge(&mut self, sequence: u64) {
        self.send(Request::Acknowledge { sequence }).await;
    }
}

/// A result in short.
pub(crate) fn short(result: &OperationResult) -> String {
    let OperationResult { operation: Operation { resource, task, .. }, end, .. } = result;
    format!("{resource} {task} {} {}", end.rc.0, end.op_status.code())
}
