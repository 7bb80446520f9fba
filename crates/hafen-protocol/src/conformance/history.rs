//! Named checks over everything that was delivered.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::view::{Delivery, MemberId, View, ViewId};

/// A test message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Payload {
    pub(super) from: MemberId,
    pub(super) to: Option<MemberId>,
    /// Grows with every message of a test.
    pub(super) number: u64,
    /// For streams: the view in which the sender was seen.
    pub(super) view: Option<ViewId>,
}

impl Payload {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        serde_json::to_vec(&self).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> Option<Payload> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Everything that was sent and delivered.
#[derive(Debug, Default)]
pub struct History {
    exact_streams: bool,
    sent: BTreeSet<Payload>,
    deliveries: BTreeMap<MemberId, Vec<Delivery>>,
}

/// What a member delivered in one view.
struct Stay<'a> {
    view: &'a View,
    messages: Vec<(MemberId, &'a [u8])>,
    streams: Vec<(MemberId, &'a [u8])>,
}

impl History {
    pub(super) fn new(exact_streams: bool) -> History {
        History { exact_streams, ..History::default() }
    }

    pub(super) fn sent(&mut self, payload: Payload) {
        self.sent.insert(payload);
    }

    /// Adds a delivery.
    pub fn delivered(&mut self, to: MemberId, delivery: Delivery) {
        self.deliveries.entry(to).or_default().push(delivery);
    }

    /// A member's deliveries, in their order.
    pub fn of(&self, member: MemberId) -> &[Delivery] {
        self.deliveries.get(&member).map_or(&[], Vec::as_slice)
    }

    pub(super) fn messages_of(&self, member: MemberId) -> Vec<&[u8]> {
        let deliveries = self.of(member).iter();
        let bytes = deliveries.filter_map(|delivery| match delivery {
            Delivery::Message { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        });
        bytes.collect()
    }

    pub(super) fn streams_of(&self, member: MemberId) -> Vec<&[u8]> {
        let deliveries = self.of(member).iter();
        let bytes = deliveries.filter_map(|delivery| match delivery {
            Delivery::Stream { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        });
        bytes.collect()
    }

    /// A member's views with what it delivered in each. A loss of the bus ends a stay without a next one.
    fn stays(&self, member: MemberId) -> Result<Vec<Option<Stay<'_>>>, String> {
        let mut stays: Vec<Option<Stay<'_>>> = Vec::new();
        for delivery in self.of(member) {
            match delivery {
                Delivery::View(view) => {
                    stays.push(Some(Stay { view, messages: Vec::new(), streams: Vec::new() }));
                }
                Delivery::Lost { .. } => stays.push(None),
                Delivery::Quorum { .. } | Delivery::Hosts(_) => {}
                Delivery::Message { from, bytes } => match stays.last_mut() {
                    Some(Some(stay)) => stay.messages.push((*from, bytes)),
                    _ => return Err(format!("a message before any view, at {member:?}")),
                },
                Delivery::Stream { from, bytes } => match stays.last_mut() {
                    Some(Some(stay)) => stay.streams.push((*from, bytes)),
                    _ => return Err(format!("a stream's message before any view, at {member:?}")),
                },
            }
        }
        Ok(stays)
    }
}

type Stays<'a> = BTreeMap<MemberId, Vec<Option<Stay<'a>>>>;

/// Runs all checks.
///
/// # Errors
/// The first broken promise, by the name of its check.
pub fn check(history: &History) -> Result<(), String> {
    let mut stays: Stays<'_> = BTreeMap::new();
    for &member in history.deliveries.keys() {
        stays.insert(member, history.stays(member).map_err(|error| format!("within_views: {error}"))?);
    }
    let named = |name: &str, result: Result<(), String>| result.map_err(|error| format!("{name}: {error}"));
    named("views_agree", views_agree(&stays))?;
    named("views_advance", views_advance(&stays))?;
    named("senders_are_members", senders_are_members(&stays))?;
    named("sent_once_delivered_once", sent_once_delivered_once(history, &stays))?;
    named("senders_order_without_gaps", senders_order_without_gaps(history, &stays))?;
    named("total_order", total_order(&stays))?;
    named("pass_together", pass_together(&stays))?;
    named("streams", streams(history, &stays))
}

fn all<'a, 'b>(stays: &'b Stays<'a>) -> impl Iterator<Item = (MemberId, &'b Stay<'a>)> {
    stays.iter().flat_map(|(&member, stays)| stays.iter().flatten().map(move |stay| (member, stay)))
}

/// A view's name means the same view to all, and each is in its own views.
fn views_agree(stays: &Stays<'_>) -> Result<(), String> {
    let mut known: BTreeMap<ViewId, &View> = BTreeMap::new();
    for (member, stay) in all(stays) {
        let first = *known.entry(stay.view.id()).or_insert(stay.view);
        if first != stay.view {
            return Err(format!("{first:?} and {:?} have the same name", stay.view));
        }
        if !stay.view.contains(member) {
            return Err(format!("{member:?} is not in its own view {:?}", stay.view));
        }
        if !stay.view.members.keys().all(|host| stay.view.hosts.contains(host)) {
            return Err(format!("a member's host is not in the ring: {:?}", stay.view));
        }
    }
    Ok(())
}

/// Rings and views go forward only.
fn views_advance(stays: &Stays<'_>) -> Result<(), String> {
    for (member, stays) in stays {
        let views: Vec<&View> = stays.iter().flatten().map(|stay| stay.view).collect();
        for pair in views.windows(2) {
            let place = |view: &View| (view.ring.sequence, view.sequence);
            if place(pair[0]) >= place(pair[1]) {
                return Err(format!("{member:?} went from {:?} to {:?}", pair[0].id(), pair[1].id()));
            }
        }
    }
    Ok(())
}

fn senders_are_members(stays: &Stays<'_>) -> Result<(), String> {
    for (member, stay) in all(stays) {
        if let Some((from, _)) = stay.messages.iter().find(|(from, _)| !stay.view.contains(*from)) {
            return Err(format!("{member:?} delivered a message of {from:?} in {:?}", stay.view));
        }
    }
    Ok(())
}

/// Nothing is delivered that was not sent, or twice to one member, or under another's name.
fn sent_once_delivered_once(history: &History, stays: &Stays<'_>) -> Result<(), String> {
    for (member, stays) in stays {
        let mut seen = BTreeSet::new();
        for (from, bytes) in stays.iter().flatten().flat_map(|stay| stay.messages.iter().chain(&stay.streams))
        {
            let Some(payload) = Payload::parse(bytes) else { continue };
            if payload.from != *from || !history.sent.contains(&payload) {
                return Err(format!("{member:?} delivered {payload:?} from {from:?}, which was never sent"));
            }
            if !seen.insert(payload) {
                return Err(format!("{member:?} delivered {payload:?} twice"));
            }
        }
    }
    Ok(())
}

/// In one view a sender's messages arrive in the order of sending, and none is missing in between.
fn senders_order_without_gaps(history: &History, stays: &Stays<'_>) -> Result<(), String> {
    let mut sent: BTreeMap<MemberId, Vec<u64>> = BTreeMap::new();
    for payload in history.sent.iter().filter(|payload| payload.to.is_none()) {
        sent.entry(payload.from).or_default().push(payload.number);
    }
    for numbers in sent.values_mut() {
        numbers.sort_unstable();
    }
    for (member, stay) in all(stays) {
        let mut got: BTreeMap<MemberId, Vec<u64>> = BTreeMap::new();
        for (from, bytes) in &stay.messages {
            got.entry(*from).or_default().extend(Payload::parse(bytes).map(|payload| payload.number));
        }
        for (from, numbers) in got {
            let whole = sent.get(&from).map_or(&[][..], Vec::as_slice);
            let start = whole.iter().position(|number| Some(number) == numbers.first()).unwrap_or(0);
            if !whole[start..].starts_with(&numbers) {
                return Err(format!("{member:?} got {numbers:?} of {from:?}'s {whole:?}"));
            }
        }
    }
    Ok(())
}

/// Two members that delivered the same messages did so in the same order.
fn total_order(stays: &Stays<'_>) -> Result<(), String> {
    let orders: Vec<(MemberId, Vec<&[u8]>)> = stays
        .iter()
        .map(|(&member, stays)| {
            let messages = stays.iter().flatten().flat_map(|stay| &stay.messages);
            (member, messages.map(|(_, bytes)| *bytes).collect())
        })
        .collect();
    for (index, (one, first)) in orders.iter().enumerate() {
        let places: BTreeMap<&[u8], usize> =
            first.iter().enumerate().map(|(at, bytes)| (*bytes, at)).collect();
        for (two, second) in &orders[index + 1..] {
            let common: Vec<usize> = second.iter().filter_map(|bytes| places.get(bytes).copied()).collect();
            if let Some(pair) = common.windows(2).find(|pair| pair[0] >= pair[1]) {
                let text = String::from_utf8_lossy(first[pair[1]]);
                return Err(format!("{one:?} and {two:?} disagree about the place of {text}"));
            }
        }
    }
    Ok(())
}

/// Members that are in a view and in the next one of one of them have the same view before it, and delivered the same
/// messages there. So a host or process that was away is missing from some view of those who stayed.
fn pass_together(stays: &Stays<'_>) -> Result<(), String> {
    for (one, ones) in stays {
        for pair in ones.windows(2) {
            let [Some(before), Some(after)] = pair else { continue };
            for two in before.view.member_ids().filter(|&two| two != *one && after.view.contains(two)) {
                let twos = stays.get(&two).map_or(&[][..], Vec::as_slice);
                let id = after.view.id();
                let at = twos.iter().position(|stay| stay.as_ref().is_some_and(|stay| stay.view.id() == id));
                let Some(at) = at else { continue };
                let Some(Some(other)) = at.checked_sub(1).map(|at| &twos[at]) else {
                    return Err(format!("{two:?} was new in {id:?}, {one:?} had it before"));
                };
                if other.view.id() != before.view.id() {
                    let (ours, theirs) = (before.view.id(), other.view.id());
                    return Err(format!("to {id:?} {one:?} came from {ours:?}, {two:?} from {theirs:?}"));
                }
                if other.messages != before.messages {
                    let (ours, theirs) = (before.messages.len(), other.messages.len());
                    return Err(format!("before {id:?} {one:?} delivered {ours}, {two:?} {theirs} messages"));
                }
            }
        }
    }
    Ok(())
}

/// A stream's messages come in order, in a view shared with the sender, and none when that view is over.
fn streams(history: &History, stays: &Stays<'_>) -> Result<(), String> {
    let mut last: BTreeMap<(MemberId, MemberId), u64> = BTreeMap::new();
    for (member, stay) in all(stays) {
        for (from, bytes) in &stay.streams {
            let Some(payload) = Payload::parse(bytes) else { continue };
            if payload.to != Some(member) || !stay.view.contains(*from) {
                return Err(format!("{member:?} got {payload:?} in {:?}", stay.view));
            }
            let named = payload.view.map(|view| (view.ring.sequence, view.sequence));
            let here = Some((stay.view.ring.sequence, stay.view.sequence));
            if named > here || (history.exact_streams && payload.view != Some(stay.view.id())) {
                return Err(format!("{payload:?} was delivered in {:?}", stay.view.id()));
            }
            let previous = last.insert((*from, member), payload.number);
            if previous.is_some_and(|previous| previous >= payload.number) {
                return Err(format!("{payload:?} came after number {previous:?}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
