//! What agents tell of themselves: which parameters they can take while they run (`reload-agent`). It is on record with
//! what brings a resource up, so such a result waits until its agent was asked.

use std::collections::BTreeMap;

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
    /// Results that wait for an answer, by agent.
    waiting: BTreeMap<String, Vec<OperationResult>>,
}

impl Agents {
    /// The executor is lost: it tells again what was not acknowledged.
    pub(super) fn forget_waiting(&mut self) {
        self.asked.clear();
        self.waiting.clear();
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
    pub(super) fn operation_ended(&mut self, mut result: Box<OperationResult>) {
        let unknown = name_of(&result).filter(|name| !self.agents.known.contains_key(name));
        if let Some(name) = unknown
            && let Ok(agent) = to_operation(&result.order).map(|operation| operation.agent)
        {
            if !self.agents.waiting.contains_key(&name) {
                self.fences.last_description += 1;
                let request_id = self.fences.last_description;
                if !self.ask_executor(wire::Request::Metadata { request_id, agent }) {
                    return self.feed(Input::OperationEnded(result));
                }
                self.agents.asked.insert(request_id, name.clone());
            }
            return self.agents.waiting.entry(name).or_default().push(*result);
        }
        self.agents.complete(&mut result);
        self.feed(Input::OperationEnded(result));
    }

    /// An agent told of itself, or did not. False: somebody else had asked.
    pub(super) fn resource_agent_described(
        &mut self,
        request_id: u64,
        metadata: &Result<String, String>,
    ) -> bool {
        let Some(name) = self.agents.asked.remove(&request_id) else { return false };
        let restart_parameters = metadata.as_ref().ok().and_then(|text| restart_parameters(text));
        if self.agents.known.len() >= AGENTS_MAXIMUM {
            self.agents.known.clear();
        }
        // One that is not installed, say, is asked again the next time.
        if metadata.is_ok() {
            self.agents.known.insert(name.clone(), restart_parameters);
        }
        for mut result in self.agents.waiting.remove(&name).unwrap_or_default() {
            self.agents.complete(&mut result);
            self.feed(Input::OperationEnded(Box::new(result)));
        }
        true
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
