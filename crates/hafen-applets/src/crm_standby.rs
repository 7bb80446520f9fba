//! `crm_standby`: whether a host is in standby, by `crm_attribute`.

use std::process::ExitCode;

use super::crm_attribute;
use super::options::{Given, Operand, OptionSpec, Spec, flag, old, valued};
use super::output::{self, CrmExit, Failed, Printed};

const OPTIONS: &[OptionSpec] = &[
    flag('G', "query", "Show whether the host is in standby (nothing else given: this)"),
    valued('v', "update", "VALUE", "on or off"),
    flag('D', "delete", "Forget what was set"),
    valued('N', "node", "NODE", "The host; without it this one"),
    valued('l', "lifetime", "LIFETIME", "forever, or reboot: until the host leaves the cluster"),
    valued('i', "id", "ID", "Only the attribute with this id"),
    flag('q', "quiet", "Only the value"),
    old('Q', "quiet-old", Operand::None),
    old('U', "uname", Operand::Required("NODE")),
];

const SPEC: Spec = Spec {
    name: "crm_standby",
    about: "Shows and changes whether a host may run resources",
    options: OPTIONS,
    examples: "Examples:\n  crm_standby -N host1 -v on\n  crm_standby -N host1 -G -q\n  crm_standby -N host1 -D",
};

/// Runs the applet.
pub(super) fn run(words: &[String]) -> ExitCode {
    output::run_as(&SPEC, CrmExit::Error, words, act)
}

fn act(given: &Given) -> Result<Printed, Failed> {
    let call = |lifetime: &str, action: &[&str]| {
        let mut words: Vec<String> = ["-n", "standby", "-l", lifetime].map(str::to_owned).into();
        words.extend(action.iter().map(|&word| word.to_owned()));
        for (letter, option) in [('N', "-N"), ('U', "-N"), ('i', "-i")] {
            words.extend(
                given.value(&[letter]).into_iter().flat_map(|value| [option.to_owned(), value.to_owned()]),
            );
        }
        if given.has('q') || given.has('Q') {
            words.push("-q".to_owned());
        }
        crm_attribute::outcome(&words).map_err(|failed| failed.of(crm_attribute::NAME))
    };
    let lifetime = given.value(&['l']);
    match given.last(&['G', 'v', 'D']) {
        Some('v') => call(lifetime.unwrap_or("forever"), &["-v", given.value(&['v']).unwrap_or_default()]),
        // What was set for good goes first, then what was set until the host leaves.
        Some('D') if lifetime.is_none() => {
            let mut printed = call("forever", &["-D"])?;
            printed.append(call("reboot", &["-D"])?);
            Ok(printed)
        }
        Some('D') => call(lifetime.unwrap_or_default(), &["-D"]),
        _ if lifetime.is_some() => call(lifetime.unwrap_or_default(), &["-G"]),
        _ => match call("forever", &["-G"]) {
            Err(failed) if crm_attribute::is_unset(&failed) => call("reboot", &["-G", "-d", "off"]),
            outcome => outcome,
        },
    }
}
