//! What is complained of in resources, for each instance that the scheduler makes of them.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use hafen_cib::Cib;
use hafen_cib::values::{Score, parse_boolean};
use hafen_cib::views::{NO_RULES, Resource};
use hafen_cib::xml::Element;
use hafen_scheduler::Whereabouts;

use super::Complaints;

const ROLES: [&str; 6] = ["Stopped", "Started", "Promoted", "Unpromoted", "Master", "Slave"];
const ACTIVE: [&str; 5] = ["block", "stop_only", "stop_start", "stop_unexpected", "default"];
/// Options with numbers: the name, what holds where it is none, and the word before the name.
const NUMBERS: [(&str, &str, &str); 3] = [
    ("priority", "0", ""),
    ("resource-stickiness", "0", ""),
    ("migration-threshold", "INFINITY", "meta-attribute "),
];

/// A resource as the scheduler has it: instances of clones one by one.
pub(super) struct Instance<'a> {
    /// Its name, with the number of its instance.
    pub name: String,
    pub resource: Resource<'a>,
    pub is_primitive: bool,
    /// On how many hosts it is active.
    pub hosts: usize,
    /// The clone around it, or that it is.
    pub clone: Option<Resource<'a>>,
    pub is_promotable: bool,
    /// The number of its instance.
    pub number: usize,
}

/// All instances, in the order of the configuration; what is around others is before them.
pub(super) fn instances<'a>(cib: &'a Cib, all: &[Whereabouts]) -> Vec<Instance<'a>> {
    let mut found = Vec::new();
    for top in cib.top_resources() {
        if top.element().name() == "bundle" {
            bundle(top, &mut found);
            continue;
        }
        let Some(from) = all.iter().position(|at| at.parent.is_none() && at.id == top.id()) else {
            // The scheduler leaves it alone: a connection to a remote node.
            found.push(part(top.id().to_owned(), top, top.element().name() == "primitive", 0));
            continue;
        };
        let inner = all[from + 1..].iter().take_while(|at| at.parent.is_some());
        found.extend(std::iter::once(&all[from]).chain(inner).filter_map(|at| instance(cib, at)));
    }
    found
}

fn instance<'a>(cib: &'a Cib, at: &Whereabouts) -> Option<Instance<'a>> {
    // A node may have the same id.
    let named = cib.document().all_by_id(&at.name);
    let resource = named.into_iter().find_map(|element| Resource::new(cib, element))?;
    let around = || std::iter::successors(Some(resource), |resource| resource.parent());
    let promotable = |resource: Resource<'a>| resource.configured_meta("promotable", NO_RULES);
    Some(Instance {
        name: at.id.clone(),
        resource,
        is_primitive: at.is_primitive,
        hosts: at.hosts.len(),
        clone: around().find(|resource| resource.element().name() == "clone"),
        is_promotable: around().filter_map(promotable).any(|value| parse_boolean(value) == Some(true)),
        number: at.id.rsplit_once(':').and_then(|(_, number)| number.parse().ok()).unwrap_or(0),
    })
}

fn part<'a>(name: String, resource: Resource<'a>, is_primitive: bool, number: usize) -> Instance<'a> {
    let is_promotable = resource.parent().unwrap_or(resource).element().name() == "bundle";
    Instance { name, resource, is_primitive, hosts: 0, clone: None, is_promotable, number }
}

/// What a bundle is made of: a clone of what is in it, and for each copy a container and the connection to it.
fn bundle<'a>(bundle: Resource<'a>, found: &mut Vec<Instance<'a>>) {
    let id = bundle.id();
    found.push(part(id.to_owned(), bundle, false, 0));
    let kinds = ["docker", "podman", "rkt"];
    let Some(container) = kinds.iter().find_map(|kind| bundle.element().child(kind)) else { return };
    let number = |name: &str| container.attribute(name).and_then(|count| count.parse::<usize>().ok());
    let promoted = number("promoted-max").unwrap_or(0);
    let copies = number("replicas").unwrap_or(promoted.max(1));
    let inside = bundle.children().next();
    if let Some(inside) = inside {
        let kind = if promoted > 0 { "master" } else { "clone" };
        found.push(part(format!("{id}-{kind}"), bundle, false, 0));
        found.extend((0..copies).map(|copy| part(format!("{}:{copy}", inside.id()), inside, true, copy)));
    }
    for copy in 0..copies {
        found.push(part(format!("{id}-{}-{copy}", container.name()), bundle, false, copy));
        let start = bundle.element().child("network").and_then(|network| network.attribute("ip-range-start"));
        let address = start.and_then(|start| start.parse::<Ipv4Addr>().ok()).map(u32::from);
        let offset = u32::try_from(copy).unwrap_or(u32::MAX);
        if let Some(address) = address.and_then(|address| address.checked_add(offset)).map(Ipv4Addr::from) {
            found.push(part(format!("{id}-ip-{address}"), bundle, false, copy));
        }
        if inside.is_some() {
            found.push(part(format!("{id}-{copy}"), bundle, false, copy));
        }
    }
}

impl<'a> Instance<'a> {
    pub(super) fn option(&self, name: &str) -> Option<&'a str> {
        self.resource.configured_meta(name, NO_RULES)
    }

    /// Where an option is set that holds for it.
    fn place(&self, name: &str) -> Element<'a> {
        self.sets().find(|pair| pair.attribute("name") == Some(name)).unwrap_or(self.resource.element())
    }

    /// The pairs of its meta attributes, of what is around it, and of the defaults.
    fn sets(&self) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let around = std::iter::successors(Some(self.resource), |resource| resource.parent());
        let owners = around.flat_map(|resource| [Some(resource.element()), resource.template()]).flatten();
        let top = self.resource.element().document().root();
        let defaults = top.child("configuration").and_then(|top| top.child("rsc_defaults"));
        let sets = owners.chain(defaults).flat_map(|owner| owner.children_named("meta_attributes"));
        sets.flat_map(|set| set.children_named("nvpair"))
    }
}

pub(super) fn check(instances: &[Instance<'_>], fencing: bool, found: &mut Complaints) {
    for instance in instances {
        marks(instance, found);
        requires(instance, fencing, found);
        role(instance, found);
        words(instance, found);
        numbers(instance, found);
        group(instance, found);
        unique(instance, found);
    }
}

/// The value that means: as if nothing were set.
fn marks(instance: &Instance<'_>, found: &mut Complaints) {
    let names: BTreeSet<&str> = instance.sets().filter_map(|pair| pair.attribute("name")).collect();
    for name in names.into_iter().filter(|name| instance.option(name) == Some("#default")) {
        mark(name, instance.place(name), found);
    }
}

fn mark(name: &str, place: Element<'_>, found: &mut Complaints) {
    let text = format!(
        "Support for setting meta-attributes (such as {name}) to the explicit value '#default' is deprecated and will \
         be removed in a future release"
    );
    found.add(false, Some((place, "leave it out")), text);
}

fn requires(instance: &Instance<'_>, fencing: bool, found: &mut Complaints) {
    let Some(value) = instance.option("requires").filter(|value| *value != "#default") else { return };
    let (name, is_device) = (&instance.name, instance.resource.is_fencing_device());
    let place = instance.place("requires");
    let reset = |why: &str| format!("Resetting \"requires\" for {name} to \"quorum\" because {why}");
    match value.to_ascii_lowercase().as_str() {
        "nothing" | "quorum" => {}
        "unfencing" if is_device => {
            let mend = "leave it out: a device that has to be on for itself could never start";
            found.add(false, Some((place, mend)), reset("fencing devices cannot require unfencing"));
        }
        "fencing" if !fencing => {
            let text = format!("{name} requires fencing but fencing is disabled");
            found.add(false, Some((place, "enable fencing, or set it to quorum")), text);
        }
        "unfencing" if !fencing => {
            found.add(
                false,
                Some((place, "enable fencing, or set it to quorum")),
                reset("fencing is disabled"),
            );
        }
        "fencing" | "unfencing" => {}
        _ => {
            let default = if fencing && !is_device { "fencing" } else { "quorum" };
            let text =
                format!("Resetting 'requires' for {name} to '{default}' because '{value}' is not valid");
            found.add(true, Some((place, "set it to nothing, quorum, fencing or unfencing")), text);
        }
    }
}

/// Only what can be promoted has roles for that.
fn role(instance: &Instance<'_>, found: &mut Complaints) {
    let Some(value) = instance.option("target-role").filter(|value| *value != "#default") else { return };
    let (name, place) = (&instance.name, instance.place("target-role"));
    if !ROLES.iter().any(|role| role.eq_ignore_ascii_case(value)) {
        let text = format!("Ignoring 'target-role' for {name} because '{value}' is not valid");
        return found.add(true, Some((place, "set it to Started, Stopped, Unpromoted or Promoted")), text);
    }
    found.role(place, value);
    let is = |words: [&str; 2]| words.iter().any(|word| word.eq_ignore_ascii_case(value));
    let word = match (is(["Promoted", "Master"]), is(["Unpromoted", "Slave"])) {
        (true, _) => "Promoted",
        (_, true) => "Unpromoted",
        _ => return,
    };
    if !instance.is_promotable {
        let text = format!(
            "Ignoring 'target-role' for {name} because '{word}' only makes sense for promotable clones"
        );
        found.add(true, Some((place, "make the clone promotable, or set Started")), text);
    }
}

/// What is active is looked at once more.
pub(super) fn roles_of_active(instances: &[Instance<'_>], found: &mut Complaints) {
    for instance in instances.iter().filter(|instance| instance.is_primitive && instance.hosts > 0) {
        role(instance, found);
    }
}

fn words(instance: &Instance<'_>, found: &mut Complaints) {
    let value = instance.option("multiple-active").filter(|value| *value != "#default");
    if let Some(value) = value.filter(|value| !ACTIVE.contains(value)) {
        let text =
            format!("{value} is not a valid value for multiple-active, using default of \"stop_start\"");
        let mend = "set it to stop_start, stop_only, stop_unexpected or block";
        found.add(false, Some((instance.place("multiple-active"), mend)), text);
    }
}

fn numbers(instance: &Instance<'_>, found: &mut Complaints) {
    for (name, default, kind) in NUMBERS {
        let value = instance.option(name).filter(|value| *value != "#default");
        if let Some(value) = value.filter(|value| Score::parse(value).is_none()) {
            let text = format!(
                "Using default ({default}) for resource {} {kind}{name} because '{value}' is not a valid value: Bad input \
                 value provided",
                instance.name
            );
            let mend = "set it to a whole number, or INFINITY";
            found.add(false, Some((instance.place(name), mend)), text);
        }
    }
}

/// Groups have their members in order and together, always.
fn group(instance: &Instance<'_>, found: &mut Complaints) {
    if instance.resource.element().name() != "group" {
        return;
    }
    for name in ["ordered", "collocated"] {
        if instance.option(name).and_then(parse_boolean) == Some(false) {
            let text = format!(
                "Support for the '{name}' group meta-attribute is deprecated and will be removed in a future release \
                 (use a resource set instead)"
            );
            found.warn_once(
                name,
                (instance.place(name), "use constraints with a resource set instead of a group"),
                text,
            );
        }
    }
}

/// Agents that cannot tell instances apart on a node.
fn unique(instance: &Instance<'_>, found: &mut Complaints) {
    let (Some(clone), class) = (instance.clone, instance.resource.class()) else { return };
    if !instance.is_primitive || matches!(class, "ocf" | "stonith" | "") {
        return;
    }
    let says = clone.configured_meta("globally-unique", NO_RULES).and_then(parse_boolean);
    let several = || clone.meta("clone-node-max").and_then(Score::parse) > Score::parse("1");
    // What is not said but follows is forgotten with the first instance.
    if says.unwrap_or_else(|| instance.number == 0 && several()) {
        let text = format!(
            "Ignoring globally-unique for {} because {class} resources such as {} can be used only as anonymous clones",
            clone.id(),
            instance.name
        );
        found.add(false, Some((clone.element(), "set globally-unique to false")), text);
    }
}

/// What is active on several hosts, as the scheduler's log has it.
pub(super) fn active_twice(instances: &[Instance<'_>]) -> Vec<String> {
    let told = |instance: &Instance<'_>| {
        let meant = match instance.option("multiple-active") {
            Some("block") => "waiting for an administrator",
            _ => "attempting recovery",
        };
        format!(
            "(pcmk__primitive_create_actions) \terror: {} resource {} might be active on {} nodes ({meant})",
            instance.resource.class(),
            instance.name,
            instance.hosts
        )
    };
    let active = instances.iter().filter(|instance| instance.is_primitive && instance.hosts > 1);
    active.filter(|instance| !is_on_its_way(instance)).map(told).collect()
}

/// Whether it left a host and has not arrived at the other yet: it is then on both.
fn is_on_its_way(instance: &Instance<'_>) -> bool {
    let root = instance.resource.element().document().root();
    let histories = root
        .descendants()
        .filter(|element| element.name() == "lrm_resource" && element.id() == Some(instance.resource.id()));
    let entries: Vec<_> = histories.flat_map(|history| history.children_named("lrm_rsc_op")).collect();
    let did = |task: &str, code: Option<&str>| {
        entries.iter().any(|entry| {
            entry.attribute("operation") == Some(task)
                && code.is_none_or(|code| entry.attribute("rc-code") == Some(code))
        })
    };
    did("migrate_to", Some("0")) && !did("migrate_from", None)
}
