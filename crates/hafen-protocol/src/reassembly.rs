//! Putting fragments together again, for each sender.

use std::collections::BTreeMap;

use crate::frame::{FRAGMENT_BYTES_MAXIMUM, Fragment, GarbageError};
use crate::transport::WHOLE_MESSAGE_BYTES_MAXIMUM;
use crate::view::MemberId;

/// Unfinished messages of all senders together hold at most this many bytes (256 MiB).
pub const REASSEMBLY_BYTES_MAXIMUM: usize = 4 * WHOLE_MESSAGE_BYTES_MAXIMUM;

/// No message needs more fragments.
#[expect(clippy::cast_possible_truncation, reason = "64 MiB / 1 MiB")]
const FRAGMENTS_MAXIMUM: u32 = WHOLE_MESSAGE_BYTES_MAXIMUM.div_ceil(FRAGMENT_BYTES_MAXIMUM) as u32;

/// Unfinished messages, one for each sender at most. What it holds follows from the delivered frames alone, so all
/// members of a view drop the same messages.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    partial: BTreeMap<MemberId, Partial>,
    bytes: usize,
}

#[derive(Debug)]
struct Partial {
    number: u64,
    count: u32,
    next_index: u32,
    body: Vec<u8>,
}

impl Reassembly {
    /// Forgets all unfinished messages.
    pub(crate) fn clear(&mut self) {
        self.partial.clear();
        self.bytes = 0;
    }

    /// Adds a frame; gives the message's bytes when they are complete. A fragment whose beginning was never seen (it
    /// came before the view changed) is passed over without an error.
    pub(crate) fn add(&mut self, from: MemberId, bytes: &[u8]) -> Result<Option<Vec<u8>>, GarbageError> {
        let fragment = match Fragment::parse(bytes) {
            Ok(fragment) => fragment,
            Err(error) => {
                self.forget(from);
                return Err(error);
            }
        };
        let (index, count) = (fragment.index, fragment.count);
        if count > FRAGMENTS_MAXIMUM {
            self.forget(from);
            return Err(GarbageError::Header { index, count, bytes: fragment.payload.len() });
        }
        if index == 0 {
            self.forget(from);
            if count == 1 {
                return Ok(Some(fragment.payload.to_vec()));
            }
            self.partial
                .insert(from, Partial { number: fragment.number, count, next_index: 0, body: Vec::new() });
        }
        self.append(from, fragment)
    }

    fn append(&mut self, from: MemberId, fragment: Fragment<'_>) -> Result<Option<Vec<u8>>, GarbageError> {
        let Some(partial) = self.partial.get_mut(&from) else { return Ok(None) };
        if (partial.number, partial.next_index, partial.count)
            != (fragment.number, fragment.index, fragment.count)
        {
            // The order of the bus forbids it: nothing of this sender's can be trusted until its next beginning.
            return self.contradiction(from, fragment);
        }
        if self.bytes + fragment.payload.len() > REASSEMBLY_BYTES_MAXIMUM {
            self.forget(from);
            return Err(GarbageError::TooMuch(REASSEMBLY_BYTES_MAXIMUM));
        }
        partial.body.extend_from_slice(fragment.payload);
        partial.next_index += 1;
        self.bytes += fragment.payload.len();
        if partial.next_index < partial.count {
            return Ok(None);
        }
        Ok(self.forget(from))
    }

    fn contradiction(
        &mut self,
        from: MemberId,
        fragment: Fragment<'_>,
    ) -> Result<Option<Vec<u8>>, GarbageError> {
        let expected = self.partial.get(&from).map_or(0, |partial| partial.next_index);
        self.forget(from);
        Err(GarbageError::Sequence { number: fragment.number, index: fragment.index, expected })
    }

    fn forget(&mut self, from: MemberId) -> Option<Vec<u8>> {
        let partial = self.partial.remove(&from)?;
        self.bytes -= partial.body.len();
        Some(partial.body)
    }
}
