//! Clients at work.

use hafen_node::Input;
use hafen_protocol::MemberId;

use super::{Happening, World};
use crate::dice::bounds;
use crate::options::CLIENT_EVERY_MS;

/// How often clients look whether a standby is left over, when nothing else is to do, in milliseconds.
const LEFTOVERS_EVERY_MS: u64 = 10_000;

impl World {
    /// A client asks for a change at some daemon.
    pub(super) fn client_acts(&mut self) {
        let ms = if self.quiet { LEFTOVERS_EVERY_MS } else { self.dice.within(CLIENT_EVERY_MS) };
        self.after_ms(ms, Happening::Client);
        let daemons: Vec<MemberId> = self.hosts.values().filter_map(|host| host.member()).collect();
        let Some(&to) = self.dice.pick(&daemons) else { return };
        let now_us = self.now_us;
        let movable = &self.options.configuration.movable;
        let drawn = if self.quiet {
            self.clients.end_standby(to, now_us)
        } else {
            self.clients.draw(to, self.options.hosts + self.joined, movable, now_us)
        };
        let Some((request, body)) = drawn else { return };
        self.note(Some(to.host), format_args!("client {request} asks: {body:?}"));
        self.feed(to, Input::Client { request, body });
        if self.dice.chance(30) {
            // The client has gone away; what it asked for may still come about.
            let ms = self.dice.within(bounds(0, 2_000));
            self.after_ms(ms, Happening::ClientGone(to, request));
        }
    }

    /// A client has gone away.
    pub(super) fn client_gone(&mut self, to: MemberId, request: u64) {
        let now_us = self.now_us;
        if self.clients.answered(to, request, None, now_us).is_some() {
            self.feed(to, Input::ClientGone { request });
        }
    }

    /// A daemon answers a client.
    pub(super) fn client_answered(
        &mut self,
        from: MemberId,
        request: u64,
        outcome: Option<bool>,
        word: &str,
    ) {
        let now_us = self.now_us;
        if let Some(pending) = self.clients.answered(from, request, outcome, now_us) {
            let waited_ms = (now_us - pending.asked_us) / 1_000;
            self.note(
                Some(from.host),
                format_args!("client {request} is answered after {waited_ms} ms: {word}"),
            );
        }
    }
}
