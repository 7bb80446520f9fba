//! Clusters to look at.

use hafen_cib::Cib;
use hafen_protocol::client::{
    Event, FailedOperation, FenceOutcome, FenceRecord, HostReport, StatusReport, TransitionReport,
};
use hafen_screen::Picture;

/// When all of it happens: 2026-11-26 03:12:45 UTC.
pub(crate) const NOW: u64 = 1_795_662_765;

/// A cluster as its daemon tells it.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) status: StatusReport,
    resources: String,
    /// What is on record of a resource: host, resource, operations.
    histories: Vec<(String, String, String)>,
    unclean: Vec<String>,
    pub(crate) fencings: Vec<FenceRecord>,
}

pub(crate) fn host(name: &str, state: &str, reason: &str) -> HostReport {
    HostReport { name: name.into(), state: state.into(), reason: reason.into(), ..HostReport::default() }
}

fn dummy(id: &str, meta: &str) -> String {
    format!(r#"<primitive id="{id}" class="ocf" provider="pacemaker" type="Dummy">{meta}</primitive>"#)
}

fn operation(resource: &str, task: &str, interval: u64, (rc, status): (i32, i32), call: u32) -> String {
    let id = match (interval, rc) {
        (0, _) => format!("{resource}_last_0"),
        _ => format!("{resource}_{task}_{interval}"),
    };
    let expected = if rc == 193 { 0 } else { rc };
    format!(
        r#"<lrm_rsc_op id="{id}" operation_key="{resource}_{task}_{interval}" operation="{task}" call-id="{call}"
        rc-code="{rc}" op-status="{status}" interval="{interval}" last-rc-change="{NOW}" exec-time="12" queue-time="0"
        transition-key="1:1:{expected}:00000000-0000-0000-0000-000000000001"
        transition-magic="{status}:{rc};1:1:{expected}:00000000-0000-0000-0000-000000000001"/>"#
    )
}

impl Cluster {
    /// Settled, with so many hosts, and nothing to run.
    pub(crate) fn new(hosts: usize) -> Self {
        let names = (1..=hosts).map(|number| host(&format!("host{number}"), "online", ""));
        let status = StatusReport {
            host: "host1".into(),
            cluster: "harbour".into(),
            coordinator: Some("host1".into()),
            quorate: true,
            version: "0.7.0".into(),
            hosts: names.collect(),
            ..StatusReport::default()
        };
        Self {
            status,
            resources: String::new(),
            histories: Vec::new(),
            unclean: Vec::new(),
            fencings: Vec::new(),
        }
    }

    /// Three hosts with a little of everything, all of it well.
    pub(crate) fn healthy() -> Self {
        let mut cluster = Self::new(3);
        for (id, host) in [("db", "host1"), ("mail", "host2"), ("web", "host1")] {
            cluster.machine(id, Some(host));
        }
        cluster.resources +=
            &format!(r#"<group id="shop">{}{}</group>"#, dummy("ip", ""), dummy("store", ""));
        cluster.started("ip", "host3");
        cluster.started("store", "host3");
        let meta = r#"<meta_attributes id="ping-meta"><nvpair id="ping-x" name="clone-max" value="3"/></meta_attributes>"#;
        cluster.resources += &format!(r#"<clone id="net">{meta}{}</clone>"#, dummy("ping", ""));
        for host in ["host1", "host2", "host3"] {
            cluster.started("ping", host);
        }
        let stopped = r#"<meta_attributes id="old-meta"><nvpair id="old-role" name="target-role" value="Stopped"/></meta_attributes>"#;
        cluster.resources += &dummy("old", stopped);
        cluster
    }

    /// A primitive, where it runs.
    pub(crate) fn machine(&mut self, id: &str, host: Option<&str>) {
        self.resources += &dummy(id, "");
        if let Some(host) = host {
            self.started(id, host);
        }
    }

    fn history(&mut self, host: &str, resource: &str, operations: String) {
        self.histories.push((host.into(), resource.into(), operations));
    }

    pub(crate) fn started(&mut self, resource: &str, host: &str) {
        self.history(host, resource, operation(resource, "start", 0, (0, 0), 3));
    }

    /// What was known of a resource is forgotten.
    pub(crate) fn forget(&mut self, resource: &str) {
        self.histories.retain(|(_, of, _)| of != resource);
    }

    /// An operation is under way.
    pub(crate) fn pending(&mut self, resource: &str, task: &str, host: &str) {
        self.history(host, resource, operation(resource, task, 0, (193, -1), 4));
    }

    /// A monitor of something that ran has failed.
    pub(crate) fn failed(&mut self, resource: &str, host: &str, reason: &str, output: &str) {
        self.forget(resource);
        let failure = operation(resource, "monitor", 10_000, (1, 0), 5)
            .replace(
                &format!("{resource}_monitor_10000\" operation_key"),
                &format!("{resource}_last_failure_0\" operation_key"),
            )
            .replace("1:1:1:", "1:1:0:");
        let start = operation(resource, "start", 0, (0, 0), 3);
        self.history(host, resource, start + &failure);
        self.status.failed_operations.push(FailedOperation {
            resource: resource.into(),
            host: host.into(),
            task: "monitor".into(),
            interval_ms: 10_000,
            rc: 1,
            op_status: 0,
            reason: reason.into(),
            output: output.into(),
            at: NOW,
            took_ms: 12,
        });
    }

    /// A host is lost; it ran what it ran.
    pub(crate) fn lose(&mut self, name: &str) {
        self.unclean.push(name.into());
        let host = self.status.hosts.iter_mut().find(|host| host.name == name).expect("a host");
        host.state = "unclean".into();
        host.reason = "it left the view".into();
    }

    pub(crate) fn fencing(&mut self, target: &str, outcome: FenceOutcome, error: Option<&str>) {
        self.fencings.push(FenceRecord {
            id: format!("{}", self.fencings.len()),
            target: target.into(),
            action: "reboot".into(),
            origin: None,
            cause: "it left the view".into(),
            by: Some("host1".into()),
            tried: Vec::new(),
            proof: None,
            began_ms: NOW * 1000,
            ended_ms: (outcome != FenceOutcome::Pending).then_some(NOW * 1000 + 2000),
            outcome,
            error: error.map(str::to_owned),
        });
    }

    pub(crate) fn transition(&mut self, done: u64, steps: Option<u64>, under_way: &[&str]) {
        self.status.waiting_for = Some("transition 14".into());
        self.status.transition = Some(TransitionReport {
            number: 14,
            steps,
            done,
            under_way: under_way.iter().map(|step| (*step).to_owned()).collect(),
            ..TransitionReport::default()
        });
    }

    fn xml(&self) -> String {
        let number = |at: usize| at + 1;
        let hosts = self.status.hosts.iter().enumerate();
        let nodes: String = hosts
            .clone()
            .map(|(at, host)| format!(r#"<node id="{}" uname="{}"/>"#, number(at), host.name))
            .collect();
        let states: String = hosts
            .map(|(at, host)| {
                let is_here = host.state != "unclean" && host.state != "offline";
                let (member, peer) = if is_here { ("true", "online") } else { ("false", "offline") };
                let join = if self.unclean.contains(&host.name) || is_here { "member" } else { "down" };
                let its = self.histories.iter().filter(|(on, _, _)| *on == host.name);
                let histories: String = its
                    .map(|(_, id, operations)| {
                        format!(
                            r#"<lrm_resource id="{id}" class="ocf" provider="pacemaker" type="Dummy">{operations}</lrm_resource>"#
                        )
                    })
                    .collect();
                format!(
                    r#"<node_state id="{0}" uname="{1}" in_ccm="{member}" crmd="{peer}" join="{join}" expected="{join}">
                    <lrm id="{0}"><lrm_resources>{histories}</lrm_resources></lrm></node_state>"#,
                    number(at),
                    host.name
                )
            })
            .collect();
        format!(
            r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="7" num_updates="0" have-quorum="1" dc-uuid="1">
            <configuration><crm_config/><nodes>{nodes}</nodes><resources>{}</resources><constraints/></configuration>
            <status>{states}</status></cib>"#,
            self.resources
        )
    }

    pub(crate) fn picture(&self) -> Picture {
        let cib = Cib::parse(&self.xml()).expect("a CIB");
        Picture::of(self.status.clone(), &cib, self.fencings.clone(), NOW)
    }
}

pub(crate) fn event(number: u64, kind: &str, subject: &str, text: &str, cause: &str) -> Event {
    Event {
        number,
        wall_ms: NOW * 1000 + number * 1000,
        host: "host1".into(),
        kind: kind.into(),
        subject: subject.into(),
        text: text.into(),
        cause: cause.into(),
    }
}
