//! The virtual machines of a configuration.

use hafen_cib::{Cib, Element};

use crate::definition::VmDefinition;
use crate::sets::values;

/// The agent that runs a virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VmAgent {
    /// `ocf:hafen:qemu`
    HafenQemu,
    /// `ocf:heartbeat:VirtualDomain`
    VirtualDomain,
    /// `ocf:heartbeat:Xen`
    Xen,
}

impl VmAgent {
    fn of(class: &str, provider: &str, kind: &str) -> Option<Self> {
        match (class, provider, kind) {
            ("ocf", "hafen", "qemu") => Some(Self::HafenQemu),
            ("ocf", "heartbeat", "VirtualDomain") => Some(Self::VirtualDomain),
            ("ocf", "heartbeat", "Xen") => Some(Self::Xen),
            _ => None,
        }
    }

    /// The agent's name as configurations write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HafenQemu => "ocf:hafen:qemu",
            Self::VirtualDomain => "ocf:heartbeat:VirtualDomain",
            Self::Xen => "ocf:heartbeat:Xen",
        }
    }
}

/// A virtual machine of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualMachine {
    /// The resource's id.
    pub id: String,
    /// The agent that runs it.
    pub agent: VmAgent,
    /// Whether it may migrate live.
    pub allow_migrate: bool,
    /// Whether it should run, as far as `target-role` says.
    pub should_run: bool,
    /// Whether the cluster manages it, as far as its own meta attributes say.
    pub is_managed: bool,
    /// Its definition, when it is one of `ocf:hafen:qemu`.
    pub definition: Option<VmDefinition>,
}

/// Whether a value means yes, in one of Pacemaker's spellings.
fn is_true(text: &str) -> bool {
    ["true", "on", "yes", "y", "1"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// All virtual machines, in the configuration's order; also those in groups and clones, and those made from templates.
pub fn virtual_machines(cib: &Cib) -> Vec<VirtualMachine> {
    let elements = cib.resources().into_iter().flat_map(Element::descendants);
    elements
        .filter(|element| element.name() == "primitive")
        .filter_map(|element| view(cib, element))
        .collect()
}

/// The virtual machine of this name.
pub fn virtual_machine(cib: &Cib, id: &str) -> Option<VirtualMachine> {
    virtual_machines(cib).into_iter().find(|machine| machine.id == id)
}

fn view(cib: &Cib, primitive: Element<'_>) -> Option<VirtualMachine> {
    let template = primitive.attribute("template").and_then(|id| cib.document().by_id(id));
    let typed = template.unwrap_or(primitive);
    let attribute = |name: &str| typed.attribute(name).unwrap_or_default();
    let agent = VmAgent::of(attribute("class"), attribute("provider"), attribute("type"))?;
    let defaults = cib.configuration().and_then(|configuration| configuration.child("rsc_defaults"));
    let containers =
        std::iter::successors(primitive.parent(), |parent| parent.parent().filter(|up| up.name() != "cib"));
    // What is said nearer to the resource counts.
    let mut sources = vec![primitive];
    sources.extend(template);
    sources.extend(containers.filter(|element| ["group", "clone", "master"].contains(&element.name())));
    sources.extend(defaults);
    let meta = |name: &str| {
        let pairs = sources.iter().flat_map(|source| values(*source, "meta_attributes"));
        pairs.filter(|(other, _)| *other == name).map(|(_, value)| value).next()
    };
    Some(VirtualMachine {
        id: primitive.id()?.to_owned(),
        agent,
        allow_migrate: meta("allow-migrate").is_some_and(is_true),
        should_run: meta("target-role").is_none_or(|role| !role.eq_ignore_ascii_case("Stopped")),
        is_managed: meta("is-managed").is_none_or(is_true),
        definition: VmDefinition::from_element(primitive),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIB: &str = r#"<cib admin_epoch="0" epoch="1" num_updates="0"><configuration>
      <crm_config/><nodes/>
      <resources>
        <template id="t" class="ocf" provider="heartbeat" type="Xen">
          <meta_attributes id="tm"><nvpair id="tm1" name="allow-migrate" value="yes"/></meta_attributes>
        </template>
        <primitive id="web" class="ocf" provider="hafen" type="qemu">
          <meta_attributes id="wm"><nvpair id="wm1" name="allow-migrate" value="true"/></meta_attributes>
          <instance_attributes id="wi"><nvpair id="wi1" name="memory" value="96"/></instance_attributes>
        </primitive>
        <primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"/>
        <group id="g">
          <meta_attributes id="gm"><nvpair id="gm1" name="target-role" value="stopped"/></meta_attributes>
          <primitive id="old" template="t"/>
        </group>
        <primitive id="dom" class="ocf" provider="heartbeat" type="VirtualDomain">
          <meta_attributes id="dm"><nvpair id="dm1" name="is-managed" value="false"/></meta_attributes>
        </primitive>
      </resources><constraints/>
      <rsc_defaults><meta_attributes id="rd"><nvpair id="rd1" name="allow-migrate" value="0"/></meta_attributes></rsc_defaults>
    </configuration><status/></cib>"#;

    #[test]
    fn all_virtual_machines_are_found_wherever_they_are() {
        let cib = Cib::parse(CIB).expect("a CIB");
        let found = virtual_machines(&cib);
        let told: Vec<_> = found
            .iter()
            .map(|vm| (vm.id.as_str(), vm.agent, vm.allow_migrate, vm.should_run, vm.is_managed))
            .collect();
        let wanted = [
            ("web", VmAgent::HafenQemu, true, true, true),
            ("old", VmAgent::Xen, true, false, true),
            ("dom", VmAgent::VirtualDomain, false, true, false),
        ];
        assert_eq!(told, wanted);
        assert_eq!(found[0].definition.as_ref().map(|definition| definition.memory_mib), Some(96));
        assert_eq!(virtual_machine(&cib, "ip"), None);
    }
}
