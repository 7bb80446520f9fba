//! The engine alone, with time and agents played by the tests.

use super::*;
use crate::ledger::History;
use hafen_agents::AgentName;

const RUNS_LIMIT: usize = 4;

fn at(monotonic_ms: u64) -> Now {
    Now { monotonic_ms, wall_seconds: 1_000_000 + monotonic_ms / 1000 }
}

fn operation(resource: &str, task: &str, interval_ms: u64, key: &str) -> Operation {
    Operation {
        resource: resource.to_owned(),
        agent: AgentName::new("ocf", Some("test"), "x").expect("a name"),
        task: task.to_owned(),
        interval_ms,
        timeout_ms: 20_000,
        start_delay_ms: 0,
        parameters: BTreeMap::new(),
        meta: BTreeMap::new(),
        transition_key: key.to_owned(),
        user_data: String::new(),
    }
}

fn end(rc: u8) -> End {
    End::bare(OcfExitCode(rc), OpStatus::Done, None, at(0))
}

/// An engine whose journal is a list of records.
struct Bench {
    engine: Engine,
    journal: Vec<Record>,
    disk_is_full: bool,
    /// Runs under way: number and what is run.
    runs: Vec<(u64, String)>,
    events: Vec<Event>,
    ended: bool,
}

impl Bench {
    fn new() -> Self {
        Self::from(Ledger::default())
    }

    fn from(ledger: Ledger) -> Self {
        let engine = Engine::recover(ledger, RUNS_LIMIT, at(0)).0;
        let journal = engine.ledger().to_records("boot");
        let mut bench =
            Self { engine, journal, disk_is_full: false, runs: vec![], events: vec![], ended: false };
        bench.drain(at(0));
        bench
    }

    fn handle(&mut self, now: Now, input: Input) {
        self.engine.handle(now, input);
        self.drain(now);
        self.check();
    }

    fn drain(&mut self, now: Now) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::RecordAcceptance(call_id, record) => {
                    let full = self.disk_is_full;
                    self.journal.extend((!full).then_some(record));
                    let written = if full { Err("no space".to_owned()) } else { Ok(()) };
                    self.engine.handle(now, Input::Recorded(call_id, written));
                }
                Output::Record(record) => self.journal.push(record),
                Output::Run(run, call_id, operation) => {
                    self.started(now, run, call_id, format!("{} {}", operation.resource, operation.task));
                }
                Output::RunFence(run, call_id, operation) => {
                    self.started(now, run, call_id, format!("fence {}", operation.id));
                }
                Output::Send(event) => self.events.push(event),
                Output::Exit => self.ended = true,
            }
        }
    }

    fn started(&mut self, now: Now, run: u64, call_id: u64, what: String) {
        let agent = RunOfAgent { call_id, pid: 1000 + run as u32, start_time_ticks: run };
        let RunOfAgent { pid, start_time_ticks, .. } = agent;
        self.journal.push(Record::Started { run, call_id, pid, start_time_ticks });
        self.runs.push((run, what));
        self.engine.handle(now, Input::Started(run, agent));
    }

    /// What the engine knows is what the journal tells, and what a rewritten journal tells.
    fn check(&self) {
        if self.disk_is_full {
            return;
        }
        for records in [&self.journal, &self.engine.ledger().to_records("boot")] {
            let mut ledger = Ledger::default();
            records.iter().for_each(|record| ledger.apply(record));
            let counters =
                |ledger: &Ledger| (ledger.next_sequence, ledger.operations.clone(), ledger.runs.clone());
            assert_eq!(counters(&ledger), counters(self.engine.ledger()));
            assert_eq!(ledger.history, self.engine.ledger().history);
            assert_eq!(ledger.unacknowledged, self.engine.ledger().unacknowledged);
            assert_eq!(ledger.fencings, self.engine.ledger().fencings);
        }
    }

    fn execute(&mut self, now_ms: u64, operation: Operation) {
        self.handle(at(now_ms), Input::Request(Request::Execute(operation)));
    }

    /// The run of this name ends.
    fn end(&mut self, now_ms: u64, what: &str, end: End) {
        let position = self.runs.iter().position(|(_, name)| name == what);
        let (run, _) =
            self.runs.remove(position.unwrap_or_else(|| panic!("{what} does not run: {:?}", self.runs)));
        self.handle(at(now_ms), Input::Ended(run, end));
    }

    fn running(&self) -> Vec<&str> {
        self.runs.iter().map(|(_, what)| what.as_str()).collect()
    }

    /// The results since the last call: resource, task, return code.
    fn results(&mut self) -> Vec<String> {
        let told = std::mem::take(&mut self.events).into_iter().filter_map(|event| match event {
            Event::Result(result) => {
                let Operation { resource, task, .. } = &result.operation;
                Some(format!("{resource} {task} {}", result.end.rc.0))
            }
            Event::FenceResult(result) => Some(format!("fence {} {}", result.operation.id, result.end.rc.0)),
            _ => None,
        });
        told.collect()
    }
}

#[test]
fn operations_of_a_resource_run_one_after_another_and_others_beside() {
    let mut bench = Bench::new();
    bench.execute(0, operation("a", "start", 0, ""));
    bench.execute(0, operation("a", "monitor", 1000, ""));
    bench.execute(0, operation("b", "start", 0, ""));
    assert_eq!(bench.running(), ["a start", "b start"]);
    bench.end(5, "a start", end(0));
    assert_eq!(bench.running(), ["b start", "a monitor"]);
    assert_eq!(bench.results(), ["a start 0"]);
}

#[test]
fn no_more_agents_run_than_allowed_but_fencing_always() {
    let mut bench = Bench::new();
    for number in 0..6 {
        bench.execute(number, operation(&format!("r{number}"), "start", 0, ""));
    }
    assert_eq!(bench.runs.len(), RUNS_LIMIT);
    let fence = FenceOperation {
        id: "f1".to_owned(),
        device: "d".to_owned(),
        agent: "fence_x".to_owned(),
        action: "off".to_owned(),
        target: None,
        port: None,
        parameters: BTreeMap::new(),
        timeout_ms: 1000,
        delay_ms: 50,
    };
    bench.handle(at(10), Input::Request(Request::Fence(fence.clone())));
    bench.handle(at(11), Input::Request(Request::Fence(fence)));
    assert_eq!(bench.runs.len(), RUNS_LIMIT, "the delay counts");
    assert_eq!(bench.engine.poll_timeout(), Some(60));
    bench.handle(at(60), Input::Timeout);
    assert_eq!(bench.running().last(), Some(&"fence f1"), "once");
    bench.end(70, "fence f1", end(0));
    bench.end(80, "r0 start", end(0));
    assert_eq!(bench.results(), ["fence f1 0", "r0 start 0"]);
    assert_eq!(bench.running().last(), Some(&"r4 start"), "the one that waited longest");
}

#[test]
fn a_monitor_recurs_and_tells_changes_only() {
    let mut bench = Bench::new();
    bench.execute(0, operation("a", "monitor", 1000, "7:1:0:u"));
    let mut told = Vec::new();
    for (round, rc) in [0, 0, 7, 7, 1, 0].into_iter().enumerate() {
        let now_ms = round as u64 * 1000;
        bench.handle(at(now_ms), Input::Timeout);
        bench.end(now_ms, "a monitor", end(rc));
        assert_eq!(bench.engine.poll_timeout(), Some(now_ms + 1000));
        told.extend(bench.results());
    }
    assert_eq!(told, ["a monitor 0", "a monitor 7", "a monitor 1", "a monitor 0"]);
    assert_eq!(bench.engine.ledger().unacknowledged.len(), 1, "the newest says all");
    let History { last, failure } = bench.engine.ledger().history.values().next().expect("one").clone();
    assert_eq!((last.expect("last").end.rc.0, failure.expect("failure").end.rc.0), (0, 1));
}

#[test]
fn a_cancelled_monitor_is_told_to_nobody() {
    let mut bench = Bench::new();
    bench.execute(0, operation("a", "monitor", 1000, ""));
    let key = OperationKey { resource: "a".to_owned(), task: "monitor".to_owned(), interval_ms: 1000 };
    let OperationKey { resource, task, interval_ms } = key.clone();
    let cancel = Request::CancelRecurring { resource, task, interval_ms };
    bench.handle(at(1), Input::Request(cancel.clone()));
    bench.handle(at(1), Input::Request(cancel));
    let told: Vec<bool> = bench
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Cancelled { key: other, found } if *other == key => Some(*found),
            _ => None,
        })
        .collect();
    assert_eq!(told, [true, false]);
    bench.execute(2, operation("a", "stop", 0, ""));
    assert_eq!(bench.running(), ["a monitor"], "the stop waits for it");
    bench.end(3, "a monitor", end(0));
    assert_eq!(bench.results(), [""; 0]);
    assert_eq!(bench.running(), ["a stop"]);
    bench.end(4, "a stop", end(0));
    assert_eq!(bench.engine.poll_timeout(), None);
}

#[test]
fn a_stop_ends_monitors_and_a_failed_migration_does_not() {
    for (task, rc, goes_on) in
        [("stop", 0, false), ("stop", 1, false), ("migrate_to", 0, false), ("migrate_to", 1, true)]
    {
        let mut bench = Bench::new();
        bench.execute(0, operation("a", "monitor", 1000, ""));
        bench.end(0, "a monitor", end(0));
        bench.execute(10, operation("a", task, 0, ""));
        bench.handle(at(1000), Input::Timeout);
        assert_eq!(bench.running(), [format!("a {task}")], "nothing runs beside it");
        bench.end(1500, &format!("a {task}"), end(rc));
        assert_eq!(bench.running() == ["a monitor"], goes_on, "{task} {rc}");
    }
}

#[test]
fn a_request_that_is_repeated_is_not_run_again() {
    let mut bench = Bench::new();
    bench.execute(0, operation("a", "start", 0, "3:1:0:u"));
    bench.execute(1, operation("a", "start", 0, "3:1:0:u"));
    bench.end(2, "a start", end(0));
    bench.execute(3, operation("a", "start", 0, "3:1:0:u"));
    assert_eq!(bench.results(), ["a start 0", "a start 0"], "the result is told again");
    assert_eq!(bench.running(), [""; 0]);
    bench.execute(4, operation("a", "start", 0, "3:2:0:u"));
    assert_eq!(bench.running(), ["a start"], "another transition is another request");
}

#[test]
fn results_are_told_until_they_are_acknowledged() {
    let mut bench = Bench::new();
    for resource in ["a", "b"] {
        bench.execute(0, operation(resource, "start", 0, ""));
        bench.end(1, &format!("{resource} start"), end(0));
    }
    bench.results();
    bench.handle(at(2), Input::Request(Request::Acknowledge { sequence: 1 }));
    bench.handle(at(2), Input::Request(Request::Acknowledge { sequence: 99 }));
    bench.handle(at(3), Input::Connected);
    assert_eq!(bench.results(), ["b start 0"]);
    bench.handle(at(4), Input::Request(Request::Acknowledge { sequence: 2 }));
    bench.handle(at(5), Input::Connected);
    assert_eq!(bench.results(), [""; 0]);
    bench.handle(at(6), Input::Request(Request::List));
    let Some(Event::Snapshot { operations, last: true }) = bench.events.pop() else { panic!("no snapshot") };
    assert_eq!(operations.len(), 2, "the history stays");
}

#[test]
fn a_full_disk_refuses_starts_and_lets_stops_and_monitors_go() {
    let mut bench = Bench::new();
    bench.disk_is_full = true;
    for task in ["start", "migrate_from", "promote"] {
        bench.execute(0, operation("a", task, 0, ""));
        assert_eq!(bench.results(), [format!("a {task} 1")]);
    }
    bench.execute(0, operation("b", "stop", 0, ""));
    bench.execute(0, operation("c", "monitor", 1000, ""));
    assert_eq!(bench.running(), ["b stop", "c monitor"]);
}

#[test]
fn after_a_crash_starts_have_failed_and_the_rest_goes_on() {
    let mut bench = Bench::new();
    bench.execute(0, operation("a", "start", 0, "1:1:0:u"));
    bench.execute(0, operation("a", "monitor", 1000, "2:1:0:u"));
    bench.execute(0, operation("b", "monitor", 1000, ""));
    bench.execute(0, operation("c", "stop", 0, ""));
    assert_eq!(bench.running(), ["a start", "b monitor", "c stop"]);
    let ledger = bench.engine.ledger().clone();
    let (_, mut interrupted) = Engine::recover(ledger.clone(), RUNS_LIMIT, at(0));
    interrupted.sort();
    let tasks: Vec<&str> = interrupted.iter().map(|key| key.task.as_str()).collect();
    assert_eq!(tasks, ["start", "monitor", "stop"]);
    let mut bench = Bench::from(ledger);
    assert_eq!(bench.results(), ["a start 1"]);
    let mut running = bench.running();
    running.sort_unstable();
    assert_eq!(
        running,
        ["a monitor", "b monitor", "c stop"],
        "nothing is forgotten, and no start is run twice"
    );
    bench.execute(5, operation("a", "start", 0, "1:1:0:u"));
    assert_eq!(bench.results(), ["a start 1"], "asked again, the failure is told again");
    bench.handle(at(6), Input::Connected);
    assert_eq!(bench.results(), ["a start 1"]);
}

#[test]
fn what_is_forgotten_is_gone_and_its_monitors_end() {
    let mut bench = Bench::new();
    bench.execute(0, operation("a", "start", 0, ""));
    bench.end(1, "a start", end(1));
    bench.execute(1, operation("a", "monitor", 1000, ""));
    bench.end(2, "a monitor", end(7));
    let only = Some(("start".to_owned(), 0));
    bench.handle(at(3), Input::Request(Request::ForgetResource { resource: "a".to_owned(), only }));
    assert_eq!(bench.engine.ledger().history.len(), 1);
    bench.handle(at(4), Input::Request(Request::ForgetResource { resource: "a".to_owned(), only: None }));
    let ledger = bench.engine.ledger();
    assert!(ledger.history.is_empty() && ledger.operations.is_empty() && ledger.unacknowledged.is_empty());
    assert_eq!(bench.engine.poll_timeout(), None);
}

#[test]
fn a_probe_of_a_fence_device_asks_what_was_started_here() {
    let stonith = |task: &str| Operation {
        agent: AgentName::new("stonith", None, "fence_x").expect("a name"),
        ..operation("f", task, 0, "")
    };
    let mut bench = Bench::new();
    bench.execute(0, stonith("monitor"));
    bench.execute(0, stonith("start"));
    bench.end(1, "f start", end(0));
    bench.execute(2, stonith("monitor"));
    bench.execute(3, stonith("stop"));
    bench.end(3, "f stop", end(0));
    bench.execute(4, stonith("monitor"));
    assert_eq!(bench.results(), ["f monitor 7", "f start 0", "f monitor 0", "f stop 0", "f monitor 7"]);
}

#[test]
fn shutting_down_awaits_what_is_under_way_and_keeps_monitors_for_the_next() {
    let mut bench = Bench::new();
    bench.execute(0, operation("a", "monitor", 1000, ""));
    bench.execute(0, operation("b", "start", 0, ""));
    bench.end(1, "a monitor", end(0));
    bench.handle(at(2), Input::Request(Request::Shutdown));
    bench.execute(3, operation("c", "start", 0, ""));
    assert!(matches!(bench.events.last(), Some(Event::Refused { .. })));
    assert!(!bench.ended);
    bench.end(4, "b start", end(0));
    assert!(bench.ended);
    let next = Bench::from(bench.engine.ledger().clone());
    assert_eq!(next.running(), ["a monitor"]);
}

#[test]
fn waiting_operations_and_results_have_a_limit() {
    let mut bench = Bench::new();
    for _ in 0..QUEUED_OPERATIONS_LIMIT + 2 {
        bench.execute(0, operation("a", "start", 0, ""));
    }
    let refused = bench.events.iter().filter(|event| matches!(event, Event::Refused { .. })).count();
    assert_eq!(refused, 1, "one runs, the limit waits");
}

#[test]
fn the_watchdog_is_fed_only_on_the_daemons_fresh_word() {
    let mut bench = Bench::new();
    assert!(!bench.engine.allows_watchdog(at(0), 20_000));
    bench.handle(at(0), Input::Request(Request::Report { allow_watchdog: true, watchdog_timeout_ms: None }));
    assert!(bench.engine.allows_watchdog(at(20_000), 20_000));
    assert!(!bench.engine.allows_watchdog(at(20_001), 20_000));
    bench.handle(at(1), Input::Request(Request::Report { allow_watchdog: false, watchdog_timeout_ms: None }));
    assert!(!bench.engine.allows_watchdog(at(1), 20_000));
}
