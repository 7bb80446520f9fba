//! Names of the years of OpenAIS and Heartbeat, which configurations from books and old clusters have: what they are today.

use super::Checker;
use crate::views::Resource;

/// Agents by class, provider and type, what they are called today, and what else changes with it.
const AGENTS: &[(&str, &str, &str)] = &[
    (
        "ocf:heartbeat:pingd",
        "ocf:pacemaker:ping",
        "it sets the attribute `pingd`, as before, from parameter `host_list`",
    ),
    ("ocf:pacemaker:pingd", "ocf:pacemaker:ping", "its parameters `host_list`, `multiplier` and `name` stay"),
    (
        "ocf:lvm2:clvmd",
        "ocf:heartbeat:lvmlockd",
        "with `use_lvmlockd = 1` in lvm.conf; parameter `daemon_timeout` goes, volume groups become `shared`",
    ),
    ("ocf:heartbeat:clvm", "ocf:heartbeat:lvmlockd", "volume groups become `shared`"),
    (
        "ocf:ocfs2:o2cb",
        "ocf:pacemaker:controld",
        "the stack `o2cb` of today's kernels needs no resource of its own",
    ),
    (
        "ocf:pacemaker:o2cb",
        "ocf:pacemaker:controld",
        "the stack `o2cb` of today's kernels needs no resource of its own",
    ),
    (
        "ocf:heartbeat:LVM",
        "ocf:heartbeat:LVM-activate",
        "`volgrpname` is `vgname`, and `vg_access_mode` must be set",
    ),
    ("ocf:heartbeat:IPaddr", "ocf:heartbeat:IPaddr2", "`netmask` is `cidr_netmask`"),
    ("ocf:heartbeat:drbd", "ocf:linbit:drbd", "as a promotable clone with `notify=true`"),
    (
        "heartbeat:drbddisk",
        "ocf:linbit:drbd",
        "as a promotable clone with `notify=true`; the script works as well",
    ),
    (
        "lsb:iscsitarget",
        "ocf:heartbeat:iSCSITarget",
        "with one ocf:heartbeat:iSCSILogicalUnit for each device",
    ),
    ("lsb:open-iscsi", "ocf:heartbeat:iscsi", "with `portal` and `target`"),
];

/// Parameters that are meta attributes today.
const META: &[(&str, &str)] = &[
    ("allow_migrate", "allow-migrate"),
    ("resource_stickiness", "resource-stickiness"),
    ("target_role", "target-role"),
    ("is_managed", "is-managed"),
];

pub(super) fn check(checker: &mut Checker<'_>) {
    for resource in checker.cib.primitives().collect::<Vec<_>>() {
        agent(checker, resource);
        parameters(checker, resource);
    }
}

fn agent(checker: &mut Checker<'_>, resource: Resource<'_>) {
    let (class, provider, kind) = (resource.class(), resource.provider(), resource.agent_type());
    let name =
        if provider.is_empty() { format!("{class}:{kind}") } else { format!("{class}:{provider}:{kind}") };
    let Some((_, today, more)) = AGENTS.iter().find(|(old, ..)| *old == name) else { return };
    let problem = format!("`{}` uses the agent {name}, which is {today} today", resource.id());
    checker.warning(resource.element(), problem, format!("use {today}: {more}"));
}

fn parameters(checker: &mut Checker<'_>, resource: Resource<'_>) {
    for (old, today) in META {
        if resource.instance_attribute(old).is_none() {
            continue;
        }
        let id = resource.id();
        let problem =
            format!("`{id}` has the parameter `{old}`, which is the meta attribute `{today}` today");
        let mend = format!("crm_resource -r {id} -m -p {today} -v VALUE, then crm_resource -r {id} -d {old}");
        checker.warning(resource.element(), problem, mend);
    }
}
