//! The socket for clients: a task for each connection. Requests go to the loop; events are read from the log here.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hafen_cib::acl::User;
use hafen_protocol::client::{Failure, Numbered, Reply, Request};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};

use crate::log::{self, SharedEvents};
use crate::users;

/// Who may administer the cluster beside root, as with Pacemaker.
const GROUP: &str = "haclient";
/// Connections at the same time; more are closed at once.
const CONNECTIONS_MAXIMUM: usize = 128;
/// The longest request, in bytes: a configuration of 25,000 resources fits.
const REQUEST_BYTES_MAXIMUM: u64 = 64 << 20;
/// Requests of all connections that wait for the loop, at most.
const REQUESTS_MAXIMUM: usize = 64;
/// Answers that wait for one connection, at most.
const ANSWERS_MAXIMUM: usize = 16;
/// Events that are sent at a time.
const EVENTS_PER_TURN: usize = 64;

/// What connections tell the loop.
pub(crate) enum ClientEvent {
    /// A request, with the way for its answer.
    Asked {
        connection: u64,
        number: u64,
        /// Who asks; nothing: one whom no access control list restricts.
        user: Option<User>,
        body: Request,
        answers: mpsc::Sender<Numbered<Reply>>,
    },
    /// Whether a user may ask what is answered here.
    MayAsk { user: User, body: Request, answer: oneshot::Sender<Result<(), Failure>> },
    /// A connection ended: nobody waits for its answers.
    Gone { connection: u64 },
}

/// What each connection can reach.
#[derive(Clone)]
struct Surroundings {
    requests: mpsc::Sender<ClientEvent>,
    store_dir: Arc<Path>,
    events: Arc<SharedEvents>,
    latest: watch::Receiver<u64>,
}

/// Listens; the events come out of the receiver.
pub(crate) fn start(
    socket: &Path,
    store_dir: &Path,
    events: Arc<SharedEvents>,
    latest: watch::Receiver<u64>,
) -> io::Result<mpsc::Receiver<ClientEvent>> {
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    permit(socket)?;
    let (requests, receiver) = mpsc::channel(REQUESTS_MAXIMUM);
    tokio::spawn(accept(
        listener,
        Surroundings { requests, store_dir: Arc::from(store_dir), events, latest },
    ));
    Ok(receiver)
}

/// Lets root in, and the group [`GROUP`] where there is one and this daemon may give it the socket.
fn permit(socket: &Path) -> io::Result<()> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let group = group_of(&groups, GROUP).filter(|_| rustix::process::geteuid().is_root());
    let mode = match group {
        Some(group) => {
            chown(socket, None, Some(group))?;
            0o660
        }
        None => 0o600,
    };
    fs::set_permissions(socket, fs::Permissions::from_mode(mode))
}

/// The number of a group.
fn group_of(groups: &str, name: &str) -> Option<u32> {
    let line = groups.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

async fn accept(listener: UnixListener, surroundings: Surroundings) {
    let open = Arc::new(AtomicUsize::new(0));
    let mut connection = 0;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: some connection will end.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        if open.load(Ordering::SeqCst) >= CONNECTIONS_MAXIMUM {
            continue;
        }
        open.fetch_add(1, Ordering::SeqCst);
        connection += 1;
        let (surroundings, open) = (surroundings.clone(), Arc::clone(&open));
        tokio::spawn(async move {
            let requests = surroundings.requests.clone();
            // How a connection ends is the client's affair.
            let _ = converse(connection, stream, surroundings).await;
            let _ = requests.send(ClientEvent::Gone { connection }).await;
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn converse(connection: u64, stream: UnixStream, surroundings: Surroundings) -> io::Result<()> {
    let user = users::of(&stream).await?;
    let (read, mut write) = stream.into_split();
    let mut reader = BufReader::new(read);
    let (answers, mut answered) = mpsc::channel(ANSWERS_MAXIMUM);
    let mut line = Vec::new();
    loop {
        tokio::select! {
            length = read_line(&mut reader, &mut line) => {
                if length? == 0 {
                    return Ok(());
                }
                let asked = serde_json::from_slice::<Numbered<Request>>(&line);
                line.clear();
                let (asked, user) = match admitted(asked, user.as_ref(), &surroundings).await {
                    Ok(Admitted { asked, user }) => (asked, user),
                    Err(refused) => {
                        send(&mut write, &refused).await?;
                        continue;
                    }
                };
                match asked {
                    Ok(Numbered { number, body: Request::Events { after, follow } }) => {
                        return send_events(number, after, follow, &mut reader, &mut write, surroundings).await;
                    }
                    Ok(Numbered { number, body: Request::TransitionInput { number: transition } }) => {
                        let folder = Arc::clone(&surroundings.store_dir);
                        let found = tokio::task::spawn_blocking(move || log::input(&folder, transition)).await?;
                        let body = found.map_or_else(|error| no_input(transition, &error), |xml| Reply::Xml { xml });
                        send(&mut write, &Numbered { number, body }).await?;
                    }
                    Ok(Numbered { number, body }) => {
                        let event = ClientEvent::Asked { connection, number, user, body, answers: answers.clone() };
                        surroundings.requests.send(event).await.map_err(|_| io::ErrorKind::BrokenPipe)?;
                    }
                    Err(error) => {
                        send(&mut write, &Numbered { number: 0, body: no_request(&error) }).await?;
                        return Ok(());
                    }
                }
            }
            Some(answer) = answered.recv() => send(&mut write, &answer).await?,
        }
    }
}

/// A request, and with whose rights it is made.
struct Admitted {
    asked: Result<Numbered<Request>, serde_json::Error>,
    user: Option<User>,
}

/// Settles with whose rights a request is made, and asks the loop about what is answered here. The error is the answer.
async fn admitted(
    asked: Result<Numbered<Request>, serde_json::Error>,
    user: Option<&User>,
    surroundings: &Surroundings,
) -> Result<Admitted, Numbered<Reply>> {
    let (number, body) = match asked {
        Ok(Numbered { number, body }) => (number, body),
        Err(error) => return Ok(Admitted { asked: Err(error), user: user.cloned() }),
    };
    let (body, user) = match (body, user) {
        (Request::As { user, body }, None) => (*body, users::named(&user)),
        // As with Pacemaker: who may not take another's rights has his own.
        (Request::As { body, .. }, Some(user)) => (*body, Some(user.clone())),
        (body, user) => (body, user.cloned()),
    };
    if let (Some(user), Request::Events { .. } | Request::TransitionInput { .. } | Request::As { .. }) =
        (&user, &body)
    {
        let (answer, answered) = oneshot::channel();
        let event = ClientEvent::MayAsk { user: user.clone(), body: body.clone(), answer };
        let failed = |failure| Numbered { number, body: Reply::Failed(failure) };
        surroundings.requests.send(event).await.map_err(|_| failed(ending()))?;
        answered.await.map_err(|_| failed(ending()))?.map_err(failed)?;
    }
    Ok(Admitted { asked: Ok(Numbered { number, body }), user })
}

fn ending() -> Failure {
    Failure {
        kind: "no-coordinator".to_owned(),
        message: "the daemon is about to end".to_owned(),
        mend: "try again in a few seconds".to_owned(),
    }
}

fn no_input(transition: u64, error: &io::Error) -> Reply {
    Reply::Failed(Failure {
        kind: "not-found".to_owned(),
        message: format!("this host has no input of a transition {transition} ({error})"),
        mend: "Ask the host that was coordinator then, by the number that its event `plan` has".to_owned(),
    })
}

fn no_request(error: &serde_json::Error) -> Reply {
    Reply::Failed(Failure {
        kind: "version".to_owned(),
        message: format!("the daemon does not understand the request ({error})"),
        mend: "Use a program of the daemon's version".to_owned(),
    })
}

/// Reads on to the end of a line. What was read stays in `line` when the future is dropped.
async fn read_line(reader: &mut BufReader<OwnedReadHalf>, line: &mut Vec<u8>) -> io::Result<usize> {
    let room = REQUEST_BYTES_MAXIMUM.saturating_sub(line.len() as u64);
    reader.take(room).read_until(b'\n', line).await?;
    match line.last() {
        Some(b'\n') => Ok(line.len()),
        None => Ok(0),
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

async fn send(write: &mut OwnedWriteHalf, answer: &Numbered<Reply>) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(answer)?;
    bytes.push(b'\n');
    write.write_all(&bytes).await
}

/// Sends events until there are no more, or, with `follow`, until the client is gone. A slow client slows only itself; what
/// it misses in the meantime it sees from the numbers.
async fn send_events(
    number: u64,
    after: Option<u64>,
    follow: bool,
    reader: &mut BufReader<OwnedReadHalf>,
    write: &mut OwnedWriteHalf,
    mut surroundings: Surroundings,
) -> io::Result<()> {
    let mut last = after.unwrap_or(0);
    loop {
        surroundings.latest.borrow_and_update();
        let events = surroundings.events.after(last, EVENTS_PER_TURN);
        let was_all = events.len() < EVENTS_PER_TURN;
        for event in events {
            last = event.number;
            send(write, &Numbered { number, body: Reply::Event(event) }).await?;
        }
        if !was_all {
            continue;
        }
        if !follow {
            return send(write, &Numbered { number, body: Reply::Done { note: None } }).await;
        }
        let mut byte = [0];
        tokio::select! {
            changed = surroundings.latest.changed() => changed.map_err(|_| io::ErrorKind::BrokenPipe)?,
            // Whatever the client says here, it does not want more events.
            _ = reader.read(&mut byte) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_off_their_file() {
        let groups = "root:x:0:\nhaclient:x:107:joe\n";
        assert_eq!(group_of(groups, "haclient"), Some(107));
        assert_eq!(group_of(groups, "haclien"), None);
    }
}
