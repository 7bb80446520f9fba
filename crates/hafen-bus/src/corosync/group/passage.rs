//! The next view, and how each member comes to it.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::{HostId, View};

use super::super::packet::{Hello, Install, Joined, Token};
use super::Address;

/// The view that follows from the members' answers; none when nobody knows the ring.
pub(super) fn compose(token: Token, hellos: &BTreeMap<Address, Hello>) -> Option<Install> {
    let known = hellos.values().filter_map(|hello| hello.ring.as_ref());
    let ring = known.max_by_key(|ring| (ring.in_order, ring.id))?;
    let mut members: BTreeMap<HostId, Joined> = BTreeMap::new();
    for (address, hello) in hellos {
        let later =
            members.get(&address.host).is_none_or(|other| other.incarnation < hello.member.incarnation);
        if later && ring.hosts.contains(&address.host) {
            let joined = Joined {
                incarnation: hello.member.incarnation,
                process: address.process,
                previous: hello.previous,
                gone: hello.gone.clone(),
            };
            members.insert(address.host, joined);
        }
    }
    let sequence = hellos.values().map(|hello| hello.sequence).max()?;
    Some(Install { token, ring: ring.id, hosts: ring.hosts.clone(), sequence, members })
}

/// How a member comes from its view to the next one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Direct,
    /// By a view of those who pass together.
    Through(View),
    /// There is no name left for a view in between.
    Broken,
}

pub(super) fn passage(
    me: HostId,
    before: &View,
    after: &View,
    members: &BTreeMap<HostId, Joined>,
) -> Passage {
    let stay = members.get(&me).and_then(|own| own.previous);
    let together: BTreeMap<HostId, &Joined> = members
        .iter()
        .filter(|(_, joined)| joined.previous == stay)
        .map(|(&host, joined)| (host, joined))
        .collect();
    let mut gone: BTreeSet<HostId> =
        together.values().flat_map(|joined| joined.gone.iter().copied()).collect();
    gone.retain(|host| !together.contains_key(host));
    let both: BTreeSet<HostId> = before.hosts.intersection(&after.hosts).copied().collect();
    let apart = before.members.iter().any(|(host, incarnation)| {
        after.members.get(host) == Some(incarnation) && !together.contains_key(host)
    });
    if both.is_disjoint(&gone) && !apart {
        return Passage::Direct;
    }
    let (mut ring, mut sequence) = (after.ring, after.sequence);
    if before.ring == after.ring {
        sequence -= 1;
    } else {
        ring.sequence -= 1;
        ring.representative = together.keys().next().copied().unwrap_or(me);
    }
    if (ring.sequence, sequence) <= (before.ring.sequence, before.sequence) {
        return Passage::Broken;
    }
    let hosts = both.difference(&gone).copied().collect();
    let members = together.iter().map(|(&host, joined)| (host, joined.incarnation)).collect();
    Passage::Through(View { ring, sequence, hosts, members })
}
