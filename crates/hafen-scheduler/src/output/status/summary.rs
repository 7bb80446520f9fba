//! What a cluster is, in a few lines: who leads it, when it changed, and how much there is.

use super::monitor::{MonitorView, Sections};
use super::{InstanceCounts, Listing, Span};
use crate::model::{Cluster, NoQuorumPolicy, Node};
use crate::output::xml::XmlWriter;

fn bold(words: &str) -> Span {
    ("bold", words.to_owned())
}

impl Cluster<'_> {
    fn leader(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| node.is_dc)
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.properties.values.get(name).map(String::as_str)
    }

    fn stack(&self) -> &str {
        self.option("cluster-infrastructure").unwrap_or("unknown")
    }

    /// Whether the members are of different versions.
    fn mixed(&self) -> bool {
        let online = self.nodes.iter().filter(|node| node.online && node.expected_up && !node.remote);
        let mut versions: Vec<_> = online.map(|node| node.attributes.get("#feature-set")).collect();
        versions.dedup();
        versions.len() > 1
    }

    pub(super) fn list_summary(&self, out: &mut Listing, view: &MonitorView, counts: InstanceCounts) -> bool {
        let mut lines: Vec<Vec<Span>> = Vec::new();
        let has = |section| view.sections.has(section);
        if has(Sections::STACK) {
            lines.push(vec![bold("Stack: "), ("", self.stack().to_owned())]);
        }
        if has(Sections::DC) || self.leader().is_none() {
            lines.push(self.leader_line(view));
        }
        if has(Sections::TIMES) {
            let host = view.host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
            lines.push(vec![bold("Last updated: "), ("", format!("{}{host}", view.now_words))]);
            let root = self.document.root();
            let known = |name| root.attribute(name).filter(|value| !value.is_empty());
            let mut words = known("cib-last-written").unwrap_or_default().to_owned();
            for (before, name) in [("by", "update-user"), ("via", "update-client"), ("on", "update-origin")] {
                if let Some(value) = known(name) {
                    words.push_str(&format!(" {before} {value}"));
                }
            }
            lines.push(vec![bold(if view.html { "Last change: " } else { "Last change:  " }), ("", words)]);
        }
        if has(Sections::COUNTS) {
            self.count_lines(&mut lines, counts);
        }
        if has(Sections::OPTIONS) && !view.html {
            lines.extend(self.option_lines().map(|line| vec![("", line)]));
        }
        if !lines.is_empty() {
            out.title(0, "Cluster Summary");
            for line in &lines {
                out.spans(1, line);
            }
        }
        !lines.is_empty()
    }

    fn leader_line(&self, view: &MonitorView) -> Vec<Span> {
        let mut line = vec![bold("Current DC: ")];
        let Some(leader) = self.leader() else {
            line.push(("warning", "NONE".to_owned()));
            return line;
        };
        let version = self.option("dc-version").unwrap_or("unknown");
        line.push(("", format!("{} (version {version}) -", view.node_name(leader))));
        if self.mixed() {
            line.push(("warning", " MIXED-VERSION".to_owned()));
        }
        line.push(("", " partition".to_owned()));
        line.push(match self.properties.have_quorum {
            true => ("", " with".to_owned()),
            false => ("warning", " WITHOUT".to_owned()),
        });
        line.push(("", " quorum".to_owned()));
        line
    }

    fn count_lines(&self, lines: &mut Vec<Vec<Span>>, counts: InstanceCounts) {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let nodes = self.nodes.len();
        lines.push(vec![("", format!("{nodes} node{} configured", plural(nodes)))]);
        let InstanceCounts { instances, disabled, blocked } = counts;
        let mut words = format!("{instances} resource instance{} configured", plural(instances));
        let mut line = Vec::new();
        if disabled > 0 {
            line.push(("", format!("{words} ({disabled} ")));
            line.push(bold("DISABLED"));
            words.clear();
        }
        if blocked > 0 {
            let before = if disabled > 0 { ", " } else { " (" };
            line.push(("", format!("{words}{before}{blocked} ")));
            line.push(bold("BLOCKED"));
            words = " from further action due to failure".to_owned();
        }
        let end = if line.is_empty() { "" } else { ")" };
        line.push(("", format!("{words}{end}")));
        lines.push(line);
    }

    fn option_lines(&self) -> impl Iterator<Item = String> {
        let properties = &self.properties;
        let able = |yes: bool| if yes { "enabled" } else { "disabled" };
        let policy = match properties.no_quorum {
            NoQuorumPolicy::Stop => "Stop ALL resources",
            NoQuorumPolicy::Freeze => "Freeze resources",
            NoQuorumPolicy::Ignore => "Ignore",
            NoQuorumPolicy::Demote => "Demote promotable resources and stop all other resources",
            NoQuorumPolicy::Suicide => "Suicide",
        };
        let symmetric = if properties.symmetric { "symmetric" } else { "asymmetric" };
        [
            format!("STONITH of failed nodes {}", able(properties.stonith)),
            format!("Cluster is {symmetric}"),
            format!("No quorum policy: {policy}"),
        ]
        .into_iter()
    }

    /// Cluster options on a page of HTML.
    pub(super) fn list_options(&self, out: &mut Listing) {
        out.title(0, "Config Options");
        for line in self.option_lines() {
            out.item(1, &line);
        }
        if self.properties.maintenance {
            let rest = " (the cluster will not attempt to start, stop, or recover services)";
            let label = ("", "Resource management: ".to_owned());
            out.spans(1, &[label, bold("DISABLED"), ("", rest.to_owned())]);
        } else {
            out.item(1, "Resource management: enabled");
        }
    }

    pub(super) fn overview_xml(&self, xml: &mut XmlWriter, view: &MonitorView, counts: InstanceCounts) {
        let has = |section| view.sections.has(section);
        let all = [Sections::STACK, Sections::DC, Sections::TIMES, Sections::COUNTS, Sections::OPTIONS];
        if self.leader().is_some() && !all.into_iter().any(has) {
            return;
        }
        xml.open("summary");
        if has(Sections::STACK) {
            xml.open("stack");
            xml.attribute("type", self.stack());
            xml.close();
        }
        if has(Sections::DC) || self.leader().is_none() {
            xml.open("current_dc");
            xml.flag("present", self.leader().is_some());
            if let Some(leader) = self.leader() {
                xml.attribute("version", self.option("dc-version").unwrap_or_default());
                xml.attribute("name", &leader.uname);
                xml.attribute("id", &leader.id);
                xml.flag("with_quorum", self.properties.have_quorum);
                xml.flag("mixed_version", self.mixed());
            }
            xml.close();
        }
        if has(Sections::TIMES) {
            self.times_xml(xml, view);
        }
        if has(Sections::COUNTS) {
            let InstanceCounts { instances, disabled, blocked } = counts;
            xml.open("nodes_configured");
            xml.attribute("number", &self.nodes.len().to_string());
            xml.close();
            xml.open("resources_configured");
            xml.attribute("number", &instances.to_string());
            xml.attribute("disabled", &disabled.to_string());
            xml.attribute("blocked", &blocked.to_string());
            xml.close();
        }
        if has(Sections::OPTIONS) {
            self.options_xml(xml);
        }
        xml.close();
    }

    fn times_xml(&self, xml: &mut XmlWriter, view: &MonitorView) {
        xml.open("last_update");
        xml.attribute("time", &view.now_words);
        if let Some(host) = &view.host {
            xml.attribute("origin", host);
        }
        xml.close();
        xml.open("last_change");
        for (name, attribute) in [
            ("time", "cib-last-written"),
            ("user", "update-user"),
            ("client", "update-client"),
            ("origin", "update-origin"),
        ] {
            xml.attribute(name, self.document.root().attribute(attribute).unwrap_or_default());
        }
        xml.close();
    }

    fn options_xml(&self, xml: &mut XmlWriter) {
        let properties = &self.properties;
        xml.open("cluster_options");
        xml.flag("stonith-enabled", properties.stonith);
        xml.flag("symmetric-cluster", properties.symmetric);
        let policy = match properties.no_quorum {
            NoQuorumPolicy::Stop => "stop",
            NoQuorumPolicy::Freeze => "freeze",
            NoQuorumPolicy::Ignore => "ignore",
            NoQuorumPolicy::Demote => "demote",
            NoQuorumPolicy::Suicide => "suicide",
        };
        xml.attribute("no-quorum-policy", policy);
        xml.flag("maintenance-mode", properties.maintenance);
        xml.flag("stop-all-resources", properties.stop_all);
        let timeout =
            self.option("stonith-timeout").and_then(crate::score::parse_milliseconds).unwrap_or(60_000);
        xml.attribute("stonith-timeout-ms", &timeout.to_string());
        let delay = properties.priority_fencing_delay_seconds.saturating_mul(1000);
        xml.attribute("priority-fencing-delay-ms", &delay.to_string());
        xml.close();
    }
}
