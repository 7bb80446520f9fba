//! The options of the cluster, of resources and of operations, with Pacemaker 3.0's defaults.

/// The value that means: as if nothing were set.
pub const DEFAULT_MARK: &str = "#default";

/// What values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionType {
    /// `true`, `false` and their other spellings.
    Boolean,
    /// A [`crate::values::Score`].
    Score,
    /// A time that is not negative.
    Duration,
    /// A time that may be negative.
    Timeout,
    /// A whole number.
    Integer,
    /// A number with `%`.
    Percentage,
    /// One of several words.
    Select(&'static [&'static str]),
    /// Any text.
    Text,
}

/// An option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionInfo {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: OptionType,
    /// What holds when it is not set; `None` if nothing does.
    pub default: Option<&'static str>,
    /// The cluster sets it itself.
    pub generated: bool,
}

const fn option(name: &'static str, values: OptionType, default: &'static str) -> OptionInfo {
    OptionInfo { name, values, default: Some(default), generated: false }
}

const fn unset(name: &'static str, values: OptionType) -> OptionInfo {
    OptionInfo { name, values, default: None, generated: false }
}

const fn generated(name: &'static str, values: OptionType, default: Option<&'static str>) -> OptionInfo {
    OptionInfo { name, values, default, generated: true }
}

use OptionType::{Boolean, Duration, Integer, Percentage, Score, Select, Text, Timeout};

/// The properties of the cluster: Pacemaker's, then our own.
pub const CLUSTER_OPTIONS: &[OptionInfo] = &[
    generated("dc-version", Text, None),
    generated("cluster-infrastructure", Text, None),
    unset("cluster-name", Text),
    option("dc-deadtime", Duration, "20s"),
    option("cluster-recheck-interval", Duration, "15min"),
    option("fence-reaction", Select(&["stop", "panic"]), "stop"),
    option("election-timeout", Duration, "2min"),
    option("shutdown-escalation", Duration, "20min"),
    option("join-integration-timeout", Duration, "3min"),
    option("join-finalization-timeout", Duration, "30min"),
    option("transition-delay", Duration, "0s"),
    option("no-quorum-policy", Select(&["stop", "freeze", "ignore", "demote", "fence", "suicide"]), "stop"),
    option("shutdown-lock", Boolean, "false"),
    option("shutdown-lock-limit", Duration, "0"),
    option("enable-acl", Boolean, "false"),
    option("symmetric-cluster", Boolean, "true"),
    option("maintenance-mode", Boolean, "false"),
    option("start-failure-is-fatal", Boolean, "true"),
    option("enable-startup-probes", Boolean, "true"),
    option("stonith-enabled", Boolean, "true"),
    option("stonith-action", Select(&["reboot", "off"]), "reboot"),
    option("stonith-timeout", Duration, "60s"),
    generated("have-watchdog", Boolean, Some("false")),
    option("stonith-watchdog-timeout", Timeout, "0"),
    option("stonith-max-attempts", Score, "10"),
    option("concurrent-fencing", Boolean, "true"),
    option("startup-fencing", Boolean, "true"),
    option("priority-fencing-delay", Duration, "0"),
    option("node-pending-timeout", Duration, "0"),
    option("cluster-delay", Duration, "60s"),
    option("load-threshold", Percentage, "80%"),
    option("node-action-limit", Integer, "0"),
    option("batch-limit", Integer, "0"),
    option("migration-limit", Integer, "-1"),
    option("cluster-ipc-limit", Integer, "500"),
    option("stop-all-resources", Boolean, "false"),
    option("stop-orphan-resources", Boolean, "true"),
    option("stop-orphan-actions", Boolean, "true"),
    option("pe-error-series-max", Integer, "-1"),
    option("pe-warn-series-max", Integer, "5000"),
    option("pe-input-series-max", Integer, "4000"),
    option(
        "node-health-strategy",
        Select(&["none", "migrate-on-red", "only-green", "progressive", "custom"]),
        "none",
    ),
    option("node-health-base", Score, "0"),
    option("node-health-green", Score, "0"),
    option("node-health-yellow", Score, "0"),
    option("node-health-red", Score, "-INFINITY"),
    option("placement-strategy", Select(&["default", "utilization", "minimal", "balanced"]), "default"),
    // Our own.
    option("fencing-proof-minimum", Select(&["none", "human", "agent-reported", "off-verified"]), "none"),
    option("fencing-check-interval", Duration, "1h"),
    option("daemon-restart-timeout", Duration, "20s"),
    option("watchdog-timeout", Duration, "5s"),
];

/// What our own properties mean: the name, and a line about it.
pub const OWN_OPTIONS: &[(&str, &str)] = &[
    (
        "fencing-proof-minimum",
        "Which proof that a host is off frees what it ran: none (any device's success), human, agent-reported, \
         off-verified (the device was asked for the host's state afterwards)",
    ),
    (
        "fencing-check-interval",
        "How often all fence devices are checked against all hosts, without harm; 0 checks only on demand",
    ),
    (
        "daemon-restart-timeout",
        "How long a host whose daemon alone is lost may take to start it again before the host is fenced",
    ),
    (
        "watchdog-timeout",
        "How long a host's watchdog device waits after it was last fed before it resets the host; \
         stonith-watchdog-timeout has to be larger than this plus daemon-restart-timeout",
    ),
];

/// Names under which later releases of Pacemaker know the same property, and the name used here.
pub const ALIASES: &[(&str, &str)] = &[
    ("fencing-enabled", "stonith-enabled"),
    ("fencing-action", "stonith-action"),
    ("fencing-timeout", "stonith-timeout"),
    ("fencing-watchdog-timeout", "stonith-watchdog-timeout"),
    ("fencing-max-attempts", "stonith-max-attempts"),
    ("fencing-reaction", "fence-reaction"),
    ("stop-removed-resources", "stop-orphan-resources"),
    ("stop-removed-actions", "stop-orphan-actions"),
];

/// The meta-attributes of resources.
pub const RESOURCE_OPTIONS: &[OptionInfo] = &[
    option("priority", Score, "0"),
    option("critical", Boolean, "true"),
    option(
        "target-role",
        Select(&["Stopped", "Started", "Unpromoted", "Promoted", "Slave", "Master"]),
        "Started",
    ),
    option("is-managed", Boolean, "true"),
    option("maintenance", Boolean, "false"),
    unset("resource-stickiness", Score),
    unset("requires", Select(&["nothing", "quorum", "fencing", "unfencing"])),
    option("migration-threshold", Score, "INFINITY"),
    option("failure-timeout", Duration, "0"),
    option("multiple-active", Select(&["block", "stop_only", "stop_start", "stop_unexpected"]), "stop_start"),
    unset("allow-migrate", Boolean),
    option("allow-unhealthy-nodes", Boolean, "false"),
    unset("container-attribute-target", Text),
    unset("remote-node", Text),
    unset("remote-addr", Text),
    option("remote-port", Integer, "3121"),
    option("remote-connect-timeout", Timeout, "60s"),
    option("remote-allow-migrate", Boolean, "true"),
    // Of clones.
    unset("clone-max", Integer),
    option("clone-node-max", Integer, "1"),
    option("clone-min", Integer, "0"),
    option("notify", Boolean, "false"),
    unset("globally-unique", Boolean),
    option("ordered", Boolean, "false"),
    option("interleave", Boolean, "false"),
    option("promotable", Boolean, "false"),
    option("promoted-max", Integer, "1"),
    option("promoted-node-max", Integer, "1"),
];

/// The parameters of fence devices that the cluster obeys itself, beside those that [`fencing_parameter`] makes up.
pub const FENCING_PARAMETERS: &[OptionInfo] = &[
    unset("pcmk_host_map", Text),
    unset("pcmk_host_list", Text),
    unset("pcmk_host_check", Select(&["static-list", "dynamic-list", "status", "none"])),
    unset("pcmk_host_argument", Text),
    option("pcmk_delay_max", Duration, "0s"),
    option("pcmk_delay_base", Text, "0s"),
    option("pcmk_action_limit", Integer, "1"),
];

/// The actions of fence agents for which there are `pcmk_ACTION_action`, `pcmk_ACTION_timeout` and `pcmk_ACTION_retries`.
pub const FENCING_ACTIONS: &[&str] =
    &["reboot", "off", "on", "list", "monitor", "status", "metadata", "validate-all"];

/// The type of a parameter of fence devices whose name begins with `pcmk_`; `None` if there is no such parameter.
pub fn fencing_parameter(name: &str) -> Option<OptionType> {
    if let Some(known) = FENCING_PARAMETERS.iter().find(|known| known.name == name) {
        return Some(known.values);
    }
    let (action, what) = name.strip_prefix("pcmk_")?.rsplit_once('_')?;
    if !FENCING_ACTIONS.contains(&action) {
        return None;
    }
    match what {
        "action" => Some(Text),
        "timeout" => Some(Timeout),
        "retries" => Some(Integer),
        _ => None,
    }
}

/// The options of operations.
pub const OPERATION_OPTIONS: &[OptionInfo] = &[
    option("interval", Duration, "0"),
    option("timeout", Timeout, "20s"),
    unset("role", Select(&["Started", "Stopped", "Unpromoted", "Promoted", "Slave", "Master"])),
    unset(
        "on-fail",
        Select(&["ignore", "block", "stop", "demote", "restart", "fence", "standby", "restart-container"]),
    ),
    option("enabled", Boolean, "true"),
    unset("interval-origin", Text),
    unset("start-delay", Duration),
    option("record-pending", Boolean, "true"),
];

/// The name that stands in [`CLUSTER_OPTIONS`] for a property or one of its aliases.
pub fn canonical_property(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, canonical)| canonical)
}

/// The option of a name in one of the tables.
pub fn find(table: &'static [OptionInfo], name: &str) -> Option<&'static OptionInfo> {
    table.iter().find(|option| option.name == name)
}

impl OptionType {
    /// What is wrong with a value, if anything is.
    pub fn fault(self, value: &str) -> Option<String> {
        let (fits, expected) = match self {
            Boolean => (crate::values::parse_boolean(value).is_some(), "true or false".to_string()),
            Score => {
                let health = ["red", "yellow", "green"].contains(&value);
                (
                    health || crate::values::Score::parse(value).is_some(),
                    "a number, INFINITY or -INFINITY".to_string(),
                )
            }
            Duration => (
                crate::values::parse_duration_ms(value).is_some(),
                "a time such as 30s, 5min or PT1H".to_string(),
            ),
            Timeout => (
                crate::values::parse_timeout_ms(value).is_some()
                    || crate::values::parse_duration_ms(value).is_some(),
                "a time such as 30s or 5min".to_string(),
            ),
            Integer => (
                value.parse::<i64>().is_ok() || crate::values::Score::parse(value).is_some(),
                "a whole number".to_string(),
            ),
            Percentage => {
                (value.trim_end_matches('%').parse::<f64>().is_ok(), "a percentage such as 80%".to_string())
            }
            Select(words) => (
                words.iter().any(|word| word.eq_ignore_ascii_case(value)),
                format!("one of {}", words.join(", ")),
            ),
            Text => (true, String::new()),
        };
        (!fits).then_some(expected)
    }
}
