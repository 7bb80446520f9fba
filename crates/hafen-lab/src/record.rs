//! What exists because of a lab, so that all of it can be removed even when the lab broke.

use std::fs;
use std::io;
use std::path::PathBuf;

use hafen_sys::ProcessIdentity;
use serde::{Deserialize, Serialize};

use crate::{LabError, Layout};

/// Written into the lab's folder before each thing that it names comes to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The boot of the machine in which the processes below ran.
    pub machine_boot_id: String,
    /// The processes that hold the lab: hub and switch.
    pub processes: Vec<HeldProcess>,
    /// Folders outside of the lab's that were created as mount points, innermost last.
    pub folders: Vec<PathBuf>,
}

/// A process by its name in the lab, its id and its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldProcess {
    /// `hub` or `power-switch`.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// When it was started, in clock ticks since boot.
    pub start_time_ticks: u64,
}

impl HeldProcess {
    /// What tells the process from a later one with its id.
    pub fn identity(&self) -> ProcessIdentity {
        ProcessIdentity { pid: self.pid, start_time_ticks: self.start_time_ticks }
    }
}

impl Record {
    /// The record in the lab's folder; an empty one where there is none or it is damaged.
    pub fn load(layout: &Layout) -> Self {
        let text = fs::read(layout.record()).unwrap_or_default();
        let mut record: Self = serde_json::from_slice(&text).unwrap_or_default();
        // Ids of another boot of the machine mean nothing.
        if hafen_sys::boot_id().is_ok_and(|id| id != record.machine_boot_id) {
            record.processes.clear();
        }
        record
    }

    /// Writes it.
    pub fn save(&mut self, layout: &Layout) -> Result<(), LabError> {
        let path = layout.record();
        self.machine_boot_id = hafen_sys::boot_id().map_err(LabError::system("read", "the boot id"))?;
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        text.and_then(|text| fs::write(&path, text)).map_err(LabError::system("write", &path))
    }

    /// Those of its processes that still run.
    pub fn running(&self) -> impl Iterator<Item = &HeldProcess> {
        self.processes.iter().filter(|process| process.identity().is_running())
    }
}
