//! What a cluster of three hosts bears, over the daemons' sockets: updates of transient attributes, changes of the
//! configuration, and a large configuration by the shell. `./dev bench attributes`, `changes`, `load`. Figures are this
//! machine's; nothing is asserted.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a benchmark of a shell")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hafen_lab::{Lab, LabSpec, Layout};
use hafen_protocol::client::{AttributeMode, Edit, Reply, Request};

/// How long each figure is measured.
const SPAN: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(60);
const HOSTS: u32 = 3;
const CLIENTS: u32 = 4;
/// Machines of the configuration that the shell loads.
const MACHINES: u32 = 1000;

/// Makes a client's next request.
type Making = fn(u32, u64) -> Request;

fn main() {
    // Cargo adds an option of its own.
    let what = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let folder = tempfile::Builder::new().prefix("hafen-bench-").tempdir_in("/var/tmp").expect("a folder");
    let layout = Layout::new(folder.path().join("lab"));
    let spec = LabSpec::with_hosts(HOSTS).expect("a spec");
    let (lab, _lease) = hafen_lab::up_leased(&layout, spec, Path::new(env!("CARGO_BIN_EXE_hafen")))
        .expect("the lab comes up");
    (1..=HOSTS).for_each(|host| wait(&lab, host));
    let measured: [(&str, Making); 2] = [("attributes", attribute), ("changes", change)];
    for (name, request) in measured {
        if what.as_deref().is_some_and(|what| what != name) {
            continue;
        }
        for clients in [1, CLIENTS] {
            measure(&lab, name, clients, request);
        }
    }
    if what.is_none_or(|what| what == "load") {
        load(&lab, folder.path());
    }
}

/// A configuration of so many machines, four objects each.
fn machines(name: &str) -> String {
    let mut text =
        String::from("primitive store ocf:pacemaker:Dummy\nclone stores store meta interleave=true\n");
    for number in 0..MACHINES {
        let host = 1 + number % HOSTS;
        text += &format!(
            "primitive vm{number} ocf:pacemaker:Dummy params fake={name} meta allow-migrate=true op monitor interval=30s\n\
             location l{number} vm{number} 100: host{host}\ncolocation c{number} inf: vm{number} stores\n\
             order o{number} Mandatory: stores vm{number}\n"
        );
    }
    text
}

/// How long the shell takes for a large configuration, its process and what it shows beforehand included: to make it in an idle
/// cluster, and to change all of its machines, and none, while the cluster starts them.
fn load(lab: &Lab, folder: &Path) {
    for (what, name) in [("made", "one"), ("changed", "two"), ("the same", "two")] {
        let file = folder.join("machines.crm");
        std::fs::write(&file, machines(name)).expect("written");
        let mut crm = Command::new(env!("CARGO_BIN_EXE_hafen"));
        crm.args(["crm", "configure", "load", "update"]).arg(file).env("HAFEN_LAB", lab.layout().root());
        let began = Instant::now();
        let output = crm.env_remove("HAFEN_SOCKET").output().expect("it runs");
        let took = began.elapsed().as_secs_f64();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        println!("load        {MACHINES} machines, {what}: {took:>7.2} s");
    }
}

/// Waits until a host's daemon belongs to a cluster with a coordinator.
fn wait(lab: &Lab, host: u32) {
    let deadline = Instant::now() + TIMEOUT;
    let is_member = || {
        let mut client = lab.client(&format!("host{host}"), TIMEOUT).ok()?;
        client.status().ok().filter(|status| status.quorate && status.coordinator.is_some())
    };
    while is_member().is_none() {
        assert!(Instant::now() < deadline, "host{host} never was a member");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// An update of an attribute of the client's own.
fn attribute(client: u32, number: u64) -> Request {
    Request::SetAttribute {
        host: None,
        name: format!("bench-{client}"),
        value: Some(number.to_string()),
        dampen_ms: None,
        mode: AttributeMode::Value,
    }
}

/// A change of a property of the client's own.
fn change(client: u32, number: u64) -> Request {
    let edit = Edit::NodeAttribute {
        node: format!("host{}", 1 + client % HOSTS),
        name: format!("bench-{client}"),
        value: Some(number.to_string()),
    };
    Request::Change {
        edits: vec![edit],
        without_quorum: false,
        origin: "root: bench".to_owned(),
        written: None,
    }
}

/// Clients at all hosts, each with one request at a time.
fn measure(lab: &Lab, name: &str, clients: u32, request: Making) {
    let began = Instant::now();
    let counts: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|client| {
                scope.spawn(move || {
                    let host = format!("host{}", 1 + client % HOSTS);
                    let mut connection = lab.client(&host, TIMEOUT).expect("a connection");
                    let (mut done, mut number) = (0, 0);
                    while began.elapsed() < SPAN {
                        number += 1;
                        // One that others came before too often is refused, and not counted.
                        let reply = connection.request(request(client, number));
                        done += u64::from(matches!(reply, Ok(Reply::Done { .. })));
                    }
                    done
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
    });
    let took = began.elapsed().as_secs_f64();
    let done: u64 = counts.iter().sum();
    let rate = done as f64 / took;
    println!("{name:<11} {clients} clients: {rate:>7.0} a second");
}
