//! What a simulation pretends before it plans: changes of the CIB, and what is said about them.

use hafen_cib::Cib;

use super::out::Out;
use super::playing::say_attribute;
use super::status::{Agent, Outcome, Status};
use crate::model::{Cluster, Variant};

/// What the command line wants changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Injections {
    /// Whether there is quorum (`-q`).
    pub quorum: Option<String>,
    /// Whether there is a watchdog (`-w`).
    pub watchdog: Option<String>,
    /// Nodes that come online (`-u`).
    pub node_up: Vec<String>,
    /// Nodes that go offline (`-d`).
    pub node_down: Vec<String>,
    /// Nodes that are lost (`-f`).
    pub node_fail: Vec<String>,
    /// Tickets that are granted (`-g`).
    pub ticket_grant: Vec<String>,
    /// Tickets that are revoked (`-r`).
    pub ticket_revoke: Vec<String>,
    /// Tickets that are put into standby (`-b`).
    pub ticket_standby: Vec<String>,
    /// Tickets that are taken out of standby (`-e`).
    pub ticket_activate: Vec<String>,
    /// Results of operations (`-i`).
    pub operations: Vec<String>,
}

impl Injections {
    /// Whether anything is to be changed. Quorum alone does not count: Pacemaker's tool looks at it only beside others.
    pub(super) fn is_empty(&self) -> bool {
        let lists = [
            &self.node_up,
            &self.node_down,
            &self.node_fail,
            &self.ticket_grant,
            &self.ticket_revoke,
            &self.ticket_standby,
            &self.ticket_activate,
            &self.operations,
        ];
        self.watchdog.is_none() && lists.iter().all(|list| list.is_empty())
    }
}

/// An operation's result as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Specification<'a> {
    pub(super) key: &'a str,
    pub(super) node: &'a str,
    pub(super) rc: i32,
}

impl<'a> Specification<'a> {
    /// Reads `KEY@NODE=RC`; gives how many of the three were understood where it is not that.
    fn read(text: &'a str) -> Result<Specification<'a>, usize> {
        let Some((key, rest)) = text.split_once('@') else { return Err(usize::from(!text.is_empty())) };
        if key.is_empty() {
            return Err(0);
        }
        let Some((node, rc)) = rest.split_once('=') else { return Err(if rest.is_empty() { 1 } else { 2 }) };
        if node.is_empty() {
            return Err(1);
        }
        let rc = leading_number(rc).ok_or(2_usize)?;
        Ok(Specification { key, node, rc })
    }

    /// The resource, task and interval of the key.
    fn parts(&self) -> Option<(&'a str, &'a str, u64)> {
        let (rest, interval) = self.key.rsplit_once('_')?;
        let interval = leading_number(interval)?;
        let (resource, mut task) = rest.rsplit_once('_')?;
        let mut resource = resource;
        // Two tasks have a `_` in their name.
        for (ending, whole) in [("migrate", ["migrate_to", "migrate_from"])] {
            if let Some(before) = resource.strip_suffix(ending).and_then(|before| before.strip_suffix('_'))
                && let Some(known) = whole.iter().find(|known| known.ends_with(&format!("_{task}")))
            {
                (resource, task) = (before, known);
            }
        }
        (!resource.is_empty()).then_some((resource, task, u64::try_from(interval).unwrap_or(0)))
    }
}

/// The number at the start of a text, as C reads one.
pub(super) fn leading_number(text: &str) -> Option<i32> {
    let text = text.trim_start();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 {
        return None;
    }
    let number = &text[..text.len() - digits.len() + length];
    let number = number.strip_prefix('+').unwrap_or(number);
    Some(number.parse().unwrap_or(if number.starts_with('-') { i32::MIN } else { i32::MAX }))
}

/// What `-i` has to know of a resource.
struct KnownAgent {
    name: String,
    class: String,
    provider: Option<String>,
    type_: String,
}

/// The resources that the operations to inject name, looked up before the CIB changes.
pub(super) struct KnownAgents(Vec<Option<KnownAgent>>);

impl KnownAgents {
    /// Looks up what the injected operations are about.
    pub(super) fn of(injections: &Injections, cluster: &Cluster<'_>) -> KnownAgents {
        let look_up = |text: &String| {
            let (name, _, _) = Specification::read(text).ok()?.parts()?;
            let resource = cluster
                .resources
                .iter()
                .find(|resource| resource.id == name)
                .or_else(|| cluster.resources.iter().find(|resource| resource.history_id == name))?;
            (resource.variant == Variant::Primitive).then(|| KnownAgent {
                name: name.to_owned(),
                class: resource.class.clone(),
                provider: resource.provider.clone(),
                type_: resource.type_.clone(),
            })
        };
        KnownAgents(injections.operations.iter().map(look_up).collect())
    }
}

/// Why the changes stop.
pub(super) struct Refused {
    pub(super) message: String,
    pub(super) status: u8,
}

/// Makes the changes, and says so.
pub(super) fn inject(
    injections: &Injections,
    agents: &KnownAgents,
    cib: &mut Cib,
    now: u64,
    out: &mut Out,
    complain: &mut dyn FnMut(&str),
) -> Result<(), Refused> {
    out.line(format_args!("Performing Requested Modifications:"));
    let named: Vec<(&str, &str)> = [("quorum", &injections.quorum), ("watchdog", &injections.watchdog)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect();
    out.start("modifications", &named);
    let mut status = Status::new(cib, now);
    cluster_wide(injections, &mut status, out)?;
    nodes(injections, &mut status, out)?;
    tickets(injections, &mut status, out);
    for (text, agent) in injections.operations.iter().zip(&agents.0) {
        operation(text, agent.as_ref(), &mut status, out, complain)?;
    }
    out.end();
    Ok(())
}

fn cluster_wide(injections: &Injections, status: &mut Status<'_>, out: &mut Out) -> Result<(), Refused> {
    if let Some(quorum) = &injections.quorum {
        out.item(format_args!("Setting quorum: {quorum}"));
        if !matches!(quorum.as_str(), "0" | "1" | "true" | "false") {
            let message = format!("have-quorum=\"{quorum}\" is neither true nor false");
            return Err(Refused { message, status: super::exit::CONFIG });
        }
        let cib = status.cib();
        let root = cib.root().node();
        cib.document_mut().set_attribute(root, "have-quorum", quorum);
        cib.bump_num_updates();
    }
    if let Some(watchdog) = &injections.watchdog {
        out.item(format_args!("Setting watchdog: {watchdog}"));
        status.set_property("have-watchdog", watchdog);
    }
    Ok(())
}

fn nodes(injections: &Injections, status: &mut Status<'_>, out: &mut Out) -> Result<(), Refused> {
    let online = [("in_ccm", "true"), ("crmd", "online"), ("join", "member"), ("expected", "member")];
    let offline = [("in_ccm", "false"), ("crmd", "offline"), ("join", "down"), ("expected", "down")];
    let lost = [("in_ccm", "false")];
    #[allow(clippy::type_complexity, reason = "a table")]
    let kinds: [(&[String], &str, [&str; 2], &[(&str, &str)]); 3] = [
        (&injections.node_up, "Online", ["Bringing", " online"], &online),
        (&injections.node_down, "Offline", ["Taking", " offline"], &offline),
        (&injections.node_fail, "Failing", ["Failing", ""], &lost),
    ];
    for (names, word, [before, after], values) in kinds {
        for node in names {
            out.item(format_args!("{before} node {node}{after}"));
            out.element("modify_node", &[("action", word), ("node", node)]);
            if word == "Online" {
                status.configure_host(node);
            }
            let state = status
                .host(node, None)
                .map_err(|unknown| Refused { message: unknown.0, status: super::exit::NO_SUCH_OBJECT })?;
            status.set_membership(state, values, "crm_simulate");
            if word == "Offline" {
                status.forget(state);
            }
        }
    }
    Ok(())
}

fn tickets(injections: &Injections, status: &mut Status<'_>, out: &mut Out) {
    let kinds: [(&[String], &str, &str, &str, &str); 4] = [
        (&injections.ticket_grant, "Granting", "", "granted", "true"),
        (&injections.ticket_revoke, "Revoking", "", "granted", "false"),
        (&injections.ticket_standby, "Standby", "", "standby", "true"),
        (&injections.ticket_activate, "Activating", "", "standby", "false"),
    ];
    for (names, word, _, attribute, value) in kinds {
        for ticket in names {
            if word == "Standby" {
                out.item(format_args!("Making ticket {ticket} standby"));
            } else {
                out.item(format_args!("{word} ticket {ticket}"));
            }
            out.element("modify_ticket", &[("action", word), ("ticket", ticket)]);
            status.set_ticket(ticket, attribute, value);
        }
    }
}

fn operation(
    text: &str,
    agent: Option<&KnownAgent>,
    status: &mut Status<'_>,
    out: &mut Out,
    complain: &mut dyn FnMut(&str),
) -> Result<(), Refused> {
    out.item(format_args!("Injecting {text} into the configuration"));
    out.element("inject_spec", &[("spec", text)]);
    let mut wrong = |message: String| {
        complain(&message);
        out.remember_error(&message);
    };
    let specification = match Specification::read(text) {
        Ok(specification) => specification,
        Err(found) => {
            wrong(format!("Invalid operation spec: {text}.  Only found {found} fields"));
            return Ok(());
        }
    };
    let Some((resource, task, interval_ms)) = specification.parts() else {
        wrong("Invalid resource name: (null)".to_owned());
        return Ok(());
    };
    let Some(agent) = agent else {
        wrong(format!("Invalid resource name: {resource}"));
        return Ok(());
    };
    let state = status
        .host(specification.node, None)
        .map_err(|unknown| Refused { message: unknown.0, status: super::exit::NO_SUCH_OBJECT })?;
    let outcome = Outcome {
        task,
        interval_ms,
        rc: specification.rc,
        target_rc: 0,
        reason: "Simulated action result",
        notification: None,
        migration: None,
        parameters: None,
    };
    for (name, value) in status.count_failure(state, resource, &outcome) {
        say_attribute(out, status.cib(), state, &name, &value);
    }
    let agent = Agent {
        name: &agent.name,
        new_name: &agent.name,
        class: &agent.class,
        provider: agent.provider.as_deref(),
        type_: &agent.type_,
    };
    let history = status.history(specification.node, state, agent);
    status.record(specification.node, history, resource, &outcome);
    status.cib().bump_num_updates();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications_are_read_as_far_as_they_go() {
        let read = |text: &'static str| {
            let specification = Specification::read(text)?;
            Ok((specification.parts(), specification.node, specification.rc))
        };
        assert_eq!(read("vm1_monitor_10000@host1=7"), Ok((Some(("vm1", "monitor", 10_000)), "host1", 7)));
        assert_eq!(read("a_b_migrate_to_0@h=1"), Ok((Some(("a_b", "migrate_to", 0)), "h", 1)));
        assert_eq!(read("a_monitor_10s@h=-1x"), Ok((Some(("a", "monitor", 10)), "h", -1)));
        assert_eq!(read("a_start@h=0"), Ok((None, "h", 0)));
        assert_eq!(read("bogus"), Err(1));
        assert_eq!(read("a_monitor_0@h=x"), Err(2));
        assert_eq!(read("a_monitor_0@h"), Err(2));
        assert_eq!(read(""), Err(0));
    }
}
