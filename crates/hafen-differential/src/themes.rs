//! The themes of scheduling, and which of them occur in a CIB: found by looking at it, not by asking who made it.

use std::collections::BTreeSet;

use crate::tree::Tree;

macro_rules! themes {
    ($($theme:ident $area:literal $name:literal,)*) => {
        /// Something that a CIB can have in it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "`name` says it")]
        pub enum Theme { $($theme,)* }

        /// All of them.
        pub const THEMES: &[Theme] = &[$(Theme::$theme,)*];

        impl Theme {
            /// What it is called.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Theme::$theme => $name,)* }
            }

            /// What it belongs to.
            #[must_use]
            pub fn area(self) -> &'static str {
                match self { $(Theme::$theme => $area,)* }
            }
        }
    };
}

themes! {
    Groups "groups" "groups",
    Ordering "ordering" "ordering",
    OrderKinds "ordering" "ordering: optional or serialize",
    OrderSets "ordering" "ordering: sets",
    OrderOneOrMore "ordering" "ordering: one or more",
    OrderAsymmetrical "ordering" "ordering: not symmetrical",
    OrderActions "ordering" "ordering: actions",
    Colocation "colocation" "colocation",
    ColocationSets "colocation" "colocation: sets",
    ColocationRoles "colocation" "colocation: roles",
    ColocationAttribute "colocation" "colocation: node-attribute",
    ColocationInfluence "colocation" "colocation: influence",
    RulesDates "rules" "rules: dates",
    RulesAttributes "rules" "rules: attributes",
    RulesOperations "rules" "rules: operations and resources",
    Clones "clones" "clones",
    CloneUnique "clones" "clones: unique",
    CloneInterleave "clones" "clones: interleave",
    CloneNotify "clones" "clones: notify",
    CloneOrdered "clones" "clones: ordered",
    CloneMin "clones" "clones: clone-min",
    CloneGroups "clones" "clones: of groups",
    Promotable "promotable" "promotable clones",
    Templates "templates" "templates",
    Tags "tags" "tags",
    Utilization "utilization" "utilization",
    Placement "utilization" "placement strategies",
    Tickets "tickets" "tickets",
    Migration "migration" "migration under way",
    MigrationFailed "migration" "migration failed",
    Fencing "fencing" "fencing",
    Unfencing "fencing" "fencing: unfencing",
    Topology "fencing" "fencing: topology",
    Watchdog "fencing" "fencing: watchdog",
    Quorum "fencing" "no quorum",
    MaintenanceMode "maintenance" "maintenance: cluster",
    MaintenanceNode "maintenance" "maintenance: node",
    MaintenanceResource "maintenance" "maintenance: resource",
    Unmanaged "maintenance" "maintenance: unmanaged",
    Health "health" "node health",
    Failures "failures" "failures",
    FailIgnore "failures" "on-fail: ignore",
    FailBlock "failures" "on-fail: block",
    FailDemote "failures" "on-fail: demote",
    FailStop "failures" "on-fail: stop",
    FailRestart "failures" "on-fail: restart",
    FailStandby "failures" "on-fail: standby",
    FailFence "failures" "on-fail: fence",
    FailBan "failures" "on-fail: migrate",
    Pending "failures" "operations under way",
    Probes "probes" "probes to be done",
    Discovery "probes" "resource-discovery",
    Orphans "orphans" "orphans",
    Digests "digests" "parameters changed",
    Reload "digests" "reload",
    ShutdownLocks "shutdown locks" "shutdown locks",
    PendingTimeout "node-pending-timeout" "node-pending-timeout",
    Standby "standby" "standby",
    Shutdown "shutdown" "a node leaves",
}

struct Look<'a> {
    cib: &'a Tree,
    found: BTreeSet<Theme>,
}

/// Which themes occur.
#[must_use]
pub fn occurring(cib: &Tree) -> BTreeSet<Theme> {
    let mut look = Look { cib, found: BTreeSet::new() };
    look.constraints();
    look.rules();
    look.resources();
    look.cluster();
    look.history();
    look.found
}

/// How many areas of scheduling a set of themes touches.
#[must_use]
pub fn areas(themes: &BTreeSet<Theme>) -> usize {
    themes.iter().map(|theme| theme.area()).collect::<BTreeSet<_>>().len()
}

impl<'a> Look<'a> {
    fn note(&mut self, theme: Theme, occurs: bool) {
        if occurs {
            self.found.insert(theme);
        }
    }

    fn pairs(&self, name: &str) -> Vec<&'a str> {
        let pairs = self.cib.all("nvpair");
        pairs
            .into_iter()
            .filter(|pair| pair.says("name", name))
            .filter_map(|pair| pair.attribute("value"))
            .collect()
    }

    fn has(&self, name: &str, values: &[&str]) -> bool {
        self.pairs(name).iter().any(|value| values.contains(value))
    }

    fn constraints(&mut self) {
        let orders = self.cib.all("rsc_order");
        self.note(Theme::Ordering, !orders.is_empty());
        for order in orders {
            self.note(Theme::OrderKinds, matches!(order.attribute("kind"), Some("Optional" | "Serialize")));
            let sets = order.all("resource_set");
            self.note(Theme::OrderSets, !sets.is_empty());
            let loose = |tree: &&Tree| tree.says("require-all", "false");
            self.note(Theme::OrderOneOrMore, loose(&order) || sets.iter().any(loose));
            self.note(Theme::OrderAsymmetrical, order.says("symmetrical", "false"));
            let named = |tree: &&Tree| {
                ["first-action", "then-action", "action"]
                    .iter()
                    .any(|name| tree.attribute(name).is_some_and(|action| action != "start"))
            };
            self.note(Theme::OrderActions, named(&order) || sets.iter().any(named));
        }
        let colocations = self.cib.all("rsc_colocation");
        self.note(Theme::Colocation, !colocations.is_empty());
        for colocation in colocations {
            let sets = colocation.all("resource_set");
            self.note(Theme::ColocationSets, !sets.is_empty());
            let roles = ["rsc-role", "with-rsc-role"].iter().any(|name| colocation.attribute(name).is_some());
            self.note(
                Theme::ColocationRoles,
                roles || sets.iter().any(|set| set.attribute("role").is_some()),
            );
            self.note(Theme::ColocationAttribute, colocation.attribute("node-attribute").is_some());
            self.note(Theme::ColocationInfluence, colocation.attribute("influence").is_some());
        }
        self.note(Theme::Tickets, !self.cib.all("rsc_ticket").is_empty());
        let locations = self.cib.all("rsc_location");
        self.note(
            Theme::Discovery,
            locations.iter().any(|tree| tree.attribute("resource-discovery").is_some()),
        );
    }

    fn rules(&mut self) {
        self.note(Theme::RulesDates, !self.cib.all("date_expression").is_empty());
        self.note(Theme::RulesAttributes, !self.cib.all("expression").is_empty());
        let operations =
            !self.cib.all("op_expression").is_empty() || !self.cib.all("rsc_expression").is_empty();
        self.note(Theme::RulesOperations, operations);
    }

    fn resources(&mut self) {
        self.note(Theme::Groups, !self.cib.all("group").is_empty());
        let clones = self.cib.all("clone");
        self.note(Theme::Clones, !clones.is_empty());
        for clone in clones {
            self.note(Theme::CloneGroups, !clone.all("group").is_empty());
        }
        self.note(Theme::CloneUnique, self.has("globally-unique", &["true"]));
        self.note(Theme::CloneInterleave, self.has("interleave", &["true"]));
        self.note(Theme::CloneNotify, self.has("notify", &["true"]));
        self.note(Theme::CloneOrdered, self.has("ordered", &["true"]));
        self.note(Theme::CloneMin, !self.pairs("clone-min").is_empty());
        self.note(Theme::Promotable, self.has("promotable", &["true"]));
        let primitives = self.cib.all("primitive");
        self.note(Theme::Templates, primitives.iter().any(|tree| tree.attribute("template").is_some()));
        self.note(Theme::Tags, !self.cib.all("tag").is_empty());
        self.note(Theme::Utilization, !self.cib.all("utilization").is_empty());
        let strategies = ["utilization", "balanced", "minimal"];
        self.note(Theme::Placement, self.has("placement-strategy", &strategies));
        self.note(Theme::MaintenanceResource, {
            let resources = self.cib.all("resources");
            resources.iter().flat_map(|tree| tree.all("nvpair")).any(|pair| pair.says("name", "maintenance"))
        });
        self.note(Theme::Unmanaged, self.has("is-managed", &["false"]));
        for op in self.cib.all("op") {
            let meta = op.all("nvpair").into_iter().find(|pair| pair.says("name", "on-fail"));
            let said = op.attribute("on-fail").or_else(|| meta.and_then(|pair| pair.attribute("value")));
            self.on_fail(said);
        }
    }

    fn on_fail(&mut self, value: Option<&str>) {
        let theme = match value {
            Some("ignore") => Theme::FailIgnore,
            Some("block") => Theme::FailBlock,
            Some("demote") => Theme::FailDemote,
            Some("stop") => Theme::FailStop,
            Some("restart") => Theme::FailRestart,
            Some("standby") => Theme::FailStandby,
            Some("fence") => Theme::FailFence,
            Some("migrate") => Theme::FailBan,
            _ => return,
        };
        self.found.insert(theme);
    }

    fn cluster(&mut self) {
        let fencing = !self.has("stonith-enabled", &["false"]);
        let lost = self.cib.all("node_state").into_iter().any(|state| {
            !state.says("expected", "down")
                && (state.says("in_ccm", "false") || state.says("crmd", "offline"))
        });
        self.note(Theme::Fencing, fencing && lost);
        self.note(
            Theme::Unfencing,
            self.has("provides", &["unfencing"]) || self.has("requires", &["unfencing"]),
        );
        self.note(Theme::Topology, !self.cib.all("fencing-level").is_empty());
        self.note(Theme::Watchdog, self.has("have-watchdog", &["true"]));
        self.note(Theme::Quorum, self.cib.says("have-quorum", "false"));
        self.note(Theme::MaintenanceMode, self.has("maintenance-mode", &["true"]));
        let nodes: Vec<&Tree> =
            self.cib.all("nodes").into_iter().flat_map(|tree| tree.all("nvpair")).collect();
        self.note(Theme::MaintenanceNode, nodes.iter().any(|pair| pair.says("name", "maintenance")));
        self.note(Theme::Standby, self.has("standby", &["true", "on"]));
        self.note(Theme::Shutdown, !self.pairs("shutdown").is_empty());
        let strategies = ["migrate-on-red", "only-green", "progressive", "custom"];
        self.note(Theme::Health, self.has("node-health-strategy", &strategies));
        self.note(Theme::ShutdownLocks, self.has("shutdown-lock", &["true"]));
        self.note(Theme::PendingTimeout, !self.pairs("node-pending-timeout").is_empty());
    }

    fn history(&mut self) {
        for op in self.cib.all("lrm_rsc_op") {
            let task = op.attribute("operation").unwrap_or("");
            let moves = task.starts_with("migrate");
            let failed = op.says("op-status", "4")
                || !matches!(op.attribute("rc-code"), Some("0" | "7" | "8" | "193" | "-1"));
            self.note(Theme::Migration, moves);
            self.note(Theme::MigrationFailed, moves && failed);
            self.note(Theme::Failures, failed);
            self.note(Theme::Pending, op.says("op-status", "-1"));
            self.note(Theme::Reload, op.attribute("op-restart-digest").is_some());
            // The generator writes this beside a digest that does not fit.
            self.note(Theme::Digests, op.says("exit-reason", "ran with other parameters"));
        }
        let mut configured: BTreeSet<&str> = BTreeSet::new();
        for primitive in self.cib.all("resources").into_iter().flat_map(|tree| tree.all("primitive")) {
            configured.extend(primitive.attribute("id"));
        }
        let states = self.cib.all("node_state");
        for state in states.into_iter().filter(|state| state.says("join", "member")) {
            let records = state.all("lrm_resource");
            let base = |record: &Tree| {
                let id = record.attribute("id").unwrap_or("");
                id.split(':').next().unwrap_or("").to_owned()
            };
            let known: BTreeSet<String> = records.iter().map(|record| base(record)).collect();
            self.note(Theme::Probes, configured.iter().any(|id| !known.contains(*id)));
            self.note(Theme::Orphans, known.iter().any(|id| !configured.contains(id.as_str())));
        }
    }
}
