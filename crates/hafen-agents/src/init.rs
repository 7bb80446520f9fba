//! Init scripts: class `lsb` (the Linux Standard Base, "Init Script Actions"), class `service` where there is no systemd, and
//! class `heartbeat`, the scripts of Heartbeat 1 such as `drbddisk`, whose parameters are words before the action.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::name::{AgentClass, AgentName};
use crate::ocf::{Invocation, bare_command};
use crate::outcome::{OcfExitCode, OpStatus, Outcome};

/// What an exit status means in the terms of OCF.
pub(crate) type Reading = fn(&Outcome) -> OcfExitCode;

/// No header of a script is longer, in lines.
const HEADER_LINES_MAXIMUM: usize = 200;

/// Whether scripts are what this class runs.
pub(crate) fn is_of(class: AgentClass) -> bool {
    matches!(class, AgentClass::Lsb | AgentClass::Service | AgentClass::Heartbeat)
}

/// The command for an action, and how its end is read. The error is the outcome where scripts have no such action.
pub(crate) fn command(executable: &Path, invocation: &Invocation) -> Result<(Command, Reading), Outcome> {
    let is_heartbeat = invocation.agent.class == AgentClass::Heartbeat;
    let (word, reading): (&str, Reading) = match (invocation.task.as_str(), is_heartbeat) {
        ("monitor", true) => ("status", heartbeat_status),
        ("monitor", false) => ("status", status),
        (task @ ("start" | "stop"), _) => (task, action),
        (task, _) => {
            let reason = format!("scripts of class {} have no {task}", invocation.agent.class.as_str());
            return Err(Outcome::not_run(OcfExitCode::UNIMPLEMENTED, OpStatus::Done, reason));
        }
    };
    let mut command = bare_command(executable);
    if is_heartbeat {
        command.args(words(invocation));
    }
    command.arg(word);
    Ok((command, reading))
}

/// The parameters named 1, 2, … in their order.
fn words(invocation: &Invocation) -> impl Iterator<Item = &str> {
    let numbers = 1..=invocation.parameters.len();
    numbers.map_while(|number| invocation.parameters.get(&number.to_string()).map(String::as_str))
}

/// The end of `start` and `stop`: the numbers up to 7 mean the same in OCF.
fn action(outcome: &Outcome) -> OcfExitCode {
    if outcome.rc.0 > OcfExitCode::NOT_RUNNING.0 { OcfExitCode::ERROR } else { outcome.rc }
}

/// The end of `status`: 1 and 2 are dead with a file left, 3 is not running, 4 unknown; 150 is Pacemaker's "not installed".
fn status(outcome: &Outcome) -> OcfExitCode {
    match outcome.rc.0 {
        0 => OcfExitCode::OK,
        1..=3 => OcfExitCode::NOT_RUNNING,
        150 => OcfExitCode::NOT_INSTALLED,
        _ => OcfExitCode::ERROR,
    }
}

/// Scripts of Heartbeat say it in words: `running` or `OK`, and `stopped`; those that print nothing, by the exit status.
fn heartbeat_status(outcome: &Outcome) -> OcfExitCode {
    let said = outcome.stdout.to_ascii_lowercase();
    let says = |word: &str| said.split(|letter: char| !letter.is_alphanumeric()).any(|said| said == word);
    match outcome.rc {
        _ if says("stopped") || said.contains("not running") => OcfExitCode::NOT_RUNNING,
        OcfExitCode::OK if said.trim().is_empty() || says("running") || says("ok") => OcfExitCode::OK,
        OcfExitCode::OK => OcfExitCode::NOT_RUNNING,
        _ => status(outcome),
    }
}

/// What a script's comments say of it, as an OCF agent would in its metadata.
pub(crate) fn metadata(executable: &Path, agent: &AgentName) -> String {
    let text =
        fs::read(executable).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines = || text.lines().take(HEADER_LINES_MAXIMUM);
    let field = |name: &str| {
        lines()
            .find_map(|line| line.strip_prefix("# ")?.strip_prefix(name))
            .map(str::trim)
            .unwrap_or_default()
    };
    let short = match field("Short-Description:") {
        "" => field("Description:"),
        short => short,
    };
    let actions: String = ["start", "stop", "status", "monitor", "meta-data"]
        .iter()
        .map(|action| match *action {
            "monitor" => "    <action name=\"monitor\" timeout=\"15s\" interval=\"15s\"/>\n".to_owned(),
            action => format!("    <action name=\"{action}\" timeout=\"15s\"/>\n"),
        })
        .collect();
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let (long, short) = (escaped(field("Description:")), escaped(short));
    format!(
        "<?xml version=\"1.0\"?>\n<resource-agent name=\"{}\" version=\"0.1\">\n  <version>1.0</version>\n  \
         <longdesc lang=\"en\">{long}</longdesc>\n  <shortdesc lang=\"en\">{short}</shortdesc>\n  <parameters/>\n  \
         <actions>\n{actions}  </actions>\n</resource-agent>\n",
        agent.kind
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(rc: u8, stdout: &str) -> Outcome {
        Outcome { stdout: stdout.to_owned(), ..Outcome::not_run(OcfExitCode(rc), OpStatus::Done, "") }
    }

    #[test]
    fn exit_statuses_are_read_as_the_standard_has_them() {
        for (rc, wanted) in [(0, 0), (1, 7), (2, 7), (3, 7), (4, 1), (5, 1), (150, 5), (200, 1)] {
            assert_eq!(status(&ended(rc, "")).0, wanted, "status {rc}");
        }
        for (rc, wanted) in [(0, 0), (1, 1), (2, 2), (5, 5), (7, 7), (8, 1), (255, 1)] {
            assert_eq!(action(&ended(rc, "")).0, wanted, "action {rc}");
        }
    }

    #[test]
    fn heartbeats_scripts_are_read_by_their_words() {
        let cases = [
            (0, "running", 0),
            (0, "running  (Primary)\n", 0),
            (0, "OK", 0),
            (0, "stopped", 7),
            (0, "x is not running", 7),
            (0, "", 0),
            (0, "something", 7),
            (3, "", 7),
            (1, "broken", 7),
        ];
        for (rc, said, wanted) in cases {
            assert_eq!(heartbeat_status(&ended(rc, said)).0, wanted, "{rc} {said:?}");
        }
    }
}
