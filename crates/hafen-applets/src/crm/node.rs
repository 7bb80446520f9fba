//! The level `node`, and `status`: the tools of Pacemaker, in the shell's words.

use std::process::ExitCode;

use super::resource::{Change, value_of};
use super::shell::{Outcome, Shell, call};

fn crm_attribute(words: &[&str]) -> Outcome {
    call(crate::crm_attribute::run, words)
}

pub(super) fn status(_shell: &mut Shell, words: &[String]) -> Outcome {
    let mut call_words = vec!["-1"];
    call_words.extend(words.iter().map(String::as_str));
    call(crate::crm_mon::run, &call_words)
}

pub(super) fn show(shell: &mut Shell, words: &[String]) -> Outcome {
    let cib = shell.read(false)?;
    let filter: Vec<&str> = match words {
        [] => vec!["type:node"],
        [host] => vec![host.as_str()],
        _ => return shell.fail("`show` takes one host"),
    };
    let filter = hafen_crm::Filter::parse(filter);
    let text = filter.map(|filter| hafen_crm::show(&cib, &filter)).unwrap_or_default();
    if text.trim().is_empty() && !words.is_empty() {
        return shell.fail(&format!("there is no host {}", words.join(" ")));
    }
    out!("{text}");
    Ok(())
}

/// The host that this runs on, if it is one of the cluster's.
fn own_host(shell: &Shell) -> Result<Option<String>, ExitCode> {
    let name = match shell.source()?.daemon() {
        Some(client) => crate::crm_node::own_host(client).map_err(|failed| shell.told(&failed))?.name,
        None => rustix::system::uname().nodename().to_string_lossy().into_owned(),
    };
    let cib = shell.read(false)?;
    let mut nodes =
        cib.nodes().into_iter().flat_map(|nodes| nodes.children_named("node").collect::<Vec<_>>());
    let is_known = nodes.any(|node| node.attribute("uname") == Some(name.as_str()));
    Ok(is_known.then_some(name))
}

/// Sets an attribute of a host; this one's where none is named.
fn set(shell: &Shell, words: &[String], name: &str, value: &str) -> Outcome {
    match words {
        [] => match own_host(shell)? {
            Some(host) => crm_attribute(&["-N", &host, "-n", name, "-v", value]),
            None => shell.fail("it needs the name of a host: this one is none of the cluster's"),
        },
        [host] => crm_attribute(&["-N", host, "-n", name, "-v", value]),
        _ => shell.fail("it takes one host"),
    }
}

pub(super) fn standby(shell: &mut Shell, words: &[String]) -> Outcome {
    set(shell, words, "standby", "on")
}

pub(super) fn online(shell: &mut Shell, words: &[String]) -> Outcome {
    set(shell, words, "standby", "off")
}

pub(super) fn maintenance(shell: &mut Shell, words: &[String]) -> Outcome {
    set(shell, words, "maintenance", "true")
}

pub(super) fn ready(shell: &mut Shell, words: &[String]) -> Outcome {
    set(shell, words, "maintenance", "false")
}

pub(super) fn attribute(shell: &mut Shell, words: &[String]) -> Outcome {
    value_of(shell, words, |host, change| pair(host, change, &[]))
}

pub(super) fn utilization(shell: &mut Shell, words: &[String]) -> Outcome {
    value_of(shell, words, |host, change| pair(host, change, &["-z"]))
}

pub(super) fn transient(shell: &mut Shell, words: &[String]) -> Outcome {
    value_of(shell, words, |host, change| pair(host, change, &["-l", "reboot"]))
}

fn pair(host: &str, change: Change<'_>, kind: &[&str]) -> Outcome {
    let mut words = vec!["-N", host];
    words.extend_from_slice(kind);
    words.extend_from_slice(&match change {
        Change::Set(name, value) => vec!["-n", name, "-v", value],
        Change::Show(name) => vec!["-n", name, "-G"],
        Change::Delete(name) => vec!["-n", name, "-D"],
    });
    crm_attribute(&words)
}

pub(super) fn fence(shell: &mut Shell, words: &[String]) -> Outcome {
    let [host] = words else { return shell.fail("`fence` needs a host") };
    if !shell.settings.force && !shell.ask(&format!("Cut the power of {host}?")) {
        return shell.fail(&format!("this cuts the power of {host}: say --yes"));
    }
    call(crate::stonith_admin::run, &["--reboot", host])
}

pub(super) fn clearstate(shell: &mut Shell, words: &[String]) -> Outcome {
    let [host] = words else { return shell.fail("`clearstate` needs a host") };
    if !shell.settings.force && !shell.ask(&format!("Is {host} off? What it ran will be started elsewhere."))
    {
        return shell
            .fail(&format!("this says that {host} is off, and what it ran is started elsewhere: say --yes"));
    }
    call(crate::stonith_admin::run, &["--confirm", host])
}

pub(super) fn delete(shell: &mut Shell, words: &[String]) -> Outcome {
    let [host] = words else { return shell.fail("`delete` needs a host") };
    call(crate::crm_node::run, &["--force", "-R", host])
}

pub(super) fn list(shell: &mut Shell, words: &[String]) -> Outcome {
    let cib = shell.read(false)?;
    let names: Vec<&str> = cib.configured_nodes().map(|node| node.uname()).collect();
    if let Some(unknown) = words.iter().find(|word| !names.contains(&word.as_str())) {
        return shell.fail(&format!("there is no host {unknown}: there are {}", names.join(", ")));
    }
    let wanted = |name: &&&str| words.is_empty() || words.iter().any(|word| word == **name);
    names.iter().filter(wanted).for_each(|name| outln!("{name}"));
    Ok(())
}
