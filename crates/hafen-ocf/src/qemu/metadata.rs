//! The metadata of `ocf:hafen:qemu`.

use std::fmt::Write;

use super::parameters::DESCRIPTIONS;

/// The actions with the times that are advised: name, timeout and interval in seconds.
const ACTIONS: [(&str, u32, Option<u32>); 7] = [
    ("start", 60, None),
    ("stop", 120, None),
    ("monitor", 30, Some(10)),
    ("migrate_to", 300, None),
    ("migrate_from", 60, None),
    ("validate-all", 5, None),
    ("meta-data", 5, None),
];

const LONG: &str = "Runs a virtual machine in QEMU.

start is done when QEMU runs the guest, not when the guest has booted. stop presses the ACPI power button and uses force when the guest does not end in time.

monitor: 0 when the guest runs (also while it sleeps, or in the pause of a live migration); 7 when there is no QEMU, when it only waits for a guest to arrive, or when the guest has ended; 1 when QEMU runs but does not answer, or its guest is paused, panicked, or stopped by an I/O or internal error: the reason says which. A guest that a live migration left behind in a paused QEMU is settled by a monitor: the receiver on the other host says whether it runs there; if it does not and never will, it goes on here.

Live migration needs the same paths on both hosts and a receiver (hafen ocf qemu-receiver MIGRATE_DIR/NODE.sock) on the target. The guest runs on the target only once it is paused here for good; if anything fails before, it goes on here.";

/// Text for an element's content or an attribute's value.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The metadata as XML, in the form of OCF's resource agent API 1.1.
pub fn to_xml() -> String {
    let mut xml =
        String::from("<?xml version=\"1.0\"?>\n<!DOCTYPE resource-agent SYSTEM \"ra-api-1.dtd\">\n");
    let version = env!("CARGO_PKG_VERSION");
    // Writing to a string cannot fail.
    let _ = writeln!(xml, "<resource-agent name=\"qemu\" version=\"{version}\">\n  <version>1.1</version>");
    let _ = writeln!(xml, "  <longdesc lang=\"en\">{}</longdesc>", escaped(LONG));
    xml.push_str("  <shortdesc lang=\"en\">Runs a virtual machine in QEMU</shortdesc>\n  <parameters>\n");
    for parameter in &DESCRIPTIONS {
        let required = u8::from(parameter.required);
        let unique = if parameter.name == "name" { " unique-group=\"name\" unique=\"1\"" } else { "" };
        let _ = writeln!(xml, "    <parameter name=\"{}\" required=\"{required}\"{unique}>", parameter.name);
        let _ = writeln!(xml, "      <longdesc lang=\"en\">{}</longdesc>", escaped(parameter.long));
        let _ = writeln!(xml, "      <shortdesc lang=\"en\">{}</shortdesc>", escaped(parameter.short));
        let default = parameter.default.map(|value| format!(" default=\"{}\"", escaped(value)));
        let kind = parameter.kind;
        let _ = writeln!(xml, "      <content type=\"{kind}\"{}/>", default.unwrap_or_default());
        xml.push_str("    </parameter>\n");
    }
    xml.push_str("  </parameters>\n  <actions>\n");
    for (name, timeout, interval) in ACTIONS {
        let interval = interval.map(|seconds| format!(" depth=\"0\" interval=\"{seconds}s\""));
        let interval = interval.unwrap_or_default();
        let _ = writeln!(xml, "    <action name=\"{name}\" timeout=\"{timeout}s\"{interval}/>");
    }
    xml.push_str("  </actions>\n</resource-agent>\n");
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    use hafen_cib::metadata::AgentMetadata;

    #[test]
    fn every_action_and_parameter_is_described() {
        let metadata = AgentMetadata::parse(&to_xml()).expect("sound metadata");
        assert!(metadata.can_migrate());
        for action in ["start", "stop", "monitor", "validate-all", "meta-data"] {
            assert!(metadata.action(action).is_some_and(|action| action.timeout_ms.is_some()), "{action}");
        }
        assert_eq!(metadata.action("monitor").and_then(|monitor| monitor.interval_ms), Some(10_000));
        for (told, ours) in metadata.parameters.iter().zip(&DESCRIPTIONS) {
            assert_eq!((told.name.as_str(), told.default.as_deref()), (ours.name, ours.default));
            assert!(!told.long_description.is_empty() && !told.short_description.is_empty());
        }
        assert_eq!(metadata.parameters.len(), DESCRIPTIONS.len());
        assert!(metadata.long_description.contains("Live migration"));
    }
}
