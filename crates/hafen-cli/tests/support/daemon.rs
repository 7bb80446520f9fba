//! A daemon that answers what a test gives it, and remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hafen_protocol::client::{
    AttributeReport, Failure, FenceCheck, FenceOutcome, FenceRecord, HostReport, Numbered, Reply, Request,
    StatusReport,
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
