//! What agents tell of themselves: which parameters they can take while they run (`reload-agent`). It is on record with
//! what brings a resource up, so such a result waits until its agent was asked, and later ones behind it: a host's results count
//! in the order of their sequence.

use std::collections::{BTreeMap, VecDeque};

use hafen_cib::metadata::AgentMetadata;
use hafen_protocol::message::OperationResult;

use super::*;

/// So many agents are remembered; beyond that each is asked anew.
const AGENTS_MAXIMUM: usize = 1000;

/// What is known of agents.
#[derive(Default)]
pub(super) struct Agents {
    /// The parameters whose change forces a restart, by agent; none: every change does.
    known: BTreeMap<String, Option<Vec<String>>>,
    /// Which agent a question is about.
    asked: BTreeMap<u64, String>,
    /// Results that wait for an answer, the oldest first.
    waiting: VecDeque<OperationResult>,
}

impl Agents {
    /// The executor is lost: it tells again what was not acknowledged.
    pub(super) fn forget_waiting(&mut self) {
        self.asked.clear();
        self.waiting.clear();
    }

    /// The next result that waits for nothing any more.
    fn next(&mut self) -> Option<OperationResult> {
        let name = name_of(self.waiting.front()?);
        if name.is_some_and(|name| self.asked.values().any(|asked| *asked == name)) {
            return None;
        }
        let mut result = self.waiting.pop_front()?;
        self.complete(&mut result);
        Some(result)
    }

    /// An agent told of itself, or did not: then every change forces a restart. False: it was not asked here.
    fn answered(&mut self, request_id: u64, metadata: &Result<String, String>) -> bool {
        let Some(name) = self.asked.remove(&request_id) else { return false };
        if self.known.len() >= AGENTS_MAXIMUM {
            self.known.clear();
        }
        // One that did not answer is not asked again: each result would wait for it.
        self.known.insert(name, metadata.as_ref().ok().and_then(|text| restart_parameters(text)));
        true
    }

    /// Adds what is known to a result.
    pub(super) fn complete(&self, result: &mut OperationResult) {
        if let Some(name) = name_of(result)
            && let Some(parameters) = self.known.get(&name)
        {
            result.restart_parameters.clone_from(parameters);
        }
    }
}

impl Shell {
    /// An operation ended: told to the node, when its agent is known.
    pub(super) fn operation_ended(&mut self, result: OperationResult) {
        let is_asked = |name: &String| self.agents.asked.values().any(|asked| asked == name);
        let unknown =
            name_of(&result).filter(|name| !self.agents.known.contains_key(name) && !is_asked(name));
        if let Some(name) = unknown
            && let Ok(agent) = to_operation(&result.order).map(|operation| operation.agent)
        {
            self.fences.last_description += 1;
            let request_id = self.fences.last_description;
            if self.ask_executor(wire::Request::Metadata { request_id, agent }) {
                self.agents.asked.insert(request_id, name);
            }
        }
        self.agents.waiting.push_back(result);
        self.tell_results();
    }

    /// An agent told of itself, or did not. False: somebody else had asked.
    pub(super) fn resource_agent_described(
        &mut self,
        request_id: u64,
        metadata: &Result<String, String>,
    ) -> bool {
        let is_ours = self.agents.answered(request_id, metadata);
        self.tell_results();
        is_ours
    }

    fn tell_results(&mut self) {
        while let Some(result) = self.agents.next() {
            self.feed(Input::OperationEnded(Box::new(result)));
        }
    }
}

/// The agent whose meta-data counts for a result: only what brings a resource up, or finds it, has it on record.
fn name_of(result: &OperationResult) -> Option<String> {
    let order = &result.order;
    let counts = order.interval_ms == 0
        && matches!(order.task.as_str(), "start" | "monitor" | "promote" | "reload-agent" | "migrate_from");
    let provider = order.provider.as_deref().filter(|_| counts && order.class == "ocf")?;
    Some(format!("{provider}:{}", order.agent))
}

/// The parameters whose change forces a restart; nothing where every change does.
fn restart_parameters(metadata: &str) -> Option<Vec<String>> {
    let metadata = AgentMetadata::parse(metadata).ok()?;
    // `reloadable` means something since OCF 1.1.
    let mut version = metadata.version.split('.').map_while(|part| part.parse::<u32>().ok());
    let version = (version.next().unwrap_or(0), version.next().unwrap_or(0));
    let fixed = metadata.parameters.iter().filter(|parameter| !parameter.reloadable);
    (version >= (1, 1) && metadata.can_reload())
        .then(|| fixed.map(|parameter| parameter.name.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(sequence: u64, class: &str, agent: &str) -> OperationResult {
        let provider = (class == "ocf").then(|| "test".to_owned());
        let order = hafen_protocol::message::Execute {
            class: class.to_owned(),
            provider,
            agent: agent.to_owned(),
            task: "monitor".to_owned(),
            host: hafen_protocol::HostId(1),
            resource: "vm1".to_owned(),
            interval_ms: 0,
            timeout_ms: 20_000,
            operation_key: "vm1_monitor_0".to_owned(),
            transition_key: "1:1:7:uuid".to_owned(),
            parameters: BTreeMap::new(),
            meta: BTreeMap::new(),
            ordered_at: 0,
        };
        OperationResult {
            rc: 0,
            op_status: 0,
            exit_reason: String::new(),
            output: String::new(),
            started_wall_ms: 0,
            ended_wall_ms: 0,
            queue_time_ms: 0,
            restart_parameters: None,
            sequence,
            order,
        }
    }

    #[test]
    fn no_result_overtakes_one_that_waits_for_its_agent() {
        let mut agents = Agents::default();
        agents.asked.insert(1, "test:slow".to_owned());
        agents.waiting.push_back(result(1, "ocf", "slow"));
        agents.waiting.push_back(result(2, "stonith", "fence_x"));
        assert!(agents.next().is_none(), "the node would take the first one for an old one");
        assert!(!agents.answered(2, &Err(String::new())));
        assert!(agents.answered(1, &Err("it is gone".to_owned())));
        let told: Vec<u64> = std::iter::from_fn(|| agents.next()).map(|result| result.sequence).collect();
        assert_eq!(told, [1, 2]);
    }

    #[test]
    fn what_cannot_be_reloaded_forces_a_restart() {
        let text = |version: &str, action: &str| {
            format!(
                r#"<resource-agent name="x"><version>{version}</version><parameters><parameter name="state"/><parameter name="fake" reloadable="1"/>
                </parameters><actions><action name="{action}"/></actions></resource-agent>"#
            )
        };
        assert_eq!(restart_parameters(&text("1.1", "reload-agent")), Some(vec!["state".to_owned()]));
        assert_eq!(
            restart_parameters(&text("1.1", "reload")),
            None,
            "the agent's own service reloads, not its parameters"
        );
        assert_eq!(restart_parameters(&text("1", "reload-agent")), None);
        assert_eq!(restart_parameters("garbage"), None);
    }
}
