//! Where resources are, and how they are configured.

use hafen_cib::Cib;

use super::super::options::Given;
use super::super::output::{Failed, Printed, escaped};
use super::Wanted;

pub(super) fn list(wanted: &Wanted) -> Printed {
    let ids: Vec<&str> =
        wanted.all.iter().filter(|found| found.is_primitive).map(|found| found.id.as_str()).collect();
    let items: String =
        ids.iter().map(|id| format!("  <item name=\"resource\">{}</item>\n", escaped(id))).collect();
    let mut printed = Printed::default();
    let xml = format!("<list name=\"resource names\" count=\"{}\">\n{items}</list>", ids.len());
    printed.add(&ids.join("\n"), &xml);
    printed
}

/// The agents of DRBD read these lines, and what stands after the host's name.
pub(super) fn locate(given: &Given, wanted: &Wanted) -> Result<Printed, Failed> {
    wanted.resource()?;
    let (name, active) = (&wanted.name, wanted.active());
    let (mut text, mut xml) = (String::new(), String::new());
    for (host, promoted) in &active {
        let mark = if *promoted { " Promoted" } else { "" };
        text += &match given.has('Q') {
            true => format!("{host}\n"),
            false => format!("resource {name} is running on: {host}{mark}\n"),
        };
        let state = if *promoted { " state=\"promoted\"" } else { "" };
        xml += &format!("    <node{state}>{}</node>\n", escaped(host));
    }
    let resource = escaped(name);
    if active.is_empty() {
        if !given.has('Q') && given.value(&[super::super::options::OUTPUT_AS]) != Some("xml") {
            eprintln!("resource {name} is NOT running");
        }
        return Ok(Printed { text, xml: format!("  <nodes resource=\"{resource}\"/>\n") });
    }
    Ok(Printed { text, xml: format!("  <nodes resource=\"{resource}\">\n{xml}  </nodes>\n") })
}

pub(super) fn xml(wanted: &Wanted, cib: &Cib) -> Result<Printed, Failed> {
    let resource = wanted.resource()?;
    let element = cib.document().by_id(&resource.name).map(|element| element.to_xml()).unwrap_or_default();
    let text = format!("Resource XML:\n{}\n", element.trim_end());
    let xml = format!("  <resource_config>\n    <xml><![CDATA[{element}]]></xml>\n  </resource_config>\n");
    Ok(Printed { text, xml })
}
