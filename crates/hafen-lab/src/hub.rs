//! The hub's process, and what is asked of it.

use std::collections::BTreeSet;

use hafen_bus::control::{Control, ControlReply, HubStatus, request};
use hafen_bus::hub::{Hub, HubSettings, WRITER_BYTES_MAXIMUM};
use hafen_protocol::HostId;
use hafen_protocol::sequencer::Settings;

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
    /// Cuts a host off from one other, or from all.
    pub fn cut(&self, host: &str, other: Option<&str>) -> Result<(), LabError> {
        let other = other.map(|name| self.host_id(name)).transpose()?;
        self.ask_hub(&Control::Cut { host: self.host_id(host)?, other })
    }

    /// Heals all links of a host, or of all hosts.
    pub fn heal(&self, host: Option<&str>) -> Result<(), LabError> {
        let host = host.map(|name| self.host_id(name)).transpose()?;
        self.ask_hub(&Control::Heal { host, other: None })
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
