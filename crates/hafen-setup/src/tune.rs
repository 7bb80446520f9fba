//! `hafen quorum tune`: timings from what the links really do, on all hosts.

use std::collections::BTreeSet;

use crate::corosync_conf::CorosyncConf;
use crate::host::Host;
use crate::timing::{self, LinkMeasure, Timing};
use crate::{SetupError, change, measure};

/// What was measured, and what would follow.
#[derive(Debug)]
pub struct Proposal {
    /// Every link, from every host.
    pub measures: Vec<LinkMeasure>,
    /// Within how many milliseconds a lost host is noticed today.
    pub detection_ms_now: u64,
    /// The timings that fit, or why none do.
    pub timing: Result<Timing, SetupError>,
    /// Whether they are those that are in place.
    pub in_place: bool,
}

/// Measures all links and proposes timings for the wanted time of detection; none: what is in place, or the default.
///
/// # Errors
/// When this host is in no cluster.
pub fn propose(host: &Host, detection_ms: Option<u64>, echoes: u32) -> Result<Proposal, SetupError> {
    let conf = host.corosync_conf()?;
    let measures = measure::measure_all(host, &host.credentials()?, &conf, echoes)?;
    let now = timing::detection_ms_of(&conf);
    let wanted = detection_ms.unwrap_or_else(|| {
        let default = timing::DETECTION_MS_DEFAULT;
        default.max(timing::shortest_detection_ms(conf.nodes().len(), &measures))
    });
    let timing = timing::propose(wanted, conf.nodes().len(), &measures);
    let in_place = timing.as_ref().is_ok_and(|timing| {
        let mut with = conf.clone();
        timing::apply(timing, &mut with);
        with == conf
    });
    Ok(Proposal { measures, detection_ms_now: now, timing, in_place })
}

/// Puts timings in place on all hosts, without a restart.
///
/// # Errors
/// When a host does not answer, or Corosync does not take them.
pub fn apply(host: &Host, timing: &Timing) -> Result<(), SetupError> {
    let _lock = host.lock()?;
    change::change(host, &BTreeSet::new(), |conf: &mut CorosyncConf| {
        timing::apply(timing, conf);
        Ok(())
    })?;
    Ok(())
}
