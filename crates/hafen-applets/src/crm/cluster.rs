//! The levels `cluster` and `corosync`: what hafen itself does for a cluster as a whole, by its own words.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use hafen_setup::corosync_conf::{CorosyncConf, Item, Section};

use super::shell::{Outcome, Shell, call};
use crate::output;

/// The file of Corosync, and the variable by which Corosync itself is told of another one.
const COROSYNC_CONF: &str = "/etc/corosync/corosync.conf";
const COROSYNC_CONF_VARIABLE: &str = "COROSYNC_MAIN_CONFIG_FILE";
/// How long a start is waited for, and how often it is looked.
const STARTUP_SECONDS: u64 = 60;
const STARTUP_SECONDS_MAXIMUM: u64 = 24 * 60 * 60;
const STARTUP_LOOK: Duration = Duration::from_millis(500);
/// More of the end of a log is not shown.
const LOG_BYTES_MAXIMUM: usize = 1024 * 1024;

/// Does it by a command of hafen: its words, and those that were given.
fn hafen(shell: &Shell, own: &[&str], given: &[String]) -> Outcome {
    let started = output::hafen().and_then(|mut command| command.args(own).args(given).status());
    match started {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .map_or(ExitCode::FAILURE, ExitCode::from)),
        Err(error) => shell.fail(&format!("hafen does not start: {}", output::reason(&error))),
    }
}

/// Says what to do instead, and why.
fn instead(shell: &Shell, text: &str) -> Outcome {
    shell.fail(text)
}

pub(super) fn status(shell: &mut Shell, words: &[String]) -> Outcome {
    hafen(shell, &["status"], words)
}

pub(super) fn health(shell: &mut Shell, words: &[String]) -> Outcome {
    hafen(shell, &["check"], words)
}

pub(super) fn init(shell: &mut Shell, words: &[String]) -> Outcome {
    hafen(shell, &["init"], words)
}

pub(super) fn join(shell: &mut Shell, words: &[String]) -> Outcome {
    hafen(shell, &["join"], words)
}

pub(super) fn add(shell: &mut Shell, words: &[String]) -> Outcome {
    if !words.is_empty() {
        return instead(
            shell,
            "a host comes in by itself: `add` without a name prints the line to type there (hafen join)",
        );
    }
    hafen(shell, &["token"], words)
}

pub(super) fn leave(shell: &mut Shell, words: &[String]) -> Outcome {
    let question = "Take this host out of the cluster? What it runs is stopped, or goes to others.";
    if !shell.settings.force && !shell.ask(question) {
        return shell.fail("this takes this host out of the cluster: say --yes");
    }
    hafen(shell, &["leave"], words)
}

pub(super) fn remove(shell: &mut Shell, words: &[String]) -> Outcome {
    match words {
        [host] if !host.starts_with('-') => {
            let question = format!("Take {host} out of the cluster? It has to be off for good.");
            if !shell.settings.force && !shell.ask(&question) {
                return shell.fail(&format!("this takes {host} out of the cluster: say --yes"));
            }
            hafen(shell, &["remove"], words)
        }
        _ => instead(
            shell,
            "`remove` needs a host that is off; one that runs goes by `hafen leave`, typed there",
        ),
    }
}

/// Starting and ending services is the system's.
pub(super) fn start(shell: &mut Shell, _words: &[String]) -> Outcome {
    instead(shell, "the system starts it, on each host: `systemctl start corosync hafen`")
}

pub(super) fn stop(shell: &mut Shell, _words: &[String]) -> Outcome {
    instead(
        shell,
        "a host that goes with what it runs is fenced: `crm node standby HOST` moves that away first, then \
         `systemctl stop hafen corosync` there ends it",
    )
}

pub(super) fn restart(shell: &mut Shell, _words: &[String]) -> Outcome {
    instead(
        shell,
        "the system restarts it: `systemctl restart hafen`; the executor goes on with what runs on the host meanwhile",
    )
}

pub(super) fn enable(shell: &mut Shell, _words: &[String]) -> Outcome {
    instead(
        shell,
        "what a boot starts is the system's: `systemctl enable corosync hafen` (or disable), on each host",
    )
}

pub(super) fn rename(shell: &mut Shell, _words: &[String]) -> Outcome {
    instead(shell, "a cluster has its name from its beginning: `hafen init --name NAME`")
}

pub(super) fn run(shell: &mut Shell, _words: &[String]) -> Outcome {
    instead(
        shell,
        "hafen runs no commands on other hosts, so that no host is open to all: `ssh HOST COMMAND` does it",
    )
}

pub(super) fn files(shell: &mut Shell, words: &[String]) -> Outcome {
    hafen(shell, &["files"], words)
}

pub(super) fn diff(shell: &mut Shell, words: &[String]) -> Outcome {
    match words {
        [] | [_] => hafen(shell, &["files", "diff"], words),
        _ => shell.fail("`diff` takes one file: it is compared with that of all hosts"),
    }
}

pub(super) fn copy(shell: &mut Shell, words: &[String]) -> Outcome {
    match words {
        [file] => hafen(shell, &["files", "push"], std::slice::from_ref(file)),
        _ => shell
            .fail("`copy` needs one file: it goes to all hosts (`hafen files add FILE` agrees on it once)"),
    }
}

pub(super) fn maintenance(shell: &mut Shell, words: &[String]) -> Outcome {
    let crm_attribute = |words: &[&str]| call(crate::crm_attribute::run, words);
    let option = ["-t", "crm_config", "-n", "maintenance-mode"];
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => crm_attribute(&[&option[..], &["-G", "-d", "false"]].concat()),
        ["on"] => crm_attribute(&[&option[..], &["-v", "true"]].concat()),
        ["off"] => crm_attribute(&[&option[..], &["-v", "false"]].concat()),
        _ => shell.fail("it is `maintenance [on | off]`"),
    }
}

/// Waits until this host's daemon answers and has a coordinator.
pub(super) fn wait_for_startup(shell: &mut Shell, words: &[String]) -> Outcome {
    let seconds = match words {
        [] => Some(STARTUP_SECONDS),
        [text] => text.parse().ok().filter(|seconds| (1..=STARTUP_SECONDS_MAXIMUM).contains(seconds)),
        _ => None,
    };
    let Some(seconds) = seconds else { return shell.fail("it takes a number of seconds, a day at most") };
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        let answer = output::connect().and_then(|mut client| client.status());
        let lacks = match &answer {
            Ok(status) if status.coordinator.is_some() => return Ok(()),
            Ok(_) => "there is no coordinator yet".to_owned(),
            Err(error) => error.to_string(),
        };
        if Instant::now() >= end {
            return shell.fail(&format!("not within {seconds} s: {lacks}"));
        }
        std::thread::sleep(STARTUP_LOOK);
    }
}

fn conf_path() -> PathBuf {
    let variable = std::env::var_os(COROSYNC_CONF_VARIABLE).filter(|value| !value.is_empty());
    variable.map_or_else(|| COROSYNC_CONF.into(), PathBuf::from)
}

fn conf_text(shell: &Shell) -> Result<String, ExitCode> {
    let path = conf_path();
    std::fs::read_to_string(&path)
        .map_err(|error| shell.failed(&format!("{}: {}", path.display(), output::reason(&error))))
}

fn conf(shell: &Shell) -> Result<CorosyncConf, ExitCode> {
    let text = conf_text(shell)?;
    text.parse().map_err(|error| shell.failed(&format!("{}: {error}", conf_path().display())))
}

pub(super) fn corosync_show(shell: &mut Shell, words: &[String]) -> Outcome {
    if !words.is_empty() {
        return shell.fail("`show` takes nothing: `get PATH` prints one value");
    }
    shell.page(&conf_text(shell)?);
    Ok(())
}

/// All values at a path, or what the sections there hold.
fn values(section: &Section, path: &[&str]) -> Vec<String> {
    let Some((first, rest)) = path.split_first() else { return Vec::new() };
    let found = section.items.iter().filter_map(|item| match item {
        Item::Pair { key, value } if key == first && rest.is_empty() => Some(vec![value.clone()]),
        Item::Section(inner) if inner.name == *first && rest.is_empty() => Some(pairs(inner, "")),
        Item::Section(inner) if inner.name == *first => Some(values(inner, rest)),
        _ => None,
    });
    found.flatten().collect()
}

/// What a section holds, as paths and values.
fn pairs(section: &Section, lead: &str) -> Vec<String> {
    let found = section.items.iter().map(|item| match item {
        Item::Pair { key, value } => vec![format!("{lead}{key}: {value}")],
        Item::Section(inner) => pairs(inner, &format!("{lead}{}.", inner.name)),
        Item::Comment(_) => Vec::new(),
    });
    found.flatten().collect()
}

pub(super) fn corosync_get(shell: &mut Shell, words: &[String]) -> Outcome {
    let [path] = words else { return shell.fail("`get` needs a path such as nodelist.node.ring0_addr") };
    let found = values(&conf(shell)?.root, &path.split('.').collect::<Vec<_>>());
    if found.is_empty() {
        return shell.fail(&format!("{}: there is nothing at {path}", conf_path().display()));
    }
    found.iter().for_each(|value| outln!("{value}"));
    Ok(())
}

pub(super) fn corosync_status(shell: &mut Shell, words: &[String]) -> Outcome {
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] | ["quorum"] => hafen(shell, &["quorum"], &[]),
        ["ring"] => of_corosync(shell, "corosync-cfgtool", &["-s"]),
        ["qdevice"] => of_corosync(shell, "corosync-qdevice-tool", &["-sv"]),
        ["cpg"] => of_corosync(shell, "corosync-cpgtool", &["-e"]),
        _ => shell.fail("it is `status [ring | quorum | qdevice | cpg]`"),
    }
}

/// Does it by a tool of Corosync, on this host.
fn of_corosync(shell: &Shell, tool: &str, words: &[&str]) -> Outcome {
    match Command::new(tool).args(words).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => shell.fail(&format!("{tool} ended with {status}")),
        Err(error) => shell.fail(&format!("{tool}: {}", output::reason(&error))),
    }
}

pub(super) fn corosync_log(shell: &mut Shell, words: &[String]) -> Outcome {
    if !words.is_empty() {
        return shell.fail("`log` takes nothing");
    }
    let file = values(&conf(shell)?.root, &["logging", "logfile"]).pop();
    let Some(file) = file else {
        return instead(
            shell,
            "corosync.conf names no log file: `journalctl -u corosync` shows what it said",
        );
    };
    match std::fs::read(&file) {
        Ok(bytes) => {
            let from = bytes.len().saturating_sub(LOG_BYTES_MAXIMUM);
            shell.page(&String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()));
            Ok(())
        }
        Err(error) => shell.fail(&format!("{file}: {}", output::reason(&error))),
    }
}

pub(super) fn corosync_reload(shell: &mut Shell, _words: &[String]) -> Outcome {
    of_corosync(shell, "corosync-cfgtool", &["-R"])
}

pub(super) fn corosync_diff(shell: &mut Shell, _words: &[String]) -> Outcome {
    hafen(shell, &["files", "diff", COROSYNC_CONF], &[])
}

pub(super) fn corosync_push(shell: &mut Shell, words: &[String]) -> Outcome {
    if !words.is_empty() {
        return shell.fail("it goes to all hosts, which have to have the same: `push` takes no names");
    }
    hafen(shell, &["files", "push", COROSYNC_CONF], &[])
}

pub(super) fn corosync_pull(shell: &mut Shell, words: &[String]) -> Outcome {
    match words {
        [_] => hafen(shell, &["files", "pull", COROSYNC_CONF, "--from"], words),
        _ => shell.fail("`pull` needs the host to take it from"),
    }
}

pub(super) fn corosync_set(shell: &mut Shell, _words: &[String]) -> Outcome {
    instead(
        shell,
        "all hosts have to take a change before it counts on any: `hafen quorum tune --apply` does it for timings, \
         `hafen join` and `hafen leave` for hosts; for all else edit the file on one host, then `push` and `reload`",
    )
}

pub(super) fn corosync_add_node(shell: &mut Shell, words: &[String]) -> Outcome {
    add(shell, words)
}

pub(super) fn corosync_del_node(shell: &mut Shell, words: &[String]) -> Outcome {
    remove(shell, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_all_values_at_it() {
        let text = "totem {\n  version: 2\n  interface {\n    linknumber: 0\n  }\n}\nnodelist {\n  node {\n    \
            ring0_addr: a\n    nodeid: 1\n  }\n  node {\n    ring0_addr: b\n  }\n}\n";
        let conf: CorosyncConf = text.parse().expect("a file");
        let at = |path: &str| values(&conf.root, &path.split('.').collect::<Vec<_>>());
        assert_eq!(at("totem.version"), ["2"]);
        assert_eq!(at("nodelist.node.ring0_addr"), ["a", "b"]);
        assert_eq!(at("totem"), ["version: 2", "interface.linknumber: 0"]);
        assert_eq!(at("nodelist.node.nothing"), Vec::<String>::new());
    }
}
