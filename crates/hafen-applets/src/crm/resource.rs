//! The level `resource`: the tools of Pacemaker, in the shell's words.

use std::ffi::OsString;
use std::process::ExitCode;

use super::shell::{Outcome, Shell, call};

fn crm_resource(words: &[&str]) -> Outcome {
    call(crate::crm_resource::run, words)
}

/// The words as texts.
fn texts(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Sets a meta attribute of each resource that is named.
fn set_each(shell: &Shell, words: &[String], name: &str, value: &str) -> Outcome {
    if words.is_empty() {
        return shell.fail("it needs the id of a resource");
    }
    words.iter().try_for_each(|id| crm_resource(&["-r", id, "--meta", "-p", name, "-v", value]))
}

pub(super) fn status(shell: &mut Shell, words: &[String]) -> Outcome {
    match words {
        [] => crm_resource(&["--list"]),
        [id] => crm_resource(&["-r", id, "--locate"]),
        _ => shell.fail("`status` takes one resource"),
    }
}

pub(super) fn start(shell: &mut Shell, words: &[String]) -> Outcome {
    set_each(shell, words, "target-role", "Started")
}

pub(super) fn stop(shell: &mut Shell, words: &[String]) -> Outcome {
    set_each(shell, words, "target-role", "Stopped")
}

pub(super) fn promote(shell: &mut Shell, words: &[String]) -> Outcome {
    set_each(shell, words, "target-role", "Promoted")
}

pub(super) fn demote(shell: &mut Shell, words: &[String]) -> Outcome {
    set_each(shell, words, "target-role", "Unpromoted")
}

pub(super) fn manage(shell: &mut Shell, words: &[String]) -> Outcome {
    set_each(shell, words, "is-managed", "true")
}

pub(super) fn unmanage(shell: &mut Shell, words: &[String]) -> Outcome {
    set_each(shell, words, "is-managed", "false")
}

pub(super) fn maintenance(shell: &mut Shell, words: &[String]) -> Outcome {
    match texts(words).as_slice() {
        [id] | [id, "on"] => set_each(shell, &[(*id).to_owned()], "maintenance", "true"),
        [id, "off"] => set_each(shell, &[(*id).to_owned()], "maintenance", "false"),
        _ => shell.fail("it is `maintenance ID [on | off]`"),
    }
}

pub(super) fn restart(shell: &mut Shell, words: &[String]) -> Outcome {
    match texts(words).as_slice() {
        [id] => crm_resource(&["-r", id, "--restart"]),
        [id, host] => crm_resource(&["-r", id, "--restart", "-N", host]),
        _ => shell.fail("it is `restart ID [HOST]`"),
    }
}

pub(super) fn clear(shell: &mut Shell, words: &[String]) -> Outcome {
    match texts(words).as_slice() {
        [id] => crm_resource(&["-r", id, "--clear"]),
        [id, host] => crm_resource(&["-r", id, "--clear", "-N", host]),
        _ => shell.fail("it is `clear ID [HOST]`"),
    }
}

pub(super) fn locate(shell: &mut Shell, words: &[String]) -> Outcome {
    if words.is_empty() {
        return shell.fail("`locate` needs the id of a resource");
    }
    words.iter().try_for_each(|id| crm_resource(&["-r", id, "--locate"]))
}

pub(super) fn constraints(shell: &mut Shell, words: &[String]) -> Outcome {
    match words {
        [id] => crm_resource(&["-r", id, "--constraints"]),
        _ => shell.fail("`constraints` needs the id of a resource"),
    }
}

fn forget(shell: &Shell, words: &[String], how: &str) -> Outcome {
    match texts(words).as_slice() {
        [] => crm_resource(&[how]),
        [id] => crm_resource(&[how, "-r", id]),
        [id, host] => crm_resource(&[how, "-r", id, "-N", host]),
        _ => shell.fail("it takes a resource and a host"),
    }
}

pub(super) fn cleanup(shell: &mut Shell, words: &[String]) -> Outcome {
    forget(shell, words, "--cleanup")
}

pub(super) fn refresh(shell: &mut Shell, words: &[String]) -> Outcome {
    forget(shell, words, "--refresh")
}

/// `ID {set | show | delete} NAME [VALUE]`, by switches of the tool that sets, shows and deletes.
pub(super) fn value_of(
    shell: &Shell,
    words: &[String],
    act: impl Fn(&str, Change<'_>) -> Result<(), ExitCode>,
) -> Outcome {
    match texts(words).as_slice() {
        [id, "set", name, value] => act(id, Change::Set(name, value)),
        [id, "show", name] => act(id, Change::Show(name)),
        [id, "delete", name] => act(id, Change::Delete(name)),
        _ => shell.fail("it is `ID {set NAME VALUE | show NAME | delete NAME}`"),
    }
}

/// What is to become of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change<'w> {
    Set(&'w str, &'w str),
    Show(&'w str),
    Delete(&'w str),
}

fn parameter(shell: &Shell, words: &[String], kind: &str) -> Outcome {
    value_of(shell, words, |id, change| match change {
        Change::Set(name, value) => crm_resource(&["-r", id, kind, "-p", name, "-v", value]),
        Change::Show(name) => crm_resource(&["-r", id, kind, "-g", name]),
        Change::Delete(name) => crm_resource(&["-r", id, kind, "-d", name]),
    })
}

pub(super) fn param(shell: &mut Shell, words: &[String]) -> Outcome {
    // What crm_resource is about without a switch.
    value_of(shell, words, |id, change| match change {
        Change::Set(name, value) => crm_resource(&["-r", id, "-p", name, "-v", value]),
        Change::Show(name) => crm_resource(&["-r", id, "-g", name]),
        Change::Delete(name) => crm_resource(&["-r", id, "-d", name]),
    })
}

pub(super) fn meta(shell: &mut Shell, words: &[String]) -> Outcome {
    parameter(shell, words, "--meta")
}

pub(super) fn utilization(shell: &mut Shell, words: &[String]) -> Outcome {
    parameter(shell, words, "--utilization")
}

pub(super) fn failcount(shell: &mut Shell, words: &[String]) -> Outcome {
    let crm_failcount = |words: &[&str]| call(crate::crm_failcount::run, words);
    value_of(shell, words, |id, change| match change {
        Change::Set(host, value) => {
            let name = format!("fail-count-{id}");
            call(crate::crm_attribute::run, &["-N", host, "-l", "reboot", "-n", &name, "-v", value])
        }
        Change::Show(host) => crm_failcount(&["-r", id, "-N", host, "-G"]),
        Change::Delete(host) => crm_failcount(&["-r", id, "-N", host, "-D"]),
    })
}

pub(super) fn operations(shell: &mut Shell, words: &[String]) -> Outcome {
    match texts(words).as_slice() {
        [] => crm_resource(&["--list-all-operations"]),
        [id] => crm_resource(&["--list-all-operations", "-r", id]),
        [id, host] => crm_resource(&["--list-all-operations", "-r", id, "-N", host]),
        _ => shell.fail("it is `operations [ID] [HOST]`"),
    }
}

pub(super) fn scores(shell: &mut Shell, words: &[String]) -> Outcome {
    if !words.is_empty() {
        return shell.fail("`scores` takes nothing");
    }
    // The tool is asked about the cluster, unless a file is named.
    let file = crate::source::file();
    let named = file.iter().flat_map(|file| [OsString::from("-x"), file.clone().into_os_string()]);
    let live = file.is_none().then(|| OsString::from("-L"));
    let words = ["crm_simulate", "-s"].map(OsString::from).into_iter().chain(named).chain(live);
    match crate::crm_simulate::run(words.collect()) {
        ExitCode::SUCCESS => Ok(()),
        exit => Err(exit),
    }
}
