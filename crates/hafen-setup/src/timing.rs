//! Corosync's timings for a wanted time of detection, from what the links really do.
//!
//! A host is lost. Its neighbours miss the token for `token` milliseconds, then wait `consensus` for the others to agree, then
//! form the new ring. So
//!
//! ```text
//! detection = token + consensus + OVERHEAD_MS,  consensus = 1.2 * token  (Corosync's minimum for three hosts or more)
//! token     = (detection - OVERHEAD_MS) / 2.2
//! ```
//!
//! It is safe when the token cannot stay away that long although all hosts live: `needed` is what the slowest hop that was
//! measured costs for three rounds (two of them lost) over all hosts, and a pause in which a host's Corosync does not get
//! to run; `margin` is `token / needed`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::SetupError;
use crate::corosync_conf::{CorosyncConf, Transport};

/// Wanted where nothing else is asked for: a lost host is noticed within 2.5 s.
pub const DETECTION_MS_DEFAULT: u64 = 2_500;
/// No detection time is longer: a minute.
pub const DETECTION_MS_MAXIMUM: u64 = 60_000;
/// Forming the new ring and synchronising Corosync's services, in milliseconds.
pub const OVERHEAD_MS: u64 = 300;
/// How long a host's Corosync may be kept from running, in milliseconds.
pub const PAUSE_MS: u64 = 300;
/// What a hop is taken to cost where nothing was measured, in milliseconds.
const HOP_MS_UNMEASURED: f64 = 5.0;
/// Rounds of the token that fit into its timeout: two may be lost.
const ROUNDS: f64 = 3.0;
/// How often a token is sent again before it counts as lost.
const RETRANSMITS: std::ops::RangeInclusive<u64> = 4..=10;
/// Corosync refuses to send a token again sooner than this, in milliseconds.
const RETRANSMIT_MS_MINIMUM: f64 = 30.0;

/// What was measured from one host to another over one link, from many echoes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkMeasure {
    /// Who measured.
    pub from: String,
    /// Who answered.
    pub to: String,
    /// The link's number.
    pub link: u8,
    /// Echoes that came back.
    pub echoes: u32,
    /// The shortest time there and back, in microseconds.
    pub shortest_us: u64,
    /// The middle of all times, in microseconds.
    pub median_us: u64,
    /// The longest time, in microseconds.
    pub longest_us: u64,
    /// Why nothing, or not all, came back.
    pub failure: Option<String>,
}

impl LinkMeasure {
    /// By how much the longest time exceeds the middle, in microseconds.
    pub fn jitter_us(&self) -> u64 {
        self.longest_us.saturating_sub(self.median_us)
    }

    /// One way, at worst, in milliseconds.
    fn hop_ms(&self) -> f64 {
        (self.longest_us as f64 / 2.0 + self.jitter_us() as f64 / 2.0) / 1000.0
    }
}

impl fmt::Display for LinkMeasure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} -> {} on link {}: ", self.from, self.to, self.link)?;
        if self.echoes > 0 {
            let ms = |us: u64| us as f64 / 1000.0;
            write!(
                formatter,
                "{:.2} ms there and back, {:.2} at worst ({} echoes)",
                ms(self.median_us),
                ms(self.longest_us),
                self.echoes
            )?;
        }
        match &self.failure {
            Some(failure) if self.echoes > 0 => write!(formatter, ", then {failure}"),
            Some(failure) => write!(formatter, "{failure}"),
            None => Ok(()),
        }
    }
}

/// Corosync's timings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Without the token for so long, a host begins a new ring, in milliseconds.
    pub token_ms: u64,
    /// How long it waits for the others to agree, in milliseconds.
    pub consensus_ms: u64,
    /// How often a token is sent again.
    pub retransmits: u64,
    /// Between two pings of a link, in milliseconds.
    pub ping_interval_ms: u64,
    /// Without an answer for so long, a link is down, in milliseconds: well before the token is lost, so that the other link
    /// takes over in time.
    pub ping_timeout_ms: u64,
    /// A lost host is noticed within this time, in milliseconds.
    pub detection_ms: u64,
    /// What the token may need while all hosts live, in milliseconds.
    pub needed_ms: u64,
}

impl Timing {
    /// How many times the token timeout is what the token may need.
    pub fn margin(&self) -> f64 {
        self.token_ms as f64 / self.needed_ms.max(1) as f64
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "a lost host is noticed within {} ms (token {} ms, consensus {} ms); the token needs at most {} ms, so the \
             margin is {:.1}",
            self.detection_ms,
            self.token_ms,
            self.consensus_ms,
            self.needed_ms,
            self.margin()
        )
    }
}

/// The slowest hop, in milliseconds.
fn hop_ms(measures: &[LinkMeasure]) -> f64 {
    let worst = measures.iter().filter(|measure| measure.echoes > 0).map(LinkMeasure::hop_ms);
    worst
        .fold(None, |worst: Option<f64>, hop| Some(worst.unwrap_or(0.0).max(hop)))
        .unwrap_or(HOP_MS_UNMEASURED)
}

/// What the token may need while all hosts live, in milliseconds.
fn needed_ms(hosts: usize, hop_ms: f64) -> u64 {
    let rounds = ROUNDS * hosts.max(2) as f64 * hop_ms;
    let resent = *RETRANSMITS.start() as f64 * (2.0 * hop_ms + RETRANSMIT_MS_MINIMUM);
    (PAUSE_MS as f64 + rounds).max(resent).ceil() as u64
}

/// The shortest time of detection that is safe with these links, in milliseconds.
pub fn shortest_detection_ms(hosts: usize, measures: &[LinkMeasure]) -> u64 {
    (needed_ms(hosts, hop_ms(measures)) as f64 * 2.2).ceil() as u64 + OVERHEAD_MS
}

/// The timings for a wanted time of detection.
///
/// # Errors
/// When the links do not allow it.
pub fn propose(detection_ms: u64, hosts: usize, measures: &[LinkMeasure]) -> Result<Timing, SetupError> {
    let shortest = shortest_detection_ms(hosts, measures);
    if detection_ms < shortest || detection_ms > DETECTION_MS_MAXIMUM {
        return Err(SetupError::input(
            format!(
                "a lost host cannot be noticed within {detection_ms} ms: the slowest hop between the hosts takes {:.1} ms at \
                 worst, and a host may pause for {PAUSE_MS} ms",
                hop_ms(measures)
            ),
            format!("Give --detection a number between {shortest} and {DETECTION_MS_MAXIMUM}"),
        ));
    }
    let hop = hop_ms(measures);
    let token_ms = (detection_ms - OVERHEAD_MS) * 10 / 22;
    let resend = |times: u64| token_ms as f64 / (times as f64 + 0.2);
    let pause = 2.0 * hop + RETRANSMIT_MS_MINIMUM;
    let retransmits = RETRANSMITS.rev().find(|times| resend(*times) >= pause).unwrap_or(*RETRANSMITS.start());
    Ok(Timing {
        token_ms,
        consensus_ms: (token_ms * 12).div_ceil(10),
        retransmits,
        ping_interval_ms: (token_ms / 12).max(1),
        ping_timeout_ms: (token_ms / 2).max(1),
        detection_ms,
        needed_ms: needed_ms(hosts, hop),
    })
}

/// Writes the timings into a configuration.
pub fn apply(timing: &Timing, conf: &mut CorosyncConf) {
    let links = conf.links();
    let knet = conf.transport() == Ok(Transport::Knet);
    let totem = conf.top("totem");
    totem.set("token", timing.token_ms.to_string());
    // Corosync would add 650 ms for each host above two, and the detection time would grow with the cluster.
    totem.set("token_coefficient", "0");
    totem.set("consensus", timing.consensus_ms.to_string());
    totem.set("token_retransmits_before_loss_const", timing.retransmits.to_string());
    if !knet {
        return;
    }
    for link in links {
        let number = link.to_string();
        let known = totem.sections("interface").any(|one| one.get("linknumber") == Some(&number));
        if !known {
            let mut interface = crate::corosync_conf::Section::new("interface");
            interface.set("linknumber", &number);
            totem.items.push(crate::corosync_conf::Item::Section(interface));
        }
        for interface in totem.sections_mut("interface") {
            if interface.get("linknumber") == Some(&number) {
                interface.set("knet_ping_interval", timing.ping_interval_ms.to_string());
                interface.set("knet_ping_timeout", timing.ping_timeout_ms.to_string());
                interface.set("knet_pong_count", "2");
            }
        }
    }
}

/// The time within which a configuration notices a lost host, in milliseconds, with Corosync's defaults for what it does not
/// say; of a corosync.conf that somebody else wrote too.
pub fn detection_ms_of(conf: &CorosyncConf) -> u64 {
    let number = |key: &str| conf.value("totem", key).and_then(|text| text.parse::<u64>().ok());
    let hosts = conf.nodes().len() as u64;
    let more = hosts.saturating_sub(2) * number("token_coefficient").unwrap_or(650);
    let token = number("token").unwrap_or(3_000) + more;
    let consensus = number("consensus").unwrap_or(token * 12 / 10);
    token + consensus + OVERHEAD_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(median_us: u64, longest_us: u64) -> LinkMeasure {
        LinkMeasure {
            from: "host1".into(),
            to: "host2".into(),
            link: 0,
            echoes: 50,
            shortest_us: median_us / 2,
            median_us,
            longest_us,
            failure: None,
        }
    }

    #[test]
    fn the_default_is_safe_on_a_lan_of_any_size() {
        for hosts in [1, 2, 3, 8, 32] {
            let timing = propose(DETECTION_MS_DEFAULT, hosts, &[measure(200, 600)]).unwrap();
            assert!(timing.margin() > 2.0, "{hosts} hosts: {timing}");
            assert!(timing.consensus_ms * 10 >= timing.token_ms * 12, "{timing}");
            let sum = timing.token_ms + timing.consensus_ms + OVERHEAD_MS;
            assert!(sum <= DETECTION_MS_DEFAULT, "{timing}");
        }
    }

    #[test]
    fn slow_links_need_more_time_and_one_is_told_how_much() {
        let slow = [measure(100_000, 200_000)];
        let error = propose(2_500, 3, &slow).unwrap_err().to_string();
        let shortest = shortest_detection_ms(3, &slow);
        assert!(error.contains(&shortest.to_string()), "{error}");
        let timing = propose(shortest, 3, &slow).unwrap();
        assert!(timing.margin() >= 0.99, "{timing}");
        assert!(propose(DETECTION_MS_MAXIMUM + 1, 2, &[]).is_err());
        assert!(propose(0, 2, &[]).is_err());
    }

    #[test]
    fn jitter_costs_retransmissions_before_it_costs_safety() {
        let jittery = propose(2_500, 3, &[measure(20_000, 60_000)]).unwrap();
        let quiet = propose(2_500, 3, &[measure(200, 400)]).unwrap();
        assert!(jittery.retransmits < quiet.retransmits);
        assert!(jittery.margin() < quiet.margin() && jittery.margin() > 1.0);
    }

    #[test]
    fn a_link_goes_down_before_the_token_is_lost() {
        let timing = propose(DETECTION_MS_DEFAULT, 3, &[]).unwrap();
        assert!(timing.ping_timeout_ms + 2 * timing.ping_interval_ms < timing.token_ms);
    }

    #[test]
    fn it_is_written_for_every_link_once() {
        let mut conf: CorosyncConf =
            "nodelist {\n node {\n name: a\n nodeid: 1\n ring0_addr: x\n ring1_addr: y\n }\n}\n"
                .parse()
                .unwrap();
        let timing = propose(DETECTION_MS_DEFAULT, 3, &[]).unwrap();
        apply(&timing, &mut conf);
        apply(&timing, &mut conf);
        let text = conf.to_string();
        assert_eq!(text.matches("knet_ping_timeout").count(), 2, "{text}");
        assert!(detection_ms_of(&conf) <= DETECTION_MS_DEFAULT);
        let plain: CorosyncConf = "nodelist {\n node {\n }\n node {\n }\n node {\n }\n}\n".parse().unwrap();
        assert_eq!(detection_ms_of(&plain), 3650 + 4380 + OVERHEAD_MS, "Corosync's defaults");
    }
}
