//! What the cluster adds to a unit while it owns it, for this boot only.

use std::io;
use std::path::{Path, PathBuf};

/// The unit's own restarts would start what the cluster has stopped elsewhere; and a host that shuts down ends the cluster's
/// daemon first, which stops its resources in their order.
const CONTENT: &str = "# Written by hafen while the cluster runs this unit.\n[Unit]\nBefore=hafen.service\n";
const SERVICE: &str = "[Service]\nRestart=no\n";
const NAME: &str = "50-hafen.conf";

fn folder(units: &Path, unit: &str) -> PathBuf {
    units.join(format!("{unit}.d"))
}

/// Writes it. A name that is not one file's is refused.
pub(super) fn write(units: &Path, unit: &str) -> io::Result<()> {
    if unit.contains('/') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let folder = folder(units, unit);
    std::fs::create_dir_all(&folder)?;
    let service = if unit.ends_with(".service") { SERVICE } else { "" };
    std::fs::write(folder.join(NAME), format!("{CONTENT}{service}"))
}

/// Takes it away; whether there was one.
pub(super) fn remove(units: &Path, unit: &str) -> bool {
    let folder = folder(units, unit);
    let was = std::fs::remove_file(folder.join(NAME)).is_ok();
    // Other programs' files keep the folder.
    let _ = std::fs::remove_dir(folder);
    was
}
