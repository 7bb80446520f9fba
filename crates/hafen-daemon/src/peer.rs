//! The port between hosts: requests of other hosts and of hosts that want to join, and the bus's streams, over TLS.
//!
//! A daemon whose certificates are missing, or whose port is taken, runs on without: its cluster is more important than its
//! administration. It says so once, and tries again.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hafen_bus::streams::{ACCEPTED_MAXIMUM, BoxStream, Connecting, StreamTransport, Streams};
use hafen_protocol::HostId;
use hafen_setup::peer::{Credentials, Handler, PeerPort, StreamConnector};
use hafen_setup::server::Service;
use hafen_setup::{Paths, SetupError};
use tokio::net::lookup_host;
use tokio::sync::mpsc;

/// Between two tries to open the port.
const RETRY: Duration = Duration::from_secs(2);

/// Where the certificates are and which port it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerSettings {
    /// Certificates and keys.
    pub(crate) pki_dir: PathBuf,
    /// The port of all hosts of the cluster.
    pub(crate) port: u16,
}

impl Default for PeerSettings {
    fn default() -> Self {
        Self { pki_dir: Paths::default().pki_dir(), port: hafen_setup::peer::PORT_DEFAULT }
    }
}

/// Opens the port, as a task of the current runtime, and gives the bus its streams. The port is closed when the streams are
/// dropped.
pub(crate) fn open(settings: &PeerSettings) -> Streams {
    let (sender, accepted) = mpsc::channel(ACCEPTED_MAXIMUM);
    let handler: Arc<dyn Handler> = Arc::new(Service::new(Paths::default()));
    tokio::spawn(host(settings.clone(), handler, sender));
    Streams { transport: Arc::new(TlsTransport { settings: settings.clone() }), accepted }
}

async fn host(
    settings: PeerSettings,
    handler: Arc<dyn Handler>,
    accepted: mpsc::Sender<(HostId, BoxStream)>,
) {
    let mut reported = String::new();
    let mut port = loop {
        match listen(&settings, &handler).await {
            Ok(port) => break port,
            Err(error) => {
                let text = error.to_string();
                if text != reported {
                    eprintln!("the port between hosts is not open: {text}");
                    reported = text;
                }
            }
        }
        tokio::select! {
            () = accepted.closed() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    };
    loop {
        let stream = tokio::select! {
            () = accepted.closed() => return,
            stream = port.streams.recv() => stream,
        };
        let Some((from, stream)) = stream else { return };
        if accepted.send((HostId(from), Box::new(stream))).await.is_err() {
            return;
        }
    }
}

async fn listen(settings: &PeerSettings, handler: &Arc<dyn Handler>) -> Result<PeerPort, SetupError> {
    let credentials = Credentials::load(&settings.pki_dir)?;
    let both: SocketAddr = (Ipv6Addr::UNSPECIFIED, settings.port).into();
    match PeerPort::open(&credentials, &[both], Arc::clone(handler)).await {
        Ok(port) => Ok(port),
        // A system without IPv6.
        Err(_) => {
            let v4: SocketAddr = (Ipv4Addr::UNSPECIFIED, settings.port).into();
            PeerPort::open(&credentials, &[v4], Arc::clone(handler)).await
        }
    }
}

/// Streams over TLS: both ends know by certificates who the other is.
#[derive(Debug)]
struct TlsTransport {
    settings: PeerSettings,
}

impl StreamTransport for TlsTransport {
    fn connect<'a>(&'a self, host: HostId, address: &'a str) -> Connecting<'a> {
        Box::pin(async move {
            let connector = connector(&self.settings.pki_dir).map_err(io::Error::other)?;
            let mut last = io::Error::from(io::ErrorKind::NotFound);
            for address in lookup_host((address, self.settings.port)).await? {
                match connector.connect(host.0, address).await {
                    Ok(stream) => return Ok(Box::new(stream) as BoxStream),
                    Err(error) => last = error,
                }
            }
            Err(last)
        })
    }
}

/// Read anew for each connection: certificates may have been restored meanwhile, and connections are few.
fn connector(pki_dir: &Path) -> Result<StreamConnector, SetupError> {
    StreamConnector::new(&Credentials::load(pki_dir)?)
}
