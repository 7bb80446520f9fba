//! Alerts: programs of the administrator that are told what happens (Pacemaker Explained, "Alerts").
//!
//! An event is told by one member alone: that of an operation or an attribute by the host that it is about, that of a fencing
//! by the member that says how it ended, that of a host by the first of the members that stay, or by the coordinator.

use std::collections::BTreeMap;

use hafen_cib::values::{parse_boolean, parse_timeout_ms};
use hafen_cib::views::Pairs;
use hafen_cib::{Cib, Element};
use hafen_protocol::HostId;
use hafen_protocol::message::{FenceResult, FenceStart, OperationResult};
use hafen_scheduler::{execution_status, exit_status, rule_holds_at};

use super::Node;
use crate::api::{AlertCall, Output};

/// How long an alert's program may take where nothing is configured, in milliseconds.
const TIMEOUT_MS: u64 = 30_000;
/// What a fencing is called in alerts.
const FENCED: &str = "st_notify_fence";

/// What an alert may be about: its `select` chooses among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind<'a> {
    Node,
    Fencing,
    Resource,
    Attribute(&'a str),
}

impl Kind<'_> {
    fn word(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Fencing => "fencing",
            Self::Resource => "resource",
            Self::Attribute(_) => "attribute",
        }
    }

    /// Without a choice an alert is told everything but attributes, which may change all the time.
    fn is_chosen(self, alert: Element<'_>) -> bool {
        let Some(select) = alert.child("select") else { return !matches!(self, Self::Attribute(_)) };
        match self {
            Self::Node => select.child("select_nodes").is_some(),
            Self::Fencing => select.child("select_fencing").is_some(),
            Self::Resource => select.child("select_resources").is_some(),
            Self::Attribute(name) => select.child("select_attributes").is_some_and(|chosen| {
                let mut names = chosen.children_named("attribute").peekable();
                names.peek().is_none() || names.any(|attribute| attribute.attribute("name") == Some(name))
            }),
        }
    }
}

type Facts = Vec<(&'static str, String)>;

/// The calls that an event leads to: one for each recipient of each alert that wants it.
fn calls(cib: &Cib, kind: Kind<'_>, facts: &Facts, wall_ms: u64) -> Vec<AlertCall> {
    let alerts = cib.section("alerts").into_iter().flat_map(|alerts| alerts.children_named("alert"));
    let mut calls = Vec::new();
    for alert in alerts.filter(|alert| kind.is_chosen(*alert)) {
        let recipients: Vec<Element<'_>> = alert.children_named("recipient").collect();
        match recipients.as_slice() {
            [] => calls.extend(call(alert, None, kind, facts, wall_ms)),
            some => {
                let told = some.iter().filter_map(|some| call(alert, Some(*some), kind, facts, wall_ms));
                calls.extend(told);
            }
        }
    }
    calls
}

fn call(
    alert: Element<'_>,
    recipient: Option<Element<'_>>,
    kind: Kind<'_>,
    facts: &Facts,
    wall_ms: u64,
) -> Option<AlertCall> {
    let path = alert.attribute("path").filter(|path| !path.is_empty())?;
    // What is said of the recipient counts before what is said of the alert.
    let owners = || recipient.into_iter().chain([alert]);
    let holds = |rule: Element<'_>| rule_holds_at(rule, wall_ms / 1000);
    let meta =
        |name: &str| owners().find_map(|owner| Pairs::of(owner, "meta_attributes", None, &holds).get(name));
    if meta("enabled").and_then(parse_boolean) == Some(false) {
        return None;
    }
    let mut environment = BTreeMap::new();
    for owner in owners() {
        for (name, value) in Pairs::of(owner, "instance_attributes", None, &holds).iter() {
            environment.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    environment.insert("CRM_alert_kind".to_owned(), kind.word().to_owned());
    environment.extend(facts.iter().map(|(name, value)| (format!("CRM_alert_{name}"), value.clone())));
    if let Some(recipient) = recipient.and_then(|recipient| recipient.attribute("value")) {
        environment.insert("CRM_alert_recipient".to_owned(), recipient.to_owned());
    }
    let timeout = meta("timeout").and_then(parse_timeout_ms).and_then(|timeout| u64::try_from(timeout).ok());
    Some(AlertCall {
        alert: alert.id().unwrap_or_default().to_owned(),
        path: path.to_owned(),
        environment,
        timestamp_format: meta("timestamp-format").map(str::to_owned),
        timeout_ms: timeout.filter(|timeout| *timeout > 0).unwrap_or(TIMEOUT_MS),
        wall_ms,
    })
}

impl Node {
    fn alert(&mut self, kind: Kind<'_>, facts: &Facts) {
        let calls = calls(self.replica.cib(), kind, facts, self.now.wall_ms);
        self.outputs.extend(calls.into_iter().map(|call| Output::Alert(Box::new(call))));
    }

    /// A host came (`member`) or went (`lost`).
    pub(super) fn alert_node(&mut self, host: HostId, state: &str) {
        let facts = vec![
            ("node", self.replica.uname(host)),
            ("nodeid", host.to_string()),
            ("desc", state.to_owned()),
        ];
        self.alert(Kind::Node, &facts);
    }

    /// An operation ended on this host. That a probe found what was expected is told to nobody.
    pub(super) fn alert_operation(&mut self, result: &OperationResult) {
        let order = &result.order;
        let expected =
            order.transition_key.split(':').nth(2).and_then(|rc| rc.parse::<i32>().ok()).unwrap_or(0);
        if order.task == "monitor" && order.interval_ms == 0 && result.rc == expected {
            return;
        }
        let described = match result.op_status {
            0 => exit_status(result.rc),
            status => execution_status(status),
        };
        let facts = vec![
            ("node", self.replica.uname(order.host)),
            ("rsc", order.resource.clone()),
            ("task", order.task.clone()),
            ("interval", order.interval_ms.to_string()),
            ("target_rc", expected.to_string()),
            ("status", result.op_status.to_string()),
            ("rc", result.rc.to_string()),
            ("desc", described.to_owned()),
            ("exec_time", result.ended_wall_ms.saturating_sub(result.started_wall_ms).to_string()),
        ];
        self.alert(Kind::Resource, &facts);
    }

    /// A fencing ended.
    pub(super) fn alert_fencing(&mut self, start: &FenceStart, result: &FenceResult) {
        let by = self.replica.uname(start.by.host);
        let (rc, outcome) = match &result.outcome {
            Ok(_) => (0, "OK"),
            Err(error) => (1, error.as_str()),
        };
        let (action, target) = (&start.action, &start.target_uname);
        let text =
            format!("Operation {action} of {target} by {by} for hafen@{by}: {outcome} (ref={})", start.id);
        let facts = vec![
            ("node", target.clone()),
            ("task", FENCED.to_owned()),
            ("rc", rc.to_string()),
            ("desc", text),
        ];
        self.alert(Kind::Fencing, &facts);
    }

    /// A transient attribute of this host changed.
    pub(super) fn alert_attribute(&mut self, host: HostId, name: &str, value: Option<&str>) {
        let facts = vec![
            ("node", self.replica.uname(host)),
            ("nodeid", host.to_string()),
            ("attribute_name", name.to_owned()),
            ("attribute_value", value.unwrap_or_default().to_owned()),
        ];
        self.alert(Kind::Attribute(name), &facts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIB: &str = r#"<cib><configuration><alerts>
        <alert id="all" path="/all"><instance_attributes id="i"><nvpair id="ia" name="a" value="1"/><nvpair id="ib" name="b" value="2"/>
          </instance_attributes><meta_attributes id="m"><nvpair id="mt" name="timeout" value="5s"/></meta_attributes>
          <recipient id="r1" value="one"/>
          <recipient id="r2" value="two"><instance_attributes id="ri"><nvpair id="ra" name="a" value="3"/></instance_attributes>
          <meta_attributes id="rm"><nvpair id="rt" name="timeout" value="9s"/></meta_attributes></recipient></alert>
        <alert id="chosen" path="/chosen"><select><select_attributes><attribute id="x" name="pingd"/></select_attributes></select>
          </alert>
        <alert id="any" path="/any"><select><select_attributes/><select_nodes/></select></alert>
        <alert id="off" path="/off"><meta_attributes id="om"><nvpair id="oe" name="enabled" value="false"/></meta_attributes></alert>
        </alerts></configuration></cib>"#;

    fn told(kind: Kind<'_>) -> Vec<String> {
        let cib = Cib::parse(CIB).expect("a CIB");
        let calls = calls(&cib, kind, &vec![("node", "host1".to_owned())], 7);
        assert!(calls.iter().all(|call| call.environment["CRM_alert_node"] == "host1"));
        let text = |call: &AlertCall| {
            let get = |name: &str| call.environment.get(name).cloned().unwrap_or_default();
            format!(
                "{} {} {} {} {}",
                call.path,
                get("CRM_alert_recipient"),
                get("a"),
                get("b"),
                call.timeout_ms
            )
        };
        calls.iter().map(text).collect()
    }

    #[test]
    fn an_alert_is_told_what_it_chooses() {
        let all = ["/all one 1 2 5000", "/all two 3 2 9000"];
        assert_eq!(told(Kind::Resource), all);
        assert_eq!(told(Kind::Fencing), all);
        assert_eq!(told(Kind::Node), [all[0], all[1], "/any    30000"]);
        assert_eq!(told(Kind::Attribute("pingd")), ["/chosen    30000", "/any    30000"]);
        assert_eq!(told(Kind::Attribute("other")), ["/any    30000"]);
    }

    const RULED: &str = r#"<cib validate-with="pacemaker-4.0"><configuration><crm_config/><nodes/><resources/>
        <constraints/><alerts><alert id="page" path="/usr/bin/page">
        <meta_attributes id="sleep"><rule id="sleep-rule" score="0"><date_expression id="sleep-rule-date"
            operation="in_range" start="2026-01-01 00:00:00Z" end="2026-01-01 06:00:00Z"/></rule>
            <nvpair id="sleep-enabled" name="enabled" value="false"/></meta_attributes>
        <instance_attributes id="new"><rule id="new-rule" score="0"><date_expression id="new-rule-date"
            operation="gt" start="2026-02-01 00:00:00Z"/></rule>
            <nvpair id="new-to" name="to" value="new"/></instance_attributes>
        <instance_attributes id="old"><nvpair id="old-to" name="to" value="old"/></instance_attributes>
        </alert></alerts></configuration><status/></cib>"#;
    /// The first of January of 2026.
    const MIDNIGHT_MS: u64 = 1_767_225_600_000;
    const HOUR_MS: u64 = 3_600_000;

    /// Whom the alert pages at a moment.
    fn paged(wall_ms: u64) -> Option<String> {
        let cib = Cib::parse(RULED).expect("a CIB");
        let mut calls = calls(&cib, Kind::Node, &Vec::new(), wall_ms);
        assert!(calls.len() <= 1, "{calls:?}");
        calls.pop().and_then(|call| call.environment.get("to").cloned())
    }

    #[test]
    fn rules_are_judged_when_the_alert_is_told() {
        assert_eq!(paged(MIDNIGHT_MS + HOUR_MS), None, "nobody is paged at night");
        assert_eq!(paged(MIDNIGHT_MS + 7 * HOUR_MS).as_deref(), Some("old"));
        assert_eq!(paged(MIDNIGHT_MS + 60 * 24 * HOUR_MS).as_deref(), Some("new"));
    }
}
