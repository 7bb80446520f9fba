//! How fast the cluster is.

use std::fmt;
use std::time::Duration;

use hafen_protocol::client::Event;

use crate::scenario::world;
use crate::{Lab, LabError};

/// How long the cluster may take to settle between two kills.
const SETTLE_LIMIT: Duration = Duration::from_secs(240);

/// Times of recoveries, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    milliseconds: Vec<u64>,
}

impl Measured {
    /// The median; 0 without any.
    pub fn median_ms(&self) -> u64 {
        let mut sorted = self.milliseconds.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or(0)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.milliseconds.iter().max().copied().unwrap_or(0);
        let least = self.milliseconds.iter().min().copied().unwrap_or(0);
        let count = self.milliseconds.len();
        write!(formatter, "{count} kills: median {} ms, least {least} ms, most {most} ms", self.median_ms())
    }
}

/// Kills hosts that run virtual machines, one after the other, and measures each time from the view without the host to the
/// last start of an agent elsewhere, less the time that the fence agent took.
pub fn failover(lab: &Lab, kills: u32, tell: &mut dyn FnMut(&str)) -> Result<Measured, LabError> {
    let state = |what: String| LabError::State(format!("the cluster does not settle: {what}"));
    let mut milliseconds = Vec::new();
    for number in 1..=kills {
        let machines = world::settle(lab, SETTLE_LIMIT).map_err(state)?;
        let hosts = lab.spec().hosts.iter().map(|host| host.name.as_str());
        let load = |host: &str| machines.0.values().filter(|(place, _)| place == host).count();
        let victim = hosts.max_by_key(|host| load(host)).unwrap_or_default().to_owned();
        if load(&victim) == 0 {
            return Err(LabError::State("no virtual machine runs: start the lab with --vms 4".to_owned()));
        }
        let since = world::wall_ms();
        lab.power().off(&victim)?;
        world::settle(lab, SETTLE_LIMIT).map_err(state)?;
        let events = world::events_since(lab, since);
        let took = recovery_ms(&events, &victim).ok_or_else(|| {
            LabError::State(format!("the event log does not tell how {victim} was recovered from"))
        })?;
        tell(&format!("kill {number}: {victim} with {} virtual machines: {took} ms", load(&victim)));
        milliseconds.push(took);
    }
    Ok(Measured { milliseconds })
}

/// From the first view after the loss to the last start that began because of it, less the fencing.
fn recovery_ms(events: &[Event], victim: &str) -> Option<u64> {
    let lost = events.iter().find(|event| event.kind == "host-lost" && event.subject == victim)?.wall_ms;
    let fenced = events.iter().find(|event| event.kind == "fence-result" && event.subject == victim)?;
    let started = events.iter().find(|event| event.kind == "fence-start" && event.subject == victim)?.wall_ms;
    let settled =
        events.iter().find(|event| event.kind == "settled" && event.wall_ms >= fenced.wall_ms)?.wall_ms;
    let starts = events.iter().filter(|event| {
        event.kind == "execute"
            && event.text.starts_with("start ")
            && (fenced.wall_ms..=settled).contains(&event.wall_ms)
    });
    let last = starts.map(|event| event.wall_ms).max()?;
    // The fence agent's own time; the result's text carries it as "fencing, N ms".
    let agent = fenced.cause.split_whitespace().find_map(|word| word.parse::<u64>().ok());
    let agent = agent.unwrap_or(fenced.wall_ms - started);
    Some((last - lost).saturating_sub(agent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(wall_ms: u64, kind: &str, subject: &str, text: &str, cause: &str) -> Event {
        let word = |text: &str| text.to_owned();
        let (host, kind, subject) = (word("host1"), word(kind), word(subject));
        Event { number: 0, wall_ms, host, kind, subject, text: word(text), cause: word(cause) }
    }

    #[test]
    fn the_fence_agents_time_is_taken_off() {
        let events = [
            event(100, "host-lost", "host2", "", ""),
            event(101, "fence-start", "host2", "", ""),
            event(601, "fence-result", "host2", "", "fencing, 500 ms"),
            event(605, "execute", "vm1", "start vm1 begins", ""),
            event(610, "execute", "vm2", "start vm2 begins", ""),
            event(900, "settled", "", "", ""),
            event(950, "execute", "vm3", "start vm3 begins", ""),
        ];
        assert_eq!(recovery_ms(&events, "host2"), Some(10));
        assert_eq!(recovery_ms(&events[..2], "host2"), None);
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(Measured { milliseconds: vec![30, 10, 20] }.median_ms(), 20);
        assert_eq!(Measured { milliseconds: vec![] }.median_ms(), 0);
    }
}
