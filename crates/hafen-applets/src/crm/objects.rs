//! Taking away and renaming objects.

use hafen_crm::{ChangeError, Place};
use hafen_scheduler::whereabouts;

use super::shell::{Outcome, Shell};
use crate::output;

pub(super) fn delete(shell: &mut Shell, words: &[String]) -> Outcome {
    let mut force = shell.settings.force;
    let mut ids = Vec::new();
    for word in words {
        match word.as_str() {
            "--force" | "-f" => force = true,
            _ => ids.push(word.clone()),
        }
    }
    if ids.is_empty() {
        return shell.fail("`delete` needs the ids of objects");
    }
    let running = if force { Vec::new() } else { running(shell, &ids)? };
    if let Some((id, hosts)) = running.first() {
        return shell.fail(&format!(
            "resource {id} runs on {}: stop it first (`crm resource stop {id}`), or `delete --force`",
            hosts.join(", ")
        ));
    }
    let gone = hafen_crm::delete(&mut shell.draft()?.work, &ids);
    match gone {
        Ok(gone) => {
            gone.iter().for_each(|id| outln!("note: {id} is nothing without it, and goes too"));
            Ok(())
        }
        Err(error) => shell.fail(&error.to_string()),
    }
}

/// Those of the ids that are resources and run, with their hosts.
fn running(shell: &Shell, ids: &[String]) -> Result<Vec<(String, Vec<String>)>, std::process::ExitCode> {
    let cib = shell.read(true)?;
    let mut running: Vec<(String, Vec<String>)> = Vec::new();
    let all = whereabouts(&cib, output::now());
    for one in all.iter().filter(|one| one.is_primitive && !one.hosts.is_empty() && !one.is_unmanaged) {
        let mut at = Some(one);
        while let Some(resource) = at {
            if ids.contains(&resource.name) {
                running.push((one.name.clone(), one.hosts.clone()));
                break;
            }
            at = resource.parent.and_then(|parent| all.get(parent));
        }
    }
    Ok(running)
}

pub(super) fn rename(shell: &mut Shell, words: &[String]) -> Outcome {
    let [old, new] = words else { return shell.fail("`rename` needs the old id and the new one") };
    let renamed = hafen_crm::rename(&mut shell.draft()?.work, old, new);
    renamed.or_else(|error| shell.fail(&error.to_string()))
}

pub(super) fn modgroup(shell: &mut Shell, words: &[String]) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let work = &mut shell.draft()?.work;
    let done: Result<(), ChangeError> = match words.as_slice() {
        [group, "add", id] => hafen_crm::add_to_group(work, group, id, Place::Last),
        [group, "add", id, "before", other] => hafen_crm::add_to_group(work, group, id, Place::Before(other)),
        [group, "add", id, "after", other] => hafen_crm::add_to_group(work, group, id, Place::After(other)),
        [group, "remove", id] => hafen_crm::remove_from_group(work, group, id),
        _ => return shell.fail("it is `modgroup GROUP {add ID [{before | after} ID] | remove ID}`"),
    };
    done.or_else(|error| shell.fail(&error.to_string()))
}
