//! The port between hosts, over loopback.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hafen_setup::peer::{Connecting, Credentials, Handler, PeerClient, PeerPort, StreamConnector};
use hafen_setup::pki::{self, Authority, HostKey};
use hafen_setup::request::{JoinReply, JoinRequest, Joiner, PeerReply, PeerRequest};
use hafen_setup::token::Token;
use hafen_setup::{Kind, disk};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(20);

fn host_files(folder: &Path, authority: &Authority, id: u32) -> Credentials {
    let key = HostKey::generate().unwrap();
    let name = format!("host{id}");
    let pem = authority.sign(&key.request(&name).unwrap(), &name, id).unwrap();
    disk::write_whole(&folder.join(pki::CA_FILE), authority.certificate_pem().as_bytes(), 0o644).unwrap();
    disk::write_whole(&folder.join(pki::HOST_FILE), pem.as_bytes(), 0o644).unwrap();
    disk::write_whole(&folder.join(pki::HOST_KEY_FILE), key.key_pem().as_bytes(), 0o600).unwrap();
    Credentials::load(folder).unwrap()
}

/// Knows hosts 1 and 2.
struct Echoing;

impl Handler for Echoing {
    fn is_member(&self, id: u32) -> bool {
        id <= 2
    }

    fn peer(&self, from: u32, request: PeerRequest) -> PeerReply {
        match request {
            PeerRequest::Echo { number } => PeerReply::Echo { number: number + u64::from(from) },
            _ => PeerReply::Done,
        }
    }

    fn join(&self, _request: JoinRequest) -> JoinReply {
        JoinReply::Refused { kind: Kind::Input, what: "heard".into(), mend: String::new() }
    }
}

struct Stage {
    runtime: Arc<tokio::runtime::Runtime>,
    end: Arc<tokio::sync::Notify>,
    port: Option<PeerPort>,
    address: SocketAddr,
    authority: Authority,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (runtime, end) = (Arc::new(runtime), Arc::new(tokio::sync::Notify::new()));
        let (driven, until) = (Arc::clone(&runtime), Arc::clone(&end));
        std::thread::spawn(move || driven.block_on(until.notified()));
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::generate("c1").unwrap();
        let credentials = host_files(&folder.path().join("1"), &authority, 1);
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let port = runtime.block_on(PeerPort::open(&credentials, &[any], Arc::new(Echoing))).unwrap();
        let address = port.addresses[0];
        Self { runtime, end, port: Some(port), address, authority, folder }
    }

    fn credentials(&self, id: u32) -> Credentials {
        host_files(&self.folder.path().join(id.to_string()), &self.authority, id)
    }

    fn to(&self, id: u32) -> Connecting {
        Connecting { id, name: format!("host{id}"), address: self.address }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.end.notify_one();
    }
}

fn joiner() -> JoinRequest {
    JoinRequest::Join(Box::new(Joiner {
        secret: "s".into(),
        name: "host3".into(),
        certificate_request: String::new(),
        addresses: Vec::new(),
        chosen: Default::default(),
        version: String::new(),
    }))
}

#[test]
fn hosts_know_each_other_by_their_certificates() {
    let stage = Stage::new();
    let mut client = PeerClient::connect(&stage.credentials(2), &stage.to(1)).unwrap();
    for number in 0..3 {
        let reply = client.ask(&PeerRequest::Echo { number }, PATIENCE).unwrap();
        assert_eq!(reply, PeerReply::Echo { number: number + 2 }, "the port knows who asks");
    }
}

#[test]
fn nobody_else_gets_in() {
    let stage = Stage::new();
    let mut removed = PeerClient::connect(&stage.credentials(3), &stage.to(1)).unwrap();
    let error = removed.ask(&PeerRequest::Hello, PATIENCE).unwrap_err().to_string();
    assert!(error.contains("host 3 is not in this cluster's nodelist"), "{error}");

    let other = Authority::generate("c1").unwrap();
    let foreign = host_files(&stage.folder.path().join("foreign"), &other, 2);
    let error =
        PeerClient::connect(&foreign, &stage.to(1)).err().expect("another cluster's host").to_string();
    assert!(error.contains("of another authority"), "{error}");

    let wrong =
        PeerClient::connect(&stage.credentials(2), &stage.to(7)).err().expect("not host 7").to_string();
    assert!(wrong.contains("not the host that is meant"), "{wrong}");
}

#[test]
fn a_token_pins_the_cluster_before_anything_is_said() {
    let stage = Stage::new();
    let fingerprint = stage.authority.fingerprint().unwrap();
    let token = Token { issuer: 1, expires: 0, secret: [1; 16], fingerprint };
    let mut client = PeerClient::connect_to_join(&token, "host1", stage.address).unwrap();
    let error = client.ask_to_join(&joiner(), PATIENCE).unwrap_err().to_string();
    assert!(error.contains("heard"), "{error}");

    let elsewhere = Token { fingerprint: [9; 32], ..token.clone() };
    let error =
        PeerClient::connect_to_join(&elsewhere, "host1", stage.address).err().expect("pinned").to_string();
    assert!(error.contains("another authority") && error.contains("Nothing was sent"), "{error}");

    let issuer = Token { issuer: 2, ..token };
    assert!(PeerClient::connect_to_join(&issuer, "host1", stage.address).is_err(), "another host's token");
}

#[test]
fn streams_are_handed_on() {
    let mut stage = Stage::new();
    let connector = StreamConnector::new(&stage.credentials(2)).unwrap();
    let mut port = stage.port.take().unwrap();
    let address = stage.address;
    stage.runtime.block_on(async {
        let mut near = connector.connect(1, address).await.unwrap();
        near.write_all(b"hello").await.unwrap();
        near.flush().await.unwrap();
        let (from, mut far) = port.streams.recv().await.unwrap();
        let mut bytes = [0; 5];
        far.read_exact(&mut bytes).await.unwrap();
        assert_eq!((from, &bytes), (2, b"hello"));
        assert!(connector.connect(9, address).await.is_err(), "not the host that was meant");
    });
}

#[test]
fn garbage_and_silence_harm_nobody() {
    use std::io::{Read, Write};
    let stage = Stage::new();
    let mut open = Vec::new();
    for _ in 0..200 {
        if let Ok(mut socket) = std::net::TcpStream::connect(stage.address) {
            let _ = socket.write_all(b"GET / HTTP/1.0\r\n\r\n");
            open.push(socket);
        }
    }
    for socket in &mut open {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest);
    }
    let mut client = PeerClient::connect(&stage.credentials(2), &stage.to(1)).unwrap();
    assert!(client.ask(&PeerRequest::Echo { number: 1 }, PATIENCE).is_ok());
}

#[test]
fn a_port_where_nobody_listens_is_told() {
    let stage = Stage::new();
    let mut to = stage.to(1);
    to.address = "127.0.0.1:1".parse().unwrap();
    let error = PeerClient::connect(&stage.credentials(2), &to).err().expect("nobody").to_string();
    assert!(error.contains("does not answer") && error.contains("start the daemon"), "{error}");
}
