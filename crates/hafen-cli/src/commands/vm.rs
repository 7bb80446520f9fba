//! `hafen vm`.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use hafen_cib::Cib;
use hafen_client::Client;
use hafen_lab::{Lab, Layout, guests};
use hafen_protocol::client::Edit;
use hafen_vm::{
    VmDefinition, clear_moves, leftovers, move_to, parse_until, virtual_machine, virtual_machines,
};

use crate::arguments::{Connection, VmCommand, VmCreate};
use crate::exit::WrongInput;
use crate::target;

pub(super) fn run(command: VmCommand, connection: &Connection) -> anyhow::Result<ExitCode> {
    match command {
        VmCommand::Create(options) => create(&options, connection)?,
        VmCommand::List => list(connection)?,
        VmCommand::Start { vm } => set_role(&vm, "Started", connection)?,
        VmCommand::Stop { vm } => set_role(&vm, "Stopped", connection)?,
        VmCommand::Migrate { vm, clear: true, .. } => clear(&vm, connection)?,
        VmCommand::Migrate { vm, to, until, .. } => {
            migrate(&vm, &to.unwrap_or_default(), until.as_deref(), connection)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Changes the configuration; prints what the daemon has to say beside that it is done.
pub(super) fn change(client: &mut Client, edits: Vec<Edit>, what: &str) -> anyhow::Result<()> {
    if let Some(note) = client.change(edits, false, &target::origin(what))? {
        outln!("{note}");
    }
    Ok(())
}

fn configuration(client: &mut Client) -> anyhow::Result<Cib> {
    let xml = client.cib(false)?;
    Cib::parse(&xml).map_err(|error| anyhow::anyhow!("the daemon's configuration cannot be read: {error}"))
}

fn known(cib: &Cib, vm: &str) -> anyhow::Result<()> {
    if virtual_machine(cib, vm).is_some() {
        return Ok(());
    }
    let names: Vec<String> = virtual_machines(cib).into_iter().map(|one| one.id).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(WrongInput(format!("there is no virtual machine '{vm}': there are {names}")).into())
}

fn create(options: &VmCreate, connection: &Connection) -> anyhow::Result<()> {
    let definition = definition(options, connection)?;
    let xml = definition.to_xml().map_err(|error| WrongInput(error.to_string()))?;
    let mut client = target::connect(connection)?;
    let edit = Edit::Create { section: "resources".to_owned(), xml };
    change(&mut client, vec![edit], &format!("vm create {}", options.name))?;
    outln!("{} is part of the cluster; the cluster starts it: look with `hafen status`", options.name);
    Ok(())
}

fn definition(options: &VmCreate, connection: &Connection) -> anyhow::Result<VmDefinition> {
    if options.lab_guest {
        let layout = Layout::chosen(connection.lab.as_deref());
        let lab = Lab::open(&layout)?;
        if !layout.guest().join("kernel").exists() {
            let text = "this lab has no guest's kernel: start it with `hafen lab up --guest FOLDER`";
            return Err(WrongInput(text.to_owned()).into());
        }
        guests::create_disk(lab.layout(), &options.name)?;
        return Ok(guests::definition(&layout, &options.name, options.memory));
    }
    let text = |path: &std::path::PathBuf| path.display().to_string();
    let mut definition = VmDefinition::new(&options.name, u64::from(options.memory));
    definition.cpus = options.cpus;
    definition.disks = options.disks.iter().map(text).collect();
    definition.kernel = options.kernel.as_ref().map(text);
    definition.initrd = options.initrd.as_ref().map(text);
    definition.append = options.append.clone();
    definition.serial = options.serial.as_ref().map(text);
    definition.migrate_dir = options.migrate_dir.as_ref().map(text);
    Ok(definition)
}

fn list(connection: &Connection) -> anyhow::Result<()> {
    let mut client = target::connect(connection)?;
    let machines = virtual_machines(&configuration(&mut client)?);
    let status = client.status()?;
    outln!("{:<16} {:<10} {:<12} {:>8} {:>4}  LIVE MIGRATION", "NAME", "STATE", "HOST", "MEMORY", "CPUS");
    for machine in machines {
        let report = status.resources.iter().find(|one| one.id == machine.id);
        let state = report.map_or("unknown", |report| report.state.as_str());
        let hosts = report.map(|report| report.hosts.join(",")).unwrap_or_default();
        let (memory, cpus) = match &machine.definition {
            Some(one) => (format!("{} MiB", one.memory_mib), one.cpus.to_string()),
            None => ("-".to_owned(), "-".to_owned()),
        };
        let live = if machine.allow_migrate { "yes" } else { "no" };
        outln!("{:<16} {state:<10} {hosts:<12} {memory:>8} {cpus:>4}  {live}", machine.id);
    }
    Ok(())
}

fn set_role(vm: &str, role: &str, connection: &Connection) -> anyhow::Result<()> {
    let mut client = target::connect(connection)?;
    known(&configuration(&mut client)?, vm)?;
    let (name, value) = ("target-role".to_owned(), Some(role.to_owned()));
    let edit = Edit::ResourceMeta { resource: vm.to_owned(), name, value };
    change(&mut client, vec![edit], &format!("vm {role} {vm}"))
}

fn migrate(vm: &str, to: &str, until: Option<&str>, connection: &Connection) -> anyhow::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let until = until.map(|text| parse_until(text, now)).transpose();
    let until = until.map_err(|error| WrongInput(format!("--until: {error}")))?;
    let mut client = target::connect(connection)?;
    let before = configuration(&mut client)?;
    known(&before, vm)?;
    let mut after = before.clone();
    move_to(&mut after, vm, to, until).map_err(|error| WrongInput(error.to_string()))?;
    let mut edits = Vec::new();
    for gone in leftovers(&before) {
        if after.document().by_id(&gone.id).is_none() {
            edits.push(Edit::Delete { id: gone.id, missing_ok: true });
        }
    }
    let id = format!("cli-prefer-{vm}");
    let constraint = after.document().by_id(&id);
    let constraint = constraint.ok_or_else(|| anyhow::anyhow!("the constraint {id} was not made"))?;
    edits.push(Edit::Put { section: "constraints".to_owned(), xml: constraint.to_xml() });
    change(&mut client, edits, &format!("vm migrate {vm} {to}"))?;
    match until {
        None => outln!("{vm} goes to {to} and stays there until `hafen vm migrate {vm} --clear`"),
        Some(end) => {
            let end = hafen_vm::format_until(end).unwrap_or_default();
            outln!("{vm} goes to {to} and stays there until {end}");
        }
    }
    Ok(())
}

fn clear(vm: &str, connection: &Connection) -> anyhow::Result<()> {
    let mut client = target::connect(connection)?;
    let mut cib = configuration(&mut client)?;
    known(&cib, vm)?;
    let ids = clear_moves(&mut cib, vm, None);
    if ids.is_empty() {
        outln!("nothing is left over from moves of {vm}");
        return Ok(());
    }
    outln!("removes {}", ids.join(", "));
    let edits = ids.into_iter().map(|id| Edit::Delete { id, missing_ok: true }).collect();
    change(&mut client, edits, &format!("vm migrate {vm} --clear"))
}
