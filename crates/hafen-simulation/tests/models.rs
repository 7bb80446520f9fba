//! Shell: the world's own parts do what the runs rely on.

use std::collections::{BTreeMap, BTreeSet};

use hafen_protocol::HostId;
use hafen_protocol::message::Execute;
use hafen_simulation::agents::{Agents, Answer, Conduct, Course};
use hafen_simulation::dice::{Dice, bounds};
use hafen_simulation::executor::{Executor, Next};
use hafen_simulation::invariants::at_most_one_active::at_most_one_active;
use hafen_simulation::invariants::no_fencing_storm::{Asked, Causes, no_fencing_storm};

fn order(host: u32, task: &str, interval_ms: u64, key: &str) -> Execute {
    Execute {
        host: HostId(host),
        resource: "vm1".into(),
        class: "ocf".into(),
        provider: Some("hafen".into()),
        agent: "simulated".into(),
        task: task.into(),
        interval_ms,
        timeout_ms: 20_000,
        operation_key: format!("vm1_{task}_{interval_ms}"),
        transition_key: key.into(),
        parameters: BTreeMap::new(),
        meta: BTreeMap::from([("migrate_target".into(), "host2".into())]),
        ordered_at: 0,
    }
}

fn executor() -> Executor {
    let mut executor = Executor::default();
    executor.alive = true;
    executor
}

const HONEST: Course = Course { holds_after_ms: Some(1), ends_after_ms: 2, answer: Answer::Truth };

fn begin(executor: &mut Executor, order: Execute) -> u64 {
    let Some(Next::Begin(order)) = executor.run(order) else { panic!("it begins at once") };
    executor.begun(*order, HONEST, 0)
}

#[test]
fn an_order_is_not_run_twice() {
    let mut executor = executor();
    begin(&mut executor, order(1, "start", 0, "1:1:0:u"));
    assert_eq!(executor.run(order(1, "start", 0, "1:1:0:u")), None);
}

#[test]
fn operations_of_a_resource_wait_for_each_other() {
    let mut executor = executor();
    let first = begin(&mut executor, order(1, "start", 0, "1:1:0:u"));
    assert_eq!(executor.run(order(1, "stop", 0, "2:1:0:u")), None);
    let (result, next) = executor.ended(first, (0, 0), (1, 2));
    assert_eq!(result.map(|result| result.sequence), Some(1));
    assert!(matches!(next.as_slice(), [Next::Begin(order)] if order.task == "stop"));
}

#[test]
fn a_recurring_operation_reports_only_changes() {
    let mut executor = executor();
    let first = begin(&mut executor, order(1, "monitor", 10_000, "3:1:0:u"));
    let (result, next) = executor.ended(first, (0, 0), (1, 2));
    assert!(result.is_some());
    let [Next::Again(key, generation)] = next.as_slice() else { panic!("it comes again") };
    let Some(Next::Begin(again)) = executor.again(key, *generation) else { panic!("it begins") };
    let second = executor.begun(*again, HONEST, 10);
    assert_eq!(executor.ended(second, (0, 0), (3, 4)).0, None);
}

#[test]
fn a_new_executor_fails_what_it_finds_under_way_and_keeps_results() {
    let mut executor = executor();
    let first = begin(&mut executor, order(1, "start", 0, "1:1:0:u"));
    executor.ended(first, (0, 0), (1, 2));
    begin(&mut executor, order(1, "stop", 0, "2:1:0:u"));
    executor.kill();
    assert_eq!(executor.run(order(1, "start", 0, "9:1:0:u")), None, "a dead executor runs nothing");
    let failed = executor.recover(100);
    assert_eq!(failed.len(), 1);
    let (accepted, results, recovered) = executor.connect();
    assert!(accepted.is_empty() && recovered);
    let statuses: Vec<_> = results.iter().map(|result| (result.order.task.as_str(), result.rc)).collect();
    assert_eq!(statuses, [("start", 0), ("stop", 1)]);
    executor.acknowledge(1);
    assert_eq!(executor.unacknowledged(), 1);
}

#[test]
fn a_migration_moves_what_runs_and_nothing_where_the_target_is_out_of_reach() {
    let mut agents = Agents::default();
    agents.hold(&order(1, "start", 0, "a"), 1, &BTreeMap::new());
    agents.hold(&order(1, "migrate_to", 0, "b"), 2, &BTreeMap::new());
    assert!(agents.is_active(HostId(1), "vm1"));
    agents.hold(&order(1, "migrate_to", 0, "c"), 3, &BTreeMap::from([("host2".into(), HostId(2))]));
    assert!(!agents.is_active(HostId(1), "vm1") && agents.is_active(HostId(2), "vm1"));
    assert_eq!(agents.end(&order(1, "migrate_to", 0, "c"), &HONEST), (0, 0));
}

#[test]
fn only_what_no_agent_denied_counts_as_active_twice() {
    let exclusive = BTreeSet::from(["vm1".to_owned()]);
    let mut agents = Agents::default();
    agents.hold(&order(1, "start", 0, "a"), 1, &BTreeMap::new());
    let lie = Course { holds_after_ms: None, ends_after_ms: 1, answer: Answer::Good };
    assert_eq!(agents.end(&order(1, "stop", 0, "b"), &lie), (0, 0));
    agents.hold(&order(2, "start", 0, "c"), 2, &BTreeMap::new());
    assert_eq!(at_most_one_active(&agents, &exclusive, "vm1"), None, "the first one is hidden by the lie");
    agents.hold(&order(3, "start", 0, "d"), 3, &BTreeMap::new());
    assert!(at_most_one_active(&agents, &exclusive, "vm1").is_some());
    assert_eq!(at_most_one_active(&agents, &BTreeSet::new(), "vm1"), None, "a clone may run everywhere");
}

#[test]
fn honest_agents_say_what_is() {
    let mut dice = Dice::new(1, "test");
    let course = Agents::begin(&order(1, "start", 0, "a"), &Conduct::default(), &mut dice);
    assert_eq!(course.answer, Answer::Truth);
    let hanging = Conduct { start_hangs: 1_000, ..Conduct::default() };
    let course = Agents::begin(&order(1, "start", 0, "a"), &hanging, &mut dice);
    assert_eq!((course.answer, course.ends_after_ms), (Answer::Timeout, 20_000));
}

fn asked(id: &str, us: u64, known: &[&str], cause: Option<u64>, present: bool) -> Asked {
    let known = known.iter().map(|id| (*id).to_owned()).collect();
    Asked { id: id.into(), us, known, cause: cause.map(|us| (us, "lost".to_owned())), present }
}

#[test]
fn one_cause_allows_one_fencing() {
    let host = HostId(2);
    let mut causes = Causes::default();
    let first = asked("a", 10, &["a"], Some(5), false);
    assert_eq!(no_fencing_storm(&causes, host, &first), None);
    causes.succeeded(host, first);
    assert!(no_fencing_storm(&causes, host, &asked("b", 20, &["a", "b"], Some(5), false)).is_some());
    assert_eq!(no_fencing_storm(&causes, host, &asked("b", 20, &["b"], Some(5), false)), None, "nobody knew");
    assert_eq!(
        no_fencing_storm(&causes, host, &asked("b", 20, &["a", "b"], Some(15), false)),
        None,
        "a new cause"
    );
    let unasked = asked("c", 30, &[], None, true);
    assert!(no_fencing_storm(&Causes::default(), host, &unasked).is_some(), "a member, and no cause at all");
}

#[test]
fn dice_stay_within_bounds() {
    let mut dice = Dice::new(7, "bounds");
    let drawn: BTreeSet<u64> = (0..500).map(|_| dice.within(bounds(3, 6))).collect();
    assert_eq!(drawn, BTreeSet::from([3, 4, 5, 6]));
    assert_eq!(dice.pick_weighted(&[("never", 0), ("always", 1)]), Some("always"));
    assert_eq!(dice.pick::<u8>(&[]), None);
}
