//! `crm_report`: all that helps to understand what a cluster did, of all of its hosts, in one archive without secrets.

mod collect;
mod mask;
mod pack;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use hafen_protocol::client::StatusReport;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use regex_lite::Regex;

use super::options::{Given, Operand, OptionSpec, Spec, flag, old, valued};
use super::output::{self, CrmExit, Failed, Printed};
use collect::{File, Span};
use mask::Masks;

const COLLECT: char = '\u{10}';
const FEATURES: char = '\u{11}';
const SOS: char = '\u{12}';
const DEST: char = '\u{13}';
const CTS_LOG: char = '\u{14}';

const SPEC: Spec = Spec {
    name: "crm_report",
    about: "Packs what helps to understand a problem of the cluster, of all of its hosts and without secrets",
    options: &[
        valued('f', "from", "TIME", "From when on (\"YYYY-M-D H:M:S\", a day, or an hour of today)"),
        valued('t', "to", "TIME", "Until when (default: now)"),
        valued('n', "nodes", "HOSTS", "Of these hosts (default: those of the cluster)"),
        flag('M', "no-search", "Look for no logs"),
        valued('l', "logfile", "FILE", "This log, too"),
        valued(
            'p',
            "sanitize",
            "REGEX",
            "What the names of further secrets look like (passw.* and others always)",
        ),
        valued('L', "log-patterns", "REGEX", "What is trouble in a log (default: CRIT: and ERROR:)"),
        flag('S', "single-node", "Of this host alone"),
        valued('u', "user", "USER", "As whom to ask other hosts (default: root)"),
        valued('e', "rsh", "COMMAND", "How to run a command on another host (default: ssh -T)"),
        flag('d', "as-directory", "Leave a folder instead of an archive"),
        valued(DEST, "dest", "NAME", "The name of the archive (as the word after the options)"),
        flag(SOS, "sos-mode", "For sosreport: a folder, of this host alone"),
        flag(FEATURES, "features", "What this build can do"),
        flag('v', "software-version", "The version of Pacemaker that this stands in for"),
        valued('T', "cts", "TEST", "Not there: reports of Pacemaker's own tests"),
        old(CTS_LOG, "cts-log", Operand::Required("FILE")),
        old('c', "cluster", Operand::Required("TYPE")),
        flag('C', "corosync", "Accepted: there is no other"),
        old('D', "max-depth", Operand::Required("DEPTH")),
        old(COLLECT, "collect", Operand::None),
    ] as &[OptionSpec],
    examples: "Examples:\n  crm_report -f \"2026-11-25 13:05:00\" disk-full\n  crm_report -f 13:05 -t 13:20 -S -d /tmp/short",
};

pub(super) fn run(words: &[String]) -> ExitCode {
    output::run_as(&SPEC, CrmExit::Error, words, act)
}

fn wrong(text: impl Into<String>) -> Failed {
    Failed::new(CrmExit::Error, format!("ERROR: {}", text.into()))
}

/// All values that were given for an option.
fn values(given: &Given, letter: char) -> impl Iterator<Item = &str> {
    given.options.iter().filter(move |(given, _)| *given == letter).filter_map(|(_, value)| value.as_deref())
}

fn act(given: &Given) -> Result<Printed, Failed> {
    if given.has('v') || given.has(FEATURES) {
        let features = if given.has(FEATURES) { ": corosync-ge-2 cibsecrets lsb heartbeat" } else { "" };
        let text = format!("crm_report {}{features}\n", output::VERSION);
        return Ok(Printed { text, ..Printed::default() });
    }
    if given.has('T') {
        return Err(Failed::new(
            CrmExit::Unimplemented,
            "ERROR: there are no reports of Pacemaker's own tests here",
        ));
    }
    if let Some(kind) = given.value(&['c']).filter(|kind| *kind != "corosync") {
        return Err(wrong(format!("there is no cluster of type {kind}, but corosync")));
    }
    if given.options.is_empty() && given.words.is_empty() {
        return Ok(Printed { text: SPEC.help(), ..Printed::default() });
    }
    let span = span(given)?;
    let mut masks = Masks::new(values(given, 'p')).map_err(wrong)?;
    let files = collect::collect(&span, &mut masks);
    let files: Vec<File> = files.into_iter().map(|(name, text)| (name, masks.mask(&text))).collect();
    if given.has(COLLECT) {
        let sent = pack::send(&files, std::io::stdout().lock());
        return sent.map(|()| Printed::default()).map_err(|error| wrong(error.to_string()));
    }
    report(given, &span, &masks, files)
}

/// Writes the report of this host and of the others.
fn report(given: &Given, span: &Span, masks: &Masks, own: Vec<File>) -> Result<Printed, Failed> {
    let me = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let folder = destination(given)?;
    let keep = given.has('d') || given.has(SOS);
    let failed =
        |path: &Path, error: &std::io::Error| wrong(format!("{}: {}", path.display(), output::reason(error)));
    if folder.exists() {
        return Err(wrong(format!("{} is there already: choose another name", folder.display())));
    }
    let write = |name: &str, files: &[File]| {
        let place = folder.join(name);
        pack::write(&place, files).map_err(|error| failed(&place, &error))
    };
    write(&me, &own)?;
    let mut hosts = vec![me.clone()];
    let mut missing = Vec::new();
    if !given.has('S') && !given.has(SOS) {
        for host in others(given, &me) {
            match from_host(given, span, masks, &host) {
                Ok(files) => {
                    write(&host, &files)?;
                    hosts.push(host);
                }
                Err(why) => {
                    eprintln!("{me}: ERROR: {why}");
                    write(&host, &[("ERROR".to_owned(), masks.mask(&format!("{why}\n")))])?;
                    missing.push(host);
                }
            }
        }
    }
    write("", &[("report.summary".to_owned(), summary(span, &hosts, &missing))])?;
    if keep {
        return Ok(told(&me, &folder));
    }
    let archive = PathBuf::from(format!("{}.tar.gz", folder.display()));
    pack::pack(&folder, &archive).map_err(|error| failed(&archive, &error))?;
    Ok(told(&me, &archive))
}

fn told(me: &str, place: &Path) -> Printed {
    let text = format!("{me}: Collected results are available in {}\n", place.display());
    Printed { text, ..Printed::default() }
}

fn summary(span: &Span, hosts: &[String], missing: &[String]) -> String {
    let moment = |at| output::moment(at).unwrap_or_default();
    let mut text = format!("From {} to {}\nHosts: {}\n", moment(span.from), moment(span.to), hosts.join(" "));
    if !missing.is_empty() {
        text += &format!("Not reached (see ERROR in their folders): {}\n", missing.join(" "));
    }
    text
}

/// Where the report goes: a name that was given, without the ending of an archive, or one with the day.
fn destination(given: &Given) -> Result<PathBuf, Failed> {
    let name = given.words.first().map(String::as_str).or_else(|| given.value(&[DEST]));
    let name = match name {
        Some(name) => {
            let endings = [".tar.gz", ".tar.bz2", ".tgz"];
            endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name).to_owned()
        }
        None => {
            let now = i64::try_from(output::now()).unwrap_or_default();
            let moment = jiff::Timestamp::from_second(now).map_err(|error| wrong(error.to_string()))?;
            format!("pcmk-{}", moment.to_zoned(TimeZone::system()).strftime("%a-%d-%b-%Y"))
        }
    };
    if name.trim_end_matches('/').is_empty() {
        return Err(wrong("the report needs a name"));
    }
    Ok(PathBuf::from(name.trim_end_matches('/')))
}

/// The hosts of the cluster but this one: those that are named, else those that the daemon knows.
fn others(given: &Given, me: &str) -> Vec<String> {
    let named: Vec<String> = values(given, 'n').flat_map(str::split_whitespace).map(str::to_owned).collect();
    let known = || -> Vec<String> {
        let report: Option<StatusReport> = output::connect().ok().and_then(|mut client| client.status().ok());
        report.into_iter().flat_map(|report| report.hosts).map(|host| host.name).collect()
    };
    let all = if named.is_empty() { known() } else { named };
    let is_name = |host: &String| host != me && !host.starts_with('-') && !host.contains('/') && host != "..";
    all.into_iter().filter(is_name).collect()
}

/// Asks another host for its files. The error says what to do instead.
fn from_host(given: &Given, span: &Span, masks: &Masks, host: &str) -> Result<Vec<File>, String> {
    let shell: Vec<&str> =
        given.value(&['e']).unwrap_or("ssh -T -o BatchMode=yes").split_whitespace().collect();
    let [program, words @ ..] = shell.as_slice() else { return Err("-e names no command".to_owned()) };
    let mut line = format!("crm_report --collect -S -f @{} -t @{}", span.from, span.to);
    for (letter, value) in
        ['p', 'L', 'l'].iter().flat_map(|letter| values(given, *letter).map(move |value| (letter, value)))
    {
        line += &format!(" -{letter} '{}'", value.replace('\'', r"'\''"));
    }
    if given.has('M') {
        line += " -M";
    }
    let mut command = Command::new(program);
    command.args(words).args(["-l", given.value(&['u']).unwrap_or("root"), host, &line]);
    let advice = format!("say `crm_report -S` on {host} itself, or name another way to it with -e");
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{host} cannot be asked: {program}: {error}; {advice}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        let why = why.lines().last().unwrap_or("no reason given").to_owned();
        return Err(format!("{host} cannot be asked: {program}: {why}; {advice}"));
    }
    pack::receive(output.stdout.as_slice(), masks)
        .map_err(|error| format!("{host} did not answer with a report: {error}; {advice}"))
}

fn span(given: &Given) -> Result<Span, Failed> {
    let now = i64::try_from(output::now()).unwrap_or_default();
    let from = given.value(&['f']).map(|text| moment(text, now)).transpose()?;
    let from = match (from, given.has(SOS)) {
        (Some(from), _) => from,
        // What sosreport is to have: three days.
        (None, true) => now - 3 * 24 * 3600,
        (None, false) => return Err(wrong("Not sure what to do, no tests or time ranges to extract")),
    };
    let to = given.value(&['t']).map(|text| moment(text, now)).transpose()?.unwrap_or(now);
    if to < from {
        return Err(wrong("the end of the time is before its beginning"));
    }
    let patterns: Vec<&str> = values(given, 'L').flat_map(str::split_whitespace).collect();
    let patterns = if patterns.is_empty() { vec!["CRIT:", "ERROR:"] } else { patterns };
    let parse = |pattern: &str| Regex::new(pattern).map_err(|error| wrong(format!("-L {pattern}: {error}")));
    let trouble = patterns.into_iter().map(parse).collect::<Result<_, _>>()?;
    let logs = values(given, 'l').map(PathBuf::from).collect();
    Ok(Span { from, to, logs, search: !given.has('M'), trouble })
}

/// A moment as it is given: a day, an hour of today, both, or seconds since the Unix epoch after `@`.
pub(super) fn moment(text: &str, now: i64) -> Result<i64, Failed> {
    let none = || wrong(format!("'{text}' is no time: give \"YYYY-M-D H:M:S\""));
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.parse().map_err(|_| none());
    }
    let zone = TimeZone::system();
    let today = jiff::Timestamp::from_second(now).map_err(|_| none())?.to_zoned(zone.clone()).date();
    let (mut date, mut time) = (today, Time::midnight());
    let mut parts = text.split([' ', 'T']).filter(|part| !part.is_empty()).peekable();
    if parts.peek().is_none() {
        return Err(none());
    }
    for part in parts {
        let separator = if part.contains(':') { ':' } else { '-' };
        let numbers: Result<Vec<i16>, _> = part.split(separator).map(str::parse).collect();
        let small = |number: i16| i8::try_from(number).map_err(|_| none());
        match (separator, numbers.map_err(|_| none())?.as_slice()) {
            ('-', [year, month, day]) => {
                date = Date::new(*year, small(*month)?, small(*day)?).map_err(|_| none())?
            }
            (':', [hour, minute]) => {
                time = Time::new(small(*hour)?, small(*minute)?, 0, 0).map_err(|_| none())?
            }
            (':', [hour, minute, second]) => {
                time = Time::new(small(*hour)?, small(*minute)?, small(*second)?, 0).map_err(|_| none())?;
            }
            _ => return Err(none()),
        }
    }
    let zoned = date.to_datetime(time).to_zoned(zone).map_err(|_| none())?;
    Ok(zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_and_hours() {
        let at = |text| moment(text, 1_700_000_000).ok();
        let day = at("2023-11-14").expect("a day");
        assert_eq!(at("2023-11-14 0:0:7"), Some(day + 7));
        assert_eq!(at("2023-11-14 1:02"), Some(day + 3720));
        assert_eq!(at("@17"), Some(17));
        for wrong in ["", "x", "2023", "2023-13-01", "25:00", "@x", "-"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
