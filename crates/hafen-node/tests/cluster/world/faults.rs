//! Daemons that hang or speak another version, and buses that die.

use std::collections::{BTreeMap, VecDeque};

use hafen_node::api::Input;
use hafen_protocol::message::{Hello, HostStatus, Message, StateVersion};
use hafen_protocol::{Delivery, HostId, Incarnation, MemberId, Transmission, Transport, View};

use super::{World, sequencer};

impl World {
    /// Starts a daemon that only greets, in another version of the messages.
    pub(crate) fn start_foreign_daemon(&mut self, host: u32, protocol: u32) {
        self.counter += 1;
        let state = self.hosts.get_mut(&HostId(host)).expect("a host");
        state.member.incarnation = Incarnation(self.counter);
        let member = state.member;
        self.foreign = Some((member, protocol));
        self.sequencer(sequencer::Input::ProcessJoin(member));
    }

    /// The foreign daemon greets each view.
    pub(super) fn greet_as_foreigner(&mut self, member: MemberId, protocol: u32, view: &View) {
        let hello = Hello {
            protocol,
            uname: format!("host{}", member.host),
            version: StateVersion::default(),
            digest: String::new(),
            shared_digest: String::new(),
            promised_term: 0,
            disk_healthy: true,
            complete: true,
            seasoned: false,
            quorate_ring: 0,
            coordinated: false,
            status: HostStatus::default(),
            boot_id: String::new(),
            proven_off: BTreeMap::new(),
        };
        let mut transport = Transport::new(member);
        transport.send(&Message::Hello(Box::new(hello)), view.id()).expect("room");
        while let Some(frame) = transport.poll_frame() {
            let transmission = Transmission::Multicast(frame);
            self.sequencer(sequencer::Input::Transmit { from: member, transmission });
        }
    }

    /// Stops a host's daemon as SIGSTOP does.
    pub(crate) fn hang(&mut self, host: u32) {
        self.hosts.get_mut(&HostId(host)).expect("a host").hung = Some(VecDeque::new());
    }

    /// Lets it go on.
    pub(crate) fn resume(&mut self, host: u32) {
        let backlog = self.hosts.get_mut(&HostId(host)).expect("a host").hung.take().unwrap_or_default();
        for input in backlog {
            self.input(HostId(host), input);
        }
    }

    /// A host's bus dies; its host leaves the ring.
    pub(crate) fn lose_bus(&mut self, host: u32, reason: &str) {
        self.sequencer(sequencer::Input::HostDown(HostId(host)));
        self.input(HostId(host), Input::Bus(Delivery::Lost { reason: reason.to_string() }));
    }

    /// A host's bus is back.
    pub(crate) fn restore_bus(&mut self, host: u32) {
        let member = self.hosts[&HostId(host)].member;
        self.sequencer(sequencer::Input::HostUp(HostId(host)));
        self.sequencer(sequencer::Input::ProcessJoin(member));
    }
}
