//! What the processes of a host are told.

use std::fs;

use hafen_sys::Signal;

use hafen_daemon::{BusConfig, DaemonConfig, HostEntry};

use super::{PATH, Service};
use crate::layout::{FOLDER_VARIABLE, RUN, STORE};
use crate::{LabError, LabSpec, Layout, NetSpec};

/// Writes the configuration of a host's daemon.
pub fn write_daemon_config(layout: &Layout, spec: &LabSpec, name: &str) -> Result<(), LabError> {
    let hosts = spec.hosts.iter().map(|host| HostEntry { id: host.id, name: host.name.clone() });
    let executable = layout.executable().display().to_string();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let socket = format!("{RUN}/executor.sock");
    let journal = format!("{RUN}/executor.journal");
    let (agents, fence_agents) = (layout.bin().join("resource.d"), layout.bin());
    let config = DaemonConfig {
        cluster: spec.cluster.clone(),
        host: name.to_owned(),
        hosts: hosts.collect(),
        bus: BusConfig::Local { hub: layout.hub_socket() },
        store_dir: STORE.into(),
        run_dir: RUN.into(),
        boot_id_file: Some(layout.boot_id(name)),
        initial_cib_file: Some(layout.initial_cib()),
        daemon_restart_timeout_ms: spec.daemon_restart_timeout_ms,
        startup_wait_ms: spec.startup_wait_ms,
        peer_port: 0,
        pki_dir: None,
        watchdog: Some(hafen_daemon::WatchdogSettings::Socket(layout.power_socket())),
        executor_command: words(&[
            &executable,
            "executor",
            "--socket",
            &socket,
            "--journal",
            &journal,
            "--agents",
            &agents.display().to_string(),
            "--fence-agents",
            &fence_agents.display().to_string(),
        ]),
    };
    let path = layout.daemon_config(name);
    let text = serde_json::to_vec_pretty(&config).map_err(std::io::Error::from);
    text.and_then(|text| fs::write(&path, text)).map_err(LabError::system("write", &path))
}

/// The programs that a host runs: its daemon (which starts the executor), and what that needs.
pub fn services(layout: &Layout, spec: &LabSpec, name: &str) -> Vec<Service> {
    match &spec.net {
        None => services_on_the_hub(layout, spec, name),
        Some(net) => installed_services(layout, spec, net, name),
    }
}

fn environment(spec: &LabSpec) -> Vec<(String, String)> {
    let mut environment =
        vec![("PATH".to_owned(), PATH.to_owned()), ("LC_ALL".to_owned(), "C.UTF-8".to_owned())];
    environment.extend(spec.environment.iter().cloned());
    environment
}

fn services_on_the_hub(layout: &Layout, spec: &LabSpec, name: &str) -> Vec<Service> {
    let mut environment = environment(spec);
    environment.push((FOLDER_VARIABLE.to_owned(), layout.root().display().to_string()));
    let service = |service: &'static str, arguments: Vec<String>| Service {
        name: service,
        program: layout.executable(),
        arguments,
        environment: environment.clone(),
        restart: true,
        notifies: false,
        enabled: true,
        restart_signal: Signal::TERM,
    };
    let config = layout.daemon_config(name).display().to_string();
    let receiver = layout.receivers().join(format!("{name}.sock")).display().to_string();
    vec![
        service("daemon", vec!["daemon".to_owned(), "--config".to_owned(), config]),
        service("receiver", vec!["ocf".to_owned(), "qemu-receiver".to_owned(), receiver]),
    ]
}

/// As the packages' units have them: Corosync stays ended, Hafen starts again.
fn installed_services(layout: &Layout, spec: &LabSpec, net: &NetSpec, name: &str) -> Vec<Service> {
    let environment = environment(spec);
    let service = |name: &'static str, program: &str, arguments: &[&str]| Service {
        name,
        program: program.into(),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        environment: environment.clone(),
        restart: false,
        notifies: true,
        enabled: false,
        restart_signal: Signal::TERM,
    };
    let is_device = net.qnetd.as_ref().is_some_and(|host| host.name == name);
    let is_member = !net.bare && !is_device;
    let receiver = layout.receivers().join(format!("{name}.sock")).display().to_string();
    let plain = |service: Service| Service { restart: true, notifies: false, ..service };
    vec![
        Service { enabled: is_member, ..service("corosync", "/usr/sbin/corosync", &["-f"]) },
        // It starts again because it may be started before Corosync is ready.
        Service {
            enabled: is_member && net.qnetd.is_some(),
            restart: true,
            ..service("corosync-qdevice", "/usr/sbin/corosync-qdevice", &["-f"])
        },
        Service {
            enabled: is_device,
            ..service("corosync-qnetd", "/usr/bin/corosync-qnetd", &["-f", "-s", "off"])
        },
        // SIGTERM makes it leave, with all that it runs; SIGHUP ends it alone, and the next one goes on with what runs.
        Service {
            enabled: is_member,
            restart_signal: Signal::HUP,
            ..plain(service("hafen", "/usr/bin/hafen", &["daemon"]))
        },
        Service {
            enabled: is_member && spec.vms > 0,
            ..plain(service("receiver", "/usr/bin/hafen", &["ocf", "qemu-receiver", &receiver]))
        },
    ]
}
