//! Asking another host. Blocks: commands and threads that may wait use it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::tls::{Credentials, PEER_ALPN, pinned_client};
use super::wire;
use crate::request::{JoinReply, JoinRequest, PeerReply, PeerRequest};
use crate::token::Token;
use crate::{SetupError, pki};

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to one host.
pub struct PeerClient {
    stream: StreamOwned<ClientConnection, Bounded>,
    label: String,
}

/// Whom to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connecting {
    /// Its number.
    pub id: u32,
    /// What to call it in messages.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// A socket on which every single request ends by a deadline, however slowly its bytes drip.
struct Bounded {
    socket: TcpStream,
    deadline: Instant,
}

impl Bounded {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(buffer).map_err(timed_out)
    }
}

impl Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(buffer).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// A socket's time limit shows as `WouldBlock`, which TLS would take for a reason to try again.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}

impl PeerClient {
    /// Connects as a host of the cluster.
    ///
    /// # Errors
    /// When nobody answers there, or it is not that host.
    pub fn connect(credentials: &Credentials, to: &Connecting) -> Result<Self, SetupError> {
        let config = credentials.client(PEER_ALPN)?;
        Self::open(config, to.id, to.name.clone(), to.address)
    }

    /// Connects as a host that has nothing but a token. The host that answers must have a certificate of the authority
    /// whose fingerprint the token holds.
    ///
    /// # Errors
    /// When nobody answers there, or it is not the host that made the token.
    pub fn connect_to_join(token: &Token, host: &str, address: SocketAddr) -> Result<Self, SetupError> {
        Self::open(pinned_client(token.fingerprint)?, token.issuer, host.to_owned(), address)
    }

    fn open(
        config: Arc<ClientConfig>,
        id: u32,
        name: String,
        address: SocketAddr,
    ) -> Result<Self, SetupError> {
        let label = format!("{name} ({address})");
        let failed = |error: io::Error| failed(&label, &error);
        let socket = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        let mut bounded = Bounded { socket, deadline: Instant::now() + CONNECT_TIMEOUT };
        let server = ServerName::try_from(pki::host_dns_name(id))
            .map_err(|error| SetupError::input(error.to_string(), ""))?;
        let mut connection =
            ClientConnection::new(config, server).map_err(|error| failed(io::Error::other(error)))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut bounded).map_err(failed)?;
        }
        Ok(Self { stream: StreamOwned::new(connection, bounded), label })
    }

    /// Asks a host of the cluster.
    ///
    /// # Errors
    /// When it does not answer within `timeout`, or refuses.
    pub fn ask(&mut self, request: &PeerRequest, timeout: Duration) -> Result<PeerReply, SetupError> {
        match self.exchange(request, timeout)? {
            PeerReply::Refused { kind, what, mend } => Err(self.refused(kind, &what, mend)),
            reply => Ok(reply),
        }
    }

    /// Asks to join.
    ///
    /// # Errors
    /// When there is no answer within `timeout`, or a refusal.
    pub fn ask_to_join(&mut self, request: &JoinRequest, timeout: Duration) -> Result<JoinReply, SetupError> {
        match self.exchange(request, timeout)? {
            JoinReply::Refused { kind, what, mend } => Err(self.refused(kind, &what, mend)),
            reply => Ok(reply),
        }
    }

    fn refused(&self, kind: crate::Kind, what: &str, mend: String) -> SetupError {
        SetupError::Refused { kind, what: format!("{}: {what}", self.label), mend }
    }

    fn exchange<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        request: &Q,
        timeout: Duration,
    ) -> Result<A, SetupError> {
        self.stream.sock.deadline = Instant::now() + timeout;
        let sent = wire::write(&mut self.stream, request);
        // Whoever refuses a connection says why before it ends it.
        let answer = wire::read(&mut self.stream);
        match (sent, answer) {
            (_, Ok(answer)) => Ok(answer),
            (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(failed(&self.label, &error)),
        }
    }

    /// An answer that does not fit the question.
    pub(crate) fn unexpected(&self) -> SetupError {
        SetupError::state(
            format!("{} answered something else than was asked", self.label),
            "Use the same version of hafen on all hosts",
        )
    }
}

fn failed(label: &str, error: &io::Error) -> SetupError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some(tls) = tls {
        return untrusted(label, tls);
    }
    let mend = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "Nothing listens there: start the daemon on that host ('systemctl start hafen')"
        }
        io::ErrorKind::TimedOut => {
            "Look whether that host is on, and whether a firewall keeps its port closed"
        }
        io::ErrorKind::InvalidData => "Use the same version of hafen on all hosts",
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            "It ended the connection: look at the events and the log of the daemon there"
        }
        _ => "Look at the network between the hosts, and whether that host's daemon runs",
    };
    SetupError::unreachable(format!("{label} does not answer: {error}"), mend)
}

fn untrusted(label: &str, error: &rustls::Error) -> SetupError {
    match error {
        rustls::Error::InvalidCertificate(
            rustls::CertificateError::UnknownIssuer | rustls::CertificateError::BadSignature,
        ) => SetupError::input(
            format!("{label} is not of the cluster that is meant: its certificates are of another authority"),
            "Nothing was sent to it. Look whether the address is right and the token is of that cluster",
        ),
        rustls::Error::InvalidCertificate(_) => SetupError::input(
            format!("{label} is not the host that is meant ({error})"),
            "Look whether name and address are right; a token is good only at the host that made it",
        ),
        rustls::Error::AlertReceived(_) => SetupError::state(
            format!("{label} refused this host's certificate ({error})"),
            "Look whether this host is still in that cluster",
        ),
        _ => SetupError::unreachable(
            format!("{label} does not speak as a host of Hafen does ({error})"),
            "Look whether the port is that of Hafen's daemon, and the versions are the same",
        ),
    }
}

/// The addresses that a name or an address stands for, with a port.
///
/// # Errors
/// When the name does not resolve.
pub(crate) fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, SetupError> {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let found = (plain, port).to_socket_addrs();
    let addresses: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
    if addresses.is_empty() {
        return Err(SetupError::input(
            format!("the name '{host}' does not resolve"),
            "Put it into /etc/hosts or the DNS, or give the host's address instead",
        ));
    }
    Ok(addresses)
}
