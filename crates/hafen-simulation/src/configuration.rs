//! The clusters that are simulated: their CIBs, drawn from the seed.

pub mod fencing;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::dice::{Bounds, Dice, bounds};
use fencing::{Fencing, Parts};

/// How many resources a cluster has at its beginning (members of groups counted one by one).
pub const RESOURCES: Bounds = bounds(2, 12);

/// A cluster's configuration at its beginning, and what the world must know about it.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The CIB.
    pub xml: String,
    /// Whether fencing is enabled: only then `at_most_one_active` is claimed.
    pub fencing: bool,
    /// Whether `no-quorum-policy` is to stop.
    pub stops: bool,
    /// How hosts are fenced.
    pub how: Fencing,
    /// Resources that must never be active on two hosts.
    pub exclusive: BTreeSet<String>,
    /// Resources that may be moved by a constraint.
    pub movable: Vec<String>,
}

/// The name of a host.
pub fn uname(host: u32) -> String {
    format!("host{host}")
}

struct Writer {
    resources: String,
    constraints: String,
    topology: String,
    exclusive: BTreeSet<String>,
    movable: Vec<String>,
    count: u64,
}

impl Writer {
    fn new(parts: Parts) -> Writer {
        Writer {
            resources: parts.resources,
            constraints: parts.constraints,
            topology: parts.topology,
            exclusive: BTreeSet::new(),
            movable: Vec::new(),
            count: 0,
        }
    }
}

/// Draws a configuration for hosts 1 to `hosts`; numbers up to `at_most` may join later.
pub fn draw(hosts: u32, at_most: u32, how: Fencing, dice: &mut Dice) -> Configuration {
    let wanted = dice.within(RESOURCES);
    let mut writer = Writer::new(how.parts(at_most, dice));
    while writer.count < wanted {
        writer.draw_one(wanted - writer.count, hosts, dice);
    }
    writer.draw_constraints(hosts, dice);
    let (properties, stickiness) = draw_properties(how, dice);
    let xml = assemble(hosts, &properties, &writer, stickiness);
    let fencing = how != Fencing::None;
    let stops = properties.contains(&("no-quorum-policy", "stop".to_owned()));
    Configuration { xml, fencing, stops, how, exclusive: writer.exclusive, movable: writer.movable }
}

/// Two hosts without resources, each fenced by a device that the other one may use. The one that shoots host 1 waits,
/// where `delay_ms` is given, so that host 1 wins: this is what `hafen init --fence` writes.
pub fn double_shoot(delay_ms: Option<u64>) -> Configuration {
    let mut parts = Parts::default();
    for host in 1..=2 {
        let delay_ms = delay_ms.filter(|_| host == 1);
        parts.shooter(&format!("fence-{}", uname(host)), crate::device::SWITCH, host, delay_ms);
    }
    let writer = Writer::new(parts);
    let properties = [
        ("stonith-enabled", "true".to_owned()),
        ("stonith-timeout", "60s".to_owned()),
        ("stonith-action", "reboot".to_owned()),
    ];
    let xml = assemble(2, &properties, &writer, "0");
    Configuration {
        xml,
        fencing: true,
        stops: true,
        how: Fencing::Switch,
        exclusive: writer.exclusive,
        movable: writer.movable,
    }
}

/// A primitive of the simulated agent.
pub fn primitive(id: &str, meta: &[(&str, String)], dice: &mut Dice) -> String {
    let interval_s = dice.within(bounds(5, 30));
    let stop_s = dice.within(bounds(10, 40));
    let mut attributes = String::new();
    for (name, value) in meta {
        let _ = write!(attributes, r#"<nvpair id="{id}-meta-{name}" name="{name}" value="{value}"/>"#);
    }
    format!(
        concat!(
            r#"<primitive id="{id}" class="ocf" provider="hafen" type="simulated">"#,
            r#"<instance_attributes id="{id}-params"><nvpair id="{id}-name" name="name" value="{id}"/>"#,
            r#"</instance_attributes><meta_attributes id="{id}-meta">{attributes}</meta_attributes><operations>"#,
            r#"<op id="{id}-start" name="start" interval="0s" timeout="20s"/>"#,
            r#"<op id="{id}-stop" name="stop" interval="0s" timeout="{stop_s}s"/>"#,
            r#"<op id="{id}-to" name="migrate_to" interval="0s" timeout="30s"/>"#,
            r#"<op id="{id}-from" name="migrate_from" interval="0s" timeout="20s"/>"#,
            r#"<op id="{id}-monitor" name="monitor" interval="{interval_s}s" timeout="10s"/>"#,
            r#"</operations></primitive>"#
        ),
        id = id,
        attributes = attributes,
        stop_s = stop_s,
        interval_s = interval_s
    )
}

fn draw_meta(dice: &mut Dice) -> Vec<(&'static str, String)> {
    let mut meta = Vec::new();
    if dice.chance(500) {
        meta.push(("failure-timeout", format!("{}s", dice.within(bounds(30, 180)))));
    }
    if dice.chance(400) {
        meta.push(("migration-threshold", dice.within(bounds(1, 4)).to_string()));
    }
    if dice.chance(400) {
        meta.push(("resource-stickiness", dice.within(bounds(0, 200)).to_string()));
    }
    meta
}

impl Writer {
    fn draw_one(&mut self, room: u64, hosts: u32, dice: &mut Dice) {
        let number = self.count;
        let kinds = [("vm", 5), ("plain", 4), ("group", if room >= 3 { 2 } else { 0 }), ("clone", 1)];
        match dice.pick_weighted(&kinds) {
            Some("vm") => {
                let id = format!("vm{number}");
                let mut meta = draw_meta(dice);
                meta.push(("allow-migrate", "true".to_owned()));
                self.resources.push_str(&primitive(&id, &meta, dice));
                self.single(id);
            }
            Some("group") => {
                let group = format!("group{number}");
                let members = dice.within(bounds(2, 3));
                let _ = write!(self.resources, r#"<group id="{group}">"#);
                for member in 0..members {
                    let id = format!("{group}-m{member}");
                    self.resources.push_str(&primitive(&id, &draw_meta(dice), dice));
                    self.exclusive.insert(id);
                }
                self.resources.push_str("</group>");
                self.movable.push(group);
                self.count += members;
            }
            Some("clone") => {
                let id = format!("cloned{number}");
                let child = primitive(&id, &draw_meta(dice), dice);
                let most = dice.within(bounds(1, u64::from(hosts)));
                let _ = write!(
                    self.resources,
                    r#"<clone id="{id}-clone"><meta_attributes id="{id}-clone-meta"><nvpair id="{id}-clone-max" name="clone-max" value="{most}"/></meta_attributes>{child}</clone>"#
                );
                self.count += 1;
            }
            _ => {
                let id = format!("plain{number}");
                self.resources.push_str(&primitive(&id, &draw_meta(dice), dice));
                self.single(id);
            }
        }
    }

    fn single(&mut self, id: String) {
        self.exclusive.insert(id.clone());
        self.movable.push(id);
        self.count += 1;
    }

    fn draw_constraints(&mut self, hosts: u32, dice: &mut Dice) {
        for (index, resource) in self.movable.iter().enumerate() {
            if dice.chance(400) {
                let host = uname(u32::try_from(dice.within(bounds(1, u64::from(hosts)))).unwrap_or(1));
                let score = dice.pick(&["50", "100", "-50", "200"]).copied().unwrap_or("50");
                let _ = write!(
                    self.constraints,
                    r#"<rsc_location id="prefer-{index}" rsc="{resource}" node="{host}" score="{score}"/>"#
                );
            }
        }
        for (index, pair) in self.movable.windows(2).enumerate() {
            let (first, second) = (&pair[0], &pair[1]);
            if dice.chance(200) {
                let score = if dice.chance(500) { "INFINITY" } else { "-50" };
                let _ = write!(
                    self.constraints,
                    r#"<rsc_colocation id="with-{index}" rsc="{second}" with-rsc="{first}" score="{score}"/>"#
                );
            }
            if dice.chance(200) {
                let kind = if dice.chance(700) { "Mandatory" } else { "Optional" };
                let _ = write!(
                    self.constraints,
                    r#"<rsc_order id="order-{index}" first="{first}" then="{second}" kind="{kind}"/>"#
                );
            }
        }
    }
}

fn draw_properties(how: Fencing, dice: &mut Dice) -> (Vec<(&'static str, String)>, &'static str) {
    let fencing = how != Fencing::None;
    let policy = dice.pick(&["stop", "stop", "stop", "freeze"]).copied().unwrap_or("stop");
    let policy = if fencing { policy } else { "stop" };
    let stickiness = dice.pick(&["0", "1", "100"]).copied().unwrap_or("1");
    let timeout_s = dice.within(bounds(30, 120));
    let action = if dice.chance(850) { "reboot" } else { "off" };
    let mut properties = vec![
        ("stonith-enabled", fencing.to_string()),
        ("stonith-timeout", format!("{timeout_s}s")),
        ("stonith-action", action.to_owned()),
        ("no-quorum-policy", policy.to_owned()),
        ("cluster-recheck-interval", "120s".to_owned()),
    ];
    if how == Fencing::Watchdogs {
        properties.push(("stonith-watchdog-timeout", format!("{}s", fencing::WATCHDOG_FENCES_AFTER_S)));
    }
    (properties, stickiness)
}

fn assemble(hosts: u32, properties: &[(&str, String)], writer: &Writer, stickiness: &str) -> String {
    let mut nodes = String::new();
    for host in 1..=hosts {
        let _ = write!(nodes, r#"<node id="{host}" uname="{}"/>"#, uname(host));
    }
    let mut crm_config = String::new();
    for (name, value) in properties {
        let _ = write!(crm_config, r#"<nvpair id="option-{name}" name="{name}" value="{value}"/>"#);
    }
    format!(
        concat!(
            r#"<cib validate-with="pacemaker-3.9" crm_feature_set="3.20.0" admin_epoch="0" epoch="1" num_updates="0">"#,
            r#"<configuration><crm_config><cluster_property_set id="cib-bootstrap-options">{crm_config}"#,
            r#"</cluster_property_set></crm_config><nodes>{nodes}</nodes><resources>{resources}</resources>"#,
            r#"<constraints>{constraints}</constraints><fencing-topology>{topology}</fencing-topology><rsc_defaults><meta_attributes id="rsc-options">"#,
            r#"<nvpair id="rsc-stickiness" name="resource-stickiness" value="{stickiness}"/></meta_attributes>"#,
            r#"</rsc_defaults></configuration><status/></cib>"#
        ),
        crm_config = crm_config,
        nodes = nodes,
        resources = writer.resources,
        constraints = writer.constraints,
        topology = writer.topology,
        stickiness = stickiness
    )
}
