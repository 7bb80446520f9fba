//! Setting clusters up on hosts with networks of their own: `init`, `join`, `leave`, `remove`, `files`, `quorum tune`, with real
//! Corosyncs. One at a time: see `.config/nextest.toml`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

mod support;

use std::time::{Duration, Instant};

use hafen_lab::{Lab, LabSpec, NetSpec};

use support::{Place, can_hold_a_lab, hosts, shell, up};

/// The bound of every wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// The two cluster links of these hosts.
const LINKS: &str = "--bind 10.77.0.0/24 --link 10.77.1.0/24";

/// Hosts without Corosync and Hafen.
fn bare(count: u32) -> LabSpec {
    LabSpec { net: Some(NetSpec { bare: true, ..NetSpec::default() }), ..hosts(count) }
}

/// Waits until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never came about: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What a command says on both outputs, and behind it its exit status.
fn said(lab: &Lab, host: &str, command: &str) -> String {
    shell(lab, host, &format!("{command} 2>&1; echo \"exit $?\""))
}

/// A command that must succeed.
fn does(lab: &Lab, host: &str, command: &str) -> String {
    let text = said(lab, host, command);
    assert!(text.ends_with("exit 0"), "{host}: {command}: {text}");
    text
}

/// A command that must be refused, with these words in its error.
fn refuses(lab: &Lab, host: &str, command: &str, words: &[&str]) {
    let text = said(lab, host, command);
    assert!(!text.ends_with("exit 0"), "{host}: {command}: {text}");
    for word in words {
        assert!(text.contains(word), "{host}: {command}: '{word}' is not in: {text}");
    }
}

/// The line for the next host.
fn join_line(text: &str) -> String {
    let line = text.lines().find(|line| line.starts_with("hafen join ")).expect("a line for the next host");
    line.to_owned()
}

/// A new line for the next host.
fn invited(lab: &Lab, host: &str) -> String {
    join_line(&does(lab, host, "hafen token"))
}

/// Begins a cluster on host1, and has the others join.
fn set_up(lab: &Lab, count: u32) {
    let mut line = join_line(&does(lab, "host1", &format!("hafen init --name web {LINKS}")));
    for id in 2..=count {
        does(lab, &format!("host{id}"), &line);
        line = invited(lab, &format!("host{id}"));
    }
    settled(lab, count);
}

/// All hosts see all hosts, and nothing is left to do.
fn settled(lab: &Lab, count: u32) {
    for id in 1..=count {
        let host = format!("host{id}");
        until(&format!("{host} sees {count} hosts and has settled"), || {
            let status = shell(lab, &host, "hafen status 2>&1");
            status.matches(" online").count() == count as usize && status.contains("Settled")
        });
    }
}

fn two_node(lab: &Lab, host: &str) -> bool {
    shell(lab, host, "corosync-quorumtool -s | grep Flags:").contains("2Node")
}

#[test]
fn a_cluster_sets_itself_up_in_two_commands() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, bare(3));
    let line = join_line(&does(&lab, "host1", &format!("hafen init --name web {LINKS}")));
    settled(&lab, 1);
    does(&lab, "host2", &line);
    settled(&lab, 2);
    assert!(two_node(&lab, "host1") && two_node(&lab, "host2"));
    refuses(&lab, "host3", &line, &["the token was used already, by host2"]);
    does(&lab, "host3", &invited(&lab, "host2"));
    settled(&lab, 3);
    assert!(!two_node(&lab, "host1") && !two_node(&lab, "host3"), "cleared when a third joins");
    let conf = shell(&lab, "host3", "cat /etc/corosync/corosync.conf");
    for part in ["transport: knet", "crypto_cipher: aes256", "crypto_hash: sha256", "ring1_addr: 10.77.1.3"] {
        assert!(conf.contains(part), "{part} is not in\n{conf}");
    }
    let files = does(&lab, "host2", "hafen files");
    assert!(!files.contains("conflict") && files.contains("same      /etc/corosync/authkey"), "{files}");
    // Again, everything is left as it is.
    does(&lab, "host1", "hafen init");
    does(&lab, "host2", &invited(&lab, "host1"));
    assert_eq!(shell(&lab, "host1", "cat /etc/corosync/corosync.conf"), conf);
    // The second link alone carries the cluster, too.
    let ring = "corosync-cfgtool -n | grep -c 'enabled connected'";
    until("both links are connected", || shell(&lab, "host1", ring) == "4");
    lab.power().off("host3").expect("off");
    until("host3 is missed", || shell(&lab, "host1", "hafen status").contains("host3     unclean"));
    lab.power().on("host3").expect("on");
    settled(&lab, 3);
}

#[test]
fn what_is_wrong_is_refused_and_leaves_nothing() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, bare(2));
    let mcast = "hafen init --bind eth0 --mcast 239.192.14.15";
    for (command, words) in [
        ("hafen init", &["several networks", "--bind", "10.77.1.1 on eth1"][..]),
        ("hafen init --bind 192.168.7.0/24", &["no address in the network"]),
        ("hafen init --bind 10.77.0.0/16", &["3 addresses", "Say which one"]),
        ("hafen init --bind eth0 --link eth0", &["no second way"]),
        ("hafen init --bind eth0 --detection 300", &["cannot be noticed within 300 ms", "number between"]),
        ("hafen init --bind eth0 --name 'a b'", &["cannot be a cluster's name"]),
        ("hafen init --bind eth0 --fence 'fence x'", &["no name of an agent"]),
        (&format!("{mcast} --link eth1"), &["one link", "knet has up to eight"]),
        (&format!("{mcast} --encryption yes"), &["neither encrypts nor authenticates", "knet encrypts"]),
        ("hafen init --bind eth0 --mcast 10.0.0.1", &["no multicast address"]),
        ("hafen token", &["in no cluster", "hafen init"]),
        ("hafen files", &["in no cluster"]),
        ("hafen quorum tune", &["in no cluster"]),
        ("hafen join host2 --token x", &["does not begin with"]),
        ("hafen token --lifetime 1y", &["is no time"]),
    ] {
        refuses(&lab, "host1", command, words);
    }
    let left = shell(&lab, "host1", "ls -A /etc/corosync /etc/hafen /var/lib/hafen");
    for part in ["corosync.conf", "authkey", "pki", "pending", "daemon.json"] {
        assert!(!left.contains(part), "{part} is left behind:\n{left}");
    }
    does(&lab, "host1", "hafen init --name one --bind eth0");
    let line = invited(&lab, "host1");
    let token = line.rsplit(' ').next().expect("a token").to_owned();
    for (command, words) in [
        (format!("hafen join nosuch --token {token}"), &["'nosuch' does not resolve"][..]),
        (format!("hafen join host2 --token {token}"), &["does not answer", "start the daemon"]),
        (format!("hafen join host1 --token {}", token.replace("hafen1-A", "hafen1-B")), &["mistyped"]),
        (format!("hafen join host1 --token {token} --address 0=nonsense"), &["is no address"]),
    ] {
        refuses(&lab, "host2", &command, words);
    }
    let short = join_line(&does(&lab, "host1", "hafen token --lifetime 1s"));
    std::thread::sleep(Duration::from_millis(2100));
    refuses(&lab, "host2", &short, &["the token ended", "hafen token"]);
    let left = shell(&lab, "host2", "ls -A /etc/corosync /etc/hafen");
    assert!(!left.contains("pending") && !left.contains("pki") && !left.contains("corosync.conf"), "{left}");
    // Another cluster's host, and another cluster's token.
    does(&lab, "host2", "hafen init --name two --bind eth0");
    refuses(&lab, "host2", &line, &["in the cluster 'two' already", "hafen leave"]);
    refuses(&lab, "host1", "hafen init --name two", &["in the cluster 'one' already"]);
    refuses(&lab, "host2", "hafen leave", &["the last host", "--last"]);
    does(&lab, "host2", "hafen leave --last");
    does(&lab, "host2", &line);
    settled(&lab, 2);
    assert!(
        shell(&lab, "host2", "hafen status").contains("Cluster one"),
        "nothing of the other cluster came along"
    );
}

#[test]
fn commands_killed_anywhere_are_completed_by_the_next_run() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, bare(3));
    let init = format!("hafen init --name web {LINKS}");
    kill_and_complete(&lab, "host1", &init, &[5, 15, 40, 100, 250]);
    settled(&lab, 1);
    for id in 2..=3 {
        let line = invited(&lab, "host1");
        kill_and_complete(&lab, &format!("host{id}"), &line, &[10, 30, 60, 120, 300, 700]);
        settled(&lab, id);
    }
    let conf = shell(&lab, "host1", "cat /etc/corosync/corosync.conf");
    assert_eq!(conf.matches("nodeid:").count(), 3, "{conf}");
    assert_eq!(shell(&lab, "host1", "ls /etc/hafen | grep -E 'pending|staging'"), "");
    let files = does(&lab, "host3", "hafen files");
    assert!(!files.contains("conflict"), "{files}");
}

/// Runs a command again and again, killed after so many milliseconds each time, and at last to its end.
fn kill_and_complete(lab: &Lab, host: &str, command: &str, delays_ms: &[u64]) {
    for delay in delays_ms {
        let seconds = *delay as f64 / 1000.0;
        shell(
            lab,
            host,
            &format!("{command} >/dev/null 2>&1 & sleep {seconds}; kill -9 $! 2>/dev/null; wait $!"),
        );
    }
    does(lab, host, command);
}

#[test]
fn hosts_leave_and_are_removed() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, bare(3));
    set_up(&lab, 3);
    does(&lab, "host3", "hafen leave");
    until("two hosts are left", || two_node(&lab, "host1") && two_node(&lab, "host2"));
    settled(&lab, 2);
    until("nothing is left of host3", || !shell(&lab, "host1", "hafen status").contains("host3"));
    assert!(said(&lab, "host3", "hafen leave").contains("is in no cluster"));
    does(&lab, "host3", &invited(&lab, "host1"));
    settled(&lab, 3);
    refuses(&lab, "host1", "hafen remove host2", &["runs", "hafen leave"]);
    refuses(&lab, "host1", "hafen remove host1", &["hafen leave"]);
    refuses(&lab, "host1", "hafen remove host9", &["no host of this cluster", "host1, host2, host3"]);
    // Off for good, in good order.
    does(&lab, "host2", "/usr/bin/lab-service stop hafen && /usr/bin/lab-service stop corosync");
    until("host2 is off", || shell(&lab, "host1", "hafen status").contains("host2     offline"));
    refuses(&lab, "host3", "hafen leave", &["every other host must know", "host2"]);
    does(&lab, "host1", "hafen remove host2");
    until("host2 is out", || !shell(&lab, "host3", "hafen status").contains("host2"));
    assert!(two_node(&lab, "host3"), "set again on removal");
    refuses(&lab, "host2", "hafen files", &["host 2 is not in this cluster's nodelist"]);
}

#[test]
fn timings_are_measured_and_changed_on_all_hosts() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, bare(3));
    set_up(&lab, 3);
    let measured = does(&lab, "host2", "hafen quorum tune");
    for part in ["host1 -> host3 on link 1", "host3 -> host2 on link 0", "The timings fit", "margin"] {
        assert!(measured.contains(part), "{part} is not in {measured}");
    }
    let tuned = does(&lab, "host2", "hafen quorum tune --detection 4700 --apply");
    assert!(tuned.contains("In place on all hosts"), "{tuned}");
    for host in ["host1", "host2", "host3"] {
        let token = "corosync-cmapctl -g runtime.config.totem.token";
        until("the reload has reached all", || shell(&lab, host, token).ends_with("= 2000"));
    }
    settled(&lab, 3);
    refuses(&lab, "host1", "hafen quorum tune --detection 200", &["cannot be noticed within 200 ms"]);
    // Edited by hand: named, and brought to all.
    shell(
        &lab,
        "host1",
        "sed -i 's/nodeid: 2/nodeid: 2\\n\\t\\tquorum_votes: 1/' /etc/corosync/corosync.conf",
    );
    let files = said(&lab, "host3", "hafen files");
    assert!(files.contains("newer     /etc/corosync/corosync.conf: on host1"), "{files}");
    refuses(
        &lab,
        "host2",
        "hafen quorum tune --detection 2500 --apply",
        &["corosync.conf differs", "hafen files"],
    );
    does(&lab, "host1", "hafen files push");
    assert!(does(&lab, "host3", "hafen files").contains("same      /etc/corosync/corosync.conf"));
    does(&lab, "host2", "hafen quorum tune --detection 2500 --apply");
    assert!(
        shell(&lab, "host3", "cat /etc/corosync/corosync.conf").contains("quorum_votes: 1"),
        "what was added stays"
    );
}

#[test]
fn multicast_as_in_the_old_days() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, bare(2));
    let text = does(&lab, "host1", "hafen init --bind eth0 --mcast 239.192.14.15");
    assert!(text.contains("anybody in the network can read"), "{text}");
    does(&lab, "host2", &join_line(&text));
    settled(&lab, 2);
    let conf = shell(&lab, "host2", "cat /etc/corosync/corosync.conf");
    assert!(conf.contains("transport: udp\n") && conf.contains("mcastaddr: 239.192.14.15"), "{conf}");
}
