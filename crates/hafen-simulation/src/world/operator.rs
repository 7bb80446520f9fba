//! The human beside the cluster: reads the status now and then, and where it asks for a word about a host that is lost,
//! goes to see that the host has no power, and gives it.

use hafen_protocol::client::{Request, StatusReport};
use hafen_protocol::{HostId, MemberId};

use super::{Happening, World};
use crate::dice::{Bounds, bounds};
use crate::situations::Situation;

use hafen_node::Input;

/// The number of an operator's request for a status.
pub(super) const LOOK_REQUEST: u64 = u64::MAX - 3;
/// The number of an operator's word; nobody waits for its answer.
const WORD_REQUEST: u64 = u64::MAX - 4;
/// How often an operator looks, in milliseconds.
const LOOKS_MS: Bounds = bounds(40_000, 90_000);
/// How long a host must have been without power before a human believes it, in microseconds.
const WITHOUT_POWER_US: u64 = 60_000_000;

/// What a status may ask of a human, with what it names the command.
const WORDS: [(&str, Word); 2] = [("proceed-without ", Word::Proceed), ("fence confirm ", Word::Confirm)];

#[derive(Clone, Copy)]
enum Word {
    Proceed,
    Confirm,
}

impl World {
    /// The operator looks at some host's status.
    pub(super) fn operator_looks(&mut self) {
        let ms = self.dice.within(LOOKS_MS);
        self.after_ms(ms, Happening::OperatorLooks);
        let daemons: Vec<MemberId> = self.hosts.values().filter_map(|host| host.member()).collect();
        let Some(&to) = self.dice.pick(&daemons) else { return };
        self.feed(to, Input::Client { request: LOOK_REQUEST, body: Request::Status });
    }

    /// What the operator reads, and does about it.
    pub(super) fn operator_reads(&mut self, at: MemberId, report: &StatusReport) {
        let lines = report.waiting_for.iter().chain(&report.warnings).chain(&report.fencings);
        let asked: Vec<(Word, HostId)> = lines.flat_map(|line| self.asked_in(line)).collect();
        for (word, host) in asked {
            if !self.is_dead(host) {
                continue;
            }
            let (host_name, origin) = (crate::configuration::uname(host.0), "operator".to_owned());
            let (text, body) = match word {
                Word::Proceed => ("proceeds without", Request::ProceedWithout { host: host_name, origin }),
                Word::Confirm => ("confirms the end of", Request::ConfirmOff { host: host_name, origin }),
            };
            self.note(Some(at.host), format_args!("an operator {text} host{host}"));
            self.reach(Situation::OperatorProceeds);
            self.human_word_given(at.host);
            self.feed(at, Input::Client { request: WORD_REQUEST, body });
        }
    }

    fn asked_in(&self, line: &str) -> Vec<(Word, HostId)> {
        let mut asked = Vec::new();
        for (command, word) in WORDS {
            for (at, _) in line.match_indices(command) {
                let rest = &line[at + command.len()..];
                let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next();
                let host = self.hosts.values().find(|host| Some(host.uname.as_str()) == name);
                asked.extend(host.map(|host| (word, host.id)));
            }
        }
        asked
    }

    /// Whether a human who goes there finds the host without power, for good as far as he can see.
    fn is_dead(&self, id: HostId) -> bool {
        let host = self.hosts.get(&id);
        host.is_some_and(|host| !host.powered && host.dark_us + WITHOUT_POWER_US < self.now_us)
    }

    /// From now on the hosts of this part may fence, and nothing is claimed that another part may have gone on with.
    fn human_word_given(&mut self, at: HostId) {
        self.word_given = true;
        let ring = self.quorum.ring(at);
        let ids: Vec<HostId> = self
            .hosts
            .keys()
            .copied()
            .filter(|&id| id == at || (ring.is_some() && self.quorum.ring(id) == ring))
            .collect();
        for id in ids {
            if let Some(host) = self.hosts.get_mut(&id) {
                host.may_fence = true;
            }
        }
    }
}
