//! `hafen lab`.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use hafen_lab::init::ServiceAction;
use hafen_lab::{Lab, LabSpec, Layout, Network};

use super::demo;
use crate::arguments::{Connection, LabCommand, LabMeasure, LabOptions, LabUp};
use crate::exit;

/// Names the folder with the guests' kernel.
const GUEST_VARIABLE: &str = "HAFEN_GUEST";
/// That folder where nothing else is said.
const GUEST_DEFAULT: &str = "target/guest";

/// Modes of the executable that are found by no agent's name.
const NO_AGENTS: [&str; 2] = ["qemu-receiver", "kvm-works"];
/// Programs of old names that an installation has, if they are part of this executable.
const APPLETS: [&str; 8] = [
    "attrd_updater",
    "cibadmin",
    "crm_attribute",
    "crm_master",
    "crm_mon",
    "crm_node",
    "crm_simulate",
    "meatclient",
];

pub(super) fn run(command: LabCommand, connection: &Connection) -> anyhow::Result<ExitCode> {
    let layout = Layout::chosen(connection.lab.as_deref());
    match command {
        LabCommand::Up(options) => up(&layout, &options)?,
        LabCommand::Down => down(&layout)?,
        LabCommand::Status => status(&layout)?,
        LabCommand::Kill { target } => Lab::open(&layout)?.power().off(&target)?,
        LabCommand::Boot { target } => Lab::open(&layout)?.boot(&target)?,
        LabCommand::Cut { target, from } => Lab::open(&layout)?.cut(&target, from.as_deref())?,
        LabCommand::Heal { target } => Lab::open(&layout)?.heal(target.as_deref())?,
        LabCommand::Demo(options) => return demo::run(&layout, &options),
        LabCommand::Scenario { name } => return demo::scenario(&Lab::open(&layout)?, &name),
        LabCommand::Measure(options) => return measure(&layout, &options),
        LabCommand::Fill { target, free } => fill(&layout, &target, free)?,
        LabCommand::Exec { target, command } => return exec(&layout, &target, &command),
        LabCommand::Power { target, delay_ms, fail } => {
            let switch = Lab::open(&layout)?.power();
            switch.set(target.as_deref(), Duration::from_millis(delay_ms), fail)?;
        }
        LabCommand::PowerSwitch { lease } => hafen_lab::power::run(&layout, lease)?,
        LabCommand::Hub => hafen_lab::hub::run(&layout)?,
        LabCommand::Switch => hafen_lab::net::run(&layout)?,
        LabCommand::Links => links().iter().for_each(|link| outln!("{link}")),
        LabCommand::Service { action, name } => return service(&action, &name),
        LabCommand::Init => init(&layout, connection)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The lab that was asked for.
pub(super) fn spec(options: &LabOptions, vms: u32) -> anyhow::Result<LabSpec> {
    let mut spec = LabSpec::with_hosts(options.hosts)?;
    spec.vms = vms;
    spec.vm_memory_mib = options.memory;
    spec.seed = options.seed;
    spec.power_delay_ms = options.power_delay_ms;
    if options.worst {
        spec.network = Network::Worst;
    }
    spec.guest_dir = guest_folder(options.guest.as_ref(), vms);
    Ok(spec)
}

/// The folder with the guests' kernel, where there are guests.
pub(super) fn guest_folder(given: Option<&PathBuf>, vms: u32) -> Option<PathBuf> {
    let folder = given.cloned().or_else(|| std::env::var_os(GUEST_VARIABLE).map(PathBuf::from));
    (vms > 0).then(|| folder.unwrap_or_else(|| PathBuf::from(GUEST_DEFAULT)))
}

fn up(layout: &Layout, options: &LabUp) -> anyhow::Result<()> {
    let executable = std::env::current_exe()?;
    let spec = spec(&options.options, options.vms)?;
    hafen_lab::up_detached(layout, spec, &executable)?;
    outln!("{} hosts are on. Look with `hafen status`, end it with `hafen lab down`.", options.options.hosts);
    Ok(())
}

/// Ends a lab of either kind.
pub(super) fn down(layout: &Layout) -> anyhow::Result<()> {
    let there_was = hafen_lab::down(layout)?;
    let root = layout.root().display();
    outln!(
        "{}",
        if there_was { format!("the lab in {root} is gone") } else { format!("there is no lab in {root}") }
    );
    Ok(())
}

pub(super) fn status(layout: &Layout) -> anyhow::Result<()> {
    let lab = Lab::open(layout)?;
    outln!("lab in {}", layout.root().display());
    for host in lab.power().list()? {
        let state = if host.on { "on" } else { "off" };
        let init = host.init.map(|pid| format!("init {pid}")).unwrap_or_default();
        outln!("  {:<12} {state:<4} {init:<12} booted {} times", host.host, host.boots);
    }
    Ok(())
}

fn fill(layout: &Layout, host: &str, free: bool) -> anyhow::Result<()> {
    let lab = Lab::open(layout)?;
    if free {
        lab.free_disk(host)?;
        outln!("the disk of {host} has room again");
    } else {
        let bytes = lab.fill_disk(host)?;
        outln!(
            "the disk of {host} is full ({bytes} bytes were free): free it with `hafen lab fill {host} --free`"
        );
    }
    Ok(())
}

fn measure(layout: &Layout, options: &LabMeasure) -> anyhow::Result<ExitCode> {
    let lab = Lab::open(layout)?;
    let measured = hafen_lab::measure::failover(&lab, options.kills, &mut |line| outln!("{line}"))?;
    outln!("{measured}");
    Ok(ExitCode::SUCCESS)
}

/// Runs a command in a host, with its exit status.
pub(super) fn exec(layout: &Layout, host: &str, words: &[std::ffi::OsString]) -> anyhow::Result<ExitCode> {
    let Some((program, arguments)) = words.split_first() else {
        anyhow::bail!("no command to run in {host}");
    };
    let mut command = std::process::Command::new(program);
    command.args(arguments);
    let status = Lab::open(layout)?.exec(host, command)?;
    Ok(exit::status(status.code().unwrap_or(1)))
}

fn init(layout: &Layout, connection: &Connection) -> anyhow::Result<()> {
    let name = connection.host.clone().unwrap_or_default();
    let spec = LabSpec::load(layout)?;
    hafen_lab::init::prepare(layout, &spec, &name)?;
    hafen_lab::init::hold_ring(layout, &spec, &name)?;
    Ok(hafen_lab::init::serve(&spec, &name, hafen_lab::init::services(layout, &spec, &name))?)
}

/// The paths at which an installation has links to this executable.
fn links() -> Vec<String> {
    let agents = hafen_ocf::AGENTS.iter().filter(|agent| !NO_AGENTS.contains(agent));
    let agents = agents.map(|agent| match agent.starts_with("fence_") {
        true => format!("/usr/sbin/{agent}"),
        false => format!("/usr/lib/ocf/resource.d/hafen/{agent}"),
    });
    let applets = APPLETS.iter().filter(|name| hafen_applets::named(OsStr::new(name)).is_some());
    agents.chain(applets.map(|name| format!("/usr/sbin/{name}"))).collect()
}

/// Starts, stops or looks at a service of the host that this process is in; `status` of one that does not run: 3.
fn service(action: &str, name: &str) -> anyhow::Result<ExitCode> {
    let action = match action {
        "start" => ServiceAction::Start,
        "stop" => ServiceAction::Stop,
        "restart" => ServiceAction::Restart,
        "status" => ServiceAction::Status,
        other => anyhow::bail!("'{other}' is none of start, stop, restart, status"),
    };
    let answer = hafen_lab::init::ask_service(action, name)?;
    let detail = answer.detail.unwrap_or_default();
    match answer.result.as_str() {
        "ok" => {}
        "error" => anyhow::bail!("{detail}"),
        state => {
            outln!("{name} is {state} {detail}");
            return Ok(exit::status(if state == "running" { 0 } else { 3 }));
        }
    }
    Ok(ExitCode::SUCCESS)
}
