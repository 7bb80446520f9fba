//! `crm_node`: who this host is, and who else there is.

use std::process::ExitCode;

use hafen_client::Client;
use hafen_protocol::client::{Edit, HostReport, Reply, Request};

use super::options::{Given, Spec, flag, valued};
use super::output::{self, CrmExit, Failed, Printed, escaped};

const SPEC: Spec = Spec {
    name: "crm_node",
    about: "Shows hosts of the cluster as the cluster knows them",
    options: &[
        flag('i', "cluster-id", "The number of this host"),
        flag('l', "list", "All hosts: number, name, and whether each is a member now"),
        flag('n', "name", "The name of this host"),
        flag('p', "partition", "The hosts of this part of the cluster"),
        flag('q', "quorum", "1 if this part has quorum, 0 if not"),
        valued('N', "name-for-id", "ID", "The name of the host with that number"),
        valued('R', "remove", "NAME", "Forget a host that is no longer configured (needs --force)"),
        flag('f', "force", "Do it although it is dangerous"),
        flag('Q', "quiet", "Say less"),
    ],
    examples: "Examples:\n  crm_node -n\n  crm_node -l\n  crm_node -N 2",
};

const COMMANDS: [char; 7] = ['i', 'l', 'n', 'p', 'q', 'N', 'R'];
/// Whom we speak to, in Pacemaker's words.
const CONTROLLER: &str = "controller";

/// Who answers.
pub(super) struct OwnHost {
    pub(super) name: String,
    pub(super) id: u32,
}

/// Asks the daemon who it is.
pub(super) fn own_host(client: &mut Client) -> Result<OwnHost, Failed> {
    match client.request(Request::WhoAmI) {
        Ok(Reply::Host { name, id, .. }) => Ok(OwnHost { name, id }),
        Ok(other) => Err(Failed::new(CrmExit::Protocol, format!("an unexpected answer: {other:?}"))),
        Err(error) => Err(output::failed_request(CONTROLLER, &error)),
    }
}

/// Runs the applet.
pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

fn act(given: &Given) -> Result<Printed, Failed> {
    let Some(command) = given.last(&COMMANDS) else {
        eprint!("{}", SPEC.help());
        return Err(Failed::silent(CrmExit::Usage));
    };
    if command == 'R' && !given.has('f') {
        return Err(Failed::usage(
            "The supplied command is considered dangerous.  To prevent accidental destruction of the cluster, the \
             --force flag is required in order to proceed.",
        ));
    }
    let mut client = output::connect().map_err(|error| output::failed_request(CONTROLLER, &error))?;
    let mut printed = Printed::default();
    match command {
        'n' => {
            let own = own_host(&mut client)?;
            printed.add(&own.name, &format!("<node-info nodeid=\"0\" uname=\"{}\"/>", escaped(&own.name)));
        }
        'i' => {
            let own = own_host(&mut client)?;
            printed.add(&own.id.to_string(), &format!("<node-info nodeid=\"{}\"/>", own.id));
        }
        'N' => name_for(given.value(&['N']).unwrap_or_default(), &mut client, &mut printed)?,
        'R' => remove(given.value(&['R']).unwrap_or_default(), &mut client)?,
        _ => from_status(command, &mut client, &mut printed)?,
    }
    Ok(printed)
}

fn from_status(command: char, client: &mut Client, printed: &mut Printed) -> Result<(), Failed> {
    let status = client.status().map_err(|error| output::failed_request(CONTROLLER, &error))?;
    if command == 'q' {
        let text = if status.quorate { "1" } else { "0" };
        printed.add(text, &format!("<cluster-info quorum=\"{}\"/>", status.quorate));
        return Ok(());
    }
    let listed = |host: &&HostReport| command == 'l' || is_member(host);
    let hosts: Vec<&HostReport> = status.hosts.iter().filter(listed).collect();
    let element = |host: &&HostReport| {
        format!("  <node id=\"{}\" name=\"{}\" state=\"{}\"/>\n", host.id, escaped(&host.name), state(host))
    };
    let xml: String = hosts.iter().map(element).collect();
    let lines: Vec<String> = match command {
        'p' => vec![hosts.iter().map(|host| host.name.clone()).collect::<Vec<_>>().join(" ")],
        _ => hosts.iter().map(|host| format!("{} {} {}", host.id, host.name, state(host))).collect(),
    };
    printed.add(&lines.join("\n"), &format!("<nodes>\n{xml}</nodes>"));
    Ok(())
}

/// Whether a host is in this part of the cluster.
fn is_member(host: &HostReport) -> bool {
    !matches!(host.state.as_str(), "offline" | "unclean" | "daemon lost")
}

fn state(host: &HostReport) -> &'static str {
    if is_member(host) { "member" } else { "lost" }
}

/// A number that cannot be read means this host, as it always did.
fn name_for(id: &str, client: &mut Client, printed: &mut Printed) -> Result<(), Failed> {
    let name = match id.parse::<u32>() {
        Ok(id) if id > 0 => {
            let status = client.status().map_err(|error| output::failed_request(CONTROLLER, &error))?;
            status.hosts.into_iter().find(|host| host.id == id).map(|host| host.name)
        }
        _ => Some(own_host(client)?.name),
    };
    match name {
        Some(name) => {
            printed.add(&name, &format!("<node-info nodeid=\"{id}\" uname=\"{}\"/>", escaped(&name)));
            Ok(())
        }
        None => {
            eprintln!("Node is not known to cluster");
            Err(Failed::silent(CrmExit::NoHost))
        }
    }
}

/// Deletes the node's entry of the configuration; one that Corosync still lists is left to `hafen remove`.
fn remove(name: &str, client: &mut Client) -> Result<(), Failed> {
    let failed = |error| output::failed_request(CONTROLLER, &error);
    let status = client.status().map_err(failed)?;
    if status.hosts.iter().any(|host| host.name == name && is_member(host)) {
        let text = format!("{name} is a member of the cluster: take it out with `hafen remove {name}`");
        return Err(Failed::new(CrmExit::Unsafe, text));
    }
    let xml = client.cib(false).map_err(failed)?;
    let cib =
        hafen_cib::Cib::parse(&xml).map_err(|error| Failed::new(CrmExit::Protocol, error.to_string()))?;
    let found = cib.nodes().and_then(|nodes| {
        let mut nodes = nodes.children_named("node");
        nodes.find(|node| node.attribute("uname") == Some(name)).and_then(|node| node.id())
    });
    if let Some(id) = found {
        let edits = vec![Edit::Delete { id: id.to_owned(), missing_ok: true }];
        client.change(edits, false, &output::origin("crm_node")).map_err(failed)?;
    }
    Ok(())
}
