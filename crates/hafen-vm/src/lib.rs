//! `pure` — virtual machines as users see them: a definition becomes a resource of the CIB and comes back from it, a
//! migration becomes the location constraint that `crm_resource --move` writes.
//!
//! Functions that change a [`hafen_cib::Cib`] leave its version alone: whoever commits the change raises it.

mod definition;
mod inventory;
mod movement;
mod sets;
mod until;

pub use definition::{DefinitionError, VmDefinition};
pub use hafen_scheduler::{Leftover, LeftoverKind, leftovers};
pub use inventory::{VirtualMachine, VmAgent, virtual_machine, virtual_machines};
pub use movement::{MoveError, clear_moves, move_to};
pub use sets::{ResourceError, TargetRole, remove_resource, set_target_role};
pub use until::{UntilError, format_until, parse_until};
