//! `hafen node`.

use std::process::ExitCode;

use hafen_protocol::client::Edit;

use super::vm::change;
use crate::arguments::{Connection, NodeCommand};
use crate::exit::WrongInput;
use crate::target;

pub(super) fn run(command: NodeCommand, connection: &Connection) -> anyhow::Result<ExitCode> {
    let (node, value, what) = match command {
        NodeCommand::Standby { node } => (node, Some("on".to_owned()), "standby"),
        NodeCommand::Online { node } => (node, None, "online"),
    };
    let mut client = target::connect(connection)?;
    let names: Vec<String> = client.status()?.hosts.into_iter().map(|host| host.name).collect();
    if !names.contains(&node) {
        return Err(WrongInput(format!("there is no host '{node}': there are {}", names.join(", "))).into());
    }
    let edit = Edit::NodeAttribute { node: node.clone(), name: "standby".to_owned(), value };
    change(&mut client, vec![edit], &format!("node {what} {node}"))?;
    match what {
        "standby" => {
            outln!("{node} is in standby: what runs there moves away. Back with `hafen node online {node}`")
        }
        _ => outln!("{node} may carry resources again"),
    }
    Ok(ExitCode::SUCCESS)
}
