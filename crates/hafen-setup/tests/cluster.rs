//! Several hosts in one process: each with files of its own below a folder, and an address of its own on the loopback interface.
//! Corosync's tools are scripts that note how they are called.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hafen_setup::corosync_conf::{CorosyncConf, NodeEntry};
use hafen_setup::files::{self, Outcome, Push, Standing};
use hafen_setup::network::InterfaceAddress;
use hafen_setup::peer::{Credentials, PeerClient, PeerPort};
use hafen_setup::pki::{self, Authority, HostKey};
use hafen_setup::request::{JoinReply, JoinRequest, Joiner, PeerRequest, Welcome};
use hafen_setup::server::Service;
use hafen_setup::services::Services;
use hafen_setup::token::Token;
use hafen_setup::{Host, Kind, Paths, SetupError, change, disk, init, leave, measure, timing, tune};

const PATIENCE: Duration = Duration::from_secs(30);
const CONF: &str = "/etc/corosync/corosync.conf";

/// A cluster of hosts whose ports are open.
struct Stage {
    folder: tempfile::TempDir,
    hosts: Vec<Host>,
    ports: Vec<Option<PeerPort>>,
    runtime: Arc<tokio::runtime::Runtime>,
    end: Arc<tokio::sync::Notify>,
    authority: Authority,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.end.notify_one();
    }
}

fn address(id: u32) -> String {
    format!("127.0.0.{id}")
}

fn script(path: PathBuf, text: &str) {
    disk::write_whole(&path, format!("#!/bin/sh\n{text}\n").as_bytes(), 0o755).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn conf(count: u32) -> CorosyncConf {
    let mut conf: CorosyncConf =
        "totem {\n version: 2\n cluster_name: c1\n config_version: 1\n crypto_cipher: aes256\n \
        crypto_hash: sha256\n}\nquorum {\n provider: corosync_votequorum\n}\n"
            .parse()
            .unwrap();
    for id in 1..=count {
        conf.add_node(&NodeEntry { id, name: format!("host{id}"), addresses: [(0, address(id))].into() });
    }
    conf.derive_two_node();
    conf
}

impl Stage {
    fn new(count: u32) -> Self {
        let runtime = Arc::new(tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
        let end = Arc::new(tokio::sync::Notify::new());
        let (driven, until) = (Arc::clone(&runtime), Arc::clone(&end));
        std::thread::spawn(move || driven.block_on(until.notified()));
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let authority = Authority::generate("c1").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Self { folder, hosts: Vec::new(), ports: Vec::new(), runtime, end, authority };
        for id in 1..=count {
            let host = stage.prepare(id, free, &conf(count));
            stage.hosts.push(host);
            stage.ports.push(None);
            stage.open(id);
        }
        stage
    }

    /// The files of a host.
    fn prepare(&self, id: u32, peer_port: u16, conf: &CorosyncConf) -> Host {
        let root = self.folder.path().join(format!("host{id}"));
        let paths = Paths::new(&root);
        let name = format!("host{id}");
        let key = HostKey::generate().unwrap();
        let pem = self.authority.sign(&key.request(&name).unwrap(), &name, id).unwrap();
        let pki = paths.pki_dir();
        for (file, text) in [
            (pki::CA_FILE, self.authority.certificate_pem()),
            (pki::CA_KEY_FILE, self.authority.key_pem()),
            (pki::HOST_FILE, &pem),
            (pki::HOST_KEY_FILE, key.key_pem()),
        ] {
            disk::write_whole(&pki.join(file), text.as_bytes(), 0o600).unwrap();
        }
        disk::write_whole(&paths.corosync_conf(), conf.to_string().as_bytes(), 0o644).unwrap();
        disk::write_whole(&paths.authkey(), b"the key", 0o400).unwrap();
        let tools = root.join("tools");
        let said = root.join("said").display().to_string();
        for tool in ["corosync", "corosync-cfgtool", "corosync-cmapctl", "corosync-quorumtool"] {
            script(
                tools.join(tool),
                &format!("echo {tool} $* >> {said}; test ! -e {}/fail-{tool}", root.display()),
            );
        }
        let services = Services::find(&paths).unwrap().with_tools(tools);
        let interface =
            InterfaceAddress { interface: "lo".into(), address: address(id).parse().unwrap(), prefix: 8 };
        Host { paths, name, addresses: vec![interface], services, peer_port }
    }

    fn host(&self, id: u32) -> &Host {
        &self.hosts[id as usize - 1]
    }

    fn open(&mut self, id: u32) {
        let host = self.host(id);
        let credentials = host.credentials().unwrap();
        let at: SocketAddr = format!("{}:{}", address(id), host.peer_port).parse().unwrap();
        let handler = Arc::new(Service::of(host.clone()));
        let port = self.runtime.block_on(PeerPort::open(&credentials, &[at], handler)).unwrap();
        self.ports[id as usize - 1] = Some(port);
    }

    fn close(&mut self, id: u32) {
        self.ports[id as usize - 1] = None;
    }

    fn text(&self, id: u32, path: &str) -> Option<String> {
        disk::read_text_optional(&self.host(id).paths.at(path)).unwrap()
    }

    fn write(&self, id: u32, path: &str, text: &str) {
        disk::write_whole(&self.host(id).paths.at(path), text.as_bytes(), 0o644).unwrap();
    }

    fn reloads(&self, id: u32) -> usize {
        self.text(id, "/said").unwrap_or_default().matches("corosync-cfgtool -R").count()
    }

    fn confs(&self) -> BTreeSet<Option<String>> {
        self.hosts.iter().map(|host| host.corosync_text().unwrap()).collect()
    }
}

fn token_ms(conf: &mut CorosyncConf) -> Result<(), SetupError> {
    conf.top("totem").set("token", "1234");
    Ok(())
}

fn nobody() -> BTreeSet<String> {
    BTreeSet::new()
}

#[test]
fn a_change_reaches_all_hosts_and_corosync_once() {
    let stage = Stage::new(3);
    let text = change::change(stage.host(2), &nobody(), token_ms).unwrap();
    assert_eq!(stage.confs(), [Some(text.clone())].into());
    assert!(text.contains("token: 1234") && text.contains("config_version: 2"), "{text}");
    assert_eq!((stage.reloads(1), stage.reloads(2)), (0, 1), "one reload tells all Corosyncs");
    let again = change::change(stage.host(2), &nobody(), token_ms).unwrap();
    assert_eq!(again, text, "a second time changes nothing");
}

#[test]
fn a_change_that_one_host_misses_does_not_happen() {
    let mut stage = Stage::new(3);
    let before = stage.confs();
    stage.close(3);
    let error = change::change(stage.host(1), &nobody(), token_ms).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.to_string().contains("hafen remove host3"), "{error}");
    assert_eq!(stage.confs(), before);
    change::change(stage.host(1), &["host3".to_owned()].into(), token_ms).unwrap();
    assert_eq!(stage.text(1, CONF), stage.text(2, CONF));
    assert!(!stage.text(3, CONF).unwrap().contains("1234"));
}

#[test]
fn a_change_that_one_corosync_refuses_does_not_happen() {
    let stage = Stage::new(2);
    let before = stage.confs();
    stage.write(2, "/fail-corosync", "");
    let error = change::change(stage.host(1), &nobody(), token_ms).unwrap_err().to_string();
    assert!(error.contains("Corosync refuses the configuration"), "{error}");
    assert_eq!(stage.confs(), before);
    assert!(!stage.host(1).paths.corosync_conf_prepared().exists(), "nothing stays prepared");
    fs::remove_file(stage.host(2).paths.at("/fail-corosync")).unwrap();
    change::change(stage.host(1), &nobody(), token_ms).unwrap();
}

#[test]
fn a_change_killed_between_hosts_is_completed_by_the_next() {
    let stage = Stage::new(3);
    let mut conf = conf(3);
    token_ms(&mut conf).unwrap();
    conf.raise_config_version();
    let text = conf.to_string();
    // All were ready; one had gone on when the command was killed.
    for id in [1, 2, 3] {
        disk::write_whole(&stage.host(id).paths.corosync_conf_prepared(), text.as_bytes(), 0o644).unwrap();
    }
    fs::rename(stage.host(3).paths.corosync_conf_prepared(), stage.host(3).paths.corosync_conf()).unwrap();
    let after = change::change(stage.host(1), &nobody(), |conf| {
        conf.top("totem").set("join", "60");
        Ok(())
    })
    .unwrap();
    assert!(after.contains("token: 1234") && after.contains("join: 60"), "{after}");
    assert_eq!(stage.confs(), [Some(after)].into());
}

#[test]
fn a_preparation_keeps_other_changes_out() {
    let stage = Stage::new(2);
    disk::write_whole(&stage.host(2).paths.corosync_conf_prepared(), b"another", 0o644).unwrap();
    let error = change::change(stage.host(1), &nobody(), token_ms).unwrap_err().to_string();
    assert!(error.contains("another change of corosync.conf is under way at host2"), "{error}");
}

#[test]
fn configurations_edited_by_hand_are_named_and_never_overwritten() {
    let stage = Stage::new(2);
    stage.write(2, CONF, &format!("{}# mine\n", conf(2)));
    let error = change::change(stage.host(1), &nobody(), token_ms).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    assert!(stage.text(2, CONF).unwrap().contains("# mine"));
    stage.write(1, CONF, "totem {\n version 2\n}\n");
    let error = change::change(stage.host(1), &nobody(), token_ms).unwrap_err().to_string();
    assert!(error.contains("corosync.conf, line 2") && error.contains("files push"), "{error}");
    // The host that has the right one can bring it here although nothing can be read here.
    let how = Push { paths: vec![CONF.to_owned()], overwrite: true, remove: false };
    let pushed = files::push(stage.host(2), &how).unwrap();
    assert_eq!(pushed[0].outcome, Outcome::Written, "{pushed:?}");
    assert_eq!(stage.confs().len(), 1);
    assert_eq!(stage.reloads(2), 1, "and Corosync hears of it");
}

#[test]
fn a_broken_configuration_is_not_brought_to_others() {
    let stage = Stage::new(2);
    stage.write(1, CONF, &conf(2).to_string().replace("nodeid: 2", "nodeid: 1"));
    let how = Push { paths: vec![CONF.to_owned()], overwrite: true, remove: false };
    let error = files::push(stage.host(1), &how).unwrap_err().to_string();
    assert!(
        error.contains("stays on this host alone") && error.contains("nodeid 1 is there twice"),
        "{error}"
    );
}

#[test]
fn agreed_files_travel_and_conflicts_are_shown() {
    let stage = Stage::new(3);
    let web = "/etc/xen/vm/web";
    stage.write(1, web, "memory = 512\n");
    assert_eq!(files::survey(stage.host(2)).unwrap().differing(), [web]);
    let pushed = files::push(stage.host(1), &Push::default()).unwrap();
    assert_eq!(pushed.len(), 2, "{pushed:?}");
    assert_eq!(stage.text(3, web).as_deref(), Some("memory = 512\n"));
    // Changed on one host: it goes everywhere, from there.
    stage.write(2, web, "memory = 1024\n");
    let survey = files::survey(stage.host(1)).unwrap();
    assert_eq!(survey.standing(web), Standing::Newer { on: ["host2".to_owned()].into() });
    let stale = files::push(stage.host(1), &Push::default()).unwrap();
    assert!(stale.iter().any(|one| one.host == "host2" && one.outcome == Outcome::Conflict), "{stale:?}");
    files::push(stage.host(2), &Push::default()).unwrap();
    assert_eq!(stage.text(1, web).as_deref(), Some("memory = 1024\n"));
    // Changed on two hosts: shown, and overwritten only when that is said.
    stage.write(1, web, "memory = 1\n");
    stage.write(2, web, "memory = 2\n");
    let diff = files::diff(stage.host(1), web, "host2").unwrap();
    assert!(diff.contains("-memory = 1") && diff.contains("+memory = 2"), "{diff}");
    files::push(stage.host(1), &Push::default()).unwrap();
    assert_eq!(stage.text(2, web).as_deref(), Some("memory = 2\n"), "left alone");
    let how = Push { paths: vec![web.to_owned()], overwrite: true, remove: false };
    files::push(stage.host(1), &how).unwrap();
    assert_eq!(stage.text(2, web).as_deref(), Some("memory = 1\n"));
    let kept = fs::read_dir(stage.host(2).paths.replaced_dir()).unwrap().count();
    assert!(kept > 0, "what was replaced is kept");
}

#[test]
fn removed_files_and_silent_hosts_are_told() {
    let mut stage = Stage::new(3);
    let web = "/etc/xen/vm/web";
    stage.write(1, web, "x");
    files::push(stage.host(1), &Push::default()).unwrap();
    fs::remove_file(stage.host(1).paths.at(web)).unwrap();
    let pushed = files::push(stage.host(1), &Push::default()).unwrap();
    assert!(pushed.iter().all(|one| one.outcome == Outcome::MissingHere), "{pushed:?}");
    stage.close(3);
    let pushed = files::push(stage.host(1), &Push { remove: true, ..Push::default() }).unwrap();
    assert!(
        pushed.iter().any(|one| one.host == "host3" && matches!(one.outcome, Outcome::Failed(_))),
        "{pushed:?}"
    );
    assert_eq!(stage.text(2, web), None);
    assert!(files::survey(stage.host(1)).unwrap().silent.contains_key("host3"));
    files::pull(stage.host(1), web, "host2").unwrap_err();
}

#[test]
fn secrets_are_never_shown_and_foreign_files_never_touched() {
    let stage = Stage::new(2);
    stage.write(2, "/etc/corosync/authkey.x", "");
    disk::write_whole(&stage.host(2).paths.authkey(), b"another key", 0o400).unwrap();
    let diff = files::diff(stage.host(1), "/etc/corosync/authkey", "host2").unwrap();
    assert!(diff.contains("differ") && !diff.contains("another key"), "{diff}");
    assert!(files::diff(stage.host(1), "/etc/shadow", "host2").is_err());
    let credentials = stage.host(1).credentials().unwrap();
    let node = conf(2).node("host2").unwrap();
    for path in ["/etc/shadow", "/etc/xen/vm/../../shadow", "/etc/hafen/pki/host-key.pem"] {
        let mut client = stage.host(1).connect(&credentials, &node).unwrap();
        assert!(client.ask(&PeerRequest::FetchFile { path: path.to_owned() }, PATIENCE).is_err(), "{path}");
        let put = PeerRequest::PutFile { path: path.to_owned(), content: None, expected: None };
        assert!(client.ask(&put, PATIENCE).is_err(), "{path}");
    }
}

fn joiner(name: &str, token: &Token, key: &HostKey) -> Joiner {
    let own = InterfaceAddress { interface: "lo".into(), address: address(9).parse().unwrap(), prefix: 8 };
    Joiner {
        secret: token.secret_hex(),
        name: name.to_owned(),
        certificate_request: key.request(name).unwrap(),
        addresses: vec![own],
        chosen: Default::default(),
        version: String::new(),
    }
}

fn ask(stage: &Stage, token: &Token, request: &JoinRequest) -> Result<JoinReply, SetupError> {
    let at: SocketAddr = format!("{}:{}", address(1), stage.host(1).peer_port).parse().unwrap();
    PeerClient::connect_to_join(token, "host1", at)?.ask_to_join(request, PATIENCE)
}

fn welcomed(reply: JoinReply) -> Welcome {
    match reply {
        JoinReply::Welcome(welcome) => *welcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_is_admitted_once_and_may_ask_again() {
    let stage = Stage::new(2);
    let (token, line) = init::token(stage.host(1), 60).unwrap();
    assert!(line.starts_with("hafen join ") && line.ends_with(&token.to_string()), "{line}");
    let key = HostKey::generate().unwrap();
    let wanted = Box::new(joiner("host9", &token, &key));
    let first = welcomed(ask(&stage, &token, &JoinRequest::Join(wanted.clone())).unwrap());
    let second = welcomed(ask(&stage, &token, &JoinRequest::Join(wanted.clone())).unwrap());
    assert_eq!((first.id, second.id), (3, 3));
    assert!(conf(2).node("host9").is_none(), "asking changes nothing");
    for _ in 0..2 {
        let reply = ask(&stage, &token, &JoinRequest::Confirm(wanted.clone())).unwrap();
        let JoinReply::Admitted { corosync_conf } = reply else { panic!("{reply:?}") };
        let conf: CorosyncConf = corosync_conf.parse().unwrap();
        assert_eq!(conf.node("host9").unwrap().addresses[&0], address(9));
        assert_eq!(conf.value("quorum", "two_node"), None, "three hosts");
        assert_eq!(conf.config_version(), 2, "once");
    }
    assert_eq!(stage.confs().len(), 1);
    let other = Box::new(joiner("host8", &token, &HostKey::generate().unwrap()));
    let error = ask(&stage, &token, &JoinRequest::Join(other)).unwrap_err().to_string();
    assert!(error.contains("used already, by host9"), "{error}");
}

#[test]
fn hosts_that_do_not_fit_are_refused_and_nothing_changes() {
    let mut stage = Stage::new(2);
    let before = stage.confs();
    let (token, _) = init::token(stage.host(1), 60).unwrap();
    let key = HostKey::generate().unwrap();
    let fine = joiner("host9", &token, &key);
    let with = |change: &dyn Fn(&mut Joiner)| {
        let mut joiner = fine.clone();
        change(&mut joiner);
        ask(&stage, &token, &JoinRequest::Join(Box::new(joiner))).unwrap_err().to_string()
    };
    for (error, part) in [
        (with(&|joiner| joiner.name = "host2".into()), "is in the cluster already"),
        (with(&|joiner| joiner.name = "localhost".into()), "cannot be the name"),
        (with(&|joiner| joiner.name = "a b".into()), "cannot be the name"),
        (with(&|joiner| joiner.addresses.clear()), "link 0 of the cluster"),
        (
            with(&|joiner| joiner.addresses[0].address = "10.0.0.1".parse().unwrap()),
            "no address in the network",
        ),
        (
            with(&|joiner| joiner.addresses[0].address = address(2).parse().unwrap()),
            "is that of host2 already",
        ),
        (with(&|joiner| joiner.secret = "00".into()), "token is not known"),
        (with(&|joiner| joiner.certificate_request = "x".into()), "is none"),
    ] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    let confirm = JoinRequest::Confirm(Box::new(fine.clone()));
    assert!(ask(&stage, &token, &confirm).is_err(), "nobody is a member who did not ask first");
    fs::remove_file(stage.host(1).paths.pki_dir().join(pki::CA_KEY_FILE)).unwrap();
    let error = with(&|_| {});
    assert!(error.contains("ca-key.pem is not there"), "{error}");
    disk::write_whole(
        &stage.host(1).paths.pki_dir().join(pki::CA_KEY_FILE),
        stage.authority.key_pem().as_bytes(),
        0o600,
    )
    .unwrap();
    welcomed(ask(&stage, &token, &JoinRequest::Join(Box::new(fine.clone()))).unwrap());
    stage.close(2);
    let error = ask(&stage, &token, &confirm).unwrap_err().to_string();
    assert!(error.contains("host2 must know of the change"), "{error}");
    assert_eq!(stage.confs(), before);
}

#[test]
fn a_host_that_is_out_is_not_heard_any_more() {
    let stage = Stage::new(3);
    assert!(leave::remove(stage.host(1), "host1").is_err());
    assert!(leave::remove(stage.host(1), "host7").unwrap_err().to_string().contains("host1, host2, host3"));
    let running = "#!/bin/sh\necho 'runtime.members.3.status (str) = joined'\n";
    let tool = stage.host(1).paths.at("/tools/corosync-cmapctl");
    disk::write_whole(&tool, running.as_bytes(), 0o755).unwrap();
    assert!(leave::remove(stage.host(1), "host3").unwrap_err().to_string().contains("hafen leave"));
    disk::write_whole(&tool, b"#!/bin/sh\n", 0o755).unwrap();
    leave::remove(stage.host(1), "host3").unwrap();
    let now = stage.host(2).corosync_conf().unwrap();
    assert_eq!(now.nodes().len(), 2);
    assert_eq!(now.value("quorum", "two_node"), Some("1"), "two hosts again");
    let credentials: Credentials = stage.host(3).credentials().unwrap();
    let mut client = stage.host(3).connect(&credentials, &now.node("host1").unwrap()).unwrap();
    let error = client.ask(&PeerRequest::Files, PATIENCE).unwrap_err().to_string();
    assert!(error.contains("host 3 is not in this cluster's nodelist"), "{error}");
}

#[test]
fn links_are_measured_by_all_and_tuned_for_all() {
    let mut stage = Stage::new(3);
    let credentials = stage.host(1).credentials().unwrap();
    let measures = measure::measure_all(stage.host(1), &credentials, &conf(3), 5).unwrap();
    assert_eq!(measures.len(), 6, "every direction: {measures:?}");
    assert!(measures.iter().all(|one| one.echoes == 5 && one.failure.is_none()), "{measures:?}");
    let proposal = tune::propose(stage.host(1), Some(3_000), 5).unwrap();
    assert!(!proposal.in_place);
    tune::apply(stage.host(1), &proposal.timing.unwrap()).unwrap();
    let now = stage.host(3).corosync_conf().unwrap();
    assert!(timing::detection_ms_of(&now) <= 3_000);
    assert!(tune::propose(stage.host(2), Some(3_000), 5).unwrap().in_place);
    assert!(tune::propose(stage.host(2), Some(10), 5).unwrap().timing.is_err());
    stage.close(3);
    let proposal = tune::propose(stage.host(1), None, 5).unwrap();
    assert!(proposal.measures.iter().any(|one| one.failure.is_some()), "the silent host is named");
}

#[test]
fn one_command_at_a_time() {
    let stage = Stage::new(2);
    let _lock = stage.host(1).lock().unwrap();
    let error = stage.host(1).lock().unwrap_err().to_string();
    assert!(error.contains("another command"), "{error}");
}
