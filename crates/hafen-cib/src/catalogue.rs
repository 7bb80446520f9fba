//! Options with what they mean, as the cluster's own metadata and `--list-options` tell them to other programs.

/// What values an option takes, in the words of `--list-options`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// `true` or `false`.
    Boolean,
    /// A time that is not negative.
    Duration,
    /// A time that may be negative.
    Timeout,
    /// A whole number.
    Integer,
    /// A whole number from 0 up.
    NonnegativeInteger,
    /// A number with `%`.
    Percentage,
    /// A port.
    Port,
    /// A score.
    Score,
    /// Any text.
    String,
    /// A version.
    Version,
    /// One of several words.
    Select(&'static [&'static str]),
}

/// The program of Pacemaker whose metadata tells of an option of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Daemon {
    /// `pacemaker-based`.
    Based,
    /// `pacemaker-controld`.
    Controld,
    /// `pacemaker-schedulerd`.
    Schedulerd,
}

/// An option and its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// What values it takes.
    pub values: Values,
    /// What holds when it is not set.
    pub default: Option<&'static str>,
    /// What it means.
    pub about: &'static str,
    /// Whether few will ever need it.
    pub advanced: bool,
    /// Whether the cluster sets it itself.
    pub generated: bool,
    /// Whether it will be removed one day.
    pub deprecated: bool,
    /// Whose it is, among options of the cluster.
    pub daemon: Daemon,
}

const fn described(
    name: &'static str,
    values: Values,
    default: Option<&'static str>,
    about: &'static str,
) -> Described {
    let daemon = Daemon::Schedulerd;
    Described { name, values, default, about, advanced: false, generated: false, deprecated: false, daemon }
}

impl Described {
    const fn advanced(self) -> Self {
        Self { advanced: true, ..self }
    }

    const fn generated(self) -> Self {
        Self { generated: true, ..self }
    }

    const fn deprecated(self) -> Self {
        Self { deprecated: true, ..self }
    }

    const fn of(self, daemon: Daemon) -> Self {
        Self { daemon, ..self }
    }
}

impl Values {
    /// The word that `--list-options` has for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Duration => "duration",
            Self::Timeout => "timeout",
            Self::Integer => "integer",
            Self::NonnegativeInteger => "nonnegative_integer",
            Self::Percentage => "percentage",
            Self::Port => "port",
            Self::Score => "score",
            Self::String => "string",
            Self::Version => "version",
            Self::Select(_) => "select",
        }
    }

    /// The word that metadata has for it, which knows fewer.
    #[must_use]
    pub fn metadata_word(self) -> &'static str {
        match self {
            Self::Duration | Self::Timeout => "time",
            Self::Score | Self::NonnegativeInteger | Self::Port => "integer",
            Self::Version => "string",
            other => other.word(),
        }
    }

    /// The words that it can be.
    #[must_use]
    pub fn choices(self) -> &'static [&'static str] {
        match self {
            Self::Select(words) => words,
            _ => &[],
        }
    }
}

use Daemon::{Based, Controld};
use Values::{
    Boolean, Duration, Integer, NonnegativeInteger, Percentage, Port, Score, Select, String, Timeout, Version,
};

/// The options of the cluster.
pub const CLUSTER: &[Described] = &[
    described("dc-version", Version, None, "The version of the member that coordinates").generated().of(Controld),
    described("cluster-infrastructure", String, None, "What carries the cluster's messages").generated().of(Controld),
    described("cluster-name", String, None, "A name for the cluster, which rules can ask for as #cluster-name").of(Controld),
    described("dc-deadtime", Duration, Some("20s"), "How long a starting member waits for others to answer").of(Controld),
    described(
        "cluster-recheck-interval",
        Duration,
        Some("15min"),
        "After how long without events the cluster looks again, for rules with dates; 0 for never",
    ).of(Controld),
    described(
        "fence-reaction",
        Select(&["stop", "panic"]),
        Some("stop"),
        "What a host does that hears of its own fencing and still runs",
    ).of(Controld),
    described("election-timeout", Duration, Some("2min"), "After how long an election has failed").advanced().of(Controld),
    described(
        "shutdown-escalation",
        Duration,
        Some("20min"),
        "After how long a shutdown that does not end is cut short",
    ).advanced().of(Controld),
    described(
        "join-integration-timeout",
        Duration,
        Some("3min"),
        "How long members may take to greet the coordinator",
    ).advanced().of(Controld),
    described(
        "join-finalization-timeout",
        Duration,
        Some("30min"),
        "How long members may take to complete their joining",
    ).advanced().of(Controld),
    described(
        "transition-delay",
        Duration,
        Some("0s"),
        "How long to wait before a plan is made, so that more events can come together; it slows down every recovery",
    ).advanced().of(Controld),
    described(
        "no-quorum-policy",
        Select(&["stop", "freeze", "ignore", "demote", "fence", "suicide"]),
        Some("stop"),
        "What happens to resources while there is no quorum",
    ),
    described(
        "shutdown-lock",
        Boolean,
        Some("false"),
        "Whether resources stay bound to a host that was shut down cleanly until it is back",
    ),
    described("shutdown-lock-limit", Duration, Some("0"), "For how long at most shutdown-lock binds a resource; 0 for ever"),
    described("enable-acl", Boolean, Some("false"), "Whether access control lists say who may read and change what").of(Based),
    described("symmetric-cluster", Boolean, Some("true"), "Whether resources may run on any host that nothing forbids"),
    described("maintenance-mode", Boolean, Some("false"), "Whether the cluster leaves all resources alone, monitors included"),
    described("start-failure-is-fatal", Boolean, Some("true"), "Whether one failed start bans a resource from that host"),
    described("enable-startup-probes", Boolean, Some("true"), "Whether it is looked what runs already on a host that joins"),
    described(
        "stonith-enabled",
        Boolean,
        Some("true"),
        "Whether hosts may be fenced; without it, a failure can cost data",
    ).advanced(),
    described("stonith-action", Select(&["reboot", "off"]), Some("reboot"), "What fencing does to a host"),
    described(
        "stonith-timeout",
        Duration,
        Some("60s"),
        "How long an on, off or reboot of a host may take unless its device says otherwise",
    ),
    described("have-watchdog", Boolean, Some("false"), "Whether a watchdog is in use; the cluster sets it").generated(),
    described(
        "stonith-watchdog-timeout",
        Timeout,
        Some("0"),
        "After how long a lost host counts as reset by its own watchdog; 0 for never, negative for twice the watchdog's time",
    ).of(Controld),
    described(
        "stonith-max-attempts",
        Score,
        Some("10"),
        "How often fencing of a host may fail before it is not tried again at once",
    ).of(Controld),
    described("concurrent-fencing", Boolean, Some("true"), "Whether several hosts may be fenced at the same time").deprecated(),
    described(
        "startup-fencing",
        Boolean,
        Some("true"),
        "Whether hosts are fenced that were never seen; without it, data can be lost",
    ).advanced(),
    described(
        "priority-fencing-delay",
        Duration,
        Some("0"),
        "How long fencing waits for the host with the higher sum of priorities, so that it wins",
    ),
    described(
        "node-pending-timeout",
        Duration,
        Some("0"),
        "After how long a host is fenced that has joined the bus but not the cluster; 0 for never",
    ),
    described("cluster-delay", Duration, Some("60s"), "How long messages between hosts may be under way"),
    described("load-threshold", Percentage, Some("80%"), "From which load on hosts are given less to do at once").of(Controld),
    described(
        "node-action-limit",
        Integer,
        Some("0"),
        "How many actions a host runs at once; 0 for twice its cores",
    ).of(Controld),
    described(
        "batch-limit",
        Integer,
        Some("0"),
        "How many actions all hosts together run at once; 0 for as many as their load allows",
    ),
    described("migration-limit", Integer, Some("-1"), "How many live migrations a host takes part in at once; -1 for any number"),
    described(
        "cluster-ipc-limit",
        NonnegativeInteger,
        Some("500"),
        "How many messages may wait for a client before it is cut off",
    ).of(Based),
    described("stop-all-resources", Boolean, Some("false"), "Whether all resources are to be stopped"),
    described("stop-orphan-resources", Boolean, Some("true"), "Whether resources are stopped that are no longer configured"),
    described("stop-orphan-actions", Boolean, Some("true"), "Whether monitors are cancelled that are no longer configured"),
    described(
        "pe-error-series-max",
        Integer,
        Some("-1"),
        "How many inputs of the scheduler that led to errors are kept; -1 for all",
    ),
    described(
        "pe-warn-series-max",
        Integer,
        Some("5000"),
        "How many inputs of the scheduler that led to warnings are kept; -1 for all",
    ),
    described("pe-input-series-max", Integer, Some("4000"), "How many other inputs of the scheduler are kept; -1 for all"),
    described(
        "node-health-strategy",
        Select(&["none", "migrate-on-red", "only-green", "progressive", "custom"]),
        Some("none"),
        "What attributes of a host's health do to its scores",
    ),
    described(
        "node-health-base",
        Score,
        Some("0"),
        "The score that every host has to begin with, where the strategy is progressive",
    ),
    described("node-health-green", Score, Some("0"), "The score of a health attribute that is green"),
    described("node-health-yellow", Score, Some("0"), "The score of a health attribute that is yellow"),
    described("node-health-red", Score, Some("-INFINITY"), "The score of a health attribute that is red"),
    described(
        "placement-strategy",
        Select(&["default", "utilization", "minimal", "balanced"]),
        Some("default"),
        "How hosts are chosen by what resources use and hosts offer",
    ),
];

/// The meta attributes of a primitive.
pub const PRIMITIVE: &[Described] = &[
    described("priority", Score, Some("0"), "Which resources run when not all can: those of higher priority"),
    described(
        "critical",
        Boolean,
        Some("true"),
        "Whether it counts, in colocations with it, where this resource can run (the default of their influence)",
    ),
    described(
        "target-role",
        Select(&["Stopped", "Started", "Unpromoted", "Promoted"]),
        Some("Started"),
        "What the resource is meant to be",
    ),
    described(
        "is-managed",
        Boolean,
        Some("true"),
        "Whether the cluster may start, stop, promote and demote it",
    ),
    described(
        "maintenance",
        Boolean,
        Some("false"),
        "Whether the cluster leaves it alone, monitors included",
    ),
    described("resource-stickiness", Score, None, "How much it wants to stay where it is"),
    described(
        "requires",
        Select(&["nothing", "quorum", "fencing", "unfencing"]),
        None,
        "What must hold before it may start",
    ),
    described(
        "migration-threshold",
        Score,
        Some("INFINITY"),
        "After how many failures on a host it may no longer run there",
    ),
    described("failure-timeout", Duration, Some("0"), "After how long a failure is forgotten; 0 for never"),
    described(
        "multiple-active",
        Select(&["block", "stop_only", "stop_start", "stop_unexpected"]),
        Some("stop_start"),
        "What to do where it is found on several hosts and should be on one",
    ),
    described("allow-migrate", Boolean, None, "Whether it is moved by live migration where that is possible"),
    described("allow-unhealthy-nodes", Boolean, Some("false"), "Whether it may run on hosts of bad health"),
    described(
        "container-attribute-target",
        String,
        None,
        "Whether, inside of a bundle, the attributes of the host count instead of the container's",
    ),
    described("remote-node", String, None, "The name under which the guest is a host of its own"),
    described("remote-addr", String, None, "The address of the guest"),
    described("remote-port", Port, Some("3121"), "The port of the guest"),
    described("remote-connect-timeout", Timeout, Some("60s"), "How long connecting to the guest may take"),
    described("remote-allow-migrate", Boolean, Some("true"), "Whether the connection to the guest may move"),
];

/// The parameters that every fence device has.
pub const FENCING: &[Described] = &[
    described("pcmk_host_argument", String, None, "The parameter of the agent that takes the host to fence")
        .advanced(),
    described("pcmk_host_map", String, None, "What hosts are called by the device: host1:1;host2:2,3"),
    described(
        "pcmk_host_list",
        String,
        None,
        "The hosts that the device can fence, with commas between them",
    ),
    described(
        "pcmk_host_check",
        Select(&["dynamic-list", "static-list", "status", "none"]),
        None,
        "How it is found out which hosts the device can fence",
    ),
    described("pcmk_delay_max", Duration, Some("0s"), "The longest random delay before fencing"),
    described(
        "pcmk_delay_base",
        String,
        Some("0s"),
        "The delay before fencing, for all hosts or as host1:1s;host2:2s",
    ),
    described(
        "pcmk_action_limit",
        Integer,
        Some("1"),
        "How many actions the device can do at once; -1 for any number",
    ),
    described("pcmk_reboot_action", String, Some("reboot"), "What the agent is told to do for reboot")
        .advanced(),
    described(
        "pcmk_reboot_timeout",
        Timeout,
        Some("60s"),
        "How long reboot may take, instead of stonith-timeout",
    )
    .advanced(),
    described("pcmk_reboot_retries", Integer, Some("2"), "How often reboot is tried within its time")
        .advanced(),
    described("pcmk_off_action", String, Some("off"), "What the agent is told to do for off").advanced(),
    described("pcmk_off_timeout", Timeout, Some("60s"), "How long off may take, instead of stonith-timeout")
        .advanced(),
    described("pcmk_off_retries", Integer, Some("2"), "How often off is tried within its time").advanced(),
    described("pcmk_on_action", String, Some("on"), "What the agent is told to do for on").advanced(),
    described("pcmk_on_timeout", Timeout, Some("60s"), "How long on may take, instead of stonith-timeout")
        .advanced(),
    described("pcmk_on_retries", Integer, Some("2"), "How often on is tried within its time").advanced(),
    described("pcmk_list_action", String, Some("list"), "What the agent is told to do for list").advanced(),
    described(
        "pcmk_list_timeout",
        Timeout,
        Some("60s"),
        "How long list may take, instead of stonith-timeout",
    )
    .advanced(),
    described("pcmk_list_retries", Integer, Some("2"), "How often list is tried within its time").advanced(),
    described("pcmk_monitor_action", String, Some("monitor"), "What the agent is told to do for monitor")
        .advanced(),
    described(
        "pcmk_monitor_timeout",
        Timeout,
        Some("60s"),
        "How long monitor may take, instead of stonith-timeout",
    )
    .advanced(),
    described("pcmk_monitor_retries", Integer, Some("2"), "How often monitor is tried within its time")
        .advanced(),
    described("pcmk_status_action", String, Some("status"), "What the agent is told to do for status")
        .advanced(),
    described(
        "pcmk_status_timeout",
        Timeout,
        Some("60s"),
        "How long status may take, instead of stonith-timeout",
    )
    .advanced(),
    described("pcmk_status_retries", Integer, Some("2"), "How often status is tried within its time")
        .advanced(),
];
