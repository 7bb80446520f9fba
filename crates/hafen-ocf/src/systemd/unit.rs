//! Names of units, and what is said of them.

/// The kinds of units (`systemd.unit(5)`).
const SUFFIXES: [&str; 11] = [
    ".service",
    ".socket",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".timer",
    ".slice",
    ".scope",
];

/// The unit's full name: a service, where no kind is said.
pub(super) fn full_name(name: &str) -> String {
    if SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

/// The name of a resource for a unit; nothing for templates, which need an instance's name.
pub(super) fn resource_name(unit: &str) -> Option<&str> {
    let kinds = [".service", ".socket", ".mount", ".timer", ".path"];
    if unit.contains("@.") || !kinds.iter().any(|kind| unit.ends_with(kind)) {
        return None;
    }
    Some(unit.strip_suffix(".service").unwrap_or(unit))
}

/// What is told of a unit as an OCF agent would in its metadata.
pub(super) fn metadata(name: &str, description: &str) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let (name, description) = (escaped(name), escaped(description));
    let actions: String = ["start", "stop", "status", "monitor", "meta-data"]
        .iter()
        .map(|action| match *action {
            "monitor" => "    <action name=\"monitor\" timeout=\"100s\" interval=\"60s\"/>\n".to_owned(),
            "meta-data" => "    <action name=\"meta-data\" timeout=\"5s\"/>\n".to_owned(),
            action => format!("    <action name=\"{action}\" timeout=\"100s\"/>\n"),
        })
        .collect();
    format!(
        "<?xml version=\"1.0\"?>\n<resource-agent name=\"{name}\" version=\"0.1\">\n  <version>1.1</version>\n  \
         <longdesc lang=\"en\">{description}</longdesc>\n  <shortdesc lang=\"en\">systemd unit file for {name}</shortdesc>\n  \
         <parameters/>\n  <actions>\n{actions}  </actions>\n</resource-agent>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_kind_is_a_services() {
        assert_eq!(full_name("nfs-server"), "nfs-server.service");
        assert_eq!(full_name("php8.2-fpm"), "php8.2-fpm.service");
        assert_eq!(full_name("srv-vms.mount"), "srv-vms.mount");
        assert_eq!(full_name("dbus.socket"), "dbus.socket");
    }

    #[test]
    fn templates_and_what_cannot_be_started_are_no_resources() {
        let names =
            ["a.service", "getty@.service", "getty@tty1.service", "x.device", "srv.mount", "init.scope"];
        let resources: Vec<_> = names.iter().filter_map(|name| resource_name(name)).collect();
        assert_eq!(resources, ["a", "getty@tty1", "srv.mount"]);
    }

    #[test]
    fn metadata_is_xml_whatever_the_description_says() {
        let told = metadata("x", "a < b & \"c\"");
        assert!(told.contains("a &lt; b &amp; &quot;c&quot;") && told.contains("systemd unit file for x"));
    }
}
