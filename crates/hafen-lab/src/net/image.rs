//! What is on a host's disk before its first boot: names, the links of an installation, and how services are started.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::Link;
use super::address::GATEWAY_ADDRESS;
use super::configuration::Configuration;
use super::shape::GATEWAY;
use crate::{LabError, LabSpec, Layout, NetSpec};

/// Starts and stops services, as `PROGRAM start|stop|restart|status NAME`.
const SERVICE_PROGRAM: &str = "/usr/bin/lab-service";
/// Names that program to Hafen.
const SERVICE_COMMAND: &str = "etc/hafen/service-command";
/// An agent for tests: its resource says that it runs.
const RECORDER: &str = include_str!("../../assets/recorder");
/// Where it is in a host.
const RECORDER_PROGRAM: &str = "/usr/lib/ocf/resource.d/lab/recorder";
/// Where the executable is in a host.
const EXECUTABLE: &str = "/usr/bin/hafen";

/// Makes the images of all hosts.
pub(crate) fn build(layout: &Layout, spec: &LabSpec, net: &NetSpec) -> Result<(), LabError> {
    let mut links = links(layout)?;
    links.push(EXECUTABLE.to_owned());
    crate::guests::write_initial_cib(layout, spec)?;
    let configuration = if net.bare { None } else { Some(Configuration::new(layout, spec, net)?) };
    for host in spec.all_hosts() {
        let image = layout.image(&host.name);
        write(&image, "etc/hosts", &names(spec))?;
        write(&image, "etc/hostname", &format!("{}\n", host.name))?;
        write(&image, SERVICE_COMMAND, &format!("{SERVICE_PROGRAM}\n"))?;
        write_program(
            &image,
            SERVICE_PROGRAM,
            &format!("#!/bin/sh\nexec {EXECUTABLE} lab service \"$@\"\n"),
        )?;
        write_program(&image, RECORDER_PROGRAM, RECORDER)?;
        for link in &links {
            let path = image.join(link.trim_start_matches('/'));
            create_parent(&path)?;
            std::os::unix::fs::symlink(layout.executable(), &path)
                .map_err(LabError::system("link", &path))?;
        }
    }
    let configured = spec.hosts.iter().zip(configuration.iter().cycle());
    configured
        .into_iter()
        .try_for_each(|(host, configuration)| configuration.install(&layout.image(&host.name), host))
}

/// The names by which the executable is something else, as an installation has them.
fn links(layout: &Layout) -> Result<Vec<String>, LabError> {
    let program = layout.executable();
    let output = Command::new(&program).args(["lab", "links"]).output();
    let output = output.map_err(LabError::system("run", &program))?;
    if !output.status.success() {
        let detail = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(LabError::Program { command: format!("{} lab links", program.display()), detail });
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn names(spec: &LabSpec) -> String {
    let mut text = format!("127.0.0.1 localhost\n{GATEWAY_ADDRESS} {GATEWAY}\n");
    for host in spec.all_hosts() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{} {}", Link::Eth0.address(host.id), host.name);
    }
    text
}

/// Writes a program of an image.
fn write_program(image: &Path, path: &str, text: &str) -> Result<(), LabError> {
    let path = path.trim_start_matches('/');
    write(image, path, text)?;
    let path = image.join(path);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .map_err(LabError::system("make executable", &path))
}

/// Writes a file of an image.
fn write(image: &Path, path: &str, content: &str) -> Result<(), LabError> {
    let path = image.join(path);
    create_parent(&path)?;
    fs::write(&path, content).map_err(LabError::system("write", &path))
}

fn create_parent(path: &Path) -> Result<(), LabError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(LabError::system("create", folder))
}
