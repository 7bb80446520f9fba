//! The client side of the switch.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::wire::{Answer, HostPower, LINE_BYTES_LIMIT, Request};
use crate::LabError;

/// How long `status` and `list` may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(20);

/// A power switch, reached by its socket.
#[derive(Debug, Clone)]
pub struct PowerSwitch {
    path: PathBuf,
}

impl PowerSwitch {
    /// The switch that listens at this socket.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks, and waits for the answer. `error` as an answer is an error.
    pub fn ask(&self, request: &Request, timeout: Duration) -> Result<Answer, LabError> {
        let wrong = |detail: String| LabError::Switch { path: self.path.clone(), detail };
        let exchange = || -> std::io::Result<Vec<u8>> {
            let mut stream = UnixStream::connect(&self.path)?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout))?;
            let mut line = serde_json::to_vec(request)?;
            line.push(b'\n');
            stream.write_all(&line)?;
            let mut answer = Vec::new();
            BufReader::new(stream.take(LINE_BYTES_LIMIT)).read_until(b'\n', &mut answer)?;
            Ok(answer)
        };
        let line = exchange().map_err(|error| wrong(format!("{} failed: {error}", request.request)))?;
        let answer: Answer = serde_json::from_slice(&line)
            .map_err(|error| wrong(format!("answered what is no answer: {error}")))?;
        if answer.result == "error" {
            return Err(wrong(answer.detail.unwrap_or_else(|| "refused without a reason".to_owned())));
        }
        Ok(answer)
    }

    /// Switches a host on. Returns when its init runs.
    pub fn on(&self, host: &str) -> Result<(), LabError> {
        self.ask(&Request::about("on", host), Duration::from_secs(60)).map(drop)
    }

    /// Switches a host off. Returns when it is proved off.
    pub fn off(&self, host: &str) -> Result<(), LabError> {
        self.ask(&Request::about("off", host), Duration::from_secs(60)).map(drop)
    }

    /// Whether a host is on.
    pub fn is_on(&self, host: &str) -> Result<bool, LabError> {
        Ok(self.ask(&Request::about("status", host), LOOK_TIMEOUT)?.result == "on")
    }

    /// All hosts.
    pub fn list(&self) -> Result<Vec<HostPower>, LabError> {
        let request = Request::new("list");
        Ok(self.ask(&request, LOOK_TIMEOUT)?.power)
    }

    /// The process id of a host's init; an error when the host is off.
    pub fn init_of(&self, host: &str) -> Result<u32, LabError> {
        let all = self.list()?;
        let power = all.iter().find(|power| power.host == host);
        let power = power.ok_or_else(|| LabError::State(format!("the lab has no host '{host}'")))?;
        power.init.ok_or_else(|| {
            LabError::State(format!("{host} is off: switch it on with `hafen lab boot {host}`"))
        })
    }

    /// Sets how long changes of the power take from now on, for one host or all.
    pub fn set(&self, host: Option<&str>, delay: Duration, fail: bool) -> Result<(), LabError> {
        let delay_ms = Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        let request =
            Request { host: host.map(str::to_owned), delay_ms, fail: Some(fail), ..Request::new("set") };
        self.ask(&request, LOOK_TIMEOUT).map(drop)
    }
}
