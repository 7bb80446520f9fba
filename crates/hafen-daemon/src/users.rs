//! Who is at the other end of the socket.

use std::fs;
use std::io;
use std::time::Duration;

use hafen_cib::acl::User;
use tokio::net::UnixStream;
use tokio::process::Command;

/// How long the system may take to say who a user is whom its own table does not have (a directory service).
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The user who connected; nothing where no access control list restricts that one: root, `hacluster`, and who runs this
/// daemon. The kernel vouches for the numbers.
pub(crate) async fn of(stream: &UnixStream) -> io::Result<Option<User>> {
    let peer = stream.peer_cred()?;
    if peer.uid() == 0 || peer.uid() == rustix::process::geteuid().as_raw() {
        return Ok(None);
    }
    let mut user = User::numbered(peer.uid(), peer.gid(), &table("/etc/passwd"), &table("/etc/group"));
    if user.name.starts_with('#') {
        let passwd = said("getent", &["passwd", &peer.uid().to_string()]).await;
        user = User::numbered(peer.uid(), peer.gid(), &passwd, &table("/etc/group"));
        let groups = said("id", &["-Gn", &peer.uid().to_string()]).await;
        user.groups.extend(groups.split_whitespace().map(str::to_owned));
    }
    Ok(Some(user).filter(|user| !user.is_almighty()))
}

/// A user by name; nothing where no access control list restricts that one.
pub(crate) fn named(name: &str) -> Option<User> {
    let user = User::named(name, &table("/etc/passwd"), &table("/etc/group"));
    Some(user).filter(|user| !user.is_almighty())
}

fn table(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What a program says; nothing where it fails.
async fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).kill_on_drop(true).output();
    match tokio::time::timeout(LOOKUP_TIMEOUT, output).await {
        Ok(Ok(output)) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => String::new(),
    }
}
