//! The agents of this host and what they say of themselves, asked in the background: nobody waits for an agent while typing.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use hafen_agents::{AgentClass, AgentName, AgentPaths, Agents};
use hafen_cib::metadata::AgentMetadata;

use crate::output;

/// How long somebody who asks for a completion waits for an agent.
const WAIT: Duration = Duration::from_secs(2);
/// More agents are not asked at once.
const ASKED_AT_ONCE_MAXIMUM: usize = 4;
const CLASSES: [AgentClass; 5] =
    [AgentClass::Ocf, AgentClass::Stonith, AgentClass::Systemd, AgentClass::Service, AgentClass::Lsb];

/// What an agent said, if it has.
enum Said {
    Asked,
    Known(Option<Arc<AgentMetadata>>),
}

#[derive(Default)]
struct Known {
    agents: Option<Vec<AgentName>>,
    said: BTreeMap<String, Said>,
}

#[derive(Default)]
struct Shared {
    known: Mutex<Known>,
    learned: Condvar,
}

/// The agents that are installed.
#[derive(Clone)]
pub(super) struct Installed(Arc<Shared>);

impl Installed {
    /// Begins to look for agents.
    pub(super) fn look() -> Self {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            let paths = AgentPaths::default();
            let agents = CLASSES.iter().flat_map(|class| paths.list(*class).unwrap_or_default()).collect();
            of_thread.learn(|known| known.agents = Some(agents));
        });
        Self(shared)
    }

    /// The agents, once they are known.
    pub(super) fn names(&self) -> Vec<AgentName> {
        self.0.wait(|known| known.agents.clone()).unwrap_or_default()
    }

    /// Asks an agent about itself, if it is one, and was not asked.
    pub(super) fn ask(&self, agent: &str) {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = known.said.values().filter(|said| matches!(said, Said::Asked)).count();
        if known.said.contains_key(agent) || asked >= ASKED_AT_ONCE_MAXIMUM {
            return;
        }
        let Ok(name) = agent.parse::<AgentName>() else { return };
        known.said.insert(agent.to_owned(), Said::Asked);
        drop(known);
        let (shared, agent) = (Arc::clone(&self.0), agent.to_owned());
        std::thread::spawn(move || {
            let said = output::waited(Agents::default().describe(&name)).ok().and_then(Result::ok);
            shared.learn(|known| _ = known.said.insert(agent, Said::Known(said.map(Arc::new))));
        });
    }
}

impl Shared {
    fn learn(&self, learn: impl FnOnce(&mut Known)) {
        learn(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
        self.learned.notify_all();
    }

    /// What is known, or will be in a moment.
    fn wait<T>(&self, mut get: impl FnMut(&Known) -> Option<T>) -> Option<T> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.learned.wait_timeout_while(known, WAIT, |known| get(known).is_none());
        get(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl hafen_crm::Catalogue for Installed {
    fn agents(&self) -> Vec<(String, String)> {
        let names = self.names();
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let about = |name: &str| match known.said.get(name) {
            Some(Said::Known(Some(metadata))) => metadata.short_description.clone(),
            _ => String::new(),
        };
        names.iter().map(ToString::to_string).map(|name| (name.clone(), about(&name))).collect()
    }

    fn metadata(&self, agent: &str) -> Option<Arc<AgentMetadata>> {
        self.ask(agent);
        let said = self.0.wait(|known| match known.said.get(agent) {
            Some(Said::Known(said)) => Some(said.clone()),
            Some(Said::Asked) => None,
            // Too many were asked at once.
            None => Some(None),
        });
        said.flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hafen_crm::Catalogue;

    #[test]
    fn an_agent_that_is_not_there_says_nothing() {
        let installed = Installed::look();
        assert!(installed.metadata("ocf:nobody:has-this").is_none());
        assert!(installed.metadata("no agent's name").is_none());
    }
}
