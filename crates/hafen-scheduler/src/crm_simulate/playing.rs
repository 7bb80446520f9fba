//! Playing a plan out: every step succeeds at once, but those that are to fail, and the status says so afterwards.

use std::collections::BTreeSet;

use hafen_cib::{Cib, NodeId};

use super::arguments::Format;
use super::injections::leading_number;
use super::out::Out;
use super::status::{Agent, Outcome, Status};
use crate::plan::{Action, ActionKind, FenceAction, NodeRef, Plan, ResourceRef};
use crate::run::{self, Options};
use crate::sequence::Sequence;

/// What playing needs beside the plan.
pub(super) struct Settings<'a> {
    /// Operations that fail, as `-F` names them.
    pub(super) failing: &'a [String],
    /// Names under which the cluster knows resources.
    pub(super) names: &'a BTreeSet<String>,
    /// The time of what happens, in seconds since 1970.
    pub(super) now: u64,
}

/// Plays a plan out into the CIB's status. Gives whether the plan could be carried out to its end or to a failure that
/// was asked for.
pub(super) fn play(
    plan: &Plan,
    settings: &Settings<'_>,
    cib: &mut Cib,
    out: &mut Out,
    complain: &mut dyn FnMut(&str),
) -> bool {
    out.line(format_args!("Executing Cluster Transition:"));
    out.start("transition", &[]);
    let mut player = Player { settings, status: Status::new(cib, settings.now), complain };
    let mut sequence = Sequence::of(plan);
    let mut left = plan.actions.len();
    let mut failed = false;
    while let Some(at) = sequence.next() {
        left -= 1;
        if player.act(&plan.actions[at], out) {
            failed = true;
            break;
        }
    }
    out.end();
    if left > 0 && !failed {
        for message in ["Transition failed: terminated", "An invalid transition was produced"] {
            complain(message);
            out.remember_error(message);
        }
        return false;
    }
    true
}

/// The CIB after what the cluster plans was carried out, each step with success: until nothing is left to do, or a plan cannot be
/// carried out to its end, or so many plans were played.
pub(crate) fn carried_out(cib: &Cib, now: u64, plans_maximum: usize) -> Cib {
    let mut cib = cib.clone();
    for _ in 0..plans_maximum {
        let plan = run::schedule(&cib, now);
        if plan.actions.is_empty() {
            break;
        }
        let seconds = i64::try_from(now).unwrap_or(i64::MAX);
        let names = known_names(&run::unpack(&cib, seconds, Options::default()));
        let settings = Settings { failing: &[], names: &names, now };
        let mut out = Out::new(Format::None, true, "");
        if !play(&plan, &settings, &mut cib, &mut out, &mut |_| {}) {
            break;
        }
    }
    cib
}

struct Player<'a> {
    settings: &'a Settings<'a>,
    status: Status<'a>,
    complain: &'a mut dyn FnMut(&str),
}

impl Player<'_> {
    /// Carries a step out; gives whether it failed.
    fn act(&mut self, action: &Action, out: &mut Out) -> bool {
        let node = action.node.as_ref();
        match &action.kind {
            ActionKind::Pseudo { operation_key, .. } => {
                let named = node.map(|node| ("node", node.uname.as_str()));
                let on = node.map_or(String::new(), |node| format!(" on {}", node.uname));
                out.item(format_args!("Pseudo action:   {operation_key}{on}"));
                let attributes: Vec<_> =
                    [("task", operation_key.as_str())].into_iter().chain(named).collect();
                out.element("pseudo_action", &attributes);
                false
            }
            ActionKind::Cluster { task, resource, .. } => {
                let node = node.map_or("", |node| node.uname.as_str());
                let about = resource.as_ref().map(|resource| resource.id.as_str());
                let for_whom = about.map_or(String::new(), |about| format!(" for {about}"));
                out.item(format_args!("Cluster action:  {task}{for_whom} on {node}"));
                let attributes: Vec<_> = [("task", task.as_str()), ("node", node)]
                    .into_iter()
                    .chain(about.map(|about| ("id", about)))
                    .collect();
                out.element("cluster_action", &attributes);
                false
            }
            ActionKind::Fence { target, action } => {
                self.fence(target, *action, out);
                false
            }
            ActionKind::Resource { .. } => self.operate(action, out),
        }
    }

    fn fence(&mut self, target: &NodeRef, action: FenceAction, out: &mut Out) {
        out.item(format_args!("Fencing {} ({})", target.uname, action.as_str()));
        out.element("fencing_action", &[("target", &target.uname), ("op", action.as_str())]);
        if action != FenceAction::On
            && let Err(unknown) = self.status.fenced(&target.uname, Some(&target.id))
        {
            (self.complain)(&unknown.0);
        }
    }

    fn operate(&mut self, action: &Action, out: &mut Out) -> bool {
        let ActionKind::Resource { resource, task, interval_ms, expected_rc, .. } = &action.kind else {
            return false;
        };
        let Some(node) = &action.node else { return false };
        let name = self.name_of(resource);
        if matches!(task.as_str(), "delete" | "meta-data") {
            say_operation(out, name, task, &node.uname, 0);
            return false;
        }
        let state = match self.status.host(&node.uname, Some(&node.id)) {
            Ok(state) => state,
            Err(unknown) => {
                (self.complain)(&unknown.0);
                return false;
            }
        };
        let meta = |name: &str| action.attributes.get(&format!("CRM_meta_{name}"));
        let mut outcome = Outcome {
            task,
            interval_ms: *interval_ms,
            rc: *expected_rc,
            target_rc: *expected_rc,
            reason: "User-injected result",
            notification: meta("notify_type").zip(meta("notify_operation")),
            migration: meta("migrate_source").zip(meta("migrate_target")),
            parameters: Some(&action.attributes),
        };
        let agent = Agent {
            name,
            new_name: &resource.id,
            class: &resource.class,
            provider: resource.provider.as_deref(),
            type_: &resource.type_,
        };
        let history = self.status.history(&node.uname, state, agent);
        say_operation(out, name, task, &node.uname, *interval_ms);
        let failure = self.failure([name, &resource.id], &outcome, &node.uname, out);
        if let Some((name, rc)) = failure {
            outcome.rc = rc;
            out.line(format_args!("Pretending action {} failed with rc={rc}", action.id));
            for (attribute, value) in self.status.count_failure(state, name, &outcome) {
                say_attribute(out, self.status.cib(), state, &attribute, &value);
            }
        }
        self.status.record(&node.uname, history, &resource.id, &outcome);
        self.status.cib().bump_num_updates();
        failure.is_some()
    }

    /// The name by which the cluster knows a resource: that of the instance where no other is known.
    fn name_of<'b>(&self, resource: &'b ResourceRef) -> &'b str {
        match &resource.long_id {
            Some(long) if !self.settings.names.contains(&resource.id) => long,
            _ => &resource.id,
        }
    }

    /// Whether `-F` lets an operation fail, under which of the resource's names, and how.
    fn failure<'b>(
        &mut self,
        names: [&'b str; 2],
        outcome: &Outcome<'_>,
        node: &str,
        out: &mut Out,
    ) -> Option<(&'b str, i32)> {
        for text in self.settings.failing {
            let named = names.into_iter().find_map(|name| {
                let start = format!("{name}_{}_{}@{node}=", outcome.task, outcome.interval_ms);
                let found = text.get(..start.len())?.eq_ignore_ascii_case(&start);
                found.then(|| (name, leading_number(&text[start.len()..])))
            });
            match named {
                Some((name, Some(rc))) => return Some((name, rc)),
                Some((_, None)) => {
                    let message = format!("Invalid failed operation '{text}' (result code must be integer)");
                    (self.complain)(&message);
                    out.remember_error(&message);
                }
                None => {}
            }
        }
        None
    }
}

fn say_operation(out: &mut Out, name: &str, task: &str, node: &str, interval_ms: u64) {
    if interval_ms == 0 {
        out.item(format_args!("Resource action: {name:<15} {task} on {node}"));
        out.element("rsc_action", &[("resource", name), ("op", task), ("node", node)]);
        return;
    }
    out.item(format_args!("Resource action: {name:<15} {task}={interval_ms} on {node}"));
    let interval = interval_ms.to_string();
    out.element("rsc_action", &[("resource", name), ("op", task), ("node", node), ("interval", &interval)]);
}

/// Tells that an attribute of a host was set.
pub(super) fn say_attribute(out: &mut Out, cib: &Cib, state: NodeId, name: &str, value: &str) {
    let id = cib.document().element(state).id().unwrap_or_default();
    out.item(format_args!("Injecting attribute {name}={value} into /node_state '{id}'"));
    out.element(
        "inject_attr",
        &[("name", name), ("value", value), ("node_path", "/node_state"), ("cib_node", id)],
    );
}

/// The names under which a cluster knows its resources, those of their histories included.
pub(super) fn known_names(cluster: &crate::model::Cluster<'_>) -> BTreeSet<String> {
    cluster.resources.iter().flat_map(|known| [known.id.clone(), known.history_id.clone()]).collect()
}
