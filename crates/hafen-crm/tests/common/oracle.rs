//! Debian 13's crmsh, in a root of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root, if `HAFEN_ORACLE` names no other.
const ROOT: &str = "/var/cache/hafen-oracle";

/// The root with crmsh in it; `None` where there is none.
pub fn root() -> Option<PathBuf> {
    let root = PathBuf::from(std::env::var("HAFEN_ORACLE").unwrap_or_else(|_| ROOT.to_string()));
    root.join("usr/sbin/crm").exists().then_some(root)
}

/// A folder inside of the root, in which crmsh runs on the CIB in `cib.xml`.
pub struct Oracle {
    root: PathBuf,
    folder: tempfile::TempDir,
}

impl Oracle {
    pub fn new(root: &Path) -> Oracle {
        let folder = tempfile::tempdir_in(root.join("tmp")).expect("a folder");
        Oracle { root: root.to_path_buf(), folder }
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("written");
    }

    pub fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.path().join(name)).ok()
    }

    /// Run a command of the shell there: whether it went well, and what it said.
    pub fn run(&self, command: &str, seconds: usize) -> (bool, String, String) {
        let inside = Path::new("/").join(self.folder.path().strip_prefix(&self.root).expect("inside"));
        let script = format!("cd {} && timeout {seconds} {command}", inside.display());
        let mut process = Command::new("chroot");
        process.arg(&self.root).args(["sh", "-c", &script]).env_clear();
        process.env("CIB_file", inside.join("cib.xml")).env("HOME", &inside).env("LC_ALL", "C.UTF-8");
        process.env("USER", "root").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let output = process.output().expect("sh runs");
        let place = inside.display().to_string();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&place, "FOLDER");
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    }
}

/// What crmsh complains of, without its colours.
pub fn complaints(out: &str, err: &str) -> String {
    let told: Vec<&str> = out.lines().chain(err.lines()).filter(|line| line.contains("ERROR")).collect();
    told.join("\n").replace("\u{1b}[31m", "").replace("\u{1b}[0m", "")
}
