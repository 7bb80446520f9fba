//! What a host finds on its disk at its first boot: a tree of files and links, made when the lab was set up.

use std::fs;
use std::path::Path;

use crate::LabError;

/// Copies a tree into another, files and links, with their permissions. A missing tree is empty.
pub(super) fn install(from: &Path, to: &Path) -> Result<(), LabError> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(LabError::system("read", from))?,
    };
    for entry in entries {
        let source = entry.map_err(LabError::system("read", from))?.path();
        let target = to.join(source.file_name().unwrap_or_default());
        let kind = source.symlink_metadata().map_err(LabError::system("look at", &source))?.file_type();
        if kind.is_dir() {
            fs::create_dir_all(&target).map_err(LabError::system("create", &target))?;
            install(&source, &target)?;
        } else if kind.is_symlink() {
            let points = fs::read_link(&source).map_err(LabError::system("read", &source))?;
            let _ = fs::remove_file(&target);
            std::os::unix::fs::symlink(points, &target).map_err(LabError::system("link", &target))?;
        } else {
            fs::copy(&source, &target).map_err(LabError::system("copy to", &target))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_links_and_folders_are_installed() {
        let [from, to] = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        fs::create_dir_all(from.path().join("etc/hafen")).expect("created");
        fs::write(from.path().join("etc/hafen/x"), "x").expect("written");
        std::os::unix::fs::symlink("hafen/x", from.path().join("etc/y")).expect("linked");
        for _ in 0..2 {
            install(from.path(), to.path()).expect("installed");
        }
        assert_eq!(fs::read_to_string(to.path().join("etc/y")).expect("read"), "x");
        install(&from.path().join("missing"), to.path()).expect("nothing to do");
    }
}
