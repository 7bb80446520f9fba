//! `hafen quorum`: who votes, who is missing, and going on without a host.

use std::fmt::Write;
use std::process::ExitCode;

use hafen_protocol::client::{HostReport, Request, StatusReport};
use hafen_setup::corosync_conf::CorosyncConf;
use hafen_setup::{Host, Paths};
use serde_json::json;

use super::fence::{known, vouch_and_tell, what_runs};
use super::text::{confirm, wrapped};
use crate::arguments::{Connection, QuorumArguments, QuorumCommand, Vouch};
use crate::target;

pub(super) fn run(arguments: QuorumArguments, connection: &Connection) -> anyhow::Result<ExitCode> {
    match arguments.command {
        None => status(arguments.json, connection),
        Some(QuorumCommand::Tune(options)) => super::setup::tune(&options),
        Some(QuorumCommand::ProceedWithout { target, vouch }) => {
            proceed_without(&target, &vouch, connection)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What `corosync-quorumtool -s` says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Votes {
    expected: Option<u32>,
    total: Option<u32>,
    needed: Option<u32>,
    flags: Vec<String>,
}

impl Votes {
    fn parse(text: &str) -> Self {
        let mut votes = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let first = value.split_whitespace().next();
            let number = first.and_then(|word| word.parse().ok());
            match name.trim() {
                "Expected votes" => votes.expected = number,
                "Total votes" => votes.total = number,
                // "Quorum: 2 Activity blocked"
                "Quorum" => votes.needed = number,
                "Flags" => votes.flags = value.split_whitespace().map(str::to_owned).collect(),
                _ => {}
            }
        }
        votes
    }
}

/// What this host's corosync.conf and Corosync say; nothing where the cluster is a lab without them.
struct Corosync {
    conf: Option<CorosyncConf>,
    votes: Votes,
}

impl Corosync {
    fn of_this_host() -> Self {
        let Ok(host) = Host::this(Paths::default()) else {
            return Self { conf: None, votes: Votes::default() };
        };
        let conf = host.corosync_conf().ok();
        let said = conf.as_ref().and_then(|_| host.services.tool("corosync-quorumtool", &["-s"]).ok());
        Self { conf, votes: said.map(|said| Votes::parse(&said.text)).unwrap_or_default() }
    }

    fn flag(&self, key: &str, flag: &str) -> bool {
        let running = self.votes.flags.iter().any(|one| one == flag);
        running || self.conf.as_ref().is_some_and(|conf| conf.value("quorum", key) == Some("1"))
    }
}

fn is_here(host: &HostReport) -> bool {
    !matches!(host.state.as_str(), "offline" | "unclean")
}

fn status(json: bool, connection: &Connection) -> anyhow::Result<ExitCode> {
    let status = target::connect(connection)?.status()?;
    let corosync = Corosync::of_this_host();
    if json {
        outln!("{}", serde_json::to_string_pretty(&to_json(&status, &corosync))?);
    } else {
        out!("{}", render(&status, &corosync));
    }
    Ok(if status.quorate { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn to_json(status: &StatusReport, corosync: &Corosync) -> serde_json::Value {
    let missing: Vec<&str> =
        status.hosts.iter().filter(|host| !is_here(host)).map(|host| host.name.as_str()).collect();
    json!({
        "quorate": status.quorate,
        "votes": corosync.votes.total,
        "expected": corosync.votes.expected,
        "needed": corosync.votes.needed,
        "two_node": corosync.flag("two_node", "2Node"),
        "wait_for_all": corosync.flag("wait_for_all", "WaitForAll"),
        "qdevice": corosync.conf.as_ref().is_some_and(CorosyncConf::has_quorum_device),
        "hosts": status.hosts.iter().map(|host| json!({"name": host.name, "id": host.id, "state": host.state})).collect::<Vec<_>>(),
        "missing": missing,
        "waiting_for": status.waiting_for,
    })
}

fn render(status: &StatusReport, corosync: &Corosync) -> String {
    let mut text = String::new();
    let word = if status.quorate { "yes" } else { "NO" };
    let votes = match (corosync.votes.total, corosync.votes.expected, corosync.votes.needed) {
        (Some(total), Some(expected), Some(needed)) => {
            format!(" ({total} of {expected} votes are here, {needed} are needed)")
        }
        _ => {
            let here = status.hosts.iter().filter(|host| is_here(host)).count();
            format!(" ({here} of {} hosts are here)", status.hosts.len())
        }
    };
    text += &wrapped("Quorum: ", &format!("{word}{votes}"));
    for host in &status.hosts {
        let here = if is_here(host) { "here" } else { "MISSING" };
        let reason = if host.reason.is_empty() { String::new() } else { format!(": {}", host.reason) };
        text += &wrapped(&format!("  {:<12} {here:<8} ", host.name), &format!("{}{reason}", host.state));
    }
    if let Some(conf) = &corosync.conf {
        let yes = |flag: bool| if flag { "yes" } else { "no" };
        let device = conf.has_quorum_device();
        let _ = writeln!(
            text,
            "two_node: {}; wait_for_all: {}; quorum device: {}",
            yes(corosync.flag("two_node", "2Node")),
            yes(corosync.flag("wait_for_all", "WaitForAll") || corosync.flag("two_node", "2Node")),
            yes(device),
        );
    }
    if let Some(reason) = &status.bus_lost {
        text += &wrapped("", &format!("This host has no view of its cluster: {reason}."));
    }
    if let Some(waiting) = &status.waiting_for {
        text += &wrapped("", &format!("Waiting for {waiting}."));
    }
    let missing: Vec<&HostReport> = status.hosts.iter().filter(|host| !is_here(host)).collect();
    if let (false, [first, ..]) = (status.quorate, missing.as_slice()) {
        let hint = format!(
            "Without quorum nothing is started and nothing is changed. Switch on who is missing. Where a host is off for \
             good, and you have seen it: `hafen quorum proceed-without {}`.",
            first.name
        );
        text += &wrapped("", &hint);
    }
    text
}

fn proceed_without(host: &str, vouch: &Vouch, connection: &Connection) -> anyhow::Result<()> {
    let mut client = target::connect(connection)?;
    let status = client.status()?;
    known(&status, host)?;
    let question = format!(
        "You vouch that {host} is off and stays off. {} The cluster goes on without it, and starts that elsewhere. If {host} \
         still runs somewhere out of sight, both write to the same disks, and destroy them.",
        what_runs(&status, host)
    );
    confirm(vouch, host, &question, host)?;
    let origin = target::origin(&format!("quorum proceed-without {host}"));
    vouch_and_tell(&mut client, host, Request::ProceedWithout { host: host.to_owned(), origin })?;
    outln!("Keep {host} off until it is mended; look with `hafen quorum`.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOL: &str = "Quorum information\n------------------\nNodes:            1\nNode ID:          1\n\
        Ring ID:          1.5\nQuorate:          No\n\nVotequorum information\n----------------------\n\
        Expected votes:   3\nHighest expected: 3\nTotal votes:      1\nQuorum:           2 Activity blocked\n\
        Flags:            WaitForAll\n";

    fn report() -> StatusReport {
        let host = |name: &str, state: &str| HostReport {
            name: name.into(),
            state: state.into(),
            ..HostReport::default()
        };
        StatusReport {
            hosts: vec![host("host1", "online"), host("host2", "offline"), host("host3", "unclean")],
            waiting_for: Some("host2 and host3".into()),
            ..StatusReport::default()
        }
    }

    #[test]
    fn corosyncs_tool_is_read() {
        let votes = Votes::parse(TOOL);
        assert_eq!((votes.expected, votes.total, votes.needed), (Some(3), Some(1), Some(2)));
        assert_eq!(votes.flags, ["WaitForAll"]);
        assert_eq!(Votes::parse("Cannot initialize QUORUM service\n"), Votes::default());
    }

    #[test]
    fn who_is_missing_is_named_with_the_way_out() {
        let conf = "quorum {\n provider: corosync_votequorum\n}\n".parse().expect("sound");
        let text = render(&report(), &Corosync { conf: Some(conf), votes: Votes::parse(TOOL) });
        for wanted in [
            "Quorum: NO (1 of 3 votes are here, 2 are needed)",
            "host2        MISSING",
            "Waiting for host2 and host3.",
            "proceed-without host2",
            "wait_for_all: yes",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let quorate = StatusReport { quorate: true, waiting_for: None, ..report() };
        let text = render(&quorate, &Corosync { conf: None, votes: Votes::default() });
        assert!(text.contains("yes (1 of 3 hosts are here)") && !text.contains("proceed-without"), "{text}");
    }
}
