//! The metadata of `ocf:hafen:ping`.

/// The metadata as XML, in the form of OCF's resource agent API 1.1.
pub const XML: &str = r#"<?xml version="1.0"?>
<resource-agent name="ping" version="1.0">
  <version>1.1</version>
  <longdesc lang="en">Tells how many of some addresses this host reaches, as an attribute of the host (pingd) that location rules can ask for. Run it as a clone, and let what needs the network avoid hosts where the attribute is missing or below 1.

All addresses, IPv4 and IPv6, are asked at the same time, by this agent itself: a monitor takes no longer than attempts times timeout, however many addresses there are, and no program is started. A host that cannot tell its value because its daemon is being restarted keeps the value that it has.</longdesc>
  <shortdesc lang="en">Which addresses this host reaches</shortdesc>
  <parameters>
    <parameter name="host_list" required="1">
      <longdesc lang="en">Addresses or names, separated by blanks; at most 64. Name several (the gateway, a switch, a server): one that is down for maintenance then moves nothing. A name counts when any of its addresses answers; addresses work also when name service does not.</longdesc>
      <shortdesc lang="en">Whom to ping</shortdesc>
      <content type="string"/>
    </parameter>
    <parameter name="name" unique-group="name">
      <longdesc lang="en">The attribute that location rules ask for.</longdesc>
      <shortdesc lang="en">Name of the attribute</shortdesc>
      <content type="string" default="pingd"/>
    </parameter>
    <parameter name="multiplier">
      <longdesc lang="en">What each address that answers counts.</longdesc>
      <shortdesc lang="en">Score of an address</shortdesc>
      <content type="integer" default="1"/>
    </parameter>
    <parameter name="dampen" reloadable="1">
      <longdesc lang="en">How long a change of the attribute waits for further ones, on all hosts: when the gateway fails for everybody, nothing moves back and forth.</longdesc>
      <shortdesc lang="en">Dampening interval</shortdesc>
      <content type="time" default="5s"/>
    </parameter>
    <parameter name="attempts" reloadable="1">
      <longdesc lang="en">How often an address that does not answer is asked.</longdesc>
      <shortdesc lang="en">Attempts for each address</shortdesc>
      <content type="integer" default="3"/>
    </parameter>
    <parameter name="timeout" reloadable="1">
      <longdesc lang="en">How long each attempt waits for answers.</longdesc>
      <shortdesc lang="en">Time for an answer</shortdesc>
      <content type="time" default="2"/>
    </parameter>
    <parameter name="failure_score" reloadable="1">
      <longdesc lang="en">The resource itself counts as failed when the score is less. Without it, it never does.</longdesc>
      <shortdesc lang="en">Least score</shortdesc>
      <content type="integer"/>
    </parameter>
    <parameter name="state" unique-group="state">
      <longdesc lang="en">The file that says that the resource is started. Default: hafen-ping-INSTANCE in the folder of agents' temporary files.</longdesc>
      <shortdesc lang="en">State file</shortdesc>
      <content type="string"/>
    </parameter>
  </parameters>
  <actions>
    <action name="start" timeout="60s"/>
    <action name="stop" timeout="20s"/>
    <action name="monitor" depth="0" timeout="60s" interval="10s"/>
    <action name="reload-agent" timeout="20s"/>
    <action name="validate-all" timeout="30s"/>
    <action name="meta-data" timeout="5s"/>
  </actions>
</resource-agent>
"#;

#[cfg(test)]
mod tests {
    use hafen_cib::metadata::AgentMetadata;

    use super::super::parameters::DEFAULTS;
    use super::*;

    #[test]
    fn what_is_described_is_what_is_read() {
        let metadata = AgentMetadata::parse(XML).expect("sound metadata");
        assert_eq!(metadata.parameters.len(), DEFAULTS.len());
        for (told, (name, default)) in metadata.parameters.iter().zip(DEFAULTS) {
            assert_eq!((told.name.as_str(), told.default.as_deref().unwrap_or("")), (name, default));
            assert!(!told.long_description.is_empty() && !told.short_description.is_empty(), "{name}");
        }
        for action in ["start", "stop", "monitor", "reload-agent", "validate-all", "meta-data"] {
            assert!(metadata.action(action).is_some_and(|action| action.timeout_ms.is_some()), "{action}");
        }
        assert_eq!(metadata.action("monitor").and_then(|monitor| monitor.interval_ms), Some(10_000));
    }
}
