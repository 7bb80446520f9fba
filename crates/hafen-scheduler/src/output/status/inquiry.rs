//! What `crm_resource` asks of a cluster: its resources, what agents did, why something does not run.

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::Cib;
use hafen_cib::xml::Element;

use super::failures::{moment, small};
use super::results::execution_status;
use super::{How, Listing, Only};
use crate::actions::hashed_fewer;
use crate::actions::parameters_digest;
use crate::hash_order::hash_order;
use crate::input::nvpairs::Values;
use crate::input::record::{Record, active_range, key_of, sorted};
use crate::input::status::base_name;
use crate::model::{Cluster, NodeIndex, ResourceId, Role, Variant};
use crate::output::xml::XmlWriter;
use crate::run::{Options, unpack};
use crate::score;

/// Parameters that are secrets where an agent does not say which are.
const SECRET: [&str; 3] = ["password", "passwd", "user"];

/// The same told as text, and as XML elements side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// For people.
    pub text: String,
    /// For programs.
    pub xml: String,
}

/// What an agent is given when it is called for a resource past the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentCall {
    /// `ocf`, `stonith`, ….
    pub class: String,
    /// The agent's provider, if it has one.
    pub provider: Option<String>,
    /// The agent's name.
    pub kind: String,
    /// The resource's name in histories.
    pub resource: String,
    /// The resource's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Its meta attributes.
    pub meta: BTreeMap<String, String>,
    /// How long it may take.
    pub timeout_ms: u64,
}

/// A cluster of which questions are asked. Resources are named by their ids, instances with their numbers.
pub struct Inquiry<'a> {
    cluster: Cluster<'a>,
}

impl<'a> Inquiry<'a> {
    /// Takes a CIB in. `now` is in seconds since 1970.
    #[must_use]
    pub fn of(cib: &'a Cib, now: u64) -> Self {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        Self { cluster: unpack(cib, now, Options::default()) }
    }

    fn resource(&self, id: &str) -> Option<ResourceId> {
        let cluster = &self.cluster;
        cluster
            .by_id
            .get(id)
            .copied()
            .or_else(|| cluster.resource_ids().find(|known| cluster.rsc(*known).id == id))
    }

    /// All resources (`-L`).
    #[must_use]
    pub fn resources(&self) -> Told {
        let (cluster, only) = (&self.cluster, Only::default());
        let how = How { description: true, placed: false, ..How::simulated(true, &only) };
        let mut out = Listing { text: "Full List of Resources:\n".to_owned(), html: false };
        let mut xml = XmlWriter::default();
        xml.open("resources");
        let mut any = false;
        for top in cluster.listed_resources() {
            cluster.show_resource(&mut out, 1, top, how);
            cluster.resource_xml(&mut xml, top, how);
            any = true;
        }
        if !any {
            out.item(1, "No resources");
            return Told { text: out.text, xml: String::new() };
        }
        Told { text: out.text, xml: xml.finish() }
    }

    /// A resource's state as `-q` and `-w` have it before its configuration: without what does not run of a group or clone.
    #[must_use]
    pub fn state(&self, id: &str) -> Told {
        let Some(resource) = self.resource(id) else { return Told::default() };
        let (cluster, only) = (&self.cluster, Only::default());
        let how = How { inactive: false, ..How::simulated(true, &only) };
        let mut out = Listing::default();
        cluster.show_resource(&mut out, 0, resource, how);
        let is_title = |line: &&str| {
            ["Resource Group: ", "Clone Set: "]
                .iter()
                .any(|title| line.trim_start_matches([' ', '*']).starts_with(title))
        };
        let lines =
            out.text.lines().filter(|line| !is_title(line)).map(|line| line.trim_start_matches([' ', '*']));
        let text = lines.map(|line| format!("{line}\n")).collect();
        let mut xml = XmlWriter::default();
        if cluster.rsc(resource).variant != Variant::Group || cluster.is_active(resource, false) {
            cluster.resource_xml(&mut xml, resource, how);
        }
        Told { text, xml: xml.finish() }
    }

    /// The operations of a resource's history, of all of them where it is not named, and of one node or all: those since it
    /// was started last (`-O`), or `all` (`-o`). `id` is the name in the history.
    #[must_use]
    pub fn operations(&self, id: Option<&str>, node: Option<&str>, all: bool) -> Told {
        let cluster = &self.cluster;
        let states = cluster.document.root().child("status");
        let states = states.into_iter().flat_map(|status| status.children_named("node_state"));
        let mut told = Told::default();
        let mut xml = XmlWriter::default();
        xml.open("operations");
        for state in states {
            let Some(index) = cluster.node_of_state(state) else { continue };
            let known = cluster.node(index);
            if node.is_some_and(|node| known.uname != node) {
                continue;
            }
            let histories = state.child("lrm").and_then(|lrm| lrm.child("lrm_resources"));
            let histories = histories.into_iter().flat_map(|all| all.children_named("lrm_resource"));
            for history in histories.filter(|history| id.is_none_or(|id| history.attribute("id") == Some(id)))
            {
                let records = sorted(history);
                let (start, stop) = active_range(&records);
                if !all && stop > start {
                    continue;
                }
                let first = if all { 0 } else { start.unwrap_or(0) };
                for record in records.iter().skip(first) {
                    told.text += &cluster.operation_words(history, record.element, &known.uname);
                    cluster.operation_xml(&mut xml, history, record.element, &known.uname);
                }
            }
        }
        if !told.text.is_empty() {
            told.xml = xml.finish();
        }
        told
    }

    /// The parameters of a resource's start on a node with the digests of all of them and of those that are no secrets;
    /// `overrides` count instead of what is configured. Nothing of what is no primitive.
    #[must_use]
    pub fn digests(&self, id: &str, node: &str, overrides: &[(String, String)]) -> Option<Told> {
        let cluster = &self.cluster;
        let resource = self.resource(id).filter(|known| cluster.rsc(*known).variant == Variant::Primitive)?;
        let node = cluster.node_by_name(node)?;
        let mut parameters = cluster.parameters(resource, Some(node));
        parameters.extend(cluster.operation_parameters(resource, "start", 0, Some(node)));
        parameters.retain(|name, _| !name.starts_with("CRM_meta_") && name != "crm_feature_set");
        let order = in_table_order(parameters.keys().map(String::as_str).collect());
        let more: Vec<&str> = overrides.iter().map(|(name, _)| name.as_str()).collect();
        let more = in_table_order(more).into_iter().filter(|name| !parameters.contains_key(name));
        let order: Vec<String> = order.into_iter().chain(more).collect();
        parameters.extend(overrides.iter().cloned());
        let operations = cluster.history_of(resource, node).map(sorted).unwrap_or_default();
        let last = |name: &str| operations.iter().rev().find_map(|record| record.element.attribute(name));
        let secret: Vec<&str> = last("op-secure-params")
            .map_or_else(|| SECRET.to_vec(), |named| named.split_whitespace().collect());
        let mut sets = vec![("all", "all", parameters.clone())];
        let mut public = parameters.clone();
        let fewer = cluster.rsc(resource).class == "stonith"
            && operations.last().is_some_and(|record| hashed_fewer(record.element));
        public.retain(|name, _| !(secret.contains(&name.as_str()) || fewer && name.starts_with("pcmk_")));
        sets.push(("nonprivate", "non-private", public));
        if last("op-restart-digest").is_some() {
            let list: Option<Vec<&str>> =
                last("op-force-restart").map(|list| list.split_whitespace().collect());
            parameters.retain(|name, _| list.as_ref().is_none_or(|list| list.contains(&name.as_str())));
            sets.push(("nonreloadable", "non-reloadable", parameters));
        }
        let mut told = Told::default();
        let mut xml = XmlWriter::default();
        xml.open("digests");
        xml.attribute("resource", id);
        xml.attribute("node", &cluster.node(node).uname);
        xml.attribute("task", task_with_parameters(&operations));
        xml.attribute("interval", "0ms");
        for (kind, words, set) in &sets {
            let digest = parameters_digest(set);
            told.text += &format!("{digest} ({words} parameters)\n");
            xml.open("digest");
            xml.attribute("type", kind);
            xml.attribute("hash", &digest);
            parameters_xml(&mut xml, set, &order);
            xml.close();
        }
        told.xml = xml.finish();
        Some(told)
    }

    /// Whether a resource runs, on a node or at all, and what of the configuration keeps it from that (`-Y`).
    #[must_use]
    pub fn why(&self, id: Option<&str>, node: Option<&str>) -> Told {
        let cluster = &self.cluster;
        let node = node.and_then(|node| cluster.node_by_name(node));
        let mut told = Told::default();
        let mut xml = XmlWriter::default();
        xml.open("reason");
        match (id.and_then(|id| self.resource(id)), node) {
            (Some(resource), Some(node)) => {
                let runs = cluster.runs_on(resource, node);
                told.text += &cluster.running_words(resource, runs, Some(node));
                if runs {
                    xml.attribute("running_on", &cluster.node(node).uname);
                }
                cluster.add_check(resource, &mut told.text, &mut xml);
            }
            (Some(resource), None) => {
                let runs = cluster.runs_anywhere(resource);
                told.text += &cluster.running_words(resource, runs, None);
                xml.flag("running", runs);
                cluster.add_check(resource, &mut told.text, &mut xml);
            }
            (None, node) => {
                let listed = match node {
                    Some(node) => cluster.node(node).running.clone(),
                    None => cluster.top.clone(),
                };
                xml.open("resources");
                for resource in listed {
                    let runs = node.is_some() || cluster.runs_anywhere(resource);
                    told.text += &cluster.running_words(resource, runs, node);
                    xml.open("resource");
                    xml.attribute("id", &cluster.rsc(resource).id);
                    xml.flag("running", runs);
                    if let Some(node) = node {
                        xml.attribute("host", &cluster.node(node).uname);
                    }
                    cluster.add_check(resource, &mut told.text, &mut xml);
                    xml.close();
                }
            }
        }
        told.xml = xml.finish();
        told
    }

    /// How the agent of a resource is called; of a clone that of its first instance. Nothing of what has no agent.
    #[must_use]
    pub fn agent_call(&self, id: &str, task: &str) -> Option<AgentCall> {
        let cluster = &self.cluster;
        let mut resource = self.resource(id)?;
        if cluster.rsc(resource).variant == Variant::Clone {
            resource = *cluster.rsc(resource).children.first()?;
        }
        let known = cluster.rsc(resource);
        if known.variant != Variant::Primitive {
            return None;
        }
        let interval_ms = known.ops.iter().find(|op| op.name == task).map_or(0, |op| op.interval_ms);
        let mut meta = known.meta.clone();
        if let Some(instance) = known.instance {
            meta.insert("clone".to_owned(), instance.to_string());
            meta.insert("globally-unique".to_owned(), known.unique.to_string());
        }
        let own = [
            ("class", Some(&known.class)),
            ("provider", known.provider.as_ref()),
            ("type", Some(&known.type_)),
        ];
        for (name, value) in own.into_iter().chain([("id", Some(&known.history_id))]) {
            meta.extend(value.map(|value| (name.to_owned(), value.clone())));
        }
        Some(AgentCall {
            class: known.class.clone(),
            provider: known.provider.clone(),
            kind: known.type_.clone(),
            resource: known.history_id.clone(),
            parameters: cluster.parameters(resource, None),
            meta,
            timeout_ms: cluster.operation_timeout_ms(resource, task, interval_ms),
        })
    }

    /// What of the configuration keeps a resource as it is, if anything.
    #[must_use]
    pub fn check(&self, id: &str) -> Told {
        let Some(resource) = self.resource(id) else { return Told::default() };
        let mut told = Told::default();
        let mut xml = XmlWriter::default();
        self.cluster.add_check(resource, &mut told.text, &mut xml);
        told.xml = xml.finish();
        told
    }

    /// The constraints that apply to a resource (or to what contains it, unless it is meant `alone`), and to those that are
    /// colocated with it; with `all` also to those colocated with these, and so on.
    #[must_use]
    pub fn constraints(mut self, id: &str, all: bool, alone: bool) -> Told {
        let Some(resource) = self.resource(id) else { return Told::default() };
        self.cluster.unpack_constraints();
        self.cluster.rank_colocations();
        let resource = if alone { resource } else { self.cluster.top_of(resource) };
        self.cluster.constraints_told(resource, all)
    }
}

/// Names in the order of a table into which they were put one after the other.
fn in_table_order(mut names: Vec<&str>) -> Vec<String> {
    let mut known = BTreeSet::new();
    names.retain(|name| known.insert(*name));
    let order = hash_order(names.iter().copied());
    order.into_iter().filter_map(|at| names.get(at)).map(|name| (*name).to_owned()).collect()
}

fn parameters_xml(xml: &mut XmlWriter, parameters: &Values, order: &[String]) {
    xml.open("parameters");
    for (name, value) in order.iter().filter_map(|name| parameters.get_key_value(name)) {
        xml.attribute(name, value);
    }
    xml.close();
}

/// The operation whose parameters are on record: the last that brought a resource up or looked at it, else the last.
fn task_with_parameters<'r>(operations: &[Record<'r>]) -> &'r str {
    let once = || operations.iter().rev().filter(|record| record.interval_ms == 0);
    let up = once().find(|record| !matches!(record.task, "stop" | "demote" | "notify"));
    up.or_else(|| once().next()).map_or("start", |record| record.task)
}

impl<'a> Cluster<'a> {
    fn operation_xml(&self, xml: &mut XmlWriter, history: Element<'_>, operation: Element<'_>, node: &str) {
        let part = |name: &str| history.attribute(name).unwrap_or_default();
        let provider = part("provider");
        xml.open("operation");
        xml.attribute("op", key_of(operation));
        xml.attribute("node", node);
        xml.attribute("call", operation.attribute("call-id").unwrap_or("0"));
        xml.attribute("rc", operation.attribute("rc-code").unwrap_or("0"));
        xml.attribute("status", execution_status(small(operation, "op-status")));
        xml.attribute(
            "rsc",
            self.resource_of_history(part("id")).map_or(part("id"), |known| self.shown_name(known)),
        );
        xml.attribute("agent", &format!("{}:{provider}:{}", part("class"), part("type")));
        if let Some(at) = super::failures::number(operation, "last-rc-change") {
            xml.attribute("last-rc-change", &moment(at));
            xml.attribute("exec-time", operation.attribute("exec-time").unwrap_or("0"));
        }
        xml.close();
    }

    /// The resource that a history's name means; of instances that are all alike the first.
    fn resource_of_history(&self, name: &str) -> Option<ResourceId> {
        let base = base_name(name);
        let is_it = |known: &ResourceId| {
            let known = self.rsc(*known);
            let alike = known.instance.is_some() && !known.unique;
            let is_named =
                if alike { base_name(&known.history_id) == base } else { known.history_id == name };
            known.variant == Variant::Primitive && is_named
        };
        self.resource_ids().find(is_it)
    }

    fn operation_words(&self, history: Element<'_>, operation: Element<'_>, node: &str) -> String {
        let name = history.attribute("id").unwrap_or_default();
        let mut words = match self.resource_of_history(name) {
            Some(resource) => {
                let only = Only::default();
                let mut out = Listing::default();
                let how = How { description: true, placed: false, ..How::simulated(true, &only) };
                self.show_primitive(&mut out, 0, resource, how);
                out.text.trim_end_matches('\n').trim_start_matches("* ").to_owned()
            }
            None => format!("Unknown resource {name}"),
        };
        words += &format!(
            ": {} (node={node}, call={}, rc={}",
            key_of(operation),
            operation.attribute("call-id").unwrap_or("0"),
            operation.attribute("rc-code").unwrap_or("0"),
        );
        if let Some(at) = super::failures::number(operation, "last-rc-change") {
            let spent = operation.attribute("exec-time").unwrap_or("0");
            words += &format!(", last-rc-change='{}', exec={spent}ms", moment(at));
        }
        words + &format!("): {}\n", execution_status(small(operation, "op-status")))
    }

    /// What a node remembers of a resource.
    fn history_of(&self, resource: ResourceId, node: NodeIndex) -> Option<Element<'a>> {
        let states = self.document.root().child("status")?;
        let state =
            states.children_named("node_state").find(|state| self.node_of_state(*state) == Some(node))?;
        // Pacemaker looks for the number of an instance, too, and so finds nothing of those that are alike.
        let name = &self.rsc(resource).id;
        let mut histories = state.child("lrm")?.child("lrm_resources")?.children_named("lrm_resource");
        histories.find(|history| history.attribute("id") == Some(name))
    }

    fn runs_anywhere(&self, resource: ResourceId) -> bool {
        self.family(resource).iter().any(|part| !self.rsc(*part).running_on.is_empty())
    }

    fn runs_on(&self, resource: ResourceId, node: NodeIndex) -> bool {
        self.family(resource).iter().any(|part| self.rsc(*part).running_on.contains(&node))
    }

    fn running_words(&self, resource: ResourceId, runs: bool, node: Option<NodeIndex>) -> String {
        let host = node.map_or_else(String::new, |node| format!(" on host {}", self.node(node).uname));
        format!("Resource {} is {}running{host}\n", self.rsc(resource).id, if runs { "" } else { "not " })
    }

    /// What of the configuration keeps a resource as it is.
    fn add_check(&self, resource: ResourceId, text: &mut String, xml: &mut XmlWriter) {
        let top = self.top_of(resource);
        let name = &self.rsc(top).id;
        xml.open("check");
        xml.attribute("id", name);
        match self.configured_role(top) {
            Some(Role::Stopped) => {
                *text += &format!("Configuration specifies '{name}' should remain stopped\n");
                xml.flag("remain_stopped", true);
            }
            Some(Role::Unpromoted) if self.is_promotable(top) => {
                *text += &format!("Configuration specifies '{name}' should not be promoted\n");
                xml.flag("promotable", false);
            }
            _ => {}
        }
        let managed = self.rsc(top).meta.get("is-managed");
        if managed.is_some_and(|managed| !score::is_true(managed)) {
            *text +=
                &format!("Configuration prevents cluster from stopping or starting unmanaged '{name}'\n");
            xml.flag("unmanaged", true);
        }
        if let Some(node) = self.rsc(top).lock_node {
            let node = &self.node(node).uname;
            *text += &format!("'{name}' is locked to node {node} due to shutdown\n");
            xml.attribute("locked-to", node);
        }
        xml.close();
    }
}
