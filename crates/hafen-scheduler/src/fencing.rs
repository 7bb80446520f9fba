//! What fencing needs to know beside a plan: where fence devices may be used, where they are started, and how much each node's
//! resources are worth.

use std::collections::{BTreeMap, BTreeSet};

use hafen_cib::Cib;

use crate::model::{Cluster, NodeIndex, ResourceId, Role, Variant};
use crate::run::{Options, unpack};
use crate::score::{self, INFINITY};

/// What a CIB tells about its fence devices and nodes at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FencingFacts {
    /// The score of a device (its id) on a node (its name) by location constraints, rules judged. A device with a
    /// negative score is not used there.
    pub scores: BTreeMap<(String, String), i32>,
    /// Where a device is started.
    pub started_on: BTreeMap<String, BTreeSet<String>>,
    /// The priorities of the resources that are active on a node, all together; a promoted instance counts one more
    /// where its priority is not 0.
    pub priorities: BTreeMap<String, i32>,
}

impl FencingFacts {
    /// Whether a node may use a device. What is not known is allowed.
    #[must_use]
    pub fn may_use(&self, device: &str, uname: &str) -> bool {
        let key = (device.to_owned(), uname.to_owned());
        self.scores.get(&key).is_none_or(|score| *score >= 0)
    }

    /// Whether a device is started on a node.
    #[must_use]
    pub fn is_started(&self, device: &str, uname: &str) -> bool {
        self.started_on.get(device).is_some_and(|nodes| nodes.contains(uname))
    }
}

/// Judges a CIB, with the status section that it carries. `now` is in seconds since 1970.
#[must_use]
pub fn fencing_facts(cib: &Cib, now: u64) -> FencingFacts {
    let mut cluster = unpack(cib, i64::try_from(now).unwrap_or(i64::MAX), Options::default());
    cluster.unpack_constraints();
    let mut facts = FencingFacts::default();
    for resource in cluster.resource_ids() {
        let known = cluster.rsc(resource);
        if known.variant != Variant::Primitive {
            continue;
        }
        for &node in &known.running_on {
            let bonus = i32::from(known.priority != 0 && known.role == Role::Promoted);
            let sum = facts.priorities.entry(cluster.node(node).uname.clone()).or_default();
            *sum = score::add(*sum, score::add(known.priority, bonus));
        }
        if known.stonith_device {
            // An instance of a clone is the device that the configuration names.
            let device = known.element.attribute("id").unwrap_or(&known.history_id);
            let nodes = known.running_on.iter().map(|node| cluster.node(*node).uname.clone());
            facts.started_on.entry(device.to_owned()).or_default().extend(nodes);
            for node in cluster.node_indices() {
                let key = (device.to_owned(), cluster.node(node).uname.clone());
                facts.scores.insert(key, location_score(&cluster, resource, node));
            }
        }
    }
    for node in cluster.node_indices() {
        facts.priorities.entry(cluster.node(node).uname.clone()).or_default();
    }
    facts
}

/// The sum of a resource's and its parents' location constraints on a node.
fn location_score(cluster: &Cluster<'_>, resource: ResourceId, node: NodeIndex) -> i32 {
    let mut sum = None;
    let mut next = Some(resource);
    while let Some(resource) = next {
        for at in &cluster.rsc(resource).locations {
            let here = cluster.locations[*at].nodes.iter().filter(|(at, _)| *at == node);
            for (_, score) in here {
                sum = Some(sum.map_or(*score, |sum| score::add(sum, *score)));
            }
        }
        next = cluster.rsc(resource).parent;
    }
    sum.unwrap_or(if cluster.properties.symmetric { 0 } else { -INFINITY })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIB: &str = r##"<cib><configuration><crm_config/><nodes><node id="1" uname="a"><instance_attributes id="a-i">
<nvpair id="a-s" name="site" value="x"/></instance_attributes></node><node id="2" uname="b"/><node id="3" uname="c"/></nodes>
<resources><primitive id="f" class="stonith" type="fence_x"/><clone id="g"><primitive id="h" class="stonith" type="fence_x"/></clone>
<primitive id="vm" class="ocf" provider="p" type="t"><meta_attributes id="vm-m"><nvpair id="vm-p" name="priority" value="7"/>
</meta_attributes></primitive></resources><constraints><rsc_location id="l" rsc="f" node="b" score="-1"/>
<rsc_location id="m" rsc="f"><rule id="r" score="-INFINITY"><expression id="e" attribute="site" operation="eq" value="x"/></rule>
</rsc_location><rsc_location id="n" rsc="g" node="c" score="-INFINITY"/></constraints></configuration><status>
<node_state id="2" uname="b" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="2"><lrm_resources>
<lrm_resource id="vm" class="ocf" provider="p" type="t"><lrm_rsc_op id="vm_last_0" operation_key="vm_start_0" operation="start"
 call-id="1" rc-code="0" op-status="0" interval="0"/></lrm_resource><lrm_resource id="f" class="stonith" type="fence_x"><lrm_rsc_op
 id="f_last_0" operation_key="f_start_0" operation="start" call-id="2" rc-code="0" op-status="0" interval="0"/></lrm_resource>
</lrm_resources></lrm></node_state></status></cib>"##;

    #[test]
    fn rules_priorities_and_started_devices_are_known() {
        let facts = fencing_facts(&Cib::parse(CIB).expect("a CIB"), 0);
        let allowed = |device: &str| ["a", "b", "c"].map(|node| facts.may_use(device, node));
        assert_eq!(allowed("f"), [false, false, true]);
        assert_eq!(allowed("h"), [true, true, false]);
        assert_eq!(allowed("unknown"), [true; 3]);
        assert!(facts.is_started("f", "b") && !facts.is_started("f", "c"));
        assert_eq!(facts.priorities, [("a", 0), ("b", 7), ("c", 0)].map(|(n, p)| (n.to_owned(), p)).into());
    }

    #[test]
    fn where_nothing_runs_unless_allowed_a_device_must_be_allowed_too() {
        let opt_in = "<crm_config><cluster_property_set id=\"o\"><nvpair id=\"s\" name=\"symmetric-cluster\" \
                      value=\"false\"/></cluster_property_set></crm_config>";
        let cib = Cib::parse(&CIB.replace("<crm_config/>", opt_in)).expect("a CIB");
        assert!(!fencing_facts(&cib, 0).may_use("f", "c"));
    }
}
