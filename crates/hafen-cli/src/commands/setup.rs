//! `hafen init`, `join`, `token`, `leave`, `remove`.

use std::io::Write;
use std::process::ExitCode;

use hafen_client::Client;
use hafen_setup::{Host, Paths, SetupError, init, join, leave, token, tune};

use crate::arguments::{Connection, InitArguments, JoinArguments};
use crate::exit::WrongInput;
use crate::target;

/// Links are measured this often after a host has come or gone.
const ECHOES_AFTER_CHANGE: u32 = 20;

/// This host; only root may change its set-up.
pub(super) fn this_host() -> anyhow::Result<Host> {
    anyhow::ensure!(
        rustix::process::geteuid().is_root(),
        std::io::Error::new(
            std::io::ErrorKind::PermissionDenied,
            "only root may do that: try again with sudo"
        )
    );
    Ok(Host::this(Paths::default())?)
}

fn tell(notes: &[String]) {
    for note in notes {
        eprintln!("note: {note}");
    }
}

pub(super) fn init(arguments: InitArguments) -> anyhow::Result<ExitCode> {
    let options = init::Options {
        name: arguments.name,
        bind: arguments.bind,
        links: arguments.links,
        detection_ms: arguments.detection_ms,
        mcast: arguments.mcast,
        encryption: arguments.encryption,
        fence: arguments.fence,
        fence_delay_seconds: arguments.fence_delay,
    };
    let report = init::init(&this_host()?, &options)?;
    tell(&report.notes);
    if !report.was_there {
        eprintln!("The cluster '{}' runs. On the next host, within an hour:", report.cluster);
    }
    outln!("{}", report.join_line);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn token(lifetime: &str) -> anyhow::Result<ExitCode> {
    let seconds = seconds(lifetime)?;
    let (token, line) = init::token(&this_host()?, seconds)?;
    let left = token.expires.saturating_sub(hafen_setup::clock::wall_seconds());
    eprintln!("On the new host, within {} minutes:", left.div_ceil(60));
    outln!("{line}");
    Ok(ExitCode::SUCCESS)
}

/// `30m`, `2h`, `1d`, or seconds.
fn seconds(text: &str) -> anyhow::Result<u64> {
    let wrong = || WrongInput(format!("'{text}' is no time: write 90s, 30m, 2h or 1d, a week at most"));
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(wrong().into()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds =
        number.checked_mul(unit).filter(|seconds| (1..=token::LIFETIME_SECONDS_MAXIMUM).contains(seconds));
    seconds.ok_or_else(|| wrong().into())
}

pub(super) fn join(arguments: JoinArguments) -> anyhow::Result<ExitCode> {
    let host = this_host()?;
    let options = join::Options {
        host: arguments.target,
        token: arguments.token,
        addresses: arguments.addresses.into_iter().collect(),
    };
    let report = join::join(&host, &options)?;
    tell(&report.notes);
    if !report.was_there {
        outln!("{} is in the cluster '{}': {}", host.name, report.cluster, report.hosts.join(", "));
        propose(&host);
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures all links after a host has come or gone, and says what would fit better. Whether that works is no matter of the
/// command.
fn propose(host: &Host) {
    let Ok(proposal) = tune::propose(host, None, ECHOES_AFTER_CHANGE) else { return };
    for measure in proposal.measures.iter().filter(|measure| measure.failure.is_some()) {
        eprintln!("note: {measure}");
    }
    match proposal.timing {
        Ok(timing) if proposal.in_place => outln!("Measured: {timing}."),
        Ok(timing) => outln!(
            "Measured: today a lost host is noticed within {} ms; with 'hafen quorum tune --apply' {timing}.",
            proposal.detection_ms_now
        ),
        Err(error) => eprintln!("note: {error}"),
    }
}

pub(super) fn leave(last: bool) -> anyhow::Result<ExitCode> {
    let host = this_host()?;
    let left = leave::leave(&host, last)?;
    match &left.cluster {
        Some(cluster) => outln!("{} has left the cluster '{cluster}'.", host.name),
        None => outln!("{} is in no cluster.", host.name),
    }
    if let Some(folder) = left.kept {
        outln!("Its files of that cluster are kept in {}.", folder.display());
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn remove(name: &str, connection: &Connection) -> anyhow::Result<ExitCode> {
    let host = this_host()?;
    let mut client = target::connect(connection)?;
    proven_off(&mut client, name)?;
    leave::remove(&host, name)?;
    outln!("{name} is out of the cluster's configuration on all hosts.");
    leave::forget(&host, name)?;
    propose(&host);
    Ok(ExitCode::SUCCESS)
}

/// A host that may still run something must not be forgotten: nothing would wait for its end any more.
fn proven_off(client: &mut Client, name: &str) -> anyhow::Result<()> {
    let status = client.status()?;
    let Some(report) = status.hosts.iter().find(|host| host.name == name) else { return Ok(()) };
    if report.state == "unclean" {
        return Err(SetupError::state(
            format!("nobody has proven that {name} is off"),
            format!(
                "Fence it with 'hafen fence now {name}', or go and look, and vouch for it with 'hafen fence confirm {name}'"
            ),
        )
        .into());
    }
    Ok(())
}

/// `hafen quorum tune`.
pub(super) fn tune(arguments: &crate::arguments::TuneArguments) -> anyhow::Result<ExitCode> {
    let host = this_host()?;
    let mut out = std::io::stdout().lock();
    let proposal = tune::propose(&host, arguments.detection_ms, arguments.echoes)?;
    for measure in &proposal.measures {
        writeln!(out, "{measure}")?;
    }
    writeln!(out, "Today a lost host is noticed within {} ms.", proposal.detection_ms_now)?;
    let timing = proposal.timing?;
    if proposal.in_place {
        writeln!(out, "The timings fit: {timing}.")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "Proposed: {timing}.")?;
    if arguments.apply {
        tune::apply(&host, &timing)?;
        writeln!(out, "In place on all hosts.")?;
    } else {
        writeln!(out, "Put it in place with: hafen quorum tune --detection {} --apply", timing.detection_ms)?;
    }
    Ok(ExitCode::SUCCESS)
}
