//! `pacemakerd`: only what agents and scripts ask it. The daemon is `hafen daemon`.

use std::process::ExitCode;

use hafen_protocol::client::Request;

use super::options::{Given, Operand, OptionSpec, Spec, flag, old};
use super::output::{self, CrmExit, Failed, Printed, VERSION};

const OPTIONS: &[OptionSpec] = &[
    flag('F', "features", "The version, and what it stands for"),
    flag('S', "shutdown", "This host's resources stop or move, and it leaves the cluster"),
    old('f', "foreground", Operand::None),
    old('p', "pid-file", Operand::Required("FILE")),
    old('s', "standby", Operand::None),
];

const SPEC: Spec = Spec {
    name: "pacemakerd",
    about: "Answers for the cluster's daemon, as agents ask",
    options: OPTIONS,
    examples: "The daemon itself is started by the system (hafen.service), or as `hafen daemon`.\n\nExample:\n  pacemakerd -F",
};

/// What the version of Pacemaker that this stands in for was built with, as far as it is here.
const FEATURES: [&str; 2] = ["corosync-ge-2", "monotonic"];

/// Runs the applet.
pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

fn act(given: &Given) -> Result<Printed, Failed> {
    // What starts the daemon would be without effect.
    let starts = given.last(&['f', 'p', 's']).is_some();
    if given.has('F') && !starts {
        let set = hafen_cib::FEATURE_SET;
        let mut printed = Printed::default();
        let names = FEATURES.join(" ");
        let xml: String = FEATURES.iter().map(|name| format!("    <feature>{name}</feature>\n")).collect();
        printed.add(
            &format!("Pacemaker {VERSION} (Build: {VERSION})\n Supporting v{set}: {names}"),
            &format!(
                "<pacemakerd version=\"{VERSION}\" build=\"{VERSION}\" feature_set=\"{set}\">\n  <features>\n{xml}  \
                 </features>\n</pacemakerd>"
            ),
        );
        return Ok(printed);
    }
    if given.has('S') && !starts {
        let failed = |error| output::failed_request("pacemakerd", &error);
        let mut client = output::connect().map_err(failed)?;
        return client.done(Request::Shutdown).map(|_| Printed::default()).map_err(failed);
    }
    let text = "the cluster's daemon is started as `hafen daemon`: this applet only answers questions";
    Err(Failed::new(CrmExit::Usage, text))
}
