//! Judging the arithmetic of votes.

use super::{Lines, Situation, Topic};
use crate::corosync_conf::CorosyncConf;

pub(super) fn judge(situation: &Situation, lines: &mut Lines) {
    let Some(conf) = &situation.conf else { return };
    let hosts = conf.nodes().len();
    let device = conf.has_quorum_device();
    let two_node = conf.value("quorum", "two_node") == Some("1");
    match (hosts, device) {
        (0, _) => {}
        (1, _) => lines.advice(
            Topic::Quorum,
            "one host: it has quorum alone, and nothing can be recovered",
            "Let a second host join: `hafen join`",
        ),
        (2, false) => two_hosts(conf, two_node, lines),
        (2, true) => lines.ok(Topic::Quorum, "two hosts and a quorum device: one of the three may be lost"),
        (_, _) => several(conf, hosts, device, lines),
    }
}

fn two_hosts(conf: &CorosyncConf, two_node: bool, lines: &mut Lines) {
    if !two_node {
        lines.error(
            Topic::Quorum,
            "two hosts without two_node: the loss of one stops both",
            "Write 'two_node: 1' into quorum of corosync.conf on both hosts, or add a quorum device",
        );
        return;
    }
    if conf.value("quorum", "wait_for_all") == Some("0") {
        lines.error(
            Topic::Quorum,
            "two_node with wait_for_all switched off: after a start, both hosts go on alone and shoot each other",
            "Remove 'wait_for_all: 0' from quorum of corosync.conf",
        );
    } else {
        lines.ok(
            Topic::Quorum,
            "two hosts, two_node: one may be lost, and is fenced before anything is recovered",
        );
    }
    lines.advice(
        Topic::SinglePoint,
        "two hosts without a quorum device: when they lose sight of each other, a race decides who is shot",
        "Add a third host or a quorum device (corosync-qnetd on any other machine)",
    );
}

fn several(conf: &CorosyncConf, hosts: usize, device: bool, lines: &mut Lines) {
    let votes = hosts + usize::from(device);
    let majority = votes / 2 + 1;
    let spare = votes - majority;
    let with = if device { " and a quorum device" } else { "" };
    let written = conf.value("quorum", "expected_votes").and_then(|text| text.parse::<usize>().ok());
    if let Some(written) = written.filter(|written| *written != hosts && !device) {
        lines.error(
            Topic::Quorum,
            format!("expected_votes is {written}, and there are {hosts} hosts"),
            "Remove expected_votes from quorum of corosync.conf: Corosync counts the nodelist",
        );
        return;
    }
    let lost = if spare == 1 { "1 may be lost".to_owned() } else { format!("{spare} may be lost") };
    lines.ok(Topic::Quorum, format!("{hosts} hosts{with}: {majority} of {votes} votes are needed, {lost}"));
    if votes.is_multiple_of(2) {
        lines.advice(
            Topic::Quorum,
            format!(
                "{votes} votes bear the loss of no more than {} do, and can be split in halves",
                votes - 1
            ),
            "Add a host or a quorum device, for an odd number of votes",
        );
    }
}
