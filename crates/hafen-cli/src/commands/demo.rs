//! `hafen lab demo`: a whole lab, shown or put through a scenario.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hafen_lab::scenario::{Scenario, play};
use hafen_lab::{Lab, Layout};
use hafen_protocol::client::Event;
use tokio::signal::unix::{SignalKind, signal};

use super::{events, lab, status};
use crate::arguments::LabDemo;

/// How often the status is shown anew.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Recent events below the status.
const EVENTS_SHOWN: usize = 10;
/// How long a daemon may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// Set by Ctrl-C.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What to try while the demo runs; `hafen` stands for the path of this executable.
const HINTS: &str = "\
Try, in another terminal (as root):
  hafen lab kill host2             cut the power of a host: its machines start elsewhere
  hafen vm migrate vm1 host3       move a machine, live
  hafen node standby host1         empty a host; back with: hafen node online host1
  hafen lab cut host3              cut a host off; mend it with: hafen lab heal
  hafen events --follow            what happens, and why
Ctrl-C ends the lab and removes everything of it.
";

pub(super) fn run(layout: &Layout, options: &LabDemo) -> anyhow::Result<ExitCode> {
    let scenario = options.scenario.as_deref().map(Scenario::load).transpose()?;
    let spec = lab::spec(&options.options, options.vms)?;
    end_on_signal(layout.clone(), scenario.is_some())?;
    let executable = std::env::current_exe()?;
    outln!(
        "starting {} hosts and {} virtual machines in {}",
        spec.hosts.len(),
        spec.vms,
        layout.root().display()
    );
    let (lab, _lease) = hafen_lab::up_leased(layout, spec, &executable)?;
    match scenario {
        Some(scenario) => play_and_report(&lab, &scenario),
        None => show(&lab),
    }
}

/// Plays a scenario against a lab that is up.
pub(super) fn scenario(lab: &Lab, name: &str) -> anyhow::Result<ExitCode> {
    play_and_report(lab, &Scenario::load(name)?)
}

/// Plays a scenario, and says how it went.
pub(super) fn play_and_report(lab: &Lab, scenario: &Scenario) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let report = play(lab, scenario, &mut |step| {
        outln!("{:>7.1} s  {step}", began.elapsed().as_secs_f32());
    });
    outln!("\nScenario {}", report.name);
    for finding in &report.findings {
        outln!("  {finding}");
    }
    for event in &report.events {
        outln!("  {event}");
    }
    match report.failure {
        None => {
            outln!("PASSED in {:.1} s", report.took.as_secs_f32());
            Ok(ExitCode::SUCCESS)
        }
        Some(failure) => {
            outln!("FAILED after {:.1} s: {failure}", report.took.as_secs_f32());
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Shows the status and the last events until Ctrl-C.
fn show(lab: &Lab) -> anyhow::Result<ExitCode> {
    let hints = hints();
    let mut last = String::new();
    loop {
        let shown = picture(lab) + "\n" + &hints;
        if shown != last && !INTERRUPTED.load(Ordering::Relaxed) {
            // The output is not held in between: the thread that ends the lab wants to say so.
            status::show(&mut std::io::stdout().lock(), &shown, true)?;
            last = shown;
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

/// The hints, with an alias where this executable is not on the path.
fn hints() -> String {
    let own = std::env::current_exe().unwrap_or_default();
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let is_known = std::env::split_paths(&folders).any(|folder| folder.join("hafen") == own);
    if is_known { HINTS.to_owned() } else { format!("alias hafen={}\n{HINTS}", own.display()) }
}

/// Ctrl-C, `SIGTERM` and a lost terminal end the lab and the process. A scenario that is cut off has not passed.
pub(super) fn end_on_signal(layout: Layout, unattended: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals = {
        let _inside = runtime.enter();
        let [interrupt, terminate, hangup] = kinds.map(signal);
        [interrupt?, terminate?, hangup?]
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            let [interrupt, terminate, hangup] = &mut signals;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        INTERRUPTED.store(true, Ordering::Relaxed);
        // Whoever read the output may be gone by the same signal; the lab must end all the same.
        let _ = writeln!(std::io::stdout(), "\nthe lab ends");
        if let Err(error) = hafen_lab::down(&layout) {
            let _ = writeln!(std::io::stderr(), "hafen: {error}");
            std::process::exit(1);
        }
        std::process::exit(if unattended { 130 } else { 0 });
    });
    Ok(())
}

fn picture(lab: &Lab) -> String {
    let asked = lab.any_client(ANSWER_TIMEOUT).and_then(|(host, mut client)| Ok((host, client.status()?)));
    let (host, report) = match asked {
        Ok(answer) => answer,
        Err(error) => return format!("no host answers yet: {error}\n"),
    };
    let mut text = status::render(&report) + "\nRecent events\n";
    let recent = lab.client(&host, ANSWER_TIMEOUT).and_then(|client| Ok(client.events(None, false)?));
    let recent: Vec<Event> = recent.map(|stream| stream.map_while(Result::ok).collect()).unwrap_or_default();
    for event in recent.iter().skip(recent.len().saturating_sub(EVENTS_SHOWN)) {
        let line: String = events::render(event).chars().take(80).collect();
        text += &(line + "\n");
    }
    text
}
