//! `resource trace`: agents write down each step that they take.

use std::process::ExitCode;

use hafen_cib::values::parse_duration_ms;
use hafen_cib::{Cib, Document, Element, NodeId};

use super::shell::{Outcome, Shell};
use super::values::{agent_of, primitive};
use crate::output::{CrmExit, Failed};
use crate::pairs::{Ids, set_pair};

/// The parameter of an operation that has an OCF agent trace itself, and the one that says where to.
const TRACE: &str = "trace_ra";
const FOLDER: &str = "trace_dir";
/// Where agents write to that are not told.
const FOLDER_DEFAULT: &str = "/var/lib/heartbeat/trace_ra";

/// Which operations of a resource are meant.
struct Meant<'w> {
    id: &'w str,
    operation: Option<&'w str>,
    interval_ms: Option<u64>,
    folder: Option<&'w str>,
}

fn meant<'w>(shell: &Shell, words: &'w [String], usage: &str) -> Result<Meant<'w>, ExitCode> {
    let wrong = || shell.failed(&format!("it is `{usage}`"));
    let mut words = words.iter().map(String::as_str);
    let id = words.next().ok_or_else(wrong)?;
    let operation = words.next();
    let interval = words.next();
    let folder = words.next();
    if words.next().is_some() || folder.is_some_and(|folder| !folder.starts_with('/')) {
        return Err(wrong());
    }
    let interval_ms = match (operation, interval) {
        (Some("probe"), None | Some("0")) => Some(0),
        (_, None) => None,
        (_, Some(text)) => Some(parse_duration_ms(text).ok_or_else(wrong)?),
    };
    let operation = operation.map(|name| if name == "probe" { "monitor" } else { name });
    Ok(Meant { id, operation, interval_ms, folder })
}

pub(super) fn trace(shell: &mut Shell, words: &[String]) -> Outcome {
    let meant = meant(shell, words, "trace ID [OPERATION] [INTERVAL] [FOLDER]")?;
    let traced = shell.source()?.change("crm", |cib| begin(cib, &meant).map_err(refused));
    let traced = traced.map_err(|failed| shell.told(&failed))?;
    outln!(
        "traced of {}: {}. The files are in {} on the host where it runs.",
        meant.id,
        traced.join(", "),
        meant.folder.unwrap_or(FOLDER_DEFAULT)
    );
    if traced.iter().any(|name| !name.starts_with("monitor")) {
        outln!(
            "What is not a monitor is traced the next time: `crm resource restart {}` does it now.",
            meant.id
        );
    }
    outln!("`crm resource untrace {}` ends it.", meant.id);
    Ok(())
}

pub(super) fn untrace(shell: &mut Shell, words: &[String]) -> Outcome {
    let meant = meant(shell, words, "untrace ID [OPERATION] [INTERVAL]")?;
    if meant.folder.is_some() {
        return shell.fail("it is `untrace ID [OPERATION] [INTERVAL]`");
    }
    let ended = shell.source()?.change("crm", |cib| end(cib, &meant).map_err(refused));
    let ended = ended.map_err(|failed| shell.told(&failed))?;
    match ended.as_slice() {
        [] => outln!("nothing of {} was traced", meant.id),
        ended => outln!("traced no more of {}: {}", meant.id, ended.join(", ")),
    }
    Ok(())
}

fn refused(text: String) -> Failed {
    Failed::new(CrmExit::NoSuchObject, text)
}

/// The primitive that is meant: of an OCF agent, as others do not know how.
fn resource<'c>(cib: &'c Cib, id: &str) -> Result<Element<'c>, String> {
    let agent = agent_of(cib, id)?;
    if !agent.starts_with("ocf:") {
        return Err(format!("{id} is of {agent}: only agents of class ocf trace themselves"));
    }
    let found = primitive(cib, id).ok_or_else(|| format!("object {id} does not exist"))?;
    match found.attribute("template") {
        // An operation here would take the place of the template's, with its timeout.
        Some(template) => Err(format!("{id} has its operations from {template}: trace that")),
        None => Ok(found),
    }
}

fn operations(resource: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    resource.children_named("operations").flat_map(|all| all.children_named("op"))
}

fn interval_ms(operation: Element<'_>) -> u64 {
    operation.attribute("interval").and_then(parse_duration_ms).unwrap_or(0)
}

fn fits(operation: Element<'_>, meant: &Meant<'_>) -> bool {
    meant.operation.is_none_or(|name| operation.attribute("name") == Some(name))
        && meant.interval_ms.is_none_or(|interval| interval_ms(operation) == interval)
}

fn title(operation: Element<'_>) -> String {
    match (operation.attribute("name").unwrap_or_default(), operation.attribute("interval")) {
        ("monitor", interval) if interval_ms(operation) > 0 => {
            format!("monitor {}", interval.unwrap_or_default())
        }
        ("monitor", _) => "probe".to_owned(),
        (name, _) => name.to_owned(),
    }
}

fn begin(cib: &mut Cib, meant: &Meant<'_>) -> Result<Vec<String>, String> {
    let found = resource(cib, meant.id)?;
    let holder = found.node();
    let mut traced: Vec<NodeId> =
        operations(found).filter(|operation| fits(*operation, meant)).map(Element::node).collect();
    let has = |name: &&str| operations(found).any(|operation| operation.attribute("name") == Some(*name));
    let made: Vec<&str> = match (meant.operation, meant.interval_ms) {
        (None, _) => ["start", "stop"].into_iter().filter(|name| !has(name)).collect(),
        (Some(_), _) if !traced.is_empty() => Vec::new(),
        // Where they recur, they are configured; a probe and all others need not be.
        (Some("monitor"), None) => return Err(format!("{} has no monitor: `probe` is one", meant.id)),
        (Some(name), Some(interval)) if interval > 0 => {
            return Err(format!("{} has no operation {name} with that interval", meant.id));
        }
        (Some(name), _) => vec![name],
    };
    let place = found.child("operations").map(Element::node);
    let document = cib.document_mut();
    for name in made {
        let place = place.or_else(|| document.element(holder).child("operations").map(Element::node));
        let place = place.unwrap_or_else(|| document.append_element(holder, "operations"));
        let id = format!("{}-{name}-0s", meant.id);
        if !hafen_cib::xml::is_name(&id) || document.by_id(&id).is_some() {
            return Err(format!("an operation {name} cannot be made: `{id}` is taken, or is no id"));
        }
        let operation = document.append_element(place, "op");
        for (attribute, value) in [("name", name), ("interval", "0s"), ("id", id.as_str())] {
            document.set_attribute(operation, attribute, value);
        }
        traced.push(operation);
    }
    for operation in &traced {
        mark(document, *operation, meant.folder);
    }
    Ok(traced.iter().map(|operation| title(document.element(*operation))).collect())
}

fn mark(document: &mut Document, operation: NodeId, folder: Option<&str>) {
    let set = format!("{}-instance_attributes", document.element(operation).id().unwrap_or_default());
    let values = [(TRACE, Some("1")), (FOLDER, folder)];
    for (name, value) in values.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        let kind = ("instance_attributes", set.as_str());
        set_pair(document, operation, kind, Ids::default(), name, |_| value.to_owned());
    }
}

fn end(cib: &mut Cib, meant: &Meant<'_>) -> Result<Vec<String>, String> {
    let found = resource(cib, meant.id)?;
    let is_of_trace = |pair: &Element<'_>| {
        pair.name() == "nvpair" && matches!(pair.attribute("name"), Some(TRACE | FOLDER))
    };
    let traced: Vec<NodeId> = operations(found)
        .filter(|operation| fits(*operation, meant) && operation.descendants().any(|pair| is_of_trace(&pair)))
        .map(Element::node)
        .collect();
    let mut ended = Vec::new();
    let holder = found.node();
    let document = cib.document_mut();
    for operation in traced {
        ended.push(title(document.element(operation)));
        let pairs: Vec<NodeId> =
            document.element(operation).descendants().filter(is_of_trace).map(Element::node).collect();
        pairs.into_iter().for_each(|pair| document.remove(pair));
        let empty: Vec<NodeId> = document
            .element(operation)
            .children_named("instance_attributes")
            .filter(|set| set.children().next().is_none() && set.attribute("id-ref").is_none())
            .map(Element::node)
            .collect();
        empty.into_iter().for_each(|set| document.remove(set));
        // What says nothing more was made for this.
        let left = document.element(operation);
        let says = left.attributes().any(|(name, _)| !matches!(name, "id" | "name" | "interval"));
        if !says && interval_ms(left) == 0 && left.children().next().is_none() {
            document.remove(operation);
        }
    }
    let all = document.element(holder).child("operations");
    let nothing = all.filter(|all| all.children().next().is_none() && all.attributes().next().is_none());
    if let Some(nothing) = nothing.map(Element::node) {
        document.remove(nothing);
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cib() -> Cib {
        let text = "primitive d ocf:pacemaker:Dummy op monitor interval=10s timeout=20s\n\
            primitive e ocf:pacemaker:Stateful op monitor interval=10s role=Promoted \
            op monitor interval=11s role=Unpromoted\nprimitive n ocf:pacemaker:Dummy\n\
            rsc_template t ocf:pacemaker:Dummy\nprimitive of-t @t\nprimitive s stonith:null\nclone c e\n";
        let mut cib = Cib::new();
        hafen_crm::apply(&mut cib, &hafen_crm::parse(text).expect("a text"), hafen_crm::Mode::Update)
            .expect("it fits");
        cib
    }

    fn of<'w>(id: &'w str, operation: Option<&'w str>, interval_ms: Option<u64>) -> Meant<'w> {
        Meant { id, operation, interval_ms, folder: None }
    }

    /// As crmsh does it with the same configuration.
    #[test]
    fn what_is_traced_is_what_is_meant_and_untracing_leaves_nothing() {
        for (id, operation, interval_ms, expected) in [
            ("d", None, None, "monitor 10s, start, stop"),
            ("d", Some("start"), None, "start"),
            ("d", Some("monitor"), None, "monitor 10s"),
            ("d", Some("monitor"), Some(10_000), "monitor 10s"),
            ("d", Some("monitor"), Some(0), "probe"),
            ("d", Some("demote"), None, "demote"),
            ("e", None, None, "monitor 10s, monitor 11s, start, stop"),
            ("e", Some("monitor"), None, "monitor 10s, monitor 11s"),
            ("n", None, None, "start, stop"),
            ("t", Some("start"), None, "start"),
        ] {
            let mut changed = cib();
            let meant = of(id, operation, interval_ms);
            let traced = begin(&mut changed, &meant).expect(expected);
            assert_eq!(traced.join(", "), expected);
            let marks = changed.to_xml().matches("name=\"trace_ra\" value=\"1\"").count();
            assert_eq!(marks, traced.len(), "{}", changed.to_xml());
            assert_eq!(end(&mut changed, &of(id, None, None)).expect("it is there").len(), traced.len());
            assert_eq!(changed.to_xml(), cib().to_xml(), "{id} {operation:?}");
        }
    }

    #[test]
    fn one_of_several_is_traced_no_more() {
        let mut changed = cib();
        begin(&mut changed, &Meant { folder: Some("/tmp/x"), ..of("d", None, None) }).expect("it is there");
        assert_eq!(end(&mut changed, &of("d", Some("start"), None)), Ok(vec!["start".to_owned()]));
        let left = changed.to_xml();
        assert_eq!(left.matches("name=\"trace_dir\" value=\"/tmp/x\"").count(), 2, "{left}");
        assert!(!left.contains("d-start-0s") && left.contains("d-stop-0s"), "{left}");
    }

    #[test]
    fn what_cannot_be_traced_is_refused() {
        for (id, operation, interval_ms, expected) in [
            ("nothing", None, None, "nothing does not exist"),
            ("c", None, None, "c is not a primitive"),
            ("s", None, None, "only agents of class ocf"),
            ("of-t", None, None, "trace that"),
            ("n", Some("monitor"), None, "has no monitor"),
            ("d", Some("monitor"), Some(55_000), "no operation monitor with that interval"),
            ("d", Some("not a name"), None, "is no id"),
        ] {
            let mut changed = cib();
            let error = begin(&mut changed, &of(id, operation, interval_ms)).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}
