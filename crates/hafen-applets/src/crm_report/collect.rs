//! What a report holds of one host.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hafen_agents::secrets::SECRETS_FOLDER;
use hafen_protocol::client::Event;
use regex_lite::Regex;

use super::super::{output, source};
use super::mask::Masks;

/// Of each log at most so much, from its end.
const LOG_BYTES_MAXIMUM: u64 = 8 << 20;
/// Inputs of transitions, at most: the newest ones.
const INPUTS_MAXIMUM: usize = 50;
/// Logs that are looked for.
const LOGS: [&str; 4] = [
    "/var/log/hafen.log",
    "/var/log/pacemaker/pacemaker.log",
    "/var/log/pacemaker.log",
    "/var/log/cluster/corosync.log",
];

/// What is asked for.
#[derive(Debug)]
pub(super) struct Span {
    /// Seconds since the Unix epoch.
    pub(super) from: i64,
    /// The same.
    pub(super) to: i64,
    /// Logs beside those that are found.
    pub(super) logs: Vec<PathBuf>,
    /// Whether logs are looked for.
    pub(super) search: bool,
    /// What an analysis finds in logs.
    pub(super) trouble: Vec<Regex>,
}

/// A file of the report: its name and its text.
pub(super) type File = (String, String);

/// Collects what there is on this host. What cannot be had is told in a file of its own.
pub(super) fn collect(span: &Span, masks: &mut Masks) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    let (cib, running) = cib();
    let events = events(span);
    let inputs = inputs(&events);
    masks.learn(inputs.iter().map(|(_, text)| text.as_str()).chain([cib.as_str()]), stashed());
    files.push((if running { "RUNNING" } else { "STOPPED" }.to_owned(), String::new()));
    files.push(("cib.xml".to_owned(), cib));
    for (file, words) in [
        ("crm_mon.txt", &["crm_mon", "-1rfA"][..]),
        ("crm_mon.xml", &["crm_mon", "-1rfA", "--output-as=xml"]),
        ("members.txt", &["crm_node", "-l"]),
        ("partition.txt", &["crm_node", "-p"]),
        ("crm_verify.txt", &["crm_verify", "-L", "-VV"]),
        ("fence_history.txt", &["stonith_admin", "-H", "*"]),
        ("status.txt", &["status"]),
    ] {
        if running || file == "crm_verify.txt" {
            files.push((file.to_owned(), own(words)));
        }
    }
    let lines: Vec<String> = events.iter().map(line).collect();
    files.push(("events.txt".to_owned(), joined(&lines)));
    let journal = if span.search { journal(span) } else { String::new() };
    let mut found = span.logs.clone();
    found.extend(LOGS.iter().map(PathBuf::from).filter(|path| span.search && path.exists()));
    let mut logs: Vec<File> = found.iter().map(|path| (name_of(path), tail(path))).collect();
    logs.push(("journal.log".to_owned(), journal));
    let trouble = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| span.trouble.iter().any(|pattern| pattern.is_match(line)));
        lines.map(str::to_owned).collect()
    };
    let failed = |event: &&Event| {
        ["refused", "fence-held", "unclean", "garbage"].contains(&event.kind.as_str())
            || event.text.contains("fail")
    };
    let mut analysis: Vec<String> = events.iter().filter(failed).map(line).collect();
    logs.iter().for_each(|(_, text)| analysis.extend(trouble(text)));
    files.push(("analysis.txt".to_owned(), joined(&analysis)));
    files.extend(logs);
    files.extend(inputs.into_iter().map(|(name, text)| (format!("pengine/{name}"), text)));
    let text = |path: &str| fs::read_to_string(path).unwrap_or_else(|error| format!("{path}: {error}\n"));
    files.push(("corosync.conf".to_owned(), text("/etc/corosync/corosync.conf")));
    files.push(("sysinfo.txt".to_owned(), sysinfo()));
    files.push(("sysstats.txt".to_owned(), sysstats()));
    files
}

/// The CIB: the file that stands for it, else the cluster's where it runs.
fn cib() -> (String, bool) {
    if let Some(path) = source::file() {
        let text = fs::read_to_string(&path);
        return (text.unwrap_or_else(|error| format!("<!-- {}: {error} -->\n", path.display())), true);
    }
    let mut client = match output::connect() {
        Ok(client) => client,
        Err(error) => return (format!("<!-- {} -->\n", error.to_string().replace("--", "- -")), false),
    };
    match client.cib(true) {
        Ok(xml) => (xml, true),
        Err(error) => (format!("<!-- {} -->\n", error.to_string().replace("--", "- -")), true),
    }
}

fn events(span: &Span) -> Vec<Event> {
    let events = output::connect().and_then(|client| client.events(None, false));
    let inside = |event: &Event| {
        i64::try_from(event.wall_ms / 1000).is_ok_and(|at| (span.from..=span.to).contains(&at))
    };
    events.into_iter().flatten().map_while(Result::ok).filter(inside).collect()
}

fn line(event: &Event) -> String {
    let at = i64::try_from(event.wall_ms / 1000).ok().and_then(output::moment).unwrap_or_default();
    let Event { host, kind, subject, text, cause, .. } = event;
    format!("{at} {host} {kind} {subject}: {text} [{cause}]")
}

/// What the scheduler was given for the transitions that this host planned.
fn inputs(events: &[Event]) -> Vec<File> {
    let number = |event: &Event| -> Option<u64> {
        let rest = event.text.strip_prefix("transition ")?;
        rest.split_ascii_whitespace().next()?.parse().ok()
    };
    let planned = events.iter().rev().filter(|event| event.kind == "plan").filter_map(number);
    let Ok(mut client) = output::connect() else { return Vec::new() };
    let file = |number: u64| Some((format!("pe-input-{number}.xml"), client.transition_input(number).ok()?));
    planned.take(INPUTS_MAXIMUM).filter_map(file).collect()
}

/// The secrets that lie in files of this host.
fn stashed() -> Vec<String> {
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = entries(Path::new(SECRETS_FOLDER)).flat_map(|folder| entries(&folder).collect::<Vec<_>>());
    let values = files.filter(|path| path.extension().is_none_or(|extension| extension != "sign"));
    values.filter_map(|path| fs::read_to_string(path).ok()).collect()
}

/// What one of our own tools says.
fn own(words: &[&str]) -> String {
    match output::hafen() {
        Ok(mut program) => said(program.args(words)),
        Err(error) => format!("{error}\n"),
    }
}

fn said(command: &mut Command) -> String {
    match command.stdin(Stdio::null()).output() {
        Ok(output) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            text(&output.stdout) + &text(&output.stderr)
        }
        Err(error) => format!("{}: {error}\n", command.get_program().to_string_lossy()),
    }
}

/// What the system's journal has of the cluster's services.
fn journal(span: &Span) -> String {
    let mut command = Command::new("journalctl");
    command.args(["--no-pager", "-q", "-o", "short-iso"]);
    command.args([format!("--since=@{}", span.from), format!("--until=@{}", span.to)]);
    command.args(["-u", "hafen*", "-u", "corosync*", "-u", "pacemaker*"]);
    said(&mut command)
}

fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES_MAXIMUM)))?;
        let mut bytes = Vec::new();
        file.take(LOG_BYTES_MAXIMUM).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("{}: {error}\n", path.display()),
    }
}

/// A log's name in the report: two logs of one name in different folders stay apart.
fn name_of(path: &Path) -> String {
    let name = path.to_string_lossy();
    format!("logs/{}", name.trim_start_matches(['/', '.']).replace("/..", "").replace('/', "_"))
}

fn joined(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn sysinfo() -> String {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut info =
        format!("Hafen {}, in the place of Pacemaker {}\n", env!("CARGO_PKG_VERSION"), output::VERSION);
    let uname = rustix::system::uname();
    let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    info += &format!(
        "{} {} {} {}\n",
        part(uname.sysname()),
        part(uname.release()),
        part(uname.version()),
        part(uname.machine())
    );
    info += &text("/etc/os-release");
    info += &said(Command::new("corosync").arg("-v"));
    info
}

fn sysstats() -> String {
    let text = |path: &str| format!("{path}:\n{}\n", fs::read_to_string(path).unwrap_or_default());
    let files = ["/proc/uptime", "/proc/loadavg", "/proc/meminfo", "/proc/mounts", "/proc/net/dev"];
    let mut stats: String = files.iter().map(|path| text(path)).collect();
    stats += &said(Command::new("df").arg("-k"));
    stats
}
