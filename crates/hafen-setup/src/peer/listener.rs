//! The port: accepts, shakes hands, and hands on.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::tls::{Credentials, JOIN_ALPN, PEER_ALPN, STREAM_ALPN};
use super::wire::{self, FRAME_BYTES_MAXIMUM, STRANGER_BYTES_MAXIMUM};
use crate::request::{JoinReply, JoinRequest, PeerReply, PeerRequest};
use crate::{Kind, SetupError, pki};

/// Connections of hosts at a time; more wait.
const CONNECTIONS_MAXIMUM: usize = 256;
/// Connections of hosts that want to join, or have not said yet who they are, at a time; more are closed.
const STRANGERS_MAXIMUM: usize = 32;
/// Streams that wait for the bus.
const STREAMS_MAXIMUM: usize = 64;
/// How long the handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be silent between requests.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(120);
/// How long one frame may take on its way.
const FRAME_TIMEOUT: Duration = Duration::from_secs(30);
/// The wait when the system has no room for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A stream that another host's bus has opened.
pub type AcceptedStream = (u32, TlsStream<TcpStream>);

/// Who answers requests. Its functions may block; each runs in a thread of its own.
pub trait Handler: Send + Sync + 'static {
    /// Whether this host is of the cluster now.
    fn is_member(&self, id: u32) -> bool;
    /// A request of a host of the cluster.
    fn peer(&self, from: u32, request: PeerRequest) -> PeerReply;
    /// A request of somebody who has a token.
    fn join(&self, request: JoinRequest) -> JoinReply;
}

/// The open port.
#[derive(Debug)]
pub struct PeerPort {
    /// Streams for the bus, each with the number of the host that opened it.
    pub streams: mpsc::Receiver<AcceptedStream>,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for PeerPort {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl PeerPort {
    /// Opens the port at these addresses, as tasks of the current runtime; it is closed when this is dropped.
    ///
    /// # Errors
    /// When the certificates cannot be used, or an address is taken.
    pub async fn open(
        credentials: &Credentials,
        addresses: &[SocketAddr],
        handler: Arc<dyn Handler>,
    ) -> Result<Self, SetupError> {
        let acceptor = TlsAcceptor::from(credentials.server()?);
        let (sender, streams) = mpsc::channel(STREAMS_MAXIMUM);
        let shared = Arc::new(Shared {
            acceptor,
            handler,
            streams: sender,
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAXIMUM)),
            strangers: Arc::new(Semaphore::new(STRANGERS_MAXIMUM)),
        });
        let mut port = Self { streams, addresses: Vec::new(), tasks: Vec::new() };
        for address in addresses {
            let refused = SetupError::system("listen at", PathBuf::from(address.to_string()));
            let listener = TcpListener::bind(address).await.map_err(refused)?;
            port.addresses.push(listener.local_addr().unwrap_or(*address));
            port.tasks.push(tokio::spawn(accept(listener, Arc::clone(&shared))));
        }
        Ok(port)
    }
}

struct Shared {
    acceptor: TlsAcceptor,
    handler: Arc<dyn Handler>,
    streams: mpsc::Sender<AcceptedStream>,
    connections: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Without a permit the socket is closed at once: who is known will try again.
        let Ok(permit) = Arc::clone(&shared.strangers).try_acquire_owned() else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // How a connection ends is the affair of who opened it.
            let _ = serve(socket, permit, shared).await;
        });
    }
}

async fn serve(
    socket: TcpStream,
    stranger: tokio::sync::OwnedSemaphorePermit,
    shared: Arc<Shared>,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut stream = timeout(HANDSHAKE_TIMEOUT, shared.acceptor.accept(socket)).await??;
    let connection = stream.get_ref().1;
    let alpn = connection.alpn_protocol().unwrap_or_default().to_vec();
    let from = connection.peer_certificates().and_then(|chain| pki::host_of(chain.first()?));
    if alpn == JOIN_ALPN {
        let handler = Arc::clone(&shared.handler);
        return converse(&mut stream, STRANGER_BYTES_MAXIMUM, join_refusal, move |request| {
            handler.join(request)
        })
        .await;
    }
    let Some(from) = from else { return Ok(()) };
    let handler = Arc::clone(&shared.handler);
    let asked = Arc::clone(&handler);
    let member = tokio::task::spawn_blocking(move || asked.is_member(from)).await.unwrap_or(false);
    if !member {
        let what = format!("host {from} is not in this cluster's nodelist");
        let mend = "It was removed, or corosync.conf differs between the hosts: look with 'hafen files'";
        let refusal = PeerReply::Refused { kind: Kind::State, what, mend: mend.to_owned() };
        return wire::send(&mut stream, &wire::encode(&refusal)?).await;
    }
    let Ok(_permit) = Arc::clone(&shared.connections).acquire_owned().await else { return Ok(()) };
    drop(stranger);
    if alpn == STREAM_ALPN {
        let _ = shared.streams.send((from, TlsStream::Server(stream))).await;
        return Ok(());
    }
    if alpn == PEER_ALPN {
        return converse(&mut stream, FRAME_BYTES_MAXIMUM, peer_refusal, move |request| {
            handler.peer(from, request)
        })
        .await;
    }
    Ok(())
}

fn join_refusal(what: String) -> JoinReply {
    JoinReply::Refused { kind: Kind::State, what, mend: "Use the same version of hafen".to_owned() }
}

fn peer_refusal(what: String) -> PeerReply {
    PeerReply::Refused {
        kind: Kind::State,
        what,
        mend: "Use the same version of hafen on all hosts".to_owned(),
    }
}

/// Answers requests until the other side has no more.
async fn converse<Q, A, H>(
    stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin),
    bytes_maximum: usize,
    refusal: fn(String) -> A,
    handle: H,
) -> io::Result<()>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    H: Fn(Q) -> A + Send + Sync + 'static,
{
    let handle = Arc::new(handle);
    loop {
        let Some(bytes) = timeout(SILENCE_TIMEOUT, wire::receive(stream, bytes_maximum)).await?? else {
            return Ok(());
        };
        let answer = match serde_json::from_slice::<Q>(&bytes) {
            Ok(request) => {
                let handle = Arc::clone(&handle);
                let answered = tokio::task::spawn_blocking(move || handle(request)).await;
                answered.unwrap_or_else(|error| {
                    refusal(format!("the request could not be carried out ({error})"))
                })
            }
            Err(error) => refusal(format!("the request is not understood ({error})")),
        };
        timeout(FRAME_TIMEOUT, wire::send(stream, &wire::encode(&answer)?)).await??;
    }
}

/// Opens streams to other hosts, for the bus.
#[derive(Clone)]
pub struct StreamConnector {
    connector: TlsConnector,
}

impl std::fmt::Debug for StreamConnector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("StreamConnector")
    }
}

impl StreamConnector {
    /// With this host's certificate.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn new(credentials: &Credentials) -> Result<Self, SetupError> {
        Ok(Self { connector: TlsConnector::from(credentials.client(STREAM_ALPN)?) })
    }

    /// A stream to the host of that number, and to no other.
    ///
    /// # Errors
    /// When nobody answers there, or it is not that host.
    pub fn connect(
        &self,
        id: u32,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<TlsStream<TcpStream>>> + Send + 'static {
        let connector = self.connector.clone();
        async move {
            let name = ServerName::try_from(pki::host_dns_name(id)).map_err(io::Error::other)?;
            let socket = timeout(HANDSHAKE_TIMEOUT, TcpStream::connect(address)).await??;
            socket.set_nodelay(true)?;
            let stream = timeout(HANDSHAKE_TIMEOUT, connector.connect(name, socket)).await??;
            Ok(TlsStream::Client(stream))
        }
    }
}
