//! The coordinator makes the changes of the configuration, against the state as it is. What is asked for while one is on
//! its way comes together in the next one: so many clients cost no more messages and syncs than one (group commit).

use std::collections::VecDeque;

use hafen_cib::acl::{self, User};
use hafen_cib::{Cib, Patchset, Version};
use hafen_protocol::MemberId;
use hafen_protocol::client::{Edit, Failure};
use hafen_protocol::message::{Asker, Asking, Change, ChangeAsked, Lineage, Message};

use super::changes::no_quorum;
use super::{Node, access};
use crate::edits;

/// At most so many requests come together in one change.
const TOGETHER_MAXIMUM: usize = 64;
/// Requests come together while their edits are not longer than this.
const TOGETHER_BYTES_MAXIMUM: usize = 256 << 10;
/// At most so many origins of a change are named.
const ORIGINS_MAXIMUM: usize = 4;

/// What somebody waits for.
#[derive(Debug)]
struct Asked {
    member: MemberId,
    request: u64,
    asking: Asking,
}

/// What the coordinator was asked for and has not made.
#[derive(Debug, Default)]
pub(super) struct Making {
    queue: VecDeque<Asked>,
    /// How many at the front of the queue are in a change that is on its way.
    under_way: usize,
}

/// Which request of several it was that failed; nothing where only all together tell.
type Fault = (Option<usize>, Failure);

impl Node {
    /// A member asks for a change. One that asks a coordinator of before asks again.
    pub(super) fn change_asked(&mut self, member: MemberId, asked: ChangeAsked) {
        if self.is_coordinator() && asked.succession == self.membership.successions {
            let ChangeAsked { request, asking, .. } = asked;
            self.making.queue.push_back(Asked { member, request, asking });
        }
    }

    /// An own change came back in the total order. Where another one of this member's came first, it is made anew.
    pub(super) fn change_came_back(&mut self, answers: &[(MemberId, u64)], applied: bool) {
        if answers.is_empty() {
            return;
        }
        if applied {
            self.making.queue.drain(..self.making.under_way);
        }
        self.making.under_way = 0;
    }

    /// Makes the next change, when none is on its way.
    pub(super) fn step_making(&mut self) {
        while self.making.under_way == 0 && !self.making.queue.is_empty() && self.is_coordinator() {
            let forced = self.quorum.quorate() == Some(false);
            if !(forced || self.membership.term_open) {
                return;
            }
            let answer = match self.make_together(forced) {
                (count, Ok(Some(change))) => {
                    if !self.say(&Message::Change(Box::new(change))) {
                        return;
                    }
                    self.making.under_way = count;
                    continue;
                }
                (_, Ok(None)) => None,
                (_, Err(failure)) => Some(failure),
            };
            if !self.answer_front(answer) {
                return;
            }
        }
    }

    /// Answers the first request. False: there is no room for that now.
    fn answer_front(&mut self, failure: Option<Failure>) -> bool {
        let Some(&Asked { member, request, .. }) = self.making.queue.front() else { return false };
        if member == self.me() {
            self.change_answered(request, failure);
        } else if !self.say(&Message::ChangeAnswered { member, request, failure }) {
            return false;
        }
        self.making.queue.pop_front();
        true
    }

    /// A change with as many requests as go together, and how many they are; what fails comes to be the first of its own.
    fn make_together(&self, forced: bool) -> (usize, Result<Option<Change>, Failure>) {
        let mut bytes = 0;
        let fits = |asked: &&Asked| {
            bytes += asked.asking.edits.iter().map(length).sum::<usize>();
            bytes <= TOGETHER_BYTES_MAXIMUM
        };
        let fitting = self.making.queue.iter().take(TOGETHER_MAXIMUM).take_while(fits).count();
        let mut count = fitting.max(1);
        loop {
            match self.make(count, forced) {
                Ok(change) => return (count, Ok(change)),
                Err((_, failure)) if count == 1 => return (1, Err(failure)),
                Err((at, _)) => count = at.unwrap_or(count / 2).max(1),
            }
        }
    }

    /// The change that the first requests lead to; nothing where they change nothing.
    fn make(&self, count: usize, forced: bool) -> Result<Option<Change>, Fault> {
        let base = self.replica.cib();
        let mut next = base.clone();
        for (at, asked) in self.making.queue.iter().take(count).enumerate() {
            next = self.edited(next, asked, forced).map_err(|failure| (Some(at), failure))?;
        }
        let version = next.version();
        next.set_version(Version { admin_epoch: version.admin_epoch, ..base.version() });
        if next.refresh_digest() == self.replica.digest() {
            return Ok(None);
        }
        next.set_version(version);
        edits::check(base, &next).map_err(|failure| (None, failure))?;
        let patchset = Patchset::diff(base, &next);
        let result_digest = next.refresh_digest();
        let mut proof = base.clone();
        if patchset.apply(&mut proof).is_err() || proof.refresh_digest() != result_digest {
            return Err((None, unwritable()));
        }
        let term = self.membership.term.map_or(0, |(term, _)| term);
        let asked = || self.making.queue.iter().take(count);
        Ok(Some(Change {
            answers: asked().map(|asked| (asked.member, asked.request)).collect(),
            lineage: if forced { self.replica.lineage } else { Lineage { term, host: self.me().host.0 } },
            base_digest: self.replica.digest().to_string(),
            patchset: Some(patchset.to_xml()),
            result_digest,
            hosts: None,
            without_quorum: forced,
            origin: self.origins(asked()),
            wall_ms: self.now.wall_ms,
        }))
    }

    /// The configuration with what one request asks for, and the next epoch: an edit that is made against a version (`Edit::Patch`)
    /// then fails where another came first.
    fn edited(&self, before: Cib, asked: &Asked, forced: bool) -> Result<Cib, Failure> {
        let Asked { member, asking, .. } = asked;
        if forced && !asking.without_quorum {
            return Err(no_quorum());
        }
        let user = asking.user.as_ref().map(user);
        let restricted = user.as_ref().filter(|user| acl::applies(&before, user));
        let mut next = before.clone();
        match restricted {
            Some(_) => edits::apply(&mut next, &access::of_a_part(&asking.edits))?,
            None => edits::apply(&mut next, &asking.edits)?,
        }
        let mut next = super::without_status(next);
        if let Some(user) = restricted {
            acl::allowed(&before, &next, user).map_err(|denied| access::refused(&denied))?;
        }
        edits::ensure_nodes(&mut next, &self.replica.configured);
        sign(asking, &mut next, &before, &self.replica.uname(member.host));
        let Version { admin_epoch, .. } = next.version();
        next.set_version(Version { admin_epoch, epoch: before.version().epoch + 1, num_updates: 0 });
        Ok(next)
    }

    /// Who asked, and where, for the record.
    fn origins<'a>(&self, asked: impl Iterator<Item = &'a Asked>) -> String {
        let mut origins: Vec<String> = Vec::new();
        for Asked { member, asking, .. } in asked {
            let origin = format!("{} on {}", asking.origin, self.replica.uname(member.host));
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        let more = origins.len().saturating_sub(ORIGINS_MAXIMUM);
        origins.truncate(ORIGINS_MAXIMUM);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        format!("{}{more}", origins.join(", "))
    }
}

/// Writes into the CIB who changed it last, when and where, as Pacemaker does: no digest counts that. Without a time of the
/// client's it stays as it was, whatever the client wrote there.
fn sign(asking: &Asking, cib: &mut Cib, before: &Cib, uname: &str) {
    let Some(written) = &asking.written else { return cib.sign_as(before) };
    let (said, client) = asking.origin.split_once(": ").unwrap_or(("", &asking.origin));
    let user = asking.user.as_ref().map_or(said, |user| user.name.as_str());
    cib.sign(written, uname, client, user);
}

fn user(asker: &Asker) -> User {
    User { name: asker.name.clone(), groups: asker.groups.clone() }
}

/// How long an edit is, nearly.
fn length(edit: &Edit) -> usize {
    match edit {
        Edit::ReplaceAll { xml } | Edit::Patch { xml } | Edit::Create { xml, .. } | Edit::Put { xml, .. } => {
            xml.len()
        }
        Edit::Delete { .. }
        | Edit::Property { .. }
        | Edit::ResourceMeta { .. }
        | Edit::NodeAttribute { .. } => size_of::<Edit>(),
    }
}

fn unwritable() -> Failure {
    let message = "the change cannot be written as a patchset that leads to it".to_string();
    Failure { kind: "invalid".into(), message, mend: "make it in smaller steps".into() }
}
