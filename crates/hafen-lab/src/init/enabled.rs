//! Which services a host starts when it boots: kept on its disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::Service;
use super::mounts::DISK;
use crate::LabSpec;

/// The names of the services that start at a boot.
pub(super) struct Enabled {
    path: Option<PathBuf>,
    names: BTreeSet<String>,
}

impl Enabled {
    /// What the host's disk says. Hosts without networks of their own start the same services at each boot.
    pub(super) fn load(spec: &LabSpec, services: &[Service]) -> Self {
        let first = services.iter().filter(|service| service.enabled).map(|service| service.name.to_owned());
        let first = first.collect();
        if spec.net.is_none() {
            return Self { path: None, names: first };
        }
        let path = Path::new(DISK).join("enabled.json");
        let kept = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { path: Some(path), names: kept.unwrap_or(first) }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Keeps a set. What cannot be written is lost at the next boot, and said so.
    pub(super) fn set(&mut self, names: impl Iterator<Item = String>) {
        let names: BTreeSet<String> = names.collect();
        if names == self.names {
            return;
        }
        self.names = names;
        let Some(path) = &self.path else { return };
        let text = serde_json::to_vec(&self.names).unwrap_or_default();
        if let Err(error) = fs::write(path, text) {
            eprintln!("{}: {error}", path.display());
        }
    }
}
