//! Clients that change the configuration, and remember what they were promised.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::MemberId;
use hafen_protocol::client::{Edit, Request};

use crate::configuration::{primitive, uname};
use crate::dice::{Dice, bounds};

/// Markers that clients write on each node: enough to have several on the way at once.
const MARKERS: u64 = 6;
/// A key whose last change has an unknown outcome is left alone for this long, in microseconds.
const UNKNOWN_REST_US: u64 = 120_000_000;

/// What a change is about. Two changes with different keys do not touch each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A permanent attribute of a node.
    Attribute {
        /// The node's name.
        node: String,
        /// The attribute's name.
        name: String,
    },
    /// A resource or constraint; its value is what tells its versions apart.
    Element {
        /// Its id.
        id: String,
        /// The attribute that holds the value; `None`: being there is the value.
        attribute: Option<&'static str>,
    },
    /// A meta attribute of a resource.
    Meta {
        /// The resource.
        resource: String,
        /// The attribute's name.
        name: String,
    },
}

/// A value; `None`: it is not there.
pub type Value = Option<String>;

/// What is known about a key.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// The last acknowledged value, and when the acknowledgement came, in simulated microseconds.
    pub acknowledged: Option<(Value, u64)>,
    /// Values that were asked for since then, whose outcome nobody knows.
    pub possible: Vec<Value>,
    busy: bool,
    rest_until_us: u64,
}

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Pending {
    /// What it is about.
    pub key: Key,
    /// To which value.
    pub value: Value,
    /// Whether it goes on without quorum: then nothing is promised.
    pub without_quorum: bool,
    /// When it was asked, in simulated microseconds.
    pub asked_us: u64,
}

/// All clients of a cluster.
#[derive(Debug)]
pub struct Clients {
    dice: Dice,
    overrides: bool,
    next_request: u64,
    /// What is known of each key.
    pub ledger: BTreeMap<Key, Knowledge>,
    pending: BTreeMap<(MemberId, u64), Pending>,
    /// Changes that were acknowledged.
    pub acknowledged: u64,
    /// Changes that were refused.
    pub refused: u64,
    /// Changes whose outcome is unknown.
    pub unknown: u64,
    next_value: u64,
    next_created: u64,
    /// Hosts that were taken away.
    removed: BTreeSet<String>,
}

impl Clients {
    /// Clients that draw from that stream, and override a missing quorum now and then or never.
    pub fn new(dice: Dice, overrides: bool) -> Clients {
        Clients {
            dice,
            overrides,
            next_request: 1,
            ledger: BTreeMap::new(),
            pending: BTreeMap::new(),
            acknowledged: 0,
            refused: 0,
            unknown: 0,
            next_value: 1,
            next_created: 1,
            removed: BTreeSet::new(),
        }
    }

    /// Draws a change for a daemon: its number there, and the request. `movable` are resources that may be moved.
    pub fn draw(
        &mut self,
        to: MemberId,
        hosts: u32,
        movable: &[String],
        now_us: u64,
    ) -> Option<(u64, Request)> {
        let node = uname(u32::try_from(self.dice.within(bounds(1, u64::from(hosts)))).unwrap_or(1));
        let kinds = [("marker", 10), ("standby", 2), ("move", 3), ("role", 2), ("create", 2), ("delete", 2)];
        let kind = self.dice.pick_weighted(&kinds)?;
        let resource = self.dice.pick(movable).cloned();
        let (key, value, edit) = match kind {
            "standby" => self.standby(node)?,
            "move" => self.moving(&resource?, node),
            "role" => self.role(resource?),
            "create" => self.create()?,
            "delete" => self.delete()?,
            _ => self.marker(node),
        };
        let without_quorum = self.overrides && self.dice.chance(400);
        self.ask(to, key, value, edit, without_quorum, now_us)
    }

    fn ask(
        &mut self,
        to: MemberId,
        key: Key,
        value: Value,
        edit: Edit,
        without_quorum: bool,
        now_us: u64,
    ) -> Option<(u64, Request)> {
        let knowledge = self.ledger.entry(key.clone()).or_default();
        if knowledge.busy || knowledge.rest_until_us > now_us {
            return None;
        }
        knowledge.busy = true;
        let number = self.next_request;
        self.next_request += 1;
        self.pending.insert((to, number), Pending { key, value, without_quorum, asked_us: now_us });
        let origin = format!("client {number}");
        Some((number, Request::Change { edits: vec![edit], without_quorum, origin, written: None }))
    }

    fn marker(&mut self, node: String) -> (Key, Value, Edit) {
        let name = format!("marker-{}", self.dice.within(bounds(1, MARKERS)));
        let value = Some(self.next_value.to_string());
        self.next_value += 1;
        let edit = Edit::NodeAttribute { node: node.clone(), name: name.clone(), value: value.clone() };
        (Key::Attribute { node, name }, value, edit)
    }

    fn standby(&mut self, node: String) -> Option<(Key, Value, Edit)> {
        let in_standby = |(key, known): (&Key, &Knowledge)| match key {
            Key::Attribute { node, name } if name == "standby" => {
                let may_be = known.possible.iter().any(Option::is_some);
                let is = known.acknowledged.as_ref().is_some_and(|(value, _)| value.is_some());
                let there = !self.removed.contains(node);
                (there && (known.busy || may_be || is)).then(|| node.clone())
            }
            _ => None,
        };
        let (node, value) = match self.ledger.iter().find_map(in_standby) {
            Some(node) => (node, None),
            None => (node, Some("on".to_owned())),
        };
        let name = "standby".to_owned();
        let edit = Edit::NodeAttribute { node: node.clone(), name: name.clone(), value: value.clone() };
        Some((Key::Attribute { node, name }, value, edit))
    }

    /// The change that ends a standby, for the end of a run.
    pub fn end_standby(&mut self, to: MemberId, now_us: u64) -> Option<(u64, Request)> {
        let (key, value, edit) = self.standby(String::new())?;
        if value.is_some() {
            return None;
        }
        self.ask(to, key, value, edit, false, now_us)
    }

    fn moving(&mut self, resource: &str, node: String) -> (Key, Value, Edit) {
        let id = format!("cli-prefer-{resource}");
        let key = Key::Element { id: id.clone(), attribute: Some("node") };
        let there = self
            .ledger
            .get(&key)
            .and_then(|known| known.acknowledged.clone())
            .is_some_and(|(v, _)| v.is_some());
        if there && self.dice.chance(500) {
            return (key, None, Edit::Delete { id, missing_ok: true });
        }
        let xml = format!(
            r#"<rsc_location id="{id}" rsc="{resource}" role="Started" node="{node}" score="INFINITY"/>"#
        );
        (key, Some(node), Edit::Put { section: "constraints".to_owned(), xml })
    }

    fn role(&mut self, resource: String) -> (Key, Value, Edit) {
        let name = "target-role".to_owned();
        let value =
            if self.dice.chance(350) { Some("Stopped".to_owned()) } else { Some("Started".to_owned()) };
        let edit =
            Edit::ResourceMeta { resource: resource.clone(), name: name.clone(), value: value.clone() };
        (Key::Meta { resource, name }, value, edit)
    }

    fn create(&mut self) -> Option<(Key, Value, Edit)> {
        let there = |(key, known): &(&Key, &Knowledge)| {
            matches!(key, Key::Element { attribute: None, .. })
                && known.acknowledged.as_ref().is_some_and(|(value, _)| value.is_some())
        };
        if self.ledger.iter().filter(there).count() >= 3 {
            return None;
        }
        let id = format!("made{}", self.next_created);
        self.next_created += 1;
        let migrate =
            if self.dice.chance(500) { vec![("allow-migrate", "true".to_owned())] } else { Vec::new() };
        let xml = primitive(&id, &migrate, &mut self.dice);
        let key = Key::Element { id, attribute: None };
        Some((key, Some(String::new()), Edit::Create { section: "resources".to_owned(), xml }))
    }

    fn delete(&mut self) -> Option<(Key, Value, Edit)> {
        let made = |(key, known): (&Key, &Knowledge)| match key {
            Key::Element { id, attribute: None } => {
                known.acknowledged.as_ref().is_some_and(|(value, _)| value.is_some()).then(|| id.clone())
            }
            _ => None,
        };
        let all: Vec<String> = self.ledger.iter().filter_map(made).collect();
        let id = self.dice.pick(&all)?.clone();
        let key = Key::Element { id: id.clone(), attribute: None };
        Some((key, None, Edit::Delete { id, missing_ok: true }))
    }

    /// A daemon answered: whether the change is acknowledged (`Some(true)`), refused (`Some(false)`), or unknown.
    pub fn answered(
        &mut self,
        from: MemberId,
        number: u64,
        outcome: Option<bool>,
        now_us: u64,
    ) -> Option<Pending> {
        let pending = self.pending.remove(&(from, number))?;
        let knowledge = self.ledger.entry(pending.key.clone()).or_default();
        knowledge.busy = false;
        match outcome {
            Some(true) if !pending.without_quorum => {
                self.acknowledged += 1;
                knowledge.acknowledged = Some((pending.value.clone(), now_us));
                knowledge.possible.clear();
            }
            Some(false) => self.refused += 1,
            _ => {
                self.unknown += 1;
                knowledge.possible.push(pending.value.clone());
                knowledge.rest_until_us = now_us + UNKNOWN_REST_US;
            }
        }
        Some(pending)
    }

    /// A run of a daemon is gone: nobody knows what became of what was asked of it.
    pub fn daemon_gone(&mut self, member: MemberId, now_us: u64) {
        let numbers: Vec<u64> =
            self.pending.keys().filter(|(to, _)| *to == member).map(|(_, number)| *number).collect();
        for number in numbers {
            self.answered(member, number, None, now_us);
        }
    }

    /// A host is taken away: what was said about it goes with it.
    pub fn host_removed(&mut self, name: &str) {
        self.removed.insert(name.to_owned());
    }

    /// Whether a key is about a host that was taken away.
    pub fn is_void(&self, key: &Key) -> bool {
        matches!(key, Key::Attribute { node, .. } if self.removed.contains(node))
    }

    /// Requests that nobody has answered.
    pub fn pending(&self) -> impl Iterator<Item = (MemberId, &Pending)> {
        self.pending.iter().map(|((to, _), pending)| (*to, pending))
    }
}
