//! The virtual machines that a lab begins with, and the configuration around them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use hafen_cib::{Cib, Document, NodeId};
use hafen_vm::VmDefinition;

use crate::net::address::GATEWAY_ADDRESS;
use crate::spec::{RECORDERS_MAXIMUM, VMS_MAXIMUM};
use crate::{LabError, LabSpec, Layout};

/// The size of a guest's disk, in bytes: the guest keeps 2,048 blocks of 512 bytes.
const DISK_BYTES: u64 = 2 << 20;
/// How long a guest of the lab may take to shut down, in seconds.
const SHUTDOWN_TIMEOUT: &str = "20s";
/// The resource that fences.
pub const FENCING_RESOURCE: &str = "fencing";

/// The names of all that a lab begins with and that says that it runs: virtual machines and recorders.
pub fn names(spec: &LabSpec) -> Vec<String> {
    [machines(spec), recorders(spec)].concat()
}

/// The names of the virtual machines that a lab begins with.
fn machines(spec: &LabSpec) -> Vec<String> {
    (1..=spec.vms).map(|number| format!("vm{number}")).collect()
}

/// The names of the recorders that a lab begins with.
fn recorders(spec: &LabSpec) -> Vec<String> {
    let count = spec.net.as_ref().map_or(0, |net| net.recorders);
    (1..=count).map(|number| format!("r{number}")).collect()
}

/// A virtual machine of the lab: its guest's kernel, a disk and a serial port in the shared folder, live migration.
pub fn definition(layout: &Layout, name: &str, memory_mib: u32) -> VmDefinition {
    let text = |path: std::path::PathBuf| path.display().to_string();
    let mut definition = VmDefinition::new(name, u64::from(memory_mib));
    definition.kernel = Some(text(layout.guest().join("kernel")));
    definition.initrd = Some(text(layout.guest().join("initrd")));
    definition.append = Some(format!("console=ttyS0 quiet panic=1 hafen.name={name}"));
    definition.disks = vec![text(layout.guest_disk(name))];
    definition.serial = Some(text(layout.guest_serial(name)));
    definition.migrate_dir = Some(text(layout.receivers()));
    definition.other_parameters.insert("shutdown_timeout".to_owned(), SHUTDOWN_TIMEOUT.to_owned());
    definition
}

/// Makes a guest's disk, if it has none yet.
pub fn create_disk(layout: &Layout, name: &str) -> Result<(), LabError> {
    let path = layout.guest_disk(name);
    if path.exists() {
        return Ok(());
    }
    let made = File::create(&path).and_then(|file| file.set_len(DISK_BYTES));
    made.map_err(LabError::system("create", &path))
}

/// Takes the guests' kernel and initramfs into the lab, and makes their disks.
pub(crate) fn prepare(layout: &Layout, spec: &LabSpec) -> Result<(), LabError> {
    if recorders(spec).len() > RECORDERS_MAXIMUM as usize {
        return Err(LabError::State(format!("a lab begins with at most {RECORDERS_MAXIMUM} recorders")));
    }
    if spec.vms > VMS_MAXIMUM {
        return Err(LabError::State(format!("a lab begins with at most {VMS_MAXIMUM} virtual machines")));
    }
    let Some(source) = &spec.guest_dir else {
        return if spec.vms == 0 { Ok(()) } else { Err(no_guest(Path::new("?"))) };
    };
    for name in ["kernel", "initrd"] {
        let from = source.join(name);
        fs::copy(&from, layout.guest().join(name)).map_err(|_| no_guest(source))?;
    }
    machines(spec).iter().try_for_each(|name| create_disk(layout, name))
}

fn no_guest(folder: &Path) -> LabError {
    LabError::State(format!(
        "{} holds no guest's kernel and initrd: make them with `guest/build.sh {}`, or name another folder with --guest",
        folder.display(),
        folder.display()
    ))
}

/// Writes the configuration that the cluster begins with.
pub(crate) fn write_initial_cib(layout: &Layout, spec: &LabSpec) -> Result<(), LabError> {
    let path = layout.initial_cib();
    fs::write(&path, initial_cib(layout, spec)?).map_err(LabError::system("write", &path))
}

/// The configuration that the cluster begins with: fencing by the lab's power switch, and the virtual machines.
pub fn initial_cib(layout: &Layout, spec: &LabSpec) -> Result<String, LabError> {
    let wrong = |error: String| LabError::State(format!("the lab's configuration cannot be made: {error}"));
    let mut cib = Cib::parse(EMPTY_CIB).map_err(|error| wrong(error.to_string()))?;
    let properties = [
        ("cluster-infrastructure", "corosync"),
        ("cluster-name", spec.cluster.as_str()),
        ("dc-version", hafen_cib::DC_VERSION),
        ("stonith-enabled", "true"),
        ("have-watchdog", "false"),
        ("dc-deadtime", "20s"),
        // The hosts share one machine, whose load says nothing of any of them.
        ("load-threshold", "0%"),
    ];
    let more = spec.net.iter().flat_map(|net| &net.properties);
    let mut all: BTreeMap<&str, &str> = properties.into_iter().collect();
    all.extend(more.map(|(name, value)| (name.as_str(), value.as_str())));
    let properties: Vec<(&str, &str)> = all.into_iter().collect();
    let section = cib.section_or_new("crm_config");
    append_values(cib.document_mut(), section, "cluster_property_set", "cib-bootstrap-options", &properties);
    let section = cib.section_or_new("rsc_defaults");
    append_values(
        cib.document_mut(),
        section,
        "meta_attributes",
        "rsc-options",
        &[("resource-stickiness", "100")],
    );
    append_fencing(layout, spec, &mut cib);
    for name in machines(spec) {
        let definition = definition(layout, &name, spec.vm_memory_mib);
        definition.add_to(&mut cib).map_err(|error| wrong(error.to_string()))?;
    }
    recorders(spec).iter().for_each(|name| append_recorder(layout, name, &mut cib));
    if spec.net.as_ref().is_some_and(|net| net.needs_lan) {
        append_lan(spec, &mut cib);
    }
    let first = spec.hosts.first().map_or("", |host| host.name.as_str());
    cib.sign(&hafen_client::written_now(), first, "hafen lab", "root");
    Ok(cib.to_xml())
}

fn append_fencing(layout: &Layout, spec: &LabSpec, cib: &mut Cib) {
    let resources = cib.section_or_new("resources");
    let document = cib.document_mut();
    let primitive = document.append_element(resources, "primitive");
    for (name, value) in [("id", FENCING_RESOURCE), ("class", "stonith"), ("type", "fence_hafen_lab")] {
        document.set_attribute(primitive, name, value);
    }
    let hosts: Vec<&str> = spec.hosts.iter().map(|host| host.name.as_str()).collect();
    let (hosts, switch) = (hosts.join(" "), layout.power_socket().display().to_string());
    let mut parameters =
        vec![("switch", switch.as_str()), ("pcmk_host_list", &hosts), ("pcmk_host_check", "static-list")];
    let seconds = spec.net.as_ref().map_or(0, |net| net.fence_delay_seconds);
    let delay = spec.hosts.first().map(|first| format!("{}:{seconds}s", first.name)).unwrap_or_default();
    if seconds > 0 {
        parameters.push(("pcmk_delay_base", &delay));
    }
    append_values(document, primitive, "instance_attributes", "fencing-instance_attributes", &parameters);
    append_monitor(document, primitive, FENCING_RESOURCE, "60s");
}

fn append_recorder(layout: &Layout, name: &str, cib: &mut Cib) {
    let resources = cib.section_or_new("resources");
    let document = cib.document_mut();
    let primitive = document.append_element(resources, "primitive");
    for (key, value) in [("id", name), ("class", "ocf"), ("provider", "lab"), ("type", "recorder")] {
        document.set_attribute(primitive, key, value);
    }
    let log = layout.guest_serial(name).display().to_string();
    let set = format!("{name}-instance_attributes");
    append_values(document, primitive, "instance_attributes", &set, &[("log", &log)]);
    append_monitor(document, primitive, name, "5s");
}

/// A clone that pings the gateway, and the rule that whatever says that it runs does so where the gateway answers.
fn append_lan(spec: &LabSpec, cib: &mut Cib) {
    let resources = cib.section_or_new("resources");
    let constraints = cib.section_or_new("constraints");
    let document = cib.document_mut();
    let append = |document: &mut Document, parent: NodeId, element: &str, attributes: &[(&str, &str)]| {
        let node = document.append_element(parent, element);
        attributes.iter().for_each(|(name, value)| document.set_attribute(node, name, value));
        node
    };
    let clone = append(document, resources, "clone", &[("id", "lan-clone")]);
    let agent = [("id", "lan"), ("class", "ocf"), ("provider", "hafen"), ("type", "ping")];
    let ping = append(document, clone, "primitive", &agent);
    let gateway = GATEWAY_ADDRESS.to_string();
    let parameters = [("host_list", gateway.as_str()), ("dampen", "1s"), ("timeout", "1"), ("attempts", "2")];
    append_values(document, ping, "instance_attributes", "lan-instance_attributes", &parameters);
    append_monitor(document, ping, "lan", "2s");
    for name in names(spec) {
        let [location, rule, none, low] =
            ["", "-rule", "-undefined", "-lost"].map(|end| format!("{name}-needs-lan{end}"));
        let location = append(document, constraints, "rsc_location", &[("id", &location), ("rsc", &name)]);
        let attributes = [("id", rule.as_str()), ("score", "-INFINITY"), ("boolean-op", "or")];
        let rule = append(document, location, "rule", &attributes);
        let undefined = [("id", none.as_str()), ("attribute", "pingd"), ("operation", "not_defined")];
        append(document, rule, "expression", &undefined);
        let lost = [("id", low.as_str()), ("attribute", "pingd"), ("operation", "lt"), ("value", "1")];
        let lost = append(document, rule, "expression", &lost);
        document.set_attribute(lost, "type", "number");
    }
}

fn append_monitor(document: &mut Document, primitive: NodeId, id: &str, interval: &str) {
    let operations = document.append_element(primitive, "operations");
    let monitor = document.append_element(operations, "op");
    let id = format!("{id}-monitor-{interval}");
    for (name, value) in
        [("id", id.as_str()), ("name", "monitor"), ("interval", interval), ("timeout", "20s")]
    {
        document.set_attribute(monitor, name, value);
    }
}

/// Appends a set of names and values with ids of their own.
fn append_values(document: &mut Document, parent: NodeId, element: &str, id: &str, values: &[(&str, &str)]) {
    let set = document.append_element(parent, element);
    document.set_attribute(set, "id", id);
    for (name, value) in values {
        let pair = document.append_element(set, "nvpair");
        document.set_attribute(pair, "id", &format!("{id}-{name}"));
        document.set_attribute(pair, "name", name);
        document.set_attribute(pair, "value", value);
    }
}

/// What a configuration begins with.
const EMPTY_CIB: &str = "<cib crm_feature_set=\"3.20.0\" validate-with=\"pacemaker-4.0\" admin_epoch=\"0\" epoch=\"1\" \
    num_updates=\"0\"><configuration><crm_config/><nodes/><resources/><constraints/></configuration><status/></cib>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_holds_fencing_and_the_machines() {
        let layout = Layout::new("/var/tmp/lab");
        let spec = LabSpec { vms: 2, ..LabSpec::with_hosts(3).expect("a spec") };
        let cib = Cib::parse(&initial_cib(&layout, &spec).expect("a configuration")).expect("a CIB");
        let machines: Vec<String> = hafen_vm::virtual_machines(&cib).into_iter().map(|vm| vm.id).collect();
        assert_eq!(machines, ["vm1", "vm2"]);
        let value =
            |id: &str| cib.document().by_id(id).and_then(|pair| pair.attribute("value")).map(str::to_owned);
        let hosts = value("fencing-instance_attributes-pcmk_host_list");
        assert_eq!(hosts.as_deref(), Some("host1 host2 host3"));
        assert_eq!(value("cib-bootstrap-options-stonith-enabled").as_deref(), Some("true"));
    }
}
