//! CIBs for measuring: the pattern of a cluster for virtual machines. Each machine is a Xen domain on a volume group of
//! its own, and the volume groups need clustered LVM, which needs the lock manager, on every host.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hafen_scheduler::parameters_digest;

/// What a cluster is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing runs, and nothing was probed.
    Stopped,
    /// All is as it should be.
    Running,
    /// The first host is lost.
    Failed,
    /// Every resource was given other parameters since.
    Changed,
}

impl State {
    /// All of them.
    pub const ALL: [State; 4] = [State::Stopped, State::Running, State::Failed, State::Changed];

    /// Its word in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Stopped => "stopped",
            State::Running => "running",
            State::Failed => "failed",
            State::Changed => "changed",
        }
    }
}

/// A resource of the pattern.
struct Agent<'a> {
    id: &'a str,
    class: &'a str,
    provider: Option<&'a str>,
    type_: &'a str,
    /// Its only parameter.
    parameter: Option<(&'a str, String)>,
    monitor_seconds: Option<u32>,
}

/// Who runs where in a cluster, and what its hosts remember of that.
struct Book {
    text: String,
    hosts: usize,
    state: State,
    calls: u32,
}

/// The CIB of a cluster of so many hosts and machines.
#[must_use]
pub fn cib(hosts: usize, machines: usize, state: State) -> String {
    let mut book = Book { text: String::new(), hosts, state, calls: 0 };
    book.add(
        "<cib crm_feature_set=\"3.20.0\" validate-with=\"pacemaker-4.0\" epoch=\"1\" num_updates=\"0\" \
         admin_epoch=\"0\" have-quorum=\"1\" dc-uuid=\"2\" execution-date=\"1764000000\"><configuration><crm_config>\
         <cluster_property_set id=\"options\"><nvpair id=\"options-fencing\" name=\"stonith-enabled\" value=\"true\"/>\
         </cluster_property_set></crm_config>\n<nodes>\n",
    );
    for host in 1..=hosts {
        let _ = writeln!(book.text, "<node id=\"{host}\" uname=\"host{host}\"/>");
    }
    book.add("</nodes>\n<resources>\n");
    book.resources(machines);
    book.add("</resources>\n<constraints>\n");
    book.constraints(machines);
    book.add(
        "</constraints><rsc_defaults><meta_attributes id=\"defaults\"><nvpair id=\"defaults-stickiness\" \
         name=\"resource-stickiness\" value=\"100\"/></meta_attributes></rsc_defaults></configuration>\n<status>\n",
    );
    for host in 1..=hosts {
        book.host(host, machines);
    }
    book.add("</status></cib>\n");
    book.text
}

impl Book {
    fn add(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn resources(&mut self, machines: usize) {
        for host in 1..=self.hosts {
            self.primitive(&device(&format!("fence{host}"), host), "");
            self.add("\n");
        }
        for agent in [locks(), volumes()] {
            let id = agent.id;
            let _ = write!(
                self.text,
                "<clone id=\"{id}-clone\"><meta_attributes id=\"{id}-clone-meta\"><nvpair \
                 id=\"{id}-clone-interleave\" name=\"interleave\" value=\"true\"/></meta_attributes>"
            );
            self.primitive(&agent, "");
            self.add("</clone>\n");
        }
        for machine in 1..=machines {
            self.primitive(&volume_group(&format!("vg{machine}"), machine), "");
            self.add("\n");
            let meta = format!(
                "<meta_attributes id=\"vm{machine}-meta\"><nvpair id=\"vm{machine}-migrate\" \
                 name=\"allow-migrate\" value=\"true\"/></meta_attributes>"
            );
            self.primitive(&domain(&format!("vm{machine}"), machine), &meta);
            self.add("\n");
        }
    }

    fn primitive(&mut self, agent: &Agent<'_>, meta: &str) {
        let Agent { id, class, type_, .. } = agent;
        let _ = write!(self.text, "<primitive id=\"{id}\" class=\"{class}\"");
        if let Some(provider) = agent.provider {
            let _ = write!(self.text, " provider=\"{provider}\"");
        }
        let _ = write!(self.text, " type=\"{type_}\">{meta}");
        if let Some((name, value)) = &agent.parameter {
            let _ = write!(
                self.text,
                "<instance_attributes id=\"{id}-parameters\"><nvpair id=\"{id}-{name}\" name=\"{name}\" \
                 value=\"{value}\"/></instance_attributes>"
            );
        }
        if let Some(seconds) = agent.monitor_seconds {
            let _ = write!(
                self.text,
                "<operations><op id=\"{id}-monitor\" name=\"monitor\" interval=\"{seconds}s\" \
                 timeout=\"30s\"/></operations>"
            );
        }
        self.add("</primitive>");
    }

    fn constraints(&mut self, machines: usize) {
        for host in 1..=self.hosts {
            let _ = writeln!(
                self.text,
                "<rsc_location id=\"apart{host}\" rsc=\"fence{host}\" node=\"host{host}\" score=\"-INFINITY\"/>"
            );
        }
        self.stack("clvm-clone", "dlm-clone");
        for machine in 1..=machines {
            self.stack(&format!("vg{machine}"), "clvm-clone");
            self.stack(&format!("vm{machine}"), &format!("vg{machine}"));
        }
    }

    /// One resource runs on top of another.
    fn stack(&mut self, upper: &str, lower: &str) {
        let _ = writeln!(
            self.text,
            "<rsc_colocation id=\"with-{upper}\" rsc=\"{upper}\" with-rsc=\"{lower}\" score=\"INFINITY\"/>\
             <rsc_order id=\"after-{upper}\" first=\"{lower}\" then=\"{upper}\"/>"
        );
    }

    fn host(&mut self, host: usize, machines: usize) {
        let lost = self.state == State::Failed && host == 1;
        let [member, peer, join] =
            if lost { ["false", "offline", "down"] } else { ["true", "online", "member"] };
        let _ = writeln!(
            self.text,
            "<node_state id=\"{host}\" uname=\"host{host}\" in_ccm=\"{member}\" crmd=\"{peer}\" join=\"{join}\" \
             expected=\"member\"><lrm id=\"{host}\"><lrm_resources>"
        );
        if self.state != State::Stopped {
            for other in 1..=self.hosts {
                let here = self.is_home(other, host);
                self.history(&device(&format!("fence{other}"), other), host, here);
            }
            self.history(&locks(), host, true);
            self.history(&volumes(), host, true);
            for machine in 1..=machines {
                let here = self.is_home(machine, host);
                self.history(&volume_group(&format!("vg{machine}"), machine), host, here);
                self.history(&domain(&format!("vm{machine}"), machine), host, here);
            }
        }
        self.add("</lrm_resources></lrm></node_state>\n");
    }

    /// Whether what has that number runs on a host: nothing on the host of its own number, which fences it.
    fn is_home(&self, number: usize, host: usize) -> bool {
        number % self.hosts + 1 == host
    }

    fn history(&mut self, agent: &Agent<'_>, host: usize, here: bool) {
        let Agent { id, class, type_, .. } = agent;
        let _ = write!(self.text, "<lrm_resource id=\"{id}\" class=\"{class}\"");
        if let Some(provider) = agent.provider {
            let _ = write!(self.text, " provider=\"{provider}\"");
        }
        let _ = write!(self.text, " type=\"{type_}\">");
        if here {
            self.operation(agent, host, "start", 0, 0);
            if let Some(seconds) = agent.monitor_seconds {
                self.operation(agent, host, "monitor", seconds * 1000, 0);
            }
        } else {
            self.operation(agent, host, "monitor", 0, 7);
        }
        self.add("</lrm_resource>\n");
    }

    fn operation(&mut self, agent: &Agent<'_>, host: usize, task: &str, interval_ms: u32, rc: u8) {
        self.calls += 1;
        let (id, call) = (agent.id, self.calls);
        let name = if interval_ms == 0 { "last" } else { task };
        let key = format!("{call}:1:{rc}:0a1b2c3d-0000-4000-8000-000000000001");
        let digest = if self.state == State::Changed {
            "0".repeat(32)
        } else {
            let timeout = (interval_ms > 0).then(|| ("CRM_meta_timeout".to_owned(), "30000".to_owned()));
            let own = agent.parameter.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            parameters_digest(&own.chain(timeout).collect::<BTreeMap<_, _>>())
        };
        let _ = write!(
            self.text,
            "<lrm_rsc_op id=\"{id}_{name}_{interval_ms}\" operation_key=\"{id}_{task}_{interval_ms}\" \
             operation=\"{task}\" crm_feature_set=\"3.20.0\" transition-key=\"{key}\" \
             transition-magic=\"0:{rc};{key}\" on_node=\"host{host}\" call-id=\"{call}\" rc-code=\"{rc}\" \
             op-status=\"0\" interval=\"{interval_ms}\" op-digest=\"{digest}\"/>"
        );
    }
}

fn device(id: &str, host: usize) -> Agent<'_> {
    Agent {
        id,
        class: "stonith",
        provider: None,
        type_: "external/ssh",
        parameter: Some(("hostlist", format!("host{host}"))),
        monitor_seconds: None,
    }
}

fn locks() -> Agent<'static> {
    Agent {
        id: "dlm",
        class: "ocf",
        provider: Some("pacemaker"),
        type_: "controld",
        parameter: None,
        monitor_seconds: Some(30),
    }
}

fn volumes() -> Agent<'static> {
    Agent { id: "clvm", provider: Some("heartbeat"), type_: "clvm", ..locks() }
}

fn volume_group(id: &str, machine: usize) -> Agent<'_> {
    let parameter = Some(("volgrpname", format!("group{machine}")));
    Agent { id, provider: Some("heartbeat"), type_: "LVM", parameter, ..locks() }
}

fn domain(id: &str, machine: usize) -> Agent<'_> {
    let parameter = Some(("xmfile", format!("/etc/xen/vm/vm{machine}")));
    Agent { id, type_: "Xen", parameter, monitor_seconds: Some(10), ..volume_group(id, machine) }
}

#[cfg(test)]
mod tests {
    use hafen_cib::Cib;
    use hafen_scheduler::{ActionKind, schedule};

    use super::*;

    /// How many operations of agents, and fencings, follow.
    fn steps(state: State) -> [usize; 2] {
        let cib = Cib::parse(&cib(3, 6, state)).expect("a CIB");
        assert!(hafen_cib::schema::validate(&cib).is_empty());
        let plan = schedule(&cib, 1_764_000_000);
        let count = |is: fn(&ActionKind) -> bool| plan.actions.iter().filter(|one| is(&one.kind)).count();
        [
            count(|kind| matches!(kind, ActionKind::Resource { .. })),
            count(|kind| matches!(kind, ActionKind::Fence { .. })),
        ]
    }

    #[test]
    fn states_are_what_they_are_called() {
        assert_eq!(steps(State::Running), [0, 0]);
        let [started, none] = steps(State::Stopped);
        assert!(started > 3 * (3 + 2 + 12) && none == 0, "probes of all, and starts: {started}");
        let [recovered, fenced] = steps(State::Failed);
        assert!(recovered > 0 && fenced == 1, "what ran on the lost host is recovered: {recovered}");
        let [restarted, none] = steps(State::Changed);
        assert!(restarted >= 2 * 12 && none == 0, "all is restarted: {restarted}");
    }
}
