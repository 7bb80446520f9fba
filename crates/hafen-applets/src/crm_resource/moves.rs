//! Moving resources by constraints with ids of a known form, and removing those.

use hafen_cib::Cib;
use hafen_cib::xml::{Document, NodeId};
use jiff::{Span, Timestamp, tz::TimeZone};

use super::super::options::Given;
use super::super::output::{self, CrmExit, Failed, Printed};
use super::super::source::Source;
use super::{PROMOTED, SPEC, Wanted};

/// What a constraint made here says.
struct Constraint<'a> {
    id: String,
    /// The ids of its parts, where it ends some time.
    parts: [String; 3],
    resource: &'a str,
    role: &'static str,
    host: &'a str,
    score: &'static str,
    end: Option<&'a str>,
}

impl Constraint<'_> {
    fn put(&self, cib: &mut Cib) {
        let old = cib.document().by_id(&self.id);
        let old = old.map(|element| (element.node(), element.position()));
        let section = cib.section_or_new("constraints");
        let document = cib.document_mut();
        let head = [("id", self.id.as_str()), ("rsc", self.resource), ("role", self.role)];
        let location = append(document, section, "rsc_location", &head);
        // It takes the place of its predecessor.
        if let Some((old, position)) = old {
            document.remove(old);
            document.move_to(location, section, position);
        }
        let Some(end) = self.end else {
            document.set_attribute(location, "node", self.host);
            document.set_attribute(location, "score", self.score);
            return;
        };
        let [rule, expression, date] = &self.parts;
        let mut element = |parent: NodeId, name: &str, attributes: &[(&str, &str)]| {
            append(document, parent, name, attributes)
        };
        let rule = element(location, "rule", &[("id", rule), ("score", self.score), ("boolean-op", "and")]);
        let host = [
            ("id", expression.as_str()),
            ("attribute", "#uname"),
            ("operation", "eq"),
            ("value", self.host),
            ("type", "string"),
        ];
        element(rule, "expression", &host);
        element(rule, "date_expression", &[("id", date), ("operation", "lt"), ("end", end)]);
    }
}

fn append(document: &mut Document, parent: NodeId, name: &str, attributes: &[(&str, &str)]) -> NodeId {
    let node = document.append_element(parent, name);
    for (name, value) in attributes {
        document.set_attribute(node, name, value);
    }
    node
}

fn prefer<'a>(resource: &'a str, role: &'static str, host: &'a str, end: Option<&'a str>) -> Constraint<'a> {
    Constraint {
        id: format!("cli-prefer-{resource}"),
        parts: ["rule", "expr", "lifetime-end"].map(|part| format!("cli-prefer-{part}-{resource}")),
        resource,
        role,
        host,
        score: "INFINITY",
        end,
    }
}

fn ban<'a>(resource: &'a str, role: &'static str, host: &'a str, end: Option<&'a str>) -> Constraint<'a> {
    let id = format!("cli-ban-{resource}-on-{host}");
    let parts = ["rule", "expr", "lifetime"].map(|part| format!("{id}-{part}"));
    Constraint { id, parts, resource, role, host, score: "-INFINITY", end }
}

/// What every ban is told with: it holds until somebody removes it.
fn warning(resource: &str, role: &str, host: &str) -> String {
    let what = if role == "Promoted" { "being promoted" } else { "running" };
    format!(
        "WARNING: Creating rsc_location constraint 'cli-ban-{resource}-on-{host}' with a score of -INFINITY for resource \
         {resource} on {host}.\n\tThis will prevent {resource} from {what} on {host} until the constraint is removed using \
         the clear option or by editing the CIB with an appropriate tool.\n\tThis will be the case even if {host} is the \
         last node in the cluster\n"
    )
}

/// When a duration from now ends.
fn end_of(given: &Given) -> Result<Option<String>, Failed> {
    let Some(text) = given.value(&['u']) else { return Ok(None) };
    let seconds = i64::try_from(output::now()).unwrap_or(i64::MAX);
    let moment = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(TimeZone::UTC);
    let end = text.parse::<Span>().ok().and_then(|span| moment.checked_add(span).ok());
    let wrong = || {
        let notes = vec![format!(
            "Invalid duration specified: {text}\nPlease refer to https://en.wikipedia.org/wiki/ISO_8601#Durations for \
             examples of valid durations"
        )];
        Failed { notes, ..Failed::silent(CrmExit::Usage) }
    };
    let end = end.ok_or_else(wrong)?;
    Ok(output::moment(end.timestamp().as_second()))
}

fn role(given: &Given) -> &'static str {
    if given.has(PROMOTED) || given.has('\u{1a}') { "Promoted" } else { "Started" }
}

/// Where a resource is to be taken away from when nothing is said: where it runs alone, or where it alone is promoted.
fn present(wanted: &Wanted) -> Result<String, Failed> {
    let active = wanted.active();
    if let [(host, _)] = active.as_slice() {
        return Ok((*host).to_owned());
    }
    let mut promoted = active.iter().filter(|(_, promoted)| *promoted);
    if let (Some((host, _)), None) = (promoted.next(), promoted.next()) {
        return Ok((*host).to_owned());
    }
    let text = format!(
        "Resource '{0}' not moved: active in {1} locations.\nTo prevent '{0}' from running on a specific location, specify a \
         node.",
        wanted.name,
        active.len()
    );
    Err(Failed::usage(text))
}

/// What is to be done for a move or a ban.
pub(crate) struct Move {
    /// What moves.
    pub(crate) resource: String,
    role: &'static str,
    end: Option<String>,
    preferred: Option<String>,
    banned: Option<String>,
}

impl Move {
    /// Whether it is about where the resource is promoted.
    pub(crate) fn is_promoted(&self) -> bool {
        self.role == "Promoted"
    }

    /// Puts the constraints in; those of an earlier move go.
    pub(crate) fn put(&self, cib: &mut Cib) {
        if self.preferred.is_some() {
            remove(cib, &made_for(cib, &self.resource, None, false));
        }
        self.constraints().iter().for_each(|constraint| constraint.put(cib));
    }

    /// The ids of its constraints.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.constraints().into_iter().map(|constraint| constraint.id).collect()
    }

    fn constraints(&self) -> Vec<Constraint<'_>> {
        let (resource, role, end) = (self.resource.as_str(), self.role, self.end.as_deref());
        let preferred = self.preferred.iter().map(|host| prefer(resource, role, host, end));
        preferred.chain(self.banned.iter().map(|host| ban(resource, role, host, end))).collect()
    }
}

/// What a move or a ban comes to where the resource is now.
pub(super) fn planned(command: char, given: &Given, wanted: &Wanted) -> Result<Move, Failed> {
    let resource = wanted.resource()?.name.clone();
    let (end, role) = (end_of(given)?, role(given));
    let (mut preferred, mut banned) = (None, None);
    match (command, &wanted.host) {
        ('M', Some(host)) => {
            let present = present(wanted).ok();
            let is_there = present.as_ref() == Some(host);
            if is_there && !given.has('f') {
                let text = "Error performing operation: Requested item already exists";
                return Err(Failed::new(CrmExit::Exists, text));
            }
            preferred = Some(host.clone());
            if given.has('f') && !is_there {
                banned = present;
            }
        }
        (_, Some(host)) => banned = Some(host.clone()),
        (_, None) => banned = Some(present(wanted)?),
    }
    Ok(Move { resource, role, end, preferred, banned })
}

pub(super) fn make(
    command: char,
    given: &Given,
    wanted: &Wanted,
    source: &mut Source,
) -> Result<Printed, Failed> {
    let planned = planned(command, given, wanted)?;
    let mut printed = Printed::default();
    if let Some(end) = &planned.end {
        printed.text += &format!("Migration will take effect until: {end}\n");
    }
    if let (Some(host), false) = (&planned.banned, given.has('Q')) {
        printed.text += &warning(&planned.resource, planned.role, host);
    }
    source.change(SPEC.name, |cib| {
        planned.put(cib);
        Ok(())
    })?;
    Ok(printed)
}

/// The constraints that this tool has made for a resource: on one host or on all, those alone whose time is over.
fn made_for(cib: &Cib, resource: &str, host: Option<&str>, expired: bool) -> Vec<String> {
    let all = cib.constraints().into_iter().flat_map(|all| all.children_named("rsc_location"));
    let now = i64::try_from(output::now()).ok().and_then(output::moment).unwrap_or_default();
    let nodes = cib.nodes().into_iter().flat_map(|nodes| nodes.children_named("node"));
    let nodes: Vec<&str> = nodes.filter_map(|node| node.attribute("uname")).collect();
    let mut ids = Vec::new();
    for location in all.filter(|location| location.attribute("rsc") == Some(resource)) {
        let id = location.id().unwrap_or_default();
        let value = |name: &str, attribute: &str| {
            location.descendants().find(|part| part.name() == name).and_then(|part| part.attribute(attribute))
        };
        let on = location.attribute("node").or_else(|| value("expression", "value"));
        let is_ban = on.is_some_and(|on| id == format!("cli-ban-{resource}-on-{on}"));
        if !(is_ban || id == format!("cli-prefer-{resource}")) || host.is_some_and(|host| on != Some(host)) {
            continue;
        }
        // The ends are written in one form, in which the order of texts is that of time.
        let is_over = value("date_expression", "end").is_some_and(|end| end < now.as_str());
        if !expired || is_over {
            ids.push((nodes.iter().position(|node| Some(*node) == on), id.to_owned()));
        }
    }
    // Node by node.
    ids.sort_by_key(|(place, _)| *place);
    ids.into_iter().map(|(_, id)| id).collect()
}

fn remove(cib: &mut Cib, ids: &[String]) {
    for id in ids {
        if let Some(node) = cib.document().by_id(id).map(|element| element.node()) {
            cib.document_mut().remove(node);
        }
    }
}

pub(super) fn clear(given: &Given, wanted: &Wanted, source: &mut Source) -> Result<Printed, Failed> {
    let name = wanted.resource()?.name.clone();
    let text = source.change(SPEC.name, |cib| {
        let ids = made_for(cib, &name, wanted.host.as_deref(), given.has('e'));
        remove(cib, &ids);
        Ok(ids.iter().map(|id| format!("Removing constraint: {id}\n")).collect::<String>())
    })?;
    Ok(Printed { text: if given.has('Q') { String::new() } else { text }, xml: String::new() })
}
