//! Writing results into a CIB's status, in place.

use std::collections::BTreeMap;

use hafen_cib::{Cib, Document, Element, NodeId};

use crate::actions::parameters_digest;
use crate::input::nvpairs::Values;
use crate::plan::Attributes;

/// Who writes, in `crm-debug-origin`.
const ORIGIN: &str = "crm_simulate";
/// The transition that nobody drives, and its driver.
const TRANSITION: i64 = -1;
const DRIVER: &str = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
/// The section of a new CIB's own cluster options.
const BOOTSTRAP_OPTIONS: &str = "cib-bootstrap-options";

/// A resource as its history names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agent<'a> {
    /// The name under which there may be a history already.
    pub(super) name: &'a str,
    /// The name for a new history.
    pub(super) new_name: &'a str,
    pub(super) class: &'a str,
    pub(super) provider: Option<&'a str>,
    pub(super) type_: &'a str,
}

/// What came of an operation.
#[derive(Clone, Debug)]
pub(super) struct Outcome<'a> {
    pub(super) task: &'a str,
    pub(super) interval_ms: u64,
    pub(super) rc: i32,
    /// The result that counts as success.
    pub(super) target_rc: i32,
    pub(super) reason: &'a str,
    /// `pre` or `post`, and the operation, of a notification.
    pub(super) notification: Option<(&'a str, &'a str)>,
    /// From where to where, of a migration.
    pub(super) migration: Option<(&'a str, &'a str)>,
    /// The parameters that the agent was given, as far as they are known.
    pub(super) parameters: Option<&'a Attributes>,
}

impl Outcome<'_> {
    fn failed(&self) -> bool {
        self.rc != self.target_rc
    }
}

/// A host's `node_state`, and where its resources' histories are.
struct Host {
    state: NodeId,
    /// Made when first asked for.
    resources: Option<BTreeMap<String, NodeId>>,
}

/// The CIB whose status is written, with an index.
pub(super) struct Status<'a> {
    cib: &'a mut Cib,
    /// By name.
    hosts: BTreeMap<String, Host>,
    now: u64,
}

/// Why something cannot be written.
pub(super) struct Unknown(pub(super) String);

impl<'a> Status<'a> {
    /// `now` is the time of what happens, in seconds since 1970.
    pub(super) fn new(cib: &'a mut Cib, now: u64) -> Status<'a> {
        Status { cib, hosts: BTreeMap::new(), now }
    }

    pub(super) fn cib(&mut self) -> &mut Cib {
        self.cib
    }

    fn document(&mut self) -> &mut Document {
        self.cib.document_mut()
    }

    /// Whether the configuration or the status knows a host.
    fn configured_id(&self, name: &str) -> Option<String> {
        let named = |element: &Element<'_>| element.attribute("uname") == Some(name);
        let mut nodes = self.cib.nodes().into_iter().flat_map(|nodes| nodes.children_named("node"));
        Some(nodes.find(named)?.id()?.to_owned())
    }

    /// The `node_state` of a host, made if it is missing. `id` is what the host's id is known to be.
    pub(super) fn host(&mut self, name: &str, id: Option<&str>) -> Result<NodeId, Unknown> {
        if let Some(host) = self.hosts.get(name) {
            return Ok(host.state);
        }
        let named = |element: &Element<'_>| element.attribute("uname") == Some(name);
        let found = self.cib.node_states().find(named).map(Element::node);
        let state = match found {
            Some(state) => state,
            None => {
                let id = id
                    .map(str::to_owned)
                    .or_else(|| self.configured_id(name))
                    .ok_or_else(|| Unknown(format!("There is no node {name}")))?;
                self.host_by_id(name, &id)
            }
        };
        self.hosts.insert(name.to_owned(), Host { state, resources: None });
        Ok(state)
    }

    fn host_by_id(&mut self, name: &str, id: &str) -> NodeId {
        let found = self.cib.node_states().find(|state| state.id() == Some(id)).map(Element::node);
        let state = found.unwrap_or_else(|| {
            let status = self.cib.status_or_new();
            let state = self.document().append_element(status, "node_state");
            self.document().set_attribute(state, "id", id);
            self.cib.bump_num_updates();
            state
        });
        self.document().set_attribute(state, "uname", name);
        state
    }

    /// Adds a host that nobody has heard of to the configuration, with its name for an id.
    pub(super) fn configure_host(&mut self, name: &str) {
        if self.configured_id(name).is_some() {
            return;
        }
        let nodes = self.cib.section_or_new("nodes");
        let node = self.document().append_element(nodes, "node");
        self.document().set_attribute(node, "id", name);
        self.document().set_attribute(node, "uname", name);
        self.cib.bump_epoch();
    }

    /// Sets what the membership says of a host.
    pub(super) fn set_membership(&mut self, state: NodeId, values: &[(&str, &str)], origin: &str) {
        for (name, value) in values {
            self.document().set_attribute(state, name, value);
        }
        self.document().set_attribute(state, "crm-debug-origin", origin);
        self.cib.bump_num_updates();
    }

    /// A host was fenced: it is down, and what was known of it is void.
    pub(super) fn fenced(&mut self, name: &str, id: Option<&str>) -> Result<(), Unknown> {
        let state = self.host(name, id)?;
        let down = [("in_ccm", "false"), ("crmd", "offline"), ("join", "down"), ("expected", "down")];
        self.set_membership(state, &down, "simulate_fencing_action");
        self.forget(state);
        Ok(())
    }

    /// What was known of a host that is down is void.
    pub(super) fn forget(&mut self, state: NodeId) {
        for kind in ["lrm", "transient_attributes"] {
            let old: Vec<NodeId> =
                self.document().element(state).children_named(kind).map(Element::node).collect();
            let any = !old.is_empty();
            for old in old {
                self.document().remove(old);
            }
            if any {
                self.cib.bump_num_updates();
            }
        }
        // A state may be known by two names: by its own, and as the one of a host that has the same id.
        for host in self.hosts.values_mut().filter(|host| host.state == state) {
            host.resources = None;
        }
    }

    /// The history of a resource on a host, made if it is missing.
    pub(super) fn history(&mut self, host: &str, state: NodeId, agent: Agent<'_>) -> NodeId {
        if self.hosts.get(host).is_none_or(|host| host.resources.is_none()) {
            let resources = self.index_histories(state);
            self.hosts.insert(host.to_owned(), Host { state, resources: Some(resources) });
        }
        let known = self.hosts.get(host).and_then(|host| host.resources.as_ref());
        let found = known.and_then(|known| known.get(agent.name).or_else(|| known.get(agent.new_name)));
        if let Some(found) = found {
            return *found;
        }
        let holder = self.histories_holder(state);
        let history = self.document().append_element(holder, "lrm_resource");
        self.document().set_attribute(history, "id", agent.new_name);
        self.document().set_attribute(history, "class", agent.class);
        if let Some(provider) = agent.provider {
            self.document().set_attribute(history, "provider", provider);
        }
        self.document().set_attribute(history, "type", agent.type_);
        if let Some(known) = self.hosts.get_mut(host).and_then(|host| host.resources.as_mut()) {
            known.insert(agent.new_name.to_owned(), history);
        }
        history
    }

    fn index_histories(&mut self, state: NodeId) -> BTreeMap<String, NodeId> {
        let holders = self.document().element(state).children_named("lrm");
        let holders = holders.flat_map(|lrm| lrm.children_named("lrm_resources"));
        let mut index = BTreeMap::new();
        for history in holders.flat_map(|holder| holder.children_named("lrm_resource")) {
            if let Some(id) = history.id() {
                index.entry(id.to_owned()).or_insert(history.node());
            }
        }
        index
    }

    /// A host's `lrm_resources`, made if it is missing.
    fn histories_holder(&mut self, state: NodeId) -> NodeId {
        let element = self.document().element(state);
        let id = element.id().unwrap_or_default().to_owned();
        let lrm = element.child("lrm");
        let holder = lrm.and_then(|lrm| lrm.child("lrm_resources")).map(Element::node);
        let lrm = lrm.map(Element::node);
        if let Some(holder) = holder {
            return holder;
        }
        let lrm = lrm.unwrap_or_else(|| {
            let lrm = self.document().append_element(state, "lrm");
            self.document().set_attribute(lrm, "id", &id);
            lrm
        });
        self.document().append_element(lrm, "lrm_resources")
    }

    /// Writes an operation's result into a history.
    pub(super) fn record(&mut self, host: &str, history: NodeId, name: &str, outcome: &Outcome<'_>) {
        let element = self.document().element(history);
        let calls =
            element.children_named("lrm_rsc_op").filter_map(|op| op.attribute("call-id")?.parse().ok());
        let call = calls.fold(0_i64, i64::max).saturating_add(1);
        for id in entries(name, outcome) {
            let element = self.document().element(history);
            let found = element.children_named("lrm_rsc_op").find(|op| op.id() == Some(id.as_str()));
            let entry = match found.map(Element::node) {
                Some(entry) => entry,
                None => {
                    let entry = self.document().append_element(history, "lrm_rsc_op");
                    self.document().set_attribute(entry, "id", &id);
                    entry
                }
            };
            self.write(entry, host, name, call, outcome);
        }
    }

    fn write(&mut self, entry: NodeId, host: &str, name: &str, call: i64, outcome: &Outcome<'_>) {
        let now = self.now.to_string();
        let task = recorded_task(outcome);
        let transition = format!("{call}:{TRANSITION}:{}:{DRIVER}", outcome.target_rc);
        let magic = format!("0:{};{transition}", outcome.rc);
        let (call, rc, interval) =
            (call.to_string(), outcome.rc.to_string(), outcome.interval_ms.to_string());
        let key = format!("{name}_{task}_{interval}");
        let reason = if outcome.failed() { outcome.reason } else { "" };
        let document = self.document();
        for (name, value) in [
            ("operation_key", key.as_str()),
            ("operation", task),
            ("crm-debug-origin", ORIGIN),
            ("crm_feature_set", hafen_cib::FEATURE_SET),
            ("transition-key", &transition),
            ("transition-magic", &magic),
            ("exit-reason", reason),
            ("on_node", host),
            ("call-id", &call),
            ("rc-code", &rc),
            ("op-status", "0"),
            ("interval", &interval),
            ("last-rc-change", &now),
            ("exec-time", "0"),
            ("queue-time", "0"),
        ] {
            document.set_attribute(entry, name, value);
        }
        if let Some((source, target)) = outcome.migration {
            document.set_attribute(entry, "migrate_source", source);
            document.set_attribute(entry, "migrate_target", target);
        }
        if let Some(parameters) = outcome.parameters {
            document.set_attribute(entry, "op-digest", &digest(parameters, outcome.interval_ms));
        }
    }

    /// Counts a failure in the host's transient attributes; gives the names and values that were written.
    pub(super) fn count_failure(
        &mut self,
        state: NodeId,
        resource: &str,
        outcome: &Outcome<'_>,
    ) -> Vec<(String, String)> {
        if outcome.rc == 0 || outcome.rc == 7 && outcome.interval_ms == 0 {
            return Vec::new();
        }
        let operation = format!("{resource}#{}_{}", outcome.task, outcome.interval_ms);
        let name = format!("fail-count-{operation}");
        let holder = self.transient_holder(state);
        let count = if self.is_fatal(outcome.task) {
            "INFINITY".to_owned()
        } else {
            let known = self.nvpair(holder, &name).map(|pair| self.value_of(pair));
            match known.as_deref() {
                None => "1".to_owned(),
                Some("INFINITY") => "INFINITY".to_owned(),
                Some(value) => value.parse::<i64>().unwrap_or(0).saturating_add(1).to_string(),
            }
        };
        let written = vec![(name, count), (format!("last-failure-{operation}"), self.now.to_string())];
        for (name, value) in &written {
            self.set_nvpair(holder, name, value);
        }
        written
    }

    /// Whether a single failure of an operation keeps the resource from a host.
    fn is_fatal(&self, task: &str) -> bool {
        match task {
            "stop" => true,
            "start" => self.cib.property_boolean("start-failure-is-fatal"),
            _ => false,
        }
    }

    fn transient_holder(&mut self, state: NodeId) -> NodeId {
        let element = self.document().element(state);
        let id = element.id().unwrap_or_default().to_owned();
        let transient = element.child("transient_attributes");
        let holder =
            transient.and_then(|transient| transient.child("instance_attributes")).map(Element::node);
        let transient = transient.map(Element::node);
        if let Some(holder) = holder {
            return holder;
        }
        let transient = transient.unwrap_or_else(|| {
            let transient = self.document().append_element(state, "transient_attributes");
            self.document().set_attribute(transient, "id", &id);
            transient
        });
        let holder = self.document().append_element(transient, "instance_attributes");
        self.document().set_attribute(holder, "id", &id);
        holder
    }

    fn nvpair(&self, holder: NodeId, name: &str) -> Option<NodeId> {
        let mut pairs = self.cib.document().element(holder).children_named("nvpair");
        pairs.find(|pair| pair.attribute("name") == Some(name)).map(Element::node)
    }

    fn value_of(&self, pair: NodeId) -> String {
        self.cib.document().element(pair).attribute("value").unwrap_or_default().to_owned()
    }

    fn set_nvpair(&mut self, holder: NodeId, name: &str, value: &str) {
        let pair = self.nvpair(holder, name).unwrap_or_else(|| {
            let pair = self.document().append_element(holder, "nvpair");
            let id = format!("_-{}", name.replace(['#', ':', ' '], "."));
            self.document().set_attribute(pair, "id", &id);
            self.document().set_attribute(pair, "name", name);
            pair
        });
        self.document().set_attribute(pair, "value", value);
    }

    /// Sets a cluster option, where it stands or in a section of its own.
    pub(super) fn set_property(&mut self, name: &str, value: &str) {
        let found = {
            let sets = self.cib.crm_config().into_iter().flat_map(|config| config.children());
            let mut pairs = sets.flat_map(|set| set.children_named("nvpair"));
            pairs.find(|pair| pair.attribute("name") == Some(name)).map(Element::node)
        };
        let pair = found.unwrap_or_else(|| {
            let config = self.cib.section_or_new("crm_config");
            let set = self.document().append_element(config, "cluster_property_set");
            self.document().set_attribute(set, "id", BOOTSTRAP_OPTIONS);
            let pair = self.document().append_element(set, "nvpair");
            self.document().set_attribute(pair, "id", &format!("{BOOTSTRAP_OPTIONS}-{name}"));
            self.document().set_attribute(pair, "name", name);
            pair
        });
        self.document().set_attribute(pair, "value", value);
        self.cib.bump_epoch();
    }

    /// Sets an attribute of a ticket, which is made if it is missing.
    pub(super) fn set_ticket(&mut self, ticket: &str, name: &str, value: &str) {
        let status = self.cib.status_or_new();
        let tickets = match self.document().element(status).child("tickets").map(Element::node) {
            Some(tickets) => tickets,
            None => self.document().append_element(status, "tickets"),
        };
        let found = {
            let mut known = self.cib.document().element(tickets).children_named("ticket_state");
            known.find(|state| state.id() == Some(ticket)).map(Element::node)
        };
        let state = match found {
            Some(state) => state,
            None => {
                let state = self.document().append_element(tickets, "ticket_state");
                self.document().set_attribute(state, "id", ticket);
                state
            }
        };
        self.document().set_attribute(state, name, value);
        self.cib.bump_num_updates();
    }
}

/// The task under which history knows an operation: a reload counts as a start with new parameters.
fn recorded_task<'a>(outcome: &Outcome<'a>) -> &'a str {
    match outcome.task {
        "reload" | "reload-agent" => "start",
        task => task,
    }
}

/// The ids of the entries that an operation's result goes to.
fn entries(name: &str, outcome: &Outcome<'_>) -> Vec<String> {
    if outcome.task == "notify" {
        let (when, task) = outcome.notification.unwrap_or(("", ""));
        return vec![format!("{name}_{when}_notify_{task}_0")];
    }
    if matches!(outcome.task, "migrate_to" | "migrate_from") {
        return vec![format!("{name}_{}_{}", outcome.task, outcome.interval_ms)];
    }
    let last = format!("{name}_last_0");
    match (outcome.failed(), outcome.interval_ms) {
        (true, 0) => vec![format!("{name}_last_failure_0"), last],
        (true, _) => vec![format!("{name}_last_failure_0")],
        (false, 0) => vec![last],
        (false, interval) => vec![format!("{name}_{}_{interval}", outcome.task)],
    }
}

/// The digest of what an agent was given: of the meta-attributes only the timeout of recurring operations.
fn digest(parameters: &Attributes, interval_ms: u64) -> String {
    let mut kept = Values::new();
    for (name, value) in parameters.iter() {
        let timeout = interval_ms > 0 && name == "CRM_meta_timeout";
        if timeout || !name.starts_with("CRM_meta_") && name != "crm_feature_set" {
            kept.insert(name.to_owned(), value.to_owned());
        }
    }
    parameters_digest(&kept)
}
