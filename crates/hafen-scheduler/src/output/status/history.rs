//! The operations that agents have done, by node and resource.

use super::failures::moment;
use super::results::exit_status;
use super::{Listing, MonitorView, Only};
use crate::input::record::{Record, sorted};
use crate::model::{Cluster, NodeIndex, ResourceId};
use crate::output::xml::XmlWriter;

/// The result of a probe that found nothing running.
const NOT_RUNNING: i32 = 7;

/// What a node did for a resource.
struct Done<'a> {
    name: String,
    resource: Option<ResourceId>,
    records: Vec<Record<'a>>,
}

impl<'a> Cluster<'a> {
    /// By node, in the order of the status section.
    fn operations(&self, only: &Only) -> Vec<(NodeIndex, Vec<Done<'a>>)> {
        let states = self.document.root().child("status");
        let states = states.into_iter().flat_map(|status| status.children_named("node_state"));
        let mut all = Vec::new();
        for state in states {
            let Some(node) = self.node_of_state(state) else { continue };
            if !self.node(node).online || !only.node(node) {
                continue;
            }
            let histories = state.child("lrm").and_then(|lrm| lrm.child("lrm_resources"));
            let histories = histories.into_iter().flat_map(|all| all.children_named("lrm_resource"));
            let mut done = Vec::new();
            for history in histories {
                let known = history.attribute("id").unwrap_or_default();
                let resource = self.in_history(known, node);
                if only.resources.is_some() && !resource.is_some_and(|resource| only.resource(resource)) {
                    continue;
                }
                let told = |record: &Record<'_>| {
                    record.task != "notify" && !(record.is_probe() && record.rc == NOT_RUNNING)
                };
                let records: Vec<_> = sorted(history).into_iter().filter(told).collect();
                if !records.is_empty() {
                    let name = resource.map_or(known, |resource| self.shown_name(resource)).to_owned();
                    done.push(Done { name, resource, records });
                }
            }
            if !done.is_empty() {
                all.push((node, done));
            }
        }
        all
    }

    pub(super) fn list_operations(
        &self,
        out: &mut Listing,
        depth: usize,
        only: &Only,
        view: &MonitorView,
    ) -> bool {
        out.title(depth - 1, "Operations");
        for (node, done) in self.operations(only) {
            out.node_title(depth, &view.node_name(self.node(node)));
            for Done { name, resource, records } in done {
                let about = match resource {
                    Some(resource) => {
                        let recorded = self.recorded_failures(resource, node);
                        let mut about =
                            format!("migration-threshold={}", self.rsc(resource).migration_threshold);
                        if recorded.count > 0 {
                            about += &format!(" fail-count={}", recorded.count);
                        }
                        if recorded.count > 0 && recorded.last > 0 {
                            about += &format!(" last-failure='{}'", moment(recorded.last));
                        }
                        about
                    }
                    None => "orphan".to_owned(),
                };
                out.title(depth + 1, &format!("{name}: {about}"));
                for record in records {
                    out.item(depth + 2, &words(&record, view.timing));
                }
            }
        }
        self.any_history(only)
    }

    pub(super) fn operations_xml(&self, xml: &mut XmlWriter, only: &Only) {
        if !self.any_history(only) {
            return;
        }
        xml.open("node_history");
        for (node, done) in self.operations(only) {
            xml.open("node");
            xml.attribute("name", &self.node(node).uname);
            for Done { name, resource, records } in done {
                xml.open("resource_history");
                xml.attribute("id", &name);
                match resource {
                    Some(resource) => {
                        let recorded = self.recorded_failures(resource, node);
                        xml.flag("orphan", false);
                        let threshold = self.rsc(resource).migration_threshold;
                        xml.attribute("migration-threshold", &threshold.to_string());
                        if recorded.count > 0 {
                            xml.attribute("fail-count", &recorded.count.to_string());
                        }
                        if recorded.count > 0 && recorded.last > 0 {
                            xml.attribute("last-failure", &moment(recorded.last));
                        }
                    }
                    None => xml.flag("orphan", true),
                }
                for record in records {
                    record_xml(xml, &record);
                }
                xml.close();
            }
            xml.close();
        }
        xml.close();
    }
}

fn task<'a>(record: &Record<'a>) -> &'a str {
    if record.is_probe() { "probe" } else { record.task }
}

fn words(record: &Record<'_>, timing: bool) -> String {
    let mut details = Vec::new();
    if record.interval_ms > 0 {
        details.push(format!("interval=\"{}ms\"", record.interval_ms));
    }
    if timing {
        if record.last_change > 0 {
            details.push(format!("last-rc-change=\"{}\"", moment(record.last_change)));
        }
        for name in ["exec-time", "queue-time"] {
            if let Some(spent) = record.element.attribute(name) {
                details.push(format!("{name}=\"{spent}ms\""));
            }
        }
        details.push(format!("rc={} ({})", record.rc, exit_status(record.rc)));
    }
    let head = format!("({}) {}", record.element.attribute("call-id").unwrap_or_default(), task(record));
    if details.is_empty() { head } else { format!("{head}: {}", details.join(" ")) }
}

fn record_xml(xml: &mut XmlWriter, record: &Record<'_>) {
    xml.open("operation_history");
    xml.attribute("call", record.element.attribute("call-id").unwrap_or_default());
    xml.attribute("task", task(record));
    xml.attribute("rc", &record.rc.to_string());
    xml.attribute("rc_text", exit_status(record.rc));
    if record.interval_ms > 0 {
        xml.attribute("interval", &format!("{}ms", record.interval_ms));
    }
    if record.last_change > 0 {
        xml.attribute("last-rc-change", &moment(record.last_change));
    }
    for name in ["exec-time", "queue-time"] {
        if let Some(spent) = record.element.attribute(name) {
            xml.attribute(name, &format!("{spent}ms"));
        }
    }
    xml.close();
}
