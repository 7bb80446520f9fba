//! A virtual machine's definition, and the resource that stands for it.

use std::collections::BTreeMap;

use hafen_cib::{Cib, Document, Element, NodeId};

use crate::sets::{append_set, free_id, values};

/// A virtual machine that `ocf:hafen:qemu` runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VmDefinition {
    /// Its name, which is also the resource's id.
    pub name: String,
    /// Its memory in MiB.
    pub memory_mib: u64,
    /// Its virtual processors.
    pub cpus: u32,
    /// A Linux kernel to boot directly.
    pub kernel: Option<String>,
    /// The kernel's initramfs.
    pub initrd: Option<String>,
    /// The kernel's command line.
    pub append: Option<String>,
    /// Disks on storage that all hosts share, in the guest's order.
    pub disks: Vec<String>,
    /// Where its serial port goes: a log file, or a socket when it ends in `.sock`.
    pub serial: Option<String>,
    /// The shared folder of the receivers; without it the virtual machine cannot migrate live.
    pub migrate_dir: Option<String>,
    /// The agent's other parameters.
    pub other_parameters: BTreeMap<String, String>,
    /// Meta attributes, beside `allow-migrate`.
    pub meta: BTreeMap<String, String>,
}

/// Why a definition makes no resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The name cannot be an id.
    #[error(
        "'{0}' is no name for a virtual machine: begin with a letter, then up to 63 letters, digits, '-', '_', '.'"
    )]
    Name(String),
    /// The id is in use.
    #[error("'{0}' exists already: choose another name, or remove it first")]
    Exists(String),
    /// A value is out of its range.
    #[error("{what} must be {wanted}, not '{value}'")]
    Value {
        /// Of what.
        what: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        wanted: &'static str,
    },
    /// Two parts do not go together.
    #[error("{0}")]
    Combination(&'static str),
}

/// The operations with their times: name, interval and timeout.
///
/// start ends when QEMU runs the guest; stop waits two thirds of its time for the guest's own shutdown; a live migration
/// of much memory takes minutes.
const OPERATIONS: [(&str, &str, &str); 5] = [
    ("start", "0s", "60s"),
    ("stop", "0s", "120s"),
    ("monitor", "10s", "30s"),
    ("migrate_to", "0s", "300s"),
    ("migrate_from", "0s", "60s"),
];

/// Parameters that have a field of their own.
const FIELDS: [&str; 8] = ["memory", "cpus", "kernel", "initrd", "append", "disk", "serial", "migrate_dir"];

impl VmDefinition {
    /// A definition with a name, memory and one processor, and nothing else.
    pub fn new(name: &str, memory_mib: u64) -> Self {
        Self { name: name.to_owned(), memory_mib, cpus: 1, ..Self::default() }
    }

    /// What is wrong with the definition by itself.
    pub fn check(&self) -> Result<(), DefinitionError> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let begins_well = self.name.starts_with(|first: char| first.is_ascii_alphabetic());
        if !begins_well || self.name.len() > 64 || !self.name.bytes().all(is_word) {
            return Err(DefinitionError::Name(self.name.clone()));
        }
        let range = |what, value: String, wanted| Err(DefinitionError::Value { what, value, wanted });
        if !(1..=1 << 24).contains(&self.memory_mib) {
            return range("memory", self.memory_mib.to_string(), "from 1 to 16777216 MiB");
        }
        if !(1..=1024).contains(&self.cpus) {
            return range("the number of processors", self.cpus.to_string(), "from 1 to 1024");
        }
        if let Some(disk) =
            self.disks.iter().find(|disk| disk.is_empty() || disk.contains(char::is_whitespace))
        {
            return range("a disk's path", disk.clone(), "a path without blanks");
        }
        if self.kernel.is_none() && (self.initrd.is_some() || self.append.is_some()) {
            return Err(DefinitionError::Combination("an initrd or a kernel command line needs a kernel"));
        }
        if self.kernel.is_none() && self.disks.is_empty() {
            return Err(DefinitionError::Combination("nothing to boot: give a disk or a kernel"));
        }
        Ok(())
    }

    /// The agent's parameters, by name.
    fn parameters(&self) -> Vec<(&str, String)> {
        let mut parameters = vec![("memory", self.memory_mib.to_string()), ("cpus", self.cpus.to_string())];
        let disks = self.disks.join(" ");
        let optional = [
            ("kernel", self.kernel.as_ref()),
            ("initrd", self.initrd.as_ref()),
            ("append", self.append.as_ref()),
            ("disk", Some(&disks).filter(|disks| !disks.is_empty())),
            ("serial", self.serial.as_ref()),
            ("migrate_dir", self.migrate_dir.as_ref()),
        ];
        parameters.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?.clone()))));
        let others = self.other_parameters.iter().filter(|(name, _)| !FIELDS.contains(&name.as_str()));
        parameters.extend(others.map(|(name, value)| (name.as_str(), value.clone())));
        parameters
    }

    /// Adds the resource to a configuration; its element.
    pub fn add_to(&self, cib: &mut Cib) -> Result<NodeId, DefinitionError> {
        self.check()?;
        if cib.document().by_id(&self.name).is_some() {
            return Err(DefinitionError::Exists(self.name.clone()));
        }
        let resources = cib.section_or_new("resources");
        Ok(self.append_to(cib.document_mut(), resources))
    }

    /// The resource as XML, by itself.
    pub fn to_xml(&self) -> Result<String, DefinitionError> {
        self.check()?;
        let mut document = Document::new("resources");
        let root = document.root().node();
        let node = self.append_to(&mut document, root);
        Ok(document.element(node).to_xml())
    }

    fn append_to(&self, document: &mut Document, parent: NodeId) -> NodeId {
        let primitive = document.append_element(parent, "primitive");
        for (name, value) in
            [("id", self.name.as_str()), ("class", "ocf"), ("provider", "hafen"), ("type", "qemu")]
        {
            document.set_attribute(primitive, name, value);
        }
        let allow_migrate = if self.migrate_dir.is_some() { "true" } else { "false" };
        let mut meta = vec![("allow-migrate", allow_migrate)];
        let others = self.meta.iter().filter(|(name, _)| *name != "allow-migrate");
        meta.extend(others.map(|(name, value)| (name.as_str(), value.as_str())));
        let set_id = free_id(document, &format!("{}-meta_attributes", self.name));
        append_set(document, primitive, "meta_attributes", &set_id, &meta);
        let parameters = self.parameters();
        let pairs: Vec<(&str, &str)> =
            parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let set_id = free_id(document, &format!("{}-instance_attributes", self.name));
        append_set(document, primitive, "instance_attributes", &set_id, &pairs);
        let operations = document.append_element(primitive, "operations");
        for (name, interval, timeout) in OPERATIONS {
            let operation = document.append_element(operations, "op");
            let id = free_id(document, &format!("{}-{name}-{interval}", self.name));
            for (attribute, value) in
                [("id", id.as_str()), ("name", name), ("interval", interval), ("timeout", timeout)]
            {
                document.set_attribute(operation, attribute, value);
            }
        }
        primitive
    }

    /// The definition that a `primitive` of `ocf:hafen:qemu` stands for; none for any other element, or when it has no
    /// name. Values that are no numbers become the agent's defaults, as the agent would then refuse them itself.
    pub fn from_element(primitive: Element<'_>) -> Option<Self> {
        let is = |name: &str, value: &str| primitive.attribute(name) == Some(value);
        let is_ours = is("class", "ocf") && is("provider", "hafen") && is("type", "qemu");
        if primitive.name() != "primitive" || !is_ours {
            return None;
        }
        let mut parameters: BTreeMap<String, String> = owned(values(primitive, "instance_attributes"));
        let mut meta = owned(values(primitive, "meta_attributes"));
        meta.remove("allow-migrate");
        let mut take = |name: &str| parameters.remove(name);
        Some(Self {
            name: primitive.id()?.to_owned(),
            memory_mib: take("memory").and_then(|text| text.parse().ok()).unwrap_or(512),
            cpus: take("cpus").and_then(|text| text.parse().ok()).unwrap_or(1),
            kernel: take("kernel"),
            initrd: take("initrd"),
            append: take("append"),
            disks: take("disk").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
            serial: take("serial"),
            migrate_dir: take("migrate_dir"),
            other_parameters: parameters,
            meta,
        })
    }
}

fn owned(pairs: Vec<(&str, &str)>) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn sample() -> VmDefinition {
        VmDefinition {
            kernel: Some("/srv/kernel".into()),
            initrd: Some("/srv/initrd".into()),
            append: Some("console=ttyS0 quiet".into()),
            disks: vec!["/srv/vm1-a.raw".into(), "/srv/vm1-b.raw".into()],
            serial: Some("/srv/vm1.log".into()),
            migrate_dir: Some("/srv/receivers".into()),
            other_parameters: BTreeMap::from([("accel".into(), "tcg".into())]),
            meta: BTreeMap::from([("target-role".into(), "Stopped".into())]),
            cpus: 2,
            ..VmDefinition::new("vm1", 96)
        }
    }

    #[test]
    fn a_definition_survives_the_way_into_the_cib_and_back() {
        let mut cib = Cib::new();
        let definition = sample();
        definition.add_to(&mut cib).expect("sound");
        let cib = Cib::parse(&cib.to_xml()).expect("a CIB");
        let primitive = cib.resources().and_then(|resources| resources.child("primitive")).expect("there");
        assert_eq!(VmDefinition::from_element(primitive), Some(definition));
    }

    #[test]
    fn the_resource_looks_like_this() {
        let xml = VmDefinition { disks: vec!["/d".into()], ..VmDefinition::new("web", 256) }.to_xml();
        let wanted = r#"<primitive id="web" class="ocf" provider="hafen" type="qemu">
  <meta_attributes id="web-meta_attributes">
    <nvpair id="web-meta_attributes-allow-migrate" name="allow-migrate" value="false"/>
  </meta_attributes>
  <instance_attributes id="web-instance_attributes">
    <nvpair id="web-instance_attributes-memory" name="memory" value="256"/>
    <nvpair id="web-instance_attributes-cpus" name="cpus" value="1"/>
    <nvpair id="web-instance_attributes-disk" name="disk" value="/d"/>
  </instance_attributes>
  <operations>
    <op id="web-start-0s" name="start" interval="0s" timeout="60s"/>
    <op id="web-stop-0s" name="stop" interval="0s" timeout="120s"/>
    <op id="web-monitor-10s" name="monitor" interval="10s" timeout="30s"/>
    <op id="web-migrate_to-0s" name="migrate_to" interval="0s" timeout="300s"/>
    <op id="web-migrate_from-0s" name="migrate_from" interval="0s" timeout="60s"/>
  </operations>
</primitive>"#;
        assert_eq!(xml.expect("sound").trim_end(), wanted);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut cib = Cib::new();
        sample().add_to(&mut cib).expect("sound");
        assert_eq!(sample().add_to(&mut cib), Err(DefinitionError::Exists("vm1".into())));
        for name in ["", "1vm", "a/b", "a b", &"x".repeat(65)] {
            let definition = VmDefinition { name: name.into(), ..sample() };
            assert_eq!(definition.check(), Err(DefinitionError::Name(name.into())));
        }
        let wrong = [
            VmDefinition { memory_mib: 0, ..sample() },
            VmDefinition { cpus: 0, ..sample() },
            VmDefinition { disks: vec!["/a b".into()], ..sample() },
            VmDefinition { kernel: None, ..sample() },
            VmDefinition::new("empty", 64),
        ];
        for definition in wrong {
            assert!(definition.check().is_err(), "{definition:?}");
        }
    }

    #[test]
    fn other_resources_are_no_definitions() {
        let xml = "<primitive id=\"x\" class=\"ocf\" provider=\"heartbeat\" type=\"Dummy\"/>";
        let document = Document::parse(xml).expect("XML");
        assert_eq!(VmDefinition::from_element(document.root()), None);
    }
}
