//! cluster-glue's `external/ssh`, unchanged, against a real sshd on a host that the test makes. Nothing outside of its namespaces is
//! reached, and nothing is rebooted: sshd runs a recorder in place of every command.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::installed;
use hafen_agents::{Agents, FenceInvocation, OcfExitCode, OpStatus, Outcome};
use hafen_sys::{CommandHooks, Namespaces, spawn_in_new};

const FOLDER_VARIABLE: &str = "HAFEN_TEST_SSH_FOLDER";
/// The host's address; it is there as long as the host is.
const ADDRESS: &str = "10.9.9.2";
/// The longest that the test takes: only a failing one needs it.
const PATIENCE: Duration = Duration::from_secs(180);

/// What makes the host: its network, its name, its keys and its sshd.
const SETUP: &str = r#"set -e
mount --make-rprivate /
mount -t proc proc /proc
ip link set lo up
ip address add ADDRESS/32 dev lo
cd "$1"
mkdir -p root/.ssh
chmod 700 root root/.ssh
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd
printf '127.0.0.1 localhost\nADDRESS host2\n' > hosts
mount --bind hosts /etc/hosts
ssh-keygen -q -t ed25519 -N '' -f hostkey
ssh-keygen -q -t ed25519 -N '' -f root/.ssh/id_ed25519
cp root/.ssh/id_ed25519.pub root/.ssh/authorized_keys
mount --bind root /root
cat > sshd_config <<END
ListenAddress ADDRESS
Port 22
HostKey $1/hostkey
PidFile none
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
StrictModes no
ForceCommand $1/recorder
END
/usr/sbin/sshd -f sshd_config -E sshd.log"#;

/// Runs in place of every command: notes it, and goes down (loses its address) unless it hangs.
const RECORDER: &str = r#"#!/bin/sh
echo "$SSH_ORIGINAL_COMMAND" >> FOLDER/asked
test -e FOLDER/hangs && exit 0
( sleep 2; ip address del ADDRESS/32 dev lo ) > /dev/null 2>&1 < /dev/null &
exit 0
"#;

#[test]
fn it_reboots_a_host_that_obeys_and_fails_with_one_that_hangs() {
    let agents = Agents::default();
    if std::env::var_os(FOLDER_VARIABLE).is_some() || !installed(&agents, &["stonith:external/ssh"]) {
        return;
    }
    if !Path::new("/usr/sbin/sshd").exists() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "sshd is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "inside_of_the_host", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER_VARIABLE, folder.path()).stdin(Stdio::null()).new_session();
    let mut child = spawn_in_new(command, Namespaces::HOST).expect("the host starts");
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().expect("its state") {
            break status;
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the host takes too long");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "see above: {status}");
}

#[tokio::test]
async fn inside_of_the_host() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from) else { return };
    let here = folder.display().to_string();
    let recorder = RECORDER.replace("FOLDER", &here).replace("ADDRESS", ADDRESS);
    std::fs::write(folder.join("recorder"), recorder).expect("written");
    std::fs::set_permissions(folder.join("recorder"), std::fs::Permissions::from_mode(0o755))
        .expect("executable");
    let script = SETUP.replace("ADDRESS", ADDRESS);
    let made = Command::new("/bin/sh").args(["-c", &script, "sh", &here]).status().expect("sh");
    assert!(made.success(), "the host cannot be made");

    let listed = run("list").await;
    assert_eq!(listed.stdout.trim(), "host2");
    assert!(run("monitor").await.is_ok(), "it is reachable");
    let off = run("off").await;
    assert!(!off.is_ok() && off.status == OpStatus::Done, "it cannot switch off: {off:?}");

    std::fs::write(folder.join("hangs"), "").expect("written");
    let hung = run("reboot").await;
    assert_eq!((hung.rc, hung.status), (OcfExitCode::ERROR, OpStatus::Done), "{hung:?}");
    std::fs::remove_file(folder.join("hangs")).expect("removed");
    let reboot = run("reboot").await;
    assert!(reboot.is_ok(), "{reboot:?}");
    let asked = std::fs::read_to_string(folder.join("asked")).expect("it was asked");
    assert_eq!(asked.lines().filter(|line| line.contains("reboot")).count(), 2, "{asked}");
}

async fn run(action: &str) -> Outcome {
    let target = matches!(action, "off" | "reboot").then(|| "host2".to_owned());
    let invocation = FenceInvocation {
        agent: "external/ssh".to_owned(),
        action: action.to_owned(),
        target,
        port: None,
        parameters: [("hostlist".to_owned(), "host2".to_owned())].into(),
        timeout: Duration::from_secs(60),
    };
    match Agents::default().start_fence(&invocation, None) {
        Ok(running) => running.end().await,
        Err(not_started) => not_started.outcome,
    }
}
