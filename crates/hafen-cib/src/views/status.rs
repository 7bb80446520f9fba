//! The status: node states, histories of operations, transient attributes.

use std::fmt;

use super::pairs::{NO_RULES, Pairs};
use crate::cib::Cib;
use crate::values::{parse_boolean, parse_duration_ms};
use crate::xml::Element;

/// A `<node_state>`.
#[derive(Debug, Clone, Copy)]
pub struct NodeState<'a>(Element<'a>);

impl<'a> NodeState<'a> {
    /// The state in an element.
    pub fn new(element: Element<'a>) -> NodeState<'a> {
        NodeState(element)
    }

    /// The element.
    pub fn element(self) -> Element<'a> {
        self.0
    }

    /// The node's id.
    pub fn id(self) -> &'a str {
        self.0.id().unwrap_or("")
    }

    /// The node's name.
    pub fn uname(self) -> &'a str {
        self.0.attribute("uname").unwrap_or("")
    }

    /// Whether the node is in the membership: `in_ccm` is true, or the time at which it came.
    pub fn is_member(self) -> bool {
        self.0.attribute("in_ccm").is_some_and(|value| truth_or_time(value, "true"))
    }

    /// Whether its daemon is in the process group: `crmd` is `online`, or the time at which it came.
    pub fn is_peer(self) -> bool {
        self.0.attribute("crmd").is_some_and(|value| truth_or_time(value, "online"))
    }

    /// How far it has joined: `down`, `pending`, `banned`, `member`.
    pub fn join(self) -> &'a str {
        self.0.attribute("join").unwrap_or("down")
    }

    /// What it is expected to be: `down` or `member`.
    pub fn expected(self) -> &'a str {
        self.0.attribute("expected").unwrap_or("down")
    }

    /// Attributes that last until the node leaves.
    pub fn transient_attributes(self) -> Option<Pairs<'a>> {
        let holder = self.0.child("transient_attributes")?;
        Some(Pairs::of(holder, "instance_attributes", None, NO_RULES))
    }

    /// A transient attribute.
    pub fn transient_attribute(self, name: &str) -> Option<&'a str> {
        self.transient_attributes()?.get(name)
    }

    /// The resources that the node's history knows.
    pub fn resources(self) -> impl Iterator<Item = LrmResource<'a>> {
        let holder = self.0.child("lrm").and_then(|lrm| lrm.child("lrm_resources"));
        holder.into_iter().flat_map(|holder| holder.children_named("lrm_resource")).map(LrmResource)
    }

    /// The history of one resource.
    pub fn resource(self, id: &str) -> Option<LrmResource<'a>> {
        self.resources().find(|resource| resource.id() == id)
    }
}

fn truth_or_time(value: &str, word: &str) -> bool {
    match value.parse::<u64>() {
        Ok(time) => time > 1 || parse_boolean(value) == Some(true),
        Err(_) => value == word || parse_boolean(value) == Some(true),
    }
}

/// A `<lrm_resource>`: the history of a resource on a node.
#[derive(Debug, Clone, Copy)]
pub struct LrmResource<'a>(Element<'a>);

impl<'a> LrmResource<'a> {
    /// The history in an element.
    pub fn new(element: Element<'a>) -> LrmResource<'a> {
        LrmResource(element)
    }

    /// The element.
    pub fn element(self) -> Element<'a> {
        self.0
    }

    /// The resource's id, with the instance for unique clones.
    pub fn id(self) -> &'a str {
        self.0.id().unwrap_or("")
    }

    /// The agent's class, provider (empty if it has none) and type.
    pub fn agent(self) -> (&'a str, &'a str, &'a str) {
        let part = |name| self.0.attribute(name).unwrap_or("");
        (part("class"), part("provider"), part("type"))
    }

    /// The operations in the order in which they stand.
    pub fn operations(self) -> impl Iterator<Item = LrmOperation<'a>> {
        self.0.children_named("lrm_rsc_op").map(LrmOperation)
    }
}

/// A `<lrm_rsc_op>`: one operation of a history.
#[derive(Debug, Clone, Copy)]
pub struct LrmOperation<'a>(Element<'a>);

impl<'a> LrmOperation<'a> {
    /// The operation in an element.
    pub fn new(element: Element<'a>) -> LrmOperation<'a> {
        LrmOperation(element)
    }

    /// The element.
    pub fn element(self) -> Element<'a> {
        self.0
    }

    /// The id, such as `vm1_last_0`.
    pub fn id(self) -> &'a str {
        self.0.id().unwrap_or("")
    }

    /// The key, such as `vm1_monitor_10000`.
    pub fn operation_key(self) -> &'a str {
        self.0.attribute("operation_key").unwrap_or_else(|| self.id())
    }

    /// The action: `start`, `monitor`, ...
    pub fn operation(self) -> &'a str {
        self.0.attribute("operation").unwrap_or("")
    }

    /// The interval in milliseconds (a bare number is in milliseconds here).
    pub fn interval_ms(self) -> u64 {
        let text = self.0.attribute("interval").unwrap_or("0");
        text.parse().ok().or_else(|| parse_duration_ms(text)).unwrap_or(0)
    }

    /// The agent's exit code.
    pub fn rc_code(self) -> i32 {
        self.number("rc-code").unwrap_or(0) as i32
    }

    /// How execution ended: -1 pending, 0 done, 1 cancelled, 2 timeout, 4 error, ...
    pub fn op_status(self) -> i32 {
        self.number("op-status").unwrap_or(0) as i32
    }

    /// The executor's number of the call; -1 while pending.
    pub fn call_id(self) -> i32 {
        self.number("call-id").unwrap_or(0) as i32
    }

    /// When the operation last ran, in seconds since the epoch.
    pub fn last_run_s(self) -> Option<i64> {
        self.number("last-run")
    }

    /// When the result last changed, in seconds since the epoch.
    pub fn last_rc_change_s(self) -> Option<i64> {
        self.number("last-rc-change")
    }

    /// The digest of all parameters.
    pub fn op_digest(self) -> Option<&'a str> {
        self.0.attribute("op-digest")
    }

    /// The digest of the parameters that need a restart when they change.
    pub fn op_restart_digest(self) -> Option<&'a str> {
        self.0.attribute("op-restart-digest")
    }

    /// What the agent said about a failure.
    pub fn exit_reason(self) -> Option<&'a str> {
        self.0.attribute("exit-reason").filter(|reason| !reason.is_empty())
    }

    /// Which action of which transition this was.
    pub fn transition_key(self) -> Option<TransitionKey> {
        TransitionKey::parse(self.0.attribute("transition-key")?)
    }

    /// The key with the result.
    pub fn transition_magic(self) -> Option<TransitionMagic> {
        TransitionMagic::parse(self.0.attribute("transition-magic")?)
    }

    fn number(self, name: &str) -> Option<i64> {
        self.0.attribute(name)?.parse().ok()
    }
}

/// `ACTION:TRANSITION:EXPECTED_RC:UUID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionKey {
    /// The action's number in its transition.
    pub action: u32,
    /// The transition's number.
    pub transition: u32,
    /// The exit code that counts as success.
    pub target_rc: i32,
    /// Who made the transition.
    pub uuid: String,
}

impl TransitionKey {
    /// Read a key.
    pub fn parse(text: &str) -> Option<TransitionKey> {
        let mut parts = text.splitn(4, ':');
        Some(TransitionKey {
            action: parts.next()?.parse().ok()?,
            transition: parts.next()?.parse().ok()?,
            target_rc: parts.next()?.parse().ok()?,
            uuid: parts.next()?.to_string(),
        })
    }
}

impl fmt::Display for TransitionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TransitionKey { action, transition, target_rc, uuid } = self;
        write!(formatter, "{action}:{transition}:{target_rc}:{uuid}")
    }
}

/// `OP_STATUS:RC;KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionMagic {
    /// How execution ended.
    pub op_status: i32,
    /// The agent's exit code.
    pub rc: i32,
    /// The action's key.
    pub key: TransitionKey,
}

impl TransitionMagic {
    /// Read a magic.
    pub fn parse(text: &str) -> Option<TransitionMagic> {
        let (result, key) = text.split_once(';')?;
        let (op_status, rc) = result.split_once(':')?;
        let key = TransitionKey::parse(key)?;
        Some(TransitionMagic { op_status: op_status.parse().ok()?, rc: rc.parse().ok()?, key })
    }
}

impl fmt::Display for TransitionMagic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{};{}", self.op_status, self.rc, self.key)
    }
}

impl Cib {
    /// The state of a node by its name.
    pub fn node_state(&self, uname: &str) -> Option<NodeState<'_>> {
        self.node_states().map(NodeState).find(|state| state.uname() == uname)
    }
}
