//! Measuring the links between hosts, by echoes over each of them.

use std::thread;
use std::time::{Duration, Instant};

use crate::SetupError;
use crate::change::ask_all;
use crate::corosync_conf::CorosyncConf;
use crate::host::Host;
use crate::peer::{Credentials, PeerClient};
use crate::request::{ECHOES_MAXIMUM, PeerReply, PeerRequest, TARGETS_MAXIMUM, Target};
use crate::timing::LinkMeasure;

/// Echoes for each link, unless something else is asked for.
pub const ECHOES_DEFAULT: u32 = 50;
/// Echoes that are not counted: the first ones wake everything up.
const WARM_UP: u64 = 3;
/// Between two echoes.
const PAUSE: Duration = Duration::from_millis(10);
/// An echo that takes longer is lost, and ends the measurement of its link.
const ECHO_TIMEOUT: Duration = Duration::from_secs(5);
/// Links that a host measures at a time.
const AT_A_TIME: usize = 16;

/// Measures this host's links to others.
pub fn measure(host: &Host, credentials: &Credentials, targets: &[Target], echoes: u32) -> Vec<LinkMeasure> {
    let echoes = echoes.clamp(1, ECHOES_MAXIMUM);
    let targets = &targets[..targets.len().min(TARGETS_MAXIMUM)];
    let mut measures = Vec::with_capacity(targets.len());
    for chunk in targets.chunks(AT_A_TIME) {
        thread::scope(|scope| {
            let threads: Vec<_> = chunk
                .iter()
                .map(|target| scope.spawn(move || measure_one(host, credentials, target, echoes)))
                .collect();
            measures.extend(threads.into_iter().filter_map(|thread| thread.join().ok()));
        });
    }
    measures
}

fn measure_one(host: &Host, credentials: &Credentials, target: &Target, echoes: u32) -> LinkMeasure {
    let mut times = Vec::new();
    let failure = echo(credentials, target, echoes, &mut times).err().map(|error| match error {
        SetupError::Refused { what, .. } => what,
        other => other.to_string(),
    });
    times.sort_unstable();
    LinkMeasure {
        from: host.name.clone(),
        to: target.name.clone(),
        link: target.link,
        echoes: u32::try_from(times.len()).unwrap_or(u32::MAX),
        shortest_us: times.first().copied().unwrap_or(0),
        median_us: times.get(times.len() / 2).copied().unwrap_or(0),
        longest_us: times.last().copied().unwrap_or(0),
        failure,
    }
}

fn echo(
    credentials: &Credentials,
    target: &Target,
    echoes: u32,
    times: &mut Vec<u64>,
) -> Result<(), SetupError> {
    let mut client = PeerClient::connect(credentials, &target.connecting())?;
    for number in 0..WARM_UP + u64::from(echoes) {
        let began = Instant::now();
        match client.ask(&PeerRequest::Echo { number }, ECHO_TIMEOUT)? {
            PeerReply::Echo { number: answered } if answered == number => {}
            _ => return Err(client.unexpected()),
        }
        if number >= WARM_UP {
            times.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Has all hosts measure their links to all others, at the same time. A host that does not answer is told as a failure.
///
/// # Errors
/// When an address of the configuration does not resolve.
pub fn measure_all(
    host: &Host,
    credentials: &Credentials,
    conf: &CorosyncConf,
    echoes: u32,
) -> Result<Vec<LinkMeasure>, SetupError> {
    let nodes = conf.nodes();
    let mut targets = Vec::new();
    for node in &nodes {
        targets.extend(host.targets(node)?);
    }
    let timeout = Duration::from_secs(60) + (PAUSE + Duration::from_millis(200)) * echoes;
    let own: Vec<Target> = targets.iter().filter(|target| target.name != host.name).cloned().collect();
    thread::scope(|scope| {
        let here = scope.spawn(|| measure(host, credentials, &own, echoes));
        let asked: Vec<_> = host
            .others(conf)
            .into_iter()
            .map(|node| {
                let theirs = targets.iter().filter(|target| target.name != node.name).cloned().collect();
                let request = PeerRequest::Measure { targets: theirs, echoes };
                let name = node.name.clone();
                (name, scope.spawn(move || ask_all(host, credentials, &[node], &request, timeout)))
            })
            .collect();
        let mut measures = here.join().unwrap_or_default();
        for (name, thread) in asked {
            for answer in thread.join().unwrap_or_default().into_values() {
                match answer {
                    Ok(PeerReply::Measures { measures: theirs }) => measures.extend(theirs),
                    Ok(_) => {}
                    Err(error) => measures.push(silent(&name, &error)),
                }
            }
        }
        Ok(measures)
    })
}

fn silent(name: &str, error: &SetupError) -> LinkMeasure {
    LinkMeasure {
        from: name.to_owned(),
        to: "all".to_owned(),
        link: 0,
        echoes: 0,
        shortest_us: 0,
        median_us: 0,
        longest_us: 0,
        failure: Some(error.to_string()),
    }
}
