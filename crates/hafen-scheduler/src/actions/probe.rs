//! Probes: finding out what runs where nothing is known.

use crate::input::status::base_name;
use crate::model::{Cluster, Discovery, NodeIndex, ResourceId, Role, Task, Variant};
use crate::order::{End, relation};

impl<'a> Cluster<'a> {
    pub(crate) fn create_probes(&mut self) {
        for node in self.node_indices() {
            let known = self.node(node);
            let joining = known.pending && !known.unclean;
            if !(known.online || joining) || known.unclean || known.ping || known.remote {
                continue;
            }
            for resource in self.top.clone() {
                self.probe(resource, node);
            }
        }
    }

    fn probe(&mut self, resource: ResourceId, node: NodeIndex) -> bool {
        match self.rsc(resource).variant {
            Variant::Primitive => self.probe_primitive(resource, node),
            Variant::Group => {
                let mut any = false;
                for member in self.rsc(resource).children.clone() {
                    any |= self.probe(member, node);
                }
                any
            }
            Variant::Clone => self.probe_clone(resource, node),
        }
    }

    fn probe_clone(&mut self, clone: ResourceId, node: NodeIndex) -> bool {
        let exclusive = self.rsc(clone).allowed.iter().any(|weight| weight.discovery == Discovery::Exclusive);
        if exclusive && self.rsc(clone).allowed[node.at()].discovery != Discovery::Exclusive {
            return false;
        }
        let instances = self.rsc(clone).children.clone();
        if self.rsc(clone).unique {
            let mut any = false;
            for instance in instances {
                any |= self.probe(instance, node);
            }
            return any;
        }
        let here = instances
            .iter()
            .copied()
            .find(|instance| self.assigned_nodes(*instance).contains(&node))
            .or_else(|| instances.first().copied());
        here.is_some_and(|instance| self.probe(instance, node))
    }

    fn probe_primitive(&mut self, resource: ResourceId, node: NodeIndex) -> bool {
        let known = self.rsc(resource);
        if known.orphan || !self.properties.probe || known.known_on.contains(&node) {
            return false;
        }
        let weight = known.allowed[node.at()];
        let exclusive = known.allowed.iter().any(|weight| weight.discovery == Discovery::Exclusive);
        if weight.discovery == Discovery::Never || exclusive && weight.discovery != Discovery::Exclusive {
            return false;
        }
        if known.lock_node.is_some_and(|lock| lock != node) {
            return false;
        }
        let running = known.running_on.contains(&node);
        let role = known.role;
        let probe = self.resource_action(resource, Task::Monitor, Some(node), false);
        if !running {
            self.act_mut(probe).target_rc = Some(7);
        } else if role == Role::Promoted {
            self.act_mut(probe).target_rc = Some(8);
        }
        self.act_mut(probe).optional = false;
        self.order_after_unfencing(resource, node, probe, relation::ORDERED);
        let top = self.clone_of(resource).unwrap_or(resource);
        if self.node(node).pending {
            // What a joining node runs is not known yet, and it cannot be asked: until then nothing starts that runs nowhere.
            self.act_mut(probe).runnable = false;
            for member in self.family(top) {
                let same = base_name(&self.rsc(member).id) == base_name(&self.rsc(resource).id);
                if same && self.rsc(member).running_on.is_empty() {
                    self.order(
                        End::Action(probe),
                        End::Task(member, Task::Start),
                        relation::UNRUNNABLE_FIRST_BLOCKS,
                    );
                }
            }
        }
        self.order(End::Action(probe), End::Task(top, Task::Start), relation::ORDERED);
        self.order(End::Action(probe), End::Task(top, Task::ReloadAgent), relation::ORDERED);
        true
    }

    pub(crate) fn is_probe(&self, action: crate::model::ActionId) -> bool {
        let action = self.act(action);
        action.task == Task::Monitor && action.interval_ms == 0
    }
}
