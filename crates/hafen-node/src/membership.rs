//! The life of one view at one member: greeting, election, copying, synchronised; terms and what is on whose disk.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::message::{Hello, Message};
use hafen_protocol::transport::StateCopy;
use hafen_protocol::{HostId, MemberId, View};

/// How far a member is in its view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// There is no view.
    Detached,
    /// The members tell each other who they are.
    Greeting,
    /// The coordinator's copy is on its way here; ordered messages wait for it.
    Copying,
    /// This member is at the coordinator's state.
    Synchronised,
}

/// An ordered message that waits for the coordinator's copy.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Its place in the view's order.
    pub position: u64,
    /// Its sender.
    pub from: MemberId,
    /// What it says.
    pub message: Message,
}

/// What a member knows of its view.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The current view.
    pub view: Option<View>,
    /// How far it is.
    pub phase: Phase,
    /// The greetings so far.
    pub hellos: BTreeMap<MemberId, Hello>,
    /// Members that the others go on without, because they did not greet in time or cannot be understood.
    pub silent: BTreeSet<HostId>,
    /// Members that speak another version of the messages, and which.
    pub foreign: BTreeMap<HostId, u32>,
    /// Members that are at the coordinator's state.
    pub synchronised: BTreeSet<HostId>,
    /// Who coordinates, once elected; nobody where no member's disk takes writes.
    pub coordinator: Option<MemberId>,
    /// How often another member took over coordination within the view.
    pub successions: u32,
    /// Whether this member coordinated the last view in which there was a coordinator.
    pub coordinated: bool,
    /// Messages of this view delivered so far.
    pub position: u64,
    /// Messages that wait for the copy.
    pub waiting: Vec<Waiting>,
    /// A copy that came before the last greeting.
    pub early_copy: Option<(MemberId, StateCopy)>,
    /// The term that the coordinator proposed in this view, and the position of its proposal.
    pub term: Option<(u64, u64)>,
    /// Whether the term's first change was delivered: from then on the configuration can be changed.
    pub term_open: bool,
    /// Up to which position each host has everything on its disk.
    pub persisted: BTreeMap<HostId, u64>,
    /// Hosts whose disks do not take writes.
    pub failed_disks: BTreeMap<HostId, String>,
}

impl Default for Membership {
    fn default() -> Self {
        Membership {
            view: None,
            phase: Phase::Detached,
            hellos: BTreeMap::new(),
            silent: BTreeSet::new(),
            foreign: BTreeMap::new(),
            synchronised: BTreeSet::new(),
            coordinator: None,
            successions: 0,
            coordinated: false,
            position: 0,
            waiting: Vec::new(),
            early_copy: None,
            term: None,
            term_open: false,
            persisted: BTreeMap::new(),
            failed_disks: BTreeMap::new(),
        }
    }
}

impl Membership {
    /// A new view begins.
    pub fn enter(&mut self, view: View) {
        *self = Membership {
            view: Some(view),
            phase: Phase::Greeting,
            coordinated: self.coordinated,
            ..Membership::default()
        };
    }

    /// The bus is gone.
    pub fn detach(&mut self) {
        *self = Membership { coordinated: self.coordinated, ..Membership::default() };
    }

    /// Whether all members of the view have greeted.
    pub fn all_greeted(&self) -> bool {
        self.view.is_some() && self.missing().is_empty()
    }

    /// The members of the view that have not greeted, but for those that the others go on without.
    pub fn missing(&self) -> BTreeSet<MemberId> {
        let members = self.view.iter().flat_map(View::member_ids);
        members
            .filter(|member| !self.hellos.contains_key(member) && !self.silent.contains(&member.host))
            .collect()
    }

    /// The hosts whose members speak for themselves.
    pub fn present(&self) -> BTreeSet<HostId> {
        let members = self.view.iter().flat_map(|view| view.members.keys());
        members.copied().filter(|host| !self.silent.contains(host)).collect()
    }

    /// Whose state the view begins with: a complete one before others; then the order of merges; then the member that
    /// saw a quorate ring last (it knows best about absent hosts); then a healthy disk; then the last coordinator (so
    /// that a joining host changes nothing); then the lowest number. The version comes before the disk: what was
    /// acknowledged may be in the memory of a member whose disk has filled since.
    pub fn elect(&self) -> Option<MemberId> {
        let rank = |(member, hello): &(&MemberId, &Hello)| {
            let lowest_first = std::cmp::Reverse(member.host);
            let knowledge = (hello.complete, hello.version, hello.quorate_ring, hello.seasoned);
            (knowledge, hello.disk_healthy, hello.coordinated, lowest_first)
        };
        self.hellos.iter().max_by_key(rank).map(|(&member, _)| member)
    }

    /// The next coordinator when the elected one's disk fails: the lowest of the synchronised members with a healthy
    /// one. All of them are at the same state.
    pub fn successor(&self) -> Option<MemberId> {
        let view = self.view.as_ref()?;
        view.member_ids().find(|member| {
            self.synchronised.contains(&member.host) && !self.failed_disks.contains_key(&member.host)
        })
    }

    /// The members whose state equals that of `base`.
    pub fn equal_to(&self, base: MemberId) -> BTreeSet<HostId> {
        let Some(best) = self.hellos.get(&base) else { return BTreeSet::new() };
        if !self.silent.is_empty() {
            // What each of them knew of the silent members was in no greeting.
            return BTreeSet::from([base.host]);
        }
        let equal = |hello: &Hello| {
            hello.complete
                && hello.version == best.version
                && hello.digest == best.digest
                && hello.shared_digest == best.shared_digest
        };
        let same = self.hellos.iter().filter(|(member, hello)| **member == base || equal(hello));
        same.map(|(member, _)| member.host).collect()
    }

    /// The hosts that have everything up to a position on their disks.
    pub fn persisted_at(&self, position: u64) -> BTreeSet<HostId> {
        let there = |&(host, &through): &(&HostId, &u64)| {
            through >= position && !self.failed_disks.contains_key(host)
        };
        self.persisted.iter().filter(there).map(|(&host, _)| host).collect()
    }
}
