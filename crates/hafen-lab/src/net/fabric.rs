//! What the switch decides: to whom a frame goes, whether it arrives, and when. Pure: time is an argument, chance comes from
//! one seed, and is drawn for each direction alone, so that traffic elsewhere does not change a frame's fate.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::Link;
use super::frame::{self, HEADER_BYTES, Hardware};
use super::shape::{Direction, GATEWAY, Shapes};

/// Frames that are on their way at the same time, at most; more are lost.
const FRAMES_MAXIMUM: usize = 65_536;
/// Hardware addresses that are known at the same time, at most; the frames to others go to all.
const LEARNED_MAXIMUM: usize = 4_096;

/// A place on a link.
pub(super) type Place = (String, Link);

/// How many frames of a host went which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Sent by the host.
    pub(super) sent: u64,
    /// Given to the host.
    pub(super) received: u64,
    /// On their way to the host, and lost.
    pub(super) lost: u64,
}

/// The switch, less its devices.
pub(super) struct Fabric {
    pub(super) shapes: Shapes,
    seed: u64,
    hosts: BTreeMap<Place, Counts>,
    learned: BTreeMap<(Link, Hardware), String>,
    dice: BTreeMap<Direction, Pcg64Mcg>,
    /// By the time of their arrival and the order in which they were sent.
    travelling: BTreeMap<(u64, u64), (Place, Vec<u8>)>,
    number: u64,
}

impl Fabric {
    pub(super) fn new(hosts: &[String], seed: u64) -> Self {
        let places =
            hosts.iter().flat_map(|host| Link::ALL.map(|link| ((host.clone(), link), Counts::default())));
        Self {
            shapes: Shapes::new(hosts.iter().cloned()),
            seed,
            hosts: places.collect(),
            learned: BTreeMap::new(),
            dice: BTreeMap::new(),
            travelling: BTreeMap::new(),
            number: 0,
        }
    }

    /// The counts of each host on each link.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&Place, &Counts)> {
        self.hosts.iter()
    }

    /// Takes a frame that a host sent.
    pub(super) fn take(&mut self, now_us: u64, place: &Place, content: &[u8]) {
        let Some((to, from)) = frame::ends(content) else { return };
        let Some(counts) = self.hosts.get_mut(place) else { return };
        counts.sent += 1;
        let (host, link) = place;
        if !frame::is_group(from)
            && (self.learned.len() < LEARNED_MAXIMUM || self.learned.contains_key(&(*link, from)))
        {
            self.learned.insert((*link, from), host.clone());
        }
        if *link == Link::Lan0
            && let Some(answer) = frame::gateway_answer(content)
            && let Some(there_us) = self.arrival(now_us, host, GATEWAY, *link, content.len())
            && let Some(back_us) = self.arrival(there_us, GATEWAY, host, *link, answer.len())
        {
            self.send(back_us, place.clone(), answer);
        }
        let known = if frame::is_group(to) { None } else { self.learned.get(&(*link, to)).cloned() };
        let others = self.hosts.keys().filter(|(other, on)| on == link && other != host);
        let receivers: Vec<Place> =
            others.filter(|(other, _)| known.as_ref().is_none_or(|known| known == other)).cloned().collect();
        for receiver in receivers {
            match self.arrival(now_us, host, &receiver.0, *link, content.len()) {
                Some(at_us) => self.send(at_us, receiver, content.to_vec()),
                None => self.lost(&receiver),
            }
        }
    }

    /// A host's interface is gone: what was on its way to it as well.
    pub(super) fn unplug(&mut self, host: &str) {
        self.travelling.retain(|_, (place, _)| place.0 != host);
    }

    /// The next frame that has arrived.
    pub(super) fn arrived(&mut self, now_us: u64) -> Option<(Place, Vec<u8>)> {
        let first = self.travelling.first_entry().filter(|entry| entry.key().0 <= now_us)?;
        let (place, content) = first.remove();
        if let Some(counts) = self.hosts.get_mut(&place) {
            counts.received += 1;
        }
        Some((place, content))
    }

    /// When the next frame arrives.
    pub(super) fn next_arrival_us(&self) -> Option<u64> {
        self.travelling.keys().next().map(|(at_us, _)| *at_us)
    }

    fn send(&mut self, at_us: u64, to: Place, content: Vec<u8>) {
        if self.travelling.len() >= FRAMES_MAXIMUM {
            self.lost(&to);
            return;
        }
        self.number += 1;
        self.travelling.insert((at_us, self.number), (to, content));
    }

    fn lost(&mut self, place: &Place) {
        if let Some(counts) = self.hosts.get_mut(place) {
            counts.lost += 1;
        }
    }

    /// When a frame of this direction arrives; none: never.
    fn arrival(&mut self, now_us: u64, from: &str, to: &str, link: Link, bytes: usize) -> Option<u64> {
        let direction = Direction { from: from.to_owned(), to: to.to_owned(), link };
        let shape = self.shapes.of(&direction);
        let too_long = shape.mtu > 0 && bytes > shape.mtu as usize + HEADER_BYTES;
        if shape.cut || too_long {
            return None;
        }
        if shape.loss_percent <= 0.0 && shape.jitter_ms == 0 {
            return Some(now_us + u64::from(shape.delay_ms) * 1_000);
        }
        let seed = self.seed ^ hash(&direction);
        let dice = self.dice.entry(direction).or_insert_with(|| Pcg64Mcg::seed_from_u64(seed));
        // Always two draws: the same frame has the same luck whatever the shape is.
        let (luck, jitter_us) =
            (dice.random::<f64>(), dice.random_range(0..=u64::from(shape.jitter_ms) * 1_000));
        let is_lost = luck * 100.0 < shape.loss_percent;
        (!is_lost).then(|| now_us + u64::from(shape.delay_ms) * 1_000 + jitter_us)
    }
}

/// FNV-1a of a direction's words.
fn hash(direction: &Direction) -> u64 {
    let words = format!("{}>{}>{}", direction.from, direction.to, direction.link);
    words
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::address::{GATEWAY_ADDRESS, GATEWAY_HARDWARE};

    const GROUP: Hardware = [0xff; 6];

    fn fabric() -> Fabric {
        Fabric::new(&["host1", "host2", "host3"].map(str::to_owned), 7)
    }

    fn place(host: &str) -> Place {
        (host.to_owned(), Link::Eth0)
    }

    fn of(id: u32) -> Hardware {
        Link::Eth0.hardware_address(id)
    }

    fn frame(to: Hardware, from: Hardware) -> Vec<u8> {
        [&to[..], &from, &[0x88, 0xb5], &[0; 46]].concat()
    }

    fn receivers(fabric: &mut Fabric, now_us: u64) -> Vec<String> {
        std::iter::from_fn(|| fabric.arrived(now_us)).map(|((host, _), _)| host).collect()
    }

    #[test]
    fn an_unknown_receiver_is_looked_for_everywhere_and_a_known_one_is_not() {
        let mut fabric = fabric();
        fabric.take(0, &place("host1"), &frame(of(2), of(1)));
        assert_eq!(receivers(&mut fabric, 0), ["host2", "host3"]);
        fabric.take(0, &place("host2"), &frame(of(1), of(2)));
        assert_eq!(receivers(&mut fabric, 0), ["host1"]);
        fabric.take(0, &place("host1"), &frame(of(2), of(1)));
        assert_eq!(receivers(&mut fabric, 0), ["host2"]);
        fabric.take(0, &place("host2"), &frame(GROUP, of(2)));
        assert_eq!(receivers(&mut fabric, 0), ["host1", "host3"]);
    }

    #[test]
    fn a_cut_direction_carries_nothing_and_the_other_one_all() {
        let mut fabric = fabric();
        let wanted = [Some("host1"), Some("host2")];
        fabric.shapes.change(wanted, None, false, |shape| shape.cut = true).expect("known");
        fabric.take(0, &place("host1"), &frame(GROUP, of(1)));
        assert_eq!(receivers(&mut fabric, 0), ["host3"]);
        fabric.take(0, &place("host2"), &frame(of(1), of(2)));
        assert_eq!(receivers(&mut fabric, 0), ["host1"]);
        let lost = fabric.counts().find(|(place, _)| place.0 == "host2").map(|(_, counts)| counts.lost);
        assert_eq!(lost, Some(1));
    }

    #[test]
    fn a_frame_takes_its_delay_and_at_most_the_jitter_more() {
        let mut fabric = fabric();
        let change = |shape: &mut crate::net::Shape| (shape.delay_ms, shape.jitter_ms) = (20, 50);
        fabric.shapes.change([None, Some("host2")], None, false, change).expect("known");
        for _ in 0..200 {
            fabric.take(0, &place("host1"), &frame(of(2), of(1)));
            fabric.unplug("host3");
        }
        assert_eq!(receivers(&mut fabric, 19_999), Vec::<String>::new());
        assert!(fabric.next_arrival_us().is_some_and(|at_us| (20_000..30_000).contains(&at_us)));
        assert_eq!(receivers(&mut fabric, 70_000).len(), 200);
    }

    #[test]
    fn the_same_seed_loses_the_same_frames_and_about_as_many_as_it_should() {
        let lost = |seed: u64| {
            let mut fabric = Fabric::new(&["host1", "host2"].map(str::to_owned), seed);
            fabric.shapes.change([None, None], None, false, |shape| shape.loss_percent = 10.0).expect("all");
            let arrives = (0..1_000).map(|_| {
                fabric.take(0, &place("host1"), &frame(of(2), of(1)));
                receivers(&mut fabric, 0).len() == 1
            });
            arrives.collect::<Vec<bool>>()
        };
        let first = lost(1);
        assert_eq!(first, lost(1));
        assert_ne!(first, lost(2));
        let count = first.iter().filter(|arrives| !**arrives).count();
        assert!((60..140).contains(&count), "{count} of 1,000");
    }

    #[test]
    fn frames_beyond_the_mtu_are_lost() {
        let mut fabric = fabric();
        fabric.shapes.change([None, None], None, false, |shape| shape.mtu = 46).expect("all");
        fabric.take(0, &place("host1"), &frame(GROUP, of(1)));
        assert_eq!(receivers(&mut fabric, 0).len(), 2);
        fabric.take(0, &place("host1"), &[frame(GROUP, of(1)), vec![0]].concat());
        assert_eq!(receivers(&mut fabric, 0).len(), 0);
    }

    #[test]
    fn the_gateway_answers_on_the_lan_only_and_can_be_cut_off() {
        let mut fabric = fabric();
        let request = frame::arp_request(of(1), Link::Lan0.address(1), GATEWAY_ADDRESS);
        let lan = ("host1".to_owned(), Link::Lan0);
        let answered = |fabric: &mut Fabric| {
            std::iter::from_fn(|| fabric.arrived(0))
                .any(|((host, _), content)| host == "host1" && content[6..12] == GATEWAY_HARDWARE)
        };
        fabric.take(0, &lan, &request);
        assert!(answered(&mut fabric));
        fabric.take(0, &place("host1"), &request);
        assert!(!answered(&mut fabric));
        fabric
            .shapes
            .change([Some("host1"), Some(GATEWAY)], None, true, |shape| shape.cut = true)
            .expect("cut");
        fabric.take(0, &lan, &request);
        assert!(!answered(&mut fabric));
    }
}
