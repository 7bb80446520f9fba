//! Where attributes and options stand in the CIB.

use hafen_cib::Cib;
use hafen_cib::values::Score;
use hafen_cib::xml::{Element, NodeId};

use super::super::options::Given;
use super::super::output::{CrmExit, Failed};
use super::super::pairs::{Ids, set_pair};
use super::super::source::Source;

/// The kind of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    CrmConfig,
    RscDefaults,
    OpDefaults,
    Nodes,
    Utilization,
    Status,
    Tickets,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) uname: String,
    pub(super) id: String,
}

/// A name with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) id: String,
    /// The id of the set that holds it.
    pub(super) set: String,
}

impl Pair {
    /// One that does not stand in the configuration.
    pub(super) fn transient(name: String, value: String) -> Self {
        Self { name, value, id: String::new(), set: String::new() }
    }
}

impl Scope {
    /// The scope that the options ask for.
    pub(super) fn of(given: &Given, promotion: bool) -> Result<Self, Failed> {
        let unknown =
            || Failed::new(CrmExit::Protocol, "Error performing operation: No message of desired type");
        let lifetime = match given.value(&['l']) {
            None if promotion => Some(Self::Status),
            None => None,
            Some("reboot" | "status") => Some(Self::Status),
            Some("forever" | "nodes") => Some(Self::Nodes),
            Some(_) => return Err(unknown()),
        };
        let scope = match given.value(&['t']) {
            Some("crm_config") => Self::CrmConfig,
            Some("rsc_defaults") => Self::RscDefaults,
            Some("op_defaults") => Self::OpDefaults,
            Some("nodes") => lifetime.unwrap_or(Self::Nodes),
            Some("status") => Self::Status,
            Some("tickets") => Self::Tickets,
            Some(_) => return Err(unknown()),
            None => match lifetime {
                Some(scope) => scope,
                None if given.has('N') || given.has('u') || given.has('z') => Self::Nodes,
                None => Self::CrmConfig,
            },
        };
        Ok(if given.has('z') && scope == Self::Nodes { Self::Utilization } else { scope })
    }

    /// The section's name, as it is printed.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CrmConfig => "crm_config",
            Self::RscDefaults => "rsc_defaults",
            Self::OpDefaults => "op_defaults",
            Self::Nodes | Self::Utilization => "nodes",
            Self::Status => "status",
            Self::Tickets => "tickets",
        }
    }

    /// The name of the sets, and the id of the set that is made where there is none.
    pub(super) fn set(self, host: Option<&Place>) -> (&'static str, String) {
        let id = host.map_or("", |host| host.id.as_str());
        match self {
            Self::CrmConfig => ("cluster_property_set", "cib-bootstrap-options".to_owned()),
            Self::RscDefaults | Self::OpDefaults => ("meta_attributes", format!("{}-options", self.name())),
            Self::Status => ("instance_attributes", format!("status-{id}")),
            Self::Tickets => ("instance_attributes", "status-tickets".to_owned()),
            Self::Nodes => ("instance_attributes", format!("nodes-{id}")),
            Self::Utilization => ("utilization", format!("nodes-{id}-utilization")),
        }
    }
}

/// The host that the options mean, where attributes of a host are meant.
pub(super) fn host(scope: Scope, given: &Given, source: &mut Source) -> Result<Option<Place>, Failed> {
    if matches!(scope, Scope::CrmConfig | Scope::RscDefaults | Scope::OpDefaults | Scope::Tickets) {
        return Ok(None);
    }
    let uname = match given.value(&['N', 'u']) {
        Some("localhost") | None => super::own_place(source)?,
        Some(name) => name.to_owned(),
    };
    let cib = source.cib(false)?;
    let found = node(&cib, &uname).and_then(|node| node.id().map(str::to_owned));
    let unknown = || Failed::new(CrmExit::NoSuchObject, format!("Could not map name={uname} to a UUID"));
    let id = found.ok_or_else(unknown)?;
    Ok(Some(Place { uname, id }))
}

fn node<'a>(cib: &'a Cib, uname: &str) -> Option<Element<'a>> {
    cib.nodes()?.children_named("node").find(|node| node.attribute("uname") == Some(uname))
}

/// The element that holds the sets.
fn parent<'a>(cib: &'a Cib, scope: Scope, host: Option<&Place>) -> Option<Element<'a>> {
    match (scope, host) {
        (Scope::Status, Some(host)) => {
            let mut states = cib.node_states();
            states.find(|state| state.id() == Some(host.id.as_str()))?.child("transient_attributes")
        }
        (Scope::Tickets, _) => cib.status()?.child("tickets"),
        (_, Some(host)) => node(cib, &host.uname),
        (_, None) => cib.section(scope.name()),
    }
}

fn parent_or_new(cib: &mut Cib, scope: Scope, host: Option<&Place>) -> NodeId {
    if let Some(parent) = parent(cib, scope, host) {
        return parent.node();
    }
    match (scope, host) {
        (Scope::Status, Some(host)) => {
            let status = cib.status_or_new();
            let state = cib.node_states().find(|state| state.id() == Some(host.id.as_str()));
            let state = state.map(|state| state.node());
            let document = cib.document_mut();
            let state = state.unwrap_or_else(|| {
                let state = document.append_element(status, "node_state");
                document.set_attribute(state, "id", &host.id);
                document.set_attribute(state, "uname", &host.uname);
                state
            });
            let attributes = document.append_element(state, "transient_attributes");
            document.set_attribute(attributes, "id", &host.id);
            attributes
        }
        (Scope::Tickets, _) => {
            let status = cib.status_or_new();
            cib.document_mut().append_element(status, "tickets")
        }
        _ => cib.section_or_new(scope.name()),
    }
}

/// All pairs of a place, in the order of the configuration.
pub(super) fn pairs(cib: &Cib, scope: Scope, host: Option<&Place>) -> Vec<Pair> {
    let (kind, _) = scope.set(host);
    let sets = parent(cib, scope, host).into_iter().flat_map(|parent| parent.children_named(kind));
    sets.flat_map(|set| set.children_named("nvpair").map(move |pair| (set, pair))).map(to_pair).collect()
}

fn to_pair((set, pair): (Element<'_>, Element<'_>)) -> Pair {
    let text = |element: Element<'_>, name: &str| element.attribute(name).unwrap_or_default().to_owned();
    Pair { name: text(pair, "name"), value: text(pair, "value"), id: text(pair, "id"), set: text(set, "id") }
}

/// A value with the old one added to it where it asks for that (`value++`, `value+=N`: the XML attribute's name).
fn added(old: &str, value: &str) -> String {
    let score = |text| Score::parse(text).unwrap_or(Score::new(0));
    let addend = match value.strip_prefix("value") {
        Some("++") => Some(Score::new(1)),
        Some(rest) => rest.strip_prefix("+=").map(score),
        None => None,
    };
    addend.map_or_else(|| value.to_owned(), |addend| (score(old) + addend).value().to_string())
}

/// Sets a value in the pair of that name, or in a new one.
pub(super) fn set(cib: &mut Cib, scope: Scope, host: Option<&Place>, ids: Ids<'_>, name: &str, value: &str) {
    let holder = parent_or_new(cib, scope, host);
    let (kind, default_id) = scope.set(host);
    let new = |old: Option<&str>| old.map_or_else(|| value.to_owned(), |old| added(old, value));
    set_pair(cib.document_mut(), holder, (kind, &default_id), ids, name, new);
}

/// Deletes the pair with that id, of a place.
pub(super) fn delete(cib: &mut Cib, scope: Scope, host: Option<&Place>, wanted: &Pair) {
    let (kind, _) = scope.set(host);
    let found = {
        let sets = parent(cib, scope, host).into_iter().flat_map(|parent| parent.children_named(kind));
        let mut pairs = sets.flat_map(|set| set.children_named("nvpair"));
        pairs.find(|pair| pair.id() == Some(wanted.id.as_str())).map(|pair| pair.node())
    };
    if let Some(node) = found {
        cib.document_mut().remove(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"<cib admin_epoch="0" epoch="1" num_updates="0"><configuration><crm_config/>
        <nodes><node id="1" uname="host1"><instance_attributes id="nodes-1">
        <nvpair id="nodes-1-rack" name="rack" value="5"/></instance_attributes></node></nodes>
        <resources/><constraints/></configuration></cib>"#;

    fn place() -> Place {
        Place { uname: "host1".to_owned(), id: "1".to_owned() }
    }

    #[test]
    fn numbers_are_added_to() {
        let cases = [
            ("5", "value++", "6"),
            ("5", "value+=10", "15"),
            ("5", "value+=-10", "-5"),
            ("5", "value+=INFINITY", "1000000"),
            ("5", "7", "7"),
            ("5", "rack++", "rack++"),
        ];
        for (old, value, wanted) in cases {
            assert_eq!(added(old, value), wanted);
        }
    }

    #[test]
    fn what_is_set_is_found_and_can_be_deleted() {
        let scopes = [Scope::Nodes, Scope::Utilization, Scope::Status];
        let own = scopes.map(|scope| (scope, Some(place())));
        let all = [Scope::CrmConfig, Scope::RscDefaults, Scope::OpDefaults, Scope::Tickets];
        for (scope, host) in own.into_iter().chain(all.map(|scope| (scope, None))) {
            let mut cib = Cib::parse(SOURCE).expect("sound");
            set(&mut cib, scope, host.as_ref(), Ids::default(), "a b", "4");
            let found = pairs(&cib, scope, host.as_ref());
            let pair = found.iter().find(|pair| pair.name == "a b").expect("it is there");
            assert_eq!(pair.id, format!("{}-a.b", pair.set), "{scope:?}");
            assert!(cib.to_xml().contains("name=\"rack\" value=\"5\""));
            delete(&mut cib, scope, host.as_ref(), pair);
            assert!(pairs(&cib, scope, host.as_ref()).iter().all(|pair| pair.name != "a b"));
        }
    }

    #[test]
    fn pairs_are_found_where_they_stand() {
        let cib = Cib::parse(SOURCE).expect("sound");
        let found = pairs(&cib, Scope::Nodes, Some(&place()));
        assert_eq!((found[0].id.as_str(), found[0].set.as_str()), ("nodes-1-rack", "nodes-1"));
        assert!(pairs(&cib, Scope::CrmConfig, None).is_empty());
    }
}
