//! The oracle: Debian 13's `crm_simulate` in a root of its own, many CIBs by one process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::graph::Answer;
use crate::measure::{self, Cost};

/// Names the Debian 13 root with Pacemaker's tools.
pub const VARIABLE: &str = "HAFEN_ORACLE";
/// That root where nothing else is said.
const DEFAULT: &str = "/var/cache/hafen-oracle";
/// How long one CIB may take.
const LIMIT_S: u32 = 20;

/// The root.
#[derive(Debug, Clone)]
pub struct Oracle {
    root: PathBuf,
    /// Let the oracle check the schema, which takes it most of its time.
    pub validate: bool,
}

/// A folder in the root's `/tmp`, removed when dropped.
struct Folder {
    outside: PathBuf,
    inside: String,
}

impl Folder {
    fn create(root: &Path) -> io::Result<Folder> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        sweep(root);
        let inside = format!(
            "/tmp/hafen-differential-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let outside = root.join(inside.trim_start_matches('/'));
        fs::create_dir_all(&outside)?;
        Ok(Folder { outside, inside })
    }
}

/// Removes what processes that were killed have left.
fn sweep(root: &Path) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        for entry in fs::read_dir(root.join("tmp")).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(rest) = name.strip_prefix("hafen-differential-") else { continue };
            let process = rest.split('-').next().unwrap_or("");
            if process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    });
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.outside);
    }
}

impl Oracle {
    /// The oracle of this machine.
    ///
    /// # Errors
    ///
    /// Where it was looked for.
    pub fn find() -> Result<Oracle, String> {
        let root = std::env::var_os(VARIABLE).map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from);
        if root.join("usr/sbin/crm_simulate").exists() {
            return Ok(Oracle { root, validate: false });
        }
        Err(format!("there is no oracle in {}: make it with .ci/oracle", root.display()))
    }

    /// What it takes to write the graph of a CIB.
    ///
    /// # Errors
    ///
    /// What kept it from that.
    pub fn cost(&self, cib: &Path, rounds: u32) -> io::Result<Cost> {
        let folder = Folder::create(&self.root)?;
        fs::copy(cib, folder.outside.join("cib.xml"))?;
        let [cib, graph] = ["cib.xml", "graph.xml"].map(|name| format!("{}/{name}", folder.inside));
        let root = self.root.to_string_lossy().into_owned();
        let words = ["chroot", &root, "/usr/sbin/crm_simulate", "-x", &cib, "-Q", "-G", &graph];
        measure::command(&words.map(str::to_owned), rounds)
    }

    /// What it says of each CIB: an answer, or its complaint.
    ///
    /// # Errors
    ///
    /// What kept it from being asked.
    pub fn ask(&self, cibs: &[String]) -> io::Result<Vec<Result<Answer, String>>> {
        let folder = Folder::create(&self.root)?;
        for (number, cib) in cibs.iter().enumerate() {
            let cib = if self.validate { cib.clone() } else { without_schema(cib) };
            fs::write(folder.outside.join(format!("{number}.xml")), cib)?;
        }
        let script = format!(
            "cd {}; i=0; while [ $i -lt {} ]; do timeout {LIMIT_S} crm_simulate -x $i.xml -sRQ -G $i.graph >$i.out 2>$i.err; \
             echo $? >$i.status; i=$((i+1)); done",
            folder.inside,
            cibs.len()
        );
        let mut command = Command::new("chroot");
        command.arg(&self.root).args(["/bin/sh", "-c", &script]);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        let output = command.output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let read = |number: usize, kind: &str| {
            fs::read_to_string(folder.outside.join(format!("{number}.{kind}"))).unwrap_or_default()
        };
        let answers = (0..cibs.len()).map(|number| {
            if read(number, "status").trim() != "0" {
                let words = read(number, "err");
                return Err(format!("exit status {}: {}", read(number, "status").trim(), words.trim()));
            }
            Answer::read(&read(number, "graph"), &read(number, "out"))
        });
        Ok(answers.collect())
    }

    /// Whether libxml2 finds that each CIB follows the schema that it names.
    ///
    /// # Errors
    ///
    /// What kept it from being asked.
    pub fn follows(&self, cibs: &[String]) -> io::Result<Vec<bool>> {
        let folder = Folder::create(&self.root)?;
        for (number, cib) in cibs.iter().enumerate() {
            fs::write(folder.outside.join(format!("{number}.xml")), cib)?;
        }
        let mut command = Command::new("chroot");
        command.arg(&self.root).args(["/usr/bin/python3", "-c", FOLLOWS]);
        let output =
            command.arg(&folder.inside).arg(cibs.len().to_string()).env("LC_ALL", "C.UTF-8").output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(|line| line == "True").collect())
    }
}

/// Judges numbered CIBs of a folder; what is loaded once is used for all.
const FOLLOWS: &str = "
import os, sys
from lxml import etree
schemas = {}
for number in range(int(sys.argv[2])):
    document = etree.parse('%s/%d.xml' % (sys.argv[1], number), etree.XMLParser(remove_blank_text=True))
    name = document.getroot().get('validate-with', '')
    path = '/usr/share/pacemaker/%s.rng' % name
    if name not in schemas:
        known = name.startswith('pacemaker-') and os.path.exists(path)
        schemas[name] = etree.RelaxNG(etree.parse(path)) if known else None
    print(schemas[name] is not None and schemas[name].validate(document))
";

/// Spares the oracle the reading of its schemas, which takes longer than all the rest.
fn without_schema(cib: &str) -> String {
    for schema in ["pacemaker-4.0", "pacemaker-3.10"] {
        let said = format!("validate-with=\"{schema}\"");
        if cib.contains(&said) {
            return cib.replacen(&said, "validate-with=\"none\"", 1);
        }
    }
    cib.to_owned()
}
