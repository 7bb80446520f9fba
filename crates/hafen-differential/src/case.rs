//! A difference as a case of the project's own.

use std::fs;
use std::io;
use std::path::Path;

use crate::graph::Graph;
use crate::tree::Tree;

/// Writes a case folder: the CIB, and the oracle's plan as what is expected.
///
/// # Errors
///
/// What kept it from being written.
pub fn save(folder: &Path, cib: &Tree, expected: &Graph) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("cib.xml"), cib.to_xml())?;
    fs::write(folder.join("expected"), expected.describe())
}
