//! What is the case in a lab: hosts, virtual machines, events, all hosts asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hafen_protocol::client::{Event, StatusReport};

use crate::heartbeat::History;
use crate::{Lab, LabError, guests};

/// How long a daemon may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// The state must be the same for this long before it counts as settled.
const CALM: Duration = Duration::from_millis(500);

/// The hosts of each resource.
type Places = Vec<(String, Vec<String>)>;

/// Where each virtual machine runs, and which boot of it was heard of last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Machines(pub(crate) BTreeMap<String, (String, String)>);

/// Milliseconds since the Unix epoch.
pub(crate) fn wall_ms() -> u64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
}

/// The statuses of all hosts that answer, by host.
pub(crate) fn statuses(lab: &Lab) -> BTreeMap<String, StatusReport> {
    let hosts = lab.spec().hosts.iter().map(|host| host.name.clone());
    hosts
        .filter_map(|host| {
            let report = lab.client(&host, ANSWER_TIMEOUT).ok()?.status().ok()?;
            Some((host, report))
        })
        .collect()
}

/// The status as a host with quorum sees it.
pub(crate) fn quorate_status(lab: &Lab) -> Result<StatusReport, LabError> {
    let found = statuses(lab).into_values().find(|report| report.quorate);
    found.ok_or_else(|| LabError::State("no host answers that has quorum".to_owned()))
}

/// The events of all hosts since a moment, in the order of their times (all hosts share the machine's clock).
pub(crate) fn events_since(lab: &Lab, wall_ms: u64) -> Vec<Event> {
    let mut all = Vec::new();
    for host in &lab.spec().hosts {
        let Ok(client) = lab.client(&host.name, ANSWER_TIMEOUT) else { continue };
        let Ok(stream) = client.events(None, false) else { continue };
        all.extend(stream.map_while(Result::ok).filter(|event| event.wall_ms >= wall_ms));
    }
    all.sort_by_key(|event| event.wall_ms);
    all
}

/// Waits until the cluster has settled and every guest is heard. What is missing, if the time passes.
pub(crate) fn settle(lab: &Lab, limit: Duration) -> Result<Machines, String> {
    settle_among(lab, None, limit)
}

/// As [`settle`], where only these hosts are expected to be members.
pub(crate) fn settle_among(
    lab: &Lab,
    members: Option<&[String]>,
    limit: Duration,
) -> Result<Machines, String> {
    let deadline = Instant::now() + limit;
    let mut calm_since: Option<(Instant, Places)> = None;
    let mut missing;
    loop {
        match unsettled(lab, members) {
            Err(what) => {
                missing = what;
                calm_since = None;
            }
            Ok(places) => match &calm_since {
                Some((since, before)) if *before == places => {
                    if since.elapsed() >= CALM {
                        break;
                    }
                    missing = "calm".to_owned();
                }
                _ => {
                    missing = "calm".to_owned();
                    calm_since = Some((Instant::now(), places));
                }
            },
        }
        if Instant::now() > deadline {
            return Err(missing);
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    heard(lab, deadline)?;
    machines(lab)
}

/// Where each resource is when all agree that nothing is left to do; else what is not as it should be.
fn unsettled(lab: &Lab, members: Option<&[String]>) -> Result<Places, String> {
    let expected = match members {
        Some(members) => members.to_vec(),
        None => expected_hosts(lab).map_err(|error| error.to_string())?,
    };
    let statuses = statuses(lab);
    let mut places = Vec::new();
    for host in &expected {
        let report = statuses.get(host).ok_or_else(|| format!("{host} does not answer"))?;
        if !report.quorate {
            return Err(format!("{host} has no quorum"));
        }
        if let Some(what) = &report.waiting_for {
            return Err(format!("{host} waits for {what}"));
        }
        let is_member = |state: &str| ["online", "standby", "maintenance"].contains(&state);
        let away = |name: &String| !report.hosts.iter().any(|one| one.name == *name && is_member(&one.state));
        if let Some(name) = expected.iter().find(|name| away(name)) {
            return Err(format!("{host} does not see {name} as a member"));
        }
        let resources = report.resources.iter().map(|one| (one.id.clone(), one.hosts.clone()));
        let seen: Vec<_> = resources.collect();
        for vm in guests::names(lab.spec()) {
            let resource = report.resources.iter().find(|one| one.id == vm);
            match resource.map(|one| (one.state.as_str(), one.hosts.len())) {
                Some(("running", 1)) => {}
                other => return Err(format!("{vm} is not running on one host but {other:?}")),
            }
        }
        if !places.is_empty() && places != seen {
            return Err("the hosts differ in where resources are".to_owned());
        }
        places = seen;
    }
    if places.is_empty() && expected.is_empty() { Err("no host is on".to_owned()) } else { Ok(places) }
}

/// The hosts that are on and not cut off.
fn expected_hosts(lab: &Lab) -> Result<Vec<String>, LabError> {
    let power = lab.power().list()?;
    let on: BTreeSet<&str> = power.iter().filter(|host| host.on).map(|host| host.host.as_str()).collect();
    let hosts = lab.spec().hosts.iter().filter(|host| on.contains(host.name.as_str()));
    let mut expected = Vec::new();
    for host in hosts {
        if !lab.is_cut_off(&host.name)? {
            expected.push(host.name.clone());
        }
    }
    Ok(expected)
}

/// Waits until each guest's counter has grown twice from now: what was on its way when the guest died does not count.
fn heard(lab: &Lab, deadline: Instant) -> Result<(), String> {
    let names = guests::names(lab.spec());
    let count = |vm: &str| History::read(lab.layout(), vm).map(|history| history.count());
    let counts: Result<Vec<u64>, LabError> = names.iter().map(|vm| count(vm)).collect();
    let counts = counts.map_err(|error| error.to_string())?;
    for (vm, before) in names.iter().zip(counts) {
        while count(vm).map_err(|error| error.to_string())? < before + 2 {
            if Instant::now() > deadline {
                return Err(format!("{vm} says nothing"));
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }
    Ok(())
}

/// Where each virtual machine runs, and which boot it is.
pub(crate) fn machines(lab: &Lab) -> Result<Machines, String> {
    let report = quorate_status(lab).map_err(|error| error.to_string())?;
    let mut machines = Machines::default();
    for vm in guests::names(lab.spec()) {
        let resource = report.resources.iter().find(|one| one.id == vm);
        let host = resource.and_then(|one| one.hosts.first()).cloned().unwrap_or_default();
        let history = History::read(lab.layout(), &vm).map_err(|error| error.to_string())?;
        machines.0.insert(vm, (host, history.boot().unwrap_or_default().to_owned()));
    }
    Ok(machines)
}

/// What proves that a guest ran twice at once.
pub(crate) fn doubles(lab: &Lab) -> Vec<String> {
    let mut found = Vec::new();
    for vm in guests::names(lab.spec()) {
        match History::read(lab.layout(), &vm) {
            Ok(history) => found.extend(history.doubles().into_iter().map(|what| format!("{vm}: {what}"))),
            Err(error) => found.push(format!("{vm}: {error}")),
        }
    }
    found
}
