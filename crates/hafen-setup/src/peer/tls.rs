//! Certificates to TLS configurations.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};

use crate::{SetupError, disk, pki};

/// Requests between hosts of the cluster.
pub const PEER_ALPN: &[u8] = b"hafen-peer/1";
/// The bus's streams.
pub const STREAM_ALPN: &[u8] = b"hafen-stream/1";
/// A host that has a token and no certificate.
pub const JOIN_ALPN: &[u8] = b"hafen-join/1";

/// This host's certificate and key, and the authority that it trusts.
#[derive(Debug)]
pub struct Credentials {
    authority: CertificateDer<'static>,
    host: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    id: u32,
}

impl Credentials {
    /// Those in a folder.
    ///
    /// # Errors
    /// When a file is missing or holds something else.
    pub fn load(folder: &Path) -> Result<Self, SetupError> {
        let read = |name: &str| {
            disk::read_optional(&folder.join(name))?.ok_or_else(|| {
                SetupError::state(
                    format!("{} is not there", folder.join(name).display()),
                    "This host is in no cluster that 'hafen init' made, or its files are lost: restore them, or join again",
                )
            })
        };
        let host = pki::certificate(&read(pki::HOST_FILE)?, pki::HOST_FILE)?;
        let id = pki::host_of(&host).ok_or_else(|| {
            SetupError::state(
                format!("{} is no host's certificate", folder.join(pki::HOST_FILE).display()),
                "Join this host again",
            )
        })?;
        Ok(Self {
            authority: pki::certificate(&read(pki::CA_FILE)?, pki::CA_FILE)?,
            key: pki::private_key(&read(pki::HOST_KEY_FILE)?, pki::HOST_KEY_FILE)?,
            host,
            id,
        })
    }

    /// This host's number.
    pub fn id(&self) -> u32 {
        self.id
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, SetupError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone()).map_err(unusable)?;
        Ok(Arc::new(roots))
    }

    /// For connections that this host makes to members.
    pub(crate) fn client(&self, alpn: &[u8]) -> Result<Arc<ClientConfig>, SetupError> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_root_certificates(self.roots()?)
            .with_client_auth_cert(vec![self.host.clone()], self.key.clone_key())
            .map_err(unusable)?;
        config.alpn_protocols = vec![alpn.to_vec()];
        Ok(Arc::new(config))
    }

    /// For connections that this host accepts. A client may come without a certificate (to join); what it wants decides
    /// whether that will do.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, SetupError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots()?, provider())
            .allow_unauthenticated()
            .build()
            .map_err(unusable)?;
        let chain = vec![self.host.clone(), self.authority.clone()];
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, self.key.clone_key())
            .map_err(unusable)?;
        config.alpn_protocols = [PEER_ALPN, STREAM_ALPN, JOIN_ALPN].map(<[u8]>::to_vec).to_vec();
        Ok(Arc::new(config))
    }
}

/// For a host that knows only the fingerprint of the cluster's authority: nothing but the hello of TLS is sent before the
/// server has shown an authority of that fingerprint, and a certificate signed by it.
pub(crate) fn pinned_client(fingerprint: [u8; 32]) -> Result<Arc<ClientConfig>, SetupError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned { fingerprint }))
        .with_no_client_auth();
    config.alpn_protocols = vec![JOIN_ALPN.to_vec()];
    Ok(Arc::new(config))
}

fn unusable(error: impl std::fmt::Display) -> SetupError {
    SetupError::state(
        format!("the certificates of this host cannot be used: {error}"),
        "Restore the files of /etc/hafen/pki, or join this host again",
    )
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Trusts the authority of one fingerprint, for this one connection.
#[derive(Debug)]
struct Pinned {
    fingerprint: [u8; 32],
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let pinned = intermediates.iter().find(|one| pki::fingerprint(one) == self.fingerprint);
        let mut roots = RootCertStore::empty();
        roots.add(pinned.ok_or_else(unknown)?.clone().into_owned()).map_err(|_| unknown())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|_| unknown())?;
        verifier.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let provider = provider();
        verify_tls13_signature(message, certificate, signature, &provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
