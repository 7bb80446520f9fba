//! Gathering what is judged: this host, its daemon, and all other hosts at the same time.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use hafen_cib::Cib;
use hafen_client::{Client, ClientError};
use hafen_protocol::client::{Reply, Request};

use super::{Answer, DaemonView, Situation};
use crate::corosync_conf::{self, CorosyncConf, NodeEntry};
use crate::facts;
use crate::host::Host;
use crate::peer::{Credentials, PeerClient};
use crate::request::{PeerReply, PeerRequest, Target};
use crate::timing::LinkMeasure;
use crate::{SetupError, clock};

/// How long a host may take for its facts.
const FACTS_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a host may take to measure its links.
const MEASURE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the daemon may take for anything but fencing.
const DAEMON_TIMEOUT: Duration = Duration::from_secs(10);
/// How long fence devices may take, all together.
const DRILL_TIMEOUT: Duration = Duration::from_secs(120);
/// How long all other hosts together may take.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(90);
/// Echoes over each link: enough to see that it works.
const ECHOES: u32 = 3;

/// Gathers everything. `tell` hears what takes long. With `drill`, the fence devices are asked too.
pub fn collect(host: &Host, drill: bool, tell: &mut dyn FnMut(&str)) -> Situation {
    let mut situation = Situation {
        own: host.name.clone(),
        facts: facts::gather(host),
        peer_port: host.peer_port,
        ..Situation::default()
    };
    match host.corosync_text() {
        Ok(None) => return situation,
        Ok(Some(_)) => {}
        Err(error) => {
            situation.faults.push(fault(&error));
            return situation;
        }
    }
    let conf = match host.corosync_conf() {
        Ok(conf) => conf,
        Err(error) => {
            situation.faults.push(fault(&error));
            return situation;
        }
    };
    situation.conf_findings = corosync_conf::check(&conf);
    let others = host.others(&conf);
    if !others.is_empty() {
        tell(&format!("asking {} other hosts...", others.len()));
        ask_all(host, &conf, others, &mut situation);
    }
    situation.conf = Some(conf);
    daemon(host, drill, &mut situation, tell);
    situation
}

/// An error as what and mend.
fn fault(error: &SetupError) -> (String, String) {
    match error {
        SetupError::Refused { what, mend, .. } => (what.clone(), mend.clone()),
        other => (other.to_string(), "Try again as root".to_owned()),
    }
}

fn ask_all(host: &Host, conf: &CorosyncConf, others: Vec<NodeEntry>, situation: &mut Situation) {
    let credentials = match host.credentials() {
        Ok(credentials) => Arc::new(credentials),
        Err(error) => {
            let (what, mend) = fault(&error);
            for node in others {
                let what = format!("{} cannot be asked: {what}", node.name);
                situation.others.insert(node.name, Answer::Silent { what, mend: mend.clone() });
            }
            return;
        }
    };
    let (sender, receiver) = mpsc::channel();
    for node in &others {
        let (sender, host, conf) = (sender.clone(), host.clone(), conf.clone());
        let (node, credentials) = (node.clone(), Arc::clone(&credentials));
        // A thread that hangs in a system call ends with the program.
        thread::spawn(move || {
            let asked = ask(&host, &conf, &node, &credentials);
            let _ = sender.send((node.name, asked));
        });
    }
    drop(sender);
    for node in others {
        let what = format!("{} did not answer within {} s", node.name, TOTAL_TIMEOUT.as_secs());
        let mend = "Look whether that host is on and its daemon runs".to_owned();
        situation.others.insert(node.name, Answer::Silent { what, mend });
    }
    let deadline = Instant::now() + TOTAL_TIMEOUT;
    while let Ok((name, (answer, measures))) =
        receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        situation.others.insert(name, answer);
        situation.measures.extend(measures);
    }
    situation
        .measures
        .sort_by(|left, right| (&left.from, &left.to, left.link).cmp(&(&right.from, &right.to, right.link)));
}

/// Asks one host over every link, and has it measure its own ways to all others.
fn ask(
    host: &Host,
    conf: &CorosyncConf,
    node: &NodeEntry,
    credentials: &Credentials,
) -> (Answer, Vec<LinkMeasure>) {
    let targets = match host.targets(node) {
        Ok(targets) => targets,
        Err(error) => {
            let (what, mend) = fault(&error);
            return (Answer::Silent { what, mend }, Vec::new());
        }
    };
    let mut measures = Vec::new();
    let (mut client, mut first_error) = (None, None);
    for target in &targets {
        match greet(credentials, target) {
            Ok((connected, took_us)) => {
                measures.push(measure(&host.name, target, took_us, None));
                client.get_or_insert(connected);
            }
            Err(error) => {
                measures.push(measure(&host.name, target, 0, Some(fault(&error).0)));
                first_error.get_or_insert(error);
            }
        }
    }
    let Some(mut client) = client else {
        let none =
            SetupError::state(format!("{} has no address in the nodelist", node.name), "Mend corosync.conf");
        let (what, mend) = fault(&first_error.unwrap_or(none));
        // That it does not answer is said once; its links are no further news.
        return (Answer::Silent { what, mend }, Vec::new());
    };
    let answer = ask_facts(&mut client);
    let theirs: Vec<Target> = conf
        .nodes()
        .iter()
        .filter(|other| other.name != node.name)
        .flat_map(|other| host.targets(other).unwrap_or_default())
        .collect();
    let request = PeerRequest::Measure { targets: theirs, echoes: ECHOES };
    if let Ok(PeerReply::Measures { measures: theirs }) = client.ask(&request, MEASURE_TIMEOUT) {
        measures.extend(theirs);
    }
    (answer, measures)
}

fn greet(credentials: &Credentials, target: &Target) -> Result<(PeerClient, u64), SetupError> {
    let began = Instant::now();
    let mut client = PeerClient::connect(credentials, &target.connecting())?;
    client.ask(&PeerRequest::Echo { number: 1 }, FACTS_TIMEOUT)?;
    Ok((client, u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)))
}

fn measure(from: &str, target: &Target, took_us: u64, failure: Option<String>) -> LinkMeasure {
    LinkMeasure {
        from: from.to_owned(),
        to: target.name.clone(),
        link: target.link,
        echoes: u32::from(failure.is_none()),
        shortest_us: took_us,
        median_us: took_us,
        longest_us: took_us,
        failure,
    }
}

fn ask_facts(client: &mut PeerClient) -> Answer {
    // The clock first: facts take their time.
    let before = clock::wall_ms();
    let hello = client.ask(&PeerRequest::Hello, FACTS_TIMEOUT);
    let after = clock::wall_ms();
    let told = hello.and_then(|hello| match (hello, client.ask(&PeerRequest::Facts, FACTS_TIMEOUT)?) {
        (PeerReply::Hello { wall_ms, .. }, PeerReply::Facts(facts)) => Ok((wall_ms, facts)),
        _ => Err(client.unexpected()),
    });
    match told {
        Ok((wall_ms, facts)) => {
            let middle = before.midpoint(after);
            let ahead_ms = i64::try_from(i128::from(wall_ms) - i128::from(middle)).unwrap_or(i64::MAX);
            Answer::Facts { facts, ahead_ms, took_ms: after.saturating_sub(before) }
        }
        Err(error) => {
            let (what, mend) = fault(&error);
            Answer::Silent { what, mend }
        }
    }
}

/// Asks this host's own daemon for the configuration, and for what the fence devices say.
fn daemon(host: &Host, drill: bool, situation: &mut Situation, tell: &mut dyn FnMut(&str)) {
    let mut view = DaemonView::default();
    let socket = host.paths.daemon_socket();
    let asked = Client::connect(&socket, DAEMON_TIMEOUT).and_then(|mut client| {
        let status = client.status()?;
        let cib = client.cib(true)?;
        Ok((status, cib))
    });
    match asked {
        Ok((status, xml)) => {
            view.quorate = status.quorate;
            view.warnings = status.warnings;
            match Cib::parse(&xml) {
                Ok(cib) => situation.cib = Some(cib),
                Err(error) => situation.faults.push((error.to_string(), String::new())),
            }
            let has_devices =
                situation.cib.as_ref().is_some_and(|cib| cib.fencing_devices().next().is_some());
            if drill && has_devices {
                tell("asking the fence devices...");
                view.drill = Some(ask_devices(&socket));
            }
        }
        Err(error) => view.silent = Some(error.to_string()),
    }
    situation.daemon = Some(view);
}

fn ask_devices(socket: &std::path::Path) -> Result<Vec<hafen_protocol::client::FenceCheck>, String> {
    let request = Request::FenceDrill { host: None, real: false };
    let reply: Result<Reply, ClientError> =
        Client::connect(socket, DRILL_TIMEOUT).and_then(|mut client| client.request(request));
    match reply {
        Ok(Reply::FenceDrill { checks }) => Ok(checks),
        Ok(_) => Err("the daemon answered something else than was asked".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
