//! The table of old names. What is exchanged behaves as before; the rest is left as it is, with what to do.

/// An agent of old.
pub(super) struct Agent {
    /// `CLASS:PROVIDER:TYPE` or `CLASS:TYPE`.
    pub old: &'static str,
    /// The same of what it is today.
    pub today: &'static str,
    pub change: Change,
}

pub(super) enum Change {
    Exchange(Exchange),
    /// Today's behaves differently; this is to be done.
    ByHand(&'static str),
}

/// How one agent takes the place of another.
pub(super) struct Exchange {
    pub why: &'static str,
    pub renamed: &'static [Renamed],
    /// Parameters that it cannot do without.
    pub needed: &'static [&'static str],
    /// Parameters that mean nothing, or something else, to it.
    pub strange: &'static [&'static str],
    pub condition: Condition,
}

/// What else must hold of the resource.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    None,
    RecurringMonitor,
    NotifiedClone,
    /// The parameter `nic` names no alias (`eth0:1`).
    NoAliasedInterface,
}

/// A parameter with another name.
pub struct Renamed {
    /// Its name of old.
    pub old: &'static str,
    /// Its name today.
    pub today: &'static str,
    /// The value as it is written today; none where it cannot be said.
    pub value: fn(&str) -> Option<String>,
}

const fn renamed(old: &'static str, today: &'static str) -> Renamed {
    Renamed { old, today, value: |value| Some(value.to_owned()) }
}

/// 255.255.255.0 is 24.
fn bits(value: &str) -> Option<String> {
    if value.parse::<u32>().is_ok_and(|bits| bits <= 32) {
        return Some(value.to_owned());
    }
    let mask = u32::from(value.parse::<std::net::Ipv4Addr>().ok()?);
    (mask.leading_ones() + mask.trailing_zeros() == 32).then(|| mask.leading_ones().to_string())
}

const PING: Exchange = Exchange {
    why: "it sets the attribute `pingd` as before, at each monitor",
    renamed: &[],
    needed: &["host_list"],
    strange: &["options"],
    condition: Condition::RecurringMonitor,
};

const O2CB: Change = Change::ByHand(
    "today's kernels drive OCFS2 by the DLM alone: have the file systems follow the clone of ocf:pacemaker:controld in \
     their constraints, then remove this one",
);

const SHARED: &str = "set `use_lvmlockd = 1` in lvm.conf, use ocf:heartbeat:lvmlockd, and with it running make each volume \
                      group shared: vgchange --lock-type dlm VG";

const fn by_hand(old: &'static str, today: &'static str, advice: &'static str) -> Agent {
    Agent { old, today, change: Change::ByHand(advice) }
}

pub(super) const AGENTS: &[Agent] = &[
    Agent { old: "ocf:heartbeat:pingd", today: "ocf:pacemaker:ping", change: Change::Exchange(PING) },
    Agent { old: "ocf:pacemaker:pingd", today: "ocf:pacemaker:ping", change: Change::Exchange(PING) },
    Agent {
        old: "ocf:heartbeat:IPaddr",
        today: "ocf:heartbeat:IPaddr2",
        change: Change::Exchange(Exchange {
            why: "it manages the same address, by iproute2",
            renamed: &[
                Renamed { old: "netmask", today: "cidr_netmask", value: bits },
                Renamed { old: "cidr_netmask", today: "cidr_netmask", value: bits },
                renamed("ARP_INTERVAL_MS", "arp_interval"),
                renamed("ARP_REPEAT", "arp_count"),
                renamed("ARP_BACKGROUND", "arp_bg"),
            ],
            needed: &["ip"],
            strange: &["local_start_script", "local_stop_script", "ARP_NETMASK"],
            condition: Condition::NoAliasedInterface,
        }),
    },
    Agent {
        old: "ocf:heartbeat:drbd",
        today: "ocf:linbit:drbd",
        change: Change::Exchange(Exchange {
            why: "DRBD brings this agent itself; it takes `drbd_resource` and `drbdconf` as before",
            renamed: &[],
            needed: &["drbd_resource"],
            strange: &["clone_overrides_hostname"],
            condition: Condition::NotifiedClone,
        }),
    },
    Agent {
        old: "stonith:apcmastersnmp",
        today: "stonith:fence_apc_snmp",
        change: Change::Exchange(Exchange {
            why: "it drives the same devices",
            renamed: &[renamed("ipaddr", "ip"), renamed("port", "udpport")],
            needed: &["ipaddr"],
            strange: &[],
            condition: Condition::None,
        }),
    },
    Agent {
        old: "stonith:ssh",
        today: "stonith:external/ssh",
        change: Change::Exchange(Exchange {
            why: "the script does the same as the library",
            renamed: &[],
            needed: &[],
            strange: &[],
            condition: Condition::None,
        }),
    },
    // Its locks are those of lvmlockd, which needs other volume groups; `daemon_timeout` means nothing to it.
    by_hand("ocf:lvm2:clvmd", "ocf:heartbeat:lvmlockd", SHARED),
    by_hand("ocf:heartbeat:clvm", "ocf:heartbeat:lvmlockd", SHARED),
    by_hand(
        "ocf:lvm2:cmirrord",
        "ocf:heartbeat:lvmlockd",
        "mirrors of today (`lvconvert --type raid1`) need no daemon: convert them, then remove this one",
    ),
    // Another controld beside the one that there is would be a second lock manager.
    Agent { old: "ocf:ocfs2:o2cb", today: "ocf:pacemaker:controld", change: O2CB },
    Agent { old: "ocf:pacemaker:o2cb", today: "ocf:pacemaker:controld", change: O2CB },
    // What keeps two hosts from the same volume is the administrator's choice there.
    by_hand(
        "ocf:heartbeat:LVM",
        "ocf:heartbeat:LVM-activate",
        "use ocf:heartbeat:LVM-activate with `vgname` for `volgrpname`, and choose its `vg_access_mode` (lvmlockd, \
         system_id or tagging): it says what keeps other hosts away",
    ),
    // The script makes one host primary; DRBD's agent is a promotable clone.
    by_hand(
        "heartbeat:drbddisk",
        "ocf:linbit:drbd",
        "use ocf:linbit:drbd as a promotable clone with `notify=true`, and have what follows this one follow its \
         promotion; DRBD's script drbddisk works as well where it is installed",
    ),
    by_hand(
        "lsb:iscsitarget",
        "ocf:heartbeat:iSCSITarget",
        "use ocf:heartbeat:iSCSITarget with its `iqn`, and one ocf:heartbeat:iSCSILogicalUnit for each device of \
         ietd.conf, in its place in the group",
    ),
    by_hand(
        "lsb:open-iscsi",
        "ocf:heartbeat:iscsi",
        "use ocf:heartbeat:iscsi with `portal` and `target` for each target, or leave logging in to the system and \
         remove this one",
    ),
];

/// Options of resources that were parameters, or written with underscores.
pub(super) const META: &[(&str, &str)] = &[
    ("allow_migrate", "allow-migrate"),
    ("resource_stickiness", "resource-stickiness"),
    ("target_role", "target-role"),
    ("is_managed", "is-managed"),
];

/// Cluster options that mean nothing today, and what to do instead. Those with another name or place today are in
/// the tables of the upgrade.
pub(super) const PROPERTIES_BY_HAND: &[(&str, &str)] = &[
    ("default-resource-failure-stickiness", FAILURES),
    ("default_resource_failure_stickiness", FAILURES),
    ("default-migration-threshold", THRESHOLD),
    ("default_migration_threshold", THRESHOLD),
    ("expected-quorum-votes", "Corosync counts the votes (quorum in corosync.conf): remove it"),
    ("notification-agent", "configure an alert instead, then remove it"),
    ("notification-recipient", "configure an alert's recipient instead, then remove it"),
];

const FAILURES: &str = "set `migration-threshold` in rsc_defaults to the number of failures that are to move a resource, then \
                        remove it";
const THRESHOLD: &str = "set `migration-threshold` in rsc_defaults if it is still wanted, then remove it";
