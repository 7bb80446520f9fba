//! What failed: counts by node and resource, and the operations.

use super::results::{execution_status, exit_status};
use super::{Listing, Only};
use crate::date::{Fields, Seconds};
use crate::input::record::key_of;
use crate::model::{Cluster, NodeIndex, ResourceId};
use crate::output::escape;
use crate::output::xml::XmlWriter;
use crate::score;
use hafen_cib::xml::Element;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The failures of a resource on a node.
struct Counted<'a> {
    name: &'a str,
    threshold: i32,
    count: i32,
    last: Seconds,
}

impl<'a> Cluster<'a> {
    pub(super) fn list_failure_counts(&self, out: &mut Listing, depth: usize, only: &Only, ids: bool) {
        for (node, failures) in self.failure_counts(only) {
            out.node_title(depth, &self.node(node).named(ids));
            for Counted { name, threshold, count, last } in failures {
                let last = if last > 0 { format!(" last-failure='{}'", moment(last)) } else { String::new() };
                let words = format!("{name}: migration-threshold={threshold} fail-count={count}{last}");
                out.item(depth + 1, &words);
            }
        }
    }

    pub(super) fn failure_counts_xml(&self, xml: &mut XmlWriter, only: &Only) {
        xml.open("node_history");
        for (node, failures) in self.failure_counts(only) {
            xml.open("node");
            xml.attribute("name", &self.node(node).uname);
            for Counted { name, threshold, count, last } in failures {
                xml.open("resource_history");
                xml.attribute("id", name);
                xml.flag("orphan", false);
                xml.attribute("migration-threshold", &threshold.to_string());
                xml.attribute("fail-count", &count.to_string());
                if last > 0 {
                    xml.attribute("last-failure", &moment(last));
                }
                xml.close();
            }
            xml.close();
        }
        xml.close();
    }

    /// Whether there is a node whose history could be told.
    pub(super) fn any_history(&self, only: &Only) -> bool {
        self.node_indices().any(|node| self.node(node).online && only.node(node))
    }

    /// By node, in the order of the status section: the resources in its history that have failed.
    fn failure_counts(&self, only: &Only) -> Vec<(NodeIndex, Vec<Counted<'a>>)> {
        let states = self.document.root().child("status");
        let states = states.into_iter().flat_map(|status| status.children_named("node_state"));
        let mut counts = Vec::new();
        for (node, state) in states.filter_map(|state| Some((self.node_of_state(state)?, state))) {
            if !self.node(node).online || !only.node(node) || self.node(node).failures.is_empty() {
                continue;
            }
            let histories = state.child("lrm").and_then(|lrm| lrm.child("lrm_resources"));
            let histories = histories.into_iter().flat_map(|all| all.children_named("lrm_resource"));
            let names = histories.filter_map(|history| history.attribute("id"));
            let known = |name| self.in_history(name, node).filter(|resource| only.resource(*resource));
            let of = |name| self.count_of(known(name)?, name, node);
            let failures: Vec<_> = names.filter_map(of).collect();
            if !failures.is_empty() {
                counts.push((node, failures));
            }
        }
        counts
    }

    pub(super) fn in_history(&self, name: &str, node: NodeIndex) -> Option<ResourceId> {
        self.by_id.get(name).copied().or_else(|| {
            let mut known = self.resource_ids().filter(|resource| self.rsc(*resource).history_id == name);
            let any = known.next();
            known.find(|resource| self.rsc(*resource).running_on.contains(&node)).or(any)
        })
    }

    fn count_of(&self, resource: ResourceId, name: &'a str, node: NodeIndex) -> Option<Counted<'a>> {
        let recorded = self.recorded_failures(resource, node);
        (recorded.count > 0).then(|| Counted {
            name,
            threshold: self.rsc(resource).migration_threshold,
            count: recorded.count,
            last: recorded.last,
        })
    }

    /// The failed operations that are shown, by the node that recorded them.
    pub(super) fn shown_failures(&self, only: &Only) -> Vec<(NodeIndex, Element<'a>)> {
        let resource = |operation: Element<'_>| {
            let history = operation.parent().and_then(|history| history.attribute("id"));
            history.and_then(|name| self.in_history(name, NodeIndex(u32::MAX)))
        };
        let shown = |(node, operation): &&(NodeIndex, Element<'a>)| {
            only.node(*node)
                && (only.resources.is_none() || resource(*operation).is_some_and(|known| only.named(known)))
        };
        self.failed_operations.iter().filter(shown).copied().collect()
    }

    pub(super) fn list_failed_operations(&self, out: &mut Listing, depth: usize, only: &Only, detail: bool) {
        for (node, operation) in self.shown_failures(only) {
            let node = &self.node(node).uname;
            let words =
                if detail { failure_in_words(node, operation) } else { brief_failure(node, operation) };
            out.item(depth, &words);
        }
    }

    pub(super) fn failed_operations_xml(&self, xml: &mut XmlWriter, only: &Only) {
        xml.open("failures");
        for (node, operation) in &self.shown_failures(only) {
            failure_xml(xml, &self.node(*node).uname, *operation);
        }
        xml.close();
    }
}

pub(super) fn number(operation: Element<'_>, name: &str) -> Option<i64> {
    operation.attribute(name).and_then(score::leading_integer)
}

pub(super) fn small(operation: Element<'_>, name: &str) -> i32 {
    number(operation, name).and_then(|number| i32::try_from(number).ok()).unwrap_or(0)
}

fn failure_in_words(node: &str, operation: Element<'_>) -> String {
    let rc = small(operation, "rc-code");
    let status = execution_status(small(operation, "op-status"));
    let mut words = format!(
        "{} on {node} '{}' ({rc}): call={}, status='{status}'",
        key_of(operation),
        exit_status(rc),
        operation.attribute("call-id").unwrap_or("0"),
    );
    if let Some(reason) = operation.attribute("exit-reason").filter(|reason| !reason.is_empty()) {
        words.push_str(&format!(", exitreason='{reason}'"));
    }
    if let Some(change) = number(operation, "last-rc-change") {
        words.push_str(&format!(", last-rc-change='{}'", moment(change)));
    }
    for (name, attribute) in [("queued", "queue-time"), ("exec", "exec-time")] {
        if let Some(milliseconds) = operation.attribute(attribute) {
            words.push_str(&format!(", {name}={milliseconds}ms"));
        }
    }
    words
}

/// What failed, in a sentence.
fn brief_failure(node: &str, operation: Element<'_>) -> String {
    let interval =
        number(operation, "interval").and_then(|interval| u64::try_from(interval).ok()).unwrap_or(0);
    let task = operation.attribute("operation").unwrap_or_default();
    let name = key_of(operation).strip_suffix(&format!("_{task}_{interval}"));
    let mut words = match name {
        Some(name) => match (task, interval) {
            ("monitor", 0) => format!("{name} probe"),
            (_, 0) => format!("{name} {task}"),
            _ => format!("{name} {}-interval {task}", readable(interval)),
        },
        None => key_of(operation).to_owned(),
    };
    words.push_str(&format!(" on {node}"));
    let reason = operation.attribute("exit-reason").filter(|reason| !reason.is_empty());
    match small(operation, "op-status") {
        0 => {
            words.push_str(&format!(" returned '{}'", exit_status(small(operation, "rc-code"))));
            if let Some(reason) = reason {
                words.push_str(&format!(" ({reason})"));
            }
        }
        status => {
            words.push_str(&format!(" could not be executed ({}", execution_status(status)));
            if let Some(reason) = reason {
                words.push_str(&format!(": {reason}"));
            }
            words.push(')');
        }
    }
    if let Some(change) = number(operation, "last-rc-change").filter(|change| *change > 0) {
        words.push_str(&format!(" at {}", moment(change)));
    }
    let spent = number(operation, "exec-time").and_then(|spent| u64::try_from(spent).ok());
    if let Some(spent) = spent.filter(|spent| *spent > 0) {
        words.push_str(&format!(" after {}", readable(spent)));
    }
    words
}

/// A span of time as people say it: 1h30m.
#[must_use]
pub fn readable(milliseconds: u64) -> String {
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    let mut words = String::new();
    for (unit, length, many) in [("d", 86_400, u64::MAX), ("h", 3600, 24), ("m", 60, 60)] {
        let count = seconds / length % many;
        if count > 0 {
            words.push_str(&format!("{count}{unit}"));
        }
    }
    match (seconds % 60, rest) {
        (0, 0) if words.is_empty() => "0s".to_owned(),
        (0, 0) => words,
        (seconds, 0) => format!("{words}{seconds}s"),
        (0, rest) => format!("{words}{rest}ms"),
        (seconds, rest) => format!("{words}{seconds}.{rest:03}s"),
    }
}

fn failure_xml(xml: &mut XmlWriter, node: &str, operation: Element<'_>) {
    let rc = small(operation, "rc-code");
    xml.open("failure");
    // Old histories have ids only.
    let label = if operation.attribute("operation_key").is_some() { "op_key" } else { "id" };
    xml.attribute(label, key_of(operation));
    xml.attribute("node", node);
    xml.attribute("exitstatus", exit_status(rc));
    // Pacemaker escapes it twice.
    let reason = operation.attribute("exit-reason").map_or_else(|| "none".to_owned(), escape_all);
    xml.attribute("exitreason", &reason);
    xml.attribute("exitcode", &rc.to_string());
    xml.attribute("call", operation.attribute("call-id").unwrap_or("0"));
    xml.attribute("status", execution_status(small(operation, "op-status")));
    if let Some(change) = number(operation, "last-rc-change").filter(|change| *change > 0) {
        let at = Fields::of(change);
        let date = format!("{:04}-{:02}-{:02}", at.year, at.month, at.monthday);
        let time = format!("{:02}:{:02}:{:02}Z", at.hour, at.minute, at.second);
        xml.attribute("last-rc-change", &format!("{date} {time}"));
        for (name, attribute) in [("queued", "queue-time"), ("exec", "exec-time")] {
            if let Some(milliseconds) = operation.attribute(attribute) {
                xml.attribute(name, milliseconds);
            }
        }
        xml.attribute("interval", operation.attribute("interval").unwrap_or("0"));
        xml.attribute("task", operation.attribute("operation").unwrap_or_default());
    }
    xml.close();
}

fn escape_all(text: &str) -> String {
    escape(text).replace('"', "&quot;")
}

/// A moment as `asctime` writes it, in UTC.
pub(super) fn moment(at: Seconds) -> String {
    let at = Fields::of(at);
    let pick = |names: &[&'static str], number: i64| {
        usize::try_from(number - 1).ok().and_then(|index| names.get(index)).copied().unwrap_or("?")
    };
    format!(
        "{} {} {:>2} {:02}:{:02}:{:02} {}",
        pick(&DAYS, at.weekday),
        pick(&MONTHS, at.month),
        at.monthday,
        at.hour,
        at.minute,
        at.second,
        at.year
    )
}
