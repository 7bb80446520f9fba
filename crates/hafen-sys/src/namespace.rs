//! Processes in new namespaces, and in those of other processes.
#![expect(unsafe_code, reason = "pre_exec and unshare are unsafe; each use says why it is sound")]

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType, UnshareFlags};

use crate::PidFd;

/// A set of kinds of namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Process ids: the first process in it is its init, whose end kills all the others.
    pub pid: bool,
    /// Mounted file systems.
    pub mount: bool,
    /// Network interfaces, addresses, routes, abstract sockets.
    pub network: bool,
    /// Host name.
    pub uts: bool,
    /// System V IPC and POSIX message queues.
    pub ipc: bool,
}

impl Namespaces {
    /// All that make a host of its own: PID, mount, network, UTS, IPC.
    pub const HOST: Self = Self { pid: true, mount: true, network: true, uts: true, ipc: true };
    /// A network of its own, and nothing else.
    pub const NETWORK: Self = Self { pid: false, mount: false, network: true, uts: false, ipc: false };

    /// Everything but the PID namespace, which a process cannot change for itself.
    fn unshare_flags(self) -> UnshareFlags {
        let kinds = [
            (self.mount, UnshareFlags::NEWNS),
            (self.network, UnshareFlags::NEWNET),
            (self.uts, UnshareFlags::NEWUTS),
            (self.ipc, UnshareFlags::NEWIPC),
        ];
        kinds.into_iter().filter(|(wanted, _)| *wanted).map(|(_, flag)| flag).collect()
    }

    fn enter_flags(self) -> ThreadNameSpaceType {
        let kinds = [
            (self.mount, ThreadNameSpaceType::MOUNT),
            (self.network, ThreadNameSpaceType::NETWORK),
            (self.uts, ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME),
            (self.ipc, ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION),
        ];
        kinds.into_iter().filter(|(wanted, _)| *wanted).map(|(_, flag)| flag).collect()
    }
}

/// Starts a command in new namespaces of these kinds; all others stay the caller's.
///
/// With `pid` the command is the init of its PID namespace: its end ends everything in there. The returned child carries its
/// id as the caller sees it. Mounts still propagate as they did: a host's init makes `/` private (`mount --make-rprivate /`)
/// and mounts its own `/proc` first thing. Hooks that were added to the command before run before the namespaces are entered.
///
/// Needs `CAP_SYS_ADMIN`.
pub fn spawn_in_new(mut command: Command, namespaces: Namespaces) -> io::Result<Child> {
    let flags = namespaces.unshare_flags();
    if !flags.is_empty() {
        let hook = move || {
            // SAFETY: unshare is unsafe for file tables shared between threads; none of these flags touches file tables.
            unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
        };
        // SAFETY: the hook makes one system call and touches no memory of the parent.
        unsafe { command.pre_exec(hook) };
    }
    if !namespaces.pid {
        return command.spawn();
    }
    let back = ReturnToOwnPidNamespace::prepare()?;
    // SAFETY: as above; NEWPID only decides into which PID namespace the children of this thread are born.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWPID) }?;
    let child = command.spawn();
    back.finish()?;
    child
}

/// Starts a command inside the namespaces of these kinds of a running process (for a whole host: of its init).
///
/// The working directory becomes the root of the entered mount namespace. Needs `CAP_SYS_ADMIN` there.
pub fn spawn_inside(mut command: Command, process: &PidFd, namespaces: Namespaces) -> io::Result<Child> {
    let flags = namespaces.enter_flags();
    if !flags.is_empty() {
        let handle = process.as_fd().try_clone_to_owned()?;
        let hook =
            move || rustix::thread::move_into_thread_name_spaces(handle.as_fd(), flags).map_err(Into::into);
        // SAFETY: the hook makes one system call and touches no memory of the parent.
        unsafe { command.pre_exec(hook) };
    }
    if !namespaces.pid {
        return command.spawn();
    }
    let back = ReturnToOwnPidNamespace::prepare()?;
    rustix::thread::move_into_thread_name_spaces(process.as_fd(), ThreadNameSpaceType::PROCESS_ID)?;
    let child = command.spawn();
    back.finish()?;
    child
}

/// The PID namespace into which the children of this thread are born is put back to the thread's own.
struct ReturnToOwnPidNamespace(File);

impl ReturnToOwnPidNamespace {
    fn prepare() -> io::Result<Self> {
        File::open("/proc/thread-self/ns/pid").map(Self)
    }

    fn finish(self) -> io::Result<()> {
        Ok(rustix::thread::move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::ProcessID))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    fn output(child: Child) -> String {
        let output = child.wait_with_output().expect("the command ends");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped()).stdin(Stdio::piped());
        command
    }

    fn may_make_namespaces() -> bool {
        let allowed = rustix::process::geteuid().is_root();
        assert!(allowed || std::env::var("CI").as_deref() != Ok("true"), "these tests need root");
        if !allowed {
            eprintln!("skipped: making namespaces needs root");
        }
        allowed
    }

    #[test]
    fn the_first_process_is_init_and_others_can_join_it() {
        if !may_make_namespaces() {
            return;
        }
        let before = std::fs::read_link("/proc/self/ns/net").expect("own network");
        let mut init = spawn_in_new(shell("hostname lab-init; echo $$; read wait"), Namespaces::HOST)
            .expect("init starts");
        let handle = PidFd::open(init.id()).expect("init runs");
        // The name is set once the line with the process id has come.
        let mut line = [0; 2];
        io::Read::read_exact(init.stdout.as_mut().expect("piped"), &mut line).expect("a line");
        assert_eq!(&line, b"1\n");
        let script = "test $$ -gt 1 && readlink /proc/self/ns/net; hostname";
        let joined =
            spawn_inside(shell(script), &handle, Namespaces::HOST).expect("the namespaces can be entered");
        let joined = output(joined);
        let plain = output(shell("echo $$; hostname").spawn().expect("a plain child starts"));
        drop(init.stdin.take());
        init.wait().expect("init ends");
        assert!(joined.ends_with("lab-init"), "{joined}");
        assert!(!joined.contains(before.to_str().expect("text")), "{joined}");
        assert!(!plain.contains("lab-init") && !plain.starts_with("1\n"), "{plain}");
    }

    #[test]
    fn the_end_of_init_ends_everything_inside() {
        if !may_make_namespaces() {
            return;
        }
        let mut init = spawn_in_new(shell("setsid sleep 600 & echo started; read wait"), Namespaces::HOST)
            .expect("start");
        let handle = PidFd::open(init.id()).expect("init runs");
        let mut line = [0; 8];
        io::Read::read_exact(init.stdout.as_mut().expect("piped"), &mut line).expect("a line");
        let inside = crate::children_of(init.id()).expect("/proc can be read");
        handle.signal(crate::Signal::KILL).expect("init can be killed");
        init.wait().expect("init ends");
        assert!(!inside.is_empty());
        assert!(inside.iter().all(|process| !process.identity().is_running()));
    }
}
