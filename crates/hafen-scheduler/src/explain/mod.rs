//! Why a resource runs where it runs, or why it does not run, and what would change that.

mod candidates;
mod edit;
mod nearest;
mod standing;
mod text;
mod variations;
mod verdict;
mod words;

use hafen_cib::Cib;

use crate::date::Seconds;
use crate::input::status::base_name;
use crate::ledger::Change;
use crate::model::{Cluster, ResourceId, Variant};
use crate::run::{self, Options};

pub use edit::Edit;
pub use variations::{Counterfactual, RUNS_MAXIMUM};

/// How many primitives (members, instances) one explanation tells about.
pub const PARTS_MAXIMUM: usize = 64;

/// Why a resource is where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// What was asked about.
    pub resource: String,
    /// The host that was asked about, as the CIB spells it.
    pub host: Option<String>,
    /// What holds for the whole cluster and matters here.
    pub notes: Vec<String>,
    /// The resource itself, the members of the group, the instances of the clone.
    pub parts: Vec<Part>,
    /// How many further parts there are (more than [`PARTS_MAXIMUM`]).
    pub parts_omitted: usize,
    /// What would change the decision; each was tried out.
    pub counterfactuals: Vec<Counterfactual>,
    /// How often the scheduler was run to find that.
    pub runs: usize,
    /// Whether everything that came to mind was tried, within [`RUNS_MAXIMUM`].
    pub complete: bool,
}

/// Why one primitive is where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its id, with the instance's number where it is one.
    pub resource: String,
    /// Where it runs now.
    pub running_on: Vec<String>,
    /// Its role now.
    pub role: &'static str,
    /// Where it is to run.
    pub planned_on: Option<String>,
    /// The role that it is to have.
    pub planned_role: &'static str,
    /// The answer in one sentence.
    pub headline: String,
    /// What else there is to say, a sentence each.
    pub because: Vec<String>,
    /// Host by host, the best first.
    pub hosts: Vec<Standing>,
}

/// How a primitive stands on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The host.
    pub host: String,
    /// Whether it runs there now.
    pub runs_here: bool,
    /// Whether it is to run there.
    pub chosen: bool,
    /// Why the host can run nothing now, if so.
    pub unavailable: Option<&'static str>,
    /// Its score there; `None`: in an opt-in cluster nothing allows it there.
    pub score: Option<i32>,
    /// What the score is made of, in order.
    pub contributions: Vec<Contribution>,
    /// How much it should be promoted there, for an instance of a promotable clone.
    pub promotion: Option<i32>,
    /// What that is made of, in order.
    pub promotion_contributions: Vec<Contribution>,
}

/// One step of a score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// What happened to the score.
    pub change: Change,
    /// The score after it.
    pub after: i32,
    /// The id of the constraint, or the name of the property or attribute; empty where there is none.
    pub source: String,
    /// The rule of the constraint, where it has one.
    pub rule: Option<String>,
    /// Why, in words.
    pub reason: String,
}

/// What was asked about does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// No resource of that name.
    Resource {
        /// What was asked for.
        name: String,
        /// The existing name most like it.
        nearest: Option<String>,
    },
    /// No host of that name.
    Host {
        /// What was asked for.
        name: String,
        /// The existing name most like it.
        nearest: Option<String>,
    },
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, name, nearest) = match self {
            Unknown::Resource { name, nearest } => ("resource", name, nearest),
            Unknown::Host { name, nearest } => ("host", name, nearest),
        };
        write!(formatter, "there is no {kind} {name}")?;
        match nearest {
            Some(nearest) => write!(formatter, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Unknown {}

/// Explains the decision about a resource, and where a host is given, why that one or why not. `now` is in seconds since 1970.
///
/// # Errors
///
/// The CIB has no such resource, or no such host.
pub fn explain(cib: &Cib, now: u64, resource: &str, host: Option<&str>) -> Result<Explanation, Unknown> {
    let seconds = Seconds::try_from(now).unwrap_or(Seconds::MAX);
    let mut cluster = run::unpack(cib, seconds, Options { explain: true, ..Options::default() });
    // The role is changed by planning.
    let roles: Vec<_> = cluster.resource_ids().map(|id| cluster.shown_role(id)).collect();
    cluster.run_all();
    let parts = cluster.parts_of(resource);
    if parts.is_empty() {
        let nearest = nearest::nearest(
            resource,
            cluster.resources.iter().flat_map(|known| [base_name(&known.id), known.id.as_str()]),
        );
        return Err(Unknown::Resource { name: resource.to_owned(), nearest });
    }
    let asked_host = match host {
        Some(name) => match cluster.node_by_name(name) {
            Some(node) => Some(node),
            None => {
                let nearest = nearest::nearest(name, cluster.nodes.iter().map(|node| node.uname.as_str()));
                return Err(Unknown::Host { name: name.to_owned(), nearest });
            }
        },
        None => None,
    };
    let ledger = cluster.ledger();
    let shown = &parts[..parts.len().min(PARTS_MAXIMUM)];
    let mut explanation = Explanation {
        resource: resource.to_owned(),
        host: asked_host.map(|node| cluster.node(node).uname.clone()),
        notes: cluster.notes(),
        parts_omitted: parts.len() - shown.len(),
        ..Explanation::default()
    };
    for &part in shown {
        let hosts = cluster.standings(part, &ledger);
        let role = roles.get(part.0 as usize).copied().unwrap_or_default();
        explanation.parts.push(cluster.part(part, role, hosts, asked_host, &ledger));
    }
    let found = variations::search(cib, seconds, &cluster, shown, asked_host, &ledger);
    explanation.counterfactuals = found.counterfactuals;
    explanation.runs = found.runs;
    explanation.complete = found.complete;
    Ok(explanation)
}

impl Cluster<'_> {
    /// The primitives that a name stands for: itself, the members, the instances.
    pub(crate) fn parts_of(&self, name: &str) -> Vec<ResourceId> {
        let exact: Vec<ResourceId> = self.resource_ids().filter(|id| self.rsc(*id).id == name).collect();
        let alike = || self.resource_ids().filter(|id| base_name(&self.rsc(*id).id) == name).collect();
        let roots: Vec<ResourceId> = if exact.is_empty() { alike() } else { exact };
        let mut parts = Vec::new();
        for root in roots {
            for member in self.family(root) {
                let known = self.rsc(member);
                let idle = known.orphan_filler && known.running_on.is_empty();
                if known.variant == Variant::Primitive && !idle && !parts.contains(&member) {
                    parts.push(member);
                }
            }
        }
        parts
    }
}
