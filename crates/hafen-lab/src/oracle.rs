//! The interchange test: Pacemaker's own tools read the live CIB, find it valid, and find nothing to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::LabError;

/// Names the Debian 13 root with Pacemaker's tools.
pub const ORACLE_VARIABLE: &str = "HAFEN_ORACLE";
/// That root where nothing else is said.
const ORACLE_DEFAULT: &str = "/var/cache/hafen-oracle";

/// What the oracle says of a CIB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Valid, and nothing to do.
    Settled,
    /// There is no oracle on this machine.
    Missing(String),
    /// What is wrong.
    Wrong(String),
}

/// Asks the oracle about a live CIB with its status.
pub fn ask(cib: &str) -> Result<Verdict, LabError> {
    let root = std::env::var_os(ORACLE_VARIABLE).map_or_else(|| PathBuf::from(ORACLE_DEFAULT), PathBuf::from);
    if !root.join("usr/sbin/crm_simulate").exists() {
        let text = format!("there is no oracle in {}: make it with .ci/oracle", root.display());
        return Ok(Verdict::Missing(text));
    }
    let files = Files::create(&root, cib)?;
    let verified = run(&root, &["crm_verify", "--verbose", "--xml-file", &files.input])?;
    if let Err(said) = verified {
        return Ok(Verdict::Wrong(format!("crm_verify: {said}")));
    }
    let arguments = ["crm_simulate", "-x", &files.input, "-S", "-G", &files.graph];
    let said = match run(&root, &arguments)? {
        Ok(said) => said,
        Err(said) => return Ok(Verdict::Wrong(format!("crm_simulate: {said}"))),
    };
    let graph = root.join(files.graph.trim_start_matches('/'));
    let graph = fs::read_to_string(&graph).map_err(LabError::system("read", &graph))?;
    let steps = graph.matches("<synapse ").count();
    if steps == 0 && graph.contains("<transition_graph") {
        return Ok(Verdict::Settled);
    }
    let summary = said.split("Transition Summary:").nth(1).unwrap_or(&said);
    Ok(Verdict::Wrong(format!("Pacemaker would take {steps} steps: {}", summary.trim())))
}

/// Runs a tool in the root: what it printed, or what it said when it failed.
fn run(root: &Path, words: &[&str]) -> Result<Result<String, String>, LabError> {
    let mut command = Command::new("chroot");
    command.arg(root).args(words).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    let output = command.output().map_err(LabError::system("run a tool in", root))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(Ok(text(&output.stdout)));
    }
    Ok(Err(format!("{}: {} {}", output.status, text(&output.stderr), text(&output.stdout))))
}

/// The tools' files, removed when dropped.
struct Files {
    input: String,
    graph: String,
    outside: [PathBuf; 2],
}

impl Files {
    fn create(root: &Path, cib: &str) -> Result<Self, LabError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("/tmp/hafen-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (input, graph) = (format!("{name}.xml"), format!("{name}-graph.xml"));
        let outside = [&input, &graph].map(|path| root.join(path.trim_start_matches('/')));
        fs::write(&outside[0], cib).map_err(LabError::system("write", &outside[0]))?;
        Ok(Self { input, graph, outside })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.outside {
            let _ = fs::remove_file(path);
        }
    }
}
