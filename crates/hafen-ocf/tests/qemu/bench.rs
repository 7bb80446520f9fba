//! A bench for virtual machines: a folder that all hosts share, hosts, and what the guests left on disk and serial port.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use hafen_ocf::qemu::instance::Instance;
use hafen_sys::{ProcessIdentity, Signal, kill_process};

/// Tells this program to be an agent: `AGENT ACTION`.
pub(crate) const CALL_VARIABLE: &str = "HAFEN_OCF_TEST_CALL";
/// The bound of every wait: far beyond what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Where the guest's kernel and initramfs are; none when QEMU is missing, which only fails under `CI`.
pub(crate) fn guest() -> Option<&'static Path> {
    static GUEST: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let qemu = Command::new("qemu-system-x86_64").arg("--version").stdout(Stdio::null()).status();
        if qemu.is_err() {
            assert!(
                std::env::var_os("CI").is_none(),
                "qemu-system-x86_64 is missing: run guest/install-qemu.sh"
            );
            eprintln!("skipped: qemu-system-x86_64 is missing (guest/install-qemu.sh installs it)");
            return None;
        }
        if let Some(folder) = std::env::var_os("HAFEN_GUEST_DIR") {
            return Some(PathBuf::from(folder));
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest/build.sh");
        let built = Command::new(script).arg(&folder).status().expect("guest/build.sh starts");
        assert!(built.success(), "guest/build.sh failed");
        Some(folder)
    };
    GUEST.get_or_init(find).as_deref()
}

/// Waits for an answer, within a bound.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(begin.elapsed() < PATIENCE, "waited too long for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// One report of a guest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heartbeat {
    /// The boot that it comes from.
    pub(crate) boot: String,
    /// The count on the guest's disk.
    pub(crate) count: u64,
}

impl Heartbeat {
    fn parse(line: &str) -> Option<Self> {
        let fields: BTreeMap<&str, &str> =
            line.strip_prefix("HB ")?.split_whitespace().filter_map(|word| word.split_once('=')).collect();
        fields.get("up")?.parse::<f64>().ok()?;
        Some(Self { boot: (*fields.get("boot")?).into(), count: fields.get("n")?.parse().ok()? })
    }
}

/// One virtual machine, `vm1`, and two hosts that may run it. Ends every process that it started when it is dropped.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    parameters: BTreeMap<String, String>,
    children: Vec<Child>,
}

impl Bench {
    /// A fresh disk, nothing running; none when there is no QEMU.
    pub(crate) fn new(more_append: &str) -> Option<Self> {
        let guest = guest()?;
        let folder = tempfile::Builder::new().prefix("hq").tempdir().expect("a folder");
        let disk = folder.path().join("vm1.raw");
        fs::File::create(&disk).and_then(|file| file.set_len(1 << 20)).expect("a disk");
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let append = format!("console=ttyS0 quiet panic=-1 hafen.name=vm1 hafen.interval=0.1 {more_append}");
        let parameters = BTreeMap::from([
            ("memory".to_owned(), "96".to_owned()),
            ("kernel".into(), path(guest.join("kernel"))),
            ("initrd".into(), path(guest.join("initrd"))),
            ("append".into(), append),
            ("disk".into(), path(disk)),
            ("serial".into(), path(folder.path().join("vm1.serial"))),
            ("migrate_dir".into(), path(folder.path().into())),
            ("accel".into(), "tcg".into()),
        ]);
        Some(Self { folder, parameters, children: Vec::new() })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets a parameter of the resource.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.parameters.insert(name.into(), value.into());
    }

    fn state_dir(&self, host: &str) -> PathBuf {
        self.path(host)
    }

    pub(crate) fn instance(&self, host: &str) -> Instance {
        Instance::in_state_dir(&self.state_dir(host), "vm1")
    }

    /// The QEMU of `vm1` on a host.
    pub(crate) fn qemu(&self, host: &str) -> Option<ProcessIdentity> {
        self.instance(host).process().expect("/proc can be read")
    }

    fn call(&self, host: &str, call: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["agent_process", "--exact", "--nocapture"]).env(CALL_VARIABLE, call);
        command.env("HAFEN_QEMU_STATE_DIR", self.state_dir(host)).env("OCF_RESOURCE_INSTANCE", "vm1");
        command.stdin(Stdio::null());
        command
    }

    /// An action of the agent, ready to be started.
    pub(crate) fn agent(&self, host: &str, action: &str) -> Command {
        let mut command = self.call(host, &format!("qemu {action}"));
        for (name, value) in &self.parameters {
            command.env(format!("OCF_RESKEY_{name}"), value);
        }
        command.env("OCF_RESKEY_CRM_meta_timeout", "120000");
        let other = if host == "a" { "b" } else { "a" };
        command.env("OCF_RESKEY_CRM_meta_migrate_target", other);
        command.env("OCF_RESKEY_CRM_meta_migrate_source", other);
        command
    }

    /// Runs an action to its end: the exit status and what it said.
    pub(crate) fn run(&self, host: &str, action: &str) -> (i32, String) {
        let Output { status, stderr, .. } = self.agent(host, action).output().expect("the agent starts");
        (status.code().unwrap_or(-1), String::from_utf8_lossy(&stderr).into_owned())
    }

    /// Runs an action that must end with this exit status; what it said.
    pub(crate) fn expect(&self, host: &str, action: &str, wanted: i32) -> String {
        let (status, said) = self.run(host, action);
        assert_eq!(status, wanted, "{action} on {host}: {said}");
        said
    }

    /// Starts a host's receiver, and waits until it listens.
    pub(crate) fn start_receiver(&mut self, host: &str) -> u32 {
        let socket = self.path(&format!("{host}.sock"));
        // What a killed receiver left would look like the new one's.
        let _ = fs::remove_file(&socket);
        let call = format!("qemu-receiver {}", socket.display());
        let child = self.call(host, &call).stdout(Stdio::null()).spawn().expect("the receiver starts");
        let pid = child.id();
        self.children.push(child);
        wait_for("the receiver", || socket.exists().then_some(()));
        pid
    }

    /// Kills a process that [`Bench::start_receiver`] or [`Bench::adopt`] knows, and waits for its end.
    pub(crate) fn kill(&mut self, pid: u32) {
        let position = self.children.iter().position(|child| child.id() == pid).expect("a known process");
        let mut child = self.children.remove(position);
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }

    /// Waits for the end of a process that this bench knows; its exit status.
    pub(crate) fn await_end(&mut self, pid: u32) -> Option<i32> {
        let position = self.children.iter().position(|child| child.id() == pid).expect("a known process");
        let mut child = self.children.remove(position);
        let mut status = None;
        let begin = Instant::now();
        while status.is_none() && begin.elapsed() < PATIENCE {
            status = child.try_wait().expect("it can be waited for");
            thread::sleep(Duration::from_millis(20));
        }
        // Fails only when it has ended, as it should have.
        let _ = child.kill();
        let _ = child.wait();
        status.expect("the process ends by itself").code()
    }

    /// Takes over a process, to end it with the bench if not before.
    pub(crate) fn adopt(&mut self, child: Child) -> u32 {
        let pid = child.id();
        self.children.push(child);
        pid
    }

    /// All lines of the serial port so far.
    pub(crate) fn serial(&self) -> Vec<String> {
        let text = fs::read(self.path("vm1.serial")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).replace('\r', "");
        // A line may still be on its way.
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        text[..end].lines().map(str::to_owned).collect()
    }

    pub(crate) fn heartbeats(&self) -> Vec<Heartbeat> {
        self.serial().iter().filter_map(|line| Heartbeat::parse(line)).collect()
    }

    /// Waits for a heartbeat beyond those that were there before.
    pub(crate) fn next_heartbeat(&self, seen: usize) -> Heartbeat {
        wait_for("a heartbeat", || self.heartbeats().get(seen).cloned())
    }

    /// Starts the guest on a host, and waits until it reports.
    pub(crate) fn boot(&self, host: &str) -> Heartbeat {
        let seen = self.heartbeats().len();
        self.expect(host, "start", 0);
        self.next_heartbeat(seen)
    }

    /// The last count on the guest's disk.
    pub(crate) fn disk_record(&self) -> Heartbeat {
        let disk = fs::read(self.path("vm1.raw")).expect("the disk");
        let line = String::from_utf8_lossy(&disk[..512]).lines().next().unwrap_or_default().to_owned();
        Heartbeat::parse(&line).expect("a record")
    }

    /// Holds that one boot counted without a gap, and that no guest met another one.
    pub(crate) fn assert_one_unbroken_boot(&self, boot: &str) {
        let heartbeats = self.heartbeats();
        for pair in heartbeats.windows(2) {
            assert_eq!(pair[1].count, pair[0].count + 1, "no count is lost or told twice");
        }
        assert!(heartbeats.iter().all(|one| one.boot == boot), "it is the same boot throughout");
        let conflicts: Vec<_> =
            self.serial().into_iter().filter(|line| line.starts_with("CONFLICT")).collect();
        assert_eq!(conflicts, Vec::<String>::new());
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        for host in ["a", "b"] {
            if let Ok(Some(process)) = self.instance(host).process() {
                let _ = kill_process(process.pid, Signal::KILL);
                let begin = Instant::now();
                while process.is_running() && begin.elapsed() < Duration::from_secs(10) {
                    thread::sleep(Duration::from_millis(10));
                }
            }
        }
        if thread::panicking() {
            eprintln!("serial port of vm1:\n{}", self.serial().join("\n"));
        }
    }
}
