//! Class `systemd`: agents' processes speak to a systemd of the test's own, on a bus of its own.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, missing_docs, reason = "tests of a shell")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hafen_agents::{AgentClass, AgentName, AgentPaths, Agents, Invocation, Outcome};
use zbus::connection::Builder;
use zbus::fdo;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

/// How long a job of the systemd here takes.
const JOB: Duration = Duration::from_millis(300);

/// The state of the units by name, and what was asked.
#[derive(Default)]
struct State {
    units: BTreeMap<String, String>,
    asked: Vec<String>,
    jobs: u32,
}

type Shared = Arc<Mutex<State>>;

#[derive(zbus::DBusError, Debug)]
#[zbus(prefix = "org.freedesktop.systemd1")]
enum Refusal {
    #[zbus(error)]
    ZBus(zbus::Error),
    NoSuchUnit(String),
    UnitMasked(String),
}

struct Manager(Shared);

impl Manager {
    /// Begins a job that ends after a while: with which result, and with the unit in which state.
    async fn job(
        &self,
        connection: &zbus::Connection,
        asked: &str,
        unit: &str,
        (result, state): (&'static str, &'static str),
    ) -> Result<OwnedObjectPath, Refusal> {
        let number = {
            let mut shared = self.0.lock().expect("the state");
            shared.asked.push(format!("{asked} {unit}"));
            shared.jobs += 1;
            shared.jobs
        };
        let path = format!("/org/freedesktop/systemd1/job/{number}");
        let job = OwnedObjectPath::try_from(path).expect("a path");
        let (connection, shared, unit, ended) =
            (connection.clone(), self.0.clone(), unit.to_owned(), job.clone());
        tokio::spawn(async move {
            // Another job's end comes first: it is not the one that is waited for.
            let emitter = SignalEmitter::new(&connection, "/org/freedesktop/systemd1").expect("a path");
            let other = ObjectPath::try_from("/org/freedesktop/systemd1/job/9999").expect("a path");
            Self::job_removed(&emitter, 9999, other, "other.service".into(), "failed".into())
                .await
                .expect("told");
            tokio::time::sleep(JOB).await;
            shared.lock().expect("the state").units.insert(unit.clone(), state.to_owned());
            Self::job_removed(&emitter, number, ended.into(), unit, result.into()).await.expect("told");
        });
        Ok(job)
    }
}

#[zbus::interface(name = "org.freedesktop.systemd1.Manager")]
impl Manager {
    fn subscribe(&self) {}

    fn reload(&self) {
        self.0.lock().expect("the state").asked.push("reload".into());
    }

    async fn load_unit(
        &self,
        #[zbus(connection)] connection: &zbus::Connection,
        name: &str,
    ) -> fdo::Result<OwnedObjectPath> {
        let escaped: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let path =
            OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/unit/{escaped}")).expect("a path");
        connection.object_server().at(&path, Unit { name: name.to_owned(), shared: self.0.clone() }).await?;
        Ok(path)
    }

    async fn start_unit(
        &self,
        #[zbus(connection)] connection: &zbus::Connection,
        name: &str,
        _mode: &str,
    ) -> Result<OwnedObjectPath, Refusal> {
        match name {
            "none.service" => Err(Refusal::NoSuchUnit(format!("Unit {name} not found."))),
            "masked.service" => Err(Refusal::UnitMasked(format!("Unit {name} is masked."))),
            "broken.service" => self.job(connection, "start", name, ("failed", "failed")).await,
            "brief.service" => self.job(connection, "start", name, ("done", "failed")).await,
            _ => self.job(connection, "start", name, ("done", "active")).await,
        }
    }

    async fn stop_unit(
        &self,
        #[zbus(connection)] connection: &zbus::Connection,
        name: &str,
        _mode: &str,
    ) -> Result<OwnedObjectPath, Refusal> {
        if name == "none.service" {
            return Err(Refusal::NoSuchUnit(format!("Unit {name} not loaded.")));
        }
        self.job(connection, "stop", name, ("done", "inactive")).await
    }

    #[allow(clippy::type_complexity, reason = "systemd's own")]
    fn list_units(
        &self,
    ) -> Vec<(String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath)>
    {
        let root = || OwnedObjectPath::try_from("/").expect("a path");
        let text = String::new;
        let of =
            |name: &str| (name.to_owned(), text(), text(), text(), text(), text(), root(), 0, text(), root());
        vec![of("web.service"), of("dev-sda.device"), of("init.scope")]
    }

    fn list_unit_files(&self) -> Vec<(String, String)> {
        let files = ["getty@.service", "web.service", "srv-vm.mount"];
        files.map(|file| (format!("/usr/lib/systemd/system/{file}"), "static".to_owned())).to_vec()
    }

    #[zbus(signal)]
    async fn job_removed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        job: ObjectPath<'_>,
        unit: String,
        result: String,
    ) -> zbus::Result<()>;
}

struct Unit {
    name: String,
    shared: Shared,
}

#[zbus::interface(name = "org.freedesktop.systemd1.Unit")]
impl Unit {
    #[zbus(property)]
    fn active_state(&self) -> String {
        let mut shared = self.shared.lock().expect("the state");
        let state = shared.units.get(&self.name).cloned().unwrap_or_else(|| "inactive".into());
        if state == "activating" {
            // It gets there between two looks.
            shared.units.insert(self.name.clone(), "active".into());
        }
        state
    }

    #[zbus(property)]
    fn description(&self) -> String {
        format!("What {} is <for>", self.name)
    }
}

/// A bus of its own, ended when dropped.
struct Bus {
    daemon: Child,
    folder: tempfile::TempDir,
}

impl Bus {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--nosyslog"])
            .arg(format!("--address=unix:path={}", folder.path().join("bus").display()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon starts");
        let bus = Self { daemon, folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !bus.folder.path().join("bus").exists() {
            assert!(Instant::now() < deadline, "the bus never came up");
            std::thread::sleep(Duration::from_millis(20));
        }
        bus
    }

    fn address(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    fn units(&self) -> std::path::PathBuf {
        self.folder.path().join("units")
    }

    fn agents(&self) -> Agents {
        let paths = AgentPaths {
            hafen: env!("CARGO_BIN_EXE_hafen").into(),
            init: vec![self.folder.path().join("init.d")],
            ..AgentPaths::default()
        };
        let units = self.units().to_string_lossy().into_owned();
        let environment = [("DBUS_SYSTEM_BUS_ADDRESS", self.address()), ("HAFEN_SYSTEMD_FOLDER", units)]
            .map(|(name, value)| (name.to_owned(), value));
        Agents { paths, environment: environment.into() }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

async fn run(agents: &Agents, agent: &str, task: &str) -> Outcome {
    let invocation = Invocation {
        agent: agent.parse::<AgentName>().expect("a name"),
        resource: "r".into(),
        task: task.into(),
        parameters: BTreeMap::new(),
        meta: BTreeMap::new(),
        timeout: Duration::from_secs(20),
    };
    match agents.start(&invocation, None) {
        Ok(running) => running.end().await,
        Err(not_started) => not_started.outcome,
    }
}

async fn systemd(bus: &Bus) -> (zbus::Connection, Shared) {
    let shared = Shared::default();
    let connection = Builder::address(bus.address().as_str())
        .expect("an address")
        .name("org.freedesktop.systemd1")
        .expect("a name")
        .serve_at("/org/freedesktop/systemd1", Manager(shared.clone()))
        .expect("a path")
        .build()
        .await
        .expect("a systemd");
    (connection, shared)
}

fn drop_in(units: &Path) -> Option<String> {
    std::fs::read_to_string(units.join("web.service.d/50-hafen.conf")).ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_start_and_stop_as_their_jobs_end() {
    let bus = Bus::start();
    let (_connection, shared) = systemd(&bus).await;
    let agents = bus.agents();
    let code = |outcome: &Outcome| outcome.rc.0;
    assert_eq!(code(&run(&agents, "systemd:web", "monitor").await), 7);
    let begun = Instant::now();
    let started = run(&agents, "systemd:web", "start").await;
    assert_eq!(code(&started), 0, "{started:?}");
    assert!(begun.elapsed() >= JOB, "the job was waited for");
    assert!(drop_in(&bus.units()).expect("written").contains("Restart=no"));
    assert_eq!(code(&run(&agents, "systemd:web", "monitor").await), 0);
    assert_eq!(
        code(&run(&agents, "service:web", "monitor").await),
        0,
        "without a script a service is a unit"
    );
    shared.lock().expect("the state").units.insert("web.service".into(), "activating".into());
    assert_eq!(code(&run(&agents, "systemd:web", "monitor").await), 0, "it was on its way");
    assert_eq!(code(&run(&agents, "systemd:web", "stop").await), 0);
    assert_eq!(drop_in(&bus.units()), None);
    assert_eq!(code(&run(&agents, "systemd:web", "monitor").await), 7);
    let asked = shared.lock().expect("the state").asked.clone();
    assert_eq!(asked, ["reload", "start web.service", "stop web.service", "reload"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_start_says_why() {
    let bus = Bus::start();
    let (connection, _shared) = systemd(&bus).await;
    let agents = bus.agents();
    for (agent, task, rc, reason) in [
        ("systemd:broken", "start", 1, "'failed'"),
        ("systemd:brief", "start", 1, "ended at once"),
        ("systemd:masked", "start", 1, "masked"),
        ("systemd:none", "start", 5, "not found"),
        ("systemd:web", "promote", 3, "no promote"),
    ] {
        let outcome = run(&agents, agent, task).await;
        let said = outcome.exit_reason.clone().unwrap_or_default();
        assert_eq!(outcome.rc.0, rc, "{agent} {task}: {outcome:?}");
        assert!(said.contains(reason), "{agent} {task}: {said}");
    }
    assert_eq!(run(&agents, "systemd:none", "stop").await.rc.0, 0, "what is not there does not run");
    let told = agents.metadata(&"systemd:web".parse().expect("a name")).await.expect("metadata");
    assert!(told.contains("What web.service is &lt;for>"), "{told}");
    // Nobody is systemd any more.
    drop(connection);
    let outcome = run(&agents, "systemd:web", "monitor").await;
    assert_eq!(outcome.rc.0, 1, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_are_listed_as_agents() {
    let bus = Bus::start();
    let (_connection, _shared) = systemd(&bus).await;
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_hafen"))
        .args(["ocf", "systemd", "list"])
        .env("DBUS_SYSTEM_BUS_ADDRESS", bus.address())
        .output()
        .await
        .expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "srv-vm.mount\nweb\n");
    // Without a bus there are none, and nobody waits.
    let paths = AgentPaths { hafen: env!("CARGO_BIN_EXE_hafen").into(), ..AgentPaths::default() };
    assert!(paths.list(AgentClass::Systemd).is_ok());
}
