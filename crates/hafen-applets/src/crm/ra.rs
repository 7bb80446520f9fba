//! The level `ra`: agents.

use std::collections::BTreeSet;
use std::io::IsTerminal;

use hafen_agents::{AgentClass, AgentName, Agents};
use hafen_cib::metadata::AgentMetadata;

use super::ra_info;
use super::shell::{Outcome, Shell, call};
use crate::crm_resource::agents::{CLASSES, all};
use crate::{fence_metadata, option_lists, output};

/// How wide a list may be.
const COLUMNS: usize = 80;

fn class_of(shell: &Shell, name: &str) -> Result<AgentClass, std::process::ExitCode> {
    if let Some((_, class)) = CLASSES.iter().find(|(known, _)| *known == name) {
        return Ok(*class);
    }
    let near = hafen_crm::nearest(name, CLASSES.iter().map(|(known, _)| *known));
    let hint =
        near.map_or_else(|| "`classes` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
    Err(shell.failed(&format!("there is no class {name}: {hint}")))
}

fn providers_of(agents: &[AgentName]) -> Vec<&str> {
    let providers: BTreeSet<&str> = agents.iter().filter_map(|agent| agent.provider.as_deref()).collect();
    providers.into_iter().collect()
}

pub(super) fn classes(_shell: &mut Shell, _words: &[String]) -> Outcome {
    for (name, class) in CLASSES {
        let agents = all(class);
        match providers_of(&agents).as_slice() {
            [] if agents.is_empty() => {}
            [] => outln!("{name}"),
            providers => outln!("{name} / {}", providers.join(" ")),
        }
    }
    Ok(())
}

pub(super) fn list(shell: &mut Shell, words: &[String]) -> Outcome {
    let (class, provider) = match words {
        // As agents are written elsewhere.
        [one] => {
            one.split_once(':').map_or((one.as_str(), None), |(class, provider)| (class, Some(provider)))
        }
        [class, provider] => (class.as_str(), Some(provider.as_str())),
        _ => return shell.fail("`list` needs a class, and takes a provider"),
    };
    let agents = all(class_of(shell, class)?);
    if let Some(provider) = provider
        && !providers_of(&agents).contains(&provider)
    {
        let known = providers_of(&agents);
        let near = hafen_crm::nearest(provider, known.iter().copied());
        let hint = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
        return shell.fail(&format!("class {class} has no provider {provider} here{hint}"));
    }
    let kinds: BTreeSet<&str> = agents
        .iter()
        .filter(|agent| provider.is_none() || agent.provider.as_deref() == provider)
        .map(|agent| agent.kind.as_str())
        .collect();
    let kinds: Vec<&str> = kinds.into_iter().collect();
    // A line each for programs.
    let width = if std::io::stdout().is_terminal() { COLUMNS } else { 0 };
    out!("{}", columns(&kinds, width));
    Ok(())
}

/// Words in columns of one width, down and not across.
fn columns(words: &[&str], width: usize) -> String {
    let widest = words.iter().map(|word| word.chars().count()).max().unwrap_or(0) + 2;
    let count = (width / widest).max(1);
    let rows = words.len().div_ceil(count);
    let mut text = String::new();
    for row in 0..rows {
        let line: String =
            words.iter().skip(row).step_by(rows).map(|word| format!("{word:<widest$}")).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}

pub(super) fn providers(shell: &mut Shell, words: &[String]) -> Outcome {
    let (kind, class) = match words {
        [kind] => (kind, "ocf"),
        [kind, class] => (kind, class.as_str()),
        _ => return shell.fail("`providers` needs the type of an agent, and takes a class"),
    };
    let agents: Vec<AgentName> =
        all(class_of(shell, class)?).into_iter().filter(|agent| agent.kind == *kind).collect();
    if agents.is_empty() {
        return shell
            .fail(&format!("there is no agent {kind} of class {class} here: `list {class}` prints all"));
    }
    match providers_of(&agents).as_slice() {
        [] => return shell.fail(&format!("agents of class {class} have no providers")),
        providers => outln!("{}", providers.join(" ")),
    }
    Ok(())
}

/// The agent that is meant. A type alone is of `ocf:heartbeat`, as everywhere in the language, else of whoever has one.
pub(super) fn agent(shell: &Shell, words: &[&str]) -> Result<AgentName, std::process::ExitCode> {
    let wrong = |name: &str| shell.failed(&format!("{name} is no agent: it is [CLASS:[PROVIDER:]]TYPE"));
    let parts: Vec<&str> = match words {
        [one] => one.splitn(3, ':').collect(),
        // The old order: TYPE CLASS [PROVIDER].
        [kind, class] => vec![class, kind],
        [kind, class, provider] => vec![class, provider, kind],
        _ => return Err(shell.failed("it needs an agent: [CLASS:[PROVIDER:]]TYPE")),
    };
    let found = match parts.as_slice() {
        ["ocf", kind] => AgentName::new("ocf", Some("heartbeat"), kind),
        [class, kind] => AgentName::new(class, None, kind),
        [class, provider, kind] => AgentName::new(class, Some(provider), kind),
        [kind] => {
            let usual = AgentName::new("ocf", Some("heartbeat"), kind);
            let is_there = |agent: &AgentName| Agents::default().paths.find(agent).is_ok();
            match usual {
                Ok(agent) if is_there(&agent) => return Ok(agent),
                usual => {
                    let mut others = CLASSES.iter().flat_map(|(_, class)| all(*class));
                    return others
                        .find(|agent| agent.kind == *kind)
                        .map_or_else(|| usual.map_err(|_| wrong(kind)), Ok);
                }
            }
        }
        _ => return Err(wrong(&words.join(" "))),
    };
    found.map_err(|_| wrong(&words.join(" ")))
}

/// What an agent says of itself.
pub(super) fn metadata(shell: &Shell, agent: &AgentName) -> Result<AgentMetadata, std::process::ExitCode> {
    let asked = output::waited(Agents::default().metadata(agent)).map_err(|failed| shell.told(&failed))?;
    let text = asked.map_err(|error| shell.failed(&error.to_string()))?;
    let text = if agent.class == AgentClass::Stonith { fence_metadata::as_told(&text) } else { text };
    parsed(shell, &agent.to_string(), &text)
}

fn parsed(shell: &Shell, name: &str, text: &str) -> Result<AgentMetadata, std::process::ExitCode> {
    AgentMetadata::parse(text)
        .map_err(|error| shell.failed(&format!("the metadata of {name} cannot be read: {error}")))
}

pub(super) fn info(shell: &mut Shell, words: &[String]) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (name, metadata) = match words.as_slice() {
        [name] if option_lists::metadata_of(name).is_some() => {
            let text = option_lists::metadata_of(name).unwrap_or_default();
            ((*name).to_owned(), parsed(shell, name, &text)?)
        }
        words => {
            let agent = agent(shell, words)?;
            (agent.to_string(), metadata(shell, &agent)?)
        }
    };
    shell.page(&ra_info::description(&name, &metadata));
    Ok(())
}

pub(super) fn validate(shell: &mut Shell, words: &[String]) -> Outcome {
    let Some((name, pairs)) = words.split_first() else {
        return shell.fail("`validate` needs an agent, and takes parameters NAME=VALUE");
    };
    if let Some(word) = pairs.iter().find(|word| !word.contains('=')) {
        return shell.fail(&format!("`{word}` is no parameter: it is NAME=VALUE"));
    }
    let agent = agent(shell, &[name])?;
    let class = agent.class.as_str();
    let mut call_words = vec!["--validate", "--class", class, "--agent", &agent.kind];
    call_words.extend(agent.provider.iter().flat_map(|provider| ["--provider", provider.as_str()]));
    call_words.extend(pairs.iter().flat_map(|pair| ["--option", pair.as_str()]));
    call(crate::crm_resource::run, &call_words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_down_its_columns() {
        let words = ["a", "bb", "ccc", "d", "e"];
        assert_eq!(columns(&words, 0), "a\nbb\nccc\nd\ne\n");
        assert_eq!(columns(&words, 10), "a    d\nbb   e\nccc\n");
        assert_eq!(columns(&[], 80), "");
    }
}
