//! Writes one resource's record at one host.

use hafen_scheduler::parameters_digest;

use super::{Primitive, Recurring};
use crate::tree::Tree;

const UUID: &str = "0a0a0a0a-0000-4000-8000-000000000000";
/// What stands for a result that is not known yet.
pub(super) const UNKNOWN: i32 = 193;

/// How the parameters of the past differ from those of today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stale {
    No,
    /// The one that can be reloaded.
    Parameter,
    /// The one that needs a restart.
    Other,
    /// The timeout of recurring operations.
    Timeout,
}

/// Writes one resource's record at one host.
pub(super) struct Pen<'a> {
    pub(super) primitive: &'a Primitive,
    pub(super) id: String,
    pub(super) node: String,
    pub(super) stale: Stale,
    pub(super) call: i64,
    pub(super) time: i64,
    pub(super) secure: bool,
    pub(super) made: Vec<Tree>,
}

/// What is to be written of an operation.
pub(super) struct Result<'a> {
    pub(super) task: &'a str,
    pub(super) interval_ms: i64,
    pub(super) expected: i32,
    pub(super) rc: i32,
    pub(super) status: i32,
}

pub(super) fn one_off(task: &str, rc: i32) -> Result<'_> {
    Result { task, interval_ms: 0, expected: 0, rc, status: 0 }
}

impl Pen<'_> {
    pub(super) fn digest(&self, recurring: Option<&Recurring>) -> Vec<(&'static str, String)> {
        let mut all: std::collections::BTreeMap<String, String> =
            self.primitive.parameters.iter().cloned().collect();
        match self.stale {
            Stale::Parameter => _ = all.insert("fake".into(), "old".into()),
            Stale::Other => _ = all.insert("delay".into(), "99".into()),
            Stale::No | Stale::Timeout => {}
        }
        let mut found = Vec::new();
        let plain = all.clone();
        if let Some(recurring) = recurring {
            all.extend(recurring.parameters.iter().cloned());
            let timeout = if self.stale == Stale::Timeout { 12_345 } else { recurring.timeout_ms };
            all.insert("CRM_meta_timeout".into(), timeout.to_string());
        }
        found.push(("op-digest", parameters_digest(&all)));
        if self.primitive.reloadable && recurring.is_none() {
            let kept = plain
                .iter()
                .filter(|(name, _)| *name == "delay")
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect();
            found.push(("op-force-restart", " delay ".into()));
            found.push(("op-restart-digest", parameters_digest(&kept)));
        }
        if self.secure {
            let kept = plain
                .iter()
                .filter(|(name, _)| *name != "passwd")
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect();
            found.push(("op-secure-params", " passwd ".into()));
            found.push(("op-secure-digest", parameters_digest(&kept)));
        }
        if self.stale != Stale::No {
            found.push(("exit-reason", "ran with other parameters".into()));
        }
        found
    }

    pub(super) fn write(&mut self, suffix: &str, result: &Result<'_>, extra: &[(&str, &str)]) {
        self.call += 1;
        self.time += 7;
        let pending = result.status == -1;
        let key = format!("{}:{}:{}:{UUID}", self.call + 3, self.call / 3 + 1, result.expected);
        let call = if pending { -1 } else { self.call };
        let mut tree = Tree::new("lrm_rsc_op")
            .with("id", format!("{}_{suffix}", self.id))
            .with("operation_key", format!("{}_{}_{}", self.id, result.task, result.interval_ms))
            .with("operation", result.task)
            .with("crm_feature_set", "3.20.0")
            .with("transition-key", &key)
            .with("transition-magic", format!("{}:{};{key}", result.status, result.rc))
            .with("call-id", call)
            .with("rc-code", result.rc)
            .with("op-status", result.status)
            .with("interval", result.interval_ms)
            .with("last-rc-change", self.time)
            .with("exec-time", 0)
            .with("queue-time", 0)
            .with("on_node", &self.node);
        let recurring = self.primitive.recurring.iter().find(|known| known.interval_ms == result.interval_ms);
        for (name, value) in self.digest(recurring) {
            tree = tree.with(name, value);
        }
        for (name, value) in extra {
            tree = tree.with(name, value);
        }
        self.made.retain(|known| known.attribute("id") != tree.attribute("id"));
        self.made.push(tree);
    }

    pub(super) fn last(&mut self, task: &str, rc: i32) {
        self.write("last_0", &one_off(task, rc), &[]);
    }

    pub(super) fn probe(&mut self, rc: i32) {
        let result = Result { expected: 7, ..one_off("monitor", rc) };
        self.write("last_0", &result, &[]);
        if !matches!(rc, 0 | 7 | 8) {
            self.write("last_failure_0", &result, &[]);
        }
    }

    /// The operations that watch it in its role.
    pub(super) fn monitors(&mut self, promoted: bool) {
        for recurring in self.primitive.recurring.clone() {
            let suits = match recurring.role {
                Some("Promoted") => promoted,
                Some("Stopped") => false,
                Some(_) => true,
                None => !promoted || self.primitive.recurring.len() == 1,
            };
            if suits {
                let rc = if promoted { 8 } else { 0 };
                let result = Result {
                    task: "monitor",
                    interval_ms: recurring.interval_ms,
                    expected: rc,
                    rc,
                    status: 0,
                };
                self.write(&format!("monitor_{}", recurring.interval_ms), &result, &[]);
            }
        }
    }

    pub(super) fn fail(&mut self, task: &str, rc: i32, status: i32, extra: &[(&str, &str)]) {
        let result = Result { status, ..one_off(task, rc) };
        self.write("last_0", &result, extra);
        self.write("last_failure_0", &result, extra);
    }

    pub(super) fn busy(&mut self, task: &str, extra: &[(&str, &str)]) {
        let result = Result { status: -1, ..one_off(task, UNKNOWN) };
        self.write("last_0", &result, extra);
    }

    pub(super) fn fail_monitor(&mut self, rc: i32, status: i32) {
        let Some(recurring) = self.primitive.recurring.first().cloned() else {
            let result = Result { expected: 7, status, ..one_off("monitor", rc) };
            self.write("last_0", &result, &[]);
            return self.write("last_failure_0", &result, &[]);
        };
        self.monitors(false);
        let interval_ms = recurring.interval_ms;
        let result = Result { task: "monitor", interval_ms, expected: 0, rc, status };
        self.write("last_failure_0", &result, &[]);
    }
}

pub(super) fn write_with(
    pen: &mut Pen<'_>,
    ends: &[(&str, String)],
    write: impl FnOnce(&mut Pen<'_>, &[(&str, &str)]),
) {
    let extra: Vec<(&str, &str)> = ends.iter().map(|(name, value)| (*name, value.as_str())).collect();
    write(pen, &extra);
}
