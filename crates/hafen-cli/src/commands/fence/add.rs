//! `hafen fence add`.

use hafen_agents::{AgentName, Agents};
use hafen_cib::Cib;
use hafen_cib::metadata::AgentMetadata;
use hafen_protocol::client::{Edit, StatusReport};
use hafen_setup::corosync_conf::NodeEntry;
use hafen_setup::fencing::Device;

use super::super::vm::change;
use super::known;
use crate::arguments::{Connection, FenceAdd};
use crate::exit::WrongInput;
use crate::target;

pub(super) fn run(options: &FenceAdd, connection: &Connection) -> anyhow::Result<()> {
    let device = device(options)?;
    let mut client = target::connect(connection)?;
    let status = client.status()?;
    for host in &device.shoots {
        known(&status, host)?;
    }
    check_agent(&device)?;
    let cib = Cib::parse(&client.cib(false)?)?;
    if let Some(there) = cib.fencing_devices().find(|there| there.id() == device.id) {
        let same = there.agent() == device.agent
            && device.parameters.iter().all(|(name, value)| there.parameter(name) == Some(value));
        if same {
            outln!("The device {} is there already; nothing was changed.", device.id);
            return Ok(());
        }
        let text =
            format!("there is another fence device {}: give this one a name of its own with --id", device.id);
        return Err(WrongInput(text).into());
    }
    let xml = device.xml(&hosts(&status), options.delay);
    let create = |section: &str, xml: String| Edit::Create { section: section.to_owned(), xml };
    let mut edits = vec![create("resources", xml.resource)];
    edits.extend(xml.constraints.into_iter().map(|xml| create("constraints", xml)));
    change(&mut client, edits, &format!("fence add {}", device.id))?;
    outln!("The device {} is part of the cluster. Look with `hafen fence drill`.", device.id);
    if !cib.property_boolean("stonith-enabled") {
        outln!("Fencing is switched off (stonith-enabled=false): nothing uses it yet.");
    }
    Ok(())
}

/// The device that the options describe.
fn device(options: &FenceAdd) -> anyhow::Result<Device> {
    let pairs: Vec<String> = options.parameters.iter().map(|pair| pair.replace(',', "\\,")).collect();
    let mut device = Device::parse(&format!("{}:{}", options.agent, pairs.join(",")))?;
    if !options.targets.is_empty() {
        device.parameters.insert("pcmk_host_list".to_owned(), options.targets.join(" "));
        device.shoots = options.targets.clone();
    }
    if let [target] = device.shoots.as_slice() {
        device.id = format!("{}-{target}", device.id);
    }
    if let Some(id) = &options.id {
        if !hafen_cib::xml::is_name(id) || id.contains(':') {
            let text = format!("--id {id}: letters, digits, '-', '_' and '.', not beginning with a digit");
            return Err(WrongInput(text).into());
        }
        device.id = id.clone();
    }
    Ok(device)
}

fn hosts(status: &StatusReport) -> Vec<NodeEntry> {
    let entry = |host: &hafen_protocol::client::HostReport| NodeEntry {
        id: host.id,
        name: host.name.clone(),
        addresses: Default::default(),
    };
    status.hosts.iter().map(entry).collect()
}

/// That the agent is installed here, and gets what it needs. What it does not know is told, as it may be a slip.
fn check_agent(device: &Device) -> anyhow::Result<()> {
    let agent =
        AgentName::new("stonith", None, &device.agent).map_err(|error| WrongInput(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let metadata = runtime.block_on(Agents::default().describe(&agent)).map_err(|error| {
        WrongInput(format!(
            "{error}. Install its package (fence-agents, cluster-glue) on all hosts, or correct the name"
        ))
    })?;
    let problems = problems(device, &metadata);
    for unknown in &problems.unknown {
        eprintln!("{} has no parameter '{unknown}': it may ignore it", device.agent);
    }
    if problems.missing.is_empty() {
        return Ok(());
    }
    Err(WrongInput(format!("{} needs {}", device.agent, problems.missing.join(", "))).into())
}

struct Problems {
    missing: Vec<String>,
    unknown: Vec<String>,
}

fn problems(device: &Device, metadata: &AgentMetadata) -> Problems {
    // The cluster gives these itself.
    let given_by_cluster = |name: &str| matches!(name, "action" | "port" | "plug" | "nodename");
    let missing = metadata
        .parameters
        .iter()
        .filter(|one| one.required && one.default.is_none() && !given_by_cluster(&one.name))
        .filter(|one| !device.parameters.contains_key(&one.name))
        .map(|one| format!("{}=... ({})", one.name, one.short_description))
        .collect();
    let is_known = |name: &str| {
        let of_cluster = hafen_cib::options::fencing_parameter(name).is_some() || name.starts_with("pcmk_");
        of_cluster || metadata.parameters.is_empty() || metadata.parameters.iter().any(|one| one.name == name)
    };
    let unknown = device.parameters.keys().filter(|name| !is_known(name)).cloned().collect();
    Problems { missing, unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(agent: &str, parameters: &[&str], targets: &[&str], id: Option<&str>) -> FenceAdd {
        FenceAdd {
            agent: agent.into(),
            parameters: parameters.iter().map(|text| (*text).into()).collect(),
            targets: targets.iter().map(|text| (*text).into()).collect(),
            id: id.map(str::to_owned),
            delay: 5,
        }
    }

    #[test]
    fn a_device_is_named_after_its_agent_and_host() {
        let device = device(&options("fence_ipmilan", &["ip=10.0.0.1", "password=a,b"], &["host1"], None));
        let device = device.expect("sound");
        assert_eq!(device.id, "fence-ipmilan-host1");
        assert_eq!(device.parameters["password"], "a,b");
        assert_eq!(device.parameters["pcmk_host_list"], "host1");
    }

    #[test]
    fn slips_are_refused() {
        assert!(device(&options("fence_x", &["ip"], &[], None)).is_err());
        assert!(device(&options("fence_x", &[], &[], Some("9 a"))).is_err());
    }

    #[test]
    fn what_an_agent_needs_and_does_not_know_is_found() {
        let metadata = AgentMetadata::parse(
            "<resource-agent name=\"fence_x\"><parameters><parameter name=\"ip\" required=\"1\"><content type=\"string\"/>\
             <shortdesc lang=\"en\">Address</shortdesc></parameter><parameter name=\"plug\" required=\"1\"><content \
             type=\"string\"/></parameter></parameters><actions/></resource-agent>",
        );
        let device = device(&options("fence_x", &["ipp=1"], &["host1"], None)).expect("sound");
        let problems = problems(&device, &metadata.expect("sound"));
        assert_eq!(problems.missing, ["ip=... (Address)"]);
        assert_eq!(problems.unknown, ["ipp"]);
    }
}
