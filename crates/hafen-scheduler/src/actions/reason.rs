//! Why an action has to happen, or cannot.

use super::Task;
use crate::model::{ActionId, Cluster, ResourceId};

/// What an action lost because of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It is required, because the other one is.
    Optional,
    /// It cannot happen, because the other one cannot.
    Runnable,
    /// It cannot be part of a migration, because the other one is not.
    Migratable,
}

/// Why an action has to happen, or cannot. Worded only when somebody asks: most reasons are never read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Text(Box<str>),
    Because(Loss, ActionId),
    /// It would have to be with something that cannot be there.
    Colocation(ResourceId),
}

impl From<&str> for Reason {
    fn from(text: &str) -> Reason {
        Reason::Text(text.into())
    }
}

impl Cluster<'_> {
    /// Notes why an action has to happen, or cannot; the first reason stays unless another is more to the point.
    pub(crate) fn give_reason(&mut self, action: ActionId, reason: impl Into<Reason>, overwrite: bool) {
        let known = self.act_mut(action);
        if overwrite || known.reason.is_none() {
            known.reason = Some(reason.into());
        }
    }

    /// Notes that an action lost something because of another. Within a resource that goes without saying.
    pub(crate) fn blame(&mut self, action: ActionId, loss: Loss, other: ActionId) {
        if self.act(action).resource != self.act(other).resource {
            self.give_reason(action, Reason::Because(loss, other), false);
        }
    }

    /// An action's reason in words.
    pub(crate) fn reason_text(&self, action: ActionId) -> Option<String> {
        Some(match self.act(action).reason.as_ref()? {
            Reason::Text(text) => text.to_string(),
            Reason::Because(loss, other) => {
                let what = match loss {
                    Loss::Optional => "required",
                    Loss::Runnable => "unrunnable",
                    Loss::Migratable => "unmigrateable",
                };
                let known = self.act(*other);
                match known.resource {
                    Some(resource) => {
                        format!("{what} {} {}", self.rsc(resource).id, self.told_task(*other))
                    }
                    None => format!("{what} {}", self.told_task(*other)),
                }
            }
            Reason::Colocation(resource) => format!("colocation with {}", self.rsc(*resource).id),
        })
    }

    /// The name of an action's task; of what has no other name, its key.
    fn told_task(&self, action: ActionId) -> String {
        match self.act(action).task {
            Task::LoadStopped | Task::OneOrMore => self.key_of(action),
            task => self.task_name(task).to_owned(),
        }
    }
}
