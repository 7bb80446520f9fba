//! A host that loses its network: the LAN is cut, the links of the cluster are not, and what needs the LAN moves.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

mod support;

use std::time::{Duration, Instant};

use hafen_client::Client;
use hafen_lab::net::Link;
use hafen_lab::{Lab, LabSpec, NetSpec};
use hafen_protocol::client::{Edit, Reply, Request, StatusReport};

use support::{Place, can_hold_a_lab, hosts, shell, up};

/// The bound of every wait.
const PATIENCE: Duration = Duration::from_secs(90);
/// Longer than the dampening and several monitors: what does not happen within this does not happen.
const QUIET: Duration = Duration::from_secs(8);
const GATEWAY: &str = "10.77.9.1";

/// A resource that needs the LAN, and a clone that looks at it.
fn edits(provider: &str) -> Vec<Edit> {
    let pair =
        |name: &str, value: &str| format!(r#"<nvpair id="ping-{name}" name="{name}" value="{value}"/>"#);
    let parameters = [("host_list", GATEWAY), ("dampen", "1s"), ("attempts", "2"), ("timeout", "1")]
        .map(|(n, v)| pair(n, v));
    let ping = format!(
        r#"<clone id="ping-clone"><primitive id="ping" class="ocf" provider="{provider}" type="ping">
        <instance_attributes id="ping-parameters">{}</instance_attributes>
        <operations><op id="ping-monitor" name="monitor" interval="2s" timeout="20s"/></operations>
        </primitive></clone>"#,
        parameters.concat()
    );
    let service = r#"<primitive id="service" class="ocf" provider="pacemaker" type="Dummy">
        <meta_attributes id="service-meta"><nvpair id="service-stickiness" name="resource-stickiness" value="10"/>
        </meta_attributes></primitive>"#;
    let rule = r#"<rsc_location id="service-net" rsc="service"><rule id="service-net-rule" score="-INFINITY"
        boolean-op="or"><expression id="service-net-less" attribute="pingd" operation="lt" value="1" type="number"/>
        <expression id="service-net-none" attribute="pingd" operation="not_defined"/></rule></rsc_location>"#;
    let create = |section: &str, xml: &str| Edit::Create { section: section.to_owned(), xml: xml.to_owned() };
    vec![create("resources", &ping), create("resources", service), create("constraints", rule)]
}

fn client(lab: &Lab) -> Client {
    let (_, client) = lab.any_client(PATIENCE).expect("a daemon answers");
    client
}

fn place_of(status: &StatusReport, resource: &str) -> Vec<String> {
    let found = status.resources.iter().find(|one| one.id == resource && one.state == "running");
    found.map(|one| one.hosts.clone()).unwrap_or_default()
}

/// Waits until the status is as wanted and the cluster is settled.
fn until(lab: &Lab, what: &str, holds: impl Fn(&StatusReport) -> bool) -> StatusReport {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = lab.any_client(PATIENCE).ok().and_then(|(_, mut client)| client.status().ok());
        match status {
            Some(status) if status.waiting_for.is_none() && holds(&status) => return status,
            status => assert!(Instant::now() < deadline, "never came about: {what}: {status:#?}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn values(lab: &Lab) -> Vec<(String, Option<String>)> {
    let request = Request::QueryAttribute { name: Some("pingd".to_owned()), host: None };
    match client(lab).request(request).expect("an answer") {
        Reply::Attributes { attributes } => attributes.into_iter().map(|one| (one.host, one.value)).collect(),
        other => panic!("{other:?}"),
    }
}

fn no_host_was_fenced(lab: &Lab) {
    let reply = client(lab).request(Request::FenceHistory { host: None }).expect("an answer");
    assert_eq!(reply, Reply::FenceHistory { records: Vec::new() });
}

/// Cuts the LAN of the host that has the service, and mends it. The host that had it.
fn moves_away_and_stays_away(lab: &Lab, provider: &str) -> String {
    client(lab).change(edits(provider), false, "test").expect("changed");
    let status = until(lab, "the service runs", |status| place_of(status, "service").len() == 1);
    let first = place_of(&status, "service").remove(0);
    assert_eq!(place_of(&status, "ping").len(), 3, "{status:#?}");
    let switch = lab.frame_switch().expect("there is a switch");
    switch.cut(&first, None, Some(Link::Lan0)).expect("cut");
    let elsewhere = |status: &StatusReport| {
        let now = place_of(status, "service");
        now.len() == 1 && now[0] != first
    };
    let status = until(lab, "the service moved off", elsewhere);
    assert!(status.hosts.iter().all(|host| host.state == "online"), "only the LAN was lost: {status:#?}");
    assert!(status.failures.is_empty(), "nothing failed: {:?}", status.failures);
    let second = place_of(&status, "service").remove(0);
    for (host, value) in values(lab) {
        assert_eq!(value.as_deref(), Some(if host == first { "0" } else { "1" }), "{host}");
    }
    switch.heal(None).expect("healed");
    let deadline = Instant::now() + PATIENCE;
    while values(lab).iter().any(|(_, value)| value.as_deref() != Some("1")) {
        assert!(Instant::now() < deadline, "the values never came back: {:?}", values(lab));
        std::thread::sleep(Duration::from_millis(200));
    }
    let status = until(lab, "the cluster is settled", |_| true);
    assert_eq!(place_of(&status, "service"), [second.as_str()], "stickiness keeps it there");
    no_host_was_fenced(lab);
    second
}

fn spec() -> LabSpec {
    LabSpec { net: Some(NetSpec::default()), ..hosts(3) }
}

#[test]
fn pacemakers_agent_moves_what_needs_the_lan() {
    if !can_hold_a_lab() || !std::path::Path::new("/usr/lib/ocf/resource.d/pacemaker/ping").exists() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, spec());
    until(&lab, "all hosts are there", |status| status.hosts.iter().all(|host| host.state == "online"));
    moves_away_and_stays_away(&lab, "pacemaker");
    let tool = "/run/hafen/tools/attrd_updater -n pingd -Q -N host1; echo $?";
    assert_eq!(shell(&lab, "host2", tool), "name=\"pingd\" host=\"host1\" value=\"1\"\n0");
}

#[test]
fn our_agent_moves_what_needs_the_lan_and_bears_the_loss_of_a_daemon() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, spec());
    until(&lab, "all hosts are there", |status| status.hosts.iter().all(|host| host.state == "online"));
    let host = moves_away_and_stays_away(&lab, "hafen");
    assert!(lab.kill_processes(&host, &["hafen", "daemon"]).expect("looked") > 0, "the daemon ran");
    std::thread::sleep(QUIET);
    let status =
        until(&lab, "the daemon is back", |status| status.hosts.iter().all(|host| host.state == "online"));
    assert_eq!(place_of(&status, "service"), [host.as_str()], "nothing moved: {status:#?}");
    assert!(status.failures.is_empty(), "nothing failed: {:?}", status.failures);
    no_host_was_fenced(&lab);
}

#[test]
fn a_gateway_that_is_lost_for_all_leaves_the_service_nowhere_and_comes_back() {
    if !can_hold_a_lab() {
        return;
    }
    let place = Place::new();
    let (lab, _lease) = up(&place, spec());
    until(&lab, "all hosts are there", |status| status.hosts.iter().all(|host| host.state == "online"));
    client(&lab).change(edits("hafen"), false, "test").expect("changed");
    until(&lab, "the service runs", |status| place_of(status, "service").len() == 1);
    let switch = lab.frame_switch().expect("there is a switch");
    for host in ["host1", "host2", "host3"] {
        switch.cut(host, Some("gateway"), None).expect("cut");
    }
    until(&lab, "it runs nowhere", |status| place_of(status, "service").is_empty());
    switch.heal(None).expect("healed");
    until(&lab, "it runs again", |status| place_of(status, "service").len() == 1);
    no_host_was_fenced(&lab);
}
