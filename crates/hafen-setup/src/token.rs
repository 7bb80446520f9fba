//! Tokens that let one host join: short-lived, for one use, and with the fingerprint by which the joiner knows the cluster.
//!
//! The host that made a token keeps only the SHA-256 of its secret. A token belongs to the first host that uses it well: that
//! host may ask again (it was interrupted, say), and no other.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::{SetupError, disk};

/// How long a token is good for, unless something else is asked for (1 hour).
pub const LIFETIME_SECONDS_DEFAULT: u64 = 3600;
/// No token lives longer (a week).
pub const LIFETIME_SECONDS_MAXIMUM: u64 = 7 * 24 * 3600;
/// Tokens that a host keeps at a time.
pub const TOKENS_MAXIMUM: usize = 64;

const PREFIX: &str = "hafen1-";
const CHECK_BYTES: usize = 4;
const BYTES: usize = 4 + 8 + 16 + 32 + CHECK_BYTES;

/// A token, as it is printed and typed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The host that made it.
    pub issuer: u32,
    /// When it ends, in seconds since the Unix epoch, by the issuer's clock.
    pub expires: u64,
    /// What proves that one was given it.
    pub secret: [u8; 16],
    /// The SHA-256 of the certificate of the cluster's authority.
    pub fingerprint: [u8; 32],
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Token {{ issuer: {}, expires: {} }}", self.issuer, self.expires)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.body();
        let check = ring::digest::digest(&ring::digest::SHA256, &bytes);
        bytes.extend_from_slice(&check.as_ref()[..CHECK_BYTES]);
        write!(formatter, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Token {
    type Err = SetupError;

    fn from_str(text: &str) -> Result<Self, SetupError> {
        let wrong = |what: &str| {
            SetupError::input(
                format!("the token {what}"),
                "Copy the whole line that 'hafen init' or 'hafen token' printed",
            )
        };
        let text = text.trim();
        let coded = text.strip_prefix(PREFIX).ok_or_else(|| wrong("does not begin with 'hafen1-'"))?;
        let bytes = URL_SAFE_NO_PAD.decode(coded).map_err(|_| wrong("is not whole or was mistyped"))?;
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| wrong("is not whole"))?;
        let (body, check) = bytes.split_at(BYTES - CHECK_BYTES);
        if ring::digest::digest(&ring::digest::SHA256, body).as_ref()[..CHECK_BYTES] != *check {
            return Err(wrong("was mistyped"));
        }
        let mut token = Self { issuer: 0, expires: 0, secret: [0; 16], fingerprint: [0; 32] };
        let mut number = [0; 4];
        number.copy_from_slice(&body[..4]);
        token.issuer = u32::from_be_bytes(number);
        let mut expires = [0; 8];
        expires.copy_from_slice(&body[4..12]);
        token.expires = u64::from_be_bytes(expires);
        token.secret.copy_from_slice(&body[12..28]);
        token.fingerprint.copy_from_slice(&body[28..60]);
        Ok(token)
    }
}

impl Token {
    fn body(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&self.issuer.to_be_bytes());
        bytes.extend_from_slice(&self.expires.to_be_bytes());
        bytes.extend_from_slice(&self.secret);
        bytes.extend_from_slice(&self.fingerprint);
        bytes
    }

    /// What the joiner sends, and by which the issuer finds it.
    pub fn secret_hex(&self) -> String {
        self.secret.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What the issuer keeps of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    expires: u64,
    /// The SHA-256 of the key of the host that uses it.
    key_digest: Option<String>,
    /// That host's name.
    used_by: Option<String>,
    /// The number that was given to it.
    id: Option<u32>,
    /// It is in the cluster's configuration now.
    done: bool,
}

/// The tokens of this host, one file each.
#[derive(Debug, Clone)]
pub struct TokenStore {
    folder: PathBuf,
}

/// A token that was used well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The number that this host was given before, where it asks again.
    pub id: Option<u32>,
    digest: String,
}

impl TokenStore {
    /// The tokens in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Makes a token.
    ///
    /// # Errors
    /// When it cannot be kept, or too many are kept already.
    pub fn create(
        &self,
        issuer: u32,
        fingerprint: [u8; 32],
        now: u64,
        lifetime_seconds: u64,
    ) -> Result<Token, SetupError> {
        self.clean(now)?;
        if self.entries()?.len() >= TOKENS_MAXIMUM {
            return Err(SetupError::state(
                format!("{TOKENS_MAXIMUM} tokens of this host are still good"),
                format!("Wait until they end, or delete files of {}", self.folder.display()),
            ));
        }
        let lifetime = lifetime_seconds.clamp(1, LIFETIME_SECONDS_MAXIMUM);
        let token = Token { issuer, expires: now + lifetime, secret: disk::random()?, fingerprint };
        disk::create_folder(&self.folder, 0o700)?;
        let record =
            Record { expires: token.expires, key_digest: None, used_by: None, id: None, done: false };
        self.write(&disk::sha256_hex(token.secret_hex().as_bytes()), &record)?;
        Ok(token)
    }

    /// Looks whether a host may join with this secret.
    ///
    /// # Errors
    /// When the token is unknown, has ended, or belongs to another host.
    pub fn admit(
        &self,
        secret_hex: &str,
        key_digest: &str,
        name: &str,
        now: u64,
    ) -> Result<Admission, SetupError> {
        let digest = disk::sha256_hex(secret_hex.as_bytes());
        let again = "Make a new one with 'hafen token' on this host of the cluster";
        let Some(record) = self.read(&digest)? else {
            return Err(SetupError::input(
                "the token is not known to the host that was asked",
                "It is good only at the host that made it, and until that host boots again: ask that host, or make a \
                 new one with 'hafen token'",
            ));
        };
        if record.key_digest.as_deref().is_some_and(|owner| owner != key_digest) {
            let owner = record.used_by.unwrap_or_default();
            return Err(SetupError::input(format!("the token was used already, by {owner}"), again));
        }
        if record.expires <= now {
            let ago = now - record.expires;
            return Err(SetupError::input(format!("the token ended {ago} s ago"), again));
        }
        if record.used_by.as_deref().is_some_and(|owner| owner != name) {
            return Err(SetupError::input("the token was used already, under another name", again));
        }
        Ok(Admission { id: record.id, digest })
    }

    /// Gives a token to the host that uses it. From now on no other host can.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn bind(
        &self,
        admission: &Admission,
        key_digest: &str,
        name: &str,
        id: u32,
    ) -> Result<(), SetupError> {
        self.update(admission, |record| {
            record.key_digest = Some(key_digest.to_owned());
            record.used_by = Some(name.to_owned());
            record.id = Some(id);
        })
    }

    /// Notes that the host is in the cluster's configuration.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn finish(&self, admission: &Admission) -> Result<(), SetupError> {
        self.update(admission, |record| record.done = true)
    }

    fn update(&self, admission: &Admission, change: impl FnOnce(&mut Record)) -> Result<(), SetupError> {
        let record = self.read(&admission.digest)?;
        let mut record = record.ok_or_else(|| SetupError::state("the token is gone", "Make a new one"))?;
        change(&mut record);
        self.write(&admission.digest, &record)
    }

    /// Forgets tokens that ended a day ago; until then one is told so.
    fn clean(&self, now: u64) -> Result<(), SetupError> {
        for path in self.entries()? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let over = match self.read(&name) {
                Ok(record) => record.is_none_or(|record| record.expires + 24 * 3600 < now),
                Err(_) => true,
            };
            if over {
                disk::remove(&path)?;
            }
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<PathBuf>, SetupError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(SetupError::system("list", &self.folder)(error)),
        };
        Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(Path::new(digest).file_name().unwrap_or_default())
    }

    fn read(&self, digest: &str) -> Result<Option<Record>, SetupError> {
        let path = self.path(digest);
        let Some(bytes) = disk::read_optional(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            SetupError::state(
                format!("{} cannot be read: {error}", path.display()),
                "Delete it and make a new token",
            )
        })
    }

    fn write(&self, digest: &str, record: &Record) -> Result<(), SetupError> {
        let bytes = serde_json::to_vec(record).unwrap_or_default();
        disk::write_whole(&self.path(digest), &bytes, 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, TokenStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::new(folder.path().join("tokens"));
        (folder, store)
    }

    #[test]
    fn a_token_survives_printing_and_every_typing_error_is_noticed() {
        let (_folder, store) = store();
        let token = store.create(3, [7; 32], 1000, 60).unwrap();
        let text = token.to_string();
        assert_eq!(text.parse::<Token>().unwrap(), token);
        assert_eq!(format!(" {text}\n").parse::<Token>().unwrap(), token);
        for index in 0..text.len() {
            let mut typed = text.clone().into_bytes();
            typed[index] = if typed[index] == b'A' { b'B' } else { b'A' };
            let typed = String::from_utf8(typed).unwrap();
            assert!(typed.parse::<Token>().is_err(), "{typed}");
            assert!(text[..index].parse::<Token>().is_err());
        }
    }

    #[test]
    fn a_token_is_for_one_host_which_may_ask_again() {
        let (_folder, store) = store();
        let secret = store.create(1, [0; 32], 1000, 60).unwrap().secret_hex();
        let admission = store.admit(&secret, "key-a", "host2", 1010).unwrap();
        assert_eq!(admission.id, None);
        store.bind(&admission, "key-a", "host2", 2).unwrap();
        assert_eq!(store.admit(&secret, "key-a", "host2", 1020).unwrap().id, Some(2));
        let other = store.admit(&secret, "key-b", "host3", 1020).unwrap_err().to_string();
        assert!(other.contains("used already, by host2"), "{other}");
        store.finish(&admission).unwrap();
        assert!(store.admit(&secret, "key-b", "host2", 1020).is_err());
    }

    #[test]
    fn wrong_and_old_tokens_are_refused_with_the_reason() {
        let (_folder, store) = store();
        let secret = store.create(1, [0; 32], 1000, 60).unwrap().secret_hex();
        let ended = store.admit(&secret, "k", "h", 1065).unwrap_err().to_string();
        assert!(ended.contains("ended 5 s ago"), "{ended}");
        let unknown = store.admit("00", "k", "h", 1000).unwrap_err().to_string();
        assert!(unknown.contains("not known"), "{unknown}");
        assert!(store.admit("../../etc/passwd", "k", "h", 1000).is_err());
    }

    #[test]
    fn there_is_a_bound_and_old_ones_make_room() {
        let (_folder, store) = store();
        for _ in 0..TOKENS_MAXIMUM {
            store.create(1, [0; 32], 1000, 60).unwrap();
        }
        assert!(store.create(1, [0; 32], 1000, 60).is_err());
        store.create(1, [0; 32], 1000 + 2 * 24 * 3600, 60).unwrap();
    }
}
