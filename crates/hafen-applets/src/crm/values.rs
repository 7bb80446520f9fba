//! The level `configure`: values by their paths, options, what agents advise, and the schema.

use hafen_cib::catalogue::{CLUSTER, Described};
use hafen_cib::metadata::{Action, AgentMetadata};
use hafen_cib::values::{parse_boolean, parse_duration_ms};
use hafen_cib::{Cib, Element, NodeId, SCHEMA};

use super::shell::{Outcome, Shell, call};
use super::{configure, ra, ra_info};
use crate::output;
use crate::source::{self, Chosen};

pub(super) fn set(shell: &mut Shell, words: &[String]) -> Outcome {
    let [path, value] = words else {
        return shell.fail("`set` needs a path (ID.NAME, or ID.OPERATION[.INTERVAL].NAME) and a value");
    };
    let done = hafen_crm::set(&mut shell.draft()?.work, path, value);
    done.or_else(|error| shell.fail(&error.to_string()))
}

/// The value that is configured for an option of the cluster: the first one counts.
fn configured<'c>(cib: &'c Cib, name: &str) -> Option<&'c str> {
    let sets = cib.crm_config().into_iter().flat_map(|config| config.children_named("cluster_property_set"));
    let mut pairs = sets.flat_map(|set| set.children_named("nvpair"));
    pairs.find(|pair| pair.attribute("name") == Some(name))?.attribute("value")
}

pub(super) fn get_property(shell: &mut Shell, words: &[String]) -> Outcome {
    let is_truth = |word: &&String| *word == "-t" || *word == "--true";
    let as_truth = words.iter().any(|word| is_truth(&word));
    let names: Vec<&String> = words.iter().filter(|word| !is_truth(word)).collect();
    let name = match names.as_slice() {
        [] => {
            CLUSTER.iter().filter(|option| !option.deprecated).for_each(|option| outln!("{}", option.name));
            return Ok(());
        }
        [name] => name.as_str(),
        _ => return shell.fail("`get-property` takes one name"),
    };
    let known: Option<&Described> = CLUSTER.iter().find(|option| option.name == name);
    let default = known.and_then(|option| option.default);
    let value = configured(&shell.draft()?.work, name).or(default).map(str::to_owned);
    if as_truth {
        outln!("{}", value.as_deref().and_then(parse_boolean).unwrap_or(false));
        return Ok(());
    }
    if let Some(value) = value {
        outln!("{value}");
        return Ok(());
    }
    let near = hafen_crm::nearest(name, CLUSTER.iter().map(|option| option.name));
    let hint = match (known, near) {
        (Some(_), _) => "it is not set, and has no default".to_owned(),
        (None, Some(near)) => format!("there is no such option: did you mean `{near}`?"),
        (None, None) => "there is no such option, and it is not set".to_owned(),
    };
    shell.fail(&format!("{name}: {hint}"))
}

pub(super) fn schema(shell: &mut Shell, words: &[String]) -> Outcome {
    if !words.is_empty() {
        return shell
            .fail(&format!("`upgrade force` brings the configuration to {SCHEMA}; no other is chosen"));
    }
    let schema = shell.draft()?.work.root().attribute("validate-with").map(str::to_owned);
    outln!("{}", schema.unwrap_or_default());
    Ok(())
}

pub(super) fn upgrade(shell: &mut Shell, words: &[String]) -> Outcome {
    let is_sure = shell.settings.force || matches!(words, [word] if word == "force");
    if !is_sure {
        return shell
            .fail(&format!("this brings the configuration to {SCHEMA} at once: say `upgrade force`"));
    }
    if shell.changed_draft().is_some() {
        return shell.fail("there are changes that are not committed: `commit` or `refresh` first");
    }
    shell.forget_draft();
    call(crate::cibadmin::run, &["--upgrade", "--force"])
}

/// Asks the agent of a resource as it is being configured: committed it need not be.
pub(super) fn validate_all(shell: &mut Shell, words: &[String]) -> Outcome {
    let [id] = words else { return shell.fail("`validate-all` needs the id of a resource") };
    let text = shell.draft()?.work.root().to_xml() + "\n";
    let file = configure::tempfile(&text, "xml")
        .map_err(|error| shell.failed(&format!("no file for the agent: {}", output::reason(&error))))?;
    let before = source::choose(Chosen::File(file.path().to_owned()));
    let outcome = call(crate::crm_resource::run, &["--validate", "-r", id]);
    source::choose(before);
    outcome
}

pub(super) fn default_timeouts(shell: &mut Shell, words: &[String]) -> Outcome {
    if words.is_empty() {
        return shell.fail("`default-timeouts` needs the ids of primitives");
    }
    for id in words {
        let name = match agent_of(&shell.draft()?.work, id) {
            Ok(name) => name,
            Err(text) => return shell.fail(&text),
        };
        let agent = ra::agent(shell, &[&name])?;
        let metadata = ra::metadata(shell, &agent)?;
        let notes = advise(&mut shell.draft()?.work, id, &metadata);
        notes.iter().for_each(|note| outln!("{note}"));
    }
    Ok(())
}

/// The agent of a primitive or a template, with what comes from its template.
pub(super) fn agent_of(cib: &Cib, id: &str) -> Result<String, String> {
    let found = primitive(cib, id).ok_or_else(|| match cib.document().by_id(id) {
        Some(_) => format!("{id} is not a primitive"),
        None => format!("object {id} does not exist"),
    })?;
    let of = match found.attribute("template") {
        Some(template) => cib.document().all_by_id(template).into_iter().find(|one| one.name() == "template"),
        None => Some(found),
    };
    let of = of.ok_or_else(|| format!("the template of {id} does not exist"))?;
    let parts = ["class", "provider", "type"].into_iter().filter_map(|name| of.attribute(name));
    Ok(parts.collect::<Vec<_>>().join(":"))
}

/// A primitive, or a template of some.
pub(super) fn primitive<'c>(cib: &'c Cib, id: &str) -> Option<Element<'c>> {
    let found = cib.document().all_by_id(id).into_iter();
    found.into_iter().find(|one| matches!(one.name(), "primitive" | "template"))
}

/// The action of the agent that an operation is: of its role and its depth where there are several.
fn action_of<'m>(operation: Element<'_>, metadata: &'m AgentMetadata) -> Option<&'m Action> {
    let name = operation.attribute("name")?;
    let depth = operation
        .descendants()
        .find(|pair| pair.attribute("name") == Some("OCF_CHECK_LEVEL"))
        .and_then(|pair| pair.attribute("value"))
        .and_then(|depth| depth.parse().ok())
        .unwrap_or(0);
    let actions = || metadata.actions.iter().filter(|action| action.name == name);
    let role = operation.attribute("role").map(str::to_owned);
    actions()
        .find(|action| action.depth == depth && action.role == role)
        .or_else(|| actions().find(|action| action.depth == depth))
        .or_else(|| actions().next())
}

/// The timeout that an operation has without one of its own: its template's, or what holds for all operations.
fn inherited_timeout(cib: &Cib, found: Element<'_>, name: &str, interval: &str) -> Option<String> {
    let template = found.attribute("template").and_then(|id| primitive(cib, id));
    let operations = template
        .into_iter()
        .flat_map(|one| one.children_named("operations"))
        .flat_map(|all| all.children_named("op"));
    let alike = |one: &Element<'_>| {
        let its = one.attribute("interval").unwrap_or("0");
        one.attribute("name") == Some(name) && parse_duration_ms(its) == parse_duration_ms(interval)
    };
    let of_template = operations.filter(alike).find_map(|one| one.attribute("timeout"));
    let defaults = cib.section("op_defaults").into_iter().flat_map(Element::descendants);
    let of_all = || {
        defaults
            .filter(|pair| pair.attribute("name") == Some("timeout"))
            .find_map(|pair| pair.attribute("value"))
    };
    of_template.or_else(of_all).map(str::to_owned)
}

/// Gives each operation at least the time that the agent advises; one that has more keeps it. Answers what was done.
fn advise(cib: &mut Cib, id: &str, metadata: &AgentMetadata) -> Vec<String> {
    const USUAL: [&str; 4] = ["start", "stop", "promote", "demote"];
    let Some(found) = primitive(cib, id) else { return Vec::new() };
    let holder = found.node();
    let operations = || found.children_named("operations").flat_map(|all| all.children_named("op"));
    let inherited = |name: &str, interval: &str| inherited_timeout(cib, found, name, interval);
    let mut wanted: Vec<(NodeId, String, u64, Option<String>)> = Vec::new();
    for operation in operations() {
        let advised = action_of(operation, metadata).and_then(|action| action.timeout_ms);
        let name = operation.attribute("name").unwrap_or_default();
        let interval = operation.attribute("interval").unwrap_or("0");
        let title = if name == "monitor" { format!("{name} {interval}") } else { name.to_owned() };
        let had = operation.attribute("timeout").map(str::to_owned).or_else(|| inherited(name, interval));
        wanted.extend(advised.map(|advised| (operation.node(), title, advised, had)));
    }
    let has = |name: &str| operations().any(|operation| operation.attribute("name") == Some(name));
    let missing: Vec<(&str, u64)> = USUAL
        .into_iter()
        .filter(|name| !has(name))
        .filter_map(|name| Some((name, metadata.action(name)?.timeout_ms?)))
        .filter(|(name, advised)| {
            inherited(name, "0").as_deref().and_then(parse_duration_ms).is_none_or(|had| had < *advised)
        })
        .collect();
    let place = found.child("operations").map(Element::node);
    let mut notes = Vec::new();
    for (node, title, advised, had) in wanted {
        let enough = had.as_deref().and_then(parse_duration_ms).is_some_and(|had| had >= advised);
        let told = had.map_or_else(String::new, |had| format!(" (was {had})"));
        if enough {
            continue;
        }
        cib.document_mut().set_attribute(node, "timeout", &ra_info::time(advised));
        notes.push(format!("{id}: {title}: timeout {}{told}", ra_info::time(advised)));
    }
    if missing.is_empty() {
        return notes;
    }
    let document = cib.document_mut();
    let place = place.unwrap_or_else(|| document.append_element(holder, "operations"));
    for (name, advised) in missing {
        let made = format!("{id}-{name}-0s");
        if document.by_id(&made).is_some() {
            notes.push(format!("{id}: {name}: nothing is done, as something else has the id {made}"));
            continue;
        }
        let operation = document.append_element(place, "op");
        let time = ra_info::time(advised);
        for (attribute, value) in
            [("name", name), ("timeout", time.as_str()), ("interval", "0s"), ("id", made.as_str())]
        {
            document.set_attribute(operation, attribute, value);
        }
        notes.push(format!("{id}: {name}: timeout {time}"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"<resource-agent name="x"><actions><action name="start" timeout="20s"/>
        <action name="promote" timeout="10s"/><action name="stop" timeout="30s"/>
        <action name="monitor" timeout="20s" depth="0"/><action name="monitor" timeout="40s" depth="10"/>
        <action name="monitor" timeout="15s" role="Promoted"/></actions></resource-agent>"#;

    #[test]
    fn what_is_inherited_is_not_made_shorter() {
        let text = "rsc_template t ocf:test:x op start timeout=60s\nprimitive p @t op stop timeout=40s\n\
            op_defaults timeout=25s\n";
        let statements = hafen_crm::parse(text).expect("it parses");
        let mut cib = Cib::new();
        hafen_crm::apply(&mut cib, &statements, hafen_crm::Mode::Update).expect("it fits");
        let metadata = AgentMetadata::parse(METADATA).expect("it parses");
        assert_eq!(advise(&mut cib, "p", &metadata), [""; 0], "25 s for all others is more than advised");
    }

    #[test]
    fn operations_get_at_least_the_time_that_the_agent_advises() {
        let text = "primitive p ocf:test:x op start timeout=60s op stop timeout=5s op monitor interval=10s \
            op monitor interval=20s op_params OCF_CHECK_LEVEL=10 op monitor interval=5s role=Promoted timeout=1s\n";
        let mut cib = Cib::new();
        hafen_crm::apply(&mut cib, &hafen_crm::parse(text).expect("a text"), hafen_crm::Mode::Update)
            .expect("it fits");
        let metadata = AgentMetadata::parse(METADATA).expect("metadata");
        let notes = advise(&mut cib, "p", &metadata);
        assert_eq!(
            notes,
            [
                "p: stop: timeout 30s (was 5s)",
                "p: monitor 10s: timeout 20s",
                "p: monitor 20s: timeout 40s",
                "p: monitor 5s: timeout 15s (was 1s)",
                "p: promote: timeout 10s",
            ]
        );
        let shown = hafen_crm::show(&cib, &hafen_crm::Filter::default());
        assert!(
            shown.contains("op start timeout=60s") && shown.contains("op promote timeout=10s"),
            "{shown}"
        );
        assert_eq!(advise(&mut cib, "p", &metadata), Vec::<String>::new(), "once is enough");
    }
}
