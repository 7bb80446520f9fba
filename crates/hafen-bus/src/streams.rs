//! How streams to one member get from host to host: a trait, so that the engine need not know of certificates.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hafen_protocol::HostId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections that wait for the engine; further ones wait in the kernel.
pub const ACCEPTED_MAXIMUM: usize = 16;

/// How long a new connection may take to say who it is.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that have not said yet who they are.
const GREETINGS_MAXIMUM: usize = 64;

/// A connection in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A connection to another host's engine.
pub type BoxStream = Box<dyn ByteStream>;

/// What `connect` gives.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<BoxStream>> + Send + 'a>>;

/// Connects to the engines of other hosts.
pub trait StreamTransport: Send + Sync + 'static {
    /// Connects to the engine of a host at one of its addresses (a number or a name, without a port). When this
    /// succeeds both ends know who the other is.
    fn connect<'a>(&'a self, host: HostId, address: &'a str) -> Connecting<'a>;
}

/// Both directions of a transport.
pub struct Streams {
    /// Makes connections.
    pub transport: Arc<dyn StreamTransport>,
    /// Connections that other hosts made, with the host that each was proven to come from. Once its sender is gone
    /// nobody connects any more.
    pub accepted: mpsc::Receiver<(HostId, BoxStream)>,
}

impl fmt::Debug for Streams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Streams").finish_non_exhaustive()
    }
}

/// A transport that proves nothing: each side believes what the other says. For tests, and for networks that only the
/// cluster's hosts can reach.
#[derive(Debug, Clone)]
pub struct PlainTransport {
    own: HostId,
    port: u16,
}

impl PlainTransport {
    /// Listens at an address, and connects to the same port elsewhere. The task that listens ends with the streams.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub async fn listen(own: HostId, address: IpAddr, port: u16) -> io::Result<Streams> {
        let listener = TcpListener::bind(SocketAddr::new(address, port)).await?;
        let port = listener.local_addr()?.port();
        let (sender, accepted) = mpsc::channel(ACCEPTED_MAXIMUM);
        tokio::spawn(accept(listener, sender));
        Ok(Streams { transport: Arc::new(PlainTransport { own, port }), accepted })
    }
}

impl StreamTransport for PlainTransport {
    fn connect<'a>(&'a self, _host: HostId, address: &'a str) -> Connecting<'a> {
        Box::pin(async move {
            let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{address} has no address"));
            for address in lookup_host((address, self.port)).await? {
                match TcpStream::connect(address).await {
                    Ok(mut stream) => {
                        stream.set_nodelay(true)?;
                        stream.write_all(&self.own.0.to_be_bytes()).await?;
                        return Ok(Box::new(stream) as BoxStream);
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        })
    }
}

async fn accept(listener: TcpListener, accepted: mpsc::Sender<(HostId, BoxStream)>) {
    let mut greetings = JoinSet::new();
    loop {
        tokio::select! {
            connection = listener.accept(), if greetings.len() < GREETINGS_MAXIMUM => {
                if let Ok((stream, _)) = connection {
                    greetings.spawn(timeout(GREETING_TIMEOUT, greet(stream, accepted.clone())));
                }
            }
            Some(_) = greetings.join_next() => {}
            () = accepted.closed() => return,
        }
    }
}

async fn greet(mut stream: TcpStream, accepted: mpsc::Sender<(HostId, BoxStream)>) {
    let mut host = [0; 4];
    if stream.set_nodelay(true).is_ok() && stream.read_exact(&mut host).await.is_ok() {
        let _ = accepted.send((HostId(u32::from_be_bytes(host)), Box::new(stream))).await;
    }
}
