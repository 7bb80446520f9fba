//! What the switch did, and when: for whoever proves afterwards that a host was off.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::server::locked;
use crate::{LabError, Layout};

/// One thing that the switch did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerEvent {
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// The host.
    pub host: String,
    /// `on` (its first process runs), `off` (proved), `off-asked`, `on-asked`, `reboot-asked`, `failed`, `watchdog-armed`,
    /// `watchdog-disarmed` or `watchdog-expired`.
    pub what: String,
}

/// The file that grows by a line for each event.
pub(super) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    pub(super) fn open(layout: &Layout) -> Result<Self, LabError> {
        let path = layout.power_journal();
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Self { file: Mutex::new(file.map_err(LabError::system("open", &path))?), path })
    }

    pub(super) fn tell(&self, host: &str, what: &str) {
        let mut file = locked(&self.file);
        // The time is taken under the lock: the lines are in its order.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        let event = PowerEvent { wall_ms, host: host.to_owned(), what: what.to_owned() };
        let mut line = serde_json::to_vec(&event).unwrap_or_default();
        line.push(b'\n');
        if let Err(error) = file.write_all(&line) {
            eprintln!("{}: {error}", self.path.display());
        }
    }
}

/// All that the switch of a lab did so far.
pub fn power_events(layout: &Layout) -> Result<Vec<PowerEvent>, LabError> {
    let path = layout.power_journal();
    let text = fs::read_to_string(&path).map_err(LabError::system("read", &path))?;
    // A line that is being written has no end yet.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    Ok(whole.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}
