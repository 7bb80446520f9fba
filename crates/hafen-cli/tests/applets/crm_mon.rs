//! `crm_mon` that goes on: round after round, and in the background.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::daemon::FakeDaemon;
use super::{HAFEN, outcome, run};

/// Waits for what comes in its own time.
fn awaited<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what} did not come");
}

fn terminate(process: u32) {
    let ended = Command::new("kill").args(["-TERM", &process.to_string()]).status();
    assert!(ended.expect("kill runs").success());
}

#[test]
fn crm_mon_shows_the_state_again_and_again() {
    let daemon = FakeDaemon::start();
    let mut command = Command::new("timeout");
    command.args(["60", HAFEN, "crm_mon", "-i", "1s", "--exclude=all", "--include=counts"]);
    let mut shown =
        command.env("HAFEN_SOCKET", daemon.socket()).stdout(Stdio::piped()).spawn().expect("runs");
    let lines = BufReader::new(shown.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let rounds = lines.filter(|line| line == "  * 2 nodes configured").take(3).count();
    // `timeout` passes it on.
    terminate(shown.id());
    let status = shown.wait().expect("it ends");
    assert_eq!(rounds, 3);
    assert_ne!(status.code(), Some(124), "ended by the signal, not by its time");
}

#[test]
fn crm_mon_goes_on_in_the_background() {
    let daemon = FakeDaemon::start();
    let (page, number) = (daemon.folder().join("page.html"), daemon.folder().join("pid"));
    let line = format!(
        "crm_mon -rdi 1 --output-as=html --output-to={} --pid-file={}",
        page.display(),
        number.display()
    );
    let (code, out, said) = outcome(&run(Some(&daemon), &line));
    assert_eq!((code, out.as_str()), (0, ""), "{said}");
    let process: u32 = std::fs::read_to_string(&number).expect("written").trim().parse().expect("a number");
    let is_page = || std::fs::read_to_string(&page).ok().filter(|text| text.ends_with("</html>\n"));
    let first = awaited("the page", is_page);
    assert!(
        first.contains("<span class=\"bold\">host1:</span><span class=\"offline\"> OFFLINE</span>"),
        "{first}"
    );
    std::fs::remove_file(&page).expect("removed");
    awaited("the page of another round", is_page);
    terminate(process);
    let status = format!("/proc/{process}/status");
    // Nobody may have asked how it ended.
    awaited("its end", || match std::fs::read_to_string(&status) {
        Ok(text) => text.contains("State:\tZ").then_some(()),
        Err(_) => Some(()),
    });
}

#[test]
fn crm_mon_ends_where_no_cluster_is() {
    for line in ["crm_mon -i 1", "crm_mon -i 1 --output-as=html"] {
        let (code, _, said) = outcome(&run(None, line));
        assert_eq!(
            (code, said.as_str()),
            (102, "crm_mon: Connection to cluster failed: Connection refused"),
            "{line}"
        );
    }
    let (code, _, said) = outcome(&run(None, "crm_mon -d --output-to=-"));
    assert_eq!(code, 64);
    assert!(said.contains("--daemonize requires at least one of --output-to"), "{said}");
}

#[test]
fn crm_mon_tells_as_many_fencings_as_are_asked_for() {
    let daemon = FakeDaemon::start();
    let pending = "  * reboot of host2 pending: delegate=host1, client=hafen, origin=host1";
    let succeeded = "  * turning off of host2 successful: delegate=host1, client=hafen, origin=host1";
    let when = "'2023-11-14 22:13:21.250000Z'";
    let cases = [
        ("0", String::new()),
        ("1", format!("Pending Fencing Actions:\n{pending}")),
        ("2", format!("Fencing History:\n{pending}\n{succeeded}, last-successful={when}")),
        ("3", format!("Fencing History:\n{pending}\n{succeeded}, completed={when}")),
    ];
    for (level, printed) in cases {
        let line = format!("crm_mon -1 --exclude=all --include=dc -m {level}");
        let (code, out, said) = outcome(&run(Some(&daemon), &line));
        let fencings = out.split_once("\n\n").map_or("", |(_, rest)| rest);
        assert_eq!((code, fencings), (0, printed.as_str()), "{line}: {said}");
    }
}
