//! Messages in a view: pieces of them out and in.

use hafen_protocol::view::MESSAGE_BYTES_MAXIMUM;
use hafen_protocol::{Delivery, MemberId, Now};

use super::super::packet::{Data, pieces};
use super::{Address, Group, LEFT_OUT_PAUSE_MS, Output};

/// A message of which pieces are missing.
#[derive(Debug)]
pub(super) struct Partial {
    number: u64,
    next: u32,
    count: u32,
    body: Vec<u8>,
}

impl Group {
    pub(super) fn data(&mut self, from: Address, data: Data<'_>) {
        let Some(current) = &mut self.current else { return };
        if current.over
            || current.token != data.token
            || current.addresses.get(&from.host) != Some(&from.process)
        {
            return;
        }
        if data.index == 0 {
            let partial = Partial { number: data.number, next: 0, count: data.count, body: Vec::new() };
            self.partial.insert(from.host, partial);
        }
        let Some(partial) = self.partial.get_mut(&from.host) else { return };
        let fits = (partial.number, partial.next, partial.count) == (data.number, data.index, data.count)
            && partial.body.len() + data.piece.len() <= MESSAGE_BYTES_MAXIMUM;
        if !fits {
            self.partial.remove(&from.host);
            return;
        }
        partial.body.extend_from_slice(data.piece);
        partial.next += 1;
        if partial.next < partial.count {
            return;
        }
        let bytes = self.partial.remove(&from.host).map(|partial| partial.body).unwrap_or_default();
        let Some(&incarnation) = current.view.members.get(&from.host) else { return };
        current.count += 1;
        current.digest = mix(current.digest, u64::from(from.host.0) << 32 ^ data.number);
        let from = MemberId { host: from.host, incarnation };
        self.outputs.push_back(Output::Deliver(Delivery::Message { from, bytes }));
    }

    pub(super) fn send(&mut self, now: Now, message: Vec<u8>) {
        let Some(current) = &self.current else { return };
        let waits = current.over || self.attempt.as_ref().is_some_and(|attempt| attempt.greeted);
        if message.len() > MESSAGE_BYTES_MAXIMUM {
            self.lose("this daemon sent a message longer than the bus allows");
            self.want(now, LEFT_OUT_PAUSE_MS);
        } else if waits || self.holds_data() {
            self.held_bytes += message.len();
            self.held.push_back(message);
        } else {
            self.cast(&message);
        }
    }

    pub(super) fn cast(&mut self, message: &[u8]) {
        let Some(current) = &self.current else { return };
        self.last_number += 1;
        let packets = pieces(current.token, self.last_number, message);
        self.outputs.extend(packets.into_iter().map(Output::Cast));
    }
}

/// FNV-1a of 64 bits.
fn mix(digest: u64, value: u64) -> u64 {
    let start = if digest == 0 { 0xcbf2_9ce4_8422_2325 } else { digest };
    value
        .to_be_bytes()
        .iter()
        .fold(start, |digest, &byte| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
