//! Corosyncs that die, stop, hang or are not there, and what else happens to real hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use hafen_protocol::conformance::{Cluster, History, check};
use hafen_protocol::quorum::QuorumJoiner;
use hafen_protocol::{Delivery, HostId, MemberId, Transmission, View};
use hafen_sys::Signal;

use crate::ENTRY;
use crate::net::{Net, NetSettings, PATIENCE, unable};
use crate::peers::{Peers, member};

/// A cluster, and everything that its daemons were told.
struct Observed {
    peers: Peers,
    history: History,
    views: BTreeMap<MemberId, View>,
    quorum: BTreeMap<MemberId, QuorumJoiner>,
    hosts: BTreeMap<MemberId, BTreeMap<HostId, String>>,
    lost: BTreeMap<MemberId, Vec<String>>,
    messages: BTreeMap<MemberId, usize>,
}

impl Observed {
    fn new(settings: NetSettings) -> Observed {
        Observed {
            peers: Peers::new(Net::new(settings), ENTRY),
            history: History::default(),
            views: BTreeMap::new(),
            quorum: BTreeMap::new(),
            hosts: BTreeMap::new(),
            lost: BTreeMap::new(),
            messages: BTreeMap::new(),
        }
    }

    /// All hosts are up, each with a daemon, and share a view with quorum.
    fn together(hosts: u32) -> Observed {
        let mut observed = Observed::new(NetSettings::hosts(hosts));
        for host in 1..=hosts {
            observed.peers.host_up(HostId(host));
        }
        for host in 1..=hosts {
            observed.peers.join(member(host, 1));
        }
        observed.wait_together(&(1..=hosts).map(|host| member(host, 1)).collect::<Vec<_>>());
        observed
    }

    fn look(&mut self, milliseconds: u64) {
        for (to, delivery) in self.peers.advance(milliseconds) {
            match &delivery {
                Delivery::View(view) => {
                    self.quorum.entry(to).or_default().view_changed(view);
                    self.views.insert(to, view.clone());
                }
                Delivery::Quorum { ring, quorate } => {
                    self.quorum.entry(to).or_default().quorum_changed(*ring, *quorate);
                }
                Delivery::Hosts(hosts) => {
                    self.hosts.insert(to, hosts.clone());
                }
                Delivery::Lost { reason } => {
                    self.quorum.entry(to).or_default().lost();
                    self.views.remove(&to);
                    self.lost.entry(to).or_default().push(reason.clone());
                }
                Delivery::Message { .. } => *self.messages.entry(to).or_default() += 1,
                Delivery::Stream { .. } => {}
            }
            self.history.delivered(to, delivery);
        }
    }

    fn wait(&mut self, what: &str, holds: impl Fn(&Observed) -> bool) {
        let begin = Instant::now();
        while !holds(self) {
            let late = begin.elapsed() > PATIENCE;
            assert!(
                !late,
                "never came about: {what}; views {:?}; lost {:?}\n{}",
                self.views,
                self.lost,
                self.peers.net.logs()
            );
            self.look(20);
        }
    }

    fn wait_together(&mut self, members: &[MemberId]) {
        let set: BTreeSet<MemberId> = members.iter().copied().collect();
        self.wait(&format!("{members:?} share a view with quorum"), |observed| {
            let first = members.first().and_then(|member| observed.views.get(member));
            first.is_some_and(|view| view.member_ids().collect::<BTreeSet<_>>() == set)
                && members.iter().all(|member| observed.views.get(member) == first)
                && members.iter().all(|member| observed.quorate(*member) == Some(true))
        });
    }

    fn quorate(&self, member: MemberId) -> Option<bool> {
        self.quorum.get(&member).and_then(QuorumJoiner::quorate)
    }

    fn last_loss(&self, member: MemberId) -> &str {
        self.lost.get(&member).and_then(|reasons| reasons.last()).map_or("", String::as_str)
    }

    fn wait_loss(&mut self, member: MemberId, words: &str) {
        self.wait(&format!("{member:?} hears of a loss: {words}"), |observed| {
            observed.last_loss(member).contains(words)
        });
    }

    fn check(&self) {
        check(&self.history).unwrap();
    }
}

#[test]
fn a_corosync_that_dies_or_is_stopped_is_named_and_comes_back() {
    if unable() {
        return;
    }
    let mut observed = Observed::together(3);
    let (one, two, three) = (member(1, 1), member(2, 1), member(3, 1));
    for (signal, words) in [(Signal::KILL, "has died"), (Signal::TERM, "was stopped")] {
        observed.peers.net.end_corosync(HostId(3), signal);
        observed.wait_loss(three, words);
        observed.wait_together(&[one, two]);
        observed.wait_loss(three, "does not run on this host: start it");
        observed.peers.net.start_corosync(HostId(3));
        observed.wait_together(&[one, two, three]);
    }
    // Back before the others have missed it: that it was away is not hidden.
    observed.peers.net.end_corosync(HostId(2), Signal::KILL);
    observed.peers.net.start_corosync(HostId(2));
    observed.wait("its end is told", |observed| {
        let words = observed.last_loss(two);
        words.contains("has died")
            || words.contains("was started anew")
            || words.contains("busy or still starting")
    });
    observed.wait_together(&[one, two, three]);
    observed.check();
}

#[test]
fn a_corosync_that_hangs_is_lost_until_it_moves() {
    if unable() {
        return;
    }
    let mut observed = Observed::together(3);
    let (one, two, three) = (member(1, 1), member(2, 1), member(3, 1));
    observed.peers.net.signal_corosync(HostId(3), Signal::STOP);
    observed.wait_loss(three, "does not answer");
    observed.wait_together(&[one, two]);
    observed.peers.net.signal_corosync(HostId(3), Signal::CONT);
    observed.wait_together(&[one, two, three]);
    observed.check();
}

#[test]
fn who_starts_before_its_corosync_waits_for_it() {
    if unable() {
        return;
    }
    let mut observed = Observed::new(NetSettings::hosts(1));
    let one = member(1, 1);
    observed.peers.net.boot(HostId(1));
    observed.peers.join(one);
    observed.wait_loss(one, "does not run on this host");
    observed.peers.net.start_corosync(HostId(1));
    observed.wait_together(&[one]);
    observed.check();
}

#[test]
fn a_daemon_of_another_host_is_told_so() {
    if unable() {
        return;
    }
    let mut observed = Observed::new(NetSettings::hosts(1));
    observed.peers.host_up(HostId(1));
    let stranger = member(2, 1);
    observed.peers.join_on(HostId(1), stranger);
    observed.wait_loss(stranger, "has nodeid 1, this daemon was started as host 2");
}

#[test]
fn the_node_list_is_told_and_its_changes() {
    if unable() {
        return;
    }
    let mut observed = Observed::new(NetSettings::hosts(3));
    observed.peers.net.write_configuration(1..=2);
    for host in 1..=2 {
        observed.peers.host_up(HostId(host));
        observed.peers.join(member(host, 1));
    }
    let (one, two) = (member(1, 1), member(2, 1));
    observed.wait_together(&[one, two]);
    let names = |hosts: u32| (1..=hosts).map(|host| (HostId(host), format!("host{host}"))).collect();
    let two_hosts: BTreeMap<HostId, String> = names(2);
    assert_eq!(observed.hosts.get(&one), Some(&two_hosts));
    let first = observed.history.of(one).iter().position(|delivery| matches!(delivery, Delivery::View(_)));
    let told = observed.history.of(one).iter().position(|delivery| matches!(delivery, Delivery::Hosts(_)));
    assert!(told < first, "before the first view");
    // A third host joins by a reload.
    observed.peers.net.write_configuration(1..=3);
    observed.peers.net.run(HostId(1), "corosync-cfgtool", &["-R"]);
    let three_hosts: BTreeMap<HostId, String> = names(3);
    observed.wait("both know three hosts", |observed| {
        [one, two].iter().all(|member| observed.hosts.get(member) == Some(&three_hosts))
    });
    observed.peers.host_up(HostId(3));
    observed.peers.join(member(3, 1));
    observed.wait_together(&[one, two, member(3, 1)]);
    observed.check();
}

#[test]
fn one_alone_proceeds_without_hosts_that_a_human_has_proven_off() {
    if unable() {
        return;
    }
    let quorum = "  wait_for_all: 1\n".to_owned();
    let mut observed = Observed::new(NetSettings { quorum, ..NetSettings::hosts(3) });
    let one = member(1, 1);
    observed.peers.host_up(HostId(1));
    observed.peers.join(one);
    observed.wait("one is alone without quorum", |observed| observed.quorate(one) == Some(false));
    let without = [HostId(2), HostId(3)].into();
    observed.peers.transmit(one, Transmission::ProceedWithout(without));
    observed.wait_together(&[one]);
    // Those who come after all are welcome, and quorum stays.
    observed.peers.host_up(HostId(2));
    observed.peers.join(member(2, 1));
    observed.wait_together(&[one, member(2, 1)]);
    observed.check();
}

#[test]
fn two_nodes_proceed_when_the_wait_for_all_is_cancelled() {
    if unable() {
        return;
    }
    let quorum = "  two_node: 1\n".to_owned();
    let mut observed = Observed::new(NetSettings { quorum, ..NetSettings::hosts(2) });
    let one = member(1, 1);
    observed.peers.host_up(HostId(1));
    observed.peers.join(one);
    observed.wait("one waits for the other", |observed| observed.quorate(one) == Some(false));
    observed.peers.transmit(one, Transmission::ProceedWithout([HostId(2)].into()));
    observed.wait_together(&[one]);
    observed.check();
}

#[test]
fn five_hosts_at_once() {
    if unable() {
        return;
    }
    let mut observed = Observed::together(5);
    let all: Vec<MemberId> = (1..=5).map(|host| member(host, 1)).collect();
    observed.peers.partition(&[[1, 2, 3].map(HostId).into(), [4, 5].map(HostId).into()]);
    observed.wait_together(&all[..3]);
    observed.peers.heal();
    observed.wait_together(&all);
    observed.check();
}

#[test]
fn a_daemon_comes_and_goes_fifty_times() {
    if unable() {
        return;
    }
    let mut observed = Observed::together(2);
    let (one, mut two) = (member(1, 1), member(2, 1));
    for run in 2..=50 {
        observed.peers.transmit(one, Transmission::Multicast(format!("a {run}").into_bytes()));
        if run % 2 == 0 {
            observed.peers.transmit(two, Transmission::Leave);
        } else {
            observed.peers.kill(two);
        }
        two = member(2, run);
        observed.peers.join(two);
        observed.wait_together(&[one, two]);
        observed.peers.transmit(two, Transmission::Multicast(format!("b {run}").into_bytes()));
        let all = 2 * usize::try_from(run - 1).unwrap();
        observed.wait("the survivor has all messages", |observed| observed.messages.get(&one) == Some(&all));
    }
    observed.check();
}

#[test]
fn a_thousand_messages_a_second() {
    const TOTAL: usize = 3000;
    if unable() {
        return;
    }
    let mut observed = Observed::together(3);
    let begin = Instant::now();
    for number in 0..TOTAL {
        let from = member(u32::try_from(number % 3).unwrap() + 1, 1);
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.resize(1024, 7);
        observed.peers.transmit(from, Transmission::Multicast(bytes));
    }
    observed.wait("all have all", |observed| {
        (1..=3).all(|host| observed.messages.get(&member(host, 1)) == Some(&TOTAL))
    });
    let rate = 1000 * TOTAL as u128 / begin.elapsed().as_millis().max(1);
    println!("{TOTAL} messages of 1 KiB to three members: {rate} a second");
    observed.check();
}
