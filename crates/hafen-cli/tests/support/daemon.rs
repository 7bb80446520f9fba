//! A daemon that answers what a test gives it, and remembers what it was asked.
#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hafen_protocol::client::{
    AttributeReport, Event, Failure, FenceCheck, FenceOutcome, FenceRecord, HostReport, Numbered, Reply,
    Request, StatusReport,
};

/// The daemon; it ends with the test's process.
pub(crate) struct FakeDaemon {
    folder: tempfile::TempDir,
    asked: Arc<Mutex<Vec<Request>>>,
}

/// The configuration that it shows.
pub(crate) const CIB: &str = r#"<cib admin_epoch="0" epoch="1" num_updates="0"><configuration><crm_config>
<cluster_property_set id="cib-bootstrap-options"><nvpair id="o-s" name="no-quorum-policy" value="stop"/>
</cluster_property_set></crm_config><nodes><node id="1" uname="host1"><instance_attributes id="nodes-1">
<nvpair id="nodes-1-rack" name="rack" value="7"/></instance_attributes></node><node id="2" uname="host2"/></nodes>
<resources/><constraints/></configuration></cib>"#;

impl FakeDaemon {
    /// Listens. It has one attribute, `x`: 5 on host1, deleted on host2.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("daemon.sock")).expect("bound");
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let remembered = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut attributes = BTreeMap::from([
                (("x".to_owned(), "host1".to_owned()), Some("5".to_owned())),
                (("x".to_owned(), "host2".to_owned()), None),
            ]);
            for stream in listener.incoming().flatten() {
                let _ = serve(&stream, &remembered, &mut attributes);
            }
        });
        Self { folder, asked }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("daemon.sock")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it was asked since the last look, questions left out.
    pub(crate) fn changes(&self) -> Vec<Request> {
        let mut asked = std::mem::take(&mut *self.asked.lock().expect("no panic"));
        asked.retain(|request| {
            !matches!(
                request,
                Request::WhoAmI
                    | Request::Status
                    | Request::Cib { .. }
                    | Request::QueryAttribute { .. }
                    | Request::FenceHistory { .. }
                    | Request::FenceDrill { .. }
                    | Request::Events { .. }
                    | Request::TransitionInput { .. }
            )
        });
        asked
    }
}

type Attributes = BTreeMap<(String, String), Option<String>>;

fn serve(
    stream: &UnixStream,
    asked: &Mutex<Vec<Request>>,
    attributes: &mut Attributes,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let Numbered { number, body } = serde_json::from_str::<Numbered<Request>>(&line)?;
        line.clear();
        if let Request::Events { after, .. } = &body {
            for event in events().into_iter().filter(|event| event.number > after.unwrap_or(0)) {
                let mut bytes = serde_json::to_vec(&Numbered { number, body: Reply::Event(event) })?;
                bytes.push(b'\n');
                (&mut (&*stream)).write_all(&bytes)?;
            }
        }
        let reply = answer(&body, attributes);
        asked.lock().expect("no panic").push(body);
        let mut bytes = serde_json::to_vec(&Numbered { number, body: reply })?;
        bytes.push(b'\n');
        (&mut (&*stream)).write_all(&bytes)?;
    }
    Ok(())
}

fn answer(request: &Request, attributes: &mut Attributes) -> Reply {
    match request {
        Request::WhoAmI => Reply::Host { name: "host1".to_owned(), id: 1, cluster: "test".to_owned() },
        Request::Status => Reply::Status(Box::new(status())),
        Request::Cib { .. } => Reply::Xml { xml: CIB.to_owned() },
        Request::QueryAttribute { name, .. } => {
            let wanted =
                attributes.iter().filter(|((known, _), _)| name.as_ref().is_none_or(|name| name == known));
            let report = |((name, host), value): (&(String, String), &Option<String>)| AttributeReport {
                host: host.clone(),
                name: name.clone(),
                value: value.clone(),
            };
            Reply::Attributes { attributes: wanted.map(report).collect() }
        }
        Request::SetAttribute { host, name, value, .. } => {
            let host = host.clone().unwrap_or_else(|| "host1".to_owned());
            attributes.insert((name.clone(), host), value.clone());
            Reply::Done { note: None }
        }
        Request::Change { .. } | Request::Fence { .. } | Request::ConfirmOff { .. } | Request::Shutdown => {
            Reply::Done { note: None }
        }
        Request::Events { .. } => Reply::Done { note: None },
        // The newer transition 1 has none; that of the older one was overwritten by another's.
        Request::TransitionInput { number: number @ (1 | 2) } => Reply::Xml { xml: input(*number) },
        Request::FenceHistory { host } => {
            let wanted = |record: &FenceRecord| host.as_ref().is_none_or(|host| *host == record.target);
            Reply::FenceHistory { records: fencings().into_iter().filter(wanted).collect() }
        }
        Request::FenceDrill { host, .. } => {
            let check = |target: Option<&str>, succeeded| FenceCheck {
                device: "f1".to_owned(),
                target: target.map(str::to_owned),
                by: "host1".to_owned(),
                action: "status".to_owned(),
                succeeded,
                answer: "on".to_owned(),
                took_ms: 1,
            };
            let mut checks = vec![check(None, true), check(Some("host1"), false), check(Some("host2"), true)];
            checks.retain(|check| host.is_none() || check.target == *host);
            Reply::FenceDrill { checks }
        }
        other => Reply::Failed(Failure {
            kind: "invalid".to_owned(),
            message: format!("the test has no answer to {other:?}"),
            mend: String::new(),
        }),
    }
}

/// Two fencings of host2: one that succeeded, and one under way.
fn fencings() -> Vec<FenceRecord> {
    let record = |action: &str, began_ms, ended_ms, outcome| FenceRecord {
        id: format!("{action}-{began_ms}"),
        target: "host2".to_owned(),
        action: action.to_owned(),
        origin: None,
        cause: "lost".to_owned(),
        by: Some("host1".to_owned()),
        tried: Vec::new(),
        proof: None,
        began_ms,
        ended_ms,
        outcome,
        error: None,
    };
    vec![
        record("off", 1_700_000_000_000, Some(1_700_000_001_250), FenceOutcome::Succeeded),
        record("reboot", 1_700_000_100_000, None, FenceOutcome::Pending),
    ]
}

fn status() -> StatusReport {
    let host = |name: &str, id, state: &str| HostReport {
        name: name.to_owned(),
        id,
        state: state.to_owned(),
        ..HostReport::default()
    };
    StatusReport {
        host: "host1".to_owned(),
        quorate: true,
        coordinator: Some("host1".to_owned()),
        hosts: vec![host("host1", 1, "online"), host("host2", 2, "offline")],
        ..StatusReport::default()
    }
}

/// When the log begins: 2023-11-14 22:13:20 UTC.
const BEGIN_MS: u64 = 1_700_000_000_000;

/// A log with three transitions; before the last the daemon was started anew.
fn events() -> Vec<Event> {
    let table: [(u64, &str, &str, &str, &str); 11] = [
        (0, "plan", "", "transition 1 has 3 steps", "the cluster starts"),
        (1, "view", "", "the cluster's members are host1 host2", "the bus said so"),
        (2, "plan-ended", "", "transition 1 is complete", "its last step ended"),
        (300, "host-lost", "host2", "host2 is unclean", "the view changed"),
        (400, "plan", "", "transition 2 has 2 steps", "the configuration changed to 0.2.0"),
        (401, "result", "r", "start r on host1 ended: status 1 (broken)", "1:2:0:0a0a"),
        (402, "result", "r", "stop r on host1 ended: as expected", "2:2:0:0a0a"),
        (403, "plan-ended", "", "transition 2 is complete", "its last step ended"),
        (500, "executor", "", "the executor runs 0 operations", "it is connected"),
        (600, "plan", "", "transition 1 has 1 steps", "the daemon started anew"),
        (601, "result", "r", "start r on host1 ended: as expected", "1:1:0:0a0a"),
    ];
    let event = |(at, (second, kind, subject, text, cause)): (u64, (u64, &str, &str, &str, &str))| Event {
        number: at,
        wall_ms: BEGIN_MS + second * 1000,
        host: "host1".to_owned(),
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        text: text.to_owned(),
        cause: cause.to_owned(),
    };
    (1..).zip(table).map(event).collect()
}

/// A saved input; it is of transition 2, by its time.
fn input(_number: u64) -> String {
    let resources =
        "<resources><primitive id=\"r\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\"/></resources>";
    let state = "<status><node_state id=\"1\" uname=\"host1\" in_ccm=\"true\" crmd=\"online\" join=\"member\" \
                 expected=\"member\"/></status></cib>";
    let head = format!(
        "<cib execution-date=\"{}\" crm_feature_set=\"3.20.0\" validate-with=\"pacemaker-4.0\" \
                        have-quorum=\"1\" ",
        BEGIN_MS / 1000 + 400
    );
    let off = "<nvpair id=\"o-f\" name=\"stonith-enabled\" value=\"false\"/></cluster_property_set>";
    CIB.replace("<cib ", &head)
        .replace("</cluster_property_set>", off)
        .replace("<resources/>", resources)
        .replace("</cib>", state)
}
