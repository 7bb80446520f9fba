//! The hub's process, and what is asked of it.

use std::collections::BTreeSet;

use hafen_bus::control::{Control, ControlReply, HubStatus, request};
use hafen_bus::hub::{Hub, HubSettings, WRITER_BYTES_MAXIMUM};
use hafen_protocol::HostId;
use hafen_protocol::sequencer::Settings;

use crate::net::{Direction, Link};
use crate::{Lab, LabError, LabSpec, Layout, Network};

/// Serves until the process is killed.
pub fn run(layout: &Layout) -> Result<(), LabError> {
    let spec = LabSpec::load(layout)?;
    let configured: BTreeSet<HostId> = spec.hosts.iter().map(|host| HostId(host.id)).collect();
    let sequencer = match spec.network {
        Network::Calm => Settings::calm(configured),
        Network::Worst => Settings::worst(configured),
    };
    let settings = HubSettings {
        socket: layout.hub_socket(),
        control: layout.hub_control(),
        sequencer,
        seed: spec.seed,
        writer_bytes_maximum: WRITER_BYTES_MAXIMUM,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(LabError::system("start", "the hub"))?;
    runtime.block_on(async {
        let path = layout.hub_socket();
        let mut hub = Hub::start(settings).await.map_err(LabError::system("listen at", &path))?;
        hub.ended().await;
        Err(LabError::State("the hub ended by itself".to_owned()))
    })
}

impl Lab {
    /// Cuts a host off from one other, or from all, on all links.
    pub fn cut(&self, host: &str, other: Option<&str>) -> Result<(), LabError> {
        if self.spec().net.is_some() {
            return self.frame_switch()?.cut(host, other, None);
        }
        let other = other.map(|name| self.host_id(name)).transpose()?;
        self.ask_hub(&Control::Cut { host: self.host_id(host)?, other })
    }

    /// Heals all links of a host, or of all hosts.
    pub fn heal(&self, host: Option<&str>) -> Result<(), LabError> {
        if self.spec().net.is_some() {
            return self.frame_switch()?.heal(host);
        }
        let host = host.map(|name| self.host_id(name)).transpose()?;
        self.ask_hub(&Control::Heal { host, other: None })
    }

    /// Whether a host of the cluster is cut off from all others of it.
    pub fn is_cut_off(&self, host: &str) -> Result<bool, LabError> {
        let others = self.spec().hosts.iter().filter(|other| other.name != host);
        let mut others: Vec<&str> = others.map(|other| other.name.as_str()).collect();
        if others.is_empty() {
            return Ok(false);
        }
        if self.spec().net.is_some() {
            let shapes = self.frame_switch()?.status()?.shapes;
            let cut = |from: &str, to: &str, link: Link| {
                let matches = |one: &Direction| one.from == from && one.to == to && one.link == link;
                shapes.iter().any(|(direction, shape)| matches(direction) && shape.cut)
            };
            // Corosync needs both directions of one of its links.
            let is_cut = |other: &str, link: Link| cut(host, other, link) || cut(other, host, link);
            others.retain(|other| [Link::Eth0, Link::Eth1].into_iter().any(|link| !is_cut(other, link)));
        } else {
            let (own, cuts) = (self.host_id(host)?, self.hub_status()?.cuts);
            let ids = others.iter().map(|other| self.host_id(other)).collect::<Result<Vec<_>, _>>()?;
            let is_cut = |id: &HostId| cuts.iter().any(|(a, b)| [(own, *id), (*id, own)].contains(&(*a, *b)));
            let reached: Vec<bool> = ids.iter().map(|id| !is_cut(id)).collect();
            let mut reached = reached.into_iter();
            others.retain(|_| reached.next().unwrap_or(true));
        }
        Ok(others.is_empty())
    }

    /// Sets how long the loss of a host takes to be noticed, in milliseconds.
    pub fn set_detection(&self, milliseconds: u64) -> Result<(), LabError> {
        self.ask_hub(&Control::Detection { minimum_ms: milliseconds, maximum_ms: milliseconds })
    }

    /// How the hub sees the cluster.
    pub fn hub_status(&self) -> Result<HubStatus, LabError> {
        match self.request_hub(&Control::Status)? {
            ControlReply::Status(status) => Ok(status),
            other => Err(LabError::State(format!("the hub answered {other:?}"))),
        }
    }

    fn host_id(&self, name: &str) -> Result<HostId, LabError> {
        Ok(HostId(self.spec().host(name)?.id))
    }

    fn ask_hub(&self, control: &Control) -> Result<(), LabError> {
        match self.request_hub(control)? {
            ControlReply::Failed { message } => Err(LabError::State(format!("the hub refused: {message}"))),
            _ => Ok(()),
        }
    }

    fn request_hub(&self, control: &Control) -> Result<ControlReply, LabError> {
        let socket = self.layout().hub_control();
        request(&socket, control).map_err(LabError::system("ask the hub at", &socket))
    }
}
