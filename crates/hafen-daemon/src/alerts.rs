//! Running the programs of alerts, as user `hacluster` as Pacemaker does. Nobody waits for them, and no more than so many run.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use hafen_node::api::AlertCall;
use jiff::{Timestamp, tz::TimeZone};
use tokio::process::Command;
use tokio::sync::Semaphore;

/// Programs of alerts that run at the same time, at most.
const RUNNING_MAXIMUM: usize = 16;
/// Calls that wait for their turn, at most; those that come then are left out.
const WAITING_MAXIMUM: usize = 1_000;
/// The form of `CRM_alert_timestamp` where none is configured.
const TIMESTAMP_FORMAT: &str = "%H:%M:%S.%06N";
/// Pacemaker's user, and who takes its place where there is none.
const USERS: [&str; 2] = ["hacluster", "nobody"];
const NOBODY: (u32, u32) = (65_534, 65_534);
/// The version of Pacemaker whose alerts these are.
const VERSION: &str = "3.0.0";

/// Starts programs, each with its number.
pub(crate) struct Alerts {
    host: String,
    /// Who runs them; none where this daemon is not root.
    user: Option<(u32, u32)>,
    sequence: u64,
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Alerts {
    pub(crate) fn new(host: &str) -> Self {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let user = USERS.iter().find_map(|name| user_of(&passwd, name)).unwrap_or(NOBODY);
        Self {
            host: host.to_owned(),
            user: rustix::process::geteuid().is_root().then_some(user),
            sequence: 0,
            turns: Arc::new(Semaphore::new(RUNNING_MAXIMUM)),
            places: Arc::new(Semaphore::new(WAITING_MAXIMUM)),
        }
    }

    /// Runs a program when its turn comes. Must be called in a tokio runtime.
    pub(crate) fn tell(&mut self, call: AlertCall) {
        self.sequence += 1;
        let (host, alert) = (self.host.clone(), call.alert.clone());
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            eprintln!("{host}: alert {alert} is left out: {WAITING_MAXIMUM} wait already");
            return;
        };
        let mut command = Command::new(&call.path);
        command.env_clear().envs(environment(&call, self.sequence)).current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        let turns = Arc::clone(&self.turns);
        let limit = Duration::from_millis(call.timeout_ms);
        tokio::spawn(async move {
            let _turn = turns.acquire_owned().await;
            match command.spawn() {
                Ok(mut child) => match tokio::time::timeout(limit, child.wait()).await {
                    Ok(Ok(status)) if status.success() => {}
                    Ok(Ok(status)) => eprintln!("{host}: alert {alert}: {} ended with {status}", call.path),
                    Ok(Err(error)) => eprintln!("{host}: alert {alert}: {error}"),
                    // The program is killed with the child.
                    Err(_) => eprintln!("{host}: alert {alert}: {} took too long, and is ended", call.path),
                },
                Err(error) => eprintln!("{host}: alert {alert}: cannot run {}: {error}", call.path),
            }
            drop(place);
        });
    }
}

/// User and group of a name.
fn user_of(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn environment(call: &AlertCall, sequence: u64) -> Vec<(String, String)> {
    let moment = i64::try_from(call.wall_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let moment = moment.unwrap_or_default();
    let format = call.timestamp_format.as_deref().unwrap_or(TIMESTAMP_FORMAT);
    let mut all =
        vec![("PATH".to_owned(), hafen_agents::TOOL_PATH.to_owned()), ("LC_ALL".to_owned(), "C".to_owned())];
    all.extend(call.environment.iter().map(|(name, value)| (name.clone(), value.clone())));
    all.retain(|(name, _)| !name.is_empty() && !name.contains(['=', '\0']));
    for (name, value) in [
        ("version", VERSION.to_owned()),
        ("node_sequence", sequence.to_string()),
        ("timestamp", formatted(moment, format)),
        ("timestamp_epoch", moment.as_second().to_string()),
        ("timestamp_usec", (moment.subsec_nanosecond() / 1000).to_string()),
    ] {
        all.push((format!("CRM_alert_{name}"), value));
    }
    for (_, value) in &mut all {
        value.retain(|letter| letter != '\0');
    }
    all
}

/// A moment in the form of `date`, where `%6N` are the first digits of the nanoseconds.
fn formatted(moment: Timestamp, format: &str) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        text += &rest[..at];
        rest = &rest[at + 1..];
        let digits = rest.len() - rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        match (rest[digits..].chars().next(), rest[..digits].parse::<usize>()) {
            (Some('N'), width) => {
                let nanoseconds = format!("{:09}", moment.subsec_nanosecond());
                text += nanoseconds.get(..width.unwrap_or(9).clamp(1, 9)).unwrap_or_default();
                rest = &rest[digits + 1..];
            }
            (Some(letter), _) => {
                let end = digits + letter.len_utf8();
                let directive = format!("%{}", &rest[..end]);
                let zoned = moment.to_zoned(TimeZone::system());
                text += &jiff::fmt::strtime::format(&directive, &zoned).unwrap_or(directive);
                rest = &rest[end..];
            }
            (None, _) => {
                text.push('%');
                text += rest;
                rest = "";
            }
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_date_does() {
        let moment = Timestamp::from_millisecond(1_700_000_000_042).expect("a moment");
        let utc = |format: &str| formatted(moment, format).replace("+00", "");
        assert_eq!(utc("%06N"), "042000");
        assert_eq!(utc("%N"), "042000000");
        assert_eq!(utc("%s %% x"), "1700000000 % x");
        assert_eq!(utc("%"), "%");
        assert_eq!(utc("%3"), "%3");
        assert_eq!(utc("%Ö").len(), "%Ö".len());
    }

    #[test]
    fn users_are_read_off_passwd() {
        let passwd = "root:x:0:0::/:/bin/sh\nhacluster:x:101:102::/x:/y\n";
        assert_eq!(user_of(passwd, "hacluster"), Some((101, 102)));
        assert_eq!(user_of(passwd, "haclus"), None);
    }
}
