//! What the configuration says about an operation: `op`, its meta attributes, and `op_defaults`.

use std::rc::Rc;

use hafen_cib::xml::Element;

use super::Task;
use crate::date;
use crate::input::nvpairs::{self, Values};
use crate::input::rules::{NextChange, RuleInput};
use crate::model::{Cluster, ResourceId, Role, Variant};
use crate::score;

/// The timeout of operations that name none, in milliseconds.
const DEFAULT_TIMEOUT_MS: u64 = 20_000;

/// The settings of an operation, as its actions carry them; actions of one kind share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// By the name that the graph gives them after `CRM_meta_`.
    pub(crate) values: Values,
    pub(crate) timeout_ms: u64,
    /// The operation is configured with parameters of its own.
    pub(crate) has_parameters: bool,
}

impl<'a> Cluster<'a> {
    /// The settings of a resource's operation.
    pub(crate) fn settings_for(
        &mut self,
        resource: Option<ResourceId>,
        task: Task,
        interval_ms: u64,
    ) -> Rc<Settings> {
        let Some(resource) = resource else { return Rc::default() };
        let key = (resource, task, interval_ms);
        if let Some(known) = self.settings.get(&key) {
            return Rc::clone(known);
        }
        let settings = Rc::new(self.read_settings(resource, task, interval_ms));
        self.settings.insert(key, Rc::clone(&settings));
        settings
    }

    fn read_settings(&self, resource: ResourceId, task: Task, interval_ms: u64) -> Settings {
        let name = self.task_name(task);
        let mut values = if self.rsc(resource).variant == Variant::Primitive {
            self.operation_settings(resource, name, interval_ms)
        } else {
            self.default_settings(name, interval_ms)
        };
        let op = self.described_operation(resource, name, interval_ms);
        let role = op.and_then(|op| op.role);
        let has_parameters = op.is_some_and(|op| op.element.child("instance_attributes").is_some());
        if matches!(task, Task::Start) || task == Task::Monitor && interval_ms == 0 {
            self.prefer_device_timeout(resource, &mut values);
        }
        let timeout_ms = values
            .get("timeout")
            .and_then(|text| score::parse_milliseconds(text))
            .filter(|timeout_ms| *timeout_ms > 0)
            .unwrap_or(DEFAULT_TIMEOUT_MS);
        values.insert("timeout".into(), timeout_ms.to_string());
        if interval_ms > 0 {
            values.insert("interval".into(), interval_ms.to_string());
        } else {
            values.remove("interval");
        }
        self.settle_on_fail(resource, task, interval_ms, role, &mut values);
        self.settle_start_delay(interval_ms, &mut values);
        let values = values
            .into_iter()
            .map(
                |(name, value)| {
                    if name.contains('-') { (name.replace('-', "_"), value) } else { (name, value) }
                },
            )
            .collect();
        Settings { values, timeout_ms, has_parameters }
    }

    /// How long a recurring operation may take, as its digest knows it.
    pub(crate) fn operation_timeout_ms(&self, resource: ResourceId, task: &str, interval_ms: u64) -> u64 {
        self.operation_settings(resource, task, interval_ms)
            .remove("timeout")
            .and_then(|text| score::parse_milliseconds(&text))
            .filter(|timeout_ms| *timeout_ms > 0)
            .unwrap_or(DEFAULT_TIMEOUT_MS)
    }

    /// A fence device is started and probed within `pcmk_monitor_timeout`, where it has one.
    fn prefer_device_timeout(&self, resource: ResourceId, values: &mut Values) {
        if self.rsc(resource).stonith_device
            && let Some(timeout) = self.parameters(resource, None).remove("pcmk_monitor_timeout")
        {
            values.insert("timeout".into(), timeout);
        }
    }

    /// Drops an `on-fail` that the operation cannot have, and gives a demotion that of the promoted role's monitor.
    fn settle_on_fail(
        &self,
        resource: ResourceId,
        task: Task,
        interval_ms: u64,
        role: Option<Role>,
        values: &mut Values,
    ) {
        let value = values.get("on-fail").map(String::as_str);
        let impossible = match value {
            Some("stop" | "standby") => task == Task::Stop,
            Some(value) if value.eq_ignore_ascii_case("demote") => {
                let watches = task == Task::Monitor && interval_ms > 0 && role == Some(Role::Promoted);
                !(task == Task::Promote || watches)
            }
            Some(_) => false,
            None if task == Task::Demote => {
                if let Some(inherited) = self.promoted_monitor_on_fail(resource) {
                    values.insert("on-fail".into(), inherited);
                }
                return;
            }
            None => false,
        };
        if impossible {
            values.remove("on-fail");
        }
    }

    fn promoted_monitor_on_fail(&self, resource: ResourceId) -> Option<String> {
        let ops = self.rsc(resource).ops.iter();
        ops.filter(|op| {
            op.enabled && op.name == "monitor" && op.interval_ms > 0 && op.role == Some(Role::Promoted)
        })
        .filter_map(|op| op.element.attribute("on-fail"))
        .find(|on_fail| !on_fail.eq_ignore_ascii_case("demote"))
        .map(str::to_owned)
    }

    /// A delay is in milliseconds; an origin makes a recurring operation wait for its next moment.
    fn settle_start_delay(&self, interval_ms: u64, values: &mut Values) {
        if let Some(delay) = values.get_mut("start-delay") {
            *delay = score::parse_milliseconds(delay).unwrap_or(0).to_string();
            return;
        }
        let interval = i64::try_from(interval_ms / 1000).unwrap_or(i64::MAX);
        let Some(origin) = values.get("interval-origin").and_then(|text| date::parse(text, self.now)) else {
            return;
        };
        if interval == 0 {
            return;
        }
        let since = self.now.saturating_sub(origin) % interval;
        let wait = if since <= 0 { since.saturating_neg() } else { interval - since };
        values.insert("start-delay".into(), wait.saturating_mul(1000).to_string());
    }

    /// An operation's own parameters, where it is configured with any (rules may look at the node's attributes).
    pub(crate) fn operation_parameters(
        &self,
        resource: ResourceId,
        task: &str,
        interval_ms: u64,
        node: Option<crate::model::NodeIndex>,
    ) -> Values {
        let mut parameters = Values::new();
        let Some(op) = self.described_operation(resource, task, interval_ms) else { return parameters };
        let element: Element<'a> = op.element;
        if element.child("instance_attributes").is_none() {
            return parameters;
        }
        let input = RuleInput {
            now: self.now,
            node_attributes: node.map(|node| &self.node(node).attributes),
            ..RuleInput::default()
        };
        nvpairs::unpack(
            element,
            "instance_attributes",
            None,
            &input,
            &mut NextChange::default(),
            &mut parameters,
        );
        parameters
    }
}
