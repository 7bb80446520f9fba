//! Whom an aimed fault finds.

use hafen_node::membership::Phase;
use hafen_protocol::HostId;

use super::World;
use crate::fault::Aim;
use crate::host::Host;

impl World {
    /// The hosts that fit an aim at this moment.
    pub(super) fn targets(&self, aim: Aim) -> Vec<HostId> {
        let fits = |host: &&Host| host.powered && self.fits(host, aim);
        self.hosts.values().filter(fits).map(|host| host.id).collect()
    }

    fn fits(&self, host: &Host, aim: Aim) -> bool {
        let membership = host.node().map(|node| node.membership());
        let phase = membership.map(|membership| membership.phase);
        let coordinates = host.node().is_some_and(|node| node.is_coordinator());
        match aim {
            Aim::Anyone => true,
            Aim::Coordinator => coordinates,
            Aim::JoiningHost => phase == Some(Phase::Greeting),
            Aim::ReceiverOfCopy => phase == Some(Phase::Copying),
            Aim::FencingCoordinator => coordinates && self.fencings_in_flight().next().is_some(),
            Aim::Fencer => self.fencings_in_flight().any(|request| Some(request.by) == host.member()),
            Aim::MigrationSource => self.migrates(host.id) && host.daemon.is_some(),
            Aim::ElectedOfNewTerm => {
                let opening = membership.is_some_and(|one| one.term.is_some() && !one.term_open);
                coordinates && opening
            }
            Aim::BusyHost => host.executor.flights().any(|flight| flight.order.interval_ms == 0),
            Aim::ChangingHost => self.clients.pending().any(|(member, _)| Some(member) == host.member()),
            Aim::WritingHost => host.daemon.as_ref().is_some_and(|daemon| !daemon.effects.is_empty()),
        }
    }

    /// Whether a migration is under way on a host.
    pub(super) fn migrates(&self, id: HostId) -> bool {
        let migration = |task: &str| task.starts_with("migrate");
        self.hosts
            .get(&id)
            .is_some_and(|host| host.executor.flights().any(|flight| migration(&flight.order.task)))
    }
}
