//! Pacemaker's tools, each against what Debian's printed and exited with.
//!
//! A case is a folder `tools/TOOL/NAME` with files to start from (`cib.xml` is the CIB) and a `transcript`: a line `$ COMMAND`,
//! its standard output, its standard error (each line after `2> `), and `[STATUS]` where that is not 0. All commands of a
//! transcript run in one copy of the folder, one after the other, by `sh`. A command after `$!` is expected to differ from
//! Debian's on purpose; the line above says why.
//!
//! `HAFEN_RECORD=REGEX` writes the outputs of matching cases (`tool/name`) anew, by Debian's tools in the root that
//! `HAFEN_ORACLE` names.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const HAFEN: &str = env!("CARGO_BIN_EXE_hafen");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools");
const ORACLE: &str = "/var/cache/hafen-oracle";
/// No command of a transcript may take longer.
const LIMIT: &str = "60";

/// Where commands run: with our tools, or with Debian's.
struct Stage {
    folder: tempfile::TempDir,
    oracle: Option<PathBuf>,
}

impl Stage {
    fn new(case: &Path, oracle: Option<PathBuf>) -> Self {
        let folder = match &oracle {
            Some(root) => tempfile::tempdir_in(root.join("tmp")),
            None => tempfile::tempdir(),
        };
        let folder = folder.expect("a folder");
        for entry in fs::read_dir(case).expect("the case").flatten() {
            if entry.file_name() != "transcript" {
                fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
            }
        }
        if oracle.is_none() {
            fs::create_dir(folder.path().join(".tools")).expect("a folder");
            let output =
                Command::new(HAFEN).arg("install-applets").arg(folder.path().join(".tools")).output();
            assert!(output.expect("hafen runs").status.success(), "links to the tools");
        }
        Self { folder, oracle }
    }

    fn run(&self, command: &str) -> String {
        let inside = match &self.oracle {
            Some(root) => {
                Path::new("/").join(self.folder.path().strip_prefix(root).expect("inside of the root"))
            }
            None => self.folder.path().to_owned(),
        };
        let mut process = match &self.oracle {
            Some(root) => {
                let mut process = Command::new("chroot");
                process.arg(root).args(["timeout", LIMIT]);
                process
            }
            None => {
                let mut process = Command::new("timeout");
                process.arg(LIMIT);
                process
            }
        };
        let script = format!("cd '{}' && {command}", inside.display());
        process.args(["sh", "-c", &script]).env_clear().env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
        process.env("CIB_file", inside.join("cib.xml")).env("CIB_shadow_dir", &inside).env("USER", "root");
        let tools = inside.join(".tools");
        process.env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tools.display()));
        let output = process.output().expect("sh runs");
        let place = inside.display().to_string();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&place, "FOLDER");
        let mut told = text(&output.stdout);
        if self.oracle.is_none() && command.contains("crm_mon ") {
            told = self.without_reminder(told);
        }
        if !told.is_empty() && !told.ends_with('\n') {
            told.push_str("\\\n");
        }
        for line in text(&output.stderr).lines() {
            let _ = writeln!(told, "2> {line}");
        }
        match output.status.code() {
            Some(0) => {}
            Some(code) => told += &format!("[{code}]\n"),
            None => told += "[killed]\n",
        }
        told
    }
}

impl Stage {
    /// Ours ends with a section more than Debian's: what moves left behind in this CIB. Exactly that is taken off; that it is
    /// there is seen elsewhere (`shell/moving.rs`).
    fn without_reminder(&self, told: String) -> String {
        let Ok(xml) = fs::read_to_string(self.folder.path().join("cib.xml")) else { return told };
        let Ok(mut cib) = hafen_cib::Cib::parse(&xml) else { return told };
        hafen_cib::upgrade::upgrade(&mut cib);
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
        let resources: Vec<String> =
            hafen_scheduler::leftovers(&cib).into_iter().map(|one| one.resource).collect();
        let of = |resource| format!("\n{}", hafen_scheduler::leftovers_section(&cib, now, resource));
        let sections = std::iter::once(None).chain(resources.iter().map(|one| Some(one.as_str()))).map(of);
        let found = sections
            .filter(|section| section.len() > 1)
            .find_map(|section| told.strip_suffix(&section).map(str::to_owned));
        found.unwrap_or(told)
    }
}

/// The transcript with the outputs of this stage; commands after `$!` keep what is written where `keep` is set.
fn played(transcript: &str, stage: &Stage, keep: bool) -> String {
    let mut text = String::new();
    let mut skipping = false;
    for line in transcript.lines() {
        let (command, ours) = match (line.strip_prefix("$ "), line.strip_prefix("$! ")) {
            (Some(command), _) => (Some(command), false),
            (_, Some(command)) => (Some(command), true),
            _ => (None, false),
        };
        match command {
            Some(command) => {
                text += &format!("{line}\n");
                let output = stage.run(command);
                skipping = !(ours && keep);
                if skipping {
                    text += &output;
                }
            }
            None if line.starts_with("# ") => {
                text += &format!("{line}\n");
                skipping = true;
            }
            None if !skipping || line.is_empty() && text.is_empty() => text += &format!("{line}\n"),
            None => {}
        }
    }
    text
}

fn cases() -> Vec<PathBuf> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    let mut cases: Vec<PathBuf> = folders(Path::new(FOLDER)).iter().flat_map(|tool| folders(tool)).collect();
    cases.sort();
    cases
}

#[test]
fn tools_print_and_exit_as_debians_do() {
    let record = std::env::var("HAFEN_RECORD").ok();
    let wanted = record.as_ref().map(|pattern| regex_lite::Regex::new(pattern).expect("a pattern"));
    let mut differences = String::new();
    let cases = cases();
    assert!(!cases.is_empty());
    for case in cases {
        let name = case.strip_prefix(FOLDER).expect("a case").display().to_string();
        let transcript = fs::read_to_string(case.join("transcript")).expect("a transcript");
        if let Some(wanted) = &wanted {
            if wanted.is_match(&name) {
                let root = std::env::var_os("HAFEN_ORACLE").map_or_else(|| ORACLE.into(), PathBuf::from);
                let stage = Stage::new(&case, Some(root));
                fs::write(case.join("transcript"), played(&transcript, &stage, true)).expect("written");
            }
            continue;
        }
        assert!(transcript.lines().any(|line| line.starts_with('$')), "{name} has no commands");
        let stage = Stage::new(&case, None);
        let found = played(&transcript, &stage, false);
        if found != transcript {
            let difference = similar::TextDiff::from_lines(&transcript, &found);
            let _ = writeln!(
                differences,
                "{}",
                difference.unified_diff().header(&name, "found").context_radius(4)
            );
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

#[test]
fn links_to_all_tools_are_made_again_and_again() {
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..2 {
        let output =
            Command::new(HAFEN).arg("install-applets").arg(folder.path()).output().expect("hafen runs");
        assert!(output.status.success(), "{output:?}");
    }
    let output = Command::new(folder.path().join("crm_node")).arg("--version").output().expect("a link");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("Pacemaker "), "{output:?}");
    // Something else of that name is not overwritten.
    fs::remove_file(folder.path().join("crm_node")).expect("it was there");
    fs::write(folder.path().join("crm_node"), "another's").expect("written");
    symlink("/nonexistent", folder.path().join("crm_mon.old")).expect("a link");
    let output = Command::new(HAFEN).arg("install-applets").arg(folder.path()).output().expect("hafen runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("crm_node"), "{output:?}");
}

#[test]
fn another_shell_is_not_hidden_unless_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let (others, links) = (folder.path().join("others"), folder.path().join("links"));
    fs::create_dir(&others).expect("a folder");
    let path = format!("{}:/usr/bin:/bin", others.display());
    let install = |with_crm: bool| {
        let mut command = Command::new(HAFEN);
        command.arg("install-applets").arg(&links).env("PATH", &path);
        let output = command.args(with_crm.then_some("--with-crm")).output().expect("hafen runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let other = others.join("crm");
    fs::write(&other, "#!/bin/sh\necho another\n").expect("written");
    let said = install(false);
    assert!(said.contains(&*other.to_string_lossy()) && said.contains("--with-crm"), "{said}");
    assert!(links.join("crm_mon").exists() && !links.join("crm").exists());
    assert_eq!(install(true), "");
    assert!(links.join("crm").exists());
    // It was asked for once.
    assert_eq!(install(false), "");
    // A link to this program is no other shell.
    fs::remove_file(links.join("crm")).expect("it was made");
    fs::remove_file(&other).expect("it was there");
    symlink(HAFEN, &other).expect("a link");
    assert_eq!(install(false), "");
    assert!(links.join("crm").exists());
}
