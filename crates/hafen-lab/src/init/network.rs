//! The interfaces of a host, their addresses, and its default route.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::net::address::{GATEWAY_ADDRESS, PREFIX_BITS, hardware_text};
use crate::net::{Attachment, Link};
use crate::{LabError, Layout};

/// The loopback interface alone.
pub(super) fn loopback(name: &str) {
    if let Err(detail) = ip("link set lo up\n") {
        // A host without a loopback interface does all that the lab itself needs; agents for addresses will say so.
        eprintln!("{name}: the loopback interface stays down (is iproute2 installed?): {detail}");
    }
}

/// Interfaces at the lab's switch.
pub(super) fn plug_in(layout: &Layout, name: &str, id: u32) -> Result<(), LabError> {
    Attachment::hold(&layout.switch_socket(), name)?;
    let mut script = "link set lo up\n".to_owned();
    for link in Link::ALL {
        let (address, hardware) = (link.address(id), hardware_text(link.hardware_address(id)));
        script += &format!(
            "link set {link} address {hardware}\naddress add {address}/{PREFIX_BITS} broadcast + dev {link}\n"
        );
        script += &format!("link set {link} up\n");
    }
    script += &format!("route add default via {GATEWAY_ADDRESS} dev {}\n", Link::Lan0);
    ip(&script).map_err(|detail| LabError::Program { command: "ip -batch -".to_owned(), detail })
}

/// Runs a script of `ip`.
fn ip(script: &str) -> Result<(), String> {
    let mut command = Command::new("ip");
    command.args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    command.env("PATH", super::PATH);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(script.as_bytes()).map_err(|error| error.to_string())?;
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
