//! Where attributes and options stand in the CIB.

use hafen_cib::Cib;
use hafen_cib::xml::{Element, NodeId};
use hafen_client::Client;
use hafen_protocol::client::Edit;

use super::super::options::Given;
use super::super::output::{CrmExit, Failed};

/// The kind of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    CrmConfig,
    RscDefaults,
    OpDefaults,
    Nodes,
    Utilization,
    Status,
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
        }
    }

    /// The name of the sets, and the id of the set that is made where there is none.
    fn set(self, host: Option<&Place>) -> (&'static str, String) {
        let id = host.map_or("", |host| host.id.as_str());
        match self {
            Self::CrmConfig => ("cluster_property_set", "cib-bootstrap-options".to_owned()),
            Self::RscDefaults | Self::OpDefaults => ("meta_attributes", format!("{}-options", self.name())),
            Self::Nodes | Self::Status => ("instance_attributes", format!("nodes-{id}")),
            Self::Utilization => ("utilization", format!("nodes-{id}-utilization")),
        }
    }
}

/// The host that the options mean, where attributes of a host are meant.
pub(super) fn host(scope: &Scope, given: &Given, client: &mut Client) -> Result<Option<Place>, Failed> {
    if matches!(scope, Scope::CrmConfig | Scope::RscDefaults | Scope::OpDefaults) {
        return Ok(None);
    }
    let uname = match given.value(&['N', 'u']) {
        Some("localhost") | None => super::own_place(client)?,
        Some(name) => name.to_owned(),
    };
    let cib = super::cib(client)?;
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
    match host {
        Some(host) => node(cib, &host.uname),
        None => cib.section(scope.name()),
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

/// A value with the old one added to it where it asks for that (`NAME++`, `NAME+=N`).
pub(super) fn added(cib: &Cib, scope: Scope, host: Option<&Place>, name: &str, value: &str) -> String {
    const INFINITY: i64 = 1_000_000;
    let addend = match value.strip_prefix(name) {
        Some("++") => Some(1),
        Some(rest) => rest.strip_prefix("+=").and_then(|number| number.parse::<i64>().ok()),
        None => None,
    };
    let before = pairs(cib, scope, host).into_iter().find(|pair| pair.name == name);
    match (addend, before) {
        (Some(addend), Some(pair)) => {
            let score = match pair.value.as_str() {
                "INFINITY" | "+INFINITY" => INFINITY,
                "-INFINITY" => -INFINITY,
                number => number.parse::<i64>().unwrap_or(0),
            };
            score.saturating_add(addend).clamp(-INFINITY, INFINITY).to_string()
        }
        _ => value.to_owned(),
    }
}

/// The edit that sets a value. `set`: the id of the set that it must stand in.
pub(super) fn set(
    mut cib: Cib,
    scope: Scope,
    host: Option<&Place>,
    set: Option<&str>,
    name: &str,
    value: &str,
) -> Edit {
    match (scope, host, set) {
        (Scope::CrmConfig, _, None) => {
            return Edit::Property { name: name.to_owned(), value: Some(value.to_owned()) };
        }
        (Scope::Nodes, Some(host), None) => {
            let node = host.uname.clone();
            return Edit::NodeAttribute { node, name: name.to_owned(), value: Some(value.to_owned()) };
        }
        _ => {}
    }
    // There is no edit for these: the element is made here as it is to be, and put in the place of the old one.
    let section = cib.section_or_new(scope.name());
    let holder = parent(&cib, scope, host).map_or(section, |element| element.node());
    let set_node = set_or_new(&mut cib, holder, scope, host, set);
    let document = cib.document_mut();
    let named = |pair: &Element<'_>| pair.attribute("name") == Some(name);
    let old = document.element(set_node).children_named("nvpair").find(named).map(|pair| pair.node());
    let pair = old.unwrap_or_else(|| {
        let set_id = document.element(set_node).id().unwrap_or_default().to_owned();
        let pair = document.append_element(set_node, "nvpair");
        document.set_attribute(pair, "id", &format!("{set_id}-{name}"));
        document.set_attribute(pair, "name", name);
        pair
    });
    document.set_attribute(pair, "value", value);
    let top = if host.is_some() { holder } else { set_node };
    Edit::Put { section: scope.name().to_owned(), xml: document.element(top).to_xml() }
}

fn set_or_new(cib: &mut Cib, holder: NodeId, scope: Scope, host: Option<&Place>, id: Option<&str>) -> NodeId {
    let (kind, default_id) = scope.set(host);
    let document = cib.document_mut();
    let fits = |set: &Element<'_>| id.is_none_or(|id| set.id() == Some(id));
    let found = document.element(holder).children_named(kind).find(fits).map(|set| set.node());
    found.unwrap_or_else(|| {
        let set = document.append_element(holder, kind);
        document.set_attribute(set, "id", id.unwrap_or(&default_id));
        set
    })
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
        let cib = Cib::parse(SOURCE).expect("sound");
        let cases =
            [("rack++", "6"), ("rack+=10", "15"), ("rack+=-10", "-5"), ("7", "7"), ("other++", "other++")];
        for (value, wanted) in cases {
            assert_eq!(added(&cib, Scope::Nodes, Some(&place()), "rack", value), wanted);
        }
    }

    #[test]
    fn a_utilization_attribute_leaves_the_rest_of_the_node() {
        let cib = Cib::parse(SOURCE).expect("sound");
        let edit = set(cib, Scope::Utilization, Some(&place()), None, "cpu", "4");
        let Edit::Put { section, xml } = edit else { panic!("{edit:?}") };
        assert_eq!(section, "nodes");
        for part in ["name=\"rack\" value=\"5\"", "<utilization id=\"nodes-1-utilization\">", "value=\"4\""] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }

    #[test]
    fn defaults_get_a_set_of_their_own() {
        let cib = Cib::parse(SOURCE).expect("sound");
        let edit = set(cib, Scope::RscDefaults, None, None, "resource-stickiness", "5");
        let Edit::Put { xml, .. } = edit else { panic!("{edit:?}") };
        assert!(xml.contains("rsc_defaults-options-resource-stickiness"), "{xml}");
    }

    #[test]
    fn pairs_are_found_where_they_stand() {
        let cib = Cib::parse(SOURCE).expect("sound");
        let found = pairs(&cib, Scope::Nodes, Some(&place()));
        assert_eq!((found[0].id.as_str(), found[0].set.as_str()), ("nodes-1-rack", "nodes-1"));
        assert!(pairs(&cib, Scope::CrmConfig, None).is_empty());
    }
}
