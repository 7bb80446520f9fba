//! Changes of a CIB that are tried out.

use hafen_cib::{Cib, NodeId};

use crate::input::status::base_name;
use crate::lose::{Gone, without_host};

/// What is added to a CIB has this at the start of its ids.
const PREFIX: &str = "hafen-explain";

/// One change of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edit {
    /// A constraint is removed.
    Remove {
        /// Its id.
        id: String,
        /// What it is, in words.
        kind: &'static str,
    },
    /// Primitives stick to their place with less than this.
    StickinessUnder {
        /// The primitives.
        primitives: Vec<String>,
        /// The least value with which they would stay.
        bound: i32,
    },
    /// A location constraint prefers a host.
    Prefer {
        /// The resource.
        resource: String,
        /// The host.
        host: String,
        /// With this score.
        score: i32,
    },
    /// A meta attribute is set, on the resource and on what contains it.
    Meta {
        /// The resources, outermost first.
        resources: Vec<String>,
        /// The attribute.
        name: &'static str,
        /// Its value.
        value: &'static str,
    },
    /// A cluster option is set.
    Property {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: &'static str,
    },
    /// The cluster has quorum.
    Quorum,
    /// A host is no longer in standby or maintenance.
    Clear {
        /// The host.
        host: String,
        /// The attribute.
        name: &'static str,
    },
    /// A host is healthy.
    Healthy {
        /// The host.
        host: String,
    },
    /// A host is up and a member.
    Online {
        /// The host.
        host: String,
    },
    /// A host is lost, and proven off.
    Lost {
        /// The host.
        host: String,
    },
    /// What is recorded about failures of a resource on a host is cleaned up.
    Cleanup {
        /// The resource.
        resource: String,
        /// The host.
        host: String,
    },
    /// A ticket is granted.
    Grant {
        /// The ticket.
        ticket: String,
    },
    /// A host has more room.
    Room {
        /// The host.
        host: String,
        /// What of.
        name: String,
        /// How much in all.
        amount: i64,
    },
    /// Several together.
    All(Vec<Edit>),
}

impl Edit {
    /// The condition in words, as in "would move to host3 if ...".
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Edit::Remove { id, kind } => format!("{kind} {id} did not exist"),
            Edit::StickinessUnder { primitives, bound } if primitives.len() == 1 => {
                format!("resource-stickiness of {} were under {bound}", primitives[0])
            }
            Edit::StickinessUnder { primitives, bound } => {
                format!(
                    "resource-stickiness of each of {} were under {bound}",
                    super::words::list(primitives)
                )
            }
            Edit::Prefer { resource, host, score } => format!(
                "a location constraint preferred {host} for {resource} by {}",
                match *score {
                    crate::score::INFINITY => "INFINITY".to_owned(),
                    score => format!("{score} or more"),
                }
            ),
            Edit::Meta { resources, name, value } => {
                format!("{name} of {} were {value}", resources.last().map_or("it", String::as_str))
            }
            Edit::Property { name, value } => format!("{name} were {value}"),
            Edit::Quorum => "there were quorum".to_owned(),
            Edit::Clear { host, name } => format!("{host} were not in {name}"),
            Edit::Healthy { host } => format!("{host} were healthy"),
            Edit::Online { host } => format!("{host} were online"),
            Edit::Lost { host } => format!("{host} were lost and fenced"),
            Edit::Cleanup { resource, host } => {
                format!("the failures of {resource} on {host} were cleaned up")
            }
            Edit::Grant { ticket } => format!("ticket {ticket} were granted"),
            Edit::Room { host, name, amount } => format!("{host} had {name}={amount} or more"),
            Edit::All(edits) => edits.iter().map(Edit::words).collect::<Vec<_>>().join(", and "),
        }
    }

    /// A copy of the CIB with the change. `None`: there is nothing to change.
    #[must_use]
    pub fn apply(&self, cib: &Cib) -> Option<Cib> {
        if let Edit::Lost { host } = self {
            return without_host(cib, host, Gone::Fenced);
        }
        if let Edit::All(edits) = self {
            return edits.iter().try_fold(cib.clone(), |cib, edit| edit.apply(&cib));
        }
        let mut changed = cib.clone();
        self.change(&mut changed)?;
        Some(changed)
    }

    fn change(&self, cib: &mut Cib) -> Option<()> {
        match self {
            Edit::Remove { id, .. } => {
                let node = cib.document().by_id(id)?.node();
                cib.document_mut().remove(node);
            }
            Edit::StickinessUnder { primitives, bound } => {
                for primitive in primitives {
                    let owner = cib.document().by_id(base_name(primitive))?.node();
                    let value = bound.saturating_sub(1).to_string();
                    set(cib, owner, "meta_attributes", "resource-stickiness", &value);
                }
            }
            Edit::Prefer { resource, host, score } => {
                let section = cib.section_or_new("constraints");
                let document = cib.document_mut();
                let constraint = document.append_element(section, "rsc_location");
                let id = format!("{PREFIX}-prefer");
                let score = score.to_string();
                for (name, value) in [("id", &id), ("rsc", resource), ("node", host), ("score", &score)] {
                    document.set_attribute(constraint, name, value);
                }
            }
            Edit::Meta { resources, name, value } => {
                for resource in resources {
                    if let Some(owner) = cib.document().by_id(base_name(resource)).map(|found| found.node()) {
                        set(cib, owner, "meta_attributes", name, value);
                    }
                }
            }
            Edit::Property { name, value } => {
                let owner = cib.section_or_new("crm_config");
                set(cib, owner, "cluster_property_set", name, value);
            }
            Edit::Quorum => {
                let root = cib.root().node();
                cib.document_mut().set_attribute(root, "have-quorum", "1");
            }
            Edit::Clear { host, name } => {
                forget(cib, host, |attribute| attribute == *name)?;
                let owner = cib.configured_node(host)?.element().node();
                set(cib, owner, "instance_attributes", name, "off");
            }
            Edit::Healthy { host } => forget(cib, host, |attribute| attribute.starts_with("#health"))?,
            Edit::Online { host } => online(cib, host)?,
            Edit::Cleanup { resource, host } => cleanup(cib, resource, host)?,
            Edit::Grant { ticket } => grant(cib, ticket),
            Edit::Room { host, name, amount } => {
                let owner = cib.configured_node(host)?.element().node();
                set(cib, owner, "utilization", name, &amount.to_string());
            }
            Edit::Lost { .. } | Edit::All(_) => return None,
        }
        Some(())
    }
}

/// Sets a value in the sets of an element, over whatever is there.
fn set(cib: &mut Cib, owner: NodeId, set_name: &str, name: &str, value: &str) {
    let sets = cib.document().element(owner).children_named(set_name);
    let pairs = sets.flat_map(|set| set.children_named("nvpair").collect::<Vec<_>>());
    let old: Vec<NodeId> =
        pairs.filter(|pair| pair.attribute("name") == Some(name)).map(|pair| pair.node()).collect();
    let owner_id = cib.document().element(owner).id().unwrap_or("options").to_owned();
    let document = cib.document_mut();
    for pair in old {
        document.remove(pair);
    }
    let set = document.insert_element(owner, 0, set_name);
    document.set_attribute(set, "id", &format!("{PREFIX}-{owner_id}-{name}-set"));
    document.set_attribute(set, "score", "INFINITY");
    let pair = document.append_element(set, "nvpair");
    for (key, text) in
        [("id", format!("{PREFIX}-{owner_id}-{name}")), ("name", name.into()), ("value", value.into())]
    {
        document.set_attribute(pair, key, &text);
    }
}

fn state_of(cib: &Cib, host: &str) -> Option<NodeId> {
    let id = cib.configured_node(host).map(|node| node.id().to_owned());
    let mut states = cib.node_states();
    let found = states.find(|state| state.attribute("uname") == Some(host) || state.id() == id.as_deref());
    found.map(|state| state.node())
}

/// Removes attributes of a host, permanent and transient.
fn forget(cib: &mut Cib, host: &str, which: impl Fn(&str) -> bool) -> Option<()> {
    let configured = cib.configured_node(host).map(|node| node.element().node());
    let state = state_of(cib, host);
    let mut doomed = Vec::new();
    for owner in [configured, state].into_iter().flatten() {
        let element = cib.document().element(owner);
        let pairs = element.descendants().filter(|part| part.name() == "nvpair");
        let mine = pairs.filter(|pair| pair.attribute("name").is_some_and(&which));
        doomed.extend(mine.map(|pair| pair.node()));
    }
    configured.or(state)?;
    for pair in doomed {
        cib.document_mut().remove(pair);
    }
    Some(())
}

fn online(cib: &mut Cib, host: &str) -> Option<()> {
    let id = cib.configured_node(host)?.id().to_owned();
    let state = match state_of(cib, host) {
        Some(state) => state,
        None => {
            let status = cib.status_or_new();
            cib.document_mut().append_element(status, "node_state")
        }
    };
    // A host that is leaving says so in an attribute; an empty transient set makes it a full member.
    forget(cib, host, |attribute| attribute == "shutdown")?;
    let document = cib.document_mut();
    let words = [("id", id.as_str()), ("uname", host), ("in_ccm", "true"), ("crmd", "online")];
    for (name, value) in words.into_iter().chain([("join", "member"), ("expected", "member")]) {
        document.set_attribute(state, name, value);
    }
    Some(())
}

/// As `crm_resource --cleanup` does: counts and failed results go, and what does not run there is looked at afresh.
fn cleanup(cib: &mut Cib, resource: &str, host: &str) -> Option<()> {
    let base = base_name(resource);
    forget(cib, host, |attribute| {
        let rest = attribute.strip_prefix("fail-count-").or_else(|| attribute.strip_prefix("last-failure-"));
        let subject = rest.and_then(|rest| rest.rsplit_once('#')).map(|(subject, _)| subject);
        subject.is_some_and(|subject| base_name(subject) == base)
    })?;
    let state = cib.document().element(state_of(cib, host)?);
    let mut doomed = Vec::new();
    for history in state.descendants().filter(|part| part.name() == "lrm_resource") {
        if history.id().is_none_or(|id| base_name(id) != base) {
            continue;
        }
        let failed = |operation: &hafen_cib::Element<'_>| {
            let good = ["0", "7", "8", "190"].contains(&operation.attribute("rc-code").unwrap_or("0"));
            operation.id().is_some_and(|id| id.contains("_last_failure_")) || !good
        };
        let (bad, good): (Vec<_>, Vec<_>) = history.children_named("lrm_rsc_op").partition(failed);
        let ran = good.iter().any(|operation| {
            operation.attribute("rc-code") == Some("0") && operation.attribute("operation") != Some("stop")
        });
        if ran {
            doomed.extend(bad.into_iter().map(|operation| operation.node()));
        } else {
            doomed.push(history.node());
        }
    }
    for part in doomed {
        cib.document_mut().remove(part);
    }
    Some(())
}

fn grant(cib: &mut Cib, ticket: &str) {
    let status = cib.status_or_new();
    let element = cib.document().element(status);
    let tickets = element.child("tickets").map(|found| found.node());
    let known = element
        .descendants()
        .find(|part| part.name() == "ticket_state" && part.id() == Some(ticket))
        .map(|found| found.node());
    let document = cib.document_mut();
    let state = match known {
        Some(state) => state,
        None => {
            let tickets = tickets.unwrap_or_else(|| document.append_element(status, "tickets"));
            document.append_element(tickets, "ticket_state")
        }
    };
    for (name, value) in [("id", ticket), ("granted", "true"), ("standby", "false")] {
        document.set_attribute(state, name, value);
    }
}
