//! What the switch does to the frames of one direction between two places on one link.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Link;

/// The name of the gateway as a place on `lan0`.
pub const GATEWAY: &str = "gateway";
/// The longest delay, in milliseconds.
pub(super) const DELAY_MAXIMUM_MS: u32 = 60_000;

/// The treatment of frames. The default lets them pass at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Nothing passes.
    #[serde(default)]
    pub cut: bool,
    /// How many frames of a hundred are lost.
    #[serde(default)]
    pub loss_percent: f64,
    /// How long a frame takes, in milliseconds.
    #[serde(default)]
    pub delay_ms: u32,
    /// A frame takes longer by a random time up to this, in milliseconds; frames may overtake each other.
    #[serde(default)]
    pub jitter_ms: u32,
    /// Longer frames are lost, in bytes of what is behind the Ethernet header; 0: no limit.
    #[serde(default)]
    pub mtu: u32,
}

impl Shape {
    /// What is wrong with it, in a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(0.0..=100.0).contains(&self.loss_percent) {
            return Err(format!("a loss is 0 to 100 percent, not {}", self.loss_percent));
        }
        if self.delay_ms > DELAY_MAXIMUM_MS || self.jitter_ms > DELAY_MAXIMUM_MS {
            return Err(format!("delay and jitter are at most {DELAY_MAXIMUM_MS} ms"));
        }
        Ok(())
    }
}

/// Frames from one place to another on a link. A place is a host or the [`GATEWAY`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Direction {
    /// Who sends.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// On which link.
    pub link: Link,
}

/// Shapes of all directions that have one.
#[derive(Debug, Clone, Default)]
pub(super) struct Shapes {
    places: BTreeSet<String>,
    shapes: BTreeMap<Direction, Shape>,
}

impl Shapes {
    pub(super) fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        let places = hosts.into_iter().chain([GATEWAY.to_owned()]).collect();
        Self { places, shapes: BTreeMap::new() }
    }

    pub(super) fn of(&self, direction: &Direction) -> Shape {
        self.shapes.get(direction).copied().unwrap_or_default()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&Direction, &Shape)> {
        self.shapes.iter()
    }

    /// Changes the shapes of all directions that match; none stands for any. With `both` also of the opposite directions.
    pub(super) fn change(
        &mut self,
        [from, to]: [Option<&str>; 2],
        link: Option<Link>,
        both: bool,
        change: impl Fn(&mut Shape),
    ) -> Result<(), String> {
        for name in [from, to].into_iter().flatten() {
            if !self.places.contains(name) {
                let known: Vec<&str> = self.places.iter().map(String::as_str).collect();
                return Err(format!("nothing is plugged in as '{name}': there are {}", known.join(", ")));
            }
        }
        let fits = |place: &str, wanted: Option<&str>| wanted.is_none_or(|wanted| wanted == place);
        for one in &self.places {
            for other in self.places.iter().filter(|other| *other != one) {
                let straight = fits(one, from) && fits(other, to);
                let back = both && fits(one, to) && fits(other, from);
                if !(straight || back) {
                    continue;
                }
                let has_gateway = [one, other].into_iter().any(|place| place == GATEWAY);
                let there = |one: &Link| !has_gateway || *one == Link::Lan0;
                let wanted = |one: &Link| link.is_none_or(|link| link == *one) && there(one);
                for link in Link::ALL.into_iter().filter(wanted) {
                    let direction = Direction { from: one.clone(), to: other.clone(), link };
                    let mut shape = self.shapes.get(&direction).copied().unwrap_or_default();
                    change(&mut shape);
                    if shape == Shape::default() {
                        self.shapes.remove(&direction);
                    } else {
                        self.shapes.insert(direction, shape);
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes() -> Shapes {
        Shapes::new(["host1", "host2", "host3"].map(str::to_owned))
    }

    fn direction(from: &str, to: &str, link: Link) -> Direction {
        Direction { from: from.to_owned(), to: to.to_owned(), link }
    }

    #[test]
    fn a_host_is_cut_off_in_both_directions_on_all_links() {
        let mut shapes = shapes();
        shapes.change([Some("host1"), None], None, true, |shape| shape.cut = true).expect("known");
        assert!(shapes.of(&direction("host1", "host2", Link::Eth0)).cut);
        assert!(shapes.of(&direction("host3", "host1", Link::Eth1)).cut);
        assert!(shapes.of(&direction(GATEWAY, "host1", Link::Lan0)).cut);
        assert!(!shapes.of(&direction("host2", "host3", Link::Eth0)).cut);
        assert!(!shapes.of(&direction(GATEWAY, "host1", Link::Eth0)).cut, "it is on the LAN only");
        shapes.change([None, None], None, false, |shape| shape.cut = false).expect("healed");
        assert_eq!(shapes.all().count(), 0);
    }

    #[test]
    fn one_direction_of_one_link_can_be_lossy() {
        let mut shapes = shapes();
        let wanted = [Some("host1"), Some("host2")];
        shapes.change(wanted, Some(Link::Eth1), false, |shape| shape.loss_percent = 30.0).expect("known");
        assert_eq!(shapes.all().count(), 1);
        assert!(shapes.of(&direction("host1", "host2", Link::Eth1)).loss_percent > 29.0);
    }

    #[test]
    fn an_unknown_place_is_refused_by_name() {
        let error = shapes().change([Some("host9"), None], None, true, |_| ()).expect_err("unknown");
        assert!(error.contains("host9") && error.contains("host3"), "{error}");
        assert!(Shape { loss_percent: 101.0, ..Shape::default() }.check().is_err());
        assert!(Shape { delay_ms: 60_001, ..Shape::default() }.check().is_err());
    }
}
