//! Digests of parameters: what changed since an operation ran.

use md5::{Digest, Md5};

use crate::input::nvpairs::Values;
use crate::input::record::Record;
use crate::model::{Cluster, NodeIndex, ResourceId, Task, Variant};
use crate::order::{End, relation};
use crate::score;

/// The digest of a set of parameters, as agents' histories record it.
#[must_use]
pub fn parameters_digest(parameters: &Values) -> String {
    let mut text = String::from(" <parameters");
    for (name, value) in parameters {
        text.push(' ');
        text.push_str(name);
        text.push_str("=\"");
        for letter in value.chars() {
            match letter {
                '&' => text.push_str("&amp;"),
                '<' => text.push_str("&lt;"),
                '>' => text.push_str("&gt;"),
                '"' => text.push_str("&quot;"),
                '\n' => text.push_str("&#10;"),
                '\t' => text.push_str("&#9;"),
                '\r' => text.push_str("&#13;"),
                other => text.push(other),
            }
        }
        text.push('"');
    }
    text.push_str("/>\n");
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the comparison of digests says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Same,
    Restart,
    Reload,
    Reschedule,
}

impl<'a> Cluster<'a> {
    /// Compares every node's history with the configuration.
    pub(crate) fn check_history(&mut self) {
        let records: Vec<_> = self.history.iter().map(|((node, _), record)| (*node, *record)).collect();
        for (node, record) in records {
            let known = self.node(node);
            if !known.available() && !known.maintenance {
                continue;
            }
            let Some(id) = record.attribute("id") else { continue };
            for resource in self.resources_of_record(node, id) {
                let operations: Vec<_> =
                    crate::input::record::sorted(record).iter().map(|op| op.element).collect();
                if self.agent_changed(resource, record) {
                    self.replace_agent(resource, node);
                }
                self.check_record(resource, node, &operations);
            }
        }
    }

    /// Whether history knows a resource as one of another agent.
    fn agent_changed(&self, resource: ResourceId, record: hafen_cib::xml::Element<'a>) -> bool {
        let known = self.rsc(resource);
        let provider = record.attribute("provider").filter(|provider| !provider.is_empty());
        !known.orphan
            && known.variant == Variant::Primitive
            && (record.attribute("class").is_some_and(|class| class != known.class)
                || record.attribute("type").is_some_and(|type_| type_ != known.type_)
                || provider != known.provider.as_deref())
    }

    /// What still runs by the old agent stops, is forgotten, and starts by the new one.
    fn replace_agent(&mut self, resource: ResourceId, node: NodeIndex) {
        self.unfence_for(resource, Some(node), "Device definition changed");
        if self.rsc(resource).running_on.contains(&node) {
            let stop = self.resource_action(resource, Task::Stop, Some(node), false);
            self.act_mut(stop).reason = Some("agent changed".into());
        }
        if self.node(node).online && !self.node(node).unclean {
            let delete = self.resource_action(resource, Task::Delete, Some(node), false);
            self.act_mut(delete).reason = Some("agent changed".into());
        }
    }

    fn resources_of_record(&self, node: NodeIndex, id: &str) -> Vec<ResourceId> {
        let mut found: Vec<ResourceId> = Vec::new();
        if let Some(resource) = self.by_id.get(id) {
            found.push(*resource);
        }
        let base = crate::input::status::base_name(id);
        let clone = self.by_id.get(&format!("{base}:0")).and_then(|first| self.clone_of(*first));
        if let Some(clone) = clone
            && !self.rsc(clone).unique
        {
            found = self
                .family(clone)
                .into_iter()
                .filter(|member| {
                    let known = self.rsc(*member);
                    known.variant == Variant::Primitive
                        && crate::input::status::base_name(&known.id) == base
                        && known.running_on.contains(&node)
                })
                .collect();
        }
        found
    }

    fn check_record(
        &mut self,
        resource: ResourceId,
        node: NodeIndex,
        operations: &[hafen_cib::xml::Element<'a>],
    ) {
        let known = self.rsc(resource);
        if known.orphan {
            // An instance of an anonymous clone that is too many shares its history with those that stay.
            let instance = self.clone_of(resource).is_some_and(|clone| !self.rsc(clone).unique);
            if known.managed && self.node(node).online && !instance {
                self.clean_up_orphan(resource, node);
            }
            return;
        }
        if !known.running_on.contains(&node) {
            return;
        }
        let mut since = None;
        for (at, op) in operations.iter().enumerate() {
            let record = Record::read(*op);
            if record.status == -1 {
                continue;
            }
            if record.task == "stop" && record.rc == 0 {
                since = None;
            } else if matches!(record.task, "start" | "migrate_from") && record.rc == 0 {
                since = Some(at);
            }
        }
        for (at, op) in operations.iter().enumerate() {
            if since.is_some_and(|since| at < since) {
                continue;
            }
            let record = Record::read(*op);
            self.check_operation(resource, node, &record);
        }
    }

    fn check_operation(&mut self, resource: ResourceId, node: NodeIndex, record: &Record<'a>) {
        if record.interval_ms > 0 {
            if record.status == -1 && record.task != "monitor" {
                return;
            }
            if self.rsc(resource).maintenance && !self.rsc(resource).managed {
                let task = self.task(record.task);
                let cancel = self.cancel(resource, node, task, record.interval_ms, "maintenance mode");
                if let Some(call) = record.element.attribute("call-id") {
                    self.act_mut(cancel).meta.insert("call_id".into(), call.to_owned());
                }
                return;
            }
            if self.configured_operation(resource, record.task, record.interval_ms).is_none() {
                if self.properties.cancel_orphans {
                    let task = self.task(record.task);
                    let cancel = self.cancel(resource, node, task, record.interval_ms, "orphan");
                    if let Some(call) = record.element.attribute("call-id") {
                        self.act_mut(cancel).meta.insert("call_id".into(), call.to_owned());
                    }
                    self.order(End::Task(resource, Task::Stop), End::Action(cancel), 0);
                }
                return;
            }
        }
        let checked = record.interval_ms > 0
            || matches!(record.task, "start" | "promote" | "migrate_from")
            || record.task == "monitor";
        if !checked || record.rc == 7 {
            return;
        }
        match self.compare_digests(resource, node, record) {
            Verdict::Same => {}
            Verdict::Reschedule => {
                let task = self.task(record.task);
                self.stale_recurring.insert((resource, node, task, record.interval_ms));
            }
            Verdict::Reload if record.interval_ms == 0 => {
                self.rsc_mut(resource).reload = true;
                self.unfence_for(resource, None, "Device parameters changed");
                self.schedule_reload(resource, node);
            }
            Verdict::Reload | Verdict::Restart => {
                self.rsc_mut(resource).restart_parameters_changed = true;
                self.unfence_for(resource, None, "Device parameters changed");
                if let Some(place) = self.rsc(resource).assigned_to {
                    let start = self.resource_action(resource, Task::Start, Some(place), false);
                    self.act_mut(start).reason = Some("resource definition change".into());
                }
            }
        }
    }

    /// Whether a failed operation ran with other parameters than are configured now.
    pub(crate) fn ran_with_other_parameters(
        &self,
        resource: ResourceId,
        node: NodeIndex,
        record: &Record<'a>,
    ) -> bool {
        self.compare_digests(resource, node, record) != Verdict::Same
    }

    fn compare_digests(&self, resource: ResourceId, node: NodeIndex, record: &Record<'a>) -> Verdict {
        let Some(known) = record.element.attribute("op-digest") else { return Verdict::Same };
        let mut parameters = self.parameters(resource, Some(node));
        parameters.retain(|name, _| !name.starts_with("CRM_meta_") && name != "crm_feature_set");
        let stonith = self.rsc(resource).class == "stonith";
        if self.sanitized && only_secrets_differ(&parameters, record, stonith) {
            return Verdict::Same;
        }
        if let Some(restart) = record.element.attribute("op-restart-digest") {
            // Without a list every parameter needs a restart.
            let list = record.element.attribute("op-force-restart");
            let names: Option<Vec<&str>> = list.map(|list| list.split_whitespace().collect());
            let kept: Values = parameters
                .iter()
                .filter(|(name, _)| names.as_ref().is_none_or(|names| names.contains(&name.as_str())))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect();
            if parameters_digest(&kept) != restart {
                return Verdict::Restart;
            }
        }
        if record.interval_ms > 0 {
            let settings = self.operation_settings(resource, record.task, record.interval_ms);
            let timeout =
                settings.get("timeout").and_then(|text| score::parse_milliseconds(text)).unwrap_or(20_000);
            parameters.insert("CRM_meta_timeout".into(), timeout.to_string());
        }
        if parameters_digest(&parameters) == known {
            return Verdict::Same;
        }
        if record.interval_ms > 0 {
            return Verdict::Reschedule;
        }
        if record.element.attribute("op-restart-digest").is_some() {
            Verdict::Reload
        } else {
            Verdict::Restart
        }
    }

    fn schedule_reload(&mut self, resource: ResourceId, node: NodeIndex) {
        if !self.rsc(resource).managed
            || self.rsc(resource).failed
            || self.rsc(resource).assigned_to != Some(node)
        {
            return;
        }
        if self.rsc(resource).start_pending {
            // It is being started with the old parameters: only a restart is sure to bring in the new ones.
            let stop = self.resource_action(resource, Task::Stop, Some(node), false);
            self.act_mut(stop).reason = Some("resource definition change".into());
            return;
        }
        let reload = self.resource_action(resource, Task::ReloadAgent, Some(node), false);
        self.act_mut(reload).reason = Some("resource definition change".into());
        // A restart, or a demotion, takes the new parameters anyway.
        let relation = relation::ORDERED | relation::THEN_CANCELS_FIRST;
        self.order(End::Action(reload), End::Task(resource, Task::Stop), relation);
        self.order(End::Action(reload), End::Task(resource, Task::Demote), relation);
    }

    /// Forgets a resource that is no longer configured.
    fn clean_up_orphan(&mut self, resource: ResourceId, node: NodeIndex) {
        let delete = self.resource_action(resource, Task::Delete, Some(node), false);
        self.act_mut(delete).reason = Some("orphan".into());
    }

    /// Notes which recurring operations history shows as running.
    pub(crate) fn note_recurring(&mut self) {
        let records: Vec<_> = self.history.iter().map(|((node, _), record)| (*node, *record)).collect();
        for (node, record) in records {
            let Some(id) = record.attribute("id") else { continue };
            for resource in self.resources_of_record(node, id) {
                self.note_record(resource, node, record);
            }
        }
    }

    fn note_record(&mut self, resource: ResourceId, node: NodeIndex, record: hafen_cib::xml::Element<'a>) {
        let operations: Vec<_> = crate::input::record::sorted(record).iter().map(|op| op.element).collect();
        let mut active: Vec<(String, u64)> = Vec::new();
        for op in operations {
            let known = Record::read(op);
            if known.interval_ms == 0 {
                if known.task == "stop" && known.rc == 0 && known.status == 0 {
                    active.clear();
                }
                if matches!(known.task, "start" | "migrate_from") && known.rc == 0 {
                    active.clear();
                }
                continue;
            }
            if known.status == 1 {
                continue;
            }
            active.push((known.task.to_owned(), known.interval_ms));
        }
        for (task, interval_ms) in active {
            let task = self.task(&task);
            self.active_recurring.insert((resource, node, task, interval_ms));
        }
    }
}

/// In CIBs that are passed around, secrets are blotted out; that is no change. What the cluster itself reads of a fence
/// device's parameters is not part of that digest.
fn only_secrets_differ(parameters: &Values, record: &Record<'_>, stonith: bool) -> bool {
    let secure =
        record.element.attribute("op-secure-params").zip(record.element.attribute("op-secure-digest"));
    let Some((names, digest)) = secure else { return false };
    let names: Vec<&str> = names.split_whitespace().collect();
    let open: Values = parameters
        .iter()
        .filter(|(name, _)| !(names.contains(&name.as_str()) || stonith && name.starts_with("pcmk_")))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    parameters_digest(&open) == digest
}
