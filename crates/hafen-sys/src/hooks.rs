//! What a new process does between fork and exec.
#![expect(unsafe_code, reason = "pre_exec is unsafe; each use says why it is sound")]

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Signal;

use crate::process::parse_stat;

/// Start hooks for [`Command`], run in the child in the order in which they were added. A hook that fails makes the start fail.
pub trait CommandHooks {
    /// The child leads a new session and process group, without a controlling terminal.
    fn new_session(&mut self) -> &mut Self;

    /// The child leads a new process group in the caller's session.
    fn new_process_group(&mut self) -> &mut Self;

    /// The child gets this signal when the *thread* that starts it ends, and never begins if that has happened already.
    fn die_with_parent(&mut self, signal: Signal) -> &mut Self;

    /// The child writes one record of itself into `file` before it becomes the program: `prefix`, its process id, `infix`,
    /// its start time in ticks since boot, `suffix`, in a single write. When the write fails, so does the start.
    fn announce(&mut self, file: Arc<OwnedFd>, record: Announcement) -> &mut Self;
}

/// The text around the numbers that a child announces: see [`CommandHooks::announce`].
#[derive(Clone, Debug, Default)]
pub struct Announcement {
    /// Before the process id.
    pub prefix: Vec<u8>,
    /// Between process id and start time.
    pub infix: Vec<u8>,
    /// After the start time.
    pub suffix: Vec<u8>,
}

impl CommandHooks for Command {
    fn new_session(&mut self) -> &mut Self {
        // SAFETY: the hook makes one system call and touches no memory of the parent.
        unsafe { self.pre_exec(|| rustix::process::setsid().map(drop).map_err(Into::into)) }
    }

    fn new_process_group(&mut self) -> &mut Self {
        self.process_group(0)
    }

    fn die_with_parent(&mut self, signal: Signal) -> &mut Self {
        let parent = rustix::process::getpid();
        let hook = move || {
            rustix::process::set_parent_process_death_signal(Some(signal))?;
            // The parent may have ended before the line above; its id then belongs to whoever adopts orphans.
            // In a new PID namespace the parent is invisible, and its id reads as none.
            match rustix::process::getppid() {
                Some(current) if current != parent => Err(Errno::SRCH.into()),
                _ => Ok(()),
            }
        };
        // SAFETY: the hook makes two system calls; an error made of a number allocates nothing.
        unsafe { self.pre_exec(hook) }
    }

    fn announce(&mut self, file: Arc<OwnedFd>, record: Announcement) -> &mut Self {
        let mut line =
            Vec::with_capacity(record.prefix.len() + record.infix.len() + record.suffix.len() + 2 * DIGITS);
        let hook = move || {
            let mut stat = [0; STAT_LENGTH_LIMIT];
            let (pid, start_time_ticks) = own_identity(&mut stat)?;
            line.clear();
            let mut digits = [0; DIGITS];
            line.extend_from_slice(&record.prefix);
            line.extend_from_slice(decimal(pid, &mut digits));
            line.extend_from_slice(&record.infix);
            line.extend_from_slice(decimal(start_time_ticks, &mut digits));
            line.extend_from_slice(&record.suffix);
            match rustix::io::write(&*file, &line)? {
                written if written == line.len() => Ok(()),
                _ => Err(Errno::NOSPC.into()),
            }
        };
        // SAFETY: the hook makes system calls only; its one buffer was allocated above with room for all that is put in.
        unsafe { self.pre_exec(hook) }
    }
}

/// The most digits of a `u64`.
const DIGITS: usize = 20;
/// Longer than any line of `/proc/PID/stat`: 52 numbers of 20 digits and a name of 64 bytes.
const STAT_LENGTH_LIMIT: usize = 2048;

/// Process id and start time of the calling process, without allocating.
fn own_identity(buffer: &mut [u8]) -> io::Result<(u64, u64)> {
    let file = rustix::fs::openat(CWD, c"/proc/self/stat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let length = rustix::io::read(&file, &mut *buffer)?;
    let status = parse_stat(buffer.get(..length).unwrap_or_default()).ok_or(Errno::INVAL)?;
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    Ok((u64::from(pid.unsigned_abs()), status.start_time_ticks))
}

/// The number in decimal, without allocating.
fn decimal(mut number: u64, digits: &mut [u8; DIGITS]) -> &[u8] {
    let mut first = DIGITS;
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[first..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{ProcessIdentity, process_status};
    use std::io::{Read, Seek};

    #[test]
    fn numbers_are_written_in_decimal() {
        let mut digits = [0; DIGITS];
        for number in [0, 7, 10, 65_535, u64::MAX] {
            assert_eq!(decimal(number, &mut digits), number.to_string().as_bytes());
        }
    }

    #[test]
    fn a_child_announces_itself_in_its_own_group() {
        let path = std::env::temp_dir().join(format!("hafen-sys-announce-{}", std::process::id()));
        let mut file =
            std::fs::File::options().create(true).read(true).append(true).open(&path).expect("file");
        let fd = Arc::new(OwnedFd::from(file.try_clone().expect("clone")));
        let record = Announcement { prefix: b"p=".into(), infix: b" t=".into(), suffix: b"\n".into() };
        let mut command = Command::new("sleep");
        let mut child =
            command.arg("60").new_process_group().announce(fd, record).spawn().expect("sleep starts");
        let identity = ProcessIdentity::of(child.id()).expect("the child runs");
        let group = process_status(child.id()).expect("the child runs").group;
        child.kill().expect("kill");
        child.wait().expect("wait");
        std::fs::remove_file(&path).expect("remove");
        let mut text = String::new();
        file.rewind().expect("rewind");
        file.read_to_string(&mut text).expect("read");
        assert_eq!(text, format!("p={} t={}\n", identity.pid, identity.start_time_ticks));
        assert_eq!(group, identity.pid);
    }

    #[test]
    fn a_child_that_cannot_announce_itself_does_not_start() {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
        let record = Announcement { prefix: b"x".into(), ..Announcement::default() };
        let error =
            Command::new("true").announce(Arc::new(full.into()), record).spawn().expect_err("no room");
        assert_eq!(error.raw_os_error(), Some(Errno::NOSPC.raw_os_error()));
    }

    #[test]
    fn a_new_session_is_led_by_the_child() {
        let mut child = Command::new("sleep").arg("60").new_session().spawn().expect("sleep starts");
        let status = process_status(child.id()).expect("the child runs");
        child.kill().expect("kill");
        child.wait().expect("wait");
        assert_eq!((status.session, status.group), (child.id(), child.id()));
    }
}
