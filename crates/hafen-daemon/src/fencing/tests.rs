//! Fencings, looks and drills, played against exit statuses.

use super::drill::{Drills, Todo, failures};
use super::look::Looked;
use super::*;

use hafen_agents::OcfExitCode;
use hafen_node::fencing::{CheckKind, DeviceCheck, DeviceKnowledge};
use hafen_protocol::client::FenceCheck;
use hafen_protocol::message::{FenceAction, StateVersion};
use hafen_protocol::{HostId, Incarnation, MemberId};

fn device_of(agent: &str, id: &str) -> FenceDevice {
    let action = |name: &str| {
        let action = FenceAction { name: name.to_owned(), timeout_ms: Some(1000), retries: 1 };
        (name.to_owned(), action)
    };
    FenceDevice {
        id: id.to_owned(),
        agent: agent.to_owned(),
        parameters: BTreeMap::new(),
        port: "host2".to_owned(),
        actions: ["off", "reboot", "on", "status", "list", "monitor"].map(action).into(),
        delay_ms: 0,
        action_limit: 1,
    }
}

/// Levels as text: `a+b c` are two levels. The agent is the letters before a digit, if there is one: `null1`.
fn levels(text: &str) -> Vec<Vec<FenceDevice>> {
    let device = |id: &str| match id.trim_end_matches(|letter: char| letter.is_ascii_digit()) {
        "null" => device_of("null", id),
        "meatware" => device_of("meatware", id),
        "glue" => device_of("external/rackpdu", id),
        "ssh" => device_of("external/ssh", id),
        "watchdog" => device_of("fence_watchdog", id),
        _ => device_of("fence_x", id),
    };
    text.split_whitespace().map(|level| level.split('+').map(device).collect()).collect()
}

fn start(action: &str, text: &str) -> FenceStart {
    FenceStart {
        id: "f1".into(),
        target: HostId(2),
        target_uname: "host2".into(),
        target_incarnation: None,
        action: action.into(),
        cause: "lost".into(),
        by: MemberId { host: HostId(1), incarnation: Incarnation(1) },
        levels: levels(text),
        delay_ms: 0,
        timeout_ms: 1000,
        origin: None,
        wall_ms: 0,
        transition_key: None,
    }
}

const METADATA: &str = r#"<resource-agent name="fence_x"><parameters><parameter name="plug"/></parameters><actions>
<action name="on" automatic="0"/><action name="off"/><action name="reboot"/><action name="status"/><action name="list"/>
<action name="monitor"/></actions></resource-agent>"#;

fn facts(metadata: &str) -> BTreeMap<String, AgentFacts> {
    let metadata = hafen_cib::metadata::AgentMetadata::parse(metadata).expect("metadata");
    BTreeMap::from([("fence_x".to_owned(), AgentFacts::of(&metadata))])
}

fn at(monotonic_ms: u64) -> Now {
    Now { monotonic_ms, wall_ms: monotonic_ms }
}

fn end(rc: u8, op_status: OpStatus) -> End {
    End {
        rc: OcfExitCode(rc),
        op_status,
        exit_reason: (rc != 0).then(|| "no answer".into()),
        stdout: String::new(),
        stderr: String::new(),
        started_at_seconds: 0,
        exec_time_ms: 1,
    }
}

fn ended(operation: &FenceOperation, rc: u8, op_status: OpStatus) -> AgentResult {
    AgentResult { sequence: 1, operation: operation.clone(), end: end(rc, op_status) }
}

/// What was run, and what was told.
#[derive(Debug, Default)]
struct Played {
    ran: Vec<String>,
    told: Vec<Result<ProofLevel, String>>,
    waited: Vec<u64>,
    tried: Vec<FenceTry>,
    left: Option<String>,
}

/// Plays exit statuses against a fencing.
fn play(start: FenceStart, agents: BTreeMap<String, AgentFacts>, codes: &[u8]) -> Played {
    let (mut fencing, mut next) = Fencing::begin(start, agents, at(0));
    let mut played = Played::default();
    let (mut codes, mut now_ms) = (codes.iter(), 0);
    loop {
        let mut tell = |result: FenceResult| {
            played.told.push(result.outcome);
            played.tried = result.tried;
        };
        let operation = match next {
            Next::Run(operation) => operation,
            Next::TellAndRun(result, operation) => {
                tell(result);
                operation
            }
            Next::Wait(until_ms) => {
                assert_eq!(fencing.deadline_ms(), Some(until_ms));
                played.waited.push(until_ms);
                now_ms = until_ms;
                next = fencing.time_passed(at(now_ms));
                continue;
            }
            Next::Tell(result) => {
                tell(result);
                break;
            }
            Next::Finished(text) => {
                played.left = text;
                break;
            }
        };
        assert_eq!(operation.id, fencing.operation_id());
        played.ran.push(format!("{}:{}", operation.device, operation.action));
        now_ms += 10;
        let code = codes.next().expect("a code for each run");
        next = fencing.step_ended(&ended(&operation, *code, OpStatus::Done), at(now_ms));
    }
    assert_eq!(codes.next(), None, "all codes are used: {played:?}");
    played
}

fn reboot(text: &str, codes: &[u8]) -> Played {
    play(start("reboot", text), facts(METADATA), codes)
}

#[test]
fn a_reboot_is_proved_before_the_host_is_switched_on() {
    let played = reboot("a", &[0, 2, 0]);
    assert_eq!(played.ran, ["a:off", "a:status", "a:on"]);
    assert_eq!(played.told, [Ok(ProofLevel::OffVerified)]);
    let tried: Vec<_> =
        played.tried.iter().map(|one| (one.action.as_str(), one.succeeded, one.answer.as_str())).collect();
    assert_eq!(tried, [("off", true, "done"), ("status", true, "off")]);
    let played = reboot("a", &[0, 2, 1]);
    assert_eq!(played.left.as_deref(), Some("a did not switch host2 on again (exit status 1: no answer)"));
}

#[test]
fn only_a_device_that_reboots_switches_on_again() {
    let fabric = METADATA.replace(r#"<action name="reboot"/>"#, "");
    assert_eq!(play(start("reboot", "a"), facts(&fabric), &[0, 2]).ran, ["a:off", "a:status"]);
    assert_eq!(
        play(start("reboot", "a"), BTreeMap::new(), &[0, 2]).ran,
        ["a:off", "a:status"],
        "nothing is known"
    );
    let mut mapped = start("reboot", "a");
    mapped.levels[0][0].actions.get_mut("reboot").expect("there").name = "off".to_owned();
    assert_eq!(play(mapped, facts(METADATA), &[0, 2]).ran, ["a:off", "a:status"]);
    let mut custom = start("reboot", "a");
    custom.levels[0][0].actions.get_mut("reboot").expect("there").name = "cycle".to_owned();
    let played = play(custom, facts(METADATA), &[0]);
    assert_eq!((played.ran, played.told), (vec!["a:cycle".to_owned()], vec![Ok(ProofLevel::AgentReported)]));
    let no_off = METADATA.replace(r#"<action name="off"/>"#, "");
    assert_eq!(play(start("reboot", "a"), facts(&no_off), &[0]).ran, ["a:reboot"]);
}

#[test]
fn what_is_learned_while_it_runs_counts() {
    let (mut fencing, next) = Fencing::begin(start("reboot", "a"), BTreeMap::new(), at(0));
    let Next::Run(off) = next else { panic!("{next:?}") };
    fencing.learn("fence_x", &facts(METADATA)["fence_x"]);
    let Next::Run(status) = fencing.step_ended(&ended(&off, 0, OpStatus::Done), at(1)) else {
        panic!("status")
    };
    let next = fencing.step_ended(&ended(&status, 2, OpStatus::Done), at(2));
    assert!(matches!(&next, Next::TellAndRun(_, on) if on.action == "on"), "{next:?}");
}

#[test]
fn a_status_that_cannot_be_read_lowers_the_proof() {
    assert_eq!(play(start("off", "a"), facts(METADATA), &[0, 1]).told, [Ok(ProofLevel::AgentReported)]);
    let blind = METADATA.replace(r#"<action name="status"/>"#, "");
    assert_eq!(play(start("off", "a"), facts(&blind), &[0]).told, [Ok(ProofLevel::AgentReported)]);
}

#[test]
fn a_device_that_lies_is_no_proof() {
    let played = reboot("a b", &[0, 0, 0, 2, 1]);
    assert_eq!(played.ran, ["a:off", "a:status", "b:off", "b:status", "b:on"]);
    assert_eq!(played.told, [Ok(ProofLevel::OffVerified)]);
}

#[test]
fn all_devices_of_a_level_are_off_before_one_is_on() {
    let played = reboot("a+b c", &[0, 2, 0, 2, 1, 0]);
    assert_eq!(played.ran, ["a:off", "a:status", "b:off", "b:status", "a:on", "b:on"]);
    assert_eq!((played.told, played.left), (vec![Ok(ProofLevel::OffVerified)], None));
    let played = reboot("a+b c", &[0, 2, 1, 0, 2, 0]);
    assert_eq!(
        played.ran,
        ["a:off", "a:status", "b:off", "c:off", "c:status", "c:on"],
        "the rest of a level is left out"
    );
    assert_eq!(played.told, [Ok(ProofLevel::OffVerified)]);
    assert_eq!(played.tried.iter().map(|one| one.level).collect::<Vec<_>>(), [1, 1, 1, 2, 2]);
}

#[test]
fn a_level_proves_what_its_weakest_device_proves() {
    assert_eq!(
        play(start("off", "a+b"), facts(METADATA), &[0, 2, 0, 1]).told,
        [Ok(ProofLevel::AgentReported)]
    );
    assert_eq!(play(start("off", "a+null1"), facts(METADATA), &[0, 2, 0]).told, [Ok(ProofLevel::None)]);
    for (device, action, proof) in [
        ("null1", "reboot", ProofLevel::None),
        ("ssh1", "reboot", ProofLevel::None),
        ("meatware1", "reboot", ProofLevel::Human),
        ("glue1", "reboot", ProofLevel::AgentReported),
    ] {
        let played = reboot(device, &[0]);
        assert_eq!((played.ran, played.told), (vec![format!("{device}:{action}")], vec![Ok(proof)]));
    }
    assert_eq!(reboot("glue1+glue2", &[0, 0, 0, 0]).ran, ["glue1:off", "glue2:off", "glue1:on", "glue2:on"]);
}

#[test]
fn a_failure_is_tried_again_while_there_is_time() {
    let mut twice = start("off", "a");
    twice.levels[0][0].actions.get_mut("off").expect("there").retries = 2;
    assert_eq!(play(twice.clone(), facts(METADATA), &[1, 0, 2]).ran, ["a:off", "a:off", "a:status"]);
    assert_eq!(play(twice.clone(), facts(METADATA), &[1, 1]).told.len(), 1);
    for status in [OpStatus::Timeout, OpStatus::NotInstalled] {
        let (mut fencing, next) = Fencing::begin(twice.clone(), facts(METADATA), at(0));
        let Next::Run(operation) = next else { panic!("{next:?}") };
        let next = fencing.step_ended(&ended(&operation, 1, status), at(5));
        assert!(matches!(next, Next::Tell(FenceResult { outcome: Err(_), .. })), "{status:?}: {next:?}");
    }
    let (mut fencing, next) = Fencing::begin(twice, facts(METADATA), at(0));
    let Next::Run(operation) = next else { panic!("{next:?}") };
    assert_eq!(operation.timeout_ms, 1000);
    let Next::Run(again) = fencing.step_ended(&ended(&operation, 1, OpStatus::Done), at(400)) else {
        panic!("again")
    };
    assert_eq!(again.timeout_ms, 600, "the time is for all tries");
    assert_ne!(again.id, operation.id);
}

#[test]
fn delays_come_before_the_first_device_and_before_later_ones() {
    let mut delayed = start("off", "a b");
    delayed.delay_ms = 500;
    delayed.levels[1][0].delay_ms = 2000;
    let played = play(delayed.clone(), facts(METADATA), &[1, 0, 2]);
    assert_eq!((played.waited, played.ran.len()), (vec![500, 2500], 3));
    delayed.action = "on".to_owned();
    assert_eq!(
        play(delayed, facts(METADATA), &[1, 0]).waited,
        Vec::<u64>::new(),
        "access is given back at once"
    );
}

#[test]
fn a_watchdog_takes_its_time() {
    let mut last = start("reboot", "a watchdog1");
    last.levels[1][0].actions.get_mut("off").expect("there").timeout_ms = Some(40_000);
    let played = play(last, facts(METADATA), &[1]);
    assert_eq!((played.waited, played.told), (vec![40_010], vec![Ok(ProofLevel::AgentReported)]));
}

#[test]
fn unfencing_switches_on_at_all_devices() {
    let played = play(start("on", "a+b"), facts(METADATA), &[0, 0]);
    assert_eq!(
        (played.ran, played.told),
        (vec!["a:on".to_owned(), "b:on".to_owned()], vec![Ok(ProofLevel::AgentReported)])
    );
    assert!(play(start("on", "a+b"), facts(METADATA), &[0, 1]).told[0].is_err());
}

#[test]
fn all_failures_are_told() {
    let played = reboot("a b", &[1, 5]);
    assert_eq!(played.told, [Err("a: exit status 1: no answer; b: exit status 5: no answer".to_owned())]);
    assert_eq!(played.tried.len(), 2);
    assert!(
        play(start("off", ""), facts(METADATA), &[]).told[0]
            .as_ref()
            .expect_err("no device")
            .contains("no device")
    );
}

#[test]
fn a_lost_executor_fails_the_fencing() {
    let (mut fencing, _) = Fencing::begin(start("off", "a"), facts(METADATA), at(0));
    let next = fencing.step_lost("the executor is gone", at(5));
    let Next::Tell(result) = next else { panic!("{next:?}") };
    assert_eq!((result.outcome, result.took_ms), (Err("a: the executor is gone".to_owned()), 5));
}

#[test]
fn a_busy_device_takes_nothing_of_the_fencings_time() {
    let (mut fencing, next) = Fencing::begin(start("off", "a"), facts(METADATA), at(0));
    let Next::Run(operation) = next else { panic!("{next:?}") };
    fencing.hold(operation, at(0));
    let operation = fencing.release(at(900)).expect("it was held");
    let Next::Run(status) = fencing.step_ended(&ended(&operation, 0, OpStatus::Done), at(950)) else {
        panic!("status")
    };
    assert_eq!(status.timeout_ms, 950);
}

#[test]
fn the_target_is_named_as_the_agent_knows_it() {
    let argument = |agents: BTreeMap<String, AgentFacts>, own: Option<&str>| {
        let mut start = start("off", "a");
        let own = own.map(|own| ("pcmk_host_argument".to_owned(), own.to_owned()));
        start.levels[0][0].parameters.extend(own);
        let Next::Run(operation) = Fencing::begin(start, agents, at(0)).1 else { panic!("it runs") };
        operation.parameters.get("pcmk_host_argument").cloned()
    };
    assert_eq!(argument(facts(METADATA), None).as_deref(), Some("plug"));
    assert_eq!(argument(facts(&METADATA.replace("plug", "ip")), None).as_deref(), Some("none"));
    assert_eq!(argument(facts(METADATA), Some("uuid")).as_deref(), Some("uuid"));
    assert_eq!(argument(BTreeMap::new(), None), None);
}

fn check(kind: CheckKind, targets: &[(&str, &str)]) -> DeviceCheck {
    let targets = targets.iter().map(|(uname, port)| ((*uname).to_owned(), (*port).to_owned())).collect();
    DeviceCheck { device: device_of("fence_x", "d"), kind, targets, allowed: true }
}

/// Answers of a device: exit status and standard output by action, or by action and port.
type Answers<'a> = &'a [(&'a str, u8, &'a str)];

fn answer_to(operation: &FenceOperation, answers: Answers<'_>) -> End {
    let port = operation.port.clone().unwrap_or_default();
    let name = if operation.target.is_some() {
        format!("{} {port}", operation.action)
    } else {
        operation.action.clone()
    };
    let (_, rc, stdout) =
        answers.iter().find(|(known, ..)| *known == name).unwrap_or_else(|| panic!("asked for {name}"));
    End { stdout: (*stdout).to_owned(), ..end(*rc, OpStatus::Done) }
}

fn run_all(
    drills: &mut Drills,
    todo: Vec<Todo>,
    answers: Answers<'_>,
) -> (Vec<DeviceKnowledge>, Vec<Vec<FenceCheck>>) {
    let (mut learned, mut drilled) = (Vec::new(), Vec::new());
    let mut todo: std::collections::VecDeque<Todo> = todo.into();
    while let Some(next) = todo.pop_front() {
        match next {
            Todo::Run(operation) => {
                let end = answer_to(&operation, answers);
                todo.extend(drills.step_ended(&operation.id, &end).expect("it is one of the looks"));
            }
            Todo::Describe(agent) => todo.extend(drills.described(&agent, Ok(METADATA), "host1")),
            Todo::Learned { knowledge, .. } => learned.push(knowledge),
            Todo::Drilled { checks, .. } => drilled.push(checks),
        }
    }
    (learned, drilled)
}

fn learned(kind: CheckKind, answers: Answers<'_>) -> BTreeMap<String, bool> {
    let mut drills = Drills::default();
    assert!(drills.is_of_other(StateVersion::default()));
    let checks = vec![check(kind, &[("host1", "1"), ("Host2", "2"), ("host3", "host3")])];
    let todo = drills.configured(StateVersion::default(), checks, "host1");
    assert!(!drills.is_of_other(StateVersion::default()));
    run_all(&mut drills, todo, answers).0.pop().map(|known| known.targets).unwrap_or_default()
}

#[test]
fn whom_a_device_can_fence_is_asked_as_its_check_says() {
    let three = |one, two, three| {
        BTreeMap::from(
            [("host1", one), ("host2", two), ("host3", three)].map(|(name, able)| (name.to_owned(), able)),
        )
    };
    let list: Answers<'_> = &[("list", 0, "1,first\n7,\nHOST3,third\n")];
    assert_eq!(learned(CheckKind::List, list), three(true, false, true));
    assert_eq!(learned(CheckKind::Default, list), three(true, false, true));
    let status: Answers<'_> =
        &[("list", 1, ""), ("status 1", 0, ""), ("status 2", 2, ""), ("status host3", 1, "")];
    assert_eq!(learned(CheckKind::Status, status), three(true, true, false));
    assert_eq!(learned(CheckKind::Default, status), three(true, true, false));
    assert_eq!(learned(CheckKind::List, &[("list", 1, "")]), BTreeMap::new(), "nothing is known");
    assert_eq!(learned(CheckKind::Static, &[]), BTreeMap::new());
    assert_eq!(learned(CheckKind::Any, &[]), BTreeMap::new());
}

fn drilled(checks: Vec<DeviceCheck>, only: Option<&str>, answers: Answers<'_>) -> Vec<FenceCheck> {
    let mut drills = Drills::default();
    run_all(&mut drills, vec![Todo::Describe("fence_x".to_owned())], &[]);
    let todo = drills.drill(Some(7), checks, "host1", only).expect("it begins");
    let mut drilled = run_all(&mut drills, todo, answers).1;
    assert_eq!(drilled.len(), 1);
    drilled.pop().expect("one")
}

#[test]
fn a_drill_asks_a_device_for_itself_and_for_each_target() {
    let two = check(CheckKind::Static, &[("host1", "1"), ("host2", "2")]);
    let answers: Answers<'_> = &[("monitor", 0, ""), ("status 1", 0, ""), ("status 2", 1, "")];
    let checks = drilled(vec![two.clone()], None, answers);
    let lines: Vec<_> = checks
        .iter()
        .map(|one| (one.action.as_str(), one.target.as_deref(), one.succeeded, one.answer.as_str()))
        .collect();
    assert_eq!(lines[0], ("monitor", None, true, "answers"));
    assert_eq!(lines[1], ("status", Some("host1"), true, "on"));
    assert_eq!(lines[2], ("status", Some("host2"), false, "exit status 1: no answer"));
    assert_eq!(failures(&checks).len(), 1);
    assert!(
        failures(&checks)[0].starts_with("d may not be able to fence: its status for host2 failed on host1")
    );
    assert_eq!(drilled(vec![two.clone()], Some("HOST1"), answers).len(), 2);
    assert_eq!(drilled(vec![two.clone()], Some("host9"), answers), Vec::new());
    let broken = drilled(vec![two.clone()], None, &[("monitor", 1, "")]);
    assert_eq!((broken.len(), broken[0].succeeded), (1, false), "what does not answer is not asked further");
    let kept_off = drilled(vec![DeviceCheck { allowed: false, ..two }], None, &[]);
    assert!(kept_off[0].succeeded && kept_off[0].answer.contains("keeps it off this host"));
}

#[test]
fn a_plugin_of_cluster_glue_must_list_its_targets() {
    let mut plugin = check(CheckKind::Static, &[("host1", "host1"), ("host2", "outlet 2")]);
    plugin.device = device_of("external/rackpdu", "d");
    let checks = drilled(vec![plugin], None, &[("monitor", 0, ""), ("list", 0, "host1 \n")]);
    let able: Vec<_> = checks.iter().map(|one| (one.target.as_deref(), one.succeeded)).collect();
    assert_eq!(able, [(None, true), (Some("host1"), true), (Some("host2"), false)]);
}

#[test]
fn a_lost_executor_ends_all_drills() {
    let mut drills = Drills::default();
    let todo = drills.drill(None, vec![check(CheckKind::Static, &[])], "host1", None).expect("it begins");
    assert!(matches!(&todo[..], [Todo::Run(_)]) && drills.is_drilling());
    let (_, drilled) = {
        let todo = drills.lost("the executor was lost");
        run_all(&mut drills, todo, &[])
    };
    assert!(!drilled[0][0].succeeded && !drills.is_drilling());
    assert!(drills.is_of_other(StateVersion::default()), "all is learned anew");
}

#[test]
fn a_look_ends_where_an_agent_says_nothing_of_itself() {
    let here = check(CheckKind::Default, &[("host1", "1")]);
    let (look, looked) = look::Look::begin(1, here, None, "host1", look::Purpose::Learn);
    let Looked::Run(operation) = looked else { panic!("it asks for the list") };
    assert_eq!((operation.action.as_str(), operation.id == look.operation_id()), ("list", true));
}
