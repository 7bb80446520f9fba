//! `hafen net`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use hafen_lab::net::{PortStatus, ShapeChange};
use hafen_lab::scenario::Scenario;
use hafen_lab::{Lab, LabSpec, Layout, NetSpec};

use super::{demo, lab};
use crate::arguments::{Connection, NetCommand, NetShape, NetUp};

pub(super) fn run(command: NetCommand, connection: &Connection) -> anyhow::Result<ExitCode> {
    let layout = Layout::chosen_net(connection.lab.as_deref());
    match command {
        NetCommand::Up(options) => up(&layout, &options)?,
        NetCommand::Down => lab::down(&layout)?,
        NetCommand::Status => status(&layout)?,
        NetCommand::Exec { target, command } => return lab::exec(&layout, &target, &command),
        NetCommand::Kill { target } => Lab::open(&layout)?.power().off(&target)?,
        NetCommand::Boot { target } => Lab::open(&layout)?.boot(&target)?,
        NetCommand::Cut { target, other, link } => {
            Lab::open(&layout)?.frame_switch()?.cut(&target, other.as_deref(), link)?;
        }
        NetCommand::Shape(options) => shape(&layout, &options)?,
        NetCommand::Heal { target } => Lab::open(&layout)?.frame_switch()?.heal(target.as_deref())?,
        NetCommand::Scenario { name, guest } => return scenario(&layout, name.as_deref(), guest.as_ref()),
        NetCommand::Power { target, delay_ms, fail } => {
            let switch = Lab::open(&layout)?.power();
            switch.set(target.as_deref(), Duration::from_millis(delay_ms), fail)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn up(layout: &Layout, options: &NetUp) -> anyhow::Result<()> {
    let mut spec = LabSpec::with_hosts(options.hosts)?;
    spec.net = Some(NetSpec {
        bare: options.bare,
        recorders: options.recorders,
        qnetd: options.qnetd.then(NetSpec::quorum_device_host),
        fence_delay_seconds: options.fence_delay,
        ..NetSpec::default()
    });
    spec.vms = options.vms;
    spec.guest_dir = lab::guest_folder(options.guest.as_ref(), options.vms);
    spec.seed = options.seed;
    spec.power_delay_ms = options.power_delay_ms;
    hafen_lab::up_detached(layout, spec, &std::env::current_exe()?)?;
    let count = options.hosts;
    outln!("{count} hosts are on. Go in with `hafen net exec host1 -- bash`, end it with `hafen net down`.");
    Ok(())
}

fn scenario(layout: &Layout, name: Option<&str>, guest: Option<&PathBuf>) -> anyhow::Result<ExitCode> {
    let Some(name) = name else {
        hafen_lab::scenario::names().iter().for_each(|name| outln!("{name}"));
        return Ok(ExitCode::SUCCESS);
    };
    let scenario = Scenario::load(name)?;
    if let Ok(lab) = Lab::open(layout) {
        return demo::play_and_report(&lab, &scenario);
    }
    let Some(stand) = &scenario.stand else {
        anyhow::bail!("{name} is played in a lab with a hub: `hafen lab demo --scenario {name}`");
    };
    let spec = stand.spec(lab::guest_folder(guest, stand.vms))?;
    demo::end_on_signal(layout.clone(), true)?;
    let (lab, _lease) = hafen_lab::up_leased(layout, spec, &std::env::current_exe()?)?;
    demo::play_and_report(&lab, &scenario)
}

fn shape(layout: &Layout, options: &NetShape) -> anyhow::Result<()> {
    let change = ShapeChange {
        cut: None,
        loss_percent: options.loss,
        delay_ms: options.delay,
        jitter_ms: options.jitter,
        mtu: options.mtu,
    };
    anyhow::ensure!(
        change != ShapeChange::default(),
        "nothing is to be changed: give --loss, --delay, --jitter or --mtu"
    );
    let ends = [options.from.as_deref(), options.to.as_deref()];
    Ok(Lab::open(layout)?.frame_switch()?.shape(ends, options.link, options.both, change)?)
}

fn status(layout: &Layout) -> anyhow::Result<()> {
    lab::status(layout)?;
    let network = Lab::open(layout)?.frame_switch()?.status()?;
    for PortStatus { host, link, attached, sent, received, lost } in network.ports {
        let state = if attached { "plugged in" } else { "unplugged" };
        outln!("  {host:<12} {link:<5} {state:<11} sent {sent} received {received} lost {lost} frames");
    }
    for (direction, shape) in network.shapes {
        let mut what = Vec::new();
        if shape.cut {
            what.push("cut".to_owned());
        }
        if shape.loss_percent > 0.0 {
            what.push(format!("loses {} %", shape.loss_percent));
        }
        if shape.delay_ms + shape.jitter_ms > 0 {
            what.push(format!("takes {} to {} ms", shape.delay_ms, shape.delay_ms + shape.jitter_ms));
        }
        if shape.mtu > 0 {
            what.push(format!("carries at most {} bytes", shape.mtu));
        }
        outln!("  {} to {} on {}: {}", direction.from, direction.to, direction.link, what.join(", "));
    }
    Ok(())
}
