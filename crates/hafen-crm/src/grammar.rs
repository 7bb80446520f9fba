//! The words of the language, with the help on each: one table.

/// A statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// The word that begins it.
    pub word: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// The words that begin a part of it.
    pub sections: &'static [&'static str],
}

const fn word(
    word: &'static str,
    usage: &'static str,
    help: &'static str,
    sections: &'static [&'static str],
) -> Word {
    Word { word, usage, help, sections }
}

const RESOURCE_SECTIONS: &[&str] =
    &["params", "meta", "utilization", "operations", "op", "op_params", "op_meta"];
const PARENT_SECTIONS: &[&str] = &["params", "meta"];

/// All statements, in the order in which [`crate::show`] writes their objects.
pub const WORDS: &[Word] = &[
    word(
        "node",
        "node [$id=ID | ID:] NAME[:member|:remote] [description=TEXT] [attributes LIST] [utilization LIST]",
        "a host, with its attributes and its capacity",
        &["attributes", "utilization"],
    ),
    word(
        "rsc_template",
        "rsc_template ID [CLASS:[PROVIDER:]]TYPE [params LIST] [meta LIST] [utilization LIST] [op ACTION ...]",
        "what several primitives have in common",
        RESOURCE_SECTIONS,
    ),
    word(
        "primitive",
        "primitive ID {[CLASS:[PROVIDER:]]TYPE | @TEMPLATE} [description=TEXT] [params LIST] [meta LIST] \
        [utilization LIST] [operations $id=ID] [op ACTION [ATTRIBUTE=VALUE ...] [op_params LIST] [op_meta LIST] ...]",
        "a resource that an agent runs",
        RESOURCE_SECTIONS,
    ),
    word(
        "bundle",
        "bundle ID {docker|podman} ATTRIBUTES [network ATTRIBUTES [port-mapping ATTRIBUTES ...]] \
        [storage [storage-mapping ATTRIBUTES ...]] [meta LIST] [primitive ID]",
        "containers of one image, with a resource inside if wanted",
        &["docker", "podman", "network", "storage", "meta", "primitive"],
    ),
    word(
        "group",
        "group ID MEMBER ... [description=TEXT] [meta LIST] [params LIST]",
        "resources that run together and start one after the other",
        PARENT_SECTIONS,
    ),
    word(
        "ms",
        "ms ID MEMBER [meta LIST] [params LIST]",
        "a clone whose instances can be promoted (today: clone with meta promotable=true)",
        PARENT_SECTIONS,
    ),
    word("master", "master ID MEMBER [meta LIST] [params LIST]", "the same as ms", PARENT_SECTIONS),
    word(
        "clone",
        "clone ID MEMBER [description=TEXT] [meta LIST] [params LIST]",
        "a resource that runs on several hosts; with meta promotable=true its instances have two roles",
        PARENT_SECTIONS,
    ),
    word("tag", "tag ID[:] OBJECT ...", "a name for several objects", &[]),
    word(
        "colocation",
        "colocation ID SCORE: RESOURCE[:ROLE] WITH[:ROLE] [node-attribute=NAME], or sets in ( ) and [ ]",
        "the first runs where the second does (or, with a negative score, elsewhere)",
        &[],
    ),
    word(
        "location",
        "location ID {RESOURCE | /PATTERN/ | { SET }} [role=ROLE] [resource-discovery=WHEN] {SCORE: NODE | rule ...}",
        "where a resource runs with preference, or never",
        &["rule"],
    ),
    word(
        "order",
        "order ID [Mandatory:|Optional:|Serialize:] FIRST[:ACTION] THEN[:ACTION] [symmetrical=BOOLEAN], or sets in ( ) and [ ]",
        "what happens before what",
        &[],
    ),
    word(
        "fencing_topology",
        "fencing_topology [TARGET:|attr:NAME=VALUE|pattern:PATTERN] DEVICE[,DEVICE...] ...",
        "which fencing devices are used for which host, and in which order",
        &[],
    ),
    word(
        "rsc_ticket",
        "rsc_ticket ID TICKET: RESOURCE[:ROLE] ... [loss-policy=stop|demote|fence|freeze]",
        "resources that may run only where a ticket is granted",
        &[],
    ),
    word(
        "property",
        "property [$id=ID | ID:] [rule ...] NAME=VALUE ...",
        "options of the cluster",
        &["rule"],
    ),
    word(
        "rsc_defaults",
        "rsc_defaults [$id=ID | ID:] [rule ...] NAME=VALUE ...",
        "meta attributes of all resources",
        &["rule"],
    ),
    word(
        "op_defaults",
        "op_defaults [$id=ID | ID:] [rule ...] NAME=VALUE ...",
        "attributes of all operations",
        &["rule"],
    ),
    word(
        "role",
        "role ID [description=TEXT] {read|write|deny} WHAT ...",
        "rights to parts of the configuration",
        &["read", "write", "deny"],
    ),
    word(
        "user",
        "user ID {role:ROLE ... | {read|write|deny} WHAT ...}",
        "rights of a user, in the form before Pacemaker 1.1.12",
        &["read", "write", "deny"],
    ),
    word("acl_target", "acl_target USER ROLE ...", "the roles of a user", &[]),
    word("acl_group", "acl_group GROUP ROLE ...", "the roles of a group of users", &[]),
    word(
        "alert",
        "alert ID PATH [attributes LIST] [meta LIST] [select nodes|fencing|resources|attributes { NAME ... }] [to RECIPIENT ...]",
        "a program that is run at events",
        &["attributes", "meta", "select", "to"],
    ),
    word("monitor", "monitor RESOURCE[:ROLE] INTERVAL[:TIMEOUT]", "add a monitor to a primitive", &[]),
    word("xml", "xml <ELEMENT .../>", "an element that the language has no words for", &[]),
];

/// The statement that a word begins.
#[must_use]
pub fn find(word: &str) -> Option<&'static Word> {
    WORDS.iter().find(|known| known.word == word)
}

/// Attributes of an operation itself; others are parameters of the agent.
pub const OPERATION_ATTRIBUTES: &[&str] = &[
    "interval",
    "timeout",
    "role",
    "on-fail",
    "start-delay",
    "interval-origin",
    "enabled",
    "record-pending",
    "description",
    "requires",
];
/// Usual operations; agents may have others.
pub const OPERATIONS: &[&str] = &[
    "monitor",
    "start",
    "stop",
    "promote",
    "demote",
    "notify",
    "migrate_to",
    "migrate_from",
    "reload",
    "reload-agent",
];
/// The roles of a resource.
pub const ROLES: &[&str] = &["Started", "Stopped", "Promoted", "Unpromoted", "Master", "Slave"];
/// The actions that can be ordered.
pub const ACTIONS: &[&str] = &["start", "promote", "demote", "stop"];
/// The kinds of an order.
pub const KINDS: &[&str] = &["Mandatory", "Optional", "Serialize"];
/// When a resource's state is looked for on a host.
pub const DISCOVERY: &[&str] = &["always", "never", "exclusive"];
/// What happens to resources when their ticket goes.
pub const LOSS_POLICIES: &[&str] = &["stop", "demote", "fence", "freeze"];
/// The types of a node.
pub const NODE_TYPES: &[&str] = &["member", "remote", "ping"];
/// Comparisons in rules.
pub const COMPARISONS: &[&str] = &["lt", "gt", "lte", "gte", "eq", "ne"];
/// What values in rules can be compared as.
pub const VALUE_TYPES: &[&str] = &["string", "integer", "number", "version"];
/// Expressions of dates.
pub const DATE_OPERATIONS: &[&str] = &["lt", "gt", "in", "in_range", "spec", "date_spec"];
/// Parts of a date or a duration.
pub const DATE_PARTS: &[&str] = &[
    "seconds",
    "minutes",
    "hours",
    "monthdays",
    "weekdays",
    "yearsdays",
    "yeardays",
    "days",
    "months",
    "weeks",
    "years",
    "weekyears",
    "moon",
];
/// Attributes of a container.
pub const CONTAINER_ATTRIBUTES: &[&str] = &[
    "image",
    "replicas",
    "replicas-per-host",
    "masters",
    "promoted-max",
    "run-command",
    "network",
    "options",
];
/// Attributes of a bundle's network.
pub const NETWORK_ATTRIBUTES: &[&str] =
    &["ip-range-start", "control-port", "host-interface", "host-netmask", "add-host"];
/// Attributes of a mapped port.
pub const PORT_ATTRIBUTES: &[&str] = &["id", "port", "internal-port", "range"];
/// Attributes of mapped storage.
pub const STORAGE_ATTRIBUTES: &[&str] = &["id", "source-dir", "source-dir-root", "target-dir", "options"];
/// What an alert can be told of.
pub const ALERT_KINDS: &[&str] = &["nodes", "fencing", "resources", "attributes"];
/// Rights.
pub const RIGHTS: &[&str] = &["read", "write", "deny"];
/// What a right can be to.
pub const RIGHT_TARGETS: &[&str] = &[
    "xpath:",
    "ref:",
    "type:",
    "tag:",
    "meta:",
    "params:",
    "utilization:",
    "location:",
    "property",
    "node",
    "nodeattr",
    "nodeutil",
    "status",
];
/// Classes of agents.
pub const CLASSES: &[&str] =
    &["ocf", "stonith", "systemd", "service", "lsb", "upstart", "nagios", "heartbeat"];
