//! The status: hosts, their records of operations, their transient attributes, tickets.

use super::past::{Entry, State};
use super::pen::{Pen, Result, Stale, UNKNOWN, one_off, write_with};
use super::{Fate, NOW, Node, World};
use crate::themes::Theme;
use crate::tree::Tree;

impl World {
    pub(super) fn make_status(&mut self) -> Tree {
        let entries = self.make_past();
        let mut status = Tree::new("status");
        for host in 0..self.nodes.len() {
            if self.nodes[host].fate == Fate::Unseen {
                continue;
            }
            let state = self.node_state(host, &entries);
            status.children.push(state);
        }
        let mut tickets = Tree::new("tickets");
        for ticket in ["ticketA", "ticketB"] {
            if self.tickets.contains(&ticket) && self.dice.chance(700) {
                let granted = self.dice.chance(650);
                let standby = self.dice.chance(150);
                let state = Tree::new("ticket_state").with("id", ticket).with("granted", granted);
                let state = state.with("last-granted", NOW - 5000).with("standby", standby);
                tickets.children.push(state);
            }
        }
        if !tickets.children.is_empty() {
            status.children.push(tickets);
        }
        status
    }

    fn node_state(&mut self, host: usize, entries: &[Entry]) -> Tree {
        let known: Node = self.nodes[host].clone();
        let stamps = self.dice.chance(if self.wished(Theme::PendingTimeout) { 700 } else { 200 });
        let since = NOW - self.dice.pick(&[30, 300, 5000]);
        let on = |word: &str| if stamps { since.to_string() } else { word.to_owned() };
        let off = |word: &str| if stamps { "0".to_owned() } else { word.to_owned() };
        let (member, daemon) = match known.fate {
            Fate::Online => (on("true"), on("online")),
            Fate::Off | Fate::Lost | Fate::Unseen => (off("false"), off("offline")),
            Fate::Dead | Fate::Pending => (on("true"), off("offline")),
        };
        let mut tree = Tree::new("node_state").with("id", &known.id).with("uname", &known.name);
        tree = tree.with("in_ccm", member).with("crmd", daemon);
        let (join, expected) = match known.fate {
            Fate::Online if self.dice.chance(10) => {
                (self.dice.pick(&["banned", "pending", "nack"]), "member")
            }
            Fate::Online => ("member", "member"),
            Fate::Lost | Fate::Dead => (self.dice.pick(&["down", "member"]), "member"),
            Fate::Off | Fate::Unseen => ("down", "down"),
            Fate::Pending => ("down", self.dice.pick(&["down", "member", "member"])),
        };
        tree = tree.with("join", join).with("expected", expected);
        self.make_transient(host);
        let mut records = Tree::new("lrm_resources");
        for entry in entries.iter().filter(|entry| entry.host == host && entry.state != State::Absent) {
            let record = self.record(entry);
            records.children.push(record);
        }
        if !self.nodes[host].transient.is_empty() {
            let mut set = Tree::new("instance_attributes").with("id", format!("status-{}", known.id));
            for (name, value) in self.nodes[host].transient.clone() {
                let pair = Tree::new("nvpair").with("id", self.id("st"));
                set.children.push(pair.with("name", name).with("value", value));
            }
            tree.children.push(Tree::new("transient_attributes").with("id", &known.id).holding(set));
        }
        if !records.children.is_empty() || (known.fate == Fate::Online && self.dice.chance(500)) {
            tree.children.push(Tree::new("lrm").with("id", &known.id).holding(records));
        }
        tree
    }

    fn make_transient(&mut self, host: usize) {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let online = self.nodes[host].fate == Fate::Online;
        if online && self.on(Theme::Shutdown, 12) && self.dice.chance(500) {
            pairs.push(("shutdown".into(), (NOW - 60).to_string()));
            self.nodes[host].leaving = true;
        }
        if self.wished(Theme::Health) && self.dice.chance(500) {
            let value = self.dice.pick(&["red", "yellow", "green", "-20", "10"]);
            pairs.push((self.dice.pick(&["#health-cpu", "#health-ipmi"]).into(), value.into()));
        }
        if self.dice.chance(200) {
            pairs.push(("pingd".into(), self.dice.pick(&["0", "100", "1000"]).into()));
        }
        if self.dice.chance(6) {
            pairs.push(("terminate".into(), "true".into()));
        }
        if self.on(Theme::Standby, 5) && self.dice.chance(300) {
            pairs.push(("standby".into(), "on".into()));
        }
        if online && self.wished(Theme::Unfencing) && self.dice.chance(600) {
            pairs.push(("#node-unfenced".into(), (NOW - 9000).to_string()));
        }
        self.nodes[host].transient.extend(pairs);
    }

    /// A failure's attributes.
    fn count_failure(&mut self, entry: &Entry, task: &str, interval_ms: i64, time: i64) {
        if self.dice.chance(60) {
            return;
        }
        let fatal = task == "start" && self.dice.chance(600);
        let count = if fatal { "INFINITY" } else { self.dice.pick(&["1", "1", "1", "2", "3", "1000"]) };
        let key = format!("{}#{task}_{interval_ms}", entry.id);
        let transient = &mut self.nodes[entry.host].transient;
        transient.push((format!("fail-count-{key}"), count.into()));
        transient.push((format!("last-failure-{key}"), time.to_string()));
    }

    fn record(&mut self, entry: &Entry) -> Tree {
        let primitive = self.primitives[entry.primitive].clone();
        let changed = if self.wished(Theme::Digests) || self.wished(Theme::Reload) { 250 } else { 15 };
        let stale = if self.dice.chance(changed) {
            self.dice.pick(&[Stale::Parameter, Stale::Other, Stale::Timeout])
        } else {
            Stale::No
        };
        let mut pen = Pen {
            primitive: &primitive,
            id: entry.id.clone(),
            node: self.nodes[entry.host].name.clone(),
            stale,
            call: self.dice.within(5, 60),
            time: NOW - self.dice.pick(&[100, 900, 4000, 9000, 100_000]),
            secure: primitive.parameters.iter().any(|(name, _)| name == "passwd"),
            made: Vec::new(),
        };
        self.write_state(&mut pen, entry);
        if entry.promotable
            && matches!(entry.state, State::Active | State::Found | State::Promoted | State::Demoted)
        {
            self.promotion_score(entry);
        }
        let mut tree = Tree::new("lrm_resource").with("id", &entry.id).with("class", primitive.class);
        if let Some(provider) = primitive.provider {
            tree = tree.with("provider", provider);
        }
        tree = tree.with("type", primitive.agent);
        if entry.state == State::Stopped
            && self.nodes[entry.host].fate == Fate::Off
            && !entry.device
            && self.on(Theme::ShutdownLocks, 50)
        {
            tree = tree.with("shutdown-lock", NOW - self.dice.pick(&[60, 4000]));
        }
        tree.children = pen.made;
        if self.dice.chance(200) {
            tree.children.reverse();
        }
        tree
    }

    fn promotion_score(&mut self, entry: &Entry) {
        if self.dice.chance(850) {
            let score = if entry.state == State::Promoted {
                self.dice.pick(&["10", "100", "10", "5"])
            } else {
                self.dice.pick(&["5", "5", "10", "-INFINITY", "1", "100"])
            };
            let name = format!("master-{}", entry.id);
            self.nodes[entry.host].transient.push((name, score.into()));
        }
    }

    /// What ran before.
    fn write_begin(&mut self, pen: &mut Pen<'_>, entry: &Entry) {
        if self.dice.chance(900) {
            pen.last("start", 0);
        } else {
            pen.probe(0);
        }
        if self.dice.chance(40) && !entry.device {
            // An earlier failure that was overcome.
            pen.write("last_failure_0", &one_off("start", 1), &[]);
            let time = pen.time;
            self.count_failure(entry, "start", 0, time);
            pen.last("start", 0);
        }
    }

    fn write_state(&mut self, pen: &mut Pen<'_>, entry: &Entry) {
        let failed_status = self.dice.weighted(&[(0, 70), (4, 15), (2, 15)]);
        match entry.state {
            State::Absent => {}
            State::Probed(rc) => {
                pen.probe(rc);
                if rc == 0 && self.dice.chance(500) {
                    pen.monitors(false);
                }
            }
            State::Stopped => {
                if self.dice.chance(200) {
                    pen.monitors(false);
                }
                pen.last("stop", 0);
            }
            State::Active => {
                self.write_begin(pen, entry);
                if !self.dice.chance(50) {
                    pen.monitors(false);
                }
            }
            State::Found => {
                pen.probe(0);
                if self.dice.chance(700) {
                    pen.monitors(false);
                }
            }
            State::Promoted => {
                if self.dice.chance(900) {
                    pen.last("promote", 0);
                } else {
                    pen.probe(8);
                }
                pen.monitors(true);
            }
            State::Demoted => {
                pen.last(if entry.promotable { "demote" } else { "start" }, 0);
                pen.monitors(false);
            }
            State::Busy(task) => self.write_busy(pen, entry, task),
            _ => self.write_failed(pen, entry, failed_status),
        }
    }

    fn write_busy(&mut self, pen: &mut Pen<'_>, entry: &Entry, task: &str) {
        match task {
            "probe" => {
                let result = Result { expected: 7, status: -1, ..one_off("monitor", UNKNOWN) };
                pen.write("last_0", &result, &[]);
            }
            "monitor" => {
                self.write_begin(pen, entry);
                if let Some(recurring) = pen.primitive.recurring.first().cloned() {
                    let interval_ms = recurring.interval_ms;
                    let result =
                        Result { task: "monitor", interval_ms, expected: 0, rc: UNKNOWN, status: -1 };
                    pen.write(&format!("monitor_{interval_ms}"), &result, &[]);
                }
            }
            "start" => pen.busy(task, &[]),
            _ => {
                pen.last("start", 0);
                pen.monitors(task == "demote");
                pen.busy(task, &[]);
            }
        }
    }

    fn write_failed(&mut self, pen: &mut Pen<'_>, entry: &Entry, status: i32) {
        let name = |host: usize| self.nodes[host].name.clone();
        let own = name(entry.host);
        let ends = |from: String, to: String| [("migrate_source", from), ("migrate_target", to)];
        let here = entry.host;
        match entry.state {
            State::FailedMonitor(rc) => {
                pen.last("start", 0);
                pen.fail_monitor(rc, if rc == 7 || rc > 8 { 0 } else { status });
                let interval_ms = pen.primitive.recurring.first().map_or(0, |known| known.interval_ms);
                self.count_failure(entry, "monitor", interval_ms, pen.time);
            }
            State::FailedStart(rc) => {
                pen.fail("start", rc, status, &[]);
                self.count_failure(entry, "start", 0, pen.time);
            }
            State::GivenUp(rc) => {
                let result = Result { status, ..one_off("start", rc) };
                pen.write("last_failure_0", &result, &[]);
                self.count_failure(entry, "start", 0, pen.time);
                pen.last("stop", 0);
            }
            State::FailedStop | State::FailedPromote | State::FailedDemote => {
                let task = match entry.state {
                    State::FailedStop => "stop",
                    State::FailedPromote => "promote",
                    _ => "demote",
                };
                pen.last("start", 0);
                pen.monitors(false);
                let rc = if task == "demote" { self.dice.pick(&[1, 1, 7]) } else { 1 };
                pen.fail(task, rc, status, &[]);
                self.count_failure(entry, task, 0, pen.time);
            }
            State::Leaving(to) => {
                pen.monitors(false);
                write_with(pen, &ends(own, name(to)), |pen, extra| pen.busy("migrate_to", extra));
            }
            State::Left(to) => {
                pen.monitors(false);
                write_with(pen, &ends(own, name(to)), |pen, extra| {
                    pen.write("last_0", &one_off("migrate_to", 0), extra);
                });
            }
            State::LeftAndStopped(_) => pen.last("stop", 0),
            State::FailedToLeave(to) => {
                pen.monitors(false);
                let ends = ends(own, name(to));
                write_with(pen, &ends, |pen, extra| pen.fail("migrate_to", 1, status, extra));
                self.count_failure(entry, "migrate_to", 0, pen.time);
            }
            State::Arriving(from) => {
                write_with(pen, &ends(name(from), own), |pen, extra| pen.busy("migrate_from", extra));
            }
            State::Arrived(from) => {
                write_with(pen, &ends(name(from), own), |pen, extra| {
                    pen.write("last_0", &one_off("migrate_from", 0), extra);
                });
                if self.dice.chance(500) {
                    pen.monitors(false);
                }
            }
            State::FailedToArrive(from) => {
                let ends = ends(name(from), own);
                write_with(pen, &ends, |pen, extra| pen.fail("migrate_from", 1, status, extra));
                self.count_failure(entry, "migrate_from", 0, pen.time);
            }
            _ => debug_assert!(here < self.nodes.len(), "written elsewhere"),
        }
    }
}
