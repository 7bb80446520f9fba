//! Requests of users whom access control lists restrict. They are judged by the member that is asked, which alone knows who
//! asks: what it then says to the others is its own. Only changes of the configuration are judged where they are made, at the
//! coordinator.

use hafen_cib::acl::{self, Access, Denied, Permissions, Rights, User};
use hafen_cib::{Cib, Document, Element};
use hafen_protocol::client::{AttributeMode, AttributeReport, Edit, Failure, Reply, Request, StatusReport};

use hafen_protocol::message::{Asker, Asking};

use super::Node;
use crate::status_xml;

impl Node {
    /// Whether a user may ask this at all. What a query may tell and what a change may change is judged with the answer.
    ///
    /// # Errors
    ///
    /// What the user may not do.
    pub fn permits(&self, user: &User, body: &Request) -> Result<(), Failure> {
        if !acl::applies(self.replica.cib(), user) {
            return Ok(());
        }
        let live = self.live_cib();
        let judge = Judge::new(user, &live);
        match body {
            Request::Status
            | Request::Cib { .. }
            | Request::Change { .. }
            | Request::Settled
            | Request::WhoAmI
            | Request::QueryAttribute { .. } => Ok(()),
            Request::Cleanup { resource, host, .. } => judge.history("clean up", resource, host.as_deref()),
            Request::Fail { resource, host } => judge.history("fail", resource, Some(host)),
            Request::Shutdown => judge.host(Some(&self.identity.uname)),
            Request::Fence { host, .. }
            | Request::ConfirmOff { host, .. }
            | Request::ProceedWithout { host, .. } => judge.host(Some(host)),
            Request::FenceDrill { host, real: true } => judge.host(host.as_deref()),
            Request::FenceDrill { real: false, .. } | Request::FenceHistory { .. } => judge.status(),
            Request::SetAttribute { host, name, value, mode, .. } => {
                let host = host.as_ref().unwrap_or(&self.identity.uname);
                let value = value.as_deref().filter(|_| *mode != AttributeMode::Dampening);
                judge.attribute(host, name, value)
            }
            Request::TransitionInput { .. } | Request::Events { .. } => judge.everything(),
            Request::As { .. } => Err(refusal(user, "take the rights of another user")),
        }
    }

    /// A user asks.
    pub(super) fn user_asks(&mut self, request: u64, user: User, mut body: Request) {
        sign(&mut body, &user.name);
        if let Err(failure) = self.permits(&user, &body) {
            return self.reply(request, Reply::Failed(failure));
        }
        match body {
            // The lists may change before the change has its turn.
            Request::Change { edits, without_quorum, origin, written } => {
                let user = Some(Asker { name: user.name, groups: user.groups });
                self.ask_for_change(request, Asking { edits, without_quorum, origin, written, user });
            }
            body if !acl::applies(self.replica.cib(), &user) => self.client_asks(request, body),
            Request::Cib { status } => {
                let cib = if status { self.live_cib() } else { self.replica.cib().clone() };
                let view = acl::workable_view(cib.document(), &user);
                let reply = match view {
                    Some(view) => Reply::Xml { xml: view.to_xml() },
                    None => Reply::Failed(refusal(&user, "read the CIB")),
                };
                self.reply(request, reply);
            }
            Request::Status => {
                let live = self.live_cib();
                let report = Judge::new(&user, &live).report(self.report());
                self.reply(request, Reply::Status(Box::new(report)));
            }
            Request::QueryAttribute { name, host } => {
                let host = host.map(|name| self.replica.host_by_name(&name).ok_or(name)).transpose();
                match host {
                    Ok(host) => {
                        let live = self.live_cib();
                        let mut attributes = self.latest_attributes(name.as_deref(), host);
                        let judge = Judge::new(&user, &live);
                        attributes.retain(|attribute| judge.sees(attribute));
                        self.reply(request, Reply::Attributes { attributes });
                    }
                    Err(name) => self.refuse_host(request, &name),
                }
            }
            body => self.client_asks(request, body),
        }
    }
}

/// Puts the name of who asks in the place of the one that a client says, for the record.
fn sign(body: &mut Request, user: &str) {
    if let Request::Change { origin, .. }
    | Request::Fence { origin, .. }
    | Request::ConfirmOff { origin, .. }
    | Request::ProceedWithout { origin, .. } = body
    {
        let tool = origin.split_once(": ").map_or(origin.as_str(), |(_, tool)| tool);
        *origin = format!("{user}: {tool}");
    }
}

/// Edits of one who sees a part of the configuration only: the digest of what a patchset leads to is one of that part.
pub(super) fn of_a_part(edits: &[Edit]) -> Vec<Edit> {
    let of_a_part = |edit: &Edit| match edit {
        Edit::Patch { xml } => match Document::parse(xml) {
            Ok(mut patchset) => {
                let root = patchset.root().node();
                for name in ["digest", "tree-digest"] {
                    patchset.remove_attribute(root, name);
                }
                Edit::Patch { xml: patchset.to_xml() }
            }
            Err(_) => edit.clone(),
        },
        _ => edit.clone(),
    };
    edits.iter().map(of_a_part).collect()
}

/// What a change of the configuration is refused with.
pub(super) fn refused(denied: &Denied) -> Failure {
    refusal_of(denied.to_string())
}

fn refusal(user: &User, what: &str) -> Failure {
    refusal_of(format!("{} may not {what}", user.name))
}

fn refusal_of(message: String) -> Failure {
    let mend =
        "who administers the cluster may grant it in the section `acls` of the configuration".to_owned();
    Failure { kind: "permission".to_owned(), message, mend }
}

/// What one user may do with the CIB as it is.
struct Judge<'a> {
    user: &'a User,
    live: &'a Cib,
    rights: Rights,
}

impl<'a> Judge<'a> {
    fn new(user: &'a User, live: &'a Cib) -> Self {
        Self { user, live, rights: Permissions::of(live.document(), user).on(live.document()) }
    }

    fn need(&self, granted: bool, what: &str) -> Result<(), Failure> {
        if granted { Ok(()) } else { Err(refusal(self.user, what)) }
    }

    fn writes(&self, element: Element<'_>) -> bool {
        self.rights.access(element) == Access::Writable
    }

    fn reads(&self, element: Element<'_>) -> bool {
        self.rights.access(element) >= Access::Readable
    }

    fn everything(&self) -> Result<(), Failure> {
        self.need(self.rights.reads_all(self.live.document()), "read everything that the daemon keeps")
    }

    fn status(&self) -> Result<(), Failure> {
        let granted = self.live.status().is_some_and(|status| self.reads(status));
        self.need(granted, "read the status of the cluster")
    }

    fn state_of(&self, host: &str) -> Option<Element<'a>> {
        self.live.node_states().find(|state| state.attribute("uname") == Some(host))
    }

    /// Who does something to a host itself must be allowed to write its state; to all hosts, the whole status.
    fn host(&self, host: Option<&str>) -> Result<(), Failure> {
        let element = host.and_then(|host| self.state_of(host)).or_else(|| self.live.status());
        let granted = element.is_some_and(|element| self.writes(element));
        match host {
            Some(host) => self.need(granted, &format!("do that to {host}")),
            None => self.need(granted, "do that to the hosts"),
        }
    }

    /// A clean-up deletes a resource's history, and a failure that is reported adds to it; where there is none, what is asked
    /// is to look at the resource afresh.
    fn history(&self, what: &str, resource: &str, host: Option<&str>) -> Result<(), Failure> {
        let states = self.live.node_states();
        let states = states.filter(|state| host.is_none_or(|host| state.attribute("uname") == Some(host)));
        let histories: Vec<Element<'_>> = states
            .flat_map(|state| state.descendants())
            .filter(|element| element.name() == "lrm_resource" && element.id() == Some(resource))
            .collect();
        let granted = match histories.as_slice() {
            [] => self.live.document().by_id(resource).is_none_or(|resource| self.writes(resource)),
            histories => histories.iter().all(|history| self.writes(*history)),
        };
        self.need(granted, &format!("{what} {resource}"))
    }

    fn attribute(&self, host: &str, name: &str, value: Option<&str>) -> Result<(), Failure> {
        let Some(state) = self.state_of(host) else { return self.host(Some(host)) };
        let mut after = self.live.clone();
        status_xml::set_attribute(after.document_mut(), state.node(), name, value);
        acl::allowed(self.live, &after, self.user).map_err(|denied| refused(&denied))
    }

    /// Whether the user sees a transient attribute. One whose value does not count yet is no part of the CIB.
    fn sees(&self, attribute: &AttributeReport) -> bool {
        let Some(state) = self.state_of(&attribute.host) else { return false };
        let pair = state.descendants().find(|element| {
            element.name() == "nvpair" && element.attribute("name") == Some(attribute.name.as_str())
        });
        self.reads(pair.unwrap_or(state))
    }

    /// A report without what the user may not see.
    fn report(&self, mut report: StatusReport) -> StatusReport {
        let document = self.live.document();
        let sees_id = |id: &str| document.by_id(id).is_some_and(|element| self.reads(element));
        report.resources.retain(|resource| {
            sees_id(&resource.id) || resource.id.split_once(':').is_some_and(|(id, _)| sees_id(id))
        });
        for host in &mut report.hosts {
            let permanent = self.live.nodes().into_iter().flat_map(Element::children);
            let permanent = permanent.filter(|node| node.attribute("uname") == Some(host.name.as_str()));
            let pairs: Vec<Element<'_>> = permanent
                .chain(self.state_of(&host.name))
                .flat_map(Element::descendants)
                .filter(|element| element.name() == "nvpair" && self.reads(*element))
                .collect();
            let sees = |name: &str| pairs.iter().any(|pair| pair.attribute("name") == Some(name));
            host.attributes.retain(|name, _| sees(name));
        }
        if !self.rights.reads_all(document) {
            report.fencings.clear();
            report.failures.clear();
            report.failed_operations.clear();
            report.transition = None;
            report.leftovers.clear();
            report.warnings.clear();
        }
        report
    }
}
