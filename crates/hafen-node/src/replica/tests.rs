use super::*;

use hafen_protocol::message::ResourceHistory;

fn member(host: u32, incarnation: u64) -> MemberId {
    MemberId { host: HostId(host), incarnation: Incarnation(incarnation) }
}

fn order(host: u32) -> Execute {
    Execute {
        host: HostId(host),
        resource: "vm1".into(),
        class: "ocf".into(),
        provider: Some("hafen".into()),
        agent: "qemu".into(),
        task: "migrate_to".into(),
        interval_ms: 0,
        timeout_ms: 1_000,
        operation_key: "vm1_migrate_to_0".into(),
        transition_key: "1:1:0:uuid".into(),
        parameters: BTreeMap::new(),
        meta: BTreeMap::new(),
        ordered_at: 1,
    }
}

fn hello(host: u32, boot_id: &str, status: HostStatus) -> Hello {
    Hello {
        protocol: 1,
        uname: format!("host{host}"),
        version: StateVersion::default(),
        digest: String::new(),
        shared_digest: String::new(),
        promised_term: 0,
        disk_healthy: true,
        complete: true,
        seasoned: true,
        quorate_ring: 1,
        coordinated: false,
        status,
        boot_id: boot_id.into(),
        proven_off: BTreeMap::new(),
    }
}

fn replica() -> Replica {
    let hosts = (1..=3).map(|host| (HostId(host), format!("host{host}"))).collect();
    let cib = Cib::parse("<cib><configuration/><status/></cib>").expect("a CIB");
    Replica::new(cib, Lineage::default(), &hosts)
}

/// All three hosts are here, and a machine is on its way to host2.
fn migrating() -> Replica {
    let mut replica = replica();
    let hellos = (1..=3).map(|host| (member(host, 1), hello(host, "boot", HostStatus::default()))).collect();
    replica.greet(&hellos, &BTreeSet::from([HostId(1), HostId(2), HostId(3)]), true);
    let target = replica.hosts.get_mut(&HostId(2)).expect("host2");
    target.status.arriving.insert("vm1".into(), order(1));
    replica
}

fn arriving(replica: &Replica) -> Vec<&str> {
    replica.hosts[&HostId(2)].status.arriving.keys().map(String::as_str).collect()
}

/// The next view, in which host2's daemon is a new one that says this.
fn greet_anew(replica: &mut Replica, hello: Hello) {
    let mut hellos: BTreeMap<MemberId, Hello> = BTreeMap::from([(member(2, 2), hello)]);
    hellos.insert(member(3, 1), self::hello(3, "boot", HostStatus::default()));
    replica.greet(&hellos, &BTreeSet::from([HostId(3)]), true);
}

#[test]
fn what_may_have_arrived_is_known_after_the_target_s_daemon_forgot_it() {
    let mut known = migrating();
    greet_anew(&mut known, hello(2, "boot", HostStatus::default()));
    assert_eq!(arriving(&known), ["vm1"]);
    // The new daemon itself learns it from the copy.
    let present = BTreeSet::from([HostId(2), HostId(3)]);
    let shared = known.shared(&present);
    let mut forgetful = replica();
    let hellos = BTreeMap::from([(member(2, 2), hello(2, "boot", HostStatus::default()))]);
    forgetful.greet(&hellos, &BTreeSet::from([HostId(3)]), false);
    assert!(arriving(&forgetful).is_empty());
    forgetful.install(
        Cib::parse("<cib><configuration/><status/></cib>").expect("a CIB"),
        Lineage::default(),
        shared,
    );
    assert_eq!(arriving(&forgetful), ["vm1"]);
}

#[test]
fn a_host_that_booted_or_found_out_has_nothing_arriving() {
    let mut booted = migrating();
    greet_anew(&mut booted, hello(2, "another boot", HostStatus::default()));
    assert!(arriving(&booted).is_empty());
    let mut found_out = migrating();
    let mut status = HostStatus::default();
    let record = OperationRecord {
        operation_key: "vm1_monitor_0".into(),
        task: "monitor".into(),
        interval_ms: 0,
        transition_key: "2:2:7:uuid".into(),
        call_id: 1,
        rc: 0,
        op_status: 0,
        last_rc_change: 2,
        exec_time_ms: 1,
        queue_time_ms: 0,
        exit_reason: String::new(),
        output: String::new(),
        op_digest: String::new(),
        restart: None,
        migration: None,
        on_node: "host2".into(),
    };
    let operations = BTreeMap::from([("vm1_last_0".to_string(), record)]);
    status.resources.insert("vm1".into(), ResourceHistory { operations, ..ResourceHistory::default() });
    greet_anew(&mut found_out, hello(2, "boot", status));
    assert!(arriving(&found_out).is_empty());
}

#[test]
fn hosts_join_as_off_and_go_with_their_records() {
    let mut replica = migrating();
    let join = HostChange::Join { host: HostId(4), uname: "host4".into() };
    replica.change_hosts(&join);
    assert_eq!(replica.configured.len(), 4);
    assert_eq!(replica.hosts[&HostId(4)].standing, Standing::Down { proof: None });
    replica.change_hosts(&HostChange::Remove { host: HostId(4) });
    assert!(!replica.hosts.contains_key(&HostId(4)) && replica.configured.len() == 3);
    replica.change_hosts(&HostChange::Remove { host: HostId(3) });
    assert!(replica.hosts.contains_key(&HostId(3)), "it is here, and what it runs is not forgotten");
}

#[test]
fn a_fencing_whose_member_falls_silent_is_on_record_as_of_unknown_outcome() {
    let mut replica = migrating();
    let start = FenceStart {
        id: "f1".into(),
        target: HostId(2),
        target_uname: "host2".into(),
        target_incarnation: None,
        action: "reboot".into(),
        cause: "lost".into(),
        by: member(3, 1),
        levels: Vec::new(),
        delay_ms: 0,
        timeout_ms: 1,
        origin: None,
        wall_ms: 7,
        transition_key: None,
    };
    replica.fencings.insert("f1".into(), start);
    let told = replica.go_without(&BTreeSet::from([HostId(3)]));
    assert_eq!(told.len(), 1);
    assert_eq!(replica.hosts[&HostId(3)].standing, Standing::DaemonLost);
    let error = replica.fence_history[0].result.outcome.as_ref().expect_err("unknown");
    assert!(error.starts_with(OUTCOME_UNKNOWN), "{error}");
}
