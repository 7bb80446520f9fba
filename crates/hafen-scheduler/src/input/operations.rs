//! What is configured about operations, and what their failure leads to.

use hafen_cib::xml::Element;

use super::history::OnFail;
use super::nvpairs::{self, Values};
use super::rules::{NextChange, RuleInput};
use crate::model::{Cluster, Operation, ResourceId};

impl<'a> Cluster<'a> {
    /// The configured operation of that name and interval.
    pub(crate) fn configured_operation(
        &self,
        resource: ResourceId,
        task: &str,
        interval_ms: u64,
    ) -> Option<&Operation<'a>> {
        let (task, alternative) = match task {
            "migrate_to" | "migrate_from" => (task, "migrate"),
            "reload-agent" => (task, "reload"),
            other => (other, other),
        };
        let ops = &self.rsc(resource).ops;
        let find =
            |name: &str| ops.iter().find(|op| op.enabled && op.name == name && op.interval_ms == interval_ms);
        find(task).or_else(|| find(alternative))
    }

    /// What is configured about an operation, even where that is disabled: it is still how it is done.
    pub(crate) fn described_operation(
        &self,
        resource: ResourceId,
        task: &str,
        interval_ms: u64,
    ) -> Option<&Operation<'a>> {
        self.configured_operation(resource, task, interval_ms).or_else(|| {
            let ops = &self.rsc(resource).ops;
            ops.iter().find(|op| op.name == task && op.interval_ms == interval_ms)
        })
    }

    /// All settings of an operation: from its element, its meta attributes and the defaults.
    pub(crate) fn operation_settings(&self, resource: ResourceId, task: &str, interval_ms: u64) -> Values {
        let mut settings = Values::new();
        let mut next = NextChange::default();
        let known = self.rsc(resource);
        let provider = known.provider.as_deref().unwrap_or("");
        let input = RuleInput {
            now: self.now,
            agent: Some((&known.class, provider, &known.type_)),
            operation: Some((task, interval_ms)),
            ..RuleInput::default()
        };
        let element = self.described_operation(resource, task, interval_ms).map(|op| op.element);
        if let Some(element) = element {
            for (name, value) in element.attributes() {
                if !matches!(name, "id") {
                    settings.insert(name.to_owned(), value.to_owned());
                }
            }
            nvpairs::unpack(element, "meta_attributes", None, &input, &mut next, &mut settings);
        }
        if task == "monitor"
            && interval_ms == 0
            && !settings.contains_key("timeout")
            && let Some(timeout) = self.probe_timeout(resource)
        {
            settings.insert("timeout".into(), timeout);
        }
        if let Some(defaults) = self.operation_defaults() {
            nvpairs::unpack(defaults, "meta_attributes", None, &input, &mut next, &mut settings);
        }
        settings
    }

    /// The settings of an operation that belongs to no primitive: what `op_defaults` says about all.
    pub(crate) fn default_settings(&self, task: &str, interval_ms: u64) -> Values {
        let mut settings = Values::new();
        let input = RuleInput { now: self.now, operation: Some((task, interval_ms)), ..RuleInput::default() };
        if let Some(defaults) = self.operation_defaults() {
            nvpairs::unpack(
                defaults,
                "meta_attributes",
                None,
                &input,
                &mut NextChange::default(),
                &mut settings,
            );
        }
        settings
    }

    fn operation_defaults(&self) -> Option<Element<'a>> {
        self.document
            .root()
            .child("configuration")
            .and_then(|configuration| configuration.child("op_defaults"))
    }

    /// A probe without a timeout of its own uses that of the most frequent monitor.
    fn probe_timeout(&self, resource: ResourceId) -> Option<String> {
        let monitors = self
            .rsc(resource)
            .ops
            .iter()
            .filter(|op| op.name == "monitor" && op.interval_ms > 0 && op.enabled);
        let fastest = monitors.min_by_key(|op| op.interval_ms)?;
        fastest.element.attribute("timeout").map(str::to_owned)
    }

    /// What the configuration says about a failure of an operation.
    pub(crate) fn on_fail(&mut self, resource: ResourceId, task: &str, interval_ms: u64) -> OnFail {
        let fences = self.properties.stonith;
        let known = self.task(task);
        let settings = self.settings_for(Some(resource), known, interval_ms);
        match settings.values.get("on_fail").map(String::as_str) {
            Some("ignore" | "nothing") => return OnFail::Ignore,
            Some("block") => return OnFail::Block,
            Some("fence") => return if fences { OnFail::Fence } else { OnFail::Stop },
            Some("standby") => return OnFail::Standby,
            Some("migrate") => return OnFail::Ban,
            Some("stop") => return OnFail::Stop,
            Some("restart") => return OnFail::Restart,
            Some("restart-container") if self.rsc(resource).container.is_some() => {
                return OnFail::RestartContainer;
            }
            Some("demote") => return OnFail::Demote,
            _ => {}
        }
        match task {
            "stop" if fences => OnFail::Fence,
            "stop" => OnFail::Block,
            // What fails inside of something shows that the outer one has failed.
            _ if self.rsc(resource).container.is_some() => OnFail::RestartContainer,
            _ => OnFail::Restart,
        }
    }
}
