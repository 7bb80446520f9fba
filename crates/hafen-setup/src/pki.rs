//! Certificates: an authority of the cluster's own, and one certificate for each host.
//!
//! The authority's key is on every host, readable by root alone: any host can admit another one, and the key survives the
//! loss of any host. Certificates have no end, so that a host whose clock is wrong can still be reached; who may speak is
//! decided by the list of hosts.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::{SetupError, disk};

/// The authority's certificate.
pub const CA_FILE: &str = "ca.pem";
/// The authority's key.
pub const CA_KEY_FILE: &str = "ca-key.pem";
/// This host's certificate.
pub const HOST_FILE: &str = "host.pem";
/// This host's key.
pub const HOST_KEY_FILE: &str = "host-key.pem";
/// What the name of a host in a certificate ends with.
const HOST_SUFFIX: &str = ".hafen.internal";

/// The name that a host's certificate proves: `node-ID.hafen.internal`.
pub fn host_dns_name(id: u32) -> String {
    format!("node-{id}{HOST_SUFFIX}")
}

/// The authority of a cluster.
#[derive(Debug)]
pub struct Authority {
    certificate_pem: String,
    key_pem: String,
}

/// A host's key and a request for a certificate that goes with it.
#[derive(Debug)]
pub struct HostKey {
    key_pem: String,
}

impl Authority {
    /// A new authority.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn generate(cluster: &str) -> Result<Self, SetupError> {
        let key = KeyPair::generate().map_err(broken("make a key for the authority"))?;
        let mut params = lasting(&format!("Hafen cluster {cluster}"))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(broken("sign the authority's certificate"))?;
        Ok(Self { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// The authority in a folder.
    ///
    /// # Errors
    /// When a file is not there, or they do not belong together.
    pub fn load(folder: &Path) -> Result<Self, SetupError> {
        let read = |name: &str| {
            disk::read_text_optional(&folder.join(name))?.ok_or_else(|| {
                SetupError::state(
                    format!("{} is not there", folder.join(name).display()),
                    "Every host of the cluster has it: copy it from another one ('hafen files push' there)",
                )
            })
        };
        let authority = Self { certificate_pem: read(CA_FILE)?, key_pem: read(CA_KEY_FILE)? };
        let wrong = |detail: &str| {
            SetupError::state(
                format!("{CA_FILE} and {CA_KEY_FILE} in {}: {detail}", folder.display()),
                "Copy both from another host of the cluster ('hafen files push' there)",
            )
        };
        let key = KeyPair::from_pem(&authority.key_pem).map_err(|error| wrong(&error.to_string()))?;
        let der = authority.der()?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&der).map_err(|error| wrong(&error.to_string()))?;
        let own_key = &*parsed.public_key().subject_public_key.data == key.public_key_raw();
        if !own_key {
            return Err(wrong("the key is not that of the certificate"));
        }
        Ok(authority)
    }

    /// Its certificate as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Its key as PEM.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    fn der(&self) -> Result<CertificateDer<'static>, SetupError> {
        certificate(self.certificate_pem.as_bytes(), CA_FILE)
    }

    /// The SHA-256 of its certificate.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn fingerprint(&self) -> Result<[u8; 32], SetupError> {
        Ok(fingerprint(&self.der()?))
    }

    /// Signs a host's request. What the certificate says is decided here; from the request comes only the key.
    ///
    /// # Errors
    /// When the request is none, or is not signed by its own key.
    pub fn sign(&self, request_pem: &str, name: &str, id: u32) -> Result<String, SetupError> {
        let key = KeyPair::from_pem(&self.key_pem).map_err(broken("read the authority's key"))?;
        let issuer = Issuer::from_ca_cert_pem(&self.certificate_pem, key)
            .map_err(broken("read the authority's certificate"))?;
        let mut request = CertificateSigningRequestParams::from_pem(request_pem).map_err(|error| {
            SetupError::input(format!("the request for a certificate is none ({error})"), "")
        })?;
        let mut params = lasting(name)?;
        params.subject_alt_names = sans(name, id)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from_slice(&serial()?));
        request.params = params;
        Ok(request.signed_by(&issuer).map_err(broken("sign a host's certificate"))?.pem())
    }
}

impl HostKey {
    /// A new key.
    ///
    /// # Errors
    /// When none can be made.
    pub fn generate() -> Result<Self, SetupError> {
        let key = KeyPair::generate().map_err(broken("make a key for this host"))?;
        Ok(Self { key_pem: key.serialize_pem() })
    }

    /// A key that was made before.
    pub fn from_pem(key_pem: String) -> Self {
        Self { key_pem }
    }

    /// The key as PEM.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// A request for a certificate.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn request(&self, name: &str) -> Result<String, SetupError> {
        let key = KeyPair::from_pem(&self.key_pem).map_err(broken("read this host's key"))?;
        let params = lasting(name)?;
        let request = params.serialize_request(&key).map_err(broken("ask for a certificate"))?;
        request.pem().map_err(broken("ask for a certificate"))
    }
}

/// Valid as long as there are clocks, right or wrong.
fn lasting(common_name: &str) -> Result<CertificateParams, SetupError> {
    let mut params = CertificateParams::new(Vec::new()).map_err(broken("describe a certificate"))?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    params.not_before = date_time_ymd(1970, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31);
    Ok(params)
}

fn sans(name: &str, id: u32) -> Result<Vec<rcgen::SanType>, SetupError> {
    let dns = |text: String| {
        text.clone().try_into().map(rcgen::SanType::DnsName).map_err(|_| {
            SetupError::input(
                format!("'{text}' is no name for a host"),
                "Letters, digits, '-' and '.' make a host name: set another one with hostnamectl",
            )
        })
    };
    Ok(vec![dns(host_dns_name(id))?, dns(name.to_owned())?])
}

/// A serial number of 127 random bits.
fn serial() -> Result<[u8; 16], SetupError> {
    let mut serial = disk::random::<16>()?;
    serial[0] &= 0x7f;
    Ok(serial)
}

fn broken(what: &'static str) -> impl Fn(rcgen::Error) -> SetupError {
    move |error| SetupError::state(format!("cannot {what}: {error}"), "")
}

/// The first certificate of a PEM file.
///
/// # Errors
/// When there is none.
pub fn certificate(pem: &[u8], file: &str) -> Result<CertificateDer<'static>, SetupError> {
    CertificateDer::from_pem_slice(pem).map_err(|error| {
        SetupError::state(format!("{file} holds no certificate ({error})"), "Restore it from another host")
    })
}

/// The first private key of a PEM file.
///
/// # Errors
/// When there is none.
pub fn private_key(pem: &[u8], file: &str) -> Result<PrivateKeyDer<'static>, SetupError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        SetupError::state(format!("{file} holds no private key ({error})"), "Join this host again")
    })
}

/// The SHA-256 of a certificate.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, certificate).as_ref());
    bytes
}

/// The number of the host that a certificate was made for.
pub fn host_of(certificate: &CertificateDer<'_>) -> Option<u32> {
    let end = webpki::EndEntityCert::try_from(certificate).ok()?;
    end.valid_dns_names().find_map(|name| {
        name.strip_prefix("node-")?.strip_suffix(HOST_SUFFIX)?.parse().ok().filter(|id| *id != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_by_its_certificate() {
        let authority = Authority::generate("c1").unwrap();
        let key = HostKey::generate().unwrap();
        let pem = authority.sign(&key.request("host7").unwrap(), "host7", 7).unwrap();
        assert_eq!(host_of(&certificate(pem.as_bytes(), "x").unwrap()), Some(7));
        assert_eq!(host_of(&authority.der().unwrap()), None);
    }

    #[test]
    fn files_that_do_not_belong_together_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Authority::load(folder.path()).unwrap_err().to_string();
        assert!(missing.contains("ca.pem is not there"), "{missing}");
        let (one, other) = (Authority::generate("a").unwrap(), Authority::generate("a").unwrap());
        disk::write_whole(&folder.path().join(CA_FILE), one.certificate_pem().as_bytes(), 0o644).unwrap();
        disk::write_whole(&folder.path().join(CA_KEY_FILE), one.key_pem().as_bytes(), 0o600).unwrap();
        let loaded = Authority::load(folder.path()).unwrap();
        assert_eq!(loaded.fingerprint().unwrap(), one.fingerprint().unwrap());
        disk::write_whole(&folder.path().join(CA_KEY_FILE), other.key_pem().as_bytes(), 0o600).unwrap();
        let wrong = Authority::load(folder.path()).unwrap_err().to_string();
        assert!(wrong.contains("not that of the certificate"), "{wrong}");
    }

    #[test]
    fn garbage_is_no_request_and_bad_names_make_no_certificate() {
        let authority = Authority::generate("c1").unwrap();
        assert!(authority.sign("garbage", "host1", 1).is_err());
        let request = HostKey::generate().unwrap().request("host1").unwrap();
        assert!(authority.sign(&request, "höst", 1).is_err());
    }
}
