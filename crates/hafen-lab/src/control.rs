//! A lab as a whole: up, down, and what is done to it in between.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hafen_client::{Client, SOCKET_PATH};
use hafen_sys::{CommandHooks, Namespaces, PidFd, ProcessIdentity, Signal};

use crate::init::SERVICES_SOCKET;
use crate::layout::STORE;
use crate::net::FrameSwitch;
use crate::power::{PowerSwitch, namespace_of, processes_in};
use crate::record::{HeldProcess, Record};
use crate::{LabError, LabSpec, Layout};

/// The switch's name as a process, and as the subcommand of `hafen lab`.
pub const SWITCH_PROCESS: &str = "power-switch";
/// How long a lab's process may take until it serves.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the processes of a lab may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a host may take from being switched on until it takes requests, and how often that is looked at.
const BOOT_TIMEOUT: Duration = Duration::from_secs(20);
const BOOT_POLL: Duration = Duration::from_millis(5);
/// Folders of the machine on which hosts mount their own ones.
const MOUNT_POINTS: [&str; 2] = [STORE, "/etc/corosync"];

/// A lab that is up.
#[derive(Debug)]
pub struct Lab {
    layout: Layout,
    spec: LabSpec,
}

/// Ends a lab when it is dropped, or when its process dies.
#[derive(Debug)]
pub struct Lease {
    layout: Layout,
    _pipe: Option<ChildStdin>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Err(error) = down(&self.layout) {
            eprintln!("the lab in {} was not removed: {error}", self.layout.root().display());
        }
    }
}

/// Sets a lab up and switches its hosts on. The lab ends with the lease. What a failure leaves is removed.
pub fn up_leased(layout: &Layout, spec: LabSpec, executable: &Path) -> Result<(Lab, Lease), LabError> {
    let (lab, pipe) = up(layout, spec, executable, true)?;
    Ok((lab, Lease { layout: layout.clone(), _pipe: Some(pipe) }))
}

/// Sets a lab up that goes on when the calling process has ended. What a failure leaves is removed.
pub fn up_detached(layout: &Layout, spec: LabSpec, executable: &Path) -> Result<Lab, LabError> {
    up(layout, spec, executable, false).map(|(lab, _)| lab)
}

fn up(layout: &Layout, spec: LabSpec, executable: &Path, lease: bool) -> Result<(Lab, ChildStdin), LabError> {
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::State(
            "a lab makes namespaces and mounts: run it as root or with sudo".to_owned(),
        ));
    }
    let _lock = lock(layout)?;
    let former = Record::load(layout);
    if former.running().next().is_some() {
        let root = layout.root().display();
        return Err(LabError::State(format!(
            "a lab is up in {root} already: take it down with `hafen lab down`, or name another folder with --lab"
        )));
    }
    remove(layout)?;
    let outcome = build(layout, &spec, executable).and_then(|()| start(layout, &spec, lease));
    match outcome {
        Ok(pipe) => Ok((Lab { layout: layout.clone(), spec }, pipe)),
        Err(error) => {
            keep_logs_of_failure(layout);
            if let Err(second) = remove(layout) {
                eprintln!("after a failure the lab in {} was not removed: {second}", layout.root().display());
            }
            Err(error)
        }
    }
}

/// Takes a lab down: ends all of its processes, proves that none is left, and removes its folder. Whether there was one.
pub fn down(layout: &Layout) -> Result<bool, LabError> {
    let _lock = lock(layout)?;
    let there_was = layout.root().exists();
    remove(layout)?;
    Ok(there_was)
}

/// Makes the folder with all that the processes expect.
fn build(layout: &Layout, spec: &LabSpec, executable: &Path) -> Result<(), LabError> {
    let mut record = Record::default();
    if spec.net.is_none() {
        let missing = MOUNT_POINTS.into_iter().map(PathBuf::from).filter(|path| !path.exists());
        record.folders = missing.collect();
    }
    let mut folders = vec![layout.root().to_owned(), layout.agents(), layout.shared(), layout.guest()];
    folders.push(layout.receivers());
    folders.extend(spec.all_hosts().map(|host| layout.disk(&host.name)));
    create_folder(layout.root())?;
    record.save(layout)?;
    for folder in folders.iter().chain(&record.folders) {
        create_folder(folder)?;
    }
    spec.save(layout)?;
    fs::copy(executable, layout.executable()).map_err(LabError::system("copy", executable))?;
    let links =
        [(layout.agents().join("qemu"), "../../hafen"), (layout.bin().join("fence_hafen_lab"), "hafen")];
    for (link, target) in links {
        std::os::unix::fs::symlink(target, &link).map_err(LabError::system("link", &link))?;
    }
    crate::guests::prepare(layout, spec)?;
    if let Some(net) = &spec.net {
        return crate::net::image::build(layout, spec, net);
    }
    crate::guests::write_initial_cib(layout, spec)?;
    spec.hosts.iter().try_for_each(|host| crate::init::write_daemon_config(layout, spec, &host.name))
}

fn create_folder(path: &Path) -> Result<(), LabError> {
    fs::create_dir_all(path).map_err(LabError::system("create", path))
}

/// Starts the switch, and through it all the rest.
fn start(layout: &Layout, spec: &LabSpec, lease: bool) -> Result<ChildStdin, LabError> {
    let (mut child, mut pipe) = start_switch(layout, lease)?;
    let mut record = Record::load(layout);
    let identity = ProcessIdentity::of(child.id()).map_err(LabError::system("find", "the power switch"))?;
    record.processes.push(HeldProcess {
        name: SWITCH_PROCESS.to_owned(),
        pid: identity.pid,
        start_time_ticks: identity.start_time_ticks,
    });
    record.save(layout)?;
    // From here on the record knows it; without this line it ends by itself.
    pipe.write_all(b"go\n").map_err(LabError::system("start", "the power switch"))?;
    await_switch(layout, &mut child)?;
    let switch = PowerSwitch::at(layout.power_socket());
    for host in spec.all_hosts() {
        switch.on(&host.name)?;
    }
    for host in spec.all_hosts() {
        crate::boot::wait(layout, &host.name)?;
    }
    Ok(pipe)
}

fn start_switch(layout: &Layout, lease: bool) -> Result<(Child, ChildStdin), LabError> {
    let path = layout.log(SWITCH_PROCESS);
    let log = OpenOptions::new().create(true).append(true).open(&path);
    let log = log.map_err(LabError::system("open", &path))?;
    let second = log.try_clone().map_err(LabError::system("open", &path))?;
    let mut command = Command::new(layout.executable());
    command.args(["lab", SWITCH_PROCESS, "--lab"]).arg(layout.root());
    if lease {
        command.arg("--lease");
    }
    command.stdin(Stdio::piped()).stdout(log).stderr(second).current_dir("/").new_session();
    let own_mounts = Namespaces { mount: true, ..Namespaces::default() };
    let mut child = hafen_sys::spawn_in_new(command, own_mounts)
        .map_err(LabError::system("start", layout.executable()))?;
    let pipe = child.stdin.take();
    let pipe = pipe.ok_or_else(|| LabError::State("the power switch has no standard input".to_owned()))?;
    Ok((child, pipe))
}

fn await_switch(layout: &Layout, child: &mut Child) -> Result<(), LabError> {
    let switch = PowerSwitch::at(layout.power_socket());
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        if switch.list().is_ok() {
            return Ok(());
        }
        let ended = child.try_wait().map_err(LabError::system("wait for", "the power switch"))?;
        if ended.is_some() || Instant::now() > deadline {
            let said = fs::read_to_string(layout.log(SWITCH_PROCESS)).unwrap_or_default();
            let how = if ended.is_some() { "ended at once" } else { "does not answer" };
            return Err(LabError::State(format!("the power switch {how}: {}", said.trim())));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A lab that did not come up is removed; what its processes said is worth more than its folder.
fn keep_logs_of_failure(layout: &Layout) {
    let said = fs::read_to_string(layout.log(SWITCH_PROCESS)).unwrap_or_default();
    if !said.trim().is_empty() {
        eprintln!("the power switch said:\n{}", said.trim());
    }
}

/// Ends what the record names and everything below it, then removes the folder. The lock is held by the caller.
fn remove(layout: &Layout) -> Result<(), LabError> {
    let record = Record::load(layout);
    for process in record.running() {
        end_process(process)?;
    }
    if layout.root().exists() {
        check_is_lab(layout)?;
        // The record goes last: a removal that was cut off is taken up again.
        remove_contents(layout)?;
        for folder in record.folders.iter().rev() {
            // A folder that is in use by now is not the lab's any more.
            let _ = fs::remove_dir(folder);
        }
        fs::remove_dir_all(layout.root()).map_err(LabError::system("remove", layout.root()))?;
    }
    Ok(())
}

fn check_is_lab(layout: &Layout) -> Result<(), LabError> {
    let is_empty = fs::read_dir(layout.root()).is_ok_and(|mut entries| entries.next().is_none());
    if is_empty || layout.record().exists() {
        return Ok(());
    }
    let root = layout.root().display();
    Err(LabError::State(format!(
        "{root} is not empty and no lab: name another folder with --lab or HAFEN_LAB"
    )))
}

fn remove_contents(layout: &Layout) -> Result<(), LabError> {
    let root = layout.root();
    for entry in fs::read_dir(root).map_err(LabError::system("read", root))? {
        let path = entry.map_err(LabError::system("read", root))?.path();
        if path == layout.record() {
            continue;
        }
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(LabError::system("remove", &path))?;
    }
    Ok(())
}

/// Ends the switch. Its hosts and the hub end with it; that they did is proved.
fn end_process(process: &HeldProcess) -> Result<(), LabError> {
    let failed = |source| LabError::System { what: "end", path: process.name.clone().into(), source };
    let Ok(handle) = PidFd::open(process.pid) else { return Ok(()) };
    if !process.identity().is_running() {
        return Ok(());
    }
    let mut below = Vec::new();
    for child in hafen_sys::children_of(process.pid).map_err(failed)? {
        if let (Ok(handle), Ok(namespace)) = (PidFd::open(child.pid), namespace_of(child.pid)) {
            below.push((child.pid, handle, namespace));
        }
    }
    let own = namespace_of(std::process::id()).map_err(failed)?;
    ignore_missing(handle.signal(Signal::KILL)).map_err(failed)?;
    let deadline = Instant::now() + END_TIMEOUT;
    for (pid, handle, namespace) in std::iter::once((process.pid, handle, own.clone())).chain(below) {
        ignore_missing(handle.signal(Signal::KILL)).map_err(failed)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let ended = handle.wait(Some(left)).map_err(failed)?;
        let inside = if namespace == own { Vec::new() } else { processes_in(&namespace).map_err(failed)? };
        if !ended || !inside.is_empty() {
            return Err(LabError::State(format!(
                "process {pid} of the lab does not end (inside: {inside:?})"
            )));
        }
    }
    Ok(())
}

fn ignore_missing(outcome: std::io::Result<()>) -> std::io::Result<()> {
    match outcome {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Holds off other commands that set up or remove the same lab, until it is dropped.
struct Lock {
    _file: File,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever waits for the lock of a removed file finds that out, and takes the next one.
        let _ = fs::remove_file(&self.path);
    }
}

fn lock(layout: &Layout) -> Result<Lock, LabError> {
    let path = layout.lock();
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    loop {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(LabError::system("open", &path))?;
        file.lock().map_err(LabError::system("lock", &path))?;
        let held = file.metadata().map_err(LabError::system("look at", &path))?;
        let there = fs::metadata(&path);
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())) {
            return Ok(Lock { _file: file, path });
        }
    }
}

impl Lab {
    /// The lab that is up in this folder.
    pub fn open(layout: &Layout) -> Result<Self, LabError> {
        let spec = LabSpec::load(layout)?;
        if Record::load(layout).running().next().is_none() {
            let root = layout.root().display();
            return Err(LabError::State(format!(
                "the lab in {root} is a left-over, nothing of it runs: remove it with `hafen lab down`"
            )));
        }
        Ok(Self { layout: layout.clone(), spec })
    }

    /// Where it is.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What it consists of.
    pub fn spec(&self) -> &LabSpec {
        &self.spec
    }

    /// Its power switch.
    pub fn power(&self) -> PowerSwitch {
        PowerSwitch::at(self.layout.power_socket())
    }

    /// Switches a host on, and waits until its first process takes orders.
    pub fn boot(&self, host: &str) -> Result<(), LabError> {
        self.power().on(host)?;
        crate::boot::wait(&self.layout, host)
    }

    /// The switch that joins the hosts; an error where they have no networks of their own.
    pub fn frame_switch(&self) -> Result<FrameSwitch, LabError> {
        if self.spec.net.is_none() {
            return Err(LabError::State(
                "the hosts of this lab share a hub: there are no links to change".to_owned(),
            ));
        }
        Ok(FrameSwitch::at(self.layout.switch_socket()))
    }

    /// The socket of a host's daemon, seen from outside.
    pub fn daemon_socket(&self, host: &str) -> Result<PathBuf, LabError> {
        self.spec.host(host)?;
        let init = self.power().init_of(host)?;
        Ok(PathBuf::from(format!("/proc/{init}/root{SOCKET_PATH}")))
    }

    /// A connection to a host's daemon.
    pub fn client(&self, host: &str, timeout: Duration) -> Result<Client, LabError> {
        Ok(Client::connect(&self.daemon_socket(host)?, timeout)?)
    }

    /// A connection to the first daemon that answers, and its host. The error is that of the last one.
    pub fn any_client(&self, timeout: Duration) -> Result<(String, Client), LabError> {
        let mut last = LabError::State("the lab has no hosts".to_owned());
        for host in &self.spec.hosts {
            match self.client(&host.name, timeout) {
                Ok(client) => return Ok((host.name.clone(), client)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Runs a command in a host and waits for its end.
    pub fn exec(&self, host: &str, command: Command) -> Result<ExitStatus, LabError> {
        let mut child = self.spawn_in(host, command)?;
        child.wait().map_err(LabError::system("wait for a command in", host))
    }

    /// Starts a command in a host.
    pub fn spawn_in(&self, host: &str, command: Command) -> Result<Child, LabError> {
        self.spec.host(host)?;
        let pid = self.power().init_of(host)?;
        let init = PidFd::open(pid).map_err(LabError::system("find", host))?;
        // A host that is just switched on has its own file systems when its first process takes requests.
        let requests = PathBuf::from(format!("/proc/{pid}/root{SERVICES_SOCKET}"));
        let deadline = Instant::now() + BOOT_TIMEOUT;
        while !requests.exists() && Instant::now() < deadline {
            std::thread::sleep(BOOT_POLL);
        }
        hafen_sys::spawn_inside(command, &init, Namespaces::HOST)
            .map_err(LabError::system("run a command in", host))
    }

    /// The processes of a host with these words in their command lines, by their ids as seen here: each word begins an
    /// argument, or the program's name.
    pub fn processes(&self, host: &str, words: &[&str]) -> Result<Vec<u32>, LabError> {
        let init = self.power().init_of(host)?;
        let found = namespace_of(init).and_then(|namespace| processes_in(&namespace));
        let mut found = found.map_err(LabError::system("look for processes of", host))?;
        found.retain(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            let program = line.split('\0').next().and_then(|path| path.rsplit('/').next());
            let begins =
                |word: &str| program.into_iter().chain(line.split('\0')).any(|one| one.starts_with(word));
            words.iter().all(|word| begins(word))
        });
        Ok(found)
    }

    /// Kills processes of a host (`SIGKILL`). How many there were.
    pub fn kill_processes(&self, host: &str, words: &[&str]) -> Result<usize, LabError> {
        let found = self.processes(host, words)?;
        let mut killed = 0;
        for pid in &found {
            let outcome = PidFd::open(*pid).and_then(|handle| handle.signal(Signal::KILL));
            match outcome {
                Ok(()) => killed += 1,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(LabError::system("kill a process of", host)(error)),
            }
        }
        Ok(killed)
    }

    /// Fills a host's disk to the last byte. How many bytes that took.
    pub fn fill_disk(&self, host: &str) -> Result<u64, LabError> {
        let path = self.fill_file(host)?;
        // What is there stays: blocks of a file that was emptied are free only at ext4's next commit, after this.
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let mut file = file.map_err(LabError::system("create", &path))?;
        let mut written = file.metadata().map_err(LabError::system("look at", &path))?.len();
        let block = vec![0; 1 << 16];
        let mut size = block.len();
        while size > 0 {
            match file.write(&block[..size]) {
                Ok(count) => written += count as u64,
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => size /= 2,
                Err(error) => return Err(LabError::system("fill", &path)(error)),
            }
        }
        Ok(written)
    }

    /// Undoes [`Lab::fill_disk`].
    pub fn free_disk(&self, host: &str) -> Result<(), LabError> {
        let path = self.fill_file(host)?;
        fs::remove_file(&path).map_err(LabError::system("remove", &path))
    }

    fn fill_file(&self, host: &str) -> Result<PathBuf, LabError> {
        self.spec.host(host)?;
        let init = self.power().init_of(host)?;
        Ok(PathBuf::from(format!("/proc/{init}/root{STORE}/filled-by-the-lab")))
    }
}
