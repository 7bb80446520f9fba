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

/// A resource, a host and a lifetime, in any order of the latter two: a lifetime begins as ISO 8601 has it.
struct Wish<'w> {
    id: &'w str,
    host: Option<&'w str>,
    lifetime: Option<String>,
    force: bool,
}

fn wish(words: &[String]) -> Option<Wish<'_>> {
    let (id, rest) = words.split_first()?;
    let mut wish = Wish { id, host: None, lifetime: None, force: false };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "force" | "--force" => wish.force = true,
            // Hafen's own word for a lifetime.
            "--until" => wish.lifetime = Some(until(rest.next()?)),
            word if is_lifetime(word) && wish.lifetime.is_none() => wish.lifetime = Some(word.to_owned()),
            word if wish.host.is_none() && !word.starts_with('-') => wish.host = Some(word),
            _ => return None,
        }
    }
    Some(wish)
}

/// Whether a word is a duration of ISO 8601 (`PT2H`, `P1D`).
fn is_lifetime(word: &str) -> bool {
    let rest = word.strip_prefix('P').unwrap_or("");
    rest.chars().any(|char| char.is_ascii_digit())
        && rest.chars().all(|char| char.is_ascii_digit() || "YMWDTHS".contains(char))
}

/// `2h`, `30m`, `1d` as ISO 8601 has it; anything else stays.
fn until(word: &str) -> String {
    let (number, unit) = word.split_at(word.len() - word.chars().last().map_or(0, char::len_utf8));
    match (number.chars().all(|char| char.is_ascii_digit()) && !number.is_empty(), unit) {
        (true, "h") => format!("PT{number}H"),
        (true, "m") => format!("PT{number}M"),
        (true, "s") => format!("PT{number}S"),
        (true, "d") => format!("P{number}D"),
        _ => word.to_owned(),
    }
}

fn constrain(shell: &Shell, words: &[String], how: &str) -> Outcome {
    let Some(wish) = wish(words) else {
        return shell.fail("it takes a resource, a host and a lifetime (PT2H, or --until 2h)");
    };
    let mut call = vec!["-r", wish.id, how];
    call.extend(wish.host.into_iter().flat_map(|host| ["-N", host]));
    call.extend(wish.lifetime.iter().flat_map(|lifetime| ["-u", lifetime.as_str()]));
    if wish.force || shell.settings.force {
        call.push("--force");
    }
    crm_resource(&call)?;
    let ends = match &wish.lifetime {
        Some(lifetime) => format!("It ends after {lifetime}"),
        None => "It stays until you take it away".to_owned(),
    };
    outln!("This left a constraint behind. {ends}; `crm resource clear {}` does that.", wish.id);
    Ok(())
}

pub(super) fn move_(shell: &mut Shell, words: &[String]) -> Outcome {
    constrain(shell, words, "--move")
}

pub(super) fn ban(shell: &mut Shell, words: &[String]) -> Outcome {
    constrain(shell, words, "--ban")
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
        Change::Set(host, value) => crm_failcount(&["-r", id, "-N", host, "-v", value]),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_lifetime_are_told_apart() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (text, host, lifetime) in [
            ("vm1", None, None),
            ("vm1 host2", Some("host2"), None),
            ("vm1 host2 PT2H", Some("host2"), Some("PT2H")),
            ("vm1 PT5M", None, Some("PT5M")),
            ("vm1 Peter", Some("Peter"), None),
            ("vm1 host2 --until 90m", Some("host2"), Some("PT90M")),
        ] {
            let words = words(text);
            let wish = wish(&words).expect(text);
            assert_eq!((wish.host, wish.lifetime.as_deref()), (host, lifetime), "{text}");
        }
        assert!(wish(&words("vm1 a b")).is_none() && wish(&words("vm1 a --until")).is_none());
    }
}
