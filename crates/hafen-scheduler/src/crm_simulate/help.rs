//! What `--help` and `--version` print.

use std::fmt::Write as _;

use super::arguments::{GROUPS, Group, HelpGroup, Inquiry, Switch};

/// The column at which the meaning of an option begins.
const MEANING_COLUMN: usize = 35;

const OPERATIONS: &str = "\
Operation Specification:

An OPSPEC names an operation's result:
${resource}_${task}_${interval_in_ms}@${node}=${rc}
for example vm1_monitor_10000@host1=7. ${rc} is an exit status of OCF agents:
0 success, 1 error, 5 not installed, 6 not configured, 7 not running, 8 promoted.

Examples:

Pretend that a monitor found vm1 stopped on host1, and that the stop which
follows from that fails:

\tcrm_simulate -LS --op-inject vm1_monitor_10000@host1=7 --op-fail vm1_stop_0@host1=1 --save-output /tmp/after.xml

Then see what the failed stop leads to:

\tcrm_simulate -S --xml-file /tmp/after.xml

";

/// The text that answers an inquiry.
pub(super) fn answer(inquiry: Inquiry) -> String {
    let group = match inquiry {
        Inquiry::Version => return version(),
        Inquiry::Help(group) => group,
    };
    let mut text = String::from(
        "Usage:\n  crm_simulate [OPTION…]\n\n\
         crm_simulate - what a cluster with this CIB would do, and where that leads\n\n",
    );
    for listed in &GROUPS {
        if is_wanted(group, listed) {
            section(&mut text, listed);
        }
    }
    text.push_str(OPERATIONS);
    text
}

/// The groups of general options belong to the short and to the full help; others to the full one and to their own.
fn is_wanted(asked: Option<HelpGroup>, listed: &Group) -> bool {
    match asked {
        Some(HelpGroup::All) => true,
        None => listed.group.is_none(),
        Some(_) => listed.group == asked,
    }
}

fn section(text: &mut String, group: &Group) {
    let _ = writeln!(text, "{}:", group.title);
    for switch in group.switches {
        let head = head(switch);
        for (number, line) in switch.meaning.lines().enumerate() {
            let left = if number == 0 { head.as_str() } else { "" };
            let _ = writeln!(text, "{left:<width$}{line}", width = MEANING_COLUMN);
        }
    }
    text.push('\n');
}

fn head(switch: &Switch) -> String {
    let letter = if switch.letter == '\0' { String::new() } else { format!("-{}, ", switch.letter) };
    let value = switch.value.map_or(String::new(), |value| format!("={value}"));
    format!("  {letter}--{}{value}", switch.name)
}

fn version() -> String {
    "Pacemaker 3.0.0\nDecided by Hafen in its place\n".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_grouped() {
        let short = answer(Inquiry::Help(None));
        assert!(short.contains("  -h, --help ") && short.contains("  -$, --version"));
        assert!(!short.contains("--node-up"));
        let all = answer(Inquiry::Help(Some(HelpGroup::All)));
        assert!(all.contains("  -u, --node-up=NODE               Pretend"));
        let output = answer(Inquiry::Help(Some(HelpGroup::Output)));
        assert!(output.contains("\n  --output-as=FORMAT               Print"));
        assert!(!output.contains("--help"));
    }
}
