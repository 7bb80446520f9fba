//! Snapshots.

use hafen_protocol::client::FenceOutcome;
use hafen_screen::{Act, Answer, Screen, View};
use insta::assert_snapshot;

use crate::cluster::{Cluster, event, host};
use crate::{press, screen_of, seen};

fn with_events(screen: &mut Screen) {
    for (number, kind, subject, text, cause) in [
        (1, "view", "", "the cluster's members are host1 host3", "the view changed"),
        (2, "host-lost", "host2", "host2 is unclean", "it left the view"),
        (3, "fence-start", "host2", "host1 fences it", "it left the view"),
        (4, "fence-result", "host2", "reboot of host2 succeeded", "switch, 2000 ms"),
    ] {
        screen.happened(event(number, kind, subject, text, cause));
    }
}

fn lost() -> Cluster {
    let mut cluster = Cluster::healthy();
    cluster.lose("host2");
    cluster
}

fn failed() -> Cluster {
    let mut cluster = Cluster::healthy();
    let output = "db: connecting to 127.0.0.1:5432\ndb: could not connect: Connection refused\n";
    cluster.failed("db", "host1", "the database does not answer", output);
    cluster
}

#[test]
fn nothing_has_been_seen_yet() {
    assert_snapshot!(seen(&Screen::new(View::default()), 80, 10));
}

#[test]
fn a_healthy_cluster() {
    let mut screen = screen_of(&Cluster::healthy());
    screen.happened(event(1, "settled", "", "nothing is left to do", "transition 3 ended"));
    assert_snapshot!(seen(&screen, 80, 24));
}

#[test]
fn a_healthy_cluster_on_other_terminals() {
    let screen = screen_of(&Cluster::healthy());
    assert_snapshot!("a_healthy_cluster_40x12", seen(&screen, 40, 12));
    assert_snapshot!("a_healthy_cluster_120x40", seen(&screen, 120, 40));
    assert_snapshot!("too_small", seen(&screen, 30, 8));
}

#[test]
fn a_host_is_lost_and_being_fenced() {
    let mut cluster = lost();
    cluster.fencing("host2", FenceOutcome::Pending, None);
    cluster.transition(2, Some(12), &["fencing of host2 (reboot)"]);
    let mut screen = screen_of(&cluster);
    with_events(&mut screen);
    assert_snapshot!(seen(&screen, 80, 24));
    assert_snapshot!("a_host_is_lost_40x12", seen(&screen, 40, 12));
}

#[test]
fn a_host_was_fenced() {
    let mut cluster = lost();
    cluster.status.hosts[1] = host("host2", "offline", "it is proven off");
    cluster.forget("mail");
    cluster.pending("mail", "start", "host3");
    cluster.fencing("host2", FenceOutcome::Succeeded, None);
    cluster.transition(9, Some(12), &["start of mail on host3"]);
    let mut screen = screen_of(&cluster);
    with_events(&mut screen);
    assert_snapshot!(seen(&screen, 80, 24));
    press(&mut screen, "ff");
    assert_snapshot!("the_fencing_history", seen(&screen, 80, 24));
    press(&mut screen, "f");
    assert_snapshot!("all_events", seen(&screen, 80, 24));
}

#[test]
fn fencing_fails_and_quorum_is_lost() {
    let mut cluster = lost();
    let unclean = &mut cluster.status.hosts[1];
    unclean.reason += "; fencing it failed 3 times (switch: connection refused), so what it runs is not recovered: mend \
                       the device, or, when you are sure that host2 is off, say `hafen fence confirm host2`";
    cluster.fencing("host2", FenceOutcome::Failed, Some("switch: connection refused"));
    cluster.status.quorate = false;
    cluster.status.waiting_for = Some("fencing of host2".into());
    cluster.status.warnings.push("the clock of host3 is 40 s ahead".into());
    cluster.status.leftovers.push("cli-prefer-db holds db; `hafen vm migrate db --clear` removes it".into());
    let mut screen = screen_of(&cluster);
    assert_snapshot!(seen(&screen, 80, 24));
    press(&mut screen, "f");
    assert_snapshot!("all_that_is_wrong", seen(&screen, 80, 24));
}

#[test]
fn an_action_failed_with_reason_and_output() {
    let mut screen = screen_of(&failed());
    assert_snapshot!(seen(&screen, 80, 24));
    press(&mut screen, "fj");
    assert_snapshot!("a_failed_action_in_full", seen(&screen, 80, 24));
}

#[test]
fn a_transition_seen_by_another_host_than_the_coordinator() {
    let mut cluster = Cluster::healthy();
    cluster.forget("db");
    cluster.forget("web");
    cluster.pending("db", "start", "host2");
    cluster.transition(0, None, &["start of db on host2", "probe of web on host1", "probe of web on host3"]);
    assert_snapshot!(seen(&screen_of(&cluster), 80, 24));
}

#[test]
fn resources_below_their_hosts() {
    let mut cluster = failed();
    cluster.forget("web");
    cluster.status.hosts[1].state = "standby".into();
    let mut screen = screen_of(&cluster);
    press(&mut screen, "n");
    assert_snapshot!(seen(&screen, 80, 24));
}

#[test]
fn a_filter_that_is_typed() {
    let mut screen = screen_of(&Cluster::healthy());
    press(&mut screen, "/host3");
    assert_snapshot!(seen(&screen, 80, 24));
    press(&mut screen, "\u{8}\u{8}\u{8}\u{8}\u{8}nothing like it");
    assert_snapshot!("a_filter_that_nothing_passes", seen(&screen, 80, 24));
}

#[test]
fn an_explanation() {
    let mut screen = screen_of(&Cluster::healthy());
    press(&mut screen, "e");
    assert_snapshot!("an_explanation_is_awaited", seen(&screen, 80, 24));
    let text: String = (1..=30).map(|number| format!("Sentence {number} of the ledger.\n")).collect();
    screen.answer(Answer::Explained { resource: "db".into(), text: Ok(text) });
    assert_snapshot!(seen(&screen, 80, 24));
    press(&mut screen, "G");
    assert_snapshot!("an_explanation_to_its_end", seen(&screen, 80, 24));
}

#[test]
fn moving() {
    let mut cluster = Cluster::healthy();
    cluster.status.hosts[1].state = "standby".into();
    let mut screen = screen_of(&cluster);
    press(&mut screen, "m");
    assert_snapshot!("moving_where", seen(&screen, 80, 24));
    press(&mut screen, "\n");
    let act = Act::Move { resource: "db".into(), host: "host3".into() };
    let lines = ["This change leads to (! interrupts what runs):", "  ! Move db from host1 to host3"];
    let lines = lines.map(str::to_owned).to_vec();
    screen.answer(Answer::Previewed { act, lines: Ok(lines) });
    assert_snapshot!("moving_what_it_leads_to", seen(&screen, 80, 24));
}

#[test]
fn the_keys_are_explained() {
    let mut screen = screen_of(&Cluster::healthy());
    press(&mut screen, "?");
    assert_snapshot!(seen(&screen, 80, 24));
}

#[test]
fn no_daemon_answers_any_more() {
    let mut screen = screen_of(&Cluster::healthy());
    screen.lose("cannot connect to /run/hafen/daemon.sock: Connection refused");
    assert_snapshot!(seen(&screen, 80, 24));
}

#[test]
fn a_large_cluster() {
    let mut cluster = Cluster::new(32);
    for number in 0..1000 {
        let host = format!("host{}", number % 32 + 1);
        cluster.machine(&format!("vm{number:04}"), (number != 500).then_some(host.as_str()));
    }
    let mut screen = screen_of(&cluster);
    assert_snapshot!(seen(&screen, 80, 24));
    press(&mut screen, "G");
    assert_snapshot!("a_large_cluster_at_its_end", seen(&screen, 80, 24));
}
