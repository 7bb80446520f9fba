//! Parameters that not everybody may see: which they are, how their values stay out of what is told and kept, and those that
//! lie in files of the host (`cibsecret`) instead of in the CIB.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use md5::{Digest, Md5};

use crate::outcome::{OcfExitCode, OpStatus, Outcome};
use crate::run::NotStarted;

/// What stands for a secret where it is told.
pub const MASK: &str = "******";
/// The value of a parameter whose own value is in a file of the host.
const ELSEWHERE: &str = "lrm://";
/// Where those files are: a folder for each resource, a file for each parameter, and its MD5 beside it (`.sign`).
pub const SECRETS_FOLDER: &str = "/var/lib/pacemaker/lrm/secrets";
/// Shorter values are not looked for in texts: they would be found everywhere.
const LENGTH_MINIMUM: usize = 3;

/// Whether a parameter of that name holds a secret: Pacemaker's `passw.*`, and what agents call theirs else.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parts = ["passw", "passphrase", "secret", "private_key", "privatekey"];
    let wholes = ["pass", "pwd", "community", "token", "auth_token", "api_key", "apikey", "userpass", "pin"];
    parts.iter().any(|part| name.contains(part))
        || wholes.contains(&name.as_str())
        || ["_pass", "_pwd", "_token"].iter().any(|end| name.ends_with(end))
}

/// The values that are to stay out of what is told.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// The longest first: one may be a part of another.
    values: Vec<String>,
}

impl Secrets {
    /// The secrets among the parameters of one call, as the agent gets them; of what was in files all.
    #[must_use]
    pub fn of(parameters: &BTreeMap<String, String>, hidden: &BTreeMap<String, String>) -> Self {
        let named = parameters.iter().filter(|(name, _)| is_secret(name) || hidden.contains_key(*name));
        let mut values: Vec<String> = named
            .flat_map(|(_, value)| std::iter::once(value.as_str()).chain(value.lines()))
            .map(str::trim)
            .filter(|value| value.len() >= LENGTH_MINIMUM && !value.starts_with(ELSEWHERE))
            .map(str::to_owned)
            .collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self { values }
    }

    /// These values, however their parameters are called.
    #[must_use]
    pub fn from_values(values: impl IntoIterator<Item = String>) -> Self {
        let all = (0..).zip(values).map(|(at, value): (usize, String)| (at.to_string(), value)).collect();
        Self::of(&all, &all)
    }

    /// A text without them.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, value| text.replace(value.as_str(), MASK))
    }
}

/// Puts the values of files of the host in the place of the words that point there. Gives those parameters as they were.
///
/// # Errors
///
/// The first parameter whose file is missing or is not what its MD5 says. The others are there nevertheless.
pub fn reveal(
    folder: &Path,
    resource: &str,
    parameters: &mut BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let mut hidden = BTreeMap::new();
    let mut failed = None;
    for (name, value) in parameters.iter_mut().filter(|(_, value)| value.as_str() == ELSEWHERE) {
        match secret(folder, resource, name) {
            Ok(found) => drop(hidden.insert(name.clone(), std::mem::replace(value, found))),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(hidden), Err)
}

/// Gives an agent the secrets that lie in files of this host, and says what is to stay out of what it tells. What is to be
/// stopped is stopped without them, too.
pub(crate) fn prepare(
    folder: &Path,
    resource: &str,
    parameters: &mut BTreeMap<String, String>,
    stops: bool,
) -> Result<Secrets, Box<NotStarted>> {
    let hidden = match reveal(folder, resource, parameters) {
        Ok(hidden) => hidden,
        Err(_) if stops => BTreeMap::new(),
        Err(reason) => {
            return Err(Outcome::not_run(OcfExitCode::NOT_CONFIGURED, OpStatus::Error, reason).into());
        }
    };
    Ok(Secrets::of(parameters, &hidden))
}

fn secret(folder: &Path, resource: &str, name: &str) -> Result<String, String> {
    let plain = |word: &str| !word.is_empty() && !word.contains('/') && !word.starts_with('.');
    if !plain(resource) || !plain(name) {
        return Err(format!("the secret {name} of {resource} is in no file that could be"));
    }
    let path = folder.join(resource).join(name);
    let sign = folder.join(resource).join(format!("{name}.sign"));
    let missing =
        |error: std::io::Error| format!("the secret {name} of {resource} is not on this host: {error}");
    let value = fs::read_to_string(&path).map_err(missing)?;
    let value = value.strip_suffix('\n').unwrap_or(&value).to_owned();
    let wanted = fs::read_to_string(&sign).map_err(missing)?;
    let found: String = Md5::digest(value.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    if wanted.split_ascii_whitespace().next() != Some(found.as_str()) {
        return Err(format!(
            "the secret {name} of {resource} is not the one that its MD5 is of: run cibsecret sync"
        ));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            "passwd",
            "password",
            "Passwd_script",
            "login_passwd",
            "community",
            "replication_pass",
            "secretkey",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["ip", "passive", "bypass", "pinger", "compass_points", "user"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn their_values_are_masked_wherever_they_stand() {
        let all =
            parameters(&[("passwd", "geheim"), ("password", "geheimer"), ("ip", "10.0.0.1"), ("pin", "1")]);
        let secrets = Secrets::of(&all, &BTreeMap::new());
        assert_eq!(
            secrets.mask("login root/geheim at 10.0.0.1: geheimer 1"),
            "login root/****** at 10.0.0.1: ****** 1"
        );
    }

    #[test]
    fn values_come_from_files_of_the_host() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("a");
        fs::create_dir(&own).expect("made");
        fs::write(own.join("user"), "geheim\n").expect("written");
        fs::write(own.join("user.sign"), "e8636ea013e682faf61f56ce1cb1ab5c\n").expect("written");
        let mut all = parameters(&[("user", "lrm://"), ("ip", "x")]);
        let hidden = reveal(folder.path(), "a", &mut all).expect("it is there");
        assert_eq!(all, parameters(&[("user", "geheim"), ("ip", "x")]));
        assert_eq!(Secrets::of(&all, &hidden).mask("geheim x"), "****** x");
        fs::write(own.join("user.sign"), "e8636ea013e682faf61f56ce1cb1ab5d").expect("written");
        let mut all = parameters(&[("user", "lrm://")]);
        assert!(reveal(folder.path(), "a", &mut all).expect_err("another").contains("MD5"));
        assert!(reveal(folder.path(), "../a", &mut all).is_err());
    }
}
