//! When a host that was switched on can be used.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::init::SERVICES_SOCKET;
use crate::power::PowerSwitch;
use crate::{LabError, Layout};

/// How long a host's first process may take to prepare the host.
const BOOT_TIMEOUT: Duration = Duration::from_secs(30);
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// Bytes of a host's console that are shown when it does not come up.
const CONSOLE_BYTES: usize = 2_000;

/// Waits until a host's first process takes orders.
pub(crate) fn wait(layout: &Layout, host: &str) -> Result<(), LabError> {
    let switch = PowerSwitch::at(layout.power_socket());
    let deadline = Instant::now() + BOOT_TIMEOUT;
    loop {
        // The way through /proc leads into the host's own files.
        let init = switch.init_of(host);
        let is_there = |init: u32| PathBuf::from(format!("/proc/{init}/root{SERVICES_SOCKET}")).exists();
        if init.as_ref().is_ok_and(|init| is_there(*init)) {
            return Ok(());
        }
        if init.is_err() || Instant::now() > deadline {
            let console = fs::read(layout.console(host)).unwrap_or_default();
            let last = &console[console.len().saturating_sub(CONSOLE_BYTES)..];
            let said = String::from_utf8_lossy(last);
            return Err(LabError::State(format!(
                "{host} does not come up; its console says: {}",
                said.trim()
            )));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}
