//! Fencings on record, and waiting for one to end.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use hafen_protocol::client::{FenceCheck, FenceOutcome, FenceRecord, Reply, Request};

use crate::{Client, ClientError};

/// The pause between two looks at the record.
const LOOK_INTERVAL: Duration = Duration::from_millis(300);

impl Client {
    /// The fencings on record, the oldest first: of one host, or of all.
    pub fn fence_history(&mut self, host: Option<&str>) -> Result<Vec<FenceRecord>, ClientError> {
        match self.request(Request::FenceHistory { host: host.map(str::to_owned) })? {
            Reply::FenceHistory { records } => Ok(records),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Looks whether the fence devices would do their work, without harm; for one target or for all.
    pub fn fence_drill(&mut self, host: Option<&str>) -> Result<Vec<FenceCheck>, ClientError> {
        match self.request(Request::FenceDrill { host: host.map(str::to_owned), real: false })? {
            Reply::FenceDrill { checks } => Ok(checks),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Waits until a fencing of a host that is not among the `known` ids is on record with its end. Nothing if there is
    /// none in time.
    pub fn fencing_ended(
        &mut self,
        host: &str,
        known: &BTreeSet<String>,
        limit: Duration,
    ) -> Result<Option<FenceRecord>, ClientError> {
        let deadline = Instant::now() + limit;
        loop {
            let records = self.fence_history(Some(host))?;
            match records.into_iter().rfind(|record| !known.contains(&record.id)) {
                Some(record) if record.outcome != FenceOutcome::Pending => return Ok(Some(record)),
                _ if Instant::now() >= deadline => return Ok(None),
                _ => thread::sleep(LOOK_INTERVAL),
            }
        }
    }
}
