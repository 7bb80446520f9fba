//! Notifications of clones (joints only where a clone asks for them).

use crate::model::{Cluster, ResourceId};

impl<'a> Cluster<'a> {
    /// Clones with `notify=true` tell their instances before and after each change.
    pub(crate) fn create_notifications(&mut self, clone: ResourceId) {
        if !self.rsc(clone).notify {
            return;
        }
        let id = self.rsc(clone).id.clone();
        self.warnings.push(format!("{id} asks for notifications, which are not planned yet"));
    }
}
