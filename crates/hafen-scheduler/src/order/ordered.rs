//! The effect of one kind of relation on two actions, and on what they stand for.

use super::flags::Flags;
use super::relation::{
    ASYMMETRIC, FIRST_ELSE_THEN, FIRST_IMPLIES_THEN, INTERMEDIATE_STOP, PROMOTED_THEN_IMPLIES_FIRST,
    THEN_IMPLIES_FIRST, UNMIGRATABLE_THEN_BLOCKS, UNRUNNABLE_FIRST_BLOCKS,
};
use super::update::Changed;
use crate::actions::Loss;
use crate::model::{ActionId, Cluster, NodeIndex, ResourceId, Role, Task, Variant};

impl Cluster<'_> {
    /// Applies one kind of relation: to the actions themselves, and to those of the parts of `then`'s resource. `flags` are
    /// first's, as `then` sees them.
    pub(crate) fn update_ordered(
        &mut self,
        first: ActionId,
        then: ActionId,
        node: Option<NodeIndex>,
        flags: Flags,
        kind: u32,
    ) -> Changed {
        // What `then` asks of `first` is the business of first's resource.
        let asks = if kind == THEN_IMPLIES_FIRST { first } else { then };
        let variant = self.act(asks).resource.map_or(Variant::Primitive, |asked| self.rsc(asked).variant);
        let Some(resource) = self.act(then).resource else { return Changed::default() };
        match variant {
            Variant::Primitive => self.update_alone(first, then, flags, kind),
            Variant::Group => self.update_group(first, then, resource, node, flags, kind),
            Variant::Clone if self.can_interleave(first, then) => {
                self.update_interleaved(first, then, node, kind)
            }
            Variant::Clone => self.update_instances(first, then, resource, node, flags, kind),
        }
    }

    fn update_group(
        &mut self,
        first: ActionId,
        then: ActionId,
        group: ResourceId,
        node: Option<NodeIndex>,
        flags: Flags,
        kind: u32,
    ) -> Changed {
        let mut changed = self.update_alone(first, then, flags, kind);
        let task = self.act(then).task;
        for at in 0..self.rsc(group).children.len() {
            let member = self.rsc(group).children[at];
            if let Some(part) = self.first_action(member, task, node) {
                changed.merge(self.update_part(first, part, node, flags, kind));
            }
        }
        changed
    }

    fn update_instances(
        &mut self,
        first: ActionId,
        then: ActionId,
        clone: ResourceId,
        node: Option<NodeIndex>,
        flags: Flags,
        kind: u32,
    ) -> Changed {
        let mut changed = self.update_alone(first, then, flags, kind);
        let task = self.act(then).task;
        for at in 0..self.rsc(clone).children.len() {
            let instance = self.rsc(clone).children[at];
            let Some(part) = self.first_action(instance, task, node) else { continue };
            if !self.flags_of(part, node).runnable {
                continue;
            }
            let part_changed = self.update_part(first, part, node, flags, kind);
            changed.merge(part_changed);
            if part_changed.then {
                self.look_again_after(part);
            }
        }
        changed
    }

    fn update_part(
        &mut self,
        first: ActionId,
        part: ActionId,
        node: Option<NodeIndex>,
        flags: Flags,
        kind: u32,
    ) -> Changed {
        let variant = self.act(part).resource.map_or(Variant::Primitive, |owner| self.rsc(owner).variant);
        let changed = match (variant, self.act(part).resource) {
            (Variant::Group, Some(group)) => self.update_group(first, part, group, node, flags, kind),
            _ => self.update_alone(first, part, flags, kind),
        };
        if changed.then {
            self.look_again_at(part);
            self.look_again_after(part);
        }
        changed
    }

    /// Applies one kind of relation to two actions alone.
    pub(crate) fn update_alone(
        &mut self,
        first: ActionId,
        then: ActionId,
        flags: Flags,
        kind: u32,
    ) -> Changed {
        let (first_was, then_was) = (self.state(first), self.state(then));
        match kind {
            ASYMMETRIC => self.apply_asymmetric(first, then),
            THEN_IMPLIES_FIRST if !self.act(then).optional => {
                if !flags.optional {
                    self.lose(first, Loss::Optional, then);
                }
                if !self.act(then).migratable {
                    self.lose(first, Loss::Migratable, then);
                }
            }
            PROMOTED_THEN_IMPLIES_FIRST if !self.act(then).optional && self.is_promoted(then) => {
                self.require_first(first, then);
            }
            UNMIGRATABLE_THEN_BLOCKS => {
                let known = self.act(then);
                let (possible, optional) = (known.migratable && known.runnable, known.optional);
                if !possible {
                    self.lose(first, Loss::Runnable, then);
                }
                if !optional {
                    self.lose(first, Loss::Optional, then);
                }
            }
            FIRST_ELSE_THEN if !self.act(first).runnable => {
                self.lose(then, Loss::Migratable, first);
                self.act_mut(then).pseudo = false;
            }
            UNRUNNABLE_FIRST_BLOCKS if self.act(then).runnable && !flags.runnable => {
                self.lose(then, Loss::Runnable, first);
                self.lose(then, Loss::Migratable, first);
            }
            FIRST_IMPLIES_THEN if !flags.optional && !self.act(first).migratable => {
                self.lose(then, Loss::Optional, first);
            }
            INTERMEDIATE_STOP => self.apply_restart(first, then),
            _ => {}
        }
        let changed = Changed { first: first_was != self.state(first), then: then_was != self.state(then) };
        if changed.then {
            self.look_again_at(then);
        }
        if changed.first {
            self.look_again_at(first);
        }
        changed
    }

    fn state(&self, action: ActionId) -> (bool, bool, bool, bool) {
        let known = self.act(action);
        (known.optional, known.runnable, known.migratable, known.pseudo)
    }

    /// Takes something from an action because of another one, which is then the reason.
    pub(crate) fn lose(&mut self, action: ActionId, loss: Loss, other: ActionId) {
        let known = self.act_mut(action);
        let flag = match loss {
            Loss::Optional => &mut known.optional,
            Loss::Runnable => &mut known.runnable,
            Loss::Migratable => &mut known.migratable,
        };
        if std::mem::replace(flag, false) {
            self.blame(action, loss, other);
        }
    }

    fn is_promoted(&self, action: ActionId) -> bool {
        self.act(action).resource.is_some_and(|resource| self.rsc(resource).role == Role::Promoted)
    }

    /// What is required needs what comes before it. A migration cannot come before what is none.
    fn require_first(&mut self, first: ActionId, then: ActionId) {
        self.lose(first, Loss::Optional, then);
        if !self.act(then).migratable {
            self.lose(first, Loss::Migratable, then);
        }
    }

    /// A stop between two starts: where the second start is required, or is not possible, the stop is required.
    fn apply_restart(&mut self, first: ActionId, then: ActionId) {
        let known = self.act(then);
        let managed = known.resource.is_some_and(|resource| self.rsc(resource).managed);
        let required = !known.optional;
        let impossible = known.task == Task::Start && !known.runnable && managed;
        if !required && !impossible {
            return;
        }
        let migratable = known.migratable;
        if required || self.act(first).runnable {
            self.lose(first, Loss::Optional, then);
        }
        if !migratable {
            self.lose(first, Loss::Migratable, then);
        }
        let known = self.act(first);
        if !known.optional && !known.runnable {
            self.lose(then, Loss::Runnable, first);
        }
    }

    /// In one direction only: what is already as it should be is left alone.
    fn apply_asymmetric(&mut self, first: ActionId, then: ActionId) {
        if self.act(first).runnable {
            return;
        }
        let known = self.act(then);
        let Some(resource) = known.resource else { return };
        let resource = self.rsc(resource);
        let settled = match known.task {
            Task::Stop => resource.role == Role::Stopped,
            Task::Start => {
                resource.role.is_active()
                    && known.optional
                    && resource.running_on.len() == 1
                    && resource.running_on.first().copied() == known.node
            }
            _ => false,
        };
        if !settled {
            self.lose(then, Loss::Optional, first);
            self.lose(then, Loss::Runnable, first);
        }
    }
}
