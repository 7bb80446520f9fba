//! The fence agent `fence_hafen_lab`: fence-agents' protocol on one side, the lab's power switch on the other.
//!
//! What it reports it has read back: `off` succeeds when the switch says, asked anew, that the host is off; `reboot` is
//! off, read back, and then on. A switch that does not answer in time is a failure, never a success.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::power_wire::{self, Answer, Request};
use crate::qemu::parameters::parse_time;

/// Where the switch listens unless told otherwise.
pub const SWITCH: &str = "/run/hafen/power-switch.sock";
/// How long the switch may take unless told otherwise.
const POWER_TIMEOUT: &str = "20";
/// The longest input that is read, in bytes.
const INPUT_BYTES_LIMIT: u64 = 64 * 1024;

/// fence-agents' exit status of success.
const SUCCESS: i32 = 0;
/// fence-agents' exit status of failure.
const FAILURE: i32 = 1;
/// fence-agents' exit status of `status` for a host that is off.
const IS_OFF: i32 = 2;

const METADATA: &str = r#"<?xml version="1.0" ?>
<resource-agent name="fence_hafen_lab" shortdesc="Fence agent for the power switch of Hafen's lab">
  <longdesc>fence_hafen_lab switches the hosts of a Hafen lab off and on. A reboot is off, the status read back, and on.</longdesc>
  <vendor-url></vendor-url>
  <parameters>
    <parameter name="action" unique="0" required="1">
      <getopt mixed="-o, --action=[action]"/>
      <content type="string" default="reboot"/>
      <shortdesc lang="en">Fencing action</shortdesc>
    </parameter>
    <parameter name="plug" unique="0" required="1" obsoletes="port">
      <getopt mixed="-n, --plug=[name]"/>
      <content type="string"/>
      <shortdesc lang="en">The host's name</shortdesc>
    </parameter>
    <parameter name="port" unique="0" required="0" deprecated="1">
      <getopt mixed="-n, --plug=[name]"/>
      <content type="string"/>
      <shortdesc lang="en">The host's name</shortdesc>
    </parameter>
    <parameter name="switch" unique="0" required="0">
      <getopt mixed="--switch=[path]"/>
      <content type="string" default="/run/hafen/power-switch.sock"/>
      <shortdesc lang="en">The Unix socket of the power switch</shortdesc>
    </parameter>
    <parameter name="power_timeout" unique="0" required="0">
      <getopt mixed="--power-timeout=[seconds]"/>
      <content type="second" default="20"/>
      <shortdesc lang="en">How long each request to the switch may take</shortdesc>
    </parameter>
  </parameters>
  <actions>
    <action name="on" automatic="0"/>
    <action name="off"/>
    <action name="reboot"/>
    <action name="status"/>
    <action name="monitor"/>
    <action name="list"/>
    <action name="metadata"/>
    <action name="validate-all"/>
  </actions>
</resource-agent>
"#;

/// The options of one call.
type Options = BTreeMap<String, String>;

/// Runs an action; without one, that which standard input names. The exit status.
pub(crate) fn main(action: &str) -> i32 {
    let mut input = String::new();
    let named = action.trim_start_matches('-');
    if named != "metadata"
        && let Err(error) = io::stdin().take(INPUT_BYTES_LIMIT).read_to_string(&mut input)
    {
        eprintln!("fence_hafen_lab: standard input: {error}");
        return FAILURE;
    }
    let mut options = options(&input);
    if !named.is_empty() {
        options.insert("action".into(), named.into());
    }
    match run(&options) {
        Ok((output, status)) => {
            print!("{output}");
            status
        }
        Err(reason) => {
            eprintln!("fence_hafen_lab: {reason}");
            FAILURE
        }
    }
}

/// `name=value` lines; blank lines and comments are passed over, as fence-agents do.
fn options(input: &str) -> Options {
    let lines = input.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

/// A connection to one switch, for one host.
struct Switch {
    path: PathBuf,
    limit: Duration,
}

impl Switch {
    /// One request. Anything but a good answer in time is an error in words.
    fn ask(&self, request: &str, host: Option<&str>) -> Result<Answer, String> {
        let message = Request { request: request.into(), host: host.map(str::to_owned) };
        let about = host.map_or_else(|| request.to_owned(), |host| format!("{request} {host}"));
        match power_wire::ask(&self.path, &message, Deadline::after(self.limit)) {
            Ok(answer) if answer.result == "error" => {
                let detail = answer.detail.unwrap_or_else(|| "the switch does not say why".into());
                Err(format!("{about}: {detail}"))
            }
            Ok(answer) => Ok(answer),
            Err(error) => Err(format!("{about}: power switch {}: {error}", self.path.display())),
        }
    }

    fn is_on(&self, host: &str) -> Result<bool, String> {
        match self.ask("status", Some(host))?.result.as_str() {
            "on" => Ok(true),
            "off" => Ok(false),
            other => Err(format!("status {host}: the switch says '{other}', neither on nor off")),
        }
    }

    /// Switches, and reads the status back until it is as asked for.
    fn set(&self, host: &str, on: bool) -> Result<(), String> {
        let request = if on { "on" } else { "off" };
        self.ask(request, Some(host))?;
        let deadline = Deadline::after(self.limit);
        let reached = deadline.poll(|| match self.is_on(host) {
            Ok(is_on) if is_on == on => Some(Ok(())),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        reached.unwrap_or_else(|| {
            Err(format!("{request} {host}: the switch agreed, but the host is not {request}"))
        })
    }
}

fn run(options: &Options) -> Result<(String, i32), String> {
    let option = |name: &str| options.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let action = option("action").unwrap_or("reboot");
    let limit = parse_time("power_timeout", option("power_timeout").unwrap_or(POWER_TIMEOUT));
    let switch = Switch {
        path: option("switch").unwrap_or(SWITCH).into(),
        limit: limit.map_err(|error| error.reason)?.max(Duration::from_millis(1)),
    };
    let named = option("plug").or_else(|| option("port")).or_else(|| option("nodename"));
    let host = || named.ok_or_else(|| format!("{action}: no host was named: give plug=HOST"));
    let done = |what: &str| Ok((format!("Success: {what}\n"), SUCCESS));
    match action {
        "metadata" | "meta-data" => Ok((METADATA.into(), SUCCESS)),
        "validate-all" => Ok((String::new(), SUCCESS)),
        "list" | "list-status" => {
            let hosts = switch.ask("list", None)?.hosts;
            Ok((hosts.iter().map(|host| format!("{host},\n")).collect(), SUCCESS))
        }
        "monitor" => switch.ask("list", None).map(|_| (String::new(), SUCCESS)),
        "status" if switch.is_on(host()?)? => Ok(("Status: ON\n".into(), SUCCESS)),
        "status" => Ok(("Status: OFF\n".into(), IS_OFF)),
        "on" => switch.set(host()?, true).and_then(|()| done("Powered ON")),
        "off" => switch.set(host()?, false).and_then(|()| done("Powered OFF")),
        "reboot" => {
            let host = host()?;
            switch.set(host, false)?;
            // Off is what counts: a host that does not come on again has still been fenced.
            if let Err(error) = switch.set(host, true) {
                eprintln!("fence_hafen_lab: {host} is off, but does not come on again: {error}");
            }
            done("Rebooted")
        }
        _ => Err(format!("no action '{action}': there are on, off, reboot, status, monitor, list, metadata")),
    }
}
